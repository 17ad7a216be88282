package analyze

import (
	"slices"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// onConflict analyses INSERT's ON CONFLICT.
func (ps *pstate) onConflict(c *pg_query.OnConflictClause) {
	update := c.Action == pg_query.OnConflictAction_ONCONFLICT_UPDATE
	if update && c.Infer == nil {
		fail(ps.errAt(int(c.Location), pgerror.SyntaxError, "ON CONFLICT DO UPDATE requires inference specification or constraint name").
			WithHint("For example, ON CONFLICT (column_name)."))
	}
	if ps.targetRel.OID < types.FirstNormalOID && ps.targetRel.Namespace == catalog.PgCatalogNamespace {
		ps.failAt(int(c.Location), pgerror.FeatureNotSupported, "ON CONFLICT is not supported with system catalog tables")
	}
	out := &query.OnConflictExpr{Update: update}
	oldNS := ps.ns
	if c.Infer != nil {
		ps.ns = nil
		ps.showTarget()
		ps.arbiters(c.Infer, out)
	}
	if update {
		r := relationRTE(ps.targetRel)
		r.Alias, r.ERefName = "excluded", "excluded"
		r.RelKind = catalog.KindComposite
		it := ps.addRTE(r)
		out.ExcludedRTIndex = it.rti
		ps.ns = []*nsItem{it}
		ps.showTarget()
		out.Set = ps.updateTargets(c.TargetList)
		out.Where = ps.whereClause(c.WhereClause, kindWhere, "WHERE")
	}
	ps.ns = oldNS
	ps.q.OnConflict = out
}

// arbiters notes what an inference specification means: an index by its constraint,
// or the items by which the planner finds indexes of the table (behind a view, if
// the target is one); and the columns it reads.
func (ps *pstate) arbiters(in *pg_query.InferClause, to *query.OnConflictExpr) {
	rel := ps.targetRel
	if in.Conname != "" {
		for _, c := range rel.Constraints {
			if c.Name == in.Conname {
				if c.Index == 0 {
					fail(pgerror.New(pgerror.WrongObjectType, "constraint in ON CONFLICT clause has no associated index"))
				}
				if c.Deferrable {
					fail(pgerror.New(pgerror.ObjectNotInPrerequisiteState, "ON CONFLICT does not support deferrable unique constraints/exclusion constraints as arbiters").
						WithTable(rel.Schema, rel.Name).WithConstraint(c.Name))
				}
				to.ReadColumns = slices.Clone(c.Columns)
				to.ArbiterIndexes = []types.OID{c.Index}
				return
			}
		}
		fail(pgerror.New(pgerror.UndefinedObject, "constraint \"%s\" for table \"%s\" does not exist", in.Conname, rel.Name))
	}
	for _, n := range in.IndexElems {
		ie := n.GetIndexElem()
		if ie.Ordering != pg_query.SortByDir_SORTBY_DEFAULT && ie.Ordering != 0 {
			ps.failAt(int(in.Location), pgerror.InvalidColumnReference, "ASC/DESC is not allowed in ON CONFLICT clause")
		}
		if ie.NullsOrdering != pg_query.SortByNulls_SORTBY_NULLS_DEFAULT && ie.NullsOrdering != 0 {
			ps.failAt(int(in.Location), pgerror.InvalidColumnReference, "NULLS FIRST/LAST is not allowed in ON CONFLICT clause")
		}
		raw := ie.Expr
		if raw == nil {
			raw = &pg_query.Node{Node: &pg_query.Node_ColumnRef{ColumnRef: &pg_query.ColumnRef{Fields: []*pg_query.Node{pg_query.MakeStrNode(ie.Name)}, Location: in.Location}}}
		}
		e := query.InferElem{Expr: ps.expr(raw, kindIndexExpr)}
		ps.assignCollation(e.Expr)
		if len(ie.Collation) > 0 {
			e.Collation = ps.collation(ie.Collation, int(in.Location))
		}
		if len(ie.Opclass) > 0 {
			names := nodeStrings(ie.Opclass)
			oc := ps.cat.OpClassByName("btree", names[len(names)-1])
			if oc == nil {
				fail(pgerror.New(pgerror.UndefinedObject, "operator class \"%s\" does not exist for access method \"%s\"", nameList(ie.Opclass), "btree"))
			}
			e.Family = oc.Family
		}
		to.Infer = append(to.Infer, e)
	}
	to.InferWhere = ps.whereClause(in.WhereClause, kindIndexPredicate, "WHERE")
	if to.InferWhere != nil {
		ps.assignCollation(to.InferWhere)
	}
	read := func(e query.Expr) {
		query.Walk(e, func(x query.Expr) bool {
			if v, ok := x.(*query.Var); ok && v.RTIndex == ps.target.rti && v.AttNum > 0 && !slices.Contains(to.ReadColumns, v.AttNum) {
				to.ReadColumns = append(to.ReadColumns, v.AttNum)
			}
			return true
		})
	}
	for _, e := range to.Infer {
		read(e.Expr)
	}
	if to.InferWhere != nil {
		read(to.InferWhere)
	}
}
