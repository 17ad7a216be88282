package types

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
)

func floatRange(typ, s string) error {
	return pgerror.New(pgerror.NumericValueOutOfRange, "\"%s\" is out of range for type %s", s, typ)
}

// ParseFloat reads the text form of float8 (bits 64) or float4 (bits 32).
func ParseFloat(s string, bits int) (float64, error) {
	typ := "double precision"
	if bits == 32 {
		typ = "real"
	}
	t := trimSpace(s)
	if t == "" || strings.Contains(t, "_") {
		return 0, invalidText(typ, s)
	}
	u := t
	neg := false
	if u[0] == '-' || u[0] == '+' {
		neg, u = u[0] == '-', u[1:]
	}
	if u == "" {
		return 0, invalidText(typ, s)
	}
	if c := u[0] | 0x20; c == 'n' || c == 'i' {
		switch {
		case strings.EqualFold(u, "nan"):
			return math.Float64frombits(0x7ff8000000000000), nil
		case strings.EqualFold(u, "inf"), strings.EqualFold(u, "infinity"):
			if neg {
				return math.Inf(-1), nil
			}
			return math.Inf(1), nil
		}
		return 0, invalidText(typ, s)
	}
	if len(u) > 2 && u[0] == '0' && u[1]|0x20 == 'x' && !strings.ContainsAny(u, "pP") {
		t += "p0" // C reads hexadecimal floats without an exponent
	}
	f, err := strconv.ParseFloat(t, bits)
	if err != nil {
		if ne, ok := err.(*strconv.NumError); ok && ne.Err == strconv.ErrRange {
			return 0, floatRange(typ, t)
		}
		return 0, invalidText(typ, s)
	}
	if f == 0 && strings.ContainsAny(mantissa(u), "123456789") {
		return 0, floatRange(typ, t)
	}
	return f, nil
}

func mantissa(s string) string {
	if i := strings.IndexAny(s, "eEpP"); i >= 0 && !strings.HasPrefix(s, "0x") {
		return s[:i]
	}
	return s
}

// shortest is the shortest decimal strictly between the midpoints to f's
// neighbours, in e form. strconv accepts a midpoint itself where reading rounds
// it to f (9e+09 for the float4 next to it); PostgreSQL does not (Ryu without its
// bounds). Midpoints are short decimals only beyond the mantissa's last bit.
func shortest(f float64, bits int) []byte {
	s := strconv.AppendFloat(nil, f, 'e', -1, bits)
	mantissa := 53
	if bits == 32 {
		mantissa = 24
	}
	if a := math.Abs(f); a < float64(uint64(1)<<mantissa) || a > 1e30 {
		return s
	}
	below, above := big.NewFloat(f).SetPrec(200), big.NewFloat(f).SetPrec(200)
	if bits == 32 {
		below.Add(below, big.NewFloat(float64(math.Nextafter32(float32(f), float32(math.Inf(-1))))))
		above.Add(above, big.NewFloat(float64(math.Nextafter32(float32(f), float32(math.Inf(1))))))
	} else {
		below.Add(below, big.NewFloat(math.Nextafter(f, math.Inf(-1))))
		above.Add(above, big.NewFloat(math.Nextafter(f, math.Inf(1))))
	}
	onMidpoint := func(s []byte) bool {
		x, _ := new(big.Float).SetPrec(200).SetString(string(s))
		x.Add(x, x)
		return x.Cmp(below) == 0 || x.Cmp(above) == 0
	}
	for digits := 1; onMidpoint(s) && digits < 17; digits++ {
		if longer := strconv.AppendFloat(nil, f, 'e', digits, bits); !onMidpoint(longer) {
			if back, err := strconv.ParseFloat(string(longer), bits); err == nil && back == f {
				return longer
			}
		}
	}
	return s
}

