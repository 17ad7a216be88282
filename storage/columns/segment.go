package columns

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/storage/segment"
)

// Segment is one file of rows, as a state of its space sees it. Immutable.
type Segment struct {
	*fileRef
	space  Space
	merged bool
	ts     engine.Timestamp // 0: provisional
	bytes  uint64
	// first and last locators
	first, last []byte
	cols        []ColumnStats
}

// fileRef is a file that segments share: a loose one and the merged one that it
// became. It is opened when it is first read.
type fileRef struct {
	store  *Store
	number uint64
	rows   uint64
	// refs counts the states and provisional owners that have the file; obsolete says
	// that the directory no longer does, or never did.
	refs     atomic.Int64
	obsolete atomic.Bool

	mu   sync.Mutex
	file atomic.Pointer[openFile]
}

// openFile is a file with what turns its rows into stored rows.
type openFile struct {
	*segment.File
	encoders sync.Pool // *rowEncoder
}

// rowEncoder makes stored rows of vectors.
type rowEncoder struct {
	enc  *rowcodec.Encoder
	cols []arrow.Array

	// for single rows, per column
	all    []int
	some   []int
	vals   []segment.Value
	width  []int
	stored [][]byte
	text   []byte
	fixed  []byte
}

// fileName names the file of a record.
func fileName(number uint64) string { return fmt.Sprintf("%016x.seg", number) }

// Rows, Bytes, First, Last, Timestamp and Space describe the segment. A provisional
// segment's timestamp is 0.
func (g *fileRef) Rows() int                   { return int(g.rows) }
func (g *Segment) Bytes() int64                { return int64(g.bytes) }
func (g *Segment) First() []byte               { return g.first }
func (g *Segment) Last() []byte                { return g.last }
func (g *Segment) Timestamp() engine.Timestamp { return g.ts }
func (g *Segment) Space() Space                { return g.space }

// Path is the file's name.
func (g *fileRef) Path() string { return g.store.path(g.number) }

// File opens the file, once.
func (g *fileRef) File() (*segment.File, error) {
	f, err := g.open()
	if err != nil {
		return nil, err
	}
	return f.File, nil
}

