package check

import (
	"context"
	"fmt"
	"strings"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// refRule: column of a catalog names an object of a class, or 0.
type refRule struct {
	table, column string
	class         types.OID
	// zero: 0 stands for none.
	zero bool
}

var refRules = []refRule{
	{"pg_class", "relnamespace", catalog.ClassNamespace, false},
	{"pg_class", "reltype", catalog.ClassType, true},
	{"pg_class", "relowner", catalog.ClassAuthID, false},
	{"pg_attribute", "attrelid", catalog.ClassRelation, false},
	{"pg_attribute", "atttypid", catalog.ClassType, true},
	{"pg_attribute", "attcollation", catalog.ClassCollation, true},
	{"pg_attrdef", "adrelid", catalog.ClassRelation, false},
	{"pg_index", "indexrelid", catalog.ClassRelation, false},
	{"pg_index", "indrelid", catalog.ClassRelation, false},
	{"pg_constraint", "connamespace", catalog.ClassNamespace, false},
	{"pg_constraint", "conrelid", catalog.ClassRelation, true},
	{"pg_constraint", "contypid", catalog.ClassType, true},
	{"pg_constraint", "conindid", catalog.ClassRelation, true},
	{"pg_constraint", "confrelid", catalog.ClassRelation, true},
	{"pg_type", "typnamespace", catalog.ClassNamespace, false},
	{"pg_type", "typowner", catalog.ClassAuthID, false},
	{"pg_type", "typrelid", catalog.ClassRelation, true},
	{"pg_type", "typelem", catalog.ClassType, true},
	{"pg_type", "typarray", catalog.ClassType, true},
	{"pg_type", "typbasetype", catalog.ClassType, true},
	{"pg_enum", "enumtypid", catalog.ClassType, false},
	{"pg_rewrite", "ev_class", catalog.ClassRelation, false},
	{"pg_sequence", "seqrelid", catalog.ClassRelation, false},
	{"pg_sequence", "seqtypid", catalog.ClassType, false},
	{"pg_statistic", "starelid", catalog.ClassRelation, false},
	{"pg_namespace", "nspowner", catalog.ClassAuthID, false},
	{"pg_database", "datdba", catalog.ClassAuthID, false},
	{"pg_auth_members", "roleid", catalog.ClassAuthID, false},
	{"pg_auth_members", "member", catalog.ClassAuthID, false},
}

// catalogs verifies the references between the catalogs of a database.
func (d *database) catalogs(ctx context.Context) error {
	for _, r := range refRules {
		rows, err := d.w.Lookup(ctx, r.table, "")
		if err != nil {
			return d.failed(d.name, r.table, err)
		}
		for _, row := range rows {
			oid := row.OID(r.column)
			if oid == 0 && r.zero {
				continue
			}
			if ok, err := d.exists(ctx, r.class, oid); err != nil {
				return d.failed(d.name, r.table, err)
			} else if !ok {
				if err := d.report(d.name, r.table, "%s of %s is %d, which does not exist", r.column, rowName(r.table, row), oid); err != nil {
					return err
				}
			}
		}
	}
	for _, f := range []func(context.Context, *relations) error{d.classes, d.attributes, d.defaults, d.indexes, d.constraints, d.types, d.rules, d.statistics, d.dependencies, d.sharedDependencies, d.comments} {
		rels, err := d.relations(ctx)
		if err != nil {
			return d.failed(d.name, "pg_class", err)
		}
		if err := f(ctx, rels); err != nil {
			return err
		}
	}
	return nil
}

// rowName says which row of a catalog a problem is about.
func rowName(table string, r *catalog.Row) string {
	switch table {
	case "pg_class":
		return r.Str("relname")
	case "pg_attribute":
		return fmt.Sprintf("column %d (%s) of relation %d", r.Int("attnum"), r.Str("attname"), r.OID("attrelid"))
	case "pg_type":
		return r.Str("typname")
	case "pg_constraint":
		return r.Str("conname")
	case "pg_namespace":
		return r.Str("nspname")
	case "pg_database":
		return r.Str("datname")
	case "pg_index":
		return fmt.Sprintf("index %d", r.OID("indexrelid"))
	case "pg_sequence":
		return fmt.Sprintf("sequence %d", r.OID("seqrelid"))
	case "pg_statistic":
		return fmt.Sprintf("column %d of relation %d", r.Int("staattnum"), r.OID("starelid"))
	case "pg_auth_members":
		return fmt.Sprintf("membership of %d in %d", r.OID("member"), r.OID("roleid"))
	}
	return fmt.Sprintf("row %d", r.OID("oid"))
}

// exists reports whether a class has an object.
func (d *database) exists(ctx context.Context, class, oid types.OID) (bool, error) {
	set := d.objects[class]
	if set == nil {
		rel := catalog.SystemRelation(d.oid, class)
		if rel == nil {
			return false, nil
		}
		rows, err := d.w.Lookup(ctx, rel.Name, "")
		if err != nil {
			return false, err
		}
		set = make(map[types.OID]bool, len(rows))
		for _, r := range rows {
			set[r.OID("oid")] = true
		}
		d.objects[class] = set
	}
	return set[oid], nil
}

// relations are pg_class and pg_attribute, indexed.
type relations struct {
	class map[types.OID]*catalog.Row
	atts  map[types.OID]map[int]*catalog.Row
}

func (d *database) relations(ctx context.Context) (*relations, error) {
	rs := &relations{class: map[types.OID]*catalog.Row{}, atts: map[types.OID]map[int]*catalog.Row{}}
	rows, err := d.w.Lookup(ctx, "pg_class", "")
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		rs.class[r.OID("oid")] = r
	}
	if rows, err = d.w.Lookup(ctx, "pg_attribute", ""); err != nil {
		return nil, err
	}
	for _, r := range rows {
		rel := r.OID("attrelid")
		if rs.atts[rel] == nil {
			rs.atts[rel] = map[int]*catalog.Row{}
		}
		rs.atts[rel][int(r.Int("attnum"))] = r
	}
	return rs, nil
}

