package base

import (
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

func lsnNumeric(v uint64) types.Numeric {
	n, _ := types.ParseNumeric(types.Uint64Text(v)) // digits only: cannot fail
	return n
}

// lsnMove is lsn + n, or lsn − n; n is rounded.
func lsnMove(lsn uint64, n types.Numeric, minus bool) (uint64, error) {
	if n.IsNaN() {
		verb := "add NaN to"
		if minus {
			verb = "subtract NaN from"
		}
		return 0, pgerror.New(pgerror.FeatureNotSupported, "cannot %s pg_lsn", verb)
	}
	if minus {
		n = n.Neg()
	}
	sum, err := lsnNumeric(lsn).Add(n)
	if err != nil {
		return 0, err
	}
	return lsnFrom(sum)
}

// lsnFrom is the numeric as pg_lsn, rounded.
func lsnFrom(n types.Numeric) (uint64, error) {
	outOfRange := pgerror.New(pgerror.InvalidParameterValue, "pg_lsn out of range")
	switch {
	case n.IsNaN():
		return 0, pgerror.New(pgerror.FeatureNotSupported, "cannot convert NaN to pg_lsn")
	case n.IsInf():
		return 0, pgerror.New(pgerror.FeatureNotSupported, "cannot convert infinity to pg_lsn")
	}
	r, err := n.Round(0)
	if err != nil {
		return 0, err
	}
	b := r.Big()
	if b.Sign() < 0 || !b.IsUint64() {
		return 0, outOfRange
	}
	return b.Uint64(), nil
}

func registerLSN(r *expr.Registry) {
	diff := func(a, b uint64) (types.Numeric, error) { return lsnNumeric(a).Sub(lsnNumeric(b)) }
	adapt.Add(r, "pg_lsn_mi(pg_lsn,pg_lsn)", adapt.E2(diff))
	adapt.Add(r, "pg_wal_lsn_diff(pg_lsn,pg_lsn)", adapt.E2(diff))
	adapt.Add(r, "pg_lsn_pli(pg_lsn,numeric)", adapt.E2(func(a uint64, n types.Numeric) (uint64, error) { return lsnMove(a, n, false) }))
	adapt.Add(r, "pg_lsn_mii(pg_lsn,numeric)", adapt.E2(func(a uint64, n types.Numeric) (uint64, error) { return lsnMove(a, n, true) }))
	adapt.Add(r, "numeric_pl_pg_lsn(numeric,pg_lsn)", adapt.E2(func(n types.Numeric, a uint64) (uint64, error) { return lsnMove(a, n, false) }))
	adapt.Add(r, "pg_lsn(numeric)", adapt.E1(lsnFrom))
}
