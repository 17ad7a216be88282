package planpb

import "testing"

// TestFinerSets: what a grouping set is combined from must exist, have its keys and not be made of it.
func TestFinerSets(t *testing.T) {
	set := func(finer uint32, keys ...uint32) *GroupingSet { return &GroupingSet{Keys: keys, Finer: finer} }
	for _, c := range []struct {
		name string
		ok   bool
		sets []*GroupingSet
	}{
		{"rollup", true, []*GroupingSet{set(0, 0, 1), set(1, 1), set(2)}},
		{"finest last", true, []*GroupingSet{set(2), set(3, 1), set(0, 1, 0)}},
		{"equal", true, []*GroupingSet{set(0, 0), set(1, 0)}},
		{"missing", false, []*GroupingSet{set(0, 0, 1), set(3, 1)}},
		{"without the key", false, []*GroupingSet{set(0, 0), set(1, 1)}},
		{"itself", false, []*GroupingSet{set(1, 0)}},
		{"circle", false, []*GroupingSet{set(2, 0), set(1, 0)}},
	} {
		if err := finerSets(c.sets); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