func (g *fileRef) open() (*openFile, error) {
	if f := g.file.Load(); f != nil {
		return f, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.file.Load(); f != nil {
		return f, nil
	}
	file, err := segment.Open(g.store.fs, g.Path(), g.store.cache)
	if err != nil {
		return nil, g.wrap(err)
	}
	if file.Rows() != int(g.rows) {
		_ = file.Close()
		return nil, corruptFile(g.Path(), "it has %d rows, the directory says %d", file.Rows(), g.rows)
	}
	f := &openFile{File: file}
	cols := make([]rowcodec.Column, len(file.Columns()))
	for i, c := range file.Columns() {
		cols[i] = rowcodec.Column{Attnum: c.Attnum, T: c.Type}
	}
	if _, err := rowcodec.NewEncoder(cols); err != nil {
		_ = file.Close()
		return nil, err
	}
	all, width := make([]int, len(cols)), make([]int, len(cols))
	for i := range cols {
		all[i], width[i] = i, storedWidth(cols[i].T)
	}
	f.encoders.New = func() any {
		enc, _ := rowcodec.NewEncoder(cols)
		return &rowEncoder{enc: enc, cols: make([]arrow.Array, len(cols)), all: all, width: width,
			vals: make([]segment.Value, len(cols)), stored: make([][]byte, len(cols))}
	}
	g.file.Store(f)
	return f, nil
}

// overlaps reports whether the rows' locators reach into [lower, upper); nil upper: no bound.
func (g *Segment) overlaps(lower, upper []byte) bool {
	return bytes.Compare(g.last, lower) >= 0 && (upper == nil || bytes.Compare(g.first, upper) < 0)
}

func (g *Segment) mayHold(loc []byte) bool {
	return bytes.Compare(g.first, loc) <= 0 && bytes.Compare(loc, g.last) <= 0
}

// get reads the stored row of a locator, appended to buf; of it the columns with some
// attribute numbers, the others NULL, unless atts is nil.
func (g *Segment) get(loc, buf []byte, atts []int) (value []byte, found bool, err error) {
	if !g.mayHold(loc) {
		return nil, false, nil
	}
	f, err := g.open()
	if err != nil {
		return nil, false, err
	}
	row, ok, err := f.Find(bg, loc)
	if err != nil || !ok {
		return nil, false, g.wrap(err)
	}
	value, err = f.appendRow(bg, buf, row, atts)
	return value, err == nil, g.wrap(err)
}

// wrap words an error of the file.
func (r *fileRef) wrap(err error) error {
	if err == nil {
		return nil
	}
	return r.store.wrap(err, r.Path())
}

// Get reads the stored row of a locator (provisional segments), appended to buf.
func (g *Segment) Get(loc, buf []byte) (value []byte, found bool, err error) {
	return g.get(loc, buf, nil)
}

// Has reports whether there is a row of a locator.
func (g *Segment) Has(loc []byte) (bool, error) {
	if !g.mayHold(loc) {
		return false, nil
	}
	f, err := g.open()
	if err != nil {
		return false, err
	}
	_, ok, err := f.Find(bg, loc)
	return ok, g.wrap(err)
}

// anyIn reports whether a row lies in [lower, upper); nil upper: no bound.
func (g *Segment) anyIn(lower, upper []byte) (bool, error) {
	if !g.overlaps(lower, upper) {
		return false, nil
	}
	if bytes.Compare(lower, g.first) <= 0 {
		return true, nil
	}
	f, err := g.open()
	if err != nil {
		return false, err
	}
	row, err := f.SeekRow(bg, lower)
	if err != nil || row >= f.Rows() {
		return false, g.wrap(err)
	}
	if upper == nil {
		return true, nil
	}
	key, err := f.AppendKey(bg, nil, row)
	return err == nil && bytes.Compare(key, upper) < 0, g.wrap(err)
}

// appendRow appends the stored form of one row; atts is as for Segment.get.
func (f *openFile) appendRow(ctx context.Context, dst []byte, row int, atts []int) ([]byte, error) {
	e := f.encoders.Get().(*rowEncoder)
	defer f.encoders.Put(e)
	cols := e.all
	if atts != nil {
		cols = e.some[:0]
		for _, a := range atts {
			if c := f.ColumnOf(a); c >= 0 && !slices.Contains(cols, c) {
				cols = append(cols, c)
			}
		}
		e.some = cols
	}
	var err error
	if e.text, err = f.Row(ctx, row, cols, e.vals, e.text[:0]); err != nil {
		return nil, err
	}
	e.fixed = e.fixed[:0] // stored forms; what it leaves behind when it grows stays as it is
	for i, c := range cols {
		v := &e.vals[i]
		from := len(e.fixed)
		switch {
		case v.Null:
			e.stored[c] = nil
			continue
		case v.Dec:
			e.fixed = rowcodec.AppendDecimal(e.fixed, int64(v.Bits), v.Scale)
		case e.width[c] > 0:
			e.fixed = binary.LittleEndian.AppendUint64(e.fixed, v.Bits)[:from+e.width[c]]
		case e.width[c] < 0:
			e.fixed = rowcodec.AppendNumericBinary(e.fixed, v.Bytes)
		default:
			if e.stored[c] = v.Bytes; v.Bytes == nil {
				e.stored[c] = []byte{}
			}
			continue
		}
		e.stored[c] = e.fixed[from:len(e.fixed):len(e.fixed)]
	}
	dst, err = e.enc.AppendStored(dst, e.stored)
	clear(e.vals)
	clear(e.stored)
	return dst, err
}

// storedWidth is how many bytes of Value.Bits a type's stored values have; 0: what is
// in Value.Bytes is stored, −1: a numeric.
func storedWidth(t types.T) int {
	if t.OID == types.NumericOID && t.Class == types.ClassBase {
		return -1
	}
	switch dt := types.ArrowType(t); dt.ID() {
	case arrow.BOOL, arrow.UINT8:
		return 1
	case arrow.INT16:
		return 2
	case arrow.INT32, arrow.UINT32, arrow.DATE32:
		return 4
	case arrow.INT64, arrow.UINT64, arrow.TIME64, arrow.TIMESTAMP:
		return 8
	}
	return 0
}

// unref gives a reference back.
func (g *fileRef) unref() {
	if g.refs.Add(-1) > 0 {
		return
	}
	if f := g.file.Swap(nil); f != nil {
		_ = f.Close()
	}
	if g.obsolete.Load() {
		g.store.removeFile(g.number)
	}
}
