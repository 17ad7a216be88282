package ddl

import (
	"context"
	"sort"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// alterPass orders the subcommands of one ALTER TABLE as PostgreSQL does.
func alterPass(t pg_query.AlterTableType) int {
	switch t {
	case pg_query.AlterTableType_AT_DropColumn, pg_query.AlterTableType_AT_DropConstraint, pg_query.AlterTableType_AT_DropNotNull,
		pg_query.AlterTableType_AT_DropExpression, pg_query.AlterTableType_AT_DropIdentity:
		return 0
	case pg_query.AlterTableType_AT_AlterColumnType:
		return 1
	case pg_query.AlterTableType_AT_AddColumn:
		return 2
	case pg_query.AlterTableType_AT_ColumnDefault, pg_query.AlterTableType_AT_SetNotNull, pg_query.AlterTableType_AT_AddIdentity, pg_query.AlterTableType_AT_SetIdentity:
		return 3
	case pg_query.AlterTableType_AT_AddConstraint:
		return 4
	}
	return 5
}

var alterNouns = map[pg_query.ObjectType]struct {
	noun string
	ok   func(kind byte) bool
}{
	pg_query.ObjectType_OBJECT_TABLE:    {"table", func(k byte) bool { return true }},
	pg_query.ObjectType_OBJECT_INDEX:    {"index", func(k byte) bool { return k == catalog.KindIndex }},
	pg_query.ObjectType_OBJECT_SEQUENCE: {"sequence", func(k byte) bool { return k == catalog.KindSequence }},
	pg_query.ObjectType_OBJECT_VIEW:     {"view", func(k byte) bool { return k == catalog.KindView }},
	pg_query.ObjectType_OBJECT_TYPE:     {"type", func(k byte) bool { return k == catalog.KindComposite }},
}

// alterLock is the lock that ALTER TABLE takes: the strongest its subcommands need.
func alterLock(cmds []*pg_query.Node) txn.RelationLock {
	mode := txn.ShareUpdateExclusive
	for _, n := range cmds {
		cmd := n.GetAlterTableCmd()
		need := txn.AccessExclusive
		switch cmd.Subtype {
		case pg_query.AlterTableType_AT_ValidateConstraint, pg_query.AlterTableType_AT_SetStatistics,
			pg_query.AlterTableType_AT_ClusterOn, pg_query.AlterTableType_AT_DropCluster:
			need = txn.ShareUpdateExclusive
		case pg_query.AlterTableType_AT_AddConstraint:
			if cmd.Def.GetConstraint().GetContype() == pg_query.ConstrType_CONSTR_FOREIGN {
				need = txn.ShareRowExclusive
			}
		}
		mode = max(mode, need)
	}
	return mode
}

func alterTable(ctx context.Context, c *Context, s *pg_query.AlterTableStmt) (string, error) {
	rel, err := findRelation(ctx, c, s.Relation, alterLock(s.Cmds), s.MissingOk)
	if err != nil {
		return "", err
	}
	if rel == nil {
		c.notice(notice(pgerror.SuccessfulCompletion, "relation %q does not exist, skipping", s.Relation.Relname))
		return "", nil
	}
	if k, ok := alterNouns[s.Objtype]; ok && !k.ok(rel.Kind) {
		return "", pgerror.New(pgerror.WrongObjectType, "%q is not %s", rel.Name, article(k.noun))
	}
	if err := c.checkOwner(ctx, rel); err != nil {
		return "", err
	}
	cmds := make([]*pg_query.AlterTableCmd, len(s.Cmds))
	for i, n := range s.Cmds {
		cmds[i] = n.GetAlterTableCmd()
	}
	sort.SliceStable(cmds, func(i, j int) bool { return alterPass(cmds[i].Subtype) < alterPass(cmds[j].Subtype) })
	for _, cmd := range cmds {
		if rel, err = c.reader().Relation(ctx, rel.OID); err != nil {
			return "", err
		}
		if err := c.alterOne(ctx, rel, cmd, s.Objtype); err != nil {
			return "", err
		}
	}
	return "", nil
}

// onlyFor refuses a subcommand for relations that are not of the kinds given.
func onlyFor(rel *catalog.Relation, action string, kinds ...byte) error {
	for _, k := range kinds {
		if rel.Kind == k {
			return nil
		}
	}
	return pgerror.New(pgerror.WrongObjectType, "ALTER action %s cannot be performed on relation %q", action, rel.Name).WithDetail("%s", noSupport(rel.Kind))
}

// liveColumn finds a column or reports 42703.
func liveColumn(rel *catalog.Relation, name string) (*catalog.Column, error) {
	n := attnum(rel, name)
	if n == 0 {
		for _, s := range systemColumns {
			if s.name == name {
				return nil, pgerror.New(pgerror.FeatureNotSupported, "cannot alter system column %q", name)
			}
		}
		return nil, pgerror.New(pgerror.UndefinedColumn, "column %q of relation %q does not exist", name, rel.Name)
	}
	return &rel.Columns[n-1], nil
}

func (c *Context) alterOne(ctx context.Context, rel *catalog.Relation, cmd *pg_query.AlterTableCmd, objtype pg_query.ObjectType) error {
	cascade := cmd.Behavior == pg_query.DropBehavior_DROP_CASCADE
	w := c.writer()
	table := func(action string) error { return onlyFor(rel, action, catalog.KindTable) }
	switch cmd.Subtype {
	case pg_query.AlterTableType_AT_AddColumn:
		if objtype == pg_query.ObjectType_OBJECT_TYPE {
			return c.addAttribute(ctx, rel, cmd.Def.GetColumnDef())
		}
		if err := table("ADD COLUMN"); err != nil {
			return err
		}
		return c.addColumn(ctx, rel, cmd.Def.GetColumnDef(), cmd.MissingOk)
	case pg_query.AlterTableType_AT_DropColumn:
		if err := onlyFor(rel, "DROP COLUMN", catalog.KindTable, catalog.KindComposite); err != nil {
			return err
		}
		n := attnum(rel, cmd.Name)
		if n == 0 {
			for _, s := range systemColumns {
				if s.name == cmd.Name && rel.Kind == catalog.KindTable {
					return pgerror.New(pgerror.FeatureNotSupported, "cannot drop system column %q", cmd.Name)
				}
			}
			if cmd.MissingOk {
				c.notice(notice(pgerror.SuccessfulCompletion, "column %q of relation %q does not exist, skipping", cmd.Name, rel.Name))
				return nil
			}
			return pgerror.New(pgerror.UndefinedColumn, "column %q of relation %q does not exist", cmd.Name, rel.Name)
		}
		if err := keepDistribution(rel, cmd.Name); err != nil {
			return err
		}
		if err := c.refuseRowTypeUsers(ctx, rel); err != nil {
			return err
		}
		return c.drop(ctx, []catalog.Object{{Class: catalog.ClassRelation, OID: rel.OID, Sub: n}}, cascade, false)
	case pg_query.AlterTableType_AT_ColumnDefault:
		if err := onlyFor(rel, "ALTER COLUMN ... SET DEFAULT", catalog.KindTable, catalog.KindView); err != nil {
			return err
		}
		return c.alterDefault(ctx, rel, cmd)
	case pg_query.AlterTableType_AT_SetNotNull:
		if err := table("ALTER COLUMN ... SET NOT NULL"); err != nil {
			return err
		}
		col, err := liveColumn(rel, cmd.Name)
		if err != nil || col.NotNull {
			return err
		}
		return c.setNotNull(ctx, rel, col.AttNum, true)
	case pg_query.AlterTableType_AT_DropNotNull:
		if err := table("ALTER COLUMN ... DROP NOT NULL"); err != nil {
			return err
		}
		col, err := liveColumn(rel, cmd.Name)
		if err != nil {
			return err
		}
		if col.Identity != 0 {
			return pgerror.New(pgerror.SyntaxError, "column %q of relation %q is an identity column", col.Name, rel.Name)
		}
		if rel.PrimaryKey >= 0 {
			for _, k := range rel.Indexes[rel.PrimaryKey].Keys {
				if k.AttNum == col.AttNum {
					return pgerror.New(pgerror.InvalidTableDefinition, "column %q is in a primary key", col.Name)
				}
			}
		}
		if !col.NotNull {
			return nil
		}
		return c.setNotNull(ctx, rel, col.AttNum, false)
	case pg_query.AlterTableType_AT_DropExpression:
		return c.dropExpression(ctx, rel, cmd)
	case pg_query.AlterTableType_AT_AddIdentity, pg_query.AlterTableType_AT_SetIdentity, pg_query.AlterTableType_AT_DropIdentity:
		return c.alterIdentity(ctx, rel, cmd)
	case pg_query.AlterTableType_AT_AddConstraint:
		if err := table("ADD CONSTRAINT"); err != nil {
			return err
		}
		con, err := tableConstraint(c, cmd.Def.GetConstraint())
		if err != nil {
			return err
		}
		switch con.kind {
		case 'c':
			return c.addChecks(ctx, rel.OID, []*constraintDef{con}, false)
		case 'f':
			if con.name != "" {
				if err := constraintExists(rel, con.name); err != nil {
					return err
				}
			}
			return c.addForeignKey(ctx, rel.OID, con, false)
		}
		seen := map[string]bool{}
		for _, n := range con.columns {
			if seen[n] {
				what := "unique"
				if con.kind == 'p' {
					what = "primary key"
				}
				return pgerror.New(pgerror.DuplicateColumn, "column %q appears twice in %s constraint", n, what).WithPosition(c.at(con.loc))
			}
			seen[n] = true
		}
		return c.addKey(ctx, rel.OID, con, false)
	case pg_query.AlterTableType_AT_DropConstraint:
		if err := table("DROP CONSTRAINT"); err != nil {
			return err
		}
		for _, k := range rel.Constraints {
			if k.Name == cmd.Name {
				return c.drop(ctx, []catalog.Object{{Class: catalog.ClassConstraint, OID: k.OID}}, cascade, false)
			}
		}
		if cmd.MissingOk {
			c.notice(notice(pgerror.SuccessfulCompletion, "constraint %q of relation %q does not exist, skipping", cmd.Name, rel.Name))
			return nil
		}
		return pgerror.New(pgerror.UndefinedObject, "constraint %q of relation %q does not exist", cmd.Name, rel.Name)
	case pg_query.AlterTableType_AT_ValidateConstraint:
		return c.validateConstraint(ctx, rel, cmd.Name)
	case pg_query.AlterTableType_AT_AlterConstraint:
		return c.alterConstraint(ctx, rel, cmd.Def.GetConstraint())
	case pg_query.AlterTableType_AT_AlterColumnType:
		if err := onlyFor(rel, "ALTER COLUMN ... SET DATA TYPE", catalog.KindTable, catalog.KindComposite); err != nil {
			return err
		}
		return c.alterType(ctx, rel, cmd)
	case pg_query.AlterTableType_AT_ChangeOwner:
		owner, err := c.roleSpec(ctx, cmd.Newowner)
		if err != nil {
			return err
		}
		return c.changeRelationOwner(ctx, rel, owner)
	case pg_query.AlterTableType_AT_SetRelOptions, pg_query.AlterTableType_AT_ResetRelOptions:
		return c.alterOptions(ctx, rel, cmd)
	case pg_query.AlterTableType_AT_SetStorage:
		col, err := liveColumn(rel, cmd.Name)
		if err != nil {
			return err
		}
		v := strings.ToLower(nodeText(cmd.Def))
		s, ok := map[string]byte{"plain": 'p', "external": 'e', "extended": 'x', "main": 'm'}[v]
		if !ok {
			return pgerror.New(pgerror.InvalidParameterValue, "invalid storage type %q", nodeText(cmd.Def))
		}
		row, err := c.attribute(ctx, rel.OID, col.AttNum)
		if err != nil {
			return err
		}
		ty, err := c.reader().Type(ctx, col.Type.OID)
		if err != nil {
			return err
		}
		if s != 'p' && ty.Len != -1 {
			return pgerror.New(pgerror.FeatureNotSupported, "column data type %s can only have storage PLAIN", c.reader().FormatType(col.Type.OID, -1))
		}
		return w.Update(ctx, row, catalog.Values{"attstorage": s})
	case pg_query.AlterTableType_AT_SetStatistics:
		col, err := liveColumn(rel, cmd.Name)
		if err != nil {
			return err
		}
		row, err := c.attribute(ctx, rel.OID, col.AttNum)
		if err != nil {
			return err
		}
		n := cmd.Def.GetInteger().GetIval()
		if n < -1 {
			return pgerror.New(pgerror.InvalidParameterValue, "statistics target %d is too low", n)
		}
		return w.Update(ctx, row, catalog.Values{"attstattarget": min(n, 10000)})
	case pg_query.AlterTableType_AT_SetOptions, pg_query.AlterTableType_AT_ResetOptions:
		_, err := liveColumn(rel, cmd.Name)
		return err
	case pg_query.AlterTableType_AT_EnableTrig, pg_query.AlterTableType_AT_DisableTrig, pg_query.AlterTableType_AT_EnableAlwaysTrig, pg_query.AlterTableType_AT_EnableReplicaTrig:
		return pgerror.New(pgerror.UndefinedObject, "trigger %q for table %q does not exist", cmd.Name, rel.Name)
	case pg_query.AlterTableType_AT_EnableTrigUser, pg_query.AlterTableType_AT_DisableTrigUser:
		return nil // there are no user triggers
	case pg_query.AlterTableType_AT_ClusterOn, pg_query.AlterTableType_AT_DropCluster:
		return c.clusterOn(ctx, rel, cmd.Name)
	case pg_query.AlterTableType_AT_ReplicaIdentity:
		return c.replicaIdentity(ctx, rel, cmd.Def.GetReplicaIdentityStmt())
	case pg_query.AlterTableType_AT_SetLogged:
		if rel.Persistence == catalog.PersistenceTemp {
			return pgerror.New(pgerror.InvalidTableDefinition, "cannot change logged status of table %q because it is temporary", rel.Name)
		}
		return c.setPersistence(ctx, rel, 'p')
	}
	return pgerror.Unsupported("this form of ALTER TABLE")
}

// addColumn is ADD COLUMN.
func (c *Context) addColumn(ctx context.Context, rel *catalog.Relation, d *pg_query.ColumnDef, ifNotExists bool) error {
	w := c.writer()
	if n := attnum(rel, d.Colname); n != 0 {
		if ifNotExists {
			c.notice(notice(pgerror.DuplicateColumn, "column %q of relation %q already exists, skipping", d.Colname, rel.Name))
			return nil
		}
		return pgerror.New(pgerror.DuplicateColumn, "column %q of relation %q already exists", d.Colname, rel.Name)
	}
	for _, s := range systemColumns {
		if s.name == d.Colname {
			return pgerror.New(pgerror.DuplicateColumn, "column name %q conflicts with a system column name", d.Colname)
		}
	}
	if len(rel.Columns) >= columnsMax {
		return pgerror.New(pgerror.TooManyColumns, "tables can have at most %d columns", columnsMax)
	}
	var cons []*constraintDef
	col, err := transformColumn(ctx, c, rel.Name, d, &cons)
	if err != nil {
		return err
	}
	for _, k := range cons {
		if k.kind == 'p' {
			if rel.PrimaryKey >= 0 {
				return pgerror.New(pgerror.InvalidTableDefinition, "multiple primary keys for table %q are not allowed", rel.Name).WithPosition(c.at(k.loc))
			}
			col.notNull = true
		}
	}
	if err := c.refuseSelfMember(ctx, rel, col.typ.OID); err != nil {
		return err
	}
	if err := c.refuseRowTypeUsers(ctx, rel); err != nil {
		return err
	}
	n := len(rel.Columns) + 1
	var seq types.OID
	if col.serial || col.identity != 0 {
		ns, err := c.reader().Namespace(ctx, rel.Namespace)
		if err != nil {
			return err
		}
		if seq, err = c.columnSequence(ctx, ns, rel.Name, col, rel.Owner); err != nil {
			return err
		}
	}
	plain := plainColumns([]*columnDef{col})[0]
	notNull := plain.notNull
	v, err := attribute(ctx, c, rel.OID, n, plain)
	if err != nil {
		return err
	}
	if err := w.Insert(ctx, "pg_attribute", v); err != nil {
		return err
	}
	if err := w.Depend(ctx, catalog.Object{Class: catalog.ClassRelation, OID: rel.OID, Sub: n}, catalog.Object{Class: catalog.ClassType, OID: col.typ.OID}, catalog.DependNormal); err != nil {
		return err
	}
	class, err := c.class(ctx, rel.OID)
	if err != nil {
		return err
	}
	if err := w.Update(ctx, class, catalog.Values{"relnatts": int16(n)}); err != nil {
		return err
	}
	if seq != 0 {
		how := catalog.DependAuto
		if col.identity != 0 {
			how = catalog.DependInternal
		}
		if err := w.Depend(ctx, catalog.Object{Class: catalog.ClassRelation, OID: seq}, catalog.Object{Class: catalog.ClassRelation, OID: rel.OID, Sub: n}, how); err != nil {
			return err
		}
	}
	cur, err := c.reader().Relation(ctx, rel.OID)
	if err != nil {
		return err
	}
	if err := c.columnDefault(ctx, cur, n, col, seq); err != nil {
		return err
	}
	if cur, err = c.reader().Relation(ctx, rel.OID); err != nil {
		return err
	}
	if err := c.fillColumn(ctx, rel, cur, n, col, seq, notNull); err != nil {
		return err
	}
	if err := c.addChecks(ctx, rel.OID, cons, false); err != nil {
		return err
	}
	for _, k := range orderKeys(cons) {
		if err := c.addKey(ctx, rel.OID, k, false); err != nil {
			return err
		}
	}
	for _, k := range cons {
		if k.kind == 'f' {
			if err := c.addForeignKey(ctx, rel.OID, k, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// fillColumn gives the rows that are there the new column's value: a missing value
// kept in pg_attribute where one value does for all, a rewrite otherwise.
func (c *Context) fillColumn(ctx context.Context, old, cur *catalog.Relation, n int, col *columnDef, seq types.OID, notNull bool) error {
	e := cur.Columns[n-1].Default
	if seq != 0 && e == nil {
		var err error
		if e, err = analyze.Coerce(ctx, c.env(), nextval(seq), col.typ); err != nil {
			return err
		}
	}
	if e == nil {
		if !notNull {
			return nil
		}
		has, err := c.hasRow(ctx, old, nil)
		if err == nil && has {
			err = pgerror.New(pgerror.NotNullViolation, "column %q of relation %q contains null values", col.name, cur.Name).
				WithTable(cur.Schema, cur.Name).WithColumn(col.name)
		}
		return err
	}
	if c.Runner == nil {
		return nil
	}
	if !cur.Columns[n-1].Generated && !c.volatile(e) {
		rows, _, err := c.Runner.Run(ctx, selectValue(e))
		if err != nil {
			return err
		}
		if rows[0][0] == nil {
			if notNull {
				if has, err := c.hasRow(ctx, old, nil); err != nil {
					return err
				} else if has {
					return pgerror.New(pgerror.NotNullViolation, "column %q of relation %q contains null values", col.name, cur.Name).
						WithTable(cur.Schema, cur.Name).WithColumn(col.name)
				}
			}
			return nil
		}
		text, err := missingText(ctx, c, col.typ, rows[0][0])
		if err != nil {
			return err
		}
		row, err := c.attribute(ctx, cur.OID, n)
		if err != nil {
			return err
		}
		return c.writer().Update(ctx, row, catalog.Values{"atthasmissing": true, "attmissingval": text})
	}
	has, err := c.hasRow(ctx, old, nil)
	if err != nil || !has {
		return err
	}
	return c.rewriteTable(ctx, old, cur.OID, map[int]query.Expr{n: e})
}

// selectValue makes SELECT e.
func selectValue(e query.Expr) *query.Query {
	return &query.Query{JoinTree: &query.FromExpr{}, TargetList: []*query.TargetEntry{{Expr: e, ResNo: 1, Name: "value"}}}
}

// volatile reports whether an expression calls a volatile function.
func (c *Context) volatile(e query.Expr) bool {
	bad := false
	query.Walk(e, func(x query.Expr) bool {
		var fn types.OID
		switch n := x.(type) {
		case *query.FuncExpr:
			fn = n.Func
		case *query.OpExpr:
			fn = n.Func
		case *query.NextValExpr:
			bad = true
		}
		if f := c.builtins().Function(fn); f != nil && f.Volatility == 'v' {
			bad = true
		}
		return !bad
	})
	return bad
}

// dropDefaultOf removes a column's default without a word.
func (c *Context) dropDefaultOf(ctx context.Context, rel types.OID, n int) error {
	rows, err := c.writer().Lookup(ctx, "pg_attrdef", "pg_attrdef_adrelid_adnum_index", rel, int16(n))
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := c.dropObject(ctx, catalog.Object{Class: catalog.ClassAttrDef, OID: r.OID("oid")}); err != nil {
			return err
		}
	}
	return nil
}

func (c *Context) alterDefault(ctx context.Context, rel *catalog.Relation, cmd *pg_query.AlterTableCmd) error {
	col, err := liveColumn(rel, cmd.Name)
	if err != nil {
		return err
	}
	if col.Identity != 0 {
		e := pgerror.New(pgerror.SyntaxError, "column %q of relation %q is an identity column", col.Name, rel.Name)
		if cmd.Def == nil {
			e = e.WithHint("Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY instead.")
		}
		return e
	}
	if col.Generated {
		e := pgerror.New(pgerror.SyntaxError, "column %q of relation %q is a generated column", col.Name, rel.Name)
		if cmd.Def == nil {
			e = e.WithHint("Use ALTER TABLE ... ALTER COLUMN ... DROP EXPRESSION instead.")
		}
		return e
	}
	var e query.Expr
	if cmd.Def != nil {
		e, err = analyze.AnalyzeExpr(ctx, c.env(), analyze.ExprSpec{Source: c.source, Node: cmd.Def, Kind: analyze.ExprDefault, Target: col.Type, ColumnName: col.Name})
		if err != nil {
			return err
		}
	}
	if err := c.dropDefaultOf(ctx, rel.OID, col.AttNum); err != nil {
		return err
	}
	if e == nil || isNullConst(e) {
		return nil
	}
	if err := c.markDefault(ctx, rel.OID, col.AttNum, true); err != nil {
		return err
	}
	return storeDefault(ctx, c, rel.OID, col.AttNum, e, false)
}

func (c *Context) dropExpression(ctx context.Context, rel *catalog.Relation, cmd *pg_query.AlterTableCmd) error {
	if err := onlyFor(rel, "ALTER COLUMN ... DROP EXPRESSION", catalog.KindTable); err != nil {
		return err
	}
	col, err := liveColumn(rel, cmd.Name)
	if err != nil {
		return err
	}
	if !col.Generated {
		if cmd.MissingOk {
			c.notice(notice(pgerror.SuccessfulCompletion, "column %q of relation %q is not a stored generated column, skipping", col.Name, rel.Name))
			return nil
		}
		return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "column %q of relation %q is not a stored generated column", col.Name, rel.Name)
	}
	row, err := c.attribute(ctx, rel.OID, col.AttNum)
	if err != nil {
		return err
	}
	if err := c.writer().Update(ctx, row, catalog.Values{"attgenerated": byte(0)}); err != nil {
		return err
	}
	// The expression depends on its own column internally: take the row away itself.
	rows, err := c.writer().Lookup(ctx, "pg_attrdef", "pg_attrdef_adrelid_adnum_index", rel.OID, int16(col.AttNum))
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := c.deleteOne(ctx, catalog.Object{Class: catalog.ClassAttrDef, OID: r.OID("oid")}); err != nil {
			return err
		}
	}
	deps, err := c.writer().Lookup(ctx, "pg_depend", "pg_depend_depender_index", catalog.ClassRelation, rel.OID, int32(col.AttNum))
	if err != nil {
		return err
	}
	for _, r := range deps {
		if r.OID("refclassid") == catalog.ClassRelation {
			if err := c.writer().Delete(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Context) alterIdentity(ctx context.Context, rel *catalog.Relation, cmd *pg_query.AlterTableCmd) error {
	w := c.writer()
	if err := onlyFor(rel, map[pg_query.AlterTableType]string{pg_query.AlterTableType_AT_AddIdentity: "ALTER COLUMN ... ADD IDENTITY",
		pg_query.AlterTableType_AT_SetIdentity: "ALTER COLUMN ... SET", pg_query.AlterTableType_AT_DropIdentity: "ALTER COLUMN ... DROP IDENTITY"}[cmd.Subtype],
		catalog.KindTable, catalog.KindView); err != nil {
		return err
	}
	col, err := liveColumn(rel, cmd.Name)
	if err != nil {
		return err
	}
	row, err := c.attribute(ctx, rel.OID, col.AttNum)
	if err != nil {
		return err
	}
	switch cmd.Subtype {
	case pg_query.AlterTableType_AT_AddIdentity:
		k := cmd.Def.GetConstraint()
		if !col.NotNull {
			return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "column %q of relation %q must be declared NOT NULL before identity can be added", col.Name, rel.Name)
		}
		if col.Identity != 0 {
			return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "column %q of relation %q is already an identity column", col.Name, rel.Name)
		}
		if col.Default != nil {
			return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "column %q of relation %q already has a default value", col.Name, rel.Name)
		}
		def := &columnDef{seqOptions: k.Options}
		def.name, def.typ, def.identity = col.Name, col.Type, k.GeneratedWhen[0]
		if o := col.Type.OID; o != types.Int2 && o != types.Int4 && o != types.Int8 {
			return pgerror.New(pgerror.InvalidParameterValue, "identity column type must be smallint, integer, or bigint")
		}
		ns, err := c.reader().Namespace(ctx, rel.Namespace)
		if err != nil {
			return err
		}
		seq, err := c.columnSequence(ctx, ns, rel.Name, def, rel.Owner)
		if err != nil {
			return err
		}
		if err := w.Depend(ctx, catalog.Object{Class: catalog.ClassRelation, OID: seq}, catalog.Object{Class: catalog.ClassRelation, OID: rel.OID, Sub: col.AttNum}, catalog.DependInternal); err != nil {
			return err
		}
		return w.Update(ctx, row, catalog.Values{"attidentity": def.identity})
	case pg_query.AlterTableType_AT_SetIdentity:
		if col.Identity == 0 {
			return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "column %q of relation %q is not an identity column", col.Name, rel.Name)
		}
		var seqOpts []*pg_query.Node
		for _, n := range cmd.Def.GetList().GetItems() {
			if d := n.GetDefElem(); d.Defname == "generated" {
				if err := w.Update(ctx, row, catalog.Values{"attidentity": byte(d.Arg.GetInteger().GetIval())}); err != nil {
					return err
				}
			} else {
				seqOpts = append(seqOpts, n)
			}
		}
		if len(seqOpts) == 0 {
			return nil
		}
		seq, err := c.reader().Relation(ctx, col.Sequence)
		if err != nil {
			return err
		}
		return c.changeSequence(ctx, seq, seqOpts)
	}
	if col.Identity == 0 {
		if cmd.MissingOk {
			c.notice(notice(pgerror.SuccessfulCompletion, "column %q of relation %q is not an identity column, skipping", col.Name, rel.Name))
			return nil
		}
		return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "column %q of relation %q is not an identity column", col.Name, rel.Name)
	}
	if err := w.Update(ctx, row, catalog.Values{"attidentity": byte(0)}); err != nil {
		return err
	}
	if err := w.DeleteAll(ctx, "pg_depend", "pg_depend_depender_index", catalog.ClassRelation, col.Sequence); err != nil {
		return err
	}
	return c.dropObject(ctx, catalog.Object{Class: catalog.ClassRelation, OID: col.Sequence})
}

