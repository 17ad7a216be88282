package datetime

import (
	"math"
	"time"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// Register adds this package's functions to r.
func Register(r *expr.Registry) {
	registerComparisons(r)
	registerFields(r)
	registerOperators(r)
	registerCasts(r)
	registerMakers(r)
	registerZones(r)
	registerOverlaps(r)
	registerInRange(r)
	registerFormatting(r)
	registerSeries(r)
	registerAggregates(r)
}

func outOfRange(what string) error {
	return pgerror.New(pgerror.DatetimeFieldOverflow, "%s out of range", what)
}

func addDays(d types.Date, n int64) (types.Date, error) {
	if !d.Finite() {
		return d, nil
	}
	if s := int64(d) + n; types.ValidDate(s) {
		return types.Date(s), nil
	}
	return 0, outOfRange("date")
}

func dateInterval(d types.Date, v types.Interval) (types.Timestamp, error) {
	t, err := types.DateToTimestamp(d)
	if err != nil {
		return 0, err
	}
	return t.AddInterval(v)
}

func dateTime(d types.Date, t types.Time) (types.Timestamp, error) {
	ts, err := types.DateToTimestamp(d)
	if err != nil || !ts.Finite() {
		return ts, err
	}
	ts += types.Timestamp(t)
	if !types.ValidTimestamp(ts) {
		return 0, outOfRange("timestamp")
	}
	return ts, nil
}

func dateTimeTZ(d types.Date, t types.TimeTZ) (types.Timestamp, error) {
	ts, err := types.DateToTimestamp(d)
	if err != nil || !ts.Finite() {
		return ts, err
	}
	ts += types.Timestamp(t.Micros + int64(t.Zone)*types.USecsPerSec)
	if !types.ValidTimestamp(ts) {
		return 0, pgerror.New(pgerror.DatetimeFieldOverflow, "date out of range for timestamp")
	}
	return ts, nil
}

func timetzAdd(t types.TimeTZ, v types.Interval) types.TimeTZ {
	return types.TimeTZ{Micros: int64(types.Time(t.Micros).AddInterval(v)), Zone: t.Zone}
}

// minus is −v for subtraction; the one interval without a negative keeps its
// value, and the addition then runs out of range as it must.
func minus(v types.Interval) types.Interval {
	return types.Interval{Months: -v.Months, Days: -v.Days, Micros: -v.Micros}
}

func registerOperators(r *expr.Registry) {
	type (
		ts = types.Timestamp
		iv = types.Interval
	)
	adapt.Add(r, "date_pli(date,int4)", adapt.E2(func(d types.Date, n int32) (types.Date, error) { return addDays(d, int64(n)) }))
	adapt.Add(r, "integer_pl_date(int4,date)", adapt.E2(func(n int32, d types.Date) (types.Date, error) { return addDays(d, int64(n)) }))
	adapt.Add(r, "date_mii(date,int4)", adapt.E2(func(d types.Date, n int32) (types.Date, error) { return addDays(d, -int64(n)) }))
	adapt.Add(r, "date_mi(date,date)", adapt.E2(func(a, b types.Date) (int32, error) {
		if !a.Finite() || !b.Finite() {
			return 0, pgerror.New(pgerror.DatetimeFieldOverflow, "cannot subtract infinite dates")
		}
		return int32(a - b), nil
	}))
	adapt.Add(r, "date_pl_interval(date,interval)", adapt.E2(dateInterval))
	adapt.Add(r, "interval_pl_date(interval,date)", adapt.E2(func(v iv, d types.Date) (ts, error) { return dateInterval(d, v) }))
	adapt.Add(r, "date_mi_interval(date,interval)", adapt.E2(func(d types.Date, v iv) (ts, error) { return dateInterval(d, minus(v)) }))
	adapt.Add(r, "datetime_pl(date,time)", adapt.E2(dateTime))
	adapt.Add(r, "timedate_pl(time,date)", adapt.E2(func(t types.Time, d types.Date) (ts, error) { return dateTime(d, t) }))
	adapt.Add(r, "timestamp(date,time)", adapt.E2(dateTime))
	adapt.Add(r, "datetimetz_pl(date,timetz)", adapt.E2(dateTimeTZ))
	adapt.Add(r, "timetzdate_pl(timetz,date)", adapt.E2(func(t types.TimeTZ, d types.Date) (ts, error) { return dateTimeTZ(d, t) }))
	adapt.Add(r, "timestamptz(date,timetz)", adapt.E2(dateTimeTZ))
	adapt.Add(r, "timestamptz(date,time)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, d types.Date, t types.Time) (ts, error) {
		v, err := dateTime(d, t)
		if err != nil {
			return 0, err
		}
		return ctx.Env.FromLocal(v)
	}))

	adapt.Add(r, "timestamp_pl_interval(timestamp,interval)", adapt.E2(ts.AddInterval), adapt.Value2(ts.AddInterval))
	adapt.Add(r, "interval_pl_timestamp(interval,timestamp)", adapt.E2(func(v iv, t ts) (ts, error) { return t.AddInterval(v) }))
	adapt.Add(r, "timestamp_mi_interval(timestamp,interval)", adapt.E2(func(t ts, v iv) (ts, error) { return t.AddInterval(minus(v)) }))
	adapt.Add(r, "timestamp_mi(timestamp,timestamp)", adapt.E2(ts.Sub))
	adapt.Add(r, "timestamptz_mi(timestamptz,timestamptz)", adapt.E2(ts.Sub))
	adapt.Add(r, "timestamptz_pl_interval(timestamptz,interval)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, t ts, v iv) (ts, error) {
		return t.AddIntervalTZ(ctx.Env, v)
	}))
	adapt.Add(r, "interval_pl_timestamptz(interval,timestamptz)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, v iv, t ts) (ts, error) {
		return t.AddIntervalTZ(ctx.Env, v)
	}))
	adapt.Add(r, "timestamptz_mi_interval(timestamptz,interval)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, t ts, v iv) (ts, error) {
		return t.AddIntervalTZ(ctx.Env, minus(v))
	}))

	adapt.Add(r, "time_pl_interval(time,interval)", adapt.F2(types.Time.AddInterval))
	adapt.Add(r, "interval_pl_time(interval,time)", adapt.F2(func(v iv, t types.Time) types.Time { return t.AddInterval(v) }))
	adapt.Add(r, "time_mi_interval(time,interval)", adapt.F2(func(t types.Time, v iv) types.Time { return t.AddInterval(minus(v)) }))
	adapt.Add(r, "time_mi_time(time,time)", adapt.F2(func(a, b types.Time) iv { return iv{Micros: int64(a - b)} }))
	adapt.Add(r, "timetz_pl_interval(timetz,interval)", adapt.F2(timetzAdd))
	adapt.Add(r, "interval_pl_timetz(interval,timetz)", adapt.F2(func(v iv, t types.TimeTZ) types.TimeTZ { return timetzAdd(t, v) }))
	adapt.Add(r, "timetz_mi_interval(timetz,interval)", adapt.F2(func(t types.TimeTZ, v iv) types.TimeTZ { return timetzAdd(t, minus(v)) }))

	adapt.Add(r, "interval_um(interval)", adapt.E1(iv.Neg))
	adapt.Add(r, "interval_pl(interval,interval)", adapt.E2(iv.Add))
	adapt.Add(r, "interval_mi(interval,interval)", adapt.E2(iv.Sub))
	adapt.Add(r, "interval_mul(interval,float8)", adapt.E2(iv.Mul))
	adapt.Add(r, "mul_d_interval(float8,interval)", adapt.E2(func(f float64, v iv) (iv, error) { return v.Mul(f) }))
	adapt.Add(r, "interval_div(interval,float8)", adapt.E2(iv.Div))
	adapt.Add(r, "justify_hours(interval)", adapt.E1(iv.JustifyHours))
	adapt.Add(r, "justify_days(interval)", adapt.E1(iv.JustifyDays))
	adapt.Add(r, "justify_interval(interval)", adapt.E1(iv.JustifyInterval))

	adapt.Add(r, "isfinite(date)", adapt.F1(types.Date.Finite))
	adapt.Add(r, "isfinite(timestamp)", adapt.F1(ts.Finite))
	adapt.Add(r, "isfinite(timestamptz)", adapt.F1(ts.Finite))
	adapt.Add(r, "isfinite(interval)", adapt.F1(func(iv) bool { return true }))

	adapt.Add(r, "age(timestamp,timestamp)", adapt.E2(types.Age))
	adapt.Add(r, "age(timestamptz,timestamptz)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, a, b ts) (iv, error) {
		return types.AgeTZ(ctx.Env, a, b)
	}))
	// Age from midnight of today.
	today := func(env *types.Env) ts {
		day, _ := env.ToLocal(env.XactTime).Day()
		return types.AtDay(day, 0)
	}
	adapt.Add(r, "age(timestamp)", adapt.C1(func(ctx *expr.Context, _ *expr.Call, t ts) (iv, error) { return types.Age(today(ctx.Env), t) }))
	adapt.Add(r, "age(timestamptz)", adapt.C1(func(ctx *expr.Context, _ *expr.Call, t ts) (iv, error) {
		midnight, err := ctx.Env.FromLocal(today(ctx.Env))
		if err != nil {
			return iv{}, err
		}
		return types.AgeTZ(ctx.Env, midnight, t)
	}))

	xactTime := func(ctx *expr.Context, _ *expr.Call) (ts, error) { return ctx.Env.XactTime, nil }
	for _, f := range []string{"now()", "transaction_timestamp()"} {
		adapt.Add(r, f, adapt.C0(xactTime), adapt.Value0(xactTime))
	}
	stmtTime := func(ctx *expr.Context, _ *expr.Call) (ts, error) { return ctx.Env.StmtTime, nil }
	adapt.Add(r, "statement_timestamp()", adapt.C0(stmtTime), adapt.Value0(stmtTime))
	adapt.Add(r, "clock_timestamp()", adapt.C0(func(*expr.Context, *expr.Call) (ts, error) { return types.TimestampOf(time.Now()), nil }))
	adapt.Add(r, "timeofday()", adapt.C0(func(ctx *expr.Context, _ *expr.Call) (string, error) {
		return time.Now().In(ctx.Env.TimeZone).Format("Mon Jan 02 15:04:05.000000 2006 MST"), nil
	}))
}

