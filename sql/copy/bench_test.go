package copy

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/basaltdb/basalt/sql/types"
)

// BenchmarkLines parses rows like those of TPC-H's lineitem, on all processors.
func BenchmarkLines(b *testing.B) {
	dec, char := types.WithMod(types.NumericOID, 15<<16|2+4), func(n int32) types.T { return types.WithMod(types.BPChar, n+4) }
	t := Target{Table: "lineitem", Types: []types.T{types.Of(types.Int8), types.Of(types.Int4), types.Of(types.Int4), types.Of(types.Int4),
		dec, dec, dec, dec, char(1), char(1), types.Of(types.DateOID), types.Of(types.DateOID), types.Of(types.DateOID), char(25), char(10),
		types.WithMod(types.VarChar, 44+4)}}
	for i := range t.Types {
		t.Names = append(t.Names, fmt.Sprintf("c%d", i))
	}
	var in bytes.Buffer
	const rows = 100000
	for i := range rows {
		fmt.Fprintf(&in, "%d|155190|7706|%d|17|21168.23|0.04|0.02|N|O|1996-03-13|1996-02-12|1996-03-22|DELIVER IN PERSON|TRUCK|egular courts above the\n", i/4*8, i%4)
	}
	delim := "|"
	o := Options{From: true, Delimiter: &delim}
	if err := o.Check(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(in.Len()))
	for b.Loop() {
		r := NewReader(bytes.NewReader(in.Bytes()), &o, t, types.DefaultEnv())
		n := 0
		for {
			x, err := r.Next()
			if err != nil {
				b.Fatal(err)
			}
			if x == nil {
				break
			}
			n += x.N
		}
		r.Close()
		if n != rows {
			b.Fatal(n)
		}
	}
}
