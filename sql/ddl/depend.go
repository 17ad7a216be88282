package ddl

import (
	"context"
	"sort"
	"strings"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// reach says how a deletion came to an object.
type reach uint8

const (
	reachOriginal reach = 1 << iota // named by the statement
	reachNormal
	reachAuto
	reachInternal
)

// victim is an object to delete.
type victim struct {
	obj      catalog.Object
	how      reach
	dependee catalog.Object
}

// deleter collects what goes with the objects a statement drops, in the order of deletion.
type deleter struct {
	c         *Context
	originals []catalog.Object
	stack     []catalog.Object
	victims   []*victim
	byObject  map[catalog.Object]*victim
}

// drop deletes objects and everything that depends on them: with cascade false,
// 2BP01 when something does that would not go by itself. quiet: no NOTICEs.
func (c *Context) drop(ctx context.Context, objs []catalog.Object, cascade, quiet bool) error {
	d := &deleter{c: c, originals: objs, byObject: map[catalog.Object]*victim{}}
	for _, o := range objs {
		if err := d.find(ctx, o, reachOriginal); err != nil {
			return err
		}
	}
	if err := d.report(ctx, cascade, quiet); err != nil {
		return err
	}
	// Tables that lose their primary key, but stay, are written anew at the end.
	before := map[types.OID]*catalog.Relation{}
	for _, v := range d.victims {
		if v.obj.Class != catalog.ClassRelation || v.obj.Sub != 0 {
			continue
		}
		x, err := c.writer().One(ctx, "pg_index", "pg_index_indexrelid_index", v.obj.OID)
		if err != nil {
			return err
		}
		if x == nil || !x.Bool("indisprimary") || d.byObject[catalog.Object{Class: catalog.ClassRelation, OID: x.OID("indrelid")}] != nil {
			continue
		}
		if before[x.OID("indrelid")], err = c.reader().Relation(ctx, x.OID("indrelid")); err != nil {
			return err
		}
	}
	for _, v := range d.victims {
		if err := c.deleteOne(ctx, v.obj); err != nil {
			return err
		}
	}
	for oid, old := range before {
		if err := c.rewriteTable(ctx, old, oid, nil); err != nil {
			return err
		}
	}
	return nil
}

// dropObject drops one object and its dependents without a word.
func (c *Context) dropObject(ctx context.Context, o catalog.Object) error {
	return c.drop(ctx, []catalog.Object{o}, true, true)
}

func (d *deleter) isOriginal(o catalog.Object) bool {
	for _, x := range d.originals {
		if x == o || x.Sub == 0 && x.Class == o.Class && x.OID == o.OID {
			return true
		}
	}
	return false
}

func (d *deleter) onStack(o catalog.Object) bool {
	for _, x := range d.stack {
		if x == o || x.Sub == 0 && x.Class == o.Class && x.OID == o.OID {
			return true
		}
	}
	return false
}

func (d *deleter) find(ctx context.Context, o catalog.Object, how reach) error {
	if d.onStack(o) {
		return nil
	}
	if v := d.byObject[o]; v != nil {
		v.how |= how
		return nil
	}
	if o.Sub != 0 {
		if v := d.byObject[catalog.Object{Class: o.Class, OID: o.OID}]; v != nil {
			return nil
		}
	}
	w := d.c.writer()
	owners, err := w.Lookup(ctx, "pg_depend", "pg_depend_depender_index", o.Class, o.OID)
	if err != nil {
		return err
	}
	for _, r := range owners {
		if r.Char("deptype") != byte(catalog.DependInternal) || int(r.Int("objsubid")) != o.Sub {
			continue
		}
		owner := catalog.Object{Class: r.OID("refclassid"), OID: r.OID("refobjid"), Sub: int(r.Int("refobjsubid"))}
		if d.onStack(owner) || d.byObject[owner] != nil || owner.Sub != 0 && d.byObject[catalog.Object{Class: owner.Class, OID: owner.OID}] != nil {
			continue
		}
		if how == reachOriginal && len(d.stack) == 0 {
			if d.isOriginal(owner) {
				return nil // goes with its owner
			}
			od := d.c.describe(ctx, owner)
			return pgerror.New(pgerror.DependentObjectsStillExist, "cannot drop %s because %s requires it", d.c.describe(ctx, o), od).
				WithHint("You can drop %s instead.", od)
		}
		return d.find(ctx, owner, how)
	}
	rows, err := w.Lookup(ctx, "pg_depend", "pg_depend_reference_index", o.Class, o.OID)
	if err != nil {
		return err
	}
	type dependent struct {
		obj catalog.Object
		how reach
	}
	var deps []dependent
	for _, r := range rows {
		if o.Sub != 0 && int(r.Int("refobjsubid")) != o.Sub {
			continue
		}
		x := dependent{obj: catalog.Object{Class: r.OID("classid"), OID: r.OID("objid"), Sub: int(r.Int("objsubid"))}}
		if x.obj.Class == o.Class && x.obj.OID == o.OID && o.Sub == 0 {
			continue
		}
		switch catalog.DependencyType(r.Char("deptype")) {
		case catalog.DependAuto:
			x.how = reachAuto
		case catalog.DependInternal:
			x.how = reachInternal
		default:
			x.how = reachNormal
		}
		deps = append(deps, x)
	}
	sort.SliceStable(deps, func(i, j int) bool {
		a, b := deps[i].obj, deps[j].obj
		switch {
		case a.OID != b.OID:
			return a.OID > b.OID
		case a.Class != b.Class:
			return a.Class < b.Class
		}
		return a.Sub < b.Sub
	})
	d.stack = append(d.stack, o)
	for _, x := range deps {
		if err := d.find(ctx, x.obj, x.how); err != nil {
			return err
		}
	}
	d.stack = d.stack[:len(d.stack)-1]
	v := &victim{obj: o, how: how}
	if len(d.stack) > 0 {
		v.dependee = d.stack[len(d.stack)-1]
	}
	if d.isOriginal(o) {
		v.how |= reachOriginal
	}
	d.byObject[o] = v
	d.victims = append(d.victims, v)
	return nil
}

// report refuses without CASCADE what would need it, or tells what goes.
func (d *deleter) report(ctx context.Context, cascade, quiet bool) error {
	var lines []string
	for i := len(d.victims) - 1; i >= 0; i-- {
		v := d.victims[i]
		if v.how&(reachOriginal|reachAuto|reachInternal) != 0 {
			continue
		}
		if v.obj.Sub != 0 && d.byObject[catalog.Object{Class: v.obj.Class, OID: v.obj.OID}] != nil {
			continue
		}
		name := d.c.describe(ctx, v.obj)
		if cascade {
			lines = append(lines, "drop cascades to "+name)
		} else {
			lines = append(lines, name+" depends on "+d.c.describe(ctx, v.dependee))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	if !cascade {
		var e *pgerror.Error
		if len(d.originals) == 1 {
			e = pgerror.New(pgerror.DependentObjectsStillExist, "cannot drop %s because other objects depend on it", d.c.describe(ctx, d.originals[0]))
		} else {
			e = pgerror.New(pgerror.DependentObjectsStillExist, "cannot drop desired object(s) because other objects depend on them")
		}
		return e.WithDetail("%s", clientLines(lines)).WithHint("Use DROP ... CASCADE to drop the dependent objects too.")
	}
	if quiet {
		return nil
	}
	if len(lines) == 1 {
		d.c.notice(notice(pgerror.SuccessfulCompletion, "%s", lines[0]))
	} else {
		d.c.notice(notice(pgerror.SuccessfulCompletion, "drop cascades to %d other objects", len(lines)).WithDetail("%s", clientLines(lines)))
	}
	return nil
}

// clientLinesMax bounds the DETAIL of a drop.
const clientLinesMax = 100

func clientLines(lines []string) string {
	if len(lines) > clientLinesMax {
		n := len(lines) - clientLinesMax
		lines = append(append([]string(nil), lines[:clientLinesMax]...), "")
		what := "objects"
		if n == 1 {
			what = "object"
		}
		lines[clientLinesMax] = "and " + itoa(n) + " other " + what + " (see server log for list)"
	}
	return strings.Join(lines, "\n")
}

// describe is getObjectDescription().
func (c *Context) describe(ctx context.Context, o catalog.Object) string {
	r := c.reader()
	name := func(rel *catalog.Relation) string {
		if catalog.RelationVisible(ctx, r, c.path(), rel.Namespace, rel.Name) {
			return catalog.QuoteIdent(rel.Name)
		}
		return catalog.QuoteQualified(rel.Schema, rel.Name)
	}
	relation := func(oid types.OID) string {
		rel, err := r.Relation(ctx, oid)
		if err != nil || rel == nil {
			return "relation " + itoa(int(oid))
		}
		noun := kindNoun(rel.Kind)
		if rel.Kind == catalog.KindComposite {
			noun = "composite type"
		}
		return noun + " " + name(rel)
	}
	w := c.writer()
	switch o.Class {
	case catalog.ClassRelation:
		if o.Sub == 0 {
			return relation(o.OID)
		}
		rel, err := r.Relation(ctx, o.OID)
		if err != nil || rel == nil || o.Sub > len(rel.Columns) {
			return "column"
		}
		return "column " + rel.Columns[o.Sub-1].Name + " of " + relation(o.OID)
	case catalog.ClassType:
		return "type " + catalog.FormatTypeIn(r, c.path(), o.OID, -1, false)
	case catalog.ClassNamespace:
		if ns, err := r.Namespace(ctx, o.OID); err == nil && ns != nil {
			return "schema " + catalog.QuoteIdent(ns.Name)
		}
	case catalog.ClassConstraint:
		if row, err := w.One(ctx, "pg_constraint", "pg_constraint_oid_index", o.OID); err == nil && row != nil {
			return "constraint " + row.Str("conname") + " on " + relation(row.OID("conrelid"))
		}
	case catalog.ClassAttrDef:
		if row, err := w.One(ctx, "pg_attrdef", "pg_attrdef_oid_index", o.OID); err == nil && row != nil {
			return "default value for " + c.describe(ctx, catalog.Object{Class: catalog.ClassRelation, OID: row.OID("adrelid"), Sub: int(row.Int("adnum"))})
		}
	case catalog.ClassRewrite:
		if row, err := w.One(ctx, "pg_rewrite", "pg_rewrite_oid_index", o.OID); err == nil && row != nil {
			return "rule " + row.Str("rulename") + " on " + relation(row.OID("ev_class"))
		}
	case catalog.ClassDefaultACL:
		if row, err := w.One(ctx, "pg_default_acl", "pg_default_acl_oid_index", o.OID); err == nil && row != nil {
			return catalog.DescribeDefaultACL(ctx, r, row)
		}
	case catalog.ClassAuthID:
		if role, err := r.Role(ctx, o.OID); err == nil && role != nil {
			return "role " + role.Name
		}
	}
	return "object " + itoa(int(o.OID))
}

// deleteOne removes the catalog rows of one object.
func (c *Context) deleteOne(ctx context.Context, o catalog.Object) error {
	w := c.writer()
	var err error
	switch o.Class {
	case catalog.ClassRelation:
		if o.Sub != 0 {
			err = c.deleteColumn(ctx, o)
		} else {
			err = c.deleteRelation(ctx, o.OID)
		}
	case catalog.ClassType:
		if err = w.DeleteAll(ctx, "pg_enum", "pg_enum_typid_label_index", o.OID); err == nil {
			err = w.DeleteAll(ctx, "pg_type", "pg_type_oid_index", o.OID)
		}
	case catalog.ClassNamespace:
		err = w.DeleteAll(ctx, "pg_namespace", "pg_namespace_oid_index", o.OID)
	case catalog.ClassRewrite:
		err = w.DeleteAll(ctx, "pg_rewrite", "pg_rewrite_oid_index", o.OID)
	case catalog.ClassAttrDef:
		err = c.deleteDefault(ctx, o.OID)
	case catalog.ClassConstraint:
		err = c.deleteConstraint(ctx, o.OID)
	case catalog.ClassDefaultACL:
		err = w.DeleteAll(ctx, "pg_default_acl", "pg_default_acl_oid_index", o.OID)
	default:
		err = pgerror.Internal("no rule to drop an object of class %d", o.Class)
	}
	if err != nil {
		return err
	}
	deps, err := w.Lookup(ctx, "pg_depend", "pg_depend_depender_index", o.Class, o.OID)
	if err != nil {
		return err
	}
	for _, r := range deps {
		if o.Sub == 0 || int(r.Int("objsubid")) == o.Sub {
			if err := w.Delete(ctx, r); err != nil {
				return err
			}
		}
	}
	notes, err := w.Lookup(ctx, "pg_description", "pg_description_o_c_o_index", o.OID, o.Class)
	if err != nil {
		return err
	}
	for _, r := range notes {
		if o.Sub == 0 || int(r.Int("objsubid")) == o.Sub {
			if err := w.Delete(ctx, r); err != nil {
				return err
			}
		}
	}
	if o.Sub == 0 {
		return w.DeleteAll(ctx, "pg_shdepend", "pg_shdepend_depender_index", c.reader().DatabaseOID(), o.Class, o.OID)
	}
	return nil
}

func (c *Context) deleteRelation(ctx context.Context, oid types.OID) error {
	w := c.writer()
	row, err := c.class(ctx, oid)
	if err != nil {
		return err
	}
	if c.Runner != nil {
		switch row.Char("relkind") {
		case catalog.KindTable, catalog.KindIndex:
			if err := c.Runner.DropStorage(ctx, uint64(c.reader().DatabaseOID())<<32|uint64(row.OID("relfilenode"))); err != nil {
				return err
			}
		}
	}
	switch row.Char("relkind") {
	case catalog.KindIndex:
		if err := w.DeleteAll(ctx, "pg_index", "pg_index_indexrelid_index", oid); err != nil {
			return err
		}
	case catalog.KindSequence:
		if err := w.DeleteAll(ctx, "pg_sequence", "pg_sequence_seqrelid_index", oid); err != nil {
			return err
		}
	}
	if err := w.DeleteAll(ctx, "pg_attribute", "pg_attribute_relid_attnum_index", oid); err != nil {
		return err
	}
	if err := w.DeleteAll(ctx, "pg_statistic", "pg_statistic_relid_att_inh_index", oid); err != nil {
		return err
	}
	return w.Delete(ctx, row)
}

// deleteColumn turns a column into a dropped one.
func (c *Context) deleteColumn(ctx context.Context, o catalog.Object) error {
	row, err := c.attribute(ctx, o.OID, o.Sub)
	if err != nil {
		return err
	}
	if err := c.writer().DeleteAll(ctx, "pg_statistic", "pg_statistic_relid_att_inh_index", o.OID, int16(o.Sub)); err != nil {
		return err
	}
	return c.writer().Update(ctx, row, catalog.Values{"attname": "........pg.dropped." + itoa(o.Sub) + "........", "atttypid": types.OID(0), "attnotnull": false,
		"attisdropped": true, "attgenerated": byte(0), "attidentity": byte(0), "atthasmissing": false, "attmissingval": nil, "atthasdef": false, "attstattarget": int32(0), "attacl": nil})
}

func (c *Context) deleteDefault(ctx context.Context, oid types.OID) error {
	w := c.writer()
	row, err := w.One(ctx, "pg_attrdef", "pg_attrdef_oid_index", oid)
	if err != nil || row == nil {
		return err
	}
	att, err := w.One(ctx, "pg_attribute", "pg_attribute_relid_attnum_index", row.OID("adrelid"), row.Get("adnum"))
	if err != nil {
		return err
	}
	if att != nil {
		if err := w.Update(ctx, att, catalog.Values{"atthasdef": false, "attgenerated": byte(0)}); err != nil {
			return err
		}
	}
	return w.Delete(ctx, row)
}

func (c *Context) deleteConstraint(ctx context.Context, oid types.OID) error {
	w := c.writer()
	row, err := w.One(ctx, "pg_constraint", "pg_constraint_oid_index", oid)
	if err != nil || row == nil {
		return err
	}
	if row.Char("contype") == 'c' {
		class, err := w.One(ctx, "pg_class", "pg_class_oid_index", row.OID("conrelid"))
		if err != nil {
			return err
		}
		if class != nil {
			if err := w.Update(ctx, class, catalog.Values{"relchecks": int16(class.Int("relchecks")) - 1}); err != nil {
				return err
			}
		}
	}
	return w.Delete(ctx, row)
}
