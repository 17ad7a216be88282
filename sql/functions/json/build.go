package json

import (
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

func invalid(format string, args ...any) *pgerror.Error {
	return pgerror.New(pgerror.InvalidParameterValue, format, args...)
}

// arrayOnly raises the error for what is not an array.
func arrayOnly(k types.JSONKind, object, scalar string) error {
	switch k {
	case types.JSONArrayKind:
		return nil
	case types.JSONObjectKind:
		return invalid("%s", object)
	}
	return invalid("%s", scalar)
}

// arguments gives the values and types of a VARIADIC "any" call; ok false: a NULL array.
func arguments(call *expr.Call, args []types.Datum) (vals []types.Datum, ts []types.T, ok bool) {
	if !call.Variadic {
		for _, t := range call.ArgTypes {
			ts = append(ts, t.NoMod())
		}
		return args, ts, true
	}
	if args[0] == nil {
		return nil, nil, false
	}
	a := args[0].(*types.Array)
	for range a.Elems {
		ts = append(ts, a.Elem)
	}
	return a.Elems, ts, true
}

func oddArguments(name string) error {
	return invalid("argument list must have even number of elements").
		WithHint("The arguments of %s() must consist of alternating keys and values.", name)
}

func buildObject(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
	vals, ts, ok := arguments(call, args)
	if !ok {
		return nil, nil
	}
	if len(vals)%2 != 0 {
		return nil, oddArguments("json_build_object")
	}
	w := writer{ctx: ctx}
	buf := []byte{'{'}
	for i := 0; i < len(vals); i += 2 {
		if i > 0 {
			buf = append(buf, ", "...)
		}
		if vals[i] == nil {
			return nil, invalid("argument %d cannot be null", i+1).WithHint("Object keys should be text.")
		}
		k, err := keyText(ctx, ts[i], vals[i])
		if err != nil {
			return nil, err
		}
		buf = append(types.AppendJSONString(buf, k), " : "...)
		if buf, err = w.append(buf, ts[i+1], vals[i+1]); err != nil {
			return nil, err
		}
	}
	return string(append(buf, '}')), nil
}

func buildObjectB(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
	vals, ts, ok := arguments(call, args)
	if !ok {
		return nil, nil
	}
	if len(vals)%2 != 0 {
		return nil, oddArguments("jsonb_build_object")
	}
	n := &types.JSONNode{Kind: types.JSONObjectKind}
	for i := 0; i < len(vals); i += 2 {
		if vals[i] == nil {
			return nil, invalid("argument %d: key must not be null", i+1)
		}
		k, err := keyText(ctx, ts[i], vals[i])
		if err != nil {
			return nil, err
		}
		v, err := node(ctx, ts[i+1], vals[i+1])
		if err != nil {
			return nil, err
		}
		n.Keys, n.Items = append(n.Keys, k), append(n.Items, v)
	}
	return types.EncodeJSONB(n), nil
}

func buildArray(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
	vals, ts, ok := arguments(call, args)
	if !ok {
		return nil, nil
	}
	w := writer{ctx: ctx}
	buf := []byte{'['}
	for i, v := range vals {
		if i > 0 {
			buf = append(buf, ", "...)
		}
		var err error
		if buf, err = w.append(buf, ts[i], v); err != nil {
			return nil, err
		}
	}
	return string(append(buf, ']')), nil
}

func buildArrayB(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
	vals, ts, ok := arguments(call, args)
	if !ok {
		return nil, nil
	}
	n := &types.JSONNode{Kind: types.JSONArrayKind}
	for i, v := range vals {
		c, err := node(ctx, ts[i], v)
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, c)
	}
	return types.EncodeJSONB(n), nil
}

// pairs reads the arguments of json_object: {k,v,…}, {{k,v},…} or {k,…} and {v,…}.
func pairs(a, b *types.Array) (keys, vals []types.Datum, err error) {
	subscripts := func(format string) error { return pgerror.New(pgerror.ArraySubscriptError, "%s", format) }
	if b != nil {
		switch {
		case len(a.Dims) > 1 || len(a.Dims) != len(b.Dims):
			return nil, nil, subscripts("wrong number of array subscripts")
		case len(a.Elems) != len(b.Elems):
			return nil, nil, subscripts("mismatched array dimensions")
		}
		keys, vals = a.Elems, b.Elems
	} else {
		switch len(a.Dims) {
		case 0:
		case 1:
			if len(a.Elems)%2 != 0 {
				return nil, nil, subscripts("array must have even number of elements")
			}
		case 2:
			if a.Dims[1].Len != 2 {
				return nil, nil, subscripts("array must have two columns")
			}
		default:
			return nil, nil, subscripts("wrong number of array subscripts")
		}
		for i := 0; i+1 < len(a.Elems); i += 2 {
			keys, vals = append(keys, a.Elems[i]), append(vals, a.Elems[i+1])
		}
	}
	for _, k := range keys {
		if k == nil {
			return nil, nil, pgerror.New(pgerror.NullValueNotAllowed, "null value not allowed for object key")
		}
	}
	return keys, vals, nil
}

func object(a, b *types.Array) (string, error) {
	keys, vals, err := pairs(a, b)
	if err != nil {
		return "", err
	}
	buf := []byte{'{'}
	for i, k := range keys {
		if i > 0 {
			buf = append(buf, ", "...)
		}
		buf = append(types.AppendJSONString(buf, k.(string)), " : "...)
		if vals[i] == nil {
			buf = append(buf, "null"...)
		} else {
			buf = types.AppendJSONString(buf, vals[i].(string))
		}
	}
	return string(append(buf, '}')), nil
}

func objectB(a, b *types.Array) (types.JSONB, error) {
	keys, vals, err := pairs(a, b)
	if err != nil {
		return nil, err
	}
	n := &types.JSONNode{Kind: types.JSONObjectKind}
	for i, k := range keys {
		v := &types.JSONNode{}
		if vals[i] != nil {
			v = &types.JSONNode{Kind: types.JSONString, Str: vals[i].(string)}
		}
		n.Keys, n.Items = append(n.Keys, k.(string)), append(n.Items, v)
	}
	return types.EncodeJSONB(n), nil
}

func registerBuild(r *expr.Registry) {
	adapt.Add(r, "json_build_object(any)", adapt.D(buildObject))
	adapt.Add(r, "jsonb_build_object(any)", adapt.D(buildObjectB))
	adapt.Add(r, "json_build_array(any)", adapt.D(buildArray))
	adapt.Add(r, "jsonb_build_array(any)", adapt.D(buildArrayB))
	for sig, s := range map[string]string{"json_build_object()": "{}", "json_build_array()": "[]"} {
		adapt.Add(r, sig, adapt.C0(func(*expr.Context, *expr.Call) (string, error) { return s, nil }))
		adapt.Add(r, "jsonb"+sig[4:], adapt.C0(func(*expr.Context, *expr.Call) (types.JSONB, error) { return types.ParseJSONB(s) }))
	}
	adapt.Add(r, "json_object(_text)", adapt.E1(func(a *types.Array) (string, error) { return object(a, nil) }))
	adapt.Add(r, "json_object(_text,_text)", adapt.E2(object))
	adapt.Add(r, "jsonb_object(_text)", adapt.E1(func(a *types.Array) (types.JSONB, error) { return objectB(a, nil) }))
	adapt.Add(r, "jsonb_object(_text,_text)", adapt.E2(objectB))
}
