package segment

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// File is an open file.
type File struct {
	path   string
	f      vfs.File
	size   int64
	cache  *Cache
	foot   *footer
	even   int // rows of every block but the last, 0 when they differ
	slots  []slot
	byAtt  map[int]int
	closed atomic.Bool
}

// Open opens a file and reads its footer. cache may be nil.
func Open(fs vfs.FS, path string, cache *Cache) (*File, error) {
	f, err := fs.Open(path, vfs.RandomReadsOption)
	if err != nil {
		return nil, ioError(err, "open", path)
	}
	s := &File{path: path, f: f, cache: cache}
	if err := s.readFooter(); err != nil {
		f.Close()
		return nil, err
	}
	n := len(s.foot.keys)
	s.slots = make([]slot, (len(s.foot.columns)+1)*(n+1))
	s.even = s.foot.starts[1]
	for b := 1; b < n; b++ {
		if r := s.foot.starts[b+1] - s.foot.starts[b]; r != s.even && (b < n-1 || r > s.even) {
			s.even = 0
			break
		}
	}
	s.byAtt = make(map[int]int, len(s.foot.columns))
	for i := range s.foot.columns {
		s.byAtt[s.foot.columns[i].Attnum] = i
	}
	return s, nil
}

func (f *File) readFooter() error {
	st, err := f.f.Stat()
	if err != nil {
		return ioError(err, "stat", f.path)
	}
	f.size = st.Size()
	if f.size < headerLen+trailerLen {
		return damaged(f.path, "it has %d bytes", f.size)
	}
	var head [headerLen]byte
	if err := f.readAt(head[:], 0); err != nil {
		return err
	}
	tail := make([]byte, min(f.size, 32<<10))
	if err := f.readAt(tail, f.size-int64(len(tail))); err != nil {
		return err
	}
	t := tail[len(tail)-trailerLen:]
	if !bytes.Equal(t[24:], magic) || !bytes.Equal(head[:8], magic) {
		return damaged(f.path, "it does not begin and end as a segment does")
	}
	if binary.LittleEndian.Uint32(t[20:]) != checksum(t[:20]) {
		return damaged(f.path, "checksum of the trailer does not match")
	}
	if v := binary.LittleEndian.Uint32(t[16:]); v != formatVersion {
		return pgerror.New(pgerror.FeatureNotSupported, "column segment \"%s\" has format version %d, this program reads version %d", f.path, v, formatVersion)
	}
	if !bytes.Equal(head[:], appendHeader(nil)) {
		return damaged(f.path, "malformed header")
	}
	off, n, sum := binary.LittleEndian.Uint64(t), int64(binary.LittleEndian.Uint32(t[8:])), binary.LittleEndian.Uint32(t[12:])
	if off < headerLen || off > uint64(f.size) || int64(off)+n+trailerLen != f.size {
		return damaged(f.path, "the footer is not in the file")
	}
	var b []byte
	if int(n)+trailerLen <= len(tail) {
		b = tail[len(tail)-trailerLen-int(n) : len(tail)-trailerLen]
	} else {
		b = make([]byte, n)
		if err := f.readAt(b, int64(off)); err != nil {
			return err
		}
	}
	if checksum(b) != sum {
		return damaged(f.path, "checksum of the footer does not match")
	}
	if f.foot, err = parseFooter(b, off); err != nil {
		return f.wrap(err, "footer")
	}
	if f.foot.rows == 0 {
		return damaged(f.path, "it has no rows")
	}
	return nil
}

func (f *File) readAt(b []byte, off int64) error {
	if n, err := f.f.ReadAt(b, off); err != nil && n < len(b) {
		if st, serr := f.f.Stat(); serr == nil && st.Size() < off+int64(len(b)) {
			return damaged(f.path, "it ends at %d", st.Size())
		}
		return ioError(err, "read", f.path)
	}
	return nil
}

