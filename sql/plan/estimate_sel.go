package plan

import (
	"encoding/binary"
	"math"
	"reflect"
	"strings"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// selectivity estimates the fraction of rows for which all conditions are true.
// Conditions are taken as independent, except a lower and an upper bound on one
// expression, which are combined as a range (PostgreSQL's clauselist_selectivity).
func (p *planner) selectivity(qs []query.Expr, scope rel) float64 {
	sel := 1.0
	type bounds struct {
		lo, hi       float64
		hasLo, hasHi bool
	}
	ranges := map[string]*bounds{}
	var order []string
	for _, q := range qs {
		if key, s, lower, ok := p.rangeClause(q); ok {
			b := ranges[key]
			if b == nil {
				b = &bounds{}
				ranges[key] = b
				order = append(order, key)
			}
			switch {
			case lower && (!b.hasLo || s < b.lo):
				b.lo, b.hasLo = s, true
			case !lower && (!b.hasHi || s < b.hi):
				b.hi, b.hasHi = s, true
			}
			continue
		}
		sel *= p.clause(q)
	}
	for _, k := range order {
		b := ranges[k]
		switch {
		case b.hasLo && b.hasHi:
			s := b.lo + b.hi - 1
			if b.lo == defaultRangeSel && b.hi == defaultRangeSel {
				s = defaultBoundsSel
			}
			sel *= math.Max(s, 1e-6)
		case b.hasLo:
			sel *= b.lo
		default:
			sel *= b.hi
		}
	}
	return clampSel(sel)
}

func clampSel(s float64) float64 {
	switch {
	case s < 1e-9 || math.IsNaN(s):
		return 1e-9
	case s > 1:
		return 1
	}
	return s
}

// rangeClause recognises expr < value and its kin.
func (p *planner) rangeClause(q query.Expr) (key string, sel float64, lower, ok bool) {
	o, isOp := q.(*query.OpExpr)
	if !isOp || len(o.Args) != 2 {
		return
	}
	_, s, _, _ := p.btreeStrategy(o.Op)
	if s == 0 || s == catalog.StrategyEqual {
		return
	}
	l, r := o.Args[0], o.Args[1]
	switch {
	case !exprCols(l).empty() && exprCols(r).empty():
	case exprCols(l).empty() && !exprCols(r).empty():
		l, r = r, l
		s = 6 - s
	default:
		return
	}
	lower = s >= catalog.StrategyGreaterEqual
	return exprKey(l), p.rangeSel(l, r, s), lower, true
}

// constOf gives the value of an expression known at planning.
func (p *planner) constOf(e query.Expr) (types.Datum, bool) {
	switch x := stripRelabel(e).(type) {
	case *query.Const:
		return x.Value, true
	case *query.Param:
		if x.Kind == query.ParamExternal && p.opts.HasParams && x.Number <= len(p.opts.Params) {
			return p.opts.Params[x.Number-1], true
		}
	}
	return nil, false
}

// rangeSel estimates l op r for a btree strategy.
func (p *planner) rangeSel(l, r query.Expr, strategy int) float64 {
	v, known := p.constOf(r)
	if known && v == nil {
		return 0
	}
	c, isCol := asCol(stripRelabel(l))
	if !known || !isCol {
		return defaultRangeSel
	}
	cs := p.colStats(c)
	if cs == nil {
		return defaultRangeSel
	}
	want := func(cmp int) bool {
		switch strategy {
		case catalog.StrategyLess:
			return cmp < 0
		case catalog.StrategyLessEqual:
			return cmp <= 0
		case catalog.StrategyGreaterEqual:
			return cmp >= 0
		}
		return cmp > 0
	}
	mcv, mcvAll := 0.0, 0.0
	for i, m := range cs.MCV {
		mcvAll += cs.MCVFreq[i]
		cmp, ok := p.compareStat(p.cols[c].t, m, r.Type(), v)
		if !ok {
			return defaultRangeSel
		}
		if want(cmp) {
			mcv += cs.MCVFreq[i]
		}
	}
	hist := defaultRangeSel
	if n := len(cs.Histogram); n >= 2 {
		below, ok := p.histogramBelow(cs.Histogram, p.cols[c].t, r.Type(), v)
		if !ok {
			return defaultRangeSel
		}
		if strategy >= catalog.StrategyGreaterEqual {
			hist = 1 - below
		} else {
			hist = below
		}
		// The histogram's ends are only those of the sample.
		hist = math.Min(math.Max(hist, 0.0001), 0.9999)
	} else if mcvAll > 0.999 {
		hist = 0
	}
	return clampSel(mcv + hist*math.Max(0, 1-cs.NullFrac-mcvAll))
}

// histogramBelow is the fraction of the histogram's values below v.
func (p *planner) histogramBelow(h []types.Datum, ht, vt types.T, v types.Datum) (float64, bool) {
	lo, hi := 0, len(h)
	for lo < hi {
		m := (lo + hi) / 2
		cmp, ok := p.compareStat(ht, h[m], vt, v)
		if !ok {
			return 0, false
		}
		if cmp < 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo == 0 {
		return 0, true
	}
	if lo == len(h) {
		return 1, true
	}
	frac := 0.5
	a, ok1 := scalarOf(h[lo-1])
	b, ok2 := scalarOf(h[lo])
	x, ok3 := scalarOf(v)
	if ok1 && ok2 && ok3 && b > a {
		frac = math.Min(math.Max((x-a)/(b-a), 0), 1)
	}
	return (float64(lo-1) + frac) / float64(len(h)-1), true
}

// compareStat compares a statistics value with a constant of a possibly different type.
func (p *planner) compareStat(at types.T, a types.Datum, bt types.T, b types.Datum) (int, bool) {
	// A constant relabelled (1::oid) keeps the value it had.
	if at.OID == bt.OID && reflect.TypeOf(a) == reflect.TypeOf(b) {
		if at.OID == types.BPChar {
			return strings.Compare(strings.TrimRight(a.(string), " "), strings.TrimRight(b.(string), " ")), true
		}
		if at.Class != types.ClassBase {
			return 0, false
		}
		return types.Compare(p.opts.Types, at, a, b), true
	}
	if x, ok := a.(string); ok {
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), true
		}
	}
	x, ok1 := scalarOf(a)
	y, ok2 := scalarOf(b)
	if !ok1 || !ok2 {
		return 0, false
	}
	switch {
	case x < y:
		return -1, true
	case x > y:
		return 1, true
	}
	return 0, true
}

