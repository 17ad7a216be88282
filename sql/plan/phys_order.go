package plan

// The select list's sub-selects that are computed after ORDER BY are joined above the
// sort, and joins promise no order: a hash join may build on the left side or go to
// disk. The uppermost of such joins sorts again; the sort below is left out unless a
// LIMIT in between needs it.

// keptOrder finds the sort whose order a join's output has to have; limited tells
// that the sort decides which rows there are, too.
func (p *planner) keptOrder(left rel) (s *relSort, limited bool) {
	cols := outCols(left)
	for {
		switch x := left.(type) {
		case *relSort:
			if !x.final || !exprCols(sortExprs(x.keys)...).subsetOf(cols) {
				return nil, false
			}
			if _, done := p.resorted[x]; done {
				return nil, false
			}
			return x, limited
		case *relLimit:
			limited = true
			left = x.in
		case *relJoin:
			switch x.typ {
			case joinLeft, joinSingle, joinMark:
			default:
				return nil, false
			}
			left = x.left
		case *relCTE:
			if x.cte.query != nil {
				return nil, false
			}
			limited = true // the left side of a join, kept by unnesting
			left = x.cte.rel
		case *relBatch:
			left = x.in
		case *relProject:
			left = x.in
		case *relWindow: // the numbers of a domain's rows
			left = x.in
		default:
			return nil, false
		}
	}
}

// resort plans a join above a sort by f and sorts the result again.
func (p *planner) resort(left rel, rq physReq, f func(rq physReq) *Node) *Node {
	s, limited := p.keptOrder(left)
	if s == nil {
		return f(rq)
	}
	if p.resorted == nil {
		p.resorted = map[*relSort]bool{}
	}
	p.resorted[s] = !limited
	defer delete(p.resorted, s)
	rq.need = rq.need.union(exprCols(sortExprs(s.keys)...))
	return p.sortNode(f(rq), s.keys, 0)
}
