package vexec

import (
	"context"
	"slices"
	"sort"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// windowSpill computes a partition of any size with any frames. The partition is
// read into a rowStore of pages, each row with its order keys, peer group and the
// calls' arguments. Then row after row its frame is found by places that only
// move forward, and values are fetched from the pages: a bounded number of them
// is at hand. An aggregate whose frame moves and that cannot take rows out again
// is computed afresh for each frame, as in memory.
type windowSpill struct {
	o   *windowOp
	in  *partitionInput
	ctx context.Context

	read  bool
	pages windowPages
	// columns of the pages: the input's, then
	keyCol, peerCol, groupCol int
	argCol, filterCol         []int // by call; filterCol −1: none
	ts                        []types.T

	at             int   // next page to give out
	peers          span  // peer group of the row in work
	headAt, tailAt int64 // RANGE: where the frame begins and ends
	startN, endN   int64 // offsets
	startD, endD   arrow.Array
	groupStart     groupCursor
	groupEnd       groupCursor
	aggs           []*frameAggregate
}

// windowPagesMax is how many pages are at hand; together they fit the budget.
const windowPagesMax = 16

func newWindowSpill(o *windowOp, in *partitionInput) *windowSpill {
	s := &windowSpill{o: o, in: in, ts: slices.Clone(o.inTs), aggs: make([]*frameAggregate, len(o.calls))}
	s.keyCol = len(s.ts)
	s.ts = append(s.ts, exprTypes(o.order.exprs)...)
	s.peerCol, s.groupCol = len(s.ts), len(s.ts)+1
	s.ts = append(s.ts, types.Of(types.Int8), types.Of(types.Int8))
	for i, c := range o.calls {
		s.argCol, s.filterCol = append(s.argCol, len(s.ts)), append(s.filterCol, -1)
		if c.kind != winAggregate {
			s.ts = append(s.ts, exprTypes(c.args)...)
			continue
		}
		s.ts = append(s.ts, exprTypes(c.agg.args)...)
		if c.agg.filter != nil {
			s.filterCol[i] = len(s.ts)
			s.ts = append(s.ts, types.Of(types.Bool))
		}
		s.aggs[i] = &frameAggregate{c: c, w: o.w, each: func(sp span, f func([]arrow.Array, int) (bool, error)) error { return s.each(i, sp, f) }}
	}
	s.pages.store = &rowStore{mem: o.mem, ts: s.ts}
	return s
}

func (s *windowSpill) close() {
	s.pages.store.clear()
	s.pages = windowPages{store: s.pages.store}
	s.aggs = nil
}

func (s *windowSpill) next(ctx context.Context) (*Batch, error) {
	s.ctx = ctx
	if !s.read {
		s.read = true
		if err := s.fill(ctx); err != nil {
			return nil, err
		}
		if err := s.offsets(); err != nil {
			return nil, err
		}
	}
	if s.at >= len(s.pages.starts) {
		return nil, ctx.Err()
	}
	s.at++
	return s.compute(s.at - 1)
}

// fill reads the partition into pages.
func (s *windowSpill) fill(ctx context.Context) error {
	o := s.o
	rows, peer, group := 0, int64(0), int64(0)
	var last []arrow.Array // order keys of the row before
	for {
		b, err := s.in.next(ctx)
		if err != nil || b == nil {
			return err
		}
		// in pieces, so that expressions make little at a time
		for lo := 0; lo < b.N; {
			part := sliced(b, lo, min(b.N, lo+o.w.q.env.BatchSize))
			lo += part.N
			cols := append([]arrow.Array{}, part.Cols...)
			in := input(part)
			keys, err := evalAll(o.w.frame, o.order.exprs, in)
			if err != nil {
				return err
			}
			cols = append(cols, keys...)
			peers, groups := make([]int64, part.N), make([]int64, part.N)
			if len(keys) > 0 {
				same := compareKeys(o.w, o.order.specs, keys, keys)
				for i := range part.N {
					fresh := false
					if i > 0 {
						fresh = same(i-1, i) != 0
					} else if last != nil {
						fresh = compareKeys(o.w, o.order.specs, last, keys)(0, 0) != 0
					}
					if fresh {
						peer, group = s.pages.total+int64(i), group+1
					}
					peers[i], groups[i] = peer, group
				}
				last = kernel.TakeCols(keys, []int32{int32(part.N - 1)})
			}
			cols = append(cols, kernel.MakeFixed(arrow.PrimitiveTypes.Int64, peers, nil, 0), kernel.MakeFixed(arrow.PrimitiveTypes.Int64, groups, nil, 0))
			for i, c := range o.calls {
				es := c.args
				if c.kind == winAggregate {
					es = c.agg.args
				}
				vs, err := s.arguments(c, es, in, part.N)
				if err != nil {
					return err
				}
				cols = append(cols, vs...)
				if s.filterCol[i] >= 0 {
					v, err := c.agg.filter.Eval(o.w.frame, in)
					if err != nil {
						return err
					}
					cols = append(cols, v)
				}
			}
			full := &Batch{Cols: cols, N: part.N}
			if rows == 0 {
				per := max(1, batchBytes(full)/int64(full.N))
				rows = int(min(max(16, o.mem.budget/windowPagesMax/per), int64(o.w.q.env.BatchSize)))
			}
			for at := 0; at < full.N; at += rows {
				if err := s.pages.add(sliced(full, at, min(at+rows, full.N))); err != nil {
					return err
				}
			}
		}
	}
}

// arguments evaluates a call's arguments; those of an aggregate for the rows that
// pass its filter, NULL for the others.
func (s *windowSpill) arguments(c *windowCall, es []*expr.Expr, in *expr.Input, n int) ([]arrow.Array, error) {
	if c.kind != winAggregate || c.agg.filter == nil {
		return evalAll(s.o.w.frame, es, in)
	}
	keep, err := c.agg.filter.Filter(s.o.w.frame, in)
	if err != nil || keep == nil {
		if err != nil {
			return nil, err
		}
		return evalAll(s.o.w.frame, es, in)
	}
	idx := make([]int32, n)
	for i := range idx {
		idx[i] = -1
	}
	for k, i := range keep {
		idx[i] = int32(k)
	}
	if len(keep) == 0 {
		out := make([]arrow.Array, len(es))
		for k, e := range es {
			out[k] = kernel.Nulls(e.Type, n)
		}
		return out, nil
	}
	vs, err := evalAll(s.o.w.frame, es, in.Subset(keep))
	if err != nil {
		return nil, err
	}
	return kernel.TakeCols(vs, idx), nil
}

// offsets evaluates the frame's bounds.
func (s *windowSpill) offsets() error {
	o := s.o.frame
	d, n, err := o.offset(s.o.w, o.startOffset, "starting")
	if err != nil {
		return err
	}
	if s.startN = n; o.startIn != nil {
		s.startD = offsetVector(o.startOffset, d)
	}
	if d, n, err = o.offset(s.o.w, o.endOffset, "ending"); err != nil {
		return err
	}
	if s.endN = n; o.endIn != nil {
		s.endD = offsetVector(o.endOffset, d)
	}
	return nil
}

// page is one page being given out, with the frame of each row.
type windowPage struct {
	b      *Batch
	from   int64 // its first row
	frames []span
	peers  []span
}

// compute gives the rows of a page with the calls' values.
func (s *windowSpill) compute(page int) (*Batch, error) {
	b, err := s.pages.page(s.ctx, page)
	if err != nil {
		return nil, err
	}
	p := &windowPage{b: b, from: s.pages.starts[page], frames: make([]span, b.N), peers: make([]span, b.N)}
	for i := range b.N {
		if err := s.place(p, i); err != nil {
			return nil, err
		}
	}
	cols := append([]arrow.Array{}, b.Cols[:len(s.o.inTs)]...)
	for i, c := range s.o.calls {
		v, err := s.call(p, i, c)
		if err != nil {
			return nil, err
		}
		cols = append(cols, v)
	}
	return &Batch{Cols: cols, N: b.N}, nil
}

// place finds the peer group and the frame of row i of p.
func (s *windowSpill) place(p *windowPage, i int) error {
	row, total := p.from+int64(i), s.pages.total
	if row >= s.peers.hi {
		end, err := s.peerEnd(row)
		if err != nil {
			return err
		}
		s.peers = span{row, end}
	}
	p.peers[i] = s.peers
	f := s.o.frame
	rows, groups := f.f.GetMode() == planpb.WindowFrame_ROWS, f.f.GetMode() == planpb.WindowFrame_GROUPS
	clamp := func(x int64) int64 { return min(max(x, 0), total) }
	sign := func(b planpb.WindowFrame_Bound, k int64) int64 {
		if b == planpb.WindowFrame_OFFSET_PRECEDING {
			return -k
		}
		return min(k, 1<<40)
	}
	group := kernel.Values[int64](p.b.Cols[s.groupCol])[i]
	var at span
	var err error
	switch b := f.f.GetStart(); {
	case b == planpb.WindowFrame_UNBOUNDED_FOLLOWING:
		at.lo = total
	case b == planpb.WindowFrame_CURRENT_ROW && rows:
		at.lo = row
	case b == planpb.WindowFrame_CURRENT_ROW:
		at.lo = s.peers.lo
	case b == planpb.WindowFrame_UNBOUNDED_PRECEDING:
	case rows:
		at.lo = clamp(row + sign(b, s.startN))
	case groups:
		at.lo, err = s.groupStart.seek(s, group+sign(b, s.startN))
	default:
		if row == s.peers.lo {
			err = s.seek(&s.headAt, p, i, s.startD, f.begins)
		}
		at.lo = s.headAt
	}
	if err != nil {
		return err
	}
	switch b := f.f.GetEnd(); {
	case b == planpb.WindowFrame_UNBOUNDED_FOLLOWING:
		at.hi = total
	case b == planpb.WindowFrame_CURRENT_ROW && rows:
		at.hi = row + 1
	case b == planpb.WindowFrame_CURRENT_ROW:
		at.hi = s.peers.hi
	case b == planpb.WindowFrame_UNBOUNDED_PRECEDING:
	case rows:
		at.hi = clamp(row + sign(b, s.endN) + 1)
	case groups:
		at.hi, err = s.groupEnd.seek(s, group+sign(b, s.endN)+1)
	default:
		if row == s.peers.lo {
			err = s.seek(&s.tailAt, p, i, s.endD, f.ends)
		}
		at.hi = s.tailAt
	}
	at.hi = max(at.hi, at.lo)
	p.frames[i] = at
	return err
}

// peerEnd finds the end of the peer group that begins with row.
func (s *windowSpill) peerEnd(row int64) (int64, error) {
	for at := row; at < s.pages.total; {
		b, i, err := s.pages.at(s.ctx, at)
		if err != nil {
			return 0, err
		}
		starts := kernel.Values[int64](b.Cols[s.peerCol])
		if len(s.o.order.exprs) == 0 {
			return s.pages.total, nil
		}
		for ; i < b.N; i, at = i+1, at+1 {
			if starts[i] != row {
				return at, nil
			}
		}
	}
	return s.pages.total, nil
}

// seek moves a place of a RANGE frame forward until stop holds for it and row i of p.
func (s *windowSpill) seek(at *int64, p *windowPage, i int, off arrow.Array,
	stop func(w *worker, key arrow.Array, at int, curKey arrow.Array, cur int, off arrow.Array) (bool, error)) error {
	for *at < s.pages.total {
		b, k, err := s.pages.at(s.ctx, *at)
		if err != nil {
			return err
		}
		for ; k < b.N; k, *at = k+1, *at+1 {
			if ok, err := stop(s.o.w, b.Cols[s.keyCol], k, p.b.Cols[s.keyCol], i, off); err != nil || ok {
				return err
			}
		}
	}
	return nil
}

// groupCursor finds where peer groups begin; it only moves forward.
type groupCursor struct{ at int64 }

func (c *groupCursor) seek(s *windowSpill, group int64) (int64, error) {
	for c.at < s.pages.total {
		b, i, err := s.pages.at(s.ctx, c.at)
		if err != nil {
			return 0, err
		}
		groups := kernel.Values[int64](b.Cols[s.groupCol])
		for ; i < b.N; i, c.at = i+1, c.at+1 {
			if groups[i] >= group {
				return c.at, nil
			}
		}
	}
	return c.at, nil
}

// call computes one call for the rows of a page.
func (s *windowSpill) call(p *windowPage, i int, c *windowCall) (arrow.Array, error) {
	n := p.b.N
	arg := func(k int) arrow.Array { return p.b.Cols[s.argCol[i]+k] }
	var buf [3]span
	spans := func(k int) []span {
		return frameSpans(s.o.frame.f.GetExclude(), p.from+int64(k), p.frames[k].lo, p.frames[k].hi, p.peers[k].lo, p.peers[k].hi, buf[:0])
	}
	switch c.kind {
	case winAggregate:
		return s.aggregate(i, n, spans)
	case winPercentRank, winCumeDist:
		out := make([]float64, n)
		for k := range out {
			switch {
			case c.kind == winCumeDist:
				out[k] = float64(p.peers[k].hi) / float64(s.pages.total)
			case s.pages.total > 1:
				out[k] = float64(p.peers[k].lo) / float64(s.pages.total-1)
			}
		}
		return kernel.MakeFixed(arrow.PrimitiveTypes.Float64, out, nil, 0), nil
	case winRowNumber, winRank, winDenseRank:
		out := make([]int64, n)
		for k := range out {
			switch c.kind {
			case winRowNumber:
				out[k] = p.from + int64(k) + 1
			case winRank:
				out[k] = p.peers[k].lo + 1
			case winDenseRank:
				out[k] = kernel.Values[int64](p.b.Cols[s.groupCol])[k] + 1
			}
		}
		return kernel.MakeFixed(arrow.PrimitiveTypes.Int64, out, nil, 0), nil
	case winNtile:
		first, _, err := s.pages.at(s.ctx, 0)
		if err != nil {
			return nil, err
		}
		buckets, null, err := ntileBuckets(first.Cols[s.argCol[i]], 0)
		if err != nil || null {
			return kernel.Nulls(c.result, n), err
		}
		out := make([]int32, n)
		for k := range out {
			out[k] = bucket(buckets, s.pages.total, p.from+int64(k))
		}
		return kernel.MakeFixed(arrow.PrimitiveTypes.Int32, out, nil, 0), nil
	}
	// a row's value: its number, −1 for NULL, −2 for the default
	rows := make([]int64, n)
	var def arrow.Array
	for k := range rows {
		rows[k] = -1
		switch c.kind {
		case winLag, winLead:
			off := int64(1)
			if len(c.args) > 1 {
				if arg(1).IsNull(k) {
					continue
				}
				off = int64(kernel.Values[int32](arg(1))[k])
			}
			if c.kind == winLag {
				off = -off
			}
			if at := p.from + int64(k) + off; at >= 0 && at < s.pages.total {
				rows[k] = at
			} else if len(c.args) > 2 {
				rows[k], def = -2, arg(2)
			}
		case winFirst:
			rows[k] = nthRow(spans(k), 0)
		case winLast:
			rows[k] = lastRow(spans(k))
		case winNth:
			nth, err := nthOf(arg(1), k)
			if err != nil {
				return nil, err
			}
			if nth >= 0 {
				rows[k] = nthRow(spans(k), nth)
			}
		}
	}
	return s.pages.gather(s.ctx, c.args[0].Type, s.argCol[i], rows, def)
}

// aggregate computes an aggregate call over the frames of n rows.
func (s *windowSpill) aggregate(i, n int, spans func(int) []span) (arrow.Array, error) {
	c, agg := s.o.calls[i], s.aggs[i]
	meter := expr.NewMeter(s.o.w.frame.Ctx, n)
	out := types.NewBuilder(c.result, n)
	for k := range n {
		value, err := agg.at(spans(k))
		if err != nil {
			return nil, err
		}
		if err := s.o.mem.fits(agg.acc.bytes()); err != nil {
			return nil, err
		}
		if err := meter.Add(int(datumBytes(value))); err != nil {
			return nil, err
		}
		out.Append(value)
	}
	return out.Finish(), nil
}

// each hands on the arguments of call i of a span's rows, page by page.
func (s *windowSpill) each(i int, sp span, f func(args []arrow.Array, n int) (bool, error)) error {
	c := s.o.calls[i].agg
	for at := sp.lo; at < sp.hi; {
		b, lo, err := s.pages.at(s.ctx, at)
		if err != nil {
			return err
		}
		hi := int(min(int64(b.N), int64(lo)+sp.hi-at))
		at += int64(hi - lo)
		args, n := make([]arrow.Array, len(c.args)), hi-lo
		for k := range args {
			args[k] = kernel.Slice(b.Cols[s.argCol[i]+k], lo, hi)
		}
		if s.filterCol[i] >= 0 {
			keep := kernel.TrueRows(nil, kernel.Slice(b.Cols[s.filterCol[i]], lo, hi))
			if n = len(keep); n == 0 {
				continue
			}
			args = kernel.TakeCols(args, keep)
		}
		if more, err := f(args, n); err != nil || !more {
			return err
		}
	}
	return nil
}

// windowPages are the rows of a partition in pages, some of them at hand.
type windowPages struct {
	store  *rowStore
	starts []int64 // first row of each page
	total  int64
	hand   []handyPage
	clock  int64
}

type handyPage struct {
	i    int
	b    *Batch
	used int64
}

func (p *windowPages) add(b *Batch) error {
	p.starts = append(p.starts, p.total)
	p.total += int64(b.N)
	return p.store.add(b)
}

func (p *windowPages) page(ctx context.Context, i int) (*Batch, error) {
	p.clock++
	oldest := 0
	for k := range p.hand {
		h := &p.hand[k]
		if h.i == i {
			h.used = p.clock
			return h.b, nil
		}
		if h.used < p.hand[oldest].used {
			oldest = k
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := p.store.get(i)
	if err != nil {
		return nil, err
	}
	h := handyPage{i, b, p.clock}
	if len(p.hand) < windowPagesMax {
		p.hand = append(p.hand, h)
	} else {
		p.hand[oldest] = h
	}
	return b, nil
}

// pageOf gives the page of a row.
func (p *windowPages) pageOf(row int64) int {
	return sort.Search(len(p.starts), func(i int) bool { return p.starts[i] > row }) - 1
}

// at gives the page of a row and the row's place in it.
func (p *windowPages) at(ctx context.Context, row int64) (*Batch, int, error) {
	i := p.pageOf(row)
	b, err := p.page(ctx, i)
	return b, int(row - p.starts[i]), err
}

// gather collects a column's values of rows: −1 is NULL, −2 the row's value in def.
func (p *windowPages) gather(ctx context.Context, t types.T, col int, rows []int64, def arrow.Array) (arrow.Array, error) {
	byPage := map[int][]int{} // places in rows
	for k, r := range rows {
		if r >= 0 {
			i := p.pageOf(r)
			byPage[i] = append(byPage[i], k)
		}
	}
	var pages []int
	for i := range byPage {
		pages = append(pages, i)
	}
	slices.Sort(pages)
	var parts []arrow.Array
	place, n := make([]int32, len(rows)), 0
	for k := range place {
		place[k] = -1
	}
	for _, i := range pages {
		b, err := p.page(ctx, i)
		if err != nil {
			return nil, err
		}
		at := make([]int32, len(byPage[i]))
		for j, k := range byPage[i] {
			at[j] = int32(rows[k] - p.starts[i])
			place[k] = int32(n)
			n++
		}
		parts = append(parts, kernel.Take(b.Cols[col], at))
	}
	if def != nil {
		for k, r := range rows {
			if r == -2 {
				place[k] = int32(n + k)
			}
		}
		parts = append(parts, def)
	}
	if len(parts) == 0 {
		return kernel.Nulls(t, len(rows)), nil
	}
	return kernel.Take(kernel.Concat(t, parts), place), nil
}
