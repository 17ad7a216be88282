package kernel

import (
	"math/bits"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
)

// GroupBits holds a set of integers for each of many groups, as bitmaps: for values that lie close together,
// as surrogate keys do, these are a small part of a hash table of groups and values, and stay in the processor's
// caches where that does not. A set is cut into chunks of chunkBits neighbouring values, which exist where it
// has one.
type GroupBits struct {
	sets  []groupBitSet
	words []uint64 // chunk k is words[k*chunkWords:][:chunkWords]
	dirs  int      // entries of all directories
	count int
	nulls []bool // by group: NULL is in the set
	free  int64
}

// NewGroupBits makes empty sets that may take free bytes, or groupBitsFree if that is less, before they must be dense.
func NewGroupBits(free int64) *GroupBits { return &GroupBits{free: min(free, groupBitsFree)} }

// groupBitSet is one group's directory: chunk at[i]−1 has the values from (first+i)*chunkBits on; 0: none.
type groupBitSet struct {
	first int64
	at    []int32
}

const (
	chunkWords = 16
	chunkShift = 10
	chunkBits  = 1 << chunkShift
	// groupBitsFree is what the bitmaps may take before they must be dense: groupBitsEach bytes per value.
	groupBitsFree = 4 << 20
	groupBitsEach = 24
	// groupBitsSpan bounds the directory of one set, in entries.
	groupBitsSpan = 1 << 20
)

// BitsCover: vectors of a are integers that GroupBits takes.
func BitsCover(dt arrow.DataType) bool {
	switch dt.ID() {
	case arrow.INT16, arrow.INT32, arrow.DATE32, arrow.INT64:
		return true
	}
	return false
}

// Len is how many pairs of a group and a value there are.
func (s *GroupBits) Len() int { return s.count }

// Size is the memory in bytes.
func (s *GroupBits) Size() int64 {
	return int64(cap(s.words))*8 + int64(s.dirs)*4 + int64(cap(s.sets))*32 + int64(cap(s.nulls))
}

// Sparse: the values lie so far apart that bitmaps waste memory.
func (s *GroupBits) Sparse() bool {
	n := s.Size()
	return n > s.free && n > groupBitsEach*int64(s.count)
}

// Add puts the values of a into the sets of their groups and appends to fresh the rows that were not there. It
// stops at the first row it cannot take without wasting memory; done is how many rows went in.
func (s *GroupBits) Add(groups []int32, a arrow.Array, fresh []int32) (rows []int32, done int) {
	valid := Valid(a)
	switch a.DataType().ID() {
	case arrow.INT16:
		return addBits(s, groups, Values[int16](a), valid, fresh)
	case arrow.INT64:
		return addBits(s, groups, Values[int64](a), valid, fresh)
	}
	return addBits(s, groups, Values[int32](a), valid, fresh)
}

func addBits[T int16 | int32 | int64](s *GroupBits, groups []int32, x []T, valid Bits, fresh []int32) ([]int32, int) {
	for i, g := range groups {
		if int(g) >= len(s.sets) {
			s.sets = slices.Grow(s.sets, int(g)+1-len(s.sets))[:g+1]
		}
		if !valid.Get(i) {
			if int(g) >= len(s.nulls) {
				s.nulls = slices.Grow(s.nulls, len(s.sets)-len(s.nulls))[:len(s.sets)]
			}
			if !s.nulls[g] {
				s.nulls[g] = true
				s.count++
				fresh = append(fresh, int32(i))
			}
			continue
		}
		v := int64(x[i])
		set := &s.sets[g]
		c := v>>chunkShift - set.first
		if uint64(c) >= uint64(len(set.at)) {
			if !s.reach(set, v>>chunkShift) {
				return fresh, i
			}
			c = v>>chunkShift - set.first
		}
		k := set.at[c]
		if k == 0 {
			if s.Sparse() {
				return fresh, i
			}
			s.words = extended(s.words, chunkWords)
			k = int32(len(s.words) / chunkWords)
			set.at[c] = k
		}
		w := &s.words[int(k-1)*chunkWords+int(v>>6&(chunkWords-1))]
		if bit := uint64(1) << (v & 63); *w&bit == 0 {
			*w |= bit
			s.count++
			fresh = append(fresh, int32(i))
		}
	}
	return fresh, len(groups)
}

