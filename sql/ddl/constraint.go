package ddl

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// constraintDef is a constraint to be.
type constraintDef struct {
	kind      byte // c, p, u, f
	name      string
	columns   []string
	column    string // the column a CHECK was written on
	check     *pg_query.Node
	checkExpr query.Expr // LIKE
	noInherit bool
	notValid  bool

	including        []string
	options          []*pg_query.Node
	nullsNotDistinct bool
	usingIndex       string

	refTable             *pg_query.RangeVar
	refColumns           []string
	match, onUp, onDel   byte
	delSet               []string
	deferrable, deferred bool
	loc                  int32
}

func (k *constraintDef) sameKey(o *constraintDef) bool {
	if len(k.columns) != len(o.columns) || len(k.including) != len(o.including) || k.usingIndex != o.usingIndex || k.deferrable != o.deferrable {
		return false
	}
	for i := range k.columns {
		if k.columns[i] != o.columns[i] {
			return false
		}
	}
	return k.usingIndex == ""
}

func keyConstraint(k *pg_query.Constraint) *constraintDef {
	d := &constraintDef{kind: 'u', name: k.Conname, columns: strs(k.Keys), including: strs(k.Including), options: k.Options,
		nullsNotDistinct: k.NullsNotDistinct, usingIndex: k.Indexname, deferrable: k.Deferrable, deferred: k.Initdeferred, loc: k.Location}
	if k.Contype == pg_query.ConstrType_CONSTR_PRIMARY {
		d.kind = 'p'
	}
	return d
}

func foreignConstraint(k *pg_query.Constraint) *constraintDef {
	d := &constraintDef{kind: 'f', name: k.Conname, columns: strs(k.FkAttrs), refTable: k.Pktable, refColumns: strs(k.PkAttrs), match: 's', onUp: 'a', onDel: 'a',
		delSet: strs(k.FkDelSetCols), deferrable: k.Deferrable, deferred: k.Initdeferred, notValid: k.SkipValidation, loc: k.Location}
	if k.FkMatchtype != "" {
		d.match = k.FkMatchtype[0]
	}
	if k.FkUpdAction != "" {
		d.onUp = k.FkUpdAction[0]
	}
	if k.FkDelAction != "" {
		d.onDel = k.FkDelAction[0]
	}
	return d
}

// tableConstraint reads a table constraint.
func tableConstraint(c *Context, k *pg_query.Constraint) (*constraintDef, error) {
	switch k.Contype {
	case pg_query.ConstrType_CONSTR_CHECK:
		return &constraintDef{kind: 'c', name: k.Conname, check: k.RawExpr, noInherit: k.IsNoInherit, notValid: k.SkipValidation, loc: k.Location}, nil
	case pg_query.ConstrType_CONSTR_PRIMARY, pg_query.ConstrType_CONSTR_UNIQUE:
		return keyConstraint(k), nil
	case pg_query.ConstrType_CONSTR_FOREIGN:
		return foreignConstraint(k), nil
	case pg_query.ConstrType_CONSTR_EXCLUSION:
		return nil, pgerror.Unsupported("EXCLUDE constraints")
	}
	return nil, pgerror.Unsupported("this kind of table constraint")
}

// addConstraintRow inserts a pg_constraint row.
func (c *Context) addConstraintRow(ctx context.Context, rel *catalog.Relation, k *constraintDef, v catalog.Values) (types.OID, error) {
	oid, err := c.newOID(ctx)
	if err != nil {
		return 0, err
	}
	v["oid"], v["conname"], v["connamespace"], v["contype"], v["conrelid"] = oid, k.name, rel.Namespace, k.kind, rel.OID
	v["conislocal"], v["connoinherit"], v["convalidated"] = true, k.noInherit || k.kind != 'c', !k.notValid
	v["condeferrable"], v["condeferred"] = k.deferrable, k.deferred
	for _, f := range []string{"confupdtype", "confdeltype", "confmatchtype"} {
		if _, ok := v[f]; !ok {
			v[f] = byte(' ')
		}
	}
	return oid, c.writer().Insert(ctx, "pg_constraint", v)
}

func int2Array(ns []int) *types.Array {
	ds := make([]types.Datum, len(ns))
	for i, n := range ns {
		ds[i] = int16(n)
	}
	return types.NewArray(types.Of(types.Int2), ds)
}

