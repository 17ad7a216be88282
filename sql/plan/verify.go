package plan

// verify checks a tree after a pass: every node uses only columns that its inputs
// deliver, or (inside a dependent side) an outer join's left; and the tree
// delivers what is needed.
func (p *planner) verify(pass string, r rel, need ColSet) {
	if !need.subsetOf(outCols(r)) {
		p.bug("pass %s lost output columns", pass)
	}
	p.verifyNode(pass, r, p.perRow)
}

func (p *planner) verifyNode(pass string, r rel, outer ColSet) {
	avail := outer.copy()
	for _, in := range r.inputs() {
		avail.addAll(outCols(in))
	}
	switch x := r.(type) {
	case *relGet, *relProject, *relFunction, *relValues, *relWindow:
		avail.addAll(outCols(r))
	case *relModify:
		avail.addAll(setOf(x.rowCols...))
	}
	if u := usedCols(r).minus(avail); !u.empty() {
		for _, c := range u.list() {
			p.bug("pass %s: %T uses column %d (%s.%s) that is not delivered", pass, r, c, p.cols[c].rel, p.cols[c].name)
		}
	}
	if j, ok := r.(*relJoin); ok {
		p.verifyNode(pass, j.left, outer)
		p.verifyNode(pass, j.right, outer.union(outCols(j.left)))
		return
	}
	for _, in := range r.inputs() {
		p.verifyNode(pass, in, outer)
	}
}
