package json

import (
	"time"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// Register adds this package's functions to r.
func Register(r *expr.Registry) {
	registerConvert(r)
	registerAccess(r)
	registerBuild(r)
	registerSets(r)
	registerModify(r)
	registerContain(r)
	registerPopulate(r)
	registerAggregates(r)
	registerPath(r)
}

// writer turns SQL values into JSON text as to_json does.
type writer struct {
	ctx    *expr.Context
	pretty bool // line feeds between the members of the outermost level
}

// isoEnv prints dates as JSON wants them whatever the session's DateStyle.
func isoEnv(env *types.Env) *types.Env {
	e := *env
	e.DateStyle = types.DateStyleISO
	return &e
}

// isNumber reports a text that is a JSON number.
func isNumber(s string) bool {
	n, err := types.SplitJSON(s, false)
	return err == nil && n.Kind == types.JSONNumber && len(n.Src) == len(s)
}

// dateTimeText is the ISO 8601 text of a date, timestamp or timestamptz, "" for other types.
func dateTimeText(env *types.Env, t types.T, d types.Datum) (string, error) {
	if t.Class != types.ClassBase || t.OID != types.DateOID && t.OID != types.TimestampOID && t.OID != types.TimestampTZOID {
		return "", nil
	}
	s, err := types.Out(isoEnv(env), t.NoMod(), d)
	if err != nil || t.OID == types.DateOID {
		return s, err
	}
	ts := d.(types.Timestamp)
	if !ts.Finite() {
		return s, nil
	}
	b := []byte(s)
	for i, c := range b {
		if c == ' ' {
			b[i] = 'T'
			break
		}
	}
	if t.OID == types.TimestampTZOID {
		// A zone offset always has minutes.
		off := 0
		if env.TimeZone != time.UTC {
			off, _ = types.ZoneOffset(env.TimeZone, ts)
		}
		if off%3600 == 0 {
			bc := ""
			if n := len(b) - 3; n > 0 && string(b[n:]) == " BC" {
				b, bc = b[:n], " BC"
			}
			b = append(append(b, ":00"...), bc...)
		}
	}
	return string(b), nil
}

// append appends the JSON text of a value of type t.
func (w *writer) append(buf []byte, t types.T, d types.Datum) ([]byte, error) {
	if d == nil {
		return append(buf, "null"...), nil
	}
	switch v := d.(type) {
	case *types.Array:
		return w.array(buf, v, 0, 0, len(v.Elems))
	case *types.Record:
		return w.record(buf, v)
	case bool:
		if v {
			return append(buf, "true"...), nil
		}
		return append(buf, "false"...), nil
	case types.JSONB:
		return v.Root().AppendText(buf), nil
	}
	if t.OID == types.JSON {
		return append(buf, d.(string)...), nil
	}
	s, err := dateTimeText(w.ctx.Env, t, d)
	if err != nil {
		return buf, err
	}
	if s == "" {
		if s, err = types.Out(w.ctx.Env, t.NoMod(), d); err != nil {
			return buf, err
		}
	}
	if isNumeric(t) && isNumber(s) {
		return append(buf, s...), nil
	}
	return types.AppendJSONString(buf, s), nil
}

func isNumeric(t types.T) bool {
	if t.Class != types.ClassBase {
		return false
	}
	switch t.OID {
	case types.Int2, types.Int4, types.Int8, types.Float4, types.Float8, types.NumericOID:
		return true
	}
	return false
}

func (w *writer) separator(buf []byte, outer bool) []byte {
	if outer && w.pretty {
		return append(buf, ",\n "...)
	}
	return append(buf, ',')
}

// array appends the elements from … to−1 as dimension dim of an array.
func (w *writer) array(buf []byte, a *types.Array, dim, from, to int) ([]byte, error) {
	if len(a.Elems) == 0 {
		return append(buf, "[]"...), nil
	}
	buf = append(buf, '[')
	n := int(a.Dims[dim].Len)
	step := (to - from) / n
	inner := writer{ctx: w.ctx}
	for i := range n {
		if i > 0 {
			buf = w.separator(buf, dim == 0)
		}
		var err error
		if dim+1 < len(a.Dims) {
			buf, err = inner.array(buf, a, dim+1, from+i*step, from+(i+1)*step)
		} else {
			buf, err = inner.append(buf, a.Elem, a.Elems[from+i])
		}
		if err != nil {
			return buf, err
		}
	}
	return append(buf, ']'), nil
}

func (w *writer) record(buf []byte, r *types.Record) ([]byte, error) {
	buf = append(buf, '{')
	inner := writer{ctx: w.ctx}
	for i, f := range r.Fields {
		if i > 0 {
			buf = w.separator(buf, true)
		}
		buf = append(types.AppendJSONString(buf, r.FieldName(i)), ':')
		var err error
		if buf, err = inner.append(buf, r.Types[i], f); err != nil {
			return buf, err
		}
	}
	return append(buf, '}'), nil
}

// node is to_jsonb: a value as a tree.
func node(ctx *expr.Context, t types.T, d types.Datum) (*types.JSONNode, error) {
	if d == nil {
		return &types.JSONNode{}, nil
	}
	switch v := d.(type) {
	case *types.Array:
		return arrayNode(ctx, v, 0, 0, len(v.Elems))
	case *types.Record:
		n := &types.JSONNode{Kind: types.JSONObjectKind}
		for i, f := range v.Fields {
			c, err := node(ctx, v.Types[i], f)
			if err != nil {
				return nil, err
			}
			n.Keys, n.Items = append(n.Keys, v.FieldName(i)), append(n.Items, c)
		}
		return n, nil
	case bool:
		return &types.JSONNode{Kind: types.JSONBool, True: v}, nil
	case types.JSONB:
		return types.RawNode(v.Root()), nil
	case types.Numeric:
		if v.IsFinite() {
			return &types.JSONNode{Kind: types.JSONNumber, Num: v}, nil
		}
	case int32:
		return &types.JSONNode{Kind: types.JSONNumber, Num: types.NumericFromInt64(int64(v), 0)}, nil
	case int64:
		return &types.JSONNode{Kind: types.JSONNumber, Num: types.NumericFromInt64(v, 0)}, nil
	}
	if t.OID == types.JSON {
		return types.ParseJSON(d.(string))
	}
	s, err := dateTimeText(ctx.Env, t, d)
	if err != nil {
		return nil, err
	}
	if s == "" {
		if s, err = types.Out(ctx.Env, t.NoMod(), d); err != nil {
			return nil, err
		}
	}
	if isNumeric(t) && isNumber(s) {
		n, err := types.ParseNumeric(s)
		return &types.JSONNode{Kind: types.JSONNumber, Num: n}, err
	}
	return &types.JSONNode{Kind: types.JSONString, Str: s}, nil
}

func arrayNode(ctx *expr.Context, a *types.Array, dim, from, to int) (*types.JSONNode, error) {
	n := &types.JSONNode{Kind: types.JSONArrayKind}
	if len(a.Elems) == 0 {
		return n, nil
	}
	count := int(a.Dims[dim].Len)
	step := (to - from) / count
	for i := range count {
		var c *types.JSONNode
		var err error
		if dim+1 < len(a.Dims) {
			c, err = arrayNode(ctx, a, dim+1, from+i*step, from+(i+1)*step)
		} else {
			c, err = node(ctx, a.Elem, a.Elems[from+i])
		}
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, c)
	}
	return n, nil
}

