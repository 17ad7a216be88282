package plan

import (
	"math"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// Defaults where nothing is known, PostgreSQL's.
const (
	defaultRows      = 1000
	defaultDistinct  = 200
	defaultEqSel     = 0.005
	defaultRangeSel  = 0.3333333333333333
	defaultBoundsSel = 0.005
	defaultMatchSel  = 0.005
	defaultPieceSel  = 0.05 // of text that is to occur somewhere: not PostgreSQL's, see likeSel
	furtherPieceSel  = 0.2  // and of more text after it
	defaultNullSel   = 0.005
	functionRows     = 100
)

func (p *planner) relStats(oid types.OID) *catalog.Stats {
	s, ok := p.stats[oid]
	if !ok {
		var err error
		s, err = p.cat.Stats(p.ctx, oid)
		p.check(err)
		s = p.liveStats(oid, s)
		p.stats[oid] = s
	}
	return s
}

// tableRows is the number of rows of a table.
func (p *planner) tableRows(g *relGet) float64 {
	if s := p.relStats(g.table.OID); s != nil && s.Rows >= 0 {
		return math.Max(s.Rows, 1)
	}
	return defaultRows
}

// scannedRows is what a scan of all of a table's rows is reckoned with: a small table that was never analysed may
// be about to grow, and then an index serves better. Its estimates are of the rows it has all the same.
func (p *planner) scannedRows(g *relGet, rows float64) float64 {
	if s := p.relStats(g.table.OID); p.opts.TableSize != nil && s != nil && s.Columns == nil {
		return math.Max(rows, defaultRows)
	}
	return rows
}

// colStats gives the statistics of a base table's column, nil for others.
func (p *planner) colStats(c Col) *catalog.ColumnStats {
	ci := &p.cols[c]
	if ci.att == 0 || ci.table == 0 {
		if v, ok := asCol(orNil(ci.expr)); ok && v != c {
			return p.colStats(v)
		}
		return nil
	}
	s := p.relStats(ci.table)
	if s == nil {
		return nil
	}
	if s.Columns != nil {
		return s.Columns[ci.att]
	}
	k := segmentStatsKey{ci.table, ci.att}
	cs, ok := p.segments[k]
	if !ok {
		cs = p.segmentStats(ci.table, ci.att, ci.t)
		p.segments[k] = cs
	}
	return cs
}

// segmentStatsKey names a column of a table that was never analysed.
type segmentStatsKey struct {
	table types.OID
	att   int
}

func orNil(e query.Expr) query.Expr {
	if isNil(e) {
		return &query.Const{}
	}
	return e
}

// distinct estimates the number of values of an expression among rows rows.
func (p *planner) distinct(e query.Expr, rows float64) float64 {
	e = stripRelabel(e)
	if c, ok := asCol(e); ok {
		ci := &p.cols[c]
		if cs := p.colStats(c); cs != nil && cs.Distinct != 0 {
			d := cs.Distinct
			if d < 0 {
				base := defaultRows * 1.0
				if s := p.relStats(p.baseTable(c)); s != nil {
					base = s.Rows
				}
				d = -d * base
			}
			return clampDistinct(d, rows)
		}
		if ci.att > 0 && p.isUniqueCol(c) { // once joined, each may be there many times
			return clampDistinct(p.baseRows(e, rows), rows)
		}
		if ci.t.OID == types.Bool {
			return math.Min(2, rows)
		}
		if ci.att == 0 && !isNil(ci.expr) {
			if _, again := asCol(ci.expr); !again {
				return p.distinct(ci.expr, rows)
			}
		}
		return clampDistinct(defaultDistinct, rows)
	}
	// An expression has at most as many values as its columns together.
	cols := exprCols(e).list()
	if len(cols) == 0 {
		return 1
	}
	d := 1.0
	for _, c := range cols {
		d *= p.distinct(p.colVar(c), rows)
	}
	if f, ok := e.(*query.FuncExpr); ok && (f.Name == "date_part" || f.Name == "extract") {
		d = math.Min(d, 100)
	}
	if e.Type().OID == types.Bool {
		d = math.Min(d, 2)
	}
	return clampDistinct(d, rows)
}

// guessedDistinct: nothing is known of a base table's column's number of values.
func (p *planner) guessedDistinct(c Col) bool {
	ci := &p.cols[c]
	if ci.att <= 0 || ci.t.OID == types.Bool || p.isUniqueCol(c) {
		return false
	}
	cs := p.colStats(c)
	return cs == nil || cs.Distinct == 0
}

func (p *planner) baseTable(c Col) types.OID {
	for p.cols[c].table == 0 {
		n, ok := asCol(orNil(p.cols[c].expr))
		if !ok || n == c {
			return 0
		}
		c = n
	}
	return p.cols[c].table
}

func clampDistinct(d, rows float64) float64 {
	if d > rows {
		d = rows
	}
	if d < 1 {
		return 1
	}
	return d
}

// isUniqueCol: the column alone is a unique key of its table.
func (p *planner) isUniqueCol(c Col) bool {
	ci := &p.cols[c]
	if ci.att == 0 {
		return false
	}
	t, err := p.cat.Relation(p.ctx, ci.table)
	if err != nil || t == nil {
		return false
	}
	return p.uniqueOver(t, map[int]bool{ci.att: true})
}

// rows estimates the number of rows of a tree.
func (p *planner) rows(r rel) float64 {
	if p.rowsMemo == nil {
		p.rowsMemo = map[rel]float64{}
	}
	if v, ok := p.rowsMemo[r]; ok {
		return v
	}
	v := clampRows(p.rowsOf(r))
	p.rowsMemo[r] = v
	return v
}

func (p *planner) rowsOf(r rel) float64 {
	switch x := r.(type) {
	case *relGet:
		return p.tableRows(x) * p.selectivity(x.quals, x)
	case *relResult:
		return 1
	case *relValues:
		return float64(len(x.rows))
	case *relFilter:
		return p.rows(x.in) * p.selectivity(x.quals, x.in)
	case *relJoin:
		return p.joinRows(x.typ, p.rows(x.left), p.rows(x.right), x.quals, x)
	case *relGroup:
		in := p.rows(x.in)
		if x.scalar() {
			return 1
		}
		var es []query.Expr
		for _, k := range x.keys {
			es = append(es, k.expr)
		}
		if x.sets == nil {
			return p.groups(es, in)
		}
		n := 0.0
		for _, s := range x.sets {
			var sub []query.Expr
			for _, k := range s {
				sub = append(sub, es[k])
			}
			n += p.groups(sub, in)
		}
		return n
	case *relLimit:
		in := p.rows(x.in)
		off, _ := p.constRows(x.offset)
		in = math.Max(in-off, 0)
		if isNil(x.count) {
			return in
		}
		if n, ok := p.constRows(x.count); ok {
			return math.Min(in, n)
		}
		return math.Max(1, in/10)
	case *relDistinctOn:
		return p.groups(x.keys, p.rows(x.in))
	case *relAppend:
		n := 0.0
		for _, in := range x.ins {
			n += p.rows(in)
		}
		return n
	case *relSetOp:
		return math.Max(1, p.rows(x.left)/2)
	case *relProjectSet:
		return p.rows(x.in) * p.setRows(x.items[0].fn)
	case *relFunction:
		n := 1.0
		for _, f := range x.funcs {
			if isSRF(f.Expr) {
				n = math.Max(n, p.setRows(f.Expr))
			}
		}
		return n
	case *relCTE:
		if x.cte.rows == 0 && x.cte.rel != nil {
			x.cte.rows = p.rows(x.cte.rel)
		}
		return x.cte.rows
	case *relChunk:
		return x.rows
	case *relBatch:
		return p.rows(x.body)
	case *relRecursive:
		return p.rows(x.left) * 10
	case *relWorkTable:
		return 100
	}
	if in := r.inputs(); len(in) > 0 {
		return p.rows(in[0])
	}
	return defaultRows
}

// setRows estimates the rows of one call of a set-returning function.
func (p *planner) setRows(e query.Expr) float64 {
	f, ok := e.(*query.FuncExpr)
	if !ok {
		return functionRows
	}
	if f.Name == "generate_series" && len(f.Args) >= 2 {
		lo, ok1 := constNumber(f.Args[0])
		hi, ok2 := constNumber(f.Args[1])
		step := 1.0
		ok3 := true
		if len(f.Args) > 2 {
			step, ok3 = constNumber(f.Args[2])
		}
		if ok1 && ok2 && ok3 && step != 0 {
			return math.Max(1, math.Floor((hi-lo)/step)+1)
		}
		return 1000
	}
	if f.Name == "unnest" && len(f.Args) == 1 {
		if c, ok := f.Args[0].(*query.Const); ok {
			if a, ok := c.Value.(*types.Array); ok {
				return math.Max(1, float64(len(a.Elems)))
			}
		}
		return 10
	}
	if d := p.cat.Function(f.Func); d != nil && d.Rows > 0 {
		return d.Rows
	}
	return functionRows
}

// groups estimates the number of distinct combinations, as PostgreSQL's
// estimate_num_groups: values of one table's columns are thinned by the table's
// own selectivity, and combinations are capped by the rows.
func (p *planner) groups(es []query.Expr, rows float64) float64 {
	byTable := map[string][]float64{}
	seen := map[string]bool{}
	for _, e := range es {
		k := exprKey(e)
		if seen[k] {
			continue
		}
		seen[k] = true
		d := p.distinct(e, rows)
		rel := "?" + k
		if c, ok := asCol(stripRelabel(e)); ok && p.cols[c].rel != "" {
			rel = p.cols[c].rel
		}
		byTable[rel] = append(byTable[rel], d)
	}
	n := 1.0
	for _, ds := range byTable {
		prod, max := 1.0, 1.0
		for _, d := range ds {
			prod *= d
			max = math.Max(max, d)
		}
		if len(ds) > 1 && prod > rows*0.1 {
			prod = math.Max(max, math.Min(prod, rows*0.1))
		}
		n *= prod
	}
	return math.Min(n, rows)
}

// joinRows estimates a join's output.
func (p *planner) joinRows(typ joinType, l, r float64, qs []query.Expr, x *relJoin) float64 {
	if typ == joinSingle || typ == joinMark {
		return l
	}
	lcols := outCols(x.left)
	rcols := outCols(x.right)
	if correlated(x.right, lcols) {
		// The right side's estimate is per left row.
		r = math.Max(r, 1)
		switch typ {
		case joinSemi:
			return l * 0.5
		case joinAnti, joinNullAwareAnti:
			return l * 0.5
		}
		return l * r * p.selectivity(qs, x)
	}
	sel, semi := p.joinSelectivity(qs, lcols, rcols, l, r, x)
	switch typ {
	case joinSemi:
		return l * semi
	case joinAnti, joinNullAwareAnti:
		return math.Max(l*(1-semi), l*0.01)
	case joinLeft:
		return math.Max(l, l*r*sel)
	case joinFull:
		return math.Max(l*r*sel, math.Max(l, r))
	}
	return l * r * sel
}

// joinSelectivity estimates the fraction of pairs that match and the fraction of
// left rows that have a match.
func (p *planner) joinSelectivity(qs []query.Expr, lcols, rcols ColSet, l, r float64, scope rel) (pairs, semi float64) {
	pairs, semi = 1, 1
	var ldAll, rdAll []float64
	eqs := 0
	for _, q := range qs {
		a, b, ok := p.equalitySides(q)
		ac, bc := exprCols(orNil(a)), exprCols(orNil(b))
		if ok && !ac.empty() && !bc.empty() {
			if ac.intersects(rcols) && bc.intersects(lcols) && !ac.intersects(lcols) && !bc.intersects(rcols) {
				a, b = b, a
				ac, bc = bc, ac
			}
			if ac.intersects(lcols) && bc.intersects(rcols) && !ac.intersects(rcols) && !bc.intersects(lcols) {
				ld, rd := p.distinct(a, math.Max(l, p.baseRows(a, l))), p.distinct(b, math.Max(r, p.baseRows(b, r)))
				ld, rd = p.matchedDistinct(a, ld, b, rd), p.matchedDistinct(b, rd, a, ld)
				nulls := (1 - p.nullFrac(a)) * (1 - p.nullFrac(b))
				pairs *= nulls / math.Max(ld, rd)
				rdHere := remaining(p.distinct(b, r), rd, r, p.baseRows(b, r))
				if s := math.Min(1, rdHere/math.Max(ld, 1)); eqs == 0 {
					semi = s * (1 - p.nullFrac(a))
				} else {
					semi = math.Min(semi, s)
				}
				ldAll, rdAll = append(ldAll, ld), append(rdAll, rd)
				eqs++
				continue
			}
		}
		s := p.selectivity([]query.Expr{q}, scope)
		pairs *= s
		if eqs > 0 {
			semi *= math.Min(1, math.Sqrt(s))
		}
	}
	if eqs == 0 {
		semi = 1 - math.Exp(-math.Min(r*pairs, 50))
		if len(qs) == 0 {
			semi = 1
		}
	}
	if eqs > 1 {
		// Several keys together are often one composite key: no more values than rows.
		prod := func(ds []float64, cap float64) float64 {
			d := 1.0
			for _, v := range ds {
				d *= v
			}
			return math.Min(d, math.Max(cap, 1))
		}
		lb, rb := p.sideBase(ldAll, l), p.sideBase(rdAll, r)
		d := math.Max(prod(ldAll, lb), prod(rdAll, rb))
		each := 1.0
		for i := range ldAll {
			each *= math.Max(ldAll[i], rdAll[i])
		}
		if each > d {
			pairs *= each / d
		}
	}
	return pairs, semi
}

// matchedDistinct is the number of values of a side of an equality, d at most. An expression's is not known, only
// bounded by its columns', and a column's neither without statistics: where it is compared with a key, its values are
// the key's; else an expression is taken to have no more than PostgreSQL's default, or the other side.
func (p *planner) matchedDistinct(e query.Expr, d float64, other query.Expr, otherD float64) float64 {
	if c, ok := asCol(stripRelabel(e)); ok {
		if k, ok := asCol(stripRelabel(other)); ok && p.guessedDistinct(c) && p.isUniqueCol(k) {
			return math.Min(d, otherD)
		}
		return d
	}
	if c, ok := asCol(stripRelabel(other)); ok && p.isUniqueCol(c) {
		return math.Min(d, otherD)
	}
	return math.Min(d, math.Max(otherD, defaultDistinct))
}

// remaining is how many of a column's distinct values are left in rows of base rows,
// most being what they can be at most: a value with few rows may lose all of them.
func remaining(most, distinct, rows, base float64) float64 {
	if rows >= base || distinct <= 0 || base <= distinct {
		return most
	}
	return math.Min(most, distinct*(1-math.Pow(1-rows/base, base/distinct)))
}

func (p *planner) sideBase(ds []float64, rows float64) float64 {
	m := rows
	for _, d := range ds {
		m = math.Max(m, d)
	}
	return m
}

// baseRows is the size of the table an expression's column comes from: the domain
// of a join key is the whole table's, not just the rows that are left.
func (p *planner) baseRows(e query.Expr, def float64) float64 {
	if c, ok := asCol(stripRelabel(e)); ok {
		if s := p.relStats(p.baseTableOr(c)); s != nil {
			return s.Rows
		}
	}
	return def
}

func (p *planner) baseTableOr(c Col) types.OID { return p.baseTable(c) }

func (p *planner) nullFrac(e query.Expr) float64 {
	if c, ok := asCol(stripRelabel(e)); ok {
		if cs := p.colStats(c); cs != nil {
			return cs.NullFrac
		}
	}
	return 0
}

func constNumber(e query.Expr) (float64, bool) {
	c, ok := e.(*query.Const)
	if !ok || c.Value == nil {
		return 0, false
	}
	return scalarOf(c.Value)
}
