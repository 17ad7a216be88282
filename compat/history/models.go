package history

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// Sum is a read of a total that must always be the same (bank).
type Sum struct {
	Session    int
	Start, End int64
	Total      int64
	What       string
}

// CheckSums wants every total to be want.
func CheckSums(sums []Sum, want int64) []Anomaly {
	var out []Anomaly
	for _, s := range sums {
		if s.Total != want && len(out) < anomaliesMax {
			out = append(out, Anomaly{"wrong sum", fmt.Sprintf("session %d read %d instead of %d (%s, %.6fs-%.6fs)", s.Session, s.Total, want, s.What, float64(s.Start)/1e9, float64(s.End)/1e9)})
		}
	}
	return out
}

// SetRead is a read of a group of keys, each of which is written once (long fork).
type SetRead struct {
	Session    int
	Start, End int64
	// Group keeps sets apart, Seen are the members that were there.
	Group string
	Seen  []int64
}

// CheckForks wants the sets of a group to be a chain: each holds the ones before.
func CheckForks(reads []SetRead) []Anomaly {
	var out []Anomaly
	groups := map[string][]SetRead{}
	for _, r := range reads {
		r.Seen = slices.Clone(r.Seen)
		slices.Sort(r.Seen)
		groups[r.Group] = append(groups[r.Group], r)
	}
	for _, name := range sortedKeys(groups) {
		g := groups[name]
		slices.SortStableFunc(g, func(a, b SetRead) int { return len(a.Seen) - len(b.Seen) })
		for i := 1; i < len(g) && len(out) < anomaliesMax; i++ {
			if a, b := g[i-1], g[i]; !subset(a.Seen, b.Seen) {
				out = append(out, Anomaly{"long fork", fmt.Sprintf("of group %s session %d saw %v (%.6fs-%.6fs) and session %d saw %v (%.6fs-%.6fs)", name,
					a.Session, a.Seen, float64(a.Start)/1e9, float64(a.End)/1e9, b.Session, b.Seen, float64(b.Start)/1e9, float64(b.End)/1e9)})
			}
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// subset of ascending sets.
func subset(a, b []int64) bool {
	i := 0
	for _, v := range b {
		if i < len(a) && a[i] == v {
			i++
		}
	}
	return i == len(a)
}

// CounterRead is a read, or an increment with its result, of a counter that only grows.
type CounterRead struct {
	Session    int
	Start, End int64
	Key        string
	Value      int64
}

// CheckMonotonic wants that nobody reads less of a counter than was known to anybody
// before the read was sent: within a session (monotonic reads) and across (strict visibility).
func CheckMonotonic(reads []CounterRead) []Anomaly {
	var out []Anomaly
	keys := map[string][]CounterRead{}
	for _, r := range reads {
		keys[r.Key] = append(keys[r.Key], r)
	}
	for _, key := range sortedKeys(keys) {
		byStart := keys[key]
		byEnd := slices.Clone(byStart)
		slices.SortFunc(byStart, func(a, b CounterRead) int { return cmp.Compare(a.Start, b.Start) })
		slices.SortFunc(byEnd, func(a, b CounterRead) int { return cmp.Compare(a.End, b.End) })
		var most CounterRead
		ended := 0
		for _, r := range byStart {
			for ; ended < len(byEnd) && byEnd[ended].End < r.Start; ended++ {
				if byEnd[ended].Value >= most.Value {
					most = byEnd[ended]
				}
			}
			if r.Value < most.Value && len(out) < anomaliesMax {
				name := "not visible"
				if r.Session == most.Session {
					name = "reads not monotonic"
				}
				out = append(out, Anomaly{name, fmt.Sprintf("session %d read %d of %s (%.6fs-%.6fs), session %d had known %d at %.6fs", r.Session, r.Value, key,
					float64(r.Start)/1e9, float64(r.End)/1e9, most.Session, most.Value, float64(most.End)/1e9)})
			}
		}
	}
	return out
}

// RegisterOp is an operation on one register by one statement.
type RegisterOp struct {
	Session    int
	Key        string
	Start, End int64
	// Read gives Value; a write sets it; a compare-and-set sets Value where From was, and
	// Done tells whether it did.
	Kind        RegisterKind
	From, Value int64
	Done        bool
	// Unknown: no answer came. It may have happened at any time since Start, or not at all.
	Unknown bool
}

// RegisterKind is what a RegisterOp did.
type RegisterKind uint8

const (
	RegisterRead RegisterKind = iota
	RegisterWrite
	RegisterCAS
)

// registerModel is a register that begins as 0.
var registerModel = porcupine.Model{
	Init: func() any { return int64(0) },
	Step: func(state, input, _ any) (bool, any) {
		s, o := state.(int64), input.(RegisterOp)
		switch {
		case o.Kind == RegisterRead:
			return o.Unknown || s == o.Value, s
		case o.Kind == RegisterWrite:
			return true, o.Value
		case o.Unknown && s == o.From || o.Done && s == o.From:
			return true, o.Value
		case o.Unknown || !o.Done && s != o.From:
			return true, s
		}
		return false, s
	},
	DescribeOperation: func(input, _ any) string {
		o := input.(RegisterOp)
		switch o.Kind {
		case RegisterRead:
			return fmt.Sprintf("read %d", o.Value)
		case RegisterWrite:
			return fmt.Sprintf("write %d", o.Value)
		}
		return fmt.Sprintf("set %d to %d: %v", o.From, o.Value, o.Done)
	},
}

// CheckLinearizable wants the operations of each register to have an order that agrees
// with time. undecided are the keys it had not enough time for.
func CheckLinearizable(ops []RegisterOp, timeout time.Duration) (out []Anomaly, undecided int) {
	keys := map[string][]porcupine.Operation{}
	for _, o := range ops {
		if o.Unknown {
			if o.Kind == RegisterRead {
				continue
			}
			o.End = math.MaxInt64
		}
		keys[o.Key] = append(keys[o.Key], porcupine.Operation{ClientId: o.Session, Input: o, Call: o.Start, Output: nil, Return: o.End})
	}
	for _, key := range sortedKeys(keys) {
		switch porcupine.CheckOperationsTimeout(registerModel, keys[key], timeout) {
		case porcupine.Unknown:
			undecided++
		case porcupine.Illegal:
			if len(out) < anomaliesMax {
				out = append(out, Anomaly{"not linearizable", fmt.Sprintf("%s:%s", key, shortest(keys[key], timeout))})
			}
		}
	}
	return out, undecided
}

// shortest is the shortest beginning of a history that is not linearizable, its last
// operations in lines.
func shortest(ops []porcupine.Operation, timeout time.Duration) string {
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
	lo, hi := 0, len(ops)
	for lo < hi {
		mid := (lo + hi) / 2
		// What had not returned may have happened: it stays, without its result.
		part := slices.Clone(ops[:mid])
		for _, o := range ops[mid:] {
			if r := o.Input.(RegisterOp); mid > 0 && o.Call < ops[mid-1].Return && r.Kind != RegisterRead {
				r.Unknown, o.Input, o.Return = true, r, math.MaxInt64
				part = append(part, o)
			}
		}
		if porcupine.CheckOperationsTimeout(registerModel, part, timeout) == porcupine.Illegal {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	var text string
	for _, o := range ops[max(0, lo-shownOps):min(lo, len(ops))] {
		text += fmt.Sprintf("\n    session %d %s (%.6fs-%.6fs)", o.ClientId, registerModel.DescribeOperation(o.Input, nil), float64(o.Call)/1e9, float64(o.Return)/1e9)
	}
	return text
}

// shownOps is how many operations before the one that cannot be a report shows.
const shownOps = 10
