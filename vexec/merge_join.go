package vexec

import "github.com/basaltdb/basalt/vexec/planpb"

// newMergeJoin joins sorted inputs. The output has the left input's order, which
// a hash join that stays in memory gives as well: the join is run as one, and
// never partitions its inputs, since that would lose the order.
func newMergeJoin(w *worker, p *planpb.Plan, m *planpb.MergeJoin) (operator, error) {
	op, err := newHashJoin(w, p, &planpb.HashJoin{Type: m.GetType(), Left: m.GetLeft(), Right: m.GetRight(),
		LeftKeys: m.GetLeftKeys(), RightKeys: m.GetRightKeys(), Residual: m.GetResidual()})
	if err != nil {
		return nil, err
	}
	op.(*hashJoinOp).level = graceLevelsMax
	return op, nil
}
