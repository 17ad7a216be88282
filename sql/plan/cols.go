package plan

import (
	"math/bits"

	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// Col is one column of one relation instance, unique in a planning run; from 1.
type Col int

// colInfo is what is known of a Col.
type colInfo struct {
	t    types.T
	coll types.OID
	name string // column name, for EXPLAIN
	rel  string // qualifier, "" for computed columns
	// expr is the defining expression of a computed column, for EXPLAIN and estimates.
	expr query.Expr
	// table and att name the base column; att is 0 for others.
	table   types.OID
	att     int
	notNull bool
}

// ColSet is a set of Cols. The zero value is empty; methods that add return the set.
type ColSet struct{ w []uint64 }

func setOf(cols ...Col) ColSet {
	var s ColSet
	for _, c := range cols {
		s.add(c)
	}
	return s
}

func (s *ColSet) add(c Col) {
	i := int(c) >> 6
	for len(s.w) <= i {
		s.w = append(s.w, 0)
	}
	s.w[i] |= 1 << (uint(c) & 63)
}

func (s *ColSet) remove(c Col) {
	if i := int(c) >> 6; i < len(s.w) {
		s.w[i] &^= 1 << (uint(c) & 63)
	}
}

func (s ColSet) has(c Col) bool {
	i := int(c) >> 6
	return i < len(s.w) && s.w[i]&(1<<(uint(c)&63)) != 0
}

func (s ColSet) empty() bool {
	for _, w := range s.w {
		if w != 0 {
			return false
		}
	}
	return true
}

func (s ColSet) len() int {
	n := 0
	for _, w := range s.w {
		n += bits.OnesCount64(w)
	}
	return n
}

func (s ColSet) copy() ColSet { return ColSet{append([]uint64(nil), s.w...)} }

// addAll adds the members of o to s.
func (s *ColSet) addAll(o ColSet) {
	for len(s.w) < len(o.w) {
		s.w = append(s.w, 0)
	}
	for i, w := range o.w {
		s.w[i] |= w
	}
}

func (s ColSet) union(o ColSet) ColSet { r := s.copy(); r.addAll(o); return r }

func (s ColSet) minus(o ColSet) ColSet {
	r := s.copy()
	for i := range r.w {
		if i < len(o.w) {
			r.w[i] &^= o.w[i]
		}
	}
	return r
}

func (s ColSet) intersect(o ColSet) ColSet {
	r := s.copy()
	for i := range r.w {
		if i < len(o.w) {
			r.w[i] &= o.w[i]
		} else {
			r.w[i] = 0
		}
	}
	return r
}

func (s ColSet) intersects(o ColSet) bool {
	for i := 0; i < len(s.w) && i < len(o.w); i++ {
		if s.w[i]&o.w[i] != 0 {
			return true
		}
	}
	return false
}

func (s ColSet) subsetOf(o ColSet) bool {
	for i, w := range s.w {
		var ow uint64
		if i < len(o.w) {
			ow = o.w[i]
		}
		if w&^ow != 0 {
			return false
		}
	}
	return true
}

// list gives the members in ascending order.
func (s ColSet) list() []Col {
	var r []Col
	for i, w := range s.w {
		for w != 0 {
			b := bits.TrailingZeros64(w)
			r = append(r, Col(i<<6+b))
			w &= w - 1
		}
	}
	return r
}

// newCol makes a column number.
func (p *planner) newCol(ci colInfo) Col {
	if len(p.cols) == 0 {
		p.cols = append(p.cols, colInfo{})
	}
	p.cols = append(p.cols, ci)
	return Col(len(p.cols) - 1)
}

// colVar is a reference to a Col.
func (p *planner) colVar(c Col) *query.Var {
	ci := &p.cols[c]
	return &query.Var{Base: query.Base{T: ci.t, Coll: ci.coll, Loc: -1}, RTIndex: int(c), AttNum: 1}
}

// asCol gives the Col of a plain column reference.
func asCol(e query.Expr) (Col, bool) {
	if v, ok := e.(*query.Var); ok {
		return Col(v.RTIndex), true
	}
	return 0, false
}

// exprCols is the set of Cols an expression uses.
func exprCols(es ...query.Expr) ColSet {
	var s ColSet
	for _, e := range es {
		walk(e, func(x query.Expr) bool {
			if v, ok := x.(*query.Var); ok {
				s.add(Col(v.RTIndex))
			}
			return true
		})
	}
	return s
}
