package deparse

import (
	"context"
	"strings"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// Indentation steps of pretty printing, PostgreSQL's.
const (
	indentStd   = 8
	indentJoin  = 4
	indentVar   = 4
	indentLimit = 40
)

// printer writes one tree. The zero buffer is ready; a printer is used once.
type printer struct {
	Context
	buf []byte
	// paren: parentheses only where needed; otherwise around every operator.
	paren bool
	// indent: line breaks and indentation.
	indent bool
	level  int
	// scopes are the queries around the expression, innermost last.
	scopes []scope
}

// scope is a query whose range table Vars refer to.
type scope struct {
	q *query.Query
	// prefix: columns are written with their table's name.
	prefix bool
	// names are what the range table entries go by here: no two the same in sight.
	names []string
}

// name is what an entry goes by.
func (s *scope) name(rtindex int) string {
	if rtindex > 0 && rtindex <= len(s.names) {
		return s.names[rtindex-1]
	}
	return s.q.RTable[rtindex-1].ERefName
}

// entryNames gives every entry of q a name that neither another one nor an
// enclosing query has: a number is added where needed.
func (p *printer) entryNames(q *query.Query) []string {
	used := map[string]bool{}
	for _, s := range p.scopes {
		for _, n := range s.names {
			used[n] = n != ""
		}
	}
	names := make([]string, len(q.RTable))
	for i, r := range q.RTable {
		n := r.ERefName
		switch {
		case r.Kind == query.RTEJoin && r.Alias == "":
			continue
		case r.Alias != "":
			n = r.Alias
		case r.Kind == query.RTERelation:
			if rel, err := p.Catalog.Relation(p.Ctx, r.Relid); err == nil && rel != nil {
				n = rel.Name // it may have been renamed since
			}
		}
		name := n
		for k := 1; used[name]; k++ {
			name = n + "_" + itoa(k)
		}
		used[name] = true
		names[i] = name
	}
	return names
}

func newPrinter(c Context, paren, indent bool) *printer {
	if c.Ctx == nil {
		c.Ctx = context.Background()
	}
	return &printer{Context: c, paren: paren, indent: indent}
}

func (p *printer) scope() *scope { return &p.scopes[len(p.scopes)-1] }

func (p *printer) str(s string) { p.buf = append(p.buf, s...) }

// keyword starts a clause: on a line of its own when indenting.
func (p *printer) keyword(s string, before, after, plus int) {
	if !p.indent {
		p.str(s)
		return
	}
	p.level += before
	p.trimSpaces()
	p.buf = append(p.buf, '\n')
	n := max(p.level, 0) + plus
	if p.level >= indentLimit { // deep nesting indents less
		n = (indentLimit+(p.level-indentLimit)/(indentStd/2))%indentLimit + plus
	}
	for range n {
		p.buf = append(p.buf, ' ')
	}
	p.str(s)
	p.level = max(p.level+after, 0)
}

func (p *printer) trimSpaces() {
	for len(p.buf) > 0 && p.buf[len(p.buf)-1] == ' ' {
		p.buf = p.buf[:len(p.buf)-1]
	}
}

// sub runs f on an empty buffer and returns what it wrote.
func (p *printer) sub(f func()) string {
	saved := p.buf
	p.buf = nil
	f()
	s := string(p.buf)
	p.buf = saved
	return s
}

// lineLength is the length of the current line so far.
func (p *printer) lineLength() int {
	return len(p.buf) - 1 - strings.LastIndexByte(string(p.buf), '\n')
}

func (p *printer) ident(s string) { p.str(QuoteIdent(s)) }

// typeName is format_type with the modifier. The SQL names of two types say a
// length of 1 when none is written, so without one they go by their own names.
func (p *printer) typeName(t types.T) string {
	if t.Mod < 0 {
		switch t.OID {
		case types.BPChar:
			return "bpchar"
		case types.Bit:
			return `"bit"`
		case types.BPCharArray:
			return "bpchar[]"
		case types.BitArray:
			return `"bit"[]`
		}
	}
	return p.Catalog.FormatType(t.OID, t.Mod)
}

// relationName is a relation's name, qualified when the search path does not find it.
func (p *printer) relationName(oid types.OID) string {
	rel, err := p.Catalog.Relation(p.Ctx, oid)
	if err != nil || rel == nil {
		return "???"
	}
	if p.visible(rel) {
		return QuoteIdent(rel.Name)
	}
	return QuoteIdent(catalog.SchemaName(p.Catalog, rel.Namespace, rel.Schema)) + "." + QuoteIdent(rel.Name)
}

func (p *printer) visible(rel *catalog.Relation) bool {
	for _, ns := range p.path() {
		found, err := p.Catalog.RelationByName(p.Ctx, ns, rel.Name)
		if err != nil {
			return false
		}
		if found != nil {
			return found.OID == rel.OID
		}
	}
	return false
}

// path is where unqualified names are looked for.
func (p *printer) path() []types.OID { return catalog.EffectivePath(p.Catalog, p.SearchPath) }

// functionName is a function's name, qualified when its schema is not on the path.
func (p *printer) functionName(oid types.OID, name string) string {
	f := p.Catalog.Function(oid)
	if f == nil {
		return QuoteIdent(name)
	}
	for _, ns := range p.path() {
		if ns == f.Namespace {
			return QuoteIdent(f.Name)
		}
	}
	if ns, err := p.Catalog.Namespace(p.Ctx, f.Namespace); err == nil && ns != nil {
		return QuoteIdent(ns.Name) + "." + QuoteIdent(f.Name)
	}
	return QuoteIdent(f.Name)
}
