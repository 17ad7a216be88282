package deparse

import (
	"strconv"

	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

func itoa(n int) string { return strconv.Itoa(n) }

func (p *printer) fromClause(q *query.Query) {
	if q.JoinTree == nil {
		return
	}
	first := true
	for _, item := range q.JoinTree.Items {
		if r, ok := item.(*query.RangeTblRef); ok && q.RTable[r.RTIndex-1].Kind == query.RTEResult {
			continue
		}
		if first {
			p.keyword(" FROM ", -indentStd, indentStd, 2)
			p.fromItem(item, q)
			first = false
			continue
		}
		p.str(", ")
		text := p.sub(func() { p.fromItem(item, q) })
		if p.indent {
			if text != "" && text[0] == '\n' {
				p.trimSpaces()
			} else if p.lineLength()+len(text) > p.WrapColumn {
				p.keyword("", -indentStd, indentStd, indentVar)
			}
		}
		p.str(text)
	}
}

func (p *printer) fromItem(item query.FromItem, q *query.Query) {
	switch item := item.(type) {
	case *query.RangeTblRef:
		p.tableRef(q.RTable[item.RTIndex-1], p.scope().name(item.RTIndex))
	case *query.JoinExpr:
		p.join(item, q)
	case *query.FromExpr:
		for i, sub := range item.Items {
			if i > 0 {
				p.str(", ")
			}
			p.fromItem(sub, q)
		}
	}
}

func (p *printer) join(j *query.JoinExpr, q *query.Query) {
	alias := ""
	if j.RTIndex > 0 {
		alias = q.RTable[j.RTIndex-1].Alias
	}
	_, leaf := j.Right.(*query.RangeTblRef)
	rightParen := p.paren && !leaf
	if r, ok := j.Right.(*query.JoinExpr); ok && r.RTIndex > 0 && q.RTable[r.RTIndex-1].Alias != "" {
		rightParen = false
	}
	outer := !p.paren || alias != ""
	if outer {
		p.str("(")
	}
	p.fromItem(j.Left, q)
	word := [...]string{" JOIN ", " LEFT JOIN ", " FULL JOIN ", " RIGHT JOIN "}[j.Type]
	if j.Type == query.JoinInner && j.Quals == nil && len(j.Using) == 0 {
		word = " CROSS JOIN "
	}
	p.keyword(word, -indentStd, indentStd, indentJoin)
	if rightParen {
		p.str("(")
	}
	p.fromItem(j.Right, q)
	if rightParen {
		p.str(")")
	}
	switch {
	case len(j.Using) > 0:
		p.str(" USING (" + joinNames(j.Using) + ")")
		if j.RTIndex > 0 && q.RTable[j.RTIndex-1].UsingAlias != "" {
			p.str(" AS " + QuoteIdent(q.RTable[j.RTIndex-1].UsingAlias))
		}
	case j.Quals != nil:
		p.str(" ON ")
		p.open()
		p.expr(j.Quals, false)
		p.close()
	case j.Type != query.JoinInner:
		p.str(" ON TRUE")
	}
	if outer {
		p.str(")")
	}
	if alias != "" {
		p.str(" " + QuoteIdent(alias))
		p.columnAliases(q.RTable[j.RTIndex-1])
	}
}

func (p *printer) tableRef(r *query.RangeTblEntry, name string) {
	if r.Lateral {
		p.str("LATERAL ")
	}
	// A subquery that stands for an expanded view is printed as the view.
	if r.Kind == query.RTESubquery && r.ViewOID != 0 {
		p.relationRef(r, r.ViewOID, name)
		return
	}
	switch r.Kind {
	case query.RTERelation:
		p.relationRef(r, r.Relid, name)
		if s := r.TableSample; s != nil {
			p.str(" TABLESAMPLE " + s.Method + " (")
			p.expr(s.Args[0], false)
			p.str(")")
			if s.Repeatable != nil {
				p.str(" REPEATABLE (")
				p.expr(s.Repeatable, false)
				p.str(")")
			}
		}
		return
	case query.RTESubquery:
		p.str("(")
		p.query(r.Subquery, nil)
		p.str(")")
	case query.RTEFunction:
		if len(r.Functions) == 1 {
			p.expr(r.Functions[0].Expr, true)
		} else {
			p.str("ROWS FROM(")
			for i, f := range r.Functions {
				if i > 0 {
					p.str(", ")
				}
				p.expr(f.Expr, true)
			}
			p.str(")")
		}
		if r.Ordinality {
			p.str(" WITH ORDINALITY")
		}
	case query.RTEValues:
		p.str("(")
		p.values(r.ValuesLists)
		p.str(")")
	case query.RTECTE:
		p.ident(r.CTEName)
		if name != r.CTEName || r.Alias != "" {
			p.str(" " + QuoteIdent(name))
		}
		if len(r.AliasColumns) > 0 {
			p.columnAliases(r)
		}
		return
	}
	p.str(" " + QuoteIdent(name))
	if r.Kind == query.RTEFunction && len(r.Functions) == 1 && p.definedColumns(r.Functions[0]) {
		p.columnDefinitions(r.Functions[0])
		return
	}
	if r.Kind != query.RTESubquery || len(r.AliasColumns) > 0 {
		p.columnAliases(r)
	}
}

func (p *printer) relationRef(r *query.RangeTblEntry, oid types.OID, name string) {
	if !r.Inh && r.RelKind == 'r' {
		p.str("ONLY ")
	}
	p.str(p.relationName(oid))
	rel, err := p.Catalog.Relation(p.Ctx, oid)
	if r.Alias != "" || err == nil && rel != nil && rel.Name != name {
		p.str(" " + QuoteIdent(name))
	}
	if err != nil || rel == nil {
		return
	}
	if len(r.AliasColumns) == 0 {
		return
	}
	for i, c := range rel.Columns {
		if i < len(r.ERefColumns) && !c.Dropped && r.ERefColumns[i] != c.Name {
			p.columnAliases(r)
			return
		}
	}
}

// columnAliases writes all of an entry's column names.
func (p *printer) columnAliases(r *query.RangeTblEntry) {
	var names []string
	for _, n := range r.ERefColumns {
		if n != "" {
			names = append(names, n)
		}
	}
	if len(names) > 0 {
		p.str("(" + joinNames(names) + ")")
	}
}

// definedColumns reports whether a function needs its column definition list:
// it returns record and has no OUT parameters.
func (p *printer) definedColumns(f *query.RangeTblFunction) bool {
	if !f.Composite || f.Expr.Type().OID != types.RecordOID {
		return false
	}
	call, ok := f.Expr.(*query.FuncExpr)
	if !ok {
		return false
	}
	fn := p.Catalog.Function(call.Func)
	return fn != nil && fn.ArgModes == ""
}

// columnDefinitions writes the column definition list of a function returning record.
func (p *printer) columnDefinitions(f *query.RangeTblFunction) {
	p.str("(")
	for i, n := range f.ColNames {
		if i > 0 {
			p.str(", ")
		}
		p.ident(n)
		p.str(" " + p.typeName(f.ColTypes[i]))
	}
	p.str(")")
}
