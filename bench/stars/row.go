package stars

import (
	"math/rand/v2"
	"strconv"
	"strings"
)

// row builds lines of CSV.
type row struct {
	buf []byte
	any bool // the line has a field
}

func (r *row) sep() {
	if r.any {
		r.buf = append(r.buf, ',')
	}
	r.any = true
}

func (r *row) null() { r.sep() }

func (r *row) int(v int64) {
	r.sep()
	r.buf = strconv.AppendInt(r.buf, v, 10)
}

// key is a reference: 0 is NULL.
func (r *row) key(v int64) {
	if v == 0 {
		r.null()
		return
	}
	r.int(v)
}

// cents is a decimal with two digits.
func (r *row) cents(v int64) {
	r.sep()
	if v < 0 {
		r.buf = append(r.buf, '-')
		v = -v
	}
	r.buf = strconv.AppendInt(r.buf, v/100, 10)
	r.buf = append(r.buf, '.', byte('0'+v/10%10), byte('0'+v%10))
}

func (r *row) text(s string) {
	r.sep()
	if s != "" && !strings.ContainsAny(s, "\",\n\r\\") {
		r.buf = append(r.buf, s...)
		return
	}
	r.buf = append(r.buf, '"')
	r.buf = append(r.buf, strings.ReplaceAll(s, `"`, `""`)...)
	r.buf = append(r.buf, '"')
}

func (r *row) end() {
	r.buf = append(r.buf, '\n')
	r.any = false
}

// random is a stream of random values.
type random struct{ *rand.Rand }

// newRandom is the stream of a block of a table.
func newRandom(stream, block int64) random {
	return random{rand.New(rand.NewPCG(uint64(stream)*0x9e3779b97f4a7c15+1, uint64(block)))}
}

// between is uniform in [lo, hi].
func (r random) between(lo, hi int64) int64 { return lo + r.Int64N(hi-lo+1) }

// chance is true in so many of 1000 cases.
func (r random) chance(permille int64) bool { return r.Int64N(1000) < permille }

func (r random) pick(words []string) string { return words[r.IntN(len(words))] }

// pickSkewed prefers the first words: the n-th comes about twice as often as the 2n-th.
func (r random) pickSkewed(words []string) string { return words[r.skewed(int64(len(words)))-1] }

// skewed is in [1, n], small values more often: the density falls as 1/(x + n/50).
func (r random) skewed(n int64) int64 {
	u := r.Float64()
	// x + a = a ((n + a) / a)^u with a = n / 50
	a := float64(n) / 50
	return min(1+int64(a*pow51(u)-a), n)
}

// popular is a key in [1, n] of which some are far more popular than others, spread over the range.
func (r random) popular(n int64) int64 {
	x := r.skewed(n)
	return 1 + (x*7919+13)%n
}
