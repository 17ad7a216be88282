package expr

import (
	"math"
	"sync"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/types"
)

// A date compared with a constant timestamp, which date ± interval is, is a date
// compared with a date: so it is fast, and stores can use it as a range.

// dateComparisons maps the comparisons of date and timestamp to operators.
var dateComparisons = sync.OnceValue(func() map[types.OID]string {
	m := map[types.OID]string{}
	for _, op := range []string{"lt", "le", "gt", "ge", "eq"} {
		if oid, ok := facts.Proc("date_" + op + "_timestamp(date,timestamp)"); ok {
			m[types.OID(oid)] = op
		}
	}
	return m
})

// dateBound rewrites a comparison of a date with a constant timestamp.
func dateBound(oid types.OID, ts []types.T, args []node) (types.OID, []types.T, []node) {
	op, ok := dateComparisons()[oid]
	if !ok || len(args) != 2 {
		return oid, ts, args
	}
	c, ok := args[1].(*constNode)
	if !ok {
		return oid, ts, args
	}
	at, ok := c.value.(types.Timestamp)
	if !ok || at == types.TimestampPosInfinity || at == types.TimestampNegInfinity {
		return oid, ts, args
	}
	const day = 24 * 60 * 60 * 1_000_000
	k := int64(math.Floor(float64(at) / day))
	for k*day > int64(at) {
		k--
	}
	for (k+1)*day <= int64(at) {
		k++
	}
	midnight, err := types.DateToTimestamp(types.Date(k))
	if err != nil || int64(midnight) != k*day {
		return oid, ts, args
	}
	if midnight != at { // within the day that begins at midnight
		switch op {
		case "lt":
			op = "le"
		case "ge":
			op = "gt"
		case "eq":
			return oid, ts, args
		}
	}
	date := types.Of(types.DateOID)
	to, ok := facts.Proc("date_" + op + "(date,date)")
	if !ok {
		return oid, ts, args
	}
	return types.OID(to), []types.T{ts[0], date}, []node{args[0], &constNode{t: date, value: types.Date(k)}}
}
