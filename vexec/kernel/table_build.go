package kernel

import (
	"bytes"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
)

// TableBuild makes the Table of all rows of a join's right side, which several goroutines may do together.
// The number of a key is the row that brought it first, so that numbers need no agreement: each region of
// the slots is filled by one goroutine, with the rows whose first slot lies in it, in their order. Rows that
// find no free slot up to the end of their region are left to the last step, which one goroutine does.
//
// The steps, each complete before the next begins: Encode for pieces that cover all rows, Place for the
// same pieces, Fill for each region, Finish.
type TableBuild struct {
	spec  *KeySpec
	t     *Table
	hash  []uint64
	shift int       // of a slot's position to its region
	over  [][]int32 // by region: rows that found no slot
	fresh []int     // by region: keys
}

// NewTableBuild begins a table of n rows, filled in so many regions (a power of two, far fewer than rows).
func NewTableBuild(spec *KeySpec, n, regions int) *TableBuild {
	b := &TableBuild{spec: spec, t: NewTable(spec, n), hash: make([]uint64, n), over: make([][]int32, regions), fresh: make([]int, regions)}
	b.t.hash = nil
	if len(b.t.slots) >= marksMin && (b.t.narrow || b.t.words > 0) {
		b.t.marks = make([]uint8, len(b.t.slots))
	}
	if b.t.narrow || b.t.words > 0 {
		b.t.u64 = slices.Grow(b.t.u64, n*max(b.t.words, 1))[:n*max(b.t.words, 1)]
	} else {
		b.t.off = make([]uint64, n+1)
	}
	for 1<<(b.shift+1) <= len(b.t.slots)/regions {
		b.shift++
	}
	return b
}

// Encode takes n rows of keys from row lo on. k belongs to these rows until they are placed.
func (b *TableBuild) Encode(env *types.Env, k *Keys, lo int, cols []arrow.Array, n int) {
	if n == 0 {
		return
	}
	hi := lo + n
	k.Hash = b.hash[lo:lo:hi]
	if w := max(b.t.words, 1); b.t.u64 != nil {
		k.U64 = b.t.u64[lo*w : lo*w : hi*w]
	}
	b.spec.Encode(env, k, cols, n)
	if b.t.u64 == nil {
		for i := range n {
			b.t.off[lo+i+1] = uint64(k.off[i+1] - k.off[i])
		}
	}
}

// Reserve makes room for the bytes of all rows, between Encode and Place.
func (b *TableBuild) Reserve() {
	if b.t.u64 != nil {
		return
	}
	total := uint64(0)
	for i, n := range b.t.off {
		total += n
		b.t.off[i] = total
	}
	b.t.data = make([]byte, total)
}

// Place puts the bytes of the rows from lo on, encoded in k, where they belong, and lets go of k.
func (b *TableBuild) Place(k *Keys, lo int) {
	if b.t.u64 == nil && k.N > 0 {
		copy(b.t.data[b.t.off[lo]:], k.data[:k.off[k.N]])
	}
	*k = Keys{}
}

// Regions is how many times Fill is to be called.
func (b *TableBuild) Regions() int { return len(b.over) }

// Fill numbers the rows that belong to region r, but for those whose number is negative.
func (b *TableBuild) Fill(r int, numbers []int32) {
	t := b.t
	mask, end := t.mask, uint64(r+1)<<b.shift
	var rows [probeRows]int32
	var first [probeRows]slot // loading them together waits for memory once
	fresh := 0
	var over []int32
	for lo, n := 0, len(b.hash); lo < n; {
		m := 0
		for ; lo < n && m < probeRows; lo++ {
			rows[m] = int32(lo)
			m += b2i(int(b.hash[lo]&mask>>b.shift) == r)
		}
		for k, i := range rows[:m] {
			first[k] = t.slots[b.hash[i]&mask]
		}
		for k, i := range rows[:m] {
			if numbers[i] < 0 {
				continue
			}
			h := b.hash[i]
			p, tag := h&mask, uint32(h>>32)
			if t.marks != nil {
				t.marks[p] |= markOf(h)
			}
			if s := first[k]; s.number != 0 && (s.tag != tag || !b.equal(int(s.number-1), int(i))) {
				p++ // is taken, by another key
			}
			for ; p < end; p++ {
				s := t.slots[p]
				if s.number == 0 {
					t.slots[p] = slot{tag, uint32(i + 1)}
					numbers[i] = i
					fresh++
					break
				}
				if s.tag == tag && b.equal(int(s.number-1), int(i)) {
					numbers[i] = int32(s.number - 1)
					break
				}
			}
			if p >= end {
				over = append(over, i)
			}
		}
	}
	b.fresh[r], b.over[r] = fresh, over
}

// Finish numbers what is left over. The table takes no more keys; distinct is how many it has.
func (b *TableBuild) Finish(numbers []int32) (t *Table, distinct int) {
	t = b.t
	for r, over := range b.over {
		distinct += b.fresh[r]
		for _, i := range over {
			h := b.hash[i]
			tag := uint32(h >> 32)
			for p := h & t.mask; ; p = (p + 1) & t.mask {
				s := t.slots[p]
				if s.number == 0 {
					t.slots[p] = slot{tag, uint32(i + 1)}
					numbers[i] = i
					distinct++
					break
				}
				if s.tag == tag && b.equal(int(s.number-1), int(i)) {
					numbers[i] = int32(s.number - 1)
					break
				}
			}
		}
	}
	t.count = len(b.hash)
	return t, distinct
}

// equal compares the keys of two rows.
func (b *TableBuild) equal(i, j int) bool {
	t := b.t
	if t.u64 == nil {
		return bytes.Equal(t.data[t.off[i]:t.off[i+1]], t.data[t.off[j]:t.off[j+1]])
	}
	switch w := max(t.words, 1); w {
	case 1:
		return t.u64[i] == t.u64[j]
	default:
		return slices.Equal(t.u64[i*w:(i+1)*w], t.u64[j*w:(j+1)*w])
	}
}
