package kernel

import (
	"slices"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
)

// Scatter cuts rows by the upper bits of their hashes and keeps the rows of each partition in
// vectors of its own, so that whoever goes through one partition after the other works on
// keys that are few at a time. Rows of one partition keep their order. A Scatter is filled by
// one goroutine; then partitions may be taken by several.
type Scatter struct {
	shift  uint
	dts    []arrow.DataType // of the columns, nil: not there
	widths []int            // 0: bool, −1: of variable length
	parts  []scattered
	bytes  int64
	rows   int

	order []int32 // scratch: rows by partition
	start []int32
}

// Piece is some rows of a partition.
type Piece struct {
	Cols []arrow.Array
	N    int
}

// scattered is one partition: full pieces and the one being filled.
type scattered struct {
	pieces []Piece
	bytes  int64
	n, cap int
	cols   []scatterColumn
}

// scatterColumn is a column of the piece being filled.
type scatterColumn struct {
	fixed []uint64 // memory of fixed-width values and of bools
	off   []int32
	data  []byte
	valid []byte // nil: no NULL yet
	nulls int
}

const (
	scatterRowsMin = 32
	scatterRowsMax = 2048
	// scatterBytesMax bounds the strings of a column of a piece, but for those of one vector.
	scatterBytesMax = 64 << 20
)

// NewScatter makes 2^n partitions.
func NewScatter(n int) *Scatter {
	return &Scatter{shift: uint(64 - n), parts: make([]scattered, 1<<n), start: make([]int32, 1<<n+1)}
}

// Parts is the number of partitions.
func (s *Scatter) Parts() int { return len(s.parts) }

// Bytes is the memory held.
func (s *Scatter) Bytes() int64 { return s.bytes }

// Rows is the number of rows held.
func (s *Scatter) Rows() int { return s.rows }

// PartRows is the number of rows of partition p.
func (s *Scatter) PartRows(p int) int {
	n := s.parts[p].n
	for _, b := range s.parts[p].pieces {
		n += b.N
	}
	return n
}

// Add puts rows sel (nil: all) of cols into the partitions of their hashes: hash[i] is that of
// the i-th of them. Columns may be nil; coded ones lose their code. The vectors may be used
// again afterwards.
func (s *Scatter) Add(cols []arrow.Array, sel []int32, hash []uint64) {
	if len(hash) == 0 {
		return
	}
	for i, c := range cols {
		if c != nil && IsCoded(c) {
			own := append([]arrow.Array(nil), cols...)
			for ; i < len(own); i++ {
				if own[i] != nil && IsCoded(own[i]) {
					own[i] = Flatten(own[i])
				}
			}
			cols = own
			break
		}
	}
	s.forms(cols)
	s.sort(sel, hash)
	s.rows += len(hash)
	before := int32(0)
	for p := range s.parts {
		lo := before
		hi := s.start[p]
		before = hi
		if lo < hi {
			s.append(&s.parts[p], cols, s.order[lo:hi])
		}
	}
}

// forms begins new pieces where vectors have another form than those before.
func (s *Scatter) forms(cols []arrow.Array) {
	same := len(s.dts) == len(cols)
	for i := 0; same && i < len(cols); i++ {
		same = sameForm(s.dts[i], cols[i])
	}
	if same {
		return
	}
	for p := range s.parts {
		s.seal(&s.parts[p])
		s.parts[p].cols, s.parts[p].cap = nil, 0
	}
	s.dts, s.widths = make([]arrow.DataType, len(cols)), make([]int, len(cols))
	for i, c := range cols {
		if c == nil {
			continue
		}
		s.dts[i] = c.DataType()
		switch w := Width(c.DataType()); {
		case w > 0:
			s.widths[i] = w
		case c.DataType().ID() != arrow.BOOL:
			s.widths[i] = -1
		}
	}
}