func (c *Context) validateConstraint(ctx context.Context, rel *catalog.Relation, name string) error {
	if err := onlyFor(rel, "VALIDATE CONSTRAINT", catalog.KindTable); err != nil {
		return err
	}
	for _, k := range rel.Constraints {
		if k.Name != name {
			continue
		}
		if k.Type != 'c' && k.Type != 'f' {
			return pgerror.New(pgerror.WrongObjectType, "constraint %q of relation %q is not a foreign key or check constraint", name, rel.Name)
		}
		if k.Validated {
			return nil
		}
		var err error
		if k.Type == 'c' {
			err = c.validateCheck(ctx, rel, k.Name, k.Check)
		} else {
			err = c.validateForeignKey(ctx, rel.OID, k.Name)
		}
		if err != nil {
			return err
		}
		row, err := c.writer().One(ctx, "pg_constraint", "pg_constraint_oid_index", k.OID)
		if err != nil {
			return err
		}
		return c.writer().Update(ctx, row, catalog.Values{"convalidated": true})
	}
	return pgerror.New(pgerror.UndefinedObject, "constraint %q of relation %q does not exist", name, rel.Name)
}

func (c *Context) alterConstraint(ctx context.Context, rel *catalog.Relation, k *pg_query.Constraint) error {
	for _, x := range rel.Constraints {
		if x.Name != k.Conname {
			continue
		}
		if x.Type != 'f' {
			return pgerror.New(pgerror.WrongObjectType, "constraint %q of relation %q is not a foreign key constraint", k.Conname, rel.Name)
		}
		row, err := c.writer().One(ctx, "pg_constraint", "pg_constraint_oid_index", x.OID)
		if err != nil {
			return err
		}
		return c.writer().Update(ctx, row, catalog.Values{"condeferrable": k.Deferrable, "condeferred": k.Initdeferred})
	}
	return pgerror.New(pgerror.UndefinedObject, "constraint %q of relation %q does not exist", k.Conname, rel.Name)
}

