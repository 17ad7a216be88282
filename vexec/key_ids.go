package vexec

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// A grouping above joins whose keys all come from one side of a join sees the same keys many times
// over. KeyIDs, on that side, gives each distinct combination of them a number once; what is above
// carries and groups by numbers, and KeyValues puts the keys back in place of the numbers of groups.

// keyList are the distinct keys of the KeyIDs and KeyValues of one number: of all workers of a
// query, as long as that lives. Its memory cannot be spilled; the planner keeps to lists that it
// expects to be of moderate size, and has another plan for when they are not (ErrKeyList).
type keyList struct {
	mu    sync.Mutex
	ts    []types.T
	spec  *kernel.KeySpec
	table *kernel.Table
	cols  [][]arrow.Array // by key: values of new numbers, in pieces
	bytes int64           // of cols
	mem   *memory
}

// ErrKeyList is in the chain of errors for a list of keys that has become too long. The same statement
// planned without KeyIDs may have enough memory.
var ErrKeyList = errors.New("the list of keys is too long")

// keyListShare is the part of the memory of all queries that one list may hold.
const keyListShare = 4

// keyList gives the list of a number; ts are the types of its keys where they are known, of which the
// first compared are compared.
func (q *query) keyList(w *worker, p *planpb.Plan, list uint32, ts []types.T, compared int) *keyList {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lists[list]
	if l == nil {
		l = &keyList{mem: w.memory(p, "Key List")}
		if q.lists == nil {
			q.lists = map[uint32]*keyList{}
		}
		q.lists[list] = l
		q.closers = append(q.closers, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.mem.free()
		})
	}
	if l.spec == nil && ts != nil {
		l.ts, l.spec = ts, kernel.NewKeySpec(ts[:compared])
		l.table, l.cols = kernel.NewTable(l.spec, 64), make([][]arrow.Array, len(ts))
	}
	return l
}

// number gives each of n keys, encoded in enc, its number.
func (l *keyList) number(enc *kernel.Keys, keys []arrow.Array, numbers []int32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := l.table.Insert(enc, nil, numbers, nil)
	if len(fresh) == 0 {
		return nil
	}
	for i, k := range keys {
		v := kernel.Flatten(kernel.Take(k, fresh))
		l.cols[i] = append(l.cols[i], v)
		l.bytes += kernel.Bytes(v)
	}
	l.mem.set(l.table.Size() + l.bytes)
	limit := l.mem.q.ex.opts.MemoryLimit
	if limit <= 0 || l.mem.used <= limit/keyListShare && !l.mem.exhausted() {
		return nil
	}
	return pgerror.Wrap(ErrKeyList, pgerror.OutOfMemory, "out of memory").
		WithDetail("%s holds %d bytes that cannot be moved to disk; all queries together may hold %d.", l.mem.name, l.mem.used, limit)
}

// values gives key k of all numbers so far.
func (l *keyList) values(k int) (arrow.Array, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k >= len(l.cols) {
		return nil, pgerror.Internal("key %d of a list of %d", k, len(l.cols))
	}
	if len(l.cols[k]) > 1 {
		l.cols[k] = []arrow.Array{kernel.Concat(l.ts[k], l.cols[k])}
	}
	if len(l.cols[k]) == 0 {
		return kernel.Nulls(l.ts[k], 0), nil
	}
	return l.cols[k][0], nil
}

// keyIDsOp adds a column of numbers. Order preserved; dense output.
type keyIDsOp struct {
	w    *worker
	in   operator
	keys []*expr.Expr
	// compared of them are, the others are determined
	compared int
	list     *keyList
	need     []bool // columns of the input that are asked for, nil: all
	coded    bool
	enc      kernel.Keys
	numbers  []int32
}

