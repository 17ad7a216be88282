package kernel

import (
	"encoding/binary"
	"math/bits"

	"github.com/apache/arrow/go/v17/arrow"
)

// Bitmaps are worked on 64 bits at a time.

// Word is bits i to i+63 of a bitmap of n bits, bit i the lowest; those from n on are zero. i may be any position below n.
func (v Bits) Word(i, n int) uint64 {
	w := ^uint64(0)
	if v.b != nil {
		at, shift := (v.off+i)>>3, (v.off+i)&7
		if b := v.b[at:]; len(b) >= 9 {
			w = binary.LittleEndian.Uint64(b)>>shift | uint64(b[8])<<(64-shift)
		} else {
			var last [16]byte
			copy(last[:], b)
			w = binary.LittleEndian.Uint64(last[:])>>shift | uint64(last[8])<<(64-shift)
		}
	}
	if rest := n - i; rest < 64 {
		w &= 1<<rest - 1
	}
	return w
}

// putWord writes bits i to i+63, i a multiple of 64, as far as the bitmap goes.
func putWord(b []byte, i int, w uint64) {
	if b = b[i>>3:]; len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, w)
		return
	}
	for k := range b {
		b[k] = byte(w >> (8 * k))
	}
}

// mapWords makes a bitmap of n bits of words, and counts its ones.
func mapWords(n int, word func(i int) uint64) (out []byte, ones int) {
	out = make([]byte, BitmapLen(n))
	for i := 0; i < n; i += 64 {
		w := word(i)
		putWord(out, i, w)
		ones += bits.OnesCount64(w)
	}
	return out, ones
}

// appendOnes appends the positions of w's ones, counted from base.
func appendOnes(rows []int32, w uint64, base int) []int32 {
	for ; w != 0; w &= w - 1 {
		rows = append(rows, int32(base+bits.TrailingZeros64(w)))
	}
	return rows
}

// copyBits is v as a bitmap of n bits from bit 0.
func copyBits(v Bits, n int) []byte {
	if v.b != nil && v.off&7 == 0 {
		out := make([]byte, BitmapLen(n))
		copy(out, v.b[v.off>>3:])
		return out
	}
	out, _ := mapWords(n, func(i int) uint64 { return v.Word(i, n) })
	return out
}

// IsNull says for each row whether it is NULL, with not whether it is not.
func IsNull(a arrow.Array, not bool) arrow.Array {
	n, valid, flip := a.Len(), Valid(a), ^uint64(0)
	if not {
		flip = 0
	}
	out, _ := mapWords(n, func(i int) uint64 { return (valid.Word(i, n) ^ flip) & Bits{}.Word(i, n) })
	return MakeBool(out, n, nil, 0)
}

// AndOr joins bool vectors of the same rows by AND, or by OR, in three-valued logic. as is not empty.
func AndOr(or bool, as []arrow.Array) arrow.Array {
	n := as[0].Len()
	flip := uint64(0) // OR: NOT of the AND of the negated
	if or {
		flip = ^uint64(0)
	}
	out, valid := make([]byte, BitmapLen(n)), []byte(nil)
	nulls := 0
	for i := 0; i < n; i += 64 {
		all := Bits{}.Word(i, n)
		yes, no := all, uint64(0)
		for _, a := range as {
			v, known := Bools(a).Word(i, n)^flip, Valid(a).Word(i, n)
			yes &= v & known
			no |= ^v & known
		}
		null := all &^ (yes | no)
		putWord(out, i, (yes^flip)&all&^null)
		if null != 0 && valid == nil {
			valid = Ones(n)
		}
		if valid != nil {
			putWord(valid, i, all&^null)
			nulls += bits.OnesCount64(null)
		}
	}
	return MakeBool(out, n, valid, nulls)
}
