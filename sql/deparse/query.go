package deparse

import (
	"github.com/basaltdb/basalt/sql/query"
)

// query writes a SELECT. names are the result's column names when they are fixed
// from outside (a view's columns), nil otherwise.
func (p *printer) query(q *query.Query, names []string) {
	level := p.level
	p.scopes = append(p.scopes, scope{q: q, prefix: len(p.scopes) > 0 || len(q.RTable) != 1, names: p.entryNames(q)})
	p.selectQuery(q, names)
	p.scopes = p.scopes[:len(p.scopes)-1]
	p.level = level
}

func (p *printer) selectQuery(q *query.Query, names []string) {
	p.withClause(q)
	byNumber := false
	if q.SetOperations != nil {
		p.setOperation(q.SetOperations, names)
		byNumber = true
	} else {
		p.basicSelect(q, names)
	}
	if len(q.SortClause) > 0 {
		p.keyword(" ORDER BY ", -indentStd, indentStd, 1)
		p.orderBy(q.SortClause, q.TargetList, byNumber)
	}
	if q.LimitOffset != nil {
		p.keyword(" OFFSET ", -indentStd, indentStd, 0)
		p.expr(q.LimitOffset, false)
	}
	if q.LimitCount != nil {
		if q.WithTies {
			p.keyword(" FETCH FIRST ", -indentStd, indentStd, 0)
			p.str("(")
			p.expr(q.LimitCount, false)
			p.str(") ROWS WITH TIES")
		} else {
			p.keyword(" LIMIT ", -indentStd, indentStd, 0)
			if c, ok := q.LimitCount.(*query.Const); ok && c.Value == nil {
				p.str("ALL")
			} else {
				p.expr(q.LimitCount, false)
			}
		}
	}
	for _, m := range q.RowMarks {
		if m.PushedDown {
			continue
		}
		p.keyword([...]string{" FOR KEY SHARE", " FOR SHARE", " FOR NO KEY UPDATE", " FOR UPDATE"}[m.Strength], -indentStd, indentStd, 0)
		p.str(" OF " + QuoteIdent(p.scope().name(m.RTIndex)))
		p.str([...]string{"", " SKIP LOCKED", " NOWAIT"}[m.Policy])
	}
}

func (p *printer) withClause(q *query.Query) {
	if len(q.CTEs) == 0 {
		return
	}
	if p.indent {
		p.level += indentStd
		p.str(" ")
	}
	p.str("WITH ")
	if q.Recursive {
		p.str("RECURSIVE ")
	}
	for i, c := range q.CTEs {
		if i > 0 {
			p.str(", ")
		}
		p.ident(c.Name)
		if aliased(c) {
			p.str("(" + joinNames(c.ColNames) + ")")
		}
		p.str(" AS " + [...]string{"", "MATERIALIZED ", "NOT MATERIALIZED "}[c.Materialized] + "(")
		if p.indent {
			p.keyword("", 0, 0, 0)
		}
		p.query(c.Query, nil)
		if p.indent {
			p.keyword("", 0, 0, 0)
		}
		p.str(")")
		p.searchCycle(c)
	}
	if p.indent {
		p.level -= indentStd
		p.keyword("", 0, 0, 0)
	} else {
		p.str(" ")
	}
}

// aliased reports whether a CTE's columns are named otherwise than its query names them.
func aliased(c *query.CommonTableExpr) bool {
	i := 0
	for _, t := range c.Query.TargetList {
		if t.Junk {
			continue
		}
		if i < len(c.ColNames) && c.ColNames[i] != t.Name {
			return true
		}
		i++
	}
	return false
}

func (p *printer) searchCycle(c *query.CommonTableExpr) {
	if s := c.Search; s != nil {
		order := "DEPTH"
		if s.BreadthFirst {
			order = "BREADTH"
		}
		p.str(" SEARCH " + order + " FIRST BY " + joinNames(s.Columns) + " SET " + QuoteIdent(s.SeqColumn))
	}
	if s := c.Cycle; s != nil {
		p.str(" CYCLE " + joinNames(s.Columns) + " SET " + QuoteIdent(s.MarkColumn))
		if v, ok := s.MarkValue.(*query.Const); ok && v.Value != true {
			p.str(" TO ")
			p.expr(s.MarkValue, false)
			p.str(" DEFAULT ")
			p.expr(s.MarkDefault, false)
		}
		p.str(" USING " + QuoteIdent(s.PathColumn))
	}
}

// valuesOnly gives the VALUES entry when q is nothing but VALUES.
func valuesOnly(q *query.Query) *query.RangeTblEntry {
	if q.JoinTree == nil || len(q.JoinTree.Items) != 1 || q.JoinTree.Quals != nil || len(q.RTable) != 1 || q.RTable[0].Kind != query.RTEValues ||
		len(q.GroupClause) > 0 || q.Having != nil || len(q.DistinctClause) > 0 {
		return nil
	}
	for i, t := range q.TargetList {
		if v, ok := t.Expr.(*query.Var); !ok || t.Junk || v.AttNum != i+1 || v.LevelsUp != 0 {
			return nil
		}
	}
	return q.RTable[0]
}

