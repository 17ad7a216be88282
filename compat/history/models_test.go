package history

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestSums(t *testing.T) {
	if as := CheckSums([]Sum{{Total: 10}, {Total: 10}}, 10); as != nil {
		t.Error(as)
	}
	if as := CheckSums([]Sum{{Total: 10}, {Total: 9}}, 10); len(as) != 1 {
		t.Error(as)
	}
}

func TestForks(t *testing.T) {
	good := []SetRead{{Group: "a", Seen: []int64{2, 1}}, {Group: "a"}, {Group: "a", Seen: []int64{2}}, {Group: "b", Seen: []int64{1}}}
	if as := CheckForks(good); as != nil {
		t.Error(as)
	}
	if as := CheckForks(append(good, SetRead{Group: "a", Seen: []int64{1}})); len(as) != 1 {
		t.Error(as)
	}
}

func TestMonotonic(t *testing.T) {
	good := []CounterRead{{Key: "a", Value: 2, Start: 0, End: 10}, {Key: "a", Value: 1, Start: 9, End: 20}, {Key: "a", Value: 2, Start: 11, End: 12}, {Key: "b", Start: 30, End: 40}}
	if as := CheckMonotonic(good); as != nil {
		t.Error(as)
	}
	for session, name := range []string{"reads not monotonic", "not visible"} {
		if as := CheckMonotonic(append(good, CounterRead{Session: session, Key: "a", Value: 1, Start: 13, End: 14})); len(as) != 1 || as[0].Name != name {
			t.Error(name, as)
		}
	}
}

// TestLinearizable: registers whose operations happen at a moment inside their time are
// not blamed, unknown outcomes and failed compare-and-sets included; a stale read is.
func TestLinearizable(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var ops []RegisterOp
		state, now := int64(0), int64(0)
		for i := range int64(200) {
			now += 10
			o := RegisterOp{Session: int(i), Key: "x", Start: now - rng.Int64N(30), End: now + 1 + rng.Int64N(30), Kind: RegisterKind(rng.IntN(3)), Value: i + 1}
			happens := true
			if o.Kind != RegisterRead && rng.IntN(40) == 0 {
				o.Unknown, happens = true, rng.IntN(2) == 0
			}
			switch o.Kind {
			case RegisterRead:
				o.Value = state
			case RegisterWrite:
				if happens {
					state = o.Value
				}
			case RegisterCAS:
				if o.From = state; rng.IntN(3) == 0 {
					o.From = -1
				}
				if o.Done = o.From == state; o.Done && happens {
					state = o.Value
				}
			}
			ops = append(ops, o)
		}
		if as, undecided := CheckLinearizable(ops, time.Minute); as != nil || undecided > 0 {
			t.Fatalf("seed %d: %v, %d undecided", seed, as, undecided)
		}
		ops = append(ops, RegisterOp{Key: "x", Start: now + 100, End: now + 110, Kind: RegisterWrite, Value: 999}, RegisterOp{Key: "x", Start: now + 120, End: now + 130})
		if as, _ := CheckLinearizable(ops, time.Minute); len(as) != 1 {
			t.Fatalf("seed %d: a stale read is not found", seed)
		}
	}
}