// wrap says where a decoder's error was met.
func (f *File) wrap(err error, where string) error {
	var m malformedError
	if errors.As(err, &m) {
		return damaged(f.path, "%s: %s", where, string(m))
	}
	return err
}

// Close closes the file and gives its memory back. REQUIRES: nobody reads.
func (f *File) Close() error {
	if f.closed.Swap(true) {
		return nil
	}
	f.cache.drop(f.slots)
	if err := f.f.Close(); err != nil {
		return ioError(err, "close", f.path)
	}
	return nil
}

// Path is the file's name.
func (f *File) Path() string { return f.path }

// Meta describes the file.
func (f *File) Meta() *Meta { return f.foot.meta(f.size) }

// Rows is the number of rows, Size of bytes.
func (f *File) Rows() int   { return f.foot.rows }
func (f *File) Size() int64 { return f.size }

// First and Last are the least and the greatest key; shared.
func (f *File) First() []byte { return f.foot.firsts[0] }
func (f *File) Last() []byte  { return f.foot.last }

// Columns are the columns, in the order that their numbers in other calls mean.
func (f *File) Columns() []Column {
	out := make([]Column, len(f.foot.columns))
	for i := range out {
		out[i] = f.foot.columns[i].Column
	}
	return out
}

// ColumnOf is the number of the column with an attribute number, −1 for none.
func (f *File) ColumnOf(attnum int) int {
	if i, ok := f.byAtt[attnum]; ok {
		return i
	}
	return -1
}

// Blocks is the number of blocks.
func (f *File) Blocks() int { return len(f.foot.keys) }

// BlockRows are the rows of a block: the first, and how many.
func (f *File) BlockRows(b int) (first, n int) {
	return f.foot.starts[b], f.foot.starts[b+1] - f.foot.starts[b]
}

// BlockOf is the block of a row.
func (f *File) BlockOf(row int) int {
	if f.even > 0 {
		return row / f.even
	}
	b, ok := slices.BinarySearch(f.foot.starts, row)
	if !ok {
		b--
	}
	return b
}

// FirstKey is the least key of a block; shared.
func (f *File) FirstKey(block int) []byte { return f.foot.firsts[block] }

// Zone is what is known of a block of a column.
func (f *File) Zone(col, block int) *Zone { return &f.foot.columns[col].zones[block] }

// ColumnZone is what is known of all of a column.
func (f *File) ColumnZone(col int) Zone { return f.foot.columns[col].zone() }

// MayMatch reports whether a row of a block may satisfy r.
func (f *File) MayMatch(col, block int, r *Range) bool {
	return f.foot.columns[col].zones[block].May(r)
}

// Slots: of every block the columns', then its keys'; then what the blocks of each
// column share, and the filter. The slots of a row's values stand together.
func (f *File) slot(col, block int) *slot {
	return &f.slots[block*(len(f.foot.columns)+1)+col]
}

// cachedValue is what a slot holds.
func cachedValue[T any](f *File, col, block int) (v T, ok bool) {
	s := f.slot(col, block)
	x := s.at.Load()
	if x == nil {
		return v, false
	}
	f.cache.hit(s)
	return x.value.(T), true
}

// load reads and verifies a part; the bytes have wordSlack behind them.
func (f *File) load(p part, where func() string) ([]byte, error) {
	b, err := f.read(p)
	if err != nil {
		return nil, err
	}
	return f.verified(b, where)
}

// read reads a part; the bytes have wordSlack behind them.
func (f *File) read(p part) ([]byte, error) {
	b := make([]byte, p.len, int(p.len)+wordSlack)
	return b, f.readAt(b, int64(p.off))
}

func (f *File) verified(b []byte, where func() string) ([]byte, error) {
	n := len(b) - checksumLen
	if n < 0 {
		return nil, damaged(f.path, "%s has no checksum", where())
	}
	if checksum(b[:n]) != binary.LittleEndian.Uint32(b[n:]) {
		return nil, damaged(f.path, "checksum of %s does not match", where())
	}
	return b[:n], nil
}

