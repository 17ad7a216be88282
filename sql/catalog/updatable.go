package catalog

import "github.com/basaltdb/basalt/sql/query"

// NotUpdatable says why a view over q cannot be updated through, "" when it can.
func NotUpdatable(q *query.Query) string {
	switch {
	case len(q.DistinctClause) > 0:
		return "Views containing DISTINCT are not automatically updatable."
	case len(q.GroupClause) > 0 || q.HasGroupingSets:
		return "Views containing GROUP BY are not automatically updatable."
	case q.Having != nil:
		return "Views containing HAVING are not automatically updatable."
	case q.SetOperations != nil:
		return "Views containing UNION, INTERSECT, or EXCEPT are not automatically updatable."
	case len(q.CTEs) > 0:
		return "Views containing WITH are not automatically updatable."
	case q.LimitCount != nil || q.LimitOffset != nil:
		return "Views containing LIMIT or OFFSET are not automatically updatable."
	case q.HasAggs:
		return "Views that return aggregate functions are not automatically updatable."
	case q.HasWindowFuncs:
		return "Views that return window functions are not automatically updatable."
	case q.HasTargetSRFs:
		return "Views that return set-returning functions are not automatically updatable."
	}
	if q.JoinTree == nil || len(q.JoinTree.Items) != 1 {
		return "Views that do not select from a single table or view are not automatically updatable."
	}
	ref, ok := q.JoinTree.Items[0].(*query.RangeTblRef)
	if !ok || q.RTable[ref.RTIndex-1].Kind != query.RTERelation {
		return "Views that do not select from a single table or view are not automatically updatable."
	}
	for _, te := range q.TargetList {
		if v, ok := te.Expr.(*query.Var); ok && !te.Junk && v.AttNum > 0 {
			return ""
		}
	}
	return "Views that have no updatable columns are not automatically updatable."
}
