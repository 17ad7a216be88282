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

// pieceForm is how a call is computed when its partition comes in pieces.
type pieceForm uint8

const (
	pieceNumber pieceForm = iota // from the row's place: row_number, rank, ntile, …
	pieceLocal                   // from a bounded number of rows around: lag, lead, frames of ROWS with offsets
	pieceGrow                    // over all rows up to the current one
	pieceWhole                   // over the whole partition
)

// pieceMax is the most rows of surroundings that a call may need.
const pieceMax = 1 << 16

// pieces says how the calls are computed piece by piece.
type pieces struct {
	forms         []pieceForm
	totals        bool // the partition must be read once before the first row leaves
	peers         bool // pieces end where a peer group ends
	before, after int  // rows needed around a piece
}

// pieceForms classifies the calls; ok false when one of them needs its whole partition at hand.
func (o *windowOp) pieceForms() (p pieces, ok bool) {
	f := o.frame.f
	rows := f.GetMode() == planpb.WindowFrame_ROWS
	for _, c := range o.calls {
		form := pieceNumber
		switch c.kind {
		case winRowNumber:
		case winNtile:
			p.totals = true
		case winRank, winDenseRank, winPercentRank, winCumeDist:
			if len(o.order.exprs) == 0 {
				return p, false
			}
			p.peers = true
			p.totals = p.totals || c.kind == winPercentRank || c.kind == winCumeDist
		case winLag, winLead:
			off := int64(1)
			if len(c.args) > 1 {
				d, isConst := c.args[1].Const()
				if !isConst {
					return p, false
				}
				if d != nil {
					off = int64Of(d)
				}
			}
			if off < -pieceMax || off > pieceMax {
				return p, false
			}
			form = pieceLocal
			p.before, p.after = max(p.before, int(off), int(-off)), max(p.after, int(off), int(-off))
		case winNth:
			return p, false
		default:
			if f.GetExclude() != planpb.WindowFrame_NO_OTHERS {
				return p, false
			}
			head := f.GetStart() == planpb.WindowFrame_UNBOUNDED_PRECEDING
			peerless := !rows && len(o.order.exprs) == 0
			toCurrent := f.GetEnd() == planpb.WindowFrame_CURRENT_ROW
			switch {
			case head && (f.GetEnd() == planpb.WindowFrame_UNBOUNDED_FOLLOWING || toCurrent && peerless):
				form, p.totals = pieceWhole, true
			case head && toCurrent:
				form, p.peers = pieceGrow, p.peers || !rows
			case rows && boundedROWS(f.GetStart()) && boundedROWS(f.GetEnd()):
				form = pieceLocal
			default:
				return p, false
			}
		}
		p.forms = append(p.forms, form)
	}
	return p, true
}

func boundedROWS(b planpb.WindowFrame_Bound) bool {
	return b == planpb.WindowFrame_OFFSET_PRECEDING || b == planpb.WindowFrame_CURRENT_ROW || b == planpb.WindowFrame_OFFSET_FOLLOWING
}

// windowStream computes one partition too large for memory, piece by piece. When
// calls need to know the whole partition it is first put into a rowStore.
type windowStream struct {
	o *windowOp
	pieces
	localFrames bool
	key         []arrow.Array // the partition's, one row
	ended       bool          // the partition has no more input
	store       *rowStore     // with totals
	at          int           // next batch of store
	total       int64
	counted     bool

	buf    *Batch // rows at hand: done ones, then the next
	done   int    // rows of buf that have left
	last   bool   // buf has the partition's last row
	place  int64  // rows that have left
	groups int64  // peer groups that have left
	accs   []accumulator
	values []arrow.Array // one-row results of pieceWhole, first_value and ntile's argument
	mem    *memory       // of buf
}