func newKeyIDs(w *worker, p *planpb.Plan, k *planpb.KeyIDs) (operator, error) {
	op := &keyIDsOp{w: w, coded: w.coded}
	n := len(k.GetInput().GetOutput())
	need := make([]bool, n)
	if w.need == nil {
		for i := range need {
			need[i] = true
		}
	} else {
		copy(need, w.need[:n])
	}
	op.need = slices.Clone(need)
	var err error
	if op.keys, err = w.compileAll(k.GetKeys()); err != nil {
		return nil, err
	}
	markColumns(need, op.keys...)
	op.compared = len(op.keys) - int(k.GetDetermined())
	op.list = w.q.keyList(w, p, k.GetList(), exprTypes(op.keys), op.compared)
	op.in, err = w.buildCoded(k.GetInput(), need)
	return op, err
}

func (o *keyIDsOp) open(ctx context.Context) error { return o.in.open(ctx) }
func (o *keyIDsOp) close()                         { o.in.close() }

func (o *keyIDsOp) next(ctx context.Context) (*Batch, error) {
	b, err := o.in.next(ctx)
	if err != nil || b == nil {
		return nil, err
	}
	o.w.resetValues()
	in := input(b)
	keys := make([]arrow.Array, len(o.keys))
	for i, e := range o.keys {
		if keys[i], err = e.EvalCoded(o.w.frame, in); err != nil {
			return nil, err
		}
	}
	o.list.spec.Encode(o.w.frame.Ctx.Env, &o.enc, keys[:o.compared], in.N)
	numbers := make([]int32, in.N)
	if err := o.list.number(&o.enc, keys, numbers); err != nil {
		return nil, err
	}
	out := &Batch{N: in.N, Cols: make([]arrow.Array, len(b.Cols)+1)}
	for i, c := range b.Cols {
		if !o.need[i] || c == nil {
			continue
		}
		if b.Sel != nil {
			c = kernel.Take(c, b.Sel)
		}
		out.Cols[i] = c
	}
	out.Cols[len(b.Cols)] = kernel.MakeFixed(arrow.PrimitiveTypes.Int32, numbers, nil, 0)
	if !o.coded {
		out = flattened(out)
	}
	return out, nil
}

// keyValuesOp puts keys in the place of their numbers. Order preserved.
type keyValuesOp struct {
	w    *worker
	in   operator
	k    *planpb.KeyValues
	ts   []types.T
	list *keyList
	need []bool // columns of the output that are asked for, nil: all
}

func newKeyValues(w *worker, p *planpb.Plan, k *planpb.KeyValues) (operator, error) {
	op := &keyValuesOp{w: w, k: k, ts: outputTypes(p), need: w.need, list: w.q.keyList(w, p, k.GetList(), nil, 0)}
	coded := w.coded
	need := make([]bool, len(k.GetInput().GetOutput()))
	for i, c := range k.GetColumns() {
		switch {
		case op.need != nil && !op.need[i]:
		case c >= 0:
			need[c] = true
		default:
			need[k.GetId()] = true
		}
	}
	var err error
	op.in, err = w.buildAs(k.GetInput(), coded, need)
	return op, err
}

func (o *keyValuesOp) open(ctx context.Context) error { return o.in.open(ctx) }
func (o *keyValuesOp) close()                         { o.in.close() }

func (o *keyValuesOp) next(ctx context.Context) (*Batch, error) {
	b, err := o.in.next(ctx)
	if err != nil || b == nil {
		return nil, err
	}
	out := &Batch{N: b.N, Sel: b.Sel, Cols: make([]arrow.Array, len(o.k.GetColumns()))}
	var ids []int32
	for i, c := range o.k.GetColumns() {
		if o.need != nil && !o.need[i] {
			continue
		}
		if c >= 0 {
			out.Cols[i] = b.Cols[c]
			continue
		}
		if ids == nil {
			id := b.Cols[o.k.GetId()]
			ids = kernel.Values[int32](id)
			if id.NullN() > 0 {
				ids = slices.Clone(ids)
				v := kernel.Valid(id)
				for r := range ids {
					if !v.Get(r) {
						ids[r] = -1
					}
				}
			}
		}
		v, err := o.list.values(-1 - int(c))
		if err != nil {
			return nil, err
		}
		if v.Len() == 0 {
			out.Cols[i] = kernel.Nulls(o.ts[i], b.N)
			continue
		}
		out.Cols[i] = kernel.Take(v, ids)
	}
	return out, nil
}
