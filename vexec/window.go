package vexec

import (
	"context"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// windowOp computes window functions over an input sorted by partition and
// order. Output: the input's columns and one per call, rows in input order. It
// holds whole partitions in memory (several small ones at a time). One that
// exceeds the budget is computed piece by piece (window_stream.go) when all
// calls can be, otherwise from a store that spills (window_spill.go).
type windowOp struct {
	w     *worker
	in    operator
	inTs  []types.T
	part  []*expr.Expr
	spec  *kernel.KeySpec
	order *sortKeys
	oSpec *kernel.KeySpec
	frame *windowFrame
	calls []*windowCall
	mem   *memory

	held []*Batch // dense, not yet cut
	rows int
	end  bool
	out  *Batch
	at   int

	stream windowPart // the partition at hand, when it is too large for memory
}

// winKind is a window function of the engine's own.
type winKind uint8

const (
	winAggregate winKind = iota
	winRowNumber
	winRank
	winDenseRank
	winPercentRank
	winCumeDist
	winNtile
	winLag
	winLead
	winFirst
	winLast
	winNth
)

var winKinds = sync.OnceValue(func() map[types.OID]winKind {
	m := map[types.OID]winKind{}
	for s, k := range map[string]winKind{
		"row_number()": winRowNumber, "rank()": winRank, "dense_rank()": winDenseRank, "percent_rank()": winPercentRank,
		"cume_dist()": winCumeDist, "ntile(int4)": winNtile,
		"lag(anyelement)": winLag, "lag(anyelement,int4)": winLag, "lag(anycompatible,int4,anycompatible)": winLag,
		"lead(anyelement)": winLead, "lead(anyelement,int4)": winLead, "lead(anycompatible,int4,anycompatible)": winLead,
		"first_value(anyelement)": winFirst, "last_value(anyelement)": winLast, "nth_value(anyelement,int4)": winNth,
	} {
		if oid, ok := facts.Proc(s); ok {
			m[types.OID(oid)] = k
		}
	}
	return m
})

type windowCall struct {
	kind   winKind
	args   []*expr.Expr
	result types.T
	agg    *aggCall
}

func newWindow(w *worker, p *planpb.Plan, n *planpb.Window) (operator, error) {
	in, err := w.build(n.GetInput())
	if err != nil {
		return nil, err
	}
	op := &windowOp{w: w, in: in, inTs: outputTypes(n.GetInput()), mem: w.memory(p, "WindowAgg")}
	if op.part, err = w.compileAll(n.GetPartition()); err != nil {
		return nil, err
	}
	op.spec = kernel.NewKeySpec(exprTypes(op.part))
	if op.order, err = newSortKeys(w, n.GetOrder()); err != nil {
		return nil, err
	}
	op.oSpec = kernel.NewKeySpec(exprTypes(op.order.exprs))
	if op.frame, err = newWindowFrame(w, n.GetFrame(), op.order); err != nil {
		return nil, err
	}
	for _, c := range n.GetCalls() {
		wc := &windowCall{kind: winKinds()[types.OID(c.GetFunc())], result: c.GetResult().T()}
		if c.GetIsAggregate() {
			wc.kind = winAggregate
		} else if wc.kind == winAggregate {
			return nil, pgerror.Unsupported("window function with OID %d", c.GetFunc())
		}
		if wc.kind == winAggregate {
			wc.agg, err = newAggCall(w, &planpb.AggCall{Func: c.GetFunc(), Args: c.GetArgs(), Filter: c.GetFilter(), Star: c.GetStar(), Result: c.GetResult()})
		} else {
			wc.args, err = w.compileAll(c.GetArgs())
		}
		if err != nil {
			return nil, err
		}
		op.calls = append(op.calls, wc)
	}
	return op, nil
}

func (o *windowOp) open(ctx context.Context) error {
	o.stopStream()
	o.held, o.rows, o.end, o.out, o.at = nil, 0, false, nil, 0
	o.mem.free()
	return o.in.open(ctx)
}

func (o *windowOp) stopStream() {
	if o.stream != nil {
		o.stream.close()
		o.stream = nil
	}
}

func (o *windowOp) close() {
	o.stopStream()
	o.held, o.out = nil, nil
	o.mem.free()
	o.in.close()
}

func (o *windowOp) next(ctx context.Context) (*Batch, error) {
	for {
		if o.out != nil {
			hi := min(o.at+o.w.q.env.BatchSize, o.out.N)
			b := sliced(o.out, o.at, hi)
			if o.at = hi; o.at >= o.out.N {
				o.out = nil
			}
			return b, nil
		}
		if o.stream != nil {
			b, err := o.stream.next(ctx)
			if err != nil {
				return nil, err
			}
			if b != nil {
				o.out, o.at = b, 0
				continue
			}
			o.stopStream()
			o.mem.set(2 * heldBytes(o.held))
		}
		if o.end && o.rows == 0 {
			return nil, nil
		}
		if err := o.fill(ctx); err != nil {
			return nil, err
		}
	}
}

// fill reads until at least one partition is complete and computes it.
func (o *windowOp) fill(ctx context.Context) error {
	for !o.end {
		b, err := o.in.next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			o.end = true
			o.in.close()
			break
		}
		b = dense(b)
		o.held = append(o.held, b)
		o.rows += b.N
		o.mem.add(2*batchBytes(b) + windowRowBytes*int64(b.N))
		if o.rows >= o.w.q.env.BatchSize && len(o.part) > 0 {
			// does the newest batch begin a partition? then all before it is complete
			cut, err := o.lastPartition(b)
			if err != nil {
				return err
			}
			if cut > 0 {
				rest := sliced(b, cut, b.N)
				o.held[len(o.held)-1] = sliced(b, 0, cut)
				err := o.compute(concatBatches(o.inTs, o.held))
				o.held, o.rows = []*Batch{rest}, rest.N
				o.mem.set(2 * batchBytes(rest))
				return err
			}
		}
		if !o.mem.over() {
			continue
		}
		all := concatBatches(o.inTs, o.held)
		o.held = []*Batch{all}
		if len(o.part) > 0 {
			cut, err := o.lastPartition(all)
			if err != nil {
				return err
			}
			if cut > 0 {
				rest := concatBatches(o.inTs, []*Batch{sliced(all, cut, all.N)})
				err := o.compute(sliced(all, 0, cut))
				o.held, o.rows = []*Batch{rest}, rest.N
				o.mem.set(2 * batchBytes(rest))
				return err
			}
		}
		o.stream, err = newWindowPart(o)
		return err
	}
	if o.rows == 0 {
		return nil
	}
	err := o.compute(concatBatches(o.inTs, o.held))
	o.held, o.rows = nil, 0
	o.mem.free()
	return err
}

