package plan

import (
	"strings"

	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// Which expressions storage nodes may compute, and which key columns place rows
// alike.

// portable: the expressions mean the same on every node. Volatile functions and
// those that ask the catalog or the session do not, nor does what needs the
// definition of a user's type.
func (d *distributor) portable(es ...query.Expr) bool {
	for _, e := range es {
		if isNil(e) {
			continue
		}
		ok := true
		walk(e, func(x query.Expr) bool {
			ok = ok && d.portableNode(x)
			return ok
		})
		if !ok {
			return false
		}
	}
	return true
}

func (d *distributor) portableNode(e query.Expr) bool {
	fn := types.OID(0)
	switch x := e.(type) {
	case *query.Param:
		return plainType(x.T) && !(x.Kind == query.ParamExec && d.local[uint32(x.Number)])
	case *query.Var, *query.Const, *query.RelabelType, *query.BoolExpr:
		return plainType(e.Type())
	case *query.FuncExpr:
		fn = x.Func
	case *query.OpExpr:
		fn = x.Func
	case *query.ScalarArrayOpExpr:
		fn = x.Func
	case *query.DistinctExpr:
		fn = x.Func
	case *query.NullIfExpr:
		fn = x.Func
	case *query.Aggref:
		fn = x.Func
	case *query.WindowFunc:
		fn = x.Func
	case *query.CoerceViaIO:
		return plainType(e.Type()) && plainType(x.Arg.Type()) && !isOIDLike(x.Arg.Type().OID) && !isOIDLike(x.T.OID)
	case *query.CaseExpr, *query.CoalesceExpr, *query.MinMaxExpr, *query.NullTest, *query.BooleanTest, *query.ArrayExpr, *query.RowCompareExpr, *query.SubscriptingRef:
		return plainType(e.Type())
	case *query.CollateExpr:
		return true
	default:
		return false // NextValExpr, SQLValueFunction, rows, record types
	}
	return plainType(e.Type()) && d.portableFunc(fn)
}

// portableFunc: a function of the system that is immutable, or depends on nothing
// but the clock and the formats of dates.
func (d *distributor) portableFunc(oid types.OID) bool {
	f := d.p.cat.Function(oid)
	if f == nil || f.OID >= types.FirstNormalOID || f.Volatility == 'v' {
		return false
	}
	if f.Volatility == 'i' {
		return true
	}
	dates := func(t types.OID) bool {
		switch t {
		case types.DateOID, types.TimeOID, types.TimeTZOID, types.TimestampOID, types.TimestampTZOID, types.IntervalOID:
			return true
		}
		return false
	}
	any := dates(f.Returns)
	for _, t := range f.ArgTypes {
		any = any || dates(t)
	}
	return any && !strings.HasPrefix(f.Name, "pg_")
}

// plainType: values of the type can be read and compared without a catalog.
func plainType(t types.T) bool {
	switch t.Class {
	case types.ClassBase:
		return t.OID < types.FirstNormalOID && t.OID != types.RecordOID && t.OID != types.Tid
	case types.ClassArray:
		return t.OID < types.FirstNormalOID && plainType(t.ElemType()) && t.Elem != types.RecordOID
	}
	return false
}

func (d *distributor) portableStep(s *step) bool {
	if !d.portable(s.filter...) {
		return false
	}
	for _, it := range s.items {
		if _, plain := asCol(it.expr); !plain && !d.portable(it.expr) {
			return false
		}
	}
	return true
}

func (d *distributor) portableKeys(ks []sortItem) bool { return d.portable(sortExprs(ks)...) }

// slotAlike: equal values of the two types lie in the same slot (sql/types/keyenc).
func slotAlike(a, b types.T) bool {
	if a.Class != types.ClassBase || b.Class != types.ClassBase {
		return false
	}
	ra, rb := numericRank[a.OID], numericRank[b.OID]
	if ra != 0 && rb != 0 {
		return (ra < 10) == (rb < 10)
	}
	if a.OID != b.OID && sameForm(a.OID, b.OID) {
		return true
	}
	if a.OID != b.OID {
		return false
	}
	switch a.OID {
	case types.Bool, types.DateOID, types.TimeOID, types.TimestampOID, types.TimestampTZOID, types.UUIDOID, types.NumericOID, types.Oid, types.Bytea,
		types.Text, types.VarChar, types.Name, types.Bit, types.VarBit:
		return true
	case types.BPChar, types.IntervalOID, types.TimeTZOID:
		return true
	}
	return false
}

// canHash: there are keys, and exchanges can hash them.
func (d *distributor) canHash(keys []query.Expr) bool {
	for _, k := range keys {
		t := k.Type()
		if numericRank[t.OID] == 0 && !slotAlike(t, t) {
			return false
		}
	}
	return len(keys) > 0
}

// underCasts is the expression below casts between types that lie in slots alike.
func (d *distributor) underCasts(e query.Expr) query.Expr {
	for {
		var in query.Expr
		switch x := e.(type) {
		case *query.RelabelType:
			in = x.Arg
		case *query.FuncExpr:
			if len(x.Args) != 1 || numericRank[x.T.OID] <= numericRank[x.Args[0].Type().OID] || numericRank[x.Args[0].Type().OID] == 0 {
				return e
			}
			in = x.Args[0]
			if c := d.p.cat.Cast(in.Type().OID, x.T.OID); c == nil || c.Func != x.Func {
				return e
			}
		default:
			return e
		}
		if !slotAlike(e.Type(), in.Type()) {
			return e
		}
		e = in
	}
}
