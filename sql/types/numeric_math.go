package types

import (
	"math"
	"math/big"
	"sync"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Square root, exponential, logarithms and powers. PostgreSQL fixes the display
// scale of each result by an estimate of its magnitude; the estimates below must
// stay as they are, since the scale is visible. The digits are computed in binary
// fixed point with guard bits and rounded once.

const ln10 = 2.302585092994046
const log10e = 0.434294481903252

// magnitudeMax bounds |ln(result)|: e^±6000 is out of numeric's chosen scales.
const magnitudeMax = 6000

// Sqrt is sqrt(n).
func (n Numeric) Sqrt() (Numeric, error) {
	if n.form == numNaN || n.form == numPosInf {
		return n, nil
	}
	if n.Sign() < 0 {
		return Numeric{}, pgerror.New(pgerror.InvalidArgumentForPowerFunction, "cannot take square root of a negative number")
	}
	w, _ := n.weight()
	half := (w+1)*4/2 - 1
	return n.SqrtTo(clampScale(numericMinSigDigits-half, n.scale))
}

// SqrtTo is sqrt(n) rounded to scale. REQUIRES: n ≥ 0, finite, scale ≥ n's.
func (n Numeric) SqrtTo(scale int32) (Numeric, error) {
	v := new(big.Int).Mul(n.Big(), pow10big(2*(int(scale)+1)-int(n.scale)))
	v.Sqrt(v)
	return NumericFromBig(quoRound(v, pow10bigs[1]), scale).checked()
}

// Exp is exp(n).
func (n Numeric) Exp() (Numeric, error) {
	switch n.form {
	case numNaN, numPosInf:
		return n, nil
	case numNegInf:
		return Numeric{}, nil
	}
	x := n.Float64()
	w := min(max(x*log10e, -2000), 2000)
	scale := clampScale(numericMinSigDigits-int(w), n.scale)
	if math.Abs(x) >= magnitudeMax {
		if x > 0 {
			return Numeric{}, numericOverflow()
		}
		return Numeric{scale: scale}, nil
	}
	bits := fixBits(int(scale) + max(int(math.Ceil(x*log10e)), 0))
	return fixRound(fixExp(fixOf(n, bits), bits), bits, scale).checked()
}

// lnWeight estimates the decimal weight of ln(n). REQUIRES: n > 0 and finite.
func (n Numeric) lnWeight() int {
	if n.Sign() <= 0 {
		return 0
	}
	if n.Cmp(NumericFromInt64(9, 1)) >= 0 && n.Cmp(NumericFromInt64(11, 1)) <= 0 {
		x, _ := n.Sub(NumericFromInt64(1, 0))
		if x.IsZero() {
			return 0
		}
		w, first := x.weight()
		return w*4 + int(math.Log10(float64(first)))
	}
	w, first := n.weight()
	digits, dw := float64(first), w*4
	nd := n.digits()
	lead := nd - int(n.scale) - 1 - 4*w + 1
	if m := n.minimalDigits(nd); m > lead { // a second base-10000 digit exists
		digits, dw = float64(n.leading(nd, lead+4)), dw-4
	}
	return int(math.Log10(math.Abs(math.Log(digits) + float64(dw)*ln10)))
}

// minimalDigits is nd less the trailing zeros of the unscaled value (only the
// first eight digits matter to its caller).
func (n Numeric) minimalDigits(nd int) int {
	if n.big != nil {
		v, r := new(big.Int).Set(n.big), new(big.Int)
		for nd > 8 {
			if v.QuoRem(v, pow10bigs[1], r); r.Sign() != 0 {
				return nd
			}
			nd--
		}
		n = NumericFromBig(v, 0)
	}
	u := uabs(n.small)
	for u != 0 && u%10 == 0 {
		u /= 10
		nd--
	}
	return nd
}

func checkLog(n Numeric) error {
	switch n.Sign() {
	case -1:
		return pgerror.New(pgerror.InvalidArgumentForLogarithm, "cannot take logarithm of a negative number")
	case 0:
		return pgerror.New(pgerror.InvalidArgumentForLogarithm, "cannot take logarithm of zero")
	}
	return nil
}

// Ln is ln(n).
func (n Numeric) Ln() (Numeric, error) {
	if n.form == numNaN {
		return n, nil
	}
	if err := checkLog(n); err != nil {
		return Numeric{}, err
	}
	if n.form == numPosInf {
		return n, nil
	}
	scale := clampScale(numericMinSigDigits-n.lnWeight(), n.scale)
	bits := fixBits(int(scale))
	return fixRound(fixLn(n, bits), bits, scale), nil
}

// LogBase is log(base, n).
func (n Numeric) LogBase(base Numeric) (Numeric, error) {
	if n.form == numNaN || base.form == numNaN {
		return NumericNaN, nil
	}
	if n.form|base.form != 0 {
		if n.Sign() < 0 || base.Sign() < 0 {
			return Numeric{}, checkLog(NumericNegInf)
		}
		if n.Sign() == 0 || base.Sign() == 0 {
			return Numeric{}, checkLog(Numeric{})
		}
		switch {
		case base.form != numFinite && n.form != numFinite:
			return NumericNaN, nil
		case base.form != numFinite:
			return Numeric{}, nil
		}
		return NumericPosInf, nil
	}
	if err := checkLog(base); err != nil {
		return Numeric{}, err
	}
	if err := checkLog(n); err != nil {
		return Numeric{}, err
	}
	bw, nw := base.lnWeight(), n.lnWeight()
	scale := clampScale(numericMinSigDigits-(nw-bw), base.scale, n.scale)
	bits := fixBits(int(scale) + 2*max(-bw, 0) + max(nw, 0) + max(nw-bw, 0))
	b := fixLn(base, bits)
	if b.Sign() == 0 || base.Cmp(NumericFromInt64(1, 0)) == 0 {
		return Numeric{}, divisionByZero()
	}
	q := new(big.Int).Lsh(fixLn(n, bits), bits)
	return fixRound(q.Quo(q, b), bits, scale).checked()
}

// IsInteger reports a value without fractional part; infinities count.
func (n Numeric) IsInteger() bool {
	return n.form != numNaN && (n.form != numFinite || n.MinScale() == 0)
}

// Pow is power(n, e).
func (n Numeric) Pow(e Numeric) (Numeric, error) {
	one := NumericFromInt64(1, 0)
	if n.form|e.form != 0 {
		return n.powSpecial(e)
	}
	if n.IsZero() && e.Sign() < 0 {
		return Numeric{}, pgerror.New(pgerror.InvalidArgumentForPowerFunction, "zero raised to a negative power is undefined")
	}
	if n.Sign() < 0 && !e.IsInteger() {
		return Numeric{}, complexResult()
	}
	if e.IsInteger() {
		if k, ok := e.ToInt64(); ok && k >= math.MinInt32 && k <= math.MaxInt32 {
			return n.powInt(int(k))
		}
	}
	if n.IsZero() {
		return Numeric{scale: numericMinSigDigits}, nil
	}
	neg := false
	base := n
	if n.Sign() < 0 {
		base = n.Neg()
		if r, _ := e.Mod(NumericFromInt64(2, 0)); !r.IsZero() {
			neg = true
		}
	}
	if base.Cmp(one) == 0 { // the estimate below would be 0 × huge
		r := one.roundTo(clampScale(numericMinSigDigits, n.scale, e.scale))
		if neg {
			r = r.Neg()
		}
		return r, nil
	}
	rough := fixBits(30 + max(e.digits()-int(e.scale), 0) + max(-base.lnWeight(), 0))
	x := fixFloat(new(big.Int).Mul(fixLn(base, rough), fixOf(e, rough)), 2*rough)
	if math.Abs(x) > magnitudeMax*1.0033333333 {
		if x > 0 {
			return Numeric{}, numericOverflow()
		}
		return Numeric{scale: numericDisplayScaleMax}, nil
	}
	scale := clampScale(numericMinSigDigits-int(x*log10e), n.scale, e.scale)
	bits := fixBits(int(scale) + max(int(x*log10e), 0) + max(e.digits()-int(e.scale), 0))
	p := new(big.Int).Mul(fixLn(base, bits), fixOf(e, bits))
	if math.Abs(x) >= magnitudeMax {
		if x > 0 {
			return Numeric{}, numericOverflow()
		}
		return Numeric{scale: scale}, nil
	}
	r := fixRound(fixExp(p.Rsh(p, bits), bits), bits, scale)
	if neg {
		r = r.Neg()
	}
	return r.checked()
}

func complexResult() error {
	return pgerror.New(pgerror.InvalidArgumentForPowerFunction, "a negative number raised to a non-integer power yields a complex result")
}

// powSpecial is power with a NaN or an infinity, as POSIX pow() has it.
func (n Numeric) powSpecial(e Numeric) (Numeric, error) {
	one := NumericFromInt64(1, 0)
	switch {
	case n.form == numNaN:
		if e.IsZero() {
			return one, nil
		}
		return NumericNaN, nil
	case e.form == numNaN:
		if n.form == numFinite && n.Cmp(one) == 0 {
			return one, nil
		}
		return NumericNaN, nil
	case n.IsZero() && e.Sign() < 0:
		return Numeric{}, pgerror.New(pgerror.InvalidArgumentForPowerFunction, "zero raised to a negative power is undefined")
	case n.Sign() < 0 && !e.IsInteger():
		return Numeric{}, complexResult()
	case n.form == numFinite && n.Cmp(one) == 0, e.IsZero():
		return one, nil
	case n.IsZero():
		return Numeric{}, nil
	case e.form != numFinite:
		c := n.Abs().Cmp(one)
		switch {
		case c == 0:
			return one, nil
		case c > 0 == (e.Sign() > 0):
			return NumericPosInf, nil
		}
		return Numeric{}, nil
	case e.Sign() < 0:
		return Numeric{}, nil
	case n.form == numPosInf:
		return NumericPosInf, nil
	}
	if r, _ := e.Mod(NumericFromInt64(2, 0)); r.IsZero() {
		return NumericPosInf, nil
	}
	return NumericNegInf, nil
}

// powInt is power with an integer exponent: 16 digits after the point, or the base's more.
func (n Numeric) powInt(k int) (Numeric, error) {
	f := 0.0 // approximate decimal weight of the result
	if !n.IsZero() {
		nd := n.digits()
		lead := min(nd, 17)
		f = float64(k) * (math.Log10(float64(n.leading(nd, lead))) + float64(nd-lead-int(n.scale)))
	}
	if f > 4*32768 {
		return Numeric{}, numericOverflow()
	}
	scale := clampScale(numericMinSigDigits, n.scale)
	if f+1 < -float64(scale) {
		return Numeric{scale: scale}, nil
	}
	switch k {
	case 0:
		return NumericFromInt64(1, 0).roundTo(scale), nil
	case 1:
		return n.roundTo(scale).checked()
	case -1:
		return NumericFromInt64(1, 0).divTo(n, scale).checked()
	case 2:
		return NumericFromBig(new(big.Int).Mul(n.Big(), n.Big()), 2*n.scale).roundTo(scale).checked()
	}
	if n.IsZero() {
		return Numeric{scale: scale}, nil
	}
	m := n.minimal()
	ak := k
	if ak < 0 {
		ak = -ak
	}
	if exact := m.digits() * ak; exact <= 4000 || int(m.scale)*ak <= int(scale) && k > 0 {
		p := NumericFromBig(new(big.Int).Exp(m.Big(), big.NewInt(int64(ak)), nil), 0)
		s := int(m.scale) * ak
		if k > 0 {
			return fromScaled(p.Big(), s, scale).checked()
		}
		// 10^s / p
		num := pow10big(s + int(scale))
		return NumericFromBig(quoRound(num, p.Big()), scale).checked()
	}
	digits := int(scale) + max(int(f), 0) + 20
	prec := uint(float64(digits)*3.33) + 64
	x := new(big.Float).SetPrec(prec).SetInt(m.Big())
	x.Quo(x, new(big.Float).SetPrec(prec).SetInt(pow10big(int(m.scale))))
	r := new(big.Float).SetPrec(prec).SetInt64(1)
	for e := ak; e > 0; e >>= 1 {
		if e&1 == 1 {
			r.Mul(r, x)
		}
		if e > 1 {
			x.Mul(x, x)
		}
	}
	if k < 0 {
		r.Quo(new(big.Float).SetPrec(prec).SetInt64(1), r)
	}
	r.Mul(r, new(big.Float).SetPrec(prec).SetInt(pow10big(int(scale)+1)))
	v, _ := r.Int(nil)
	return NumericFromBig(quoRound(v, pow10bigs[1]), scale).checked()
}

// fromScaled is v × 10^-s rounded to scale.
func fromScaled(v *big.Int, s int, scale int32) Numeric {
	if s <= int(scale) {
		return NumericFromBig(new(big.Int).Mul(v, pow10big(int(scale)-s)), scale)
	}
	return NumericFromBig(quoRound(v, pow10big(s-int(scale))), scale)
}

// Factorial is factorial(k).
func Factorial(k int64) (Numeric, error) {
	if k < 0 {
		return Numeric{}, pgerror.New(pgerror.NumericValueOutOfRange, "factorial of a negative number is undefined")
	}
	if k > 32177 {
		return Numeric{}, numericOverflow()
	}
	return NumericFromBig(new(big.Int).MulRange(1, k), 0).checked()
}

// Binary fixed point: an Int v stands for v / 2^bits.

// fixBits gives the fraction bits that keep digits decimal digits with room for
// accumulated truncation.
func fixBits(digits int) uint { return uint(max(digits, 0)*3322/1000) + 96 }

func fixOf(n Numeric, bits uint) *big.Int {
	v := new(big.Int).Lsh(n.Big(), bits)
	return v.Quo(v, pow10big(int(n.scale)))
}

func fixFloat(v *big.Int, bits uint) float64 {
	f := new(big.Float).SetInt(v)
	f.SetMantExp(f, -int(bits))
	x, _ := f.Float64()
	return x
}

// fixRound rounds v half away from zero to a numeric of the given scale.
func fixRound(v *big.Int, bits uint, scale int32) Numeric {
	return NumericFromBig(quoRound(new(big.Int).Mul(v, pow10big(int(scale))), new(big.Int).Lsh(pow10bigs[0], bits)), scale)
}

// fixExp is e^x, exact to a few units in the last place of the larger of 1 and the result.
func fixExp(x *big.Int, bits uint) *big.Int {
	const halvings = 16
	p := bits + halvings + 32
	ln2 := fixLn2(p + 32)
	x = new(big.Int).Lsh(x, p+32-bits)
	k := new(big.Int).Div(x, ln2) // floor: x = k ln 2 + r, 0 ≤ r < ln 2
	r := x.Sub(x, new(big.Int).Mul(k, ln2))
	r.Rsh(r, 32+halvings)
	one := new(big.Int).Lsh(pow10bigs[0], p)
	sum, term := new(big.Int).Set(one), new(big.Int).Set(one)
	for i := int64(1); ; i++ {
		term.Mul(term, r)
		term.Rsh(term, p)
		if term.Quo(term, big.NewInt(i)); term.Sign() == 0 {
			break
		}
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
		sum.Rsh(sum, p)
	}
	if e := k.Int64(); e >= 0 {
		sum.Lsh(sum, uint(e))
	} else {
		sum.Rsh(sum, uint(-e))
	}
	return sum.Rsh(sum, p-bits)
}

// fixLn is ln(n). REQUIRES: n > 0.
func fixLn(n Numeric, bits uint) *big.Int {
	p := bits + 32
	// n = m × 2^k with m in [3/4, 3/2)
	num, den := n.Big(), pow10big(int(n.scale))
	k := num.BitLen() - den.BitLen()
	var m *big.Int
	scaleTo := func(k int) *big.Int { // n / 2^k in fixed point
		v := new(big.Int)
		if s := int(p) - k; s >= 0 {
			v.Lsh(num, uint(s))
			return v.Quo(v, den)
		} else {
			return v.Quo(num, new(big.Int).Lsh(den, uint(-s)))
		}
	}
	one := new(big.Int).Lsh(pow10bigs[0], p)
	three4 := new(big.Int).Rsh(new(big.Int).Mul(one, big.NewInt(3)), 2)
	if m = scaleTo(k); m.Cmp(three4) < 0 {
		k--
		m = scaleTo(k)
	} else if m.Cmp(new(big.Int).Lsh(three4, 1)) >= 0 {
		k++
		m = scaleTo(k)
	}
	// ln m = 2 atanh((m−1)/(m+1))
	t := new(big.Int).Sub(m, one)
	t.Lsh(t, p)
	t.Quo(t, new(big.Int).Add(m, one))
	t2 := new(big.Int).Mul(t, t)
	t2.Rsh(t2, p)
	sum, pow, q := new(big.Int).Set(t), new(big.Int).Set(t), new(big.Int)
	for i := int64(3); ; i += 2 {
		pow.Mul(pow, t2)
		pow.Quo(pow, one)
		if q.Quo(pow, big.NewInt(i)); q.Sign() == 0 {
			break
		}
		sum.Add(sum, q)
	}
	sum.Lsh(sum, 1)
	if k != 0 {
		sum.Add(sum, new(big.Int).Mul(fixLn2(p), big.NewInt(int64(k))))
	}
	return sum.Rsh(sum, p-bits)
}

var ln2Cache struct {
	sync.Mutex
	v    *big.Int
	bits uint
}

// fixLn2 is ln 2.
func fixLn2(bits uint) *big.Int {
	ln2Cache.Lock()
	defer ln2Cache.Unlock()
	if ln2Cache.v == nil || ln2Cache.bits < bits {
		p := bits + 64
		// Machin-like: 18 atanh(1/26) − 2 atanh(1/4801) + 8 atanh(1/8749)
		sum := new(big.Int)
		for _, t := range [...][2]int64{{18, 26}, {-2, 4801}, {8, 8749}} {
			sq, pow, q := big.NewInt(t[1]*t[1]), new(big.Int).Lsh(pow10bigs[0], p), new(big.Int)
			pow.Quo(pow, big.NewInt(t[1]))
			part := new(big.Int).Set(pow)
			for i := int64(3); ; i += 2 {
				pow.Quo(pow, sq)
				if q.Quo(pow, big.NewInt(i)); q.Sign() == 0 {
					break
				}
				part.Add(part, q)
			}
			sum.Add(sum, part.Mul(part, big.NewInt(t[0])))
		}
		ln2Cache.v, ln2Cache.bits = sum.Rsh(sum, 64), bits
	}
	return new(big.Int).Rsh(ln2Cache.v, ln2Cache.bits-bits)
}
