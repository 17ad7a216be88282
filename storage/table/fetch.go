package table

import (
	"context"

	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/txn"
)

// Keys asked for together where each alone would be a message to another node: few at
// first, since many scans end soon.
const (
	fetchKeysMin = 16
	fetchKeysMax = 1024
)

// fetcher gets rows by their keys, in order, for a reader whose view may read many at a time.
type fetcher struct {
	many txn.ManyGetter // nil: one by one costs no more
	keys int            // how many to ask for next time
	max  int
	rows []fetched // not delivered yet
}

// fetched is a row with its key.
type fetched struct{ key, value []byte }

func newFetcher(view txn.View, capacity int) fetcher {
	many, _ := view.(txn.ManyGetter)
	most := min(fetchKeysMax, max(1, capacity))
	return fetcher{many: many, keys: min(fetchKeysMin, most), max: most}
}

// more is how many keys to ask for.
func (f *fetcher) more() int {
	n := f.keys
	f.keys = min(4*f.keys, f.max)
	return n
}

// points takes the points at the front of ranges, in scan order, up to n; first is already taken.
func points(first []byte, ranges *[]keyRange, reverse bool, n int) [][]byte {
	keys := [][]byte{first}
	for len(keys) < n && len(*ranges) > 0 {
		at := 0
		if reverse {
			at = len(*ranges) - 1
		}
		if !(*ranges)[at].point {
			break
		}
		kr, _ := nextRange(ranges, reverse)
		keys = append(keys, kr.lower)
	}
	return keys
}

// deliver moves rows to a batch until it is full.
func (f *fetcher) deliver(out *output) error {
	for len(f.rows) > 0 && !out.dec.Full() {
		if err := out.append(f.rows[0].key[keyenc.PrefixLen:], f.rows[0].value); err != nil {
			return err
		}
		f.rows[0] = fetched{}
		f.rows = f.rows[1:]
	}
	return nil
}

// get reads keys; missing is called for one that has no row.
func (f *fetcher) get(ctx context.Context, keys [][]byte, missing func(i int) error) error {
	return f.many.GetMany(ctx, keys, func(i int, value []byte, ok bool) error {
		if !ok {
			return missing(i)
		}
		f.rows = append(f.rows, fetched{keys[i], value})
		return nil
	})
}
