package plan

import (
	"context"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// planner is one planning run.
type planner struct {
	ctx  context.Context
	opts Options
	cat  catalog.Reader
	cols []colInfo

	ctes      []*cteInfo
	inits     []*initPlan
	workTable uint32
	slots     uint32
	slotOf    map[Col]uint32
	targets   uint32 // ChunkScan slots given out
	shared    map[*query.Query]*sharedQuery
	usedParam bool // parameter values were folded in
	readOnly  bool
	// repeatable: the statement may be begun twice; keyIDs: some are in the plan.
	repeatable, keyIDs bool
	relations          map[types.OID]bool
	multi              map[*query.SubLink][]query.Expr
	subplans           int
	stats              map[types.OID]*catalog.Stats
	sizes              []TableSize
	segments           map[segmentStatsKey]*catalog.ColumnStats
	rowsMemo           map[rel]float64
	anyOf              ColSet // results of calls that give what the keys of their grouping determine
	nextID             uint32
	perRow             ColSet            // columns that init plans see of the row they run for
	earlyStop          map[*relJoin]bool // joins below a LIMIT, see stopsEarly
	resorted           map[*relSort]bool // sorts repeated above joins, see phys_order.go
	raise              bool              // errors of folding are noted, see fold_errors.go
	quiet              map[*query.Query]bool
	keepOrder          bool // rows must come as PostgreSQL would read them, see rowOrderMatters
	// derivedSel is the selectivity already applied to single tables because of an OR.
	derivedSel map[string]float64

	constError  error
	paramChecks []query.Expr
}

// quietTargets: an unused column of a sub-select in FROM is never computed.
func (p *planner) quietTargets(q *query.Query) {
	if p.quiet == nil {
		p.quiet = map[*query.Query]bool{}
	}
	p.quiet[q] = true
}

// initPlan is an uncorrelated sub-select evaluated once, on demand, into slots.
type initPlan struct {
	rel  rel
	cols []Col
	kind int32 // planpb.InitPlan_Kind
	// perRow: it reads columns of the row that ON CONFLICT found and runs for each
	perRow bool
	slots  []uint32
	types  []types.T
	node   *Node
}

func newPlanner(ctx context.Context, opts Options) *planner {
	if opts.WorkMem <= 0 {
		opts.WorkMem = 64 << 20
	}
	return &planner{ctx: ctx, opts: opts, cat: opts.Catalog, slotOf: map[Col]uint32{}, readOnly: true,
		relations: map[types.OID]bool{}, multi: map[*query.SubLink][]query.Expr{}, stats: map[types.OID]*catalog.Stats{},
		segments: map[segmentStatsKey]*catalog.ColumnStats{}}
}

// planFailure carries an error through the recursive builders to plan.
type planFailure struct{ err error }

func (p *planner) fail(err error) { panic(planFailure{err}) }

func (p *planner) check(err error) {
	if err != nil {
		p.fail(err)
	}
}

func (p *planner) unsupported(format string, args ...any) {
	p.fail(pgerror.Unsupported(format, args...))
}

func (p *planner) bug(format string, args ...any) { p.fail(pgerror.Internal(format, args...)) }

func (p *planner) trace(pass, rule string) {
	if p.opts.Trace != nil {
		p.opts.Trace(pass, rule)
	}
}

func (p *planner) newSlot() uint32 { p.slots++; return p.slots - 1 }

// plan runs all stages.
func (p *planner) plan(q *query.Query) (out *Planned, err error) {
	defer func() {
		if r := recover(); r != nil {
			f, ok := r.(planFailure)
			if !ok {
				panic(r)
			}
			out, err = nil, f.err
		}
	}()
	p.findShared(q)
	root, outs := p.buildStatement(q)
	need := setOf(outs...)
	root = p.optimize(root, need)
	pl := &Planned{Command: q.Command, names: p, ReadOnly: p.readOnly}
	for _, c := range p.ctes {
		p.keepOrder = p.feedsOrdered(root)
		c.node = p.physRoot(c.rel, c.cols, 0)
		c.node.Label = "CTE " + c.name
		pl.CTEs = append(pl.CTEs, c.node)
	}
	for _, ip := range p.inits {
		limit := 0.0
		if ip.kind == initExists {
			limit = 1
		}
		p.keepOrder = ip.kind == initArray
		ip.node = p.physRoot(ip.rel, ip.cols, limit)
		pl.InitPlans = append(pl.InitPlans, ip.node)
	}
	p.keepOrder = false
	pl.Root = p.physRoot(root, outs, p.opts.LimitHint)
	p.distribute(pl)
	p.labelInitPlans()
	p.repeatable = p.readOnly && !p.volatileQuery(q)
	pl.Statement = p.emitStatement(pl.Root, false)
	if p.keyIDs {
		pl.Unnumbered = p.emitStatement(pl.Root, true)
	}
	pl.Columns = p.resultColumns(q)
	pl.Returning = q.Command != query.CmdSelect && len(q.Returning) > 0
	pl.ConstError, pl.paramChecks = p.constError, p.paramChecks
	pl.Cacheable = !p.usedParam && !p.cat.Private()
	pl.Sizes = p.sizes
	for _, oid := range q.Relations {
		p.relations[oid] = true
	}
	for oid := range p.relations {
		pl.Relations = append(pl.Relations, oid)
	}
	return pl, nil
}

// optimize rewrites the trees of the statement, of which r is the main one, in place.
func (p *planner) optimize(r rel, need ColSet) rel {
	settled := 0
	ctes := func() { // unnesting adds to them
		for ; settled < len(p.ctes); settled++ {
			c := p.ctes[settled]
			c.rel = p.settle(c.rel, setOf(c.cols...))
		}
	}
	ctes()
	for i := 0; i < len(p.inits); i++ {
		p.inits[i].rel = p.settle(p.inits[i].rel, setOf(p.inits[i].cols...))
	}
	r = p.settle(r, need)
	ctes()
	p.filterCTEs(r)
	for _, c := range p.ctes {
		c.rel = p.order(c.rel, setOf(c.cols...))
	}
	for _, ip := range p.inits {
		ip.rel = p.order(ip.rel, setOf(ip.cols...))
	}
	return p.order(r, need)
}

func (p *planner) resultColumns(q *query.Query) []ResultColumn {
	list := q.TargetList
	if q.Command != query.CmdSelect {
		list = q.Returning
	}
	var out []ResultColumn
	for _, te := range list {
		if !te.Junk {
			out = append(out, ResultColumn{Name: te.Name, Type: te.Expr.Type(), Table: te.OrigTable, Column: te.OrigColumn})
		}
	}
	return out
}
