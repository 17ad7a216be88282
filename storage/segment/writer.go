package segment

import (
	"bytes"
	"encoding/binary"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

const (
	// BlockRowsMax is the number of rows of a block of small values.
	BlockRowsMax = 4096
	// RowsMax is how many rows a file should have at most: see Writer.Full.
	RowsMax = 128 << 10
	// blockBytesMax ends a block of large values early; a larger value has its block alone.
	blockBytesMax = 4 << 20
	// fileBytesMax is the size at which a writer is full.
	fileBytesMax = 64 << 20
)

// Column is a column of a file.
type Column struct {
	Attnum int // from 1
	Type   types.T
}

// WriterOptions of NewWriter. The zero value is usable.
type WriterOptions struct {
	// BlockRows makes blocks of fewer rows, for tests; 0 for BlockRowsMax.
	BlockRows int
	// BytesPerSync has the file written to the disk in steps of so many bytes, so
	// that the last sync is short; 0 for 1 MiB.
	BytesPerSync int
}

// Writer makes one file. It holds the encoded blocks until Finish, and one block of
// raw values; Size says how much. The file appears at Finish.
type Writer struct {
	fs      vfs.FS
	path    string
	o       WriterOptions
	cols    []*columnWriter
	enc     intEncoder
	rows    int
	starts  []int
	keys    Keys // of the block being filled
	keyOut  []byte
	keyEnds []int
	keyVals []uint64
	firsts  [][]byte
	last    []byte
	hashes  []uint64
	held    int // bytes of values in the block being filled
	err     error

	inDict    arrow.ArrayData // the last dictionary measured, and its longest entry
	inDictMax int
}

// NewWriter begins a file of rows of these columns. Nothing is written before Finish.
func NewWriter(fs vfs.FS, path string, cols []Column, o WriterOptions) (*Writer, error) {
	if o.BlockRows <= 0 || o.BlockRows > BlockRowsMax {
		o.BlockRows = BlockRowsMax
	}
	if o.BytesPerSync <= 0 {
		o.BytesPerSync = 1 << 20
	}
	if len(cols) >= fileColumnsMax {
		return nil, pgerror.Internal("a column segment of %d columns", len(cols))
	}
	w := &Writer{fs: fs, path: path, o: o, starts: []int{0}}
	for _, c := range cols {
		w.cols = append(w.cols, newColumnWriter(c, &w.enc))
	}
	return w, nil
}

// Rows is the number of rows appended.
func (w *Writer) Rows() int { return w.rows + w.keys.Len() }

// Size is about how many bytes the writer holds, and the file will have.
func (w *Writer) Size() int {
	n := w.held + len(w.keyOut) + len(w.keys.Data) + 8*len(w.hashes)
	for _, c := range w.cols {
		n += c.size()
	}
	return n
}

// Full reports whether the file is as large as files should be: the next rows
// belong into another.
func (w *Writer) Full() bool { return w.Rows() >= RowsMax || w.Size() >= fileBytesMax }

// Room is how many rows fit until RowsMax.
func (w *Writer) Room() int { return max(RowsMax-w.Rows(), 0) }

// Append adds rows: their keys, ascending and above all keys so far, and a vector
// per column in any form of its type. Nothing of the arguments is kept.
func (w *Writer) Append(keys Keys, cols []arrow.Array) error {
	if w.err == nil {
		w.err = w.append(keys, cols)
	}
	return w.err
}

func (w *Writer) append(keys Keys, cols []arrow.Array) error {
	n := keys.Len()
	if len(cols) != len(w.cols) {
		return pgerror.Internal("%d vectors for %d columns of a segment", len(cols), len(w.cols))
	}
	for _, c := range cols {
		if c.Len() != n {
			return pgerror.Internal("a vector of %d rows with %d keys", c.Len(), n)
		}
	}
	for lo := 0; lo < n; {
		rows := min(n-lo, w.o.BlockRows-w.keys.Len())
		size := w.bytes(cols, lo, lo+rows)
		for rows > 1 && w.held+size > blockBytesMax {
			rows /= 2
			size = w.bytes(cols, lo, lo+rows)
		}
		if w.keys.Len() > 0 && w.held+size > blockBytesMax {
			if err := w.flush(); err != nil {
				return err
			}
			continue
		}
		for i := lo; i < lo+rows; i++ {
			k := keys.At(i)
			if bytes.Compare(k, w.last) <= 0 && w.Rows() > 0 {
				return pgerror.Internal("keys of a segment do not ascend")
			}
			w.keys.Append(k)
			w.last = append(w.last[:0], k...)
			w.hashes = append(w.hashes, hashKey(k))
		}
		for i, c := range cols {
			if err := w.cols[i].append(c, lo, lo+rows); err != nil {
				return err
			}
		}
		w.held += size
		lo += rows
		if w.keys.Len() >= w.o.BlockRows || w.held >= blockBytesMax {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// bytes bounds the bytes of the long values in some rows.
func (w *Writer) bytes(cols []arrow.Array, lo, hi int) int {
	n := 0
	for _, c := range cols {
		switch a := c.(type) {
		case *array.String, *array.Binary:
			s := kernel.Strings(a)
			n += s.Span(lo, hi)
		case *array.Dictionary:
			if id := a.Data().Dictionary(); id != w.inDict {
				w.inDict, w.inDictMax = id, 0
				switch d := a.Dictionary().(type) {
				case *array.String, *array.Binary:
					s := kernel.Strings(d)
					for i := range d.Len() {
						w.inDictMax = max(w.inDictMax, s.Span(i, i+1))
					}
				}
			}
			n += w.inDictMax * (hi - lo)
		}
	}
	return n
}

// flush ends a block.
func (w *Writer) flush() error {
	n := w.keys.Len()
	if n == 0 {
		return nil
	}
	w.firsts = append(w.firsts, bytes.Clone(w.keys.At(0)))
	from := len(w.keyOut)
	w.keyOut, w.keyVals = appendKeyBlock(w.keyOut, w.keys, &w.enc, w.keyVals)
	w.keyOut = appendChecksum(w.keyOut, from)
	w.keyEnds = append(w.keyEnds, len(w.keyOut))
	for _, c := range w.cols {
		c.flush()
	}
	w.rows += n
	w.starts = append(w.starts, w.rows)
	w.keys.Reset()
	w.held = 0
	return nil
}

// Abort forgets the file. Nothing is to be done after Finish.
func (w *Writer) Abort() {
	if w.err == nil {
		w.err = pgerror.Internal("the segment writer is closed")
	}
	w.cols = nil
}

// Finish writes the file, makes its contents durable (the caller syncs the
// directory) and describes it. On an error there is no file. REQUIRES: at least a row.
func (w *Writer) Finish() (*Meta, error) {
	if w.err != nil {
		return nil, w.err
	}
	defer w.Abort()
	if err := w.flush(); err != nil {
		return nil, err
	}
	if w.rows == 0 {
		return nil, pgerror.Internal("a column segment without rows")
	}
	f := &footer{rows: w.rows, starts: w.starts, firsts: w.firsts, last: w.last}
	bufs := [][]byte{appendHeader(nil)}
	at := uint64(headerLen)
	add := func(b []byte) {
		bufs = append(bufs, b)
		at += uint64(len(b))
	}
	var sketches []byte
	for _, c := range w.cols {
		dictionary := c.dict != nil
		c.finish()
		cf := columnFooter{column: c.column, rawBytes: c.rawBytes, zones: c.zones, distinct: int64(c.sketch.Distinct() + 0.5)}
		from := 0
		for b, end := range c.ends {
			cf.blocks = append(cf.blocks, part{at + uint64(from), uint32(end - from)})
			cf.nulls += c.zones[b].Nulls
			from = end
		}
		add(c.out)
		if c.shared != nil {
			cf.sharedKind = sharedSymbols
			if dictionary && c.syms == nil {
				cf.sharedKind = sharedDictionary
			}
			shared := appendChecksum(c.shared, 0)
			cf.shared = part{at, uint32(len(shared))}
			add(shared)
		}
		s := c.sketch.append(nil)
		sketches = appendBytes(sketches, s)
		f.columns = append(f.columns, cf)
	}
	from := 0
	for _, end := range w.keyEnds {
		f.keys = append(f.keys, part{at + uint64(from), uint32(end - from)})
		from = end
	}
	add(w.keyOut)
	filter := appendBloom(nil, w.hashes)
	filter = appendChecksum(filter, 0)
	f.filter = part{at, uint32(len(filter))}
	add(filter)
	sketches = appendChecksum(sketches, 0)
	f.sketches = part{at, uint32(len(sketches))}
	add(sketches)
	foot := f.append(nil)
	bufs = append(bufs, foot, appendTrailer(nil, at, foot))
	size, err := w.write(bufs)
	if err != nil {
		w.fs.Remove(w.path) // nobody refers to it
		return nil, err
	}
	return f.meta(size), nil
}

func (w *Writer) write(bufs [][]byte) (size int64, err error) {
	file, err := w.fs.Create(w.path, "segment")
	if err != nil {
		return 0, ioError(err, "create", w.path)
	}
	file = vfs.NewSyncingFile(file, vfs.SyncingFileOptions{BytesPerSync: w.o.BytesPerSync})
	defer func() {
		if cerr := file.Close(); cerr != nil && err == nil {
			err = ioError(cerr, "close", w.path)
		}
	}()
	for _, b := range bufs {
		for len(b) > 0 { // in steps, so that the disk gets going early
			n := min(len(b), w.o.BytesPerSync)
			if _, err := file.Write(b[:n]); err != nil {
				return 0, ioError(err, "write", w.path)
			}
			size += int64(n)
			b = b[n:]
		}
	}
	if err := file.Sync(); err != nil {
		return 0, ioError(err, "sync", w.path)
	}
	return size, nil
}

// Meta describes a file.
type Meta struct {
	Rows, Blocks int
	Bytes        int64
	First, Last  []byte // keys
	Columns      []ColumnMeta
}

// ColumnMeta is a column's statistics.
type ColumnMeta struct {
	Column
	Nulls int
	// Min and Max are nil where they are not known; long values are cut.
	Min, Max types.Datum
	// Distinct is an estimate of the number of distinct values.
	Distinct int64
	// Width is the average bytes of a value that is not NULL.
	Width float64
	// Bytes is what the column takes in the file.
	Bytes int64
}

func (f *footer) meta(size int64) *Meta {
	m := &Meta{Rows: f.rows, Blocks: len(f.keys), Bytes: size, First: f.firsts[0], Last: f.last}
	for i := range f.columns {
		c := &f.columns[i]
		k := ColumnMeta{Column: c.Column, Nulls: c.nulls, Distinct: min(c.distinct, int64(f.rows-c.nulls)), Bytes: int64(c.shared.len)}
		for _, b := range c.blocks {
			k.Bytes += int64(b.len)
		}
		if n := f.rows - c.nulls; n > 0 {
			k.Width = float64(c.rawBytes) / float64(n)
		}
		z := c.zone()
		k.Min, k.Max = z.Bounds(c.Type)
		m.Columns = append(m.Columns, k)
	}
	return m
}

// zone is the column's zone over all blocks.
func (c *columnFooter) zone() Zone {
	var z Zone
	for i := range c.zones {
		z.union(&c.zones[i])
	}
	return z
}

// KeysOf are the keys in a Binary vector; shared.
func KeysOf(a *array.Binary) Keys {
	d := a.Data()
	if d.Len() == 0 {
		return Keys{}
	}
	return Keys{Offs: a.ValueOffsets(), Data: d.Buffers()[2].Bytes()}
}

// cutBytes cuts a length-prefixed byte string off b.
func cutBytes(b []byte) (s, rest []byte, ok bool) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return nil, nil, false
	}
	return b[k : k+int(n)], b[k+int(n):], true
}
