package ddl

import (
	"context"
	"fmt"
	"strings"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// addForeignKey adds a FOREIGN KEY constraint. isNew: the table has no rows.
func (c *Context) addForeignKey(ctx context.Context, relid types.OID, k *constraintDef, isNew bool) error {
	w := c.writer()
	rel, err := c.reader().Relation(ctx, relid)
	if err != nil {
		return err
	}
	pk, err := findRelation(ctx, c, k.refTable, txn.ShareRowExclusive, false)
	if err != nil {
		return err
	}
	if pk.Kind != catalog.KindTable {
		return pgerror.New(pgerror.WrongObjectType, "referenced relation %q is not a table", pk.Name)
	}
	if pk.OID < types.FirstNormalOID {
		return pgerror.New(pgerror.InsufficientPrivilege, "permission denied: %q is a system catalog", pk.Name)
	}
	if rel, err = c.reader().Relation(ctx, relid); err != nil {
		return err
	}
	if err := c.checkTempKey(rel, pk); err != nil {
		return err
	}
	var fkAtts, pkAtts []int
	for _, n := range k.columns {
		a := attnum(rel, n)
		if a == 0 {
			return pgerror.New(pgerror.UndefinedColumn, "column %q referenced in foreign key constraint does not exist", n)
		}
		fkAtts = append(fkAtts, a)
	}
	var delSet []int
	for _, n := range k.delSet {
		a := attnum(rel, n)
		if a == 0 {
			return pgerror.New(pgerror.UndefinedColumn, "column %q referenced in foreign key constraint does not exist", n)
		}
		in := false
		for _, f := range fkAtts {
			in = in || f == a
		}
		if !in {
			return pgerror.New(pgerror.InvalidColumnReference, "column %q referenced in ON DELETE SET action must be part of foreign key", n)
		}
		delSet = append(delSet, a)
	}
	for _, col := range fkAtts {
		if !rel.Columns[col-1].Generated {
			continue
		}
		switch {
		case k.onUp == 'n' || k.onUp == 'd' || k.onUp == 'c':
			return pgerror.New(pgerror.SyntaxError, "invalid %s action for foreign key constraint containing generated column", "ON UPDATE")
		case k.onDel == 'n' || k.onDel == 'd':
			return pgerror.New(pgerror.SyntaxError, "invalid %s action for foreign key constraint containing generated column", "ON DELETE")
		}
	}
	var ix *catalog.Index
	if len(k.refColumns) == 0 {
		if pk.PrimaryKey < 0 {
			return pgerror.New(pgerror.UndefinedObject, "there is no primary key for referenced table %q", pk.Name)
		}
		ix = pk.Indexes[pk.PrimaryKey]
		for _, key := range ix.Keys {
			pkAtts = append(pkAtts, key.AttNum)
		}
	} else {
		for _, n := range k.refColumns {
			a := attnum(pk, n)
			if a == 0 {
				return pgerror.New(pgerror.UndefinedColumn, "column %q referenced in foreign key constraint does not exist", n)
			}
			pkAtts = append(pkAtts, a)
		}
	}
	if ok, err := c.hasReferences(ctx, pk, pkAtts); err != nil {
		return err
	} else if !ok {
		return pgerror.New(pgerror.InsufficientPrivilege, "permission denied for table %s", pk.Name)
	}
	if ix == nil {
		if ix, err = matchingKey(pk, pkAtts); err != nil {
			return err
		}
	}
	if len(fkAtts) != len(pkAtts) {
		return pgerror.New(pgerror.InvalidForeignKey, "number of referencing and referenced columns for foreign key disagree")
	}
	name := k.name
	if name == "" {
		if name, err = chooseConstraintName(ctx, c, rel.Name, joinColumns(k.columns), "fkey", rel.Namespace, nil); err != nil {
			return err
		}
	} else if err := constraintExists(rel, name); err != nil {
		return err
	}
	k.name = name
	var pf, pp, ff []types.Datum
	for i := range fkAtts {
		fc, pc := rel.Columns[fkAtts[i]-1], pk.Columns[pkAtts[i]-1]
		a, b, d, err := c.keyOperators(ctx, ix, pc, fc)
		if err != nil {
			return err
		}
		if a == 0 {
			return pgerror.New(pgerror.DatatypeMismatch, "foreign key constraint %q cannot be implemented", name).
				WithDetail("Key columns %q and %q are of incompatible types: %s and %s.", fc.Name, pc.Name,
					c.reader().FormatType(fc.Type.OID, -1), c.reader().FormatType(pc.Type.OID, -1))
		}
		pf, pp, ff = append(pf, a), append(pp, b), append(ff, d)
	}
	oids := func(ds []types.Datum) *types.Array { return types.NewArray(types.Of(types.Oid), ds) }
	v := catalog.Values{"conindid": ix.OID, "confrelid": pk.OID, "conkey": int2Array(fkAtts), "confkey": int2Array(pkAtts), "confupdtype": k.onUp,
		"confdeltype": k.onDel, "confmatchtype": k.match, "conpfeqop": oids(pf), "conppeqop": oids(pp), "conffeqop": oids(ff)}
	if len(delSet) > 0 {
		v["confdelsetcols"] = int2Array(delSet)
	}
	if k.match == 'p' {
		return pgerror.New(pgerror.FeatureNotSupported, "MATCH PARTIAL not yet implemented")
	}
	notValid := k.notValid
	if isNew {
		k.notValid = false
	}
	oid, err := c.addConstraintRow(ctx, rel, k, v)
	if err != nil {
		return err
	}
	obj := catalog.Object{Class: catalog.ClassConstraint, OID: oid}
	for _, a := range fkAtts {
		if err := w.Depend(ctx, obj, catalog.Object{Class: catalog.ClassRelation, OID: rel.OID, Sub: a}, catalog.DependAuto); err != nil {
			return err
		}
	}
	for _, a := range pkAtts {
		if err := w.Depend(ctx, obj, catalog.Object{Class: catalog.ClassRelation, OID: pk.OID, Sub: a}, catalog.DependNormal); err != nil {
			return err
		}
	}
	if err := w.Depend(ctx, obj, catalog.Object{Class: catalog.ClassRelation, OID: ix.OID}, catalog.DependNormal); err != nil {
		return err
	}
	for _, id := range []types.OID{rel.OID, pk.OID} {
		row, err := c.class(ctx, id)
		if err != nil {
			return err
		}
		if !row.Bool("relhastriggers") {
			if err := w.Update(ctx, row, catalog.Values{"relhastriggers": true}); err != nil {
				return err
			}
		}
	}
	if isNew || notValid {
		return nil
	}
	return c.validateForeignKey(ctx, rel.OID, name)
}

func (c *Context) hasReferences(ctx context.Context, rel *catalog.Relation, atts []int) (bool, error) {
	err := catalog.CheckPrivilege(ctx, c.reader(), c.User, rel, catalog.PrivReferences, atts)
	if err == nil {
		return true, nil
	}
	if pgerror.From(err).Code == pgerror.InsufficientPrivilege {
		return false, nil
	}
	return false, err
}

// matchingKey finds the unique index over exactly the columns atts, in any order.
func matchingKey(pk *catalog.Relation, atts []int) (*catalog.Index, error) {
	seen := map[int]bool{}
	for _, a := range atts {
		if seen[a] {
			return nil, pgerror.New(pgerror.InvalidForeignKey, "foreign key referenced-columns list must not contain duplicates")
		}
		seen[a] = true
	}
	for _, ix := range pk.Indexes {
		if !ix.Unique || ix.Predicate != nil || len(ix.Keys) != len(atts) {
			continue
		}
		ok := true
		for _, k := range ix.Keys {
			ok = ok && k.Expr == nil && seen[k.AttNum]
		}
		if ok {
			return ix, nil
		}
	}
	return nil, pgerror.New(pgerror.InvalidForeignKey, "there is no unique constraint matching given keys for referenced table %q", pk.Name)
}

// keyOperators finds the equality operators pk = fk, pk = pk and fk = fk of a key column; 0 when there is none.
func (c *Context) keyOperators(ctx context.Context, ix *catalog.Index, pc, fc catalog.Column) (pf, pp, ff types.OID, err error) {
	r := c.reader()
	var class *catalog.OpClass
	for _, k := range ix.Keys {
		if k.AttNum == pc.AttNum {
			class = c.builtins().OpClass(k.OpClass)
		}
	}
	if class == nil {
		return 0, 0, 0, nil
	}
	pp = r.FamilyOperator(class.Family, class.InType, class.InType, catalog.StrategyEqual)
	fkType := fc.Type
	pf = r.FamilyOperator(class.Family, class.InType, fkType.OID, catalog.StrategyEqual)
	ff = r.FamilyOperator(class.Family, fkType.OID, fkType.OID, catalog.StrategyEqual)
	if pf != 0 && ff != 0 {
		return pf, pp, ff, nil
	}
	if pc.Type.OID == fkType.OID || c.implicitlyTo(fkType, class.InType) {
		return pp, pp, pp, nil
	}
	return 0, 0, 0, nil
}

func (c *Context) implicitlyTo(t types.T, to types.OID) bool {
	if c.coercibleTo(context.Background(), t, to) {
		return to != types.AnyEnum && to != types.AnyArray && to != types.RecordOID
	}
	k := c.reader().Cast(t.OID, to)
	return k != nil && k.Context == 'i'
}

// validateForeignKey reads both tables for a row without its key.
func (c *Context) validateForeignKey(ctx context.Context, relid types.OID, name string) error {
	if c.Runner == nil {
		return nil
	}
	rel, err := c.reader().Relation(ctx, relid)
	if err != nil {
		return err
	}
	var k *catalog.Constraint
	for _, x := range rel.Constraints {
		if x.Name == name {
			k = x
		}
	}
	pk, err := c.reader().Relation(ctx, k.RefRelation)
	if err != nil {
		return err
	}
	var cols, on, nulls, anyNull []string
	for i, a := range k.Columns {
		f, p := catalog.QuoteIdent(rel.Columns[a-1].Name), catalog.QuoteIdent(pk.Columns[k.RefColumns[i]-1].Name)
		cols = append(cols, "fk."+f+"::text")
		on = append(on, fmt.Sprintf("pk.%s OPERATOR(pg_catalog.=) fk.%s", p, f))
		nulls = append(nulls, fmt.Sprintf("fk.%s IS NOT NULL", f))
		anyNull = append(anyNull, fmt.Sprintf("fk.%s IS NULL", f))
	}
	join := " AND "
	if k.MatchType == 'f' {
		join = " OR "
	}
	sql := fmt.Sprintf("SELECT %s FROM %s fk WHERE (%s) AND NOT EXISTS (SELECT 1 FROM %s pk WHERE %s) LIMIT 1", strings.Join(cols, ", "),
		catalog.QuoteQualified(rel.Schema, rel.Name), strings.Join(nulls, join), catalog.QuoteQualified(pk.Schema, pk.Name), strings.Join(on, " AND "))
	rows, err := c.queryText(ctx, sql)
	if err != nil || len(rows) == 0 {
		return err
	}
	var names, vals []string
	hasNull := false
	for i, a := range k.Columns {
		names = append(names, rel.Columns[a-1].Name)
		s, ok := rows[0][i].(string)
		hasNull = hasNull || !ok
		vals = append(vals, s)
	}
	e := pgerror.New(pgerror.ForeignKeyViolation, "insert or update on table %q violates foreign key constraint %q", rel.Name, name).
		WithTable(rel.Schema, rel.Name).WithConstraint(name)
	if hasNull {
		return e.WithDetail("MATCH FULL does not allow mixing of null and nonnull key values.")
	}
	return e.WithDetail("Key (%s)=(%s) is not present in table %q.", strings.Join(names, ", "), strings.Join(vals, ", "), pk.Name)
}

// queryText analyses and runs a query this package wrote.
func (c *Context) queryText(ctx context.Context, sql string) ([][]types.Datum, error) {
	q, err := c.analyzeText(ctx, sql)
	if err != nil {
		return nil, err
	}
	rows, _, err := c.Runner.Run(ctx, q)
	return rows, err
}

func (c *Context) analyzeText(ctx context.Context, sql string) (*query.Query, error) {
	stmts, err := parse.Parse(sql)
	if err != nil {
		return nil, pgerror.Internal("%v in %s", err, sql)
	}
	return analyze.Analyze(ctx, c.env(), stmts[0], nil)
}
