//go:build !(goexperiment.simd && amd64)

package simd

import "unsafe"

const enabled = false

// The vector forms where there are none: never called.

func within32([]int32, int32, int32, bool, []int32) (done, m int)            { return 0, 0 }
func within64([]int64, int64, int64, bool, []int32) (done, m int)            { return 0, 0 }
func selectPairs32(Relation, []int32, []int32, bool, []int32) (done, m int)  { return 0, 0 }
func selectPairs64(Relation, []int64, []int64, bool, []int32) (done, m int)  { return 0, 0 }
func selectFloats(Relation, []float64, float64, bool, []int32) (done, m int) { return 0, 0 }
func markPairs32(Relation, []int32, []int32, bool, []byte) (done int)        { return 0 }
func markPairs64(Relation, []int64, []int64, bool, []byte) (done int)        { return 0 }
func unpack32([]uint32, unsafe.Pointer, uint, uint32) (done int)             { return 0 }
func unpack64([]uint64, unsafe.Pointer, uint, uint64) (done int)             { return 0 }
func add(out, x, y []int64) (done int, over bool)                            { return 0, false }
func sub(out, x, y []int64) (done int, over bool)                            { return 0, false }
func mul(out, x, y []int64) (done int)                                       { return 0 }
func minMax32([]int32) (done int, lo, hi int32)                              { return 0, 0, 0 }
func minMax64([]int64) (done int, lo, hi int64)                              { return 0, 0, 0 }
func hashes(out, x []uint64) (done int)                                      { return 0 }
func sum64([]int64) (done int, hi int64, lo uint64)                          { return 0, 0, 0 }
func sum32([]int32) (done int, sum int64)                                    { return 0, 0 }
func members32([]int32, []uint64, int32, int32, []int32) (done, m int)       { return 0, 0 }
func members64([]int64, []uint64, int64, int64, []int32) (done, m int)       { return 0, 0 }
