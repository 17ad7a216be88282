package vexec

import (
	"encoding/binary"
	"errors"
	"os"
	"sync"
	"syscall"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/bitutil"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// A spill file holds batches of one row type. It is unlinked as soon as it is
// made, so nothing outlives the process. Layout: batches one after the other,
//
//	rows uint32 | per column: form byte (0: types.ArrowType, 1+scale: Dec64),
//	NULLs uint32, validity bitmap if any, then fixed values, a bool bitmap, or
//	rows+1 offsets (from 0) and the bytes
//
// little endian. Offsets of the batches are kept in memory.
type spillFile struct {
	q       *query
	id      uint32
	ts      []types.T
	mu      sync.Mutex
	f       *os.File
	buf     []byte
	written int64   // bytes in the file
	offsets []int64 // of each batch; the end of the last is written + len(buf)
	rows    int64
	// few are batches of few rows that will be one (gather).
	few      []*Batch
	fewRows  int
	fewBytes int64
}

const (
	spillBufferBytes = 256 << 10
	// gatherRows is from how many rows on gather makes a batch of them.
	gatherRows = 2048
)

func newSpillFile(q *query, id uint32, ts []types.T) (*spillFile, error) {
	f, err := os.CreateTemp(q.ex.opts.TempDir, spillPrefix)
	if err != nil {
		return nil, fileError(err, "create temporary file")
	}
	os.Remove(f.Name())
	s := &spillFile{q: q, id: id, ts: ts, f: f}
	q.env.Stats.update(id, func(o *OpStats) { o.SpillFiles++ })
	return s, nil
}

func fileError(err error, what string) error {
	if errors.Is(err, syscall.ENOSPC) {
		return pgerror.Wrap(err, pgerror.DiskFull, "could not %s: No space left on device", what)
	}
	return pgerror.Wrap(err, pgerror.IoError, "could not %s: %v", what, err)
}

// write appends a batch.
func (s *spillFile) write(b *Batch) error {
	b = dense(flattened(b))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	return s.append(b)
}

// gather appends rows whose batches do not matter: what is cut into partitions comes in
// batches of few rows, which would cost whoever reads them more than the rows themselves.
func (s *spillFile) gather(b *Batch) error {
	b = dense(flattened(b))
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.N >= gatherRows && len(s.few) == 0 {
		return s.append(b)
	}
	s.few = append(s.few, b)
	s.fewRows += b.N
	if s.fewBytes += batchBytes(b); s.fewRows < gatherRows && s.fewBytes < spillBufferBytes {
		return nil
	}
	s.settle()
	if len(s.buf) > spillBufferBytes {
		return s.flush()
	}
	return nil
}

// settle makes a batch of what was gathered. REQUIRES: mu.
func (s *spillFile) settle() {
	if len(s.few) == 0 {
		return
	}
	b := flattened(concatBatches(s.ts, s.few))
	s.few, s.fewRows, s.fewBytes = nil, 0, 0
	s.place(b)
}

func (s *spillFile) append(b *Batch) error {
	s.place(b)
	if len(s.buf) > spillBufferBytes {
		return s.flush()
	}
	return nil
}

// place puts a batch into the buffer. REQUIRES: mu.
func (s *spillFile) place(b *Batch) {
	s.offsets = append(s.offsets, s.written+int64(len(s.buf)))
	s.rows += int64(b.N)
	s.buf = appendBatch(s.buf, s.ts, b)
}

func (s *spillFile) flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	n := int64(len(s.buf))
	if _, err := s.f.WriteAt(s.buf, s.written); err != nil {
		return fileError(err, "write to temporary file")
	}
	s.written += n
	s.buf = s.buf[:0]
	s.q.env.Stats.update(s.id, func(o *OpStats) { o.SpillBytes += n })
	return nil
}

// len is the number of batches.
func (s *spillFile) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	return len(s.offsets)
}

// read gives batch i. Safe for concurrent use.
func (s *spillFile) read(i int) (*Batch, error) {
	s.mu.Lock()
	if err := s.flush(); err != nil {
		s.mu.Unlock()
		return nil, err
	}
	from, to := s.offsets[i], s.written
	if i+1 < len(s.offsets) {
		to = s.offsets[i+1]
	}
	f := s.f
	s.mu.Unlock()
	if f == nil {
		return nil, pgerror.Internal("temporary file read after it was closed")
	}
	buf := make([]byte, to-from)
	if _, err := f.ReadAt(buf, from); err != nil {
		return nil, fileError(err, "read from temporary file")
	}
	return decodeBatch(s.ts, buf)
}

func (s *spillFile) close() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f != nil {
		s.f.Close()
		s.f = nil
	}
	s.buf, s.few = nil, nil
}

func appendBatch(buf []byte, ts []types.T, b *Batch) []byte {
	buf = binary.LittleEndian.AppendUint32(buf, uint32(b.N))
	for i, c := range b.Cols {
		if c == nil {
			c = kernel.Nulls(ts[i], b.N)
		}
		buf = appendColumn(buf, c)
	}
	return buf
}

