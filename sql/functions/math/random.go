package math

import (
	"crypto/rand"
	"encoding/binary"
	"math"
	"math/bits"
	"sync"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// Random is the generator behind random() and setseed(): xoroshiro128** (Blackman
// and Vigna), seeded by SplitMix64, so that a seed gives PostgreSQL's sequence.
// The zero Random seeds itself from the system at first use. Safe for concurrent use.
type Random struct {
	mu     sync.Mutex
	s0, s1 uint64
}

// RandomSource is implemented by a session (expr.Context.Session) that keeps a
// generator of its own, as setseed() wants. Without one the process's is used.
type RandomSource interface{ Random() *Random }

var processRandom Random

func splitMix(state *uint64) uint64 {
	*state += 0x9E3779B97F4A7C15
	z := *state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// Seed starts the sequence of setseed(f), −1 ≤ f ≤ 1.
func (r *Random) Seed(f float64) {
	state := uint64(int64(float64(uint64(1)<<52-1) * f))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.s0, r.s1 = splitMix(&state), splitMix(&state)
	if r.s0 == 0 && r.s1 == 0 {
		r.s0, r.s1 = 0x5851F42D4C957F2D, 0x14057B7EF767814F
	}
}

// Float64 is the next number in [0, 1).
func (r *Random) Float64() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.s0 == 0 && r.s1 == 0 {
		var b [16]byte
		_, _ = rand.Read(b[:])
		r.s0, r.s1 = binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])
	}
	s0, sx := r.s0, r.s1^r.s0
	v := bits.RotateLeft64(s0*5, 7) * 9
	r.s0 = bits.RotateLeft64(s0, 24) ^ sx ^ sx<<16
	r.s1 = bits.RotateLeft64(sx, 37)
	return math.Ldexp(float64(v>>12), -52)
}

func source(ctx *expr.Context) *Random {
	if s, ok := ctx.Session.(RandomSource); ok {
		return s.Random()
	}
	return &processRandom
}

func registerRandom(r *expr.Registry) {
	adapt.Add(r, "random()", adapt.C0(func(ctx *expr.Context, _ *expr.Call) (float64, error) { return source(ctx).Float64(), nil }))
	adapt.Add(r, "setseed(float8)", adapt.C1(func(ctx *expr.Context, _ *expr.Call, f float64) (types.Unit, error) {
		if !(f >= -1 && f <= 1) {
			return types.Unit{}, pgerror.New(pgerror.InvalidParameterValue, "setseed parameter %s is out of allowed range [-1,1]",
				types.AppendFloat(nil, f, 64, -9))
		}
		source(ctx).Seed(f)
		return types.Unit{}, nil
	}), adapt.NeedsSession)
}
