package tpcc

import "math/rand/v2"

// The constants C of NURand (clause 2.1.6), each in [0, A]. C_LAST's of load and run differ by a number within
// 65 … 119 that is neither 96 nor 112 (clause 2.1.6.1).
const (
	cLastLoad = 157
	cLastRun  = 88
	cCustomer = 259
	cItem     = 7911
)

// Random is a stream of random values as the specification draws them.
type Random struct{ *rand.Rand }

// Streams of random values are told apart by these.
const (
	streamItem = iota + 1
	streamWarehouse
	streamStock
	streamDistrict
	streamCustomer
	streamPermutation
	streamOrder
	streamClient
)

func newRandom(seed uint64, stream int, block int64) Random {
	return Random{rand.New(rand.NewPCG(seed*0x9e3779b97f4a7c15+uint64(stream), uint64(block)))}
}

// between is uniform in [lo, hi].
func (r Random) between(lo, hi int) int { return lo + r.IntN(hi-lo+1) }

// nonUniform is NURand(a, lo, hi) of clause 2.1.6 with the constant c.
func (r Random) nonUniform(a, c, lo, hi int) int {
	return ((r.between(0, a)|r.between(lo, hi))+c)%(hi-lo+1) + lo
}

// customer draws a customer's number in [1, n].
func (r Random) customer(n int) int { return r.nonUniform(1023, cCustomer, 1, n) }

// item draws an item's number in [1, n].
func (r Random) item(n int) int { return r.nonUniform(8191, cItem, 1, n) }

// lastName draws the name that a transaction asks for, of the first n.
func (r Random) lastName(n int) string {
	return lastName(r.nonUniform(255, cLastRun, 0, 999) % n)
}

var syllables = [10]string{"BAR", "OUGHT", "ABLE", "PRI", "PRES", "ESE", "ANTI", "CALLY", "ATION", "EING"}

// lastName is the name of a number below 1000 (clause 4.3.2.3).
func lastName(n int) string { return syllables[n/100] + syllables[n/10%10] + syllables[n%10] }

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// text appends a random a-string of lo to hi characters.
func (r Random) text(buf []byte, lo, hi int) []byte {
	n := r.between(lo, hi)
	for n > 0 {
		// ten characters of a draw: 62^10 < 2^60
		for x, k := r.Uint64()>>4, 0; k < 10 && n > 0; k, n = k+1, n-1 {
			buf = append(buf, alphanumeric[x%62])
			x /= 62
		}
	}
	return buf
}

// digits appends a random n-string.
func (r Random) digits(buf []byte, n int) []byte {
	for range n {
		buf = append(buf, byte('0'+r.IntN(10)))
	}
	return buf
}
