package types

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// NumericFromFloat64 converts as the cast float8 → numeric does: 15 significant digits.
func NumericFromFloat64(f float64) (Numeric, error) { return numericFromFloat(f, 15) }

// NumericFromFloat32 converts as the cast float4 → numeric does: 6 significant digits.
func NumericFromFloat32(f float32) (Numeric, error) { return numericFromFloat(float64(f), 6) }

func numericFromFloat(f float64, prec int) (Numeric, error) {
	switch {
	case math.IsNaN(f):
		return NumericNaN, nil
	case math.IsInf(f, 1):
		return NumericPosInf, nil
	case math.IsInf(f, -1):
		return NumericNegInf, nil
	}
	return ParseNumeric(strconv.FormatFloat(f, 'g', prec, 64))
}

// Float64 is the nearest float8; values beyond its range become ±infinity.
func (n Numeric) Float64() float64 {
	switch n.form {
	case numNaN:
		return math.NaN()
	case numPosInf:
		return math.Inf(1)
	case numNegInf:
		return math.Inf(-1)
	}
	if n.big == nil {
		if n.scale == 0 {
			return float64(n.small)
		}
		if u := uabs(n.small); u < 1<<53 && n.scale <= 19 { // both exact: one correctly rounded division
			if d := pow10u[n.scale]; d < 1<<53 {
				return float64(n.small) / float64(d)
			}
		}
	}
	f, _ := strconv.ParseFloat(n.Big().String()+"e-"+strconv.Itoa(int(n.scale)), 64)
	return f
}

// Float32 is the nearest float4.
func (n Numeric) Float32() float32 {
	if n.form != numFinite {
		return float32(n.Float64())
	}
	f, _ := strconv.ParseFloat(n.Big().String()+"e-"+strconv.Itoa(int(n.scale)), 32)
	return float32(f)
}

