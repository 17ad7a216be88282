package ddl

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/deparse"
	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// alterType is ALTER COLUMN … TYPE.
func (c *Context) alterType(ctx context.Context, rel *catalog.Relation, cmd *pg_query.AlterTableCmd) error {
	w := c.writer()
	col, err := liveColumn(rel, cmd.Name)
	if err != nil {
		return err
	}
	d := cmd.Def.GetColumnDef()
	typ, serial, err := resolveType(ctx, c, d.TypeName)
	if err != nil {
		return err
	}
	if serial {
		return pgerror.New(pgerror.UndefinedObject, "type %q does not exist", str(d.TypeName.Names[0])).WithPosition(c.at(d.TypeName.Location))
	}
	if err := checkColumnType(ctx, c, col.Name, typ); err != nil {
		return err
	}
	coll, err := columnCollation(ctx, c, d.CollClause, typ)
	if err != nil {
		return err
	}
	n := col.AttNum
	if err := c.refuseSelfMember(ctx, rel, typ.OID); err != nil {
		return err
	}
	conv, err := c.conversion(ctx, rel, col, d.RawDefault, typ)
	if err != nil {
		return err
	}
	// A default moves along, or the change is refused.
	var def query.Expr
	if col.Default != nil {
		if def, err = analyze.Coerce(ctx, c.env(), col.Default, typ); err != nil {
			return err
		}
		if def == nil {
			what := "default"
			if col.Generated {
				what = "generation expression"
			}
			return pgerror.New(pgerror.DatatypeMismatch, "%s for column %q cannot be cast automatically to type %s", what, col.Name, c.reader().FormatType(typ.OID, -1))
		}
	}
	if err := c.refuseTypeDependents(ctx, rel, col); err != nil {
		return err
	}
	// Expressions over the column are kept as text and analysed again afterwards.
	redo := c.textsUsing(ctx, rel, n)
	row, err := c.attribute(ctx, rel.OID, n)
	if err != nil {
		return err
	}
	v, err := attribute(ctx, c, rel.OID, n, column{name: col.Name, typ: typ, collation: coll, notNull: col.NotNull, ndims: len(d.TypeName.ArrayBounds), identity: col.Identity})
	if err != nil {
		return err
	}
	rewrite := needsRewrite(conv)
	set := catalog.Values{}
	for _, f := range []string{"atttypid", "atttypmod", "attlen", "attndims", "attbyval", "attalign", "attstorage", "attcollation"} {
		set[f] = v[f]
	}
	if rewrite {
		set["atthasmissing"], set["attmissingval"] = false, nil
	} else if col.HasMissing && col.Missing != nil {
		text, err := missingText(ctx, c, typ, col.Missing)
		if err != nil {
			return err
		}
		set["attmissingval"] = text
	}
	if err := w.Update(ctx, row, set); err != nil {
		return err
	}
	obj := catalog.Object{Class: catalog.ClassRelation, OID: rel.OID, Sub: n}
	deps, err := w.Lookup(ctx, "pg_depend", "pg_depend_depender_index", catalog.ClassRelation, rel.OID, int32(n))
	if err != nil {
		return err
	}
	for _, r := range deps {
		if r.OID("refclassid") == catalog.ClassType {
			if err := w.Delete(ctx, r); err != nil {
				return err
			}
		}
	}
	if err := w.Depend(ctx, obj, catalog.Object{Class: catalog.ClassType, OID: typ.OID}, catalog.DependNormal); err != nil {
		return err
	}
	if err := w.DeleteAll(ctx, "pg_statistic", "pg_statistic_relid_att_inh_index", rel.OID, int16(n)); err != nil {
		return err
	}
	if def != nil && !col.Generated {
		if err := c.dropDefaultOf(ctx, rel.OID, n); err != nil {
			return err
		}
		if err := c.markDefault(ctx, rel.OID, n, true); err != nil {
			return err
		}
		if err := storeDefault(ctx, c, rel.OID, n, def, false); err != nil {
			return err
		}
	}
	if err := c.retypeIndexes(ctx, rel, n, typ, coll); err != nil {
		return err
	}
	if err := c.reanalyse(ctx, rel.OID, redo); err != nil {
		return err
	}
	if err := c.recheckKeys(ctx, rel.OID, n); err != nil {
		return err
	}
	if rel.Kind != catalog.KindTable {
		return nil
	}
	if col.Sequence != 0 && (typ.OID == types.Int2 || typ.OID == types.Int4 || typ.OID == types.Int8) && col.Identity != 0 {
		seq, err := c.reader().Relation(ctx, col.Sequence)
		if err != nil {
			return err
		}
		opt := pg_query.MakeSimpleDefElemNode("as", &pg_query.Node{Node: &pg_query.Node_TypeName{TypeName: d.TypeName}}, -1)
		if err := c.changeSequence(ctx, seq, []*pg_query.Node{opt}); err != nil {
			return err
		}
	}
	if !rewrite {
		return nil
	}
	if has, err := c.hasRow(ctx, rel, nil); err != nil || !has {
		if err == nil {
			err = c.newStorageIfKeyed(ctx, rel)
		}
		return err
	}
	return c.rewriteTable(ctx, rel, rel.OID, map[int]query.Expr{n: conv})
}

