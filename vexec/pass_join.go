package vexec

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// passJoin joins inputs whose right side neither fits in memory nor can be cut by
// hash: IN over several columns, where NULLs have to be looked at pair by pair,
// one key with more rows than fit, joins without keys. The left side goes to disk
// and is joined with one memoryful of right rows after the other. What is known of
// a left row after a pass (no match yet, perhaps one) is which file it is in.
type passJoin struct {
	j       *hashJoinOp
	right   operator // what follows chunk; nil at the end
	chunk   []*Batch // right rows of this pass
	mem     *memory  // of chunk, while it is read
	files   []*passFile
	all     *passFile // left rows
	rest    *passFile // left rows without a match
	unknown *passFile // MARK: without a match so far, but a pair was NULL
	matched *passFile // SINGLE: left rows that had their match

	steps []passStep
	sub   operator // of steps[0]
	ended bool
}

// passStep is one run over left rows: what sub gives, as route passes it on.
type passStep struct {
	sub   func() operator
	route func(*Batch) (*Batch, error)
	done  func()
}

// newPassJoin takes the right rows read so far and, open, what gives the rest of
// them. j.left is not open yet.
func newPassJoin(ctx context.Context, j *hashJoinOp, batches []*Batch, right operator) (*passJoin, error) {
	p := &passJoin{j: j, chunk: batches, right: right, mem: &memory{q: j.w.q, id: j.id, name: j.mem.name, budget: j.mem.budget}}
	j.mem.free()
	p.all, p.unknown, p.matched = p.file(), p.file(), p.file()
	p.rest = p.all
	j.tell(nil)
	if err := j.left.open(ctx); err != nil {
		p.close()
		return nil, err
	}
	if err := splitAll(ctx, j.left, p.all.write); err != nil {
		p.close()
		return nil, err
	}
	if len(batches) > 0 {
		p.plan()
	}
	return p, nil
}

// nextChunk reads a memoryful of right rows.
func (p *passJoin) nextChunk(ctx context.Context) error {
	p.chunk = nil
	p.mem.free()
	for p.right != nil && !p.mem.over() {
		b, err := p.right.next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			p.right.close()
			p.right = nil
			break
		}
		b = dense(b)
		p.chunk = append(p.chunk, b)
		p.mem.add(batchBytes(b) + 24*int64(b.N))
	}
	p.mem.free() // the joins of the pass account it
	return nil
}

func (p *passJoin) next(ctx context.Context) (*Batch, error) {
	for {
		if p.sub == nil {
			if len(p.steps) == 0 {
				if p.ended {
					return nil, ctx.Err()
				}
				if err := p.nextChunk(ctx); err != nil {
					return nil, err
				}
				if len(p.chunk) == 0 {
					p.ended = true
					p.finish()
				} else {
					p.plan()
				}
				continue
			}
			p.sub = p.steps[0].sub()
			if err := p.sub.open(ctx); err != nil {
				return nil, err
			}
		}
		b, err := p.sub.next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			p.sub.close()
			p.sub = nil
			done := p.steps[0].done
			p.steps = p.steps[1:]
			if done != nil {
				done()
			}
			continue
		}
		if b, err = p.steps[0].route(b); err != nil || b != nil {
			return b, err
		}
	}
}

func (p *passJoin) close() {
	if p.sub != nil {
		p.sub.close()
		p.sub = nil
	}
	for _, f := range p.files {
		f.close()
	}
	if p.right != nil {
		p.right.close()
	}
	p.chunk, p.steps = nil, nil
	p.mem.free()
}

// join is a join of the left rows in f with the chunk.
func (p *passJoin) join(typ planpb.JoinType, f *passFile) func() operator {
	return func() operator {
		j := p.j
		w := *j.w
		w.pool = nil
		spec := j.spec
		spec.typ = typ
		return &hashJoinOp{w: &w, id: j.id, spec: spec, leftKeys: j.leftKeys, rightKeys: j.rightKeys, nullEqual: j.nullEqual,
			keySpec: j.keySpec, coded: true, level: passLevel, facts: j.facts, left: f.scan(), right: &batchScan{batches: p.chunk},
			mem: &memory{q: j.w.q, id: j.id, name: j.mem.name, budget: j.mem.budget}}
	}
}

// passLevel is the level of a join that must be done in memory.
const passLevel = graceLevelsMax + 1

// plan lists the steps of a pass.
func (p *passJoin) plan() {
	switch typ := p.j.spec.typ; typ {
	case planpb.JoinType_LEFT:
		p.steps = []passStep{{sub: p.join(planpb.JoinType_INNER, p.all), route: emit}, p.mark(&p.rest, nil, &p.rest)}
	case planpb.JoinType_FULL:
		p.steps = []passStep{{sub: p.join(planpb.JoinType_RIGHT, p.all), route: emit}, p.mark(&p.rest, nil, &p.rest)}
	case planpb.JoinType_SINGLE:
		hits := p.file()
		p.steps = []passStep{
			{sub: p.join(planpb.JoinType_SEMI, p.matched), route: func(*Batch) (*Batch, error) { return nil, moreThanOneRow() }},
			p.mark(&p.rest, func(b *Batch) (*Batch, error) { return nil, hits.write(b) }, &p.rest),
			{sub: p.join(planpb.JoinType_SINGLE, hits), route: emit},
			{sub: hits.scan, route: func(b *Batch) (*Batch, error) { return nil, p.matched.write(b) }, done: hits.close},
		}
	case planpb.JoinType_SEMI:
		p.steps = []passStep{p.mark(&p.rest, emit, &p.rest)}
	case planpb.JoinType_ANTI:
		p.steps = []passStep{p.mark(&p.rest, nil, &p.rest)}
	case planpb.JoinType_NULL_AWARE_ANTI:
		p.steps = []passStep{p.mark(&p.rest, nil, nil)}
	case planpb.JoinType_MARK: // the unknown first: the others add to them
		p.steps = []passStep{p.mark(&p.unknown, p.answer(1), &p.unknown), p.mark(&p.rest, p.answer(1), &p.unknown)}
	default:
		p.steps = []passStep{{sub: p.join(typ, p.all), route: emit}}
	}
}

