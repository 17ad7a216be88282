package json

import (
	"math"
	"strconv"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// The json side works on nodes with source text, the jsonb side on encoded values.

// field is the last member of a name, as duplicates resolve.
func field(n *types.JSONNode, name string) *types.JSONNode {
	if n.Kind != types.JSONObjectKind {
		return nil
	}
	for i := len(n.Keys) - 1; i >= 0; i-- {
		if n.Keys[i] == name {
			return n.Items[i]
		}
	}
	return nil
}

func at(i, n int) int {
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		return -1
	}
	return i
}

func element(n *types.JSONNode, i int) *types.JSONNode {
	if n.Kind != types.JSONArrayKind {
		return nil
	}
	if i = at(i, len(n.Items)); i < 0 {
		return nil
	}
	return n.Items[i]
}

func jsonbElement(v types.JSONBValue, i int) types.JSONBValue {
	if v.Kind() != types.JSONArrayKind {
		return nil
	}
	if i = at(i, v.Len()); i < 0 {
		return nil
	}
	return v.Item(i)
}

func jsonbField(v types.JSONBValue, name string) types.JSONBValue {
	if v.Kind() != types.JSONObjectKind {
		return nil
	}
	f, _ := v.Lookup(name)
	return f
}

// pathIndex reads a path element as an array index.
func pathIndex(s string) (int, bool) {
	i := 0
	for i < len(s) && (s[i] == ' ' || s[i] >= '\t' && s[i] <= '\r') {
		i++
	}
	n, err := strconv.ParseInt(s[i:], 10, 32)
	return int(n), err == nil && n != math.MinInt32
}

// asText is a json node as text: strings decoded, null is NULL.
func asText(n *types.JSONNode) types.Datum {
	switch {
	case n == nil || n.Kind == types.JSONNull:
		return nil
	case n.Kind == types.JSONString:
		return n.Str
	}
	return n.Src
}

func asJSON(n *types.JSONNode) types.Datum {
	if n == nil {
		return nil
	}
	return n.Src
}

func jsonbText(v types.JSONBValue) types.Datum {
	switch {
	case v == nil || v.Kind() == types.JSONNull:
		return nil
	case v.Kind() == types.JSONString:
		return v.Str()
	}
	return string(v.AppendText(nil))
}

func asJSONB(v types.JSONBValue) types.Datum {
	if v == nil {
		return nil
	}
	return v.JSONB()
}

func jsonPath(n *types.JSONNode, path *types.Array) *types.JSONNode {
	for _, p := range path.Elems {
		if n == nil || p == nil {
			return nil
		}
		switch s := p.(string); n.Kind {
		case types.JSONObjectKind:
			n = field(n, s)
		case types.JSONArrayKind:
			i, ok := pathIndex(s)
			if !ok {
				return nil
			}
			n = element(n, i)
		default:
			return nil
		}
	}
	return n
}

func jsonbPath(v types.JSONBValue, path *types.Array) types.JSONBValue {
	for _, p := range path.Elems {
		if v == nil || p == nil {
			return nil
		}
		switch s := p.(string); v.Kind() {
		case types.JSONObjectKind:
			v = jsonbField(v, s)
		case types.JSONArrayKind:
			i, ok := pathIndex(s)
			if !ok {
				return nil
			}
			v = jsonbElement(v, i)
		default:
			return nil
		}
	}
	return v
}

func registerAccess(r *expr.Registry) {
	for suffix, out := range map[string]func(*types.JSONNode) types.Datum{"": asJSON, "_text": asText} {
		adapt.Add(r, "json_object_field"+suffix+"(json,text)", adapt.E2(func(s, name string) (types.Datum, error) {
			n, err := types.SplitJSON(s, true)
			if err != nil {
				return nil, err
			}
			return out(field(n, name)), nil
		}))
		adapt.Add(r, "json_array_element"+suffix+"(json,int4)", adapt.E2(func(s string, i int32) (types.Datum, error) {
			n, err := types.SplitJSON(s, true)
			if err != nil {
				return nil, err
			}
			return out(element(n, int(i))), nil
		}))
		adapt.Add(r, "json_extract_path"+suffix+"(json,_text)", adapt.E2(func(s string, path *types.Array) (types.Datum, error) {
			n, err := types.SplitJSON(s, true)
			if err != nil {
				return nil, err
			}
			return out(jsonPath(n, path)), nil
		}))
	}
	for suffix, out := range map[string]func(types.JSONBValue) types.Datum{"": asJSONB, "_text": jsonbText} {
		adapt.Add(r, "jsonb_object_field"+suffix+"(jsonb,text)", adapt.F2(func(j types.JSONB, name string) types.Datum {
			return out(jsonbField(j.Root(), name))
		}))
		adapt.Add(r, "jsonb_array_element"+suffix+"(jsonb,int4)", adapt.F2(func(j types.JSONB, i int32) types.Datum {
			v := j.Root()
			if !v.IsContainer() && (i == 0 || i == -1) {
				return out(v) // a scalar document counts as an array of one element here
			}
			return out(jsonbElement(v, int(i)))
		}))
		adapt.Add(r, "jsonb_extract_path"+suffix+"(jsonb,_text)", adapt.F2(func(j types.JSONB, path *types.Array) types.Datum {
			return out(jsonbPath(j.Root(), path))
		}))
	}
	adapt.Add(r, "json_typeof(json)", adapt.E1(func(s string) (string, error) {
		n, err := types.SplitJSON(s, false)
		if err != nil {
			return "", err
		}
		return kindName(n.Kind), nil
	}))
	adapt.Add(r, "jsonb_typeof(jsonb)", adapt.F1(func(j types.JSONB) string { return kindName(j.Root().Kind()) }))
	adapt.Add(r, "json_array_length(json)", adapt.E1(func(s string) (int32, error) {
		n, err := types.SplitJSON(s, false)
		if err != nil {
			return 0, err
		}
		if err := arrayOnly(n.Kind, "cannot get array length of a non-array", "cannot get array length of a scalar"); err != nil {
			return 0, err
		}
		return int32(len(n.Items)), nil
	}))
	adapt.Add(r, "jsonb_array_length(jsonb)", adapt.E1(func(j types.JSONB) (int32, error) {
		v := j.Root()
		if err := arrayOnly(v.Kind(), "cannot get array length of a non-array", "cannot get array length of a scalar"); err != nil {
			return 0, err
		}
		return int32(v.Len()), nil
	}))
}

func kindName(k types.JSONKind) string {
	return [...]string{"null", "string", "number", "boolean", "array", "object"}[k]
}
