package vexec

import (
	"github.com/apache/arrow/go/v17/arrow"
	"google.golang.org/protobuf/proto"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// sum(x) and avg(x) of the same numeric x, and calls that stand twice, need one state:
// the first of them keeps it, the others only read results from it.

// shareStates gives for each call the earlier one whose state serves it, −1: none.
func shareStates(calls []*aggCall, pb []*planpb.AggCall) []int {
	out := make([]int, len(calls))
	for i := range calls {
		out[i] = -1
		if !shareable(calls[i]) {
			continue
		}
		for k := range i {
			if out[k] < 0 && shareable(calls[k]) && sameFamily(calls[k].kind, calls[i].kind) && sameInput(pb[k], pb[i]) {
				out[i] = k
				break
			}
		}
	}
	return out
}

func shareable(c *aggCall) bool {
	return !c.distinct && !c.collect && !c.final && (c.kind == aggCountStar || numericSum(c.kind))
}

func numericSum(k aggKind) bool {
	return k == aggSumNumeric || k == aggAvgInt || k == aggAvgNumeric
}

// sameFamily: both keep the same state.
func sameFamily(a, b aggKind) bool { return a == b || numericSum(a) && numericSum(b) }

func sameInput(a, b *planpb.AggCall) bool {
	if len(a.GetArgs()) != len(b.GetArgs()) || !proto.Equal(a.GetFilter(), b.GetFilter()) {
		return false
	}
	for i, x := range a.GetArgs() {
		if !proto.Equal(x, b.GetArgs()[i]) {
			return false
		}
	}
	return true
}

// sharedAcc reads from another call's accumulator.
type sharedAcc struct {
	of  accumulator
	avg bool // of sums
}

func (s *sharedAcc) resize(int)                                {}
func (s *sharedAcc) add([]int32, []arrow.Array) error          { return nil }
func (s *sharedAcc) merge(accumulator, []int32, []int32) error { return nil }
func (s *sharedAcc) bytes() int64                              { return 0 }
func (s *sharedAcc) state(dst []byte, g int) ([]byte, error)   { return s.of.(statefulAcc).state(dst, g) }
func (s *sharedAcc) absorb(int32, *stateReader) error {
	return pgerror.Internal("a shared state takes no states in")
}

func (s *sharedAcc) result(lo, hi int) (arrow.Array, error) {
	if n, ok := s.of.(*sumNumericAcc); ok {
		was := n.avg
		n.avg = s.avg
		defer func() { n.avg = was }()
	}
	return s.of.result(lo, hi)
}
