package vexec

import (
	"bytes"
	"context"
	"slices"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// scanOp reads a table or an index through the Store. Output: the columns asked
// for, rows that pass the filter, as the store's batches with a selection.
// Order: the key's when asked for. Holds one open Reader.
type scanOp struct {
	w     *worker
	id    uint32
	coded bool
	need  []bool // columns that are looked at above; nil: all
	// fleeting: as worker's; batches that are not coded are made anew anyway
	fleeting bool
	spans    []*spanExprs
	filter   *scanFilter
	narrow   *scanNarrow // of a primary key; nil: no
	openAt   func(ctx context.Context, req ScanRequest) (Reader, bool, error)

	r        Reader
	filtered bool
}

func newScan(w *worker, p *planpb.Plan, s *planpb.Scan) (operator, error) {
	op := &scanOp{w: w, id: p.GetId(), coded: w.coded, need: w.need, fleeting: w.fleeting}
	op.openAt = func(ctx context.Context, req ScanRequest) (Reader, bool, error) {
		return w.q.env.Store.Scan(ctx, s, req)
	}
	if err := op.prepare(p, s.GetSpans(), s.GetFilter(), s.GetColumns()); err != nil {
		return nil, err
	}
	op.narrow = newScanNarrow(p, s, op.filter)
	return op, nil
}

func newIndexScan(w *worker, p *planpb.Plan, s *planpb.IndexScan) (operator, error) {
	op := &scanOp{w: w, id: p.GetId(), coded: w.coded, need: w.need, fleeting: w.fleeting}
	op.openAt = func(ctx context.Context, req ScanRequest) (Reader, bool, error) {
		return w.q.env.Store.IndexScan(ctx, s, req)
	}
	return op, op.prepare(p, s.GetSpans(), s.GetFilter(), s.GetColumns())
}

func (s *scanOp) prepare(p *planpb.Plan, spans []*planpb.Span, filter *planpb.Expr, columns []int32) error {
	for _, sp := range spans {
		x, err := compileSpan(s.w, sp)
		if err != nil {
			return err
		}
		s.spans = append(s.spans, x)
	}
	pred, err := s.w.compile(filter)
	if err != nil {
		return err
	}
	s.filter = newScanFilter(s.w, p, pred, columns)
	return nil
}

func (s *scanOp) open(ctx context.Context) (err error) {
	s.close()
	var bounds []KeyBounds
	if len(s.spans) > 0 {
		if bounds, err = computeBounds(s.w, s.spans); err != nil {
			return err
		}
		if len(bounds) == 0 {
			return nil // nothing can match
		}
	}
	if s.filter.start(); s.filter.nothing() {
		return nil
	}
	req := ScanRequest{Bounds: bounds, Part: s.w.part, Parts: s.w.parts, Fleeting: s.fleeting, Need: s.need, Narrow: s.narrow.bounds(bounds)}
	if s.filter.any() {
		req.Filter = s.filter
		if len(bounds) == 0 {
			req.Ranges = s.filter.ranges()
		}
	}
	s.r, s.filtered, err = s.openAt(ctx, req)
	return err
}

func (s *scanOp) next(ctx context.Context) (*Batch, error) {
	for s.r != nil {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := s.w.turn.border(ctx); err != nil {
			return nil, err
		}
		b, err := s.r.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		if b.Rows() > 0 && s.filter.any() && !s.filtered {
			sel, err := s.filter.Select(ctx, b)
			if err != nil {
				return nil, err
			}
			if sel != nil {
				if !s.fleeting {
					sel = slices.Clone(sel)
				}
				b = &Batch{Cols: b.Cols, N: b.N, Sel: sel}
			}
		}
		if b.Rows() == 0 {
			continue
		}
		if !s.coded {
			b = flattened(b)
		}
		return b, nil
	}
	return nil, nil
}

func (s *scanOp) close() {
	if s.r != nil {
		s.r.Close()
		s.r = nil
	}
}

// spanExprs is a compiled planpb.Span.
type spanExprs struct {
	eq           []*expr.Expr
	eqNull       []bool
	lower, upper *expr.Expr
	span         *planpb.Span
}

func compileSpan(w *worker, s *planpb.Span) (*spanExprs, error) {
	x := &spanExprs{span: s, eqNull: make([]bool, len(s.GetEq()))}
	copy(x.eqNull, s.GetEqNull())
	for i, e := range s.GetEq() {
		if x.eqNull[i] && e.GetKind() == nil { // IS NULL needs no value
			x.eq = append(x.eq, nil)
			continue
		}
		c, err := w.compile(e)
		if err != nil {
			return nil, err
		}
		x.eq = append(x.eq, c)
	}
	var err error
	if x.lower, err = w.compile(s.GetLower()); err != nil {
		return nil, err
	}
	x.upper, err = w.compile(s.GetUpper())
	return x, err
}

// computeBounds evaluates spans: empty ones (a NULL value) vanish, arrays become
// one span per distinct element in ascending order, equal spans are kept once.
func computeBounds(w *worker, spans []*spanExprs) ([]KeyBounds, error) {
	var out []KeyBounds
	var seen [][]byte
	for _, s := range spans {
		bs, err := s.bounds(w)
		if err != nil {
			return nil, err
		}
		for _, b := range bs {
			if len(spans) > 1 && !b.HasLower && !b.HasUpper {
				var key []byte
				for i, d := range b.Eq {
					t := s.keyType(i)
					if !types.Comparable(t) {
						key = nil
						break
					}
					key = types.AppendEqualityKey(w.frame.Ctx.Env, t, key, d)
				}
				if key != nil {
					if slices.ContainsFunc(seen, func(k []byte) bool { return bytes.Equal(k, key) }) {
						continue
					}
					seen = append(seen, key)
				}
			}
			out = append(out, b)
		}
	}
	return out, nil
}

func (s *spanExprs) keyType(i int) types.T {
	if s.eq[i] == nil {
		return types.Of(types.Bool)
	}
	t := s.eq[i].Type
	if s.span.GetLastEqIsArray() && i == len(s.eq)-1 {
		return t.ElemType()
	}
	return t
}

func (s *spanExprs) bounds(w *worker) ([]KeyBounds, error) {
	b := KeyBounds{LowerInclusive: s.span.GetLowerInclusive(), UpperInclusive: s.span.GetUpperInclusive()}
	var array *types.Array
	for i, e := range s.eq {
		var d types.Datum
		if e != nil {
			var err error
			if d, err = e.EvalScalar(w.frame); err != nil {
				return nil, err
			}
		}
		if d == nil && !s.eqNull[i] {
			return nil, nil
		}
		if s.span.GetLastEqIsArray() && i == len(s.eq)-1 {
			array = d.(*types.Array)
			break
		}
		b.Eq = append(b.Eq, d)
	}
	if s.lower != nil {
		d, err := s.lower.EvalScalar(w.frame)
		if err != nil || d == nil {
			return nil, err
		}
		b.HasLower, b.Lower = true, d
	}
	if s.upper != nil {
		d, err := s.upper.EvalScalar(w.frame)
		if err != nil || d == nil {
			return nil, err
		}
		b.HasUpper, b.Upper = true, d
	}
	if array == nil {
		return []KeyBounds{b}, nil
	}
	env, t := w.frame.Ctx.Env, s.keyType(len(s.eq)-1)
	elems := slices.DeleteFunc(slices.Clone(array.Elems), func(d types.Datum) bool { return d == nil })
	slices.SortFunc(elems, func(x, y types.Datum) int { return types.Compare(env, t, x, y) })
	elems = slices.CompactFunc(elems, func(x, y types.Datum) bool { return types.Compare(env, t, x, y) == 0 })
	out := make([]KeyBounds, len(elems))
	for i, e := range elems {
		out[i] = b
		out[i].Eq = append(slices.Clone(b.Eq), e)
	}
	return out, nil
}
