package aggfn

import (
	"math"
	"slices"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// percentiles picks values of a sorted column by their place. It keeps those it
// needs: the number of values is known beforehand.
type percentiles struct {
	fractions  []types.Datum
	continuous bool
	n, seen    int64
	need       []int64 // places, ascending
	kept       map[int64]types.Datum
	result     func(p *percentiles) (types.Datum, error)
}

func validFraction(p float64) bool { return p >= 0 && p <= 1 }

func checkFraction(p float64) error {
	if !validFraction(p) {
		return pgerror.New(pgerror.NumericValueOutOfRange, "percentile value %s is not between 0 and 1", types.AppendFloat(nil, p, 64, -9))
	}
	return nil
}

// places are those of the values between which fraction p of n lies, and how far.
func (s *percentiles) places(p float64) (lo, hi int64, part float64) {
	if !s.continuous {
		at := max(int64(math.Ceil(p*float64(s.n)))-1, 0)
		return at, at, 0
	}
	pos := p * float64(s.n-1)
	lo, hi = int64(math.Floor(pos)), int64(math.Ceil(pos))
	return lo, hi, pos - float64(lo)
}

func (s *percentiles) Expect(values int64) {
	s.n, s.kept = values, map[int64]types.Datum{}
	if values == 0 {
		return
	}
	for _, f := range s.fractions {
		if p, ok := f.(float64); ok && validFraction(p) {
			lo, hi, _ := s.places(p)
			s.need = append(s.need, lo, hi)
		}
	}
	slices.Sort(s.need)
}

func (s *percentiles) Add(args []types.Datum) error {
	if args[0] == nil {
		return nil
	}
	for len(s.need) > 0 && s.need[0] <= s.seen {
		if s.need[0] == s.seen {
			s.kept[s.seen] = args[0]
		}
		s.need = s.need[1:]
	}
	s.seen++
	return nil
}

func (s *percentiles) Result() (types.Datum, error) { return s.result(s) }

func (s *percentiles) Size() int64 { return 64 * int64(len(s.kept)+len(s.need)) }

// at gives the value of fraction p; there are values.
func (s *percentiles) at(p float64) (types.Datum, error) {
	if err := checkFraction(p); err != nil {
		return nil, err
	}
	lo, hi, part := s.places(p)
	if lo == hi {
		return s.kept[lo], nil
	}
	switch a := s.kept[lo].(type) {
	case types.Interval:
		d, err := s.kept[hi].(types.Interval).Sub(a)
		if err == nil {
			d, err = d.Mul(part)
		}
		if err == nil {
			d, err = a.Add(d)
		}
		return d, err
	default:
		x, y := a.(float64), s.kept[hi].(float64)
		return x + part*(y-x), nil
	}
}

// percentile makes the aggregate for one fraction or (array) many.
func percentile(continuous, array bool) func(*expr.Context, *expr.Call, []types.Datum) (expr.AggState, error) {
	return func(_ *expr.Context, call *expr.Call, direct []types.Datum) (expr.AggState, error) {
		if direct[0] == nil {
			return &percentiles{result: func(*percentiles) (types.Datum, error) { return nil, nil }}, nil
		}
		if !array {
			return &percentiles{continuous: continuous, fractions: direct, result: func(s *percentiles) (types.Datum, error) {
				p := direct[0].(float64)
				if s.n == 0 {
					return nil, checkFraction(p)
				}
				return s.at(p)
			}}, nil
		}
		ps := direct[0].(*types.Array)
		return &percentiles{continuous: continuous, fractions: ps.Elems, result: func(s *percentiles) (types.Datum, error) {
			if s.n == 0 {
				return nil, nil
			}
			out := &types.Array{Elem: call.Result.ElemType(), Dims: ps.Dims, Elems: make([]types.Datum, len(ps.Elems))}
			for i, p := range ps.Elems {
				if p == nil {
					continue
				}
				var err error
				if out.Elems[i], err = s.at(p.(float64)); err != nil {
					return nil, err
				}
			}
			return out, nil
		}}, nil
	}
}

// mode is the first of the most frequent values of a sorted column.
type mode struct {
	env       *types.Env
	t         types.T
	best, cur types.Datum
	most, run int64
}

func newMode(ctx *expr.Context, call *expr.Call, _ []types.Datum) (expr.AggState, error) {
	return &mode{env: ctx.Env, t: call.ArgTypes[len(call.ArgTypes)-1]}, nil
}

func (m *mode) Add(args []types.Datum) error {
	v := args[0]
	if v == nil {
		return nil
	}
	if m.run == 0 || types.Compare(m.env, m.t, v, m.cur) != 0 {
		m.cur, m.run = v, 0
	}
	if m.run++; m.run > m.most {
		m.best, m.most = m.cur, m.run
	}
	return nil
}

func (m *mode) Result() (types.Datum, error) { return m.best, nil }
func (m *mode) Size() int64                  { return 128 }

// hypothetical counts the rows before the direct arguments' place.
type hypothetical struct {
	env                           *types.Env
	ts                            []types.T
	order                         []expr.OrderKey
	direct                        []types.Datum
	rows, before, peers, distinct int64 // distinct: groups of equal rows before
	last                          []types.Datum
	result                        func(h *hypothetical) types.Datum
}

// compare orders two rows as the sort does.
func (h *hypothetical) compare(a, b []types.Datum) int {
	for i := range a {
		k := expr.OrderKey{}
		if i < len(h.order) {
			k = h.order[i]
		}
		switch {
		case a[i] == nil && b[i] == nil:
			continue
		case a[i] == nil || b[i] == nil:
			if (a[i] == nil) == k.NullsFirst {
				return -1
			}
			return 1
		}
		c := types.Compare(h.env, h.ts[i], a[i], b[i])
		if k.Descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func (h *hypothetical) Add(args []types.Datum) error {
	h.rows++
	switch c := h.compare(args, h.direct); {
	case c < 0:
		h.before++
		if h.last == nil || h.compare(h.last, args) != 0 {
			h.distinct++
			h.last = append([]types.Datum{}, args...)
		}
	case c == 0:
		h.peers++
	}
	return nil
}

func (h *hypothetical) Result() (types.Datum, error) { return h.result(h), nil }
func (h *hypothetical) Size() int64                  { return 128 }

func registerOrdered(r *expr.Registry) {
	adapt.AddOrderedAgg(r, "percentile_disc(float8,anyelement)", false, percentile(false, false))
	adapt.AddOrderedAgg(r, "percentile_disc(_float8,anyelement)", false, percentile(false, true))
	adapt.AddOrderedAgg(r, "percentile_cont(float8,float8)", false, percentile(true, false))
	adapt.AddOrderedAgg(r, "percentile_cont(_float8,float8)", false, percentile(true, true))
	adapt.AddOrderedAgg(r, "percentile_cont(float8,interval)", false, percentile(true, false))
	adapt.AddOrderedAgg(r, "percentile_cont(_float8,interval)", false, percentile(true, true))
	adapt.AddOrderedAgg(r, "mode(anyelement)", false, newMode)
	for name, f := range map[string]func(h *hypothetical) types.Datum{
		"rank":       func(h *hypothetical) types.Datum { return h.before + 1 },
		"dense_rank": func(h *hypothetical) types.Datum { return h.distinct + 1 },
		"percent_rank": func(h *hypothetical) types.Datum {
			if h.rows == 0 {
				return 0.0
			}
			return float64(h.before) / float64(h.rows)
		},
		"cume_dist": func(h *hypothetical) types.Datum { return float64(h.before+h.peers+1) / float64(h.rows+1) },
	} {
		adapt.AddOrderedAgg(r, name+"(any)", false, func(ctx *expr.Context, call *expr.Call, direct []types.Datum) (expr.AggState, error) {
			return &hypothetical{env: ctx.Env, ts: call.ArgTypes[len(call.ArgTypes)-len(direct):], order: call.Order, direct: direct, result: f}, nil
		})
	}
}
