package vexec

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// States of aggregates between PARTIAL and FINAL: one bytea per group and call,
// NULL when the group has no rows that count. The first byte is the format; numbers
// are little endian, varints zigzag:
//
//	1  count           rows varint
//	2  sum of int2, int4   sum varint
//	3  sum, avg of int8, numeric, avg of integers
//	                   rows varint, flags (1 fast part, 2 general part), fast part: scale
//	                   varint, sum 16 bytes; general part: Numeric.AppendBinary to the end
//	4  sum, avg of floats  rows varint, sum 8 bytes
//	5  bool_and, bool_or   one byte
//	6  min, max of integers, dates, times   value varint
//	7  min, max of strings the bytes
//	8  min, max otherwise  types.AppendDatum
//	9  others              expr.PortableState
//
// A format never changes its meaning; a node that meets one it does not know
// reports 08P01.
const (
	stateCount byte = 1 + iota
	stateSumInt
	stateSumNumeric
	stateSumFloat
	stateBool
	stateMinMaxInt
	stateMinMaxText
	stateMinMaxAny
	statePortable
)

// statefulAcc is an accumulator whose states can travel.
type statefulAcc interface {
	accumulator
	// state appends group g's state; nothing: it has none.
	state(dst []byte, g int) ([]byte, error)
	// absorb folds a state into group g.
	absorb(g int32, s *stateReader) error
}

// stateReader takes a state apart. Reading past the end makes it bad.
type stateReader struct {
	b   []byte
	bad bool
}

func (s *stateReader) take(n int) []byte {
	if s.bad || n > len(s.b) {
		s.bad = true
		return make([]byte, n)
	}
	out := s.b[:n]
	s.b = s.b[n:]
	return out
}

func (s *stateReader) byte() byte { return s.take(1)[0] }
func (s *stateReader) u64() uint64 {
	return binary.LittleEndian.Uint64(s.take(8))
}

func (s *stateReader) varint() int64 {
	v, n := binary.Varint(s.b)
	if n <= 0 {
		s.bad = true
		return 0
	}
	s.b = s.b[n:]
	return v
}

func malformedState() error {
	return pgerror.New(pgerror.ProtocolViolation, "malformed state of an aggregate function")
}

// states gives the states of groups lo … hi−1 of an accumulator.
func states(acc accumulator, lo, hi int) (arrow.Array, error) {
	a, ok := acc.(statefulAcc)
	if !ok {
		return nil, pgerror.Internal("the state of %T cannot travel", acc)
	}
	off := make([]int32, 1, hi-lo+1)
	var data []byte
	seen := make([]bool, hi-lo)
	for g := lo; g < hi; g++ {
		var err error
		if data, err = a.state(data, g); err != nil {
			return nil, err
		}
		if len(data) > math.MaxInt32 {
			return nil, pgerror.New(pgerror.ProgramLimitExceeded, "states of aggregate functions take too much memory")
		}
		seen[g-lo] = int32(len(data)) > off[len(off)-1]
		off = append(off, int32(len(data)))
	}
	valid, nulls := seenBitmap(seen)
	return types.NewVarlen(arrow.BinaryTypes.Binary, off, data, valid, nulls), nil
}

// absorbStates folds a vector of states into groups.
func absorbStates(acc accumulator, groups []int32, v arrow.Array) error {
	a, ok := acc.(statefulAcc)
	if !ok {
		return pgerror.Internal("the state of %T cannot travel", acc)
	}
	if v.DataType().ID() != arrow.BINARY {
		return malformedState()
	}
	valid, b := kernel.Valid(v), kernel.Strings(v)
	for i, g := range groups {
		if !valid.Get(i) {
			continue
		}
		s := stateReader{b: b.At(i)}
		if err := a.absorb(g, &s); err != nil {
			return err
		}
		if s.bad || len(s.b) > 0 {
			return malformedState()
		}
	}
	return nil
}

func (c *countAcc) state(dst []byte, g int) ([]byte, error) {
	if c.n[g] == 0 {
		return dst, nil
	}
	return binary.AppendVarint(append(dst, stateCount), c.n[g]), nil
}

func (c *countAcc) absorb(g int32, s *stateReader) error {
	if s.byte() != stateCount {
		return malformedState()
	}
	n := s.varint()
	if n < 0 || c.n[g]+n < 0 {
		return malformedState()
	}
	c.n[g] += n
	return nil
}

func (s *sumIntAcc) state(dst []byte, g int) ([]byte, error) {
	if !s.seen[g] {
		return dst, nil
	}
	return binary.AppendVarint(append(dst, stateSumInt), s.sum[g]), nil
}

func (s *sumIntAcc) absorb(g int32, r *stateReader) error {
	if r.byte() != stateSumInt {
		return malformedState()
	}
	return s.addOne(g, r.varint())
}

const (
	fastPart    = 1
	generalPart = 2
)