// windowRowBytes is what computing a row takes beside its columns.
const windowRowBytes = 40

func heldBytes(bs []*Batch) (n int64) {
	for _, b := range bs {
		n += batchBytes(b)
	}
	return n
}

// lastPartition gives the row where the last partition of b begins, 0 when it
// may have begun before b.
func (o *windowOp) lastPartition(b *Batch) (int, error) {
	keys, err := evalAll(o.w.frame, o.part, input(b))
	if err != nil {
		return 0, err
	}
	var enc kernel.Keys
	o.spec.Encode(o.w.frame.Ctx.Env, &enc, keys, b.N)
	cut := b.N - 1
	for cut > 0 && enc.Equal(cut-1, b.N-1) {
		cut--
	}
	return cut, nil
}

// windowRows are the rows being computed: whole partitions.
type windowRows struct {
	b *Batch
	// partition and peer group of each row, as ranges of rows
	partStart, partEnd []int32
	peerStart, peerEnd []int32
	group              []int32 // number of the peer group within its partition
	orderKeys          []arrow.Array
}

// partitioned finds the partitions and peer groups of b.
func (o *windowOp) partitioned(b *Batch) (*windowRows, error) {
	r := &windowRows{b: b}
	in := input(b)
	n := b.N
	env := o.w.frame.Ctx.Env
	newPart, newPeer := make([]bool, n), make([]bool, n)
	if len(o.part) > 0 {
		keys, err := evalAll(o.w.frame, o.part, in)
		if err != nil {
			return nil, err
		}
		var enc kernel.Keys
		o.spec.Encode(env, &enc, keys, n)
		for i := 1; i < n; i++ {
			newPart[i] = !enc.Equal(i-1, i)
		}
	}
	if len(o.order.exprs) > 0 {
		var err error
		if r.orderKeys, err = evalAll(o.w.frame, o.order.exprs, in); err != nil {
			return nil, err
		}
		var enc kernel.Keys
		o.oSpec.Encode(env, &enc, r.orderKeys, n)
		for i := 1; i < n; i++ {
			newPeer[i] = !enc.Equal(i-1, i)
		}
	}
	r.partStart, r.partEnd = ranges(newPart, newPart)
	r.peerStart, r.peerEnd = ranges(newPart, newPeer)
	r.group = make([]int32, n)
	for i := 1; i < n; i++ {
		switch {
		case newPart[i]:
		case newPeer[i]:
			r.group[i] = r.group[i-1] + 1
		default:
			r.group[i] = r.group[i-1]
		}
	}
	return r, nil
}

