package plan

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Sites are the nodes a statement's pieces may run on, by the placement in force.
type Sites struct {
	// Gateway runs what is not beside the data.
	Gateway uint32
	// Storage are the nodes with data tablets.
	Storage []vexec.Site
	// SlotEnds and SlotSites say which of Storage has which slots: SlotSites[i] those
	// below SlotEnds[i] that the ones before do not have.
	SlotEnds, SlotSites []uint32
	// Writes: pieces may change rows.
	Writes bool
}

// Cut is a statement cut at its exchanges. It is immutable and may be run any
// number of times while its Sites are in force.
type Cut struct {
	// Before are run first, in order: init plans whose results travel with pieces. The
	// values are EXEC parameters of what runs after.
	Before []Before
	// Statement is what the gateway runs.
	Statement *planpb.Statement
	sites     *Sites
	pieces    []vexec.Piece
	// slots[i] are the EXEC parameters of init plans that piece i uses.
	slots [][]uint32
}

// Before is an init plan as a statement of its own, which yields one row with the
// values of Slots.
type Before struct {
	Cut
	Slots []uint32
	Types []types.T
}

// Pieces are the statement's pieces, with fragments of their own for one run; an
// exchange stands after those it reads. slots[i] are the EXEC parameters, results
// of the statement's init plans, that piece i needs the values of.
func (c *Cut) Pieces() (pieces []vexec.Piece, slots [][]uint32) {
	for _, p := range c.pieces {
		f := p.Fragment
		p.Fragment = &planpb.Fragment{Version: f.Version, Statement: f.Statement, Output: f.Output, OutputKeys: f.OutputKeys,
			Exchange: f.Exchange, Partitions: f.Partitions, SlotPartitionEnds: f.SlotPartitionEnds, SlotPartitions: f.SlotPartitions}
		pieces = append(pieces, p)
	}
	return pieces, c.slots
}

// Cut cuts a statement with exchanges into what the gateway runs and pieces; the
// cut is kept while the same sites are asked for.
func (pl *Planned) Cut(s *Sites) (*Cut, error) {
	if c := pl.cut.Load(); c != nil && c.sites == s {
		return c, nil
	}
	if len(s.Storage) == 0 {
		return nil, pgerror.Internal("no storage nodes to run a plan on")
	}
	c := &cutter{sites: s, inits: map[uint32]*planpb.InitPlan{}, types: map[uint32]types.T{}, done: map[*planpb.InitPlan]bool{}, split: map[uint32]bool{}}
	c.st = proto.Clone(pl.Statement).(*planpb.Statement)
	for i, ip := range c.st.GetInitPlans() {
		for k, slot := range ip.GetSlots() {
			c.inits[slot] = ip
			c.types[slot] = pl.names.inits[i].types[k]
		}
	}
	main := &Cut{Statement: &planpb.Statement{Root: c.st.GetRoot(), Ctes: c.st.GetCtes(), ExecSlots: c.st.GetExecSlots()}, sites: s}
	// What the pieces of the init plans and CTEs need is not known before all are cut.
	parts := map[*planpb.InitPlan]*Cut{}
	var need []uint32
	for _, ip := range c.st.GetInitPlans() {
		part := &Cut{sites: s}
		c.onGateway(c.cut(part, ip.GetPlan()))
		parts[ip] = part
		for _, slots := range part.slots {
			need = append(need, slots...)
		}
	}
	for _, x := range c.st.GetCtes() {
		c.onGateway(c.cut(main, x.GetPlan()))
	}
	c.onGateway(c.cut(main, c.st.GetRoot()))
	if c.err != nil {
		return nil, c.err
	}
	for _, slots := range main.slots {
		need = append(need, slots...)
	}
	for _, slot := range need {
		c.before(main, parts, c.inits[slot])
	}
	for _, ip := range c.st.GetInitPlans() {
		if !c.done[ip] {
			main.Statement.InitPlans = append(main.Statement.InitPlans, ip)
			main.pieces = append(main.pieces, parts[ip].pieces...)
			main.slots = append(main.slots, parts[ip].slots...)
		}
	}
	pl.cut.Store(main)
	return main, nil
}

type cutter struct {
	sites *Sites
	st    *planpb.Statement
	inits map[uint32]*planpb.InitPlan // by slot
	types map[uint32]types.T
	done  map[*planpb.InitPlan]bool
	// split are the exchanges whose rows are divided among the storage nodes.
	split map[uint32]bool
	err   error
}

// onGateway checks what the gateway reads: it gets one share of rows that are divided, and nobody the others.
func (c *cutter) onGateway(sources []uint32) {
	for _, x := range sources {
		if c.split[x] && c.err == nil {
			c.err = pgerror.Internal("exchange %d divides its rows among storage nodes, but the gateway reads it", x)
		}
	}
}

