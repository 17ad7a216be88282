package segment

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/zeebo/xxh3"
)

// Bounds of a chunk's dictionary.
const (
	dictEntriesMax = 1 << 16
	dictBytesMax   = 1 << 20
)

// dictBuilder numbers distinct values in the order they come.
type dictBuilder struct {
	data    []byte
	offs    []uint32
	hash    []uint32 // of each entry
	control uint8    // whether there is a byte below a blank: 0 not looked yet, 1 no, 2 yes
	table   []uint32 // entry + 1 by hash; a power of two, at most half full
}

func newDictBuilder() *dictBuilder {
	return &dictBuilder{offs: []uint32{0}, table: make([]uint32, 256)}
}

func (d *dictBuilder) len() int { return len(d.offs) - 1 }

func (d *dictBuilder) at(i int) []byte { return d.data[d.offs[i]:d.offs[i+1]] }

// add gives v's number.
func (d *dictBuilder) add(v []byte) int {
	h := uint32(xxh3.Hash(v))
	mask := uint32(len(d.table) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		x := d.table[at]
		if x == 0 {
			d.table[at] = uint32(len(d.offs))
			break
		}
		if d.hash[x-1] == h && bytes.Equal(d.at(int(x-1)), v) {
			return int(x - 1)
		}
	}
	d.data = append(d.data, v...)
	d.offs = append(d.offs, uint32(len(d.data)))
	d.hash = append(d.hash, h)
	if n := d.len(); 2*n > len(d.table) {
		d.table = make([]uint32, 2*len(d.table))
		mask := uint32(len(d.table) - 1)
		for i, h := range d.hash {
			at := h & mask
			for d.table[at] != 0 {
				at = (at + 1) & mask
			}
			d.table[at] = uint32(i + 1)
		}
	}
	return d.len() - 1
}

// pays reports whether the dictionary may still be worth it after these blocks.
func (d *dictBuilder) pays(blocks []pendingBlock) bool {
	rows := 0
	for i := range blocks {
		rows += blocks[i].n - len(blocks[i].nullAt)
	}
	n := d.len()
	if n > dictEntriesMax || len(d.data) > dictBytesMax {
		return false
	}
	// The first blocks of what has some thousand distinct values look as if all were.
	return rows < BlockRowsMax || n <= rows/2
}

// worth reports whether a chunk of so many values is smaller with the dictionary.
func (d *dictBuilder) worth(rows int, rawBytes int64) bool {
	n := d.len()
	if n == 0 || n > dictEntriesMax || len(d.data) > dictBytesMax {
		return false
	}
	coded := int64(len(d.data)) + int64(2*n) + int64(rows)*int64(bitLen(uint64(n-1)))/8
	return n <= rows/2 && 2*coded < rawBytes || n == 1
}

// sorted gives the entries ascending, and each entry's place among them.
func (d *dictBuilder) sorted() (rank []uint32, offs []int32, data []byte) {
	order := make([]int, d.len())
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(bytes.Compare(d.at(a), d.at(b)), cmp.Compare(a, b)) })
	rank = make([]uint32, len(order))
	offs = append(make([]int32, 0, len(order)+1), 0)
	data = make([]byte, 0, len(d.data))
	for to, from := range order {
		rank[from] = uint32(to)
		data = append(data, d.at(from)...)
		offs = append(offs, int32(len(data)))
	}
	return rank, offs, data
}

// controls reports whether an entry has a byte below a blank: then entries without
// their trailing blanks may be in another order.
func (d *dictBuilder) controls() bool {
	if d.control == 0 {
		d.control = 1
		if slices.ContainsFunc(d.data, func(b byte) bool { return b < ' ' }) {
			d.control = 2
		}
	}
	return d.control == 2
}

// trimmedBounds are the least and the greatest entry without trailing blanks.
func (d *dictBuilder) trimmedBounds() (lo, hi []byte) {
	for i := range d.len() {
		v := bytes.TrimRight(d.at(i), " ")
		if i == 0 || bytes.Compare(v, lo) < 0 {
			lo = v
		}
		if i == 0 || bytes.Compare(v, hi) > 0 {
			hi = v
		}
	}
	return lo, hi
}
