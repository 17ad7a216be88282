package table

import (
	"bytes"
	"slices"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/vexec"
)

// keyRange is a range of keys, upper exclusive; point: lower is a key that is
// wanted alone.
type keyRange struct {
	lower, upper []byte
	point        bool
}

// boundsToRanges turns bounds on key columns into ranges, ascending and disjoint.
// wholeKey: equality on all the columns names one key (primary keys, unique
// entries without NULL).
func boundsToRanges(env *types.Env, prefix []byte, cols []keyenc.Column, bounds []vexec.KeyBounds, wholeKey bool) ([]keyRange, error) {
	var out []keyRange
	for i := range bounds {
		r, ok, err := boundsToRange(env, prefix, cols, &bounds[i], wholeKey)
		if err != nil {
			return nil, err
		}
		if ok && bytes.Compare(r.lower, r.upper) < 0 {
			out = append(out, r)
		}
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
			last.point = last.point && r.point && bytes.Equal(last.lower, r.lower)
			continue
		}
		n++
		out[n] = r
	}
	return out[:n+1], nil
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
