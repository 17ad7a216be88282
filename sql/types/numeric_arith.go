package types

import (
	"math/big"
	"math/bits"

	"github.com/basaltdb/basalt/sql/pgerror"
)

func numericOverflow() error {
	return pgerror.New(pgerror.NumericValueOutOfRange, "value overflows numeric format")
}

func divisionByZero() error { return pgerror.New(pgerror.DivisionByZero, "division by zero") }

// checked applies the limits of the format to a fresh result.
func (n Numeric) checked() (Numeric, error) {
	if n.big != nil && bigDigits(n.big)-int(n.scale) > numericIntDigitsMax {
		return Numeric{}, numericOverflow()
	}
	return n, nil
}

// Neg is −n.
func (n Numeric) Neg() Numeric {
	switch n.form {
	case numPosInf:
		return NumericNegInf
	case numNegInf:
		return NumericPosInf
	case numNaN:
		return n
	}
	if n.big == nil && n.small != -1<<63 {
		return Numeric{small: -n.small, scale: n.scale}
	}
	return NumericFromBig(new(big.Int).Neg(n.Big()), n.scale)
}

// Abs is |n|.
func (n Numeric) Abs() Numeric {
	if n.Sign() < 0 {
		return n.Neg()
	}
	return n
}

// Add is n + m; its scale is the larger one.
func (n Numeric) Add(m Numeric) (Numeric, error) {
	if n.form|m.form != 0 {
		return addSpecial(n, m), nil
	}
	if n.big == nil && m.big == nil {
		a, b, ok, scale := n.small, m.small, true, n.scale
		if n.scale < m.scale {
			a, ok = mulPow10(a, m.scale-n.scale)
			scale = m.scale
		} else if n.scale > m.scale {
			b, ok = mulPow10(b, n.scale-m.scale)
		}
		if s := a + b; ok && (a^s)&(b^s) >= 0 {
			return Numeric{small: s, scale: scale}, nil
		}
	}
	a, b, scale := align(n, m)
	return NumericFromBig(new(big.Int).Add(a, b), scale).checked()
}

// Sub is n − m.
func (n Numeric) Sub(m Numeric) (Numeric, error) { return n.Add(m.Neg()) }

func addSpecial(n, m Numeric) Numeric {
	switch {
	case n.form == numNaN || m.form == numNaN:
		return NumericNaN
	case n.form == numFinite:
		return m
	case m.form == numFinite || n.form == m.form:
		return n
	}
	return NumericNaN
}

// Mul is n × m; the scales add up (rounded at 16383).
func (n Numeric) Mul(m Numeric) (Numeric, error) {
	if n.form|m.form != 0 {
		s := n.Sign() * m.Sign()
		switch {
		case n.form == numNaN || m.form == numNaN || s == 0:
			return NumericNaN, nil
		case s > 0:
			return NumericPosInf, nil
		}
		return NumericNegInf, nil
	}
	scale := n.scale + m.scale
	if n.big == nil && m.big == nil && scale <= numericScaleMax {
		hi, lo := bits.Mul64(uabs(n.small), uabs(m.small))
		if hi == 0 {
			if v, ok := signed(lo, (n.small < 0) != (m.small < 0)); ok {
				return Numeric{small: v, scale: scale}, nil
			}
		}
	}
	r := NumericFromBig(new(big.Int).Mul(n.Big(), m.Big()), scale)
	if scale > numericScaleMax {
		r = r.roundTo(numericScaleMax)
	}
	return r.checked()
}

// divScale is the display scale PostgreSQL chooses for n / m: at least 16
// significant digits and no less than either operand shows.
func divScale(n, m Numeric) int32 {
	w1, f1 := n.weight()
	w2, f2 := m.weight()
	q := w1 - w2
	if f1 <= f2 {
		q--
	}
	return clampScale(numericMinSigDigits-q*4, n.scale, m.scale)
}

// clampScale raises a wished scale to the operands' and limits it to 0 … 1000.
func clampScale(wish int, scales ...int32) int32 {
	for _, s := range scales {
		wish = max(wish, int(s))
	}
	return int32(min(max(wish, 0), numericDisplayScaleMax))
}

