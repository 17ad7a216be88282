package storage

import (
	"bytes"
	"testing"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// FuzzPlacement: a stored placement is read as it was written, or refused; one that is
// read gives every slot one tablet.
func FuzzPlacement(f *testing.F) {
	f.Add(encodePlacement(txn.LonePlacement(self)))
	f.Add(encodePlacement(txn.EvenPlacement(3, []txn.NodeID{1, 2}, 5)))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePlacement(b)
		if err != nil {
			if !pgerror.Is(err, pgerror.DataCorrupted) && !pgerror.Is(err, pgerror.FeatureNotSupported) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(encodePlacement(p), b) {
			t.Fatalf("%x is not written again", b)
		}
		next := txn.Slot(0)
		for _, tab := range p.Tablets {
			if tab.First != next || tab.End <= tab.First {
				t.Fatalf("slots of %+v", p.Tablets)
			}
			next = tab.End
		}
		if next != txn.Slots {
			t.Fatalf("slots end at %d", next)
		}
	})
}
