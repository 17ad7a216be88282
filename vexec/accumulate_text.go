package vexec

import (
	"bytes"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	arrowmem "github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/basaltdb/basalt/vexec/kernel"
)

// minMaxTextAcc is min and max of strings in byte order. Columns that depend on a group's key
// are one too: a value a group, most often never replaced.
type minMaxTextAcc struct {
	max, trim bool
	best      [][]byte // in chunks, each with room of its own; nil: none
	chunk     []byte   // the one in use, its length in use
	size      int64
}

// textChunk is how much is allocated for values at a time.
const textChunk = 1 << 14

func (s *minMaxTextAcc) resize(n int) { s.best = grow(s.best, n) }
func (s *minMaxTextAcc) bytes() int64 { return int64(cap(s.best))*24 + s.size }

// better: x takes the place of b.
func (s *minMaxTextAcc) better(x, b []byte) bool {
	if b == nil {
		return true
	}
	c := 0
	if s.trim {
		c = bytes.Compare(kernel.TrimBlanks(x), kernel.TrimBlanks(b))
	} else {
		c = bytes.Compare(x, b)
	}
	// of equal strings (bpchar: up to blanks) the first stays
	return s.max && c > 0 || !s.max && c < 0
}

func (s *minMaxTextAcc) one(g int32, x []byte) {
	b := s.best[g]
	if !s.better(x, b) {
		return
	}
	if b == nil || cap(b) < len(x) {
		n := len(x)
		if b != nil { // what is given up stays below what is in use
			n = max(n, 2*cap(b))
		}
		b = s.room(n)
	}
	s.best[g] = append(b[:0], x...)
}

// room is n bytes, not nil.
func (s *minMaxTextAcc) room(n int) []byte {
	if s.chunk == nil || cap(s.chunk)-len(s.chunk) < n {
		size := max(n, min(textChunk, 2*cap(s.chunk)), 64)
		s.chunk = make([]byte, 0, size)
		s.size += int64(size)
	}
	at := len(s.chunk)
	s.chunk = s.chunk[:at+n]
	return s.chunk[at : at+n : at+n]
}

func (s *minMaxTextAcc) add(groups []int32, args []arrow.Array) error {
	v, x := kernel.Valid(args[0]), kernel.Strings(args[0])
	for i, g := range groups {
		if v.Get(i) {
			s.one(g, x.At(i))
		}
	}
	return nil
}

func (s *minMaxTextAcc) result(lo, hi int) (arrow.Array, error) {
	b := array.NewStringBuilder(arrowmem.DefaultAllocator)
	defer b.Release()
	size := 0
	for _, x := range s.best[lo:hi] {
		size += len(x)
	}
	b.Reserve(hi - lo)
	b.ReserveData(size)
	for _, x := range s.best[lo:hi] {
		if x == nil {
			b.AppendNull()
		} else {
			b.BinaryBuilder.Append(x)
		}
	}
	return b.NewArray(), nil
}

func (s *minMaxTextAcc) merge(o accumulator, from, to []int32) error {
	p := o.(*minMaxTextAcc)
	for k, g := range to {
		if i := source(from, k); g >= 0 && p.best[i] != nil {
			s.one(g, p.best[i])
		}
	}
	return nil
}