func newWindowStream(o *windowOp) (*windowStream, error) {
	p, _ := o.pieceForms()
	s := &windowStream{o: o, pieces: p, accs: make([]accumulator, len(o.calls)), values: make([]arrow.Array, len(o.calls)),
		mem: &memory{q: o.mem.q, id: o.mem.id, name: o.mem.name, budget: o.mem.budget}}
	for i, c := range o.calls {
		if c.kind == winAggregate && p.forms[i] != pieceLocal {
			s.accs[i] = c.agg.newAccumulator(o.w)
			s.accs[i].resize(1)
		}
		if p.forms[i] == pieceLocal && c.kind != winLag && c.kind != winLead {
			s.localFrames = true
		}
	}
	if s.localFrames {
		_, lo, err := o.frame.offset(o.w, o.frame.startOffset, "starting")
		if err != nil {
			return nil, err
		}
		_, hi, err := o.frame.offset(o.w, o.frame.endOffset, "ending")
		if err != nil {
			return nil, err
		}
		if lo > pieceMax || hi > pieceMax {
			return nil, pgerror.New(pgerror.OutOfMemory, "out of memory").
				WithDetail("%s cannot compute frames of so many rows over a partition of %d bytes.", o.mem.name, o.mem.used)
		}
		k := int(max(lo, hi))
		s.before, s.after = max(s.before, k), max(s.after, k)
	}
	if len(o.part) > 0 {
		keys, err := evalAll(o.w.frame, o.part, input(sliced(o.held[0], 0, 1)))
		if err != nil {
			return nil, err
		}
		s.key = kernel.TakeCols(keys, []int32{0})
	}
	o.mem.free()
	if s.totals {
		s.store = &rowStore{mem: o.mem, ts: o.inTs}
	}
	return s, nil
}

func (s *windowStream) close() {
	if s.store != nil {
		s.store.clear()
	}
	s.mem.free()
}

// input gives the partition's next batch from the operator's input; rows of the
// next partition are left in o.held.
func (s *windowStream) input(ctx context.Context) (*Batch, error) {
	o := s.o
	if s.ended {
		return nil, nil
	}
	if len(o.held) > 0 { // what was read before the stream began: all of this partition
		b := o.held[0]
		if b.N > o.w.q.env.BatchSize {
			o.held[0] = sliced(b, o.w.q.env.BatchSize, b.N)
			b = sliced(b, 0, o.w.q.env.BatchSize)
		} else {
			o.held = o.held[1:]
		}
		o.rows -= b.N
		return b, nil
	}
	b, err := o.in.next(ctx)
	if err != nil {
		return nil, err
	}
	if b == nil {
		s.ended, o.end = true, true
		o.in.close()
		return nil, nil
	}
	b = dense(b)
	if len(o.part) == 0 {
		return b, nil
	}
	keys, err := evalAll(o.w.frame, o.part, input(b))
	if err != nil {
		return nil, err
	}
	for k := range keys {
		keys[k] = kernel.Concat(o.part[k].Type, []arrow.Array{s.key[k], keys[k]})
	}
	var enc kernel.Keys
	o.spec.Encode(o.w.frame.Ctx.Env, &enc, keys, b.N+1)
	n := 0
	for n < b.N && enc.Equal(0, n+1) {
		n++
	}
	if n == b.N {
		return b, nil
	}
	s.ended = true
	rest := sliced(b, n, b.N)
	o.held, o.rows = []*Batch{rest}, rest.N
	if n == 0 {
		return nil, nil
	}
	return sliced(b, 0, n), nil
}

// count reads the partition into the store and computes what needs all of it.
func (s *windowStream) count(ctx context.Context) error {
	for {
		b, err := s.input(ctx)
		if err != nil || b == nil {
			return err
		}
		for i, c := range s.o.calls {
			if s.forms[i] != pieceWhole && c.kind != winNtile {
				continue
			}
			switch {
			case s.accs[i] != nil:
				if err := c.agg.feed(s.o.w, s.accs[i], input(b), make([]int32, b.N)); err != nil {
					return err
				}
			case c.kind == winLast || s.values[i] == nil: // the last row; else the first
				at := 0
				if c.kind == winLast {
					at = b.N - 1
				}
				v, err := c.args[0].Eval(s.o.w.frame, input(sliced(b, at, at+1)))
				if err != nil {
					return err
				}
				s.values[i] = kernel.Take(v, []int32{0})
			}
		}
		s.total += int64(b.N)
		// in pieces of a batch's size, so that what is read back is one
		for lo := 0; lo < b.N; lo += s.o.w.q.env.BatchSize {
			if err := s.store.add(sliced(b, lo, min(lo+s.o.w.q.env.BatchSize, b.N))); err != nil {
				return err
			}
		}
	}
}

