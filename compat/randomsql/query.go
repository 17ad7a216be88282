package randomsql

import (
	"fmt"
	"strings"
)

// topQuery makes a query of the top level.
func (g *Generator) topQuery() Statement {
	with := text("")
	if g.chance(25) {
		with = g.with()
	}
	types := g.types(1 + g.n(4))
	q := g.subquery(types, nil, 3)
	s := Statement{Node: text(with, q)}
	if g.chance(30) {
		// Set operations and plain queries alike take this; a query that has an
		// ordering of its own is wrapped.
		s.Node = text(with, "SELECT * FROM (", q, ") AS q ORDER BY ", g.fullOrder(len(types)), optional(" LIMIT ", fmt.Sprint(g.n(8))), optional(g.pick("", " OFFSET 2")))
		s.Ordered = true
	}
	return s
}

// fullOrder orders by every one of n columns.
func (g *Generator) fullOrder(n int) string {
	cols := strings.Split(ordinals(n), ", ")
	g.rnd.Shuffle(n, func(i, j int) { cols[i], cols[j] = cols[j], cols[i] })
	for i := range cols {
		cols[i] += g.pick("", "", " DESC", " NULLS FIRST", " DESC NULLS LAST")
	}
	return strings.Join(cols, ", ")
}

// with makes one or two CTEs, perhaps recursive.
func (g *Generator) with() *Node {
	if g.chance(30) {
		g.ctes = append(g.ctes, relation{"w1", []column{{"c1", tInt, false}, {"c2", tText, false}}})
		sc := &scope{fields: []field{{"w.c1", tInt}, {"w.c2", tText}}}
		from := g.pick("w1 AS w", "w1 AS w JOIN t2 AS j ON j.a = w.c1", "w1 AS w, t4 AS j", "t5 AS j JOIN w1 AS w ON j.ref = w.c1", "w1 AS w LEFT JOIN t3 AS j ON j.a = w.c1")
		return text("WITH RECURSIVE w1(c1, c2) AS (SELECT ", g.pick("1, 'a'::text", "a, s FROM t2", "id, s FROM t1 WHERE id < 4"), " UNION", g.pick("", " ALL"),
			" SELECT w.c1 + 1, ", g.pick("w.c2", "left(w.c2 || 'x', 4)"), " FROM ", from, " WHERE w.c1 < ", g.pick("3", "5"), optional(" AND ", g.condition(sc, 1)), ") ")
	}
	n := text("WITH ")
	count := 1 + g.n(2)
	for i := 1; i <= count; i++ {
		types := g.types(1 + g.n(3))
		q := g.subquery(types, nil, 2)
		sep := ", "
		if i == count {
			sep = " "
		}
		name := fmt.Sprintf("w%d", i)
		n = text(n, name, "(", columnNames(len(types)), ") AS ", text(g.pick("", "", "MATERIALIZED ", "NOT MATERIALIZED ")), "(", q, ")", sep)
		g.ctes = append(g.ctes, relation{name, named(types)})
	}
	return n
}

// subquery makes a query with columns of the types; nil: any.
func (g *Generator) subquery(types []typ, outer *scope, depth int) *Node {
	if types == nil {
		types = g.types(1)
	}
	if depth > 0 && g.chance(15) && g.spend() {
		op := g.pick(" UNION ", " UNION ALL ", " UNION ALL ", " INTERSECT ", " EXCEPT ", " INTERSECT ALL ", " EXCEPT ALL ")
		n := text("(", g.simple(types, outer, depth-1), ")", op, "(", g.simple(types, outer, depth-1), ")")
		if g.chance(25) {
			n = text("(", n, ")", g.pick(" UNION ", " UNION ALL ", " EXCEPT "), "(", g.simple(types, outer, depth-1), ")")
		}
		return n
	}
	return g.simple(types, outer, depth)
}

