package vexec

import (
	"math"
	"math/big"
	"math/bits"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/internal/simd"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// grow extends s to n elements with amortised cost.
func grow[T any](s []T, n int) []T {
	if n <= cap(s) {
		return s[:n]
	}
	out := make([]T, n, max(n, 2*cap(s)))
	copy(out, s)
	return out
}

// source is which state of the other accumulator goes where to[i] says (accumulator.merge).
func source(from []int32, i int) int {
	if from == nil {
		return i
	}
	return int(from[i])
}

// emptied is s without elements, ready for grow.
func emptied[T any](s []T) []T {
	clear(s)
	return s[:0]
}

func (c *countAcc) empty() bool {
	c.n = emptied(c.n)
	return true
}

func (s *sumIntAcc) empty() bool {
	s.sum, s.seen = emptied(s.sum), emptied(s.seen)
	return true
}

func (s *sumNumericAcc) empty() bool {
	s.fast, s.n = emptied(s.fast), emptied(s.n)
	s.scale, s.scaled = 0, false
	return s.slow == nil
}

func (s *sumFloatAcc) empty() bool {
	s.sum, s.n = emptied(s.sum), emptied(s.n)
	return true
}

func (s *minMaxAcc[T]) empty() bool {
	s.best, s.seen = emptied(s.best), emptied(s.seen)
	return true
}

// finish wraps results, NULL where seen is false.
func finish[T any](dt arrow.DataType, vals []T, seen []bool) arrow.Array {
	valid, nulls := seenBitmap(seen)
	return kernel.MakeFixed(dt, vals, valid, nulls)
}

func seenBitmap(seen []bool) (valid []byte, nulls int) {
	for i, s := range seen {
		if !s {
			if valid == nil {
				valid = kernel.Ones(len(seen))
			}
			kernel.ClearBit(valid, i)
			nulls++
		}
	}
	return valid, nulls
}

// countAcc is count(*) and count(x).
type countAcc struct {
	star bool
	n    []int64
}

func (c *countAcc) resize(n int) { c.n = grow(c.n, n) }
func (c *countAcc) bytes() int64 { return int64(cap(c.n)) * 8 }

func (c *countAcc) add(groups []int32, args []arrow.Array) error {
	if len(c.n) == 1 && (c.star || args[0].NullN() == 0) {
		c.n[0] += int64(len(groups))
		return nil
	}
	if c.star || args[0].NullN() == 0 {
		for _, g := range groups {
			c.n[g]++
		}
		return nil
	}
	v := kernel.Valid(args[0])
	for i, g := range groups {
		if v.Get(i) {
			c.n[g]++
		}
	}
	return nil
}

func (c *countAcc) result(lo, hi int) (arrow.Array, error) {
	return kernel.MakeFixed(arrow.PrimitiveTypes.Int64, append([]int64{}, c.n[lo:hi]...), nil, 0), nil
}

func (c *countAcc) merge(o accumulator, from, to []int32) error {
	p := o.(*countAcc)
	for i, g := range to {
		if g >= 0 {
			c.n[g] += p.n[source(from, i)]
		}
	}
	return nil
}

// sumIntAcc is sum(int2) and sum(int4): int8.
type sumIntAcc struct {
	sum  []int64
	seen []bool
}

func (s *sumIntAcc) resize(n int) { s.sum, s.seen = grow(s.sum, n), grow(s.seen, n) }
func (s *sumIntAcc) bytes() int64 { return int64(cap(s.sum)) * 9 }

func (s *sumIntAcc) add(groups []int32, args []arrow.Array) error {
	v := kernel.Valid(args[0])
	if args[0].DataType().ID() == arrow.INT16 {
		return addInts(s, groups, kernel.Values[int16](args[0]), v)
	}
	x := kernel.Values[int32](args[0])
	if v.All() && len(s.sum) == 1 && len(x) > 0 {
		return s.addOne(0, simd.Sum32(x))
	}
	return addInts(s, groups, x, v)
}

func addInts[T int16 | int32](s *sumIntAcc, groups []int32, x []T, v kernel.Bits) error {
	for i, g := range groups {
		if v.Get(i) {
			if err := s.addOne(g, int64(x[i])); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *sumIntAcc) addOne(g int32, x int64) error {
	r := s.sum[g] + x
	if (s.sum[g]^r)&(x^r) < 0 {
		return pgerror.New(pgerror.NumericValueOutOfRange, "bigint out of range")
	}
	s.sum[g], s.seen[g] = r, true
	return nil
}

func (s *sumIntAcc) result(lo, hi int) (arrow.Array, error) {
	return finish(arrow.PrimitiveTypes.Int64, append([]int64{}, s.sum[lo:hi]...), s.seen[lo:hi]), nil
}

func (s *sumIntAcc) merge(o accumulator, from, to []int32) error {
	p := o.(*sumIntAcc)
	for k, g := range to {
		if i := source(from, k); g >= 0 && p.seen[i] {
			if err := s.addOne(g, p.sum[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// int128 is a two's complement sum.
type int128 struct {
	hi int64
	lo uint64
}

func (a *int128) add(x int64) {
	lo, c := bits.Add64(a.lo, uint64(x), 0)
	a.lo = lo
	a.hi += x>>63 + int64(c)
}

func (a *int128) addWide(b int128) {
	lo, c := bits.Add64(a.lo, b.lo, 0)
	a.lo = lo
	a.hi += b.hi + int64(c)
}

// numeric is the sum with scale digits after the point.
func (a int128) numeric(scale int32) types.Numeric {
	if a.hi == int64(a.lo)>>63 {
		return types.NumericFromInt64(int64(a.lo), scale)
	}
	b := new(big.Int).Lsh(big.NewInt(a.hi), 64)
	return types.NumericFromBig(b.Add(b, new(big.Int).SetUint64(a.lo)), scale)
}

// sumNumericAcc is sum and avg with numeric results: of int8 and numeric, avg of
// every integer. While all values have one scale the sums are exact 128-bit
// integers (an int64 2^64 times over does not fill them); values of another
// scale or form move to a general sum per group.
type sumNumericAcc struct {
	avg        bool
	plainScale bool // integers
	scale      int32
	scaled     bool // scale is set
	fast       []int128
	n          []int64
	slow       []types.Numeric // nil until needed; n counts its rows too
	slowSet    []bool
	fastSet    []bool // fast holds rows of the group; kept once slow exists
}

func (s *sumNumericAcc) resize(n int) {
	s.fast, s.n = grow(s.fast, n), grow(s.n, n)
	if s.slow != nil {
		s.slow, s.slowSet, s.fastSet = grow(s.slow, n), grow(s.slowSet, n), grow(s.fastSet, n)
	}
}

func (s *sumNumericAcc) bytes() int64 { return int64(cap(s.fast))*24 + int64(cap(s.slow))*64 }

func (s *sumNumericAcc) add(groups []int32, args []arrow.Array) error {
	a := args[0]
	v := kernel.Valid(a)
	switch a.DataType().ID() {
	case arrow.INT16:
		addWide(s, groups, kernel.Values[int16](a), v)
		return nil
	case arrow.INT32:
		addWide(s, groups, kernel.Values[int32](a), v)
		return nil
	case arrow.INT64:
		addWide(s, groups, kernel.Values[int64](a), v)
		return nil
	}
	if d, ok := a.(*types.Dec64Array); ok {
		if a.NullN() == a.Len() {
			return nil
		}
		if !s.scaled {
			s.scale, s.scaled = d.Scale(), true
		}
		if d.Scale() == s.scale {
			addWide(s, groups, d.Int64Values(), v)
			if s.slow != nil {
				for i, g := range groups {
					if v.Get(i) {
						s.fastSet[g] = true
					}
				}
			}
			return nil
		}
	}
	return s.addSlow(groups, a, v)
}

func addWide[T int16 | int32 | int64](s *sumNumericAcc, groups []int32, x []T, v kernel.Bits) {
	if v.All() && len(s.fast) == 1 { // no grouping
		switch x := any(x).(type) {
		case []int64:
			hi, lo := simd.Sum64(x)
			s.fast[0].addWide(int128{hi, lo})
		case []int32:
			s.fast[0].add(simd.Sum32(x))
		case []int16:
			sum := int64(0) // of fewer than 2^32, it fits
			for _, u := range x {
				sum += int64(u)
			}
			s.fast[0].add(sum)
		}
		s.n[0] += int64(len(x))
		return
	}
	if v.All() {
		for i, g := range groups {
			s.fast[g].add(int64(x[i]))
			s.n[g]++
		}
		return
	}
	for i, g := range groups {
		if v.Get(i) {
			s.fast[g].add(int64(x[i]))
			s.n[g]++
		}
	}
}

// decimalScale is the scale of a Dec64 vector.
func decimalScale(a arrow.Array) (scale int32, ok bool) {
	d, ok := a.(*types.Dec64Array)
	if !ok {
		return 0, false
	}
	return d.Scale(), true
}

// addSlow adds values one by one: those of the fast scale to the fast sum.
func (s *sumNumericAcc) addSlow(groups []int32, a arrow.Array, v kernel.Bits) error {
	if d, ok := a.(*types.Dec64Array); ok {
		x, scale := d.Int64Values(), d.Scale()
		return s.addEach(groups, v, func(i int) types.Numeric { return types.NumericFromInt64(x[i], scale) })
	}
	x := kernel.Strings(kernel.Flatten(a))
	value := func(i int) types.Numeric { return types.NumericFromBinary(x.At(i)) }
	if !s.scaled { // the largest is that of columns and results, where constants have less
		for i := range groups {
			if v.Get(i) {
				if _, scale, ok := value(i).Int64(); ok {
					s.scale, s.scaled = max(s.scale, scale), true
				}
			}
		}
	}
	return s.addEach(groups, v, value)
}

func (s *sumNumericAcc) addEach(groups []int32, v kernel.Bits, value func(int) types.Numeric) error {
	for i, g := range groups {
		if !v.Get(i) {
			continue
		}
		if err := s.addNumeric(g, value(i)); err != nil {
			return err
		}
		s.n[g]++
	}
	return nil
}

func (s *sumNumericAcc) addNumeric(g int32, x types.Numeric) error {
	if u, scale, ok := x.Int64(); ok && s.scaled && scale == s.scale {
		s.fast[g].add(u)
		if s.slow != nil {
			s.fastSet[g] = true
		}
		return nil
	}
	if s.slow == nil {
		s.slow, s.slowSet = make([]types.Numeric, len(s.fast)), make([]bool, len(s.fast))
		s.fastSet = make([]bool, len(s.fast))
		for i, n := range s.n {
			s.fastSet[i] = n > 0
		}
	}
	if !s.slowSet[g] {
		s.slow[g], s.slowSet[g] = x, true
		return nil
	}
	r, err := s.slow[g].Add(x)
	s.slow[g] = r
	return err
}

// total is group g's sum; REQUIRES: it has rows.
func (s *sumNumericAcc) total(g int) (types.Numeric, error) {
	if s.slow == nil || !s.slowSet[g] {
		return s.fast[g].numeric(s.scale), nil
	}
	if !s.fastSet[g] {
		return s.slow[g], nil
	}
	return s.slow[g].Add(s.fast[g].numeric(s.scale))
}

func (s *sumNumericAcc) result(lo, hi int) (arrow.Array, error) {
	if !s.avg && s.slow == nil {
		if v := s.dec64(lo, hi); v != nil {
			return v, nil
		}
	}
	b := types.NewBuilder(types.Of(types.NumericOID), hi-lo)
	for g := lo; g < hi; g++ {
		if s.n[g] == 0 {
			b.Append(nil)
			continue
		}
		x, err := s.total(g)
		if err == nil && s.avg {
			x, err = x.Div(types.NumericFromInt64(s.n[g], 0))
		}
		if err != nil {
			return nil, err
		}
		b.Append(x)
	}
	return b.Finish(), nil
}

// dec64 gives sums that all fit an int64 without going through Numeric.
func (s *sumNumericAcc) dec64(lo, hi int) arrow.Array {
	out := make([]int64, hi-lo)
	var valid []byte
	nulls := 0
	for g := lo; g < hi; g++ {
		f := s.fast[g]
		if s.n[g] == 0 {
			if valid == nil {
				valid = kernel.Ones(hi - lo)
			}
			kernel.ClearBit(valid, g-lo)
			nulls++
			continue
		}
		if f.hi != int64(f.lo)>>63 {
			return nil
		}
		out[g-lo] = int64(f.lo)
	}
	return types.NewDec64Array(s.scale, out, valid, nulls)
}

func (s *sumNumericAcc) merge(o accumulator, from, to []int32) error {
	p := o.(*sumNumericAcc)
	if !s.scaled {
		s.scale, s.scaled = p.scale, p.scaled
	}
	for k, g := range to {
		i := source(from, k)
		if g < 0 || p.n[i] == 0 {
			continue
		}
		if (p.scale == s.scale || !p.scaled) && (p.slow == nil || !p.slowSet[i]) {
			s.fast[g].addWide(p.fast[i])
			if s.slow != nil {
				s.fastSet[g] = true
			}
		} else {
			x, err := p.total(i)
			if err == nil {
				err = s.addNumeric(g, x)
			}
			if err != nil {
				return err
			}
		}
		s.n[g] += p.n[i]
	}
	return nil
}

// sumFloatAcc is sum and avg of floats. sum(float4) adds in single precision, as PostgreSQL does.
type sumFloatAcc struct {
	avg, single bool
	sum         []float64
	n           []int64
}

func (s *sumFloatAcc) resize(n int) { s.sum, s.n = grow(s.sum, n), grow(s.n, n) }
func (s *sumFloatAcc) bytes() int64 { return int64(cap(s.sum)) * 16 }

func (s *sumFloatAcc) add(groups []int32, args []arrow.Array) error {
	v := kernel.Valid(args[0])
	if args[0].DataType().ID() == arrow.FLOAT32 {
		x := kernel.Values[float32](args[0])
		for i, g := range groups {
			if v.Get(i) {
				if err := s.addOne(g, float64(x[i]), 1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	x := kernel.Values[float64](args[0])
	for i, g := range groups {
		if v.Get(i) {
			if err := s.addOne(g, x[i], 1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *sumFloatAcc) addOne(g int32, x float64, n int64) error {
	old := s.sum[g]
	r := old + x
	if s.n[g] == 0 {
		r = x
	}
	if s.single {
		r = float64(float32(r))
	}
	if math.IsInf(r, 0) && !math.IsInf(old, 0) && !math.IsInf(x, 0) {
		return pgerror.New(pgerror.NumericValueOutOfRange, "value out of range: overflow")
	}
	s.sum[g] = r
	s.n[g] += n
	return nil
}

func (s *sumFloatAcc) result(lo, hi int) (arrow.Array, error) {
	n := hi - lo
	seen := make([]bool, n)
	out := make([]float64, n)
	for i := range out {
		out[i], seen[i] = s.sum[lo+i], s.n[lo+i] > 0
		if s.avg && seen[i] {
			out[i] /= float64(s.n[lo+i])
		}
	}
	if s.single {
		f := make([]float32, n)
		for i, x := range out {
			f[i] = float32(x)
		}
		return finish(arrow.PrimitiveTypes.Float32, f, seen), nil
	}
	return finish(arrow.PrimitiveTypes.Float64, out, seen), nil
}

func (s *sumFloatAcc) merge(o accumulator, from, to []int32) error {
	p := o.(*sumFloatAcc)
	for k, g := range to {
		if i := source(from, k); g >= 0 && p.n[i] > 0 {
			if err := s.addOne(g, p.sum[i], p.n[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// boolAcc is bool_and (every) and bool_or.
type boolAcc struct {
	and  bool
	val  []bool
	seen []bool
}

func (s *boolAcc) resize(n int) { s.val, s.seen = grow(s.val, n), grow(s.seen, n) }
func (s *boolAcc) bytes() int64 { return int64(cap(s.val)) * 2 }

func (s *boolAcc) one(g int32, x bool) {
	switch {
	case !s.seen[g]:
		s.val[g], s.seen[g] = x, true
	case s.and:
		s.val[g] = s.val[g] && x
	default:
		s.val[g] = s.val[g] || x
	}
}

func (s *boolAcc) add(groups []int32, args []arrow.Array) error {
	v, x := kernel.Valid(args[0]), kernel.Bools(args[0])
	for i, g := range groups {
		if v.Get(i) {
			s.one(g, x.Get(i))
		}
	}
	return nil
}

func (s *boolAcc) result(lo, hi int) (arrow.Array, error) {
	state := make([]byte, hi-lo)
	for i := range state {
		switch {
		case !s.seen[lo+i]:
			state[i] = 2
		case s.val[lo+i]:
			state[i] = 1
		}
	}
	return kernel.BoolsFromStates(state), nil
}

func (s *boolAcc) merge(o accumulator, from, to []int32) error {
	p := o.(*boolAcc)
	for k, g := range to {
		if i := source(from, k); g >= 0 && p.seen[i] {
			s.one(g, p.val[i])
		}
	}
	return nil
}

// newMinMaxAcc picks the form for a type.
func newMinMaxAcc(env *types.Env, t types.T, max bool) accumulator {
	if t.Class == types.ClassBase {
		switch t.OID {
		case types.Int2:
			return &minMaxAcc[int16]{t: t, max: max}
		case types.Int4, types.DateOID:
			return &minMaxAcc[int32]{t: t, max: max}
		case types.Int8, types.TimestampOID, types.TimestampTZOID, types.TimeOID:
			return &minMaxAcc[int64]{t: t, max: max}
		case types.Text, types.VarChar, types.BPChar:
			return &minMaxTextAcc{max: max, trim: t.OID == types.BPChar}
		}
	}
	return &minMaxAnyAcc{env: env, t: t, max: max}
}

// minMaxAcc is min and max of types ordered as machine integers.
type minMaxAcc[T int16 | int32 | int64] struct {
	t    types.T
	max  bool
	best []T
	seen []bool
}

func (s *minMaxAcc[T]) resize(n int) { s.best, s.seen = grow(s.best, n), grow(s.seen, n) }
func (s *minMaxAcc[T]) bytes() int64 { return int64(cap(s.best)) * 9 }

func (s *minMaxAcc[T]) one(g int32, x T) {
	if !s.seen[g] || s.max && x > s.best[g] || !s.max && x < s.best[g] {
		s.best[g], s.seen[g] = x, true
	}
}

func (s *minMaxAcc[T]) add(groups []int32, args []arrow.Array) error {
	v, x := kernel.Valid(args[0]), kernel.Values[T](args[0])
	if v.All() && len(s.best) == 1 && len(x) > 0 {
		lo, hi := simd.MinMax(x)
		if s.max {
			lo = hi
		}
		s.one(0, lo)
		return nil
	}
	for i, g := range groups {
		if v.Get(i) {
			s.one(g, x[i])
		}
	}
	return nil
}

func (s *minMaxAcc[T]) result(lo, hi int) (arrow.Array, error) {
	return finish(types.ArrowType(s.t), append([]T{}, s.best[lo:hi]...), s.seen[lo:hi]), nil
}

func (s *minMaxAcc[T]) merge(o accumulator, from, to []int32) error {
	p := o.(*minMaxAcc[T])
	for k, g := range to {
		if i := source(from, k); g >= 0 && p.seen[i] {
			s.one(g, p.best[i])
		}
	}
	return nil
}

// minMaxAnyAcc is min and max by a type's general order.
type minMaxAnyAcc struct {
	env  *types.Env
	t    types.T
	max  bool
	best []types.Datum
}

func (s *minMaxAnyAcc) resize(n int) { s.best = grow(s.best, n) }
func (s *minMaxAnyAcc) bytes() int64 { return int64(cap(s.best)) * 64 }

func (s *minMaxAnyAcc) one(g int32, x types.Datum) {
	if b := s.best[g]; b != nil {
		c := types.Compare(s.env, s.t, x, b)
		// of equal values (1.0 and 1.00) the last stays
		if s.max && c < 0 || !s.max && c > 0 {
			return
		}
	}
	s.best[g] = x
}

func (s *minMaxAnyAcc) add(groups []int32, args []arrow.Array) error {
	v := kernel.Valid(args[0])
	for i, g := range groups {
		if v.Get(i) {
			s.one(g, types.Get(s.t, args[0], i))
		}
	}
	return nil
}

func (s *minMaxAnyAcc) result(lo, hi int) (arrow.Array, error) {
	b := types.NewBuilder(s.t, hi-lo)
	for _, x := range s.best[lo:hi] {
		b.Append(x)
	}
	return b.Finish(), nil
}

func (s *minMaxAnyAcc) merge(o accumulator, from, to []int32) error {
	p := o.(*minMaxAnyAcc)
	for k, g := range to {
		if x := p.best[source(from, k)]; g >= 0 && x != nil {
			s.one(g, x)
		}
	}
	return nil
}
