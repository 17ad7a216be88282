package rewrite

import (
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// target rewrites a data-modifying query's target: through views to a table,
// then defaults, identity and generated columns.
func (r *rewriter) target(q *query.Query) (*query.Query, error) {
	for n := 0; ; n++ {
		e := q.RTable[q.ResultRelation-1]
		rel, err := r.relation(e.Relid)
		if err != nil {
			return nil, err
		}
		switch rel.Kind {
		case catalog.KindView:
			if n > viewDepthMax {
				return nil, pgerror.New(pgerror.InvalidObjectDefinition, "infinite recursion detected in rules for relation \"%s\"", rel.Name)
			}
			if q, err = r.throughView(q, rel); err != nil {
				return nil, err
			}
			continue
		case catalog.KindSequence:
			return nil, pgerror.New(pgerror.WrongObjectType, "cannot change sequence \"%s\"", rel.Name)
		case catalog.KindMatView:
			return nil, pgerror.New(pgerror.WrongObjectType, "cannot change materialized view \"%s\"", rel.Name)
		case catalog.KindTable:
		default:
			return nil, pgerror.New(pgerror.WrongObjectType, "cannot change relation \"%s\"", rel.Name)
		}
		if rel.Namespace == catalog.PgCatalogNamespace || rel.OID < types.FirstNormalOID {
			return nil, pgerror.New(pgerror.InsufficientPrivilege, "permission denied: \"%s\" is a system catalog", rel.Name)
		}
		return r.columns(q, rel)
	}
}

// columns applies the target table's column rules.
func (r *rewriter) columns(q *query.Query, rel *catalog.Relation) (*query.Query, error) {
	out := q.Copy()
	var err error
	switch q.Command {
	case query.CmdInsert:
		if out, err = r.insertColumns(out, rel); err != nil {
			return nil, err
		}
		if q.OnConflict != nil && q.OnConflict.Update {
			c := *q.OnConflict
			if c.Set, err = r.updateColumns(c.Set, rel); err != nil {
				return nil, err
			}
			out.OnConflict = &c
		}
	case query.CmdUpdate:
		if out.TargetList, err = r.updateColumns(q.TargetList, rel); err != nil {
			return nil, err
		}
	case query.CmdMerge:
		out.MergeActions = nil
		for _, a := range q.MergeActions {
			c := *a
			switch a.Command {
			case query.CmdInsert:
				if c.TargetList, err = r.insertList(a.TargetList, rel, a.Overriding, nil); err != nil {
					return nil, err
				}
			case query.CmdUpdate:
				if c.TargetList, err = r.updateColumns(a.TargetList, rel); err != nil {
					return nil, err
				}
			}
			out.MergeActions = append(out.MergeActions, &c)
		}
	}
	out.Generated = nil
	if q.Command != query.CmdDelete {
		for i := range rel.Columns {
			c := &rel.Columns[i]
			if c.Dropped || !c.Generated || c.Default == nil {
				continue
			}
			out.Generated = append(out.Generated, &query.TargetEntry{Expr: retarget(c.Default, q.ResultRelation), ResNo: c.AttNum, Name: c.Name})
		}
	}
	return out, nil
}

// retarget moves a table expression (RTIndex 1) to a range table index.
func retarget(e query.Expr, rti int) query.Expr {
	return query.Mutate(e, func(x query.Expr) (query.Expr, bool) {
		if v, ok := x.(*query.Var); ok && v.RTIndex != rti {
			c := *v
			c.RTIndex = rti
			return &c, true
		}
		return x, false
	})
}

// columnDefault is what DEFAULT stands for in a column.
func columnDefault(c *catalog.Column) query.Expr {
	switch {
	case c.Identity != 0:
		return &query.NextValExpr{Base: query.Base{T: c.Type, Loc: -1}, Sequence: c.Sequence}
	case c.Default != nil && !c.Generated:
		return c.Default
	}
	return &query.Const{Base: query.Base{T: c.Type, Coll: c.Collation, Loc: -1}}
}

func isDefault(e query.Expr) bool {
	_, ok := e.(*query.SetToDefault)
	return ok
}

// insertColumns completes INSERT's target list and its VALUES rows.
func (r *rewriter) insertColumns(q *query.Query, rel *catalog.Relation) (*query.Query, error) {
	// with several rows the columns are those of a VALUES entry
	var values *query.RangeTblEntry
	vi := 0
	for i, e := range q.RTable {
		if e.Kind == query.RTEValues && fromValues(q, i+1) {
			values, vi = e, i+1
		}
	}
	var err error
	var fix *valuesFix
	if values != nil {
		fix = &valuesFix{rte: values, rti: vi}
	}
	if q.TargetList, err = r.insertList(q.TargetList, rel, q.Overriding, fix); err != nil {
		return nil, err
	}
	if fix != nil && fix.rows != nil {
		c := *values
		c.ValuesLists = fix.rows
		q.RTable = append([]*query.RangeTblEntry(nil), q.RTable...)
		q.RTable[vi-1] = &c
	}
	return q, nil
}

// fromValues reports whether entry rti is INSERT's own VALUES list.
func fromValues(q *query.Query, rti int) bool {
	if q.JoinTree == nil || len(q.JoinTree.Items) != 1 {
		return false
	}
	ref, ok := q.JoinTree.Items[0].(*query.RangeTblRef)
	return ok && ref.RTIndex == rti
}

// valuesFix edits the rows of INSERT … VALUES with several rows.
type valuesFix struct {
	rte  *query.RangeTblEntry
	rti  int
	rows [][]query.Expr // copied when something changes
}

// column gives the position in the VALUES list a target takes, −1 when it does not.
func (v *valuesFix) column(e query.Expr) int {
	if v == nil {
		return -1
	}
	if x, ok := e.(*query.Var); ok && x.RTIndex == v.rti && x.LevelsUp == 0 {
		return x.AttNum - 1
	}
	return -1
}

// defaults reports whether some and whether all rows have DEFAULT in a column.
func (v *valuesFix) defaults(col int) (some, all bool) {
	all = true
	for _, row := range v.rte.ValuesLists {
		if isDefault(row[col]) {
			some = true
		} else {
			all = false
		}
	}
	return some, all
}

func (v *valuesFix) replace(col int, e query.Expr) {
	if v.rows == nil {
		for _, row := range v.rte.ValuesLists {
			v.rows = append(v.rows, append([]query.Expr(nil), row...))
		}
	}
	for _, row := range v.rows {
		if isDefault(row[col]) {
			row[col] = e
		}
	}
}

// insertList completes one INSERT target list: every live column that is not generated.
func (r *rewriter) insertList(ts []*query.TargetEntry, rel *catalog.Relation, over query.Overriding, fix *valuesFix) ([]*query.TargetEntry, error) {
	given := map[int]*query.TargetEntry{}
	for _, t := range ts {
		given[t.ResNo] = t
	}
	var out []*query.TargetEntry
	for i := range rel.Columns {
		c := &rel.Columns[i]
		if c.Dropped {
			continue
		}
		t := given[c.AttNum]
		useDefault := t == nil || isDefault(t.Expr)
		col := -1
		if t != nil {
			col = fix.column(t.Expr)
		}
		if col >= 0 {
			if _, all := fix.defaults(col); all {
				useDefault = true
			}
		}
		if !useDefault {
			switch {
			case c.Identity != 0 && over == query.OverridingUser:
				useDefault = true
			case c.Identity == 'a' && over != query.OverridingSystem:
				return nil, pgerror.New(pgerror.GeneratedAlways, "cannot insert a non-DEFAULT value into column \"%s\"", c.Name).
					WithDetail("Column \"%s\" is an identity column defined as GENERATED ALWAYS.", c.Name).
					WithHint("Use OVERRIDING SYSTEM VALUE to override.")
			case c.Generated:
				return nil, pgerror.New(pgerror.GeneratedAlways, "cannot insert a non-DEFAULT value into column \"%s\"", c.Name).
					WithDetail("Column \"%s\" is a generated column.", c.Name)
			}
		}
		if col >= 0 {
			// whatever the rows hold, no DEFAULT may be left in them
			if some, _ := fix.defaults(col); some {
				if useDefault || c.Generated {
					fix.replace(col, &query.Const{Base: query.Base{T: c.Type, Coll: c.Collation, Loc: -1}})
				} else {
					fix.replace(col, columnDefault(c))
				}
			}
		}
		if c.Generated {
			continue
		}
		if useDefault {
			t = &query.TargetEntry{Expr: columnDefault(c), ResNo: c.AttNum, Name: c.Name}
		}
		out = append(out, t)
	}
	return out, nil
}

// updateColumns applies the rules of SET.
func (r *rewriter) updateColumns(ts []*query.TargetEntry, rel *catalog.Relation) ([]*query.TargetEntry, error) {
	var out []*query.TargetEntry
	for _, t := range ts {
		if t.Junk || t.ResNo <= 0 || t.ResNo > len(rel.Columns) {
			out = append(out, t)
			continue
		}
		c := &rel.Columns[t.ResNo-1]
		def := isDefault(t.Expr)
		if !def {
			refused := pgerror.New(pgerror.GeneratedAlways, "column \"%s\" can only be updated to DEFAULT", c.Name)
			if c.Identity == 'a' {
				return nil, refused.WithDetail("Column \"%s\" is an identity column defined as GENERATED ALWAYS.", c.Name)
			}
			if c.Generated {
				return nil, refused.WithDetail("Column \"%s\" is a generated column.", c.Name)
			}
		}
		if c.Generated {
			continue
		}
		if def {
			n := *t
			n.Expr = columnDefault(c)
			t = &n
		}
		out = append(out, t)
	}
	return out, nil
}