// before makes an init plan, and those that it reads, run before the statement.
func (c *cutter) before(main *Cut, parts map[*planpb.InitPlan]*Cut, ip *planpb.InitPlan) {
	if c.done[ip] {
		return
	}
	c.done[ip] = true
	part := parts[ip]
	for _, slot := range c.slotsOf(ip.GetPlan()) {
		c.before(main, parts, c.inits[slot])
	}
	for _, slots := range part.slots {
		for _, slot := range slots {
			c.before(main, parts, c.inits[slot])
		}
	}
	row := &planpb.Result{}
	b := Before{Cut: *part, Slots: ip.GetSlots()}
	b.Statement = &planpb.Statement{InitPlans: []*planpb.InitPlan{ip}, ExecSlots: c.st.GetExecSlots(),
		Root: &planpb.Plan{Rows: 1, Op: &planpb.Plan_Result{Result: row}}}
	for _, slot := range ip.GetSlots() {
		t := planpb.NewType(c.types[slot])
		b.Types = append(b.Types, c.types[slot])
		b.Statement.Root.Output = append(b.Statement.Root.Output, t)
		row.Exprs = append(row.Exprs, &planpb.Expr{Type: t, Kind: &planpb.Expr_Param{Param: &planpb.Param{Kind: planpb.Param_EXEC, Index: slot}}})
	}
	main.Before = append(main.Before, b)
}

// cut replaces the exchanges of a plan, in place, by sources and makes pieces of
// their inputs; it gives the exchanges the plan then reads.
func (c *cutter) cut(out *Cut, p *planpb.Plan) (sources []uint32) {
	x := p.GetExchange()
	if x == nil {
		eachInput(p, func(in *planpb.Plan) { sources = append(sources, c.cut(out, in)...) })
		return sources
	}
	inner := c.cut(out, x.GetInput())
	f := &planpb.Fragment{Version: planpb.FragmentVersion, Exchange: x.GetId(), Output: x.GetKind(), OutputKeys: x.GetKeys(), Partitions: 1,
		Statement: &planpb.Statement{Root: x.GetInput(), ExecSlots: c.st.GetExecSlots()}}
	if x.GetKind() != planpb.Exchange_GATHER {
		f.Partitions = uint32(len(c.sites.Storage))
	}
	if x.GetKind() == planpb.Exchange_SLOT {
		f.SlotPartitionEnds, f.SlotPartitions = c.sites.SlotEnds, c.sites.SlotSites
	}
	piece := vexec.Piece{Fragment: f, Sources: inner, Sites: c.sites.Storage}
	switch x.GetKind() {
	case planpb.Exchange_HASH, planpb.Exchange_SLOT:
		c.split[x.GetId()] = len(c.sites.Storage) > 1
	}
	if x.GetOnGateway() {
		c.onGateway(inner)
		piece.Sites = []vexec.Site{{Node: c.sites.Gateway}}
	}
	walkOps(x.GetInput(), func(p *planpb.Plan) {
		m := p.GetModify()
		if m == nil {
			return
		}
		piece.Writes, piece.Table = true, m.GetTable().GetStorageId()
		switch m.GetOp() {
		case planpb.Modify_INSERT:
			piece.Adds = 1
		case planpb.Modify_DELETE:
			piece.Adds = -1
		}
	})
	out.pieces = append(out.pieces, piece)
	out.slots = append(out.slots, c.slotsOf(f))
	p.Op = &planpb.Plan_ExchangeSource{ExchangeSource: &planpb.ExchangeSource{Exchange: x.GetId(), MergeKeys: x.GetMergeKeys()}}
	return []uint32{x.GetId()}
}

// slotsOf lists the slots of init plans that a fragment or plan uses.
func (c *cutter) slotsOf(f proto.Message) (slots []uint32) {
	seen := map[uint32]bool{}
	var visit func(m protoreflect.Message)
	visit = func(m protoreflect.Message) {
		if p, ok := m.Interface().(*planpb.Param); ok {
			if s := p.GetIndex(); p.GetKind() == planpb.Param_EXEC && c.inits[s] != nil && !seen[s] {
				seen[s] = true
				slots = append(slots, s)
			}
			return
		}
		m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			switch {
			case fd.Kind() != protoreflect.MessageKind:
			case fd.IsList():
				for i := range v.List().Len() {
					visit(v.List().Get(i).Message())
				}
			default:
				visit(v.Message())
			}
			return true
		})
	}
	if len(c.inits) > 0 {
		visit(f.ProtoReflect())
	}
	return slots
}

// walkOps visits a plan and everything below it.
func walkOps(p *planpb.Plan, visit func(*planpb.Plan)) {
	visit(p)
	eachInput(p, func(in *planpb.Plan) { walkOps(in, visit) })
}

// eachInput visits the plans directly below p, in the order of their fields; what
// Modify and LockRows re-check by is not among them.
func eachInput(p *planpb.Plan, visit func(*planpb.Plan)) {
	m := p.ProtoReflect()
	op := m.WhichOneof(m.Descriptor().Oneofs().ByName("op"))
	if op == nil {
		return
	}
	m = m.Get(op).Message()
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.Kind() != protoreflect.MessageKind || fd.Message().FullName() != planName || fd.Name() == "recheck" || !m.Has(fd) {
			continue
		}
		if !fd.IsList() {
			visit(m.Get(fd).Message().Interface().(*planpb.Plan))
			continue
		}
		for k := range m.Get(fd).List().Len() {
			visit(m.Get(fd).List().Get(k).Message().Interface().(*planpb.Plan))
		}
	}
}

var planName = (&planpb.Plan{}).ProtoReflect().Descriptor().FullName()
