package datetime

import (
	"strconv"
	"strings"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// formatG prints like C's %g.
func formatG(f float64) string {
	s := strconv.FormatFloat(f, 'g', 6, 64)
	return strings.TrimPrefix(s, "+")
}

// padG prints like C's %02g.
func padG(f float64) string {
	s := formatG(f)
	if len(s) < 2 {
		s = "0" + s
	}
	return s
}

// zonedBack reads a local timestamp in a named zone.
func zonedBack(zone string, t types.Timestamp) (types.Datum, error) {
	if !t.Finite() {
		return t, nil
	}
	z, err := types.FindZone(zone)
	if err != nil {
		return nil, err
	}
	return instantIn(z, t)
}

// instantIn is the instant a finite local time of a zone names.
func instantIn(z types.Zone, t types.Timestamp) (types.Datum, error) {
	u := t - types.Timestamp(int64(z.AtLocal(t))*types.USecsPerSec)
	if !types.ValidTimestamp(u) {
		return nil, outOfRange("timestamp")
	}
	return u, nil
}

// fixedOffset reads an interval as an offset east of UTC in seconds.
func fixedOffset(ctx *expr.Context, v types.Interval) (int64, error) {
	if v.Months != 0 || v.Days != 0 {
		s, err := types.Out(ctx.Env, types.Of(types.IntervalOID), v)
		if err != nil {
			return 0, err
		}
		return 0, pgerror.New(pgerror.InvalidParameterValue, "interval time zone \"%s\" must not include months or days", s)
	}
	return v.Micros / types.USecsPerSec, nil
}

func shiftTimeTZ(t types.TimeTZ, off int64) types.TimeTZ {
	us := (t.Micros + (int64(t.Zone)+off)*types.USecsPerSec) % types.USecsPerDay
	if us < 0 {
		us += types.USecsPerDay
	}
	return types.TimeTZ{Micros: us, Zone: int32(-off)}
}

func registerZones(r *expr.Registry) {
	type ts = types.Timestamp
	adapt.Add(r, "timezone(text,timestamp)", adapt.E2(func(zone string, t ts) (ts, error) {
		d, err := zonedBack(zone, t)
		if err != nil {
			return 0, err
		}
		return d.(ts), nil
	}))
	adapt.Add(r, "timezone(text,timestamptz)", adapt.E2(func(zone string, t ts) (ts, error) {
		if !t.Finite() {
			return t, nil
		}
		z, err := types.FindZone(zone)
		if err != nil {
			return t, err
		}
		u := t + ts(int64(z.AtUTC(t))*types.USecsPerSec)
		if !types.ValidTimestamp(u) {
			return 0, outOfRange("timestamp")
		}
		return u, nil
	}))
	adapt.Add(r, "timezone(interval,timestamp)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, v types.Interval, t ts) (ts, error) {
		off, err := fixedOffset(ctx, v)
		if err != nil || !t.Finite() {
			return t, err
		}
		return t.AddInterval(types.Interval{Micros: -off * types.USecsPerSec})
	}))
	adapt.Add(r, "timezone(interval,timestamptz)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, v types.Interval, t ts) (ts, error) {
		off, err := fixedOffset(ctx, v)
		if err != nil || !t.Finite() {
			return t, err
		}
		return t.AddInterval(types.Interval{Micros: off * types.USecsPerSec})
	}))
	adapt.Add(r, "timezone(text,timetz)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, zone string, t types.TimeTZ) (types.TimeTZ, error) {
		z, err := types.FindZone(zone)
		if err != nil {
			return t, err
		}
		return shiftTimeTZ(t, int64(z.AtUTC(ctx.Env.XactTime))), nil
	}))
	adapt.Add(r, "timezone(interval,timetz)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, v types.Interval, t types.TimeTZ) (types.TimeTZ, error) {
		off, err := fixedOffset(ctx, v)
		if err != nil {
			return t, err
		}
		return shiftTimeTZ(t, off), nil
	}))
}

// registerOverlaps adds OVERLAPS: two periods given by their ends in any order,
// or by start and length, share a moment. A NULL end leaves the answer open
// unless the other ends settle it.
func registerOverlaps(r *expr.Registry) {
	type end = func(ctx *expr.Context, start, d types.Datum) (types.Datum, error)
	plain := func(_ *expr.Context, _, d types.Datum) (types.Datum, error) { return d, nil }
	for _, t := range []struct {
		name string
		oid  types.OID
		add  func(ctx *expr.Context, start types.Datum, v types.Interval) (types.Datum, error)
	}{
		{"time", types.TimeOID, func(_ *expr.Context, s types.Datum, v types.Interval) (types.Datum, error) {
			return s.(types.Time).AddInterval(v), nil
		}},
		{"timetz", types.TimeTZOID, nil},
		{"timestamp", types.TimestampOID, func(_ *expr.Context, s types.Datum, v types.Interval) (types.Datum, error) {
			return s.(types.Timestamp).AddInterval(v)
		}},
		{"timestamptz", types.TimestampTZOID, func(ctx *expr.Context, s types.Datum, v types.Interval) (types.Datum, error) {
			return s.(types.Timestamp).AddIntervalTZ(ctx.Env, v)
		}},
	} {
		ty := types.Of(t.oid)
		length := func(ctx *expr.Context, start, d types.Datum) (types.Datum, error) {
			if start == nil || d == nil {
				return nil, nil
			}
			return t.add(ctx, start, d.(types.Interval))
		}
		add := func(sig string, e1, e2 end) {
			adapt.Add(r, sig, adapt.D(func(ctx *expr.Context, _ *expr.Call, a []types.Datum) (types.Datum, error) {
				end1, err := e1(ctx, a[0], a[1])
				if err != nil {
					return nil, err
				}
				end2, err := e2(ctx, a[2], a[3])
				if err != nil {
					return nil, err
				}
				return overlaps(ty, a[0], end1, a[2], end2), nil
			}))
		}
		n := t.name
		add("overlaps("+n+","+n+","+n+","+n+")", plain, plain)
		if t.add == nil {
			continue
		}
		add("overlaps("+n+",interval,"+n+",interval)", length, length)
		add("overlaps("+n+","+n+","+n+",interval)", plain, length)
		add("overlaps("+n+",interval,"+n+","+n+")", length, plain)
	}
}

func overlaps(t types.T, s1, e1, s2, e2 types.Datum) types.Datum {
	cmp := func(a, b types.Datum) int { return types.Compare(nil, t, a, b) }
	order := func(s, e types.Datum) (types.Datum, types.Datum, bool) {
		switch {
		case s == nil && e == nil:
			return nil, nil, false
		case s == nil:
			return e, nil, true
		case e != nil && cmp(s, e) > 0:
			return e, s, true
		}
		return s, e, true
	}
	s1, e1, ok1 := order(s1, e1)
	s2, e2, ok2 := order(s2, e2)
	if !ok1 || !ok2 {
		return nil
	}
	switch c := cmp(s1, s2); {
	case c == 0:
		// A common start is a common moment, whatever the ends; but an unknown end is no answer.
		if e1 == nil || e2 == nil {
			return nil
		}
		return true
	case c < 0:
		s1, e1, s2, e2 = s2, e2, s1, e1
	}
	// The second period starts first.
	if e2 == nil {
		return nil
	}
	if cmp(s1, e2) < 0 {
		return true
	}
	if e1 == nil {
		return nil
	}
	return false
}
