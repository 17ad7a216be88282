package analyze

import (
	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// checkWithinGroup checks WITHIN GROUP against the kind of aggregate.
func (ps *pstate) checkWithinGroup(agg *catalog.Aggregate, f *catalog.Function, c *candidate, fn *pg_query.FuncCall, args []query.Expr, argNames []string, actual []types.OID, shown string, loc int) {
	if agg.Kind == 'n' {
		if fn.AggWithinGroup {
			ps.failAt(loc, pgerror.WrongObjectType, "%s is not an ordered-set aggregate, so it cannot have WITHIN GROUP", shown)
		}
		return
	}
	if !fn.AggWithinGroup {
		ps.failAt(loc, pgerror.WrongObjectType, "WITHIN GROUP is required for ordered-set aggregate %s", shown)
	}
	if fn.Over != nil {
		ps.failAt(loc, pgerror.FeatureNotSupported, "OVER is not supported for ordered-set aggregate %s", shown)
	}
	nOrder := len(fn.AggOrder)
	nDirect := len(args) - nOrder
	missing := func(hint string, a ...any) {
		fail(ps.errAt(loc, pgerror.UndefinedFunction, "function %s does not exist", ps.funcSignature(shown, argNames, actual)).WithHint(hint, a...))
	}
	plural := func(n int) string {
		if n == 1 {
			return ""
		}
		return "s"
	}
	if f.Variadic == 0 {
		if nDirect != agg.NumDirect {
			missing("There is an ordered-set aggregate %s, but it requires %d direct argument%s, not %d.", shown, agg.NumDirect, plural(agg.NumDirect), nDirect)
		}
		return
	}
	if agg.Kind == 'h' {
		if nDirect != nOrder {
			missing("To use the hypothetical-set aggregate %s, the number of hypothetical direct arguments (here %d) must match the number of ordering columns (here %d).", shown, nDirect, nOrder)
		}
	} else if nDirect < agg.NumDirect {
		missing("There is an ordered-set aggregate %s, but it requires at least %d direct argument%s.", shown, agg.NumDirect, plural(agg.NumDirect))
	}
}

// unifyHypothetical gives each hypothetical argument and its ordering column one type.
func (ps *pstate) unifyHypothetical(args []query.Expr, actual, declared []types.OID, nOrder, loc int) {
	nDirect := len(args) - nOrder
	for i := 0; i < nDirect; i++ {
		j := nDirect + i
		if declared[i] != types.Any {
			continue
		}
		t := ps.commonType([]query.Expr{args[j], args[i]}, "WITHIN GROUP")
		mod := commonMod([]query.Expr{args[j], args[i]}, t)
		args[i] = ps.coerceType(args[i], t, mod, ctxImplicit, query.CoerceImplicitCast, -1)
		actual[i] = t
		args[j] = ps.coerceType(args[j], t, mod, ctxImplicit, query.CoerceImplicitCast, -1)
		actual[j] = t
	}
}

// aggregateCall fills an Aggref from its analysed arguments.
func (ps *pstate) aggregateCall(a *query.Aggref, args []query.Expr, actual []types.OID, fn *pg_query.FuncCall) {
	a.Distinct, a.OrderBy = nil, nil
	for _, e := range args {
		a.ArgTypes = append(a.ArgTypes, e.Type())
	}
	oldNext := ps.nextRes
	ps.nextRes = 1
	var ts []*query.TargetEntry
	if a.Kind != 'n' {
		nDirect := len(args) - len(fn.AggOrder)
		a.DirectArgs = args[:nDirect]
		for i, n := range fn.AggOrder {
			t := &query.TargetEntry{Expr: args[nDirect+i], ResNo: i + 1}
			ts = append(ts, t)
			a.OrderBy = ps.addSortAlways(t, a.OrderBy, ts, n.GetSortBy())
		}
		a.NumArgs = len(ts)
	} else {
		for i, e := range args {
			ts = append(ts, &query.TargetEntry{Expr: e, ResNo: i + 1})
		}
		a.NumArgs = len(ts)
		ps.nextRes = len(ts) + 1
		a.OrderBy = ps.sortClause(fn.AggOrder, &ts, kindOrderBy, true)
		if fn.AggDistinct {
			a.Distinct = ps.distinctClause(&ts, a.OrderBy, true)
			for _, d := range a.Distinct {
				if d.SortOp == 0 {
					e := targetByRef(ts, d.Ref).Expr
					fail(ps.errAt(exprLoc(e), pgerror.UndefinedFunction, "could not identify an ordering operator for type %s", ps.format(typeOf(e))).
						WithDetail("Aggregates with DISTINCT must be able to sort their inputs."))
				}
			}
		}
	}
	ps.nextRes = oldNext
	a.Args = ts
	var es []query.Expr
	for _, t := range ts {
		es = append(es, t.Expr)
	}
	a.LevelsUp = ps.aggLevel(a.DirectArgs, es, a.Filter, false, a.Loc)
}

// addSortAlways is addSort that keeps duplicates (WITHIN GROUP needs every column).
func (ps *pstate) addSortAlways(t *query.TargetEntry, list []query.SortGroupClause, ts []*query.TargetEntry, sb *pg_query.SortBy) []query.SortGroupClause {
	return ps.addSort(t, list, ts, sb)
}

// aggPhrase is where aggregates are refused with words of their own.
var aggPhrase = map[exprKind]string{
	kindJoinOn: "in JOIN conditions", kindJoinUsing: "in JOIN conditions", kindFromFunction: "in functions in FROM",
	kindFromSubselect:    "in FROM clause of their own query level",
	kindWindowFrameRange: "in window RANGE", kindWindowFrameRows: "in window ROWS", kindWindowFrameGroups: "in window GROUPS",
	kindMergeWhen: "in MERGE WHEN conditions", kindCheck: "in check constraints", kindDefault: "in DEFAULT expressions",
	kindIndexExpr: "in index expressions", kindIndexPredicate: "in index predicates", kindAlterTransform: "in transform expressions",
	kindExecuteParam: "in EXECUTE parameters", kindGenerated: "in column generation expressions", kindCallArgument: "in CALL arguments",
}

// aggLevel finds the query level an aggregate (or GROUPING) belongs to, marks it
// and checks that it may stand where it stands.
func (ps *pstate) aggLevel(direct, args []query.Expr, filter query.Expr, grouping bool, loc int) int {
	minVar, minAgg := -1, -1
	var inner query.Expr
	scan := func(e query.Expr) {
		query.WalkDeep(e, 0, func(x query.Expr, depth int) bool {
			note := func(level int, isAgg bool) {
				if level < 0 {
					return
				}
				if !isAgg {
					if minVar < 0 || level < minVar {
						minVar = level
					}
					return
				}
				if minAgg < 0 || level < minAgg {
					minAgg, inner = level, x
				}
			}
			switch n := x.(type) {
			case *query.Var:
				note(n.LevelsUp-depth, false)
			case *query.Aggref:
				note(n.LevelsUp-depth, true)
			case *query.GroupingFunc:
				note(n.LevelsUp-depth, true)
			case *query.WindowFunc:
				if depth == 0 {
					ps.failAt(n.Loc, pgerror.GroupingError, "aggregate function calls cannot contain window function calls")
				}
			case *query.FuncExpr:
				if depth == 0 && n.RetSet {
					fail(ps.errAt(exprLoc(n), pgerror.FeatureNotSupported, "aggregate function calls cannot contain set-returning function calls").
						WithHint("You might be able to move the set-returning function into a LATERAL FROM item."))
				}
			}
			return true
		})
	}
	for _, e := range args {
		scan(e)
	}
	if filter != nil {
		scan(filter)
	}
	level := 0
	switch {
	case minVar < 0:
		if minAgg > 0 {
			level = minAgg
		}
	case minAgg < 0:
		level = minVar
	default:
		level = min(minVar, minAgg)
	}
	if minAgg >= 0 && level == minAgg {
		ps.failAt(inner.Pos(), pgerror.GroupingError, "aggregate function calls cannot be nested")
	}
	if len(direct) > 0 {
		minVar, minAgg = -1, -1
		for _, e := range direct {
			scan(e)
		}
		if minVar >= 0 && minVar < level {
			ps.failAt(exprsLoc(direct), pgerror.GroupingError, "outer-level aggregate cannot contain a lower-level variable in its direct arguments")
		}
		if minAgg >= 0 && minAgg <= level {
			ps.failAt(inner.Pos(), pgerror.GroupingError, "aggregate function calls cannot be nested")
		}
	}
	p := ps
	for i := 0; i < level; i++ {
		p = p.parent
	}
	p.q.HasAggs = true
	what := "aggregate functions"
	if grouping {
		what = "grouping operations"
	}
	switch p.kind {
	case kindFromSubselect:
		// only LATERAL subqueries get here with the aggregate of the outer level
		ps.failAt(loc, pgerror.GroupingError, "%s are not allowed %s", what, aggPhrase[p.kind])
	case kindNone, kindOther, kindHaving, kindWindowPartition, kindWindowOrder, kindSelectTarget, kindOrderBy, kindDistinctOn:
		return level
	}
	phrase, ok := aggPhrase[p.kind]
	if !ok {
		phrase = "in " + kindNames[p.kind]
	}
	ps.failAt(loc, pgerror.GroupingError, "%s are not allowed %s", what, phrase)
	return level
}

const noAgg = -2

// findAgg gives the position of an aggregate of this level in e, noAgg for none.
func findAgg(e query.Expr) int {
	out := noAgg
	query.WalkDeep(e, 0, func(x query.Expr, depth int) bool {
		switch n := x.(type) {
		case *query.Aggref:
			if n.LevelsUp == depth && out == noAgg {
				out = n.Loc
			}
		case *query.GroupingFunc:
			if n.LevelsUp == depth && out == noAgg {
				out = n.Loc
			}
		}
		return out == noAgg
	})
	return out
}

// findWindow gives the position of a window function in e, noAgg for none.
func findWindow(e query.Expr) int {
	out := noAgg
	query.Walk(e, func(x query.Expr) bool {
		if w, ok := x.(*query.WindowFunc); ok && out == noAgg {
			out = w.Loc
		}
		return out == noAgg
	})
	return out
}

// checkAggregates refuses ungrouped columns, once a query's clauses are analysed.
func (ps *pstate) checkAggregates() {
	q := ps.q
	var common map[int]bool
	if q.HasGroupingSets {
		for i, s := range q.GroupingSets {
			m := map[int]bool{}
			for _, r := range s {
				if i == 0 || common[r] {
					m[r] = true
				}
			}
			common = m
		}
	}
	var groups []query.Expr
	refs := map[int]query.Expr{}
	var commonVars []*query.Var
	nonVar := false
	joinVars := false
	for _, r := range q.RTable {
		joinVars = joinVars || r.Kind == query.RTEJoin
	}
	flatten := func(e query.Expr) query.Expr {
		if !joinVars {
			return e
		}
		return ps.flattenJoins(e)
	}
	for _, c := range q.GroupClause {
		e := flatten(targetByRef(q.TargetList, c.Ref).Expr)
		groups = append(groups, e)
		refs[c.Ref] = e
		if v, ok := e.(*query.Var); ok {
			if common == nil || common[c.Ref] {
				commonVars = append(commonVars, v)
			}
		} else {
			nonVar = true
		}
	}
	chk := &groupCheck{ps: ps, groups: groups, refs: q.GroupClause, common: commonVars, nonVar: nonVar, flatten: flatten, funcDeps: map[int]bool{}}
	for _, t := range q.TargetList {
		chk.finalizeGrouping(t.Expr)
		chk.check(flatten(t.Expr), 0, false)
	}
	if q.Having != nil {
		chk.finalizeGrouping(q.Having)
		chk.check(flatten(q.Having), 0, false)
	}
	if ps.parentCTE != nil && ps.parentCTE.recursiveTerm && q.HasAggs {
		loc := noAgg
		for _, t := range q.TargetList {
			if loc == noAgg {
				loc = findAgg(t.Expr)
			}
		}
		if loc == noAgg && q.Having != nil {
			loc = findAgg(q.Having)
		}
		if ps.selfReferenced() {
			ps.failAt(loc, pgerror.InvalidRecursion, "aggregate functions are not allowed in a recursive query's recursive term")
		}
	}
}

// selfReferenced reports whether the query reads a recursive CTE directly.
func (ps *pstate) selfReferenced() bool {
	for _, r := range ps.q.RTable {
		if r.Kind == query.RTECTE && r.SelfReference {
			return true
		}
	}
	return false
}

// flattenJoins replaces join columns of this level by what they stand for.
func (ps *pstate) flattenJoins(e query.Expr) query.Expr {
	return query.MutateDeep(e, 0, func(x query.Expr, depth int) (query.Expr, bool) {
		v, ok := x.(*query.Var)
		if !ok || v.LevelsUp != depth || v.AttNum <= 0 {
			return x, false
		}
		r := ps.q.RTable[v.RTIndex-1]
		if r.Kind != query.RTEJoin {
			return x, false
		}
		return ps.flattenJoins(query.IncrementLevels(r.JoinAlias[v.AttNum-1], depth, 0)), true
	})
}

// groupCheck looks for ungrouped columns.
type groupCheck struct {
	ps       *pstate
	groups   []query.Expr
	refs     []query.SortGroupClause
	common   []*query.Var
	nonVar   bool
	flatten  func(query.Expr) query.Expr
	funcDeps map[int]bool
}

// finalizeGrouping resolves GROUPING's arguments to grouping items.
func (c *groupCheck) finalizeGrouping(e query.Expr) {
	query.WalkDeep(e, 0, func(x query.Expr, depth int) bool {
		g, ok := x.(*query.GroupingFunc)
		if !ok || g.LevelsUp != depth {
			return true
		}
		g.Refs = nil
		for _, a := range g.Args {
			f := a
			if depth > 0 {
				f = query.IncrementLevels(a, -depth, 0)
			}
			f = c.flatten(f)
			ref := 0
			for i, ge := range c.groups {
				if query.Equal(f, ge) {
					ref = c.refs[i].Ref
					break
				}
			}
			if ref == 0 {
				c.ps.failAt(exprLoc(a), pgerror.GroupingError, "arguments to GROUPING must be grouping expressions of the associated query level")
			}
			g.Refs = append(g.Refs, ref)
		}
		return true
	})
}

// check walks e at a depth of sub-selects.
func (c *groupCheck) check(e query.Expr, depth int, direct bool) {
	switch n := e.(type) {
	case nil, *query.Const, *query.Param:
		return
	case *query.Aggref:
		if n.LevelsUp == depth {
			for _, d := range n.DirectArgs {
				c.check(d, depth, true)
			}
			return
		}
		if n.LevelsUp > depth {
			return
		}
	case *query.GroupingFunc:
		if n.LevelsUp >= depth {
			return
		}
	}
	if c.nonVar && depth == 0 {
		for _, g := range c.groups {
			if query.Equal(e, g) {
				return
			}
		}
	}
	if v, ok := e.(*query.Var); ok {
		c.checkVar(v, depth, direct)
		return
	}
	query.EachChild(e, func(x query.Expr) { c.check(x, depth, direct) })
	switch n := e.(type) {
	case *query.SubLink:
		c.checkQuery(n.Query, depth+1)
	case *query.MultiAssignRef:
		c.checkQuery(n.SubLink.Query, depth+1)
	}
}

func (c *groupCheck) checkQuery(q *query.Query, depth int) {
	if q == nil {
		return
	}
	query.EachExpr(q, func(e query.Expr) { c.check(e, depth, false) })
	for _, r := range q.RTable {
		c.checkQuery(r.Subquery, depth+1)
	}
	for _, x := range q.CTEs {
		c.checkQuery(x.Query, depth+1)
	}
}

func (c *groupCheck) checkVar(v *query.Var, depth int, direct bool) {
	if v.LevelsUp != depth {
		return
	}
	for _, g := range c.groups {
		if gv, ok := g.(*query.Var); ok && gv.LevelsUp == 0 && gv.RTIndex == v.RTIndex && gv.AttNum == v.AttNum {
			return
		}
	}
	r := c.ps.q.RTable[v.RTIndex-1]
	if r.Kind == query.RTERelation {
		dep, known := c.funcDeps[v.RTIndex]
		if !known {
			dep = c.dependsOnKey(r, v.RTIndex)
			c.funcDeps[v.RTIndex] = dep
		}
		if dep {
			return
		}
	}
	name := "*"
	switch {
	case v.AttNum > 0:
		name = r.ERefColumns[v.AttNum-1]
	case v.AttNum < 0:
		for n, s := range systemColumns {
			if s.att == v.AttNum {
				name = n
			}
		}
	}
	if depth == 0 {
		e := c.ps.errAt(v.Loc, pgerror.GroupingError, "column \"%s.%s\" must appear in the GROUP BY clause or be used in an aggregate function", r.ERefName, name)
		if direct {
			e.WithDetail("Direct arguments of an ordered-set aggregate must use only grouped columns.")
		}
		fail(e)
	}
	c.ps.failAt(v.Loc, pgerror.GroupingError, "subquery uses ungrouped column \"%s.%s\" from outer query", r.ERefName, name)
}

// dependsOnKey reports whether the grouping holds the relation's primary key.
func (c *groupCheck) dependsOnKey(r *query.RangeTblEntry, rti int) bool {
	rel, err := c.ps.cat.Relation(c.ps.ctx, r.Relid)
	check(err)
	if rel == nil || rel.PrimaryKey < 0 || rel.PrimaryKey >= len(rel.Indexes) {
		return false
	}
	for _, k := range rel.Indexes[rel.PrimaryKey].Keys {
		found := false
		for _, v := range c.common {
			found = found || v.RTIndex == rti && v.LevelsUp == 0 && v.AttNum == k.AttNum
		}
		if !found {
			return false
		}
	}
	return true
}
