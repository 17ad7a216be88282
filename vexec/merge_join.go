package vexec

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// mergeJoinOp joins inputs that are sorted on the keys (ascending, NULLs last).
// Output order: the keys'; left rows keep their order and so do the right rows
// that one of them meets; the rows that RIGHT, FULL and the RIGHT_ types add
// come where their key has been passed. NULL keys match nothing. Memory: a batch
// of each input. Right rows of one key are kept until the left side has passed
// it: those within one batch are used in place, more go to a rowStore, which
// spills. All types but MARK and NULL_AWARE_ANTI, which have to know whether the
// right side has a NULL before the first row leaves.
type mergeJoinOp struct {
	w           *worker
	spec        joinSpec
	left, right mergeSide
	specs       []kernel.SortSpec // of the keys
	mem         *memory

	phase   mergePhase
	cmp     kernel.RowCompare // left.b's keys against right.b's
	group   mergeGroup
	pending mergePending
}

type mergePhase uint8

const (
	mergeAdvance   mergePhase = iota // looking for equal keys
	mergeGroupRows                   // left rows meet the group
	mergeGroupTail                   // the group's rows that found no match, or did
	mergeDone
)

// mergeSide is one input and the place in it.
type mergeSide struct {
	in      operator
	keyOf   []*expr.Expr
	b       *Batch // dense; nil: to be read
	keys    []arrow.Array
	nullKey []bool // rows with a NULL key; nil: none
	matched []bool // of b's rows
	same    kernel.RowCompare
	at      int
	end     bool
}

// mergeGroup is the right rows of one key: rows lo … hi−1 of the right batch, or a store.
type mergeGroup struct {
	store   *rowStore
	keys    []arrow.Array // row of the key, with store
	cmp     kernel.RowCompare
	lo, hi  int
	matched [][]bool // by batch of store
	paired  bool     // some left row has met all of it

	at    int // batch that is looked at
	row   int // its next row
	cur   *Batch
	curAt int
}

// mergePending is what is to be given out, in order: pairs (l, r), the end of left
// row (l, −1) and of right row (−1, r). All right numbers are of one batch.
type mergePending struct {
	l, r    []int32
	right   *Batch
	matched []bool // of right's rows
}

func newMergeJoin(w *worker, p *planpb.Plan, m *planpb.MergeJoin) (operator, error) {
	op := &mergeJoinOp{w: w, mem: w.memory(p, "Merge Join"),
		spec: joinSpec{typ: m.GetType(), leftTs: outputTypes(m.GetLeft()), rightTs: outputTypes(m.GetRight())}}
	switch {
	case op.spec.typ == planpb.JoinType_MARK || op.spec.typ == planpb.JoinType_NULL_AWARE_ANTI:
		return nil, pgerror.Unsupported("merge join of type %s", op.spec.typ)
	case op.spec.tracksRight() && w.parts > 1:
		return nil, pgerror.Unsupported("merge join of type %s in parallel", op.spec.typ)
	case len(m.GetLeftKeys()) != len(m.GetRightKeys()) || len(m.GetLeftKeys()) == 0:
		return nil, pgerror.Internal("merge join with %d and %d keys", len(m.GetLeftKeys()), len(m.GetRightKeys()))
	}
	var err error
	if op.left.in, err = w.build(m.GetLeft()); err != nil {
		return nil, err
	}
	if op.right.in, err = w.serial().build(m.GetRight()); err != nil {
		return nil, err
	}
	if op.left.keyOf, err = w.compileAll(m.GetLeftKeys()); err != nil {
		return nil, err
	}
	if op.right.keyOf, err = w.compileAll(m.GetRightKeys()); err != nil {
		return nil, err
	}
	for _, e := range op.right.keyOf {
		op.specs = append(op.specs, kernel.SortSpec{Type: e.Type})
	}
	op.spec.residual, err = w.compile(m.GetResidual())
	return op, err
}

func (m *mergeJoinOp) open(ctx context.Context) error {
	m.reset()
	if err := m.left.in.open(ctx); err != nil {
		return err
	}
	return m.right.in.open(ctx)
}

func (m *mergeJoinOp) reset() {
	m.phase, m.cmp, m.pending = mergeAdvance, nil, mergePending{}
	for _, s := range []*mergeSide{&m.left, &m.right} {
		*s = mergeSide{in: s.in, keyOf: s.keyOf}
	}
	m.dropGroup()
	m.mem.free()
}

