package table

import (
	"context"
	"encoding/binary"
	"hash/fnv"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
)

// batchRows is the number of rows of a full batch.
const batchRows = 4096

// System columns, as planpb.Scan numbers them.
const (
	columnLocator  = -1
	columnTableOID = -2
	columnXmin     = -3
	columnCtid     = -4
)

// output builds the batches of a scan: which column of the decoder, or which
// system column, each output column is.
type output struct {
	dec     *rowcodec.Decoder
	from    []int // per output column: decoder column, or a system column's number
	loc     []byte
	locOffs []int32
	needLoc bool
	exact   bool // locators are integers
	oid     types.OID
}

func newOutput(sc *schema, columns []int32, capacity int) *output {
	o := &output{oid: types.OID(uint32(sc.t.RelationId)), exact: numericKey(sc)}
	var cols []rowcodec.Column
	for _, c := range columns {
		if c < 0 {
			o.from = append(o.from, int(c))
			o.needLoc = o.needLoc || c == columnLocator || c == columnCtid
			continue
		}
		o.from = append(o.from, len(cols))
		cols = append(cols, sc.cols[c])
	}
	o.dec = rowcodec.NewDecoder(cols, capacity)
	return o
}

func (o *output) append(locator, row []byte) error {
	if o.needLoc {
		if o.locOffs == nil {
			o.locOffs = append(make([]int32, 0, 64), 0)
		}
		o.loc = append(o.loc, locator...)
		o.locOffs = append(o.locOffs, int32(len(o.loc)))
	}
	return o.dec.Append(row)
}

// finish makes the batch; nil when there are no rows.
func (o *output) finish() *vexec.Batch {
	n := o.dec.Len()
	if n == 0 {
		return nil
	}
	cols := o.dec.Finish()
	b := &vexec.Batch{N: n, Cols: make([]arrow.Array, len(o.from))}
	for i, f := range o.from {
		if f >= 0 {
			b.Cols[i] = cols[f]
		} else {
			b.Cols[i] = o.system(f, n, o.loc, o.locOffs)
		}
	}
	o.loc, o.locOffs = nil, nil
	return b
}

// system makes a system column of n rows with some locators.
func (o *output) system(column, n int, locs []byte, offs []int32) arrow.Array {
	switch column {
	case columnTableOID:
		return types.Repeat(types.Of(types.Oid), o.oid, n)
	case columnXmin:
		return types.Repeat(types.Of(types.Xid), types.OID(frozenXid), n)
	case columnCtid:
		return ctids(locs, offs, o.exact)
	}
	return types.NewVarlen(arrow.BinaryTypes.Binary, offs, locs, nil, 0)
}

// frozenXid is PostgreSQL's FrozenTransactionId: visible to everybody, which is
// all that rows of a scan promise about the transaction that made them.
const frozenXid = 2

// ctids gives every locator a number: hidden row ids and integer keys are it, of
// other keys it is a hash of 64 bits.
func ctids(loc []byte, offs []int32, exact bool) arrow.Array {
	b := types.NewBuilder(types.Of(types.Tid), len(offs)-1)
	for i := 1; i < len(offs); i++ {
		b.Append(ctid(loc[offs[i-1]:offs[i]], exact))
	}
	return b.Finish()
}

func ctid(l []byte, exact bool) uint64 {
	if !exact {
		h := fnv.New64a()
		h.Write(l)
		return h.Sum64()
	}
	if len(l) == rowIDLen {
		return binary.BigEndian.Uint64(l)
	}
	v := uint64(l[1] ^ 0x80) // after the marker, with the sign as it was
	for _, c := range l[2:] {
		v = v<<8 | uint64(c)
	}
	return v
}

// numericKey: the locators of a table are single integers.
func numericKey(sc *schema) bool {
	if len(sc.key) != 1 {
		return len(sc.key) == 0
	}
	switch sc.key[0].T.OID {
	case types.Int2, types.Int4, types.Int8:
		return true
	}
	return false
}

// capacityFor sizes batches: no larger than what will be asked for.
func capacityFor(limitHint uint64, ranges []keyRange) int {
	n := batchRows
	if limitHint > 0 && limitHint < uint64(n) {
		n = int(limitHint)
	}
	points := 0
	for _, r := range ranges {
		if !r.point {
			return n
		}
		points++
	}
	return max(1, min(n, points))
}

// ctxCheckRows is how many rows pass between looks at the context.
const ctxCheckRows = 256

// tableReader reads key ranges of a table.
type tableReader struct {
	view    txn.View
	ranges  []keyRange
	reverse bool
	out     *output
	it      txn.Iter
	fetcher fetcher
	done    bool
}

func newTableReader(view txn.View, sc *schema, ranges []keyRange, columns []int32, reverse bool, limitHint uint64) *tableReader {
	n := capacityFor(limitHint, ranges)
	return &tableReader{view: view, ranges: ranges, reverse: reverse, out: newOutput(sc, columns, n), fetcher: newFetcher(view, n)}
}

// nextRange takes the next range in scan order.
func nextRange(ranges *[]keyRange, reverse bool) (keyRange, bool) {
	n := len(*ranges)
	if n == 0 {
		return keyRange{}, false
	}
	if reverse {
		r := (*ranges)[n-1]
		*ranges = (*ranges)[:n-1]
		return r, true
	}
	r := (*ranges)[0]
	*ranges = (*ranges)[1:]
	return r, true
}

func (r *tableReader) Next(ctx context.Context) (*vexec.Batch, error) {
	if r.done {
		return nil, nil
	}
	if ctx.Err() != nil {
		return nil, pgerror.From(context.Cause(ctx))
	}
	rows := 0
	for {
		if err := r.fetcher.deliver(r.out); err != nil {
			return nil, r.fail(err)
		}
		if r.it == nil && len(r.fetcher.rows) == 0 {
			kr, ok := nextRange(&r.ranges, r.reverse)
			if !ok {
				b := r.out.finish()
				r.Close()
				return b, nil
			}
			if kr.point && r.fetcher.many != nil {
				keys := points(kr.lower, &r.ranges, r.reverse, r.fetcher.more())
				if err := r.fetcher.get(ctx, keys, func(int) error { return nil }); err != nil {
					return nil, r.fail(err)
				}
				if !r.out.dec.Full() {
					continue
				}
			} else if kr.point {
				v, ok, err := r.view.Get(ctx, kr.lower)
				if err != nil {
					return nil, r.fail(err)
				}
				if ok {
					if err := r.out.append(kr.lower[keyenc.PrefixLen:], v); err != nil {
						return nil, r.fail(err)
					}
				}
			} else {
				it, err := openRange(ctx, r.view, &kr, r.reverse)
				if err != nil {
					return nil, r.fail(err)
				}
				r.it = it
			}
		}
		for r.it != nil && !r.out.dec.Full() {
			if !r.it.Next() {
				err := r.it.Close()
				r.it = nil
				if err != nil {
					return nil, r.fail(err)
				}
				break
			}
			if err := r.out.append(r.it.Key()[keyenc.PrefixLen:], r.it.Value()); err != nil {
				return nil, r.fail(err)
			}
			if rows++; rows%ctxCheckRows == 0 && ctx.Err() != nil {
				return nil, r.fail(pgerror.From(context.Cause(ctx)))
			}
		}
		if r.out.dec.Full() {
			return r.out.finish(), nil
		}
	}
}

func (r *tableReader) fail(err error) error {
	r.Close()
	return err
}

func (r *tableReader) Close() {
	if r.done {
		return
	}
	r.done = true
	if r.it != nil {
		r.it.Close()
		r.it = nil
	}
	r.view.Close()
}
