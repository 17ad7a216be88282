package ddl

import (
	"context"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// columnDef is a column as its definition says it, before expressions are analysed.
type columnDef struct {
	column
	rawDefault   *pg_query.Node
	rawGenerated *pg_query.Node
	serial       bool
	seqOptions   []*pg_query.Node // of identity
	seqName      string           // of serial and identity, once chosen
	seqSchema    string
	nullSaid     bool
	defaultSaid  bool
	fromLike     bool
}

var serialTypes = map[string]types.OID{
	"serial": types.Int4, "serial4": types.Int4, "bigserial": types.Int8, "serial8": types.Int8, "smallserial": types.Int2, "serial2": types.Int2,
}

// resolveType finds a column's type; serial gives its integer type.
func resolveType(ctx context.Context, c *Context, tn *pg_query.TypeName) (t types.T, serial bool, err error) {
	if len(tn.Names) == 1 {
		if oid, ok := serialTypes[str(tn.Names[0])]; ok && !tn.PctType {
			if len(tn.ArrayBounds) > 0 {
				return t, false, pgerror.New(pgerror.FeatureNotSupported, "array of serial is not implemented").WithPosition(c.at(tn.Location))
			}
			return types.Of(oid), true, nil
		}
	}
	if tn.Setof {
		return t, false, pgerror.New(pgerror.InvalidTableDefinition, "column cannot be declared SETOF").WithPosition(c.at(tn.Location))
	}
	t, err = analyze.ResolveTypeName(ctx, c.env(), c.source, tn)
	return t, false, err
}

// columnCollation resolves COLLATE for a column of type t.
func columnCollation(ctx context.Context, c *Context, clause *pg_query.CollateClause, t types.T) (types.OID, error) {
	ty, err := c.reader().Type(ctx, t.OID)
	if err != nil {
		return 0, err
	}
	base := types.OID(0)
	if ty != nil {
		base = ty.Collation
		if ty.IsTrueArray && base == 0 {
			if e, err := c.reader().Type(ctx, ty.Elem); err == nil && e != nil {
				base = e.Collation
			}
		}
	}
	if clause == nil {
		return base, nil
	}
	names := strs(clause.Collname)
	col := c.reader().CollationByName(names[len(names)-1])
	if col == nil || len(names) > 1 && names[0] != "pg_catalog" {
		return 0, pgerror.New(pgerror.UndefinedObject, "collation %q for encoding \"UTF8\" does not exist", strings.Join(names, ".")).WithPosition(c.at(clause.Location))
	}
	if base == 0 {
		return 0, pgerror.New(pgerror.DatatypeMismatch, "collations are not supported by type %s", c.reader().FormatType(t.OID, -1)).WithPosition(c.at(clause.Location))
	}
	return col.OID, nil
}

// transformColumn reads a ColumnDef; its constraints that concern the table are
// appended to cons.
func transformColumn(ctx context.Context, c *Context, table string, d *pg_query.ColumnDef, cons *[]*constraintDef) (*columnDef, error) {
	col := &columnDef{}
	col.name, col.loc = d.Colname, d.Location
	if d.TypeName == nil {
		return nil, pgerror.Unsupported("typed tables")
	}
	var err error
	if col.typ, col.serial, err = resolveType(ctx, c, d.TypeName); err != nil {
		return nil, err
	}
	col.ndims = len(d.TypeName.ArrayBounds)
	if col.collation, err = columnCollation(ctx, c, d.CollClause, col.typ); err != nil {
		return nil, err
	}
	if err := checkColumnType(ctx, c, col.name, col.typ); err != nil {
		return nil, err
	}
	if d.StorageName != "" {
		s, ok := map[string]byte{"plain": 'p', "external": 'e', "extended": 'x', "main": 'm', "default": 0}[strings.ToLower(d.StorageName)]
		if !ok {
			return nil, pgerror.New(pgerror.InvalidParameterValue, "invalid storage type %q", d.StorageName)
		}
		col.storage = s
	}
	if col.serial {
		col.notNull, col.nullSaid, col.defaultSaid = true, true, true
	}
	conflict := func(k *pg_query.Constraint) error {
		return pgerror.New(pgerror.SyntaxError, "conflicting NULL/NOT NULL declarations for column %q of table %q", col.name, table).WithPosition(c.at(k.Location))
	}
	multiple := func(k *pg_query.Constraint) error {
		return pgerror.New(pgerror.SyntaxError, "multiple default values specified for column %q of table %q", col.name, table).WithPosition(c.at(k.Location))
	}
	var last *constraintDef
	said := d.Location // of the last default, identity or generation clause
	for _, n := range d.Constraints {
		k := n.GetConstraint()
		switch k.Contype {
		case pg_query.ConstrType_CONSTR_DEFAULT, pg_query.ConstrType_CONSTR_IDENTITY, pg_query.ConstrType_CONSTR_GENERATED:
			said = k.Location
		}
		switch k.Contype {
		case pg_query.ConstrType_CONSTR_NULL:
			if col.nullSaid && col.notNull {
				return nil, conflict(k)
			}
			col.notNull, col.nullSaid = false, true
		case pg_query.ConstrType_CONSTR_NOTNULL:
			if col.nullSaid && !col.notNull {
				return nil, conflict(k)
			}
			col.notNull, col.nullSaid = true, true
		case pg_query.ConstrType_CONSTR_DEFAULT:
			if col.serial {
				return nil, multiple(&pg_query.Constraint{Location: -1})
			}
			if col.defaultSaid {
				return nil, multiple(k)
			}
			col.rawDefault, col.defaultSaid = k.RawExpr, true
		case pg_query.ConstrType_CONSTR_IDENTITY:
			if col.identity != 0 {
				return nil, pgerror.New(pgerror.SyntaxError, "multiple identity specifications for column %q of table %q", col.name, table).WithPosition(c.at(k.Location))
			}
			if col.nullSaid && !col.notNull {
				return nil, conflict(k)
			}
			col.identity, col.seqOptions = k.GeneratedWhen[0], k.Options
			col.notNull, col.nullSaid = true, true
		case pg_query.ConstrType_CONSTR_GENERATED:
			if col.rawGenerated != nil {
				return nil, pgerror.New(pgerror.SyntaxError, "multiple generation clauses specified for column %q of table %q", col.name, table).WithPosition(c.at(k.Location))
			}
			col.rawGenerated = k.RawExpr
		case pg_query.ConstrType_CONSTR_CHECK:
			last = &constraintDef{kind: 'c', name: k.Conname, check: k.RawExpr, column: col.name, noInherit: k.IsNoInherit, notValid: k.SkipValidation, loc: k.Location}
			*cons = append(*cons, last)
		case pg_query.ConstrType_CONSTR_PRIMARY, pg_query.ConstrType_CONSTR_UNIQUE:
			last = keyConstraint(k)
			last.columns = []string{col.name}
			*cons = append(*cons, last)
		case pg_query.ConstrType_CONSTR_FOREIGN:
			last = foreignConstraint(k)
			last.columns = []string{col.name}
			*cons = append(*cons, last)
		case pg_query.ConstrType_CONSTR_ATTR_DEFERRABLE, pg_query.ConstrType_CONSTR_ATTR_NOT_DEFERRABLE,
			pg_query.ConstrType_CONSTR_ATTR_DEFERRED, pg_query.ConstrType_CONSTR_ATTR_IMMEDIATE:
			if err := constraintAttribute(c, last, k); err != nil {
				return nil, err
			}
		default:
			return nil, pgerror.Unsupported("this kind of column constraint")
		}
	}
	both := func(a, b string) error {
		return pgerror.New(pgerror.SyntaxError, "both %s and %s specified for column %q of table %q", a, b, col.name, table).WithPosition(c.at(said))
	}
	switch {
	case col.defaultSaid && col.identity != 0:
		return nil, both("default", "identity")
	case col.defaultSaid && col.rawGenerated != nil:
		return nil, both("default", "generation expression")
	case col.identity != 0 && col.rawGenerated != nil:
		return nil, both("identity", "generation expression")
	}
	if col.identity != 0 && col.typ.OID != types.Int2 && col.typ.OID != types.Int4 && col.typ.OID != types.Int8 {
		return nil, pgerror.New(pgerror.InvalidParameterValue, "identity column type must be smallint, integer, or bigint")
	}
	return col, nil
}

// constraintAttribute applies DEFERRABLE & co to the constraint before it.
func constraintAttribute(c *Context, last *constraintDef, k *pg_query.Constraint) error {
	word := map[pg_query.ConstrType]string{
		pg_query.ConstrType_CONSTR_ATTR_DEFERRABLE: "DEFERRABLE", pg_query.ConstrType_CONSTR_ATTR_NOT_DEFERRABLE: "NOT DEFERRABLE",
		pg_query.ConstrType_CONSTR_ATTR_DEFERRED: "INITIALLY DEFERRED", pg_query.ConstrType_CONSTR_ATTR_IMMEDIATE: "INITIALLY IMMEDIATE",
	}[k.Contype]
	if last == nil || last.kind == 'c' {
		return pgerror.New(pgerror.SyntaxError, "misplaced %s clause", word).WithPosition(c.at(k.Location))
	}
	switch k.Contype {
	case pg_query.ConstrType_CONSTR_ATTR_DEFERRABLE:
		last.deferrable = true
	case pg_query.ConstrType_CONSTR_ATTR_NOT_DEFERRABLE:
		last.deferrable = false
		if last.deferred {
			return pgerror.New(pgerror.SyntaxError, "constraint declared INITIALLY DEFERRED must be DEFERRABLE").WithPosition(c.at(k.Location))
		}
	case pg_query.ConstrType_CONSTR_ATTR_DEFERRED:
		last.deferred, last.deferrable = true, true
	case pg_query.ConstrType_CONSTR_ATTR_IMMEDIATE:
		last.deferred = false
	}
	return nil
}

// attnum finds a live column, 0 for none.
func attnum(rel *catalog.Relation, name string) int {
	for _, col := range rel.Columns {
		if !col.Dropped && col.Name == name {
			return col.AttNum
		}
	}
	return 0
}