func registerCasts(r *expr.Registry) {
	type ts = types.Timestamp
	adapt.Add(r, "timestamp(date)", adapt.E1(types.DateToTimestamp))
	adapt.Add(r, "timestamptz(date)", adapt.C1(func(ctx *expr.Context, _ *expr.Call, d types.Date) (ts, error) {
		return types.DateToTimestampTZ(ctx.Env, d)
	}))
	adapt.Add(r, "date(timestamp)", adapt.F1(types.TimestampToDate))
	adapt.Add(r, "date(timestamptz)", adapt.C1(func(ctx *expr.Context, _ *expr.Call, t ts) (types.Date, error) {
		return types.TimestampToDate(ctx.Env.ToLocal(t)), nil
	}))
	local := func(ctx *expr.Context, _ *expr.Call, t ts) (ts, error) {
		local := ctx.Env.ToLocal(t)
		if local.Finite() && !types.ValidTimestamp(local) {
			return 0, outOfRange("timestamp")
		}
		return local, nil
	}
	adapt.Add(r, "timestamp(timestamptz)", adapt.C1(local), adapt.ValueC1(local))
	zoned := func(ctx *expr.Context, _ *expr.Call, t ts) (ts, error) { return ctx.Env.FromLocal(t) }
	adapt.Add(r, "timestamptz(timestamp)", adapt.C1(zoned), adapt.ValueC1(zoned))
	adapt.Add(r, "time(timestamp)", adapt.F1(func(t ts) types.Datum {
		if !t.Finite() {
			return nil
		}
		return t.TimeOfDay()
	}))
	adapt.Add(r, "time(timestamptz)", adapt.C1(func(ctx *expr.Context, _ *expr.Call, t ts) (types.Datum, error) {
		if !t.Finite() {
			return nil, nil
		}
		return ctx.Env.ToLocal(t).TimeOfDay(), nil
	}))
	adapt.Add(r, "timetz(timestamptz)", adapt.C1(func(ctx *expr.Context, _ *expr.Call, t ts) (types.Datum, error) {
		if !t.Finite() {
			return nil, nil
		}
		off, _ := types.ZoneOffset(ctx.Env.TimeZone, t)
		return types.TimeTZ{Micros: int64(ctx.Env.ToLocal(t).TimeOfDay()), Zone: int32(-off)}, nil
	}))
	adapt.Add(r, "timetz(time)", adapt.C1(func(ctx *expr.Context, _ *expr.Call, t types.Time) (types.TimeTZ, error) {
		now := ctx.Env.ToLocal(ctx.Env.XactTime)
		off := types.LocalOffset(ctx.Env.TimeZone, now-ts(now.TimeOfDay())+ts(t))
		return types.TimeTZ{Micros: int64(t), Zone: int32(-off)}, nil
	}))
	adapt.Add(r, "time(timetz)", adapt.F1(func(t types.TimeTZ) types.Time { return types.Time(t.Micros) }))
	adapt.Add(r, "interval(time)", adapt.F1(func(t types.Time) types.Interval { return types.Interval{Micros: int64(t)} }))
	adapt.Add(r, "time(interval)", adapt.F1(func(v types.Interval) types.Time { return types.Time(0).AddInterval(types.Interval{Micros: v.Micros}) }))

	adapt.Add(r, "timestamp(timestamp,int4)", adapt.F2(types.RoundTimestamp))
	adapt.Add(r, "timestamptz(timestamptz,int4)", adapt.F2(types.RoundTimestamp))
	adapt.Add(r, "time(time,int4)", adapt.F2(func(t types.Time, mod int32) types.Time { return types.Time(types.RoundTime(int64(t), mod)) }))
	adapt.Add(r, "timetz(timetz,int4)", adapt.F2(func(t types.TimeTZ, mod int32) types.TimeTZ {
		return types.TimeTZ{Micros: types.RoundTime(t.Micros, mod), Zone: t.Zone}
	}))
	adapt.Add(r, "interval(interval,int4)", adapt.F2(types.RoundInterval))
}