func (m *mergeJoinOp) dropGroup() {
	if m.group.store != nil {
		m.group.store.clear()
		m.mem.free()
	}
	m.group = mergeGroup{}
}

func (m *mergeJoinOp) close() {
	m.reset()
	m.left.in.close()
	m.right.in.close()
}

// ready reports that the side has a row, reading its next batch if need be.
func (s *mergeSide) ready(ctx context.Context, m *mergeJoinOp) (bool, error) {
	for s.b == nil || s.at >= s.b.N {
		if s.end {
			return false, nil
		}
		b, err := s.in.next(ctx)
		if err != nil {
			return false, err
		}
		if b == nil {
			s.end, s.b = true, nil
			s.in.close()
			return false, nil
		}
		s.b, s.at = flattened(dense(b)), 0
		if s.keys, err = evalAll(m.w.frame, s.keyOf, input(s.b)); err != nil {
			return false, err
		}
		s.nullKey = nil
		for k, c := range s.keys {
			if c.DataType().ID() == arrow.DICTIONARY {
				s.keys[k] = kernel.Flatten(c)
			}
			if c.NullN() == 0 {
				continue
			}
			if s.nullKey == nil {
				s.nullKey = make([]bool, s.b.N)
			}
			v := kernel.Valid(s.keys[k])
			for i := range s.nullKey {
				if !v.Get(i) {
					s.nullKey[i] = true
				}
			}
		}
		s.matched = make([]bool, s.b.N)
		s.same = compareKeys(m.w, m.specs, s.keys, s.keys)
		m.cmp, m.group.cmp = nil, nil
	}
	return true, nil
}

// spent: the next row is in a batch that is not read yet.
func (s *mergeSide) spent() bool { return !s.end && (s.b == nil || s.at >= s.b.N) }

func (s *mergeSide) null() bool { return s.nullKey != nil && s.nullKey[s.at] }

func (m *mergeJoinOp) next(ctx context.Context) (*Batch, error) {
	for {
		var b *Batch
		err := ctx.Err()
		if err != nil {
			return nil, err
		}
		size := rowsWithin(m.w.q.env.BatchSize, m.left.b, m.pending.right)
		if m.left.spent() || len(m.pending.l) >= size { // what is pending speaks of the left batch that is about to go
			if b, err = m.flush(); err != nil || b != nil {
				return b, err
			}
		}
		switch m.phase {
		case mergeAdvance:
			b, err = m.advance(ctx, size)
		case mergeGroupRows:
			b, err = m.groupRows(ctx, size)
		case mergeGroupTail:
			b, err = m.groupTail(size)
		case mergeDone:
			return m.flush()
		}
		if err != nil || b != nil {
			return b, err
		}
	}
}

// advance passes rows that match nothing until a key is met on both sides.
func (m *mergeJoinOp) advance(ctx context.Context, size int) (*Batch, error) {
	l, r := &m.left, &m.right
	for len(m.pending.l) == 0 || len(m.pending.l) < size && !l.spent() {
		lok, err := l.ready(ctx, m)
		if err != nil {
			return nil, err
		}
		rok, err := r.ready(ctx, m)
		if err != nil {
			return nil, err
		}
		needsLeft := m.spec.keepsLeft() || m.spec.typ == planpb.JoinType_ANTI
		if !lok && !(rok && m.spec.tracksRight()) || !rok && !needsLeft {
			m.phase = mergeDone
			return nil, nil
		}
		if rok {
			if b, err := m.aim(r.b, r.matched); err != nil || b != nil {
				return b, err
			}
		}
		c := 0
		switch {
		case !rok || lok && l.null():
			c = -1
		case !lok || r.null():
			c = 1
		default:
			if m.cmp == nil {
				m.cmp = compareKeys(m.w, m.specs, l.keys, r.keys)
			}
			c = m.cmp(l.at, r.at)
		}
		switch {
		case c < 0:
			m.push(l.at, -1)
			l.at++
		case c > 0:
			m.push(-1, r.at)
			r.at++
		default:
			m.phase = mergeGroupRows
			return nil, m.openGroup(ctx)
		}
	}
	return nil, nil
}