// ToInt64 rounds to the nearest integer, half away from zero; ok false when the
// value is not finite or out of range.
func (n Numeric) ToInt64() (v int64, ok bool) {
	if n.form != numFinite {
		return 0, false
	}
	r := n.roundTo(0)
	return r.small, r.big == nil
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func trimSpace(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	for s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// ParseNumeric reads numeric's text form: decimal with optional exponent,
// 0x/0o/0b integers, single underscores between digits, NaN, Infinity, inf.
func ParseNumeric(text string) (Numeric, error) {
	bad := func() (Numeric, error) {
		return Numeric{}, pgerror.New(pgerror.InvalidTextRepresentation, "invalid input syntax for type numeric: \"%s\"", text)
	}
	s, neg := trimSpace(text), false
	signs := s != "" && (s[0] == '+' || s[0] == '-')
	if signs {
		neg, s = s[0] == '-', s[1:]
	}
	if s == "" {
		return bad()
	}
	if c := s[0]; (c < '0' || c > '9') && c != '.' {
		switch {
		case strings.EqualFold(s, "nan") && !signs:
			return NumericNaN, nil
		case strings.EqualFold(s, "infinity"), strings.EqualFold(s, "inf"):
			if neg {
				return NumericNegInf, nil
			}
			return NumericPosInf, nil
		}
		return bad()
	}
	if len(s) > 1 && s[0] == '0' && strings.IndexByte("xXoObB", s[1]) >= 0 {
		v, ok := parseRadix(s)
		if !ok {
			return bad()
		}
		if neg {
			v.Neg(v)
		}
		return NumericFromBig(v, 0).checked()
	}
	var small uint64
	var digits []byte // once small would overflow
	nd, scale, point := 0, 0, false
	i := 0
	for ; i < len(s); i++ {
		c := s[i]
		if c >= '0' && c <= '9' {
			if nd < 19 {
				small = small*10 + uint64(c-'0')
				if small != 0 {
					nd++
				}
			} else {
				if digits == nil {
					digits = strconv.AppendUint(make([]byte, 0, len(s)), small, 10)
				}
				digits = append(digits, c)
			}
			if point {
				scale++
			}
			continue
		}
		if c == '_' {
			if i == 0 || !isDigit(s[i-1]) || i+1 >= len(s) || !isDigit(s[i+1]) {
				return bad()
			}
			continue
		}
		if c != '.' || point {
			break
		}
		point = true
	}
	if i == 1 && point { // a lone point
		return bad()
	}
	exp := 0
	if i < len(s) {
		if s[i] != 'e' && s[i] != 'E' {
			return bad()
		}
		e := s[i+1:]
		if e != "" && (e[0] == '+' || e[0] == '-') {
			e = e[1:]
		}
		if e == "" || !isDigit(e[0]) || e[len(e)-1] == '_' || strings.Contains(e, "__") {
			return bad()
		}
		for _, c := range []byte(e) {
			if c == '_' {
				continue
			}
			if !isDigit(c) {
				return bad()
			}
			exp = exp*10 + int(c-'0')
			if exp > math.MaxInt32/2 {
				return Numeric{}, numericOverflow()
			}
		}
		if s[i+1] == '-' {
			exp = -exp
		}
	}
	scale -= exp
	if scale > numericScaleMax || len(digits)-scale > numericIntDigitsMax {
		return Numeric{}, numericOverflow()
	}
	var n Numeric
	if digits == nil {
		v, ok := signed(small, neg)
		if ok {
			n = Numeric{small: v}
		} else {
			b := new(big.Int).SetUint64(small)
			if neg {
				b.Neg(b)
			}
			n = NumericFromBig(b, 0)
		}
	} else {
		b, _ := new(big.Int).SetString(string(digits), 10)
		if neg {
			b.Neg(b)
		}
		n = NumericFromBig(b, 0)
	}
	if scale >= 0 {
		n.scale = int32(scale)
		return n.checked()
	}
	if n.IsZero() {
		return n, nil
	}
	if n.digits()-scale > numericIntDigitsMax {
		return Numeric{}, numericOverflow()
	}
	if v, ok := mulPow10(n.small, int32(-scale)); ok && n.big == nil {
		return Numeric{small: v}, nil
	}
	return NumericFromBig(new(big.Int).Mul(n.Big(), pow10big(-scale)), 0), nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// parseRadix reads 0x…, 0o…, 0b… with underscores before or between digits.
func parseRadix(s string) (*big.Int, bool) {
	base := map[byte]int{'x': 16, 'o': 8, 'b': 2}[s[1]|0x20]
	d := s[2:]
	if d == "" || d[len(d)-1] == '_' || strings.Contains(d, "__") || d[0] == '+' || d[0] == '-' {
		return nil, false
	}
	return new(big.Int).SetString(strings.ReplaceAll(d, "_", ""), base)
}

// AppendText appends numeric's text form.
func (n Numeric) AppendText(buf []byte) []byte {
	switch n.form {
	case numNaN:
		return append(buf, "NaN"...)
	case numPosInf:
		return append(buf, "Infinity"...)
	case numNegInf:
		return append(buf, "-Infinity"...)
	}
	var tmp [24]byte
	var d []byte
	if n.big == nil {
		if n.scale == 0 {
			return strconv.AppendInt(buf, n.small, 10)
		}
		d = strconv.AppendUint(tmp[:0], uabs(n.small), 10)
		if n.small < 0 {
			buf = append(buf, '-')
		}
	} else {
		d = n.big.Append(nil, 10)
		if d[0] == '-' {
			buf, d = append(buf, '-'), d[1:]
		}
	}
	scale := int(n.scale)
	if scale == 0 {
		return append(buf, d...)
	}
	if len(d) <= scale {
		buf = append(buf, '0', '.')
		for range scale - len(d) {
			buf = append(buf, '0')
		}
		return append(buf, d...)
	}
	buf = append(buf, d[:len(d)-scale]...)
	buf = append(buf, '.')
	return append(buf, d[len(d)-scale:]...)
}

// String is the text form.
func (n Numeric) String() string { return string(n.AppendText(nil)) }

// The wire form: int16 number of base-10000 digits, int16 weight of the first,
// uint16 sign, uint16 display scale, then the digits, all big endian.
const (
	wireNumericNeg    = 0x4000
	wireNumericNaN    = 0xC000
	wireNumericPosInf = 0xD000
	wireNumericNegInf = 0xF000
)

// appendSend appends PostgreSQL's binary form.
func (n Numeric) appendSend(buf []byte) []byte {
	put := func(ndigits, weight, sign, scale int) {
		buf = binary.BigEndian.AppendUint16(buf, uint16(ndigits))
		buf = binary.BigEndian.AppendUint16(buf, uint16(weight))
		buf = binary.BigEndian.AppendUint16(buf, uint16(sign))
		buf = binary.BigEndian.AppendUint16(buf, uint16(scale))
	}
	switch n.form {
	case numNaN:
		put(0, 0, wireNumericNaN, 0)
		return buf
	case numPosInf:
		put(0, 0, wireNumericPosInf, 32) // PostgreSQL sends infinities with scale 32
		return buf
	case numNegInf:
		put(0, 0, wireNumericNegInf, 32)
		return buf
	}
	if n.IsZero() {
		put(0, 0, 0, int(n.scale))
		return buf
	}
	var d []byte
	sign := 0
	if n.big == nil {
		d = strconv.AppendUint(nil, uabs(n.small), 10)
	} else {
		d = new(big.Int).Abs(n.big).Append(nil, 10)
	}
	if n.Sign() < 0 {
		sign = wireNumericNeg
	}
	e := len(d) - int(n.scale) - 1
	weight := floorDiv(e, 4)
	for range 3 - (e - 4*weight) { // fill the leading group
		d = append(d, 0)
		copy(d[1:], d)
		d[0] = '0'
	}
	for len(d)%4 != 0 {
		d = append(d, '0')
	}
	nd := len(d) / 4
	group := func(i int) int {
		return int(d[4*i]-'0')*1000 + int(d[4*i+1]-'0')*100 + int(d[4*i+2]-'0')*10 + int(d[4*i+3]-'0')
	}
	for nd > 0 && group(nd-1) == 0 {
		nd--
	}
	put(nd, weight, sign, int(n.scale))
	for i := range nd {
		buf = binary.BigEndian.AppendUint16(buf, uint16(group(i)))
	}
	return buf
}

// numericRecv reads PostgreSQL's binary form.
func numericRecv(b []byte) (Numeric, error) {
	bad := func(what string) (Numeric, error) {
		return Numeric{}, pgerror.New(pgerror.InvalidBinaryRepresentation, "invalid %s in external \"numeric\" value", what)
	}
	if len(b) < 8 {
		return Numeric{}, insufficientData()
	}
	u16 := func(i int) int { return int(binary.BigEndian.Uint16(b[2*i:])) }
	nd, weight, sign, scale := u16(0), int(int16(u16(1))), u16(2), u16(3)
	switch sign {
	case wireNumericNaN:
		return NumericNaN, nil
	case wireNumericPosInf:
		return NumericPosInf, nil
	case wireNumericNegInf:
		return NumericNegInf, nil
	case 0, wireNumericNeg:
	default:
		return bad("sign")
	}
	if scale > numericScaleMax {
		return bad("scale")
	}
	if len(b) < 8+2*nd {
		return Numeric{}, insufficientData()
	}
	if len(b) > 8+2*nd {
		return Numeric{}, trailingData()
	}
	d := make([]byte, 0, 4*nd+1)
	for i := range nd {
		g := u16(4 + i)
		if g > 9999 {
			return bad("digit")
		}
		d = append(d, byte('0'+g/1000), byte('0'+g/100%10), byte('0'+g/10%10), byte('0'+g%10))
	}
	if nd == 0 {
		return Numeric{scale: int32(scale)}, nil
	}
	// digits × 10^(4·(weight−nd+1)); bring it to the display scale
	have := -4 * (weight - nd + 1)
	switch {
	case have < 0:
		for range -have {
			d = append(d, '0')
		}
		have = 0
	case have > scale: // digits beyond the display scale are cut off
		cut := min(have-scale, len(d))
		d = d[:len(d)-cut]
		if cut < have-scale {
			d = d[:0]
		}
		have = scale
	}
	if len(d) == 0 {
		return Numeric{scale: int32(scale)}, nil
	}
	v, _ := new(big.Int).SetString(string(d), 10)
	if sign == wireNumericNeg {
		v.Neg(v)
	}
	n := NumericFromBig(v, int32(have))
	return n.roundTo(int32(scale)).checked()
}

func insufficientData() error {
	return pgerror.New(pgerror.ProtocolViolation, "insufficient data left in message")
}

func trailingData() error {
	return pgerror.New(pgerror.InvalidBinaryRepresentation, trailingDataText)
}

var numericCodec = codec{
	in: func(_ *Env, t T, s string) (Datum, error) {
		n, err := ParseNumeric(s)
		if err != nil {
			return nil, err
		}
		if t.Mod >= 4 {
			if n, err = n.ApplyTypmod(t.Mod); err != nil {
				return nil, err
			}
		}
		return n, nil
	},
	out: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) { return d.(Numeric).AppendText(buf), nil },
	recv: func(_ *Env, t T, b []byte) (Datum, error) {
		n, err := numericRecv(b)
		if err != nil {
			return nil, err
		}
		if t.Mod >= 4 {
			if n, err = n.ApplyTypmod(t.Mod); err != nil {
				return nil, err
			}
		}
		return n, nil
	},
	send:    func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) { return d.(Numeric).appendSend(buf), nil },
	compare: func(_ *Env, a, b Datum) int { return a.(Numeric).Cmp(b.(Numeric)) },
	key:     func(_ *Env, buf []byte, d Datum) []byte { return d.(Numeric).AppendKey(buf) },
}

// Scientific is n as d.ddde±xx with the given number of digits after the point.
// The exponent is the unrounded value's: 9.99 with one digit is 10.0e+00.
// REQUIRES: n is finite.
func (n Numeric) Scientific(digits int) string {
	exp := 0
	r := n
	if nd := n.digits(); nd > 0 {
		exp = nd - int(n.scale) - 1
		r = n.roundTo(int32(digits - exp))
	}
	text := new(big.Int).Abs(r.Big()).String()
	if extra := digits - exp - int(r.scale); extra > 0 || len(text) < digits+1 { // rounded left of the point, or zero
		text += strings.Repeat("0", max(extra, digits+1-len(text)))
	} else if drop := int(r.scale) - (digits - exp); drop > 0 {
		text = text[:len(text)-drop]
	}
	s := text[:len(text)-digits]
	if digits > 0 {
		s += "." + text[len(text)-digits:]
	}
	if n.Sign() < 0 {
		s = "-" + s
	}
	sign := "+"
	if exp < 0 {
		sign, exp = "-", -exp
	}
	e := strconv.Itoa(exp)
	if len(e) < 2 {
		e = "0" + e
	}
	return s + "e" + sign + e
}
