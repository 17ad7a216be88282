package analyze

import (
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// collStrength is how firmly an expression's collation is chosen.
type collStrength uint8

const (
	collNone collStrength = iota
	collImplicit
	collConflict
	collExplicit
)

// collState is a collation on its way up.
type collState struct {
	coll     types.OID
	strength collStrength
	loc      int
	coll2    types.OID // of a conflict
	loc2     int
}

// assignQueryCollations assigns the collations of all expressions of q itself.
func (ps *pstate) assignQueryCollations(q *query.Query) {
	query.EachExpr(q, func(e query.Expr) { ps.assignCollation(e) })
}

// assignCollation assigns the collations of one expression tree.
func (a *analyzer) assignCollation(e query.Expr) { a.collate(e) }

func (a *analyzer) collate(e query.Expr) collState {
	if e == nil {
		return collState{}
	}
	own := func() collState {
		if c := e.Collation(); c != 0 {
			return collState{coll: c, strength: collImplicit, loc: e.Pos()}
		}
		return collState{}
	}
	var loc collState
	merge := func(xs ...query.Expr) {
		for _, x := range xs {
			if x != nil {
				a.mergeColl(&loc, a.collate(x))
			}
		}
	}
	apart := func(xs ...query.Expr) {
		for _, x := range xs {
			a.collate(x)
		}
	}
	var input *types.OID
	switch n := e.(type) {
	case *query.Var, *query.Const, *query.Param, *query.SetToDefault, *query.SQLValueFunction, *query.NextValExpr:
		return own()
	case *query.GroupingFunc:
		apart(n.Args...) // they are compared with the grouping items
		return own()
	case *query.MultiAssignRef:
		return own()
	case *query.CollateExpr:
		a.collate(n.Arg)
		return collState{coll: n.Coll, strength: collExplicit, loc: n.Loc}
	case *query.FieldSelect:
		a.collate(n.Arg)
		return own()
	case *query.RowExpr:
		apart(n.Fields...)
		return collState{}
	case *query.RowCompareExpr:
		for i := range n.Left {
			var l collState
			a.mergeColl(&l, a.collate(n.Left[i]))
			a.mergeColl(&l, a.collate(n.Right[i]))
		}
		return collState{}
	case *query.SubLink:
		apart(n.Test)
		switch n.Kind {
		case query.SubLinkExpr, query.SubLinkArray:
			return own()
		}
		return collState{}
	case *query.FuncExpr:
		merge(n.Args...)
		input = &n.InputColl
	case *query.OpExpr:
		merge(n.Args...)
		input = &n.InputColl
	case *query.DistinctExpr:
		merge(n.Left, n.Right)
	case *query.NullIfExpr:
		merge(n.Left, n.Right)
	case *query.ScalarArrayOpExpr:
		merge(n.Scalar, n.Array)
	case *query.BoolExpr:
		merge(n.Args...)
	case *query.Aggref:
		apart(n.DirectArgs...)
		if n.Kind == 'n' {
			for i, t := range n.Args {
				if i < n.NumArgs {
					merge(t.Expr)
				} else {
					apart(t.Expr)
				}
			}
		} else {
			for _, t := range n.Args {
				merge(t.Expr)
			}
		}
		apart(n.Filter)
		input = &n.InputColl
	case *query.WindowFunc:
		merge(n.Args...)
		apart(n.Filter)
		input = &n.InputColl
	case *query.SubscriptingRef:
		merge(n.Arg, n.Assign)
		apart(n.Upper...)
		apart(n.Lower...)
	case *query.FieldStore:
		merge(n.Arg)
		apart(n.Values...)
	case *query.RelabelType:
		merge(n.Arg)
	case *query.CoerceViaIO:
		merge(n.Arg)
	case *query.ArrayCoerceExpr:
		merge(n.Arg)
		apart(n.Elem)
	case *query.ConvertRowtypeExpr:
		merge(n.Arg)
	case *query.CaseExpr:
		apart(n.Arg)
		for _, w := range n.Whens {
			apart(w.Cond)
			merge(w.Result)
		}
		merge(n.Default)
	case *query.ArrayExpr:
		merge(n.Elems...)
	case *query.CoalesceExpr:
		merge(n.Args...)
	case *query.MinMaxExpr:
		merge(n.Args...)
		input = &n.InputColl
	case *query.NullTest:
		merge(n.Arg)
	case *query.BooleanTest:
		merge(n.Arg)
	}
	if input != nil {
		*input = 0
		if loc.strength != collConflict {
			*input = loc.coll
		}
	}
	tc := a.typeCollation(e.Type().OID)
	b := e.Node()
	if tc == 0 {
		b.Coll = 0
		return collState{}
	}
	if loc.strength == collNone {
		loc = collState{coll: tc, strength: collImplicit, loc: b.Loc}
	}
	b.Coll = loc.coll
	if loc.strength == collConflict {
		b.Coll = 0
	}
	return loc
}

// mergeColl combines a child's collation into the parent's.
func (a *analyzer) mergeColl(s *collState, c collState) {
	switch {
	case c.strength > s.strength:
		*s = c
	case c.strength < s.strength:
	case c.strength == collImplicit && c.coll != s.coll:
		if s.coll == catalog.DefaultCollation {
			*s = c
		} else if c.coll != catalog.DefaultCollation {
			s.strength, s.coll2, s.loc2 = collConflict, c.coll, c.loc
		}
	case c.strength == collExplicit && c.coll != s.coll:
		a.failAt(c.loc, pgerror.CollationMismatch, "collation mismatch between explicit collations \"%s\" and \"%s\"", a.collName(s.coll), a.collName(c.coll))
	}
}

// commonCollation is the collation several columns' expressions agree on.
func (a *analyzer) commonCollation(es []query.Expr) types.OID {
	var s collState
	for _, e := range es {
		a.mergeColl(&s, a.collate(e))
	}
	if s.strength == collConflict {
		fail(a.errAt(s.loc2, pgerror.CollationMismatch, "collation mismatch between implicit collations \"%s\" and \"%s\"", a.collName(s.coll), a.collName(s.coll2)).
			WithHint("You can choose the collation by applying the COLLATE clause to one or both expressions."))
	}
	return s.coll
}