// block gives a block. Without an Ahead it is read alone; with one, it may be in the Ahead's
// memory, good until that is asked for another.
func (f *File) block(ctx context.Context, col, b int, ahead *Ahead) (*block, error) {
	c := &f.foot.columns[col]
	p := c.blocks[b]
	if k, ok := cachedValue[*block](f, col, b); ok {
		ahead.found(f.cache, p)
		return k, nil
	}
	if k := ahead.again(f, col, b); k != nil {
		return k, nil
	}
	if ctx.Err() != nil {
		return nil, pgerror.From(context.Cause(ctx))
	}
	syms, dict, err := f.shared(col)
	if err != nil {
		return nil, err
	}
	keep := f.cache.admit(f.slot(col, b), int64(p.len))
	var buf []byte
	var into *block
	if ahead == nil {
		buf, err = f.read(p)
	} else if buf, err = ahead.bytes(f, col, b); err == nil {
		if keep {
			buf = append(make([]byte, 0, len(buf)+wordSlack), buf...)
		} else {
			into = &ahead.block
		}
	}
	if err != nil {
		return nil, err
	}
	if buf, err = f.verified(buf, func() string { return f.name(col, b) }); err != nil {
		return nil, err
	}
	if into == nil {
		into = new(block)
	}
	if err := into.parse(buf, f.foot.starts[b+1]-f.foot.starts[b], &c.column, syms, dict); err != nil {
		return nil, f.wrap(err, f.name(col, b))
	}
	switch {
	case keep:
		f.cache.put(f.slot(col, b), into, int64(len(buf)))
	case ahead != nil:
		ahead.use(b)
	}
	return into, nil
}

// shared gives the chunk's symbol table or dictionary.
func (f *File) shared(col int) (*symbols, *dictionary, error) {
	c := &f.foot.columns[col]
	if c.sharedKind == sharedNone {
		return nil, nil, nil
	}
	n := len(f.foot.keys)
	if c.sharedKind == sharedDictionary {
		if d, ok := cachedValue[*dictionary](f, col, n); ok {
			return nil, d, nil
		}
	} else if s, ok := cachedValue[*symbols](f, col, n); ok {
		return s, nil, nil
	}
	where := func() string { return "the table of column " + strconv.Itoa(c.Attnum) }
	buf, err := f.load(c.shared, where)
	if err != nil {
		return nil, nil, err
	}
	if c.sharedKind == sharedDictionary {
		d, err := parseDictionary(buf, &c.column)
		if err != nil {
			return nil, nil, f.wrap(err, where())
		}
		f.cache.put(f.slot(col, n), d, int64(d.bytes))
		// Another may have come first: all blocks should have the same.
		if e, ok := cachedValue[*dictionary](f, col, n); ok {
			d = e
		}
		return nil, d, nil
	}
	s, err := parseSymbols(buf)
	if err != nil {
		return nil, nil, f.wrap(err, where())
	}
	f.cache.put(f.slot(col, n), s, 256*9)
	return s, nil, nil
}

// name is a block as errors have it.
func (f *File) name(col, b int) string {
	return "block " + strconv.Itoa(b) + " of column " + strconv.Itoa(f.foot.columns[col].Attnum)
}

// Read gives a block of a column. Coded text comes as a dictionary vector over int32;
// the Data of its dictionary (arr.Data().Dictionary()) is one object for all blocks
// of the column while the cache keeps it.
func (f *File) Read(ctx context.Context, block, col int) (arrow.Array, error) {
	return f.ReadWith(ctx, block, col, nil, nil)
}

// ReadWith is Read with memory that the vector may be made in, and for a reader of many blocks.
func (f *File) ReadWith(ctx context.Context, block, col int, scratch *Scratch, ahead *Ahead) (arrow.Array, error) {
	k, err := f.block(ctx, col, block, ahead)
	if err != nil {
		return nil, err
	}
	a, err := k.vector(&f.foot.columns[col].column, scratch)
	if err != nil {
		return nil, f.wrap(err, f.name(col, block))
	}
	return a, nil
}

