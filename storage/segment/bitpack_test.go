package segment

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/basaltdb/basalt/internal/simd"
)

// widths are all that streams have.
func widths() []uint {
	var ws []uint
	for w := uint(0); w <= 56; w++ {
		ws = append(ws, w)
	}
	return append(ws, 64)
}

func packRandom(rnd *rand.Rand, n int, w uint) ([]uint64, []byte) {
	vals := make([]uint64, n)
	for i := range vals {
		if w > 0 {
			vals[i] = rnd.Uint64() >> (64 - w)
		}
	}
	p := appendPacked(nil, vals, w)
	return vals, append(p, make([]byte, wordSlack)...)
}

func TestBitPacking(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, w := range widths() {
		for _, n := range []int{1, 7, 8, 9, 63, 64, 65, 1000, 4096} {
			vals, p := packRandom(rnd, n, w)
			if got := len(p) - wordSlack; got != packedLen(n, w) {
				t.Fatalf("width %d: %d values take %d bytes, packedLen says %d", w, n, got, packedLen(n, w))
			}
			at := unsafe.Pointer(&p[0])
			checkUnpack[uint64](t, vals, at, w)
			checkUnpack[uint32](t, vals, at, w)
			checkUnpack[uint16](t, vals, at, w)
			checkUnpack[uint8](t, vals, at, w)
		}
	}
}

func checkUnpack[T simd.Word](t *testing.T, vals []uint64, p unsafe.Pointer, w uint) {
	t.Helper()
	const base = 77
	out := make([]T, len(vals))
	simd.Unpack(out, p, w, base)
	var sel []int32
	for i, v := range vals {
		if out[i] != T(v)+base {
			t.Fatalf("width %d: value %d of %d is %d, want %d", w, i, len(vals), out[i], T(v)+base)
		}
		if got := packedAt(p, w, i); got != v {
			t.Fatalf("width %d: packedAt(%d) is %d, want %d", w, i, got, v)
		}
		if i%3 == 0 {
			sel = append(sel, int32(i))
		}
	}
	picked := make([]T, len(sel))
	unpackAt(picked, p, w, base, sel)
	for k, i := range sel {
		if picked[k] != T(vals[i])+base {
			t.Fatalf("width %d: selected value %d is %d, want %d", w, i, picked[k], T(vals[i])+base)
		}
	}
}

func TestPackWidth(t *testing.T) {
	for w := range 65 {
		v := uint64(0)
		if w > 0 {
			v = 1 << (w - 1)
		}
		if bits.Len64(v) != w || int(packWidth(v)) < w {
			t.Fatalf("packWidth(%d) is %d", v, packWidth(v))
		}
	}
}

// runs encodes n values in runs of one to longest.
func runs(t testing.TB, rnd *rand.Rand, n, longest int) (vals []uint64, s ints) {
	for v := uint64(1000); len(vals) < n; v += 1 + rnd.Uint64N(8) {
		for range min(1+rnd.IntN(longest), n-len(vals)) {
			vals = append(vals, v)
		}
	}
	p := append(new(intEncoder).append(nil, vals), make([]byte, wordSlack)...)
	s, _, err := parseInts(p, n)
	if err != nil {
		t.Fatal(err)
	}
	if s.kind != intsRuns {
		t.Fatalf("%d values in runs of up to %d are of kind %d", n, longest, s.kind)
	}
	return vals, s
}

// TestRuns decodes runs of all lengths, up to the last value and not beyond.
func TestRuns(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, longest := range []int{7, 9, 40} {
		for _, n := range []int{4087, 4089, 4096} {
			want, s := runs(t, rnd, n, longest)
			wide, narrow := make([]uint64, n+shortRun), make([]uint32, n+shortRun)
			decodeInts(&s, wide[:n])
			decodeInts(&s, narrow[:n])
			for i, v := range want {
				if wide[i] != v || narrow[i] != uint32(v) {
					t.Fatalf("value %d of %d is %d and %d, want %d", i, n, wide[i], narrow[i], v)
				}
			}
			for i := n; i < len(wide); i++ {
				if wide[i] != 0 || narrow[i] != 0 {
					t.Fatalf("%d values: wrote behind them", n)
				}
			}
		}
	}
}

// BenchmarkRuns decodes 4096 values in runs of one to so many.
func BenchmarkRuns(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, longest := range []int{7, 40} {
		vals, s := runs(b, rnd, 4096, longest)
		b.Run(fmt.Sprint(longest), func(b *testing.B) {
			out := make([]uint64, len(vals))
			for b.Loop() {
				decodeInts(&s, out)
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/float64(len(vals)), "ns/value")
		})
	}
}