func (s *sumNumericAcc) state(dst []byte, g int) ([]byte, error) {
	if s.n[g] == 0 {
		return dst, nil
	}
	dst = binary.AppendVarint(append(dst, stateSumNumeric), s.n[g])
	flags := byte(fastPart)
	if s.slow != nil {
		flags = 0
		if s.fastSet[g] {
			flags |= fastPart
		}
		if s.slowSet[g] {
			flags |= generalPart
		}
	}
	dst = append(dst, flags)
	if flags&fastPart != 0 {
		dst = binary.AppendVarint(dst, int64(s.scale))
		dst = binary.LittleEndian.AppendUint64(dst, s.fast[g].lo)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(s.fast[g].hi))
	}
	if flags&generalPart != 0 {
		dst = s.slow[g].AppendBinary(dst)
	}
	return dst, nil
}

func (s *sumNumericAcc) absorb(g int32, r *stateReader) error {
	if r.byte() != stateSumNumeric {
		return malformedState()
	}
	n, flags := r.varint(), r.byte()
	var scale int64
	var sum int128
	if flags&fastPart != 0 {
		scale = r.varint()
		sum = int128{lo: r.u64(), hi: int64(r.u64())}
	}
	if r.bad || scale < 0 || scale > math.MaxInt16 || n <= 0 || s.n[g]+n < 0 {
		return malformedState()
	}
	// The general part first: addNumeric looks at n to learn whether the fast sum is in use, as it
	// is from then on if the general part has the scale of this one's.
	if flags&generalPart != 0 {
		x := types.NumericFromBinary(r.take(len(r.b)))
		if err := s.addNumeric(g, x); err != nil {
			return err
		}
		s.n[g], n = s.n[g]+n, 0
	}
	if flags&fastPart != 0 {
		if !s.scaled {
			s.scale, s.scaled = int32(scale), true
		}
		if int32(scale) == s.scale {
			s.fast[g].addWide(sum)
			if s.slow != nil {
				s.fastSet[g] = true
			}
		} else if err := s.addNumeric(g, sum.numeric(int32(scale))); err != nil {
			return err
		}
	}
	s.n[g] += n
	return nil
}

func (s *sumFloatAcc) state(dst []byte, g int) ([]byte, error) {
	if s.n[g] == 0 {
		return dst, nil
	}
	dst = binary.AppendVarint(append(dst, stateSumFloat), s.n[g])
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(s.sum[g])), nil
}

func (s *sumFloatAcc) absorb(g int32, r *stateReader) error {
	if r.byte() != stateSumFloat {
		return malformedState()
	}
	n, x := r.varint(), math.Float64frombits(r.u64())
	if n <= 0 || s.n[g]+n < 0 {
		return malformedState()
	}
	return s.addOne(g, x, n)
}

func (s *boolAcc) state(dst []byte, g int) ([]byte, error) {
	if !s.seen[g] {
		return dst, nil
	}
	if s.val[g] {
		return append(dst, stateBool, 1), nil
	}
	return append(dst, stateBool, 0), nil
}

func (s *boolAcc) absorb(g int32, r *stateReader) error {
	if r.byte() != stateBool {
		return malformedState()
	}
	s.one(g, r.byte() != 0)
	return nil
}

func (s *minMaxAcc[T]) state(dst []byte, g int) ([]byte, error) {
	if !s.seen[g] {
		return dst, nil
	}
	return binary.AppendVarint(append(dst, stateMinMaxInt), int64(s.best[g])), nil
}

func (s *minMaxAcc[T]) absorb(g int32, r *stateReader) error {
	if r.byte() != stateMinMaxInt {
		return malformedState()
	}
	v := r.varint()
	if int64(T(v)) != v {
		return malformedState()
	}
	s.one(g, T(v))
	return nil
}

func (s *minMaxTextAcc) state(dst []byte, g int) ([]byte, error) {
	if s.best[g] == nil {
		return dst, nil
	}
	return append(append(dst, stateMinMaxText), s.best[g]...), nil
}

func (s *minMaxTextAcc) absorb(g int32, r *stateReader) error {
	if r.byte() != stateMinMaxText {
		return malformedState()
	}
	s.one(g, r.take(len(r.b)))
	return nil
}

func (s *minMaxAnyAcc) state(dst []byte, g int) ([]byte, error) {
	if s.best[g] == nil {
		return dst, nil
	}
	return types.AppendDatum(s.t, append(dst, stateMinMaxAny), s.best[g]), nil
}

func (s *minMaxAnyAcc) absorb(g int32, r *stateReader) error {
	if r.byte() != stateMinMaxAny {
		return malformedState()
	}
	d, err := types.ReadDatum(s.t, r.take(len(r.b)))
	if err != nil {
		return malformedState()
	}
	s.one(g, d)
	return nil
}

func (g *generalAcc) state(dst []byte, i int) ([]byte, error) {
	p, ok := g.states[i].(expr.PortableState)
	if !ok {
		return nil, pgerror.Internal("the state of aggregate function %d cannot travel", g.c.call.OID)
	}
	return p.AppendState(append(dst, statePortable)), nil
}

func (g *generalAcc) absorb(i int32, r *stateReader) error {
	if r.byte() != statePortable {
		return malformedState()
	}
	p, ok := g.states[i].(expr.PortableState)
	if !ok {
		return pgerror.Internal("the state of aggregate function %d cannot travel", g.c.call.OID)
	}
	return p.MergeState(r.take(len(r.b)))
}