func (p *printer) basicSelect(q *query.Query, names []string) {
	if p.indent {
		p.level += indentStd
		p.str(" ")
	}
	if v := valuesOnly(q); v != nil {
		p.values(v.ValuesLists)
		return
	}
	p.str("SELECT")
	if len(q.DistinctClause) > 0 {
		p.str(" DISTINCT")
		if q.HasDistinctOn {
			p.str(" ON (")
			for i, c := range q.DistinctClause {
				if i > 0 {
					p.str(", ")
				}
				p.sortGroup(c.Ref, q.TargetList, false)
			}
			p.str(")")
		}
	}
	p.targetList(q.TargetList, names)
	p.fromClause(q)
	if q.JoinTree != nil && q.JoinTree.Quals != nil {
		p.keyword(" WHERE ", -indentStd, indentStd, 1)
		p.expr(q.JoinTree.Quals, false)
	}
	if len(q.GroupClause) > 0 || q.HasGroupingSets {
		p.keyword(" GROUP BY ", -indentStd, indentStd, 1)
		if q.GroupDistinct {
			p.str("DISTINCT ")
		}
		if q.HasGroupingSets {
			for i, n := range q.GroupingTree {
				if i > 0 {
					p.str(", ")
				}
				p.groupingSet(n, q, true)
			}
		} else {
			for i, c := range q.GroupClause {
				if i > 0 {
					p.str(", ")
				}
				p.sortGroup(c.Ref, q.TargetList, false)
			}
		}
	}
	if q.Having != nil {
		p.keyword(" HAVING ", -indentStd, indentStd, 0)
		p.expr(q.Having, false)
	}
	named := 0
	for _, w := range q.WindowClause {
		if w.Name == "" {
			continue
		}
		if named == 0 {
			p.keyword(" WINDOW ", -indentStd, indentStd, 1)
		} else {
			p.str(", ")
		}
		named++
		p.ident(w.Name)
		p.str(" AS ")
		p.windowSpec(w, q)
	}
}

// groupingSet writes one item of a GROUP BY with grouping sets. bare leaves out the
// parentheses around a single expression.
func (p *printer) groupingSet(n *query.GroupingNode, q *query.Query, bare bool) {
	switch n.Kind {
	case query.GroupingEmpty:
		p.str("()")
		return
	case query.GroupingSimple:
		paren := !bare || len(n.Refs) != 1
		if paren {
			p.str("(")
		}
		for i, ref := range n.Refs {
			if i > 0 {
				p.str(", ")
			}
			p.sortGroup(ref, q.TargetList, false)
		}
		if paren {
			p.str(")")
		}
		return
	case query.GroupingRollup:
		p.str("ROLLUP(")
	case query.GroupingCube:
		p.str("CUBE(")
	default:
		p.str("GROUPING SETS (")
	}
	for i, sub := range n.Sub {
		if i > 0 {
			p.str(", ")
		}
		p.groupingSet(sub, q, n.Kind != query.GroupingSets)
	}
	p.str(")")
}

func (p *printer) targetList(list []*query.TargetEntry, names []string) {
	multiline, col := false, 0
	for _, t := range list {
		if t.Junk {
			continue
		}
		if col == 0 {
			p.str(" ")
		} else {
			p.str(", ")
		}
		name := t.Name
		if col < len(names) {
			name = names[col]
		}
		col++
		field := p.sub(func() {
			own := "?column?"
			if v, ok := t.Expr.(*query.Var); ok {
				own = p.variable(v, 0)
			} else {
				p.expr(t.Expr, true)
			}
			if name != "" && name != own {
				p.str(" AS ")
				p.ident(name)
			}
		})
		if p.indent {
			if field == "" || field[0] != '\n' {
				if col > 1 && (p.lineLength()+len(field) > p.WrapColumn || multiline) {
					p.keyword("", -indentStd, indentStd, indentVar)
				}
			} else {
				p.trimSpaces()
			}
			multiline = len(field) > 1 && containsNewline(field[1:])
		}
		p.str(field)
	}
}

func containsNewline(s string) bool {
	for i := range len(s) {
		if s[i] == '\n' {
			return true
		}
	}
	return false
}

