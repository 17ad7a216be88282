package analyze

import (
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// typ gives the pg_type row of a type.
func (a *analyzer) typ(oid types.OID) *catalog.Type {
	t, err := a.cat.Type(a.ctx, oid)
	check(err)
	if t == nil {
		fail(pgerror.New(pgerror.UndefinedObject, "type with OID %d does not exist", oid))
	}
	return t
}

// tOf is the expression type of a type OID with modifier.
func (a *analyzer) tOf(oid types.OID, mod int32) types.T {
	if oid < types.FirstNormalOID {
		t := types.WithMod(oid, mod)
		if t.Class != types.ClassBase {
			return t
		}
		switch oid {
		case types.Bool, types.Int2, types.Int4, types.Int8, types.Text, types.Float8, types.NumericOID, types.Unknown, types.Oid, types.Name, types.DateOID, types.TimestampOID, 0:
			return t
		}
	}
	return a.typ(oid).T.WithMod(mod)
}

func (a *analyzer) format(oid types.OID) string { return a.cat.FormatType(oid, -1) }

func (a *analyzer) formatT(t types.T) string { return a.cat.FormatType(t.OID, t.Mod) }

// baseType looks through domains.
func (a *analyzer) baseType(oid types.OID) types.OID {
	if oid == 0 || oid == types.Unknown {
		return oid
	}
	for {
		t := a.typ(oid)
		if t.TypType != 'd' || t.BaseType == 0 {
			return oid
		}
		oid = t.BaseType
	}
}

func (a *analyzer) category(oid types.OID) byte {
	if oid == types.Unknown {
		return 'X'
	}
	return a.typ(oid).Category
}

func (a *analyzer) preferred(oid types.OID) bool {
	return oid != types.Unknown && a.typ(oid).Preferred
}

// elementOf is the element type of a true array type, 0 for others.
func (a *analyzer) elementOf(oid types.OID) types.OID {
	if oid == 0 || oid == types.Unknown {
		return 0
	}
	t := a.typ(oid)
	if t.IsTrueArray {
		return t.Elem
	}
	return 0
}

// noVectorElements refuses arrays whose elements are int2vector or oidvector.
func (ps *pstate) noVectorElements(elem types.OID, loc int) {
	if elem == types.Int2Vector || elem == types.OidVector {
		ps.failAt(loc, pgerror.FeatureNotSupported, "arrays of type %s are not supported yet", ps.format(elem))
	}
}

// subscriptElement is what oid's subscripts select: also for int2vector and oidvector.
func (a *analyzer) subscriptElement(oid types.OID) types.OID {
	switch oid {
	case types.Int2Vector:
		return types.Int2
	case types.OidVector:
		return types.Oid
	}
	return a.elementOf(oid)
}

func (a *analyzer) isComposite(oid types.OID) bool {
	if oid == 0 || oid == types.Unknown || oid == types.RecordOID {
		return false
	}
	return a.typ(a.baseType(oid)).TypType == 'c'
}

// isRowType includes record.
func (a *analyzer) isRowType(oid types.OID) bool { return oid == types.RecordOID || a.isComposite(oid) }

func (a *analyzer) isEnum(oid types.OID) bool {
	return oid != types.Unknown && oid != 0 && a.typ(oid).TypType == 'e'
}

func (a *analyzer) typeCollation(oid types.OID) types.OID {
	switch oid {
	case 0, types.Unknown, types.Int4, types.Int8, types.Int2, types.Bool, types.Float8, types.NumericOID, types.RecordOID:
		return 0
	case types.Text, types.VarChar, types.BPChar:
		return catalog.DefaultCollation
	}
	return a.typ(oid).Collation
}

func isPolymorphic(oid types.OID) bool {
	switch oid {
	case types.AnyElement, types.AnyArray, types.AnyNonArray, types.AnyEnum, types.AnyRange, types.AnyMultirange:
		return true
	}
	return isCompatible(oid)
}

func isCompatible(oid types.OID) bool {
	switch oid {
	case types.AnyCompatible, types.AnyCompatibleArray, types.AnyCompatibleNonArray, types.AnyCompatibleRange, types.AnyCompatibleMultirange:
		return true
	}
	return false
}

func typeOf(e query.Expr) types.OID { return e.Type().OID }

// exprLoc is the leftmost position of an expression's text.
func exprLoc(e query.Expr) int {
	if e == nil {
		return -1
	}
	loc := e.Pos()
	left := func(x query.Expr) {
		if l := exprLoc(x); l >= 0 && (loc < 0 || l < loc) {
			loc = l
		}
	}
	switch n := e.(type) {
	case *query.FuncExpr:
		for _, x := range n.Args {
			left(x)
		}
	case *query.OpExpr:
		for _, x := range n.Args {
			left(x)
		}
	case *query.BoolExpr:
		for _, x := range n.Args {
			left(x)
		}
	case *query.DistinctExpr:
		left(n.Left)
		left(n.Right)
	case *query.NullIfExpr:
		left(n.Left)
		left(n.Right)
	case *query.ScalarArrayOpExpr:
		left(n.Scalar)
		left(n.Array)
	case *query.SubLink:
		if n.Test != nil {
			left(n.Test)
		}
	case *query.SubscriptingRef:
		return exprLoc(n.Arg)
	case *query.FieldSelect:
		return exprLoc(n.Arg)
	case *query.FieldStore:
		return exprLoc(n.Arg)
	case *query.RelabelType:
		left(n.Arg)
	case *query.CoerceViaIO:
		left(n.Arg)
	case *query.ArrayCoerceExpr:
		left(n.Arg)
	case *query.ConvertRowtypeExpr:
		left(n.Arg)
	case *query.CollateExpr:
		return exprLoc(n.Arg)
	case *query.NullTest:
		left(n.Arg)
	case *query.BooleanTest:
		left(n.Arg)
	case *query.RowCompareExpr:
		if len(n.Left) > 0 {
			return exprLoc(n.Left[0])
		}
	}
	return loc
}

// exprsLoc is the position of the first of a list that has one.
func exprsLoc(es []query.Expr) int {
	for _, e := range es {
		if l := exprLoc(e); l >= 0 {
			return l
		}
	}
	return -1
}
