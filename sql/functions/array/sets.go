package array

import (
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

type emitter = func(row ...types.Datum) error

// checkEvery is how many rows a set function makes between looks at the statement's context.
const checkEvery = 1024

func cancelled(ctx *expr.Context, n int) error {
	if n%checkEvery == checkEvery-1 && ctx.Ctx != nil {
		return ctx.Ctx.Err()
	}
	return nil
}

func registerSets(r *expr.Registry) {
	adapt.AddSet(r, "unnest(anyarray)", func(ctx *expr.Context, _ *expr.Call, a []types.Datum, emit emitter) error {
		v := a[0].(arr)
		for i, e := range v.Elems {
			if err := cancelled(ctx, i); err != nil {
				return err
			}
			if v.Elem.Class == types.ClassComposite {
				// A row type's fields are the result's columns; a NULL row is a row of NULLs.
				rec, ok := e.(*types.Record)
				if !ok {
					if err := emit(nil); err != nil {
						return err
					}
					continue
				}
				if err := emit(rec); err != nil {
					return err
				}
				continue
			}
			if err := emit(e); err != nil {
				return err
			}
		}
		return nil
	})
	subscripts := func(_ *expr.Context, _ *expr.Call, a []types.Datum, emit emitter) error {
		d, ok := dim(a[0].(arr), a[1].(int32))
		if !ok {
			return nil
		}
		reverse := len(a) == 3 && a[2].(bool)
		for i := range d.Len {
			n := d.Lower + i
			if reverse {
				n = d.Lower + d.Len - 1 - i
			}
			if err := emit(n); err != nil {
				return err
			}
		}
		return nil
	}
	adapt.AddSet(r, "generate_subscripts(anyarray,int4)", subscripts)
	adapt.AddSet(r, "generate_subscripts(anyarray,int4,bool)", subscripts)
	intSeries[int32](r, "int4")
	intSeries[int64](r, "int8")
	adapt.AddSet(r, "generate_series(numeric,numeric)", numericSeries)
	adapt.AddSet(r, "generate_series(numeric,numeric,numeric)", numericSeries)
}

func errZeroStep() error {
	return pgerror.New(pgerror.InvalidParameterValue, "step size cannot equal zero")
}

func intSeries[N int32 | int64](r *expr.Registry, name string) {
	f := func(ctx *expr.Context, _ *expr.Call, a []types.Datum, emit emitter) error {
		v, last, step := a[0].(N), a[1].(N), N(1)
		if len(a) == 3 {
			step = a[2].(N)
		}
		if step == 0 {
			return errZeroStep()
		}
		for n := 0; step > 0 && v <= last || step < 0 && v >= last; n++ {
			if err := cancelled(ctx, n); err != nil {
				return err
			}
			if err := emit(v); err != nil {
				return err
			}
			next := v + step
			if step > 0 && next < v || step < 0 && next > v {
				return nil // past the type's end
			}
			v = next
		}
		return nil
	}
	adapt.AddSet(r, "generate_series("+name+","+name+")", f)
	adapt.AddSet(r, "generate_series("+name+","+name+","+name+")", f)
}

func numericSeries(ctx *expr.Context, _ *expr.Call, a []types.Datum, emit emitter) error {
	v, last, step := a[0].(types.Numeric), a[1].(types.Numeric), types.NumericFromInt64(1, 0)
	finite := func(n types.Numeric, what string) error {
		switch {
		case n.IsNaN():
			return pgerror.New(pgerror.InvalidParameterValue, "%s cannot be NaN", what)
		case n.IsInf():
			return pgerror.New(pgerror.InvalidParameterValue, "%s cannot be infinity", what)
		}
		return nil
	}
	if err := finite(v, "start value"); err != nil {
		return err
	}
	if err := finite(last, "stop value"); err != nil {
		return err
	}
	if len(a) == 3 {
		step = a[2].(types.Numeric)
		if err := finite(step, "step size"); err != nil {
			return err
		}
		if step.IsZero() {
			return errZeroStep()
		}
	}
	for n := 0; v.Cmp(last)*step.Sign() <= 0; n++ {
		if err := cancelled(ctx, n); err != nil {
			return err
		}
		if err := emit(v); err != nil {
			return err
		}
		var err error
		if v, err = v.Add(step); err != nil {
			return err
		}
	}
	return nil
}
