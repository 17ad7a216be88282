package vexec

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// windowFrame computes the frame of every row.
type windowFrame struct {
	f                      *planpb.WindowFrame
	startOffset, endOffset *expr.Expr
	// RANGE offsets: in_range over [value, current value, offset]
	startIn, endIn *expr.Expr
	nullsFirst     bool
}

// frames holds each row's frame [start, end), less what exclude takes out.
type frames struct {
	r          *windowRows
	start, end []int32
	exclude    planpb.WindowFrame_Exclude
}

func newWindowFrame(w *worker, f *planpb.WindowFrame, order *sortKeys) (*windowFrame, error) {
	if f == nil {
		f = &planpb.WindowFrame{Mode: planpb.WindowFrame_RANGE, Start: planpb.WindowFrame_UNBOUNDED_PRECEDING, End: planpb.WindowFrame_CURRENT_ROW}
	}
	o := &windowFrame{f: f}
	var err error
	if o.startOffset, err = w.compile(f.GetStartOffset()); err != nil {
		return nil, err
	}
	if o.endOffset, err = w.compile(f.GetEndOffset()); err != nil {
		return nil, err
	}
	if f.GetMode() != planpb.WindowFrame_RANGE || len(order.exprs) == 0 {
		return o, nil
	}
	t, asc := order.specs[0].Type, !order.specs[0].Descending
	o.nullsFirst = order.specs[0].NullsFirst
	inRange := func(oid uint32, off *expr.Expr, preceding, less bool) (*expr.Expr, error) {
		sub := preceding
		if !asc {
			sub, less = !sub, !less
		}
		bool_ := types.Of(types.Bool)
		return w.compile(planpb.NewFunc(bool_, oid, planpb.NewColumn(t, 0), planpb.NewColumn(t, 1), planpb.NewColumn(off.Type, 2),
			planpb.NewConst(bool_, sub), planpb.NewConst(bool_, less)))
	}
	if o.startOffset != nil {
		if o.startIn, err = inRange(f.GetStartInRange(), o.startOffset, f.GetStart() == planpb.WindowFrame_OFFSET_PRECEDING, false); err != nil {
			return nil, err
		}
	}
	if o.endOffset != nil {
		o.endIn, err = inRange(f.GetEndInRange(), o.endOffset, f.GetEnd() == planpb.WindowFrame_OFFSET_PRECEDING, true)
	}
	return o, err
}

// offset evaluates a frame offset; counts must not be negative.
func (o *windowFrame) offset(w *worker, e *expr.Expr, which string) (types.Datum, int64, error) {
	if e == nil {
		return nil, 0, nil
	}
	d, err := e.EvalScalar(w.frame)
	if err != nil {
		return nil, 0, err
	}
	if d == nil {
		return nil, 0, pgerror.New(pgerror.NullValueNotAllowed, "frame %s offset must not be null", which)
	}
	if o.f.GetMode() == planpb.WindowFrame_RANGE {
		return d, 0, nil
	}
	n := int64Of(d)
	if n < 0 {
		return nil, 0, pgerror.New(pgerror.InvalidPrecedingOrFollowingSize, "frame %s offset must not be negative", which)
	}
	return d, n, nil
}

