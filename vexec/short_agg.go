package vexec

import (
	"slices"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// shortAgg is an aggregate call over the rows of a short range: count, sum of
// integers and numerics, min and max of types whose equal values are identical.
type shortAgg struct {
	kind     aggKind
	arg      *expr.Scalar
	filter   *expr.Scalar
	distinct bool
}

// shortState is a call's state. The zero value is that of no rows.
type shortState struct {
	n    int64
	sum  types.Datum // numeric sums, min, max; nil: no value yet
	seen map[string]struct{}
	key  []byte
}

// prepareAgg prepares an Agg without keys: one row. columns are its calls.
func (r *ShortRange) prepareAgg(m *expr.ScalarMaker, p *planpb.Plan, a *planpb.Agg) (columns []*expr.Scalar, ok bool) {
	if len(a.GetKeys())+len(a.GetSets())+len(a.GetGroupingCalls()) > 0 || len(a.GetCalls()) == 0 || a.GetPhase() != planpb.Agg_COMPLETE {
		return nil, false
	}
	below, ok := r.prepareRows(m, a.GetInput())
	if !ok {
		return nil, false
	}
	m.SetColumns(below)
	aggs := make([]shortAgg, len(a.GetCalls()))
	for i, c := range a.GetCalls() {
		if len(c.GetOrderBy())+len(c.GetDirectArgs()) > 0 || c.GetWithinGroup() || c.GetVariadic() || len(c.GetArgs()) > 1 {
			return nil, false
		}
		x := shortAgg{kind: callKind(c), distinct: c.GetDistinct()}
		if c.GetFilter() != nil {
			if x.filter = m.Compile(c.GetFilter()); x.filter == nil {
				return nil, false
			}
		}
		if len(c.GetArgs()) == 1 {
			if x.arg = m.Compile(c.GetArgs()[0]); x.arg == nil {
				return nil, false
			}
		}
		switch x.kind {
		case aggCountStar:
			if x.distinct || x.arg != nil {
				return nil, false
			}
		case aggCount:
			if x.arg == nil || x.distinct && !types.Comparable(x.arg.Type) {
				return nil, false
			}
		case aggSumInt, aggSumNumeric:
			if x.arg == nil || x.distinct {
				return nil, false
			}
		case aggMin, aggMax:
			if x.arg == nil || !slices.Contains(exactTypes, x.arg.Type.OID) {
				return nil, false
			}
		default:
			return nil, false
		}
		aggs[i] = x
	}
	if !m.UsedOnce() {
		return nil, false
	}
	r.aggs = aggs
	at := make([]int32, len(aggs))
	for i := range at {
		at[i] = int32(i)
	}
	return rowColumns(p.GetOutput(), at), true
}

// exactTypes are types whose equal values are identical.
var exactTypes = []types.OID{types.Int2, types.Int4, types.Int8, types.DateOID, types.TimestampOID, types.TimestampTZOID, types.Text, types.Oid}

// add folds in.Row in.
func (a *shortAgg) add(s *shortState, in *expr.ScalarInput) error {
	if a.filter != nil {
		if d, err := a.filter.Eval(in); err != nil || d != true {
			return err
		}
	}
	if a.arg == nil {
		s.n++
		return nil
	}
	d, err := a.arg.Eval(in)
	if err != nil || d == nil {
		return err
	}
	switch a.kind {
	case aggCount:
		if a.distinct {
			s.key = types.AppendEqualityKey(in.Ctx.Env, a.arg.Type, s.key[:0], d)
			if _, ok := s.seen[string(s.key)]; ok {
				return nil
			}
			if s.seen == nil {
				s.seen = map[string]struct{}{}
			}
			s.seen[string(s.key)] = struct{}{}
		}
	case aggSumInt:
		s.sum = d // not NULL any more
		switch v := d.(type) {
		case int16:
			s.n += int64(v)
		case int32:
			s.n += int64(v)
		}
		return nil
	case aggSumNumeric:
		v, ok := d.(types.Numeric)
		if !ok {
			v = types.NumericFromInt64(int64Of(d), 0)
		}
		if s.sum != nil {
			if v, err = s.sum.(types.Numeric).Add(v); err != nil {
				return err
			}
		}
		s.sum = v
	case aggMin, aggMax:
		if s.sum != nil {
			if c := types.Compare(in.Ctx.Env, a.arg.Type, d, s.sum); c == 0 || c < 0 != (a.kind == aggMin) {
				return nil
			}
		}
		s.sum = d
	}
	s.n++
	return nil
}

// result is the call's value.
func (a *shortAgg) result(s *shortState) types.Datum {
	switch a.kind {
	case aggCount, aggCountStar:
		return s.n
	case aggSumInt:
		if s.sum == nil {
			return nil
		}
		return s.n
	}
	return s.sum
}