// constraintExists refuses a second constraint of a name on a relation.
func constraintExists(rel *catalog.Relation, name string) error {
	for _, k := range rel.Constraints {
		if k.Name == name {
			return pgerror.New(pgerror.DuplicateObject, "constraint %q for relation %q already exists", name, rel.Name)
		}
	}
	return nil
}

// addChecks adds the CHECK constraints of cons to a relation. isNew: it has no rows.
func (c *Context) addChecks(ctx context.Context, relid types.OID, cons []*constraintDef, isNew bool) error {
	w := c.writer()
	n := 0
	taken := map[string]bool{}
	for _, k := range cons {
		taken[k.name] = true
	}
	rel, err := c.reader().Relation(ctx, relid)
	if err != nil {
		return err
	}
	for _, k := range cons {
		if k.kind != 'c' {
			continue
		}
		e := k.checkExpr
		if e == nil {
			if e, err = analyze.AnalyzeExpr(ctx, c.env(), analyze.ExprSpec{Source: c.source, Node: k.check, Kind: analyze.ExprCheck, Relation: rel}); err != nil {
				return err
			}
		}
		var atts []int
		seen := map[int]bool{}
		query.Walk(e, func(x query.Expr) bool {
			if v, ok := x.(*query.Var); ok && !seen[v.AttNum] {
				seen[v.AttNum] = true
				atts = append(atts, v.AttNum)
			}
			return true
		})
		if k.name == "" {
			col := ""
			if len(atts) == 1 && atts[0] > 0 {
				col = rel.Columns[atts[0]-1].Name
			}
			if k.name, err = chooseConstraintName(ctx, c, rel.Name, col, "check", rel.Namespace, taken); err != nil {
				return err
			}
			taken[k.name] = true
		} else if err := constraintExists(rel, k.name); err != nil {
			if isNew {
				err = pgerror.New(pgerror.DuplicateObject, "check constraint %q already exists", k.name)
			}
			return err
		}
		sortInts(atts)
		v := catalog.Values{"conkey": int2Array(atts), "conbin": string(query.MarshalExpr(e))}
		if len(atts) == 0 {
			v["conkey"] = nil
		}
		if isNew {
			k.notValid = false
		}
		oid, err := c.addConstraintRow(ctx, rel, k, v)
		if err != nil {
			return err
		}
		obj := catalog.Object{Class: catalog.ClassConstraint, OID: oid}
		if len(atts) == 0 {
			if err := w.Depend(ctx, obj, catalog.Object{Class: catalog.ClassRelation, OID: relid}, catalog.DependAuto); err != nil {
				return err
			}
		}
		for _, a := range atts {
			if err := w.Depend(ctx, obj, catalog.Object{Class: catalog.ClassRelation, OID: relid, Sub: max(a, 0)}, catalog.DependAuto); err != nil {
				return err
			}
		}
		if err := w.DependOnExpr(ctx, obj, e, 0, catalog.DependNormal, catalog.DependNormal); err != nil {
			return err
		}
		n++
		if !isNew && !k.notValid {
			if err := c.validateCheck(ctx, rel, k.name, e); err != nil {
				return err
			}
		}
		if rel, err = c.reader().Relation(ctx, relid); err != nil {
			return err
		}
	}
	if n == 0 {
		return nil
	}
	row, err := c.class(ctx, relid)
	if err != nil {
		return err
	}
	return w.Update(ctx, row, catalog.Values{"relchecks": int16(row.Int("relchecks")) + int16(n)})
}

func sortInts(a []int) {
	for i := 1; i < len(a); i++ {
		for j := i; j > 0 && a[j] < a[j-1]; j-- {
			a[j], a[j-1] = a[j-1], a[j]
		}
	}
}

// whereNot makes SELECT 1 FROM rel WHERE cond LIMIT 1.
func anyRow(rel *catalog.Relation, cond query.Expr) *query.Query {
	rte := &query.RangeTblEntry{Kind: query.RTERelation, Relid: rel.OID, RelKind: rel.Kind, Inh: true, ERefName: rel.Name, Lock: uint8(txn.AccessShare)}
	for _, col := range rel.Columns {
		name := col.Name
		if col.Dropped {
			name = ""
		}
		rte.ERefColumns = append(rte.ERefColumns, name)
		rte.ColTypes = append(rte.ColTypes, col.Type)
		rte.ColCollations = append(rte.ColCollations, col.Collation)
	}
	one := func(t types.OID, d types.Datum) query.Expr {
		return &query.Const{Base: query.Base{T: types.Of(t), Loc: -1}, Value: d}
	}
	return &query.Query{RTable: []*query.RangeTblEntry{rte}, JoinTree: &query.FromExpr{Items: []query.FromItem{&query.RangeTblRef{RTIndex: 1}}, Quals: cond},
		TargetList: []*query.TargetEntry{{Expr: one(types.Int4, int32(1)), ResNo: 1, Name: "?column?"}}, LimitCount: one(types.Int8, int64(1)), Relations: []types.OID{rel.OID}}
}

