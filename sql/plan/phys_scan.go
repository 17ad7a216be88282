package plan

import (
	"math"
	"slices"
	"strings"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// accessPath is one way to read a table.
type accessPath struct {
	index   *catalog.Index // nil: the whole table
	span    *spanSpec
	cond    []query.Expr // quals the span stands for
	rest    []query.Expr // quals left to the filter
	rows    float64      // rows the scan reads
	cost    float64
	point   bool // at most one row
	ordered bool // delivers the wanted order
	order   []sortItem
	limit   float64 // rows that will probably be wanted of it; 0: all
	reverse bool
}

// physGet chooses how to read a table under conditions qs.
func (p *planner) physGet(g *relGet, qs []query.Expr, rq physReq) *Node {
	all := append(append([]query.Expr{}, g.quals...), qs...)
	need := rq.need.union(exprCols(all...))
	var cols []getCol
	var base []Col
	for _, c := range g.cols {
		if need.has(c.col) {
			cols = append(cols, c)
			base = append(base, c.col)
		}
	}
	var scanQuals, above []query.Expr
	own := outCols(g)
	for _, q := range all {
		if exprCols(q).intersects(own) || p.isVolatile(q) {
			scanQuals = append(scanQuals, q)
		} else {
			above = append(above, q)
		}
	}
	total := p.tableRows(g)
	sel := p.selectivity(scanQuals, g)
	rows := clampRows(total * sel)
	rowCost := costScanRow + costScanCol*float64(len(cols)) + costOp*float64(len(scanQuals))
	share := p.columnShare(g)
	wide := 0.0
	for _, c := range base {
		wide += costColumnByte * math.Max(p.colWidth(c)-columnWide, 0)
	}
	passCost := wide + (1-share)*rowCost + share*(costColumnRow+costColumnCol*float64(len(cols))+costOp*float64(len(scanQuals)))

	best := &accessPath{limit: rq.limit, rest: scanQuals, rows: total, cost: costLookup + p.scannedRows(g, total)*passCost}
	if rq.limit > 0 && len(rq.order) == 0 && rq.limit < rows {
		best.cost *= rq.limit / rows
	}
	if p.opts.Settings.NoSeqScan {
		best.cost += 1e9
	}
	// What a path without the wanted order costs with what has to follow it.
	unordered := func(cost, rows float64) float64 {
		if len(rq.order) == 0 {
			return cost
		}
		if rq.groups > 0 {
			return p.costUnorderedGroups(g, scanQuals, cost, rows, math.Min(rq.groups, rows), rq.serial)
		}
		return cost + rows*math.Log2(math.Max(rows, 2))*costOp*2
	}
	bestTotal := unordered(best.cost, rows)
	if g.table.Storage != nil {
		for _, ix := range g.table.Indexes {
			if !ix.Valid || ix.StorageIndex >= len(g.stored.Indexes) || !ix.Primary && ix.StorageIndex < 0 {
				continue
			}
			path := p.indexPath(g, ix, scanQuals, total, rows, rowCost, passCost, rq)
			if path == nil {
				continue
			}
			if p.opts.Settings.NoIndexScan && ix.StorageIndex >= 0 {
				path.cost += 1e9
			}
			t := path.cost
			if !path.ordered {
				t = unordered(t, rows)
			}
			if path.point {
				t = math.Min(t, 0.001) // a lookup of one row needs no comparing
			}
			if t < bestTotal {
				best, bestTotal = path, t
			}
		}
	}
	o := &scanOp{get: g, cols: cols, filter: best.rest, cond: best.cond, index: -1, ordered: best.ordered, reverse: best.reverse}
	n := p.newNode(o, base)
	if best.index != nil {
		o.index = best.index.StorageIndex
		o.name = best.index.Name
		if best.span != nil {
			o.spans = []*spanSpec{best.span}
		}
		if best.ordered {
			n.Order = best.order
		}
		if best.point {
			rows = math.Min(rows, 1)
		}
	}
	if best.limit > 0 && len(o.filter) == 0 && (best.ordered || len(rq.order) == 0) {
		o.limit = best.limit
	}
	if o.get.target != 0 {
		o.limit = 0
	}
	n.Rows = rows
	n.Total = best.cost
	n.Width = p.width(base)
	n.safe = g.table.Storage != nil
	if len(above) > 0 {
		gate := p.newNode(&gateOp{above}, n.Cols, n)
		gate.Rows, gate.Total, gate.Width, gate.Order = n.Rows, n.Total, n.Width, n.Order
		return gate
	}
	return n
}

func clampRows(r float64) float64 {
	if r < 1 || math.IsNaN(r) {
		return 1
	}
	return math.Min(math.Round(r), 1e15)
}

// indexPath matches conditions and a wanted order with an index; nil when it helps neither.
func (p *planner) indexPath(g *relGet, ix *catalog.Index, qs []query.Expr, total, rows, rowCost, passCost float64, rq physReq) *accessPath {
	colOf := map[int]Col{}
	for _, c := range g.cols {
		if c.ord >= 0 {
			colOf[p.cols[c.col].att] = c.col
		}
	}
	if ix.Predicate != nil && !p.implied(ix.Predicate, qs, colOf) {
		return nil
	}
	path := &accessPath{index: ix, limit: rq.limit}
	used := map[int]bool{}
	span := &spanSpec{}
	eqKeys := 0
	keep := map[int]bool{} // quals in the span that the filter repeats
	for _, k := range ix.Keys {
		ke := p.indexKeyExpr(k, colOf)
		if ke == nil {
			break
		}
		found := false
		for i, q := range qs {
			if used[i] {
				continue
			}
			if v, array, null, exact, ok := p.keyEquality(ke, k, q, g); ok {
				span.eq = append(span.eq, v)
				span.eqNull = append(span.eqNull, null)
				span.lastIsArray = array
				used[i], found = true, true
				keep[i] = !exact
				break
			}
		}
		if found {
			eqKeys++
			if span.lastIsArray {
				break
			}
			continue
		}
		for i, q := range qs {
			if used[i] {
				continue
			}
			v, strategy, ok := p.keyBoundOf(ke, k, q, g)
			if !ok {
				continue
			}
			inc := strategy == catalog.StrategyLessEqual || strategy == catalog.StrategyGreaterEqual
			// Bounds are on the values' order, whatever the key's direction.
			if strategy <= catalog.StrategyLessEqual {
				if span.upper != nil {
					continue
				}
				span.upper, span.upperInc = v, inc
			} else {
				if span.lower != nil {
					continue
				}
				span.lower, span.lowerInc = v, inc
			}
			used[i] = true
			c, isCol := asCol(ke)
			keep[i] = !(isCol && p.cols[c].notNull)
		}
		break
	}
	anyNull := false
	for _, b := range span.eqNull {
		anyNull = anyNull || b
	}
	if !anyNull {
		span.eqNull = nil
	}
	useSpan := len(span.eq) > 0 || span.lower != nil || span.upper != nil
	if useSpan {
		path.span = span
		for i, q := range qs {
			if used[i] {
				path.cond = append(path.cond, p.keyFirst(q, g))
			}
			if !used[i] || keep[i] {
				path.rest = append(path.rest, q)
			}
		}
		path.rows = clampRows(total * p.selectivity(path.cond, g))
	} else {
		path.rest = qs
		path.rows = total
	}
	path.point = ix.Unique && eqKeys == len(ix.Keys) && !span.lastIsArray && !anyNull
	if len(rq.order) > 0 && !span.lastIsArray {
		path.order = rq.order
		path.ordered, path.reverse = p.indexOrder(ix, eqKeys, path.order, colOf)
		if !path.ordered && rq.anyOrder {
			path.order = p.orderByIndex(ix, eqKeys, rq.order, colOf)
			path.ordered = path.order != nil
			if rq.orderLimits {
				path.limit = 0
			}
		}
	}
	if !useSpan && !path.ordered {
		return nil
	}
	if path.point {
		path.rows = 1
	}
	fetch := passCost // a range of the table itself
	switch {
	case ix.StorageIndex >= 0:
		fetch = rowCost + costIndexRow
	case path.reverse:
		fetch = rowCost // also of rows in segments
	}
	read := path.rows
	if path.ordered && path.limit > 0 && rows > 0 {
		// Reading stops when enough rows have passed the filter.
		read = math.Min(read, math.Max(1, path.limit*path.rows/rows))
	}
	path.cost = costLookup + read*fetch
	return path
}

// indexKeyExpr is an index key as an expression over the scan's columns; nil when
// one of them is not delivered (then no condition uses it either).
func (p *planner) indexKeyExpr(k catalog.IndexKey, colOf map[int]Col) query.Expr {
	if k.AttNum > 0 {
		c, ok := colOf[k.AttNum]
		if !ok {
			return nil
		}
		return p.colVar(c)
	}
	return p.overCols(k.Expr, colOf)
}

// overCols puts a table's expression (Var RTIndex 1) over a scan's columns.
func (p *planner) overCols(e query.Expr, colOf map[int]Col) query.Expr {
	ok := true
	r := rewrite(e, func(x query.Expr) query.Expr {
		if v, isVar := x.(*query.Var); isVar {
			c, has := colOf[v.AttNum]
			if !has {
				ok = false
				return v
			}
			return p.colVar(c)
		}
		return nil
	})
	if !ok {
		return nil
	}
	return r
}

// isKey: e is the index key (through casts that keep the order).
func (p *planner) isKey(e, key query.Expr) bool {
	if equalExpr(e, key) {
		return true
	}
	s := stripRelabel(e)
	if s == e || !equalExpr(s, key) {
		return false
	}
	a, b := e.Type().OID, key.Type().OID
	return sameForm(a, b) || isOIDLike(a) && isOIDLike(b)
}

func isOIDLike(o types.OID) bool {
	switch o {
	case types.Oid, types.RegClass, types.RegProc, types.RegProcedure, types.RegType, types.RegOper, types.RegOperator,
		types.RegConfig, types.RegDictionary, types.RegNamespace, types.RegRole, types.RegCollation:
		return true
	}
	return false
}

// sidesOf splits a comparison into the key and the value compared with it.
func (p *planner) sidesOf(key query.Expr, o *query.OpExpr, g *relGet) (val query.Expr, op types.OID, ok bool) {
	if len(o.Args) != 2 {
		return nil, 0, false
	}
	own := outCols(g)
	usable := func(v query.Expr) bool { return !exprCols(v).intersects(own) && !p.isVolatile(v) && !hasSRF(v) }
	if p.isKey(o.Args[0], key) && usable(o.Args[1]) {
		return o.Args[1], o.Op, true
	}
	if p.isKey(o.Args[1], key) && usable(o.Args[0]) {
		if c, ok := p.commute(o); ok {
			return o.Args[0], c.Op, true
		}
	}
	return nil, 0, false
}

// keyFirst is a comparison of an index key with what is not of this relation, the key on the left, as EXPLAIN shows it.
func (p *planner) keyFirst(q query.Expr, g *relGet) query.Expr {
	if o, ok := q.(*query.OpExpr); ok && len(o.Args) == 2 && !exprCols(o.Args[0]).intersects(outCols(g)) {
		if c, ok := p.commute(o); ok {
			return c
		}
	}
	return q
}

// strategyIn is the operator's strategy in the key's family, as btree numbers them. Entries of a hash index lie in the
// order of its key as well, but its family knows equality alone.
func (p *planner) strategyIn(op types.OID, k catalog.IndexKey) int {
	for _, m := range p.cat.OpFamilyMembers(op) {
		switch {
		case m.Family != k.Family:
		case m.AM == "btree":
			return m.Strategy
		case m.AM == "hash" && m.Strategy == 1:
			return catalog.StrategyEqual
		}
	}
	return 0
}

// keyEquality: q fixes the key to one value, to the elements of an array, or to NULL.
// exact is false where the filter has to repeat the condition.
func (p *planner) keyEquality(key query.Expr, k catalog.IndexKey, q query.Expr, g *relGet) (v query.Expr, array, null, exact, ok bool) {
	switch x := q.(type) {
	case *query.OpExpr:
		val, op, is := p.sidesOf(key, x, g)
		if !is || p.strategyIn(op, k) != catalog.StrategyEqual {
			return
		}
		v, ok = p.keyValue(val, k.Type, true)
		return v, false, false, true, ok
	case *query.ScalarArrayOpExpr:
		if !x.UseOr || !p.isKey(x.Scalar, key) || p.strategyIn(x.Op, k) != catalog.StrategyEqual {
			return
		}
		if exprCols(x.Array).intersects(outCols(g)) || p.isVolatile(x.Array) {
			return
		}
		if !sameForm(x.Array.Type().Elem, k.Type.OID) || k.Type.OID == types.BPChar {
			return
		}
		return x.Array, true, false, true, true
	case *query.NullTest:
		if !x.IsNot && !x.ArgIsRow && p.isKey(x.Arg, key) {
			return nullConst(k.Type), false, true, true, true
		}
	case *query.Var:
		if k.Type.OID == types.Bool && equalExpr(x, key) {
			return boolConst(true), false, false, true, true
		}
	case *query.BoolExpr:
		if x.Op == query.Not && k.Type.OID == types.Bool && equalExpr(x.Args[0], key) {
			return boolConst(false), false, false, true, true
		}
	}
	return
}

// keyBoundOf: q bounds the key from one side.
func (p *planner) keyBoundOf(key query.Expr, k catalog.IndexKey, q query.Expr, g *relGet) (query.Expr, int, bool) {
	o, ok := q.(*query.OpExpr)
	if !ok {
		return nil, 0, false
	}
	val, op, ok := p.sidesOf(key, o, g)
	if !ok {
		return nil, 0, false
	}
	s := p.strategyIn(op, k)
	if s == 0 || s == catalog.StrategyEqual {
		return nil, 0, false
	}
	v, ok := p.keyValue(val, k.Type, false)
	return v, s, ok
}

// keyValue brings a value compared with a key column to the column's own type;
// ok is false when that is not possible without changing the meaning.
func (p *planner) keyValue(v query.Expr, t types.T, eq bool) (query.Expr, bool) {
	vt := v.Type()
	if t.OID == types.BPChar {
		c, isConst := v.(*query.Const)
		s, isStr := "", false
		if isConst {
			s, isStr = c.Value.(string)
		}
		if !eq || !isStr || vt.OID != types.BPChar || t.Mod <= 4 {
			return nil, false
		}
		s = strings.TrimRight(s, " ")
		n := int(t.Mod) - 4
		if len([]rune(s)) > n {
			return nil, false
		}
		s += strings.Repeat(" ", n-len([]rune(s)))
		return &query.Const{Base: query.Base{T: t, Coll: c.Coll, Loc: -1}, Value: s}, true
	}
	if vt.OID == t.OID {
		return v, true
	}
	if isText(vt.OID) && isText(t.OID) {
		if t.OID == types.Name {
			if c, ok := v.(*query.Const); !ok || c.Value == nil || len(c.Value.(string)) > 63 {
				return nil, false
			}
		}
		return relabel(v, t.NoMod()), true
	}
	if isBits(vt.OID) && isBits(t.OID) {
		return relabel(v, t.NoMod()), true
	}
	if isOIDLike(vt.OID) && isOIDLike(t.OID) {
		return relabel(v, t), true
	}
	kr, vr := numericRank[t.OID], numericRank[vt.OID]
	if kr == 0 || vr == 0 || kr > 10 || vr > 10 {
		return nil, false
	}
	if c, ok := v.(*query.Const); ok {
		if c.Value == nil {
			return nullConst(t), true
		}
		var n int64
		switch x := c.Value.(type) {
		case int16:
			n = int64(x)
		case int32:
			n = int64(x)
		case int64:
			n = x
		}
		base := query.Base{T: t, Loc: -1}
		switch t.OID {
		case types.Int2:
			if n >= math.MinInt16 && n <= math.MaxInt16 {
				return &query.Const{Base: base, Value: int16(n)}, true
			}
		case types.Int4:
			if n >= math.MinInt32 && n <= math.MaxInt32 {
				return &query.Const{Base: base, Value: int32(n)}, true
			}
		case types.Int8:
			return &query.Const{Base: base, Value: n}, true
		}
		return nil, false
	}
	if vr < kr {
		return p.castTo(v, t.NoMod()), true
	}
	return nil, false
}

// indexOrder: reading the index forwards or backwards gives the wanted order, the
// first eq keys being constant.
func (p *planner) indexOrder(ix *catalog.Index, eq int, order []sortItem, colOf map[int]Col) (ok, reverse bool) {
	k := eq // what has one value only may stand anywhere in the order, or be left out
	dir := 0
	constant := func(e query.Expr) bool {
		return slices.ContainsFunc(ix.Keys[:eq], func(key catalog.IndexKey) bool {
			ke := p.indexKeyExpr(key, colOf)
			return ke != nil && p.isKey(e, ke)
		})
	}
	for _, w := range order {
		if constant(w.expr) {
			continue
		}
		if k == len(ix.Keys) {
			return false, false
		}
		key := ix.Keys[k]
		ke := p.indexKeyExpr(key, colOf)
		if ke == nil || !p.isKey(w.expr, ke) {
			return false, false
		}
		k++
		notNull := false
		if c, isCol := asCol(ke); isCol {
			notNull = p.cols[c].notNull
		}
		d := -1
		switch {
		case key.Descending == w.desc && (notNull || key.NullsFirst == w.nullsFirst):
			d = 1
		case key.Descending == w.desc || !notNull && key.NullsFirst == w.nullsFirst:
			return false, false
		}
		if dir != 0 && d != dir {
			return false, false
		}
		dir = d
	}
	return true, dir < 0
}

// orderByIndex is an order of the expressions in want that the index gives forwards; nil: there is none.
func (p *planner) orderByIndex(ix *catalog.Index, eq int, want []sortItem, colOf map[int]Col) []sortItem {
	left := slices.Clone(want)
	var out []sortItem
	for k, key := range ix.Keys {
		ke := p.indexKeyExpr(key, colOf)
		i := -1
		if ke != nil {
			i = slices.IndexFunc(left, func(w sortItem) bool { return p.isKey(w.expr, ke) })
		}
		switch {
		case i >= 0:
			out = append(out, sortItem{left[i].expr, key.Descending, key.NullsFirst})
			left = slices.Delete(left, i, i+1)
		case k >= eq:
			return nil
		}
		if len(left) == 0 {
			return out
		}
	}
	return nil
}
