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
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// indexKeysMax is PostgreSQL's limit of columns per index.
const indexKeysMax = 32

// indexKey is a key of an index to be.
type indexKey struct {
	attnum     int
	expr       query.Expr
	name       string // of an expression's column
	typ        types.T
	collation  types.OID
	opclass    types.OID
	desc       bool
	nullsFirst bool
}

// indexSpec is an index to be.
type indexSpec struct {
	name                              string
	unique, primary, nullsNotDistinct bool
	constraint                        bool
	am                                types.OID // 0: btree
	keys                              []indexKey
	include                           []int
	predicate                         query.Expr
	options                           []string
}

// btree's access method OID.
const amBtree types.OID = 403

// createIndexRelation writes the catalog rows of an index; it is not filled.
func (c *Context) createIndexRelation(ctx context.Context, rel *catalog.Relation, x *indexSpec) (types.OID, error) {
	w := c.writer()
	ns, err := c.reader().Namespace(ctx, rel.Namespace)
	if err != nil {
		return 0, err
	}
	am := x.am
	if am == 0 {
		am = amBtree
	}
	var cols []column
	used := map[string]bool{}
	unique := func(base string) string {
		name := base
		for i := 1; used[name]; i++ {
			name = objectName(base, "", "")
			suffix := itoa(i)
			name = clip(base, nameMax-len(suffix)) + suffix
		}
		used[name] = true
		return name
	}
	var atts []int
	for _, k := range x.keys {
		name := k.name
		if k.attnum > 0 {
			name = rel.Columns[k.attnum-1].Name
		}
		cols = append(cols, column{name: unique(name), typ: k.typ, collation: k.collation})
		atts = append(atts, k.attnum)
	}
	for _, n := range x.include {
		cols = append(cols, column{name: unique(rel.Columns[n-1].Name), typ: rel.Columns[n-1].Type, collation: rel.Columns[n-1].Collation})
		atts = append(atts, n)
	}
	if len(cols) > indexKeysMax {
		return 0, pgerror.New(pgerror.TooManyColumns, "cannot use more than %d columns in an index", indexKeysMax)
	}
	oid, err := createRelation(ctx, c, relation{namespace: ns, name: x.name, kind: catalog.KindIndex, owner: rel.Owner, persistence: rel.Persistence,
		columns: cols, options: x.options, am: am})
	if err != nil {
		return 0, err
	}
	var classes, colls []types.OID
	var opts []int
	var exprs []query.Expr
	for _, k := range x.keys {
		classes, colls = append(classes, k.opclass), append(colls, k.collation)
		o := 0
		if k.desc {
			o |= 1
		}
		if k.nullsFirst {
			o |= 2
		}
		opts = append(opts, o)
		if k.expr != nil {
			exprs = append(exprs, k.expr)
		}
	}
	v := catalog.Values{
		"indexrelid": oid, "indrelid": rel.OID, "indnatts": int16(len(atts)), "indnkeyatts": int16(len(x.keys)), "indisunique": x.unique,
		"indnullsnotdistinct": x.nullsNotDistinct, "indisprimary": x.primary, "indimmediate": true, "indisvalid": true, "indisready": true, "indislive": true,
		"indkey": catalog.Int2Vector(atts), "indcollation": catalog.OIDVector(colls), "indclass": catalog.OIDVector(classes), "indoption": catalog.Int2Vector(opts),
	}
	if exprs != nil {
		v["indexprs"] = string(query.MarshalExpr(&query.RowExpr{Base: query.Base{T: types.Of(types.RecordOID), Loc: -1}, Fields: exprs}))
	}
	if x.predicate != nil {
		v["indpred"] = string(query.MarshalExpr(x.predicate))
	}
	if err := w.Insert(ctx, "pg_index", v); err != nil {
		return 0, err
	}
	class, err := c.class(ctx, rel.OID)
	if err != nil {
		return 0, err
	}
	if !class.Bool("relhasindex") {
		if err := w.Update(ctx, class, catalog.Values{"relhasindex": true}); err != nil {
			return 0, err
		}
	}
	if x.constraint {
		return oid, nil // the constraint stands between index and columns
	}
	obj := catalog.Object{Class: catalog.ClassRelation, OID: oid}
	simple := false
	for _, a := range atts {
		if a > 0 {
			simple = true
			if err := w.Depend(ctx, obj, catalog.Object{Class: catalog.ClassRelation, OID: rel.OID, Sub: a}, catalog.DependAuto); err != nil {
				return 0, err
			}
		}
	}
	if !simple {
		if err := w.Depend(ctx, obj, catalog.Object{Class: catalog.ClassRelation, OID: rel.OID}, catalog.DependAuto); err != nil {
			return 0, err
		}
	}
	for _, e := range append(exprs, x.predicate) {
		if e != nil {
			if err := w.DependOnExpr(ctx, obj, e, rel.OID, catalog.DependNormal, catalog.DependAuto); err != nil {
				return 0, err
			}
		}
	}
	return oid, nil
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

// fillIndex puts the table's rows into a new index. A primary key is how rows are
// stored, so the table is written anew.
func (c *Context) fillIndex(ctx context.Context, old *catalog.Relation, ix types.OID, x *indexSpec) error {
	if c.Runner == nil {
		return nil
	}
	has, err := c.hasRow(ctx, old, nil)
	if err != nil || !has {
		return err
	}
	rel, err := c.reader().Relation(ctx, old.OID)
	if err != nil {
		return err
	}
	if x.primary {
		return c.rewriteTable(ctx, old, rel.OID, nil)
	}
	for _, i := range rel.Indexes {
		if i.OID == ix {
			err := c.Runner.BuildIndex(ctx, rel.Storage, i.StorageIndex)
			if e := pgerror.From(err); err != nil && e.Code == pgerror.UniqueViolation {
				return couldNotBuild(e, x.name)
			}
			return err
		}
	}
	return pgerror.Internal("index %d is not there", ix)
}

func couldNotBuild(e *pgerror.Error, name string) error {
	d := strings.Replace(e.Detail, " already exists.", " is duplicated.", 1)
	n := pgerror.New(pgerror.UniqueViolation, "could not create unique index %q", name).WithConstraint(name).WithTable(e.Schema, e.Table)
	if d != "" {
		n = n.WithDetail("%s", d)
	}
	return n
}

// newStorage gives a relation and its indexes new storage generations.
func (c *Context) newStorage(ctx context.Context, rel *catalog.Relation) error {
	w := c.writer()
	var dropped []uint64
	change := func(oid types.OID) error {
		row, err := c.class(ctx, oid)
		if err != nil {
			return err
		}
		node, err := c.newOID(ctx)
		if err != nil {
			return err
		}
		dropped = append(dropped, uint64(c.reader().DatabaseOID())<<32|uint64(row.OID("relfilenode")))
		return w.Update(ctx, row, catalog.Values{"relfilenode": node})
	}
	if err := change(rel.OID); err != nil {
		return err
	}
	for _, ix := range rel.Indexes {
		if err := change(ix.OID); err != nil {
			return err
		}
	}
	if c.Runner == nil {
		return nil
	}
	return c.Runner.DropStorage(ctx, dropped...)
}

// rewriteTable copies the rows of old (the relation as it was) into a new storage
// generation of the relation as it is now. exprs gives the new columns by
// attribute number where they are not the old ones: expressions over the old row
// (Var RTIndex 1).
func (c *Context) rewriteTable(ctx context.Context, old *catalog.Relation, relid types.OID, exprs map[int]query.Expr) error {
	cur, err := c.reader().Relation(ctx, relid)
	if err != nil {
		return err
	}
	if err := c.refuseOtherTemp(cur, "rewrite"); err != nil {
		return err
	}
	if err := c.newStorage(ctx, cur); err != nil {
		return err
	}
	if c.Runner == nil {
		return nil
	}
	if cur, err = c.reader().Relation(ctx, relid); err != nil {
		return err
	}
	scan := &planpb.Plan{Id: 1}
	s := &planpb.Scan{Table: old.Storage}
	for i, col := range old.Storage.Columns {
		s.Columns = append(s.Columns, int32(i))
		scan.Output = append(scan.Output, col.Type)
	}
	scan.Op = &planpb.Plan_Scan{Scan: s}
	project := &planpb.Plan{Id: 2}
	p := &planpb.Project{Input: scan}
	for _, col := range cur.Columns {
		if col.Dropped {
			continue
		}
		var e *planpb.Expr
		switch x, ok := exprs[col.AttNum]; {
		case ok && x != nil:
			if e, err = c.Lower.LowerExpr(ctx, c.reader(), x, old.Ordinals); err != nil {
				return err
			}
		case col.AttNum <= len(old.Columns) && !old.Columns[col.AttNum-1].Dropped && !ok:
			e = planpb.NewColumn(old.Columns[col.AttNum-1].Type, old.Ordinals[col.AttNum-1])
		default:
			e = planpb.NewConst(col.Type, nil)
		}
		p.Exprs = append(p.Exprs, e)
		project.Output = append(project.Output, planpb.NewType(col.Type))
	}
	project.Op = &planpb.Plan_Project{Project: p}
	mod := &planpb.Plan{Id: 3, Op: &planpb.Plan_Modify{Modify: &planpb.Modify{Op: planpb.Modify_INSERT, Table: cur.Storage, Input: project}}}
	_, err = c.Runner.RunPlan(ctx, &planpb.Statement{Root: mod})
	if err != nil {
		if e := pgerror.From(err); e.Code == pgerror.UniqueViolation {
			return couldNotBuild(e, e.Constraint)
		}
	}
	return err
}

func createIndex(ctx context.Context, c *Context, s *pg_query.IndexStmt) (string, error) {
	if s.Concurrent && c.InTransactionBlock {
		return "", pgerror.New(pgerror.ActiveSQLTransaction, "CREATE INDEX CONCURRENTLY cannot run inside a transaction block")
	}
	rel, err := findRelation(ctx, c, s.Relation, txn.ShareLock, false)
	if err != nil {
		return "", err
	}
	return "", c.createIndex(ctx, rel, s)
}

func (c *Context) createIndex(ctx context.Context, rel *catalog.Relation, s *pg_query.IndexStmt) error {
	if rel.Kind != catalog.KindTable {
		return pgerror.New(pgerror.WrongObjectType, "cannot create index on relation %q", rel.Name).WithDetail("%s", noSupport(rel.Kind))
	}
	if err := c.checkOwner(ctx, rel); err != nil {
		return err
	}
	if err := c.refuseOtherTemp(rel, "create indexes on"); err != nil {
		return err
	}
	ns, err := c.reader().Namespace(ctx, rel.Namespace)
	if err != nil {
		return err
	}
	if err := c.checkSchemaCreate(ctx, ns); err != nil {
		return err
	}
	am := s.AccessMethod
	if am == "" {
		am = "btree"
	}
	amOID := c.builtins().AccessMethodOID(am)
	switch {
	case amOID == 0 || am == "heap":
		if am == "heap" {
			return pgerror.New(pgerror.WrongObjectType, "access method %q is not of type %s", am, "INDEX")
		}
		return pgerror.New(pgerror.UndefinedObject, "access method %q does not exist", am)
	case am != "btree" && am != "hash":
		return pgerror.Unsupported("access method %q", am)
	case am == "hash" && s.Unique:
		return pgerror.New(pgerror.FeatureNotSupported, "access method %q does not support unique indexes", am)
	case am == "hash" && len(s.IndexParams) > 1:
		return pgerror.New(pgerror.FeatureNotSupported, "access method %q does not support multicolumn indexes", am)
	case am == "hash" && len(s.IndexIncludingParams) > 0:
		return pgerror.New(pgerror.FeatureNotSupported, "access method %q does not support included columns", am)
	}
	x := &indexSpec{name: s.Idxname, unique: s.Unique, nullsNotDistinct: s.NullsNotDistinct, am: amOID}
	if len(s.IndexParams)+len(s.IndexIncludingParams) > indexKeysMax {
		return pgerror.New(pgerror.TooManyColumns, "cannot use more than %d columns in an index", indexKeysMax)
	}
	var names []string
	for _, n := range s.IndexParams {
		k, label, err := c.indexElem(ctx, rel, n.GetIndexElem(), am)
		if err != nil {
			return err
		}
		x.keys = append(x.keys, k)
		names = append(names, uniqueLabel(names, label))
	}
	for _, n := range s.IndexIncludingParams {
		e := n.GetIndexElem()
		switch {
		case e.Expr != nil:
			return pgerror.New(pgerror.FeatureNotSupported, "expressions are not supported in included columns")
		case len(e.Collation) > 0:
			return pgerror.New(pgerror.InvalidObjectDefinition, "including column does not support a collation")
		case len(e.Opclass) > 0:
			return pgerror.New(pgerror.InvalidObjectDefinition, "including column does not support an operator class")
		case e.Ordering > pg_query.SortByDir_SORTBY_DEFAULT:
			return pgerror.New(pgerror.InvalidObjectDefinition, "including column does not support ASC/DESC options")
		case e.NullsOrdering > pg_query.SortByNulls_SORTBY_NULLS_DEFAULT:
			return pgerror.New(pgerror.InvalidObjectDefinition, "including column does not support NULLS FIRST/LAST options")
		}
		att := attnum(rel, e.Name)
		if att == 0 {
			return pgerror.New(pgerror.UndefinedColumn, "column %q does not exist", e.Name)
		}
		x.include = append(x.include, att)
		names = append(names, uniqueLabel(names, e.Name))
	}
	if s.WhereClause != nil {
		if x.predicate, err = analyze.AnalyzeExpr(ctx, c.env(), analyze.ExprSpec{Source: c.source, Node: s.WhereClause, Kind: analyze.ExprIndexPredicate, Relation: rel}); err != nil {
			return err
		}
	}
	if x.options, err = relOptions(s.Options, indexOptions); err != nil {
		return err
	}
	if x.name == "" {
		if x.name, err = chooseRelationName(ctx, c, rel.Name, joinColumns(names), "idx", rel.Namespace, false); err != nil {
			return err
		}
	} else if old, err := c.reader().RelationByName(ctx, rel.Namespace, x.name); err != nil {
		return err
	} else if old != nil {
		if s.IfNotExists {
			c.notice(notice(pgerror.DuplicateTable, "relation %q already exists, skipping", x.name))
			return nil
		}
		return pgerror.New(pgerror.DuplicateTable, "relation %q already exists", x.name)
	}
	oid, err := c.createIndexRelation(ctx, rel, x)
	if err != nil {
		return err
	}
	return c.fillIndex(ctx, rel, oid, x)
}

func (c *Context) builtins() *catalog.BuiltinObjects { return catalog.Builtins() }

// uniqueLabel makes a column's part of a generated index name differ from those before it.
func uniqueLabel(have []string, name string) string {
	out := name
	for i := 1; ; i++ {
		dup := false
		for _, h := range have {
			dup = dup || h == out
		}
		if !dup {
			return out
		}
		suffix := itoa(i)
		out = clip(name, nameMax-len(suffix)) + suffix
	}
}

// indexElem analyses one index column; label is its part of a generated name.
func (c *Context) indexElem(ctx context.Context, rel *catalog.Relation, e *pg_query.IndexElem, am string) (k indexKey, label string, err error) {
	if e.Expr == nil {
		if k.attnum = attnum(rel, e.Name); k.attnum == 0 {
			for _, s := range systemColumns {
				if s.name == e.Name {
					return k, "", pgerror.New(pgerror.FeatureNotSupported, "index creation on system columns is not supported")
				}
			}
			return k, "", pgerror.New(pgerror.UndefinedColumn, "column %q does not exist", e.Name)
		}
		col := rel.Columns[k.attnum-1]
		k.typ, k.collation, label = col.Type, col.Collation, e.Name
	} else {
		x, err := analyze.AnalyzeExpr(ctx, c.env(), analyze.ExprSpec{Source: c.source, Node: e.Expr, Kind: analyze.ExprIndex, Relation: rel})
		if err != nil {
			return k, "", err
		}
		k.expr, k.typ, k.collation = x, x.Type(), x.Collation()
		label = exprLabel(e.Expr)
		if label == "" {
			label = "expr"
		}
		k.name = label
		if v, ok := x.(*query.Var); ok && v.AttNum > 0 {
			k.expr, k.attnum = nil, v.AttNum
		}
	}
	if len(e.Collation) > 0 {
		if k.collation, err = columnCollation(ctx, c, &pg_query.CollateClause{Collname: e.Collation, Location: -1}, k.typ); err != nil {
			return k, "", err
		}
	}
	if len(e.Opclass) > 0 {
		_, name, err := splitQualified(c, strs(e.Opclass))
		if err != nil {
			return k, "", err
		}
		oc := c.reader().OpClassByName(am, name)
		if oc == nil {
			return k, "", pgerror.New(pgerror.UndefinedObject, "operator class %q does not exist for access method %q", name, am)
		}
		if !c.coercibleTo(ctx, k.typ, oc.InType) {
			return k, "", pgerror.New(pgerror.DatatypeMismatch, "operator class %q does not accept data type %s", name, c.reader().FormatType(k.typ.OID, -1))
		}
		k.opclass = oc.OID
	} else {
		oc := c.reader().DefaultOpClass(am, k.typ.OID)
		if oc == nil {
			return k, "", noOpClass(c, k.typ, am)
		}
		k.opclass = oc.OID
	}
	k.desc = e.Ordering == pg_query.SortByDir_SORTBY_DESC
	k.nullsFirst = k.desc
	switch e.NullsOrdering {
	case pg_query.SortByNulls_SORTBY_NULLS_FIRST:
		k.nullsFirst = true
	case pg_query.SortByNulls_SORTBY_NULLS_LAST:
		k.nullsFirst = false
	}
	if am == "hash" && (e.Ordering > pg_query.SortByDir_SORTBY_DEFAULT) {
		return k, "", pgerror.New(pgerror.FeatureNotSupported, "access method %q does not support ASC/DESC options", am)
	}
	if am == "hash" && e.NullsOrdering > pg_query.SortByNulls_SORTBY_NULLS_DEFAULT {
		return k, "", pgerror.New(pgerror.FeatureNotSupported, "access method %q does not support NULLS FIRST/LAST options", am)
	}
	return k, label, nil
}

// coercibleTo reports binary coercibility of t to an operator class's input type.
func (c *Context) coercibleTo(ctx context.Context, t types.T, in types.OID) bool {
	if t.OID == in {
		return true
	}
	switch in {
	case types.AnyArray:
		return t.Class == types.ClassArray
	case types.AnyEnum:
		return t.Class == types.ClassEnum
	case types.RecordOID:
		return t.Class == types.ClassComposite
	}
	k := c.reader().Cast(t.OID, in)
	return k != nil && k.Method == 'b' && k.Context == 'i'
}

// exprLabel names an index expression's column: the function's name, the cast's type.
func exprLabel(n *pg_query.Node) string {
	switch x := n.GetNode().(type) {
	case *pg_query.Node_FuncCall:
		names := strs(x.FuncCall.Funcname)
		return names[len(names)-1]
	case *pg_query.Node_ColumnRef:
		f := x.ColumnRef.Fields
		return str(f[len(f)-1])
	case *pg_query.Node_TypeCast:
		if l := exprLabel(x.TypeCast.Arg); l != "" {
			return l
		}
		names := strs(x.TypeCast.TypeName.Names)
		return names[len(names)-1]
	case *pg_query.Node_CollateClause:
		return exprLabel(x.CollateClause.Arg)
	case *pg_query.Node_CoalesceExpr:
		return "coalesce"
	case *pg_query.Node_CaseExpr:
		if l := exprLabel(x.CaseExpr.Defresult); l != "" {
			return l
		}
		return "case"
	case *pg_query.Node_MinMaxExpr:
		if x.MinMaxExpr.Op == pg_query.MinMaxOp_IS_GREATEST {
			return "greatest"
		}
		return "least"
	case *pg_query.Node_AArrayExpr:
		return "array"
	case *pg_query.Node_RowExpr:
		return "row"
	case *pg_query.Node_AIndirection:
		ind := x.AIndirection.Indirection
		for i := len(ind) - 1; i >= 0; i-- {
			if s := ind[i].GetString_(); s != nil {
				return s.Sval
			}
		}
		return exprLabel(x.AIndirection.Arg)
	}
	return ""
}
