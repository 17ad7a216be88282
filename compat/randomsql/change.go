package randomsql

import (
	"fmt"
	"strings"
)

// change makes an INSERT, UPDATE, DELETE or MERGE.
func (g *Generator) change() Statement {
	t := tables[g.n(len(tables))]
	if t.key == nil && g.chance(60) {
		t = tables[0]
	}
	target := &scope{}
	for _, c := range t.cols {
		target.fields = append(target.fields, field{"t." + c.name, c.typ})
	}
	var n *Node
	switch g.n(10) {
	case 0, 1, 2:
		n = g.insert(t)
	case 3, 4, 5:
		n = g.update(t, target)
	case 6, 7:
		n = text("DELETE FROM ", t.name, " AS t WHERE ", g.condition(target, 2), optional(" AND ", g.condition(target, 1)), g.returning(target))
	default:
		n = g.merge(t, target)
	}
	return Statement{Node: n, Changes: t.name}
}

func (g *Generator) returning(sc *scope) *Node {
	if g.chance(40) {
		return text("")
	}
	return optional(" RETURNING ", g.list(g.types(1+g.n(3)), func(t typ) *Node { return g.expr(t, sc, 2) }))
}

// sets makes assignments to columns other than the key.
func (g *Generator) sets(t table, sc *scope) *Node {
	n := text("")
	sep := ""
	for _, c := range t.cols {
		if contains(t.key, c.name) || !g.chance(30) && (sep != "" || c.name != t.cols[len(t.cols)-1].name) {
			continue
		}
		v := g.expr(c.typ, sc, 2)
		switch c.typ {
		case tInt, tBig:
			v = expr(c.typ, "(", v, ") % 20")
		case tNum:
			v = expr(c.typ, "(", v, ") % 1000")
		case tText:
			v = expr(c.typ, "left(", v, ", 8)")
		}
		n = text(n, sep, c.name, " = ", v)
		sep = ", "
	}
	if sep == "" {
		c := t.cols[len(t.cols)-1]
		n = text(c.name, " = ", g.leaf(c.typ, sc))
	}
	return n
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func (g *Generator) update(t table, target *scope) *Node {
	if g.chance(35) {
		// Joined on the key of the other side: one match at most.
		o := tables[g.n(2)]
		both := &scope{fields: append([]field(nil), target.fields...)}
		for _, c := range o.cols {
			both.fields = append(both.fields, field{"o." + c.name, c.typ})
		}
		by := "t." + t.cols[g.n(2)].name
		return text("UPDATE ", t.name, " AS t SET ", g.sets(t, both), " FROM ", o.name, " AS o WHERE o.id = ", by, optional(" AND ", g.condition(both, 2)), g.returning(both))
	}
	return text("UPDATE ", t.name, " AS t SET ", g.sets(t, target), optional(" WHERE ", g.condition(target, 2)), g.returning(target))
}

func (g *Generator) newRow(t table) string {
	g.keys++
	row := g.row(t, g.keys)
	if t.key != nil && g.chance(30) {
		row[0] = fmt.Sprint(1 + g.n(12)) // a key that is probably taken
	}
	return "(" + strings.Join(row, ", ") + ")"
}

func (g *Generator) insert(t table) *Node {
	src := text("VALUES ", g.newRow(t), optional(", ", g.newRow(t)))
	conflict := text("")
	if g.chance(55) {
		conflict = optional(" ON CONFLICT DO NOTHING")
	}
	into := &scope{}
	for _, c := range t.cols {
		into.fields = append(into.fields, field{"t." + c.name, c.typ})
	}
	if t.key != nil && g.chance(40) {
		ex := &scope{fields: append([]field(nil), into.fields...)}
		for _, c := range t.cols {
			ex.fields = append(ex.fields, field{"excluded." + c.name, c.typ})
		}
		conflict = text(" ON CONFLICT (", strings.Join(t.key, ", "), ") DO UPDATE SET ", g.sets(t, ex), optional(" WHERE ", g.condition(ex, 1)))
	}
	return text("INSERT INTO ", t.name, " AS t ", src, conflict, g.returning(into))
}

func (g *Generator) merge(t table, target *scope) *Node {
	src := tables[g.n(2)]
	sc := &scope{}
	for _, c := range src.cols {
		sc.fields = append(sc.fields, field{"s." + c.name, c.typ})
	}
	both := &scope{fields: append(append([]field(nil), target.fields...), sc.fields...)}
	when := text("")
	if g.chance(40) {
		when = optional(" WHEN MATCHED AND ", g.condition(both, 1), " THEN DELETE")
	}
	switch g.n(3) {
	case 0:
		when = text(when, " WHEN MATCHED THEN DO NOTHING")
	default:
		when = text(when, " WHEN MATCHED THEN UPDATE SET ", g.sets(t, both))
	}
	if g.chance(60) {
		g.keys += 20
		row := g.row(t, g.keys)
		if t.key != nil {
			row[0] = fmt.Sprintf("s.id + %d", g.keys)
		}
		when = text(when, optional(" WHEN NOT MATCHED", optional(" AND ", g.condition(sc, 1)), " THEN INSERT VALUES (", strings.Join(row, ", "), ")"))
	}
	return text("MERGE INTO ", t.name, " AS t USING ", src.name, " AS s ON s.id = t.", t.cols[g.n(2)].name, optional(" AND ", g.condition(both, 1)), when)
}
