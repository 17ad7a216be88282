package randomsql

import (
	"fmt"
	"strings"
)

// typ is a column or expression type, by the name used in casts.
type typ string

const (
	tInt   typ = "int"
	tBig   typ = "bigint"
	tNum   typ = "numeric"
	tText  typ = "text"
	tChar  typ = "char(5)"
	tDate  typ = "date"
	tStamp typ = "timestamp"
	tBool  typ = "bool"
	tFloat typ = "float8"
	tArr   typ = "int[]"
)

var allTypes = []typ{tInt, tInt, tInt, tBig, tNum, tText, tText, tChar, tDate, tStamp, tBool, tFloat, tArr}

// literals are the constants of each type; the first is what reduction tries first.
var literals = map[typ][]string{
	tInt:   {"1", "0", "2", "3", "-1", "7", "NULL::int"},
	tBig:   {"1::bigint", "0::bigint", "5::bigint", "-2::bigint", "NULL::bigint"},
	tNum:   {"1.5", "0.0", "2.00", "-3.25", "10", "NULL::numeric"},
	tText:  {"'a'::text", "''::text", "'b'::text", "'ab'::text", "'abc '::text", "NULL::text"},
	tChar:  {"'a'::char(5)", "'b'::char(5)", "'ab'::char(5)", "NULL::char(5)"},
	tDate:  {"'2020-01-01'::date", "'2020-02-29'::date", "'2021-12-31'::date", "NULL::date"},
	tStamp: {"'2020-01-01'::timestamp", "'2020-02-29 12:30:00'::timestamp", "'1999-12-31 23:59:59.5'::timestamp", "NULL::timestamp"},
	tBool:  {"true", "false", "NULL::bool"},
	tFloat: {"1.5::float8", "0::float8", "-2.25::float8", "NULL::float8"},
	tArr:   {"'{1,2}'::int[]", "'{}'::int[]", "'{3,NULL,1}'::int[]", "NULL::int[]"},
}

type column struct {
	name    string
	typ     typ
	notNull bool
}

type table struct {
	name string
	cols []column
	key  []string // primary key
	rows int
}

var tables = []table{
	{"t1", []column{{"id", tInt, true}, {"a", tInt, false}, {"b", tBig, false}, {"n", tNum, false}, {"s", tText, false}, {"c", tChar, false},
		{"d", tDate, false}, {"ts", tStamp, false}, {"f", tBool, false}, {"x", tFloat, false}, {"arr", tArr, false}}, []string{"id"}, 14},
	{"t2", []column{{"id", tInt, true}, {"a", tInt, false}, {"s", tText, false}, {"d", tDate, false}, {"n", tNum, false}, {"k", tBig, false}}, []string{"id"}, 10},
	{"t3", []column{{"id", tBig, true}, {"a", tInt, true}, {"s", tText, false}, {"x", tFloat, false}, {"f", tBool, true}}, []string{"id", "a"}, 12},
	{"t4", []column{{"a", tInt, false}, {"s", tText, false}, {"c", tChar, false}, {"ts", tStamp, false}, {"f", tBool, false}}, nil, 9},
	{"t5", []column{{"k", tBig, true}, {"ref", tInt, false}, {"arr", tArr, false}, {"n", tNum, false}, {"d", tDate, false}}, []string{"k"}, 5},
}

// Schema returns the statements that make and fill the tables and choose the
// planner's means.
func (g *Generator) Schema() []string {
	var out []string
	for _, t := range tables {
		var defs []string
		for _, c := range t.cols {
			d := c.name + " " + string(c.typ)
			if c.typ == tNum {
				d += "(10,2)"
			}
			if c.notNull {
				d += " NOT NULL"
			}
			defs = append(defs, d)
		}
		if t.key != nil {
			defs = append(defs, "PRIMARY KEY ("+strings.Join(t.key, ", ")+")")
		}
		out = append(out, "CREATE TABLE "+t.name+" ("+strings.Join(defs, ", ")+")")
		for i := 0; i < t.rows; i++ {
			out = append(out, "INSERT INTO "+t.name+" VALUES ("+strings.Join(g.row(t, i+1), ", ")+") ON CONFLICT DO NOTHING")
		}
	}
	indexes := []string{
		"CREATE INDEX ON t1 (a)", "CREATE INDEX ON t1 (s, d)", "CREATE INDEX ON t1 (b)", "CREATE INDEX ON t1 (c)", "CREATE INDEX ON t1 (n)",
		"CREATE INDEX ON t2 (a, s)", "CREATE INDEX ON t2 (k)", "CREATE INDEX ON t2 (d DESC)",
		"CREATE INDEX ON t3 (s)", "CREATE INDEX ON t3 (a)", "CREATE INDEX ON t4 (a)", "CREATE INDEX ON t4 (lower(s))", "CREATE INDEX ON t5 (ref)",
	}
	for _, ix := range indexes {
		if g.chance(60) {
			out = append(out, ix)
		}
	}
	if g.chance(50) {
		out = append(out, "ANALYZE")
	}
	for _, s := range []string{"enable_hashjoin", "enable_mergejoin", "enable_nestloop", "enable_indexscan", "enable_hashagg"} {
		if g.chance(25) {
			out = append(out, "SET "+s+" = off")
		}
	}
	return out
}

// row makes the values of one row; key columns count from n.
func (g *Generator) row(t table, n int) []string {
	var vals []string
	for _, c := range t.cols {
		isKey := false
		for _, k := range t.key {
			isKey = isKey || k == c.name
		}
		switch {
		case isKey && len(t.key) == 1:
			vals = append(vals, fmt.Sprint(n))
		case !c.notNull && g.chance(20):
			vals = append(vals, "NULL")
		default:
			vals = append(vals, g.value(c.typ))
		}
	}
	return vals
}

// value is a constant of a small domain, so that joins and groups meet.
func (g *Generator) value(t typ) string {
	switch t {
	case tInt:
		return fmt.Sprint(g.n(10) - 1)
	case tBig:
		return fmt.Sprint(g.n(14) - 1)
	case tNum:
		return fmt.Sprintf("%d.%02d", g.n(12)-2, g.n(4)*25)
	case tText:
		return g.pick("'a'", "'b'", "'ab'", "'abc'", "'B'", "''", "'a b'", "'%x_'", "'é'")
	case tChar:
		return g.pick("'a'", "'b'", "'ab'", "'abcde'", "''")
	case tDate:
		return fmt.Sprintf("'2020-%02d-%02d'", 1+g.n(3), 1+g.n(4))
	case tStamp:
		return fmt.Sprintf("'2020-01-%02d %02d:30:00'", 1+g.n(4), g.n(3)*6)
	case tBool:
		return g.pick("true", "false")
	case tFloat:
		return fmt.Sprintf("%d.%02d", g.n(12)-2, g.n(4)*25)
	}
	return g.pick("'{}'", "'{1}'", "'{1,2,3}'", "'{2,NULL}'", "'{5,4,3}'", "'{7,1}'")
}
