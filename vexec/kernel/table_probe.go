package kernel

import "slices"

// probeRows rows are looked up together, so that what one of them loads from memory does
// not wait for the others: first all their slots, then all the keys that these name. Rows
// that met another key go on to the next slot in the same way. (Group prefetching: Chen,
// Ailamaki, Gibbons and Mowry, Improving Hash Join Performance through Prefetching, 2004.)
const probeRows = 256

// findWords gives each row of keys of words the number of its key, −1 when absent.
// REQUIRES: no NULL among the rows of a narrow table, or their numbers do not matter.
func (t *Table) findWords(hash, key []uint64, numbers []int32) {
	w := max(t.words, 1)
	if t.count == 0 {
		for i := range numbers {
			numbers[i] = -1
		}
		return
	}
	marked := false
	for lo := 0; lo < len(hash); lo += probeRows {
		hi := min(lo+probeRows, len(hash))
		switch n := numbers[lo:hi]; {
		case marked:
			marked = t.findMarked(hash[lo:hi], key[lo*w:hi*w], n)
			continue
		case w == 1:
			t.findTogether(hash[lo:hi], key[lo:hi], n)
		default:
			t.findWide(hash[lo:hi], key[lo*w:hi*w], n)
		}
		if t.marks != nil {
			absent := 0
			for _, at := range numbers[lo:hi] {
				absent += b2i(at < 0)
			}
			marked = absent > (hi-lo)/2
		}
	}
}

// marksMin is from how many slots on a table has marks: fewer are in the caches themselves.
const marksMin = 32 << 10

// markOf is the bit of a hash among the marks of its first slot. (Lang, Neumann, Kemper and Boncz, Performance-Optimal
// Filtering, 2019: a filter that is one memory access for a key, and what it costs against what it spares.)
func markOf(hash uint64) uint8 { return 1 << (hash >> 61) }

// findMarked looks up what the marks do not rule out; false when they rule out too little to be worth it.
func (t *Table) findMarked(hash, key []uint64, numbers []int32) bool {
	var first [probeRows]slot
	var open [probeRows]int32
	marks, mask := t.marks, t.mask
	numbers = numbers[:len(hash)]
	left := 0
	for i, h := range hash {
		numbers[i] = -1
		open[left&(probeRows-1)] = int32(i)
		left += int(marks[h&mask] >> (h >> 61) & 1)
	}
	t.findOpen(hash, key, numbers, &first, open[:left], 0)
	return left <= len(hash)/2
}

func (t *Table) findTogether(hash, key []uint64, numbers []int32) {
	var first [probeRows]slot
	var open [probeRows]int32 // rows that met another key
	slots, mask, u64 := t.slots, t.mask, t.u64
	n := len(hash)
	key, numbers = key[:n], numbers[:n]
	again, some := 0, hash[:min(n, runSample)]
	for i := 1; i < len(some); i++ {
		again += b2i(some[i] == some[i-1])
	}
	if again > len(some)/2 {
		t.findWide(hash, key, numbers)
		return
	}
	for i, h := range hash {
		first[i] = slots[h&mask]
	}
	left := 0
	for i, s := range first[:n] {
		at := int32(s.number) - 1
		numbers[i] = at
		if at >= 0 && (s.tag != uint32(hash[i]>>32) || u64[at] != key[i]) {
			open[left] = int32(i)
			left++
		}
	}
	t.findOpen(hash, key, numbers, &first, open[:left], 1)
}

// runSample is of how many rows it is judged whether they come in runs.
const runSample = 32

// repeated stands for the number of the row before.
const repeated = -2

// findWide is findTogether for keys of several words, and for those that come in runs, as the
// key of one side of a join does in the order of the other's: a row whose key is that of the
// row before is not looked up.
func (t *Table) findWide(hash, key []uint64, numbers []int32) {
	var first [probeRows]slot
	var open [probeRows]int32
	w := max(t.words, 1)
	left := 1 // row 0
	for i := 1; i < len(hash); i++ {
		if hash[i] == hash[i-1] && slices.Equal(key[i*w:(i+1)*w], key[(i-1)*w:i*w]) {
			numbers[i] = repeated
			continue
		}
		open[left] = int32(i)
		left++
	}
	t.findOpen(hash, key, numbers, &first, open[:left], 0)
	if left == len(hash) {
		return
	}
	for i, k := range numbers {
		if k == repeated {
			numbers[i] = numbers[i-1]
		}
	}
}

// findOpen looks the rows open up from the d-th slot after their first on. first is scratch.
func (t *Table) findOpen(hash, key []uint64, numbers []int32, first *[probeRows]slot, open []int32, d uint64) {
	slots, mask, u64, w := t.slots, t.mask, t.u64, max(t.words, 1)
	for ; len(open) > 0; d++ {
		for k, i := range open {
			first[k] = slots[(hash[i]+d)&mask]
		}
		left := 0
		for k, i := range open {
			s := first[k]
			at := int(s.number) - 1
			numbers[i] = int32(at)
			if at >= 0 && (s.tag != uint32(hash[i]>>32) || !slices.Equal(u64[at*w:(at+1)*w], key[int(i)*w:int(i+1)*w])) {
				open[left] = i
				left++
			}
		}
		open = open[:left]
	}
}
