package table

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// spread is where a table's rows lie: in one tablet, by slot in several, or as
// copies in several.
type spread struct {
	place *txn.Placement
	// tablets that rows lie in, ascending; locks and checks of copied rows are at the first.
	tablets []txn.TabletID
	// hashed: a row lies in the tablet of its slot. copied: a row lies in all of them.
	// Neither: there is one tablet.
	hashed, copied bool
	// near is the position in tablets of the copy to read.
	near int
	// dist are the positions in the primary key of the columns that place a row;
	// with hidden row ids, which place by themselves, there are none.
	dist []int
}

func newSpread(t *planpb.Table, p *txn.Placement, self txn.NodeID) (spread, error) {
	s := spread{place: p}
	if t.Placement == planpb.Placement_SYSTEM {
		s.tablets = []txn.TabletID{txn.SystemTablet}
		return s, nil
	}
	for _, d := range p.Tablets {
		s.tablets = append(s.tablets, d.ID)
	}
	if p.Lone() {
		return s, nil
	}
	if t.Placement == planpb.Placement_ALL {
		s.copied = true
		s.near = max(0, slices.IndexFunc(p.Tablets, func(d txn.Tablet) bool { return d.Node == self }))
		return s, nil
	}
	s.hashed = true
	for _, d := range t.Distribution {
		if int(d) >= len(t.PrimaryKey) {
			return s, pgerror.Internal("table %s is distributed by key column %d of %d", t.Name, d, len(t.PrimaryKey))
		}
		s.dist = append(s.dist, int(d))
	}
	if len(s.dist) == 0 && len(t.PrimaryKey) > 0 {
		s.dist = []int{0}
	}
	return s, nil
}

// several reports that the tablet of a key has to be worked out.
func (s *schema) several() bool { return s.spread.hashed }

// slot is the slot of the row with a locator.
func (s *schema) slot(env *types.Env, locator []byte) (txn.Slot, error) {
	if len(s.key) == 0 {
		return txn.Slot(keyenc.Slot(locator)), nil
	}
	var fb [64]byte
	if d := s.spread.dist; len(d) == 1 && d[0] == 0 {
		form, _, err := s.key[0].AppendSlotFormOfKey(env, fb[:0], locator)
		return txn.Slot(keyenc.Slot(form)), err
	}
	// The columns count in the order they are named, the key has its own.
	last := slices.Max(s.spread.dist)
	starts := make([]int, last+1)
	at := 0
	for i := range starts {
		starts[i] = at
		if i == last {
			break
		}
		n, err := s.key[i].Skip(env, locator[at:])
		if err != nil {
			return 0, err
		}
		at += n
	}
	form := fb[:0]
	for _, d := range s.spread.dist {
		var err error
		if form, _, err = s.key[d].AppendSlotFormOfKey(env, form, locator[starts[d]:]); err != nil {
			return 0, err
		}
	}
	return txn.Slot(keyenc.Slot(form)), nil
}

// setTablet writes the tablet of a row into its key, which has room for it.
func (s *schema) setTablet(env *types.Env, key []byte) error {
	if !s.several() {
		return nil
	}
	slot, err := s.slot(env, key[keyenc.PrefixLen:])
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint16(key, uint16(s.spread.place.Of(slot)))
	return nil
}

// keyOf appends the key of the row with a locator.
func (s *schema) keyOf(env *types.Env, dst, locator []byte) ([]byte, error) {
	n := len(dst)
	dst = append(append(dst, s.prefix...), locator...)
	return dst, s.setTablet(env, dst[n:])
}

// setUniqueTablet writes the tablet of a unique entry, that of its own key
// columns' slot, into its key.
func (x *index) setUniqueTablet(env *types.Env, sp *spread, key []byte) error {
	var fb [64]byte
	form, cols := fb[:0], key[keyenc.PrefixLen:]
	for i := range x.key {
		var n int
		var err error
		if form, n, err = x.key[i].AppendSlotFormOfKey(env, form, cols); err != nil {
			return err
		}
		cols = cols[n:]
	}
	binary.BigEndian.PutUint16(key, uint16(sp.place.Of(txn.Slot(keyenc.Slot(form)))))
	return nil
}

