package txn

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/google/btree"

	"github.com/basaltdb/basalt/storage/engine"
)

// Predicate locks are SERIALIZABLE's notes of what was read: they stop nobody.
// Single keys are found through a map, ranges by asking each transaction that has
// some. A transaction's single keys beyond heldKeysMax become ranges, and its ranges
// beyond heldRangesMax are joined with their neighbours: coarser notes find conflicts
// that are none, and miss none.

const (
	heldKeysMax    = 4096
	heldRangesMax  = 256
	writtenKeysMax = 16 << 10
	shownKeysMax   = 32
	// spaceLen is how many bytes of a key say where it belongs: notes on keys that
	// share them may be joined without touching others. storage/table's keys begin
	// with tablet and storage id.
	spaceLen = engine.TabletLen + 8
)

// span is a range of keys, upper exclusive.
type span struct{ lower, upper []byte }

// spans is a list of disjoint ranges, ascending.
type spans []span

// covers reports whether key is in one of the ranges.
func (s spans) covers(key []byte) bool {
	i, found := slices.BinarySearchFunc(s, key, func(x span, k []byte) int { return bytes.Compare(x.lower, k) })
	if found {
		return true
	}
	return i > 0 && bytes.Compare(key, s[i-1].upper) < 0
}

// overlaps reports whether a range has a key in common with [lower, upper).
func (s spans) overlaps(lower, upper []byte) bool {
	i, _ := slices.BinarySearchFunc(s, lower, func(x span, k []byte) int {
		if bytes.Compare(x.upper, k) <= 0 {
			return -1
		}
		return 1
	})
	return i < len(s) && bytes.Compare(s[i].lower, upper) < 0
}

// add adds a range, joined with those it meets.
func (s spans) add(lower, upper []byte) spans {
	from, _ := slices.BinarySearchFunc(s, lower, func(x span, k []byte) int {
		if bytes.Compare(x.upper, k) < 0 {
			return -1
		}
		return 1
	})
	to := from
	n := span{lower, upper}
	for to < len(s) && bytes.Compare(s[to].lower, upper) <= 0 {
		if bytes.Compare(s[to].lower, n.lower) < 0 {
			n.lower = s[to].lower
		}
		if bytes.Compare(s[to].upper, n.upper) > 0 {
			n.upper = s[to].upper
		}
		to++
	}
	if to == from+1 && bytes.Equal(s[from].lower, n.lower) && bytes.Equal(s[from].upper, n.upper) {
		return s
	}
	n.lower, n.upper = bytes.Clone(n.lower), bytes.Clone(n.upper)
	return slices.Replace(s, from, to, n)
}

// space is what of a key says where it belongs.
func space(key []byte) []byte { return key[:min(len(key), spaceLen)] }

// coarsen joins all ranges of one space.
func (s spans) coarsen() spans {
	var out spans
	for _, x := range s {
		if n := len(out); n > 0 && bytes.Equal(space(out[n-1].lower), space(x.lower)) {
			out[n-1].upper = x.upper
			continue
		}
		out = append(out, x)
	}
	return out
}

// heldPredicates are one transaction's.
type heldPredicates struct {
	keys   map[string]struct{}
	ranges spans
}

// predicateLocks are those of all transactions.
type predicateLocks struct {
	keys   map[string][]*sxact
	ranged map[*sxact]struct{}
}

func (p *predicateLocks) init() {
	p.keys, p.ranged = map[string][]*sxact{}, map[*sxact]struct{}{}
}

// add notes a read by x of a range, or of the key lower.
func (p *predicateLocks) add(x *sxact, lower, upper []byte) {
	h := &x.locks
	if upper == nil {
		if h.ranges.covers(lower) {
			return
		}
		if _, ok := h.keys[string(lower)]; ok {
			return
		}
		if h.keys == nil {
			h.keys = map[string]struct{}{}
		}
		k := string(lower)
		h.keys[k] = struct{}{}
		p.keys[k] = append(p.keys[k], x)
		if len(h.keys) <= heldKeysMax {
			return
		}
		p.keysToRanges(x)
	} else {
		h.ranges = h.ranges.add(lower, upper)
	}
	if len(h.ranges) > heldRangesMax {
		h.ranges = h.ranges.coarsen()
	}
	p.ranged[x] = struct{}{}
}