// pull gives the next batch to compute.
func (s *windowStream) pull(ctx context.Context) (*Batch, error) {
	if s.store == nil {
		return s.input(ctx)
	}
	if !s.counted {
		s.counted = true
		if err := s.count(ctx); err != nil {
			return nil, err
		}
		for i, acc := range s.accs {
			if acc != nil && s.forms[i] == pieceWhole {
				v, err := acc.result(0, 1)
				if err != nil {
					return nil, err
				}
				s.values[i] = v
			}
		}
	}
	if err := ctx.Err(); err != nil || s.at >= s.store.len() {
		return nil, err
	}
	s.at++
	return s.store.get(s.at - 1)
}

// next gives rows with all calls' values; nil when the partition is done.
func (s *windowStream) next(ctx context.Context) (*Batch, error) {
	for {
		var r *windowRows
		end := 0
		if s.buf != nil {
			end = s.buf.N
			if !s.last {
				end -= s.after
			}
			if end > s.done {
				var err error
				if r, err = s.o.partitioned(s.buf); err != nil {
					return nil, err
				}
				if s.peers && !s.last {
					end = int(r.peerStart[min(end, s.buf.N-1)])
				}
			}
		}
		if r != nil && end > s.done {
			b, err := s.compute(r, s.done, end)
			if err != nil {
				return nil, err
			}
			s.place += int64(end - s.done)
			s.groups += int64(r.group[end-1]-r.group[s.done]) + 1
			from := max(0, end-s.before)
			s.done = end - from
			s.buf = concatBatches(s.o.inTs, []*Batch{sliced(s.buf, from, s.buf.N)})
			s.mem.set(batchBytes(s.buf))
			return b, nil
		}
		if s.last {
			return nil, nil
		}
		// more rows: as many again, so that a large peer group is not copied each time
		var more []*Batch
		if s.buf != nil {
			more = append(more, s.buf)
		}
		want := 1
		if s.buf != nil {
			want = max(1, s.buf.N)
		}
		for n := 0; n < want; {
			b, err := s.pull(ctx)
			if err != nil {
				return nil, err
			}
			if b == nil {
				s.last = true
				break
			}
			n += b.N
			more = append(more, b)
			s.mem.add(2*batchBytes(b) + windowRowBytes*int64(b.N))
			if err := s.mem.must(); err != nil {
				return nil, err
			}
		}
		if len(more) == 0 {
			return nil, nil
		}
		s.buf = concatBatches(s.o.inTs, more)
	}
}

