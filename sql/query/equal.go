package query

import (
	"reflect"
)

// Equal reports whether two expressions are the same but for positions in the
// text and for how columns and conversions were written.
func Equal(a, b Expr) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if a == b {
		return true
	}
	ta := reflect.TypeOf(a)
	if ta != reflect.TypeOf(b) {
		return false
	}
	switch x := a.(type) {
	case *Var:
		y := b.(*Var)
		return x.RTIndex == y.RTIndex && x.AttNum == y.AttNum && x.LevelsUp == y.LevelsUp && x.T == y.T
	case *Const:
		y := b.(*Const)
		return x.T == y.T && x.Coll == y.Coll && reflect.DeepEqual(x.Value, y.Value)
	case *Param:
		y := b.(*Param)
		return x.Kind == y.Kind && x.Number == y.Number && x.T == y.T
	}
	return equalValue(reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem())
}

var (
	exprIface  = reflect.TypeFor[Expr]()
	baseStruct = reflect.TypeFor[Base]()
	formType   = reflect.TypeFor[CoercionForm]()
)

// equalValue compares by structure, looking past Loc and CoercionForm.
func equalValue(a, b reflect.Value) bool {
	t := a.Type()
	switch {
	case t == formType:
		return true
	case t == baseStruct:
		x, y := a.Interface().(Base), b.Interface().(Base)
		return x.T == y.T && x.Coll == y.Coll
	case t == exprIface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() && b.IsNil()
		}
		return Equal(a.Interface().(Expr), b.Interface().(Expr))
	}
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			switch t.Field(i).Name {
			case "SynRTIndex", "SynAttNum", "OrigTable", "OrigColumn":
				continue
			}
			if !equalValue(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !equalValue(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() && b.IsNil()
		}
		if a.Elem().Type() != b.Elem().Type() {
			return false
		}
		return equalValue(a.Elem(), b.Elem())
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// EqualQuery compares two queries as Equal does.
func EqualQuery(a, b *Query) bool {
	if a == nil || b == nil {
		return a == b
	}
	return equalValue(reflect.ValueOf(a), reflect.ValueOf(b))
}
