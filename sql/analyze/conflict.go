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
		out.ArbiterIndexes = ps.arbiters(c.Infer, out)
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

// arbiters finds the unique indexes an inference specification means, and notes
// the columns it reads.
func (ps *pstate) arbiters(in *pg_query.InferClause, to *query.OnConflictExpr) []types.OID {
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
				return []types.OID{c.Index}
			}
		}
		fail(pgerror.New(pgerror.UndefinedObject, "constraint \"%s\" for table \"%s\" does not exist", in.Conname, rel.Name))
	}
	type elem struct {
		expr    query.Expr
		att     int
		coll    types.OID
		opclass *catalog.OpClass
	}
	var elems []elem
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
		e := elem{expr: ps.expr(raw, kindIndexExpr)}
		if v, ok := e.expr.(*query.Var); ok && v.RTIndex == ps.target.rti {
			e.att = v.AttNum
		}
		ps.assignCollation(e.expr)
		if len(ie.Collation) > 0 {
			e.coll = ps.collation(ie.Collation, int(in.Location))
		}
		if len(ie.Opclass) > 0 {
			names := nodeStrings(ie.Opclass)
			e.opclass = ps.cat.OpClassByName("btree", names[len(names)-1])
			if e.opclass == nil {
				fail(pgerror.New(pgerror.UndefinedObject, "operator class \"%s\" does not exist for access method \"%s\"", nameList(ie.Opclass), "btree"))
			}
		}
		elems = append(elems, e)
	}
	where := ps.whereClause(in.WhereClause, kindIndexPredicate, "WHERE")
	if where != nil {
		ps.assignCollation(where)
	}
	read := func(e query.Expr) {
		query.Walk(e, func(x query.Expr) bool {
			if v, ok := x.(*query.Var); ok && v.RTIndex == ps.target.rti && v.AttNum > 0 && !slices.Contains(to.ReadColumns, v.AttNum) {
				to.ReadColumns = append(to.ReadColumns, v.AttNum)
			}
			return true
		})
	}
	for _, e := range elems {
		read(e.expr)
	}
	if where != nil {
		read(where)
	}
	given := conjuncts(where)
	var out []types.OID
	for _, ix := range rel.Indexes {
		if !ix.Unique || !ix.Valid {
			continue
		}
		used := make([]bool, len(elems))
		ok := true
		for _, k := range ix.Keys {
			hit := false
			for i, e := range elems {
				switch {
				case k.AttNum > 0 && e.att != k.AttNum, k.AttNum == 0 && (e.att != 0 || !query.Equal(ps.overTarget(k.Expr), e.expr)):
					continue
				case e.coll != 0 && e.coll != k.Collation, e.opclass != nil && e.opclass.Family != k.Family:
					continue
				}
				used[i], hit = true, true
			}
			ok = ok && hit
		}
		if !ok || slices.Contains(used, false) {
			continue
		}
		if ix.Predicate != nil {
			implied := true
			for _, p := range conjuncts(ps.overTarget(ix.Predicate)) {
				found := false
				for _, g := range given {
					found = found || query.Equal(p, g)
				}
				implied = implied && found
			}
			if !implied {
				continue
			}
		}
		out = append(out, ix.OID)
	}
	if len(out) == 0 {
		fail(pgerror.New(pgerror.InvalidColumnReference, "there is no unique or exclusion constraint matching the ON CONFLICT specification"))
	}
	return out
}

// overTarget moves an index expression (RTIndex 1) onto the target relation.
func (ps *pstate) overTarget(e query.Expr) query.Expr {
	return query.Mutate(e, func(x query.Expr) (query.Expr, bool) {
		if v, ok := x.(*query.Var); ok && v.RTIndex != ps.target.rti {
			c := *v
			c.RTIndex = ps.target.rti
			return &c, true
		}
		return x, false
	})
}

// conjuncts splits a condition at its ANDs.
func conjuncts(e query.Expr) []query.Expr {
	if e == nil {
		return nil
	}
	if b, ok := e.(*query.BoolExpr); ok && b.Op == query.And {
		var out []query.Expr
		for _, x := range b.Args {
			out = append(out, conjuncts(x)...)
		}
		return out
	}
	return []query.Expr{e}
}
