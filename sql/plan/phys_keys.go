package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// numericRank orders types whose values compare across types; the higher one
// holds every value of the lower.
var numericRank = map[types.OID]int{types.Int2: 1, types.Int4: 2, types.Int8: 3, types.Float4: 11, types.Float8: 12}

// unifyKeys brings two join keys to one physical type.
func (p *planner) unifyKeys(l, r query.Expr) (query.Expr, query.Expr, bool) {
	lt, rt := l.Type(), r.Type()
	if lt.OID == rt.OID {
		return l, r, true
	}
	if lt.OID >= types.FirstNormalOID || rt.OID >= types.FirstNormalOID {
		return l, r, false
	}
	lr, rr := numericRank[lt.OID], numericRank[rt.OID]
	if lr != 0 && rr != 0 && (lr < 10) == (rr < 10) {
		if lr < rr {
			return p.castTo(l, rt.NoMod()), r, true
		}
		return l, p.castTo(r, lt.NoMod()), true
	}
	if isText(lt.OID) && isText(rt.OID) {
		return relabel(l, types.Of(types.Text)), relabel(r, types.Of(types.Text)), true
	}
	if isBits(lt.OID) && isBits(rt.OID) {
		return relabel(l, types.Of(types.VarBit)), relabel(r, types.Of(types.VarBit)), true
	}
	return l, r, false
}

// isText: types whose values are plain strings compared byte by byte.
func isText(o types.OID) bool { return o == types.Text || o == types.VarChar || o == types.Name }

// isBits: bit strings, which are strings of digits.
func isBits(o types.OID) bool { return o == types.Bit || o == types.VarBit }

// sameForm: equal values of the two types are equal as they lie in vectors and keys.
func sameForm(a, b types.OID) bool { return a == b || isText(a) && isText(b) || isBits(a) && isBits(b) }

func relabel(e query.Expr, t types.T) query.Expr {
	if e.Type().OID == t.OID {
		return e
	}
	return &query.RelabelType{Base: query.Base{T: t, Coll: e.Collation(), Loc: -1}, Arg: e, Form: query.CoerceImplicitCast}
}
