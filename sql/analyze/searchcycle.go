package analyze

import (
	"slices"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// cycleTypes analyses CYCLE's mark values before the item's query, which may refer to the mark.
func (ps *pstate) cycleTypes(c *cteState) {
	n := c.node.CycleClause
	out := &query.CycleClause{Columns: nodeStrings(n.CycleColList), MarkColumn: n.CycleMarkColumn, PathColumn: n.CyclePathColumn}
	ps.withKind(kindCycleMark, func() {
		out.MarkValue, out.MarkDefault = ps.expr(n.CycleMarkValue, kindCycleMark), ps.expr(n.CycleMarkDefault, kindCycleMark)
	})
	both := []query.Expr{out.MarkValue, out.MarkDefault}
	t := ps.commonType(both, "CYCLE")
	out.MarkValue = ps.coerceCommon(out.MarkValue, t, "CYCLE/SET/TO")
	out.MarkDefault = ps.coerceCommon(out.MarkDefault, t, "CYCLE/SET/DEFAULT")
	both = []query.Expr{out.MarkValue, out.MarkDefault}
	ps.assignCollation(out.MarkValue)
	ps.assignCollation(out.MarkDefault)
	out.MarkType = ps.tOf(t, commonMod(both, t))
	out.MarkCollation = ps.commonCollation(both)
	lt, eq, _, hash := ps.sortOperators(t)
	if eq == 0 {
		fail(pgerror.New(pgerror.UndefinedFunction, "could not identify an equality operator for type %s", ps.format(t)))
	}
	out.MarkGroup = query.SortGroupClause{EqOp: eq, SortOp: lt, Hashable: hash}
	if o := ps.cat.Operator(eq); o != nil {
		out.MarkNotEqual = o.Negator
	}
	if out.MarkNotEqual == 0 {
		fail(pgerror.New(pgerror.UndefinedFunction, "could not identify an inequality operator for type %s", ps.format(t)))
	}
	c.cte.Cycle = out
}

// searchCycle checks SEARCH and CYCLE once the item's columns are known. The
// item's query stays as written: the rewriter adds the columns.
func (ps *pstate) searchCycle(c *cteState) {
	cte, s, y := c.cte, c.node.SearchClause, c.node.CycleClause
	if !c.recursive {
		ps.failAt(int(c.node.Location), pgerror.SyntaxError, "WITH query is not recursive")
	}
	if cte.Query.SetOperations.Left.Op != nil {
		fail(pgerror.New(pgerror.FeatureNotSupported, "with a SEARCH or CYCLE clause, the left side of the UNION must be a SELECT"))
	}
	if cte.Query.SetOperations.Right.Op != nil {
		fail(pgerror.New(pgerror.SyntaxError, "with a SEARCH or CYCLE clause, the right side of the UNION must be a SELECT"))
	}
	has := func(name string) bool { return slices.Contains(cte.ColNames, name) }
	columns := func(list []*pg_query.Node, what string, loc int) []string {
		names := nodeStrings(list)
		for i, n := range names {
			if !has(n) {
				ps.failAt(loc, pgerror.SyntaxError, "%s column \"%s\" not in WITH query column list", what, n)
			}
			if slices.Contains(names[:i], n) {
				ps.failAt(loc, pgerror.DuplicateColumn, "%s column \"%s\" specified more than once", what, n)
			}
		}
		return names
	}
	if s != nil {
		loc := int(s.Location)
		names := columns(s.SearchColList, "search", loc)
		if has(s.SearchSeqColumn) {
			ps.failAt(loc, pgerror.SyntaxError, "search sequence column name \"%s\" already used in WITH query column list", s.SearchSeqColumn)
		}
		cte.Search = &query.SearchClause{BreadthFirst: s.SearchBreadthFirst, Columns: names, SeqColumn: s.SearchSeqColumn}
	}
	if y != nil {
		loc := int(y.Location)
		columns(y.CycleColList, "cycle", loc)
		if has(y.CycleMarkColumn) {
			ps.failAt(loc, pgerror.SyntaxError, "cycle mark column name \"%s\" already used in WITH query column list", y.CycleMarkColumn)
		}
		if has(y.CyclePathColumn) {
			ps.failAt(loc, pgerror.SyntaxError, "cycle path column name \"%s\" already used in WITH query column list", y.CyclePathColumn)
		}
		if y.CycleMarkColumn == y.CyclePathColumn {
			ps.failAt(loc, pgerror.SyntaxError, "cycle mark column name and cycle path column name are the same")
		}
	}
	if s != nil && y != nil {
		if s.SearchSeqColumn == y.CycleMarkColumn {
			ps.failAt(int(s.Location), pgerror.SyntaxError, "search sequence column name and cycle mark column name are the same")
		}
		if s.SearchSeqColumn == y.CyclePathColumn {
			ps.failAt(int(s.Location), pgerror.SyntaxError, "search sequence column name and cycle path column name are the same")
		}
	}
}

// addSearchCycle appends the columns SEARCH and CYCLE give to a reference to the
// item; it returns how many.
func addSearchCycle(c *cteState, r *query.RangeTblEntry) int {
	n := 0
	add := func(name string, t types.T, coll types.OID) {
		r.ERefColumns, r.ColTypes, r.ColCollations = append(r.ERefColumns, name), append(r.ColTypes, t), append(r.ColCollations, coll)
		n++
	}
	if s := c.node.SearchClause; s != nil {
		t := types.Of(types.RecordArray)
		if s.SearchBreadthFirst {
			t = types.Of(types.RecordOID)
		}
		add(s.SearchSeqColumn, t, 0)
	}
	if y := c.cte.Cycle; y != nil {
		add(y.MarkColumn, y.MarkType, y.MarkCollation)
		add(y.PathColumn, types.Of(types.RecordArray), 0)
	}
	return n
}
