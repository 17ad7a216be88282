package segment

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/types"
)

var rewrite = flag.Bool("rewrite", false, "write testdata anew")

// TestDescribe prints a file with a column of every form. It also holds the format
// still: another file is another output.
func TestDescribe(t *testing.T) {
	const n = 600
	m := &model{}
	add := func(oid types.OID, value func(i int) types.Datum) {
		m.cols = append(m.cols, Column{Attnum: len(m.cols) + 1, Type: types.Of(oid)})
		vals := make([]types.Datum, n)
		for i := range vals {
			vals[i] = value(i)
		}
		m.rows = append(m.rows, vals)
	}
	r := rand.New(rand.NewPCG(1, 1))
	add(types.Int4, func(i int) types.Datum { return int32(i) })
	add(types.Int8, func(i int) types.Datum { return int64(7) })
	add(types.Int4, func(i int) types.Datum { return int32(r.IntN(1000)) })
	add(types.Int8, func(i int) types.Datum { return int64(i / 100 * 1000) })
	add(types.Int8, func(i int) types.Datum { return []int64{1, 1 << 40, -1 << 50}[r.IntN(3)] })
	add(types.Int4, func(i int) types.Datum { return []int32{int32(r.IntN(8)), 1 << 30}[b2i(i%97 == 5)] })
	add(types.NumericOID, func(i int) types.Datum { return types.NumericFromInt64(int64(r.IntN(100000)), 2) })
	add(types.NumericOID, func(i int) types.Datum { return types.NumericFromInt64(int64(i), int32(i%2)) })
	add(types.Text, func(i int) types.Datum {
		if i%10 == 0 {
			return nil
		}
		return []string{"red", "green", "blue"}[r.IntN(3)]
	})
	add(types.Text, func(i int) types.Datum { return fmt.Sprintf("order number %d %s", i*i, words[:20+r.IntN(60)]) })
	add(types.Bool, func(i int) types.Datum { return i%3 == 0 })
	add(types.Float8, func(i int) types.Datum { return float64(i) / 3 })
	add(types.UUIDOID, func(i int) types.Datum { return types.UUID{1, 2, 3} })
	add(types.DateOID, func(i int) types.Datum { return nil })
	for i := range n {
		m.keys = append(m.keys, []byte{1, 0x80, 0, byte(i >> 8), byte(i)})
	}
	fs := vfs.NewMem()
	m.write(t, rand.New(rand.NewPCG(1, 1)), fs, "x.seg", WriterOptions{BlockRows: 256})
	f, err := Open(fs, "x.seg", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out bytes.Buffer
	if err := f.Describe(context.Background(), &out); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/describe.txt"
	if *rewrite {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != string(want) {
		g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
		for i := range min(len(g), len(w)) {
			if g[i] != w[i] {
				t.Fatalf("line %d is\n%s\nwant\n%s", i+1, g[i], w[i])
			}
		}
		t.Fatalf("%d lines, want %d", len(g), len(w))
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
