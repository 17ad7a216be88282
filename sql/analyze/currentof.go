package analyze

import (
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// pg_operator and pg_proc of bytea = bytea.
const (
	byteaEqOperator types.OID = 1955
	byteaEqFunction types.OID = 1948
)

// currentOf is WHERE CURRENT OF: the target's row key is the one of the row that the
// cursor stands on. The tree holds for this moment only.
func (ps *pstate) currentOf(cursor string) query.Expr {
	rel := ps.targetRel
	if rel.Kind == catalog.KindView {
		fail(pgerror.New(pgerror.FeatureNotSupported, "WHERE CURRENT OF on a view is not implemented"))
	}
	if ps.env.CurrentOf == nil {
		ps.unsupported(-1, "WHERE CURRENT OF")
	}
	locator, err := ps.env.CurrentOf(cursor, rel)
	check(err)
	ps.momentary = true
	key := query.Base{T: types.Of(types.Bytea), Loc: -1}
	return &query.OpExpr{Base: ps.boolean(-1), Op: byteaEqOperator, Func: byteaEqFunction, Name: "=", Args: []query.Expr{
		&query.Var{Base: key, RTIndex: ps.target.rti, AttNum: query.AttLocator}, &query.Const{Base: key, Value: locator}}}
}
