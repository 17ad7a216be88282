package aggfn

import (
	"encoding/binary"
	"math"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// States that travel between nodes (expr.PortableState). Numbers are little
// endian; floats are their bits:
//
//	count       n int64
//	exactSum    n int64, small int64, length of sum uint32, sum, sumSq to the end
//	moments     n, sx, sxx
//	regression  n, sx, sxx, sy, syy, sxy
//	bitFold     some byte, value int64
var (
	_ expr.PortableState = (*count)(nil)
	_ expr.PortableState = (*exactSum)(nil)
	_ expr.PortableState = (*moments)(nil)
	_ expr.PortableState = (*regression)(nil)
	_ expr.PortableState = (*bitState[int16])(nil)
)

func malformed() error {
	return pgerror.New(pgerror.ProtocolViolation, "malformed state of an aggregate function")
}

// AppendState implements expr.PortableState.
func (c *count) AppendState(dst []byte) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64(c.n))
}

// MergeState implements expr.PortableState.
func (c *count) MergeState(b []byte) error {
	if len(b) != 8 {
		return malformed()
	}
	n := int64(binary.LittleEndian.Uint64(b))
	if n < 0 || c.n+n < 0 {
		return malformed()
	}
	c.n += n
	return nil
}

// AppendState implements expr.PortableState.
func (s *exactSum) AppendState(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.n))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.small))
	at := len(dst)
	dst = s.sum.AppendBinary(append(dst, 0, 0, 0, 0))
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return s.sumSq.AppendBinary(dst)
}

// MergeState implements expr.PortableState.
func (s *exactSum) MergeState(b []byte) error {
	const fixed = 20
	if len(b) < fixed {
		return malformed()
	}
	n, small := int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))
	size := int(binary.LittleEndian.Uint32(b[16:]))
	if n < 0 || s.n+n < 0 || size > len(b)-fixed {
		return malformed()
	}
	if n == 0 {
		return nil
	}
	sum, err := s.sum.Add(types.NumericFromBinary(b[fixed : fixed+size]))
	if err != nil {
		return err
	}
	if t := s.small + small; (s.small^t)&(small^t) >= 0 {
		s.small = t
	} else if sum, err = sum.Add(types.NumericFromInt64(small, 0)); err != nil {
		return err
	}
	s.sum = sum
	s.n += n
	s.sumSq, err = s.sumSq.Add(types.NumericFromBinary(b[fixed+size:]))
	return err
}

func appendFloats(dst []byte, fs ...float64) []byte {
	for _, f := range fs {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
	}
	return dst
}

func readFloats(b []byte, fs ...*float64) bool {
	if len(b) != 8*len(fs) {
		return false
	}
	for i, f := range fs {
		*f = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return true
}

// AppendState implements expr.PortableState.
func (m *moments) AppendState(dst []byte) []byte { return appendFloats(dst, m.n, m.sx, m.sxx) }

// MergeState implements expr.PortableState.
func (m *moments) MergeState(b []byte) error {
	var o moments
	if !readFloats(b, &o.n, &o.sx, &o.sxx) {
		return malformed()
	}
	if o.n == 0 {
		return nil
	}
	if m.n == 0 {
		m.n, m.sx, m.sxx = o.n, o.sx, o.sxx
		return nil
	}
	d := m.sx/m.n - o.sx/o.n
	n := m.n + o.n
	sx := m.sx + o.sx
	if math.IsInf(sx, 0) && !math.IsInf(m.sx, 0) && !math.IsInf(o.sx, 0) {
		return overflow()
	}
	sxx := m.sxx + o.sxx + m.n*o.n*d*d/n
	if math.IsInf(sxx, 0) && !math.IsInf(m.sxx, 0) && !math.IsInf(o.sxx, 0) && !math.IsInf(d, 0) {
		return overflow()
	}
	m.n, m.sx, m.sxx = n, sx, sxx
	return nil
}

// AppendState implements expr.PortableState.
func (r *regression) AppendState(dst []byte) []byte {
	return appendFloats(dst, r.n, r.sx, r.sxx, r.sy, r.syy, r.sxy)
}

// MergeState implements expr.PortableState.
func (r *regression) MergeState(b []byte) error {
	var o regression
	if !readFloats(b, &o.n, &o.sx, &o.sxx, &o.sy, &o.syy, &o.sxy) {
		return malformed()
	}
	if o.n == 0 {
		return nil
	}
	if r.n == 0 {
		o.result = r.result
		*r = o
		return nil
	}
	n := r.n + o.n
	dx, dy := r.sx/r.n-o.sx/o.n, r.sy/r.n-o.sy/o.n
	weight := r.n * o.n / n
	out := regression{n: n, sx: r.sx + o.sx, sy: r.sy + o.sy, result: r.result,
		sxx: r.sxx + o.sxx + weight*dx*dx,
		syy: r.syy + o.syy + weight*dy*dy,
		sxy: r.sxy + o.sxy + weight*dx*dy}
	inf := func(fs ...float64) bool {
		for _, f := range fs {
			if math.IsInf(f, 0) {
				return true
			}
		}
		return false
	}
	if inf(out.sx, out.sxx, out.sy, out.syy, out.sxy) && !inf(r.sx, r.sxx, r.sy, r.syy, r.sxy, o.sx, o.sxx, o.sy, o.syy, o.sxy) {
		return overflow()
	}
	*r = out
	return nil
}

// bitState is bit_and, bit_or or bit_xor.
type bitState[A int16 | int32 | int64] struct {
	some bool
	v    A
	op   func(a, b A) A
}

func (s *bitState[A]) one(v A) {
	if s.some {
		v = s.op(s.v, v)
	}
	s.v, s.some = v, true
}

func (s *bitState[A]) Add(args []types.Datum) error {
	s.one(args[0].(A))
	return nil
}

func (s *bitState[A]) Result() (types.Datum, error) {
	if !s.some {
		return nil, nil
	}
	return s.v, nil
}

func (s *bitState[A]) Size() int64 { return 32 }

// AppendState implements expr.PortableState.
func (s *bitState[A]) AppendState(dst []byte) []byte {
	some := byte(0)
	if s.some {
		some = 1
	}
	return binary.LittleEndian.AppendUint64(append(dst, some), uint64(int64(s.v)))
}

// MergeState implements expr.PortableState.
func (s *bitState[A]) MergeState(b []byte) error {
	if len(b) != 9 {
		return malformed()
	}
	if b[0] == 0 {
		return nil
	}
	v := int64(binary.LittleEndian.Uint64(b[1:]))
	if int64(A(v)) != v {
		return malformed()
	}
	s.one(A(v))
	return nil
}
