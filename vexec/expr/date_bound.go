package expr

import (
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
	if !ok || !at.Finite() {
		return oid, ts, args
	}
	k := types.TimestampToDate(at)
	midnight, err := types.DateToTimestamp(k)
	if err != nil {
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
	return types.OID(to), []types.T{ts[0], date}, []node{args[0], &constNode{t: date, value: k}}
}
