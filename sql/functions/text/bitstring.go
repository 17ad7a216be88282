package text

import (
	"math"
	"strings"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

func notBits(s string) string {
	out := []byte(s)
	for i := range out {
		out[i] ^= 1
	}
	return string(out)
}

// shiftBits moves s by n places, to the left when n > 0; zeros come in.
func shiftBits(s string, n int64) string {
	if n >= int64(len(s)) || n <= -int64(len(s)) {
		return strings.Repeat("0", len(s))
	}
	if n >= 0 {
		return s[n:] + strings.Repeat("0", int(n))
	}
	return strings.Repeat("0", int(-n)) + s[:len(s)+int(n)]
}

func concatBits(a, b string) (string, error) {
	if len(a)+len(b) > types.BitsMax {
		return "", types.BitsTooLong()
	}
	return a + b, nil
}

func substrBits(s string, start, length int32) (string, error) {
	if length < 0 {
		return "", negativeLength()
	}
	from, to := int64(start)-1, int64(start)-1+int64(length)
	from, to = min(max(from, 0), int64(len(s))), min(max(to, 0), int64(len(s)))
	return s[from:max(from, to)], nil
}

func substrBitsFrom(s string, start int32) string { return s[min(max(int(start)-1, 0), len(s)):] }

func overlayBits(s, repl string, start, length int32) (string, error) {
	if start <= 0 {
		return "", negativeLength()
	}
	end := int64(start) + int64(length)
	if end > math.MaxInt32 || end < math.MinInt32 {
		return "", pgerror.New(pgerror.NumericValueOutOfRange, "integer out of range")
	}
	return concatBits(s[:min(int(start)-1, len(s))]+repl, substrBitsFrom(s, int32(end)))
}

// positionBits is 0 in an empty string, of an empty one too.
func positionBits(s, sub string) int32 {
	if s == "" {
		return 0
	}
	return int32(strings.Index(s, sub)) + 1
}

func checkBitIndex(i int32, s string) error {
	if i < 0 || int(i) >= len(s) {
		return pgerror.New(pgerror.ArraySubscriptError, "bit index %d out of valid range (0..%d)", i, len(s)-1)
	}
	return nil
}

func registerBitStrings(r *expr.Registry) {
	length := adapt.F1(func(s string) int32 { return int32(len(s)) })
	adapt.Add(r, "length(bit)", length)
	adapt.Add(r, "bit_length(bit)", length)
	adapt.Add(r, "octet_length(bit)", adapt.F1(func(s string) int32 { return int32((len(s) + 7) / 8) }))
	adapt.Add(r, "bit_count(bit)", adapt.F1(func(s string) int64 { return int64(strings.Count(s, "1")) }))
	for name, op := range map[string]byte{"bitand": '&', "bitor": '|', "bitxor": '#'} {
		adapt.Add(r, name+"(bit,bit)", adapt.E2(func(a, b string) (string, error) { return types.CombineBits(op, a, b) }))
	}
	adapt.Add(r, "bitnot(bit)", adapt.F1(notBits))
	adapt.Add(r, "bitshiftleft(bit,int4)", adapt.F2(func(s string, n int32) string { return shiftBits(s, int64(n)) }))
	adapt.Add(r, "bitshiftright(bit,int4)", adapt.F2(func(s string, n int32) string { return shiftBits(s, -int64(n)) }))
	adapt.Add(r, "bitcat(varbit,varbit)", adapt.E2(concatBits))
	adapt.Add(r, "substring(bit,int4,int4)", adapt.E3(substrBits))
	adapt.Add(r, "substring(bit,int4)", adapt.F2(substrBitsFrom))
	adapt.Add(r, "overlay(bit,bit,int4,int4)", adapt.E4(overlayBits))
	adapt.Add(r, "overlay(bit,bit,int4)", adapt.E3(func(s, repl string, start int32) (string, error) {
		return overlayBits(s, repl, start, int32(len(repl)))
	}))
	adapt.Add(r, "position(bit,bit)", adapt.F2(positionBits))
	adapt.Add(r, "get_bit(bit,int4)", adapt.E2(func(s string, i int32) (int32, error) {
		if err := checkBitIndex(i, s); err != nil {
			return 0, err
		}
		return int32(s[i] & 1), nil
	}))
	adapt.Add(r, "set_bit(bit,int4,int4)", adapt.E3(func(s string, i, v int32) (string, error) {
		if err := checkBitIndex(i, s); err != nil {
			return "", err
		}
		if v != 0 && v != 1 {
			return "", invalidParameter("new bit must be 0 or 1")
		}
		out := []byte(s)
		out[i] = '0' + byte(v)
		return string(out), nil
	}))
	adapt.Add(r, "bit(bit,int4,bool)", adapt.E3(types.BitTypmod))
	adapt.Add(r, "varbit(varbit,int4,bool)", adapt.E3(types.VarBitTypmod))
	adapt.Add(r, "bit(int4,int4)", adapt.E2(func(v, n int32) (string, error) { return types.IntBits(int64(v), n) }))
	adapt.Add(r, "bit(int8,int4)", adapt.E2(types.IntBits))
	adapt.Add(r, "int4(bit)", adapt.E1(func(s string) (int32, error) {
		v, err := types.BitsInt(s, 32, "integer")
		return int32(v), err
	}))
	adapt.Add(r, "int8(bit)", adapt.E1(func(s string) (int64, error) {
		v, err := types.BitsInt(s, 64, "bigint")
		return int64(v), err
	}))
}