// scalarOf maps a value onto a line, as PostgreSQL's convert_to_scalar.
func scalarOf(d types.Datum) (float64, bool) {
	switch v := d.(type) {
	case int16:
		return float64(v), true
	case int32:
		return float64(v), true
	case int64:
		return float64(v), true
	case float32:
		return float64(v), true
	case float64:
		return v, true
	case types.OID:
		return float64(v), true
	case types.Date:
		return (float64(v) - float64(types.PGEpochDays)) * 86400e6, true // on the scale of timestamps
	case types.Timestamp:
		return float64(v), true
	case types.Time:
		return float64(v), true
	case types.Numeric:
		if !v.IsFinite() {
			return 0, false
		}
		if u, s, ok := v.Int64(); ok {
			return float64(u) / math.Pow10(int(s)), true
		}
		return 0, false
	case string:
		var b [8]byte
		copy(b[:], v)
		return float64(binary.BigEndian.Uint64(b[:])), true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// eqSel estimates l = r.
func (p *planner) eqSel(l, r query.Expr) float64 {
	l, r = stripRelabel(l), stripRelabel(r)
	if exprCols(l).empty() {
		l, r = r, l
	}
	c, isCol := asCol(l)
	if !exprCols(r).empty() {
		// Two columns of one relation, or a join seen as a filter.
		return 1 / math.Max(p.distinct(l, 1e18), p.distinct(r, 1e18))
	}
	v, known := p.constOf(r)
	if known && v == nil {
		return 0
	}
	if !isCol {
		if exprCols(l).empty() {
			return defaultEqSel
		}
		return 1 / math.Min(p.distinct(l, 1e18), defaultDistinct) // its columns' values are only a bound
	}
	if p.isUniqueCol(c) {
		rows := float64(defaultRows)
		if s := p.relStats(p.cols[c].table); s != nil {
			rows = math.Max(s.Rows, 1)
		}
		return 1 / rows
	}
	cs := p.colStats(c)
	if cs == nil {
		if p.cols[c].t.OID == types.Bool {
			return 0.5
		}
		return 1 / p.distinct(l, p.baseRows(l, 1e18)) // small tables have few values
	}
	mcvAll := 0.0
	for _, f := range cs.MCVFreq {
		mcvAll += f
	}
	d := p.distinct(l, 1e18)
	if !known {
		return clampSel((1 - cs.NullFrac) / d)
	}
	for i, m := range cs.MCV {
		if cmp, ok := p.compareStat(p.cols[c].t, m, r.Type(), v); ok && cmp == 0 {
			return cs.MCVFreq[i]
		}
	}
	other := d - float64(len(cs.MCV))
	if other < 1 {
		other = 1
	}
	s := math.Max(0, 1-mcvAll-cs.NullFrac) / other
	if n := len(cs.MCVFreq); n > 0 {
		s = math.Min(s, cs.MCVFreq[n-1])
	}
	return clampSel(s)
}

// clause estimates one condition.
func (p *planner) clause(q query.Expr) float64 {
	switch x := q.(type) {
	case *query.Const:
		v, null, ok := isConstBool(x)
		if ok && (null || !v) {
			return 0
		}
		return 1
	case *query.BoolExpr:
		switch x.Op {
		case query.And:
			return p.selectivity(x.Args, nil)
		case query.Or:
			s := 0.0
			for _, a := range x.Args {
				t := p.selectivity(conjuncts(a), nil)
				s = s + t - s*t
			}
			if d := p.derivedSel[exprKey(x)]; d > 0 {
				s = math.Min(s/d, 1) // part of it has been applied to single tables
			}
			return clampSel(s)
		}
		return clampSel(1 - p.clause(x.Args[0]))
	case *query.OpExpr:
		if len(x.Args) != 2 {
			return 0.5
		}
		if p.isEquality(x.Op) {
			return p.eqSel(x.Args[0], x.Args[1])
		}
		d := p.cat.Operator(x.Op)
		if d == nil {
			return 0.5
		}
		switch d.RestrictEst {
		case "neqsel":
			nf := math.Max(p.nullFrac(x.Args[0]), p.nullFrac(x.Args[1]))
			return clampSel(1 - p.eqSel(x.Args[0], x.Args[1]) - nf)
		case "scalarltsel", "scalarlesel", "scalargtsel", "scalargesel":
			if _, s, _, ok := p.rangeClause(x); ok {
				return s
			}
			return defaultRangeSel
		case "likesel", "iclikesel", "regexeqsel", "icregexeqsel", "prefixsel":
			return p.likeSel(x, d.RestrictEst)
		case "nlikesel", "icnlikesel", "regexnesel", "icregexnesel":
			return clampSel(1 - p.likeSel(x, strings.Replace(strings.Replace(d.RestrictEst, "nlike", "like", 1), "nesel", "eqsel", 1)))
		case "contsel", "arraycontsel", "matchingsel":
			return 0.01
		}
		return 0.5
	case *query.FuncExpr:
		return 0.3333333
	case *query.ScalarArrayOpExpr:
		n := 10.0
		var elems []types.Datum
		if c, ok := x.Array.(*query.Const); ok {
			if a, ok := c.Value.(*types.Array); ok {
				elems = a.Elems
				n = float64(len(elems))
			}
		} else if a, ok := x.Array.(*query.ArrayExpr); ok {
			n = float64(len(a.Elems))
		}
		if !x.UseOr {
			return clampSel(math.Pow(0.99, n))
		}
		if !p.isEquality(x.Op) {
			return clampSel(defaultRangeSel * math.Min(n, 2))
		}
		s := 0.0
		if elems != nil {
			et := x.Array.Type().ElemType()
			for _, d := range elems {
				s += p.eqSel(x.Scalar, &query.Const{Base: query.Base{T: et, Loc: -1}, Value: d})
			}
		} else {
			s = n * p.eqSel(x.Scalar, &query.Param{Base: query.Base{T: x.Array.Type().ElemType()}, Kind: query.ParamExternal, Number: 1 << 20})
		}
		return clampSel(s)
	case *query.NullTest:
		s := defaultNullSel
		if c, ok := asCol(stripRelabel(x.Arg)); ok {
			if cs := p.colStats(c); cs != nil {
				s = cs.NullFrac
			} else if p.cols[c].notNull {
				s = 0
			}
		}
		if x.IsNot {
			return clampSel(1 - s)
		}
		return clampSel(s)
	case *query.BooleanTest:
		switch x.Test {
		case query.IsTrue, query.IsNotFalse:
			return p.clause(x.Arg)
		case query.IsFalse, query.IsNotTrue:
			return clampSel(1 - p.clause(x.Arg))
		case query.IsUnknown:
			return defaultNullSel
		}
		return 1 - defaultNullSel
	case *query.DistinctExpr:
		return clampSel(1 - p.eqSel(x.Left, x.Right))
	case *query.Var:
		if cs := p.colStats(Col(x.RTIndex)); cs != nil {
			for i, m := range cs.MCV {
				if b, ok := m.(bool); ok && b {
					return cs.MCVFreq[i]
				}
			}
		}
		return 0.5
	}
	return 0.5
}

// likeSel estimates a pattern match: the fixed prefix as a range (or an equality),
// the rest by how many pieces of text are to occur.
func (p *planner) likeSel(o *query.OpExpr, kind string) float64 {
	v, known := p.constOf(o.Args[1])
	pat, isStr := v.(string)
	if !known || !isStr {
		return defaultMatchSel
	}
	if kind != "likesel" && kind != "prefixsel" {
		return clampSel(math.Max(math.Pow(0.25, float64(len(pat)))*5, 0.001))
	}
	prefix, i := "", 0
	for i < len(pat) && pat[i] != '%' && pat[i] != '_' {
		if pat[i] == '\\' && i+1 < len(pat) {
			i++
		}
		prefix += string(pat[i])
		i++
	}
	if i == len(pat) && kind == "likesel" {
		return p.eqSel(o.Args[0], &query.Const{Base: query.Base{T: o.Args[1].Type(), Loc: -1}, Value: prefix})
	}
	sel := 1.0
	// Sampled values tell best.
	if c, ok := asCol(stripRelabel(o.Args[0])); ok && kind == "likesel" {
		if cs := p.colStats(c); cs != nil && len(cs.MCV)+len(cs.Histogram) >= 50 {
			hit, n, freq, all := 0, 0, 0.0, 0.0
			for k, m := range cs.MCV {
				if s, ok := m.(string); ok {
					all += cs.MCVFreq[k]
					if likeMatch(s, pat) {
						freq += cs.MCVFreq[k]
					}
				}
			}
			for _, m := range cs.Histogram {
				if s, ok := m.(string); ok {
					n++
					if likeMatch(s, pat) {
						hit++
					}
				}
			}
			h := 0.0
			if n > 0 {
				h = math.Max(float64(hit)/float64(n), 0.2/float64(n))
			}
			return clampSel(freq + h*math.Max(0, 1-all-cs.NullFrac))
		}
	}
	// Else it is guessed. Who looks for a word has seen it: PostgreSQL's fifth per character makes words of five
	// letters rare, and joins by nested loops of what is not rare at all.
	if prefix != "" {
		sel = math.Max(p.prefixSel(o.Args[0], prefix), defaultMatchSel*math.Pow(0.8, float64(len(prefix))))
		sel = math.Max(sel, 1/p.distinct(o.Args[0], 1e18))
	}
	least := defaultPieceSel
	for _, piece := range strings.FieldsFunc(pat[i:], func(r rune) bool { return r == '%' }) {
		sel *= math.Max(least, math.Pow(0.3, float64(len(piece))))
		least = furtherPieceSel
	}
	return clampSel(math.Max(sel, 0.0005))
}

func (p *planner) prefixSel(l query.Expr, prefix string) float64 {
	upper := []byte(prefix)
	upper[len(upper)-1]++
	c := func(s string) query.Expr {
		return &query.Const{Base: query.Base{T: types.Of(types.Text), Loc: -1}, Value: s}
	}
	lo := p.rangeSel(l, c(prefix), catalog.StrategyGreaterEqual)
	hi := p.rangeSel(l, c(string(upper)), catalog.StrategyLess)
	if lo == defaultRangeSel && hi == defaultRangeSel {
		return defaultMatchSel
	}
	return clampSel(lo + hi - 1)
}

// likeMatch is LIKE over bytes, for estimates.
func likeMatch(s, pat string) bool {
	for len(pat) > 0 {
		switch pat[0] {
		case '%':
			for len(pat) > 0 && pat[0] == '%' {
				pat = pat[1:]
			}
			if pat == "" {
				return true
			}
			for i := 0; i <= len(s); i++ {
				if likeMatch(s[i:], pat) {
					return true
				}
			}
			return false
		case '_':
			if s == "" {
				return false
			}
		case '\\':
			if len(pat) > 1 {
				pat = pat[1:]
			}
			if s == "" || s[0] != pat[0] {
				return false
			}
		default:
			if s == "" || s[0] != pat[0] {
				return false
			}
		}
		s, pat = s[1:], pat[1:]
	}
	return s == ""
}
