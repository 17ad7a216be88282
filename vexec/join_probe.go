package vexec

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// joinProbe joins one left batch after the other with a table. Rows of a batch are
// counted among its selected ones.
type joinProbe struct {
	j       *hashJoinOp
	t       *joinTable
	env     *types.Env
	enc     kernel.Keys
	numbers []int32 // key number of each left row
	left    []int32 // scratch for pairs
	right   []int32

	b       *Batch // left batch in work, nil: none
	cur     *Batch // the batch nullMark speaks of
	keys    []arrow.Array
	cmps    []kernel.RowCompare // of keys with the table's, once needed
	nullKey []bool
	row     int   // next left row
	off     int32 // next match of that row
	state   *leftState
	keyMem  kernel.Arena // of the left batch in work
	outMem  kernel.Arena // of the last output, where that is fleeting
}

func newJoinProbe(j *hashJoinOp, t *joinTable) *joinProbe {
	return &joinProbe{j: j, t: t, env: j.w.frame.Ctx.Env}
}

// start takes a left batch.
func (p *joinProbe) start(b *Batch) error {
	p.keyMem.Reset()
	in := input(b).In(&p.keyMem)
	eval := evalCoded
	if p.j.exactNulls() { // compares pairs
		eval = evalAll
	}
	keys, err := eval(p.j.w.frame, p.j.leftKeys, in)
	if err != nil {
		return err
	}
	n := in.N
	if cap(p.numbers) < n {
		p.numbers = make([]int32, n)
	}
	p.numbers = p.numbers[:n]
	p.nullKey = p.j.skips(keys, n)
	p.t.find(p.env, p.j.keySpec, &p.enc, keys, p.nullKey, p.numbers)
	p.b, p.cur, p.keys, p.cmps, p.row, p.off = b, b, keys, nil, 0, 0
	p.state = newLeftState(&p.j.spec, n)
	if p.j.fleeting {
		p.state.mem = &p.outMem
	}
	return nil
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
		p.outMem.Reset()
		size := rowsWithin(p.j.w.q.env.BatchSize, p.b, p.t.rows)
		left, right := p.pairs(size)
		last := p.row >= len(p.numbers)
		b := p.b
		if last {
			p.b = nil
		}
		out, err := p.state.emit(p.j.w, p.t, b, left, right, last, p.nullMark)
		if err != nil {
			return nil, err
		}
		if out != nil && out.Rows() > 0 {
			return out, nil
		}
	}
	return nil, nil
}

// pairs gives the next matches, about size of them: left rows and rows of the table.
// The slices are scratch.
func (p *joinProbe) pairs(size int) (left, right []int32) {
	n := len(p.numbers)
	if p.t.unique && p.row == 0 && n <= size {
		p.row = n
		return p.uniquePairs(n)
	}
	left, right = p.left[:0], p.right[:0]
	var one [1]int32
	for p.row < n && len(left) < size {
		k := p.numbers[p.row]
		if k < 0 {
			p.row++
			continue
		}
		rows := p.t.rowsOf(k, &one)[p.off:]
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
	p.left, p.right = left, right
	return left, right
}

// uniquePairs is pairs where a left row has one match at most: without branches.
func (p *joinProbe) uniquePairs(n int) (left, right []int32) {
	if cap(p.left) < n || cap(p.right) < n {
		p.left, p.right = make([]int32, n), make([]int32, n)
	}
	left, right = p.left[:n], p.right[:n]
	m := 0
	for i, k := range p.numbers {
		left[m], right[m] = int32(i), k
		m += int(uint32(^k) >> 31)
	}
	left, right = left[:m], right[:m]
	if !p.t.identity {
		list := p.t.list
		for i, k := range right {
			right[i] = list[k]
		}
	}
	return left, right
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
			p.cmps = append(p.cmps, kernel.Comparer(p.env, p.j.keySpec.Types[k], c, p.t.keyCols[k]))
		}
	}
	for _, r := range rows {
		differs := false
		for k, c := range p.keys {
			if c.IsNull(i) || p.t.keyCols[k].IsNull(int(r)) {
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
