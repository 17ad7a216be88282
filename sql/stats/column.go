package stats

import (
	"cmp"
	"math"
	"slices"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/types"
)

// widthMax is the width beyond which values are left out of the statistics, as
// PostgreSQL's WIDTH_THRESHOLD.
const widthMax = 1024

// column computes one column's statistics from a sample of a table of rows rows.
func column(vals []types.Datum, t types.T, rows float64, opts Options) *catalog.ColumnStats {
	cs := &catalog.ColumnStats{}
	if len(vals) == 0 {
		return cs
	}
	type item struct {
		v   types.Datum
		pos int
	}
	var items []item
	nulls, wide, bytes := 0, 0, 0.0
	for i, v := range vals {
		if v == nil {
			nulls++
			continue
		}
		w := valueWidth(t, v)
		bytes += w
		if w > widthMax {
			wide++
			continue
		}
		items = append(items, item{v, i})
	}
	n := len(vals)
	notNull := n - nulls
	cs.NullFrac = float64(nulls) / float64(n)
	if notNull == 0 {
		return cs
	}
	cs.AvgWidth = bytes / float64(notNull)
	if !orderable(t, opts.Catalog) {
		return cs
	}
	slices.SortFunc(items, func(a, b item) int { // equal values by position, so that the order is one
		if c := types.Compare(opts.Types, t, a.v, b.v); c != 0 {
			return c
		}
		return a.pos - b.pos
	})
	// Runs of equal values.
	type run struct {
		v     types.Datum
		count int
		first int // in items
	}
	var runs []run
	for i, it := range items {
		if len(runs) > 0 && types.Compare(opts.Types, t, runs[len(runs)-1].v, it.v) == 0 {
			runs[len(runs)-1].count++
			continue
		}
		runs = append(runs, run{it.v, 1, i})
	}
	once, multiple := 0, 0
	for _, r := range runs {
		if r.count == 1 {
			once++
		} else {
			multiple++
		}
	}
	// The number of distinct values, as PostgreSQL estimates it (Haas and Stokes).
	d := float64(len(runs))
	notNullRows := rows * (1 - cs.NullFrac)
	switch {
	case multiple == 0:
		cs.Distinct = -(1 - cs.NullFrac) // all different: a key
	case once+wide == 0:
		cs.Distinct = d // every value was seen again: there are no others
	default:
		f1, num := float64(once+wide), float64(notNull)
		est := num * (d + float64(wide)) / ((num - f1) + f1*num/math.Max(notNullRows, 1))
		cs.Distinct = math.Floor(math.Min(math.Max(est, d+float64(wide)), notNullRows) + 0.5)
	}
	if float64(n) >= rows && cs.Distinct > 0 {
		cs.Distinct = d // the whole table was read
	}
	if cs.Distinct > 0.1*rows {
		cs.Distinct = -cs.Distinct / rows
	}
	// Most common values: all of them when they are few, else those clearly more
	// frequent than the average.
	byCount := append([]run{}, runs...)
	slices.SortFunc(byCount, func(a, b run) int { return cmp.Or(b.count-a.count, a.first-b.first) })
	keep := 0
	if len(runs) <= opts.Target && cs.Distinct > 0 && once+wide == 0 || float64(n) >= rows && len(runs) <= opts.Target && multiple > 0 {
		keep = len(runs)
		for keep > 0 && float64(n) < rows && byCount[keep-1].count < 2 {
			keep--
		}
	} else {
		nd := cs.Distinct
		if nd < 0 {
			nd = -nd * rows
		}
		least := float64(notNull) / math.Max(nd, 1) * 1.25
		least = math.Max(least, 2)
		least = math.Min(least, math.Max(2, float64(notNull)/float64(opts.Target)))
		for keep < len(byCount) && keep < opts.Target && float64(byCount[keep].count) >= least {
			keep++
		}
	}
	inMCV := map[int]bool{}
	for _, r := range byCount[:keep] {
		cs.MCV = append(cs.MCV, r.v)
		cs.MCVFreq = append(cs.MCVFreq, float64(r.count)/float64(n))
		inMCV[r.first] = true
	}
	// The histogram holds what is left.
	var rest []types.Datum
	distinct := 0
	for _, r := range runs {
		if inMCV[r.first] {
			continue
		}
		distinct++
		for range r.count {
			rest = append(rest, r.v)
		}
	}
	if bounds := min(distinct, opts.Target+1); bounds >= 2 {
		for i := range bounds {
			cs.Histogram = append(cs.Histogram, rest[i*(len(rest)-1)/(bounds-1)])
		}
	}
	// Correlation of value order and row order.
	if m := float64(len(items)); m > 1 {
		xy := 0.0
		for rank, it := range items {
			xy += float64(rank) * float64(it.pos)
		}
		// positions are those among all sampled rows; ranks replace them when there are NULLs
		if nulls+wide > 0 {
			order := make([]int, len(items))
			for i := range order {
				order[i] = i
			}
			slices.SortFunc(order, func(a, b int) int { return items[a].pos - items[b].pos })
			xy = 0
			for pos, i := range order {
				xy += float64(i) * float64(pos)
			}
		}
		sum := m * (m - 1) / 2
		sq := (m - 1) * m * (2*m - 1) / 6
		if den := m*sq - sum*sum; den != 0 {
			cs.Correlation = (m*xy - sum*sum) / den
		}
	}
	return cs
}

// orderable: the type has a default btree operator class.
func orderable(t types.T, cat catalog.Reader) bool {
	if cat == nil {
		return t.Class == types.ClassBase && t.OID != types.JSON && t.OID != types.JSONBOID
	}
	return cat.DefaultOpClass("btree", t.OID) != nil && t.OID != types.JSONBOID
}

// valueWidth is about what PostgreSQL stores for a value.
func valueWidth(t types.T, v types.Datum) float64 {
	switch x := v.(type) {
	case bool, byte:
		return 1
	case int16:
		return 2
	case int32, float32, types.Date, types.OID:
		return 4
	case int64, float64, uint64, types.Timestamp, types.Time:
		return 8
	case types.TimeTZ:
		return 12
	case types.Interval, types.UUID:
		return 16
	case string:
		if t.OID == types.Name {
			return 64
		}
		return float64(len(x) + varlenaHeader(len(x)))
	case []byte:
		return float64(len(x) + varlenaHeader(len(x)))
	case types.Numeric:
		digits := 1
		if u, _, ok := x.Int64(); ok {
			digits = int(math.Log10(math.Abs(float64(u))+1)) + 1
		} else {
			digits = 20
		}
		return float64(3 + 2*((digits+3)/4))
	}
	n := len(types.AppendDatum(t, nil, v))
	return float64(n + varlenaHeader(n))
}

// varlenaHeader is the length word of a variable-length value.
func varlenaHeader(n int) int {
	if n < 127 {
		return 1
	}
	return 4
}
