package analyze

import (
	"slices"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// selectStmt analyses any SELECT: plain, VALUES or a set operation.
func (ps *pstate) selectStmt(s *pg_query.SelectStmt) *query.Query {
	ps.enter()
	defer ps.leave()
	if s.IntoClause != nil && ps.parent != nil {
		ps.failAt(int(s.IntoClause.GetRel().GetLocation()), pgerror.SyntaxError, "SELECT ... INTO is not allowed here")
	}
	switch {
	case len(s.ValuesLists) > 0:
		return ps.valuesClause(s)
	case s.Op == pg_query.SetOperation_SETOP_NONE || s.Op == 0:
		return ps.plainSelect(s)
	}
	return ps.setOperation(s)
}

// plainSelect analyses SELECT … FROM … WHERE …
func (ps *pstate) plainSelect(s *pg_query.SelectStmt) *query.Query {
	q := ps.q
	q.Command = query.CmdSelect
	ps.withClause(s.WithClause)
	ps.locking = locks(s)
	for _, w := range s.WindowClause {
		ps.windowDefs = append(ps.windowDefs, w.GetWindowDef())
	}
	ps.fromClause(s.FromClause)
	ts := ps.targetList(s.TargetList, kindSelectTarget)
	ps.markOrigins(ts)
	where := ps.whereClause(s.WhereClause, kindWhere, "WHERE")
	q.Having = ps.whereClause(s.HavingClause, kindHaving, "HAVING")
	q.SortClause = ps.sortClause(s.SortClause, &ts, kindOrderBy, false)
	var sets []*groupNode
	q.GroupClause, sets = ps.groupClause(s.GroupClause, q.SortClause, &ts, kindGroupBy, false)
	q.GroupDistinct = s.GroupDistinct
	if sets != nil {
		q.HasGroupingSets = true
		q.GroupingSets = ps.expandGroupingSets(sets, s.GroupDistinct)
		q.GroupingTree = groupingTree(sets)
	}
	switch {
	case len(s.DistinctClause) == 0:
	case s.DistinctClause[0].GetNode() == nil:
		q.DistinctClause = ps.distinctClause(&ts, q.SortClause, false)
	default:
		q.DistinctClause = ps.distinctOn(s.DistinctClause, &ts, q.SortClause)
		q.HasDistinctOn = true
	}
	ps.limits(s)
	q.WindowClause = ps.windowDefinitions(&ts)
	if ps.resolveUnknowns {
		ps.resolveUnknownTargets(ts)
	}
	q.TargetList = ts
	q.JoinTree = &query.FromExpr{Items: ps.joinItems, Quals: where}
	if len(s.GroupClause) > 0 && q.GroupClause == nil && sets == nil {
		q.GroupingSets = nil
	}
	for _, l := range ps.locking {
		ps.lockingClause(l, false)
	}
	if len(ts) > targetEntriesMax {
		fail(pgerror.New(pgerror.ProgramLimitExceeded, "target lists can have at most %d entries", targetEntriesMax))
	}
	ps.finish()
	if q.HasAggs || len(q.GroupClause) > 0 || q.HasGroupingSets || q.Having != nil {
		ps.checkAggregates()
	}
	return q
}

// limits analyses LIMIT and OFFSET.
func (ps *pstate) limits(s *pg_query.SelectStmt) {
	q := ps.q
	q.LimitOffset = ps.limitClause(s.LimitOffset, kindOffset, "OFFSET", false)
	q.WithTies = s.LimitOption == pg_query.LimitOption_LIMIT_OPTION_WITH_TIES
	q.LimitCount = ps.limitClause(s.LimitCount, kindLimit, "LIMIT", q.WithTies)
}

// locks lists the FOR UPDATE clauses.
func locks(s *pg_query.SelectStmt) []*pg_query.LockingClause {
	var out []*pg_query.LockingClause
	for _, n := range s.LockingClause {
		out = append(out, n.GetLockingClause())
	}
	return out
}

// finish assigns collations to the whole query.
func (ps *pstate) finish() {
	ps.assignQueryCollations(ps.q)
	ps.collectCTEs()
}

// valuesClause is VALUES as a query of its own.
func (ps *pstate) valuesClause(s *pg_query.SelectStmt) *query.Query {
	q := ps.q
	q.Command = query.CmdSelect
	ps.withClause(s.WithClause)
	rows := make([][]query.Expr, 0, len(s.ValuesLists))
	width := -1
	for _, n := range s.ValuesLists {
		items := n.GetList().Items
		row := ps.exprList(items, kindValues, false)
		if width < 0 {
			width = len(row)
		} else if len(row) != width {
			ps.failAt(exprsLoc(row), pgerror.SyntaxError, "VALUES lists must all be the same length")
		}
		rows = append(rows, row)
	}
	r := &query.RangeTblEntry{Kind: query.RTEValues, ERefName: "*VALUES*"}
	for c := 0; c < width; c++ {
		col := make([]query.Expr, len(rows))
		for i := range rows {
			col[i] = rows[i][c]
		}
		t := ps.commonType(col, "VALUES")
		for i := range rows {
			col[i] = ps.coerceCommon(col[i], t, "VALUES")
			rows[i][c] = col[i]
		}
		coll := ps.commonCollation(col)
		r.ERefColumns = append(r.ERefColumns, "column"+rowFieldName(c)[1:])
		r.ColTypes = append(r.ColTypes, ps.tOf(t, commonMod(col, t)))
		r.ColCollations = append(r.ColCollations, coll)
	}
	r.ValuesLists = rows
	ps.lateralValues(r)
	it := ps.addRTE(r)
	ps.ns = append(ps.ns, it)
	ps.joinItems = []query.FromItem{&query.RangeTblRef{RTIndex: it.rti}}
	ts := ps.expandItem(it, 0, -1)
	q.SortClause = ps.sortClause(s.SortClause, &ts, kindOrderBy, false)
	ps.limits(s)
	if len(s.LockingClause) > 0 {
		fail(pgerror.New(pgerror.FeatureNotSupported, "%s cannot be applied to VALUES", lockName(locks(s)[0].Strength)))
	}
	q.TargetList = ts
	q.JoinTree = &query.FromExpr{Items: ps.joinItems}
	ps.finish()
	return q
}

// lateralValues marks VALUES that refer to this level's other items.
func (ps *pstate) lateralValues(r *query.RangeTblEntry) {
	for _, row := range r.ValuesLists {
		for _, e := range row {
			if ps.containsVars(e) {
				r.Lateral = true
				return
			}
		}
	}
}

func lockName(s pg_query.LockClauseStrength) string {
	switch s {
	case pg_query.LockClauseStrength_LCS_FORKEYSHARE:
		return "FOR KEY SHARE"
	case pg_query.LockClauseStrength_LCS_FORSHARE:
		return "FOR SHARE"
	case pg_query.LockClauseStrength_LCS_FORNOKEYUPDATE:
		return "FOR NO KEY UPDATE"
	}
	return "FOR UPDATE"
}

func lockStrength(s pg_query.LockClauseStrength) txn.LockStrength {
	switch s {
	case pg_query.LockClauseStrength_LCS_FORKEYSHARE:
		return txn.LockKeyShare
	case pg_query.LockClauseStrength_LCS_FORSHARE:
		return txn.LockShare
	case pg_query.LockClauseStrength_LCS_FORNOKEYUPDATE:
		return txn.LockNoKeyUpdate
	}
	return txn.LockUpdate
}

func waitPolicy(p pg_query.LockWaitPolicy) txn.WaitPolicy {
	switch p {
	case pg_query.LockWaitPolicy_LockWaitSkip:
		return txn.WaitSkip
	case pg_query.LockWaitPolicy_LockWaitError:
		return txn.WaitError
	}
	return txn.WaitBlock
}

// checkLockable refuses FOR UPDATE on queries whose rows are no table rows.
func checkLockable(q *query.Query, s pg_query.LockClauseStrength) {
	if what := q.Unlockable(); what != "" {
		fail(pgerror.New(pgerror.FeatureNotSupported, "%s is not allowed with %s", lockName(s), what))
	}
}

// lockingClause applies one FOR UPDATE.
func (ps *pstate) lockingClause(l *pg_query.LockingClause, pushed bool) {
	q := ps.q
	checkLockable(q, l.Strength)
	mark := func(i int, r *query.RangeTblEntry) {
		switch r.Kind {
		case query.RTERelation:
			ps.addRowMark(q, i+1, l, pushed)
		case query.RTESubquery:
			ps.addRowMark(q, i+1, l, pushed)
			pushLocks(r.Subquery, l)
		}
	}
	if len(l.LockedRels) == 0 {
		for i, r := range q.RTable {
			mark(i, r)
		}
		return
	}
	for _, n := range l.LockedRels {
		rv := n.GetRangeVar()
		loc := int(rv.Location)
		if rv.Catalogname != "" || rv.Schemaname != "" {
			ps.failAt(loc, pgerror.SyntaxError, "%s must specify unqualified relation names", lockName(l.Strength))
		}
		found := false
		for i, r := range q.RTable {
			if r.ERefName != rv.Relname || r.Kind == query.RTEJoin && r.Alias == "" {
				continue
			}
			found = true
			switch r.Kind {
			case query.RTERelation, query.RTESubquery:
				mark(i, r)
			case query.RTEJoin:
				ps.failAt(loc, pgerror.FeatureNotSupported, "%s cannot be applied to a join", lockName(l.Strength))
			case query.RTEFunction:
				ps.failAt(loc, pgerror.FeatureNotSupported, "%s cannot be applied to a function", lockName(l.Strength))
			case query.RTEValues:
				ps.failAt(loc, pgerror.FeatureNotSupported, "%s cannot be applied to VALUES", lockName(l.Strength))
			case query.RTECTE:
				ps.failAt(loc, pgerror.FeatureNotSupported, "%s cannot be applied to a WITH query", lockName(l.Strength))
			}
			break
		}
		if !found {
			ps.failAt(loc, pgerror.UndefinedTable, "relation \"%s\" in %s clause not found in FROM clause", rv.Relname, lockName(l.Strength))
		}
	}
}

// pushLocks carries FOR UPDATE into a subquery.
func pushLocks(q *query.Query, l *pg_query.LockingClause) {
	if q.Command != query.CmdSelect {
		return
	}
	checkLockable(q, l.Strength)
	for i, r := range q.RTable {
		switch r.Kind {
		case query.RTERelation:
			addMark(q, i+1, l, true)
		case query.RTESubquery:
			addMark(q, i+1, l, true)
			pushLocks(r.Subquery, l)
		}
	}
}

func (ps *pstate) addRowMark(q *query.Query, rti int, l *pg_query.LockingClause, pushed bool) {
	addMark(q, rti, l, pushed)
}

// addMark adds a row mark or strengthens the one that is there.
func addMark(q *query.Query, rti int, l *pg_query.LockingClause, pushed bool) {
	s, p := uint8(lockStrength(l.Strength)), uint8(waitPolicy(l.WaitPolicy))
	for i := range q.RowMarks {
		if m := &q.RowMarks[i]; m.RTIndex == rti {
			m.Strength = max(m.Strength, s)
			m.Policy = max(m.Policy, p)
			m.PushedDown = m.PushedDown && pushed
			return
		}
	}
	q.RowMarks = append(q.RowMarks, query.RowMark{RTIndex: rti, Strength: s, Policy: p, PushedDown: pushed})
}

// isLockedAlias reports whether FOR UPDATE covers a FROM item.
func (ps *pstate) isLockedAlias(al *pg_query.Alias) bool {
	if ps.lockedAbove {
		return true
	}
	for _, l := range ps.locking {
		if len(l.LockedRels) == 0 {
			return true
		}
		for _, n := range l.LockedRels {
			if al != nil && n.GetRangeVar().GetRelname() == al.Aliasname {
				return true
			}
		}
	}
	return false
}

var (
	_ = slices.Contains[[]int]
	_ = catalog.KindTable
	_ = types.Bool
)
