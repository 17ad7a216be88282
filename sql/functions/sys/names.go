package sys

import (
	"strings"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

func registerNames(r *expr.Registry) {
	for sig, reg := range map[string]types.OID{"to_regclass(text)": types.RegClass, "to_regtype(text)": types.RegType, "to_regproc(text)": types.RegProc,
		"to_regprocedure(text)": types.RegProcedure, "to_regoper(text)": types.RegOper, "to_regoperator(text)": types.RegOperator,
		"to_regnamespace(text)": types.RegNamespace, "to_regrole(text)": types.RegRole, "to_regcollation(text)": types.RegCollation} {
		add(r, sig, one(func(_ *expr.Context, s Session, text string) (types.Datum, error) {
			if text == "-" || text != "" && strings.Trim(text, "0123456789") == "" {
				return nil, nil
			}
			o, err := catalog.NewResolver(s.CatalogReader(), s.CurrentUserOID(), path(s)).RegIn(reg, text)
			if err != nil {
				switch pgerror.From(err).Code {
				case pgerror.InvalidName, pgerror.SyntaxError, pgerror.InvalidTextRepresentation, pgerror.InsufficientPrivilege:
					return nil, err
				}
				return nil, nil
			}
			return o, nil
		}))
	}
	// text → regclass, as nextval('s'::text) and 'x'::text::regclass need it.
	add(r, "regclass(text)", one(func(_ *expr.Context, s Session, text string) (types.Datum, error) {
		return toDatum(catalog.NewResolver(s.CatalogReader(), s.CurrentUserOID(), path(s)).RegIn(types.RegClass, text))
	}))
}

func registerVisibility(r *expr.Registry) {
	registerUpdatable(r)
	visible := func(sig string, f func(ctx *expr.Context, s Session, o types.OID) (found, ok bool, err error)) {
		add(r, sig, one(func(ctx *expr.Context, s Session, o types.OID) (types.Datum, error) {
			found, ok, err := f(ctx, s, o)
			if err != nil || !found {
				return nil, err
			}
			return ok, nil
		}))
	}
	visible("pg_table_is_visible(oid)", func(ctx *expr.Context, s Session, o types.OID) (bool, bool, error) {
		c := s.CatalogReader()
		rel, err := c.Relation(ctx.Ctx, o)
		if err != nil || rel == nil {
			return false, false, err
		}
		return true, catalog.RelationVisible(ctx.Ctx, c, path(s), rel.Namespace, rel.Name), nil
	})
	visible("pg_type_is_visible(oid)", func(ctx *expr.Context, s Session, o types.OID) (bool, bool, error) {
		c := s.CatalogReader()
		ty, err := c.Type(ctx.Ctx, o)
		if err != nil || ty == nil {
			return false, false, err
		}
		return true, catalog.TypeVisible(ctx.Ctx, c, path(s), ty), nil
	})
	inPath := func(s Session, ns types.OID) bool {
		for _, p := range path(s) {
			if p == ns {
				return true
			}
		}
		return false
	}
	builtin := func(sig string, find func(c catalog.Reader, o types.OID) bool) {
		visible(sig, func(_ *expr.Context, s Session, o types.OID) (bool, bool, error) {
			return find(s.CatalogReader(), o), inPath(s, catalog.PgCatalogNamespace), nil
		})
	}
	builtin("pg_function_is_visible(oid)", func(c catalog.Reader, o types.OID) bool { return c.Function(o) != nil })
	builtin("pg_operator_is_visible(oid)", func(c catalog.Reader, o types.OID) bool { return c.Operator(o) != nil })
	builtin("pg_opclass_is_visible(oid)", func(c catalog.Reader, o types.OID) bool { return catalog.Builtins().OpClass(o) != nil })
	builtin("pg_opfamily_is_visible(oid)", func(c catalog.Reader, o types.OID) bool { return catalog.Builtins().OpFamilyName(o) != "" })
	builtin("pg_collation_is_visible(oid)", func(c catalog.Reader, o types.OID) bool { return c.Collation(o) != nil })
	for _, sig := range []string{"pg_conversion_is_visible(oid)", "pg_ts_parser_is_visible(oid)", "pg_ts_dict_is_visible(oid)", "pg_ts_config_is_visible(oid)",
		"pg_ts_template_is_visible(oid)", "pg_statistics_obj_is_visible(oid)"} {
		builtin(sig, func(catalog.Reader, types.OID) bool { return true })
	}
}

// Bits of pg_relation_is_updatable: 1 << CommandType of UPDATE, INSERT and DELETE.
const (
	updateEvent int32 = 1 << 2
	insertEvent int32 = 1 << 3
	deleteEvent int32 = 1 << 4
)

// updatable gives the events a relation takes, through simple views.
func updatable(ctx *expr.Context, s Session, oid types.OID) (int32, *catalog.Relation, error) {
	rel, err := s.CatalogReader().Relation(ctx.Ctx, oid)
	if err != nil || rel == nil {
		return 0, nil, err
	}
	switch rel.Kind {
	case catalog.KindTable:
		return updateEvent | insertEvent | deleteEvent, rel, nil
	case catalog.KindView:
		if rel.View == nil || catalog.NotUpdatable(rel.View) != "" {
			return 0, rel, nil
		}
		ref := rel.View.JoinTree.Items[0].(*query.RangeTblRef)
		ev, _, err := updatable(ctx, s, rel.View.RTable[ref.RTIndex-1].Relid)
		return ev, rel, err
	}
	return 0, rel, nil
}

func registerUpdatable(r *expr.Registry) {
	// There are no partitions and no publications.
	none := func(*expr.Context, Session, []types.Datum, func(row ...types.Datum) error) error { return nil }
	for _, sig := range []string{"pg_partition_ancestors(regclass)", "pg_partition_tree(regclass)", "pg_get_publication_tables(text)"} {
		addSet(r, sig, none)
	}
	add(r, "pg_partition_root(regclass)", one(func(*expr.Context, Session, types.OID) (types.Datum, error) { return nil, nil }))
	add(r, "pg_relation_is_publishable(regclass)", one(func(ctx *expr.Context, s Session, o types.OID) (types.Datum, error) {
		rel, err := s.CatalogReader().Relation(ctx.Ctx, o)
		if err != nil || rel == nil {
			return nil, err
		}
		return rel.Kind == catalog.KindTable && rel.OID >= types.FirstNormalOID, nil
	}))
	add(r, "pg_relation_is_updatable(regclass,bool)", two(func(ctx *expr.Context, s Session, o types.OID, _ bool) (types.Datum, error) {
		ev, _, err := updatable(ctx, s, o)
		return ev, err
	}))
	add(r, "pg_column_is_updatable(regclass,int2,bool)", three(func(ctx *expr.Context, s Session, o types.OID, n int16, _ bool) (types.Datum, error) {
		ev, rel, err := updatable(ctx, s, o)
		if err != nil || rel == nil || n <= 0 || ev&updateEvent == 0 {
			return false, err
		}
		if rel.Kind != catalog.KindView {
			return true, nil
		}
		i := int16(0)
		for _, te := range rel.View.TargetList {
			if te.Junk {
				continue
			}
			if i++; i == n {
				v, ok := te.Expr.(*query.Var)
				return ok && v.AttNum > 0, nil
			}
		}
		return false, nil
	}))
}

func registerComments(r *expr.Registry) {
	describe := func(ctx *expr.Context, s Session, table, index string, eq ...types.Datum) (types.Datum, error) {
		row, err := catalog.FindRow(ctx.Ctx, s.CatalogReader(), table, index, eq...)
		if err != nil || row == nil {
			return nil, err
		}
		return row.Str("description"), nil
	}
	const own, shared = "pg_description_o_c_o_index", "pg_shdescription_o_c_index"
	add(r, "obj_description(oid,name)", two(func(ctx *expr.Context, s Session, o types.OID, class string) (types.Datum, error) {
		c := catalog.SystemRelationOID(class)
		if c == 0 {
			return nil, nil
		}
		return describe(ctx, s, "pg_description", own, o, c, int32(0))
	}))
	add(r, "obj_description(oid)", one(func(ctx *expr.Context, s Session, o types.OID) (types.Datum, error) {
		// Any class's object of this OID, but no column of one.
		rr, ok := s.CatalogReader().(catalog.RowReader)
		if !ok {
			return nil, nil
		}
		rows, err := rr.Rows(ctx.Ctx, "pg_description", own, o)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if row.Int("objsubid") == 0 {
				return row.Str("description"), nil
			}
		}
		return nil, nil
	}))
	add(r, "col_description(oid,int4)", two(func(ctx *expr.Context, s Session, o types.OID, n int32) (types.Datum, error) {
		return describe(ctx, s, "pg_description", own, o, catalog.ClassRelation, n)
	}))
	add(r, "shobj_description(oid,name)", two(func(ctx *expr.Context, s Session, o types.OID, class string) (types.Datum, error) {
		c := catalog.SystemRelationOID(class)
		if c == 0 {
			return nil, nil
		}
		return describe(ctx, s, "pg_shdescription", shared, o, c)
	}))
	addSet(r, "pg_options_to_table(_text)", func(_ *expr.Context, _ Session, args []types.Datum, emit func(row ...types.Datum) error) error {
		for _, e := range args[0].(*types.Array).Elems {
			name, v, ok := strings.Cut(e.(string), "=")
			var val types.Datum
			if ok {
				val = v
			}
			if err := emit(name, val); err != nil {
				return err
			}
		}
		return nil
	})
	add(r, "pg_collation_for(any)", adapt.D(func(ctx *expr.Context, call *expr.Call, _ []types.Datum) (types.Datum, error) {
		s, err := of(ctx)
		if err != nil {
			return nil, err
		}
		coll := call.Collation
		if coll == 0 {
			t, err := s.CatalogReader().Type(ctx.Ctx, call.ArgTypes[0].OID)
			if err != nil {
				return nil, err
			}
			if t == nil || t.Collation == 0 {
				return nil, pgerror.New(pgerror.DatatypeMismatch, "collations are not supported by type %s", s.CatalogReader().FormatType(call.ArgTypes[0].OID, -1))
			}
			coll = t.Collation
		}
		if c := s.CatalogReader().Collation(coll); c != nil {
			return catalog.QuoteIdent(c.Name), nil
		}
		return nil, nil
	}))
}
