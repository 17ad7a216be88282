package datetime

import (
	"encoding/binary"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// intervalSum is the state of sum(interval) and avg(interval).
type intervalSum struct {
	n   int64
	sum types.Interval
	avg bool
}

func (s *intervalSum) Add(a []types.Datum) (err error) {
	s.n++
	s.sum, err = s.sum.Add(a[0].(types.Interval))
	return err
}

func (s *intervalSum) Remove(a []types.Datum) (err error) {
	s.n--
	s.sum, err = s.sum.Sub(a[0].(types.Interval))
	return err
}

func (s *intervalSum) Result() (types.Datum, error) {
	if s.n == 0 {
		return nil, nil
	}
	if !s.avg {
		return s.sum, nil
	}
	return s.sum.Div(float64(s.n))
}

func (s *intervalSum) Size() int64 { return 48 }

// AppendState implements expr.PortableState: n int64 and the sum as types.AppendDatum has it.
func (s *intervalSum) AppendState(dst []byte) []byte {
	return types.AppendDatum(types.Of(types.IntervalOID), binary.LittleEndian.AppendUint64(dst, uint64(s.n)), s.sum)
}

// MergeState implements expr.PortableState.
func (s *intervalSum) MergeState(b []byte) error {
	if len(b) != 24 {
		return pgerror.New(pgerror.ProtocolViolation, "malformed state of an aggregate function")
	}
	sum, err := types.ReadDatum(types.Of(types.IntervalOID), b[8:])
	if err != nil {
		return err
	}
	s.n += int64(binary.LittleEndian.Uint64(b))
	s.sum, err = s.sum.Add(sum.(types.Interval))
	return err
}

// extreme is the state of min and max: the first of equal values stays.
type extreme struct {
	env  *types.Env
	t    types.T
	best types.Datum
	dir  int // 1 max, −1 min
}

func (s *extreme) Add(a []types.Datum) error {
	if s.best == nil || types.Compare(s.env, s.t, a[0], s.best)*s.dir > 0 {
		s.best = a[0]
	}
	return nil
}

func (s *extreme) Result() (types.Datum, error) { return s.best, nil }
func (s *extreme) Size() int64                  { return 64 }

func registerAggregates(r *expr.Registry) {
	adapt.AddAgg(r, "sum(interval)", true, func(*expr.Context, *expr.Call) expr.AggState { return &intervalSum{} })
	adapt.AddAgg(r, "avg(interval)", true, func(*expr.Context, *expr.Call) expr.AggState { return &intervalSum{avg: true} })
	for _, t := range []string{"date", "time", "timetz", "timestamp", "timestamptz", "interval"} {
		for name, dir := range map[string]int{"min": -1, "max": 1} {
			adapt.AddAgg(r, name+"("+t+")", true, func(ctx *expr.Context, call *expr.Call) expr.AggState {
				return &extreme{env: ctx.Env, t: call.ArgTypes[0], dir: dir}
			})
		}
	}
}