// compute gives rows lo … hi−1 of r with the calls' values.
func (s *windowStream) compute(r *windowRows, lo, hi int) (*Batch, error) {
	w, n := s.o.w, hi-lo
	body := sliced(r.b, lo, hi)
	cols := append([]arrow.Array{}, body.Cols...)
	var local *frames
	if s.localFrames {
		var err error
		if local, err = s.o.frame.compute(w, r); err != nil {
			return nil, err
		}
	}
	rows := s.o.frame.f.GetMode() == planpb.WindowFrame_ROWS
	frameEnd := func(i int) int { // of a growing frame
		if rows {
			return i + 1
		}
		return int(r.peerEnd[i])
	}
	for i, c := range s.o.calls {
		var v arrow.Array
		var err error
		switch form := s.forms[i]; {
		case form == pieceLocal:
			if v, err = c.compute(w, r, local); err == nil {
				v = kernel.Slice(v, lo, hi)
			}
		case form == pieceNumber:
			v, err = s.number(c, s.values[i], r, lo, hi)
		case form == pieceWhole || c.kind == winFirst:
			if s.values[i] == nil {
				if v, err = c.args[0].Eval(w.frame, input(sliced(body, 0, 1))); err != nil {
					return nil, err
				}
				s.values[i] = kernel.Take(v, []int32{0})
			}
			v = kernel.Take(s.values[i], make([]int32, n))
		case c.kind == winLast:
			if v, err = c.args[0].Eval(w.frame, input(body)); err == nil {
				idx := make([]int32, n)
				for k := range idx {
					idx[k] = int32(frameEnd(lo+k) - 1 - lo)
				}
				v = kernel.Take(v, idx)
			}
		default:
			v, err = c.grow(w, s.accs[i], body, func(k int) int { return frameEnd(lo+k) - lo })
		}
		if err != nil {
			return nil, err
		}
		cols = append(cols, v)
	}
	return &Batch{Cols: cols, N: n}, nil
}

// grow folds the rows of b into acc up to the end of each row's frame.
func (c *windowCall) grow(w *worker, acc accumulator, b *Batch, end func(i int) int) (arrow.Array, error) {
	before, args, err := c.aggArgs(w, b)
	if err != nil {
		return nil, err
	}
	zero := make([]int32, b.N)
	meter := expr.NewMeter(w.frame.Ctx, b.N)
	out := types.NewBuilder(c.result, b.N)
	var value types.Datum
	at := 0
	for i := range b.N {
		if e := end(i); e > at {
			if lo, hi := int(before[at]), int(before[e]); hi > lo {
				part := make([]arrow.Array, len(args))
				for k, a := range args {
					part[k] = kernel.Slice(a, lo, hi)
				}
				if err := acc.add(zero[:hi-lo], part); err != nil {
					return nil, err
				}
			}
			at = e
			v, err := acc.result(0, 1)
			if err != nil {
				return nil, err
			}
			value = types.Get(c.result, v, 0)
		}
		if err := meter.Add(int(datumBytes(value))); err != nil {
			return nil, err
		}
		out.Append(value)
	}
	return out.Finish(), nil
}

// number computes a call that depends on the row's place only.
func (s *windowStream) number(c *windowCall, arg arrow.Array, r *windowRows, lo, hi int) (arrow.Array, error) {
	n := hi - lo
	place := func(row int32) int64 { return s.place + int64(int(row)-lo) }
	if c.kind == winNtile {
		if arg.IsNull(0) {
			return kernel.Nulls(c.result, n), nil
		}
		k := int64(kernel.Values[int32](arg)[0])
		if k <= 0 {
			return nil, pgerror.New(pgerror.InvalidArgumentForNtileFunction, "argument of ntile must be greater than zero")
		}
		out := make([]int32, n)
		for i := range out {
			out[i] = bucket(k, s.total, s.place+int64(i))
		}
		return kernel.MakeFixed(arrow.PrimitiveTypes.Int32, out, nil, 0), nil
	}
	if c.kind == winPercentRank || c.kind == winCumeDist {
		out := make([]float64, n)
		for i := range out {
			switch {
			case c.kind == winCumeDist:
				out[i] = float64(place(r.peerEnd[lo+i])) / float64(s.total)
			case s.total > 1:
				out[i] = float64(place(r.peerStart[lo+i])) / float64(s.total-1)
			}
		}
		return kernel.MakeFixed(arrow.PrimitiveTypes.Float64, out, nil, 0), nil
	}
	out := make([]int64, n)
	for i := range out {
		switch c.kind {
		case winRowNumber:
			out[i] = s.place + int64(i) + 1
		case winRank:
			out[i] = place(r.peerStart[lo+i]) + 1
		case winDenseRank:
			out[i] = s.groups + int64(r.group[lo+i]-r.group[lo]) + 1
		}
	}
	return kernel.MakeFixed(arrow.PrimitiveTypes.Int64, out, nil, 0), nil
}
