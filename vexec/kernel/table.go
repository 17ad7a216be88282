package kernel

import (
	"bytes"
	"slices"
)

// Table is a hash table from keys to dense numbers 0, 1, 2 … in order of first
// insertion: group numbers of an aggregation, distinct build keys of a join.
// It is open-addressed with linear probing over flat arrays.
type Table struct {
	narrow bool
	words  int // of a packed key; 0: not packed
	slots  []slot
	mask   uint64
	count  int
	// keys by number
	u64   []uint64
	hash  []uint64 // not of keys of one word, whose hash is soon computed
	off   []uint64
	data  []byte
	nullN int32 // number of the NULL key of a narrow table, −1 when none
	// marks has, for every slot, a bit for each key whose first slot it is, by the key's hash (see markOf): most absent keys
	// are told by a byte. Only a TableBuild makes it.
	marks []uint8
}

type slot struct {
	tag    uint32 // upper half of the hash
	number uint32 // number + 1; 0: empty
}

// reserveKeys: so many keys and more get their room at once when they are foreseen.
const reserveKeys = 1 << 10

// reserveMin: what is short may be reserved at more than twice its length.
const reserveMin = 64 << 10

// NewTable makes a table for keys of spec.
func NewTable(spec *KeySpec, hint int) *Table {
	size := 64
	for size < hint*3/2 {
		size *= 2
	}
	t := &Table{narrow: spec.narrow, words: spec.words, slots: make([]slot, size), mask: uint64(size - 1), off: make([]uint64, 1), nullN: -1}
	if hint >= reserveKeys && (t.narrow || t.words > 0) {
		t.u64 = make([]uint64, 0, hint*max(t.words, 1))
		if !t.oneWord() {
			t.hash = make([]uint64, 0, hint)
		}
	}
	return t
}

// Reset makes the table empty; its memory is used again.
func (t *Table) Reset() {
	clear(t.slots)
	t.u64, t.hash, t.off, t.data = t.u64[:0], t.hash[:0], t.off[:1], t.data[:0]
	t.count, t.nullN = 0, -1
}

// Len is the number of distinct keys.
func (t *Table) Len() int { return t.count }

// Size is the table's memory in bytes.
func (t *Table) Size() int64 {
	return int64(len(t.slots))*8 + int64(cap(t.u64)+cap(t.hash)+cap(t.off))*8 + int64(cap(t.data)) + int64(len(t.marks))
}

// Hash is the hash of key number i.
func (t *Table) Hash(i int) uint64 {
	switch {
	case !t.oneWord():
		return t.hash[i]
	case int32(i) == t.nullN:
		return nullHash
	}
	return HashU64(t.u64[i])
}

// oneWord: keys are one word.
func (t *Table) oneWord() bool { return t.narrow || t.words == 1 }

// Insert gives each row of k the number of its key, new keys included. rows
// where skip is true get −1. Rows that brought a new key are appended to fresh
// (in order: the j-th new one has the j-th new number).
func (t *Table) Insert(k *Keys, skip []bool, numbers []int32, fresh []int32) []int32 {
	one := t.oneWord()
	known := (one || t.words > 0) && t.count > 0
	if known { // most rows bring a key that is there: many cost a wait for memory, or for a branch of the loop below
		t.findWords(k.Hash[:k.N], k.U64, numbers[:k.N])
	}
	for i := range k.N {
		if skip != nil && skip[i] {
			numbers[i] = -1
			continue
		}
		if known && numbers[i] >= 0 && !(t.narrow && k.Null != nil && k.Null[i]) {
			continue
		}
		if i > 0 && k.Hash[i] == k.Hash[i-1] && numbers[i-1] >= 0 && k.Equal(i-1, i) { // sorted rows
			numbers[i] = numbers[i-1]
			continue
		}
		if (t.count+1)*3 > len(t.slots)*2 {
			t.grow()
		}
		if t.narrow && k.Null != nil && k.Null[i] {
			if t.nullN < 0 {
				t.nullN = int32(t.count)
				t.u64 = append(t.u64, 0)
				t.count++
				fresh = append(fresh, int32(i))
			}
			numbers[i] = t.nullN
			continue
		}
		h := k.Hash[i]
		tag := uint32(h >> 32)
		for p := h & t.mask; ; p = (p + 1) & t.mask {
			s := t.slots[p]
			if s.number == 0 {
				t.slots[p] = slot{tag, uint32(t.count + 1)}
				numbers[i] = int32(t.count)
				if one {
					t.u64 = append(t.u64, k.U64[i])
				} else if t.hash = append(t.hash, h); t.words > 0 {
					w := t.words
					t.u64 = append(t.u64, k.U64[i*w:(i+1)*w]...)
				} else {
					t.data = append(t.data, k.Bytes(i)...)
					t.off = append(t.off, uint64(len(t.data)))
				}
				t.count++
				fresh = append(fresh, int32(i))
				break
			}
			if s.tag == tag && t.equal(int(s.number-1), k, i) {
				numbers[i] = int32(s.number - 1)
				break
			}
		}
	}
	return fresh
}

