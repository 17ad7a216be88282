package plan

import (
	"math"
	"slices"

	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

const (
	// eagerRowsMin is how many rows there must be for aggregating them first to be worth a thought,
	// eagerReduceMin how many each group must stand for.
	eagerRowsMin   = 20000
	eagerReduceMin = 20
	// eagerEdge is by how much aggregating first must be cheaper.
	eagerEdge = 1.2
)

// What a row costs on its way through operators over vectors, in nanoseconds. A join on the key of a
// dimension is a look-up in an array, and its columns reach a grouping as one number (emit_keyids.go):
// a grouping below, by a key that has to be hashed, pays only where that key has few values or where
// there is much to do above.
const (
	nsJoin      = 5  // look up and hand on
	nsGroup     = 6  // find the group of a key of one word in a small table
	nsGroupKey  = 9  // for each further key of a grouping above
	nsEagerKey  = 12 // and of one below: these are hashed
	nsTextKey   = 12 // more for a key below that is no number
	nsCondition = 4  // a FILTER above
	nsSetCall   = 4  // a call in one more grouping set that takes rows
	// more for each doubling of the groups below
	nsCacheGroup = 2
	nsCacheCall  = 0.75
	nsState      = 150 // make a state, carry it through joins and merge it, once for each group
)

// gain is what aggregating c.r by keys first saves, by estimate, of all; 0 or less: nothing.
// calls is how many different calls there are below, conditions how many have to be tested above.
func (e *eagerSearch) gain(c *eagerChoice, keys []query.Expr, calls, conditions int) float64 {
	p := e.p
	rows := p.rows(c.r)
	if p.opts.Settings.EagerAlways {
		return rows / p.partialGroups(keys, c.r, rows)
	}
	if rows < eagerRowsMin {
		return 0
	}
	groups := p.partialGroups(keys, c.r, rows)
	if groups*eagerReduceMin > rows {
		return 0
	}
	// Rows that a join drops are dropped in the scan already where its key is an integer, as its filter reaches
	// through the grouping: that spares both ways the same. Others have to be aggregated.
	share, below := 1.0, 1.0 // of rows, that reach this step, and that are aggregated
	joins := 0.0
	for i := len(c.path) - 1; i >= 0; i-- {
		s := c.path[i]
		in := s.r.inputs()
		kept := math.Min(1, p.rows(s.r)/math.Max(1, p.rows(in[s.side])))
		if j, ok := s.r.(*relJoin); ok {
			if e.filters(j, s.side, groups) {
				below *= kept
			}
			joins += share * kept * nsJoin
		}
		share *= kept
	}
	now := joins
	if k := len(e.keys); k > 0 {
		tables := widestSets(e.g.sets)
		now += share * (nsGroup + nsGroupKey*float64(k-1)) * float64(tables)
		now += share * nsSetCall * float64((tables-1)*len(e.aggs))
	}
	now += share * nsCondition * float64(conditions)
	then := nsGroup + nsEagerKey*float64(len(keys)-1) + nsCacheGroup*cacheSteps(groups, 1000) + nsCacheCall*float64(calls)*(1+cacheSteps(groups, 500))
	for _, k := range keys {
		if t := k.Type().OID; !narrowKeys[t] && t != types.Bool {
			then += nsTextKey
		}
	}
	then *= below
	then += below * groups / rows * nsState * float64(len(e.aggs)+1)
	return (now - then*eagerEdge) * rows
}

// filters: join j spares the scans of its input on side the rows that it drops, once that is aggregated
// to so many groups.
func (e *eagerSearch) filters(j *relJoin, side int, groups float64) bool {
	p := e.p
	if j.typ != joinInner && j.typ != joinSemi || p.rows(j.inputs()[1-side]) > groups {
		return false
	}
	for _, q := range j.quals {
		l, r, ok := p.equalitySides(q)
		if !ok {
			continue
		}
		a, isA := asCol(l)
		b, isB := asCol(r)
		if isA && isB && narrowKeys[p.cols[a].t.OID] && p.cols[a].t.OID == p.cols[b].t.OID {
			return true
		}
	}
	return false
}

// widestSets is how many grouping sets take rows: those that are within no other one. 1 without sets.
func widestSets(sets [][]int) int {
	n := 0
	for i, s := range sets {
		within := false
		for k, f := range sets {
			within = within || subset(s, f) && (len(s) < len(f) || k < i)
		}
		if !within {
			n++
		}
	}
	return max(n, 1)
}

// cacheSteps is by how many doublings entries exceed what is at hand.
func cacheSteps(entries, small float64) float64 {
	return math.Max(0, math.Log2(entries/small))
}

// partialGroups estimates how many groups of keys the rows of r have; rows where nothing is known.
func (p *planner) partialGroups(keys []query.Expr, r rel, rows float64) float64 {
	if a, ok := r.(*relAppend); ok {
		sum := 0.0
		for i, in := range a.ins {
			m := map[Col]query.Expr{}
			for k, c := range a.cols {
				m[c] = p.colVar(a.inCols[i][k])
			}
			var mine []query.Expr
			for _, k := range keys {
				mine = append(mine, substitute(k, m))
			}
			sum += p.partialGroups(mine, in, p.rows(in))
		}
		return math.Min(sum, rows)
	}
	for _, k := range keys {
		if k.Type().OID != types.Bool && slices.ContainsFunc(exprCols(k).list(), p.guessedDistinct) {
			return rows
		}
	}
	return p.groups(keys, rows)
}
