package analyze

import (
	"slices"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// joinExpr analyses an explicit join.
func (ps *pstate) joinExpr(j *pg_query.JoinExpr) (query.FromItem, *nsItem, []*nsItem) {
	out := &query.JoinExpr{Natural: j.IsNatural}
	switch j.Jointype {
	case pg_query.JoinType_JOIN_LEFT:
		out.Type = query.JoinLeft
	case pg_query.JoinType_JOIN_FULL:
		out.Type = query.JoinFull
	case pg_query.JoinType_JOIN_RIGHT:
		out.Type = query.JoinRight
	}
	litem, l, lns := ps.fromItem(j.Larg)
	// LATERAL items on the right see the left side
	lateralOK := out.Type == query.JoinInner || out.Type == query.JoinLeft
	setLateral(lns, true, lateralOK)
	mark := len(ps.ns)
	ps.ns = append(ps.ns, lns...)
	ritem, r, rns := ps.fromItem(j.Rarg)
	ps.ns = ps.ns[:mark]
	ps.checkConflicts(lns, rns)
	myns := append(slices.Clone(lns), rns...)
	out.Left, out.Right = litem, ritem

	lcols, rcols := l.cols, r.cols
	lnames, rnames := l.rte.ERefColumns, r.rte.ERefColumns
	var using []string
	if j.IsNatural {
		for _, n := range lnames {
			if n != "" && slices.Contains(rnames, n) && !slices.Contains(using, n) {
				using = append(using, n)
			}
		}
	} else {
		using = nodeStrings(j.UsingClause)
	}
	rte := &query.RangeTblEntry{Kind: query.RTEJoin, JoinType: out.Type, JoinUsing: len(using)}
	var cols []nsCol
	lUsed, rUsed := make([]bool, len(lcols)), make([]bool, len(rcols))
	var lv, rv []query.Expr
	var lidx, ridx []int
	for i, u := range using {
		if slices.Contains(using[:i], u) {
			fail(pgerror.New(pgerror.DuplicateColumn, "column name \"%s\" appears more than once in USING clause", u))
		}
		find := func(names []string, side string) int {
			at := -1
			for k, n := range names {
				if n == u {
					if at >= 0 {
						fail(pgerror.New(pgerror.AmbiguousColumn, "common column name \"%s\" appears more than once in %s table", u, side))
					}
					at = k
				}
			}
			if at < 0 {
				fail(pgerror.New(pgerror.UndefinedColumn, "column \"%s\" specified in USING clause does not exist in %s table", u, side))
			}
			return at
		}
		li := find(lnames, "left")
		ri := find(rnames, "right")
		lidx, ridx = append(lidx, li), append(ridx, ri)
		lUsed[li], rUsed[ri] = true, true
		lv, rv = append(lv, ps.colVar(lcols[li])), append(rv, ps.colVar(rcols[ri]))
	}
	type merged struct {
		e query.Expr
		c nsCol
	}
	var ms []merged
	for i := range using {
		e := ps.mergeColumn(out.Type, lv[i], rv[i])
		m := merged{e: e, c: nsCol{typ: e.Type(), coll: e.Collation()}}
		// inner and left joins merge to the left column itself, right joins to the right one
		if e == lv[i] {
			m.c = lcols[lidx[i]]
		} else if e == rv[i] {
			m.c = rcols[ridx[i]]
		}
		ms = append(ms, m)
	}
	if len(using) > 0 {
		out.Quals = ps.usingQuals(lv, rv)
		out.Using = using
	}
	rti := len(ps.q.RTable) + 1
	out.RTIndex = rti
	add := func(name string, e query.Expr, c nsCol) {
		rte.ERefColumns = append(rte.ERefColumns, name)
		rte.JoinAlias = append(rte.JoinAlias, e)
		rte.ColTypes = append(rte.ColTypes, e.Type())
		rte.ColCollations = append(rte.ColCollations, e.Collation())
		if c.rti == 0 {
			c.rti, c.att = rti, len(rte.ERefColumns)
		}
		cols = append(cols, c)
	}
	for i, u := range using {
		add(u, ms[i].e, ms[i].c)
	}
	for i, n := range lnames {
		if !lUsed[i] && n != "" {
			add(n, ps.colVar(lcols[i]), lcols[i])
		}
	}
	for i, n := range rnames {
		if !rUsed[i] && n != "" {
			add(n, ps.colVar(rcols[i]), rcols[i])
		}
	}
	// the merged columns' own alias
	if j.JoinUsingAlias != nil {
		rte.UsingAlias = j.JoinUsingAlias.Aliasname
	}
	if al := j.Alias; al != nil {
		if len(al.Colnames) > len(rte.ERefColumns) {
			fail(pgerror.New(pgerror.InvalidColumnReference, "join expression \"%s\" has %d columns available but %d columns specified", al.Aliasname, len(rte.ERefColumns), len(al.Colnames)))
		}
		ps.setAlias(rte, al, "unnamed_join", func(int) {})
	} else {
		rte.ERefName = "unnamed_join"
	}
	it := ps.addRTE(rte)
	it.cols = cols
	it.relVisible = j.Alias != nil
	if len(using) == 0 && j.Quals != nil {
		setLateral(myns, false, true)
		oldNS := ps.ns
		ps.ns = myns
		out.Quals = ps.whereClause(j.Quals, kindJoinOn, "JOIN/ON")
		ps.ns = oldNS
	}
	if j.Alias != nil {
		myns = nil
	} else {
		for _, x := range myns {
			x.colsVisible = false
		}
	}
	if rte.UsingAlias != "" && j.Alias == nil { // an alias of the join hides it
		u := &query.RangeTblEntry{Kind: query.RTEJoin, ERefName: rte.UsingAlias, ERefColumns: rte.ERefColumns[:len(using)], ColTypes: rte.ColTypes[:len(using)], ColCollations: rte.ColCollations[:len(using)]}
		ua := &nsItem{name: rte.UsingAlias, rti: rti, rte: u, cols: cols[:len(using)], relVisible: true, lateralOK: true}
		ps.checkConflicts(myns, []*nsItem{ua})
		myns = append(myns, ua)
	}
	return out, it, append(myns, it)
}

func (ps *pstate) colVar(c nsCol) query.Expr {
	return &query.Var{Base: query.Base{T: c.typ, Coll: c.coll, Loc: -1}, RTIndex: c.rti, AttNum: c.att}
}

// mergeColumn is the value of a USING column.
func (ps *pstate) mergeColumn(jt query.JoinType, l, r query.Expr) query.Expr {
	lt, rt := l.Type(), r.Type()
	out := rt.OID
	if lt.OID != rt.OID {
		out = ps.commonType([]query.Expr{l, r}, "JOIN/USING")
	}
	mod := int32(-1)
	if lt.OID == out && rt.OID == out && lt.Mod == rt.Mod {
		mod = lt.Mod
	} else if lt.OID == out {
		mod = lt.Mod
	} else {
		mod = rt.Mod
	}
	conv := func(e query.Expr) query.Expr {
		if e.Type().OID != out {
			return ps.coerceType(e, out, mod, ctxImplicit, query.CoerceImplicitCast, -1)
		}
		if e.Type().Mod != mod {
			return &query.RelabelType{Base: query.Base{T: ps.tOf(out, mod), Coll: e.Collation(), Loc: -1}, Arg: e, Form: query.CoerceImplicitCast}
		}
		return e
	}
	l, r = conv(l), conv(r)
	var e query.Expr
	switch jt {
	case query.JoinInner:
		// prefer a plain column over a converted one
		if _, ok := l.(*query.Var); ok {
			e = l
		} else if _, ok := r.(*query.Var); ok {
			e = r
		} else {
			e = l
		}
	case query.JoinLeft:
		e = l
	case query.JoinRight:
		e = r
	default:
		e = &query.CoalesceExpr{Base: ps.base(out, mod, -1), Args: []query.Expr{l, r}}
	}
	ps.assignCollation(e)
	return e
}

// usingQuals is the equality of the USING columns.
func (ps *pstate) usingQuals(l, r []query.Expr) query.Expr {
	var qs []query.Expr
	for i := range l {
		qs = append(qs, ps.makeOpNamed("=", l[i], r[i], -1))
	}
	var e query.Expr
	if len(qs) == 1 {
		e = qs[0]
	} else {
		e = &query.BoolExpr{Base: ps.boolean(-1), Op: query.And, Args: qs}
	}
	e = ps.coerceBoolean(e, "JOIN/USING")
	ps.assignCollation(e)
	return e
}

var _ = types.Bool
