package aggfn

import (
	"math"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// sorted collects the non-NULL values of a sorted column.
type sorted struct {
	vals   []types.Datum
	bytes  int64
	result func(vals []types.Datum) (types.Datum, error)
}

func (s *sorted) Add(args []types.Datum) error {
	if args[0] == nil {
		return nil
	}
	s.vals = append(s.vals, args[0])
	s.bytes += 32
	if v, ok := args[0].(string); ok {
		s.bytes += int64(len(v))
	}
	return nil
}

func (s *sorted) Result() (types.Datum, error) {
	if len(s.vals) == 0 {
		return nil, nil
	}
	return s.result(s.vals)
}

func (s *sorted) Size() int64 { return s.bytes }

func checkFraction(p float64) error {
	if p < 0 || p > 1 || math.IsNaN(p) {
		return pgerror.New(pgerror.NumericValueOutOfRange, "percentile value %s is not between 0 and 1", types.AppendFloat(nil, p, 64, -9))
	}
	return nil
}

// at picks the value of one fraction.
type picker func(vals []types.Datum, p float64) (types.Datum, error)

func discrete(vals []types.Datum, p float64) (types.Datum, error) {
	return vals[max(int(math.Ceil(p*float64(len(vals))))-1, 0)], nil
}

func continuous(vals []types.Datum, p float64) (types.Datum, error) {
	pos := p * float64(len(vals)-1)
	lo, hi := int(math.Floor(pos)), int(math.Ceil(pos))
	if lo == hi {
		return vals[lo], nil
	}
	frac := pos - float64(lo)
	switch a := vals[lo].(type) {
	case types.Interval:
		d, err := vals[hi].(types.Interval).Sub(a)
		if err == nil {
			d, err = d.Mul(frac)
		}
		if err == nil {
			d, err = a.Add(d)
		}
		return d, err
	default:
		x, y := a.(float64), vals[hi].(float64)
		return x + frac*(y-x), nil
	}
}

// percentile makes the aggregate for one fraction or (array) many.
func percentile(pick picker, array bool) func(*expr.Context, *expr.Call, []types.Datum) (expr.AggState, error) {
	return func(_ *expr.Context, call *expr.Call, direct []types.Datum) (expr.AggState, error) {
		null := func([]types.Datum) (types.Datum, error) { return nil, nil }
		if direct[0] == nil {
			return &sorted{result: null}, nil
		}
		if !array {
			p := direct[0].(float64)
			return &sorted{result: func(vals []types.Datum) (types.Datum, error) {
				if err := checkFraction(p); err != nil {
					return nil, err
				}
				return pick(vals, p)
			}}, nil
		}
		ps := direct[0].(*types.Array)
		return &sorted{result: func(vals []types.Datum) (types.Datum, error) {
			out := &types.Array{Elem: call.Result.ElemType(), Dims: ps.Dims, Elems: make([]types.Datum, len(ps.Elems))}
			for i, p := range ps.Elems {
				if p == nil {
					continue
				}
				if err := checkFraction(p.(float64)); err != nil {
					return nil, err
				}
				var err error
				if out.Elems[i], err = pick(vals, p.(float64)); err != nil {
					return nil, err
				}
			}
			return out, nil
		}}, nil
	}
}

// mode is the first of the most frequent values.
func mode(ctx *expr.Context, call *expr.Call, _ []types.Datum) (expr.AggState, error) {
	t := call.ArgTypes[len(call.ArgTypes)-1]
	return &sorted{result: func(vals []types.Datum) (types.Datum, error) {
		best, most, start := vals[0], 0, 0
		for i := 1; i <= len(vals); i++ {
			if i < len(vals) && types.Compare(ctx.Env, t, vals[i], vals[start]) == 0 {
				continue
			}
			if i-start > most {
				best, most = vals[start], i-start
			}
			start = i
		}
		return best, nil
	}}, nil
}

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
	adapt.AddOrderedAgg(r, "percentile_disc(float8,anyelement)", false, percentile(discrete, false))
	adapt.AddOrderedAgg(r, "percentile_disc(_float8,anyelement)", false, percentile(discrete, true))
	adapt.AddOrderedAgg(r, "percentile_cont(float8,float8)", false, percentile(continuous, false))
	adapt.AddOrderedAgg(r, "percentile_cont(_float8,float8)", false, percentile(continuous, true))
	adapt.AddOrderedAgg(r, "percentile_cont(float8,interval)", false, percentile(continuous, false))
	adapt.AddOrderedAgg(r, "percentile_cont(_float8,interval)", false, percentile(continuous, true))
	adapt.AddOrderedAgg(r, "mode(anyelement)", false, mode)
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
