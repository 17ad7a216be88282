package keyenc

import (
	"strconv"
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// A numeric is a class byte; for finite non-zero values then an exponent e
// (3 bytes, biased by 2²³) and the digits d of the value 0.d × 10^e, two to a byte
// as 1 + pair, trailing zeros left out, ended by 0x00. Negative values have
// exponent, digits and end inverted.
const (
	numNegInf = 0x10
	numNeg    = 0x20
	numZero   = 0x30
	numPos    = 0x40
	numPosInf = 0x50
	numNaN    = 0x60

	numExpBias = 1 << 23
)

func appendNumeric(dst []byte, v types.Numeric) ([]byte, error) {
	if u, scale, ok := v.Int64(); ok {
		return appendDec64(dst, u, scale), nil
	}
	s, err := types.Out(nil, types.Of(types.NumericOID), v)
	if err != nil {
		return nil, err
	}
	switch s {
	case "NaN":
		return append(dst, numNaN), nil
	case "Infinity":
		return append(dst, numPosInf), nil
	case "-Infinity":
		return append(dst, numNegInf), nil
	}
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	whole, frac, _ := strings.Cut(s, ".")
	digits := whole + frac
	trimmed := strings.TrimLeft(digits, "0")
	exp := len(whole) - (len(digits) - len(trimmed))
	for i := 0; i < len(trimmed); i++ {
		if trimmed[i] < '0' || trimmed[i] > '9' {
			return nil, pgerror.Internal("numeric %q has no key form", s)
		}
	}
	return appendDecimal(dst, neg, []byte(trimmed), exp), nil
}

// appendDec64 is appendNumeric of u × 10^-scale.
func appendDec64(dst []byte, u int64, scale int32) []byte {
	var buf [24]byte
	neg := u < 0
	mag := uint64(u)
	if neg {
		mag = -mag
	}
	digits := strconv.AppendUint(buf[:0], mag, 10)
	if mag == 0 {
		digits = digits[:0]
	}
	return appendDecimal(dst, neg, digits, len(digits)-int(scale))
}

func appendDecimal(dst []byte, neg bool, digits []byte, exp int) []byte {
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	if len(digits) == 0 {
		return append(dst, numZero)
	}
	if neg {
		dst = append(dst, numNeg)
	} else {
		dst = append(dst, numPos)
	}
	n := len(dst)
	e := uint32(exp + numExpBias)
	dst = append(dst, byte(e>>16), byte(e>>8), byte(e))
	for i := 0; i < len(digits); i += 2 {
		pair := (digits[i] - '0') * 10
		if i+1 < len(digits) {
			pair += digits[i+1] - '0'
		}
		dst = append(dst, pair+1)
	}
	dst = append(dst, 0)
	if neg {
		invert(dst[n:])
	}
	return dst
}