func sameForm(dt arrow.DataType, c arrow.Array) bool {
	if c == nil || dt == nil {
		return c == nil && dt == nil
	}
	other := c.DataType()
	if dt == other {
		return true
	}
	d, ok := dt.(*types.Dec64Type)
	e, also := other.(*types.Dec64Type)
	if ok || also {
		return ok && also && d.Scale == e.Scale
	}
	return dt.ID() == other.ID()
}

// sort lists the rows by partition: those of p end at start[p].
func (s *Scatter) sort(sel []int32, hash []uint64) {
	s.order = resize(s.order, len(hash))
	order, start, shift := s.order, s.start, s.shift
	clear(start)
	for _, h := range hash {
		start[h>>shift+1]++
	}
	for p := 1; p < len(start); p++ {
		start[p] += start[p-1]
	}
	// start[p] is now where p begins, and where it ends when its rows are there
	if sel == nil {
		for i, h := range hash {
			p := h >> shift
			order[start[p]] = int32(i)
			start[p]++
		}
		return
	}
	for i, h := range hash {
		p := h >> shift
		order[start[p]] = sel[i]
		start[p]++
	}
}

func (s *Scatter) append(p *scattered, cols []arrow.Array, rows []int32) {
	for i, w := range s.widths {
		if w < 0 && p.n > 0 && len(p.cols[i].data)+Strings(cols[i]).Span(0, cols[i].Len()) > scatterBytesMax {
			s.seal(p)
			break
		}
	}
	for len(rows) > 0 {
		if p.n == p.cap {
			s.extend(p)
		}
		k := min(len(rows), p.cap-p.n)
		for i, c := range cols {
			if c != nil {
				s.fill(p, i, c, rows[:k])
			}
		}
		p.n += k
		rows = rows[k:]
	}
}

// extend makes room for more rows: a larger piece, or the next one.
func (s *Scatter) extend(p *scattered) {
	size := scatterRowsMin
	switch {
	case p.cap >= scatterRowsMax:
		s.seal(p)
		size = scatterRowsMax
	case p.cap > 0:
		size = min(4*p.cap, scatterRowsMax)
	case len(p.pieces) > 0:
		size = scatterRowsMax
	}
	old := p.cap
	p.cap = size
	if p.cols == nil {
		p.cols, old = make([]scatterColumn, len(s.dts)), 0
	}
	if p.n == 0 {
		old = 0
	}
	bytes := int64(0)
	for i, w := range s.widths {
		c := &p.cols[i]
		switch {
		case s.dts[i] == nil:
		case w > 0:
			c.fixed = widened(c.fixed, (size*w+7)/8)
			bytes += int64((size - old) * w)
		case w == 0:
			c.fixed = widened(c.fixed, (size+63)/64)
			bytes += int64((size - old) / 8)
		default:
			off := make([]int32, size+1)
			copy(off, c.off)
			c.off = off
			bytes += 4 * int64(size-old)
		}
		if c.valid != nil {
			valid := Ones(size)
			copy(valid, c.valid)
			c.valid = valid
		}
	}
	p.bytes += bytes
	s.bytes += bytes
}

func widened(v []uint64, n int) []uint64 {
	out := make([]uint64, n)
	copy(out, v)
	return out
}

