package sys

import (
	"context"
	"fmt"
	"strings"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/deparse"
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// printer is deparse's context for a session.
func printer(ctx *expr.Context, s Session, rel *catalog.Relation, pretty bool) deparse.Context {
	return deparse.Context{Ctx: ctx.Ctx, Catalog: s.CatalogReader(), Types: ctx.Env, SearchPath: s.SchemaPath(), Relation: rel, Pretty: pretty}
}

// relationText is a relation's name, qualified unless the path finds it.
func relationText(ctx context.Context, s Session, rel *catalog.Relation) string {
	if catalog.RelationVisible(ctx, s.CatalogReader(), path(s), rel.Namespace, rel.Name) {
		return catalog.QuoteIdent(rel.Name)
	}
	return qualified(s, rel)
}

// qualified is a relation's name with its schema.
func qualified(s Session, rel *catalog.Relation) string {
	return catalog.QuoteQualified(catalog.SchemaName(s.CatalogReader(), rel.Namespace, rel.Schema), rel.Name)
}

func getExpr(ctx *expr.Context, s Session, text string, relid types.OID, pretty bool) (types.Datum, error) {
	var rel *catalog.Relation
	if relid != 0 {
		var err error
		if rel, err = s.CatalogReader().Relation(ctx.Ctx, relid); err != nil {
			return nil, err
		}
		if rel == nil {
			return nil, nil
		}
	}
	e, err := query.UnmarshalExpr([]byte(text))
	if err != nil {
		return nil, err
	}
	p := printer(ctx, s, rel, pretty)
	if row, ok := e.(*query.RowExpr); ok && row.T.OID == types.RecordOID && row.Names == nil && !row.Implicit {
		parts := make([]string, len(row.Fields))
		for i, f := range row.Fields {
			parts[i] = deparse.Expr(f, p)
		}
		return strings.Join(parts, ", "), nil
	}
	return deparse.Expr(e, p), nil
}

func viewDef(ctx *expr.Context, s Session, oid types.OID, pretty bool, wrap int) (types.Datum, error) {
	rel, err := s.CatalogReader().Relation(ctx.Ctx, oid)
	if err != nil || rel == nil || rel.Kind != catalog.KindView && rel.Kind != catalog.KindMatView || rel.View == nil {
		return nil, err
	}
	p := printer(ctx, s, nil, pretty)
	p.WrapColumn = wrap
	return deparse.Query(rel.View, p, pretty) + ";", nil
}

// indexOf finds an index and its table.
func indexOf(ctx context.Context, r catalog.Reader, oid types.OID) (*catalog.Relation, *catalog.Index, error) {
	row, err := catalog.FindRow(ctx, r, "pg_index", "pg_index_indexrelid_index", oid)
	if err != nil || row == nil {
		return nil, nil, err
	}
	rel, err := r.Relation(ctx, row.OID("indrelid"))
	if err != nil || rel == nil {
		return nil, nil, err
	}
	for _, ix := range rel.Indexes {
		if ix.OID == oid {
			return rel, ix, nil
		}
	}
	return nil, nil, nil
}

func indexDef(ctx *expr.Context, s Session, oid types.OID, col int32, pretty bool) (types.Datum, error) {
	r := s.CatalogReader()
	rel, ix, err := indexOf(ctx.Ctx, r, oid)
	if err != nil || ix == nil {
		return nil, err
	}
	p := printer(ctx, s, rel, pretty)
	b := catalog.Builtins()
	ixRel, err := r.Relation(ctx.Ctx, oid)
	if err != nil {
		return nil, err
	}
	am := "btree"
	if row, err := catalog.FindRow(ctx.Ctx, r, "pg_class", "pg_class_oid_index", oid); err != nil {
		return nil, err
	} else if row != nil {
		am = b.AccessMethod(row.OID("relam"))
	}
	key := func(k catalog.IndexKey) string {
		if k.Expr == nil {
			return catalog.QuoteIdent(rel.Columns[k.AttNum-1].Name)
		}
		return deparse.IndexKeyExpr(k.Expr, p)
	}
	if col > 0 {
		n := int(col) - 1
		switch {
		case n < len(ix.Keys):
			return key(ix.Keys[n]), nil
		case n < len(ix.Keys)+len(ix.Include):
			return catalog.QuoteIdent(rel.Columns[ix.Include[n-len(ix.Keys)]-1].Name), nil
		}
		return "", nil
	}
	var keys []string
	for _, k := range ix.Keys {
		t := key(k)
		coll := types.OID(0)
		if ty, err := r.Type(ctx.Ctx, k.Type.OID); err == nil && ty != nil {
			coll = ty.Collation
		}
		if k.Expr == nil {
			coll = rel.Columns[k.AttNum-1].Collation
		} else {
			coll = k.Expr.Collation()
		}
		if k.Collation != 0 && k.Collation != coll {
			if c := r.Collation(k.Collation); c != nil {
				t += " COLLATE " + catalog.QuoteIdent(c.Name)
			}
		}
		if oc := b.OpClass(k.OpClass); oc != nil {
			if d := r.DefaultOpClass(am, k.Type.OID); d == nil || d.OID != oc.OID {
				t += " " + catalog.QuoteIdent(oc.Name)
			}
		}
		switch {
		case k.Descending:
			t += " DESC"
			if !k.NullsFirst {
				t += " NULLS LAST"
			}
		case k.NullsFirst:
			t += " NULLS FIRST"
		}
		keys = append(keys, t)
	}
	unique := ""
	if ix.Unique {
		unique = "UNIQUE "
	}
	table := qualified(s, rel)
	if pretty {
		table = relationText(ctx.Ctx, s, rel)
	}
	out := fmt.Sprintf("CREATE %sINDEX %s ON %s USING %s (%s)", unique, catalog.QuoteIdent(ix.Name), table, am, strings.Join(keys, ", "))
	if len(ix.Include) > 0 {
		var inc []string
		for _, a := range ix.Include {
			inc = append(inc, catalog.QuoteIdent(rel.Columns[a-1].Name))
		}
		out += " INCLUDE (" + strings.Join(inc, ", ") + ")"
	}
	if ix.NullsNotDistinct {
		out += " NULLS NOT DISTINCT"
	}
	if ixRel != nil && len(ixRel.Options) > 0 {
		out += " WITH (" + optionsText(ixRel.Options) + ")"
	}
	if ix.Predicate != nil {
		out += " WHERE " + deparse.Expr(ix.Predicate, p)
	}
	return out, nil
}

// optionsText prints reloptions as WITH (…) needs them.
func optionsText(opts []string) string {
	out := make([]string, len(opts))
	for i, o := range opts {
		name, v, _ := strings.Cut(o, "=")
		if catalog.QuoteIdent(v) != v {
			v = "'" + strings.ReplaceAll(v, "'", "''") + "'"
		}
		out[i] = catalog.QuoteIdent(name) + "=" + v
	}
	return strings.Join(out, ", ")
}

var fkActions = map[byte]string{'r': "RESTRICT", 'c': "CASCADE", 'n': "SET NULL", 'd': "SET DEFAULT"}

func constraintDef(ctx *expr.Context, s Session, oid types.OID, pretty bool) (types.Datum, error) {
	r := s.CatalogReader()
	row, err := catalog.FindRow(ctx.Ctx, r, "pg_constraint", "pg_constraint_oid_index", oid)
	if err != nil || row == nil {
		return nil, err
	}
	rel, err := r.Relation(ctx.Ctx, row.OID("conrelid"))
	if err != nil || rel == nil {
		return nil, err
	}
	var k *catalog.Constraint
	for _, x := range rel.Constraints {
		if x.OID == oid {
			k = x
		}
	}
	if k == nil {
		return nil, nil
	}
	names := func(t *catalog.Relation, atts []int) string {
		var out []string
		for _, a := range atts {
			out = append(out, catalog.QuoteIdent(t.Columns[a-1].Name))
		}
		return strings.Join(out, ", ")
	}
	out := ""
	switch k.Type {
	case 'c':
		out = "CHECK (" + deparse.Expr(k.Check, printer(ctx, s, rel, pretty)) + ")"
		if k.NoInherit {
			out += " NO INHERIT"
		}
	case 'p', 'u':
		out = "PRIMARY KEY ("
		if k.Type == 'u' {
			out = "UNIQUE ("
		}
		for _, ix := range rel.Indexes {
			if ix.OID != k.Index {
				continue
			}
			if k.Type == 'u' && ix.NullsNotDistinct {
				out = "UNIQUE NULLS NOT DISTINCT ("
			}
			out += names(rel, k.Columns) + ")"
			if len(ix.Include) > 0 {
				out += " INCLUDE (" + names(rel, ix.Include) + ")"
			}
			if ixRel, err := r.Relation(ctx.Ctx, ix.OID); err == nil && ixRel != nil && len(ixRel.Options) > 0 && !pretty {
				out += " WITH (" + optionsText(ixRel.Options) + ")"
			}
		}
	case 'f':
		ref, err := r.Relation(ctx.Ctx, k.RefRelation)
		if err != nil || ref == nil {
			return nil, err
		}
		out = fmt.Sprintf("FOREIGN KEY (%s) REFERENCES %s(%s)", names(rel, k.Columns), relationText(ctx.Ctx, s, ref), names(ref, k.RefColumns))
		if k.MatchType == 'f' {
			out += " MATCH FULL"
		}
		if a := fkActions[k.OnUpdate]; a != "" {
			out += " ON UPDATE " + a
		}
		if a := fkActions[k.OnDelete]; a != "" {
			out += " ON DELETE " + a
		}
		if len(k.DeleteSetColumns) > 0 {
			out += " (" + names(rel, k.DeleteSetColumns) + ")"
		}
	}
	if k.Deferrable {
		out += " DEFERRABLE"
	}
	if k.Deferred {
		out += " INITIALLY DEFERRED"
	}
	if !k.Validated {
		out += " NOT VALID"
	}
	return out, nil
}

func serialSequence(ctx *expr.Context, s Session, table, column string) (types.Datum, error) {
	oid, err := catalog.NewResolver(s.CatalogReader(), s.CurrentUserOID(), path(s)).RegIn(types.RegClass, table)
	if err != nil {
		return nil, err
	}
	rel, err := s.CatalogReader().Relation(ctx.Ctx, oid)
	if err != nil || rel == nil {
		return nil, err
	}
	for _, c := range rel.Columns {
		if c.Name != column || c.Dropped {
			continue
		}
		if c.Sequence == 0 {
			return nil, nil
		}
		seq, err := s.CatalogReader().Relation(ctx.Ctx, c.Sequence)
		if err != nil || seq == nil {
			return nil, err
		}
		return qualified(s, seq), nil
	}
	return nil, pgerror.New(pgerror.UndefinedColumn, "column %q of relation %q does not exist", column, rel.Name)
}

// argumentText lists a function's arguments as pg_get_function_arguments does.
func argumentText(s Session, f *catalog.Function, defaults bool) string {
	var out []string
	inputs, firstDefault := 0, len(f.ArgTypes)-len(f.Defaults)
	for i, t := range f.AllArgTypes {
		mode := byte('i')
		if f.ArgModes != "" {
			mode = f.ArgModes[i]
		}
		if mode == 't' {
			continue
		}
		text := map[byte]string{'o': "OUT ", 'b': "INOUT ", 'v': "VARIADIC "}[mode]
		if i < len(f.ArgNames) && f.ArgNames[i] != "" {
			text += catalog.QuoteIdent(f.ArgNames[i]) + " "
		}
		text += catalog.FormatTypeIn(s.CatalogReader(), path(s), t, -1, false)
		if mode != 'o' {
			if defaults && inputs >= firstDefault {
				text += " DEFAULT " + f.Defaults[inputs-firstDefault]
			}
			inputs++
		}
		out = append(out, text)
	}
	if a := catalog.Builtins().Aggregate(f.OID); a != nil && a.Kind != 'n' && a.NumDirect <= len(out) {
		direct, agg := out[:a.NumDirect], out[a.NumDirect:]
		if len(agg) == 0 && f.Variadic != 0 && len(direct) > 0 {
			agg = direct[len(direct)-1:]
		}
		t := strings.Join(direct, ", ")
		if t != "" {
			t += " "
		}
		return t + "ORDER BY " + strings.Join(agg, ", ")
	}
	return strings.Join(out, ", ")
}

func resultText(s Session, f *catalog.Function) types.Datum {
	if f.Kind == 'p' {
		return nil
	}
	var cols []string
	for i, t := range f.AllArgTypes {
		if f.ArgModes != "" && f.ArgModes[i] == 't' {
			cols = append(cols, catalog.QuoteIdent(f.ArgNames[i])+" "+catalog.FormatTypeIn(s.CatalogReader(), path(s), t, -1, false))
		}
	}
	if cols != nil {
		return "TABLE(" + strings.Join(cols, ", ") + ")"
	}
	t := catalog.FormatTypeIn(s.CatalogReader(), path(s), f.Returns, -1, false)
	if f.ReturnsSet {
		t = "SETOF " + t
	}
	return t
}

func registerDefinitions(r *expr.Registry) {
	add(r, "pg_get_expr(pg_node_tree,oid)", two(func(ctx *expr.Context, s Session, t string, rel types.OID) (types.Datum, error) {
		return getExpr(ctx, s, t, rel, false)
	}))
	add(r, "pg_get_expr(pg_node_tree,oid,bool)", three(func(ctx *expr.Context, s Session, t string, rel types.OID, pretty bool) (types.Datum, error) {
		return getExpr(ctx, s, t, rel, pretty)
	}))
	byName := func(ctx *expr.Context, s Session, name string) (types.OID, error) {
		return catalog.NewResolver(s.CatalogReader(), s.CurrentUserOID(), path(s)).RegIn(types.RegClass, name)
	}
	add(r, "pg_get_viewdef(oid)", one(func(ctx *expr.Context, s Session, o types.OID) (types.Datum, error) {
		return viewDef(ctx, s, o, false, 0)
	}))
	add(r, "pg_get_viewdef(oid,bool)", two(func(ctx *expr.Context, s Session, o types.OID, p bool) (types.Datum, error) {
		return viewDef(ctx, s, o, p, 0)
	}))
	add(r, "pg_get_viewdef(oid,int4)", two(func(ctx *expr.Context, s Session, o types.OID, w int32) (types.Datum, error) {
		return viewDef(ctx, s, o, true, int(w))
	}))
	add(r, "pg_get_viewdef(text)", one(func(ctx *expr.Context, s Session, n string) (types.Datum, error) {
		o, err := byName(ctx, s, n)
		if err != nil {
			return nil, err
		}
		return viewDef(ctx, s, o, false, 0)
	}))
	add(r, "pg_get_viewdef(text,bool)", two(func(ctx *expr.Context, s Session, n string, p bool) (types.Datum, error) {
		o, err := byName(ctx, s, n)
		if err != nil {
			return nil, err
		}
		return viewDef(ctx, s, o, p, 0)
	}))
	add(r, "pg_get_indexdef(oid)", one(func(ctx *expr.Context, s Session, o types.OID) (types.Datum, error) {
		return indexDef(ctx, s, o, 0, false)
	}))
	add(r, "pg_get_indexdef(oid,int4,bool)", three(indexDef))
	add(r, "pg_get_constraintdef(oid)", one(func(ctx *expr.Context, s Session, o types.OID) (types.Datum, error) {
		return constraintDef(ctx, s, o, false)
	}))
	add(r, "pg_get_constraintdef(oid,bool)", two(constraintDef))
	add(r, "pg_get_serial_sequence(text,text)", two(serialSequence))
	null1 := one(func(*expr.Context, Session, types.OID) (types.Datum, error) { return nil, nil })
	for _, sig := range []string{"pg_get_triggerdef(oid)", "pg_get_partkeydef(oid)", "pg_get_partition_constraintdef(oid)", "pg_get_statisticsobjdef(oid)",
		"pg_get_statisticsobjdef_columns(oid)", "pg_get_function_sqlbody(oid)"} {
		add(r, sig, null1)
	}
	add(r, "pg_get_triggerdef(oid,bool)", two(func(*expr.Context, Session, types.OID, bool) (types.Datum, error) { return nil, nil }))
	rule := func(ctx *expr.Context, s Session, oid types.OID, pretty bool) (types.Datum, error) {
		row, err := catalog.FindRow(ctx.Ctx, s.CatalogReader(), "pg_rewrite", "pg_rewrite_oid_index", oid)
		if err != nil || row == nil {
			return nil, err
		}
		rel, err := s.CatalogReader().Relation(ctx.Ctx, row.OID("ev_class"))
		if err != nil || rel == nil {
			return nil, err
		}
		def, err := viewDef(ctx, s, rel.OID, pretty, 0)
		if err != nil || def == nil {
			return nil, err
		}
		name := qualified(s, rel)
		if pretty {
			name = relationText(ctx.Ctx, s, rel)
		}
		return "CREATE RULE \"_RETURN\" AS\n    ON SELECT TO " + name + " DO INSTEAD " + def.(string), nil
	}
	add(r, "pg_get_ruledef(oid)", one(func(ctx *expr.Context, s Session, o types.OID) (types.Datum, error) { return rule(ctx, s, o, false) }))
	add(r, "pg_get_ruledef(oid,bool)", two(rule))
	fn := func(f func(s Session, f *catalog.Function) types.Datum) expr.Kernel {
		return one(func(_ *expr.Context, s Session, o types.OID) (types.Datum, error) {
			p := s.CatalogReader().Function(o)
			if p == nil {
				return nil, nil
			}
			return f(s, p), nil
		})
	}
	add(r, "pg_get_function_arguments(oid)", fn(func(s Session, f *catalog.Function) types.Datum { return argumentText(s, f, true) }))
	add(r, "pg_get_function_identity_arguments(oid)", fn(func(s Session, f *catalog.Function) types.Datum { return argumentText(s, f, false) }))
	add(r, "pg_get_function_result(oid)", fn(resultText))
	add(r, "pg_get_function_arg_default(oid,int4)", two(func(_ *expr.Context, s Session, o types.OID, n int32) (types.Datum, error) {
		f := s.CatalogReader().Function(o)
		if f == nil || n < 1 || int(n) > len(f.ArgTypes) || int(n) <= len(f.ArgTypes)-len(f.Defaults) {
			return nil, nil
		}
		return f.Defaults[int(n)-1-(len(f.ArgTypes)-len(f.Defaults))], nil
	}))
	add(r, "pg_get_functiondef(oid)", fn(func(s Session, f *catalog.Function) types.Datum {
		kind := map[byte]string{'i': " IMMUTABLE", 's': " STABLE"}[f.Volatility]
		strict := ""
		if f.Strict {
			strict = " STRICT"
		}
		ns := "pg_catalog"
		return fmt.Sprintf("CREATE OR REPLACE FUNCTION %s(%s)\n RETURNS %s\n LANGUAGE internal\n%s PARALLEL SAFE%s\nAS $function$%s$function$\n",
			catalog.QuoteQualified(ns, f.Name), argumentText(s, f, true), resultText(s, f), kind, strict, f.Src)
	}))
	add(r, "format_type(oid,int4)", anyArgs(func(_ *expr.Context, _ *expr.Call, s Session, a []types.Datum) (types.Datum, error) {
		if a[0] == nil {
			return nil, nil
		}
		mod, given := a[1].(int32)
		if !given {
			mod = -1
		}
		return catalog.FormatTypeIn(s.CatalogReader(), path(s), a[0].(types.OID), mod, given), nil
	}))
	adapt.Add(r, "pg_typeof(any)", adapt.D(func(_ *expr.Context, call *expr.Call, _ []types.Datum) (types.Datum, error) {
		return call.ArgTypes[0].OID, nil
	}))
}
