package datetime

import (
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/bitutil"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// fieldOf is the prepared field of a call site whose first argument is
// constant; one with a variable field looks it up row by row.
func fieldOf(call *expr.Call) (types.DateField, bool) {
	f, ok := call.State.(types.DateField)
	return f, ok
}

var prepareField = adapt.Prepare(func(_ *expr.Context, call *expr.Call) (any, error) {
	if len(call.IsConst) > 0 && call.IsConst[0] {
		if s, ok := call.Const[0].(string); ok {
			return types.FindDateField(s), nil
		}
	}
	return nil, nil
})

// part registers extract (numeric) and date_part (float8) over one type.
func part[A any](r *expr.Registry, typ string, value func(env *types.Env, f types.DateField, a A) (types.FieldValue, error)) {
	if typ != "date" { // date_part(text, date) reads the date as a timestamp
		adapt.Add(r, "date_part(text,"+typ+")", adapt.C2(func(ctx *expr.Context, call *expr.Call, name string, a A) (types.Datum, error) {
			f, ok := fieldOf(call)
			if !ok {
				f = types.FindDateField(name)
			}
			v, err := value(ctx.Env, f, a)
			if err != nil || v.Null {
				return nil, err
			}
			return v.Float(), nil
		}), prepareField)
	}
	adapt.Add(r, "extract(text,"+typ+")", func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		f, fixed := fieldOf(call)
		var names []string
		if !fixed {
			names = adapt.Values[string](call.ArgTypes[0], args[0])
		}
		vals := adapt.Values[A](call.ArgTypes[1], args[1])
		valid, nulls := adapt.Validity(args, n)
		units, scale := make([]int64, n), int32(-1)
		if dates, ok := any(vals).([]types.Date); ok && fixed && f.IsYear() && nulls == 0 && types.Years(dates[:n], units) {
			return types.NewDec64Array(0, units, nil, 0), nil
		}
		for i := range n {
			if nulls > 0 && !bitutil.BitIsSet(valid, i) {
				continue
			}
			if !fixed {
				f = types.FindDateField(names[i])
			}
			v, err := value(ctx.Env, f, vals[i])
			if err != nil {
				return nil, err
			}
			if !v.Plain() || scale >= 0 && v.Scale != scale {
				return extractSlow(ctx, call, args, n, value)
			}
			units[i], scale = v.Units, v.Scale
		}
		return types.NewDec64Array(max(scale, 0), units, valid, nulls), nil
	}, prepareField)
}

// extractSlow is extract for values without a common scale: infinities, NULLs, julian.
func extractSlow[A any](ctx *expr.Context, call *expr.Call, args []arrow.Array, n int,
	value func(env *types.Env, f types.DateField, a A) (types.FieldValue, error)) (arrow.Array, error) {
	return adapt.C2(func(ctx *expr.Context, call *expr.Call, name string, a A) (types.Datum, error) {
		v, err := value(ctx.Env, types.FindDateField(name), a)
		if err != nil || v.Null {
			return nil, err
		}
		return v.Numeric()
	})(ctx, call, args, n)
}

func registerFields(r *expr.Registry) {
	part(r, "date", func(_ *types.Env, f types.DateField, d types.Date) (types.FieldValue, error) { return f.OfDate(d) })
	part(r, "time", func(_ *types.Env, f types.DateField, t types.Time) (types.FieldValue, error) { return f.OfTime(t) })
	part(r, "timetz", func(_ *types.Env, f types.DateField, t types.TimeTZ) (types.FieldValue, error) { return f.OfTimeTZ(t) })
	part(r, "interval", func(_ *types.Env, f types.DateField, v types.Interval) (types.FieldValue, error) {
		return f.OfInterval(v)
	})
	part(r, "timestamp", func(env *types.Env, f types.DateField, t types.Timestamp) (types.FieldValue, error) {
		return f.OfTimestamp(env, t, false)
	})
	part(r, "timestamptz", func(env *types.Env, f types.DateField, t types.Timestamp) (types.FieldValue, error) {
		return f.OfTimestamp(env, t, true)
	})
	adapt.Add(r, "date_part(text,date)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, name string, d types.Date) (types.Datum, error) {
		t, err := types.DateToTimestamp(d)
		if err != nil {
			return nil, err
		}
		v, err := types.FindDateField(name).OfTimestamp(ctx.Env, t, false)
		if err != nil {
			return nil, pgerror.From(err).WithWhere("SQL function \"date_part\" statement 1")
		}
		if v.Null {
			return nil, nil
		}
		return v.Float(), nil
	}))

	adapt.Add(r, "date_trunc(text,timestamp)", adapt.C2(func(_ *expr.Context, call *expr.Call, name string, t types.Timestamp) (types.Timestamp, error) {
		f, ok := fieldOf(call)
		if !ok {
			f = types.FindDateField(name)
		}
		return f.TruncTimestamp(t)
	}), prepareField)
	adapt.Add(r, "date_trunc(text,timestamptz)", adapt.C2(func(ctx *expr.Context, call *expr.Call, name string, t types.Timestamp) (types.Timestamp, error) {
		f, ok := fieldOf(call)
		if !ok {
			f = types.FindDateField(name)
		}
		return f.TruncTimestampTZ(ctx.Env.Zone(), t)
	}), prepareField)
	adapt.Add(r, "date_trunc(text,timestamptz,text)", adapt.E3(func(name string, t types.Timestamp, zone string) (types.Timestamp, error) {
		z, err := types.FindZone(zone)
		if err != nil {
			return 0, err
		}
		return types.FindDateField(name).TruncTimestampTZ(z, t)
	}))
	adapt.Add(r, "date_trunc(text,interval)", adapt.E2(func(name string, v types.Interval) (types.Interval, error) {
		return types.FindDateField(name).TruncInterval(v)
	}))
	adapt.Add(r, "date_bin(interval,timestamp,timestamp)", adapt.E3(types.DateBin))
	adapt.Add(r, "date_bin(interval,timestamptz,timestamptz)", adapt.E3(types.DateBin))
}