// ReadSelected gives some rows of a block, densely; sel are positions in the block, ascending.
// scratch and ahead are as for ReadWith.
func (f *File) ReadSelected(ctx context.Context, block, col int, sel []int32, scratch *Scratch, ahead *Ahead) (arrow.Array, error) {
	k, err := f.block(ctx, col, block, ahead)
	if err != nil {
		return nil, err
	}
	if len(sel) == k.n {
		a, err := k.vector(&f.foot.columns[col].column, scratch)
		return a, f.wrap(err, f.name(col, block))
	}
	a, err := k.selected(&f.foot.columns[col].column, sel, scratch)
	if err != nil {
		return nil, f.wrap(err, f.name(col, block))
	}
	return a, nil
}

// Row gives single values of a row: out[i] is that of column cols[i]. Bytes share the
// memory of cached blocks or of buf, which is given back for the next call.
func (f *File) Row(ctx context.Context, row int, cols []int, out []Value, buf []byte) ([]byte, error) {
	b := f.BlockOf(row)
	i := row - f.foot.starts[b]
	for j, col := range cols {
		k, err := f.block(ctx, col, b, nil)
		if err != nil {
			return buf, err
		}
		if out[j], buf, err = k.value(&f.foot.columns[col].column, i, buf); err != nil {
			return buf, f.wrap(err, f.name(col, b))
		}
	}
	return buf, nil
}

func (f *File) keyBlock(ctx context.Context, b int) (*keyBlock, error) {
	col := len(f.foot.columns)
	if k, ok := cachedValue[*keyBlock](f, col, b); ok {
		return k, nil
	}
	if ctx.Err() != nil {
		return nil, pgerror.From(context.Cause(ctx))
	}
	where := func() string { return "key block " + strconv.Itoa(b) }
	keep := f.cache.admit(f.slot(col, b), int64(f.foot.keys[b].len))
	buf, err := f.load(f.foot.keys[b], where)
	if err != nil {
		return nil, err
	}
	k, err := parseKeyBlock(buf, f.foot.starts[b+1]-f.foot.starts[b])
	if err != nil {
		return nil, f.wrap(err, where())
	}
	if keep {
		f.cache.put(f.slot(col, b), k, int64(len(buf)))
	}
	return k, nil
}

func (f *File) bloom() (bloom, error) {
	col, n := len(f.foot.columns), len(f.foot.keys)
	if b, ok := cachedValue[bloom](f, col, n); ok {
		return b, nil
	}
	buf, err := f.load(f.foot.filter, func() string { return "the key filter" })
	if err != nil {
		return nil, err
	}
	f.cache.put(f.slot(col, n), bloom(buf), int64(len(buf)))
	return buf, nil
}

// blockOfKey is the only block that may hold key, −1 for none below the first.
func (f *File) blockOfKey(key []byte) int {
	b, ok := slices.BinarySearchFunc(f.foot.firsts, key, bytes.Compare)
	if !ok {
		b--
	}
	return b
}

// Find looks for a key.
func (f *File) Find(ctx context.Context, key []byte) (row int, ok bool, err error) {
	b := f.blockOfKey(key)
	if b < 0 || bytes.Compare(key, f.foot.last) > 0 {
		return 0, false, nil
	}
	if _, cached := cachedValue[*keyBlock](f, len(f.foot.columns), b); !cached {
		fl, err := f.bloom()
		if err != nil {
			return 0, false, err
		}
		if !fl.may(hashKey(key)) {
			return 0, false, nil
		}
	}
	k, err := f.keyBlock(ctx, b)
	if err != nil {
		return 0, false, err
	}
	i, ok := k.seek(key)
	return f.foot.starts[b] + i, ok, nil
}

