package types

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
)

// Numeric is an exact decimal: unscaled × 10^-scale with PostgreSQL's display
// scale (0 ≤ scale ≤ 16383), or NaN, or ±Infinity. The zero Numeric is 0.
//
// Invariant: big is set only when the unscaled value does not fit an int64, and
// is never changed after the Numeric was made.
type Numeric struct {
	big   *big.Int // nil: small holds the unscaled value
	small int64
	scale int32
	form  uint8
}

const (
	numFinite uint8 = iota
	numNaN
	numPosInf
	numNegInf
)

// Limits of PostgreSQL's numeric.
const (
	numericScaleMax        = 16383  // digits after the point
	numericIntDigitsMax    = 131072 // digits before the point
	numericDisplayScaleMax = 1000   // of results whose scale is chosen
	numericMinSigDigits    = 16     // significant digits a chosen scale aims at
)

// The special values.
var (
	NumericNaN    = Numeric{form: numNaN}
	NumericPosInf = Numeric{form: numPosInf}
	NumericNegInf = Numeric{form: numNegInf}
)

// NumericFromInt64 is unscaled × 10^-scale, shown with scale digits after the point.
func NumericFromInt64(unscaled int64, scale int32) Numeric {
	return Numeric{small: unscaled, scale: scale}
}

// NumericFromBig is unscaled × 10^-scale; it takes unscaled over. REQUIRES: 0 ≤ scale.
func NumericFromBig(unscaled *big.Int, scale int32) Numeric {
	if unscaled.IsInt64() {
		return Numeric{small: unscaled.Int64(), scale: scale}
	}
	return Numeric{big: unscaled, scale: scale}
}

// Int64 gives the unscaled value and the display scale when the value is finite,
// fits an int64 and 0 ≤ scale ≤ 18.
func (n Numeric) Int64() (unscaled int64, scale int32, ok bool) {
	return n.small, n.scale, n.form == 0 && n.big == nil && n.scale <= 18
}

// Big gives the unscaled value of a finite numeric; the result must not be changed.
func (n Numeric) Big() *big.Int {
	if n.big != nil {
		return n.big
	}
	return big.NewInt(n.small)
}

// Scale is the display scale.
func (n Numeric) Scale() int32 { return n.scale }

func (n Numeric) IsNaN() bool    { return n.form == numNaN }
func (n Numeric) IsFinite() bool { return n.form == numFinite }
func (n Numeric) IsInf() bool    { return n.form >= numPosInf }

// IsZero reports a finite zero of any scale.
func (n Numeric) IsZero() bool { return n.form == numFinite && n.big == nil && n.small == 0 }

// Sign is −1, 0 or 1; NaN counts as 1 (it sorts above everything).
func (n Numeric) Sign() int {
	switch {
	case n.form == numNegInf:
		return -1
	case n.form != numFinite:
		return 1
	case n.big != nil:
		return n.big.Sign()
	case n.small < 0:
		return -1
	case n.small > 0:
		return 1
	}
	return 0
}

// Powers of ten.

var pow10u = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

var pow10bigs = func() (p [128]*big.Int) {
	p[0] = big.NewInt(1)
	for i := 1; i < len(p); i++ {
		p[i] = new(big.Int).Mul(p[i-1], big.NewInt(10))
	}
	return p
}()

// pow10big gives 10^n; not to be changed.
func pow10big(n int) *big.Int {
	if n < len(pow10bigs) {
		return pow10bigs[n]
	}
	return new(big.Int).Exp(pow10bigs[1], big.NewInt(int64(n)), nil)
}

