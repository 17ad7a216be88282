package ddl

import (
	"context"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// tableDef is a table to be, transformed.
type tableDef struct {
	ns      *catalog.Namespace
	name    string
	owner   types.OID
	kept    byte // relpersistence: 'p' or 'u'; 0 is 'p'
	options []string
	columns []*columnDef
	cons    []*constraintDef
	indexes []*likeIndex
	comment []likeComment
}

func createTable(ctx context.Context, c *Context, s *pg_query.CreateStmt) (string, error) {
	_, err := c.createTable(ctx, s, c.User)
	return "", err
}

// createTable creates a table and gives its OID; 0 when IF NOT EXISTS found one.
func (c *Context) createTable(ctx context.Context, s *pg_query.CreateStmt, owner types.OID) (types.OID, error) {
	switch {
	case s.Partspec != nil || s.Partbound != nil:
		return 0, pgerror.Unsupported("partitioning")
	case len(s.InhRelations) > 0:
		return 0, pgerror.Unsupported("table inheritance")
	case s.OfTypename != nil:
		return 0, pgerror.Unsupported("typed tables")
	case s.AccessMethod != "" && s.AccessMethod != "heap":
		return 0, pgerror.New(pgerror.UndefinedObject, "access method %q does not exist", s.AccessMethod)
	}
	name := s.Relation.Relname
	ns, kept, err := c.relationNamespace(ctx, s.Relation)
	if err == nil {
		err = checkOnCommit(kept, s.Oncommit)
	}
	if err != nil {
		if e := pgerror.From(err); e.Code == pgerror.InvalidSchemaName {
			return 0, e.WithPosition(c.at(s.Relation.Location))
		}
		return 0, err
	}
	old, err := c.reader().RelationByName(ctx, ns.OID, name)
	if err != nil {
		return 0, err
	}
	if old != nil && s.IfNotExists {
		c.notice(notice(pgerror.DuplicateTable, "relation %q already exists, skipping", name))
		return 0, nil
	}
	if err := c.refuseCatalog(ns, name); err != nil {
		return 0, err
	}
	def := &tableDef{ns: ns, name: name, owner: owner}
	if def.options, err = relOptions(s.Options, tableOptions); err != nil {
		return 0, err
	}
	if s.Tablespacename != "" && s.Tablespacename != "pg_default" {
		return 0, pgerror.New(pgerror.UndefinedObject, "tablespace %q does not exist", s.Tablespacename)
	}
	for _, e := range s.TableElts {
		switch n := e.GetNode().(type) {
		case *pg_query.Node_ColumnDef:
			col, err := transformColumn(ctx, c, name, n.ColumnDef, &def.cons)
			if err != nil {
				return 0, err
			}
			def.columns = append(def.columns, col)
		case *pg_query.Node_Constraint:
			con, err := tableConstraint(c, n.Constraint)
			if err != nil {
				return 0, err
			}
			def.cons = append(def.cons, con)
		case *pg_query.Node_TableLikeClause:
			if err := transformLike(ctx, c, def, n.TableLikeClause); err != nil {
				return 0, err
			}
		default:
			return 0, pgerror.Unsupported("this kind of table element")
		}
	}
	def.kept = kept
	oid, err := c.buildTable(ctx, def)
	if err == nil {
		c.noteTemp(oid, kept, s.Oncommit)
	}
	return oid, err
}

func checkOnCommit(kept byte, oncommit pg_query.OnCommitAction) error {
	if oncommit > pg_query.OnCommitAction_ONCOMMIT_NOOP && kept != catalog.PersistenceTemp {
		return pgerror.New(pgerror.InvalidTableDefinition, "ON COMMIT can only be used on temporary tables")
	}
	return nil
}

// buildTable creates everything a table definition asks for.
func (c *Context) buildTable(ctx context.Context, def *tableDef) (types.OID, error) {
	w := c.writer()
	if err := checkColumnNames(c, plainColumns(def.columns), catalog.KindTable); err != nil {
		return 0, err
	}
	// What a definition says of itself is checked before its name is looked for.
	if old, err := c.reader().RelationByName(ctx, def.ns.OID, def.name); err != nil {
		return 0, err
	} else if old != nil {
		return 0, pgerror.New(pgerror.DuplicateTable, "relation %q already exists", def.name)
	}
	if err := checkKeys(c, def); err != nil {
		return 0, err
	}
	// Sequences of serial and identity columns come first: defaults refer to them.
	seqs := make([]types.OID, len(def.columns))
	for i, col := range def.columns {
		if !col.serial && col.identity == 0 {
			continue
		}
		var err error
		if seqs[i], err = c.columnSequence(ctx, def.ns, def.name, col, def.owner); err != nil {
			return 0, err
		}
	}
	oid, err := createRelation(ctx, c, relation{namespace: def.ns, name: def.name, kind: catalog.KindTable, owner: def.owner, persistence: max(def.kept, 'p'),
		columns: plainColumns(def.columns), options: def.options})
	if err != nil {
		return 0, err
	}
	rel, err := c.reader().Relation(ctx, oid)
	if err != nil {
		return 0, err
	}
	if err := checkDistribution(rel); err != nil {
		return 0, err
	}
	for i, col := range def.columns {
		if seqs[i] != 0 {
			how := catalog.DependAuto
			if col.identity != 0 {
				how = catalog.DependInternal
			}
			if err := w.Depend(ctx, catalog.Object{Class: catalog.ClassRelation, OID: seqs[i]},
				catalog.Object{Class: catalog.ClassRelation, OID: oid, Sub: i + 1}, how); err != nil {
				return 0, err
			}
		}
		if err := c.columnDefault(ctx, rel, i+1, col, seqs[i]); err != nil {
			return 0, err
		}
	}
	if err := c.addChecks(ctx, oid, def.cons, true); err != nil {
		return 0, err
	}
	for _, con := range orderKeys(def.cons) {
		if err := c.addKey(ctx, oid, con, true); err != nil {
			return 0, err
		}
	}
	if err := c.noteNoKey(ctx, oid); err != nil {
		return 0, err
	}
	for _, x := range def.indexes {
		if err := c.createLikeIndex(ctx, oid, x); err != nil {
			return 0, err
		}
	}
	for _, con := range def.cons {
		if con.kind == 'f' {
			if err := c.addForeignKey(ctx, oid, con, true); err != nil {
				return 0, err
			}
		}
	}
	for _, k := range def.comment {
		if err := c.setComment(ctx, catalog.Object{Class: catalog.ClassRelation, OID: oid, Sub: k.attnum}, k.text); err != nil {
			return 0, err
		}
	}
	return oid, nil
}

func plainColumns(defs []*columnDef) []column {
	out := make([]column, len(defs))
	for i, d := range defs {
		out[i] = d.column
		out[i].generated = d.generated || d.rawGenerated != nil
		if out[i].def != nil {
			out[i].def = nil // stored by columnDefault
		}
	}
	return out
}

// orderKeys lists key constraints, the primary key first.
func orderKeys(cons []*constraintDef) []*constraintDef {
	var out []*constraintDef
	for _, k := range cons {
		if k.kind == 'p' {
			out = append(out, k)
		}
	}
	for _, k := range cons {
		if k.kind == 'u' {
			dup := false
			for _, o := range out {
				dup = dup || k.name == "" && k.sameKey(o)
			}
			if !dup {
				out = append(out, k)
			}
		}
	}
	return out
}

// checkKeys checks the columns of PRIMARY KEY and UNIQUE and makes key columns NOT NULL.
func checkKeys(c *Context, def *tableDef) error {
	find := func(name string) *columnDef {
		for _, col := range def.columns {
			if col.name == name {
				return col
			}
		}
		return nil
	}
	primary := false
	for _, k := range def.cons {
		if k.kind != 'p' && k.kind != 'u' {
			continue
		}
		if k.kind == 'p' {
			if primary {
				return pgerror.New(pgerror.InvalidTableDefinition, "multiple primary keys for table %q are not allowed", def.name).WithPosition(c.at(k.loc))
			}
			primary = true
		}
		seen := map[string]bool{}
		for _, n := range k.columns {
			col := find(n)
			if col == nil {
				return pgerror.New(pgerror.UndefinedColumn, "column %q named in key does not exist", n).WithPosition(c.at(k.loc))
			}
			if seen[n] {
				what := "unique"
				if k.kind == 'p' {
					what = "primary key"
				}
				return pgerror.New(pgerror.DuplicateColumn, "column %q appears twice in %s constraint", n, what).WithPosition(c.at(k.loc))
			}
			seen[n] = true
			if k.kind == 'p' {
				if col.nullSaid && !col.notNull {
					return pgerror.New(pgerror.SyntaxError, "conflicting NULL/NOT NULL declarations for column %q of table %q", n, def.name).WithPosition(c.at(k.loc))
				}
				col.notNull = true
			}
		}
		for _, n := range k.including {
			if find(n) == nil {
				return pgerror.New(pgerror.UndefinedColumn, "column %q named in key does not exist", n).WithPosition(c.at(k.loc))
			}
		}
	}
	return nil
}

// columnDefault analyses and stores the default or generation expression of column n.
func (c *Context) columnDefault(ctx context.Context, rel *catalog.Relation, n int, col *columnDef, seq types.OID) error {
	var e query.Expr
	var err error
	spec := analyze.ExprSpec{Source: c.source, Kind: analyze.ExprDefault, Target: col.typ, ColumnName: col.name}
	switch {
	case col.serial:
		e, err = analyze.Coerce(ctx, c.env(), nextval(seq), col.typ)
	case col.rawGenerated != nil:
		spec.Kind, spec.Node, spec.Relation, spec.Collation = analyze.ExprGenerated, col.rawGenerated, rel, col.collation
		e, err = analyze.AnalyzeExpr(ctx, c.env(), spec)
	case col.rawDefault != nil:
		spec.Node = col.rawDefault
		e, err = analyze.AnalyzeExpr(ctx, c.env(), spec)
		if err == nil && isNullConst(e) {
			return nil
		}
	case col.def != nil: // LIKE
		e = col.def
	default:
		return nil
	}
	if err != nil {
		return err
	}
	if err := c.markDefault(ctx, rel.OID, n, true); err != nil {
		return err
	}
	return storeDefault(ctx, c, rel.OID, n, e, col.generated || col.rawGenerated != nil)
}

func isNullConst(e query.Expr) bool {
	k, ok := e.(*query.Const)
	return ok && k.Value == nil
}

// markDefault sets pg_attribute.atthasdef.
func (c *Context) markDefault(ctx context.Context, rel types.OID, n int, has bool) error {
	row, err := c.attribute(ctx, rel, n)
	if err != nil {
		return err
	}
	return c.writer().Update(ctx, row, catalog.Values{"atthasdef": has})
}

// attribute reads a pg_attribute row that must be there.
func (c *Context) attribute(ctx context.Context, rel types.OID, n int) (*catalog.Row, error) {
	row, err := c.writer().One(ctx, "pg_attribute", "pg_attribute_relid_attnum_index", rel, int16(n))
	if err == nil && row == nil {
		err = pgerror.Internal("cache lookup failed for attribute %d of relation %d", n, rel)
	}
	return row, err
}

// class reads a pg_class row that must be there.
func (c *Context) class(ctx context.Context, oid types.OID) (*catalog.Row, error) {
	row, err := c.writer().One(ctx, "pg_class", "pg_class_oid_index", oid)
	if err == nil && row == nil {
		err = pgerror.Internal("cache lookup failed for relation %d", oid)
	}
	return row, err
}

// nextval is the call a serial column's default makes.
func nextval(seq types.OID) query.Expr {
	return &query.FuncExpr{Base: query.Base{T: types.Of(types.Int8), Loc: -1}, Func: 1574, Name: "nextval",
		Args: []query.Expr{&query.Const{Base: query.Base{T: types.Of(types.RegClass), Loc: -1}, Value: seq}}}
}

// optionKind says which values a storage parameter takes.
type optionKind struct {
	kind     byte // i int, f float, b bool, s string
	min, max float64
}

var tableOptions = map[string]optionKind{
	"fillfactor": {'i', 10, 100}, "parallel_workers": {'i', 0, 1024}, "autovacuum_enabled": {'b', 0, 0}, "toast_tuple_target": {'i', 128, 8160},
	"user_catalog_table": {'b', 0, 0}, "autovacuum_vacuum_threshold": {'i', 0, 2147483647}, "autovacuum_analyze_threshold": {'i', 0, 2147483647},
	"autovacuum_vacuum_scale_factor": {'f', 0, 100}, "autovacuum_analyze_scale_factor": {'f', 0, 100}, "autovacuum_freeze_max_age": {'i', 100000, 2000000000},
	"autovacuum_vacuum_cost_delay": {'f', 0, 100}, "autovacuum_vacuum_cost_limit": {'i', 1, 10000}, "vacuum_truncate": {'b', 0, 0},
	"distribute_by": {'s', 0, 0},
}

var indexOptions = map[string]optionKind{"fillfactor": {'i', 10, 100}, "deduplicate_items": {'b', 0, 0}}

var viewOptions = map[string]optionKind{"security_barrier": {'b', 0, 0}, "security_invoker": {'b', 0, 0}, "check_option": {'s', 0, 0}}

// relOptions checks WITH (…) and gives reloptions.
func relOptions(list []*pg_query.Node, known map[string]optionKind) ([]string, error) {
	var out []string
	for _, n := range list {
		d := n.GetDefElem()
		if d.Defnamespace != "" && d.Defnamespace != "toast" {
			return nil, pgerror.New(pgerror.InvalidParameterValue, "unrecognized parameter namespace %q", d.Defnamespace)
		}
		if d.Defnamespace == "toast" {
			continue
		}
		if d.Defname == "oids" {
			if v := defText(d); v == "false" || v == "off" {
				continue
			}
			return nil, pgerror.New(pgerror.FeatureNotSupported, "tables declared WITH OIDS are not supported")
		}
		k, ok := known[d.Defname]
		if !ok {
			return nil, pgerror.New(pgerror.InvalidParameterValue, "unrecognized parameter %q", d.Defname)
		}
		v := defText(d)
		for _, o := range out {
			if strings.HasPrefix(o, d.Defname+"=") {
				return nil, pgerror.New(pgerror.InvalidParameterValue, "parameter %q specified more than once", d.Defname)
			}
		}
		if err := checkOption(d.Defname, v, k); err != nil {
			return nil, err
		}
		if d.Defname == catalog.DistributionOption {
			d, err := catalog.ParseDistribution(v)
			if err != nil {
				return nil, err
			}
			v = d.String()
		}
		out = append(out, d.Defname+"="+v)
	}
	return out, nil
}