func (o *windowFrame) compute(w *worker, r *windowRows) (*frames, error) {
	n := r.b.N
	f := &frames{r: r, start: make([]int32, n), end: make([]int32, n), exclude: o.f.GetExclude()}
	startD, startN, err := o.offset(w, o.startOffset, "starting")
	if err != nil {
		return nil, err
	}
	endD, endN, err := o.offset(w, o.endOffset, "ending")
	if err != nil {
		return nil, err
	}
	var groups [][]int32 // per partition: the rows where its peer groups start
	if o.f.GetMode() == planpb.WindowFrame_GROUPS && (o.startOffset != nil || o.endOffset != nil) {
		groups = groupStarts(r)
	}
	rows := o.f.GetMode() == planpb.WindowFrame_ROWS
	part := -1
	for i := range n {
		lo, hi := int64(r.partStart[i]), int64(r.partEnd[i])
		if int64(i) == lo {
			part++
		}
		clamp := func(x int64) int32 { return int32(min(max(x, lo), hi)) }
		group := func(g int64) int32 { // start of peer group g of the partition
			if g < 0 {
				return int32(lo)
			}
			if g >= int64(len(groups[part])) {
				return int32(hi)
			}
			return groups[part][g]
		}
		sign := func(b planpb.WindowFrame_Bound, k int64) int64 {
			if b == planpb.WindowFrame_OFFSET_PRECEDING {
				return -k
			}
			return min(k, 1<<40)
		}
		switch b := o.f.GetStart(); {
		case b == planpb.WindowFrame_UNBOUNDED_PRECEDING:
			f.start[i] = int32(lo)
		case b == planpb.WindowFrame_UNBOUNDED_FOLLOWING:
			f.start[i] = int32(hi)
		case b == planpb.WindowFrame_CURRENT_ROW && rows:
			f.start[i] = int32(i)
		case b == planpb.WindowFrame_CURRENT_ROW:
			f.start[i] = r.peerStart[i]
		case rows:
			f.start[i] = clamp(int64(i) + sign(b, startN))
		case groups != nil:
			f.start[i] = group(int64(r.group[i]) + sign(b, startN))
		}
		switch b := o.f.GetEnd(); {
		case b == planpb.WindowFrame_UNBOUNDED_FOLLOWING:
			f.end[i] = int32(hi)
		case b == planpb.WindowFrame_UNBOUNDED_PRECEDING:
			f.end[i] = int32(lo)
		case b == planpb.WindowFrame_CURRENT_ROW && rows:
			f.end[i] = int32(i + 1)
		case b == planpb.WindowFrame_CURRENT_ROW:
			f.end[i] = r.peerEnd[i]
		case rows:
			f.end[i] = clamp(int64(i) + sign(b, endN) + 1)
		case groups != nil:
			f.end[i] = group(int64(r.group[i]) + sign(b, endN) + 1)
		}
	}
	if o.startIn != nil {
		if err := o.rangeStart(w, r, f, startD); err != nil {
			return nil, err
		}
	}
	if o.endIn != nil {
		if err := o.rangeEnd(w, r, f, endD); err != nil {
			return nil, err
		}
	}
	for i := range n {
		f.end[i] = max(f.end[i], f.start[i])
	}
	return f, nil
}

func groupStarts(r *windowRows) [][]int32 {
	var out [][]int32
	for i := range r.b.N {
		if int32(i) == r.partStart[i] {
			out = append(out, nil)
		}
		if int32(i) == r.peerStart[i] {
			out[len(out)-1] = append(out[len(out)-1], int32(i))
		}
	}
	return out
}

// inRange asks in_range whether row at of key is within offset of row cur of curKey.
func (o *windowFrame) inRange(w *worker, e *expr.Expr, key arrow.Array, at int, curKey arrow.Array, cur int, off arrow.Array) (bool, error) {
	v, err := e.Eval(w.frame, expr.NewInput([]arrow.Array{kernel.Slice(key, at, at+1), kernel.Slice(curKey, cur, cur+1), off}, 1, nil))
	if err != nil {
		return false, err
	}
	return v.IsValid(0) && kernel.Bools(v).Get(0), nil
}

func offsetVector(e *expr.Expr, d types.Datum) arrow.Array {
	b := types.NewBuilder(e.Type, 1)
	b.Append(d)
	return b.Finish()
}

// begins: the frame of row cur may begin at row at, and not before. Rows with a
// NULL key have the other NULLs as frame.
func (o *windowFrame) begins(w *worker, key arrow.Array, at int, curKey arrow.Array, cur int, off arrow.Array) (bool, error) {
	h, c := key.IsValid(at), curKey.IsValid(cur)
	if h && c {
		return o.inRange(w, o.startIn, key, at, curKey, cur, off)
	}
	return o.nullsFirst && (h || !c) || !o.nullsFirst && (!h || c), nil
}

