package txn

import (
	"encoding/binary"
	"testing"
)

// TestPredicatesShown: what one transaction has read of a storage is shown key by key while the keys are few,
// and as a whole beyond that.
func TestPredicatesShown(t *testing.T) {
	for _, c := range []struct {
		keys, shown int
		whole       bool
	}{{1, 1, false}, {shownKeysMax, shownKeysMax, false}, {shownKeysMax + 1, 1, true}} {
		var s serializable
		s.init()
		x := s.begin(7, Options{ProcessID: 3}, func() Timestamp { return 1 })
		for k := range c.keys {
			key := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint16(nil, 1), 42)
			if err := s.read(x, append(key, byte(k)), nil); err != nil {
				t.Fatal(err)
			}
		}
		out := s.predicates()
		if len(out) != c.shown {
			t.Errorf("%d keys: %d locks, want %d", c.keys, len(out), c.shown)
		}
		for _, l := range out {
			if l.Storage != 42 || l.Key == c.whole || l.Holder != 7 || l.ProcessID != 3 || l.Mode != "SIReadLock" {
				t.Errorf("%d keys: %+v", c.keys, l)
			}
		}
	}
}
