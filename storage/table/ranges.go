package table

import (
	"bytes"
	"slices"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
)

// keyRange is a range of keys, upper exclusive, in one tablet or the same in
// several; point: lower is a key that is wanted alone.
type keyRange struct {
	lower, upper []byte // of the first tablet
	point        bool
	tablets      []txn.TabletID
}

// keySpace is the keys of a table or index in the first tablet.
type keySpace struct {
	prefix, end []byte
	key         []keyenc.Column
	// dist are the positions in key of the columns that place a key.
	dist []int
	// wholeKey: equality on all the columns names one key (primary keys, unique
	// entries without NULL).
	wholeKey bool
}

// ranges are the key ranges of a scan, those that bounds leave when it is bounded:
// ascending and disjoint, each in all the tablets that its keys may lie in when
// the scan is ordered, else tablet by tablet.
func (s *Store) ranges(sc *schema, k *keySpace, bounded bool, bounds []vexec.KeyBounds, ordered bool) ([]keyRange, error) {
	tablets := s.readable(sc)
	if len(tablets) == 0 {
		return nil, nil
	}
	if tablets[0] != sc.spread.tablets[0] {
		c := *k
		c.prefix, c.end, k = inTablet(k.prefix, tablets[0]), inTablet(k.end, tablets[0]), &c
	}
	if !sc.several() {
		if !bounded {
			return []keyRange{{lower: k.prefix, upper: k.end, tablets: tablets}}, nil
		}
		out, err := s.boundsToRanges(sc, k, bounds, tablets)
		return out, err
	}
	out := []keyRange{{lower: k.prefix, upper: k.end, tablets: tablets}}
	if bounded {
		var err error
		if out, err = s.boundsToRanges(sc, k, bounds, tablets); err != nil {
			return nil, err
		}
	}
	if ordered || len(tablets) == 1 {
		for i := range out {
			if t := out[i].tablets[0]; t != tablets[0] {
				out[i].lower, out[i].upper = inTablet(out[i].lower, t), inTablet(out[i].upper, t)
			}
		}
		return out, nil
	}
	var flat []keyRange
	for i, t := range tablets {
		for _, r := range out {
			if slices.Contains(r.tablets, t) {
				flat = append(flat, keyRange{lower: inTablet(r.lower, t), upper: inTablet(r.upper, t), point: r.point, tablets: tablets[i : i+1]})
			}
		}
	}
	return flat, nil
}

// boundsToRanges turns bounds on key columns into ranges, ascending and disjoint.
func (s *Store) boundsToRanges(sc *schema, k *keySpace, bounds []vexec.KeyBounds, tablets []txn.TabletID) ([]keyRange, error) {
	var out []keyRange
	for i := range bounds {
		r, ok, err := boundsToRange(s.env, k.prefix, k.key, &bounds[i], k.wholeKey)
		if err != nil {
			return nil, err
		}
		if !ok || bytes.Compare(r.lower, r.upper) >= 0 {
			continue
		}
		r.tablets = tablets
		if sc.several() {
			slot, fixed, err := slotOfEq(s.env, k.key, k.dist, bounds[i].Eq)
			if err != nil {
				return nil, err
			}
			if fixed {
				at := slices.Index(tablets, sc.spread.place.Of(slot))
				if at < 0 {
					continue
				}
				r.tablets = tablets[at : at+1]
			}
		}
		out = append(out, r)
	}
	if len(out) < 2 {
		return out, nil
	}
	slices.SortFunc(out, func(a, b keyRange) int { return bytes.Compare(a.lower, b.lower) })
	n := 0
	for _, r := range out[1:] {
		if last := &out[n]; bytes.Compare(r.lower, last.upper) < 0 { // overlap
			if bytes.Compare(r.upper, last.upper) > 0 {
				last.upper = r.upper
			}
			if len(last.tablets) != len(r.tablets) || last.tablets[0] != r.tablets[0] {
				last.tablets = tablets
			}
			last.point = last.point && r.point && bytes.Equal(last.lower, r.lower)
			continue
		}
		n++
		out[n] = r
	}
	return out[:n+1], nil
}

// intersect gives what of a is in b, whose ranges are disjoint, in a's order.
// REQUIRES: every range is in one tablet.
func intersect(a, b []keyRange) []keyRange {
	var out []keyRange
	for _, r := range a {
		for _, x := range b {
			switch {
			case r.point:
				if x.point && bytes.Equal(r.lower, x.lower) || !x.point && bytes.Compare(x.lower, r.lower) <= 0 && bytes.Compare(r.lower, x.upper) < 0 {
					out = append(out, r)
				}
				continue
			case x.point:
				if bytes.Compare(x.lower, r.lower) < 0 || bytes.Compare(x.lower, r.upper) >= 0 {
					continue
				}
			default:
				if bytes.Compare(x.lower, r.lower) < 0 {
					x.lower = r.lower
				}
				if bytes.Compare(x.upper, r.upper) > 0 {
					x.upper = r.upper
				}
				if bytes.Compare(x.lower, x.upper) >= 0 {
					continue
				}
			}
			x.tablets = r.tablets
			out = append(out, x)
		}
	}
	return out
}

func boundsToRange(env *types.Env, prefix []byte, cols []keyenc.Column, b *vexec.KeyBounds, wholeKey bool) (r keyRange, ok bool, err error) {
	key := append(make([]byte, 0, len(prefix)+16*len(cols)), prefix...)
	for i, d := range b.Eq {
		if d == nil {
			wholeKey = false
		}
		if key, err = cols[i].Append(env, key, d); err != nil {
			return r, false, err
		}
	}
	n := len(b.Eq)
	if !b.HasLower && !b.HasUpper {
		r.lower = key
		r.point = wholeKey && n == len(cols) && n > 0
		r.upper = keyenc.Successor(bytes.Clone(key))
		return r, true, nil
	}
	c := &cols[n]
	if b.HasLower && b.Lower == nil || b.HasUpper && b.Upper == nil {
		return r, false, nil // a comparison with NULL holds for no row
	}
	// In key order the first bound is the upper one of a descending column.
	first, last := b.Lower, b.Upper
	hasFirst, hasLast := b.HasLower, b.HasUpper
	firstIn, lastIn := b.LowerInclusive, b.UpperInclusive
	if c.Desc {
		first, last, hasFirst, hasLast, firstIn, lastIn = last, first, hasLast, hasFirst, lastIn, firstIn
	}
	if hasFirst {
		if r.lower, err = c.Append(env, bytes.Clone(key), first); err != nil {
			return r, false, err
		}
		if !firstIn {
			r.lower = keyenc.Successor(r.lower)
		}
	} else {
		r.lower = c.AppendNotNullStart(bytes.Clone(key))
	}
	if hasLast {
		if r.upper, err = c.Append(env, bytes.Clone(key), last); err != nil {
			return r, false, err
		}
		if lastIn {
			r.upper = keyenc.Successor(r.upper)
		}
	} else {
		r.upper = c.AppendNotNullEnd(bytes.Clone(key))
	}
	return r, true, nil
}
