package randomsql

import (
	"fmt"
	"strings"
)

// from makes a FROM list and fills the scope with what it shows.
func (g *Generator) from(sc *scope, depth int) *Node {
	n := g.item(sc, depth, true)
	for i := 0; i < 3 && g.chance(45) && g.spend(); i++ {
		n = g.join(n, sc, depth)
	}
	return n
}

// where makes an optional WHERE clause.
func (g *Generator) where(sc *scope, depth int) *Node {
	if g.chance(35) {
		return text("")
	}
	return optional(" WHERE ", g.condition(sc, min(depth, 2)))
}

// join adds one more item on the right.
func (g *Generator) join(left *Node, sc *scope, depth int) *Node {
	switch g.n(10) {
	case 0:
		return text(left, g.pick(", ", " CROSS JOIN ", " CROSS JOIN ", " CROSS JOIN "), g.item(sc, depth, true))
	case 1, 2:
		if n := g.joinUsing(left, sc); n != nil {
			return n
		}
	}
	kind := g.pick("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
	leftFields := append([]field(nil), sc.fields...)
	var right *Node
	if g.chance(15) && (kind == "JOIN" || kind == "LEFT JOIN") {
		right = g.item(sc, depth, true) // may be lateral
	} else {
		side := &scope{outer: sc.outer}
		right = g.item(side, depth, false)
		sc.fields = append(sc.fields, side.fields...)
	}
	rightFields := sc.fields[len(leftFields):]
	var eq string
	for tries := 0; tries < 8 && eq == ""; tries++ {
		l, r := leftFields[g.n(len(leftFields))], rightFields[g.n(len(rightFields))]
		if l.typ == r.typ && l.typ != tArr || numeric(l.typ) && numeric(r.typ) {
			eq = l.sql + " = " + r.sql
		}
	}
	var on *Node
	switch {
	case kind == "FULL JOIN" && eq == "":
		on = text("true")
	case kind == "FULL JOIN" || eq != "" && g.chance(70):
		on = text(eq)
		if g.chance(25) {
			on = text(on, optional(" AND ", g.condition(sc, min(depth, 1))))
		}
	default:
		on = g.condition(sc, min(depth, 2))
	}
	return text(left, " ", text(kind), " ", right, " ON ", on)
}

func numeric(t typ) bool { return t == tInt || t == tBig || t == tNum || t == tFloat }

// joinUsing joins a table by column names that it shares with exactly one column of
// the left.
func (g *Generator) joinUsing(left *Node, sc *scope) *Node {
	t := tables[g.n(len(tables))]
	count := map[string]int{}
	for _, f := range sc.fields {
		name := f.sql[strings.LastIndexByte(f.sql, '.')+1:]
		count[name]++
	}
	var shared []string
	for _, c := range t.cols {
		if count[c.name] == 1 && c.typ != tArr {
			shared = append(shared, c.name)
		}
	}
	if len(shared) == 0 {
		return nil
	}
	alias := g.newAlias()
	kind := g.pick("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")
	var n *Node
	if g.chance(25) {
		n = text(left, " NATURAL ", kind, " ", t.name, " AS ", alias)
	} else {
		g.rnd.Shuffle(len(shared), func(i, j int) { shared[i], shared[j] = shared[j], shared[i] })
		shared = shared[:1+g.n(len(shared))]
		n = text(left, " ", kind, " ", t.name, " AS ", alias, " USING (", strings.Join(shared, ", "), ")")
		for _, c := range t.cols {
			for _, s := range shared {
				if s == c.name && g.chance(50) && !strings.Contains(left.String(), "USING") {
					sc.fields = append(sc.fields, field{s, c.typ}) // the merged column
				}
			}
		}
	}
	for _, c := range t.cols {
		sc.fields = append(sc.fields, field{alias + "." + c.name, c.typ})
	}
	return n
}

// item makes one FROM item and adds its columns to the scope.
func (g *Generator) item(sc *scope, depth int, lateral bool) *Node {
	alias := g.newAlias()
	add := func(cols []column) {
		for _, c := range cols {
			sc.fields = append(sc.fields, field{alias + "." + c.name, c.typ})
		}
	}
	base := func() *Node {
		t := tables[g.n(len(tables))]
		add(t.cols)
		return text(t.name + " AS " + alias)
	}
	if depth <= 0 || g.chance(65) || !g.spend() {
		if len(g.ctes) > 0 && g.chance(50) {
			c := g.ctes[g.n(len(g.ctes))]
			add(c.cols)
			return text(c.name + " AS " + alias)
		}
		return base()
	}
	switch g.n(6) {
	case 0, 1, 2:
		types := g.types(1 + g.n(3))
		outer := sc.outer
		word := ""
		if lateral && len(sc.fields) > 0 && g.chance(60) {
			word = "LATERAL "
			outer = &scope{fields: append([]field(nil), sc.fields...), outer: sc.outer}
		}
		sub := g.subquery(types, outer, depth-1)
		add(named(types))
		return text(word, "(", sub, ") AS ", alias, "(", columnNames(len(types)), ")")
	case 3:
		t := g.anyType()
		e := &scope{}
		rows := text("VALUES (", g.expr(t, e, 1), ", 1)", optional(", (", g.expr(t, e, 1), ", 2)"), optional(", (", g.leaf(t, e), ", 3)"))
		add([]column{{"c1", t, false}, {"c2", tInt, false}})
		return text("(", rows, ") AS ", alias, "(c1, c2)")
	case 4:
		arg := &scope{outer: sc.outer}
		if lateral {
			arg.fields = append([]field(nil), sc.fields...)
		}
		if g.chance(50) {
			src := g.leaf(tArr, arg)
			add([]column{{"c1", tInt, false}, {"o", tBig, false}})
			return text("unnest(", src, ") WITH ORDINALITY AS ", alias, "(c1, o)")
		}
		add([]column{{"c1", tInt, false}})
		return text("generate_series(", g.pick("0", "1", "-1"), ", least(", g.leaf(tInt, arg), ", 6)) AS ", alias, "(c1)")
	}
	return base()
}

func (g *Generator) types(n int) []typ {
	ts := make([]typ, n)
	for i := range ts {
		ts[i] = g.anyType()
	}
	return ts
}

func named(types []typ) []column {
	cols := make([]column, len(types))
	for i, t := range types {
		cols[i] = column{fmt.Sprintf("c%d", i+1), t, false}
	}
	return cols
}

func columnNames(n int) string {
	s := make([]string, n)
	for i := range s {
		s[i] = fmt.Sprintf("c%d", i+1)
	}
	return strings.Join(s, ", ")
}

// ordinals is "1, 2, …, n".
func ordinals(n int) string {
	s := make([]string, n)
	for i := range s {
		s[i] = fmt.Sprint(i + 1)
	}
	return strings.Join(s, ", ")
}