func makeDate(y, m, d int32) (types.Date, error) {
	shown := y // a date out of range is shown with years counted through 0
	if y < 0 {
		shown++
	}
	return makeDay(y, m, d, shown)
}

func makeDay(y, m, d, shown int32) (types.Date, error) {
	year := int(y)
	if year < 0 {
		year++ // there is no year 0
	}
	if y == 0 || m < 1 || m > 12 || d < 1 || int(d) > types.DaysInMonth(year, int(m)) {
		return 0, pgerror.New(pgerror.DatetimeFieldOverflow, "date field value out of range: %d-%02d-%02d", y, m, d)
	}
	days := types.DaysFromCivil(year, int(m), int(d))
	if !types.ValidDate(days) {
		return 0, pgerror.New(pgerror.DatetimeFieldOverflow, "date out of range: %d-%02d-%02d", shown, m, d)
	}
	return types.Date(days), nil
}

func makeTime(h, m int32, s float64) (types.Time, error) {
	us := int64(0)
	bad := math.IsNaN(s) || s < 0 || s > 60 || h < 0 || h > 24 || m < 0 || m > 59
	if !bad {
		us = int64(h)*types.USecsPerHour + int64(m)*types.USecsPerMinute + int64(math.RoundToEven(s*1e6))
		bad = us > types.USecsPerDay
	}
	if bad {
		return 0, pgerror.New(pgerror.DatetimeFieldOverflow, "time field value out of range: %d:%02d:%s", h, m, padG(s))
	}
	return types.Time(us), nil
}

