package expr

import (
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// jsonbSubscriptNode reads the value at a path of a jsonb, or (value set) gives
// the jsonb with that place replaced.
type jsonbSubscriptNode struct {
	t         types.T
	arg       node
	path      []node
	pathTypes []types.T
	value     node
}

func (m *maker) jsonbSubscript(t types.T, arg *planpb.Expr, idx []*planpb.SubscriptIndex, slice bool, value *planpb.Expr) (node, error) {
	if slice {
		return nil, pgerror.New(pgerror.DatatypeMismatch, "jsonb subscript does not support slices")
	}
	n := &jsonbSubscriptNode{t: t}
	var err error
	if n.arg, err = m.compile(arg); err != nil {
		return nil, err
	}
	for _, i := range idx {
		p, err := m.compile(i.GetUpper())
		if err != nil {
			return nil, err
		}
		n.path, n.pathTypes = append(n.path, p), append(n.pathTypes, i.GetUpper().GetType().T())
	}
	if value != nil {
		if n.value, err = m.compile(value); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (n *jsonbSubscriptNode) constant() bool {
	return isConstant(n.arg) && allConstant(n.path) && (n.value == nil || isConstant(n.value))
}

func (n *jsonbSubscriptNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	docs, err := n.arg.eval(f, in)
	if err != nil {
		return nil, err
	}
	paths := make([]arrow.Array, len(n.path))
	for i, p := range n.path {
		if paths[i], err = p.eval(f, in); err != nil {
			return nil, err
		}
	}
	var vals arrow.Array
	if n.value != nil {
		if vals, err = n.value.eval(f, in); err != nil {
			return nil, err
		}
	}
	jt := types.Of(types.JSONBOID)
	b := types.NewBuilder(jt, in.N)
	path := make([]string, len(paths))
	for r := range in.N {
		null := false
		for i, p := range paths {
			switch d := types.Get(n.pathTypes[i], p, r).(type) {
			case nil:
				null = true
			case string:
				path[i] = d
			case int32:
				path[i] = strconv.Itoa(int(d))
			case int64:
				path[i] = strconv.FormatInt(d, 10)
			default:
				return nil, pgerror.Internal("jsonb subscript of type %d", n.pathTypes[i].OID)
			}
		}
		doc, _ := types.Get(jt, docs, r).(types.JSONB)
		if vals == nil {
			if !null && doc != nil {
				if v, ok := types.JSONBSubscript(doc, path); ok {
					b.Append(v.JSONB())
					continue
				}
			}
			b.AppendNull()
			continue
		}
		if null {
			return nil, pgerror.New(pgerror.NullValueNotAllowed, "jsonb subscript in assignment must not be null")
		}
		v, _ := types.Get(jt, vals, r).(types.JSONB)
		if v == nil {
			v = types.EncodeJSONB(&types.JSONNode{})
		}
		out, err := types.JSONBAssign(doc, path, n.pathTypes[0].OID == types.Int4, v.Root())
		if err != nil {
			return nil, err
		}
		b.Append(out)
	}
	return b.Finish(), nil
}
