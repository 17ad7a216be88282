package datetime

import (
	"math"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// in_range(value, base, offset, sub, less) answers for window frames in RANGE
// mode: is value ≤ (less) or ≥ base − offset (sub) or base + offset.

func errOffset() error {
	return pgerror.New(pgerror.InvalidPrecedingOrFollowingSize, "invalid preceding or following size in window function")
}

func inRange[A any](r *expr.Registry, name string, sum func(env *types.Env, base A, v types.Interval, sub bool) (A, error), cmp func(a, b A) int,
	negative func(types.Interval) bool) {
	adapt.Add(r, "in_range("+name+","+name+",interval,bool,bool)",
		adapt.C5(func(ctx *expr.Context, _ *expr.Call, val, base A, v types.Interval, sub, less bool) (bool, error) {
			if negative(v) {
				return false, errOffset()
			}
			s, err := sum(ctx.Env, base, v, sub)
			if err != nil {
				return false, err
			}
			if less {
				return cmp(val, s) <= 0, nil
			}
			return cmp(val, s) >= 0, nil
		}))
}

func registerInRange(r *expr.Registry) {
	negative := func(v types.Interval) bool { return types.CompareIntervals(v, types.Interval{}) < 0 }
	signed := func(v types.Interval, sub bool) types.Interval {
		if sub {
			return minus(v)
		}
		return v
	}
	type ts = types.Timestamp
	inRange(r, "timestamp", func(_ *types.Env, b ts, v types.Interval, sub bool) (ts, error) { return b.AddInterval(signed(v, sub)) },
		cmpOrdered[ts], negative)
	inRange(r, "timestamptz", func(env *types.Env, b ts, v types.Interval, sub bool) (ts, error) {
		return b.AddIntervalTZ(env, signed(v, sub))
	}, cmpOrdered[ts], negative)
	inRange(r, "interval", func(_ *types.Env, b, v types.Interval, sub bool) (types.Interval, error) {
		if sub {
			return b.Sub(v)
		}
		return b.Add(v)
	}, types.CompareIntervals, negative)
	adapt.Add(r, "in_range(date,date,interval,bool,bool)",
		adapt.C5(func(_ *expr.Context, _ *expr.Call, val, base types.Date, v types.Interval, sub, less bool) (bool, error) {
			if negative(v) {
				return false, errOffset()
			}
			s, err := dateInterval(base, signed(v, sub))
			if err != nil {
				return false, err
			}
			c := types.CompareDateTimestamp(val, s)
			return less && c <= 0 || !less && c >= 0, nil
		}))
	// Times do not wrap at midnight here.
	micros := func(v types.Interval) bool { return v.Micros < 0 }
	move := func(us int64, v types.Interval, sub bool) int64 {
		if sub {
			return us - v.Micros
		}
		if us > math.MaxInt64-v.Micros {
			return math.MaxInt64
		}
		return us + v.Micros
	}
	inRange(r, "time", func(_ *types.Env, b types.Time, v types.Interval, sub bool) (types.Time, error) {
		return types.Time(move(int64(b), v, sub)), nil
	}, cmpOrdered[types.Time], micros)
	timetz := types.Of(types.TimeTZOID)
	inRange(r, "timetz", func(_ *types.Env, b types.TimeTZ, v types.Interval, sub bool) (types.TimeTZ, error) {
		return types.TimeTZ{Micros: min(move(b.Micros, v, sub), math.MaxInt64/2), Zone: b.Zone}, nil
	}, func(a, b types.TimeTZ) int { return types.Compare(nil, timetz, a, b) }, micros)
}