// newStorageIfKeyed starts new storage for an empty table whose key encoding may change.
func (c *Context) newStorageIfKeyed(ctx context.Context, rel *catalog.Relation) error {
	if len(rel.Indexes) == 0 {
		return nil
	}
	cur, err := c.reader().Relation(ctx, rel.OID)
	if err != nil {
		return err
	}
	return c.newStorage(ctx, cur)
}

// conversion gives the expression over the old row that makes the new value.
func (c *Context) conversion(ctx context.Context, rel *catalog.Relation, col *catalog.Column, using *pg_query.Node, typ types.T) (query.Expr, error) {
	name := c.reader().FormatType(typ.OID, typ.Mod)
	if using != nil {
		e, err := analyze.AnalyzeExpr(ctx, c.env(), analyze.ExprSpec{Source: c.source, Node: using, Kind: analyze.ExprAlterType, Relation: rel})
		if err != nil {
			return nil, err
		}
		conv, err := analyze.Coerce(ctx, c.env(), e, typ)
		if err == nil && conv == nil {
			err = pgerror.New(pgerror.DatatypeMismatch, "result of USING clause for column %q cannot be cast automatically to type %s", col.Name, c.reader().FormatType(typ.OID, -1)).
				WithHint("You might need to add an explicit cast.")
		}
		return conv, err
	}
	var e query.Expr = &query.Var{Base: query.Base{T: col.Type, Coll: col.Collation, Loc: -1}, RTIndex: 1, AttNum: col.AttNum}
	conv, err := analyze.Coerce(ctx, c.env(), e, typ)
	if err == nil && conv == nil {
		err = pgerror.New(pgerror.DatatypeMismatch, "column %q cannot be cast automatically to type %s", col.Name, c.reader().FormatType(typ.OID, -1))
		if !col.Generated {
			err = pgerror.From(err).WithHint("You might need to specify \"USING %s::%s\".", catalog.QuoteIdent(col.Name), name)
		}
	}
	return conv, err
}

// needsRewrite reports whether a conversion changes stored values: in rows, or in
// keys, which tell signed from unsigned.
func needsRewrite(e query.Expr) bool {
	to := e.Type()
	for {
		switch x := e.(type) {
		case *query.RelabelType:
			e = x.Arg
		case *query.Var:
			return types.ArrowType(x.T).ID() != types.ArrowType(to).ID()
		default:
			return true
		}
	}
}

// refuseTypeDependents refuses a type change under views and generated columns.
func (c *Context) refuseTypeDependents(ctx context.Context, rel *catalog.Relation, col *catalog.Column) error {
	rows, err := c.writer().Lookup(ctx, "pg_depend", "pg_depend_reference_index", catalog.ClassRelation, rel.OID, int32(col.AttNum))
	if err != nil {
		return err
	}
	for _, r := range rows {
		switch r.OID("classid") {
		case catalog.ClassRewrite:
			return pgerror.New(pgerror.FeatureNotSupported, "cannot alter type of a column used by a view or rule").
				WithDetail("%s depends on column %q", c.describe(ctx, catalog.Object{Class: catalog.ClassRewrite, OID: r.OID("objid")}), col.Name)
		case catalog.ClassRelation:
			if n := int(r.Int("objsubid")); r.OID("objid") == rel.OID && n > 0 && n != col.AttNum {
				return pgerror.New(pgerror.FeatureNotSupported, "cannot alter type of a column used by a generated column").
					WithDetail("Column %q is used by generated column %q.", col.Name, rel.Columns[n-1].Name)
			}
		}
	}
	return c.refuseRowTypeUsers(ctx, rel)
}

