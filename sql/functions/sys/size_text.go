package sys

import (
	"math/big"
	"strings"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// Sizes as texts: pg_size_pretty and pg_size_bytes.

// sizeUnit is a unit of a size: 2^bits bytes. pg_size_pretty leaves it for the
// next one at limit; values of a rounded unit are kept doubled until shown.
type sizeUnit struct {
	name  string
	limit int64
	half  bool
	bits  uint
}

var sizeUnits = []sizeUnit{{"bytes", 10 * 1024, false, 0}, {"kB", 20*1024 - 1, true, 10}, {"MB", 20*1024 - 1, true, 20},
	{"GB", 20*1024 - 1, true, 30}, {"TB", 20*1024 - 1, true, 40}, {"PB", 20*1024 - 1, true, 50}}

func registerSizeTexts(r *expr.Registry) {
	adapt.Add(r, "pg_size_pretty(int8)", adapt.F1(func(n int64) string {
		return sizePretty(big.NewInt(n), "")
	}))
	adapt.Add(r, "pg_size_pretty(numeric)", adapt.F1(func(n types.Numeric) string {
		if !n.IsFinite() {
			return n.String() + " PB" // the largest unit: they compare above every limit
		}
		whole := n.Trunc(0).Big()
		text := ""
		if n.Abs().Cmp(types.NumericFromInt64(sizeUnits[0].limit, 0)) < 0 { // bytes keep their fraction
			text = n.String()
		}
		return sizePretty(whole, text)
	}))
	adapt.Add(r, "pg_size_bytes(text)", adapt.E1(sizeBytes))
}

// sizePretty shows n bytes; bytes, when not empty, is what to show below the first limit.
func sizePretty(n *big.Int, bytes string) string {
	n = new(big.Int).Set(n)
	for i, u := range sizeUnits {
		if i+1 == len(sizeUnits) || n.CmpAbs(big.NewInt(u.limit)) < 0 {
			if i == 0 && bytes != "" {
				return bytes + " bytes"
			}
			if u.half {
				n.Add(n, big.NewInt(int64(map[bool]int{true: 1, false: -1}[n.Sign() > 0])))
				n.Quo(n, big.NewInt(2))
			}
			return n.String() + " " + u.name
		}
		bits := sizeUnits[i+1].bits - u.bits
		if sizeUnits[i+1].half != u.half {
			bits--
		}
		n.Quo(n, new(big.Int).Lsh(big.NewInt(1), bits))
	}
	return ""
}

// sizeBytes is pg_size_bytes: a number, then a unit in any case.
func sizeBytes(s string) (int64, error) {
	bad := func() *pgerror.Error { return pgerror.New(pgerror.InvalidParameterValue, "invalid size: \"%s\"", s) }
	const space = " \t\n\v\f\r"
	digits := func(at int) int {
		for at < len(s) && s[at] >= '0' && s[at] <= '9' {
			at++
		}
		return at
	}
	p := len(s) - len(strings.TrimLeft(s, space))
	start := p
	if p < len(s) && (s[p] == '-' || s[p] == '+') {
		p++
	}
	end := digits(p)
	have := end > p
	if end < len(s) && s[end] == '.' {
		e := digits(end + 1)
		have = have || e > end+1
		end = e
	}
	if !have {
		return 0, bad()
	}
	if end < len(s) && (s[end] == 'e' || s[end] == 'E') { // an exponent, unless a unit begins here
		e := end + 1
		if e < len(s) && (s[e] == '-' || s[e] == '+') {
			e++
		}
		if x := digits(e); x > e {
			end = x
		}
	}
	n, err := types.ParseNumeric(s[start:end])
	if err != nil {
		return 0, err
	}
	unit := strings.Trim(s[end:], space)
	if unit != "" {
		bits := -1
		for _, u := range sizeUnits {
			if strings.EqualFold(unit, u.name) {
				bits = int(u.bits)
			}
		}
		if bits < 0 {
			return 0, bad().WithDetail("Invalid size unit: \"%s\".", unit).
				WithHint("Valid units are \"bytes\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\".")
		}
		if n, err = n.Mul(types.NumericFromBig(new(big.Int).Lsh(big.NewInt(1), uint(bits)), 0)); err != nil {
			return 0, err
		}
	}
	r, err := n.Round(0)
	if err != nil {
		return 0, err
	}
	v, ok := r.ToInt64()
	if !ok {
		return 0, pgerror.New(pgerror.NumericValueOutOfRange, "bigint out of range")
	}
	return v, nil
}
