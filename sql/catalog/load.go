package catalog

import (
	"context"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// OIDs of the catalogs that object references name.
const (
	ClassRelation   types.OID = 1259
	ClassType       types.OID = 1247
	ClassNamespace  types.OID = 2615
	ClassConstraint types.OID = 2606
	ClassAttrDef    types.OID = 2604
	ClassRewrite    types.OID = 2618
	ClassProc       types.OID = 1255
	ClassDatabase   types.OID = 1262
	ClassAuthID     types.OID = 1260
	ClassOperator   types.OID = 2617
	ClassCollation  types.OID = 3456
	ClassOpClass    types.OID = 2616
	ClassDefaultACL types.OID = 826
)

// loadRelation builds the descriptor of a pg_class row; nil when there is none.
func (s *state) loadRelation(ctx context.Context, a *access, oid types.OID) (*Relation, error) {
	c, err := a.one(ctx, "pg_class", "pg_class_oid_index", oid)
	if err != nil || c == nil {
		return nil, err
	}
	r := &Relation{
		OID: oid, Name: c.Str("relname"), Namespace: c.OID("relnamespace"), Kind: c.Char("relkind"), Owner: c.OID("relowner"),
		RowType: c.OID("reltype"), FileNode: c.OID("relfilenode"), Persistence: c.Char("relpersistence"), Options: c.Strs("reloptions"),
		ACL: c.Strs("relacl"), PrimaryKey: -1,
	}
	if ns, err := s.Namespace(ctx, r.Namespace); err != nil {
		return nil, err
	} else if ns != nil {
		r.Schema = ns.Name
	}
	if err := s.loadColumns(ctx, a, r); err != nil {
		return nil, err
	}
	switch r.Kind {
	case KindTable, KindMatView:
		if err := s.loadConstraints(ctx, a, r); err != nil {
			return nil, err
		}
		if err := s.loadIndexes(ctx, a, r); err != nil {
			return nil, err
		}
		if err := s.loadDependents(ctx, a, r); err != nil {
			return nil, err
		}
		if err := s.buildStorage(ctx, r); err != nil {
			return nil, err
		}
	case KindView:
		rules, err := a.lookup(ctx, "pg_rewrite", "pg_rewrite_rel_rulename_index", oid)
		if err != nil {
			return nil, err
		}
		if len(rules) > 0 {
			if r.View, err = query.Unmarshal([]byte(rules[0].Str("ev_action"))); err != nil {
				return nil, err
			}
			if err := s.currentNames(ctx, r.View); err != nil {
				return nil, err
			}
		}
		for _, o := range r.Options {
			switch o {
			case "check_option=local":
				r.CheckOption = 'l'
			case "check_option=cascaded":
				r.CheckOption = 'c'
			}
		}
		if err := s.loadDependents(ctx, a, r); err != nil {
			return nil, err
		}
	case KindSequence:
		r.View = sequenceQuery(r)
	}
	return r, nil
}

// currentNames gives the relations of a stored query the column names they have
// now: tables' columns may have been renamed or added since.
func (s *state) currentNames(ctx context.Context, q *query.Query) error {
	for _, e := range q.RTable {
		if e.Subquery != nil {
			if err := s.currentNames(ctx, e.Subquery); err != nil {
				return err
			}
		}
		if e.Kind != query.RTERelation || len(e.AliasColumns) > 0 {
			continue
		}
		rel, err := s.Relation(ctx, e.Relid)
		if err != nil {
			return err
		}
		if rel == nil {
			continue
		}
		for i := range e.ERefColumns {
			if i < len(rel.Columns) && !rel.Columns[i].Dropped {
				e.ERefColumns[i] = rel.Columns[i].Name
			}
		}
	}
	for _, c := range q.CTEs {
		if err := s.currentNames(ctx, c.Query); err != nil {
			return err
		}
	}
	var failed error
	query.EachExpr(q, func(e query.Expr) {
		query.Walk(e, func(x query.Expr) bool {
			if l, ok := x.(*query.SubLink); ok && l.Query != nil && failed == nil {
				failed = s.currentNames(ctx, l.Query)
			}
			return true
		})
	})
	return failed
}

func (s *state) loadColumns(ctx context.Context, a *access, r *Relation) error {
	atts, err := a.lookup(ctx, "pg_attribute", "pg_attribute_relid_attnum_index", r.OID)
	if err != nil {
		return err
	}
	for _, t := range atts {
		n := int(t.Int("attnum"))
		if n <= 0 {
			continue
		}
		for len(r.Columns) < n {
			r.Columns = append(r.Columns, Column{AttNum: len(r.Columns) + 1, Dropped: true})
		}
		c := Column{
			Name: t.Str("attname"), AttNum: n, Collation: t.OID("attcollation"), NotNull: t.Bool("attnotnull"), Dropped: t.Bool("attisdropped"),
			Generated: t.Char("attgenerated") == 's', Identity: t.Char("attidentity"), ACL: t.Strs("attacl"),
		}
		if !c.Dropped {
			typ, err := s.Type(ctx, t.OID("atttypid"))
			if err != nil {
				return err
			}
			if typ == nil {
				return pgerror.Internal("cache lookup failed for type %d", t.OID("atttypid"))
			}
			c.Type = typ.T.WithMod(int32(t.Int("atttypmod")))
			if typ.OID == textualColumns {
				c.Type, c.Collation = types.Of(types.Text), DefaultCollation
			}
			if t.Bool("atthasmissing") {
				c.HasMissing = true
				if c.Missing, err = s.readMissing(c.Type, t.Str("attmissingval")); err != nil {
					return err
				}
			}
		}
		r.Columns[n-1] = c
	}
	if r.Kind != KindTable && r.Kind != KindView && r.Kind != KindMatView {
		return nil
	}
	defs, err := a.lookup(ctx, "pg_attrdef", "pg_attrdef_adrelid_adnum_index", r.OID)
	if err != nil {
		return err
	}
	for _, d := range defs {
		e, err := query.UnmarshalExpr([]byte(d.Str("adbin")))
		if err != nil {
			return err
		}
		if n := int(d.Int("adnum")); n <= len(r.Columns) {
			r.Columns[n-1].Default = e
		}
	}
	return nil
}

func (s *state) loadConstraints(ctx context.Context, a *access, r *Relation) error {
	cons, err := a.lookup(ctx, "pg_constraint", "pg_constraint_conrelid_contypid_conname_index", r.OID)
	if err != nil {
		return err
	}
	for _, c := range cons {
		con, err := constraintOf(c)
		if err != nil {
			return err
		}
		r.Constraints = append(r.Constraints, con)
	}
	return nil
}

func constraintOf(c *Row) (*Constraint, error) {
	con := &Constraint{
		OID: c.OID("oid"), Name: c.Str("conname"), Namespace: c.OID("connamespace"), Type: c.Char("contype"), Relation: c.OID("conrelid"),
		Index: c.OID("conindid"), Columns: c.Attnums("conkey"), NoInherit: c.Bool("connoinherit"), Validated: c.Bool("convalidated"),
		Deferrable: c.Bool("condeferrable"), Deferred: c.Bool("condeferred"), RefRelation: c.OID("confrelid"), RefColumns: c.Attnums("confkey"),
		OnUpdate: c.Char("confupdtype"), OnDelete: c.Char("confdeltype"), DeleteSetColumns: c.Attnums("confdelsetcols"),
		MatchType: c.Char("confmatchtype"), EqOps: c.OIDs("conpfeqop"),
	}
	if con.Type == 'c' {
		e, err := query.UnmarshalExpr([]byte(c.Str("conbin")))
		if err != nil {
			return nil, err
		}
		con.Check = e
	}
	return con, nil
}

func (s *state) loadIndexes(ctx context.Context, a *access, r *Relation) error {
	rows, err := a.lookup(ctx, "pg_index", "pg_index_indrelid_index", r.OID)
	if err != nil {
		return err
	}
	for _, x := range rows {
		ix := &Index{
			OID: x.OID("indexrelid"), Table: r.OID, Unique: x.Bool("indisunique"), Primary: x.Bool("indisprimary"),
			NullsNotDistinct: x.Bool("indnullsnotdistinct"), Valid: x.Bool("indisvalid"),
		}
		c, err := a.one(ctx, "pg_class", "pg_class_oid_index", ix.OID)
		if err != nil {
			return err
		}
		if c == nil {
			return pgerror.Internal("cache lookup failed for relation %d", ix.OID)
		}
		ix.Name, ix.FileNode = c.Str("relname"), c.OID("relfilenode")
		for _, con := range r.Constraints {
			if con.Index == ix.OID && con.Type != 'f' {
				ix.Constraint = con.OID
			}
		}
		exprs, err := readExprList(x.Str("indexprs"))
		if err != nil {
			return err
		}
		nkeys := int(x.Int("indnkeyatts"))
		classes, colls, opts := x.OIDs("indclass"), x.OIDs("indcollation"), x.Attnums("indoption")
		for i, att := range x.Attnums("indkey") {
			if i >= nkeys {
				ix.Include = append(ix.Include, att)
				continue
			}
			k := IndexKey{AttNum: att, OpClass: classes[i], Collation: colls[i], Descending: opts[i]&1 != 0, NullsFirst: opts[i]&2 != 0}
			if oc := s.OpClass(k.OpClass); oc != nil {
				k.Family = oc.Family
			}
			if att == 0 {
				k.Expr, exprs = exprs[0], exprs[1:]
				k.Type = k.Expr.Type()
			} else {
				k.Type = r.Columns[att-1].Type
			}
			ix.Keys = append(ix.Keys, k)
		}
		if p := x.Str("indpred"); p != "" {
			if ix.Predicate, err = query.UnmarshalExpr([]byte(p)); err != nil {
				return err
			}
		}
		r.Indexes = append(r.Indexes, ix)
		if ix.Primary {
			r.PrimaryKey = len(r.Indexes) - 1
		}
	}
	return nil
}

// loadDependents finds what hangs on a relation from elsewhere: foreign keys that
// refer to it and sequences its columns own.
func (s *state) loadDependents(ctx context.Context, a *access, r *Relation) error {
	deps, err := a.lookup(ctx, "pg_depend", "pg_depend_reference_index", ClassRelation, r.OID)
	if err != nil {
		return err
	}
	seen := map[types.OID]bool{}
	for _, d := range deps {
		obj := d.OID("objid")
		switch d.OID("classid") {
		case ClassConstraint:
			if seen[obj] {
				continue
			}
			seen[obj] = true
			c, err := a.one(ctx, "pg_constraint", "pg_constraint_oid_index", obj)
			if err != nil {
				return err
			}
			if c == nil || c.Char("contype") != 'f' || c.OID("confrelid") != r.OID {
				continue
			}
			con, err := constraintOf(c)
			if err != nil {
				return err
			}
			r.ReferencedBy = append(r.ReferencedBy, con)
		case ClassRelation:
			n := int(d.Int("refobjsubid"))
			if t := d.Char("deptype"); n > 0 && n <= len(r.Columns) && (t == 'a' || t == 'i') {
				q, err := a.one(ctx, "pg_sequence", "pg_sequence_seqrelid_index", obj)
				if err != nil {
					return err
				}
				if q != nil {
					r.Columns[n-1].Sequence = obj
				}
			}
		}
	}
	return nil
}

// buildStorage makes the planpb.Table.
func (s *state) buildStorage(ctx context.Context, r *Relation) error {
	p := &planpb.Table{StorageId: storageID(s.db, r.FileNode), RelationId: storageID(s.db, r.OID), Schema: r.Schema, Name: r.Name}
	r.Ordinals = make([]int, len(r.Columns))
	for i, c := range r.Columns {
		if c.Dropped {
			r.Ordinals[i] = -1
			continue
		}
		r.Ordinals[i] = len(p.Columns)
		col := &planpb.Column{Attnum: uint32(c.AttNum), Name: c.Name, Type: planpb.NewType(c.Type), NotNull: c.NotNull, HasMissing: c.HasMissing && c.Missing != nil}
		if col.HasMissing {
			col.Missing = types.AppendDatum(c.Type, nil, c.Missing)
		}
		p.Columns = append(p.Columns, col)
	}
	r.Storage = p
	computed := func(e query.Expr, key bool) (uint32, error) {
		if s.m.opts.Lower == nil {
			return 0, pgerror.Unsupported("an index over an expression")
		}
		x, err := s.m.opts.Lower.LowerExpr(ctx, s, e, r.Ordinals)
		if err != nil {
			return 0, err
		}
		name := "expr"
		if s.m.opts.Print != nil && key {
			name = s.m.opts.Print.IndexKey(ctx, e, r, s)
		}
		p.Computed, p.ComputedNames = append(p.Computed, x), append(p.ComputedNames, name)
		return uint32(len(p.Columns) + len(p.Computed) - 1), nil
	}
	for _, ix := range r.Indexes {
		var keys []*planpb.KeyPart
		for _, k := range ix.Keys {
			part := &planpb.KeyPart{Descending: k.Descending, NullsFirst: k.NullsFirst}
			if k.Expr != nil {
				o, err := computed(k.Expr, true)
				if err != nil {
					return err
				}
				part.Ordinal = o
			} else {
				part.Ordinal = uint32(r.Ordinals[k.AttNum-1])
			}
			keys = append(keys, part)
		}
		if ix.Primary {
			ix.StorageIndex = -1
			p.PrimaryKey, p.PrimaryKeyName = keys, ix.Name
			continue
		}
		x := &planpb.Index{StorageId: storageID(s.db, ix.FileNode), Oid: uint32(ix.OID), Name: ix.Name, Unique: ix.Unique,
			NullsNotDistinct: ix.NullsNotDistinct, Keys: keys, IsConstraint: ix.Constraint != 0}
		for _, att := range ix.Include {
			x.Include = append(x.Include, uint32(r.Ordinals[att-1]))
		}
		if ix.Predicate != nil {
			o, err := computed(ix.Predicate, false)
			if err != nil {
				return err
			}
			x.Partial, x.Predicate = true, o
		}
		ix.StorageIndex = len(p.Indexes)
		p.Indexes = append(p.Indexes, x)
	}
	return r.place(p)
}

// readExprList reads pg_index.indexprs: a RowExpr of the expressions.
func readExprList(text string) ([]query.Expr, error) {
	if text == "" {
		return nil, nil
	}
	e, err := query.UnmarshalExpr([]byte(text))
	if err != nil {
		return nil, err
	}
	row, ok := e.(*query.RowExpr)
	if !ok {
		return nil, pgerror.New(pgerror.DataCorrupted, "index expressions are damaged")
	}
	return row.Fields, nil
}

// readMissing reads pg_attribute.attmissingval: a one-element array of the value's text.
func (s *state) readMissing(t types.T, text string) (types.Datum, error) {
	env := types.DefaultEnv()
	env.Resolver = s
	d, err := types.In(env, types.Of(types.TextArray), text)
	if err != nil {
		return nil, err
	}
	a, ok := d.(*types.Array)
	if !ok || len(a.Elems) != 1 || a.Elems[0] == nil {
		return nil, nil
	}
	return types.In(env, t.NoMod(), a.Elems[0].(string))
}

// sequenceQuery is what SELECT from a sequence reads: its state as a one-row function.
func sequenceQuery(r *Relation) *query.Query {
	call := &query.FuncExpr{Base: query.Base{T: types.Of(types.RecordOID), Loc: -1}, Func: FuncSequenceData, Name: "pg_get_sequence_data", RetSet: true,
		Args: []query.Expr{&query.Const{Base: query.Base{T: types.Of(types.RegClass), Loc: -1}, Value: r.OID}}}
	names := []string{"last_value", "log_cnt", "is_called"}
	typs := []types.T{types.Of(types.Int8), types.Of(types.Int8), types.Of(types.Bool)}
	q := &query.Query{
		RTable: []*query.RangeTblEntry{{Kind: query.RTEFunction, ERefName: "pg_get_sequence_data", ERefColumns: names, ColTypes: typs, ColCollations: make([]types.OID, 3),
			Functions: []*query.RangeTblFunction{{Expr: call, ColNames: names, ColTypes: typs, Composite: true}}}},
		JoinTree: &query.FromExpr{Items: []query.FromItem{&query.RangeTblRef{RTIndex: 1}}},
	}
	for i, n := range names {
		q.TargetList = append(q.TargetList, &query.TargetEntry{Expr: &query.Var{Base: query.Base{T: typs[i], Loc: -1}, RTIndex: 1, AttNum: i + 1}, ResNo: i + 1, Name: n})
	}
	return q
}

func (s *state) loadSequence(ctx context.Context, a *access, relid types.OID) (*Sequence, error) {
	r, err := a.one(ctx, "pg_sequence", "pg_sequence_seqrelid_index", relid)
	if err != nil || r == nil {
		return nil, err
	}
	c, err := a.one(ctx, "pg_class", "pg_class_oid_index", relid)
	if err != nil || c == nil {
		return nil, err
	}
	q := &Sequence{
		Relation: relid, Type: r.OID("seqtypid"), Start: r.Int("seqstart"), Increment: r.Int("seqincrement"), Min: r.Int("seqmin"), Max: r.Int("seqmax"),
		Cache: r.Int("seqcache"), Cycle: r.Bool("seqcycle"), StateKey: sequenceKey(s.db, c.OID("relfilenode")),
	}
	deps, err := a.lookup(ctx, "pg_depend", "pg_depend_depender_index", ClassRelation, relid)
	if err != nil {
		return nil, err
	}
	for _, d := range deps {
		if t := d.Char("deptype"); (t == 'a' || t == 'i') && d.OID("refclassid") == ClassRelation && d.Int("refobjsubid") > 0 {
			q.OwnedByTable, q.OwnedByColumn, q.OwnedInternal = d.OID("refobjid"), int(d.Int("refobjsubid")), t == 'i'
		}
	}
	return q, nil
}
