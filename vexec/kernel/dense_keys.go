package kernel

import (
	"math/bits"

	"github.com/apache/arrow/go/v17/arrow"
)

// DenseKeys maps the distinct integers of a vector to their ranks, 0 for the least. Where a value lies
// gives its rank without hashing, so that values that come in order touch memory in order. Values not in
// it have number −1.
//
// Few positions are an array of ranks; many are a bit each with a count for every 64 of them (Jacobson,
// Space-efficient static trees and graphs, 1989): a bit and a half a position instead of 32.
type DenseKeys struct {
	min  int64
	span uint64 // positions but one
	// at has rank + 1 of min + i, 0 for none; nil: there are bits. The last is for all that is outside.
	at []int32
	// bits has bit v − min of each value; the word after the last position's is 0.
	bits []uint64
	rank []int32 // by word: the values below it
}

const (
	// arraySpanMax is up to how many positions an array is taken: it stays in the nearest caches.
	arraySpanMax = 1 << 15
	// denseSparse is how many positions a key may take, beside denseFree: about the memory
	// of a hash table's entry.
	denseSparse = 192
	denseFree   = 1 << 15
	denseSpan   = 1 << 30
)

// NewDenseKeys is over the values of an integer vector but its NULLs. nil: they lie too far apart, or
// the form is not covered.
func NewDenseKeys(a arrow.Array) (d *DenseKeys, distinct int) {
	switch a.DataType().ID() {
	case arrow.INT16:
		return newDense(Values[int16](a), Valid(a))
	case arrow.INT32, arrow.DATE32:
		return newDense(Values[int32](a), Valid(a))
	case arrow.INT64:
		return newDense(Values[int64](a), Valid(a))
	}
	return nil, 0
}

func newDense[T int16 | int32 | int64](x []T, valid Bits) (*DenseKeys, int) {
	lo, hi, n := MinMax(x, valid)
	span := uint64(hi) - uint64(lo)
	if n == 0 || span >= denseSpan || span > denseFree+denseSparse*uint64(n) {
		return nil, 0
	}
	d := &DenseKeys{min: lo, span: span, bits: make([]uint64, (span+1)/64+1)}
	if valid.All() {
		for _, v := range x {
			k := uint64(int64(v) - lo)
			d.bits[k/64] |= 1 << (k % 64)
		}
	} else {
		for i, v := range x {
			if valid.Get(i) {
				k := uint64(int64(v) - lo)
				d.bits[k/64] |= 1 << (k % 64)
			}
		}
	}
	d.rank = make([]int32, len(d.bits))
	distinct := int32(0)
	for i, w := range d.bits {
		d.rank[i] = distinct
		distinct += int32(bits.OnesCount64(w))
	}
	if span < arraySpanMax {
		d.at = make([]int32, span+2)
		rank := int32(0)
		for i, w := range d.bits {
			for ; w != 0; w &= w - 1 {
				rank++
				d.at[i*64+bits.TrailingZeros64(w)] = rank
			}
		}
		d.rank = nil
	}
	return d, int(distinct)
}

// Size is the memory in bytes.
func (d *DenseKeys) Size() int64 { return int64(len(d.at)+len(d.rank))*4 + int64(len(d.bits))*8 }

// Bits has bit v − least of each value; the word after the greatest value's bit, or its own, ends
// with a 0. It is not to be written to.
func (d *DenseKeys) Bits() (least, greatest int64, bits []uint64) {
	return d.min, d.min + int64(d.span), d.bits
}

// Find gives the number of each value, −1 for NULLs and what is not there.
func (d *DenseKeys) Find(a arrow.Array, numbers []int32) {
	switch a.DataType().ID() {
	case arrow.INT16:
		findDense(d, Values[int16](a), numbers)
	case arrow.INT32, arrow.DATE32:
		findDense(d, Values[int32](a), numbers)
	default:
		findDense(d, Values[int64](a), numbers)
	}
	if v := Valid(a); !v.All() {
		for i := range numbers {
			if !v.Get(i) {
				numbers[i] = -1
			}
		}
	}
}

func findDense[T int16 | int32 | int64](d *DenseKeys, x []T, numbers []int32) {
	lo, out := d.min, d.span+1
	numbers = numbers[:len(x)]
	if at := d.at; at != nil {
		for i, v := range x {
			numbers[i] = at[min(uint64(int64(v)-lo), out)] - 1
		}
		return
	}
	words, rank := d.bits, d.rank[:len(d.bits)]
	for i, v := range x {
		k := min(uint64(int64(v)-lo), out)
		w := words[k/64]
		below := rank[k/64] + int32(bits.OnesCount64(w&(1<<(k%64)-1)))
		numbers[i] = (below+1)*int32(w>>(k%64)&1) - 1
	}
}
