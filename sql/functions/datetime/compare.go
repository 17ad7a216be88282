package datetime

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// verdicts are the comparison operators' meanings of a three-way result.
var verdicts = map[string]func(int) bool{
	"lt": func(c int) bool { return c < 0 },
	"le": func(c int) bool { return c <= 0 },
	"eq": func(c int) bool { return c == 0 },
	"ge": func(c int) bool { return c >= 0 },
	"gt": func(c int) bool { return c > 0 },
	"ne": func(c int) bool { return c != 0 },
}

// family registers <a>_lt … <a>_ne and <a>_cmp for one type.
func family[A any](r *expr.Registry, name string, cmp func(a, b A) int, minmax bool) {
	sig := "(" + name + "," + name + ")"
	for op, verdict := range verdicts {
		adapt.Add(r, name+"_"+op+sig, adapt.F2(func(a, b A) bool { return verdict(cmp(a, b)) }))
	}
	adapt.Add(r, name+"_cmp"+sig, adapt.F2(func(a, b A) int32 { return sign(cmp(a, b)) }))
	if !minmax {
		return
	}
	adapt.Add(r, name+"_larger"+sig, adapt.F2(func(a, b A) A {
		if cmp(a, b) > 0 {
			return a
		}
		return b
	}))
	adapt.Add(r, name+"_smaller"+sig, adapt.F2(func(a, b A) A {
		if cmp(a, b) < 0 {
			return a
		}
		return b
	}))
}

// cross registers <a>_lt_<b> … for two types, and the mirrored family.
func cross[A, B any](r *expr.Registry, a, b string, cmp func(env *types.Env, x A, y B) int) {
	for op, verdict := range verdicts {
		adapt.Add(r, a+"_"+op+"_"+b+"("+a+","+b+")", adapt.C2(func(ctx *expr.Context, _ *expr.Call, x A, y B) (bool, error) {
			return verdict(cmp(ctx.Env, x, y)), nil
		}))
		adapt.Add(r, b+"_"+op+"_"+a+"("+b+","+a+")", adapt.C2(func(ctx *expr.Context, _ *expr.Call, y B, x A) (bool, error) {
			return verdict(-cmp(ctx.Env, x, y)), nil
		}))
	}
	adapt.Add(r, a+"_cmp_"+b+"("+a+","+b+")", adapt.C2(func(ctx *expr.Context, _ *expr.Call, x A, y B) (int32, error) {
		return sign(cmp(ctx.Env, x, y)), nil
	}))
	adapt.Add(r, b+"_cmp_"+a+"("+b+","+a+")", adapt.C2(func(ctx *expr.Context, _ *expr.Call, y B, x A) (int32, error) {
		return sign(-cmp(ctx.Env, x, y)), nil
	}))
}

func sign(c int) int32 {
	switch {
	case c < 0:
		return -1
	case c > 0:
		return 1
	}
	return 0
}

func cmpOrdered[A types.Date | types.Time | types.Timestamp](a, b A) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// dense registers comparison kernels that run over the plain values into a bitmap.
func dense[A types.Date | types.Time | types.Timestamp](r *expr.Registry, name string) {
	ops := map[string]func(out []byte, a, b []A){
		"lt": func(out []byte, a, b []A) {
			for i, x := range a {
				if x < b[i] {
					out[i>>3] |= 1 << (i & 7)
				}
			}
		},
		"le": func(out []byte, a, b []A) {
			for i, x := range a {
				if x <= b[i] {
					out[i>>3] |= 1 << (i & 7)
				}
			}
		},
		"eq": func(out []byte, a, b []A) {
			for i, x := range a {
				if x == b[i] {
					out[i>>3] |= 1 << (i & 7)
				}
			}
		},
		"ne": func(out []byte, a, b []A) {
			for i, x := range a {
				if x != b[i] {
					out[i>>3] |= 1 << (i & 7)
				}
			}
		},
	}
	add := func(op string, f func(out []byte, a, b []A), swap bool) {
		adapt.Add(r, name+"_"+op+"("+name+","+name+")", func(_ *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
			a, b := adapt.Values[A](call.ArgTypes[0], args[0])[:n], adapt.Values[A](call.ArgTypes[1], args[1])[:n]
			if swap {
				a, b = b, a
			}
			valid, nulls := adapt.Validity(args, n)
			out := make([]byte, (n+7)/8)
			f(out, a, b)
			return adapt.BoolVector(out, n, valid, nulls), nil
		})
	}
	for _, op := range []string{"lt", "le", "eq", "ne"} {
		add(op, ops[op], false)
	}
	add("gt", ops["lt"], true)
	add("ge", ops["le"], true)
}

func registerComparisons(r *expr.Registry) {
	family(r, "date", cmpOrdered[types.Date], true)
	family(r, "time", cmpOrdered[types.Time], true)
	family(r, "timestamp", cmpOrdered[types.Timestamp], true)
	family(r, "timestamptz", cmpOrdered[types.Timestamp], true)
	family(r, "interval", types.CompareIntervals, true)
	timetz := types.Of(types.TimeTZOID)
	family(r, "timetz", func(a, b types.TimeTZ) int { return types.Compare(nil, timetz, a, b) }, true)
	dense[types.Date](r, "date")
	dense[types.Time](r, "time")
	dense[types.Timestamp](r, "timestamp")
	dense[types.Timestamp](r, "timestamptz")
	cross(r, "date", "timestamp", func(_ *types.Env, d types.Date, t types.Timestamp) int { return types.CompareDateTimestamp(d, t) })
	cross(r, "date", "timestamptz", types.CompareDateTimestampTZ)
	cross(r, "timestamp", "timestamptz", types.CompareTimestampTZ)
}
