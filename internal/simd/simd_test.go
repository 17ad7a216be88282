package simd

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"
)

// Every kernel is held, as it is called and as its plain twin alone, against what it is to do said row by row. Where
// the processor has vectors the first is their form; elsewhere both are the twin.

// guard is what stands behind results, where nothing may be written.
const guard = 0x5a

// guarded gives n elements with more behind them, and what says whether these are as they were.
func guarded[T any](n int, fill T, same func(T) bool) ([]T, func() bool) {
	all := make([]T, n+16)
	for i := range all {
		all[i] = fill
	}
	return all[:n:n], func() bool { return !slices.ContainsFunc(all[n:], func(v T) bool { return !same(v) }) }
}

func guardedInts[T Word | int32 | int64](n int) ([]T, func() bool) {
	return guarded(n, T(guard), func(v T) bool { return v == guard })
}

// rows are those of n for which f holds.
func rows(n int, f func(i int) bool) []int32 {
	out := []int32{}
	for i := range n {
		if f(i) {
			out = append(out, int32(i))
		}
	}
	return out
}

// checkList runs a kernel that lists rows.
func checkList(t *testing.T, what func() string, n int, want func(i int) bool, forms ...func(out []int32) int) {
	t.Helper()
	for k, f := range forms {
		out, intact := guardedInts[int32](n)
		m := f(out)
		if w := rows(n, want); !slices.Equal(out[:m], w) {
			t.Fatalf("%s, form %d: rows %v, want %v", what(), k, out[:m], w)
		}
		if !intact() {
			t.Fatalf("%s, form %d: wrote behind the list", what(), k)
		}
	}
}

// checkIntegers runs what is for 32 and for 64 bits on pairs of values.
func checkIntegers[T int32 | int64](t *testing.T, x, y []T) {
	t.Helper()
	n := len(x)
	name := func(what string, args ...any) func() string {
		return func() string { return fmt.Sprintf("%s%v of %v and %v", what, args, x, y) }
	}
	for _, invert := range []bool{false, true} {
		for i := range min(n, 8) { // constants that occur, those next to them, and sides exchanged
			for _, b := range [][2]T{{x[i], y[i]}, {y[i], x[i]}, {x[i], x[i]}, {y[i] + 1, x[i]}, {-1 << (8*unsafe.Sizeof(x[i]) - 1), x[i]}} {
				lo, hi := b[0], b[1]
				checkList(t, name("within", lo, hi, invert), n, func(i int) bool { return (lo <= x[i] && x[i] <= hi) != invert },
					func(out []int32) int { return SelectWithin(x, lo, hi, invert, out) },
					func(out []int32) int { return selectWithin(x, lo, hi, invert, out, 0, 0) })
			}
		}
		for _, r := range []Relation{Equal, Less} {
			holds := func(i int) bool {
				if r == Equal {
					return (x[i] == y[i]) != invert
				}
				return (x[i] < y[i]) != invert
			}
			checkList(t, name("pairs", r, invert), n, holds,
				func(out []int32) int { return SelectPairs(r, x, y, invert, out) },
				func(out []int32) int { return selectPairs(r, x, y, invert, out, 0, 0) })
			for k, f := range []func(out []byte){
				func(out []byte) { MarkPairs(r, x, y, invert, out) },
				func(out []byte) { markPairs(r, x, y, invert, out, 0) },
			} {
				all := make([]byte, (n+7)/8+16)
				f(all[: (n+7)/8 : (n+7)/8])
				for i := range 8 * len(all) {
					if got, want := all[i>>3]>>(i&7)&1 == 1, i < n && holds(i); got != want {
						t.Fatalf("%s, form %d: bit %d is %v", name("mark", r, invert)(), k, i, got)
					}
				}
			}
		}
	}
	if n > 0 {
		lo, hi := MinMax(x)
		plo, phi := minMax(x, x[0], x[0])
		if wlo, whi := slices.Min(x), slices.Max(x); lo != wlo || hi != whi || plo != wlo || phi != whi {
			t.Fatalf("%s: %d to %d, plain %d to %d, want %d to %d", name("min, max")(), lo, hi, plo, phi, wlo, whi)
		}
	}
}