// AppendFloat appends the text form of a float8 (bits 64) or float4 (bits 32)
// under extra_float_digits.
func AppendFloat(buf []byte, f float64, bits, extraDigits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(buf, "NaN"...)
	case math.IsInf(f, 1):
		return append(buf, "Infinity"...)
	case math.IsInf(f, -1):
		return append(buf, "-Infinity"...)
	}
	digits := 15
	if bits == 32 {
		digits = 6
	}
	if extraDigits <= 0 {
		return appendG(buf, strconv.AppendFloat(nil, f, 'e', max(digits+extraDigits, 1)-1, bits), max(digits+extraDigits, 1), true)
	}
	return appendG(buf, shortest(f, bits), digits, false)
}

// appendG lays a number given as d.ddde±xx out as C's %g does: fixed while
// −4 ≤ exponent < limit. trim drops trailing zeros.
func appendG(buf, e []byte, limit int, trim bool) []byte {
	if e[0] == '-' {
		buf, e = append(buf, '-'), e[1:]
	}
	at := strings.IndexByte(string(e), 'e')
	exp, _ := strconv.Atoi(string(e[at+1:]))
	digits := append([]byte{e[0]}, e[min(2, at):at]...)
	if trim {
		for len(digits) > 1 && digits[len(digits)-1] == '0' {
			digits = digits[:len(digits)-1]
		}
	}
	switch {
	case exp < -4 || exp >= limit:
		buf = append(buf, digits[0])
		if len(digits) > 1 {
			buf = append(append(buf, '.'), digits[1:]...)
		}
		return append(buf, e[at:]...)
	case exp < 0:
		buf = append(buf, "0.000"[:1-exp]...)
		return append(buf, digits...)
	case len(digits) <= exp+1:
		buf = append(buf, digits...)
		for range exp + 1 - len(digits) {
			buf = append(buf, '0')
		}
		return buf
	}
	buf = append(buf, digits[:exp+1]...)
	buf = append(buf, '.')
	return append(buf, digits[exp+1:]...)
}

// CompareFloat orders floats as PostgreSQL does: NaN equals itself and sorts above all.
func CompareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	case math.IsNaN(a) && math.IsNaN(b):
		return 0
	case math.IsNaN(a):
		return 1
	}
	return -1
}

// floatKey makes equal floats equal bits.
func floatKey(f float64) uint64 {
	if f == 0 {
		return 0
	}
	if math.IsNaN(f) {
		return math.Float64bits(math.NaN())
	}
	return math.Float64bits(f)
}

var float4Codec = codec{
	in: func(_ *Env, _ T, s string) (Datum, error) {
		f, err := ParseFloat(s, 32)
		if err != nil {
			return nil, err
		}
		return float32(f), nil
	},
	out: func(env *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		return AppendFloat(buf, float64(d.(float32)), 32, env.ExtraFloatDigits), nil
	},
	recv: func(_ *Env, _ T, b []byte) (Datum, error) {
		if err := checkLen(b, 4); err != nil {
			return nil, err
		}
		return math.Float32frombits(binary.BigEndian.Uint32(b)), nil
	},
	send: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		return binary.BigEndian.AppendUint32(buf, math.Float32bits(d.(float32))), nil
	},
	compare: func(_ *Env, a, b Datum) int { return CompareFloat(float64(a.(float32)), float64(b.(float32))) },
	key: func(_ *Env, buf []byte, d Datum) []byte {
		return binary.LittleEndian.AppendUint64(buf, floatKey(float64(d.(float32))))
	},
}

var float8Codec = codec{
	in: func(_ *Env, _ T, s string) (Datum, error) {
		f, err := ParseFloat(s, 64)
		if err != nil {
			return nil, err
		}
		return f, nil
	},
	out: func(env *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		return AppendFloat(buf, d.(float64), 64, env.ExtraFloatDigits), nil
	},
	recv: func(_ *Env, _ T, b []byte) (Datum, error) {
		if err := checkLen(b, 8); err != nil {
			return nil, err
		}
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	},
	send: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		return binary.BigEndian.AppendUint64(buf, math.Float64bits(d.(float64))), nil
	},
	compare: func(_ *Env, a, b Datum) int { return CompareFloat(a.(float64), b.(float64)) },
	key: func(_ *Env, buf []byte, d Datum) []byte {
		return binary.LittleEndian.AppendUint64(buf, floatKey(d.(float64)))
	},
}
