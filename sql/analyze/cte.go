package analyze

import (
	"slices"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// cteState is a WITH item while its level is analysed.
type cteState struct {
	cte  *query.CommonTableExpr
	node *pg_query.CommonTableExpr
	done bool // its query is analysed
	// recursive: it may refer to itself; recursiveTerm: the right side of its UNION is being analysed.
	recursive, recursiveTerm bool
	modifying                bool
}

// findCTE finds a WITH item by name, and how many levels up.
func (ps *pstate) findCTE(name string) (*cteState, int) {
	up := 0
	for p := ps; p != nil; p, up = p.parent, up+1 {
		for _, c := range p.ctes {
			if c.cte.Name == name {
				return c, up
			}
		}
	}
	return nil, 0
}

// findCTEAt finds a WITH item at a known level.
func (ps *pstate) findCTEAt(name string, up int) (*cteState, int) {
	p := ps
	for ; up > 0 && p != nil; up-- {
		p = p.parent
	}
	if p == nil {
		return nil, 0
	}
	for _, c := range p.ctes {
		if c.cte.Name == name {
			return c, 0
		}
	}
	return nil, 0
}

// withClause analyses WITH.
func (ps *pstate) withClause(w *pg_query.WithClause) {
	if w == nil {
		return
	}
	var nodes []*pg_query.CommonTableExpr
	for _, n := range w.Ctes {
		c := n.GetCommonTableExpr()
		for _, o := range nodes {
			if o.Ctename == c.Ctename {
				ps.failAt(int(c.Location), pgerror.DuplicateAlias, "WITH query name \"%s\" specified more than once", c.Ctename)
			}
		}
		if sel := c.Ctequery.GetSelectStmt(); sel == nil && ps.parent != nil {
			ps.failAt(int(c.Location), pgerror.FeatureNotSupported, "WITH clause containing a data-modifying statement must be at the top level")
		} else if sel == nil {
			ps.q.HasModifyingCTE = true
		}
		nodes = append(nodes, c)
	}
	ps.q.Recursive = w.Recursive
	mk := func(c *pg_query.CommonTableExpr) *cteState {
		m := query.CTEDefault
		switch c.Ctematerialized {
		case pg_query.CTEMaterialize_CTEMaterializeAlways:
			m = query.CTEAlways
		case pg_query.CTEMaterialize_CTEMaterializeNever:
			m = query.CTENever
		}
		return &cteState{cte: &query.CommonTableExpr{Name: c.Ctename, Materialized: m}, node: c}
	}
	if !w.Recursive {
		ps.future = nodes
		for i, c := range nodes {
			st := mk(c)
			ps.future = nodes[i:]
			ps.analyzeCTE(st)
			ps.ctes = append(ps.ctes, st)
			ps.future = nodes[i+1:]
		}
		ps.future = nil
		for _, st := range ps.ctes {
			ps.q.CTEs = append(ps.q.CTEs, st.cte)
		}
		return
	}
	// order the items so that each comes after those it refers to; only self-reference may be a cycle
	deps := make([]map[int]bool, len(nodes))
	selfRef := make([]bool, len(nodes))
	for i, c := range nodes {
		deps[i] = map[int]bool{}
		refs := map[string]bool{}
		collectNames(c.Ctequery, refs, nil)
		for j, o := range nodes {
			if refs[o.Ctename] {
				if i == j {
					selfRef[i] = true
				} else {
					deps[i][j] = true
				}
			}
		}
	}
	var order []int
	placed := make([]bool, len(nodes))
	for len(order) < len(nodes) {
		next := -1
		for i := range nodes {
			if placed[i] {
				continue
			}
			ready := true
			for j := range deps[i] {
				ready = ready && placed[j]
			}
			if ready {
				next = i
				break
			}
		}
		if next < 0 {
			for i := range nodes {
				if !placed[i] {
					ps.failAt(int(nodes[i].Location), pgerror.FeatureNotSupported, "mutual recursion between WITH items is not implemented")
				}
			}
		}
		placed[next] = true
		order = append(order, next)
	}
	states := make([]*cteState, len(nodes))
	for i, c := range nodes {
		states[i] = mk(c)
		states[i].recursive = selfRef[i]
		states[i].cte.Recursive = selfRef[i]
	}
	for _, i := range order {
		ps.ctes = append(ps.ctes, states[i])
		if selfRef[i] {
			ps.checkWellFormed(states[i])
		}
		ps.analyzeCTE(states[i])
	}
	for _, i := range order {
		ps.q.CTEs = append(ps.q.CTEs, states[i].cte)
	}
}

// collectNames gathers the unqualified table names a query refers to and that inner WITH items do not hide.
func collectNames(n *pg_query.Node, out map[string]bool, hidden []string) {
	walkRaw(n, func(x *pg_query.Node, hid []string) {
		if rv := x.GetRangeVar(); rv != nil && rv.Schemaname == "" && !slices.Contains(hid, rv.Relname) {
			out[rv.Relname] = true
		}
	}, hidden)
}

// checkWellFormed checks the shape of a recursive WITH item before analysis.
func (ps *pstate) checkWellFormed(st *cteState) {
	name, loc := st.cte.Name, int(st.node.Location)
	s := st.node.Ctequery.GetSelectStmt()
	if s == nil {
		ps.failAt(loc, pgerror.InvalidRecursion, "recursive query \"%s\" must not contain data-modifying statements", name)
	}
	if s.Op != pg_query.SetOperation_SETOP_UNION {
		ps.failAt(loc, pgerror.InvalidRecursion, "recursive query \"%s\" does not have the form non-recursive-term UNION [ALL] recursive-term", name)
	}
	if s.WithClause != nil {
		for _, c := range s.WithClause.Ctes {
			refs := map[string]bool{}
			collectNames(c.GetCommonTableExpr().Ctequery, refs, nil)
			if refs[name] {
				ps.failAt(int(firstRef(c, name)), pgerror.InvalidRecursion, "recursive reference to query \"%s\" must not appear within a subquery", name)
			}
		}
	}
	lrefs := map[string]bool{}
	left := &pg_query.Node{Node: &pg_query.Node_SelectStmt{SelectStmt: s.Larg}}
	collectNames(left, lrefs, nil)
	if lrefs[name] {
		ps.failAt(firstRef(left, name), pgerror.InvalidRecursion, "recursive reference to query \"%s\" must not appear within its non-recursive term", name)
	}
	right := &pg_query.Node{Node: &pg_query.Node_SelectStmt{SelectStmt: s.Rarg}}
	rrefs := map[string]bool{}
	collectNames(right, rrefs, nil)
	if !rrefs[name] {
		ps.failAt(loc, pgerror.InvalidRecursion, "recursive query \"%s\" does not have the form non-recursive-term UNION [ALL] recursive-term", name)
	}
	// the recursive term refers to it once, at its top level, on no nullable side
	rc := &recursionCheck{ps: ps, name: name}
	rc.selectStmt(s.Rarg, recNone)
	if rc.count > 1 {
		ps.failAt(rc.second, pgerror.InvalidRecursion, "recursive reference to query \"%s\" must not appear more than once", name)
	}
	if len(s.SortClause) > 0 {
		ps.failAt(rawLoc(s.SortClause[0]), pgerror.FeatureNotSupported, "ORDER BY in a recursive query is not implemented")
	}
	if s.LimitOffset != nil {
		ps.failAt(rawLoc(s.LimitOffset), pgerror.FeatureNotSupported, "OFFSET in a recursive query is not implemented")
	}
	if s.LimitCount != nil {
		ps.failAt(rawLoc(s.LimitCount), pgerror.FeatureNotSupported, "LIMIT in a recursive query is not implemented")
	}
	if len(s.LockingClause) > 0 {
		fail(pgerror.New(pgerror.FeatureNotSupported, "FOR UPDATE/SHARE in a recursive query is not implemented"))
	}
}

// firstRef is the position of the first reference to a name.
func firstRef(n *pg_query.Node, name string) int {
	loc := -1
	walkRaw(n, func(x *pg_query.Node, hid []string) {
		if rv := x.GetRangeVar(); rv != nil && rv.Schemaname == "" && rv.Relname == name && loc < 0 {
			loc = int(rv.Location)
		}
	}, nil)
	return loc
}

// recursion contexts, and what they are called in errors.
type recContext uint8

const (
	recNone recContext = iota
	recSublink
	recOuter
	recIntersect
	recExcept
)

var recMessages = map[recContext]string{
	recSublink:   "recursive reference to query \"%s\" must not appear within a subquery",
	recOuter:     "recursive reference to query \"%s\" must not appear within an outer join",
	recIntersect: "recursive reference to query \"%s\" must not appear within INTERSECT",
	recExcept:    "recursive reference to query \"%s\" must not appear within EXCEPT",
}

type recursionCheck struct {
	ps     *pstate
	name   string
	count  int
	second int
}

func (r *recursionCheck) ref(loc int, c recContext) {
	if m, bad := recMessages[c]; bad {
		r.ps.failAt(loc, pgerror.InvalidRecursion, m, r.name)
	}
	if r.count++; r.count == 2 {
		r.second = loc
	}
}

func (r *recursionCheck) selectStmt(s *pg_query.SelectStmt, c recContext) {
	if s == nil {
		return
	}
	if w := s.WithClause; w != nil {
		// Items may refer to the recursive query, as long as none takes its name away.
		named := func(n *pg_query.Node) bool { return n.GetCommonTableExpr().Ctename == r.name }
		if w.Recursive && slices.ContainsFunc(w.Ctes, named) {
			return
		}
		for _, n := range w.Ctes {
			if sel := n.GetCommonTableExpr().Ctequery.GetSelectStmt(); sel != nil {
				r.selectStmt(sel, c)
			} else {
				r.within(n.GetCommonTableExpr().Ctequery, recSublink)
			}
			if named(n) {
				return
			}
		}
	}
	switch s.Op {
	case pg_query.SetOperation_SETOP_UNION:
		r.selectStmt(s.Larg, c)
		r.selectStmt(s.Rarg, c)
	case pg_query.SetOperation_SETOP_INTERSECT:
		k := c
		if s.All {
			k = recIntersect
		}
		r.selectStmt(s.Larg, k)
		r.selectStmt(s.Rarg, k)
	case pg_query.SetOperation_SETOP_EXCEPT:
		k := c
		if s.All {
			k = recExcept
		}
		r.selectStmt(s.Larg, k)
		r.selectStmt(s.Rarg, recExcept)
	}
	for _, f := range s.FromClause {
		r.from(f, c)
	}
	for _, list := range [][]*pg_query.Node{s.TargetList, s.GroupClause, s.SortClause, s.WindowClause, s.ValuesLists, s.DistinctClause, {s.WhereClause, s.HavingClause, s.LimitCount, s.LimitOffset}} {
		for _, n := range list {
			r.within(n, recSublink)
		}
	}
}

// within refuses any reference below n.
func (r *recursionCheck) within(n *pg_query.Node, c recContext) {
	if loc := -1; n != nil {
		found := false
		walkRaw(n, func(x *pg_query.Node, hid []string) {
			if rv := x.GetRangeVar(); rv != nil && rv.Schemaname == "" && rv.Relname == r.name && !slices.Contains(hid, r.name) && !found {
				found, loc = true, int(rv.Location)
			}
		}, nil)
		if found {
			r.ref(loc, c)
		}
	}
}

func (r *recursionCheck) from(n *pg_query.Node, c recContext) {
	switch x := n.GetNode().(type) {
	case *pg_query.Node_RangeVar:
		if x.RangeVar.Schemaname == "" && x.RangeVar.Relname == r.name {
			r.ref(int(x.RangeVar.Location), c)
		}
	case *pg_query.Node_RangeSubselect:
		r.selectStmt(x.RangeSubselect.Subquery.GetSelectStmt(), c)
	case *pg_query.Node_RangeTableSample:
		r.from(x.RangeTableSample.Relation, c)
	case *pg_query.Node_JoinExpr:
		l, rt := c, c
		if c == recNone {
			switch x.JoinExpr.Jointype {
			case pg_query.JoinType_JOIN_LEFT:
				rt = recOuter
			case pg_query.JoinType_JOIN_RIGHT:
				l = recOuter
			case pg_query.JoinType_JOIN_FULL:
				l, rt = recOuter, recOuter
			}
		}
		r.from(x.JoinExpr.Larg, l)
		r.from(x.JoinExpr.Rarg, rt)
		r.within(x.JoinExpr.Quals, recSublink)
	default:
		r.within(n, recSublink)
	}
}

// analyzeCTE analyses one item's query.
func (ps *pstate) analyzeCTE(st *cteState) {
	n := st.node
	var q *query.Query
	if n.CycleClause != nil {
		ps.cycleTypes(st)
	}
	c := ps.child()
	c.parentCTE = st
	switch x := n.Ctequery.GetNode().(type) {
	case *pg_query.Node_SelectStmt:
		sel := x.SelectStmt
		if st.recursive {
			q = c.selectStmt(sel)
		} else {
			c.parentCTE = nil
			q = c.selectStmt(sel)
		}
	case *pg_query.Node_InsertStmt:
		c.parentCTE, st.modifying = nil, true
		q = c.insertStmt(x.InsertStmt)
	case *pg_query.Node_UpdateStmt:
		c.parentCTE, st.modifying = nil, true
		q = c.updateStmt(x.UpdateStmt)
	case *pg_query.Node_DeleteStmt:
		c.parentCTE, st.modifying = nil, true
		q = c.deleteStmt(x.DeleteStmt)
	case *pg_query.Node_MergeStmt:
		fail(ps.errAt(int(n.Location), pgerror.FeatureNotSupported, "MERGE not supported in WITH query"))
	default:
		fail(pgerror.Internal("unexpected statement in WITH"))
	}
	st.recursiveTerm = false
	cte := st.cte
	cte.Query = q
	if !st.recursive {
		ps.cteColumns(st, outputTargets(q))
	} else {
		// the recursive result must have the types of its first term
		for i, t := range q.SetOperations.ColTypes {
			if t != cte.ColTypes[i] {
				e := ps.errAt(-1, pgerror.DatatypeMismatch, "recursive query \"%s\" column %d has type %s in non-recursive term but type %s overall", cte.Name, i+1, ps.formatT(cte.ColTypes[i]), ps.formatT(t))
				loc := -1
				if lt := visibleTarget(ps.leafQuery(q), i+1); lt != nil {
					loc = exprLoc(lt.Expr)
				}
				fail(e.WithPosition(ps.at(loc)).WithHint("Cast the output of the non-recursive term to the correct type."))
			}
			if coll := q.SetOperations.ColCollations[i]; coll != cte.ColCollations[i] {
				loc := -1
				if lt := visibleTarget(ps.leafQuery(q), i+1); lt != nil {
					loc = exprLoc(lt.Expr)
				}
				fail(ps.errAt(loc, pgerror.CollationMismatch, "recursive query \"%s\" column %d has collation \"%s\" in non-recursive term but collation \"%s\" overall",
					cte.Name, i+1, ps.collName(cte.ColCollations[i]), ps.collName(coll)).WithHint("Use the COLLATE clause to set the collation of the non-recursive term."))
			}
		}
	}
	st.done = true
	if n.SearchClause != nil || n.CycleClause != nil {
		ps.searchCycle(st)
	}
}

func (a *analyzer) collName(c types.OID) string {
	if x := a.cat.Collation(c); x != nil {
		return x.Name
	}
	return ""
}

func (ps *pstate) leafQuery(q *query.Query) *query.Query {
	return q.RTable[ps.leftmost(q.SetOperations)-1].Subquery
}

// outputTargets lists the columns a query gives.
func outputTargets(q *query.Query) []*query.TargetEntry {
	ts := q.TargetList
	if q.Command != query.CmdSelect {
		ts = q.Returning
	}
	var out []*query.TargetEntry
	for _, t := range ts {
		if !t.Junk {
			out = append(out, t)
		}
	}
	return out
}

// cteColumns sets the item's columns from its output.
func (ps *pstate) cteColumns(st *cteState, ts []*query.TargetEntry) {
	c := st.cte
	c.ColNames = nodeStrings(st.node.Aliascolnames)
	for i, t := range ts {
		if i >= len(c.ColNames) {
			c.ColNames = append(c.ColNames, t.Name)
		}
		typ, coll := t.Expr.Type(), t.Expr.Collation()
		if typ.OID == types.Unknown {
			typ, coll = types.Of(types.Text), 100
		}
		c.ColTypes = append(c.ColTypes, typ)
		c.ColCollations = append(c.ColCollations, coll)
	}
	if n := len(st.node.Aliascolnames); n > len(ts) {
		ps.failAt(int(st.node.Location), pgerror.InvalidColumnReference, "WITH query \"%s\" has %d columns available but %d columns specified", c.Name, len(ts), n)
	}
}

// recursiveColumns gives a recursive item the columns of its first term.
func (ps *pstate) recursiveColumns(ts []*query.TargetEntry, left query.SetOperationArg) {
	st := ps.parentCTE
	for i, t := range ts {
		if typeOf(t.Expr) == types.Unknown {
			t.Expr = ps.coerceType(t.Expr, types.Text, -1, ctxImplicit, query.CoerceImplicitCast, -1)
			ps.syncLeaf(left, i, t.Expr)
		}
	}
	st.cte.ColNames, st.cte.ColTypes, st.cte.ColCollations = nil, nil, nil
	ps.cteColumns(st, ts)
}

// addCTE adds a reference to a WITH item.
func (ps *pstate) addCTE(c *cteState, up int, rv *pg_query.RangeVar) *nsItem {
	cte := c.cte
	r := &query.RangeTblEntry{Kind: query.RTECTE, CTEName: cte.Name, CTELevelsUp: up, SelfReference: !c.done}
	if c.done && c.modifying && len(cte.Query.Returning) == 0 {
		ps.failAt(int(rv.Location), pgerror.FeatureNotSupported, "WITH query \"%s\" does not have a RETURNING clause", cte.Name)
	}
	if r.SelfReference && !c.recursive {
		fail(pgerror.Internal("WITH item %s referred to before it is analysed", cte.Name))
	}
	cte.RefCount++
	r.ERefColumns = slices.Clone(cte.ColNames)
	r.ColTypes = slices.Clone(cte.ColTypes)
	r.ColCollations = slices.Clone(cte.ColCollations)
	ps.setAlias(r, rv.Alias, cte.Name, func(have int) {
		fail(pgerror.New(pgerror.InvalidColumnReference, "table \"%s\" has %d columns available but %d columns specified", rv.Alias.Aliasname, have, len(rv.Alias.Colnames)))
	})
	added := addSearchCycle(c, r)
	it := ps.addRTE(r)
	if up > 0 {
		// * below the item's own level leaves the columns of SEARCH and CYCLE out
		for i := len(it.cols) - added; i < len(it.cols); i++ {
			it.cols[i].hidden = true
		}
	}
	return it
}

// collectCTEs is called when a level is done.
func (ps *pstate) collectCTEs() {}