// finish lists the steps after the last pass: left rows that no pass has answered.
func (p *passJoin) finish() {
	switch p.j.spec.typ {
	case planpb.JoinType_LEFT, planpb.JoinType_FULL, planpb.JoinType_SINGLE:
		p.steps = []passStep{{sub: p.rest.scan, route: func(b *Batch) (*Batch, error) {
			return &Batch{Cols: append(append([]arrow.Array{}, b.Cols...), takeOrNulls(nil, make([]int32, b.N), p.j.spec.rightTs)...), N: b.N}, nil
		}}}
	case planpb.JoinType_ANTI, planpb.JoinType_NULL_AWARE_ANTI:
		p.steps = []passStep{{sub: p.rest.scan, route: emit}}
	case planpb.JoinType_MARK:
		p.steps = []passStep{{sub: p.unknown.scan, route: p.answer(2)}, {sub: p.rest.scan, route: p.answer(0)}}
	}
}

// emit passes rows on as they are.
func emit(b *Batch) (*Batch, error) { return b, nil }

// answer adds MARK's column, a state of kernel.BoolsFromStates.
func (p *passJoin) answer(state byte) func(*Batch) (*Batch, error) {
	return func(b *Batch) (*Batch, error) {
		b = dense(b)
		states := make([]byte, b.N)
		for i := range states {
			states[i] = state
		}
		return &Batch{Cols: append(append([]arrow.Array{}, b.Cols...), kernel.BoolsFromStates(states)), N: b.N}, nil
	}
}

// mark runs a MARK join over the rows of from. Those that match go to yes (nil:
// nowhere), those that do not stay in from, those of which it is unknown go to null.
func (p *passJoin) mark(from **passFile, yes func(*Batch) (*Batch, error), null **passFile) passStep {
	var in *passFile
	return passStep{
		sub: func() operator {
			in = *from
			*from = p.file()
			return p.join(planpb.JoinType_MARK, in)()
		},
		route: func(b *Batch) (*Batch, error) {
			b = dense(b)
			var rows [3][]int32
			m := b.Cols[len(b.Cols)-1]
			val, valid := kernel.Bools(m), kernel.Valid(m)
			for i := range b.N {
				k := 0
				switch {
				case !valid.Get(i):
					k = 2
				case val.Get(i):
					k = 1
				}
				rows[k] = append(rows[k], int32(i))
			}
			left := &Batch{Cols: b.Cols[:len(b.Cols)-1], N: b.N}
			if len(rows[0]) > 0 {
				if err := (*from).write(narrowed(left, rows[0])); err != nil {
					return nil, err
				}
			}
			if len(rows[2]) > 0 && null != nil {
				if err := (*null).write(narrowed(left, rows[2])); err != nil {
					return nil, err
				}
			}
			if len(rows[1]) > 0 && yes != nil {
				return yes(narrowed(left, rows[1]))
			}
			return nil, nil
		},
		done: func() {
			if in != p.all {
				in.close()
			}
		},
	}
}

// passFile is left rows on disk, written in batches of the usual size.
type passFile struct {
	p    *passJoin
	f    *spillFile
	held []*Batch
	rows int
}

func (p *passJoin) file() *passFile {
	f := &passFile{p: p}
	p.files = append(p.files, f)
	return f
}

func (f *passFile) write(b *Batch) error {
	b = dense(b)
	f.held, f.rows = append(f.held, b), f.rows+b.N
	if f.rows >= f.p.j.w.q.env.BatchSize {
		return f.flush()
	}
	return nil
}

func (f *passFile) flush() (err error) {
	if f.rows == 0 {
		return nil
	}
	ts := f.p.j.spec.leftTs
	if f.f == nil {
		if f.f, err = newSpillFile(f.p.j.w.q, f.p.j.id, ts); err != nil {
			return err
		}
	}
	b := concatBatches(ts, f.held)
	f.held, f.rows = nil, 0
	return f.f.write(b)
}

func (f *passFile) close() {
	f.f.close()
	f.f, f.held, f.rows = nil, nil, 0
}

// scan reads the file from its beginning.
func (f *passFile) scan() operator { return &passScan{f: f} }

type passScan struct {
	f *passFile
	fileScan
}

func (s *passScan) open(ctx context.Context) error {
	if err := s.f.flush(); err != nil {
		return err
	}
	s.fileScan = fileScan{file: s.f.f}
	return nil
}

// batchScan gives batches in memory as an operator.
type batchScan struct {
	batches []*Batch
	at      int
}

func (s *batchScan) open(context.Context) error {
	s.at = 0
	return nil
}

func (s *batchScan) next(ctx context.Context) (*Batch, error) {
	if s.at >= len(s.batches) {
		return nil, ctx.Err()
	}
	s.at++
	return s.batches[s.at-1], nil
}

func (s *batchScan) close() {}

// storeScan reads a rowStore as an operator. It does not own the store.
type storeScan struct {
	store *rowStore
	at    int
}

func (s *storeScan) open(context.Context) error {
	s.at = 0
	return nil
}

func (s *storeScan) next(ctx context.Context) (*Batch, error) {
	if s.at >= s.store.len() {
		return nil, ctx.Err()
	}
	s.at++
	return s.store.get(s.at - 1)
}

func (s *storeScan) close() {}