// simple makes a SELECT.
func (g *Generator) simple(types []typ, outer *scope, depth int) *Node {
	sc := &scope{outer: outer}
	from := g.from(sc, depth)
	where := g.where(sc, depth)
	if depth > 0 && g.chance(28) {
		return g.grouped(types, sc, from, where, depth)
	}
	if depth > 0 && g.chance(15) {
		return g.windowed(types, sc, from, where, depth)
	}
	list := g.list(types, func(t typ) *Node { return g.expr(t, sc, depth) })
	tail := text("")
	head := "SELECT "
	switch {
	case g.chance(12):
		head = "SELECT DISTINCT "
	case g.chance(8):
		head = fmt.Sprintf("SELECT DISTINCT ON (%s) ", ordinals(1))
		tail = text(" ORDER BY ", "1", g.pick("", " DESC"), rest(len(types)))
	case g.chance(12):
		tail = optional(" ORDER BY ", g.fullOrder(len(types)), " LIMIT ", fmt.Sprint(1+g.n(6)), optional(g.pick("", " OFFSET 1")))
	}
	return text(head, list, " FROM ", from, where, tail)
}

func rest(n int) string {
	s := ordinals(n)
	return s[1:]
}

func (g *Generator) list(types []typ, make func(typ) *Node) *Node {
	n := text("")
	for i, t := range types {
		sep := ", "
		if i == 0 {
			sep = ""
		}
		n = text(n, sep, make(t), fmt.Sprintf(" AS c%d", i+1))
	}
	return n
}

// grouped makes a SELECT with aggregates.
func (g *Generator) grouped(types []typ, sc *scope, from, where *Node, depth int) *Node {
	var keys []field
	var sqls []string
	for i := 0; i < g.n(4); i++ {
		f := sc.fields[g.n(len(sc.fields))]
		keys, sqls = append(keys, f), append(sqls, f.sql)
	}
	after := &scope{outer: sc.outer, fields: keys}
	sets := ""
	if len(keys) > 0 {
		sets = " GROUP BY " + strings.Join(sqls, ", ")
		if g.chance(25) {
			switch g.n(4) {
			case 0:
				sets = " GROUP BY ROLLUP (" + strings.Join(sqls, ", ") + ")"
			case 1:
				sets = " GROUP BY CUBE (" + strings.Join(sqls, ", ") + ")"
			case 2:
				sets = " GROUP BY GROUPING SETS ((" + strings.Join(sqls, ", ") + "), (), (" + sqls[0] + "))"
			default:
				sets = " GROUP BY " + sqls[0] + ", GROUPING SETS ((" + strings.Join(sqls, ", ") + "), ())"
			}
			after.fields = append(after.fields, field{"GROUPING(" + strings.Join(sqls, ", ") + ")", tInt})
		}
	} else if g.chance(30) {
		sets = " GROUP BY ()"
	}
	for i := 0; i < 2; i++ {
		t := g.anyType()
		if a := g.aggregate(t, sc, depth); a != nil {
			after.fields = append(after.fields, field{a.String(), t})
		}
	}
	one := func(t typ) *Node {
		if a := g.aggregate(t, sc, depth); a != nil && g.chance(50) {
			return a
		}
		if g.chance(10) {
			if k, ok := after.find(g, t); ok && (t == tInt || t == tNum || t == tText) {
				return expr(t, "max(", k, ") OVER (PARTITION BY ", g.leaf(tInt, after), ")")
			}
		}
		return g.expr(t, after, depth-1)
	}
	list := g.list(types, one)
	having := text("")
	if g.chance(30) {
		having = optional(" HAVING ", g.condition(after, min(depth, 2)))
	}
	if len(keys) == 0 {
		// Without keys and aggregates this would be a plain query over columns.
		having = text(having)
		if sets == "" && having.String() == "" {
			having = optional(" HAVING count(*) >= 0")
		}
	}
	tail := text("")
	if g.chance(12) {
		tail = optional(" ORDER BY ", g.fullOrder(len(types)), " LIMIT ", fmt.Sprint(1+g.n(4)))
	}
	return text("SELECT ", text(g.pick("", "", "", "DISTINCT ")), list, " FROM ", from, where, sets, having, tail)
}

