package json

import (
	"fmt"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// source is a JSON value being read into SQL values, from either type. Objects
// and strings are decoded.
type source struct {
	n    *tree
	json bool // from json: texts as they were spelled
}

func jsonSource(s string) (source, error) {
	n, err := types.SplitJSON(s, true)
	return source{n: n, json: true}, err
}

func jsonbSource(j jsonb) source { return source{n: types.RawNode(j.Root()).Expand()} }

func (s source) child(n *tree) source { return source{n: n.Expand(), json: s.json} }

// text is a scalar's text, or a container's JSON text.
func (s source) text() string {
	switch {
	case s.n.Kind == types.JSONString:
		return s.n.Str
	case s.json:
		return s.n.Src
	}
	return string(types.EncodeJSONB(s.n).Root().AppendText(nil))
}

func (s source) jsonText() string {
	if s.json {
		return s.n.Src
	}
	return string(types.EncodeJSONB(s.n).Root().AppendText(nil))
}

// shape is a row to be filled.
type shape struct {
	t     types.T
	names []string
	types []types.T
}

// shapeOf finds the columns of a row type, of the record given, or of the call's column list.
func shapeOf(ctx *expr.Context, call *expr.Call, t types.T, base types.Datum) (shape, error) {
	if t.OID != types.RecordOID && t.Class == types.ClassComposite && ctx.Env.Resolver != nil {
		if names, ts, ok := ctx.Env.Resolver.Composite(t.OID); ok {
			return shape{t: t, names: names, types: ts}, nil
		}
	}
	if r, ok := base.(*types.Record); ok {
		s := shape{t: r.Type, types: r.Types}
		for i := range r.Types {
			s.names = append(s.names, r.FieldName(i))
		}
		return s, nil
	}
	if call != nil && len(call.ColumnNames) > 0 {
		return shape{t: types.Of(types.RecordOID), names: call.ColumnNames, types: call.ColumnTypes}, nil
	}
	return shape{}, pgerror.New(pgerror.FeatureNotSupported, "could not determine row type for result").
		WithHint("Provide a non-null record argument, or call the function in the FROM clause using a column definition list.")
}

// row fills a shape from an object; missing members keep base's values.
func (sh shape) row(ctx *expr.Context, s source, base *types.Record) (*types.Record, error) {
	r := &types.Record{Type: sh.t, Names: sh.names, Types: sh.types, Fields: make([]types.Datum, len(sh.names))}
	for i, name := range sh.names {
		f := field(s.n, name)
		if f == nil {
			if base != nil && i < len(base.Fields) {
				r.Fields[i] = base.Fields[i]
			}
			continue
		}
		d, err := value(ctx, sh.types[i], s.child(f), name)
		if err != nil {
			return nil, err
		}
		r.Fields[i] = d
	}
	return r, nil
}

// value reads a JSON value as a value of type t; name is the member's, for hints.
func value(ctx *expr.Context, t types.T, s source, name string) (types.Datum, error) {
	if s.n.Kind == types.JSONNull && !(t.Class == types.ClassBase && (t.OID == types.JSON || t.OID == types.JSONBOID)) {
		return nil, nil
	}
	switch {
	case t.Class == types.ClassArray:
		if s.n.Kind == types.JSONArrayKind {
			return arrayValue(ctx, t, s, name)
		}
		if s.n.Kind == types.JSONString {
			return types.In(ctx.Env, t, s.n.Str)
		}
		return nil, pgerror.New(pgerror.InvalidTextRepresentation, "expected JSON array").WithHint("See the value of key \"%s\".", name)
	case t.Class == types.ClassComposite && s.n.Kind == types.JSONObjectKind:
		sh, err := shapeOf(ctx, nil, t, nil)
		if err != nil {
			return nil, err
		}
		return sh.row(ctx, s, nil)
	case t.Class == types.ClassComposite && s.n.Kind != types.JSONString:
		return nil, invalid("cannot call populate_composite on %s", map[bool]string{true: "an array", false: "a scalar"}[s.n.Kind == types.JSONArrayKind])
	case t.Class == types.ClassBase && t.OID == types.JSON:
		if s.n.Kind == types.JSONNull {
			return nil, nil
		}
		return s.jsonText(), nil
	case t.Class == types.ClassBase && t.OID == types.JSONBOID:
		if s.n.Kind == types.JSONNull {
			return nil, nil
		}
		return types.ParseJSONB(s.jsonText())
	}
	return types.In(ctx.Env, t, s.text())
}

// arrayValue reads nested JSON arrays as a rectangular array.
func arrayValue(ctx *expr.Context, t types.T, s source, name string) (types.Datum, error) {
	a := &types.Array{Elem: t.ElemType()}
	malformed := func() error {
		return pgerror.New(pgerror.InvalidTextRepresentation, "malformed JSON array").
			WithDetail("Multidimensional arrays must have sub-arrays with matching dimensions.")
	}
	// The first element at each depth says how deep the array is.
	elemIsJSON := a.Elem.Class == types.ClassBase && (a.Elem.OID == types.JSON || a.Elem.OID == types.JSONBOID)
	for n := s.n; n.Kind == types.JSONArrayKind; n = n.Items[0].Expand() {
		a.Dims = append(a.Dims, types.ArrayDim{Len: int32(len(n.Items)), Lower: 1})
		if len(n.Items) == 0 || elemIsJSON {
			break
		}
	}
	var at []int // the subscripts that lead to what is read
	var walk func(n *tree, depth int) error
	walk = func(n *tree, depth int) error {
		n = n.Expand()
		if depth == len(a.Dims) {
			if n.Kind == types.JSONArrayKind && !elemIsJSON {
				return malformed()
			}
			d, err := value(ctx, a.Elem, source{n: n, json: s.json}, name)
			if err != nil {
				return err
			}
			a.Elems = append(a.Elems, d)
			return nil
		}
		if n.Kind != types.JSONArrayKind {
			where := ""
			for _, i := range at {
				where += fmt.Sprintf("[%d]", i)
			}
			return pgerror.New(pgerror.InvalidTextRepresentation, "expected JSON array").WithHint("See the array element %s of key \"%s\".", where, name)
		}
		if len(n.Items) != int(a.Dims[depth].Len) {
			return malformed()
		}
		for i, it := range n.Items {
			at = append(at, i)
			if err := walk(it, depth+1); err != nil {
				return err
			}
			at = at[:len(at)-1]
		}
		return nil
	}
	if err := walk(s.n, 0); err != nil {
		return nil, err
	}
	if len(a.Elems) == 0 {
		a.Dims = nil
	}
	return a, nil
}

func sourceOf(d types.Datum) (source, error) {
	if s, ok := d.(string); ok {
		return jsonSource(s)
	}
	return jsonbSource(d.(jsonb)), nil
}

// notAn raises the error for a value of the wrong kind.
func notAn(f string, k types.JSONKind) error {
	what := "a scalar"
	switch k {
	case types.JSONArrayKind:
		what = "an array"
	case types.JSONObjectKind:
		what = "an object"
	}
	return invalid("cannot call %s on %s", f, what)
}

// one fills one row: populate_record (base given) and to_record.
func one(ctx *expr.Context, call *expr.Call, t types.T, base, doc types.Datum) (types.Datum, error) {
	baseRow, _ := base.(*types.Record)
	if doc == nil {
		if baseRow == nil {
			return nil, nil
		}
		return baseRow, nil
	}
	sh, err := shapeOf(ctx, call, t, base)
	if err != nil {
		return nil, err
	}
	s, err := sourceOf(doc)
	if err != nil {
		return nil, err
	}
	if s.n.Kind != types.JSONObjectKind {
		return nil, notAn("populate_composite", s.n.Kind)
	}
	return sh.row(ctx, s, baseRow)
}

func many(ctx *expr.Context, call *expr.Call, f string, t types.T, base, doc types.Datum, emit emitter) error {
	if doc == nil {
		return nil
	}
	sh, err := shapeOf(ctx, call, t, base)
	if err != nil {
		return err
	}
	s, err := sourceOf(doc)
	if err != nil {
		return err
	}
	if s.n.Kind != types.JSONArrayKind {
		if !s.json {
			return invalid("cannot call %s on a non-array", f)
		}
		return notAn(f, s.n.Kind)
	}
	baseRow, _ := base.(*types.Record)
	for _, it := range s.n.Items {
		c := s.child(it)
		if c.n.Kind != types.JSONObjectKind {
			return invalid("argument of %s must be an array of objects", f)
		}
		r, err := sh.row(ctx, c, baseRow)
		if err != nil {
			return err
		}
		if err := emit(r); err != nil {
			return err
		}
	}
	return nil
}

func registerPopulate(r *expr.Registry) {
	for _, p := range []struct{ prefix, sig string }{{"json", "(anyelement,json,bool)"}, {"jsonb", "(anyelement,jsonb)"}} {
		name := p.prefix + "_populate_record"
		adapt.Add(r, name+p.sig, adapt.D(func(ctx *expr.Context, call *expr.Call, a []types.Datum) (types.Datum, error) {
			return one(ctx, call, call.ArgTypes[0], a[0], a[1])
		}))
		adapt.AddSet(r, name+"set"+p.sig, func(ctx *expr.Context, call *expr.Call, a []types.Datum, emit emitter) error {
			return many(ctx, call, name+"set", call.ArgTypes[0], a[0], a[1], emit)
		})
		to := p.prefix + "_to_record"
		adapt.Add(r, to+"("+p.prefix+")", adapt.D(func(ctx *expr.Context, call *expr.Call, a []types.Datum) (types.Datum, error) {
			return one(ctx, call, types.Of(types.RecordOID), nil, a[0])
		}))
		adapt.AddSet(r, to+"set("+p.prefix+")", func(ctx *expr.Context, call *expr.Call, a []types.Datum, emit emitter) error {
			return many(ctx, call, to+"set", types.Of(types.RecordOID), nil, a[0], emit)
		})
	}
}
