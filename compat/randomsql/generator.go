package randomsql

import (
	"fmt"
	"math/rand"
)

// Statement is one generated statement.
type Statement struct {
	*Node
	// Ordered: the order of rows is part of the answer.
	Ordered bool
	// Changes names the table that the statement changes; "" for queries.
	Changes string
}

// Generator makes statements from a seed.
type Generator struct {
	rnd    *rand.Rand
	alias  int
	budget int // how many more nested things this statement may hold
	ctes   []relation
	keys   int // next unused key for inserts
}

// New makes a generator.
func New(seed int64) *Generator { return &Generator{rnd: rand.New(rand.NewSource(seed)), keys: 100} }

// Next makes the next statement.
func (g *Generator) Next() Statement {
	g.alias, g.budget, g.ctes = 0, 14+g.n(14), nil
	if g.chance(22) {
		return g.change()
	}
	return g.topQuery()
}

func (g *Generator) n(n int) int             { return g.rnd.Intn(n) }
func (g *Generator) chance(pct int) bool     { return g.rnd.Intn(100) < pct }
func (g *Generator) pick(s ...string) string { return s[g.n(len(s))] }
func (g *Generator) anyType() typ            { return allTypes[g.n(len(allTypes))] }

func (g *Generator) newAlias() string {
	g.alias++
	return fmt.Sprintf("r%d", g.alias)
}

// spend takes a unit of the statement's budget.
func (g *Generator) spend() bool {
	g.budget--
	return g.budget > 0
}

// field is something an expression can name.
type field struct {
	sql string
	typ typ
}

// relation is a FROM item that can be named: a table or a CTE.
type relation struct {
	name string
	cols []column
}

// scope is what expressions see; outer scopes belong to the enclosing queries.
type scope struct {
	fields []field
	outer  *scope
}

func (s *scope) find(g *Generator, t typ) (string, bool) {
	var here []string
	for _, f := range s.fields {
		if f.typ == t {
			here = append(here, f.sql)
		}
	}
	if s.outer != nil && (len(here) == 0 || g.chance(30)) {
		if f, ok := s.outer.find(g, t); ok {
			return f, true
		}
	}
	if len(here) == 0 {
		return "", false
	}
	return here[g.n(len(here))], true
}
