package rewrite

import (
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
)

// notUpdatable says why rows of a view are not rows of one table; "" when they are.
func notUpdatable(v *query.Query) string {
	switch {
	case len(v.DistinctClause) > 0:
		return "Views containing DISTINCT are not automatically updatable."
	case len(v.GroupClause) > 0 || v.HasGroupingSets:
		return "Views containing GROUP BY are not automatically updatable."
	case v.Having != nil:
		return "Views containing HAVING are not automatically updatable."
	case v.SetOperations != nil:
		return "Views containing UNION, INTERSECT, or EXCEPT are not automatically updatable."
	case len(v.CTEs) > 0:
		return "Views containing WITH are not automatically updatable."
	case v.LimitOffset != nil || v.LimitCount != nil:
		return "Views containing LIMIT or OFFSET are not automatically updatable."
	case v.HasAggs:
		return "Views that return aggregate functions are not automatically updatable."
	case v.HasWindowFuncs:
		return "Views that return window functions are not automatically updatable."
	case v.HasTargetSRFs:
		return "Views that return set-returning functions are not automatically updatable."
	}
	base := baseOf(v)
	if base == nil {
		return "Views that do not select from a single table or view are not automatically updatable."
	}
	if base.TableSample != nil {
		return "Views containing TABLESAMPLE are not automatically updatable."
	}
	for _, t := range v.TargetList {
		if updatableColumn(v, t) == "" {
			return ""
		}
	}
	return "Views that have no updatable columns are not automatically updatable."
}

// baseOf is the single relation a view selects from, nil for none.
func baseOf(v *query.Query) *query.RangeTblEntry {
	if v.JoinTree == nil || len(v.JoinTree.Items) != 1 {
		return nil
	}
	ref, ok := v.JoinTree.Items[0].(*query.RangeTblRef)
	if !ok {
		return nil
	}
	e := v.RTable[ref.RTIndex-1]
	if e.Kind != query.RTERelation || e.RelKind != catalog.KindTable && e.RelKind != catalog.KindView {
		return nil
	}
	return e
}

// updatableColumn says why a view's column cannot be written; "" when it can.
func updatableColumn(v *query.Query, t *query.TargetEntry) string {
	if t.Junk {
		return "Junk view columns are not updatable."
	}
	x, ok := t.Expr.(*query.Var)
	if !ok || x.LevelsUp != 0 || x.RTIndex != v.JoinTree.Items[0].(*query.RangeTblRef).RTIndex {
		return "View columns that are not columns of their base relation are not updatable."
	}
	if x.AttNum < 0 {
		return "View columns that refer to system columns are not updatable."
	}
	if x.AttNum == 0 {
		return "View columns that return whole-row references are not updatable."
	}
	return ""
}

var viewVerbs = map[query.CommandType][3]string{
	query.CmdInsert: {"insert into", "inserting into", "INSERT"},
	query.CmdUpdate: {"update", "updating", "UPDATE"},
	query.CmdDelete: {"delete from", "deleting from", "DELETE"},
}

// viewDefaults puts the defaults of a view's own columns into a write to it: those
// of ALTER VIEW … SET DEFAULT come before the table's.
func (r *rewriter) viewDefaults(q *query.Query, view *catalog.Relation) (*query.Query, error) {
	defaults := map[int]*catalog.Column{}
	for i := range view.Columns {
		if c := &view.Columns[i]; !c.Dropped && c.Default != nil {
			defaults[c.AttNum] = c
		}
	}
	if len(defaults) == 0 {
		return q, nil
	}
	out := q.Copy()
	set := func(ts []*query.TargetEntry) []*query.TargetEntry {
		var n []*query.TargetEntry
		for _, t := range ts {
			if d := defaults[t.ResNo]; d != nil && !t.Junk && isDefault(t.Expr) {
				c := *t
				c.Expr = d.Default
				t = &c
			}
			n = append(n, t)
		}
		return n
	}
	switch q.Command {
	case query.CmdUpdate:
		out.TargetList = set(q.TargetList)
	case query.CmdInsert:
		out.TargetList = set(q.TargetList)
		given := map[int]bool{}
		for i, e := range q.RTable {
			if e.Kind != query.RTEValues || !fromValues(q, i+1) {
				continue
			}
			fix := &valuesFix{rte: e, rti: i + 1}
			for _, t := range q.TargetList {
				if d := defaults[t.ResNo]; d != nil && fix.column(t.Expr) >= 0 {
					fix.replace(fix.column(t.Expr), d.Default)
				}
			}
			if fix.rows != nil {
				c := *e
				c.ValuesLists = fix.rows
				out.RTable = append([]*query.RangeTblEntry(nil), q.RTable...)
				out.RTable[i] = &c
			}
		}
		for _, t := range q.TargetList {
			given[t.ResNo] = true
		}
		for i := range view.Columns {
			c := &view.Columns[i]
			if defaults[c.AttNum] != nil && !given[c.AttNum] {
				out.TargetList = append(out.TargetList, &query.TargetEntry{Expr: c.Default, ResNo: c.AttNum, Name: c.Name})
			}
		}
		if q.OnConflict != nil && q.OnConflict.Update {
			oc := *q.OnConflict
			oc.Set = set(oc.Set)
			out.OnConflict = &oc
		}
	}
	return out, nil
}

