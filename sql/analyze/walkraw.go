package analyze

import (
	pg_query "github.com/pganalyze/pg_query_go/v5"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// walkRaw visits every node of a parse tree; hidden are the names of WITH items
// of statements around the node (those of the node's own statement included).
func walkRaw(n *pg_query.Node, f func(n *pg_query.Node, hidden []string), hidden []string) {
	if n == nil {
		return
	}
	f(n, hidden)
	walkMessage(n.ProtoReflect(), f, hidden)
}

func walkMessage(m protoreflect.Message, f func(n *pg_query.Node, hidden []string), hidden []string) {
	outer := hidden
	if w, ok := m.Interface().(interface{ GetWithClause() *pg_query.WithClause }); ok && w.GetWithClause() != nil {
		for _, c := range w.GetWithClause().Ctes {
			hidden = hide(hidden, c)
		}
	}
	visit := func(x protoreflect.Message) {
		if n, ok := x.Interface().(*pg_query.Node); ok {
			f(n, hidden)
		} else if rv, ok := x.Interface().(*pg_query.RangeVar); ok {
			f(&pg_query.Node{Node: &pg_query.Node_RangeVar{RangeVar: rv}}, hidden)
		}
		walkMessage(x, f, hidden)
	}
	_, isNode := m.Interface().(*pg_query.Node)
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Message() == nil {
			return true
		}
		if fd.IsList() {
			l := v.List()
			for i := range l.Len() {
				visit(l.Get(i).Message())
			}
			return true
		}
		if with, ok := v.Message().Interface().(*pg_query.WithClause); ok {
			walkWith(with, f, outer)
			return true
		}
		if isNode {
			walkMessage(v.Message(), f, hidden)
			return true
		}
		visit(v.Message())
		return true
	})
}

// walkWith visits the items of a WITH clause: each sees the names of those before it, and
// with RECURSIVE of all.
func walkWith(w *pg_query.WithClause, f func(n *pg_query.Node, hidden []string), hidden []string) {
	if w.Recursive {
		for _, c := range w.Ctes {
			hidden = hide(hidden, c)
		}
	}
	for _, c := range w.Ctes {
		walkRaw(c, f, hidden)
		if !w.Recursive {
			hidden = hide(hidden, c)
		}
	}
}

func hide(hidden []string, cte *pg_query.Node) []string {
	return append(hidden[:len(hidden):len(hidden)], cte.GetCommonTableExpr().GetCtename())
}