// keyText is the text of a value used as an object's key.
func keyText(ctx *expr.Context, t types.T, d types.Datum) (string, error) {
	bad := t.Class == types.ClassArray || t.Class == types.ClassComposite || t.Class == types.ClassBase && (t.OID == types.JSON || t.OID == types.JSONBOID)
	if bad {
		return "", pgerror.New(pgerror.InvalidParameterValue, "key value must be scalar, not array, composite, or json")
	}
	if b, ok := d.(bool); ok {
		if b {
			return "true", nil
		}
		return "false", nil
	}
	if s, err := dateTimeText(ctx.Env, t, d); s != "" || err != nil {
		return s, err
	}
	return types.Out(ctx.Env, t.NoMod(), d)
}

func registerConvert(r *expr.Registry) {
	adapt.Add(r, "to_json(anyelement)", adapt.C1(func(ctx *expr.Context, call *expr.Call, d types.Datum) (string, error) {
		w := writer{ctx: ctx}
		b, err := w.append(nil, call.ArgTypes[0], d)
		return string(b), err
	}))
	adapt.Add(r, "to_jsonb(anyelement)", adapt.C1(func(ctx *expr.Context, call *expr.Call, d types.Datum) (types.JSONB, error) {
		n, err := node(ctx, call.ArgTypes[0], d)
		if err != nil {
			return nil, err
		}
		return types.EncodeJSONB(n), nil
	}))
	text := func(ctx *expr.Context, d types.Datum, pretty bool) (string, error) {
		w := writer{ctx: ctx, pretty: pretty}
		b, err := w.append(nil, types.T{}, d)
		return string(b), err
	}
	adapt.Add(r, "row_to_json(record)", adapt.C1(func(ctx *expr.Context, _ *expr.Call, d *types.Record) (string, error) {
		return text(ctx, d, false)
	}))
	adapt.Add(r, "row_to_json(record,bool)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, d *types.Record, pretty bool) (string, error) {
		return text(ctx, d, pretty)
	}))
	adapt.Add(r, "array_to_json(anyarray)", adapt.C1(func(ctx *expr.Context, _ *expr.Call, d *types.Array) (string, error) {
		return text(ctx, d, false)
	}))
	adapt.Add(r, "array_to_json(anyarray,bool)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, d *types.Array, pretty bool) (string, error) {
		return text(ctx, d, pretty)
	}))
}
