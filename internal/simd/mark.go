package simd

// MarkPairs sets bit i of out where x r y holds at row i, or, inverted, where it does not; the other bits of rows
// are cleared. REQUIRES: r is Equal or Less; len(y) ≥ len(x); out has a bit for each row and is zero.
func MarkPairs[T int32 | int64](r Relation, x, y []T, invert bool, out []byte) {
	y, out = y[:len(x)], out[:(len(x)+7)/8]
	done := 0
	if enabled {
		switch x := any(x).(type) {
		case []int32:
			done = markPairs32(r, x, any(y).([]int32), invert, out)
		case []int64:
			done = markPairs64(r, x, any(y).([]int64), invert, out)
		}
	}
	markPairs(r, x, y, invert, out, done)
}

// markPairs is MarkPairs from row i on, a multiple of 8.
func markPairs[T int32 | int64](r Relation, x, y []T, invert bool, out []byte, i int) {
	f := one(invert)
	if r == Equal {
		for ; i < len(x); i++ {
			out[i>>3] |= byte(one(x[i] == y[i])^f) << (i & 7)
		}
		return
	}
	for ; i < len(x); i++ {
		out[i>>3] |= byte(one(x[i] < y[i])^f) << (i & 7)
	}
}
