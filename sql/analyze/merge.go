package analyze

import (
	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
)

// mergeStmt analyses MERGE.
func (ps *pstate) mergeStmt(s *pg_query.MergeStmt) *query.Query {
	q := ps.q
	q.Command = query.CmdMerge
	if s.WithClause != nil && s.WithClause.Recursive {
		fail(pgerror.New(pgerror.SyntaxError, "WITH RECURSIVE is not supported for MERGE statement"))
	}
	ps.withClause(s.WithClause)
	// a WHEN clause behind an unconditional one of its kind is never reached
	var done [2]bool
	for _, n := range s.MergeWhenClauses {
		w := n.GetMergeWhenClause()
		k := 0
		if w.Matched {
			k = 1
		}
		if done[k] {
			fail(pgerror.New(pgerror.SyntaxError, "unreachable WHEN clause specified after unconditional WHEN clause"))
		}
		if w.Condition == nil {
			done[k] = true
		}
	}
	ps.setTarget(s.Relation)
	if ps.targetRel.Kind != catalog.KindTable {
		detail := map[byte]string{catalog.KindView: "views", catalog.KindSequence: "sequences", catalog.KindMatView: "materialized views"}[ps.targetRel.Kind]
		fail(pgerror.New(pgerror.FeatureNotSupported, "cannot execute MERGE on relation \"%s\"", ps.targetRel.Name).WithDetail("This operation is not supported for %s.", detail))
	}
	item, top, ns := ps.fromItem(s.SourceRelation)
	for _, it := range ns {
		if it.relVisible && it.name == ps.target.name {
			fail(pgerror.New(pgerror.DuplicateAlias, "name \"%s\" specified more than once", ps.target.name).
				WithDetail("The name is used both as MERGE target table and data source."))
		}
	}
	q.MergeSource = top.rti
	setLateral(ns, false, true)
	ps.ns = nil
	ps.showTarget()
	target := ps.ns[0]
	ps.ns = append(ps.ns, ns...)
	q.MergeJoin = ps.whereClause(s.JoinCondition, kindJoinOn, "JOIN/ON")
	for _, n := range s.MergeWhenClauses {
		w := n.GetMergeWhenClause()
		a := &query.MergeAction{Matched: w.Matched}
		// NOT MATCHED sees the source only
		target.relVisible, target.colsVisible = w.Matched, w.Matched
		switch w.Override {
		case pg_query.OverridingKind_OVERRIDING_USER_VALUE:
			a.Overriding = query.OverridingUser
		case pg_query.OverridingKind_OVERRIDING_SYSTEM_VALUE:
			a.Overriding = query.OverridingSystem
		}
		a.Condition = ps.whereClause(w.Condition, kindMergeWhen, "WHEN")
		switch w.CommandType {
		case pg_query.CmdType_CMD_INSERT:
			a.Command = query.CmdInsert
			ps.isInsert = true
			cols := ps.insertColumns(w.TargetList, ps.targetRel)
			if len(w.Values) > 0 {
				es := ps.exprList(w.Values, kindValuesSingle, true)
				for i, e := range ps.insertRow(es, w.TargetList, cols) {
					a.TargetList = append(a.TargetList, &query.TargetEntry{Expr: e, ResNo: cols[i].att, Name: cols[i].name})
				}
			}
			a.TargetList = ps.mergedTargets(a.TargetList)
			ps.isInsert = false
		case pg_query.CmdType_CMD_UPDATE:
			a.Command = query.CmdUpdate
			a.TargetList = ps.updateTargets(w.TargetList)
		case pg_query.CmdType_CMD_DELETE:
			a.Command = query.CmdDelete
		default:
			a.Command = query.CmdSelect
		}
		q.MergeActions = append(q.MergeActions, a)
	}
	q.JoinTree = &query.FromExpr{Items: []query.FromItem{item}}
	ps.finish()
	return q
}
