package kernel

import (
	"github.com/apache/arrow/go/v17/arrow"
)

// DenseKeys maps integers that lie close together to dense numbers by position in an
// array. Values not in it have number −1.
type DenseKeys struct {
	min  int64
	span uint64  // positions but one
	at   []int32 // number + 1 of min + i; 0: none; the last is for all that is outside
}

const (
	// denseSparse is how many positions a key may take, beside denseFree.
	denseSparse = 8
	denseFree   = 1 << 12
)

// NewDenseKeys numbers the values of an integer vector in order of their first
// appearance, NULLs −1. nil: they lie too far apart, or the form is not covered.
func NewDenseKeys(a arrow.Array, numbers []int32) (d *DenseKeys, distinct int) {
	switch a.DataType().ID() {
	case arrow.INT16:
		return newDense(Values[int16](a), Valid(a), numbers)
	case arrow.INT32, arrow.DATE32:
		return newDense(Values[int32](a), Valid(a), numbers)
	case arrow.INT64:
		return newDense(Values[int64](a), Valid(a), numbers)
	}
	return nil, 0
}

func newDense[T int16 | int32 | int64](x []T, valid Bits, numbers []int32) (*DenseKeys, int) {
	lo, hi, n := MinMax(x, valid)
	span := uint64(hi) - uint64(lo)
	if n == 0 || span >= 1<<30 || span > denseFree+denseSparse*uint64(n) {
		return nil, 0
	}
	d := &DenseKeys{min: lo, span: span, at: make([]int32, span+2)}
	distinct := int32(0)
	for i, v := range x {
		if !valid.Get(i) {
			numbers[i] = -1
			continue
		}
		p := &d.at[uint64(int64(v)-lo)]
		if *p == 0 {
			distinct++
			*p = distinct
		}
		numbers[i] = *p - 1
	}
	return d, int(distinct)
}

// Size is the memory in bytes.
func (d *DenseKeys) Size() int64 { return int64(len(d.at)) * 4 }

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
	at, lo, out := d.at, d.min, d.span+1
	numbers = numbers[:len(x)]
	for i, v := range x {
		numbers[i] = at[min(uint64(int64(v)-lo), out)] - 1
	}
}
