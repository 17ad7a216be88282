package dbgen

// stream is one of dbgen's random number streams: the minimal standard
// generator of Lehmer (Park and Miller, "Random number generators: good ones are
// hard to find", CACM 31(10), 1988). Each row of its table uses a fixed number
// of values, so that a row's values do not depend on what earlier rows used.
type stream struct {
	seed   int64
	perRow int64
	used   int64
}

const (
	multiplier = 16807
	modulus    = 2147483647
)

func newStream(seed, perRow int64) *stream { return &stream{seed: seed, perRow: perRow} }

// uniform gives a value in [lo, hi]. The range is computed in 32 bits and wraps
// for (0, MaxInt32), as dbgen's does: the value is then ≤ 0.
func (s *stream) uniform(lo, hi int32) int32 {
	s.seed = s.seed * multiplier % modulus
	s.used++
	return lo + int32(float64(s.seed)/modulus*float64(hi-lo+1))
}

// endRow leaves the stream where the next row begins.
func (s *stream) endRow() {
	s.skip(s.perRow - s.used)
	s.used = 0
}

// skip advances by n values.
func (s *stream) skip(n int64) {
	if n <= 0 {
		return
	}
	m := int64(multiplier)
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			s.seed = m * s.seed % modulus
		}
		m = m * m % modulus
	}
}

// skipRows advances by whole rows from a row's beginning.
func (s *stream) skipRows(n int64) { s.skip(n * s.perRow) }

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ,"

// appendAlphanumeric appends a random string of about avg characters (0.4 to 1.6 times).
func (s *stream) appendAlphanumeric(buf []byte, avg int) []byte {
	n := int(s.uniform(int32(float64(avg)*0.4), int32(float64(avg)*1.6)))
	var bits int64
	for i := range n {
		if i%5 == 0 {
			bits = int64(s.uniform(0, 2147483647))
		}
		buf = append(buf, alphabet[bits&0x3f])
		bits >>= 6
	}
	return buf
}

// appendText appends a slice of the text pool of about avg characters (0.4 to 1.6 times).
func (s *stream) appendText(buf []byte, avg int) []byte {
	lo, hi := int32(float64(avg)*0.4), int32(float64(avg)*1.6)
	pool := textPool()
	off := s.uniform(0, int32(len(pool))-hi)
	n := s.uniform(lo, hi)
	return append(buf, pool[off:off+n]...)
}

// appendPhone appends a phone number of a nation's country code.
func (s *stream) appendPhone(buf []byte, nation int64) []byte {
	buf = appendPadded(buf, 10+nation%90, 2)
	buf = append(buf, '-')
	buf = appendPadded(buf, int64(s.uniform(100, 999)), 3)
	buf = append(buf, '-')
	buf = appendPadded(buf, int64(s.uniform(100, 999)), 3)
	buf = append(buf, '-')
	return appendPadded(buf, int64(s.uniform(1000, 9999)), 4)
}
