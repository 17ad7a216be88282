package simd

// SelectMembers lists in out the rows of x whose value is in a set, and gives how many they are: bit v − lo of set is
// for value v, up to hi, and bit hi − lo + 1 is 0. REQUIRES: lo ≤ hi; len(out) ≥ len(x).
func SelectMembers[T int16 | int32 | int64](x []T, set []uint64, lo, hi int64, out []int32) int {
	out = out[:len(x)]
	done, m := 0, 0
	if enabled && uint64(hi)-uint64(lo) < 1<<31-1 {
		switch x := any(x).(type) {
		case []int32:
			if int64(int32(lo)) == lo && int64(int32(hi)) == hi {
				done, m = members32(x, set, int32(lo), int32(hi), out)
			}
		case []int64:
			done, m = members64(x, set, lo, hi, out)
		}
	}
	return selectMembers(x, set, lo, hi, out, done, m)
}

// selectMembers is SelectMembers from row i on, where m are listed.
func selectMembers[T int16 | int32 | int64](x []T, set []uint64, lo, hi int64, out []int32, i, m int) int {
	end := uint64(hi) - uint64(lo) + 1 // where what is outside goes
	for ; i < len(x); i++ {
		k := min(uint64(int64(x[i])-lo), end)
		out[m] = int32(i)
		m += int(set[k/64]>>(k%64)) & 1
	}
	return m
}

// membersStep is how many rows the vector forms take at a time.
const membersStep = 64