// fill appends rows of a column to the piece; it has room for them.
func (s *Scatter) fill(p *scattered, i int, a arrow.Array, rows []int32) {
	c := &p.cols[i]
	if a.NullN() > 0 {
		v := Valid(a)
		for k, r := range rows {
			if v.Get(int(r)) {
				continue
			}
			if c.valid == nil {
				c.valid = Ones(p.cap)
			}
			ClearBit(c.valid, p.n+k)
			c.nulls++
		}
	}
	switch s.widths[i] {
	case 1:
		fillFixed[uint8](c, p.n, a, rows)
	case 2:
		fillFixed[uint16](c, p.n, a, rows)
	case 4:
		fillFixed[uint32](c, p.n, a, rows)
	case 8:
		fillFixed[uint64](c, p.n, a, rows)
	case 12:
		fillFixed[[12]byte](c, p.n, a, rows)
	case 16:
		fillFixed[[16]byte](c, p.n, a, rows)
	case 0:
		v, out := Bools(a), bytesOf(c.fixed)
		for k, r := range rows {
			if v.Get(int(r)) {
				SetBit(out, p.n+k)
			}
		}
	default:
		v := Strings(a)
		had := cap(c.data)
		if now := len(c.data) + v.Total(rows); now > had {
			// room for a full piece, if the others are as long on average
			whole := min(now/(p.n+len(rows))*p.cap, max(2*now, reserveMin))
			c.data = slices.Grow(c.data, max(now, whole)-len(c.data))
		}
		for k, r := range rows {
			c.data = append(c.data, v.At(int(r))...)
			c.off[p.n+k+1] = int32(len(c.data))
		}
		grown := int64(cap(c.data) - had)
		p.bytes += grown
		s.bytes += grown
	}
}

func fillFixed[T any](c *scatterColumn, at int, a arrow.Array, rows []int32) {
	src := Values[T](a)
	dst := sliceOf[T](c.fixed)[at:][:len(rows)]
	for k, r := range rows {
		dst[k] = src[r]
	}
}

// sliceOf views words as values of T.
func sliceOf[T any](words []uint64) []T {
	var z T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8/int(unsafe.Sizeof(z)))
}

// seal makes a piece of what is being filled.
func (s *Scatter) seal(p *scattered) {
	if p.n == 0 {
		return
	}
	out := Piece{Cols: make([]arrow.Array, len(s.dts)), N: p.n}
	for i, dt := range s.dts {
		if dt == nil {
			continue
		}
		c := p.cols[i]
		valid := c.valid
		if valid != nil {
			valid = valid[:BitmapLen(p.n)]
		}
		switch w := s.widths[i]; {
		case w > 0:
			out.Cols[i] = fixedOf(dt, c.fixed, p.n, w, valid, c.nulls)
		case w == 0:
			out.Cols[i] = MakeBool(bytesOf(c.fixed)[:BitmapLen(p.n)], p.n, valid, c.nulls)
		default:
			out.Cols[i] = types.NewVarlen(dt, c.off[:p.n+1], c.data, valid, c.nulls)
		}
	}
	p.pieces = append(p.pieces, out)
	p.cols, p.n, p.cap = nil, 0, 0
}

func fixedOf(dt arrow.DataType, words []uint64, n, width int, valid []byte, nulls int) arrow.Array {
	if d, ok := dt.(*types.Dec64Type); ok {
		return types.NewDec64Array(d.Scale, sliceOf[int64](words)[:n], valid, nulls)
	}
	return types.NewFixed(dt, bytesOf(words)[:n*width], n, valid, nulls)
}

// Take gives the rows of partition p, which forgets them, and how much memory they took.
// s.Bytes does not follow: several goroutines may take.
func (s *Scatter) Take(p int) ([]Piece, int64) {
	q := &s.parts[p]
	s.seal(q)
	pieces, n := q.pieces, q.bytes
	*q = scattered{}
	return pieces, n
}

// Forget says that all partitions were taken and rows may be added again.
func (s *Scatter) Forget() { s.bytes, s.rows = 0, 0 }

// PartitionOf lists numbers 0 … t.Len()−1 by the upper n bits of their keys' hashes: those of
// partition p are rows[start[p]:start[p+1]].
func (t *Table) PartitionOf(n int) (rows, start []int32) {
	shift := uint(64 - n)
	rows, start = make([]int32, t.count), make([]int32, 1<<n+2)
	next := start[1:]
	for i := range t.count {
		next[t.Hash(i)>>shift+1]++
	}
	for p := 1; p < len(next); p++ {
		next[p] += next[p-1]
	}
	for i := range t.count {
		p := t.Hash(i) >> shift
		rows[next[p]] = int32(i)
		next[p]++
	}
	return rows, start[:1<<n+1]
}
