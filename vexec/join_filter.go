package vexec

import (
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/internal/simd"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// A hash join whose unmatched left rows are dropped tells the scans below its left
// side which key values its right side has, as soon as that is complete: rows with
// other values are passed over where they lie. The column may pass through
// filters, projections, other joins and groupings on its way up, as long as dropping
// the row below is dropping it here.

// keyFilter is the set of values of one integer join key: exact as a bitmap where
// the values lie close together, otherwise a blocked Bloom filter.
type keyFilter struct {
	t        types.T
	min, max int64 // of the values, when there are any
	empty    bool
	bits     []uint64 // bit v−min; the one after the last value's is 0
	own      int64    // bytes of bits or bloom that are this filter's
	bloom    []uint64 // words, a power of two of them; three bits of one word a value
	few      []int64  // the values, ascending and distinct, when there were at most fewKeysMax
}

const (
	bitmapBitsMax = 1 << 27
	// bitmapAlways is up to how many bits a bitmap is taken for any number of values: it
	// stays in the cache, and asking it takes a fraction of what a hash does.
	bitmapAlways = 1 << 22
	// bitmapSparse is how many bits of bitmap a value may take: keys of facts tend to come in order, and
	// a bitmap is then read in order too.
	bitmapSparse = 192
	// bloomBits is how many bits of Bloom filter a value takes at least.
	bloomBits = 12
	// fewKeysMax is up to how many keys are looked up one by one (scan_narrow.go).
	fewKeysMax = 1024
)

// filterable: values of t are integers to keyFilter.
func filterable(t types.T) bool {
	if t.Class != types.ClassBase {
		return false
	}
	switch t.OID {
	case types.Int2, types.Int4, types.Int8, types.DateOID:
		return true
	}
	return false
}

// newKeyFilter is over the values of col that are not NULL. dense has the same ones, unless it is nil.
func newKeyFilter(t types.T, col arrow.Array, dense *kernel.DenseKeys) *keyFilter {
	f := &keyFilter{t: t, empty: col.NullN() == col.Len()}
	if dense != nil {
		f.min, f.max, f.bits = dense.Bits()
	}
	switch col.DataType().ID() {
	case arrow.INT16:
		fillFilter(f, kernel.Values[int16](col), kernel.Valid(col), col.Len()-col.NullN())
	case arrow.INT32, arrow.DATE32:
		fillFilter(f, kernel.Values[int32](col), kernel.Valid(col), col.Len()-col.NullN())
	case arrow.INT64:
		fillFilter(f, kernel.Values[int64](col), kernel.Valid(col), col.Len()-col.NullN())
	default:
		return nil
	}
	return f
}

// fillFilter takes the n valid values of x.
func fillFilter[T int16 | int32 | int64](f *keyFilter, x []T, valid kernel.Bits, n int) {
	if n == 0 {
		return
	}
	if n <= fewKeysMax {
		f.few = make([]int64, 0, n)
		for i, v := range x {
			if valid.Get(i) {
				f.few = append(f.few, int64(v))
			}
		}
		slices.Sort(f.few)
		f.few = slices.Compact(f.few)
	}
	if f.bits != nil {
		return
	}
	f.min, f.max, _ = kernel.MinMax(x, valid)
	span := uint64(f.max) - uint64(f.min)
	if span < bitmapAlways || span < bitmapBitsMax && span/bitmapSparse <= uint64(n) {
		f.own = int64(span/64) * 8
		f.bits = make([]uint64, (span+1)/64+1)
		for i, v := range x {
			if valid.Get(i) {
				k := uint64(int64(v) - f.min)
				f.bits[k/64] |= 1 << (k % 64)
			}
		}
		return
	}
	words := uint64(64)
	for words*64 < uint64(n)*bloomBits {
		words *= 2
	}
	f.own = int64(words) * 8
	f.bloom = make([]uint64, words)
	for i, v := range x {
		if valid.Get(i) {
			h := kernel.HashU64(uint64(int64(v)))
			f.bloom[h>>32&(words-1)] |= bloomMask(h)
		}
	}
}

// size is the memory in bytes, but for what is the table's; of nil too.
func (f *keyFilter) size() int64 {
	if f == nil {
		return 0
	}
	return f.own + 8*int64(len(f.few))
}

func bloomMask(h uint64) uint64 { return 1<<(h&63) | 1<<(h>>6&63) | 1<<(h>>12&63) }

// bounds are the least and the greatest value, in the Go form of the key's type.
func (f *keyFilter) bounds() (lower, upper types.Datum) { return f.datum(f.min), f.datum(f.max) }

// datum is a value in the Go form of the key's type.
func (f *keyFilter) datum(v int64) types.Datum {
	switch f.t.OID {
	case types.Int2:
		return int16(v)
	case types.Int4:
		return int32(v)
	case types.DateOID:
		return types.Date(v)
	}
	return v
}

// filter lists the rows (positions within sel, or of vec when sel is nil) whose value
// may be in the set, in m's memory.
func (f *keyFilter) filter(m *kernel.Arena, vec arrow.Array, sel []int32) []int32 {
	if f.empty {
		return []int32{}
	}
	switch vec.DataType().ID() {
	case arrow.INT16:
		return filterInts(m, f, kernel.Values[int16](vec), kernel.Valid(vec), sel)
	case arrow.INT32, arrow.DATE32:
		return filterInts(m, f, kernel.Values[int32](vec), kernel.Valid(vec), sel)
	case arrow.INT64:
		return filterInts(m, f, kernel.Values[int64](vec), kernel.Valid(vec), sel)
	}
	return nil
}

func filterInts[T int16 | int32 | int64](mem *kernel.Arena, f *keyFilter, x []T, valid kernel.Bits, sel []int32) []int32 {
	n := len(x)
	if sel != nil {
		n = len(sel)
	}
	out := kernel.MakeIn[int32](mem, n)
	m := 0
	lo, span := f.min, uint64(f.max)-uint64(f.min)
	switch {
	case f.bits != nil && sel == nil:
		m = simd.SelectMembers(x, f.bits, f.min, f.max, out)
	case f.bits != nil:
		words, end := f.bits, span+1 // where what is outside goes
		for i, r := range sel {
			k := min(uint64(int64(x[r])-lo), end)
			out[m] = int32(i)
			m += int(words[k/64]>>(k%64)) & 1
		}
	default:
		mask := uint64(len(f.bloom) - 1)
		for i := range n {
			r := i
			if sel != nil {
				r = int(sel[i])
			}
			v := int64(x[r])
			out[m] = int32(i)
			if uint64(v-lo) > span {
				continue
			}
			h := kernel.HashU64(uint64(v))
			b := bloomMask(h)
			m += b2i(f.bloom[h>>32&mask]&b == b)
		}
	}
	out = out[:m]
	if valid.All() {
		return out
	}
	keep := out[:0]
	for _, i := range out {
		r := i
		if sel != nil {
			r = sel[i]
		}
		if valid.Get(int(r)) {
			keep = append(keep, i)
		}
	}
	return keep
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// filtersLeft: left rows without a match are of no use to a join.
func filtersLeft(t planpb.JoinType) bool {
	switch t {
	case planpb.JoinType_INNER, planpb.JoinType_SEMI, planpb.JoinType_RIGHT, planpb.JoinType_RIGHT_SEMI, planpb.JoinType_RIGHT_ANTI:
		return true
	}
	return false
}

// tellScans registers with this worker the scans that keys of join p can filter, and
// gives what to fill in by key when they are known. REQUIRES: before the left side is built.
func (w *worker) tellScans(p *planpb.Plan, j *planpb.HashJoin) [][]*scanProbe {
	if !filtersLeft(j.GetType()) || w.probed == nil {
		return nil
	}
	var out [][]*scanProbe
	for k, e := range j.GetLeftKeys() {
		c, ok := e.GetKind().(*planpb.Expr_Column)
		if !ok || !filterable(e.GetType().T()) || k < len(j.GetNullEqual()) && j.GetNullEqual()[k] {
			continue
		}
		var probes []*scanProbe
		eachOrigin(j.GetLeft(), int(c.Column.GetIndex()), func(scan *planpb.Plan, column int) {
			probes = append(probes, w.probe(scan, scanProbe{join: p, key: k, column: column}))
		})
		if probes == nil {
			continue
		}
		if out == nil {
			out = make([][]*scanProbe, len(j.GetLeftKeys()))
		}
		out[k] = probes
	}
	return out
}

// cloneProbes is m for another worker, which adds its own.
func cloneProbes(m map[*planpb.Plan][]*scanProbe) map[*planpb.Plan][]*scanProbe {
	out := make(map[*planpb.Plan][]*scanProbe, len(m))
	for p, s := range m {
		out[p] = slices.Clone(s)
	}
	return out
}

// probe registers s with a scan, once for each join key.
func (w *worker) probe(scan *planpb.Plan, s scanProbe) *scanProbe {
	for _, o := range w.probed[scan] {
		if o.join == s.join && o.key == s.key && o.column == s.column {
			return o
		}
	}
	w.probed[scan] = append(w.probed[scan], &s)
	return &s
}

// eachOrigin finds the scans whose column is column col of p's output, where a row
// that p's parent has no use for has none below either.
func eachOrigin(p *planpb.Plan, col int, found func(scan *planpb.Plan, column int)) {
	column := func(e *planpb.Expr) int {
		if c, ok := e.GetKind().(*planpb.Expr_Column); ok {
			return int(c.Column.GetIndex())
		}
		return math.MaxInt
	}
	switch k := p.GetOp().(type) {
	case *planpb.Plan_Scan, *planpb.Plan_IndexScan:
		found(p, col)
	case *planpb.Plan_Filter:
		eachOrigin(k.Filter.GetInput(), col, found)
	case *planpb.Plan_Gather:
		eachOrigin(k.Gather.GetInput(), col, found)
	case *planpb.Plan_Exchange:
		eachOrigin(k.Exchange.GetInput(), col, found)
	case *planpb.Plan_Sort:
		eachOrigin(k.Sort.GetInput(), col, found)
	case *planpb.Plan_Append:
		for _, in := range k.Append.GetInputs() {
			eachOrigin(in, col, found)
		}
	case *planpb.Plan_Project:
		if col < len(k.Project.GetExprs()) {
			if c := column(k.Project.GetExprs()[col]); c != math.MaxInt {
				eachOrigin(k.Project.GetInput(), c, found)
			}
		}
	case *planpb.Plan_KeyIds:
		if col < len(k.KeyIds.GetInput().GetOutput()) {
			eachOrigin(k.KeyIds.GetInput(), col, found)
		}
	case *planpb.Plan_KeyValues:
		if c := k.KeyValues.GetColumns()[col]; c >= 0 {
			eachOrigin(k.KeyValues.GetInput(), int(c), found)
		}
	case *planpb.Plan_Agg:
		// a group of which some rows are dropped is dropped: all have the key's value
		a := k.Agg
		if len(a.GetSets()) > 0 || col >= len(a.GetKeys()) || a.GetPhase() == planpb.Agg_FINAL {
			return
		}
		if c := column(a.GetKeys()[col]); c != math.MaxInt {
			eachOrigin(a.GetInput(), c, found)
		}
	case *planpb.Plan_HashJoin:
		j := k.HashJoin
		left := len(j.GetLeft().GetOutput())
		spec := joinSpec{typ: j.GetType()}
		switch {
		case spec.rightOnly():
			eachOrigin(j.GetRight(), col, found)
		case col < left:
			eachOrigin(j.GetLeft(), col, found)
			// an inner join's other side of the same key has the same value
			if j.GetType() == planpb.JoinType_INNER {
				for i, e := range j.GetLeftKeys() {
					if column(e) == col {
						if c := column(j.GetRightKeys()[i]); c != math.MaxInt {
							eachOrigin(j.GetRight(), c, found)
						}
					}
				}
			}
		case spec.leftOnly(), j.GetType() == planpb.JoinType_SINGLE:
		default:
			eachOrigin(j.GetRight(), col-left, found)
			if j.GetType() == planpb.JoinType_INNER {
				for i, e := range j.GetRightKeys() {
					if column(e) == col-left {
						if c := column(j.GetLeftKeys()[i]); c != math.MaxInt {
							eachOrigin(j.GetLeft(), c, found)
						}
					}
				}
			}
		}
	}
}