func makeTimestamp(y, mo, d, h, mi int32, s float64) (types.Timestamp, error) {
	day, err := makeDay(y, mo, d, y)
	if err != nil {
		return 0, err
	}
	t, err := makeTime(h, mi, s)
	if err != nil {
		return 0, err
	}
	v, err := types.DateToTimestamp(day)
	if err == nil && types.ValidTimestamp(v+types.Timestamp(t)) {
		return v + types.Timestamp(t), nil
	}
	return 0, pgerror.New(pgerror.DatetimeFieldOverflow, "timestamp out of range: %d-%02d-%02d %d:%02d:%s", y, mo, d, h, mi, padG(s))
}

func registerMakers(r *expr.Registry) {
	adapt.Add(r, "make_date(int4,int4,int4)", adapt.E3(makeDate))
	adapt.Add(r, "make_time(int4,int4,float8)", adapt.E3(makeTime))
	adapt.Add(r, "make_timestamp(int4,int4,int4,int4,int4,float8)",
		adapt.C6(func(_ *expr.Context, _ *expr.Call, y, mo, d, h, mi int32, s float64) (types.Timestamp, error) {
			return makeTimestamp(y, mo, d, h, mi, s)
		}))
	adapt.Add(r, "make_timestamptz(int4,int4,int4,int4,int4,float8)",
		adapt.C6(func(ctx *expr.Context, _ *expr.Call, y, mo, d, h, mi int32, s float64) (types.Timestamp, error) {
			t, err := makeTimestamp(y, mo, d, h, mi, s)
			if err != nil {
				return 0, err
			}
			return ctx.Env.FromLocal(t)
		}))
	adapt.Add(r, "make_timestamptz(int4,int4,int4,int4,int4,float8,text)",
		adapt.D(func(_ *expr.Context, _ *expr.Call, a []types.Datum) (types.Datum, error) {
			for _, d := range a {
				if d == nil {
					return nil, nil
				}
			}
			t, err := makeTimestamp(a[0].(int32), a[1].(int32), a[2].(int32), a[3].(int32), a[4].(int32), a[5].(float64))
			if err != nil {
				return nil, err
			}
			z, err := types.ReadZone(a[6].(string))
			if err != nil {
				return nil, err
			}
			return instantIn(z, t)
		}))
	adapt.Add(r, "make_interval(int4,int4,int4,int4,int4,int4,float8)",
		adapt.D(func(_ *expr.Context, _ *expr.Call, a []types.Datum) (types.Datum, error) {
			for _, d := range a {
				if d == nil {
					return nil, nil
				}
			}
			n := func(i int) int32 { return a[i].(int32) }
			s := a[6].(float64)
			if math.IsNaN(s) || math.IsInf(s, 0) {
				return nil, outOfRange("interval")
			}
			v := types.Interval{Months: n(0)*12 + n(1), Days: n(2)*7 + n(3)}
			v.Micros = int64(n(4))*types.USecsPerHour + int64(n(5))*types.USecsPerMinute + int64(math.RoundToEven(s*1e6))
			return v, nil
		}))
	adapt.Add(r, "to_timestamp(float8)", adapt.E1(func(f float64) (types.Timestamp, error) {
		switch {
		case math.IsNaN(f):
			return 0, pgerror.New(pgerror.DatetimeFieldOverflow, "timestamp cannot be NaN")
		case math.IsInf(f, 1):
			return types.TimestampPosInfinity, nil
		case math.IsInf(f, -1):
			return types.TimestampNegInfinity, nil
		}
		if t, ok := types.TimestampOfUnixSeconds(f); ok {
			return t, nil
		}
		return 0, pgerror.New(pgerror.DatetimeFieldOverflow, "timestamp out of range: \"%s\"", formatG(f))
	}))
}
