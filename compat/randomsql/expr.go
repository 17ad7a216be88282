package randomsql

// leaf is a column or a constant.
func (g *Generator) leaf(t typ, sc *scope) *Node {
	if g.chance(82) {
		if f, ok := sc.find(g, t); ok {
			return expr(t, f)
		}
	}
	l := literals[t]
	return expr(t, l[g.n(len(l))])
}

// expr makes an expression of a type over a scope.
func (g *Generator) expr(t typ, sc *scope, depth int) *Node {
	if depth <= 0 || g.chance(25) || !g.spend() {
		return g.leaf(t, sc)
	}
	e := func(t typ) *Node { return g.expr(t, sc, depth-1) }
	switch g.n(12) {
	case 0:
		if g.chance(50) {
			return expr(t, "CASE WHEN ", e(tBool), " THEN ", e(t), optional(" WHEN ", e(tBool), " THEN ", e(t)), optional(" ELSE ", e(t)), " END")
		}
		w := g.anyScalar()
		return expr(t, "CASE ", e(w), " WHEN ", e(w), " THEN ", e(t), optional(" WHEN ", e(w), " THEN ", e(t)), " ELSE ", e(t), " END")
	case 1:
		return expr(t, "COALESCE(", e(t), ", ", e(t), ")")
	case 2:
		return expr(t, "NULLIF(", e(t), ", ", e(t), ")")
	case 3, 4:
		return g.scalarSubquery(t, sc, depth-1)
	case 5:
		if t != tBool && t != tArr {
			return expr(t, g.pick("greatest", "least"), "(", e(t), ", ", e(t), ")")
		}
	}
	switch t {
	case tInt:
		switch g.n(12) {
		case 0, 1, 2:
			return expr(t, "(", e(tInt), " ", g.pick("+", "-"), " ", e(tInt), ")")
		case 3:
			return expr(t, "(", e(tInt), " % ", g.pick("2", "3", "5"), ")")
		case 4:
			return expr(t, "length(", e(tText), ")")
		case 5:
			return expr(t, "(", e(tNum), ")::int")
		case 6:
			return expr(t, "abs(", e(tInt), ")")
		case 7:
			return expr(t, "coalesce(array_length(", e(tArr), ", 1), 0)")
		case 8:
			return expr(t, "(", e(tArr), ")[", g.pick("1", "2", "3"), "]")
		case 9:
			return expr(t, "(", e(tDate), " - ", e(tDate), ")")
		case 10:
			return expr(t, "(", e(tBool), ")::int")
		default:
			return expr(t, "(", e(tInt), " / nullif(", e(tInt), ", 0))")
		}
	case tBig:
		switch g.n(5) {
		case 0:
			return expr(t, "(", e(tBig), " ", g.pick("+", "-"), " ", e(tInt), ")")
		case 1:
			return expr(t, "(", e(tInt), ")::bigint")
		case 2:
			return expr(t, "(", e(tFloat), ")::bigint")
		case 3:
			return expr(t, "(", e(tBig), " / nullif(", e(tBig), ", 0))")
		default:
			return expr(t, "(- ", e(tBig), ")")
		}
	case tNum:
		switch g.n(7) {
		case 0, 1:
			return expr(t, "(", e(tNum), " ", g.pick("+", "-"), " ", e(tNum), ")")
		case 2:
			return expr(t, "(", e(tNum), " * ", g.leaf(tNum, sc), ")")
		case 3:
			return expr(t, "(", e(tNum), " / nullif(", e(tNum), ", 0))")
		case 4:
			return expr(t, "round(", e(tNum), ", ", g.pick("0", "1", "3", "-1"), ")")
		case 5:
			return expr(t, "(", e(tInt), ")::numeric")
		default:
			return expr(t, g.pick("floor", "ceil", "abs", "sign", "trunc"), "(", e(tNum), ")")
		}
	case tText:
		switch g.n(9) {
		case 0, 1:
			return expr(t, "(", e(tText), " || ", e(tText), ")")
		case 2:
			return expr(t, g.pick("upper", "lower", "trim", "md5", "reverse"), "(", e(tText), ")")
		case 3:
			return expr(t, "substr(", e(tText), ", ", g.pick("1", "2", "0"), ", ", g.pick("1", "2", "3"), ")")
		case 4:
			return expr(t, "(", e(g.anyType()), ")::text")
		case 5:
			return expr(t, "concat(", e(g.anyType()), ", ", e(g.anyType()), ")")
		case 6:
			return expr(t, "replace(", e(tText), ", ", e(tText), ", ", e(tText), ")")
		case 7:
			return expr(t, "to_char(", e(tStamp), ", 'YYYY-MM-DD HH24')")
		default:
			return expr(t, "lpad(", e(tText), ", ", g.pick("1", "3", "6"), ", 'xy')")
		}
	case tChar:
		return expr(t, "(", e(tText), ")::char(5)")
	case tDate:
		switch g.n(3) {
		case 0:
			return expr(t, "(", e(tDate), " + ", e(tInt), ")")
		case 1:
			return expr(t, "(", e(tStamp), ")::date")
		default:
			return expr(t, "(", e(tDate), " - ", e(tInt), ")")
		}
	case tStamp:
		switch g.n(4) {
		case 0:
			return expr(t, "(", e(tDate), ")::timestamp")
		case 1:
			return expr(t, "(", e(tStamp), " + interval '", g.pick("1 day", "1 month", "-90 minutes", "1 year 2 mons"), "')")
		case 2:
			return expr(t, "date_trunc('", g.pick("month", "day", "hour", "year", "week"), "', ", e(tStamp), ")")
		default:
			return expr(t, "(", e(tStamp), " - (", e(tStamp), " - ", e(tStamp), "))")
		}
	case tFloat:
		switch g.n(4) {
		case 0:
			return expr(t, "(", e(tFloat), " ", g.pick("+", "-"), " ", e(tFloat), ")")
		case 1:
			return expr(t, "(", e(tInt), ")::float8")
		case 2:
			return expr(t, "abs(", e(tFloat), ")")
		default:
			return expr(t, "(", e(tFloat), " * ", g.pick("2", "0.5", "-1"), ")")
		}
	case tArr:
		switch g.n(6) {
		case 0:
			return expr(t, "ARRAY[", e(tInt), ", ", e(tInt), "]")
		case 1:
			return expr(t, "(", e(tArr), " || ", e(tInt), ")")
		case 2:
			return expr(t, "(", e(tArr), " || ", e(tArr), ")")
		case 3:
			return expr(t, "(", e(tArr), ")[", g.pick("1:2", "2:", ":1"), "]")
		case 4:
			return expr(t, "array_remove(", e(tArr), ", ", e(tInt), ")")
		default:
			sub := &scope{outer: sc}
			from := g.from(sub, depth-1)
			v := g.expr(tInt, sub, depth-1)
			return expr(t, "ARRAY(SELECT ", v, " FROM ", from, g.where(sub, depth-1), " ORDER BY 1)")
		}
	}
	return g.condition(sc, depth)
}