func (c *Context) hasRow(ctx context.Context, rel *catalog.Relation, cond query.Expr) (bool, error) {
	if c.Runner == nil {
		return false, nil
	}
	rows, _, err := c.Runner.Run(ctx, anyRow(rel, cond))
	return len(rows) > 0, err
}

// validateCheck reads the whole table for a row that fails a check.
func (c *Context) validateCheck(ctx context.Context, rel *catalog.Relation, name string, e query.Expr) error {
	bad, err := c.hasRow(ctx, rel, &query.BooleanTest{Base: query.Base{T: types.Of(types.Bool), Loc: -1}, Arg: e, Test: query.IsFalse})
	if err == nil && bad {
		err = pgerror.New(pgerror.CheckViolation, "check constraint %q of relation %q is violated by some row", name, rel.Name).
			WithTable(rel.Schema, rel.Name).WithConstraint(name)
	}
	return err
}

// addKey adds a PRIMARY KEY or UNIQUE constraint with its index.
func (c *Context) addKey(ctx context.Context, relid types.OID, k *constraintDef, isNew bool) error {
	rel, err := c.reader().Relation(ctx, relid)
	if err != nil {
		return err
	}
	if k.deferrable {
		return pgerror.Unsupported("deferrable unique constraints")
	}
	spec := &indexSpec{unique: true, primary: k.kind == 'p', nullsNotDistinct: k.nullsNotDistinct, constraint: true, name: k.name}
	if spec.options, err = relOptions(k.options, indexOptions); err != nil {
		return err
	}
	if k.kind == 'p' && rel.PrimaryKey >= 0 {
		return pgerror.New(pgerror.InvalidTableDefinition, "multiple primary keys for table %q are not allowed", rel.Name)
	}
	if k.usingIndex != "" {
		return c.adoptIndex(ctx, rel, k)
	}
	var atts []int
	for _, name := range k.columns {
		n := attnum(rel, name)
		if n == 0 {
			return pgerror.New(pgerror.UndefinedColumn, "column %q named in key does not exist", name).WithPosition(c.at(k.loc))
		}
		atts = append(atts, n)
		oc := c.reader().DefaultOpClass("btree", rel.Columns[n-1].Type.OID)
		if oc == nil {
			return noOpClass(c, rel.Columns[n-1].Type, "btree")
		}
		spec.keys = append(spec.keys, indexKey{attnum: n, typ: rel.Columns[n-1].Type, opclass: oc.OID, collation: rel.Columns[n-1].Collation})
	}
	for _, name := range k.including {
		n := attnum(rel, name)
		if n == 0 {
			return pgerror.New(pgerror.UndefinedColumn, "column %q named in key does not exist", name).WithPosition(c.at(k.loc))
		}
		spec.include = append(spec.include, n)
	}
	if spec.name == "" {
		label, cols := "key", joinColumns(append(append([]string(nil), k.columns...), k.including...))
		if k.kind == 'p' {
			label, cols = "pkey", ""
		}
		if spec.name, err = chooseRelationName(ctx, c, rel.Name, cols, label, rel.Namespace, true); err != nil {
			return err
		}
	} else if old, err := c.reader().RelationByName(ctx, rel.Namespace, spec.name); err != nil {
		return err
	} else if old != nil {
		return pgerror.New(pgerror.DuplicateTable, "relation %q already exists", spec.name)
	}
	if err := constraintExists(rel, spec.name); err != nil {
		return err
	}
	k.name = spec.name
	if k.kind == 'p' && !isNew {
		for _, n := range atts {
			if !rel.Columns[n-1].NotNull {
				if err := c.setNotNull(ctx, rel, n, true); err != nil {
					return err
				}
			}
		}
		if rel, err = c.reader().Relation(ctx, relid); err != nil {
			return err
		}
	}
	if k.kind == 'p' {
		if err := keyHoldsDistribution(rel, atts); err != nil {
			return err
		}
	}
	ixOID, err := c.createIndexRelation(ctx, rel, spec)
	if err != nil {
		return err
	}
	if err := c.constraintForIndex(ctx, rel, k, atts, ixOID); err != nil {
		return err
	}
	if isNew {
		return nil
	}
	return c.fillIndex(ctx, rel, ixOID, spec)
}

