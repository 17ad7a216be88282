package txn

import (
	"bytes"
	"testing"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// FuzzIntent: a chunk of stored intents is read as it was written, or refused.
func FuzzIntent(f *testing.F) {
	b := appendIntent(nil, []byte("key"), []byte("value"), false, true)
	f.Add(appendIntent(b, []byte("other"), nil, true, false))
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		for rest := b; len(rest) > 0; {
			key, value, del, overwrites, next, err := readIntent(rest)
			if err != nil {
				if !pgerror.Is(err, pgerror.DataCorrupted) {
					t.Fatal(err)
				}
				return
			}
			if len(next) >= len(rest) {
				t.Fatalf("%x: nothing is read", rest)
			}
			again, rest = appendIntent(again, key, value, del, overwrites), next
		}
		// Lengths may have been written longer than they need be; what is read is the same.
		for rest, second := b, again; len(rest) > 0; {
			k1, v1, d1, o1, n1, _ := readIntent(rest)
			k2, v2, d2, o2, n2, err := readIntent(second)
			if err != nil || !bytes.Equal(k1, k2) || !bytes.Equal(v1, v2) || d1 != d2 || o1 != o2 {
				t.Fatalf("%x is read as something else", second)
			}
			rest, second = n1, n2
		}
	})
}

// FuzzIntentHeader: a header of stored intents is read as it was written, or refused.
func FuzzIntentHeader(f *testing.F) {
	f.Add((&intentHeader{record: 1, gateway: 2, chunks: 3, isolation: Serializable}).encode())
	f.Add((&intentHeader{record: 1, gateway: 2, chunks: 3, held: true, lockChunks: 4, implicit: true}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeIntentHeader(b)
		if err != nil {
			if !pgerror.Is(err, pgerror.DataCorrupted) && !pgerror.Is(err, pgerror.FeatureNotSupported) {
				t.Fatal(err)
			}
			return
		}
		if again := h.encode(); !bytes.Equal(again, b) {
			t.Fatalf("%x is written as %x", b, again)
		}
	})
}