func checkFloats(t *testing.T, x []float64, k float64) {
	t.Helper()
	for _, invert := range []bool{false, true} {
		for _, r := range []Relation{Equal, Less, LessEqual} {
			what := func() string { return fmt.Sprintf("floats %d %v %v of %v", r, k, invert, x) }
			checkList(t, what, len(x), func(i int) bool {
				return [...]bool{x[i] == k, x[i] < k, x[i] <= k}[r] != invert
			},
				func(out []int32) int { return SelectFloats(r, x, k, invert, out) },
				func(out []int32) int { return selectFloatsPlain(r, x, k, invert, out, 0, 0) })
		}
	}
}

// checkArithmetic holds results and overflow against arithmetic without limits.
func checkArithmetic(t *testing.T, x, y []int64) {
	t.Helper()
	limit := new(big.Int).Lsh(big.NewInt(1), 63)
	for _, op := range []struct {
		name          string
		called, plain func(out []int64) bool
		exact         func(z, a, b *big.Int) *big.Int
		lowest        int64 // −2^63 overflows where it is 1
	}{
		{"add", func(out []int64) bool { return Add(out, x, y) }, func(out []int64) bool { return addPlain(out, x, y, 0) }, (*big.Int).Add, 0},
		{"sub", func(out []int64) bool { return Sub(out, x, y) }, func(out []int64) bool { return subPlain(out, x, y, 0) }, (*big.Int).Sub, 0},
		{"mul", func(out []int64) bool { return Mul(out, x, y) }, func(out []int64) bool { return mulPlain(out, x, y, 0) }, (*big.Int).Mul, 1},
	} {
		fits := true
		want := make([]int64, len(x))
		for i := range x {
			z := op.exact(new(big.Int), big.NewInt(x[i]), big.NewInt(y[i]))
			fits = fits && z.Cmp(limit) < 0 && z.CmpAbs(new(big.Int).Sub(limit, big.NewInt(op.lowest))) <= 0
			want[i] = int64(new(big.Int).And(z, new(big.Int).SetUint64(math.MaxUint64)).Uint64())
		}
		for k, f := range []func(out []int64) bool{op.called, op.plain} {
			out, intact := guardedInts[int64](len(x))
			if ok := f(out); ok != fits {
				t.Fatalf("%s, form %d, of %v and %v: fits is %v", op.name, k, x, y, ok)
			}
			if fits && !slices.Equal(out, want) || !intact() {
				t.Fatalf("%s, form %d, of %v and %v: %v, want %v", op.name, k, x, y, out, want)
			}
		}
	}
}

// checkMembers asks for members of a set of values from lo to lo + span, of which those are in whose last bits say so.
func checkMembers[T int16 | int32 | int64](t *testing.T, x []T, lo int64, span uint64) {
	t.Helper()
	hi := lo + int64(span)
	set := make([]uint64, (span+1)/64+1)
	in := func(v int64) bool { return v%3 == 0 || v%64 == 63 || v == lo || v == hi }
	for k := uint64(0); k <= span; k++ {
		if in(lo + int64(k)) {
			set[k/64] |= 1 << (k % 64)
		}
	}
	what := func() string { return fmt.Sprintf("members from %d to %d of %v", lo, hi, x) }
	checkList(t, what, len(x), func(i int) bool { v := int64(x[i]); return lo <= v && v <= hi && in(v) },
		func(out []int32) int { return SelectMembers(x, set, lo, hi, out) },
		func(out []int32) int { return selectMembers(x, set, lo, hi, out, 0, 0) })
}

func TestMembers(t *testing.T) {
	rnd := seeded(t)
	for _, span := range []uint64{0, 1, 62, 63, 64, 200, 5000} {
		room := int64(span)
		for _, lo := range []int64{0, -7, -room, 1 << 20, math.MinInt32, math.MaxInt32 - room, math.MaxInt32 - room/2, math.MinInt32 - room/2, math.MinInt64, math.MaxInt64 - room} {
			for _, n := range []int{0, 1, 63, 64, 65, 127, 128, 130, 300} {
				x64, x32, x16 := make([]int64, n), make([]int32, n), make([]int16, n)
				for i := range x64 {
					v := lo + rnd.Int64N(room+20) - 10 // wraps round at the ends
					if rnd.IntN(8) == 0 {
						v = edges[rnd.IntN(len(edges))]
					}
					x64[i], x32[i], x16[i] = v, int32(v), int16(v)
				}
				checkMembers(t, x64, lo, span)
				checkMembers(t, x32, lo, span)
				checkMembers(t, x16, lo, span)
			}
		}
	}
}

