package simd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

const benchRows = 4096

// both times a kernel as it is called and its plain twin.
func both(b *testing.B, name string, called, plain func()) {
	for _, f := range []struct {
		name string
		f    func()
	}{{"vectors", called}, {"plain", plain}} {
		b.Run(name+"/"+f.name, func(b *testing.B) {
			for b.Loop() {
				f.f()
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/benchRows, "ns/row")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func BenchmarkKernels(b *testing.B) {
	x32, x64, xf, out := make([]int32, benchRows), make([]int64, benchRows), make([]float64, benchRows), make([]int32, benchRows)
	y32, y64, z64 := make([]int32, benchRows), make([]int64, benchRows), make([]int64, benchRows)
	bits := make([]byte, benchRows/8)
	for i := range x32 {
		x32[i], y32[i] = rand.Int32N(100), rand.Int32N(100)
		x64[i], y64[i], xf[i] = int64(x32[i]), int64(y32[i]), float64(x32[i])
	}
	wide := slices.Clone(x64)
	wide[0] = 1 << 40
	both(b, "within/32", func() { SelectWithin(x32, 0, 20, false, out) }, func() { selectWithin(x32, 0, 20, false, out, 0, 0) })
	both(b, "within/64", func() { SelectWithin(x64, 0, 20, false, out) }, func() { selectWithin(x64, 0, 20, false, out, 0, 0) })
	for _, span := range []int{100, 200_000, 6_000_000} {
		set := make([]uint64, span/64+2)
		m32, m64 := make([]int32, benchRows), make([]int64, benchRows)
		for i := range m32 {
			m32[i] = rand.Int32N(int32(span))
			m64[i] = int64(m32[i])
			set[m32[rand.IntN(i+1)]/64] |= 1 << (m32[i] % 64)
		}
		hi := int64(span - 1)
		both(b, fmt.Sprintf("members/32/%d", span), func() { SelectMembers(m32, set, 0, hi, out) }, func() { selectMembers(m32, set, 0, hi, out, 0, 0) })
		both(b, fmt.Sprintf("members/64/%d", span), func() { SelectMembers(m64, set, 0, hi, out) }, func() { selectMembers(m64, set, 0, hi, out, 0, 0) })
	}
	both(b, "floats", func() { SelectFloats(Less, xf, 20, false, out) }, func() { selectFloatsPlain(Less, xf, 20, false, out, 0, 0) })
	both(b, "pairs/32", func() { SelectPairs(Less, x32, y32, false, out) }, func() { selectPairs(Less, x32, y32, false, out, 0, 0) })
	both(b, "pairs/64", func() { SelectPairs(Less, x64, y64, false, out) }, func() { selectPairs(Less, x64, y64, false, out, 0, 0) })
	both(b, "mark/32", func() { MarkPairs(Less, x32, y32, false, bits) }, func() { markPairs(Less, x32, y32, false, bits, 0) })
	both(b, "mark/64", func() { MarkPairs(Less, x64, y64, false, bits) }, func() { markPairs(Less, x64, y64, false, bits, 0) })
	both(b, "add", func() { Add(z64, x64, y64) }, func() { addPlain(z64, x64, y64, 0) })
	both(b, "sub", func() { Sub(z64, x64, y64) }, func() { subPlain(z64, x64, y64, 0) })
	both(b, "mul", func() { Mul(z64, x64, y64) }, func() { mulPlain(z64, x64, y64, 0) })
	both(b, "mul/wide", func() { Mul(z64, wide, y64) }, func() { mulPlain(z64, wide, y64, 0) })
	u64, h64 := make([]uint64, benchRows), make([]uint64, benchRows)
	both(b, "hashes", func() { Hashes(h64, u64) }, func() { hashesPlain(h64, u64, 0) })
	both(b, "sum/32", func() { Sum32(x32) }, func() { sum32Plain(x32, 0) })
	both(b, "sum/64", func() { Sum64(x64) }, func() { sum64Plain(x64, 0, 0) })
	both(b, "minmax/32", func() { MinMax(x32) }, func() { minMax(x32, x32[0], x32[0]) })
	both(b, "minmax/64", func() { MinMax(x64) }, func() { minMax(x64, x64[0], x64[0]) })
}

func BenchmarkUnpack(b *testing.B) {
	p := make([]byte, 8*benchRows+Slack)
	for i := range p {
		p[i] = byte(rand.Uint32())
	}
	at := unsafe.Pointer(&p[0])
	for _, w := range []uint{1, 3, 6, 8, 12, 16, 20, 24, 28, 32, 40, 48} {
		benchUnpack[uint32](b, at, w)
		benchUnpack[uint64](b, at, w)
	}
}

func benchUnpack[T Word](b *testing.B, p unsafe.Pointer, w uint) {
	out := make([]T, benchRows)
	both(b, fmt.Sprintf("%d/%d", 8*unsafe.Sizeof(out[0]), w), func() { Unpack(out, p, w, 5) }, func() { unpack(out, p, w, 5, 0) })
}
