package json

import (
	"math"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

type (
	jsonb = types.JSONB
	tree  = types.JSONNode
)

// concat is ||.
func concat(a, b jsonb) jsonb {
	x, y := a.Root().Node(), b.Root().Node()
	if x.Kind == types.JSONObjectKind && y.Kind == types.JSONObjectKind {
		return types.EncodeJSONB(&tree{Kind: types.JSONObjectKind, Keys: append(x.Keys, y.Keys...), Items: append(x.Items, y.Items...)})
	}
	items := func(j jsonb, n *tree) []*tree {
		if n.Kind == types.JSONArrayKind {
			return n.Items
		}
		return []*tree{types.RawNode(j.Root())}
	}
	n := &tree{Kind: types.JSONArrayKind, Items: items(a, x)}
	n.Items = append(n.Items, items(b, y)...)
	return types.EncodeJSONB(n)
}

// without keeps the members keep says yes to.
func without(n *tree, keep func(i int) bool) jsonb {
	r := &tree{Kind: n.Kind}
	for i, it := range n.Items {
		if !keep(i) {
			continue
		}
		r.Items = append(r.Items, it)
		if n.Kind == types.JSONObjectKind {
			r.Keys = append(r.Keys, n.Keys[i])
		}
	}
	return types.EncodeJSONB(r)
}

func deleteKeys(j jsonb, names map[string]bool) (jsonb, error) {
	n := j.Root().Node()
	switch n.Kind {
	case types.JSONObjectKind:
		return without(n, func(i int) bool { return !names[n.Keys[i]] }), nil
	case types.JSONArrayKind:
		return without(n, func(i int) bool { return n.Items[i].Kind != types.JSONString || !names[n.Items[i].Raw.Str()] }), nil
	}
	return nil, invalid("cannot delete from scalar")
}

func deleteIndex(j jsonb, i int32) (jsonb, error) {
	n := j.Root().Node()
	switch n.Kind {
	case types.JSONObjectKind:
		return nil, invalid("cannot delete from object using integer index")
	case types.JSONArrayKind:
		p := at(int(i), len(n.Items))
		return without(n, func(k int) bool { return k != p }), nil
	}
	return nil, invalid("cannot delete from scalar")
}

// pathOp is what happens at the end of a path.
type pathOp uint8

const (
	pathCreate pathOp = iota // set, adding what is missing
	pathReplace
	pathInsertBefore
	pathInsertAfter
	pathDelete
)

func (op pathOp) adds() bool { return op != pathReplace && op != pathDelete }

func checkPath(path *types.Array) error {
	if len(path.Dims) > 1 {
		return pgerror.New(pgerror.ArraySubscriptError, "wrong number of array subscripts")
	}
	return nil
}

// setPath applies op at path below n, whose own position is level.
func setPath(n *tree, path []types.Datum, level int, v *tree, op pathOp) (*tree, error) {
	if path[level] == nil {
		return nil, pgerror.New(pgerror.NullValueNotAllowed, "path element at position %d is null", level+1)
	}
	n = n.Expand()
	name, last := path[level].(string), level == len(path)-1
	r := &tree{Kind: n.Kind}
	switch n.Kind {
	case types.JSONObjectKind:
		done := false
		for i, k := range n.Keys {
			it := n.Items[i]
			if k == name {
				done = true
				switch {
				case !last:
					var err error
					if it, err = setPath(it, path, level+1, v, op); err != nil {
						return nil, err
					}
				case op == pathInsertBefore || op == pathInsertAfter:
					return nil, invalid("cannot replace existing key").WithHint("Try using the function jsonb_set to replace key value.")
				case op == pathDelete:
					continue
				default:
					it = v
				}
			}
			r.Keys, r.Items = append(r.Keys, k), append(r.Items, it)
		}
		if !done && last && op.adds() {
			r.Keys, r.Items = append(r.Keys, name), append(r.Items, v)
		}
		return r, nil
	case types.JSONArrayKind:
		idx, ok := pathIndex(name)
		if !ok {
			return nil, pgerror.New(pgerror.InvalidTextRepresentation, "path element at position %d is not an integer: \"%s\"", level+1, name)
		}
		size := len(n.Items)
		if idx < 0 {
			if idx += size; idx < 0 {
				idx = math.MinInt32
			}
		}
		idx = min(idx, size)
		if last && op.adds() && (idx < 0 || size == 0) {
			r.Items = append(append(r.Items, v), n.Items...)
			return r, nil
		}
		for i, it := range n.Items {
			if i != idx {
				r.Items = append(r.Items, it)
				continue
			}
			if !last {
				it, err := setPath(it, path, level+1, v, op)
				if err != nil {
					return nil, err
				}
				r.Items = append(r.Items, it)
				continue
			}
			switch op {
			case pathInsertBefore:
				r.Items = append(r.Items, v, it)
			case pathInsertAfter:
				r.Items = append(r.Items, it, v)
			case pathDelete:
			default:
				r.Items = append(r.Items, v)
			}
		}
		if last && op.adds() && idx >= size {
			r.Items = append(r.Items, v)
		}
		return r, nil
	}
	return n, nil // a scalar: the path leads nowhere
}

func set(j jsonb, path *types.Array, v jsonb, op pathOp) (jsonb, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	root := j.Root()
	if !root.IsContainer() {
		if op == pathDelete {
			return nil, invalid("cannot delete path in scalar")
		}
		return nil, invalid("cannot set path in scalar")
	}
	if len(path.Elems) == 0 || root.Len() == 0 && !op.adds() {
		return j, nil
	}
	var n *tree
	if op != pathDelete {
		n = types.RawNode(v.Root())
	}
	t, err := setPath(types.RawNode(root), path.Elems, 0, n, op)
	if err != nil {
		return nil, err
	}
	return types.EncodeJSONB(t), nil
}

func setLax(_ *expr.Context, _ *expr.Call, a []types.Datum) (types.Datum, error) {
	if a[0] == nil || a[1] == nil || a[3] == nil {
		return nil, nil
	}
	badMode := invalid("null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"")
	if a[4] == nil {
		return nil, badMode
	}
	op := pathReplace
	if a[3].(bool) {
		op = pathCreate
	}
	j, path := a[0].(jsonb), a[1].(*types.Array)
	if a[2] != nil {
		return set(j, path, a[2].(jsonb), op)
	}
	switch a[4].(string) {
	case "raise_exception":
		return nil, pgerror.New(pgerror.NullValueNotAllowed, "JSON value must not be null").
			WithDetail("Exception was raised because null_value_treatment is \"raise_exception\".").
			WithHint("To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed.")
	case "use_json_null":
		return set(j, path, types.EncodeJSONB(&tree{}), op)
	case "delete_key":
		return set(j, path, nil, pathDelete)
	case "return_target":
		return j, nil
	}
	return nil, badMode
}

func stripNulls(n *tree) *tree {
	n = n.Expand()
	if n.Kind < types.JSONArrayKind {
		return n
	}
	r := &tree{Kind: n.Kind}
	for i, it := range n.Items {
		if n.Kind == types.JSONObjectKind {
			if it.Kind == types.JSONNull {
				continue
			}
			r.Keys = append(r.Keys, n.Keys[i])
		}
		r.Items = append(r.Items, stripNulls(it))
	}
	return r
}

// appendStripped prints a json node without the null members of objects, in compact form.
func appendStripped(buf []byte, n *tree) []byte {
	switch n.Kind {
	case types.JSONString:
		return types.AppendJSONString(buf, n.Str)
	case types.JSONArrayKind:
		buf = append(buf, '[')
		for i, it := range n.Items {
			if i > 0 {
				buf = append(buf, ',')
			}
			buf = appendStripped(buf, it)
		}
		return append(buf, ']')
	case types.JSONObjectKind:
		buf = append(buf, '{')
		first := true
		for i, it := range n.Items {
			if it.Kind == types.JSONNull {
				continue
			}
			if !first {
				buf = append(buf, ',')
			}
			first = false
			buf = append(types.AppendJSONString(buf, n.Keys[i]), ':')
			buf = appendStripped(buf, it)
		}
		return append(buf, '}')
	}
	return append(buf, n.Src...)
}

func appendPretty(buf []byte, v types.JSONBValue, depth int) []byte {
	newline := func(d int) {
		buf = append(buf, '\n')
		for range d {
			buf = append(buf, "    "...)
		}
	}
	if !v.IsContainer() {
		return v.AppendText(buf)
	}
	isObject := v.Kind() == types.JSONObjectKind
	if isObject {
		buf = append(buf, '{')
	} else {
		buf = append(buf, '[')
	}
	for i := range v.Len() {
		if i > 0 {
			buf = append(buf, ',')
		}
		newline(depth + 1)
		if isObject {
			buf = append(types.AppendJSONString(buf, v.Key(i)), ": "...)
		}
		buf = appendPretty(buf, v.Item(i), depth+1)
	}
	newline(depth)
	if isObject {
		return append(buf, '}')
	}
	return append(buf, ']')
}

func registerModify(r *expr.Registry) {
	adapt.Add(r, "jsonb_concat(jsonb,jsonb)", adapt.F2(concat))
	adapt.Add(r, "jsonb_delete(jsonb,text)", adapt.E2(func(j jsonb, k string) (jsonb, error) {
		return deleteKeys(j, map[string]bool{k: true})
	}))
	adapt.Add(r, "jsonb_delete(jsonb,int4)", adapt.E2(deleteIndex))
	adapt.Add(r, "jsonb_delete(jsonb,_text)", adapt.E2(func(j jsonb, keys *types.Array) (jsonb, error) {
		if err := checkPath(keys); err != nil {
			return nil, err
		}
		names := map[string]bool{}
		for _, k := range keys.Elems {
			if k != nil {
				names[k.(string)] = true
			}
		}
		return deleteKeys(j, names)
	}))
	adapt.Add(r, "jsonb_delete_path(jsonb,_text)", adapt.E2(func(j jsonb, path *types.Array) (jsonb, error) {
		return set(j, path, nil, pathDelete)
	}))
	adapt.Add(r, "jsonb_set(jsonb,_text,jsonb,bool)", adapt.E4(func(j jsonb, path *types.Array, v jsonb, create bool) (jsonb, error) {
		if create {
			return set(j, path, v, pathCreate)
		}
		return set(j, path, v, pathReplace)
	}))
	adapt.Add(r, "jsonb_insert(jsonb,_text,jsonb,bool)", adapt.E4(func(j jsonb, path *types.Array, v jsonb, after bool) (jsonb, error) {
		if after {
			return set(j, path, v, pathInsertAfter)
		}
		return set(j, path, v, pathInsertBefore)
	}))
	adapt.Add(r, "jsonb_set_lax(jsonb,_text,jsonb,bool,text)", adapt.D(setLax))
	adapt.Add(r, "jsonb_strip_nulls(jsonb)", adapt.F1(func(j jsonb) jsonb {
		return types.EncodeJSONB(stripNulls(types.RawNode(j.Root())))
	}))
	adapt.Add(r, "json_strip_nulls(json)", adapt.E1(func(s string) (string, error) {
		n, err := types.SplitJSON(s, true)
		if err != nil {
			return "", err
		}
		return string(appendStripped(nil, n)), nil
	}))
	adapt.Add(r, "jsonb_pretty(jsonb)", adapt.F1(func(j jsonb) string { return string(appendPretty(nil, j.Root(), 0)) }))
}
