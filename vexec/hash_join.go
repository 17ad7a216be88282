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
	probes      [][]*scanProbe // by key: scans of the left side to tell of the right side's keys
	need        []bool         // output columns that are asked for; nil: all
	coded       bool           // text may come out dictionary-coded
	fleeting    bool           // output is done with when the next is asked for
	level       int            // of partitioning
	facts       *rightFacts    // of the whole right side, when this joins a partition of it

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
	// needLeft and needRight are the columns of the output that are asked for, nil: all;
	// the others come out nil.
	needLeft, needRight []bool
	readLeft, readRight []bool // by the residual (reads)
}

// reads are the columns of either input that the residual looks at.
func (s *joinSpec) reads() (left, right []bool) {
	if s.readLeft == nil {
		s.readLeft, s.readRight = make([]bool, len(s.leftTs)), make([]bool, len(s.rightTs))
		for _, c := range s.residual.Columns() {
			if c < len(s.leftTs) {
				s.readLeft[c] = true
			} else {
				s.readRight[c-len(s.leftTs)] = true
			}
		}
	}
	return s.readLeft, s.readRight
}

// needs takes what the parent asks for.
func (s *joinSpec) needs(need []bool) {
	if need == nil {
		need = make([]bool, len(s.leftTs)+len(s.rightTs)+1)
		for i := range need {
			need[i] = true
		}
	}
	switch {
	case s.rightOnly():
		s.needLeft, s.needRight = make([]bool, len(s.leftTs)), need[:len(s.rightTs)]
	case s.leftOnly():
		s.needLeft, s.needRight = need[:len(s.leftTs)], make([]bool, len(s.rightTs))
	default:
		s.needLeft, s.needRight = need[:len(s.leftTs)], need[len(s.leftTs):][:len(s.rightTs)]
	}
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

// rightFacts is what MARK and NULL_AWARE_ANTI must know of a right side that is
// joined in partitions: it has rows, and perhaps a NULL.
type rightFacts struct{ hasNull bool }

func newHashJoin(w *worker, p *planpb.Plan, j *planpb.HashJoin) (operator, error) {
	op := &hashJoinOp{w: w, id: p.GetId(), rightPlan: j.GetRight(), mem: w.memory(p, "Hash Join"), coded: w.coded, need: w.need, fleeting: w.fleeting,
		spec: joinSpec{typ: j.GetType(), leftTs: outputTypes(j.GetLeft()), rightTs: outputTypes(j.GetRight())}}
	var err error
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
	if op.keySpec = kernel.NewMatchKeySpec(exprTypes(op.rightKeys)); slices.Contains(op.nullEqual, true) {
		op.keySpec = kernel.NewKeySpec(exprTypes(op.rightKeys))
	}
	if op.spec.residual, err = w.compile(j.GetResidual()); err != nil {
		return nil, err
	}
	op.spec.needs(op.need)
	op.probes = w.tellScans(p, j)
	leftNeed, rightNeed := op.inputNeeds()
	if op.left, err = w.buildFleeting(j.GetLeft(), leftNeed, op.fleeting); err != nil {
		return nil, err
	}
	if w.pool == nil {
		op.right, err = w.buildCoded(j.GetRight(), rightNeed)
	}
	return op, err
}

// inputNeeds are the columns of either input that are asked for above or here.
func (j *hashJoinOp) inputNeeds() (left, right []bool) {
	s := &j.spec
	left, right = make([]bool, len(s.leftTs)), make([]bool, len(s.rightTs))
	copy(left, s.needLeft)
	copy(right, s.needRight)
	markColumns(left, j.leftKeys...)
	markColumns(right, j.rightKeys...)
	if s.residual != nil {
		readLeft, readRight := s.reads()
		for c, r := range readLeft {
			left[c] = left[c] || r
		}
		for c, r := range readRight {
			right[c] = right[c] || r
		}
	}
	return left, right
}

// open only forgets: the left side is opened when the right one is complete, so that
// its scans know the keys.
func (j *hashJoinOp) open(context.Context) error {
	j.reset()
	return nil
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
	b, err := j.nextCoded(ctx)
	if err != nil || b == nil || j.coded {
		return b, err
	}
	return flattened(b), nil
}

func (j *hashJoinOp) nextCoded(ctx context.Context) (*Batch, error) {
	if j.phase == joinBuild {
		if err := j.build(ctx); err != nil {
			return nil, err
		}
		j.phase = joinProbing
		if j.spilled == nil {
			j.tell(j.table)
			if err := j.left.open(ctx); err != nil {
				return nil, err
			}
		}
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
			j.phase = j.startTail()
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

// tell lets the scans of the left side know the keys of the right; nil: anything may match.
func (j *hashJoinOp) tell(t *joinTable) {
	for k, ps := range j.probes {
		for _, p := range ps {
			if p.keys = nil; t != nil {
				p.keys = t.filters[k]
			}
		}
	}
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
	j.w.q.env.Stats.update(j.id, func(o *OpStats) {
		if j.level > 0 { // of a part: how many there are is known where they are cut
			o.HashBuckets += int64(t.keys)
			return
		}
		o.HashBuckets, o.HashBatches = int64(t.keys), 1
	})
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