// uabs is |v| without overflow.
func uabs(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

// signed puts the sign back on a magnitude; ok false when it does not fit.
func signed(u uint64, neg bool) (int64, bool) {
	if neg {
		return -int64(u), u <= 1<<63
	}
	return int64(u), u <= math.MaxInt64
}

// mulPow10 is v × 10^k when it fits an int64.
func mulPow10(v int64, k int32) (int64, bool) {
	if v == 0 {
		return 0, true
	}
	if k > 18 {
		return 0, false
	}
	hi, lo := bits.Mul64(uabs(v), pow10u[k])
	if hi != 0 {
		return 0, false
	}
	return signed(lo, v < 0)
}

// decimalDigits counts the decimal digits of u, 0 for 0.
func decimalDigits(u uint64) int {
	n := bits.Len64(u) * 1233 >> 12
	if n < 20 && u >= pow10u[n] {
		return n + 1
	}
	return n
}

// bigDigits counts the decimal digits of |b|, 0 for 0.
func bigDigits(b *big.Int) int {
	if b.Sign() == 0 {
		return 0
	}
	n := int(float64(b.BitLen()-1) * math.Log10(2)) // at most one too low
	if b.CmpAbs(pow10big(n+1)) >= 0 {
		return n + 2
	}
	if b.CmpAbs(pow10big(n)) >= 0 {
		return n + 1
	}
	return n
}

// digits counts the decimal digits of the unscaled value, 0 for zero.
func (n Numeric) digits() int {
	if n.big != nil {
		return bigDigits(n.big)
	}
	return decimalDigits(uabs(n.small))
}

// weight gives PostgreSQL's base-10000 weight of the value and its leading
// base-10000 digit, on which the scale rules rest. Zero: 0, 0.
func (n Numeric) weight() (weight, first int) {
	nd := n.digits()
	if nd == 0 {
		return 0, 0
	}
	e := nd - int(n.scale) - 1 // decimal exponent of the leading digit
	weight = floorDiv(e, 4)
	k := e - 4*weight + 1 // digits in the leading group
	return weight, int(n.leading(nd, k))
}

// leading gives the first k ≤ 18 decimal digits of the magnitude, zero-padded on the right.
func (n Numeric) leading(nd, k int) uint64 {
	if n.big == nil {
		u := uabs(n.small)
		if nd >= k {
			return u / pow10u[nd-k]
		}
		return u * pow10u[k-nd]
	}
	if nd >= k {
		q := new(big.Int).Quo(new(big.Int).Abs(n.big), pow10big(nd-k))
		return q.Uint64()
	}
	return 0 // a big magnitude has at least 19 digits
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// The vector form of numeric (Binary vectors; also AppendDatum's form):
//
//	byte 0      tag: 0 NaN, 1 +Infinity, 2 −Infinity (nothing follows),
//	            3 small, 4 big positive, 5 big negative
//	bytes 1–2   display scale, uint16 little endian
//	small       int64 little endian: the unscaled value
//	big         magnitude of the unscaled value, big endian, no leading zero byte
//
// A value that fits an int64 is always small, so equal value and scale give equal bytes.
const (
	numTagNaN = iota
	numTagPosInf
	numTagNegInf
	numTagSmall
	numTagBig
	numTagBigNeg
)

// NumericSmallBytes is the length of the vector form of a value that fits an int64.
const NumericSmallBytes = 11

// AppendBinary appends the vector form of n.
func (n Numeric) AppendBinary(buf []byte) []byte {
	switch n.form {
	case numNaN:
		return append(buf, numTagNaN)
	case numPosInf:
		return append(buf, numTagPosInf)
	case numNegInf:
		return append(buf, numTagNegInf)
	}
	if n.big == nil {
		buf = append(buf, numTagSmall, byte(n.scale), byte(n.scale>>8))
		return binary.LittleEndian.AppendUint64(buf, uint64(n.small))
	}
	tag := byte(numTagBig)
	if n.big.Sign() < 0 {
		tag = numTagBigNeg
	}
	buf = append(buf, tag, byte(n.scale), byte(n.scale>>8))
	return append(buf, n.big.Bytes()...)
}

// NumericFromBinary reads AppendBinary's form. Bytes of another form give NaN.
func NumericFromBinary(b []byte) Numeric {
	if len(b) == 0 {
		return NumericNaN
	}
	switch b[0] {
	case numTagPosInf:
		return NumericPosInf
	case numTagNegInf:
		return NumericNegInf
	case numTagSmall:
		if len(b) == NumericSmallBytes {
			return Numeric{small: int64(binary.LittleEndian.Uint64(b[3:])), scale: int32(binary.LittleEndian.Uint16(b[1:]))}
		}
	case numTagBig, numTagBigNeg:
		if len(b) > 3 {
			v := new(big.Int).SetBytes(b[3:])
			if b[0] == numTagBigNeg {
				v.Neg(v)
			}
			return NumericFromBig(v, int32(binary.LittleEndian.Uint16(b[1:])))
		}
	}
	return NumericNaN
}

// Cmp orders as numeric_cmp: −Infinity < finite < Infinity < NaN; scale does not matter.
func (n Numeric) Cmp(m Numeric) int {
	if n.form|m.form != 0 {
		return cmpInt(n.rank(), m.rank())
	}
	if n.big == nil && m.big == nil {
		if n.scale == m.scale {
			return cmpInt(n.small, m.small)
		}
		if (n.small < 0) != (m.small < 0) {
			return cmpInt(n.small, m.small)
		}
		if n.scale < m.scale {
			if v, ok := mulPow10(n.small, m.scale-n.scale); ok {
				return cmpInt(v, m.small)
			}
		} else if v, ok := mulPow10(m.small, n.scale-m.scale); ok {
			return cmpInt(n.small, v)
		}
	}
	a, b, _ := align(n, m)
	return a.Cmp(b)
}

// SortPrefix orders as Cmp does as far as it goes: a smaller value never has a larger number. It has the sign, the decimal
// exponent within ±255 and the first 16 digits:
//
//	bit 63      1 for zero and above; the other bits are inverted below
//	bits 54–62  exponent + 256: the value is 0.d1d2… × 10^exponent
//	bits 0–53   d1 … d16
func (n Numeric) SortPrefix() uint64 {
	const digits, bias = 16, 256
	switch n.form {
	case numNegInf:
		return 0
	case numPosInf:
		return math.MaxUint64 - 1
	case numNaN:
		return math.MaxUint64
	}
	nd := n.digits()
	if nd == 0 {
		return 1 << 63
	}
	e, m := nd-int(n.scale)+bias, uint64(0)
	switch {
	case e < 1:
		e = 0
	case e > 2*bias-2:
		e = 2*bias - 1
	default:
		m = n.leading(nd, digits)
	}
	p := 1<<63 | uint64(e)<<54 | m
	if n.Sign() < 0 {
		return ^p
	}
	return p
}

func (n Numeric) rank() int {
	switch n.form {
	case numNegInf:
		return -1
	case numPosInf:
		return 1
	case numNaN:
		return 2
	}
	return 0
}

func cmpInt[V int | int16 | int32 | int64 | uint32 | uint64 | OID | byte](a, b V) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// align gives both unscaled values at the larger scale.
func align(n, m Numeric) (a, b *big.Int, scale int32) {
	a, b = n.Big(), m.Big()
	switch {
	case n.scale < m.scale:
		return new(big.Int).Mul(a, pow10big(int(m.scale-n.scale))), b, m.scale
	case n.scale > m.scale:
		return a, new(big.Int).Mul(b, pow10big(int(n.scale-m.scale))), n.scale
	}
	return a, b, n.scale
}

// minimal is n with its trailing fractional zeros dropped (trim_scale).
func (n Numeric) minimal() Numeric {
	if n.form != numFinite || n.scale == 0 {
		return n
	}
	if n.big == nil {
		for n.scale > 0 && n.small%10 == 0 {
			if n.small == 0 {
				n.scale = 0
				break
			}
			n.small /= 10
			n.scale--
		}
		return n
	}
	v, ten, r := new(big.Int).Set(n.big), pow10bigs[1], new(big.Int)
	q := new(big.Int)
	for n.scale > 0 {
		q.QuoRem(v, ten, r)
		if r.Sign() != 0 {
			break
		}
		v, q = q, v
		n.scale--
	}
	return NumericFromBig(v, n.scale)
}

// AppendKey appends a self-delimiting byte string that is equal exactly for equal values.
func (n Numeric) AppendKey(buf []byte) []byte {
	at := len(buf)
	buf = n.minimal().AppendBinary(append(buf, 0, 0))
	k := len(buf) - at - 2
	buf[at], buf[at+1] = byte(k), byte(k>>8)
	return buf
}
