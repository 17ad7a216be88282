package sys

import (
	"time"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// sleep waits until the time has come or the statement is cancelled.
func sleep(ctx *expr.Context, d time.Duration) (types.Unit, error) {
	if d <= 0 {
		return types.Unit{}, nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return types.Unit{}, nil
	case <-ctx.Ctx.Done():
		return types.Unit{}, pgerror.From(ctx.Ctx.Err())
	}
}

// sleepMax keeps a wait within a time.Duration.
const sleepMax = 1e9

func registerTimes(r *expr.Registry) {
	add(r, "pg_sleep(float8)", adapt.C1(func(ctx *expr.Context, _ *expr.Call, sec float64) (types.Unit, error) {
		return sleep(ctx, time.Duration(min(sec, sleepMax)*float64(time.Second)))
	}))
	add(r, "pg_sleep_for(interval)", adapt.C1(func(ctx *expr.Context, _ *expr.Call, v types.Interval) (types.Unit, error) {
		now := time.Now()
		end := now.AddDate(0, int(v.Months), int(v.Days))
		return sleep(ctx, time.Duration(min((end.Sub(now)).Seconds()+float64(v.Micros)/1e6, sleepMax)*float64(time.Second)))
	}))
	add(r, "pg_sleep_until(timestamptz)", adapt.C1(func(ctx *expr.Context, _ *expr.Call, at types.Timestamp) (types.Unit, error) {
		sec := (float64(at) - float64(types.TimestampOf(time.Now()))) / 1e6
		return sleep(ctx, time.Duration(max(min(sec, sleepMax), 0)*float64(time.Second)))
	}))
	interval := func(sec int) types.Interval { return types.Interval{Micros: int64(sec) * 1_000_000} }
	adapt.AddSet(r, "pg_timezone_names()", func(ctx *expr.Context, _ *expr.Call, _ []types.Datum, emit func(row ...types.Datum) error) error {
		at := ctx.Env.XactTime.Time()
		for _, n := range types.ZoneNames() {
			loc, err := time.LoadLocation(n)
			if err != nil {
				continue // the system's zone files lack it
			}
			local := at.In(loc)
			abbrev, off := local.Zone()
			if err := emit(n, abbrev, interval(off), local.IsDST()); err != nil {
				return err
			}
		}
		return nil
	})
	adapt.AddSet(r, "pg_timezone_abbrevs()", func(ctx *expr.Context, _ *expr.Call, _ []types.Datum, emit func(row ...types.Datum) error) error {
		for _, a := range types.ZoneAbbrevs() {
			off, dst := a.OffsetAt(ctx.Env.XactTime)
			if err := emit(a.Name, interval(off), dst); err != nil {
				return err
			}
		}
		return nil
	})
}