// exprText is an expression of a relation as text, to be analysed again.
type exprText struct {
	obj  catalog.Object
	text string
	kind analyze.ExprKind
	pos  int // of an index's expressions
}

func (c *Context) textsUsing(ctx context.Context, rel *catalog.Relation, n int) []exprText {
	uses := func(e query.Expr) bool {
		found := false
		query.Walk(e, func(x query.Expr) bool {
			if v, ok := x.(*query.Var); ok && v.AttNum == n {
				found = true
			}
			return !found
		})
		return found
	}
	dc := deparse.Context{Ctx: ctx, Catalog: c.reader(), Types: c.env().Types, SearchPath: []types.OID{}, Relation: rel}
	var out []exprText
	for _, k := range rel.Constraints {
		if k.Type == 'c' && uses(k.Check) {
			out = append(out, exprText{catalog.Object{Class: catalog.ClassConstraint, OID: k.OID}, deparse.Expr(k.Check, dc), analyze.ExprCheck, 0})
		}
	}
	for _, ix := range rel.Indexes {
		i := 0
		for _, k := range ix.Keys {
			if k.Expr == nil {
				continue
			}
			if uses(k.Expr) {
				out = append(out, exprText{catalog.Object{Class: catalog.ClassRelation, OID: ix.OID}, deparse.Expr(k.Expr, dc), analyze.ExprIndex, i})
			}
			i++
		}
		if ix.Predicate != nil && uses(ix.Predicate) {
			out = append(out, exprText{catalog.Object{Class: catalog.ClassRelation, OID: ix.OID}, deparse.Expr(ix.Predicate, dc), analyze.ExprIndexPredicate, 0})
		}
	}
	return out
}