func (g *Generator) anyScalar() typ {
	for {
		if t := g.anyType(); t != tBool {
			return t
		}
	}
}

var comparisons = []string{"=", "=", "=", "<>", "<", "<=", ">", ">="}

// condition makes a boolean expression.
func (g *Generator) condition(sc *scope, depth int) *Node {
	if depth <= 0 {
		t := g.anyType()
		return expr(tBool, "(", g.leaf(t, sc), " ", g.pick(comparisons...), " ", g.leaf(t, sc), ")")
	}
	e := func(t typ) *Node { return g.expr(t, sc, depth-1) }
	t := g.anyScalar()
	switch g.n(20) {
	case 0, 1, 2:
		return expr(tBool, "(", e(t), " ", g.pick(comparisons...), " ", e(t), ")")
	case 3, 4:
		return expr(tBool, "(", e(tBool), " ", g.pick("AND", "OR"), " ", e(tBool), ")")
	case 5:
		return expr(tBool, "(NOT ", e(tBool), ")")
	case 6:
		return expr(tBool, "(", e(t), " IS ", g.pick("", "NOT "), "NULL)")
	case 7:
		return expr(tBool, "(", e(t), " IS ", g.pick("", "NOT "), "DISTINCT FROM ", e(t), ")")
	case 8:
		return expr(tBool, "(", e(t), " ", g.pick("", "NOT "), "BETWEEN ", g.pick("", "SYMMETRIC "), e(t), " AND ", e(t), ")")
	case 9:
		return expr(tBool, "(", e(t), " ", g.pick("", "NOT "), "IN (", e(t), ", ", e(t), ", ", g.leaf(t, sc), "))")
	case 10:
		return expr(tBool, "(", e(tText), " ", g.pick("LIKE", "NOT LIKE", "ILIKE", "~"), " ", g.pick("'a%'", "'%b'", "'a_c'", "'%'", "''"), ")")
	case 11:
		return expr(tBool, "(", e(tBool), " IS ", g.pick("", "NOT "), g.pick("TRUE", "FALSE", "UNKNOWN"), ")")
	case 12:
		return expr(tBool, "(", e(tInt), " = ", g.pick("ANY", "ALL"), " (", e(tArr), "))")
	case 13:
		return expr(tBool, "(", e(tArr), " ", g.pick("@>", "<@", "&&", "="), " ", e(tArr), ")")
	case 14:
		return expr(tBool, "((", e(tInt), ", ", e(t), ") ", g.pick(comparisons...), " (", e(tInt), ", ", e(t), "))")
	case 15, 16:
		sub := g.subquery(nil, sc, depth-1)
		return expr(tBool, "(", g.pick("", "NOT "), "EXISTS (", sub, "))")
	case 17, 18:
		if g.chance(20) {
			return expr(tBool, "((", e(tInt), ", ", e(t), ") ", g.pick("", "NOT "), "IN (", g.subquery([]typ{tInt, t}, sc, depth-1), "))")
		}
		return expr(tBool, "(", e(t), " ", g.pick("", "NOT "), "IN (", g.subquery([]typ{t}, sc, depth-1), "))")
	default:
		return expr(tBool, "(", e(t), " ", g.pick(comparisons...), " ", g.pick("ANY", "ALL"), " (", g.subquery([]typ{t}, sc, depth-1), "))")
	}
}

