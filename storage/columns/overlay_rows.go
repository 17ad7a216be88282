package columns

import (
	"sync"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// chunkStore are stored rows of the versions of a chunk: a version that is patched adds the rows that
// are new. Columns are decoded as they are asked for, and each row once.
type chunkStore struct {
	store *Store

	mu   sync.Mutex
	rows []byte
	ends []uint32
	cols map[chunkColumn]chunkVector
	// mem has users: the chunks of the overlay that have the rows.
	mem overlayMemory
}

// chunkVector is a column of the first rows.
type chunkVector struct {
	col rowcodec.Column
	arr arrow.Array
}

type chunkColumn struct {
	attnum int
	typ    string
}

// append adds a row. REQUIRES: nobody else has r, or mu held.
func (r *chunkStore) append(row []byte) {
	r.rows = append(r.rows, row...)
	r.ends = append(r.ends, uint32(len(r.rows)))
}

// row is row i; shared. REQUIRES: as append.
func (r *chunkStore) row(i int) []byte {
	from := uint32(0)
	if i > 0 {
		from = r.ends[i-1]
	}
	return r.rows[from:r.ends[i]:r.ends[i]]
}

// add adds rows, and gives the number of the first of them.
func (r *chunkStore) add(rows *chunkStore) (first int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first = len(r.ends)
	before := r.stored()
	base := uint32(len(r.rows))
	r.rows = append(r.rows, rows.rows...)
	for _, e := range rows.ends {
		r.ends = append(r.ends, base+e)
	}
	r.mem.add(r.store, r.stored()-before)
	return first
}

// stored is the memory of the rows without the columns. REQUIRES: as append.
func (r *chunkStore) stored() int64 { return int64(cap(r.rows) + 4*cap(r.ends)) }

// chunkCodedShare: strings of a chunk are dictionary-coded when this many rows or more share a value, on average,
// as they are in segments: what filters and groups by codes there goes on doing so.
const chunkCodedShare = 8

// columns gives columns of the first n rows; strings may be dictionary-coded.
func (r *chunkStore) columns(cols []rowcodec.Column, n int) ([]arrow.Array, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.columnsLocked(cols, n)
}

func (r *chunkStore) columnsLocked(cols []rowcodec.Column, n int) ([]arrow.Array, error) {
	out := make([]arrow.Array, len(cols))
	ids := make([]chunkColumn, len(cols))
	have := make([]int, len(cols)) // rows that are decoded
	for i := range cols {
		ids[i] = columnID(&cols[i])
		if v, ok := r.cols[ids[i]]; ok {
			out[i], have[i] = v.arr, v.arr.Len()
		}
	}
	for i := range cols {
		if out[i] != nil && have[i] >= n {
			continue
		}
		// Columns that lack the same rows are decoded together.
		from := have[i]
		var at []int
		var decode []rowcodec.Column
		for k := i; k < len(cols); k++ {
			if have[k] == from && (out[k] == nil || from < n) {
				at, decode = append(at, k), append(decode, cols[k])
			}
		}
		made, err := r.decode(decode, from)
		if err != nil {
			return nil, err
		}
		for k, c := range at {
			size := -vectorBytes(out[c])
			if out[c] == nil {
				made[k] = kernel.Code(made[k], len(r.ends)/chunkCodedShare)
			} else {
				made[k] = kernel.Append(cols[c].T, out[c], made[k], len(r.ends)/chunkCodedShare)
			}
			out[c], have[c] = made[k], len(r.ends)
			r.put(ids[c], chunkVector{cols[c], made[k]}, size+vectorBytes(made[k]))
		}
	}
	for i := range out {
		if out[i].Len() > n {
			out[i] = kernel.Slice(out[i], 0, n)
		}
	}
	return out, nil
}

// put keeps a column that needs size bytes more than what was there, if there is room.
func (r *chunkStore) put(id chunkColumn, v chunkVector, size int64) {
	if !r.mem.grow(r.store, size) {
		return
	}
	if r.cols == nil {
		r.cols = map[chunkColumn]chunkVector{}
	}
	r.cols[id] = v
}

// decode decodes columns of the rows from row from on.
func (r *chunkStore) decode(cols []rowcodec.Column, from int) ([]arrow.Array, error) {
	n := len(r.ends) - from
	dec := rowcodec.NewDecoder(cols, max(n, 1))
	dec.Reserve(n)
	for i := from; i < len(r.ends); i++ {
		if err := dec.Append(r.row(i)); err != nil {
			return nil, err
		}
	}
	return dec.Finish(), nil
}

// compact gives rows alone, with the columns that have been decoded.
func (r *chunkStore) compact(rows []int32) (*chunkStore, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	to := &chunkStore{store: r.store, ends: make([]uint32, 0, len(rows))}
	size := 0
	for _, i := range rows {
		size += len(r.row(int(i)))
	}
	to.rows = make([]byte, 0, size)
	for _, i := range rows {
		to.append(r.row(int(i)))
	}
	to.mem.add(to.store, to.stored())
	var ids []chunkColumn
	var cols []rowcodec.Column
	for id, v := range r.cols {
		ids, cols = append(ids, id), append(cols, v.col)
	}
	all, err := r.columnsLocked(cols, len(r.ends))
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		v := kernel.Take(all[i], rows)
		to.put(id, chunkVector{cols[i], v}, vectorBytes(v))
	}
	return to, nil
}

// Columns gives columns of all the chunk's rows.
func (c *Chunk) Columns(cols []rowcodec.Column) ([]arrow.Array, error) {
	if c.pick == nil {
		return c.rows.columns(cols, c.stored)
	}
	out := make([]arrow.Array, len(cols))
	ids := make([]chunkColumn, len(cols))
	c.mu.Lock()
	defer c.mu.Unlock()
	var missing []int
	var from []rowcodec.Column
	for i := range cols {
		ids[i] = columnID(&cols[i])
		if out[i] = c.cols[ids[i]]; out[i] == nil {
			missing, from = append(missing, i), append(from, cols[i])
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	made, err := c.rows.columns(from, c.stored)
	if err != nil {
		return nil, err
	}
	size := int64(0)
	for k, i := range missing {
		out[i] = kernel.Take(made[k], c.pick)
		size += vectorBytes(out[i])
	}
	if c.mem.grow(c.store, size) {
		if c.cols == nil {
			c.cols = map[chunkColumn]arrow.Array{}
		}
		for _, i := range missing {
			c.cols[ids[i]] = out[i]
		}
	}
	return out, nil
}

// columnID names what a column decodes to.
func columnID(c *rowcodec.Column) chunkColumn {
	id := make([]byte, 0, 24)
	for _, x := range [...]uint32{uint32(c.T.OID), uint32(c.T.Mod), uint32(c.T.Class), uint32(c.T.Elem), uint32(c.T.ElemClass)} {
		id = append(id, byte(x), byte(x>>8), byte(x>>16), byte(x>>24))
	}
	if c.HasMissing && c.Missing != nil {
		id = rowcodec.AppendValue(id, c.Missing)
	}
	return chunkColumn{c.Attnum, string(id)}
}

func vectorBytes(a arrow.Array) int64 {
	if a == nil {
		return 0
	}
	n := dataBytes(a.Data())
	if d := kernel.DictionaryID(a); d != nil {
		n += dataBytes(d)
	}
	return n
}

func dataBytes(d arrow.ArrayData) (n int64) {
	for _, b := range d.Buffers() {
		if b != nil {
			n += int64(b.Len())
		}
	}
	return n
}
