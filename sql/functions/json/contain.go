package json

import (
	"math"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// equalScalars compares two encoded scalars by value.
func equalScalars(a, b types.JSONBValue) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case types.JSONNumber:
		return a.Number().Cmp(b.Number()) == 0
	case types.JSONArrayKind, types.JSONObjectKind:
		return false
	}
	return string(a) == string(b)
}

// contains is @> below the top level: every part of b is found in a at its place.
func contains(a, b types.JSONBValue) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case types.JSONObjectKind:
		if b.Len() > a.Len() {
			return false
		}
		for i := range b.Len() {
			v, ok := a.Lookup(b.Key(i))
			if !ok || !contains(v, b.Item(i)) {
				return false
			}
		}
		return true
	case types.JSONArrayKind:
		for i := range b.Len() {
			if !hasElement(a, b.Item(i)) {
				return false
			}
		}
		return true
	}
	return equalScalars(a, b)
}

func hasElement(a, e types.JSONBValue) bool {
	for i := range a.Len() {
		if contains(a.Item(i), e) {
			return true
		}
	}
	return false
}

// containsTop is @>: an array contains a scalar that is one of its elements.
func containsTop(a, b jsonb) bool {
	x, y := a.Root(), b.Root()
	if x.Kind() == types.JSONArrayKind && !y.IsContainer() {
		return hasElement(x, y)
	}
	return contains(x, y)
}

// exists is ?: a key of an object, a string among an array's elements or the string itself.
func exists(j jsonb, s string) bool {
	v := j.Root()
	switch v.Kind() {
	case types.JSONObjectKind:
		return v.Find(s) >= 0
	case types.JSONArrayKind:
		for i := range v.Len() {
			if it := v.Item(i); it.Kind() == types.JSONString && it.Str() == s {
				return true
			}
		}
	case types.JSONString:
		return v.Str() == s
	}
	return false
}

func registerContain(r *expr.Registry) {
	for op, verdict := range map[string]func(int) bool{
		"eq": func(c int) bool { return c == 0 }, "ne": func(c int) bool { return c != 0 },
		"lt": func(c int) bool { return c < 0 }, "le": func(c int) bool { return c <= 0 },
		"gt": func(c int) bool { return c > 0 }, "ge": func(c int) bool { return c >= 0 },
	} {
		adapt.Add(r, "jsonb_"+op+"(jsonb,jsonb)", adapt.F2(func(a, b jsonb) bool { return verdict(types.CompareJSONB(a, b)) }))
	}
	adapt.Add(r, "jsonb_cmp(jsonb,jsonb)", adapt.F2(func(a, b jsonb) int32 {
		return int32(types.Compare(nil, types.Of(types.JSONBOID), a, b))
	}))
	adapt.Add(r, "jsonb_contains(jsonb,jsonb)", adapt.F2(containsTop))
	adapt.Add(r, "jsonb_contained(jsonb,jsonb)", adapt.F2(func(a, b jsonb) bool { return containsTop(b, a) }))
	adapt.Add(r, "jsonb_exists(jsonb,text)", adapt.F2(exists))
	adapt.Add(r, "jsonb_exists_any(jsonb,_text)", adapt.F2(func(j jsonb, keys *types.Array) bool {
		for _, k := range keys.Elems {
			if k != nil && exists(j, k.(string)) {
				return true
			}
		}
		return false
	}))
	adapt.Add(r, "jsonb_exists_all(jsonb,_text)", adapt.F2(func(j jsonb, keys *types.Array) bool {
		for _, k := range keys.Elems {
			if k != nil && !exists(j, k.(string)) {
				return false
			}
		}
		return true
	}))

	adapt.Add(r, "bool(jsonb)", adapt.E1(func(j jsonb) (bool, error) {
		v := j.Root()
		if v.Kind() != types.JSONBool {
			return false, cannotCast(v, "boolean")
		}
		return v.Bool(), nil
	}))
	adapt.Add(r, "numeric(jsonb)", adapt.E1(func(j jsonb) (types.Numeric, error) { return number(j, "numeric") }))
	integer[int16](r, "int2", "smallint", math.MinInt16, math.MaxInt16)
	integer[int32](r, "int4", "integer", math.MinInt32, math.MaxInt32)
	integer[int64](r, "int8", "bigint", math.MinInt64, math.MaxInt64)
	adapt.Add(r, "float8(jsonb)", adapt.E1(func(j jsonb) (float64, error) {
		n, err := number(j, "double precision")
		if err != nil {
			return 0, err
		}
		d, err := types.In(types.DefaultEnv(), types.Of(types.Float8), n.String())
		if err != nil {
			return 0, pgerror.New(pgerror.NumericValueOutOfRange, "\"%s\" is out of range for type double precision", n)
		}
		return d.(float64), nil
	}))
	adapt.Add(r, "float4(jsonb)", adapt.E1(func(j jsonb) (float32, error) {
		n, err := number(j, "real")
		if err != nil {
			return 0, err
		}
		d, err := types.In(types.DefaultEnv(), types.Of(types.Float4), n.String())
		if err != nil {
			return 0, pgerror.New(pgerror.NumericValueOutOfRange, "\"%s\" is out of range for type real", n)
		}
		return d.(float32), nil
	}))
}

func integer[N int16 | int32 | int64](r *expr.Registry, fn, name string, lo, hi int64) {
	adapt.Add(r, fn+"(jsonb)", adapt.E1(func(j jsonb) (N, error) {
		n, err := number(j, name)
		if err != nil {
			return 0, err
		}
		v, ok := n.ToInt64()
		if !ok || v < lo || v > hi {
			return 0, pgerror.New(pgerror.NumericValueOutOfRange, "%s out of range", name)
		}
		return N(v), nil
	}))
}

func number(j jsonb, name string) (types.Numeric, error) {
	v := j.Root()
	if v.Kind() != types.JSONNumber {
		return types.Numeric{}, cannotCast(v, name)
	}
	return v.Number(), nil
}

func cannotCast(v types.JSONBValue, name string) error {
	kind := kindName(v.Kind())
	if v.Kind() == types.JSONNumber {
		kind = "numeric"
	}
	return invalid("cannot cast jsonb %s to type %s", kind, name)
}