func (c *Context) constraintForIndex(ctx context.Context, rel *catalog.Relation, k *constraintDef, atts []int, ixOID types.OID) error {
	w := c.writer()
	oid, err := c.addConstraintRow(ctx, rel, k, catalog.Values{"conindid": ixOID, "conkey": int2Array(atts)})
	if err != nil {
		return err
	}
	obj := catalog.Object{Class: catalog.ClassConstraint, OID: oid}
	for _, a := range atts {
		if err := w.Depend(ctx, obj, catalog.Object{Class: catalog.ClassRelation, OID: rel.OID, Sub: a}, catalog.DependAuto); err != nil {
			return err
		}
	}
	return w.Depend(ctx, catalog.Object{Class: catalog.ClassRelation, OID: ixOID}, obj, catalog.DependInternal)
}

// adoptIndex makes a constraint of an existing unique index.
func (c *Context) adoptIndex(ctx context.Context, rel *catalog.Relation, k *constraintDef) error {
	var ix *catalog.Index
	for _, x := range rel.Indexes {
		if x.Name == k.usingIndex {
			ix = x
		}
	}
	w := c.writer()
	if ix == nil {
		o, err := c.reader().RelationByName(ctx, rel.Namespace, k.usingIndex)
		if err != nil {
			return err
		}
		if o == nil || o.Kind != catalog.KindIndex {
			return pgerror.New(pgerror.UndefinedObject, "index %q does not exist", k.usingIndex).WithPosition(c.at(k.loc))
		}
		return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "index %q does not belong to table %q", k.usingIndex, rel.Name).WithPosition(c.at(k.loc))
	}
	switch {
	case ix.Constraint != 0:
		return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "index %q is already associated with a constraint", ix.Name).WithPosition(c.at(k.loc))
	case !ix.Unique:
		return pgerror.New(pgerror.WrongObjectType, "%q is not a unique index", ix.Name).WithDetail("Cannot create a primary key or unique constraint using such an index.").WithPosition(c.at(k.loc))
	case ix.Predicate != nil:
		return pgerror.New(pgerror.WrongObjectType, "%q is a partial index", ix.Name).WithDetail("Cannot create a primary key or unique constraint using such an index.").WithPosition(c.at(k.loc))
	}
	var atts []int
	for _, key := range ix.Keys {
		if key.Expr != nil {
			return pgerror.New(pgerror.WrongObjectType, "index %q contains expressions", ix.Name).WithDetail("Cannot create a primary key or unique constraint using such an index.").WithPosition(c.at(k.loc))
		}
		atts = append(atts, key.AttNum)
	}
	if k.kind == 'p' {
		// The primary key is how rows are stored: the index is made anew with it.
		cols := make([]string, len(atts))
		for i, a := range atts {
			cols[i] = rel.Columns[a-1].Name
		}
		name := k.name
		if name == "" {
			name = ix.Name
		} else if name != ix.Name {
			c.notice(notice(pgerror.SuccessfulCompletion, "ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index %q to %q", ix.Name, name))
		}
		if err := c.dropObject(ctx, catalog.Object{Class: catalog.ClassRelation, OID: ix.OID}); err != nil {
			return err
		}
		return c.addKey(ctx, rel.OID, &constraintDef{kind: 'p', name: name, columns: cols, loc: k.loc}, false)
	}
	if k.name == "" {
		k.name = ix.Name
	} else if k.name != ix.Name {
		c.notice(notice(pgerror.SuccessfulCompletion, "ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index %q to %q", ix.Name, k.name))
		row, err := c.class(ctx, ix.OID)
		if err != nil {
			return err
		}
		if err := w.Update(ctx, row, catalog.Values{"relname": k.name}); err != nil {
			return err
		}
	}
	// The index depends on the constraint from now on, no longer on the columns.
	if err := w.DeleteAll(ctx, "pg_depend", "pg_depend_depender_index", catalog.ClassRelation, ix.OID); err != nil {
		return err
	}
	return c.constraintForIndex(ctx, rel, k, atts, ix.OID)
}

func noOpClass(c *Context, t types.T, am string) error {
	return pgerror.New(pgerror.UndefinedObject, "data type %s has no default operator class for access method %q", c.reader().FormatType(t.OID, -1), am).
		WithHint("You must specify an operator class for the index or define a default operator class for the data type.")
}
