package aggfn

import (
	"math"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// count counts rows.
type count struct{ n int64 }

func (c *count) Add([]types.Datum) error      { c.n++; return nil }
func (c *count) Remove([]types.Datum) error   { c.n--; return nil }
func (c *count) Result() (types.Datum, error) { return c.n, nil }
func (c *count) Size() int64                  { return 8 }

// exactSum adds integers and numerics without error; it is also the state of
// their average and variance.
type exactSum struct {
	small  int64 // sum of integers while it fits
	sum    types.Numeric
	sumSq  types.Numeric
	n      int64
	square bool // keep sumSq
	result func(s *exactSum) (types.Datum, error)
}

func toNumeric(d types.Datum) types.Numeric {
	switch v := d.(type) {
	case int16:
		return types.NumericFromInt64(int64(v), 0)
	case int32:
		return types.NumericFromInt64(int64(v), 0)
	case int64:
		return types.NumericFromInt64(v, 0)
	}
	return d.(types.Numeric)
}

func (s *exactSum) Add(args []types.Datum) error { return s.add(args[0], 1) }

// add adds or (dir −1) takes out one value.
func (s *exactSum) add(d types.Datum, dir int64) error {
	s.n += dir
	v := toNumeric(d)
	if s.square {
		sq, err := v.Mul(v)
		if err != nil {
			return err
		}
		if dir < 0 {
			sq = sq.Neg()
		}
		if s.sumSq, err = s.sumSq.Add(sq); err != nil {
			return err
		}
	}
	if u, scale, ok := v.Int64(); ok && scale == 0 {
		if dir < 0 && u != math.MinInt64 {
			u = -u
		}
		if t := s.small + u; (s.small^t)&(u^t) >= 0 && (dir > 0 || u != math.MinInt64) {
			s.small = t
			return nil
		}
	}
	if dir < 0 {
		v = v.Neg()
	}
	var err error
	s.sum, err = s.sum.Add(v)
	return err
}

func (s *exactSum) total() (types.Numeric, error) {
	return s.sum.Add(types.NumericFromInt64(s.small, 0))
}

func (s *exactSum) Result() (types.Datum, error) {
	if s.n == 0 {
		return nil, nil
	}
	return s.result(s)
}

func (s *exactSum) Size() int64 { return 128 }

// intSum is exactSum over integers, which can take values out again.
type intSum struct{ exactSum }

func (s *intSum) Remove(args []types.Datum) error { return s.add(args[0], -1) }

func sumNumeric(s *exactSum) (types.Datum, error) {
	t, err := s.total()
	return t, err
}

func sumBigint(s *exactSum) (types.Datum, error) {
	t, err := s.total()
	if err != nil {
		return nil, err
	}
	v, ok := t.ToInt64()
	if !ok {
		return nil, pgerror.New(pgerror.NumericValueOutOfRange, "bigint out of range")
	}
	return v, nil
}

func avgNumeric(s *exactSum) (types.Datum, error) {
	t, err := s.total()
	if err != nil {
		return nil, err
	}
	r, err := t.Div(types.NumericFromInt64(s.n, 0))
	return r, err
}

// varianceNumeric is (N·Σx² − (Σx)²) / (N·(N−1)), or over N² for the population.
func varianceNumeric(sample, root bool) func(*exactSum) (types.Datum, error) {
	return func(s *exactSum) (types.Datum, error) {
		if sample && s.n <= 1 {
			return nil, nil
		}
		t, err := s.total()
		if err != nil {
			return nil, err
		}
		if !t.IsFinite() || !s.sumSq.IsFinite() {
			return types.NumericNaN, nil
		}
		n := types.NumericFromInt64(s.n, 0)
		sq, err := t.Mul(t)
		if err != nil {
			return nil, err
		}
		nsq, err := s.sumSq.Mul(n)
		if err != nil {
			return nil, err
		}
		num, err := nsq.Sub(sq)
		if err != nil {
			return nil, err
		}
		if num.Sign() <= 0 {
			return types.Numeric{}, nil
		}
		m := s.n
		if sample {
			m--
		}
		den, err := n.Mul(types.NumericFromInt64(m, 0))
		if err != nil {
			return nil, err
		}
		v, err := num.Div(den)
		if err != nil || !root {
			return v, err
		}
		v, err = v.SqrtTo(v.Scale())
		return v, err
	}
}

// floatSum is sum of float4 (single: the running sum is a float4 too) and float8.
type floatSum struct {
	sum    float64
	n      int64
	single bool
}

func overflow() error {
	return pgerror.New(pgerror.NumericValueOutOfRange, "value out of range: overflow")
}

func toFloat(d types.Datum) float64 {
	if f, ok := d.(float32); ok {
		return float64(f)
	}
	return d.(float64)
}

func (s *floatSum) Add(args []types.Datum) error {
	v := toFloat(args[0])
	t := s.sum + v
	if s.single {
		t = float64(float32(t))
	}
	if math.IsInf(t, 0) && !math.IsInf(v, 0) && !math.IsInf(s.sum, 0) {
		return overflow()
	}
	if s.n == 0 {
		t = v // keeps −0
	}
	s.n, s.sum = s.n+1, t
	return nil
}

func (s *floatSum) Result() (types.Datum, error) {
	switch {
	case s.n == 0:
		return nil, nil
	case s.single:
		return float32(s.sum), nil
	}
	return s.sum, nil
}

func (s *floatSum) Size() int64 { return 24 }

func registerSums(r *expr.Registry) {
	adapt.AddAgg(r, "count()", false, func(*expr.Context, *expr.Call) expr.AggState { return &count{} })
	adapt.AddAgg(r, "count(any)", true, func(*expr.Context, *expr.Call) expr.AggState { return &count{} })
	exact := func(name, typ string, square bool, f func(*exactSum) (types.Datum, error)) {
		adapt.AddAgg(r, name+"("+typ+")", true, func(*expr.Context, *expr.Call) expr.AggState {
			if typ == "numeric" {
				return &exactSum{square: square, result: f}
			}
			return &intSum{exactSum{square: square, result: f}}
		})
	}
	exact("sum", "int2", false, sumBigint)
	exact("sum", "int4", false, sumBigint)
	exact("sum", "int8", false, sumNumeric)
	exact("sum", "numeric", false, sumNumeric)
	for _, t := range []string{"int2", "int4", "int8", "numeric"} {
		exact("avg", t, false, avgNumeric)
		exact("var_pop", t, true, varianceNumeric(false, false))
		exact("var_samp", t, true, varianceNumeric(true, false))
		exact("variance", t, true, varianceNumeric(true, false))
		exact("stddev_pop", t, true, varianceNumeric(false, true))
		exact("stddev_samp", t, true, varianceNumeric(true, true))
		exact("stddev", t, true, varianceNumeric(true, true))
	}
	adapt.AddAgg(r, "sum(float4)", true, func(*expr.Context, *expr.Call) expr.AggState { return &floatSum{single: true} })
	adapt.AddAgg(r, "sum(float8)", true, func(*expr.Context, *expr.Call) expr.AggState { return &floatSum{} })
}
