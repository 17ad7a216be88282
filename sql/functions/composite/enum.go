package composite

import (
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

var enumType = types.T{Class: types.ClassEnum, Mod: -1}

func enumCompare(ctx *expr.Context, a, b types.OID) int {
	return types.Compare(ctx.Env, enumType, a, b)
}

// values lists the values of the enum type of an argument in order.
func values(ctx *expr.Context, t types.T) ([]types.OID, error) {
	l, ok := ctx.Env.Resolver.(types.EnumLister)
	if !ok {
		return nil, pgerror.Unsupported("listing the values of an enum type without a catalog")
	}
	vs := l.EnumValues(t.OID)
	if len(vs) == 0 {
		return nil, pgerror.New(pgerror.ObjectNotInPrerequisiteState, "enum %s contains no values", ctx.Env.Resolver.FormatType(t.OID, -1))
	}
	return vs, nil
}

func registerEnums(r *expr.Registry) {
	for op, verdict := range verdicts {
		adapt.Add(r, "enum_"+op+"(anyenum,anyenum)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, a, b types.OID) (bool, error) {
			return verdict(enumCompare(ctx, a, b)), nil
		}))
	}
	adapt.Add(r, "enum_cmp(anyenum,anyenum)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, a, b types.OID) (int32, error) {
		return int32(enumCompare(ctx, a, b)), nil
	}))
	for name, dir := range map[string]int{"larger": 1, "smaller": -1} {
		adapt.Add(r, "enum_"+name+"(anyenum,anyenum)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, a, b types.OID) (types.OID, error) {
			if enumCompare(ctx, a, b)*dir > 0 {
				return a, nil
			}
			return b, nil
		}))
	}
	end := func(pick func(vs []types.OID) types.OID) expr.Kernel {
		return adapt.D(func(ctx *expr.Context, call *expr.Call, _ []types.Datum) (types.Datum, error) {
			vs, err := values(ctx, call.ArgTypes[0])
			if err != nil {
				return nil, err
			}
			return pick(vs), nil
		})
	}
	adapt.Add(r, "enum_first(anyenum)", end(func(vs []types.OID) types.OID { return vs[0] }))
	adapt.Add(r, "enum_last(anyenum)", end(func(vs []types.OID) types.OID { return vs[len(vs)-1] }))
	rng := adapt.D(func(ctx *expr.Context, call *expr.Call, a []types.Datum) (types.Datum, error) {
		t := call.ArgTypes[0].NoMod()
		vs, err := values(ctx, t)
		if err != nil {
			if pgerror.Is(err, pgerror.ObjectNotInPrerequisiteState) {
				return types.NewArray(t, nil), nil
			}
			return nil, err
		}
		var out []types.Datum
		for _, v := range vs {
			if len(a) == 2 && (a[0] != nil && enumCompare(ctx, v, a[0].(types.OID)) < 0 || a[1] != nil && enumCompare(ctx, v, a[1].(types.OID)) > 0) {
				continue
			}
			out = append(out, v)
		}
		return types.NewArray(t, out), nil
	})
	adapt.Add(r, "enum_range(anyenum)", rng)
	adapt.Add(r, "enum_range(anyenum,anyenum)", rng)
	for name, dir := range map[string]int{"min": -1, "max": 1} {
		adapt.AddAgg(r, name+"(anyenum)", true, func(ctx *expr.Context, _ *expr.Call) expr.AggState { return &extreme{ctx: ctx, dir: dir} })
	}
}

// extreme is min and max over enums.
type extreme struct {
	ctx  *expr.Context
	best types.Datum
	dir  int
}

func (s *extreme) Add(a []types.Datum) error {
	if s.best == nil || enumCompare(s.ctx, a[0].(types.OID), s.best.(types.OID))*s.dir > 0 {
		s.best = a[0]
	}
	return nil
}

func (s *extreme) Result() (types.Datum, error) { return s.best, nil }
func (s *extreme) Size() int64                  { return 48 }
