package columns

import (
	"fmt"
	"testing"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// TestChunkColumns: strings with few different values come dictionary-coded, as from segments, and
// with their dictionary accounted; others plain. They are decoded once.
func TestChunkColumns(t *testing.T) {
	cols := []rowcodec.Column{{Attnum: 1, T: types.Of(types.Text)}, {Attnum: 2, T: types.Of(types.Text)}}
	enc, err := rowcodec.NewEncoder(cols)
	if err != nil {
		t.Fatal(err)
	}
	c := &chunkStore{}
	const n = 100
	fill := func(to *chunkStore, from, n int) {
		for i := from; i < from+n; i++ {
			row, err := enc.AppendDatums(nil, []types.Datum{fmt.Sprint("few ", i%3), fmt.Sprint("many ", i)})
			if err != nil {
				t.Fatal(err)
			}
			to.append(row)
		}
	}
	fill(c, 0, n)
	got, err := c.columns(cols, n)
	if err != nil {
		t.Fatal(err)
	}
	if !kernel.IsCoded(got[0]) || kernel.IsCoded(got[1]) {
		t.Errorf("coded: %v, %v", kernel.IsCoded(got[0]), kernel.IsCoded(got[1]))
	}
	if size, words := vectorBytes(got[0]), dataBytes(kernel.DictionaryID(got[0])); size != dataBytes(got[0].Data())+words || words == 0 {
		t.Errorf("accounted: %d bytes, of them %d of the dictionary", size, words)
	}
	few, many := kernel.Strings(kernel.Flatten(got[0])), kernel.Strings(got[1])
	for i := range n {
		if a, b := string(few.At(i)), string(many.At(i)); a != fmt.Sprint("few ", i%3) || b != fmt.Sprint("many ", i) {
			t.Errorf("row %d: %q, %q", i, a, b)
		}
	}
	again, err := c.columns(cols, n)
	if err != nil || again[0] != got[0] || again[1] != got[1] {
		t.Errorf("decoded again: %v", err)
	}
	more := &chunkStore{}
	fill(more, n, 10)
	c.add(more)
	if got, err = c.columns(cols, n+10); err != nil {
		t.Fatal(err)
	}
	if kernel.DictionaryID(got[0]) != kernel.DictionaryID(again[0]) || kernel.IsCoded(got[1]) {
		t.Error("with more rows of the same values the dictionary is another")
	}
	if x := kernel.Strings(kernel.Flatten(got[0])); string(x.At(n+9)) != fmt.Sprint("few ", (n+9)%3) {
		t.Errorf("the last row has %q", x.At(n+9))
	}
}