// openGroup takes the right rows of the key that the next rows of both sides have.
func (m *mergeJoinOp) openGroup(ctx context.Context) error {
	r, g := &m.right, &m.group
	lo, hi := r.at, r.at+1
	for hi < r.b.N && r.same(lo, hi) == 0 {
		hi++
	}
	if hi < r.b.N {
		*g = mergeGroup{lo: lo, hi: hi}
		return nil
	}
	*g = mergeGroup{store: &rowStore{mem: m.mem, ts: m.spec.rightTs}, keys: kernel.TakeCols(r.keys, []int32{int32(lo)})}
	var pieces []*Batch
	rows := 0
	put := func() error {
		if rows == 0 {
			return nil
		}
		b := *concatBatches(m.spec.rightTs, pieces) // a batch of its own: aim tells batches apart
		if err := g.store.add(&b); err != nil {
			return err
		}
		if m.spec.tracksRight() {
			g.matched = append(g.matched, make([]bool, rows))
			m.mem.add(int64(rows))
		}
		pieces, rows = nil, 0
		return nil
	}
	for {
		pieces, rows = append(pieces, sliced(r.b, lo, hi)), rows+hi-lo
		r.at = hi
		if rows >= m.w.q.env.BatchSize {
			if err := put(); err != nil {
				return err
			}
		}
		if hi < r.b.N {
			break
		}
		ok, err := r.ready(ctx, m)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		same := compareKeys(m.w, m.specs, g.keys, r.keys)
		for lo, hi = 0, 0; hi < r.b.N && same(0, hi) == 0; hi++ {
		}
		if hi == 0 {
			break
		}
	}
	return put()
}

// batches is the number of the group's batches.
func (g *mergeGroup) batches() int {
	if g.store == nil {
		return 1
	}
	return g.store.len()
}

// batch gives batch i of the group, the rows of it that belong, and what is known of them.
func (m *mergeJoinOp) batch(i int) (b *Batch, matched []bool, lo, hi int, err error) {
	g := &m.group
	if g.store == nil {
		return m.right.b, m.right.matched, g.lo, g.hi, nil
	}
	if g.cur == nil || g.curAt != i {
		if g.cur, err = g.store.get(i); err != nil {
			return nil, nil, 0, 0, err
		}
		g.curAt = i
	}
	if g.matched != nil {
		matched = g.matched[i]
	}
	return g.cur, matched, 0, g.cur.N, nil
}

// inGroup reports that the next left row has the group's key.
func (m *mergeJoinOp) inGroup() bool {
	l, g := &m.left, &m.group
	if l.null() {
		return false
	}
	if g.store == nil {
		if m.cmp == nil {
			m.cmp = compareKeys(m.w, m.specs, l.keys, m.right.keys)
		}
		return m.cmp(l.at, g.lo) == 0
	}
	if g.cmp == nil {
		g.cmp = compareKeys(m.w, m.specs, l.keys, g.keys)
	}
	return g.cmp(l.at, 0) == 0
}

// groupRows pairs left rows with the group, one after the other.
func (m *mergeJoinOp) groupRows(ctx context.Context, size int) (*Batch, error) {
	l, g := &m.left, &m.group
	once := m.spec.residual == nil && m.spec.leftOnly() // one pair says it all
	for {
		ok, err := l.ready(ctx, m)
		if err != nil {
			return nil, err
		}
		if !ok || !m.inGroup() {
			m.phase, g.at, g.row = mergeGroupTail, 0, 0
			return nil, nil
		}
		for g.at < g.batches() && !(g.paired && m.spec.residual == nil && m.spec.rightOnly()) {
			b, matched, lo, hi, err := m.batch(g.at)
			if err != nil {
				return nil, err
			}
			if out, err := m.aim(b, matched); err != nil || out != nil {
				return out, err
			}
			g.row = max(g.row, lo)
			for ; g.row < hi && len(m.pending.l) < size; g.row++ {
				m.push(l.at, g.row)
				if once {
					g.at, g.row = g.batches(), hi
					break
				}
			}
			if g.row < hi {
				return nil, nil // full
			}
			g.at, g.row = g.at+1, 0
		}
		m.push(l.at, -1)
		l.at++
		g.at, g.row, g.paired = 0, 0, true
		if l.spent() || len(m.pending.l) >= size {
			return nil, nil
		}
	}
}

