//go:build goexperiment.simd && amd64

package simd

import "simd/archsimd"

func markPairs32(r Relation, x, y []int32, invert bool, out []byte) (done int) {
	f := all(invert)
	if r == Equal {
		for ; done+8 <= len(x); done += 8 {
			out[done>>3] = vec32(x, done).Equal(vec32(y, done)).ToBits() ^ f
		}
	} else {
		for ; done+8 <= len(x); done += 8 {
			out[done>>3] = vec32(y, done).Greater(vec32(x, done)).ToBits() ^ f
		}
	}
	archsimd.ClearAVXUpperBits()
	return done
}

func markPairs64(r Relation, x, y []int64, invert bool, out []byte) (done int) {
	f := all(invert)
	if r == Equal {
		for ; done+8 <= len(x); done += 8 {
			out[done>>3] = eight(vec64(x, done).Equal(vec64(y, done)), vec64(x, done+4).Equal(vec64(y, done+4))) ^ f
		}
	} else {
		for ; done+8 <= len(x); done += 8 {
			out[done>>3] = eight(vec64(y, done).Greater(vec64(x, done)), vec64(y, done+4).Greater(vec64(x, done+4))) ^ f
		}
	}
	archsimd.ClearAVXUpperBits()
	return done
}
