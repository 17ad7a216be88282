package analyze

import (
	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// setOperation analyses UNION, INTERSECT and EXCEPT with the clauses on top.
func (ps *pstate) setOperation(s *pg_query.SelectStmt) *query.Query {
	q := ps.q
	q.Command = query.CmdSelect
	if len(s.LockingClause) > 0 {
		fail(pgerror.New(pgerror.FeatureNotSupported, "%s is not allowed with UNION/INTERSECT/EXCEPT", lockName(locks(s)[0].Strength)))
	}
	ps.withClause(s.WithClause)
	top, targets := ps.setTree(s, true)
	q.SetOperations = top.Op
	// output columns: of the leftmost query by name, of the operation by type
	left := ps.leftmost(q.SetOperations)
	leftQ := q.RTable[left-1].Subquery
	var ts []*query.TargetEntry
	var cols []nsCol
	var names []string
	_ = targets
	i := 0
	for _, lt := range leftQ.TargetList {
		if lt.Junk {
			continue
		}
		t := q.SetOperations.ColTypes[i]
		coll := q.SetOperations.ColCollations[i]
		v := &query.Var{Base: query.Base{T: t, Coll: coll, Loc: exprLoc(lt.Expr)}, RTIndex: left, AttNum: lt.ResNo}
		ts = append(ts, &query.TargetEntry{Expr: v, ResNo: ps.nextRes, Name: lt.Name})
		ps.nextRes++
		cols = append(cols, nsCol{rti: left, att: lt.ResNo, typ: t, coll: coll})
		names = append(names, lt.Name)
		i++
	}
	// ORDER BY may use the output columns only
	r := &query.RangeTblEntry{Kind: query.RTEJoin, ERefName: "*", ERefColumns: names, ColTypes: q.SetOperations.ColTypes, ColCollations: q.SetOperations.ColCollations}
	oldNS := ps.ns
	ps.ns = []*nsItem{{name: "", rti: left, rte: r, cols: cols, colsVisible: true, lateralOK: true}}
	n := len(ts)
	q.SortClause = ps.sortClause(s.SortClause, &ts, kindOrderBy, false)
	if len(ts) > n {
		fail(ps.errAt(exprLoc(ts[n].Expr), pgerror.FeatureNotSupported, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause").
			WithDetail("Only result column names can be used, not expressions or functions.").
			WithHint("Add the expression/function to every SELECT, or move the UNION into a FROM clause."))
	}
	ps.ns = oldNS
	for _, t := range ts {
		if v, ok := t.Expr.(*query.Var); ok {
			v.SynRTIndex, v.SynAttNum = 0, 0
		}
	}
	ps.limits(s)
	q.TargetList = ts
	q.JoinTree = &query.FromExpr{}
	ps.finish()
	return q
}

func (ps *pstate) leftmost(o *query.SetOperation) int {
	for o.Left.Op != nil {
		o = o.Left.Op
	}
	return o.Left.RTIndex
}

// setTree analyses a node of the tree; targets are its output columns' expressions.
func (ps *pstate) setTree(s *pg_query.SelectStmt, isTop bool) (query.SetOperationArg, []*query.TargetEntry) {
	ps.enter()
	defer ps.leave()
	if s.IntoClause != nil {
		ps.failAt(int(s.IntoClause.GetRel().GetLocation()), pgerror.SyntaxError, "INTO is only allowed on first SELECT of UNION/INTERSECT/EXCEPT")
	}
	isLeaf := s.Op == pg_query.SetOperation_SETOP_NONE || s.Op == 0
	if !isLeaf && !isTop {
		isLeaf = len(s.SortClause) > 0 || s.LimitOffset != nil || s.LimitCount != nil || len(s.LockingClause) > 0 || s.WithClause != nil
	}
	if isLeaf {
		q := ps.subSelect(s, ps.parentCTE, false, false)
		// a leaf must not see this level's other leaves
		query.WalkQuery(q, 0, func(e query.Expr, depth int) bool {
			if v, ok := e.(*query.Var); ok && v.LevelsUp == depth+1 && len(ps.ns) > 0 {
				_ = v
			}
			return true
		})
		r := &query.RangeTblEntry{Kind: query.RTESubquery, Subquery: q}
		r.ERefName = "*SELECT* " + itoa(len(ps.q.RTable)+1)
		var ts []*query.TargetEntry
		for _, t := range q.TargetList {
			if t.Junk {
				continue
			}
			ts = append(ts, t)
			r.ERefColumns = append(r.ERefColumns, t.Name)
		}
		ps.q.RTable = append(ps.q.RTable, r)
		rti := len(ps.q.RTable)
		r.ColTypes, r.ColCollations = nil, nil
		for _, t := range ts {
			r.ColTypes = append(r.ColTypes, t.Expr.Type())
			r.ColCollations = append(r.ColCollations, t.Expr.Collation())
		}
		return query.SetOperationArg{RTIndex: rti}, ts
	}
	construct := "UNION"
	op := &query.SetOperation{Op: query.Union, All: s.All}
	switch s.Op {
	case pg_query.SetOperation_SETOP_INTERSECT:
		construct, op.Op = "INTERSECT", query.Intersect
	case pg_query.SetOperation_SETOP_EXCEPT:
		construct, op.Op = "EXCEPT", query.Except
	}
	var lts, rts []*query.TargetEntry
	op.Left, lts = ps.setTree(s.Larg, false)
	// the recursive term sees the columns of the first
	if isTop && ps.parentCTE != nil && ps.parentCTE.recursive {
		ps.recursiveColumns(lts, op.Left)
	}
	if isTop && ps.parentCTE != nil && ps.parentCTE.recursive {
		ps.parentCTE.recursiveTerm = true
	}
	op.Right, rts = ps.setTree(s.Rarg, false)
	if len(lts) != len(rts) {
		loc := -1
		for _, t := range rts {
			if l := exprLoc(t.Expr); l >= 0 {
				loc = l
				break
			}
		}
		ps.failAt(loc, pgerror.SyntaxError, "each %s query must have the same number of columns", construct)
	}
	out := make([]*query.TargetEntry, len(lts))
	for i := range lts {
		l, r := lts[i].Expr, rts[i].Expr
		t := ps.commonType([]query.Expr{l, r}, construct)
		// only unknown literals are converted in place: the rest is done above the leaves
		conv := func(e query.Expr) query.Expr {
			if typeOf(e) != types.Unknown {
				return ps.coerceCommon(e, t, construct)
			}
			switch e.(type) {
			case *query.Const, *query.Param:
				return ps.coerceCommon(e, t, construct)
			}
			return e
		}
		cl, cr := conv(l), conv(r)
		if typeOf(l) == types.Unknown {
			lts[i].Expr = cl
			ps.syncLeaf(op.Left, i, cl)
		}
		if typeOf(r) == types.Unknown {
			rts[i].Expr = cr
			ps.syncLeaf(op.Right, i, cr)
		}
		best := cl
		mod := commonMod([]query.Expr{cl, cr}, t)
		coll := ps.commonCollation([]query.Expr{cl, cr})
		op.ColTypes = append(op.ColTypes, ps.tOf(t, mod))
		op.ColCollations = append(op.ColCollations, coll)
		if !(op.Op == query.Union && op.All) {
			loc := exprLoc(best)
			lt, eq, _, hash := ps.needSortOperators(t, false, true, false, loc)
			op.GroupClauses = append(op.GroupClauses, query.SortGroupClause{EqOp: eq, SortOp: lt, Hashable: hash})
		}
		// a stand-in with the result's type for the level above
		out[i] = &query.TargetEntry{Expr: &query.SetToDefault{Base: query.Base{T: ps.tOf(t, mod), Coll: coll, Loc: exprLoc(best)}}, ResNo: i + 1, Name: lts[i].Name}
	}
	return query.SetOperationArg{Op: op}, out
}

// syncLeaf keeps a leaf's range table entry in step with a target that got its type late.
func (ps *pstate) syncLeaf(a query.SetOperationArg, i int, e query.Expr) {
	if a.RTIndex > 0 {
		r := ps.q.RTable[a.RTIndex-1]
		r.ColTypes[i] = e.Type()
		r.ColCollations[i] = e.Collation()
	}
}

func itoa(n int) string { return rowFieldName(n - 1)[1:] }
