package vexec

import (
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// CanPartial reports whether an aggregate call may be split into PARTIAL and
// FINAL: its states can travel and the order of its input does not matter. Calls
// with DISTINCT or an order of their own cannot.
//
// A PARTIAL Agg has no grouping sets. FINAL reads the keys from its input's first
// columns, one per key of its own, and then one state per call; its calls are those of
// PARTIAL, its grouping sets, if any, regroup the keys.
func CanPartial(call *planpb.AggCall) bool {
	if call.GetDistinct() || call.GetWithinGroup() || len(call.GetOrderBy()) > 0 || len(call.GetDirectArgs()) > 0 {
		return false
	}
	return aggKinds()[types.OID(call.GetFunc())] != aggGeneral
}
