package rewrite

import (
	"context"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// viewDepthMax bounds views over views.
const viewDepthMax = 200

// Rewrite makes q ready for planning. q is not changed.
func Rewrite(ctx context.Context, cat catalog.Reader, q *query.Query) (*query.Query, error) {
	r := &rewriter{ctx: ctx, cat: cat}
	out, err := r.query(q, 0)
	if err != nil {
		return nil, err
	}
	if len(r.relations) > 0 {
		if out == q {
			out = q.Copy()
		}
		out.Relations = append([]types.OID(nil), q.Relations...)
		for _, o := range r.relations {
			out.Relations = append(out.Relations, o)
		}
	}
	return out, nil
}

type rewriter struct {
	ctx       context.Context
	cat       catalog.Reader
	relations []types.OID // found while views were expanded
}

func (r *rewriter) relation(oid types.OID) (*catalog.Relation, error) {
	rel, err := r.cat.Relation(r.ctx, oid)
	if err != nil {
		return nil, err
	}
	if rel == nil {
		return nil, pgerror.New(pgerror.UndefinedTable, "relation with OID %d does not exist", oid)
	}
	return rel, nil
}

// query rewrites one level and all below it.
func (r *rewriter) query(q *query.Query, depth int) (*query.Query, error) {
	if q == nil {
		return nil, nil
	}
	if depth > viewDepthMax {
		return nil, pgerror.New(pgerror.InvalidObjectDefinition, "infinite recursion detected in rules")
	}
	if q.ResultRelation > 0 {
		var err error
		if q, err = r.target(q); err != nil {
			return nil, err
		}
	}
	out := q
	own := func() {
		if out == q {
			out = q.Copy()
		}
	}
	for i, c := range q.CTEs {
		n, err := r.searchCycle(c)
		if err != nil {
			return nil, err
		}
		s, err := r.query(n.Query, depth+1)
		if err != nil {
			return nil, err
		}
		if n != c || s != c.Query {
			own()
			if &out.CTEs[0] == &q.CTEs[0] {
				out.CTEs = append([]*query.CommonTableExpr(nil), q.CTEs...)
			}
			item := *n
			item.Query = s
			out.CTEs[i] = &item
		}
	}
	for i, e := range q.RTable {
		n, err := r.entry(q, i+1, e, depth)
		if err != nil {
			return nil, err
		}
		if n != e {
			own()
			if &out.RTable[0] == &q.RTable[0] {
				out.RTable = append([]*query.RangeTblEntry(nil), q.RTable...)
			}
			out.RTable[i] = n
		}
	}
	// sub-selects in expressions
	if q.HasSubLinks || q.ResultRelation > 0 {
		var failed error
		out = query.MapQuery(out, func(e query.Expr) query.Expr {
			return query.Mutate(e, func(x query.Expr) (query.Expr, bool) {
				switch s := x.(type) {
				case *query.SubLink:
					n, err := r.query(s.Query, depth+1)
					if err != nil {
						failed = err
						return x, true
					}
					if n != s.Query {
						c := *s
						c.Query = n
						return &c, false
					}
				case *query.MultiAssignRef:
					n, err := r.query(s.SubLink.Query, depth+1)
					if err != nil {
						failed = err
						return x, true
					}
					if n != s.SubLink.Query {
						c, sl := *s, *s.SubLink
						sl.Query = n
						c.SubLink = &sl
						return &c, false
					}
				}
				return x, false
			})
		})
		if failed != nil {
			return nil, failed
		}
	}
	return out, nil
}

// entry rewrites a range table entry: subqueries, and views into subqueries.
func (r *rewriter) entry(q *query.Query, rti int, e *query.RangeTblEntry, depth int) (*query.RangeTblEntry, error) {
	switch e.Kind {
	case query.RTESubquery:
		s, err := r.query(e.Subquery, depth+1)
		if err != nil || s == e.Subquery {
			return e, err
		}
		c := *e
		c.Subquery = s
		return &c, nil
	case query.RTERelation:
		if e.RelKind != catalog.KindView && e.RelKind != catalog.KindSequence || rti == q.ResultRelation || q.OnConflict != nil && rti == q.OnConflict.ExcludedRTIndex {
			return e, nil
		}
		rel, err := r.relation(e.Relid)
		if err != nil {
			return nil, err
		}
		if rel.View == nil {
			return e, nil // a system view whose rows are made up
		}
		r.relations = append(r.relations, rel.View.Relations...)
		for _, x := range rel.View.RTable {
			if x.Kind == query.RTERelation {
				r.relations = append(r.relations, x.Relid)
			}
		}
		v := rel.View
		for _, m := range q.RowMarks {
			if m.RTIndex == rti {
				if what := v.Unlockable(); what != "" {
					return nil, pgerror.New(pgerror.FeatureNotSupported, "%s is not allowed with %s", m.LockName(), what)
				}
				v = lockView(v, m)
			}
		}
		s, err := r.query(v, depth+1)
		if err != nil {
			return nil, err
		}
		c := *e
		c.Kind, c.Subquery, c.ViewOID, c.Relid, c.RelKind = query.RTESubquery, s, e.Relid, 0, 0
		return &c, nil
	}
	return e, nil
}

// lockView carries FOR UPDATE on a view to the relations below it.
func lockView(v *query.Query, m query.RowMark) *query.Query {
	out := v.Copy()
	out.RowMarks = append([]query.RowMark(nil), v.RowMarks...)
	for i, e := range v.RTable {
		switch e.Kind {
		case query.RTERelation, query.RTESubquery:
			out.RowMarks = append(out.RowMarks, query.RowMark{RTIndex: i + 1, Strength: m.Strength, Policy: m.Policy, PushedDown: true})
			if e.Kind == query.RTESubquery {
				c := *e
				c.Subquery = lockView(e.Subquery, m)
				out.RTable = append([]*query.RangeTblEntry(nil), out.RTable...)
				out.RTable[i] = &c
			}
		}
	}
	return out
}
