package analyze

import (
	"slices"

	"github.com/basaltdb/basalt/sql/query"
)

// graft puts an earlier assignment to a part of a column under a later one, so that both
// take effect; nil when one of them assigns the whole. Assignments to the same field or
// to the same element are joined further in, where they part.
func graft(later, earlier query.Expr) query.Expr {
	switch l := later.(type) {
	case *query.FieldStore:
		e, ok := earlier.(*query.FieldStore)
		if !ok {
			return nil
		}
		c := *e
		c.Fields, c.Values = slices.Clone(e.Fields), slices.Clone(e.Values)
		for i, field := range l.Fields {
			k := slices.Index(c.Fields, field)
			if k < 0 {
				c.Fields, c.Values = append(c.Fields, field), append(c.Values, l.Values[i])
			} else if v := graft(l.Values[i], c.Values[k]); v != nil {
				c.Values[k] = v
			} else {
				c.Values[k] = l.Values[i] // the whole field once more: the last one counts
			}
		}
		return &c
	case *query.SubscriptingRef:
		e, ok := earlier.(*query.SubscriptingRef)
		if !ok || l.Assign == nil || e.Assign == nil {
			return nil
		}
		if slices.EqualFunc(l.Upper, e.Upper, query.Equal) && slices.EqualFunc(l.Lower, e.Lower, query.Equal) {
			if v := graft(l.Assign, e.Assign); v != nil {
				c := *e
				c.Assign = v
				return &c
			}
		}
		c := *l
		c.Arg, c.Assign = earlier, rebase(l.Assign, l.Arg, earlier)
		return &c
	}
	return nil
}

// rebase makes a nested assignment take what it changes from base instead of old.
func rebase(e, old, base query.Expr) query.Expr {
	if e == old {
		return base
	}
	switch x := e.(type) {
	case *query.FieldStore:
		c := *x
		c.Arg = rebase(x.Arg, old, base)
		c.Values = make([]query.Expr, len(x.Values))
		for i, v := range x.Values {
			c.Values[i] = rebase(v, old, base)
		}
		return &c
	case *query.SubscriptingRef:
		c := *x
		c.Arg = rebase(x.Arg, old, base)
		if x.Assign != nil {
			c.Assign = rebase(x.Assign, old, base)
		}
		return &c
	case *query.FieldSelect:
		c := *x
		c.Arg = rebase(x.Arg, old, base)
		return &c
	}
	return e
}
