package types

import (
	"math"
	"strconv"
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Subscripts of jsonb: j['a'][1] reads, UPDATE … SET j['a'][1] = … writes.

// jsonIndex reads a path element as an array index.
func jsonIndex(s string) (int, bool) {
	n, err := strconv.ParseInt(strings.TrimLeft(s, " \t\n\r\v\f"), 10, 32)
	return int(n), err == nil && n != math.MinInt32
}

// JSONBSubscript reads the value at a path, ok false when there is none.
func JSONBSubscript(j JSONB, path []string) (v JSONBValue, ok bool) {
	v = j.Root()
	for _, p := range path {
		switch v.Kind() {
		case JSONObjectKind:
			if v, ok = v.Lookup(p); !ok {
				return nil, false
			}
		case JSONArrayKind:
			i, ok := jsonIndex(p)
			if i < 0 {
				i += v.Len()
			}
			if !ok || i < 0 || i >= v.Len() {
				return nil, false
			}
			v = v.Item(i)
		default:
			return nil, false
		}
	}
	return v, true
}

// JSONBAssign puts v at a path, making what is missing on the way: gaps in
// arrays are filled with nulls, missing containers are arrays where the next
// path element is an integer. A nil j (SQL NULL) starts as one of them by
// firstIsIndex.
func JSONBAssign(j JSONB, path []string, firstIsIndex bool, v JSONBValue) (JSONB, error) {
	n := &JSONNode{Kind: JSONObjectKind}
	if j != nil {
		n = j.Root().Node()
	} else if firstIsIndex {
		n.Kind = JSONArrayKind
	}
	n, err := assignPath(n, path, 0, RawNode(v))
	if err != nil {
		return nil, err
	}
	return EncodeJSONB(n), nil
}

// gapsMax bounds the nulls one assignment may make up.
const gapsMax = 16 << 20

func nulls(n int) ([]*JSONNode, error) {
	if n > gapsMax {
		return nil, pgerror.New(pgerror.ProgramLimitExceeded, "number of jsonb array elements exceeds the maximum allowed (%d)", gapsMax)
	}
	out := make([]*JSONNode, max(n, 0))
	for i := range out {
		out[i] = &JSONNode{}
	}
	return out, nil
}

// build makes the containers from path element level on around v.
func buildPath(path []string, level int, v *JSONNode) (*JSONNode, error) {
	for i := len(path) - 1; i >= level; i-- {
		idx, ok := jsonIndex(path[i])
		if !ok {
			v = &JSONNode{Kind: JSONObjectKind, Keys: []string{path[i]}, Items: []*JSONNode{v}}
			continue
		}
		gap, err := nulls(idx)
		if err != nil {
			return nil, err
		}
		v = &JSONNode{Kind: JSONArrayKind, Items: append(gap, v)}
	}
	return v, nil
}

func assignPath(n *JSONNode, path []string, level int, v *JSONNode) (*JSONNode, error) {
	n = n.Expand()
	last := level == len(path)-1
	below := func(old *JSONNode) (*JSONNode, error) {
		if last {
			return v, nil
		}
		return assignPath(old, path, level+1, v)
	}
	var err error
	switch n.Kind {
	case JSONObjectKind:
		for i := len(n.Keys) - 1; i >= 0; i-- {
			if n.Keys[i] == path[level] {
				n.Items[i], err = below(n.Items[i])
				return n, err
			}
		}
		c, err := buildPath(path, level+1, v)
		n.Keys, n.Items = append(n.Keys, path[level]), append(n.Items, c)
		return n, err
	case JSONArrayKind:
		idx, ok := jsonIndex(path[level])
		if !ok {
			return nil, pgerror.New(pgerror.InvalidTextRepresentation, "path element at position %d is not an integer: \"%s\"", level+1, path[level])
		}
		if idx < 0 {
			if -idx > len(n.Items) {
				return nil, pgerror.New(pgerror.InvalidParameterValue, "path element at position %d is out of range: %d", level+1, idx)
			}
			idx += len(n.Items)
		}
		if idx < len(n.Items) {
			n.Items[idx], err = below(n.Items[idx])
			return n, err
		}
		gap, err := nulls(idx - len(n.Items))
		if err != nil {
			return nil, err
		}
		c, err := buildPath(path, level+1, v)
		n.Items = append(append(n.Items, gap...), c)
		return n, err
	}
	return nil, pgerror.New(pgerror.InvalidParameterValue, "cannot replace existing key").
		WithDetail("The path assumes key is a composite object, but it is a scalar value.")
}