func (o *windowOp) compute(b *Batch) error {
	r, err := o.partitioned(b)
	if err != nil {
		return err
	}
	frames, err := o.frame.compute(o.w, r)
	if err != nil {
		return err
	}
	cols := append([]arrow.Array{}, b.Cols...)
	for _, c := range o.calls {
		v, err := c.compute(o.w, r, frames)
		if err != nil {
			return err
		}
		cols = append(cols, v)
	}
	o.out, o.at = &Batch{Cols: cols, N: b.N}, 0
	return nil
}

// ranges gives the range each row is in when ranges begin where a or b is true.
func ranges(a, b []bool) (start, end []int32) {
	n := len(a)
	start, end = make([]int32, n), make([]int32, n)
	for i := 1; i < n; i++ {
		if a[i] || b[i] {
			start[i] = int32(i)
		} else {
			start[i] = start[i-1]
		}
	}
	for i := n - 1; i >= 0; i-- {
		if i == n-1 || a[i+1] || b[i+1] {
			end[i] = int32(i + 1)
		} else {
			end[i] = end[i+1]
		}
	}
	return start, end
}

// compute gives the call's value for every row.
func (c *windowCall) compute(w *worker, r *windowRows, f *frames) (arrow.Array, error) {
	n := r.b.N
	if c.kind == winAggregate {
		return c.aggregate(w, r, f)
	}
	args, err := evalAll(w.frame, c.args, input(r.b))
	if err != nil {
		return nil, err
	}
	ints := func(v func(i int) int64) (arrow.Array, error) {
		out := make([]int64, n)
		for i := range out {
			out[i] = v(i)
		}
		return kernel.MakeFixed(arrow.PrimitiveTypes.Int64, out, nil, 0), nil
	}
	floats := func(v func(i int) float64) (arrow.Array, error) {
		out := make([]float64, n)
		for i := range out {
			out[i] = v(i)
		}
		return kernel.MakeFixed(arrow.PrimitiveTypes.Float64, out, nil, 0), nil
	}
	rows := func(i int) int32 { return r.partEnd[i] - r.partStart[i] }
	switch c.kind {
	case winRowNumber:
		return ints(func(i int) int64 { return int64(int32(i) - r.partStart[i] + 1) })
	case winRank:
		return ints(func(i int) int64 { return int64(r.peerStart[i] - r.partStart[i] + 1) })
	case winDenseRank:
		return ints(func(i int) int64 { return int64(r.group[i] + 1) })
	case winPercentRank:
		return floats(func(i int) float64 {
			if rows(i) <= 1 {
				return 0
			}
			return float64(r.peerStart[i]-r.partStart[i]) / float64(rows(i)-1)
		})
	case winCumeDist:
		return floats(func(i int) float64 { return float64(r.peerEnd[i]-r.partStart[i]) / float64(rows(i)) })
	case winNtile:
		return ntile(r, args[0])
	case winLag, winLead:
		return c.shift(r, args)
	}
	idx := make([]int32, n)
	for i := range idx {
		idx[i] = -1
		switch c.kind {
		case winFirst:
			idx[i] = f.nth(i, 0)
		case winLast:
			idx[i] = f.last(i)
		case winNth:
			k, err := nthOf(args[1], i)
			if err != nil {
				return nil, err
			}
			if k >= 0 {
				idx[i] = f.nth(i, k)
			}
		}
	}
	return kernel.Take(args[0], idx), nil
}

