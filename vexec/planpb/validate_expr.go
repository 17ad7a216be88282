package planpb

import (
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

func (v *validator) exprs(es []*Expr, n int) error {
	for _, e := range es {
		if err := v.expr(e, n, 0); err != nil {
			return err
		}
	}
	return nil
}

// optional checks e unless it is missing.
func (v *validator) optional(e *Expr, n int) error {
	if e == nil {
		return nil
	}
	return v.expr(e, n, 0)
}

// expr checks an expression over n input columns.
func (v *validator) expr(e *Expr, n, depth int) error {
	if e == nil || e.Kind == nil {
		return malformed("missing expression")
	}
	if depth > exprDepthMax {
		return pgerror.New(pgerror.StatementTooComplex, "expression is nested too deeply")
	}
	if err := v.typ(e.GetType()); err != nil {
		return err
	}
	all := func(lists ...[]*Expr) error {
		for _, es := range lists {
			for _, c := range es {
				if err := v.expr(c, n, depth+1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	opt := func(es ...*Expr) error {
		for _, c := range es {
			if c != nil {
				if err := v.expr(c, n, depth+1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	array := func(a *Expr) error {
		if types.Class(a.GetType().GetClass()) != types.ClassArray {
			return malformed("array expected, not type %d", a.GetType().GetOid())
		}
		return nil
	}
	// subscripted: an array, or a jsonb with a plain path.
	subscripted := func(a *Expr, idx []*SubscriptIndex, slice bool) error {
		if types.Class(a.GetType().GetClass()) != types.ClassBase || types.OID(a.GetType().GetOid()) != types.JSONBOID {
			return array(a)
		}
		for _, i := range idx {
			if slice || i.GetUpper() == nil {
				return malformed("subscript")
			}
		}
		return nil
	}
	switch k := e.Kind.(type) {
	case *Expr_Column:
		if int(k.Column.GetIndex()) >= n {
			return outOfRange("column %d of %d", k.Column.GetIndex(), n)
		}
		return nil
	case *Expr_Const:
		if k.Const.GetNull() {
			return nil
		}
		if len(k.Const.GetValue()) > constBytesMax {
			return outOfRange("constant of %d bytes", len(k.Const.GetValue()))
		}
		return readable(e.GetType().T(), k.Const.GetValue())
	case *Expr_Param:
		if k.Param.GetKind() != Param_EXTERNAL && k.Param.GetIndex() >= v.slots {
			return outOfRange("slot %d of %d", k.Param.GetIndex(), v.slots)
		}
		return nil
	case *Expr_Func:
		return all(k.Func.GetArgs())
	case *Expr_Bool:
		if k.Bool.GetOp() < 0 || k.Bool.GetOp() > BoolExpr_NOT || len(k.Bool.GetArgs()) == 0 || k.Bool.GetOp() == BoolExpr_NOT && len(k.Bool.GetArgs()) != 1 {
			return malformed("boolean expression")
		}
		for _, a := range k.Bool.GetArgs() {
			if types.OID(a.GetType().GetOid()) != types.Bool {
				return malformed("boolean expression over type %d", a.GetType().GetOid())
			}
		}
		return all(k.Bool.GetArgs())
	case *Expr_Case:
		if err := opt(k.Case.GetTest(), k.Case.GetDefault()); err != nil {
			return err
		}
		for _, w := range k.Case.GetWhens() {
			if err := all([]*Expr{w.GetWhen(), w.GetThen()}); err != nil {
				return err
			}
		}
		return nil
	case *Expr_Coalesce:
		return all(k.Coalesce.GetArgs())
	case *Expr_MinMax:
		return all(k.MinMax.GetArgs())
	case *Expr_NullTest:
		return all([]*Expr{k.NullTest.GetArg()})
	case *Expr_BooleanTest:
		return all([]*Expr{k.BooleanTest.GetArg()})
	case *Expr_Distinct:
		return all([]*Expr{k.Distinct.GetLeft(), k.Distinct.GetRight()})
	case *Expr_NullIf:
		return all([]*Expr{k.NullIf.GetLeft(), k.NullIf.GetRight()})
	case *Expr_ScalarArrayOp:
		if err := array(k.ScalarArrayOp.GetArray()); err != nil {
			return err
		}
		return all([]*Expr{k.ScalarArrayOp.GetScalar(), k.ScalarArrayOp.GetArray()})
	case *Expr_Array:
		if err := array(e); err != nil {
			return err
		}
		return all(k.Array.GetElems())
	case *Expr_Row:
		return all(k.Row.GetFields())
	case *Expr_RowCompare:
		if len(k.RowCompare.GetLeft()) != len(k.RowCompare.GetRight()) || len(k.RowCompare.GetLeft()) == 0 {
			return malformed("row comparison")
		}
		return all(k.RowCompare.GetLeft(), k.RowCompare.GetRight())
	case *Expr_FieldSelect:
		return all([]*Expr{k.FieldSelect.GetArg()})
	case *Expr_FieldStore:
		return all([]*Expr{k.FieldStore.GetArg(), k.FieldStore.GetValue()})
	case *Expr_Subscript:
		if err := subscripted(k.Subscript.GetArg(), k.Subscript.GetIndexes(), k.Subscript.GetSlice()); err != nil {
			return err
		}
		for _, i := range k.Subscript.GetIndexes() {
			if err := opt(i.GetLower(), i.GetUpper()); err != nil {
				return err
			}
			if !k.Subscript.GetSlice() && i.GetUpper() == nil {
				return malformed("subscript")
			}
		}
		return all([]*Expr{k.Subscript.GetArg()})
	case *Expr_Assign:
		if err := subscripted(k.Assign.GetArg(), k.Assign.GetIndexes(), k.Assign.GetSlice()); err != nil {
			return err
		}
		for _, i := range k.Assign.GetIndexes() {
			if err := opt(i.GetLower(), i.GetUpper()); err != nil {
				return err
			}
		}
		return all([]*Expr{k.Assign.GetArg(), k.Assign.GetValue()})
	case *Expr_CoerceViaIo:
		return all([]*Expr{k.CoerceViaIo.GetArg()})
	case *Expr_ArrayCoerce:
		if err := array(k.ArrayCoerce.GetArg()); err != nil {
			return err
		}
		return all([]*Expr{k.ArrayCoerce.GetArg(), k.ArrayCoerce.GetElem()})
	case *Expr_Relabel:
		return all([]*Expr{k.Relabel.GetArg()})
	case *Expr_ConvertRowtype:
		return all([]*Expr{k.ConvertRowtype.GetArg()})
	}
	return malformed("unknown expression")
}

// readable: a constant's bytes are a value of its type. Readers of the vector
// forms take well-formed bytes for granted, hence the recover.
func readable(t types.T, b []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = malformed("constant of type %d", t.OID)
		}
	}()
	if _, e := types.ReadDatum(t, b); e != nil {
		return malformed("constant of type %d", t.OID)
	}
	return nil
}