// keysToRanges turns x's single keys into one range for each space.
func (p *predicateLocks) keysToRanges(x *sxact) {
	h := &x.locks
	hulls := map[string]*span{}
	for k := range h.keys {
		b := []byte(k)
		u := hulls[string(space(b))]
		switch {
		case u == nil:
			hulls[string(space(b))] = &span{b, b}
		case bytes.Compare(b, u.lower) < 0:
			u.lower = b
		case bytes.Compare(b, u.upper) > 0:
			u.upper = b
		}
	}
	p.removeKeys(x)
	for _, u := range hulls {
		h.ranges = h.ranges.add(u.lower, append(bytes.Clone(u.upper), 0))
	}
}

func (p *predicateLocks) removeKeys(x *sxact) {
	for k := range x.locks.keys {
		l := p.keys[k]
		if i := slices.Index(l, x); i >= 0 {
			l[i] = l[len(l)-1]
			l[len(l)-1] = nil
			l = l[:len(l)-1]
		}
		if len(l) == 0 {
			delete(p.keys, k)
		} else {
			p.keys[k] = l
		}
	}
	x.locks.keys = nil
}

// remove forgets x's notes.
func (p *predicateLocks) remove(x *sxact) {
	p.removeKeys(x)
	x.locks.ranges = nil
	delete(p.ranged, x)
}

// move gives x's notes to o, as ranges.
func (p *predicateLocks) move(x, o *sxact) {
	p.keysToRanges(x)
	for _, r := range x.locks.ranges {
		o.locks.ranges = o.locks.ranges.add(r.lower, r.upper)
	}
	if len(o.locks.ranges) > heldRangesMax {
		o.locks.ranges = o.locks.ranges.coarsen()
	}
	if len(o.locks.ranges) > 0 {
		p.ranged[o] = struct{}{}
	}
}