// ntile takes the number of buckets from the partition's first row.
func ntile(r *windowRows, arg arrow.Array) (arrow.Array, error) {
	n := r.b.N
	out := make([]int32, n)
	valid, nulls := kernel.Ones(n), 0
	for i := range out {
		first := int(r.partStart[i])
		k, null, err := ntileBuckets(arg, first)
		if err != nil {
			return nil, err
		}
		if null {
			kernel.ClearBit(valid, i)
			nulls++
			continue
		}
		out[i] = bucket(k, int64(r.partEnd[i]-r.partStart[i]), int64(i-first))
	}
	return kernel.MakeFixed(arrow.PrimitiveTypes.Int32, out, valid, nulls), nil
}

// ntileBuckets is ntile's argument of a row.
func ntileBuckets(arg arrow.Array, row int) (k int64, null bool, err error) {
	if arg.IsNull(row) {
		return 0, true, nil
	}
	if k = int64(kernel.Values[int32](arg)[row]); k <= 0 {
		return 0, false, pgerror.New(pgerror.InvalidArgumentForNtileFunction, "argument of ntile must be greater than zero")
	}
	return k, false, nil
}

// nthOf is nth_value's argument of a row, from 0; −1 for NULL.
func nthOf(arg arrow.Array, row int) (int64, error) {
	if arg.IsNull(row) {
		return -1, nil
	}
	k := kernel.Values[int32](arg)[row]
	if k <= 0 {
		return 0, pgerror.New(pgerror.InvalidArgumentForNthValueFunction, "argument of nth_value must be greater than zero")
	}
	return int64(k - 1), nil
}

// bucket is ntile(k) of row at (from 0) of total rows.
func bucket(k, total, at int64) int32 {
	size, extra := total/k, total%k // the first extra buckets have one row more
	if at < extra*(size+1) {
		return int32(at/(size+1) + 1)
	}
	return int32(extra + (at-extra*(size+1))/max(size, 1) + 1)
}

// shift is lag and lead.
func (c *windowCall) shift(r *windowRows, args []arrow.Array) (arrow.Array, error) {
	n := r.b.N
	idx := make([]int32, n)
	src := args[0]
	if len(args) > 2 {
		src = kernel.Concat(c.args[0].Type, []arrow.Array{args[0], args[2]})
	}
	for i := range idx {
		off := int64(1)
		if len(args) > 1 {
			if args[1].IsNull(i) {
				idx[i] = -1
				continue
			}
			off = int64(kernel.Values[int32](args[1])[i])
		}
		if c.kind == winLag {
			off = -off
		}
		at := int64(i) + off
		switch {
		case at >= int64(r.partStart[i]) && at < int64(r.partEnd[i]):
			idx[i] = int32(at)
		case len(args) > 2:
			idx[i] = int32(n + i)
		default:
			idx[i] = -1
		}
	}
	return kernel.Take(src, idx), nil
}
