package vexec

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// sharedFrames computes an aggregate where all rows of a partition have one frame, as without ORDER BY: partitions are
// groups, and all values are made at once. nil where frames differ or the aggregate is none of these.
func (c *windowCall) sharedFrames(w *worker, r *windowRows, f *frames, before []int32, args []arrow.Array) (arrow.Array, error) {
	n := r.b.N
	if n == 0 || f.exclude != planpb.WindowFrame_NO_OTHERS || c.agg.kind == aggGeneral || c.agg.collect || c.agg.distinct || c.agg.final ||
		c.result.OID != types.NumericOID && kernel.Width(types.ArrowType(c.result)) == 0 {
		return nil, nil
	}
	home, groups := make([]int32, before[n]), make([]int32, n) // the group of each argument row, and of each row
	count, given := int32(0), 0
	for i := range n {
		first := r.partStart[i]
		if f.start[i] != first || f.end[i] != f.end[first] {
			return nil, nil
		}
		if int32(i) == first {
			for j := before[first]; j < before[f.end[i]]; j++ {
				home[j] = count
				given++
			}
			count++
		}
		groups[i] = count - 1
	}
	if given != len(home) {
		return nil, nil
	}
	acc := c.agg.newAccumulator(w)
	acc.resize(int(count))
	meter := expr.NewMeter(w.frame.Ctx, n)
	if err := meter.Add(int(acc.bytes())); err != nil {
		return nil, err
	}
	if err := acc.add(home, args); err != nil {
		return nil, err
	}
	v, err := acc.result(0, int(count))
	if err != nil {
		return nil, err
	}
	return kernel.Take(v, groups), nil
}
