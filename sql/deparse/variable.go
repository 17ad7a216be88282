package deparse

import (
	"strings"

	"github.com/basaltdb/basalt/sql/query"
)

// systemColumns by attribute number.
var systemColumns = map[int]string{query.AttCTID: "ctid", query.AttXmin: "xmin", query.AttCmin: "cmin", query.AttXmax: "xmax", query.AttCmax: "cmax", query.AttTableOID: "tableoid", query.AttLocator: "locator"}

// variable writes a column and returns its bare name. outer is added to the levels
// (columns of joins are followed into the query the join belongs to).
func (p *printer) variable(v *query.Var, outer int) string {
	if p.Var != nil && len(p.scopes) == 0 {
		s := p.Var(v)
		p.str(s)
		return s
	}
	level := len(p.scopes) - 1 - v.LevelsUp - outer
	if level < 0 {
		return p.relationColumn(v)
	}
	s := p.scopes[level]
	if v.RTIndex < 1 || v.RTIndex > len(s.q.RTable) {
		p.str("???")
		return ""
	}
	rti, att := v.RTIndex, v.AttNum
	if v.SynRTIndex > 0 && v.SynRTIndex <= len(s.q.RTable) && s.q.RTable[v.SynRTIndex-1].Alias != "" {
		rti, att = v.SynRTIndex, v.SynAttNum // written through a join's alias
	}
	rte := s.q.RTable[rti-1]
	ref := s.name(rti)
	if rte.Kind == query.RTEJoin && rte.Alias == "" && att > 0 && att <= len(rte.JoinAlias) {
		if below, ok := rte.JoinAlias[att-1].(*query.Var); ok {
			return p.variable(below, v.LevelsUp+outer)
		}
		ref = "" // a merged column has no table
	}
	name := ""
	switch {
	case att == 0:
		p.ident(ref)
		p.str(".*")
		return ""
	case att < 0:
		name = systemColumns[att]
	case att <= len(rte.ERefColumns):
		name = rte.ERefColumns[att-1]
		if rte.Kind == query.RTERelation && att > len(rte.AliasColumns) {
			if rel, err := p.Catalog.Relation(p.Ctx, rte.Relid); err == nil && rel != nil && att <= len(rel.Columns) {
				name = rel.Columns[att-1].Name // it may have been renamed since
			}
		}
	}
	if ref != "" && (s.prefix || v.LevelsUp+outer > 0) {
		p.ident(ref)
		p.str(".")
	}
	p.ident(name)
	return name
}

// relationColumn names a column of Context.Relation.
func (p *printer) relationColumn(v *query.Var) string {
	rel := p.Relation
	if rel == nil {
		p.str("???")
		return ""
	}
	if p.Prefix {
		p.ident(rel.Name)
		p.str(".")
	}
	name := systemColumns[v.AttNum]
	switch {
	case v.AttNum == 0:
		if !p.Prefix {
			p.ident(rel.Name)
			p.str(".")
		}
		p.str("*")
		return ""
	case v.AttNum > 0 && v.AttNum <= len(rel.Columns):
		name = rel.Columns[v.AttNum-1].Name
	}
	p.ident(name)
	return name
}

// joinNames writes a list of identifiers.
func joinNames(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = QuoteIdent(n)
	}
	return strings.Join(quoted, ", ")
}
