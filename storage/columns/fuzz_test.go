package columns

import (
	"bytes"
	"testing"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// FuzzRecord: a record of the directory is read as it was written, or refused.
func FuzzRecord(f *testing.F) {
	key := recordKey(7)
	r := record{number: 7, kind: kindMerged, hasFile: true, ts: 5, lower: []byte("a"), upper: []byte("b"), rows: 3, bytes: 400, first: []byte("aa"), last: []byte("ab"),
		cols: []ColumnStats{{Attnum: 1, Nulls: 2, Distinct: 3, Width: 40, Min: []byte{1}, Max: []byte{2}}, {Attnum: 2}}}
	f.Add(r.encode())
	r = record{number: 7, kind: kindLoose, hasFile: true}
	f.Add(r.encode())
	r = record{number: 7, kind: kindPrepared, hasFile: true, rows: 3, first: []byte("aa"), last: []byte("ab")}
	f.Add(r.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(key, b)
		if err != nil {
			if !pgerror.Is(err, pgerror.DataCorrupted) && !pgerror.Is(err, pgerror.FeatureNotSupported) {
				t.Fatal(err)
			}
			return
		}
		again, err := decodeRecord(key, r.encode())
		if err != nil || !bytes.Equal(again.encode(), r.encode()) {
			t.Fatalf("%+v is not read again: %v", r, err)
		}
	})
}
