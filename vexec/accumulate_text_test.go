package vexec

import (
	"bytes"
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	arrowmem "github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/basaltdb/basalt/vexec/kernel"
)

// TestMinMaxText holds minima and maxima of strings, of all lengths and some NULL, merged from two halves, against a
// naive fold; what is given up for better values takes no more memory than these.
func TestMinMaxText(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewSource(seed))
	const groups, rows = 7, 20000
	for _, max := range []bool{false, true} {
		want := make([][]byte, groups)
		halves := []*minMaxTextAcc{{max: max}, {max: max}}
		for _, h := range halves {
			h.resize(groups)
			b := array.NewStringBuilder(arrowmem.DefaultAllocator)
			var to []int32
			for range rows {
				g := rnd.Intn(groups - 1) // the last has none
				to = append(to, int32(g))
				switch rnd.Intn(20) {
				case 0:
					b.AppendNull()
					continue
				case 1:
					b.Append("")
					if want[g] == nil || !max {
						want[g] = []byte{}
					}
					continue
				}
				x := fmt.Appendf(nil, "%d%s", rnd.Intn(1000), bytes.Repeat([]byte("x"), rnd.Intn(200)))
				b.Append(string(x))
				if want[g] == nil || max && bytes.Compare(x, want[g]) > 0 || !max && bytes.Compare(x, want[g]) < 0 {
					want[g] = x
				}
			}
			if err := h.add(to, []arrow.Array{b.NewArray()}); err != nil {
				t.Fatal(err)
			}
		}
		all := make([]int32, groups)
		for i := range all {
			all[i] = int32(i)
		}
		if err := halves[0].merge(halves[1], nil, all); err != nil {
			t.Fatal(err)
		}
		got, err := halves[0].result(0, groups)
		if err != nil {
			t.Fatal(err)
		}
		for g, w := range want {
			if got.IsNull(g) != (w == nil) || w != nil && string(kernel.Strings(got).At(g)) != string(w) {
				t.Errorf("max %v, group %d: %q, want %q", max, g, got.ValueStr(g), w)
			}
		}
	}
	rising := &minMaxTextAcc{max: true}
	rising.resize(1)
	for i := range 100_000 {
		rising.one(0, bytes.Repeat([]byte("x"), i/100))
	}
	if n := rising.bytes(); n > 64<<10 {
		t.Errorf("%d bytes for a value of 1 kB", n)
	}
}