// slotOfEq is the slot that equality bounds fix, with dist the positions of the
// placing columns among the bounded key columns; false when they leave it open.
func slotOfEq(env *types.Env, cols []keyenc.Column, dist []int, eq []types.Datum) (txn.Slot, bool, error) {
	var fb [64]byte
	form := fb[:0]
	for _, d := range dist {
		if d < 0 || d >= len(eq) || eq[d] == nil {
			return 0, false, nil
		}
		var err error
		if form, err = cols[d].AppendSlotForm(env, form, eq[d]); err != nil {
			return 0, false, err
		}
	}
	return txn.Slot(keyenc.Slot(form)), len(dist) > 0, nil
}

// positions finds the columns that place an index's entries among its key columns:
// all of a unique one's, else the row's.
func (s *schema) positions(x *index) []int {
	if x.Unique {
		out := make([]int, len(x.key))
		for i := range out {
			out[i] = i
		}
		return out
	}
	out := make([]int, len(s.spread.dist))
	for i, d := range s.spread.dist {
		out[i] = slices.Index(x.ords, s.keyOrds[d])
	}
	return out
}

// put and putFresh write a row or entry, to all tablets when they have copies. key
// is of the first then.
func (s *Store) put(ctx context.Context, sc *schema, key, value []byte) error {
	if err := s.tx.Put(ctx, key, value); err != nil || !sc.spread.copied {
		return err
	}
	return sc.copies(key, func(k []byte) error { return s.tx.Put(ctx, k, value) })
}

// putFresh writes a key where LockKey found no row.
func (s *Store) putFresh(ctx context.Context, sc *schema, key, value []byte, n txn.Newest) error {
	if n.CommitTS != 0 || n.OwnStatement != 0 {
		return s.put(ctx, sc, key, value)
	}
	if err := s.tx.PutNew(ctx, key, value); err != nil || !sc.spread.copied {
		return err
	}
	return sc.copies(key, func(k []byte) error { return s.tx.PutNew(ctx, k, value) })
}

// delete removes a row or entry.
func (s *Store) delete(ctx context.Context, sc *schema, key []byte) error {
	if err := s.tx.Delete(ctx, key); err != nil || !sc.spread.copied {
		return err
	}
	return sc.copies(key, func(k []byte) error { return s.tx.Delete(ctx, k) })
}

// deleteMoved is delete for a row that goes on under another key.
func (s *Store) deleteMoved(ctx context.Context, sc *schema, key, to []byte) error {
	if err := s.tx.DeleteMoved(ctx, key, to); err != nil || !sc.spread.copied {
		return err
	}
	return sc.copies(key, func(k []byte) error { return s.tx.Delete(ctx, k) })
}

// copies calls f with a key's copies in the tablets after the first.
func (s *schema) copies(key []byte, f func(k []byte) error) error {
	k := bytes.Clone(key)
	for _, t := range s.spread.tablets[1:] {
		binary.BigEndian.PutUint16(k, uint16(t))
		if err := f(k); err != nil {
			return err
		}
	}
	return nil
}

// eachTablet calls f with the positions of the keys of each tablet, ascending; in
// one call where all keys are in one. Keys of one tablet come in their order.
func (s *schema) eachTablet(keys [][]byte, f func(keys [][]byte, at []int) error) error {
	if !s.several() {
		return f(keys, nil)
	}
	at := make([]int, len(keys))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(a, b int) int { return bytes.Compare(keys[a][:keyenc.TabletLen], keys[b][:keyenc.TabletLen]) })
	sorted := make([][]byte, len(keys))
	for i, k := range at {
		sorted[i] = keys[k]
	}
	for from := 0; from < len(at); {
		end := from + 1
		for end < len(at) && txn.TabletOf(sorted[end]) == txn.TabletOf(sorted[from]) {
			end++
		}
		if err := f(sorted[from:end], at[from:end]); err != nil {
			return err
		}
		from = end
	}
	return nil
}

// readable are the tablets that a scan of the table reads: those the store is
// confined to, one of them when rows are copies.
func (s *Store) readable(sc *schema) []txn.TabletID {
	out := sc.spread.tablets
	if sc.spread.copied && !s.confined {
		return out[sc.spread.near : sc.spread.near+1]
	}
	if s.confined {
		out = nil
		for _, t := range sc.spread.tablets {
			if slices.Contains(s.tablets, t) {
				out = append(out, t)
			}
		}
	}
	if sc.spread.copied && len(out) > 1 {
		out = out[:1]
	}
	return out
}
