package vexec

import (
	"context"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// hashJoinOp builds a hash table of its right input and probes it with the
// left. Output order: the left input's, matches of one row in build order; rows
// of the right side that RIGHT, FULL and the RIGHT_ types add come last. NULL
// keys match nothing unless the pair is null_equal. Beyond the budget both
// inputs are split by hash into partitions on disk that are joined one after
// the other (grace join), recursively; where rows cannot be cut by hash the right
// side is taken a memoryful at a time (pass join).
type hashJoinOp struct {
	w           *worker
	id          uint32
	spec        joinSpec
	left, right operator
	rightPlan   *planpb.Plan
	leftKeys    []*expr.Expr
	rightKeys   []*expr.Expr
	nullEqual   []bool
	keySpec     *kernel.KeySpec
	mem         *memory
	level       int         // of partitioning
	facts       *rightFacts // of the whole right side, when this joins a partition of it

	phase   joinPhase
	table   *joinTable
	probe   *joinProbe
	tail    *tailScan
	spilled spilledJoin
	leftEnd bool
}

// spilledJoin does the join when the right side exceeds the budget.
type spilledJoin interface {
	next(ctx context.Context) (*Batch, error)
	close()
}

type joinPhase uint8

const (
	joinBuild joinPhase = iota
	joinProbing
	joinTail
	joinDone
)

// joinSpec is what all join operators share.
type joinSpec struct {
	typ      planpb.JoinType
	leftTs   []types.T
	rightTs  []types.T
	residual *expr.Expr
}

// leftOnly: the output has left columns only; rightOnly likewise.
func (s *joinSpec) leftOnly() bool {
	switch s.typ {
	case planpb.JoinType_SEMI, planpb.JoinType_ANTI, planpb.JoinType_NULL_AWARE_ANTI, planpb.JoinType_MARK:
		return true
	}
	return false
}

func (s *joinSpec) rightOnly() bool {
	return s.typ == planpb.JoinType_RIGHT_SEMI || s.typ == planpb.JoinType_RIGHT_ANTI
}

// keepsLeft: unmatched left rows come out with NULLs.
func (s *joinSpec) keepsLeft() bool {
	return s.typ == planpb.JoinType_LEFT || s.typ == planpb.JoinType_FULL || s.typ == planpb.JoinType_SINGLE
}

// tracksRight: it matters which right rows found a match.
func (s *joinSpec) tracksRight() bool {
	return s.typ == planpb.JoinType_RIGHT || s.typ == planpb.JoinType_FULL || s.rightOnly()
}

// joinTable is a built right side.
type joinTable struct {
	rows      *Batch // all rows, dense
	table     *kernel.Table
	start     []int32 // rows of key k are list[start[k]:start[k+1]]
	list      []int32
	unique    bool // every key has one row: list is the identity by key
	matched   []bool
	partition bool // of a right side that has rows elsewhere
	hasNull   bool // some row has a NULL in a key that is not null_equal
	// exact NULL semantics of MARK and NULL_AWARE_ANTI: the keys, and the rows with a NULL in one
	keys     []arrow.Array
	nullRows []int32
	bytes    int64
}

// rightFacts is what MARK and NULL_AWARE_ANTI must know of a right side that is
// joined in partitions: it has rows, and perhaps a NULL.
type rightFacts struct{ hasNull bool }

func newHashJoin(w *worker, p *planpb.Plan, j *planpb.HashJoin) (operator, error) {
	left, err := w.build(j.GetLeft())
	if err != nil {
		return nil, err
	}
	op := &hashJoinOp{w: w, id: p.GetId(), left: left, rightPlan: j.GetRight(), mem: w.memory(p, "Hash Join"),
		spec: joinSpec{typ: j.GetType(), leftTs: outputTypes(j.GetLeft()), rightTs: outputTypes(j.GetRight())}}
	if w.pool == nil {
		if op.right, err = w.build(j.GetRight()); err != nil {
			return nil, err
		}
	}
	if op.leftKeys, err = w.compileAll(j.GetLeftKeys()); err != nil {
		return nil, err
	}
	if op.rightKeys, err = w.compileAll(j.GetRightKeys()); err != nil {
		return nil, err
	}
	if len(op.leftKeys) != len(op.rightKeys) {
		return nil, pgerror.Internal("hash join with %d and %d keys", len(op.leftKeys), len(op.rightKeys))
	}
	op.nullEqual = make([]bool, len(op.leftKeys))
	copy(op.nullEqual, j.GetNullEqual())
	op.keySpec = kernel.NewKeySpec(exprTypes(op.rightKeys))
	op.spec.residual, err = w.compile(j.GetResidual())
	return op, err
}

func (j *hashJoinOp) open(ctx context.Context) error {
	j.reset()
	return j.left.open(ctx)
}

func (j *hashJoinOp) reset() {
	j.phase, j.table, j.probe, j.tail, j.leftEnd = joinBuild, nil, nil, nil, false
	if j.spilled != nil {
		j.spilled.close()
		j.spilled = nil
	}
	j.mem.free()
}

func (j *hashJoinOp) close() {
	j.reset()
	j.left.close()
	if j.right != nil {
		j.right.close()
	}
}

func (j *hashJoinOp) next(ctx context.Context) (*Batch, error) {
	if j.phase == joinBuild {
		if err := j.build(ctx); err != nil {
			return nil, err
		}
		j.phase = joinProbing
	}
	if j.spilled != nil {
		return j.spilled.next(ctx)
	}
	for j.phase == joinProbing {
		b, err := j.probe.next(ctx)
		if err != nil || b != nil {
			return b, err
		}
		lb, err := j.left.next(ctx)
		if err != nil {
			return nil, err
		}
		if lb == nil {
			j.left.close()
			j.phase, j.tail = joinTail, &tailScan{spec: &j.spec, t: j.table, size: rowsWithin(j.w.q.env.BatchSize, j.table.rows)}
			break
		}
		if err := j.probe.start(lb); err != nil {
			return nil, err
		}
	}
	if j.phase == joinTail {
		if b := j.tail.next(); b != nil {
			return b, nil
		}
		j.phase = joinDone
	}
	return nil, ctx.Err()
}

// build reads the right side.
func (j *hashJoinOp) build(ctx context.Context) error {
	if j.w.pool != nil {
		return j.buildShared(ctx)
	}
	if err := j.right.open(ctx); err != nil {
		return err
	}
	var batches []*Batch
	size := int64(0)
	for {
		b, err := j.right.next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		b = dense(b)
		batches = append(batches, b)
		size += batchBytes(b)
		j.mem.set(size + 24*int64(b.N))
		if j.mem.over() && j.canSpill() {
			g, err := newGraceJoin(ctx, j, batches)
			if err != nil {
				return err
			}
			j.spilled = g
			return nil
		}
		if j.level == passLevel {
			continue // a memoryful, as measured by the pass join
		}
		if j.mem.over() {
			p, err := newPassJoin(ctx, j, batches, j.right)
			if err != nil {
				return err
			}
			j.spilled = p
			return nil
		}
	}
	j.right.close()
	t, err := j.buildTable(batches)
	if err != nil {
		return err
	}
	j.table = t
	j.mem.set(t.bytes)
	j.probe = newJoinProbe(j, t)
	j.w.q.env.Stats.update(j.id, func(o *OpStats) { o.HashBuckets, o.HashBatches = int64(t.table.Len()), 1 })
	return nil
}

// canSpill: where NULLs have to be looked at pair by pair, all rows must be there.
func (j *hashJoinOp) canSpill() bool {
	return len(j.rightKeys) > 0 && j.level < graceLevelsMax && !j.exactNulls()
}

// exactNulls: whether a pair of rows is unknown depends on more than one key, so
// NULLs have to be looked at pair by pair.
func (j *hashJoinOp) exactNulls() bool {
	if j.spec.typ != planpb.JoinType_MARK && j.spec.typ != planpb.JoinType_NULL_AWARE_ANTI {
		return false
	}
	// Where NULL matches NULL in every key, only the residual can be unknown.
	return (len(j.rightKeys) > 1 || j.spec.residual != nil) && slices.Contains(j.nullEqual, false)
}

// skips marks the rows with a NULL in a key that does not match NULL.
func (j *hashJoinOp) skips(keys []arrow.Array, n int) []bool {
	var skip []bool
	for k, c := range keys {
		if j.nullEqual[k] || c.NullN() == 0 {
			continue
		}
		if skip == nil {
			skip = make([]bool, n)
		}
		v := kernel.Valid(c)
		for i := range skip {
			if !v.Get(i) {
				skip[i] = true
			}
		}
	}
	return skip
}

// buildTable hashes dense batches of the right side.
func (j *hashJoinOp) buildTable(batches []*Batch) (*joinTable, error) {
	t := &joinTable{}
	if len(batches) == 0 {
		t.rows = &Batch{Cols: make([]arrow.Array, len(j.spec.rightTs))}
		for c, ty := range j.spec.rightTs {
			t.rows.Cols[c] = kernel.Nulls(ty, 0)
		}
	} else {
		t.rows = concatBatches(j.spec.rightTs, batches)
	}
	if j.facts != nil {
		t.hasNull, t.partition = j.facts.hasNull, true
	}
	n := t.rows.N
	t.table = kernel.NewTable(j.keySpec, n)
	numbers := make([]int32, n)
	env := j.w.frame.Ctx.Env
	var enc kernel.Keys
	const step = 16384
	var parts []*Batch
	for lo := 0; lo < n; lo += step {
		hi := min(lo+step, n)
		part := sliced(t.rows, lo, hi)
		keys, err := evalAll(j.w.frame, j.rightKeys, input(part))
		if err != nil {
			return nil, err
		}
		skip := j.skips(keys, part.N)
		if len(keys) == 0 {
			continue // every row has the one empty key, number 0
		}
		j.keySpec.Encode(env, &enc, keys, part.N)
		t.table.Insert(&enc, skip, numbers[lo:hi], nil)
		if skip != nil {
			t.hasNull = true
		}
		if j.exactNulls() {
			for i, s := range skip {
				if s {
					t.nullRows = append(t.nullRows, int32(lo+i))
				}
			}
			parts = append(parts, &Batch{Cols: keys, N: part.N})
		}
	}
	if parts != nil {
		t.keys = concatBatches(j.keySpec.Types, parts).Cols
	}
	distinct := t.table.Len()
	if len(j.rightKeys) == 0 {
		distinct = min(n, 1)
	}
	t.index(numbers, distinct)
	if j.spec.tracksRight() {
		t.matched = make([]bool, n)
	}
	t.bytes = batchBytes(t.rows) + t.table.Size() + 4*int64(len(t.list)+len(t.start)) + int64(len(t.matched))
	return t, nil
}

// index lists the rows of each key together, in their order.
func (t *joinTable) index(numbers []int32, distinct int) {
	t.start = make([]int32, distinct+1)
	kept := 0
	for _, k := range numbers {
		if k >= 0 {
			t.start[k+1]++
			kept++
		}
	}
	t.unique = kept == distinct
	for k := range distinct {
		t.start[k+1] += t.start[k]
	}
	t.list = make([]int32, kept)
	at := append([]int32{}, t.start[:distinct]...)
	for i, k := range numbers {
		if k >= 0 {
			t.list[at[k]] = int32(i)
			at[k]++
		}
	}
}

// joinProbe joins one left batch after the other with a table.
type joinProbe struct {
	j       *hashJoinOp
	t       *joinTable
	env     *types.Env
	enc     kernel.Keys
	numbers []int32

	b       *Batch // dense left batch in work, nil: none
	cur     *Batch // the batch nullMark speaks of
	keys    []arrow.Array
	cmps    []kernel.RowCompare // of keys with the table's, once needed
	nullKey []bool
	row     int   // next left row
	off     int32 // next match of that row
	state   *leftState
}

func newJoinProbe(j *hashJoinOp, t *joinTable) *joinProbe {
	return &joinProbe{j: j, t: t, env: j.w.frame.Ctx.Env}
}

// start takes a left batch.
func (p *joinProbe) start(b *Batch) error {
	if p.j.needsDense() {
		b = dense(b)
	}
	in := input(b)
	keys, err := evalAll(p.j.w.frame, p.j.leftKeys, in)
	if err != nil {
		return err
	}
	n := in.N
	if cap(p.numbers) < n {
		p.numbers = make([]int32, n)
	}
	p.numbers = p.numbers[:n]
	p.nullKey = p.j.skips(keys, n)
	if len(keys) == 0 {
		for i := range p.numbers {
			p.numbers[i] = int32(len(p.t.start)) - 2 // 0, or −1 for an empty right side
		}
	} else {
		p.j.keySpec.Encode(p.env, &p.enc, keys, n)
		p.t.table.Find(&p.enc, p.nullKey, p.numbers)
	}
	p.b, p.cur, p.keys, p.cmps, p.row, p.off = b, b, keys, nil, 0, 0
	p.state = newLeftState(&p.j.spec, n)
	return nil
}

// needsDense: pairs of rows are gathered, so a selection would be in the way.
func (j *hashJoinOp) needsDense() bool {
	return !(j.spec.residual == nil && j.spec.leftOnly())
}

// next gives joined rows of the batch in work, nil when it is done. A batch may have any number
// of pairs that come to nothing.
func (p *joinProbe) next(ctx context.Context) (*Batch, error) {
	if p.b == nil {
		return nil, nil
	}
	spec := &p.j.spec
	if spec.residual == nil && spec.leftOnly() {
		b := p.b
		p.b = nil
		return p.leftOnly(b), nil
	}
	for p.b != nil {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		size := rowsWithin(p.j.w.q.env.BatchSize, p.b, p.t.rows)
		left, right := make([]int32, 0, size), make([]int32, 0, size)
		for p.row < len(p.numbers) && len(left) < size {
			k := p.numbers[p.row]
			if k < 0 {
				p.row++
				continue
			}
			rows := p.t.list[p.t.start[k]+p.off : p.t.start[k+1]]
			take := min(len(rows), size-len(left))
			for _, r := range rows[:take] {
				left, right = append(left, int32(p.row)), append(right, r)
			}
			if take < len(rows) {
				p.off += int32(take)
			} else {
				p.row, p.off = p.row+1, 0
			}
		}
		last := p.row >= len(p.numbers)
		b := p.b
		if last {
			p.b = nil
		}
		out, err := p.state.emit(p.j.w, p.t, b, left, right, last, func(i int) bool { return p.nullMark(i) })
		if err != nil {
			return nil, err
		}
		if out != nil && out.Rows() > 0 {
			return out, nil
		}
	}
	return nil, nil
}

// nullMark: without a true match, x IN (…) is NULL for left row i.
func (p *joinProbe) nullMark(i int) bool {
	if p.t.rows.N == 0 && !p.t.partition {
		return false
	}
	null := p.nullKey != nil && p.nullKey[i]
	if !p.j.exactNulls() {
		return null || p.t.hasNull
	}
	if !null {
		return p.anyUnknown(i, p.t.nullRows)
	}
	all := make([]int32, p.t.rows.N)
	for r := range all {
		all[r] = int32(r)
	}
	return p.anyUnknown(i, all)
}

// anyUnknown: some pair of left row i with a right row of rows is neither true nor
// false: no key differs, a key is NULL, and the residual is not false.
func (p *joinProbe) anyUnknown(i int, rows []int32) bool {
	var left, right []int32
	if p.cmps == nil {
		for k, c := range p.keys {
			p.cmps = append(p.cmps, kernel.Comparer(p.env, p.j.keySpec.Types[k], c, p.t.keys[k]))
		}
	}
	for _, r := range rows {
		differs := false
		for k, c := range p.keys {
			if c.IsNull(i) || p.t.keys[k].IsNull(int(r)) {
				continue
			}
			if p.cmps[k](i, int(r)) != 0 {
				differs = true
				break
			}
		}
		if !differs {
			left, right = append(left, int32(i)), append(right, r)
		}
	}
	if len(left) == 0 || p.j.spec.residual == nil {
		return len(left) > 0
	}
	b := dense(p.cur)
	in := input(&Batch{Cols: append(kernel.TakeCols(b.Cols, left), kernel.TakeCols(p.t.rows.Cols, right)...), N: len(left)})
	v, err := p.j.spec.residual.Eval(p.j.w.frame, in)
	if err != nil {
		panic(err)
	}
	val, valid := kernel.Bools(v), kernel.Valid(v)
	for k := range left {
		if !valid.Get(k) || val.Get(k) {
			return true
		}
	}
	return false
}

// leftOnly answers SEMI, ANTI, NULL_AWARE_ANTI and MARK without a residual:
// finding the key is enough. b keeps its selection.
func (p *joinProbe) leftOnly(b *Batch) *Batch {
	typ := p.j.spec.typ
	if typ == planpb.JoinType_MARK {
		state := make([]byte, len(p.numbers))
		for i, k := range p.numbers {
			switch {
			case k >= 0:
				state[i] = 1
			case p.nullMark(i):
				state[i] = 2
			}
		}
		b = dense(b)
		return &Batch{Cols: append(append([]arrow.Array{}, b.Cols...), kernel.BoolsFromStates(state)), N: b.N}
	}
	if typ == planpb.JoinType_NULL_AWARE_ANTI && p.t.hasNull && !p.j.exactNulls() {
		return nil
	}
	keep := make([]int32, 0, len(p.numbers))
	for i, k := range p.numbers {
		hit := k >= 0
		switch typ {
		case planpb.JoinType_ANTI:
			hit = !hit
		case planpb.JoinType_NULL_AWARE_ANTI:
			hit = !hit && !p.nullMark(i)
		}
		if hit {
			keep = append(keep, int32(i))
		}
	}
	if len(keep) == 0 {
		return nil
	}
	return narrowed(b, keep)
}