// windowed makes a SELECT with window functions over orderings that leave nothing
// open: frames by value or peer group, or no difference among peers.
func (g *Generator) windowed(types []typ, sc *scope, from, where *Node, depth int) *Node {
	one := func(t typ) *Node {
		if g.chance(30) {
			return g.expr(t, sc, depth-1)
		}
		return g.windowCall(t, sc, depth)
	}
	return text("SELECT ", g.list(types, one), " FROM ", from, where)
}

func (g *Generator) windowCall(t typ, sc *scope, depth int) *Node {
	part := text("")
	if g.chance(50) {
		part = optional("PARTITION BY ", g.leaf(g.anyType(), sc))
	}
	ot := g.pickType(tInt, tInt, tNum, tDate, tText, tBig, tStamp)
	key := g.leaf(ot, sc)
	order := text(" ORDER BY ", key, g.pick("", " DESC", " NULLS FIRST"))
	frame := text("")
	if g.chance(60) {
		bounds := []string{"UNBOUNDED PRECEDING", "CURRENT ROW", "UNBOUNDED FOLLOWING"}
		off := map[typ][]string{tInt: {"1", "2"}, tBig: {"1", "3"}, tNum: {"1.5", "0.25"}, tDate: {"'1 day'", "'2 days'"}, tStamp: {"'6 hours'", "'1 day'"}}[ot]
		mode := g.pick("RANGE", "GROUPS")
		if mode == "GROUPS" {
			off = []string{"1", "2"}
		}
		if off != nil {
			bounds = []string{"UNBOUNDED PRECEDING", g.pick(off...) + " PRECEDING", "CURRENT ROW", g.pick(off...) + " FOLLOWING", "UNBOUNDED FOLLOWING"}
		}
		i := g.n(len(bounds) - 1)
		j := max(1, i+g.n(len(bounds)-i))
		// TIES and CURRENT ROW exclusion would tell peers apart only for CURRENT ROW.
		frame = optional(" ", mode, " BETWEEN ", bounds[i], " AND ", bounds[j], g.pick("", "", "", " EXCLUDE GROUP", " EXCLUDE NO OTHERS"))
	}
	over := text(" OVER (", part, order, frame, ")")
	switch t {
	case tBig:
		if g.chance(50) {
			return expr(t, g.pick("rank()", "dense_rank()", "count(*)"), text(" OVER (", part, order, ")"))
		}
	case tFloat:
		if g.chance(50) {
			return expr(t, g.pick("percent_rank()", "cume_dist()"), text(" OVER (", part, order, ")"))
		}
	case tInt, tNum, tDate, tText, tStamp:
		if g.chance(35) && t == ot {
			// The value of the ordering key itself: peers do not differ.
			return expr(t, g.pick("first_value(", "last_value(", "nth_value("), key, ")", over)
		}
	}
	e := func(t typ) *Node { return g.expr(t, sc, min(depth-1, 1)) }
	switch t {
	case tBig:
		return expr(t, g.pick("count", "sum"), "(", e(tInt), ")", over)
	case tNum:
		return expr(t, g.pick("sum", "avg", "min", "max"), "(", e(tNum), ")", over)
	case tFloat:
		return expr(t, g.pick("sum", "avg", "min"), "(", e(tFloat), ")", over)
	case tBool:
		return expr(t, g.pick("bool_and", "bool_or"), "(", e(tBool), ")", over)
	case tArr:
		return g.leaf(t, sc)
	}
	filter := text("")
	if g.chance(25) {
		filter = optional(" FILTER (WHERE ", e(tBool), ")")
	}
	return expr(t, g.pick("min", "max"), "(", e(t), ")", filter, over)
}
