package session

import "testing"

// TestGenerations: a cache keeps what is used, and no more than two generations' bytes.
func TestGenerations(t *testing.T) {
	var g generations[int, int]
	g.put(-1, 1, 10)
	for i := range 10 * cacheEntriesMax {
		g.put(i, i, 10)
		if _, ok := g.get(-1); !ok {
			t.Fatalf("an entry in use is gone after %d others", i)
		}
	}
	if n := len(g.young) + len(g.old); n > 2*cacheEntriesMax {
		t.Errorf("%d entries", n)
	}
	for i := range 200 {
		g.put(i+1<<20, i, cacheBytesMax/8)
		g.put(i+1<<20, i, cacheBytesMax/8) // again: counts once
		if i > 20 && len(g.young) > 8 || g.bytes > cacheBytesMax {
			t.Fatalf("%d entries of %d bytes", len(g.young), g.bytes)
		}
	}
	if n := len(g.young) + len(g.old); n > 16 || n < 8 {
		t.Errorf("%d entries of an eighth of the bound", n)
	}
	g.put(5, 5, 2*cacheBytesMax)
	if v, ok := g.get(5); !ok || v != 5 {
		t.Error("one larger than the bound is not kept for its next use")
	}
}
