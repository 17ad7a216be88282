package array

import (
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// Register adds this package's functions to r.
func Register(r *expr.Registry) {
	registerComparisons(r)
	registerElements(r)
	registerBounds(r)
	registerSets(r)
	registerAggregates(r)
}

type arr = *types.Array

func typeName(ctx *expr.Context, oid types.OID) string {
	if ctx.Env != nil && ctx.Env.Resolver != nil {
		return ctx.Env.Resolver.FormatType(oid, -1)
	}
	return types.TypeName(oid)
}

// needEquality is PostgreSQL's complaint about element types such as json.
func needEquality(ctx *expr.Context, t types.T) error {
	if types.Comparable(t) {
		return nil
	}
	return pgerror.New(pgerror.UndefinedFunction, "could not identify an equality operator for type %s", typeName(ctx, t.OID))
}

func needOrder(ctx *expr.Context, t types.T) error {
	if types.Comparable(t) {
		return nil
	}
	return pgerror.New(pgerror.UndefinedFunction, "could not identify a comparison function for type %s", typeName(ctx, t.OID))
}

func sameElem(a, b arr) error {
	if a.Elem.OID != b.Elem.OID {
		return pgerror.New(pgerror.DatatypeMismatch, "cannot compare arrays of different element types")
	}
	return nil
}

func compare(ctx *expr.Context, a, b arr) int {
	return types.Compare(ctx.Env, types.T{OID: types.AnyArray, Class: types.ClassArray, Elem: a.Elem.OID}, a, b)
}

func registerComparisons(r *expr.Registry) {
	for name, verdict := range map[string]func(int) bool{
		"array_eq": func(c int) bool { return c == 0 }, "array_ne": func(c int) bool { return c != 0 },
		"array_lt": func(c int) bool { return c < 0 }, "array_le": func(c int) bool { return c <= 0 },
		"array_gt": func(c int) bool { return c > 0 }, "array_ge": func(c int) bool { return c >= 0 },
	} {
		need := needOrder
		if name == "array_eq" || name == "array_ne" {
			need = needEquality
		}
		adapt.Add(r, name+"(anyarray,anyarray)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, a, b arr) (bool, error) {
			if err := sameElem(a, b); err != nil {
				return false, err
			}
			if err := need(ctx, a.Elem); err != nil {
				return false, err
			}
			return verdict(compare(ctx, a, b)), nil
		}))
	}
	adapt.Add(r, "btarraycmp(anyarray,anyarray)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, a, b arr) (int32, error) {
		if err := needOrder(ctx, a.Elem); err != nil {
			return 0, err
		}
		return int32(compare(ctx, a, b)), nil
	}))
	for name, dir := range map[string]int{"array_larger": 1, "array_smaller": -1} {
		adapt.Add(r, name+"(anyarray,anyarray)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, a, b arr) (arr, error) {
			if err := needOrder(ctx, a.Elem); err != nil {
				return nil, err
			}
			if compare(ctx, a, b)*dir > 0 {
				return a, nil
			}
			return b, nil
		}))
	}
	for name, verdict := range map[string]func(int) bool{
		"oidvectoreq": func(c int) bool { return c == 0 }, "oidvectorne": func(c int) bool { return c != 0 },
		"oidvectorlt": func(c int) bool { return c < 0 }, "oidvectorle": func(c int) bool { return c <= 0 },
		"oidvectorgt": func(c int) bool { return c > 0 }, "oidvectorge": func(c int) bool { return c >= 0 },
	} {
		adapt.Add(r, name+"(oidvector,oidvector)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, a, b arr) (bool, error) {
			return verdict(vectorCompare(a, b)), nil
		}))
	}
	adapt.Add(r, "btoidvectorcmp(oidvector,oidvector)", adapt.F2(func(a, b arr) int32 { return int32(vectorCompare(a, b)) }))

	adapt.Add(r, "arrayoverlap(anyarray,anyarray)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, a, b arr) (bool, error) {
		return matches(ctx, a, b, false)
	}))
	adapt.Add(r, "arraycontains(anyarray,anyarray)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, a, b arr) (bool, error) {
		return matches(ctx, b, a, true)
	}))
	adapt.Add(r, "arraycontained(anyarray,anyarray)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, a, b arr) (bool, error) {
		return matches(ctx, a, b, true)
	}))
}

// vectorCompare orders oidvectors: length first.
func vectorCompare(a, b arr) int {
	if c := len(a.Elems) - len(b.Elems); c != 0 {
		return c
	}
	for i := range a.Elems {
		x, y := a.Elems[i].(types.OID), b.Elems[i].(types.OID)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
	}
	return 0
}

// matches reports whether all (or any) elements of a are elements of b. NULL is never one.
func matches(ctx *expr.Context, a, b arr, all bool) (bool, error) {
	if err := sameElem(a, b); err != nil {
		return false, err
	}
	if err := needEquality(ctx, a.Elem); err != nil {
		return false, err
	}
	var keys map[string]struct{}
	if len(a.Elems) > 8 && len(b.Elems) > 8 {
		keys = make(map[string]struct{}, len(b.Elems))
		for _, e := range b.Elems {
			if e != nil {
				keys[string(types.AppendEqualityKey(ctx.Env, b.Elem, nil, e))] = struct{}{}
			}
		}
	}
	for _, e := range a.Elems {
		found := false
		switch {
		case e == nil:
		case keys != nil:
			_, found = keys[string(types.AppendEqualityKey(ctx.Env, a.Elem, nil, e))]
		default:
			for _, f := range b.Elems {
				if f != nil && types.Compare(ctx.Env, a.Elem, e, f) == 0 {
					found = true
					break
				}
			}
		}
		if found != all {
			return found, nil
		}
	}
	return all, nil
}