// groupTail ends the group's rows.
func (m *mergeJoinOp) groupTail(size int) (*Batch, error) {
	g := &m.group
	for m.spec.tracksRight() && g.at < g.batches() {
		b, matched, lo, hi, err := m.batch(g.at)
		if err != nil {
			return nil, err
		}
		if out, err := m.aim(b, matched); err != nil || out != nil {
			return out, err
		}
		for g.row = max(g.row, lo); g.row < hi && len(m.pending.l) < size; g.row++ {
			m.push(-1, g.row)
		}
		if g.row < hi {
			return nil, nil
		}
		g.at, g.row = g.at+1, 0
	}
	if g.store == nil {
		m.right.at = g.hi
	}
	m.dropGroup()
	m.phase = mergeAdvance
	return nil, nil
}

// aim says of which right batch the numbers to come are. What is pending of another leaves first.
func (m *mergeJoinOp) aim(b *Batch, matched []bool) (*Batch, error) {
	p := &m.pending
	if p.right == b {
		return nil, nil
	}
	out, err := m.flush()
	p.right, p.matched = b, matched
	return out, err
}

func (m *mergeJoinOp) push(l, r int) {
	m.pending.l, m.pending.r = append(m.pending.l, int32(l)), append(m.pending.r, int32(r))
}

// flush turns what is pending into output, nil when nothing comes of it.
func (m *mergeJoinOp) flush() (*Batch, error) {
	p, typ := &m.pending, m.spec.typ
	if len(p.l) == 0 {
		return nil, nil
	}
	holds, err := m.residual()
	if err != nil {
		return nil, err
	}
	pairs := !m.spec.leftOnly() && !m.spec.rightOnly()
	var left, right []int32
	for k, l := range p.l {
		r, out := p.r[k], false
		switch {
		case l >= 0 && r >= 0:
			if holds != nil && !holds[k] {
				continue
			}
			if typ == planpb.JoinType_SINGLE && m.left.matched[l] {
				return nil, moreThanOneRow()
			}
			m.left.matched[l] = true
			if p.matched != nil {
				p.matched[r] = true
			}
			out = pairs
		case l >= 0:
			hit := m.left.matched[l]
			out = hit && typ == planpb.JoinType_SEMI || !hit && (typ == planpb.JoinType_ANTI || m.spec.keepsLeft())
		default:
			hit := p.matched[r]
			out = hit && typ == planpb.JoinType_RIGHT_SEMI || !hit && (typ == planpb.JoinType_RIGHT_ANTI || typ == planpb.JoinType_RIGHT || typ == planpb.JoinType_FULL)
		}
		if out {
			left, right = append(left, l), append(right, r)
		}
	}
	p.l, p.r = p.l[:0], p.r[:0]
	if len(left) == 0 {
		return nil, nil
	}
	out := &Batch{N: len(left)}
	if !m.spec.rightOnly() {
		out.Cols = append(out.Cols, takeOrNulls(m.left.b, left, m.spec.leftTs)...)
	}
	if !m.spec.leftOnly() {
		out.Cols = append(out.Cols, takeOrNulls(p.right, right, m.spec.rightTs)...)
	}
	return out, nil
}

// residual tells of each pending pair whether the residual holds; nil: of all.
func (m *mergeJoinOp) residual() ([]bool, error) {
	p := &m.pending
	if m.spec.residual == nil {
		return nil, nil
	}
	holds := make([]bool, len(p.l))
	var at, left, right []int32
	for k, l := range p.l {
		if l >= 0 && p.r[k] >= 0 {
			at, left, right = append(at, int32(k)), append(left, l), append(right, p.r[k])
		}
	}
	if len(at) == 0 {
		return holds, nil
	}
	cols := append(kernel.TakeCols(m.left.b.Cols, left), kernel.TakeCols(p.right.Cols, right)...)
	keep, err := m.spec.residual.Filter(m.w.frame, input(&Batch{Cols: cols, N: len(at)}))
	if err != nil {
		return nil, err
	}
	if keep == nil {
		for _, k := range at {
			holds[k] = true
		}
	}
	for _, i := range keep {
		holds[at[i]] = true
	}
	return holds, nil
}

// takeOrNulls gathers rows of b; −1 and rows of no batch are NULL.
func takeOrNulls(b *Batch, rows []int32, ts []types.T) []arrow.Array {
	if b != nil {
		return kernel.TakeCols(b.Cols, rows)
	}
	out := make([]arrow.Array, len(ts))
	for c, t := range ts {
		out[c] = kernel.Nulls(t, len(rows))
	}
	return out
}