// extended is x with n zeros more; its room doubles.
func extended(x []uint64, n int) []uint64 {
	if len(x)+n > cap(x) {
		out := make([]uint64, len(x), max(2*cap(x), 64*n))
		copy(out, x)
		x = out
	}
	return x[:len(x)+n]
}

// reach makes set's directory have an entry for chunk c; false: it would be too long.
func (s *GroupBits) reach(set *groupBitSet, c int64) bool {
	if len(set.at) == 0 {
		set.first, set.at = c, make([]int32, 1, 4)
		s.dirs += cap(set.at)
		return true
	}
	lo, hi := min(set.first, c), max(set.first+int64(len(set.at))-1, c)
	n := uint64(hi) - uint64(lo) + 1
	if n-1 >= groupBitsSpan || int64(n)*4 > s.free+groupBitsEach*int64(s.count)-4*int64(s.dirs) {
		return false
	}
	if lo == set.first && int(n) <= cap(set.at) {
		set.at = set.at[:n]
		return true
	}
	room := int(min(n+n/2, groupBitsSpan))
	at := make([]int32, n, room)
	copy(at[set.first-lo:], set.at)
	s.dirs += room - cap(set.at)
	set.first, set.at = lo, at
	return true
}

// Find sets has[i] where the value of row i is in its group's set.
func (s *GroupBits) Find(groups []int32, a arrow.Array, has []bool) {
	valid := Valid(a)
	switch a.DataType().ID() {
	case arrow.INT16:
		findBits(s, groups, Values[int16](a), valid, has)
	case arrow.INT64:
		findBits(s, groups, Values[int64](a), valid, has)
	default:
		findBits(s, groups, Values[int32](a), valid, has)
	}
}

func findBits[T int16 | int32 | int64](s *GroupBits, groups []int32, x []T, valid Bits, has []bool) {
	for i, g := range groups {
		has[i] = false
		if !valid.Get(i) {
			has[i] = int(g) < len(s.nulls) && s.nulls[g]
			continue
		}
		if int(g) >= len(s.sets) {
			continue
		}
		v, set := int64(x[i]), &s.sets[g]
		c := v>>chunkShift - set.first
		if uint64(c) >= uint64(len(set.at)) || set.at[c] == 0 {
			continue
		}
		has[i] = s.words[int(set.at[c]-1)*chunkWords+int(v>>6&(chunkWords-1))]&(1<<(v&63)) != 0
	}
}

// Each gives all pairs to do, at most size at a time, the values as a vector of type t. What do gets is good until
// it returns. REQUIRES: size ≥ chunkBits.
func (s *GroupBits) Each(t types.T, size int, do func(groups []int32, values arrow.Array) error) error {
	switch types.ArrowType(t).ID() {
	case arrow.INT16:
		return eachBits[int16](s, t, size, do)
	case arrow.INT64:
		return eachBits[int64](s, t, size, do)
	}
	return eachBits[int32](s, t, size, do)
}

func eachBits[T int16 | int32 | int64](s *GroupBits, t types.T, size int, do func([]int32, arrow.Array) error) error {
	groups, values := make([]int32, 0, size), make([]T, 0, size)
	flush := func() error {
		if len(groups) == 0 {
			return nil
		}
		err := do(groups, MakeFixed(types.ArrowType(t), values, nil, 0))
		groups, values = groups[:0], values[:0]
		return err
	}
	for g := range s.sets {
		set := &s.sets[g]
		for c, k := range set.at {
			if k == 0 {
				continue
			}
			if len(groups)+chunkBits > size {
				if err := flush(); err != nil {
					return err
				}
			}
			for i, w := range s.words[int(k-1)*chunkWords:][:chunkWords] {
				for ; w != 0; w &= w - 1 {
					groups = append(groups, int32(g))
					values = append(values, T((set.first+int64(c))<<chunkShift+int64(i<<6+bits.TrailingZeros64(w))))
				}
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	for g, null := range s.nulls {
		if null {
			groups = append(groups, int32(g))
		}
	}
	for lo := 0; lo < len(groups); lo += size {
		part := groups[lo:min(lo+size, len(groups))]
		if err := do(part, Nulls(t, len(part))); err != nil {
			return err
		}
	}
	return nil
}
