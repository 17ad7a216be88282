package simd

const (
	hashFirst  = 0x9fb21c651e98df25
	hashSecond = 0xd6e8feb86659fd93
)

// Hash mixes the bits of x: every bit of the result depends on every one of x, and no two x have the same.
func Hash(x uint64) uint64 {
	x ^= x >> 32
	x *= hashFirst
	x ^= x >> 29
	x *= hashSecond
	return x ^ x>>32
}

// Hashes writes the Hash of each of x to out. REQUIRES: len(out) ≥ len(x).
func Hashes(out, x []uint64) {
	out = out[:len(x)]
	done := 0
	if enabled {
		done = hashes(out, x)
	}
	hashesPlain(out, x, done)
}

// hashesPlain is Hashes from row i on.
func hashesPlain(out, x []uint64, i int) {
	for ; i < len(x); i++ {
		out[i] = Hash(x[i])
	}
}