// throughView turns a write to a view into one to its base relation.
func (r *rewriter) throughView(q *query.Query, view *catalog.Relation) (*query.Query, error) {
	v := view.View
	verb := viewVerbs[q.Command]
	if why := notUpdatable(v); why != "" {
		return nil, pgerror.New(pgerror.ObjectNotInPrerequisiteState, "cannot %s view \"%s\"", verb[0], view.Name).WithDetail("%s", why).
			WithHint("To enable %s the view, provide an INSTEAD OF %s trigger or an unconditional ON %s DO INSTEAD rule.", verb[1], verb[2], verb[2])
	}
	if q.Command == query.CmdMerge {
		return nil, pgerror.New(pgerror.FeatureNotSupported, "cannot execute MERGE on relation \"%s\"", view.Name).WithDetail("This operation is not supported for views.")
	}
	base := baseOf(v)
	baseRTI := v.JoinTree.Items[0].(*query.RangeTblRef).RTIndex
	rti := q.ResultRelation
	col := func(n int) *query.TargetEntry {
		for _, t := range v.TargetList {
			if t.ResNo == n && !t.Junk {
				return t
			}
		}
		return nil
	}
	baseRel, err := r.relation(base.Relid)
	if err != nil {
		return nil, err
	}
	r.relations = append(r.relations, base.Relid)
	if q, err = r.viewDefaults(q, view); err != nil {
		return nil, err
	}
	retargetList := func(ts []*query.TargetEntry, insert, conflict bool) ([]*query.TargetEntry, error) {
		var out []*query.TargetEntry
		by := map[int]int{} // base column to view column
		for _, t := range ts {
			if t.Junk {
				out = append(out, t)
				continue
			}
			vt := col(t.ResNo)
			if vt == nil {
				return nil, pgerror.Internal("view %s has no column %d", view.Name, t.ResNo)
			}
			if why := updatableColumn(v, vt); why != "" {
				m := "cannot update column \"%s\" of view \"%s\""
				if insert || conflict {
					m = "cannot insert into column \"%s\" of view \"%s\""
				}
				return nil, pgerror.New(pgerror.FeatureNotSupported, m, vt.Name, view.Name).WithDetail("%s", why)
			}
			c := *t
			if !insert && isDefault(t.Expr) {
				// the view's column has no default of its own; the table's is not used in UPDATE
				b := t.Expr.Node()
				c.Expr = &query.Const{Base: query.Base{T: b.T, Coll: b.Coll, Loc: -1}}
			}
			c.ResNo = vt.Expr.(*query.Var).AttNum
			c.Name = baseRel.Columns[c.ResNo-1].Name
			if other, ok := by[c.ResNo]; ok && other != t.ResNo {
				return nil, pgerror.New(pgerror.SyntaxError, "multiple assignments to same column \"%s\"", c.Name)
			}
			by[c.ResNo] = t.ResNo
			out = append(out, &c)
		}
		return out, nil
	}
	// the view's own expressions, over the target's place in this query
	move := func(e query.Expr, to, levels int) query.Expr {
		if levels > 0 {
			e = query.IncrementLevels(e, levels, 0)
		}
		return query.MutateDeep(e, 0, func(x query.Expr, depth int) (query.Expr, bool) {
			if n, ok := x.(*query.Var); ok && n.LevelsUp == depth+levels && n.RTIndex == baseRTI {
				c := *n
				c.RTIndex = to
				return &c, true
			}
			return x, false
		})
	}
	excluded := 0
	if q.OnConflict != nil {
		excluded = q.OnConflict.ExcludedRTIndex
	}
	out := query.MutateQuery(q, 0, func(x query.Expr, depth int) (query.Expr, bool) {
		n, ok := x.(*query.Var)
		if !ok || n.LevelsUp != depth || n.RTIndex != rti && (excluded == 0 || n.RTIndex != excluded) {
			return x, false
		}
		if n.AttNum == 0 {
			row := &query.RowExpr{Base: n.Base}
			for _, t := range v.TargetList {
				if !t.Junk {
					row.Fields = append(row.Fields, move(t.Expr, n.RTIndex, depth))
					row.Names = append(row.Names, t.Name)
				}
			}
			return row, true
		}
		if n.AttNum < 0 {
			return x, true
		}
		t := col(n.AttNum)
		if t == nil {
			return x, true
		}
		return move(t.Expr, n.RTIndex, depth), true
	})
	if out == q {
		out = q.Copy()
	}
	if q.Command == query.CmdInsert || q.Command == query.CmdUpdate {
		if out.TargetList, err = retargetList(out.TargetList, q.Command == query.CmdInsert, false); err != nil {
			return nil, err
		}
	}
	if out.OnConflict != nil && out.OnConflict.Update {
		c := *out.OnConflict
		if c.Set, err = retargetList(c.Set, false, true); err != nil {
			return nil, err
		}
		out.OnConflict = &c
	}
	entry := func(old *query.RangeTblEntry) *query.RangeTblEntry {
		c := *base
		c.Alias, c.ERefName = old.Alias, old.ERefName
		c.AliasColumns = nil
		c.ERefColumns, c.ColTypes, c.ColCollations = nil, nil, nil
		for i := range baseRel.Columns {
			b := &baseRel.Columns[i]
			n := b.Name
			if b.Dropped {
				n = ""
			}
			c.ERefColumns, c.ColTypes, c.ColCollations = append(c.ERefColumns, n), append(c.ColTypes, b.Type), append(c.ColCollations, b.Collation)
		}
		if old.RelKind == catalog.KindComposite {
			c.RelKind = catalog.KindComposite
		}
		c.ViewOID = old.Relid
		return &c
	}
	out.RTable = append([]*query.RangeTblEntry(nil), out.RTable...)
	out.RTable[rti-1] = entry(q.RTable[rti-1])
	if excluded > 0 {
		out.RTable[excluded-1] = entry(q.RTable[excluded-1])
	}
	// the view's condition
	var qual query.Expr
	if v.JoinTree.Quals != nil {
		qual = move(v.JoinTree.Quals, rti, 0)
	}
	if qual != nil && q.Command != query.CmdInsert {
		j := *out.JoinTree
		if j.Quals == nil {
			j.Quals = qual
		} else {
			j.Quals = &query.BoolExpr{Base: query.Base{T: qual.Type(), Loc: -1}, Op: query.And, Args: []query.Expr{j.Quals, qual}}
		}
		out.JoinTree = &j
		out.HasSubLinks = out.HasSubLinks || v.HasSubLinks
	}
	if q.Command != query.CmdDelete {
		cascaded := view.CheckOption == 'c'
		for _, c := range q.CheckOptions {
			cascaded = cascaded || c.Cascaded
		}
		var checks []query.ViewCheck
		if (view.CheckOption != 0 || cascaded) && (qual != nil || cascaded) {
			name := view.Name
			checks = append(checks, query.ViewCheck{View: name, Qual: qual, Cascaded: cascaded})
		}
		out.CheckOptions = append(checks, out.CheckOptions...)
		if baseRel.Kind == catalog.KindTable {
			// checks without a condition only carried CASCADED along
			var keep []query.ViewCheck
			for _, c := range out.CheckOptions {
				if c.Qual != nil {
					keep = append(keep, c)
				}
			}
			out.CheckOptions = keep
		}
		out.HasSubLinks = out.HasSubLinks || len(out.CheckOptions) > 0 && v.HasSubLinks
	}
	return out, nil
}
