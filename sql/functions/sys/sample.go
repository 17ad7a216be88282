package sys

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// registerSample adds what TABLESAMPLE filters a scan by. Rows do not lie in blocks
// here, so SYSTEM draws rows one by one as BERNOULLI does. With REPEATABLE a row's
// key and the seed decide, so the sample stays as long as the keys do.
func registerSample(r *expr.Registry) {
	r.Add(&expr.Function{OID: catalog.FuncSampleRow, Volatility: expr.Volatile,
		Eval: adapt.D(func(_ *expr.Context, _ *expr.Call, args []types.Datum) (types.Datum, error) {
			if args[1] == nil {
				return nil, pgerror.New(pgerror.Code("2202H"), "TABLESAMPLE parameter cannot be null")
			}
			if args[2] == nil {
				return nil, pgerror.New(pgerror.Code("2202G"), "TABLESAMPLE REPEATABLE parameter cannot be null")
			}
			percent := float64(args[1].(float32))
			if math.IsNaN(percent) || percent < 0 || percent > 100 {
				return nil, pgerror.New(pgerror.Code("2202H"), "sample percentage must be between 0 and 100")
			}
			draw := rand.Float64()
			if args[3].(bool) {
				draw = sampleDraw(args[0].([]byte), args[2].(float64))
			}
			return draw < percent/100, nil
		})})
}

// sampleDraw is a number in [0, 1) for a row and a seed.
func sampleDraw(locator []byte, seed float64) float64 {
	h := fnv.New64a()
	var s [8]byte
	binary.BigEndian.PutUint64(s[:], math.Float64bits(seed))
	h.Write(s[:])
	h.Write(locator)
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return float64(x>>11) / (1 << 53)
}
