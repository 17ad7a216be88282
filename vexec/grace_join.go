package vexec

import (
	"context"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// graceJoin joins inputs too large for memory: both are cut by key hash into
// partitions on disk, then each pair of partitions is joined by a hash join of
// its own, which may split again.
type graceJoin struct {
	j      *hashJoinOp
	level  int
	left   []*spillFile
	right  []*spillFile
	owned  bool // right belongs to this worker
	common bool // neither does left
	at     int
	sub    *hashJoinOp
	facts  *rightFacts
}

const (
	graceFanoutBits = 4
	graceLevelsMax  = 6
)

// newGraceJoin takes the right batches read so far and splits the rest of both inputs.
func newGraceJoin(ctx context.Context, j *hashJoinOp, batches []*Batch) (*graceJoin, error) {
	g := &graceJoin{j: j, level: j.level, owned: true, at: -1, facts: &rightFacts{}}
	if j.facts != nil {
		g.facts.hasNull = j.facts.hasNull
	}
	g.right = make([]*spillFile, 1<<graceFanoutBits)
	for _, b := range batches {
		if err := g.splitRight(b, g.right); err != nil {
			return g.fail(err)
		}
	}
	j.mem.free()
	if err := splitAll(ctx, j.right, func(b *Batch) error { return g.splitRight(b, g.right) }); err != nil {
		return g.fail(err)
	}
	return g.splitLeft(ctx)
}

// splitLeft cuts the probe side.
func (g *graceJoin) splitLeft(ctx context.Context) (*graceJoin, error) {
	g.left = make([]*spillFile, 1<<graceFanoutBits)
	g.j.tell(nil)
	if err := g.j.left.open(ctx); err != nil {
		return g.fail(err)
	}
	if err := splitAll(ctx, g.j.left, func(b *Batch) error {
		_, err := g.split(b, g.j.leftKeys, g.left, g.j.spec.leftTs)
		return err
	}); err != nil {
		return g.fail(err)
	}
	g.j.w.q.env.Stats.update(g.j.id, func(o *OpStats) { o.HashBatches += 1 << graceFanoutBits })
	return g, nil
}

func (g *graceJoin) fail(err error) (*graceJoin, error) {
	g.close()
	return nil, err
}

func splitAll(ctx context.Context, in operator, split func(*Batch) error) error {
	for {
		b, err := in.next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			in.close()
			return nil
		}
		if err := split(b); err != nil {
			return err
		}
	}
}

// split writes a batch's rows to the partitions of their keys; nulls: some key is NULL.
func (g *graceJoin) split(b *Batch, keyExprs []*expr.Expr, files []*spillFile, ts []types.T) (nulls bool, err error) {
	in := input(b)
	keys, err := evalAll(g.j.w.frame, keyExprs, in)
	if err != nil {
		return false, err
	}
	for k, c := range keys {
		nulls = nulls || c.NullN() > 0 && !g.j.nullEqual[k]
	}
	var enc kernel.Keys
	g.j.keySpec.Encode(g.j.w.frame.Ctx.Env, &enc, keys, in.N)
	rows := make([][]int32, len(files))
	shift := 60 - g.level*graceFanoutBits
	for i, h := range enc.Hash[:in.N] {
		p := h >> shift & (1<<graceFanoutBits - 1)
		rows[p] = append(rows[p], int32(i))
	}
	for p, r := range rows {
		if len(r) == 0 {
			continue
		}
		if files[p] == nil {
			if files[p], err = newSpillFile(g.j.w.q, g.j.id, ts); err != nil {
				return false, err
			}
		}
		if err := files[p].gather(narrowed(b, r)); err != nil {
			return false, err
		}
	}
	return nulls, nil
}

// splitRight is split of right rows, whose NULLs it notes.
func (g *graceJoin) splitRight(b *Batch, files []*spillFile) error {
	nulls, err := g.split(b, g.j.rightKeys, files, g.j.spec.rightTs)
	g.facts.hasNull = g.facts.hasNull || nulls
	return err
}

func (g *graceJoin) next(ctx context.Context) (*Batch, error) {
	for {
		if g.sub != nil {
			b, err := g.sub.next(ctx)
			if err != nil || b != nil {
				return b, err
			}
			g.sub.close()
			g.sub = nil
		}
		if g.at++; g.at >= len(g.left) {
			return nil, nil
		}
		if g.left[g.at] == nil && (g.right[g.at] == nil || !g.j.spec.tracksRight()) {
			continue
		}
		j := g.j
		w := *j.w
		w.pool = nil
		g.sub = &hashJoinOp{w: &w, id: j.id, spec: j.spec, leftKeys: j.leftKeys, rightKeys: j.rightKeys, nullEqual: j.nullEqual,
			keySpec: j.keySpec, coded: true, level: g.level + 1, facts: g.facts, left: &fileScan{file: g.left[g.at]}, right: &fileScan{file: g.right[g.at]},
			mem: &memory{q: j.w.q, id: j.id, name: j.mem.name, budget: j.mem.budget}}
		if err := g.sub.open(ctx); err != nil {
			return nil, err
		}
	}
}

func (g *graceJoin) close() {
	if g.sub != nil {
		g.sub.close()
		g.sub = nil
	}
	if !g.common {
		for _, f := range g.left {
			f.close()
		}
	}
	if g.owned {
		for _, f := range g.right {
			f.close()
		}
	}
}

// fileScan reads a spill file (nil: nothing) as an operator. It does not own the file.
type fileScan struct {
	file *spillFile
	at   int
}

func (f *fileScan) open(context.Context) error {
	f.at = 0
	return nil
}

func (f *fileScan) next(ctx context.Context) (*Batch, error) {
	if f.file == nil || f.at >= f.file.len() {
		return nil, ctx.Err()
	}
	f.at++
	return f.file.read(f.at - 1)
}

func (f *fileScan) close() {}
