package plan

import "github.com/basaltdb/basalt/sql/query"

// A statement may hold the same aggregated sub-select more than once, most often
// because it uses a view twice. Such a sub-select is computed once and kept like a
// WITH item, as long as it depends on no enclosing query, gives the same each time,
// and nothing around it restricts it: a condition pushed below the grouping may be
// worth more than computing it only once.

// sharedQuery is a sub-select that stands for all equal ones.
type sharedQuery struct {
	query *query.Query
	name  string
	uses  int
	info  *cteInfo // once built
}

// findShared looks for sub-selects in FROM that a SELECT computes more than once.
func (p *planner) findShared(q *query.Query) {
	if q.Command != query.CmdSelect || q.HasModifyingCTE {
		return
	}
	var found []*sharedQuery
	of := map[*query.Query]*sharedQuery{}
	var visit func(q *query.Query)
	visit = func(q *query.Query) {
		for i, rte := range q.RTable {
			if rte.Subquery == nil {
				continue
			}
			if s := rte.Subquery; rte.Kind == query.RTESubquery && aggregated(s) && !restricted(q, i+1) {
				var same *sharedQuery
				for _, f := range found {
					if query.EqualQuery(f.query, s) {
						same = f
						break
					}
				}
				if same == nil {
					same = &sharedQuery{query: s, name: rte.ERefName}
					found = append(found, same)
				}
				same.uses++
				of[s] = same
				if same.uses > 1 {
					continue // what is inside is seen already
				}
			}
			visit(rte.Subquery)
		}
		for _, c := range q.CTEs {
			visit(c.Query)
		}
		query.EachExpr(q, func(e query.Expr) {
			query.Walk(e, func(e query.Expr) bool {
				if l, ok := e.(*query.SubLink); ok {
					visit(l.Query)
				}
				return true
			})
		})
	}
	visit(q)
	for s, f := range of {
		if f.uses > 1 && query.IncrementQueryLevels(f.query, 1, 1) == f.query && !p.volatileQuery(f.query) {
			if p.shared == nil {
				p.shared = map[*query.Query]*sharedQuery{}
			}
			p.shared[s] = f
		}
	}
}

// aggregated: the sub-select reads more than it gives.
func aggregated(q *query.Query) bool {
	return q.Command == query.CmdSelect && (q.HasAggs || len(q.GroupClause) > 0 || len(q.DistinctClause) > 0) && len(q.RowMarks) == 0
}

// restricted: a condition of q is about nothing but the given range table entry.
func restricted(q *query.Query, rti int) bool {
	hit := false
	quals := func(e query.Expr) {
		if isNil(e) {
			return
		}
		for _, c := range conjuncts(e) {
			mine, other := false, false
			query.Walk(c, func(e query.Expr) bool {
				switch x := e.(type) {
				case *query.Var:
					mine = mine || x.LevelsUp == 0 && x.RTIndex == rti
					other = other || x.LevelsUp > 0 || x.RTIndex != rti
				case *query.SubLink:
					other = true
				}
				return true
			})
			hit = hit || mine && !other
		}
	}
	var visit func(f query.FromItem)
	visit = func(f query.FromItem) {
		switch x := f.(type) {
		case *query.FromExpr:
			quals(x.Quals)
			for _, i := range x.Items {
				visit(i)
			}
		case *query.JoinExpr:
			quals(x.Quals)
			visit(x.Left)
			visit(x.Right)
		}
	}
	if q.JoinTree != nil {
		visit(q.JoinTree)
	}
	return hit
}

// buildShared builds a reference to a shared sub-select.
func (p *planner) buildShared(s *sharedQuery, rs *rteScope) rel {
	if s.info == nil {
		r, outs := p.buildQuery(s.query, nil)
		s.info = &cteInfo{id: uint32(len(p.ctes)), name: s.name, query: s.query, rel: r, cols: outs}
		p.ctes = append(p.ctes, s.info)
		p.trace("build", "share_subquery")
	}
	s.info.refs++
	c := &relCTE{cte: s.info, alias: rs.rte.ERefName}
	for _, o := range s.info.cols {
		ci := p.cols[o]
		c.cols = append(c.cols, p.newCol(colInfo{t: ci.t, coll: ci.coll, name: ci.name, rel: rs.rte.ERefName}))
	}
	rs.cols = c.cols
	return c
}