// SeekRow is the first row whose key is at least key; Rows() when there is none.
func (f *File) SeekRow(ctx context.Context, key []byte) (row int, err error) {
	b := f.blockOfKey(key)
	if b < 0 {
		return 0, nil
	}
	if bytes.Compare(key, f.foot.last) > 0 {
		return f.foot.rows, nil
	}
	k, err := f.keyBlock(ctx, b)
	if err != nil {
		return 0, err
	}
	i, _ := k.seek(key)
	return f.foot.starts[b] + i, nil
}

// Locate is SeekRow, and whether the row's key is key.
func (f *File) Locate(ctx context.Context, key []byte) (row int, exact bool, err error) {
	b := f.blockOfKey(key)
	if b < 0 {
		return 0, false, nil
	}
	if bytes.Compare(key, f.foot.last) > 0 {
		return f.foot.rows, false, nil
	}
	k, err := f.keyBlock(ctx, b)
	if err != nil {
		return 0, false, err
	}
	i, exact := k.seek(key)
	return f.foot.starts[b] + i, exact, nil
}

// AppendKey appends the key of a row.
func (f *File) AppendKey(ctx context.Context, dst []byte, row int) ([]byte, error) {
	b := f.BlockOf(row)
	k, err := f.keyBlock(ctx, b)
	if err != nil {
		return dst, err
	}
	return k.appendKey(dst, row-f.foot.starts[b]), nil
}

// Keys gives all keys of a block.
func (f *File) Keys(ctx context.Context, block int) (Keys, error) {
	k, err := f.keyBlock(ctx, block)
	if err != nil {
		return Keys{}, err
	}
	return k.all(), nil
}

// Sketch is a column's distinct values, to be merged with those of other files.
func (f *File) Sketch(col int) (*Sketch, error) {
	where := func() string { return "the sketches" }
	b, err := f.load(f.foot.sketches, where)
	if err != nil {
		return nil, err
	}
	for i := 0; ; i++ {
		s, rest, ok := cutBytes(b)
		if !ok {
			return nil, f.wrap(malformed("sketch %d", i), where())
		}
		if i == col {
			k, err := parseSketch(s)
			return k, f.wrap(err, where())
		}
		b = rest
	}
}

// Verify reads everything that is in the file past the cache.
func (f *File) Verify(ctx context.Context) error {
	g := &File{path: f.path, f: f.f, size: f.size, even: f.even, byAtt: f.byAtt}
	if err := g.readFooter(); err != nil {
		return err
	}
	n := len(g.foot.keys)
	g.slots = make([]slot, (len(g.foot.columns)+1)*(n+1))
	var last []byte
	for b := range n {
		keys, err := g.Keys(ctx, b)
		if err != nil {
			return err
		}
		for i := range keys.Len() {
			if k := keys.At(i); (b > 0 || i > 0) && bytes.Compare(k, last) <= 0 {
				return damaged(f.path, "key %d of block %d is out of order", i, b)
			} else {
				last = k
			}
		}
		if !bytes.Equal(keys.At(0), g.foot.firsts[b]) {
			return damaged(f.path, "the first key of block %d is another than the footer's", b)
		}
	}
	if !bytes.Equal(last, g.foot.last) {
		return damaged(f.path, "the last key is another than the footer's")
	}
	if _, err := g.bloom(); err != nil {
		return err
	}
	for c := range g.foot.columns {
		for b := range n {
			a, err := g.Read(ctx, b, c)
			if err != nil {
				return err
			}
			if z := g.Zone(c, b); a.NullN() != z.Nulls {
				return damaged(f.path, "%s has %d NULLs, its zone says %d", g.name(c, b), a.NullN(), z.Nulls)
			}
		}
		if g.foot.columns[c].sharedKind != sharedNone {
			if _, _, err := g.shared(c); err != nil {
				return err
			}
		}
		if _, err := g.Sketch(c); err != nil {
			return err
		}
	}
	if len(g.foot.columns) == 0 {
		_, err := g.load(g.foot.sketches, func() string { return "the sketches" })
		return err
	}
	return nil
}