// checkSums holds sums against those without limits.
func checkSums(t *testing.T, x []int64, x32 []int32) {
	t.Helper()
	wide, narrow := new(big.Int), int64(0)
	for i, v := range x {
		wide.Add(wide, big.NewInt(v))
		narrow += int64(x32[i])
	}
	for k, f := range []func() (int64, uint64){
		func() (int64, uint64) { return Sum64(x) },
		func() (int64, uint64) { return sum64Plain(x, 0, 0) },
	} {
		hi, lo := f()
		got := new(big.Int).Lsh(big.NewInt(hi), 64)
		if got.Add(got, new(big.Int).SetUint64(lo)); got.Cmp(wide) != 0 {
			t.Fatalf("sum, form %d, of %v: %v, want %v", k, x, got, wide)
		}
	}
	if got, plain := Sum32(x32), sum32Plain(x32, 0); got != narrow || plain != narrow {
		t.Fatalf("sum of %v: %d, plain %d, want %d", x32, got, plain, narrow)
	}
}

// checkHashes holds hashes, in place too, against the function's definition.
func checkHashes(t *testing.T, x []int64) {
	t.Helper()
	in, want := make([]uint64, len(x)), make([]uint64, len(x))
	for i, v := range x {
		h := uint64(v)
		in[i] = h
		h = (h ^ h>>32) * 0x9fb21c651e98df25
		h = (h ^ h>>29) * 0xd6e8feb86659fd93
		want[i] = h ^ h>>32
	}
	for k, f := range []func(out []uint64){
		func(out []uint64) { Hashes(out, in) },
		func(out []uint64) { hashesPlain(out, in, 0) },
		func(out []uint64) { copy(out, in); Hashes(out, out) },
	} {
		out, intact := guardedInts[uint64](len(x))
		f(out)
		if !slices.Equal(out, want) || !intact() {
			t.Fatalf("hashes, form %d, of %x: %x, want %x", k, in, out, want)
		}
	}
}

func checkAll(t *testing.T, x, y []int64) {
	t.Helper()
	checkIntegers(t, x, y)
	checkArithmetic(t, x, y)
	checkHashes(t, x)
	x32, y32, xf := make([]int32, len(x)), make([]int32, len(x)), make([]float64, len(x))
	n64, m64 := make([]int64, len(x)), make([]int64, len(x))
	for i := range x {
		x32[i], y32[i], xf[i] = int32(x[i]), int32(y[i]), math.Float64frombits(uint64(x[i]))
		n64[i], m64[i] = int64(x32[i]), int64(y32[i])
	}
	checkIntegers(t, x32, y32)
	checkSums(t, x, x32)
	checkArithmetic(t, n64, m64)
	for i := range min(len(x), 4) {
		checkFloats(t, xf, xf[i])
		checkFloats(t, xf, math.Float64frombits(uint64(y[i])))
	}
}

// edges are where comparisons, sums, products and floats change.
var edges = func() []int64 {
	out := []int64{0, 1, -1, 2, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1, math.MaxInt32, math.MinInt32,
		math.MaxInt32 + 1, math.MinInt32 - 1, 1 << 32, -1 << 32, 1<<32 - 1, 3037000499, 3037000500, 1 << 62, -1 << 62}
	for _, f := range []float64{math.NaN(), -math.NaN(), math.Copysign(0, -1), math.Inf(1), math.Inf(-1), 1.5, -1.5, math.SmallestNonzeroFloat64, math.MaxFloat64} {
		out = append(out, int64(math.Float64bits(f)))
	}
	return append(out, int64(math.Float64bits(math.NaN())|1)) // another NaN
}()

func seeded(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, vectors %v", seed, enabled)
	return rand.New(rand.NewPCG(seed, 0))
}

// TestEdges has every pair of edges in every place of a vector, one edge among ordinary values at a time too.
func TestEdges(t *testing.T) {
	for _, a := range edges {
		for _, b := range edges {
			for at := range 9 {
				x, y := make([]int64, 9), make([]int64, 9)
				x[at], y[at] = a, b
				checkArithmetic(t, x, y)
			}
		}
		for shift := range len(edges) {
			x, y := make([]int64, len(edges)), slices.Clone(edges)
			for i := range x {
				x[i] = edges[(i+shift)%len(edges)]
			}
			checkAll(t, x, y)
		}
	}
	long := make([]int64, 3*mulStep)
	for i := range long { // products leave 32 bits first at some row
		x, y := slices.Clone(long), slices.Clone(long)
		for j := range x {
			x[j], y[j] = int64(j), -7
		}
		x[i] = 1 << 31
		checkArithmetic(t, x, y)
		x[i] = math.MaxInt64
		checkArithmetic(t, x, y)
	}
}