func appendColumn(buf []byte, c arrow.Array) []byte {
	n := c.Len()
	form := byte(0)
	if d, ok := c.(*types.Dec64Array); ok {
		form = 1 + byte(d.Scale())
	}
	buf = append(buf, form)
	buf = binary.LittleEndian.AppendUint32(buf, uint32(c.NullN()))
	if c.NullN() > 0 {
		buf = appendBits(buf, kernel.Valid(c), n)
	}
	switch w := kernel.Width(c.DataType()); {
	case w > 0:
		if n > 0 {
			d := c.Data()
			buf = append(buf, d.Buffers()[1].Bytes()[d.Offset()*w:(d.Offset()+n)*w]...)
		}
	case c.DataType().ID() == arrow.BOOL:
		buf = appendBits(buf, kernel.Bools(c), n)
	default:
		s := kernel.Strings(c)
		at := uint32(0)
		buf = binary.LittleEndian.AppendUint32(buf, 0)
		for i := range n {
			at += uint32(len(s.At(i)))
			buf = binary.LittleEndian.AppendUint32(buf, at)
		}
		for i := range n {
			buf = append(buf, s.At(i)...)
		}
	}
	return buf
}

func appendBits(buf []byte, v kernel.Bits, n int) []byte {
	at := len(buf)
	buf = append(buf, make([]byte, kernel.BitmapLen(n))...)
	out := buf[at:]
	for i := range n {
		if v.Get(i) {
			kernel.SetBit(out, i)
		}
	}
	return buf
}

// spillReader takes a batch's bytes apart; bad is set at the first thing that is missing.
type spillReader struct {
	b   []byte
	bad bool
}

func (r *spillReader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *spillReader) u32() uint32 {
	if v := r.take(4); v != nil {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

// cut is take into memory of its own: aligned, and free of the batch's buffer.
func (r *spillReader) cut(n int) []byte { return append([]byte(nil), r.take(n)...) }

// decodeBatch reads appendBatch's form; XX001 when the file has been damaged.
func decodeBatch(ts []types.T, buf []byte) (*Batch, error) {
	r := &spillReader{b: buf}
	n := int(r.u32())
	b := &Batch{N: n, Cols: make([]arrow.Array, len(ts))}
	for c, t := range ts {
		if b.Cols[c] = r.column(t, n); r.bad {
			break
		}
	}
	if r.bad || len(r.b) > 0 {
		return nil, pgerror.New(pgerror.DataCorrupted, "malformed batch in a temporary file")
	}
	return b, nil
}

// column reads a vector of n values; nil when it is malformed.
func (r *spillReader) column(t types.T, n int) arrow.Array {
	head := r.take(1)
	nulls := int(r.u32())
	if r.bad || nulls > n {
		r.bad = true
		return nil
	}
	form := head[0]
	var valid []byte
	if nulls > 0 {
		valid = r.cut(kernel.BitmapLen(n))
		if r.bad || bitutil.CountSetBits(valid, 0, n) != n-nulls {
			r.bad = true
			return nil
		}
	}
	dt := types.ArrowType(t)
	if form > 0 {
		if t.OID != types.NumericOID {
			r.bad = true
			return nil
		}
		dt = types.NewDec64Type(int32(form - 1))
	}
	switch w := kernel.Width(dt); {
	case form > 0:
		raw := r.take(8 * n)
		if r.bad {
			return nil
		}
		vals := make([]int64, n)
		for i := range vals {
			vals[i] = int64(binary.LittleEndian.Uint64(raw[8*i:]))
		}
		return types.NewDec64Array(int32(form-1), vals, valid, nulls)
	case w > 0:
		if v := r.cut(n * w); !r.bad {
			return types.NewFixed(dt, v, n, valid, nulls)
		}
	case dt.ID() == arrow.BOOL:
		if v := r.cut(kernel.BitmapLen(n)); !r.bad {
			return kernel.MakeBool(v, n, valid, nulls)
		}
	default:
		raw := r.take(4 * (n + 1))
		if r.bad {
			return nil
		}
		off := make([]int32, n+1)
		for i := range off {
			off[i] = int32(binary.LittleEndian.Uint32(raw[4*i:]))
			if i == 0 && off[0] != 0 || i > 0 && off[i] < off[i-1] {
				r.bad = true
				return nil
			}
		}
		if v := r.cut(int(off[n])); !r.bad {
			return types.NewVarlen(dt, off, v, valid, nulls)
		}
	}
	return nil
}

// rowStore keeps batches in memory as far as the budget goes and the rest in a
// spill file. Batches are numbered; get is safe beside other gets.
type rowStore struct {
	mem     *memory
	ts      []types.T
	batches []*Batch
	file    *spillFile
	rows    int64
}

// add appends a batch (made dense).
func (s *rowStore) add(b *Batch) error {
	b = dense(b)
	s.rows += int64(b.N)
	if s.file == nil {
		s.batches = append(s.batches, b)
		s.mem.add(batchBytes(b))
		if !s.mem.over() {
			return nil
		}
		f, err := newSpillFile(s.mem.q, s.mem.id, s.ts)
		if err != nil {
			return err
		}
		s.file = f
		return nil
	}
	return s.file.write(b)
}

func (s *rowStore) len() int {
	n := len(s.batches)
	if s.file != nil {
		n += s.file.len()
	}
	return n
}

func (s *rowStore) get(i int) (*Batch, error) {
	if i < len(s.batches) {
		return s.batches[i], nil
	}
	return s.file.read(i - len(s.batches))
}

func (s *rowStore) clear() {
	s.batches, s.rows = nil, 0
	s.mem.free()
	s.file.close()
	s.file = nil
}