// sortGroup writes the expression a sort or group clause refers to.
func (p *printer) sortGroup(ref int, list []*query.TargetEntry, byNumber bool) {
	for _, t := range list {
		if t.SortGroupRef != ref {
			continue
		}
		switch e := t.Expr.(type) {
		case *query.Var:
			if byNumber {
				p.str(itoa(t.ResNo))
				return
			}
			p.expr(e, true)
		case *query.Const:
			if byNumber {
				p.str(itoa(t.ResNo))
				return
			}
			p.constant(e, labelAlways)
		default:
			if byNumber {
				p.str(itoa(t.ResNo))
				return
			}
			_, f := e.(*query.FuncExpr)
			_, a := e.(*query.Aggref)
			_, w := e.(*query.WindowFunc)
			paren := p.paren || f || a || w
			if paren {
				p.str("(")
			}
			p.expr(e, true)
			if paren {
				p.str(")")
			}
		}
		return
	}
	p.str("???")
}

func (p *printer) orderBy(items []query.SortGroupClause, list []*query.TargetEntry, byNumber bool) {
	for i, c := range items {
		if i > 0 {
			p.str(", ")
		}
		p.sortGroup(c.Ref, list, byNumber)
		switch {
		case c.Descending && c.NullsFirst:
			p.str(" DESC")
		case c.Descending:
			p.str(" DESC NULLS LAST")
		case c.NullsFirst:
			p.str(" NULLS FIRST")
		}
	}
}

func (p *printer) windowSpec(w *query.WindowClause, q *query.Query) {
	p.str("(")
	space := ""
	if w.RefName != "" {
		p.ident(w.RefName)
		space = " "
	}
	if len(w.Partition) > 0 && w.RefName == "" {
		p.str(space + "PARTITION BY ")
		for i, c := range w.Partition {
			if i > 0 {
				p.str(", ")
			}
			p.sortGroup(c.Ref, q.TargetList, false)
		}
		space = " "
	}
	if len(w.Order) > 0 && !w.CopiedOrder {
		p.str(space + "ORDER BY ")
		p.orderBy(w.Order, q.TargetList, false)
		space = " "
	}
	if w.Frame.Explicit {
		p.str(space)
		p.frame(w.Frame)
	}
	p.str(")")
}

func (p *printer) frame(f query.Frame) {
	p.str([...]string{"RANGE ", "ROWS ", "GROUPS "}[f.Mode])
	bound := func(b query.FrameBound, offset query.Expr) {
		switch b {
		case query.UnboundedPreceding:
			p.str("UNBOUNDED PRECEDING")
		case query.UnboundedFollowing:
			p.str("UNBOUNDED FOLLOWING")
		case query.CurrentRow:
			p.str("CURRENT ROW")
		case query.OffsetPreceding:
			p.expr(offset, false)
			p.str(" PRECEDING")
		case query.OffsetFollowing:
			p.expr(offset, false)
			p.str(" FOLLOWING")
		}
	}
	if f.Single {
		bound(f.Start, f.StartOffset)
	} else {
		p.str("BETWEEN ")
		bound(f.Start, f.StartOffset)
		p.str(" AND ")
		bound(f.End, f.EndOffset)
	}
	p.str([...]string{"", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"}[f.Exclusion])
}

// setOperation writes UNION, INTERSECT and EXCEPT with parentheses where the kind changes.
func (p *printer) setOperation(op *query.SetOperation, names []string) {
	paren := op.Left.Op != nil && (op.Left.Op.Op != op.Op || op.Left.Op.All != op.All)
	sub := 0
	if paren {
		p.str("(")
		sub = indentStd
		p.keyword("", sub, 0, 0)
	}
	p.setOperationArg(op.Left, names)
	switch {
	case paren:
		p.keyword(") ", -sub, 0, 0)
	case p.indent:
		p.keyword("", -sub, 0, 0)
	default:
		p.str(" ")
	}
	p.str([...]string{"", "UNION ", "INTERSECT ", "EXCEPT "}[op.Op])
	if op.All {
		p.str("ALL ")
	}
	paren, sub = op.Right.Op != nil, 0
	if paren {
		p.str("(")
		sub = indentStd
	}
	p.keyword("", sub, 0, 0)
	p.setOperationArg(op.Right, nil)
	if p.indent {
		p.level -= sub
	}
	if paren {
		p.keyword(")", 0, 0, 0)
	}
}

func (p *printer) setOperationArg(a query.SetOperationArg, names []string) {
	if a.Op != nil {
		p.setOperation(a.Op, names)
		return
	}
	q := p.scopes[len(p.scopes)-1].q.RTable[a.RTIndex-1].Subquery
	paren := len(q.CTEs) > 0 || len(q.SortClause) > 0 || len(q.RowMarks) > 0 || q.LimitOffset != nil || q.LimitCount != nil || q.SetOperations != nil
	if paren {
		p.str("(")
	}
	p.query(q, names)
	if paren {
		p.str(")")
	}
}

func (p *printer) values(rows [][]query.Expr) {
	p.str("VALUES ")
	for i, r := range rows {
		if i > 0 {
			p.str(", ")
		}
		p.str("(")
		for k, e := range r {
			if k > 0 {
				p.str(",")
			}
			p.expr(e, false)
		}
		p.str(")")
	}
}
