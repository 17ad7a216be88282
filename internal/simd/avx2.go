//go:build goexperiment.simd && amd64

package simd

import (
	"simd/archsimd"
	"unsafe"
)

// enabled: this processor has what the vector forms need.
var enabled = archsimd.X86.AVX2()

// at points to element i of x.
func at[T any](x []T, i int) unsafe.Pointer {
	var z T
	return unsafe.Add(unsafe.Pointer(unsafe.SliceData(x)), i*int(unsafe.Sizeof(z)))
}

func vec32(x []int32, i int) archsimd.Int32x8 {
	return archsimd.LoadInt32x8((*[8]int32)(at(x, i)))
}

func vec64(x []int64, i int) archsimd.Int64x4 {
	return archsimd.LoadInt64x4((*[4]int64)(at(x, i)))
}

func vecFloat(x []float64, i int) archsimd.Float64x4 {
	return archsimd.LoadFloat64x4((*[4]float64)(at(x, i)))
}

// eight are the results of two comparisons of four.
func eight(a, b archsimd.Mask64x4) uint8 { return a.ToBits() | b.ToBits()<<4 }

func all(ones bool) uint8 {
	if ones {
		return 0xff
	}
	return 0
}