// Div is n / m rounded to PostgreSQL's scale.
func (n Numeric) Div(m Numeric) (Numeric, error) {
	if n.form|m.form != 0 {
		switch {
		case n.form == numNaN || m.form == numNaN || n.form != numFinite && m.form != numFinite:
			return NumericNaN, nil
		case m.form != numFinite:
			return Numeric{}, nil
		}
		switch n.Sign() * m.Sign() {
		case 0:
			return Numeric{}, divisionByZero()
		case 1:
			return NumericPosInf, nil
		}
		return NumericNegInf, nil
	}
	if m.IsZero() {
		return Numeric{}, divisionByZero()
	}
	return n.divTo(m, divScale(n, m)).checked()
}

// divTo is n / m rounded half away from zero to scale. REQUIRES: both finite, m ≠ 0.
func (n Numeric) divTo(m Numeric, scale int32) Numeric {
	k := scale + m.scale - n.scale // quotient unscaled = n.u × 10^k / m.u
	if n.big == nil && m.big == nil && k >= 0 && k <= 38 {
		if r, ok := divSmall(uabs(n.small), uabs(m.small), k, (n.small < 0) != (m.small < 0)); ok {
			r.scale = scale
			return r
		}
	}
	a, b := n.Big(), m.Big()
	if k >= 0 {
		a = new(big.Int).Mul(a, pow10big(int(k)))
	} else {
		b = new(big.Int).Mul(b, pow10big(int(-k)))
	}
	return NumericFromBig(quoRound(a, b), scale)
}

// divSmall is u × 10^k / d rounded, in 128 bits; ok false when that is not enough.
func divSmall(u, d uint64, k int32, neg bool) (Numeric, bool) {
	if k > 19 {
		hi, lo := bits.Mul64(u, pow10u[k-19])
		if hi != 0 {
			return Numeric{}, false
		}
		u, k = lo, 19
	}
	hi, lo := bits.Mul64(u, pow10u[k])
	qhi := hi / d
	qlo, r := bits.Div64(hi%d, lo, d)
	if r >= d-r {
		if qlo++; qlo == 0 {
			qhi++
		}
	}
	if qhi == 0 {
		if v, ok := signed(qlo, neg); ok {
			return Numeric{small: v}, true
		}
	}
	if bits.UintSize != 64 {
		return Numeric{}, false
	}
	v := new(big.Int).SetBits([]big.Word{big.Word(qlo), big.Word(qhi)})
	if neg {
		v.Neg(v)
	}
	return NumericFromBig(v, 0), true
}

// quoRound is a / b rounded half away from zero, in a fresh Int.
func quoRound(a, b *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(a, b, new(big.Int))
	r.Lsh(r.Abs(r), 1)
	if r.CmpAbs(b) >= 0 {
		if a.Sign()*b.Sign() < 0 {
			q.Sub(q, pow10bigs[0])
		} else {
			q.Add(q, pow10bigs[0])
		}
	}
	return q
}

// DivTrunc is div(n, m): the integer quotient truncated toward zero.
func (n Numeric) DivTrunc(m Numeric) (Numeric, error) {
	if n.form|m.form != 0 || m.IsZero() {
		r, err := n.Div(m)
		return r, err
	}
	a, b, _ := align(n, m)
	return NumericFromBig(new(big.Int).Quo(a, b), 0).checked()
}

// Mod is n − m·trunc(n/m), with the sign of n.
func (n Numeric) Mod(m Numeric) (Numeric, error) {
	if n.form|m.form != 0 {
		switch {
		case n.form == numNaN || m.form == numNaN:
			return NumericNaN, nil
		case n.form != numFinite:
			if m.IsZero() {
				return Numeric{}, divisionByZero()
			}
			return NumericNaN, nil
		}
		return n, nil
	}
	if m.IsZero() {
		return Numeric{}, divisionByZero()
	}
	if n.big == nil && m.big == nil && n.scale == m.scale && m.small != -1 {
		return Numeric{small: n.small % m.small, scale: n.scale}, nil
	}
	a, b, scale := align(n, m)
	return NumericFromBig(new(big.Int).Rem(a, b), scale), nil
}

// GCD is gcd(n, m), at the larger scale.
func (n Numeric) GCD(m Numeric) Numeric {
	if n.form|m.form != 0 {
		return NumericNaN
	}
	a, b, scale := align(n, m)
	return NumericFromBig(new(big.Int).GCD(nil, nil, new(big.Int).Abs(a), new(big.Int).Abs(b)), scale)
}

// LCM is lcm(n, m), at the larger scale.
func (n Numeric) LCM(m Numeric) (Numeric, error) {
	if n.form|m.form != 0 {
		return NumericNaN, nil
	}
	a, b, scale := align(n, m)
	if a.Sign() == 0 || b.Sign() == 0 {
		return Numeric{scale: scale}, nil
	}
	a, b = new(big.Int).Abs(a), new(big.Int).Abs(b)
	g := new(big.Int).GCD(nil, nil, a, b)
	return NumericFromBig(g.Mul(g.Quo(a, g), b), scale).checked()
}

