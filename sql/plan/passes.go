package plan

// pass is one rewrite of the relational tree.
type pass struct {
	name string
	why  string
	run  func(p *planner, r rel, need ColSet) rel
}

// passes run in this order over every tree of a statement. Each leaves a tree that
// verify accepts and that means the same.
var passes = []pass{
	{"simplify", "fold constants, flatten conditions, drop trivial operators", (*planner).passSimplify},
}

// optimize runs the passes.
func (p *planner) optimize(r rel, need ColSet) rel {
	for _, ps := range passes {
		if p.opts.Disable[ps.name] {
			continue
		}
		p.rowsMemo = map[rel]float64{}
		r = ps.run(p, r, need)
		p.verify(ps.name, r, need)
	}
	return r
}
