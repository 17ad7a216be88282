package plan

import (
	"cmp"
	"math"
	"slices"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/types"
)

// SegmentColumn is what one column segment of a table knows of a column since it was
// written: enough to plan with before the table is analysed for the first time.
type SegmentColumn struct {
	Rows, Nulls float64
	Distinct    float64 // estimate, of the values in this segment
	Bytes       float64 // of all values
	Min, Max    types.Datum
}

// segmentStats are statistics of a column of a table that was never analysed, put
// together from its segments; nil when they say nothing.
func (p *planner) segmentStats(table types.OID, att int, t types.T) *catalog.ColumnStats {
	if p.opts.SegmentColumns == nil || table < types.FirstNormalOID {
		return nil
	}
	r, err := p.cat.Relation(p.ctx, table)
	p.check(err)
	if r == nil || r.Storage == nil {
		return nil
	}
	return combineSegments(p.opts.SegmentColumns(r.Storage.StorageId, att, t), t)
}

// combineSegments adds segments up. Rows that are in no segment are taken to be like those that are.
//
// The distinct values are the hard part: those of two segments may be the same or not. The ranges between
// the segments' least and greatest values tell: segments side by side have none in common, layers of them over
// each other are taken for samples of the same values. When n rows of a layer have d values, drawn evenly from D,
// then D·(1 − e^(−n/D)) = d; and l layers of them have D·(1 − e^(−n·l/D)).
func combineSegments(segs []SegmentColumn, t types.T) *catalog.ColumnStats {
	var rows, nulls, bytes, sum, most float64
	for _, g := range segs {
		rows, nulls, bytes, sum, most = rows+g.Rows, nulls+g.Nulls, bytes+g.Bytes, sum+g.Distinct, math.Max(most, g.Distinct)
	}
	if rows == 0 {
		return nil
	}
	cs := &catalog.ColumnStats{NullFrac: nulls / rows}
	values := rows - nulls
	if values <= 0 {
		return cs
	}
	cs.AvgWidth = bytes / values
	ranges := valueRanges(segs, t)
	layers := float64(len(segs))
	if len(ranges) > 0 {
		layers = overlap(ranges)
	}
	n, d := values/float64(len(segs)), sum/float64(len(segs))
	from := drawnFrom(n, d)
	distinct := from * -math.Expm1(-n*layers/from) * float64(len(segs)) / layers
	distinct = math.Min(math.Max(distinct, most), math.Min(sum, values))
	if steps, ok := stepsBetween(ranges, t); ok {
		distinct = math.Min(distinct, steps)
	}
	if cs.Distinct = math.Max(distinct, 1); distinct > 0.1*values { // as ANALYZE: it grows with the table
		cs.Distinct = -distinct / rows
	}
	if len(ranges) == len(segs) {
		cs.Histogram = rangeBounds(ranges, layers)
	}
	return cs
}

// drawnFrom is from how many values n draws take d different ones.
func drawnFrom(n, d float64) float64 {
	const most = 1e15
	if d >= n || d <= 0 {
		return most
	}
	lo, hi := d, most // e^(-n/D) keeps too few digits beyond
	for hi > lo*1.001 {
		if m := math.Sqrt(lo * hi); m*-math.Expm1(-n/m) < d {
			lo = m
		} else {
			hi = m
		}
	}
	return hi
}

// valueRange is the values of a segment, and where they lie on a line.
type valueRange struct {
	min, max types.Datum
	lo, hi   float64
}

// valueRanges are the ranges of the segments that have one on a line that goes by the type's order.
func valueRanges(segs []SegmentColumn, t types.T) []valueRange {
	if t.Class != types.ClassBase {
		return nil
	}
	var out []valueRange
	for _, g := range segs {
		lo, ok1 := scalarOf(g.Min)
		hi, ok2 := scalarOf(g.Max)
		if ok1 && ok2 && lo <= hi {
			out = append(out, valueRange{g.Min, g.Max, lo, hi})
		}
	}
	slices.SortFunc(out, func(a, b valueRange) int {
		return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(a.hi, b.hi))
	})
	return out
}

// overlap is how many of some ranges lie over each other, on average over what they cover.
func overlap(ranges []valueRange) float64 {
	var sum, covered float64
	end := math.Inf(-1)
	for _, r := range ranges {
		sum += r.hi - r.lo
		if r.hi > end {
			covered += r.hi - math.Max(r.lo, end)
			end = r.hi
		}
	}
	if covered <= 0 { // single values
		if ranges[0].lo == end {
			return float64(len(ranges))
		}
		return 1
	}
	return math.Min(math.Max(sum/covered, 1), float64(len(ranges)))
}

// stepsBetween is how many values of a discrete type there can be.
func stepsBetween(ranges []valueRange, t types.T) (float64, bool) {
	step := 1.0
	switch t.OID {
	case types.Int2, types.Int4, types.Int8, types.Bool:
	case types.DateOID:
		step = 86400e6
	default:
		return 0, false
	}
	if len(ranges) == 0 {
		return 0, false
	}
	return (highest(ranges).hi-ranges[0].lo)/step + 1, true
}

func highest(ranges []valueRange) valueRange {
	return slices.MaxFunc(ranges, func(a, b valueRange) int { return cmp.Compare(a.hi, b.hi) })
}

// rangeBounds are a histogram's bounds: the least and the greatest value, and those between segments of
// about as many rows each that lie side by side.
func rangeBounds(ranges []valueRange, layers float64) []types.Datum {
	last := highest(ranges)
	if ranges[0].lo == last.hi {
		return nil
	}
	if layers > 1.5 {
		return []types.Datum{ranges[0].min, last.max}
	}
	var out []types.Datum
	for i, r := range ranges {
		if i == 0 || r.lo > ranges[i-1].lo {
			out = append(out, r.min)
		}
	}
	return append(out, last.max)
}
