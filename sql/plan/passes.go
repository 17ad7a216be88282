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
	{"limit", "LIMIT moves below sub-selects that are computed for each of its rows", (*planner).passLimit},
	{"decorrelate", "sub-selects become joins instead of running per row", (*planner).passDecorrelate},
	{"outer_joins", "outer joins whose added rows are rejected become inner", (*planner).passOuterJoins},
	{"pull_up", "projections move above joins, so that joins can be reordered", (*planner).passPullUp},
	{"pushdown", "conditions are evaluated as early as possible", (*planner).passPushdown},
	{"cleanup", "what the rewrites left behind is folded again", (*planner).passSimplify},
	{"group_keys", "columns that the other keys of a grouping determine are not compared", (*planner).passGroupKeys},
	{"join_order", "the cheapest order of joins, by dynamic programming", (*planner).passJoinOrder},
	{"eager_agg", "an operand of joins is aggregated before it is joined", (*planner).passEagerAgg},
	{"min_max", "min and max read one row from the end of an index", (*planner).passMinMax},
}

// ordering is the first of the passes that settle the order of joins: those before it
// move conditions to where they belong.
const ordering = "join_order"

// settle runs the passes before the ordering ones, order the others.
func (p *planner) settle(r rel, need ColSet) rel { return p.run(r, need, false) }
func (p *planner) order(r rel, need ColSet) rel  { return p.run(r, need, true) }

func (p *planner) run(r rel, need ColSet, order bool) rel {
	reached := false
	for _, ps := range passes {
		reached = reached || ps.name == ordering
		if reached != order || p.opts.Disable[ps.name] {
			continue
		}
		p.rowsMemo = map[rel]float64{}
		if ps.name == "decorrelate" {
			p.stopsEarly(r, p.opts.LimitHint > 0)
		}
		r = ps.run(p, r, need)
		p.verify(ps.name, r, need)
	}
	return r
}