// TestLengths has all lengths, of values that are alike often and of any.
func TestLengths(t *testing.T) {
	rnd := seeded(t)
	for n := range 131 {
		for _, span := range []int64{3, 200, 1 << 31, 1 << 33, math.MaxInt64} {
			x, y := make([]int64, n), make([]int64, n)
			for i := range x {
				x[i], y[i] = rnd.Int64N(span)-span/2, rnd.Int64N(span)-span/2
				if rnd.IntN(50) == 0 {
					x[i] = edges[rnd.IntN(len(edges))]
				}
			}
			checkAll(t, x, y)
		}
	}
}

// checkUnpack unpacks n values of width w of p, which has Slack bytes more.
func checkUnpack[T Word](t *testing.T, p []byte, n int, w uint, base T) {
	t.Helper()
	bits := new(big.Int)
	rev := slices.Clone(p[:(n*int(w)+7)/8])
	slices.Reverse(rev)
	bits.SetBytes(rev)
	mask := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), w), big.NewInt(1))
	want := make([]T, n)
	for i := range want {
		want[i] = T(new(big.Int).And(new(big.Int).Rsh(bits, uint(i)*w), mask).Uint64()) + base
	}
	at := unsafe.Pointer(unsafe.SliceData(p))
	for k, f := range []func(dst []T){
		func(dst []T) { Unpack(dst, at, w, base) },
		func(dst []T) { unpack(dst, at, w, base, 0) },
	} {
		out, intact := guardedInts[T](n)
		f(out)
		if !slices.Equal(out, want) || !intact() {
			t.Fatalf("%d values of width %d to %d bytes, form %d: %v, want %v", n, w, unsafe.Sizeof(base), k, out, want)
		}
	}
}

func checkUnpackAll(t *testing.T, p []byte, n int, w uint, base uint64) {
	t.Helper()
	checkUnpack(t, p, n, w, base)
	checkUnpack(t, p, n, w, uint32(base))
	checkUnpack(t, p, n, w, uint16(base))
	checkUnpack(t, p, n, w, uint8(base))
}

func TestUnpack(t *testing.T) {
	rnd := seeded(t)
	p := make([]byte, 300*8+Slack)
	for w := uint(0); w <= 64; w++ {
		if w > 56 && w < 64 {
			continue
		}
		for n := range 131 {
			for i := range p {
				p[i] = byte(rnd.Uint32())
			}
			checkUnpackAll(t, p, n, w, rnd.Uint64())
		}
		for i := range p {
			p[i] = 0xff
		}
		checkUnpackAll(t, p, 300, w, math.MaxUint64)
		checkUnpackAll(t, p, 300, w, 0)
	}
}

func FuzzKernels(f *testing.F) {
	var all []byte
	for _, e := range edges {
		all = binary.LittleEndian.AppendUint64(all, uint64(e))
	}
	f.Add(all, uint8(13), uint64(1))
	f.Add(append(slices.Clone(all[64:]), all...), uint8(40), uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, data []byte, w uint8, base uint64) {
		data = data[:min(len(data), 4096)]
		var vals []int64
		for i := 0; i+8 <= len(data); i += 8 {
			vals = append(vals, int64(binary.LittleEndian.Uint64(data[i:])))
		}
		checkAll(t, vals[:len(vals)/2], vals[len(vals)/2:][:len(vals)/2])
		width := uint(w) % 58
		if width == 57 {
			width = 64
		}
		n := 300
		if width > 0 {
			n = min(n, 8*len(data)/int(width))
		}
		checkUnpackAll(t, append(data, make([]byte, Slack)...), n, width, base)
	})
}

// TestNoAllocation: a kernel's slices stay where they are.
func TestNoAllocation(t *testing.T) {
	if n := testing.AllocsPerRun(10, func() {
		var x, y [64]int32
		var out [64]int32
		var wide [64]uint64
		p := [64]byte{}
		SelectWithin(x[:], 0, 1, false, out[:])
		SelectPairs(Less, x[:], y[:], false, out[:])
		MarkPairs(Less, x[:], y[:], false, p[:8])
		MinMax(x[:])
		Sum32(x[:])
		SelectMembers(x[:], wide[:], 0, 5, out[:])
		Sum64([]int64{1, 2, 3})
		Hashes(wide[:], wide[:])
		Unpack(wide[:], unsafe.Pointer(&p), 4, 7)
	}); n > 0 {
		t.Fatalf("%v allocations", n)
	}
}