// each visits those who have read key. f must not add notes.
func (p *predicateLocks) each(key []byte, f func(r *sxact) error) error {
	for _, r := range p.keys[string(key)] {
		if err := f(r); err != nil {
			return err
		}
	}
	for r := range p.ranged {
		if r.locks.ranges.covers(key) {
			if err := f(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// predicates lists what has been read by transactions that are active or ran beside one that is: one lock
// for all ranges of a storage, and one for each key by itself unless they are more than shownKeysMax there: as many as
// PostgreSQL keeps apart by default.
func (s *serializable) predicates() []LockInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []LockInfo
	list := func(x *sxact) {
		l := LockInfo{Holder: x.id, ProcessID: x.pid, Mode: "SIReadLock", Granted: true}
		ranged := map[uint64]bool{}
		for _, r := range x.locks.ranges {
			if l.Storage = storageOf(r.lower); !ranged[l.Storage] {
				ranged[l.Storage] = true
				out = append(out, l)
			}
		}
		keys := map[uint64]int{}
		for k := range x.locks.keys {
			keys[storageOf([]byte(k))]++
		}
		for id, n := range keys {
			l.Storage, l.Key = id, n <= shownKeysMax
			if !l.Key && !ranged[id] {
				out = append(out, l)
			}
			for ; l.Key && n > 0; n-- {
				out = append(out, l)
			}
		}
	}
	if s.old != nil {
		list(s.old)
	}
	for _, x := range s.finished {
		list(x)
	}
	for x := range s.active {
		if !x.safe() {
			list(x)
		}
	}
	return out
}

// storageOf is the storage id in a key, 0 where it has none.
func storageOf(key []byte) uint64 {
	if len(key) < spaceLen {
		return 0
	}
	return binary.BigEndian.Uint64(key[engine.TabletLen:])
}

// writtenKeys are one transaction's writes: each key once, or the ranges around them.
type writtenKeys struct {
	keys   [][]byte
	ranges spans
}

// writeNote is a key with those who wrote it.
type writeNote struct {
	key []byte
	by  []*sxact
}

// writeNotes are the writes of all transactions.
type writeNotes struct {
	keys   *btree.BTreeG[*writeNote]
	ranged map[*sxact]struct{}
}

func (w *writeNotes) init() {
	w.keys = btree.NewG(32, func(a, b *writeNote) bool { return bytes.Compare(a.key, b.key) < 0 })
	w.ranged = map[*sxact]struct{}{}
}

// add notes that x wrote key.
func (w *writeNotes) add(x *sxact, key []byte) {
	h := &x.writings
	if h.ranges.covers(key) {
		return
	}
	n, ok := w.keys.Get(&writeNote{key: key})
	if ok && slices.Contains(n.by, x) {
		return
	}
	if !ok {
		n = &writeNote{key: bytes.Clone(key)}
		w.keys.ReplaceOrInsert(n)
	}
	n.by = append(n.by, x)
	if h.keys = append(h.keys, n.key); len(h.keys) > writtenKeysMax {
		w.keysToRanges(x)
	}
}

// addRange notes that x wrote keys of a range.
func (w *writeNotes) addRange(x *sxact, lower, upper []byte) {
	x.writings.ranges = x.writings.ranges.add(lower, upper)
	w.ranged[x] = struct{}{}
}

func (w *writeNotes) keysToRanges(x *sxact) {
	h := &x.writings
	slices.SortFunc(h.keys, bytes.Compare)
	var hulls spans
	for _, k := range h.keys {
		if n := len(hulls); n > 0 && bytes.Equal(space(hulls[n-1].lower), space(k)) {
			hulls[n-1].upper = append(bytes.Clone(k), 0)
			continue
		}
		hulls = append(hulls, span{k, append(bytes.Clone(k), 0)})
	}
	w.removeKeys(x)
	for _, u := range hulls {
		h.ranges = h.ranges.add(u.lower, u.upper)
	}
	if len(h.ranges) > heldRangesMax {
		h.ranges = h.ranges.coarsen()
	}
	if len(h.ranges) > 0 {
		w.ranged[x] = struct{}{}
	}
}

func (w *writeNotes) removeKeys(x *sxact) {
	for _, k := range x.writings.keys {
		n, ok := w.keys.Get(&writeNote{key: k})
		if !ok {
			continue
		}
		if n.by = slices.DeleteFunc(n.by, func(o *sxact) bool { return o == x }); len(n.by) == 0 {
			w.keys.Delete(n)
		}
	}
	x.writings.keys = nil
}

// remove forgets x's writes.
func (w *writeNotes) remove(x *sxact) {
	w.removeKeys(x)
	x.writings.ranges = nil
	delete(w.ranged, x)
}

// move gives x's writes to o, as ranges.
func (w *writeNotes) move(x, o *sxact) {
	w.keysToRanges(x)
	for _, r := range x.writings.ranges {
		o.writings.ranges = o.writings.ranges.add(r.lower, r.upper)
	}
	if len(o.writings.ranges) > heldRangesMax {
		o.writings.ranges = o.writings.ranges.coarsen()
	}
	if len(o.writings.ranges) > 0 {
		w.ranged[o] = struct{}{}
	}
}

// of lists those who wrote key, as far as it is noted by itself.
func (w *writeNotes) of(key []byte) []*sxact {
	n, ok := w.keys.Get(&writeNote{key: key})
	if !ok {
		return nil
	}
	return n.by
}

// each visits those who wrote a key in [lower, upper), or the key lower when upper is
// nil, perhaps more than once. f must not add notes.
func (w *writeNotes) each(lower, upper []byte, f func(x *sxact) error) error {
	var err error
	visit := func(n *writeNote) bool {
		for _, x := range n.by {
			if err = f(x); err != nil {
				return false
			}
		}
		return true
	}
	if upper == nil {
		if n, ok := w.keys.Get(&writeNote{key: lower}); ok {
			visit(n)
		}
	} else {
		w.keys.AscendRange(&writeNote{key: lower}, &writeNote{key: upper}, visit)
	}
	if err != nil {
		return err
	}
	for x := range w.ranged {
		if upper == nil && x.writings.ranges.covers(lower) || upper != nil && x.writings.ranges.overlaps(lower, upper) {
			if err := f(x); err != nil {
				return err
			}
		}
	}
	return nil
}
