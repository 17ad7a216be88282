package analyze

import (
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// whereClause analyses a condition; nil for none.
func (ps *pstate) whereClause(n *pg_query.Node, k exprKind, construct string) query.Expr {
	if n == nil {
		return nil
	}
	e := ps.coerceBoolean(ps.expr(n, k), construct)
	return e
}

// limitClause analyses LIMIT or OFFSET.
func (ps *pstate) limitClause(n *pg_query.Node, k exprKind, construct string, ties bool) query.Expr {
	if n == nil {
		return nil
	}
	e := ps.coerceToSpecific(ps.expr(n, k), types.Of(types.Int8), construct)
	ps.needVarFree(e, construct)
	if c, ok := e.(*query.Const); ok && ties && c.Value == nil && isNullConst(n) {
		fail(pgerror.New(pgerror.InvalidRowCountInLimitClause, "row count cannot be null in FETCH FIRST ... WITH TIES clause"))
	}
	return e
}

// needVarFree refuses columns of this level.
func (ps *pstate) needVarFree(e query.Expr, construct string) {
	query.WalkDeep(e, 0, func(x query.Expr, depth int) bool {
		if v, ok := x.(*query.Var); ok && v.LevelsUp == depth {
			ps.failAt(v.Loc, pgerror.InvalidColumnReference, "argument of %s must not contain variables", construct)
		}
		return true
	})
}

// stripImplicit removes conversions that are not shown.
func stripImplicit(e query.Expr) query.Expr {
	for {
		switch n := e.(type) {
		case *query.FuncExpr:
			if n.Form != query.CoerceImplicitCast {
				return e
			}
			e = n.Args[0]
		case *query.RelabelType:
			if n.Form != query.CoerceImplicitCast {
				return e
			}
			e = n.Arg
		case *query.CoerceViaIO:
			if n.Form != query.CoerceImplicitCast {
				return e
			}
			e = n.Arg
		case *query.ArrayCoerceExpr:
			if n.Form != query.CoerceImplicitCast {
				return e
			}
			e = n.Arg
		default:
			return e
		}
	}
}

// findTarget92 finds or adds the target entry of an ORDER BY, GROUP BY or
// DISTINCT ON item by SQL-92's rules: output names and positions, then expressions.
func (ps *pstate) findTarget92(n *pg_query.Node, ts *[]*query.TargetEntry, k exprKind) *query.TargetEntry {
	if c := n.GetColumnRef(); c != nil && len(c.Fields) == 1 && c.Fields[0].GetString_() != nil {
		name, loc := c.Fields[0].GetString_().Sval, int(c.Location)
		if k == kindGroupBy && ps.columnByName(name, true, loc) != nil {
			// GROUP BY prefers a column of FROM
			name = ""
		}
		if name != "" {
			var hit *query.TargetEntry
			for _, t := range *ts {
				if t.Junk || t.Name != name {
					continue
				}
				if hit != nil {
					if !query.Equal(hit.Expr, t.Expr) {
						ps.failAt(loc, pgerror.AmbiguousColumn, "%s \"%s\" is ambiguous", kindNames[k], name)
					}
				} else {
					hit = t
				}
			}
			if hit != nil {
				ps.checkTarget92(hit, k)
				return hit
			}
		}
	}
	if c := n.GetAConst(); c != nil {
		v, ok := c.Val.(*pg_query.A_Const_Ival)
		if !ok || c.Isnull {
			ps.failAt(int(c.Location), pgerror.SyntaxError, "non-integer constant in %s", kindNames[k])
		}
		want, pos := int(v.Ival.GetIval()), 0
		for _, t := range *ts {
			if t.Junk {
				continue
			}
			if pos++; pos == want {
				ps.checkTarget92(t, k)
				return t
			}
		}
		ps.failAt(int(c.Location), pgerror.InvalidColumnReference, "%s position %d is not in select list", kindNames[k], want)
	}
	return ps.findTarget99(n, ts, k)
}

func (ps *pstate) checkTarget92(t *query.TargetEntry, k exprKind) {
	if k != kindGroupBy {
		return
	}
	if loc := findAgg(t.Expr); loc != noAgg {
		ps.failAt(loc, pgerror.GroupingError, "aggregate functions are not allowed in %s", kindNames[k])
	}
	if loc := findWindow(t.Expr); loc != noAgg {
		ps.failAt(loc, pgerror.WindowingError, "window functions are not allowed in %s", kindNames[k])
	}
}

// findTarget99 matches whole expressions only.
func (ps *pstate) findTarget99(n *pg_query.Node, ts *[]*query.TargetEntry, k exprKind) *query.TargetEntry {
	e := ps.expr(n, k)
	for _, t := range *ts {
		if query.Equal(e, stripImplicit(t.Expr)) {
			return t
		}
	}
	t := ps.targetEntry(n, e, k, "", true)
	*ts = append(*ts, t)
	return t
}

// findTarget chooses between the two rules.
func (ps *pstate) findTarget(n *pg_query.Node, ts *[]*query.TargetEntry, k exprKind, sql99 bool) *query.TargetEntry {
	if sql99 {
		return ps.findTarget99(n, ts, k)
	}
	return ps.findTarget92(n, ts, k)
}

// textTarget makes an unknown target entry text before it is sorted or grouped.
func (ps *pstate) textTarget(t *query.TargetEntry) {
	if typeOf(t.Expr) == types.Unknown {
		t.Expr = ps.coerceType(t.Expr, types.Text, -1, ctxImplicit, query.CoerceImplicitCast, -1)
	}
}

// assignRef gives a target entry its SortGroupRef.
func assignRef(t *query.TargetEntry, ts []*query.TargetEntry) int {
	if t.SortGroupRef == 0 {
		m := 0
		for _, x := range ts {
			m = max(m, x.SortGroupRef)
		}
		t.SortGroupRef = m + 1
	}
	return t.SortGroupRef
}

func inClause(t *query.TargetEntry, list []query.SortGroupClause) bool {
	if t.SortGroupRef == 0 {
		return false
	}
	for _, c := range list {
		if c.Ref == t.SortGroupRef {
			return true
		}
	}
	return false
}

// sortClause analyses ORDER BY.
func (ps *pstate) sortClause(list []*pg_query.Node, ts *[]*query.TargetEntry, k exprKind, sql99 bool) []query.SortGroupClause {
	var out []query.SortGroupClause
	for _, n := range list {
		sb := n.GetSortBy()
		t := ps.findTarget(sb.Node, ts, k, sql99)
		out = ps.addSort(t, out, *ts, sb)
	}
	return out
}

// addSort appends a sort item unless the entry is sorted by already.
func (ps *pstate) addSort(t *query.TargetEntry, list []query.SortGroupClause, ts []*query.TargetEntry, sb *pg_query.SortBy) []query.SortGroupClause {
	ps.textTarget(t)
	typ := typeOf(t.Expr)
	loc := int(sb.Location)
	if loc < 0 {
		loc = rawLoc(sb.Node)
	}
	var sortOp, eqOp types.OID
	hash, desc := false, false
	switch sb.SortbyDir {
	case pg_query.SortByDir_SORTBY_DESC:
		_, eqOp, sortOp, hash = ps.needSortOperators(typ, false, true, true, loc)
		desc = true
	case pg_query.SortByDir_SORTBY_USING:
		o := ps.binaryOper(sb.UseOp, typ, typ, false, loc)
		sortOp = o.OID
		for _, m := range ps.cat.OpFamilyMembers(o.OID) {
			if m.AM == "btree" && (m.Strategy == 1 || m.Strategy == 5) {
				eqOp = ps.cat.FamilyOperator(m.Family, m.Left, m.Right, 3)
				desc = m.Strategy == 5
			}
		}
		if eqOp == 0 {
			fail(ps.errAt(loc, pgerror.WrongObjectType, "operator %s is not a valid ordering operator", nameList(sb.UseOp)).
				WithHint("Ordering operators must be \"<\" or \">\" members of btree operator families."))
		}
		_, _, _, hash = ps.sortOperators(typ)
	default:
		sortOp, eqOp, _, hash = ps.needSortOperators(typ, true, true, false, loc)
	}
	if inClause(t, list) {
		return list
	}
	c := query.SortGroupClause{Ref: assignRef(t, ts), EqOp: eqOp, SortOp: sortOp, Descending: desc, Hashable: hash}
	switch sb.SortbyNulls {
	case pg_query.SortByNulls_SORTBY_NULLS_FIRST:
		c.NullsFirst = true
	case pg_query.SortByNulls_SORTBY_NULLS_LAST:
	default:
		c.NullsFirst = desc
	}
	return append(list, c)
}

// addGroup appends a grouping item unless it is there.
func (ps *pstate) addGroup(t *query.TargetEntry, list []query.SortGroupClause, ts []*query.TargetEntry, loc int) []query.SortGroupClause {
	ps.textTarget(t)
	if inClause(t, list) {
		return list
	}
	lt, eq, _, hash := ps.needSortOperators(typeOf(t.Expr), false, true, false, loc)
	return append(list, query.SortGroupClause{Ref: assignRef(t, ts), EqOp: eq, SortOp: lt, Hashable: hash})
}

// groupNode is a parsed GROUP BY item while grouping sets are built.
type groupNode struct {
	kind query.GroupingKind
	refs []int
	sub  []*groupNode
}

// groupClause analyses GROUP BY. sets is nil without GROUPING SETS and their kin.
func (ps *pstate) groupClause(list []*pg_query.Node, sort []query.SortGroupClause, ts *[]*query.TargetEntry, k exprKind, sql99 bool) (out []query.SortGroupClause, sets []*groupNode) {
	// flatten parentheses and nested sets
	var flat func(list []*pg_query.Node, top bool) []*pg_query.Node
	hasSets := false
	flat = func(list []*pg_query.Node, top bool) []*pg_query.Node {
		var r []*pg_query.Node
		for _, n := range list {
			if row := n.GetRowExpr(); row != nil && row.RowFormat == pg_query.CoercionForm_COERCE_IMPLICIT_CAST {
				r = append(r, flat(row.Args, top)...)
				continue
			}
			if gs := n.GetGroupingSet(); gs != nil {
				hasSets = true
			}
			r = append(r, n)
		}
		return r
	}
	list = flat(list, true)
	item := func(n *pg_query.Node) int {
		t := ps.findTarget(n, ts, k, sql99)
		if !inClause(t, out) {
			// reuse ORDER BY's choice of operators where it sorts by the same thing
			for _, s := range sort {
				if t.SortGroupRef != 0 && s.Ref == t.SortGroupRef {
					out = append(out, s)
					return t.SortGroupRef
				}
			}
			out = ps.addGroup(t, out, *ts, rawLoc(n))
		}
		return t.SortGroupRef
	}
	if !hasSets {
		for _, n := range list {
			item(n)
		}
		return out, nil
	}
	simple := func(n *pg_query.Node) *groupNode {
		g := &groupNode{kind: query.GroupingSimple}
		if row := n.GetRowExpr(); row != nil && row.RowFormat == pg_query.CoercionForm_COERCE_IMPLICIT_CAST {
			for _, a := range flat(row.Args, false) {
				g.refs = append(g.refs, item(a))
			}
			return g
		}
		g.refs = []int{item(n)}
		return g
	}
	var set func(gs *pg_query.GroupingSet, top bool) *groupNode
	set = func(gs *pg_query.GroupingSet, top bool) *groupNode {
		g := &groupNode{}
		switch gs.Kind {
		case pg_query.GroupingSetKind_GROUPING_SET_EMPTY:
			g.kind = query.GroupingEmpty
			return g
		case pg_query.GroupingSetKind_GROUPING_SET_ROLLUP:
			g.kind = query.GroupingRollup
		case pg_query.GroupingSetKind_GROUPING_SET_CUBE:
			g.kind = query.GroupingCube
		case pg_query.GroupingSetKind_GROUPING_SET_SETS:
			g.kind = query.GroupingSets
		}
		for _, n := range gs.Content {
			if s := n.GetGroupingSet(); s != nil {
				x := set(s, false)
				if g.kind == query.GroupingSets && x.kind == query.GroupingSets {
					g.sub = append(g.sub, x.sub...)
					continue
				}
				g.sub = append(g.sub, x)
				continue
			}
			g.sub = append(g.sub, simple(n))
		}
		if g.kind == query.GroupingCube && len(g.sub) > 12 {
			ps.failAt(int(gs.Location), pgerror.TooManyColumns, "CUBE is limited to 12 elements")
		}
		return g
	}
	for _, n := range list {
		if gs := n.GetGroupingSet(); gs != nil {
			if gs.Kind == pg_query.GroupingSetKind_GROUPING_SET_EMPTY {
				continue // adds nothing to the others; alone it is put back below
			}
			sets = append(sets, set(gs, true))
			continue
		}
		sets = append(sets, simple(n))
	}
	if len(sets) == 0 {
		sets = []*groupNode{{kind: query.GroupingEmpty}}
	}
	return out, sets
}

// expand lists the grouping sets of a node.
func (g *groupNode) expand() [][]int {
	switch g.kind {
	case query.GroupingEmpty:
		return [][]int{{}}
	case query.GroupingSimple:
		return [][]int{g.refs}
	case query.GroupingRollup:
		var out [][]int
		for n := len(g.sub); n >= 0; n-- {
			var s []int
			for _, x := range g.sub[:n] {
				s = append(s, x.refs...)
			}
			out = append(out, s)
		}
		return out
	case query.GroupingCube:
		var out [][]int
		for m := 1<<len(g.sub) - 1; m >= 0; m-- {
			var s []int
			for i, x := range g.sub {
				// the first elements vary slowest
				if m&(1<<(len(g.sub)-1-i)) != 0 {
					s = append(s, x.refs...)
				}
			}
			out = append(out, s)
		}
		return out
	}
	var out [][]int
	for _, x := range g.sub {
		out = append(out, x.expand()...)
	}
	return out
}

// groupingSetsMax bounds the cross product of GROUP BY's items.
const groupingSetsMax = 4096

// expandGroupingSets multiplies the items out.
func (ps *pstate) expandGroupingSets(nodes []*groupNode, distinct bool) []query.GroupingSet {
	sets := [][]int{{}}
	for _, n := range nodes {
		x := n.expand()
		if len(sets)*len(x) > groupingSetsMax {
			ps.failAt(-1, pgerror.StatementTooComplex, "too many grouping sets present (maximum %d)", groupingSetsMax)
		}
		var next [][]int
		for _, s := range sets {
			for _, y := range x {
				next = append(next, append(append([]int(nil), s...), y...))
			}
		}
		sets = next
	}
	var out []query.GroupingSet
	seen := map[string]bool{}
	for _, s := range sets {
		var g query.GroupingSet
		has := map[int]bool{}
		for _, r := range s {
			if !has[r] {
				has[r] = true
				g = append(g, r)
			}
		}
		if distinct {
			key := groupingKey(has)
			if seen[key] {
				continue
			}
			seen[key] = true
		}
		if g == nil {
			g = query.GroupingSet{}
		}
		out = append(out, g)
	}
	return out
}

func groupingKey(has map[int]bool) string {
	m := 0
	for r := range has {
		m = max(m, r)
	}
	var b strings.Builder
	for i := 0; i <= m; i++ {
		if has[i] {
			b.WriteByte('1')
		} else {
			b.WriteByte('0')
		}
	}
	return strings.TrimRight(b.String(), "0")
}

func groupingTree(nodes []*groupNode) []*query.GroupingNode {
	var out []*query.GroupingNode
	for _, n := range nodes {
		out = append(out, &query.GroupingNode{Kind: n.kind, Refs: n.refs, Sub: groupingTree(n.sub)})
	}
	return out
}

// distinctClause is plain DISTINCT: all output columns, those of ORDER BY first.
func (ps *pstate) distinctClause(ts *[]*query.TargetEntry, sort []query.SortGroupClause, isAgg bool) []query.SortGroupClause {
	var out []query.SortGroupClause
	for _, s := range sort {
		t := targetByRef(*ts, s.Ref)
		if t.Junk {
			if isAgg {
				ps.failAt(exprLoc(t.Expr), pgerror.InvalidColumnReference, "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list")
			}
			ps.failAt(exprLoc(t.Expr), pgerror.InvalidColumnReference, "for SELECT DISTINCT, ORDER BY expressions must appear in select list")
		}
		out = append(out, s)
	}
	for _, t := range *ts {
		if t.Junk {
			continue
		}
		out = ps.addGroup(t, out, *ts, exprLoc(t.Expr))
	}
	if len(out) == 0 {
		m := "SELECT DISTINCT must have at least one column"
		if isAgg {
			m = "an aggregate with DISTINCT must have at least one argument"
		}
		fail(pgerror.New(pgerror.SyntaxError, "%s", m))
	}
	return out
}

// distinctOn is DISTINCT ON (…).
func (ps *pstate) distinctOn(list []*pg_query.Node, ts *[]*query.TargetEntry, sort []query.SortGroupClause) []query.SortGroupClause {
	var refs []int
	for _, n := range list {
		t := ps.findTarget92(n, ts, kindDistinctOn)
		refs = append(refs, assignRef(t, *ts))
	}
	has := func(r int) bool {
		for _, x := range refs {
			if x == r {
				return true
			}
		}
		return false
	}
	var out []query.SortGroupClause
	skipped := false
	for _, s := range sort {
		if !has(s.Ref) {
			skipped = true
			continue
		}
		if skipped {
			ps.failAt(exprLoc(targetByRef(*ts, s.Ref).Expr), pgerror.InvalidColumnReference, "SELECT DISTINCT ON expressions must match initial ORDER BY expressions")
		}
		out = append(out, s)
	}
	for i, r := range refs {
		t := targetByRef(*ts, r)
		if inClause(t, out) {
			continue
		}
		if skipped {
			ps.failAt(rawLoc(list[i]), pgerror.InvalidColumnReference, "SELECT DISTINCT ON expressions must match initial ORDER BY expressions")
		}
		out = ps.addGroup(t, out, *ts, rawLoc(list[i]))
	}
	return out
}

func targetByRef(ts []*query.TargetEntry, ref int) *query.TargetEntry {
	for _, t := range ts {
		if t.SortGroupRef == ref && ref != 0 {
			return t
		}
	}
	fail(pgerror.Internal("no target entry with reference %d", ref))
	return nil
}
