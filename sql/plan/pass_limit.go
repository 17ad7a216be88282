package plan

// passLimit moves a LIMIT below the joins that compute a value for each row and
// neither add nor drop rows: the sub-selects of a select list are then computed for
// the rows wanted, all of them together.
func (p *planner) passLimit(r rel, need ColSet) rel {
	for i, in := range r.inputs() {
		r.setInput(i, p.passLimit(in, need))
	}
	x, ok := r.(*relLimit)
	if !ok || !p.isStableLimit(x) {
		return r
	}
	// under is the last node on the way down that keeps the number of rows and has a
	// join at or above it.
	var under rel
	for at := x.in; ; at = at.inputs()[0] {
		switch n := at.(type) {
		case *relProject:
			if p.volatileItems(n.items) {
				at = nil
			}
		case *relJoin:
			switch {
			case p.volatileTree(n.right):
				at = nil
			case n.typ == joinMark, n.typ == joinSingle, n.typ == joinLeft && len(n.quals) == 0 && p.maxOneRow(n.right):
				under = n
			default:
				at = nil
			}
		default:
			at = nil
		}
		if at == nil {
			break
		}
	}
	if under == nil {
		return r
	}
	p.trace("limit", "below_subselect")
	top := x.in
	x.in = under.inputs()[0]
	under.setInput(0, x)
	return top
}

// isStableLimit: evaluating the count elsewhere gives the same.
func (p *planner) isStableLimit(x *relLimit) bool {
	return (isNil(x.count) || !p.isVolatile(x.count)) && (isNil(x.offset) || !p.isVolatile(x.offset))
}