// Find gives each row of k the number of its key, −1 when absent or skipped.
func (t *Table) Find(k *Keys, skip []bool, numbers []int32) {
	if t.narrow || t.words > 0 {
		t.findWords(k.Hash[:k.N], k.U64, numbers[:k.N])
		if t.narrow && k.Null != nil {
			for i, null := range k.Null[:k.N] {
				if null {
					numbers[i] = t.nullN
				}
			}
		}
		if skip != nil {
			for i, s := range skip[:k.N] {
				if s {
					numbers[i] = -1
				}
			}
		}
		return
	}
	for i := range k.N {
		numbers[i] = -1
		if skip != nil && skip[i] {
			continue
		}
		if i > 0 && k.Hash[i] == k.Hash[i-1] && numbers[i-1] >= 0 && k.Equal(i-1, i) {
			numbers[i] = numbers[i-1]
			continue
		}
		h := k.Hash[i]
		tag := uint32(h >> 32)
		for p := h & t.mask; ; p = (p + 1) & t.mask {
			s := t.slots[p]
			if s.number == 0 {
				break
			}
			if s.tag == tag && t.equal(int(s.number-1), k, i) {
				numbers[i] = int32(s.number - 1)
				break
			}
		}
	}
}

func (t *Table) equal(number int, k *Keys, i int) bool {
	switch {
	case t.narrow, t.words == 1:
		return t.u64[number] == k.U64[i]
	case t.words == 2:
		return t.u64[2*number] == k.U64[2*i] && t.u64[2*number+1] == k.U64[2*i+1]
	case t.words > 0:
		w := t.words
		return slices.Equal(t.u64[number*w:(number+1)*w], k.U64[i*w:(i+1)*w])
	}
	return bytes.Equal(t.data[t.off[number]:t.off[number+1]], k.Bytes(i))
}

func (t *Table) grow() {
	size := len(t.slots) * 2
	if len(t.slots) < 1<<16 {
		size *= 2
	}
	t.slots, t.mask = make([]slot, size), uint64(size-1)
	// The keys' room doubles as well: append would copy large ones four times as often.
	room := size/3*2 + 2
	if !t.oneWord() {
		t.hash = slices.Grow(t.hash, max(0, room-len(t.hash)))
	}
	if w := max(t.words, 1); t.narrow || t.words > 0 {
		t.u64 = slices.Grow(t.u64, max(0, room*w-len(t.u64)))
	} else {
		t.off = slices.Grow(t.off, max(0, room+1-len(t.off)))
		if n := len(t.off) - 1; n > 0 { // as long as those so far, on average
			t.data = slices.Grow(t.data, min(len(t.data)/n*(room-n), max(len(t.data), reserveMin)))
		}
	}
	for i := range t.count {
		if int32(i) == t.nullN {
			continue
		}
		h := t.Hash(i)
		p := h & t.mask
		for t.slots[p].number != 0 {
			p = (p + 1) & t.mask
		}
		t.slots[p] = slot{uint32(h >> 32), uint32(i + 1)}
	}
}
