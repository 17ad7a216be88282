package datetime

import (
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// registerSeries adds generate_series over timestamps.
func registerSeries(r *expr.Registry) {
	add := func(sig string, step func(env *types.Env, t types.Timestamp, v types.Interval) (types.Timestamp, error)) {
		adapt.AddSet(r, sig, func(ctx *expr.Context, _ *expr.Call, a []types.Datum, emit func(row ...types.Datum) error) error {
			t, last, by := a[0].(types.Timestamp), a[1].(types.Timestamp), a[2].(types.Interval)
			dir := types.CompareIntervals(by, types.Interval{})
			if dir == 0 {
				return pgerror.New(pgerror.InvalidParameterValue, "step size cannot equal zero")
			}
			for n := 0; dir > 0 && t <= last || dir < 0 && t >= last; n++ {
				if n&1023 == 1023 && ctx.Ctx != nil && ctx.Ctx.Err() != nil {
					return ctx.Ctx.Err()
				}
				if err := emit(t); err != nil {
					return err
				}
				var err error
				if t, err = step(ctx.Env, t, by); err != nil {
					return err
				}
			}
			return nil
		})
	}
	add("generate_series(timestamp,timestamp,interval)", func(_ *types.Env, t types.Timestamp, v types.Interval) (types.Timestamp, error) {
		return t.AddInterval(v)
	})
	add("generate_series(timestamptz,timestamptz,interval)", func(env *types.Env, t types.Timestamp, v types.Interval) (types.Timestamp, error) {
		return t.AddIntervalTZ(env, v)
	})
}