// live reports whether a relation has a column that is not dropped.
func (rs *relations) live(rel types.OID, att int) bool {
	a := rs.atts[rel][att]
	return a != nil && !a.Bool("attisdropped")
}

// kind is a relation's kind, 0 for none.
func (rs *relations) kind(rel types.OID) byte {
	if c := rs.class[rel]; c != nil {
		return c.Char("relkind")
	}
	return 0
}

func (d *database) classes(ctx context.Context, rs *relations) error {
	sub := map[string]map[types.OID]bool{}
	for table, col := range map[string]string{"pg_index": "indexrelid", "pg_sequence": "seqrelid", "pg_rewrite": "ev_class"} {
		rows, err := d.w.Lookup(ctx, table, "")
		if err != nil {
			return d.failed(d.name, table, err)
		}
		sub[table] = map[types.OID]bool{}
		for _, r := range rows {
			sub[table][r.OID(col)] = true
		}
	}
	checks := map[types.OID]int64{}
	cons, err := d.w.Lookup(ctx, "pg_constraint", "")
	if err != nil {
		return d.failed(d.name, "pg_constraint", err)
	}
	for _, r := range cons {
		if r.Char("contype") == 'c' {
			checks[r.OID("conrelid")]++
		}
	}
	nodes := map[types.OID]string{}
	for oid, r := range rs.class {
		if oid < types.FirstNormalOID {
			continue
		}
		name := r.Str("relname")
		n := 0
		for att := range rs.atts[oid] {
			if att > 0 {
				n++
			}
		}
		var text []string
		if int64(n) != r.Int("relnatts") {
			text = append(text, fmt.Sprintf("relnatts is %d, pg_attribute has %d columns", r.Int("relnatts"), n))
		}
		if r.Int("relchecks") != checks[oid] {
			text = append(text, fmt.Sprintf("relchecks is %d, pg_constraint has %d", r.Int("relchecks"), checks[oid]))
		}
		for kind, table := range map[byte]string{catalog.KindIndex: "pg_index", catalog.KindSequence: "pg_sequence", catalog.KindView: "pg_rewrite"} {
			if r.Char("relkind") == kind && !sub[table][oid] {
				text = append(text, "has no row in "+table)
			}
		}
		if node := r.OID("relfilenode"); node != 0 {
			if other := nodes[node]; other != "" {
				text = append(text, fmt.Sprintf("shares storage %d with %s", node, other))
			}
			nodes[node] = name
		}
		for _, t := range text {
			if err := d.report(d.name, name, "%s", t); err != nil {
				return err
			}
		}
	}
	for table, kind := range map[string]byte{"pg_index": catalog.KindIndex, "pg_sequence": catalog.KindSequence} {
		for oid := range sub[table] {
			if k := rs.kind(oid); k != 0 && k != kind {
				if err := d.report(d.name, rs.class[oid].Str("relname"), "has a row in %s and kind %c", table, k); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (d *database) attributes(ctx context.Context, rs *relations) error {
	defs, err := d.w.Lookup(ctx, "pg_attrdef", "")
	if err != nil {
		return d.failed(d.name, "pg_attrdef", err)
	}
	has := map[[2]int64]bool{}
	for _, r := range defs {
		has[[2]int64{int64(r.OID("adrelid")), r.Int("adnum")}] = true
	}
	for rel, atts := range rs.atts {
		for n, a := range atts {
			name := rowName("pg_attribute", a)
			var text string
			def := has[[2]int64{int64(rel), int64(n)}]
			switch {
			case a.Bool("attisdropped") && a.OID("atttypid") != 0:
				text = "is dropped and has a type"
			case !a.Bool("attisdropped") && a.OID("atttypid") == 0:
				text = "has no type"
			case a.Bool("atthasdef") != def:
				text = fmt.Sprintf("atthasdef is %v, pg_attrdef has a row: %v", a.Bool("atthasdef"), def)
			case n > 1 && atts[n-1] == nil:
				text = "has no column before it"
			}
			if text != "" {
				if err := d.report(d.name, "pg_attribute", "%s %s", name, text); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (d *database) defaults(ctx context.Context, rs *relations) error {
	defs, err := d.w.Lookup(ctx, "pg_attrdef", "")
	if err != nil {
		return d.failed(d.name, "pg_attrdef", err)
	}
	for _, r := range defs {
		rel, n := r.OID("adrelid"), int(r.Int("adnum"))
		if !rs.live(rel, n) {
			if err := d.report(d.name, "pg_attrdef", "row %d is of column %d of relation %d, which does not exist", r.OID("oid"), n, rel); err != nil {
				return err
			}
		}
		if _, err := query.UnmarshalExpr([]byte(r.Str("adbin"))); err != nil {
			if err := d.report(d.name, "pg_attrdef", "row %d cannot be read: %v", r.OID("oid"), err); err != nil {
				return err
			}
		}
		deps, err := d.w.Lookup(ctx, "pg_depend", "pg_depend_depender_index", catalog.ClassAttrDef, r.OID("oid"))
		if err != nil {
			return d.failed(d.name, "pg_depend", err)
		}
		if len(deps) == 0 {
			if err := d.report(d.name, "pg_attrdef", "row %d depends on nothing", r.OID("oid")); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *database) indexes(ctx context.Context, rs *relations) error {
	rows, err := d.w.Lookup(ctx, "pg_index", "")
	if err != nil {
		return d.failed(d.name, "pg_index", err)
	}
	for _, r := range rows {
		x, t := r.OID("indexrelid"), r.OID("indrelid")
		var text []string
		if k := rs.kind(t); k != catalog.KindTable && k != catalog.KindMatView && k != 't' {
			text = append(text, fmt.Sprintf("is over a relation of kind %q", k))
		}
		keys, nexprs := r.Attnums("indkey"), 0
		if int64(len(keys)) != r.Int("indnatts") || r.Int("indnkeyatts") > r.Int("indnatts") {
			text = append(text, fmt.Sprintf("has %d columns, indnatts %d, indnkeyatts %d", len(keys), r.Int("indnatts"), r.Int("indnkeyatts")))
		}
		for _, att := range keys {
			switch {
			case att == 0:
				nexprs++
			case !rs.live(t, att):
				text = append(text, fmt.Sprintf("has column %d, which relation %d does not have", att, t))
			}
		}
		if len(rs.atts[x]) != len(keys) {
			text = append(text, fmt.Sprintf("has %d columns and %d rows in pg_attribute", len(keys), len(rs.atts[x])))
		}
		if s := r.Str("indexprs"); s != "" {
			e, err := query.UnmarshalExpr([]byte(s))
			row, ok := e.(*query.RowExpr)
			if err != nil || !ok || len(row.Fields) != nexprs {
				text = append(text, fmt.Sprintf("its %d expressions cannot be read: %v", nexprs, err))
			}
		} else if nexprs > 0 {
			text = append(text, "lacks its expressions")
		}
		if s := r.Str("indpred"); s != "" {
			if _, err := query.UnmarshalExpr([]byte(s)); err != nil {
				text = append(text, fmt.Sprintf("its predicate cannot be read: %v", err))
			}
		}
		if c := rs.class[t]; c != nil && !c.Bool("relhasindex") {
			text = append(text, "its table has relhasindex false")
		}
		for _, s := range text {
			if err := d.report(d.name, "pg_index", "index %d: %s", x, s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *database) constraints(ctx context.Context, rs *relations) error {
	rows, err := d.w.Lookup(ctx, "pg_constraint", "")
	if err != nil {
		return d.failed(d.name, "pg_constraint", err)
	}
	for _, r := range rows {
		var text []string
		rel, ref := r.OID("conrelid"), r.OID("confrelid")
		for _, side := range []struct {
			rel  types.OID
			cols []int
		}{{rel, r.Attnums("conkey")}, {ref, r.Attnums("confkey")}, {rel, r.Attnums("confdelsetcols")}} {
			for _, att := range side.cols {
				if side.rel != 0 && !rs.live(side.rel, att) {
					text = append(text, fmt.Sprintf("has column %d, which relation %d does not have", att, side.rel))
				}
			}
		}
		switch r.Char("contype") {
		case 'p', 'u', 'f':
			if rs.kind(r.OID("conindid")) != catalog.KindIndex {
				text = append(text, fmt.Sprintf("its index %d is none", r.OID("conindid")))
			}
			if r.Char("contype") == 'f' && len(r.Attnums("conkey")) != len(r.Attnums("confkey")) {
				text = append(text, "has not as many referring as referenced columns")
			}
		case 'c':
			if _, err := query.UnmarshalExpr([]byte(r.Str("conbin"))); err != nil {
				text = append(text, fmt.Sprintf("its expression cannot be read: %v", err))
			}
		}
		for _, s := range text {
			if err := d.report(d.name, "pg_constraint", "%s: %s", r.Str("conname"), s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *database) types(ctx context.Context, rs *relations) error {
	rows, err := d.w.Lookup(ctx, "pg_type", "")
	if err != nil {
		return d.failed(d.name, "pg_type", err)
	}
	byOID := map[types.OID]*catalog.Row{}
	for _, r := range rows {
		byOID[r.OID("oid")] = r
	}
	for _, r := range rows {
		var text string
		if a := byOID[r.OID("typarray")]; a != nil && a.OID("typelem") != r.OID("oid") {
			text = "is not the element of its array type"
		}
		if c := rs.class[r.OID("typrelid")]; c != nil && c.OID("reltype") != r.OID("oid") {
			text = "is not the row type of its relation"
		}
		if text != "" {
			if err := d.report(d.name, "pg_type", "%s %s", r.Str("typname"), text); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *database) rules(ctx context.Context, rs *relations) error {
	rows, err := d.w.Lookup(ctx, "pg_rewrite", "")
	if err != nil {
		return d.failed(d.name, "pg_rewrite", err)
	}
	for _, r := range rows {
		if r.OID("oid") < types.FirstNormalOID {
			continue
		}
		if _, err := query.Unmarshal([]byte(r.Str("ev_action"))); err != nil {
			if err := d.report(d.name, "pg_rewrite", "rule %d cannot be read: %v", r.OID("oid"), err); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *database) statistics(ctx context.Context, rs *relations) error {
	rows, err := d.w.Lookup(ctx, "pg_statistic", "")
	if err != nil {
		return d.failed(d.name, "pg_statistic", err)
	}
	for _, r := range rows {
		if !rs.live(r.OID("starelid"), int(r.Int("staattnum"))) {
			if err := d.report(d.name, "pg_statistic", "has %s, which does not exist", rowName("pg_statistic", r)); err != nil {
				return err
			}
		}
	}
	return nil
}

// missing says what is wrong with a reference to an object or a column of one; "" for nothing.
func (d *database) missing(ctx context.Context, rs *relations, class, oid types.OID, sub int) (string, error) {
	ok, err := d.exists(ctx, class, oid)
	if err != nil {
		return "", err
	}
	if !ok {
		return fmt.Sprintf("object %d of class %d, which does not exist", oid, class), nil
	}
	if class == catalog.ClassRelation && sub > 0 && !rs.live(oid, sub) {
		return fmt.Sprintf("column %d of relation %d, which does not exist", sub, oid), nil
	}
	return "", nil
}

func (d *database) dependencies(ctx context.Context, rs *relations) error {
	rows, err := d.w.Lookup(ctx, "pg_depend", "")
	if err != nil {
		return d.failed(d.name, "pg_depend", err)
	}
	for _, r := range rows {
		a, err := d.missing(ctx, rs, r.OID("classid"), r.OID("objid"), int(r.Int("objsubid")))
		if err != nil {
			return d.failed(d.name, "pg_depend", err)
		}
		b, err := d.missing(ctx, rs, r.OID("refclassid"), r.OID("refobjid"), int(r.Int("refobjsubid")))
		if err != nil {
			return d.failed(d.name, "pg_depend", err)
		}
		for _, s := range []string{a, b} {
			if s == "" {
				continue
			}
			if err := d.report(d.name, "pg_depend", "%s: (%d,%d,%d) depends on (%d,%d,%d) %c", s, r.OID("classid"), r.OID("objid"), r.Int("objsubid"),
				r.OID("refclassid"), r.OID("refobjid"), r.Int("refobjsubid"), r.Char("deptype")); err != nil {
				return err
			}
		}
	}
	return nil
}

// sharedDependencies verifies pg_shdepend's rows about this database, and those
// about databases and roles.
func (d *database) sharedDependencies(ctx context.Context, rs *relations) error {
	rows, err := d.w.Lookup(ctx, "pg_shdepend", "")
	if err != nil {
		return d.failed(d.name, "pg_shdepend", err)
	}
	for _, r := range rows {
		db := r.OID("dbid")
		if ok, err := d.exists(ctx, catalog.ClassDatabase, db); err != nil {
			return d.failed(d.name, "pg_shdepend", err)
		} else if db != 0 && !ok {
			if err := d.report(d.name, "pg_shdepend", "has a row of database %d, which does not exist", db); err != nil {
				return err
			}
			continue
		}
		var problems []string
		if db == 0 || db == d.oid {
			s, err := d.missing(ctx, rs, r.OID("classid"), r.OID("objid"), int(r.Int("objsubid")))
			if err != nil {
				return d.failed(d.name, "pg_shdepend", err)
			}
			problems = append(problems, s)
		}
		s, err := d.missing(ctx, rs, r.OID("refclassid"), r.OID("refobjid"), 0)
		if err != nil {
			return d.failed(d.name, "pg_shdepend", err)
		}
		for _, p := range append(problems, s) {
			if p == "" {
				continue
			}
			if err := d.report(d.name, "pg_shdepend", "has %s", p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *database) comments(ctx context.Context, rs *relations) error {
	for _, table := range []string{"pg_description", "pg_shdescription"} {
		rows, err := d.w.Lookup(ctx, table, "")
		if err != nil {
			return d.failed(d.name, table, err)
		}
		for _, r := range rows {
			sub := 0
			if table == "pg_description" {
				sub = int(r.Int("objsubid"))
			}
			class := r.OID("classoid")
			if sys := catalog.SystemRelation(d.oid, class); sys == nil || !hasOID(sys) {
				continue
			}
			s, err := d.missing(ctx, rs, class, r.OID("objoid"), sub)
			if err != nil {
				return d.failed(d.name, table, err)
			}
			if s != "" && !builtinComment(class, r.OID("objoid")) {
				if err := d.report(d.name, table, "has %s", s); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// builtinComment: comments that PostgreSQL is born with may be on objects that
// this store has no row for.
func builtinComment(_, oid types.OID) bool { return oid < types.FirstNormalOID }

func hasOID(r *catalog.Relation) bool {
	return len(r.Columns) > 0 && strings.EqualFold(r.Columns[0].Name, "oid")
}
