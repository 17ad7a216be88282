package txn

import (
	"encoding/binary"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/storage/engine"
)

// TestCounter: the durable bound covers every number that was handed out, and after a restart none comes again.
func TestCounter(t *testing.T) {
	fs := vfs.NewMem()
	last := uint64(0)
	for round := range 3 {
		eng, err := engine.Open("data", engine.Options{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		c, err := openCounter(eng, "numbers", 16)
		if err != nil {
			t.Fatal(err)
		}
		written := uint64(0)
		for i := range 2000 {
			if i%500 == 250 {
				if err := c.reserve(c.last + 100); err != nil {
					t.Fatal(err)
				}
			}
			n, err := c.next()
			if err != nil {
				t.Fatal(err)
			}
			if n <= last {
				t.Fatalf("round %d: %d after %d", round, n, last)
			}
			last = n
			v, ok, err := eng.LocalGet([]byte("numbers"))
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			b := binary.LittleEndian.Uint64(v)
			if b < n || b < written {
				t.Fatalf("round %d: bound %d at %d, was %d", round, b, n, written)
			}
			written = b
		}
		c.close()
		if err := eng.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