// roundTo rounds half away from zero to scale digits after the point (scale may
// be negative; the result is then shown with none), or pads with zeros.
func (n Numeric) roundTo(scale int32) Numeric { return n.rescale(scale, true) }

func (n Numeric) rescale(scale int32, round bool) Numeric {
	if n.form != numFinite || n.scale == scale {
		return n
	}
	if scale > n.scale {
		if n.big == nil {
			if v, ok := mulPow10(n.small, scale-n.scale); ok {
				return Numeric{small: v, scale: scale}
			}
		}
		return NumericFromBig(new(big.Int).Mul(n.Big(), pow10big(int(scale-n.scale))), scale)
	}
	drop := int(n.scale) - int(scale)
	if n.big == nil {
		if drop > 19 {
			return Numeric{scale: max(scale, 0)}
		}
		p, u := pow10u[drop], uabs(n.small)
		q, r := u/p, u%p
		if round && r >= p-r {
			q++
		}
		if scale >= 0 {
			v, _ := signed(q, n.small < 0)
			return Numeric{small: v, scale: scale}
		}
		v := new(big.Int).SetUint64(q)
		if n.small < 0 {
			v.Neg(v)
		}
		return NumericFromBig(v.Mul(v, pow10big(int(-scale))), 0)
	}
	if drop > bigDigits(n.big)+1 {
		return Numeric{scale: max(scale, 0)}
	}
	var v *big.Int
	if round {
		v = quoRound(n.big, pow10big(drop))
	} else {
		v = new(big.Int).Quo(n.big, pow10big(drop))
	}
	if scale < 0 {
		v.Mul(v, pow10big(int(-scale)))
	}
	return NumericFromBig(v, max(scale, 0))
}

// clampRound is the range PostgreSQL limits round's and trunc's scale argument to.
func clampRound(scale int32) int32 { return min(max(scale, -131073), 16383) }

// Round is round(n, scale): half away from zero.
func (n Numeric) Round(scale int32) (Numeric, error) { return n.roundTo(clampRound(scale)).checked() }

// Trunc is trunc(n, scale): toward zero.
func (n Numeric) Trunc(scale int32) Numeric { return n.rescale(clampRound(scale), false) }

// Ceil and Floor give the nearest integer above and below.
func (n Numeric) Ceil() (Numeric, error)  { return n.toInteger(1) }
func (n Numeric) Floor() (Numeric, error) { return n.toInteger(-1) }

func (n Numeric) toInteger(dir int) (Numeric, error) {
	if n.form != numFinite {
		return n, nil
	}
	t := n.rescale(0, false)
	if n.Sign() == dir && t.Cmp(n) != 0 {
		return t.Add(NumericFromInt64(int64(dir), 0))
	}
	return t, nil
}

// MinScale is the smallest scale that shows the value exactly.
func (n Numeric) MinScale() int32 { return n.minimal().scale }

// TrimScale is n shown with its smallest scale.
func (n Numeric) TrimScale() Numeric { return n.minimal() }

// NumericTypmod splits a numeric modifier; ok false for none.
func NumericTypmod(mod int32) (precision, scale int32, ok bool) {
	if mod < 4 {
		return 0, 0, false
	}
	mod -= 4
	return mod >> 16 & 0xffff, (mod&0x7ff ^ 1024) - 1024, true
}

// ApplyTypmod rounds to numeric(p,s) and checks that the value fits.
func (n Numeric) ApplyTypmod(mod int32) (Numeric, error) {
	precision, scale, ok := NumericTypmod(mod)
	if !ok || n.form == numNaN {
		return n, nil
	}
	overflow := func() *pgerror.Error { return pgerror.New(pgerror.NumericValueOutOfRange, "numeric field overflow") }
	if n.form != numFinite {
		return n, overflow().WithDetail("A field with precision %d, scale %d cannot hold an infinite value.", precision, scale)
	}
	r := n.roundTo(scale)
	if !r.IsZero() && int32(r.digits())-r.scale > precision-scale {
		p, base := precision-scale, "10^"
		if p == 0 {
			p, base = 1, ""
		}
		return n, overflow().WithDetail("A field with precision %d, scale %d must round to an absolute value less than %s%d.", precision, scale, base, p)
	}
	return r, nil
}