// reanalyse stores the expressions anew for the changed column type.
func (c *Context) reanalyse(ctx context.Context, relid types.OID, texts []exprText) error {
	w := c.writer()
	for _, t := range texts {
		rel, err := c.reader().Relation(ctx, relid)
		if err != nil {
			return err
		}
		sql := "SELECT " + t.text
		stmts, err := parse.Parse(sql)
		if err != nil {
			return err
		}
		node := stmts[0].Node.GetSelectStmt().TargetList[0].GetResTarget().Val
		e, err := analyze.AnalyzeExpr(ctx, c.env(), analyze.ExprSpec{Source: sql, Node: node, Kind: t.kind, Relation: rel})
		if err != nil {
			pe := pgerror.From(err)
			pe.Position = 0
			return pe
		}
		switch t.kind {
		case analyze.ExprCheck:
			row, err := w.One(ctx, "pg_constraint", "pg_constraint_oid_index", t.obj.OID)
			if err != nil {
				return err
			}
			if err := w.Update(ctx, row, catalog.Values{"conbin": string(query.MarshalExpr(e))}); err != nil {
				return err
			}
		default:
			row, err := w.One(ctx, "pg_index", "pg_index_indexrelid_index", t.obj.OID)
			if err != nil {
				return err
			}
			if t.kind == analyze.ExprIndexPredicate {
				err = w.Update(ctx, row, catalog.Values{"indpred": string(query.MarshalExpr(e))})
			} else {
				var list query.Expr
				if list, err = query.UnmarshalExpr([]byte(row.Str("indexprs"))); err != nil {
					return err
				}
				list.(*query.RowExpr).Fields[t.pos] = e
				err = w.Update(ctx, row, catalog.Values{"indexprs": string(query.MarshalExpr(list))})
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// retypeIndexes gives index columns over column n their new type and operator class.
func (c *Context) retypeIndexes(ctx context.Context, rel *catalog.Relation, n int, typ types.T, coll types.OID) error {
	w := c.writer()
	for _, ix := range rel.Indexes {
		row, err := w.One(ctx, "pg_index", "pg_index_indexrelid_index", ix.OID)
		if err != nil {
			return err
		}
		atts, classes, colls := row.Attnums("indkey"), row.OIDs("indclass"), row.OIDs("indcollation")
		touched := false
		for i, a := range atts {
			if a != n {
				continue
			}
			touched = true
			if i < len(classes) {
				old := c.builtins().OpClass(classes[i])
				if old != nil && !c.coercibleTo(ctx, typ, old.InType) || old != nil && old.Default {
					oc := c.reader().DefaultOpClass("btree", typ.OID)
					if oc == nil {
						return noOpClass(c, typ, "btree")
					}
					classes[i] = oc.OID
				}
				colls[i] = coll
			}
			att, err := c.attribute(ctx, ix.OID, i+1)
			if err != nil {
				return err
			}
			v, err := attribute(ctx, c, ix.OID, i+1, column{name: att.Str("attname"), typ: typ, collation: coll})
			if err != nil {
				return err
			}
			if err := w.Update(ctx, att, catalog.Values{"atttypid": typ.OID, "atttypmod": typ.Mod, "attlen": v["attlen"], "attbyval": v["attbyval"],
				"attalign": v["attalign"], "attstorage": v["attstorage"], "attcollation": coll}); err != nil {
				return err
			}
		}
		if touched {
			if err := w.Update(ctx, row, catalog.Values{"indclass": catalog.OIDVector(classes), "indcollation": catalog.OIDVector(colls)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// recheckKeys finds the equality operators of foreign keys over a changed column again.
func (c *Context) recheckKeys(ctx context.Context, relid types.OID, n int) error {
	rel, err := c.reader().Relation(ctx, relid)
	if err != nil {
		return err
	}
	w := c.writer()
	for _, k := range append(append([]*catalog.Constraint(nil), rel.Constraints...), rel.ReferencedBy...) {
		if k.Type != 'f' {
			continue
		}
		fk, err := c.reader().Relation(ctx, k.Relation)
		if err != nil {
			return err
		}
		pk, err := c.reader().Relation(ctx, k.RefRelation)
		if err != nil {
			return err
		}
		var pf, pp, ff []types.Datum
		for i := range k.Columns {
			fc, pc := fk.Columns[k.Columns[i]-1], pk.Columns[k.RefColumns[i]-1]
			var ix *catalog.Index
			for _, x := range pk.Indexes {
				if x.OID == k.Index {
					ix = x
				}
			}
			if ix == nil {
				return pgerror.Internal("index %d of constraint %q is gone", k.Index, k.Name)
			}
			a, b, d, err := c.keyOperators(ctx, ix, pc, fc)
			if err != nil {
				return err
			}
			if a == 0 {
				return pgerror.New(pgerror.DatatypeMismatch, "foreign key constraint %q cannot be implemented", k.Name).
					WithDetail("Key columns %q and %q are of incompatible types: %s and %s.", fc.Name, pc.Name, c.reader().FormatType(fc.Type.OID, -1), c.reader().FormatType(pc.Type.OID, -1))
			}
			pf, pp, ff = append(pf, a), append(pp, b), append(ff, d)
		}
		row, err := w.One(ctx, "pg_constraint", "pg_constraint_oid_index", k.OID)
		if err != nil {
			return err
		}
		oids := func(ds []types.Datum) *types.Array { return types.NewArray(types.Of(types.Oid), ds) }
		if err := w.Update(ctx, row, catalog.Values{"conpfeqop": oids(pf), "conppeqop": oids(pp), "conffeqop": oids(ff)}); err != nil {
			return err
		}
	}
	return nil
}

// addAttribute is ALTER TYPE … ADD ATTRIBUTE.
func (c *Context) addAttribute(ctx context.Context, rel *catalog.Relation, d *pg_query.ColumnDef) error {
	if attnum(rel, d.Colname) != 0 {
		return pgerror.New(pgerror.DuplicateColumn, "column %q of relation %q already exists", d.Colname, rel.Name)
	}
	if err := c.refuseRowTypeUsers(ctx, rel); err != nil {
		return err
	}
	var cons []*constraintDef
	col, err := transformColumn(ctx, c, rel.Name, d, &cons)
	if err != nil {
		return err
	}
	if err := c.refuseSelfMember(ctx, rel, col.typ.OID); err != nil {
		return err
	}
	n := len(rel.Columns) + 1
	v, err := attribute(ctx, c, rel.OID, n, col.column)
	if err != nil {
		return err
	}
	if err := c.writer().Insert(ctx, "pg_attribute", v); err != nil {
		return err
	}
	class, err := c.class(ctx, rel.OID)
	if err != nil {
		return err
	}
	return c.writer().Update(ctx, class, catalog.Values{"relnatts": int16(n)})
}