func (c *Context) alterOptions(ctx context.Context, rel *catalog.Relation, cmd *pg_query.AlterTableCmd) error {
	known := tableOptions
	switch rel.Kind {
	case catalog.KindIndex:
		known = indexOptions
	case catalog.KindView:
		known = viewOptions
	case catalog.KindSequence, catalog.KindComposite:
		return onlyFor(rel, "SET ( ... )", catalog.KindTable)
	}
	items := cmd.Def.GetList().GetItems()
	opts := append([]string(nil), rel.Options...)
	without := func(name string) {
		out := opts[:0]
		for _, o := range opts {
			if !strings.HasPrefix(o, name+"=") {
				out = append(out, o)
			}
		}
		opts = out
	}
	if cmd.Subtype == pg_query.AlterTableType_AT_SetRelOptions {
		add, err := relOptions(items, known)
		if err != nil {
			return err
		}
		for _, a := range add {
			without(a[:strings.IndexByte(a, '=')])
			opts = append(opts, a)
		}
	} else {
		for _, n := range items {
			without(n.GetDefElem().Defname)
		}
	}
	row, err := c.class(ctx, rel.OID)
	if err != nil {
		return err
	}
	var v any
	if len(opts) > 0 {
		v = textArray(opts)
	}
	if rel.Kind == catalog.KindTable {
		if err := checkRedistribution(rel, opts); err != nil {
			return err
		}
	}
	if err := c.writer().Update(ctx, row, catalog.Values{"reloptions": v}); err != nil || rel.Kind != catalog.KindTable {
		return err
	}
	return c.redistribute(ctx, rel, opts)
}