// ends: the frame of row cur ends before row at.
func (o *windowFrame) ends(w *worker, key arrow.Array, at int, curKey arrow.Array, cur int, off arrow.Array) (bool, error) {
	t, c := key.IsValid(at), curKey.IsValid(cur)
	if t && c {
		in, err := o.inRange(w, o.endIn, key, at, curKey, cur, off)
		return !in, err
	}
	return o.nullsFirst && t || !o.nullsFirst && c, nil
}

// rangeStart moves the frame's head on, row by row: a row belongs to the frame
// from where in_range first holds.
func (o *windowFrame) rangeStart(w *worker, r *windowRows, f *frames, d types.Datum) error {
	key, off := r.orderKeys[0], offsetVector(o.startOffset, d)
	head := 0
	for i := range r.b.N {
		if int32(i) == r.partStart[i] {
			head = i
		} else if r.peerStart[i] != int32(i) {
			f.start[i] = f.start[i-1]
			continue
		}
		for ; head < int(r.partEnd[i]); head++ {
			begins, err := o.begins(w, key, head, key, i, off)
			if err != nil {
				return err
			}
			if begins {
				break
			}
		}
		f.start[i] = int32(head)
	}
	return nil
}

func (o *windowFrame) rangeEnd(w *worker, r *windowRows, f *frames, d types.Datum) error {
	key, off := r.orderKeys[0], offsetVector(o.endOffset, d)
	tail := 0
	for i := range r.b.N {
		if int32(i) == r.partStart[i] {
			tail = i
		} else if r.peerStart[i] != int32(i) {
			f.end[i] = f.end[i-1]
			continue
		}
		for ; tail < int(r.partEnd[i]); tail++ {
			ends, err := o.ends(w, key, tail, key, i, off)
			if err != nil {
				return err
			}
			if ends {
				break
			}
		}
		f.end[i] = int32(tail)
	}
	return nil
}

// span is a range of rows.
type span struct{ lo, hi int64 }

// frameSpans lists the parts of row i's frame [lo, hi), in order. Its peers are [peerStart, peerEnd).
func frameSpans(exclude planpb.WindowFrame_Exclude, i, lo, hi, peerStart, peerEnd int64, out []span) []span {
	var a, b span // what is excluded
	switch exclude {
	case planpb.WindowFrame_NO_OTHERS:
		return append(out, span{lo, hi})
	case planpb.WindowFrame_EXCLUDE_CURRENT_ROW:
		a = span{i, i + 1}
		b = span{hi, hi}
	case planpb.WindowFrame_EXCLUDE_GROUP:
		a = span{peerStart, peerEnd}
		b = span{hi, hi}
	case planpb.WindowFrame_EXCLUDE_TIES:
		a = span{peerStart, i}
		b = span{i + 1, peerEnd}
	}
	add := func(l, h int64) {
		l, h = max(l, lo), min(h, hi)
		if l < h {
			out = append(out, span{l, h})
		}
	}
	add(lo, a.lo)
	if exclude == planpb.WindowFrame_EXCLUDE_TIES {
		add(a.hi, b.lo)
		add(b.hi, hi)
	} else {
		add(a.hi, hi)
	}
	return out
}

// nthRow gives the k-th row (from 0) of a frame's spans, −1 when there is none.
func nthRow(spans []span, k int64) int64 {
	for _, s := range spans {
		if n := s.hi - s.lo; k < n {
			return s.lo + k
		} else {
			k -= n
		}
	}
	return -1
}

// lastRow gives the last row of a frame's spans, −1 when there is none.
func lastRow(spans []span) int64 {
	for k := len(spans) - 1; k >= 0; k-- {
		if spans[k].lo < spans[k].hi {
			return spans[k].hi - 1
		}
	}
	return -1
}

// spans lists the parts of row i's frame, in order.
func (f *frames) spans(i int, out []span) []span {
	return frameSpans(f.exclude, int64(i), int64(f.start[i]), int64(f.end[i]), int64(f.r.peerStart[i]), int64(f.r.peerEnd[i]), out)
}

func (f *frames) nth(i int, k int64) int32 {
	var buf [3]span
	return int32(nthRow(f.spans(i, buf[:0]), k))
}

func (f *frames) last(i int) int32 {
	var buf [3]span
	return int32(lastRow(f.spans(i, buf[:0])))
}
