package planpb

import "github.com/basaltdb/basalt/sql/types"

// T is the types.T a message stands for. A nil message is the zero T.
func (t *Type) T() types.T {
	if t == nil {
		return types.T{}
	}
	return types.T{OID: types.OID(t.Oid), Mod: t.Mod, Class: types.Class(t.Class), Elem: types.OID(t.Elem), ElemClass: types.Class(t.ElemClass)}
}

// NewType is the message for t.
func NewType(t types.T) *Type {
	return &Type{Oid: uint32(t.OID), Mod: t.Mod, Class: uint32(t.Class), Elem: uint32(t.Elem), ElemClass: uint32(t.ElemClass)}
}

// NewConst is a constant expression of type t; nil is NULL.
func NewConst(t types.T, d types.Datum) *Expr {
	c := &Const{Null: d == nil}
	if d != nil {
		c.Value = types.AppendDatum(t, nil, d)
	}
	return &Expr{Type: NewType(t), Kind: &Expr_Const{Const: c}}
}

// NewColumn is a reference to input column index.
func NewColumn(t types.T, index int) *Expr {
	return &Expr{Type: NewType(t), Kind: &Expr_Column{Column: &ColumnRef{Index: uint32(index)}}}
}

// NewFunc is a call of pg_proc function oid with result type t.
func NewFunc(t types.T, oid uint32, args ...*Expr) *Expr {
	return &Expr{Type: NewType(t), Kind: &Expr_Func{Func: &Func{Oid: oid, Args: args}}}
}
