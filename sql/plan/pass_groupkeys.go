package plan

import (
	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// passGroupKeys leaves those columns out of a grouping's keys that the others determine: all
// columns of a row whose primary key is among the keys, through the equalities of inner
// joins too. Rows of a group come from one row of that table, so any of their values is the
// group's: min picks one.
func (p *planner) passGroupKeys(r rel, need ColSet) rel {
	for i, in := range r.inputs() {
		r.setInput(i, p.passGroupKeys(in, need))
	}
	g, ok := r.(*relGroup)
	if !ok || g.sets != nil || g.distinct || len(g.keys) < 2 || len(g.groupings) > 0 {
		return r
	}
	var d dependencies
	d.collect(p, g.in)
	if len(d.gets) == 0 {
		return r
	}
	out := &relProject{unary: unary{g}}
	keep := append([]projItem{}, g.keys...)
	var first []aggItem
	// wide keys first: of two that determine each other the narrow one stays
	for _, wide := range []bool{true, false} {
		for i := 0; i < len(keep) && len(keep) > 1; i++ {
			k := keep[i]
			c, isCol := asCol(k.expr)
			if !isCol || p.cols[c].t.Class != types.ClassBase || narrowKeys[p.cols[c].t.OID] == wide {
				continue
			}
			fn, ok := anyValue[p.cols[c].t.OID]
			if !ok {
				continue
			}
			var rest ColSet
			for j, o := range keep {
				if oc, ok := asCol(o.expr); ok && j != i {
					rest.add(oc)
				}
			}
			if rest.has(c) || !d.determined(p, rest).has(c) {
				continue
			}
			a := &query.Aggref{Base: query.Base{T: p.cols[c].t, Coll: p.cols[c].coll, Loc: -1}, Func: fn(), Name: "min", Kind: 'n', NumArgs: 1,
				Args: []*query.TargetEntry{{Expr: k.expr, ResNo: 1}}}
			ci := p.cols[k.col]
			ci.expr = a
			n := p.newCol(ci)
			first = append(first, aggItem{col: n, agg: a})
			p.anyOf.add(n)
			out.items = append(out.items, projItem{k.col, p.colVar(n)})
			keep = append(keep[:i], keep[i+1:]...)
			i--
		}
	}
	if len(first) == 0 {
		return r
	}
	g.keys, g.aggs = keep, append(g.aggs, first...)
	p.trace("group_keys", "determined")
	return out
}

// anyValue are the types of keys that may be left out, with their min.
var anyValue = func() map[types.OID]func() types.OID {
	m := map[types.OID]func() types.OID{}
	for oid, name := range map[types.OID]string{types.Int2: "int2", types.Int4: "int4", types.Int8: "int8", types.NumericOID: "numeric",
		types.DateOID: "date", types.TimestampOID: "timestamp", types.TimestampTZOID: "timestamptz", types.Text: "text", types.VarChar: "text", types.BPChar: "bpchar"} {
		m[oid] = func() types.OID {
			fn, _ := facts.Proc("min(" + name + ")")
			return types.OID(fn)
		}
	}
	return m
}()

// narrowKeys are those of anyValue with one form for each value, of 8 bytes at most.
var narrowKeys = map[types.OID]bool{types.Int2: true, types.Int4: true, types.Int8: true, types.DateOID: true, types.TimestampOID: true, types.TimestampTZOID: true}

// dependencies are the tables whose rows come through inner joins, and what is equal.
type dependencies struct {
	gets []*relGet
	same [][2]Col
}

// collect looks at the parts of r all of whose rows r's rows have.
func (d *dependencies) collect(p *planner, r rel) {
	equal := func(qs []query.Expr) {
		for _, q := range qs {
			if l, r, ok := p.equalitySides(q); ok {
				a, isA := asCol(l)
				b, isB := asCol(r)
				// equal values of other types may show differently
				if isA && isB && p.cols[a].t.OID == p.cols[b].t.OID && narrowKeys[p.cols[a].t.OID] {
					d.same = append(d.same, [2]Col{a, b})
				}
			}
		}
	}
	switch x := r.(type) {
	case *relGet:
		equal(x.quals)
		d.gets = append(d.gets, x)
	case *relFilter:
		equal(x.quals)
		d.collect(p, x.in)
	case *relProject:
		for _, it := range x.items {
			if c, ok := asCol(it.expr); ok {
				d.same = append(d.same, [2]Col{it.col, c})
			}
		}
		d.collect(p, x.in)
	case *relJoin:
		switch x.typ {
		case joinInner:
			equal(x.quals)
			d.collect(p, x.left)
			d.collect(p, x.right)
		case joinLeft, joinSemi, joinAnti, joinNullAwareAnti, joinMark, joinSingle:
			d.collect(p, x.left)
		}
	}
}

// determined is what has one value for each value of the columns in s.
func (d *dependencies) determined(p *planner, s ColSet) ColSet {
	s = s.copy()
	for n := -1; n != s.len(); {
		n = s.len()
		for _, e := range d.same {
			if s.has(e[0]) || s.has(e[1]) {
				s.add(e[0])
				s.add(e[1])
			}
		}
		for _, g := range d.gets {
			if !p.keyAmong(g, s) {
				continue
			}
			for _, c := range g.cols {
				s.add(c.col)
			}
		}
	}
	return s
}

// keyAmong: s has the columns of g's primary key.
func (p *planner) keyAmong(g *relGet, s ColSet) bool {
	if g.table == nil || g.table.PrimaryKey < 0 || g.table.PrimaryKey >= len(g.table.Indexes) {
		return false
	}
	ix := g.table.Indexes[g.table.PrimaryKey]
	if !ix.Valid || len(ix.Keys) == 0 {
		return false
	}
	for _, k := range ix.Keys {
		found := false
		for _, c := range g.cols {
			found = found || k.AttNum > 0 && p.cols[c.col].att == k.AttNum && s.has(c.col)
		}
		if !found {
			return false
		}
	}
	return true
}
