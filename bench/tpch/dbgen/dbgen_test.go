package dbgen

import (
	"crypto/md5"
	"encoding/hex"
	"testing"
)

// TestChecksums holds the generator against the md5 of the files dbgen 2.14.0 writes.
func TestChecksums(t *testing.T) {
	sums := map[float64]map[Table]string{
		0.01: {
			Region: "c235841b00d29ad4f817771fcc851207", Nation: "2f588e0b7fa72939b498c2abecd9fbbe",
			Part: "9cce16188c241c25617ca5ed6191e37e", Supplier: "56e0621c472064c2a998757c70b44043",
			PartSupp: "c6889c3ed0939ca02475f7fb410cbb50", Customer: "a8aa97edad6d47b183a569759fbd3eec",
			Orders: "c8d2008fb47f47f9e56543d4cb0f4e6a", Lineitem: "4c6d44350a1f7974f56f5d3d7091c2be",
		},
		0.1: {
			Part: "3f5dc86fbedff28bf1a88bea8341aa6f", Supplier: "85f567a75bd806f3ccff89341866ab1c",
			PartSupp: "e3bd40ee500c9cc88fd14a4dc904c09e", Customer: "8f279b30fee7203e32886be01efd823b",
			Orders: "2520d48234df183e47c57027a52007ee", Lineitem: "dec17abbc566d431f5808c5c9f81b8a5",
		},
	}
	for sf, tables := range sums {
		for table, want := range tables {
			h := md5.New()
			g := NewGenerator(table, sf, 0, Units(table, sf))
			var buf []byte
			for ok := true; ok; {
				if buf, ok = g.Append(buf[:0]); ok {
					h.Write(buf)
				}
			}
			if got := hex.EncodeToString(h.Sum(nil)); got != want {
				t.Errorf("%s at SF %v: md5 %s, want %s", table, sf, got, want)
			}
		}
	}
}

// TestRanges: units generated in pieces are those generated in one go.
func TestRanges(t *testing.T) {
	for _, table := range Tables {
		n := min(Units(table, 0.01), 50)
		var whole, pieces []byte
		collect := func(dst []byte, from, to int64) []byte {
			g := NewGenerator(table, 0.01, from, to)
			for ok := true; ok; {
				dst, ok = g.Append(dst)
			}
			return dst
		}
		whole = collect(whole, 0, n)
		for from := int64(0); from < n; from += 7 {
			pieces = collect(pieces, from, min(from+7, n))
		}
		if string(whole) != string(pieces) {
			t.Errorf("%s: pieces differ from the whole", table)
		}
	}
}
