package vexec

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// pieceForm is how a call is computed when its partition comes in pieces.
type pieceForm uint8

const (
	pieceNumber pieceForm = iota // from the row's place: row_number, ntile
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
		case winRank, winDenseRank, winPercentRank, winCumeDist, winNth: // a peer group may be as large as the partition
			return p, false
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
			case head && toCurrent && rows:
				form = pieceGrow
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

// windowPart computes one partition too large for memory.
type windowPart interface {
	// next gives rows with all calls' values; nil when the partition is done.
	next(ctx context.Context) (*Batch, error)
	close()
}

// newWindowPart takes what o has read, the beginning of a partition: piece by
// piece where all calls can be, else from a store of the whole partition.
func newWindowPart(o *windowOp) (windowPart, error) {
	in, err := newPartitionInput(o)
	if err != nil {
		return nil, err
	}
	o.mem.free()
	p, ok := o.pieceForms()
	if !ok {
		return newWindowSpill(o, in), nil
	}
	s := &windowStream{o: o, in: in, pieces: p, accs: make([]accumulator, len(o.calls)), values: make([]arrow.Array, len(o.calls)),
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
			return newWindowSpill(o, in), nil
		}
		k := int(max(lo, hi))
		s.before, s.after = max(s.before, k), max(s.after, k)
	}
	if s.totals {
		s.store = &rowStore{mem: o.mem, ts: o.inTs}
	}
	return s, nil
}

// windowStream computes a partition piece by piece. When calls need to know the
// whole partition it is first put into a rowStore.
type windowStream struct {
	o  *windowOp
	in *partitionInput
	pieces
	localFrames bool
	store       *rowStore // with totals
	at          int       // next batch of store
	total       int64
	counted     bool

	buf    *Batch // rows at hand: done ones, then the next
	done   int    // rows of buf that have left
	last   bool   // buf has the partition's last row
	place  int64  // rows that have left
	accs   []accumulator
	values []arrow.Array // one-row results of pieceWhole, first_value and ntile's argument
	mem    *memory       // of buf
}

func (s *windowStream) close() {
	if s.store != nil {
		s.store.clear()
	}
	s.mem.free()
}

// count reads the partition into the store and computes what needs all of it.
func (s *windowStream) count(ctx context.Context) error {
	for {
		b, err := s.in.next(ctx)
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
		return s.in.next(ctx)
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
		end := 0
		if s.buf != nil {
			end = s.buf.N
			if !s.last {
				end -= s.after
			}
		}
		if end > s.done {
			b, err := s.compute(s.done, end)
			if err != nil {
				return nil, err
			}
			s.place += int64(end - s.done)
			from := max(0, end-s.before)
			s.done = end - from
			s.buf = concatBatches(s.o.inTs, []*Batch{sliced(s.buf, from, s.buf.N)})
			s.mem.set(batchBytes(s.buf))
			return b, nil
		}
		if s.last {
			return nil, nil
		}
		// more rows: as many again, so that large surroundings are not copied each time
		var more []*Batch
		want := 1
		if s.buf != nil {
			more = append(more, s.buf)
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

// compute gives rows lo … hi−1 of buf with the calls' values.
func (s *windowStream) compute(lo, hi int) (*Batch, error) {
	w, n := s.o.w, hi-lo
	r, err := s.o.partitioned(s.buf)
	if err != nil {
		return nil, err
	}
	body := sliced(r.b, lo, hi)
	cols := append([]arrow.Array{}, body.Cols...)
	var local *frames
	if s.localFrames {
		if local, err = s.o.frame.compute(w, r); err != nil {
			return nil, err
		}
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
			v, err = s.number(c, s.values[i], n)
		case form == pieceWhole || c.kind == winFirst:
			if s.values[i] == nil {
				if v, err = c.args[0].Eval(w.frame, input(sliced(body, 0, 1))); err != nil {
					return nil, err
				}
				s.values[i] = kernel.Take(v, []int32{0})
			}
			v = kernel.Take(s.values[i], make([]int32, n))
		case c.kind == winLast: // of the rows up to this one
			v, err = c.args[0].Eval(w.frame, input(body))
		default:
			v, err = c.grow(w, s.accs[i], body)
		}
		if err != nil {
			return nil, err
		}
		cols = append(cols, v)
	}
	return &Batch{Cols: cols, N: n}, nil
}

// grow folds the rows of b into acc, each row's frame ending with itself.
func (c *windowCall) grow(w *worker, acc accumulator, b *Batch) (arrow.Array, error) {
	before, args, err := c.aggArgs(w, b)
	if err != nil {
		return nil, err
	}
	zero := make([]int32, b.N)
	meter := expr.NewMeter(w.frame.Ctx, b.N)
	out := types.NewBuilder(c.result, b.N)
	var value types.Datum
	for i := range b.N {
		lo, hi := int(before[i]), int(before[i+1])
		if hi > lo {
			part := make([]arrow.Array, len(args))
			for k, a := range args {
				part[k] = kernel.Slice(a, lo, hi)
			}
			if err := acc.add(zero[:hi-lo], part); err != nil {
				return nil, err
			}
		}
		if hi > lo || i == 0 {
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
func (s *windowStream) number(c *windowCall, arg arrow.Array, n int) (arrow.Array, error) {
	if c.kind == winNtile {
		k, null, err := ntileBuckets(arg, 0)
		if err != nil || null {
			return kernel.Nulls(c.result, n), err
		}
		out := make([]int32, n)
		for i := range out {
			out[i] = bucket(k, s.total, s.place+int64(i))
		}
		return kernel.MakeFixed(arrow.PrimitiveTypes.Int32, out, nil, 0), nil
	}
	out := make([]int64, n)
	for i := range out {
		out[i] = s.place + int64(i) + 1
	}
	return kernel.MakeFixed(arrow.PrimitiveTypes.Int64, out, nil, 0), nil
}
