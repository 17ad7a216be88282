package columns

import (
	"bytes"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/storage/segment"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// Rows are rows of one space in ascending order: whole keys, and a vector per column.
type Rows struct {
	Keys [][]byte
	Cols []arrow.Array
}

// Slice is rows [i, j).
func (r Rows) Slice(i, j int) Rows {
	if i == 0 && j == len(r.Keys) {
		return r
	}
	s := Rows{Keys: r.Keys[i:j:j], Cols: make([]arrow.Array, len(r.Cols))}
	for c, a := range r.Cols {
		s.Cols[c] = kernel.Slice(a, i, j)
	}
	return s
}

// Has looks for a key.
func (r *Rows) Has(key []byte) bool {
	n := len(r.Keys)
	if n == 0 || bytes.Compare(key, r.Keys[0]) < 0 || bytes.Compare(key, r.Keys[n-1]) > 0 {
		return false
	}
	_, ok := slices.BinarySearchFunc(r.Keys, key, bytes.Compare)
	return ok
}

// BulkRowsMin is how many rows at least should be inserted at once for segments of
// their own; 0: none are made.
func (s *Store) BulkRowsMin() int {
	if s.opts.Mode == Off {
		return 0
	}
	return s.opts.RowsMin
}

// rowOverheadBytes is what a key takes beside its bytes.
const rowOverheadBytes = 40

// Bytes is about the memory of the rows.
func (r *Rows) Bytes() int64 {
	if len(r.Keys) == 0 {
		return 0
	}
	n := int64(len(r.Keys)) * int64(len(r.Keys[0])+rowOverheadBytes)
	for _, c := range r.Cols {
		switch a := c.(type) {
		case *array.String:
			o := a.ValueOffsets()
			n += int64(o[len(o)-1]-o[0]) + 4*int64(a.Len())
		case *array.Binary:
			o := a.ValueOffsets()
			n += int64(o[len(o)-1]-o[0]) + 4*int64(a.Len())
		default:
			n += 8 * int64(c.Len())
		}
	}
	return n
}

// WriteLoose writes provisional segments of rows that come in parts; ascending says
// that each part is above the one before it, otherwise the rows are sorted. They have
// different keys. The segments are the caller's, see LooseWriter.Finish.
func (s *Store) WriteLoose(space Space, cols []segment.Column, parts []Rows, ascending bool) (segs []*Segment, err error) {
	var w *LooseWriter
	defer func() {
		if r := recover(); r != nil { // on a goroutine that nobody else guards
			err = pgerror.Internal("writing a column segment: %v", r)
		}
		if err != nil {
			if w != nil {
				w.Abort()
			}
			s.Discard(segs...)
			segs = nil
		}
	}()
	finish := func() error {
		g, err := w.Finish()
		w = nil
		if err == nil {
			segs = append(segs, g)
		}
		return err
	}
	var keys segment.Keys
	add := func(p Rows) error {
		keys.Reset()
		for _, k := range p.Keys {
			keys.Append(k[len(space):])
		}
		for at := 0; at < len(p.Keys); {
			if w == nil {
				if w, err = s.NewLoose(space, cols); err != nil {
					return err
				}
			}
			n := min(len(p.Keys)-at, max(1, w.Room()))
			if err := w.Append(keys.Slice(at, at+n), p.Slice(at, at+n).Cols); err != nil {
				return err
			}
			if at += n; w.Full() {
				if err := finish(); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if ascending {
		for _, p := range parts {
			if err := add(p); err != nil {
				return segs, err
			}
		}
	} else if err := sorted(cols, parts, add); err != nil {
		return segs, err
	}
	if w != nil {
		err = finish()
	}
	return segs, err
}

// sorted gives the rows of parts in ascending order.
func sorted(cols []segment.Column, parts []Rows, f func(p Rows) error) error {
	type row struct {
		key []byte
		at  int32
	}
	n := 0
	for _, p := range parts {
		n += len(p.Keys)
	}
	rows := make([]row, 0, n)
	for _, p := range parts {
		for _, k := range p.Keys {
			rows = append(rows, row{k, int32(len(rows))})
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return bytes.Compare(a.key, b.key) })
	whole := make([]arrow.Array, len(cols))
	for c := range whole {
		pieces := make([]arrow.Array, len(parts))
		for i, p := range parts {
			pieces[i] = p.Cols[c]
		}
		whole[c] = kernel.Concat(cols[c].Type, pieces)
	}
	sel := make([]int32, 0, segment.BlockRowsMax)
	keys := make([][]byte, 0, segment.BlockRowsMax)
	for len(rows) > 0 {
		n := min(len(rows), segment.BlockRowsMax)
		sel, keys = sel[:0], keys[:0]
		for _, r := range rows[:n] {
			sel, keys = append(sel, r.at), append(keys, r.key)
		}
		rows = rows[n:]
		if err := f(Rows{keys, kernel.TakeCols(whole, sel)}); err != nil {
			return err
		}
	}
	return nil
}

// WholePart is the part of a provisional segment in [lower, upper) as if it had been
// committed at ts; ok is false for no rows.
func WholePart(g *Segment, lower, upper []byte, ts engine.Timestamp) (p Part, ok bool, err error) {
	pin := &Pin{space: g.space}
	lo, hi := pin.bounds(lower, upper)
	f, err := g.open()
	if err != nil {
		return Part{}, false, err
	}
	p = Part{Segment: g, To: f.Rows(), TS: ts}
	if bytes.Compare(lo, g.first) > 0 {
		if p.From, err = f.SeekRow(bg, lo); err != nil {
			return Part{}, false, g.wrap(err)
		}
	}
	if hi != nil && bytes.Compare(hi, g.last) <= 0 {
		if p.To, err = f.SeekRow(bg, hi); err != nil {
			return Part{}, false, g.wrap(err)
		}
	}
	return p, p.From < p.To, nil
}