// scalarSubquery makes a subquery with one row at most: an aggregate, or the first
// by an ordering of its only column.
func (g *Generator) scalarSubquery(t typ, outer *scope, depth int) *Node {
	if !g.spend() {
		return g.leaf(t, outer)
	}
	sub := &scope{outer: outer}
	from := g.from(sub, depth)
	w := g.where(sub, depth)
	if a := g.aggregate(t, sub, depth); a != nil && g.chance(65) {
		return expr(t, "(SELECT ", a, " FROM ", from, w, ")")
	}
	return expr(t, "(SELECT ", g.expr(t, sub, depth), " FROM ", from, w, " ORDER BY 1", g.pick("", " DESC", " NULLS FIRST"), " LIMIT 1", optional(g.pick("", " OFFSET 1")), ")")
}

// aggregate makes an aggregate call with a result type; nil when there is none.
func (g *Generator) aggregate(t typ, sc *scope, depth int) *Node {
	// Over outer columns alone the aggregate would belong to the outer query, where
	// it is an error more often than not.
	inner := &scope{fields: sc.fields}
	if g.chance(8) {
		inner.outer = sc.outer
	}
	e := func(t typ) *Node { return g.expr(t, inner, min(depth-1, 1)) }
	distinct := g.pick("", "", "", "DISTINCT ")
	var call *Node
	switch t {
	case tInt, tDate, tStamp, tChar:
		call = expr(t, g.pick("min", "max"), "(", distinct, e(t), ")")
	case tBig:
		switch g.n(4) {
		case 0:
			call = expr(t, "count(*)")
		case 1:
			call = expr(t, "count(", distinct, e(g.anyType()), ")")
		case 2:
			call = expr(t, "sum(", distinct, e(tInt), ")")
		default:
			call = expr(t, g.pick("min", "max"), "(", e(t), ")")
		}
	case tNum:
		call = expr(t, g.pick("sum(", "avg(", "min(", "max(", "stddev(", "var_pop("), distinct, e(g.pickType(tNum, tNum, tBig)), ")")
	case tText:
		if g.chance(50) {
			call = expr(t, g.pick("min", "max"), "(", e(t), ")")
		} else {
			v := e(tText)
			call = expr(t, "string_agg(", distinct, v, ", ',' ORDER BY ", text(v.String()), ")")
			if distinct != "" {
				call = expr(t, "string_agg(DISTINCT ", v, ", ',')")
			}
		}
	case tBool:
		call = expr(t, g.pick("bool_and", "bool_or", "every"), "(", e(tBool), ")")
	case tFloat:
		call = expr(t, g.pick("sum", "min", "max", "avg"), "(", distinct, e(tFloat), ")")
	case tArr:
		if f, ok := inner.find(g, tInt); ok {
			call = expr(t, "array_agg(", distinct, f, " ORDER BY ", f, g.pick("", " DESC", " NULLS FIRST"), ")")
		} else {
			return nil
		}
	}
	if g.chance(20) {
		return expr(t, call, optional(" FILTER (WHERE ", g.condition(inner, min(depth-1, 1)), ")"))
	}
	return call
}

// pickType picks one of the types; of bigint a sum is numeric too.
func (g *Generator) pickType(ts ...typ) typ { return ts[g.n(len(ts))] }
