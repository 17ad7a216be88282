package query

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// The stored form of trees is JSON:
//
//	{"v":1,"q":NODE}   a query        {"v":1,"e":NODE}   an expression
//
// NODE is an object of the Go fields that are not zero, by name; a node behind an
// interface (Expr, FromItem) has its Go type name in "_". A Const's value is the
// base64 of types.AppendDatum for its type. Locations are not kept (−1 when read
// back). Fields may be added; renaming or retyping one needs a new version.
const marshalVersion = 1

var nodeTypes = func() map[string]reflect.Type {
	m := map[string]reflect.Type{}
	for _, n := range []any{
		Var{}, Const{}, Param{}, FuncExpr{}, OpExpr{}, DistinctExpr{}, NullIfExpr{}, ScalarArrayOpExpr{}, BoolExpr{}, Aggref{}, GroupingFunc{},
		WindowFunc{}, SubLink{}, MultiAssignRef{}, SubscriptingRef{}, FieldSelect{}, FieldStore{}, RelabelType{}, CoerceViaIO{}, ArrayCoerceExpr{},
		ConvertRowtypeExpr{}, CollateExpr{}, CaseExpr{}, ArrayExpr{}, RowExpr{}, RowCompareExpr{}, CoalesceExpr{}, MinMaxExpr{}, NullTest{},
		BooleanTest{}, SQLValueFunction{}, SetToDefault{}, NextValExpr{}, RangeTblRef{}, JoinExpr{}, FromExpr{},
	} {
		t := reflect.TypeOf(n)
		m[t.Name()] = t
	}
	return m
}()

// Marshal gives the stored form of a query.
func Marshal(q *Query) []byte { return marshal("q", reflect.ValueOf(q)) }

// MarshalExpr gives the stored form of an expression.
func MarshalExpr(e Expr) []byte { return marshal("e", reflect.ValueOf(&e).Elem()) }

func marshal(key string, v reflect.Value) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"v":%d,%q:`, marshalVersion, key)
	writeValue(&b, v)
	b.WriteByte('}')
	return b.Bytes()
}

var (
	constType = reflect.TypeOf(Const{})
	baseType  = reflect.TypeOf(Base{})
)

func writeValue(b *bytes.Buffer, v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			b.WriteString("null")
			return
		}
		p := v.Elem().Elem()
		writeStruct(b, p, p.Type().Name())
	case reflect.Pointer:
		if v.IsNil() {
			b.WriteString("null")
			return
		}
		writeStruct(b, v.Elem(), "")
	case reflect.Struct:
		writeStruct(b, v, "")
	case reflect.Slice:
		if v.IsNil() {
			b.WriteString("null")
			return
		}
		b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				b.WriteByte(',')
			}
			writeValue(b, v.Index(i))
		}
		b.WriteByte(']')
	default:
		s, err := json.Marshal(v.Interface())
		if err != nil {
			panic(pgerror.Internal("query: %v", err))
		}
		b.Write(s)
	}
}

func writeStruct(b *bytes.Buffer, v reflect.Value, name string) {
	b.WriteByte('{')
	sep := func() {
		if b.Bytes()[b.Len()-1] != '{' {
			b.WriteByte(',')
		}
	}
	if name != "" {
		fmt.Fprintf(b, `"_":%q`, name)
	}
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if v.Field(i).IsZero() || t == baseType && f.Name == "Loc" {
			continue
		}
		sep()
		fmt.Fprintf(b, "%q:", f.Name)
		if t == constType && f.Name == "Value" {
			c := v.Interface().(Const)
			fmt.Fprintf(b, "%q", base64.StdEncoding.EncodeToString(types.AppendDatum(c.T, nil, c.Value)))
			continue
		}
		writeValue(b, v.Field(i))
	}
	b.WriteByte('}')
}

type stored struct {
	V int             `json:"v"`
	Q json.RawMessage `json:"q"`
	E json.RawMessage `json:"e"`
}

func open(data []byte) (s stored, err error) {
	if err := json.Unmarshal(data, &s); err != nil {
		return s, pgerror.Wrap(err, pgerror.DataCorrupted, "stored query tree is damaged: %v", err)
	}
	if s.V != marshalVersion {
		return s, pgerror.New(pgerror.DataCorrupted, "stored query tree has unknown version %d", s.V)
	}
	return s, nil
}

// Unmarshal reads Marshal's form.
func Unmarshal(data []byte) (*Query, error) {
	s, err := open(data)
	if err != nil {
		return nil, err
	}
	q := new(Query)
	if err := readValue(s.Q, reflect.ValueOf(q).Elem()); err != nil {
		return nil, pgerror.Wrap(err, pgerror.DataCorrupted, "stored query tree is damaged: %v", err)
	}
	return q, nil
}

// UnmarshalExpr reads MarshalExpr's form.
func UnmarshalExpr(data []byte) (Expr, error) {
	s, err := open(data)
	if err != nil {
		return nil, err
	}
	var e Expr
	if err := readValue(s.E, reflect.ValueOf(&e).Elem()); err != nil {
		return nil, pgerror.Wrap(err, pgerror.DataCorrupted, "stored expression is damaged: %v", err)
	}
	return e, nil
}

func readValue(data json.RawMessage, v reflect.Value) error {
	if len(data) == 0 || string(data) == "null" {
		return nil
	}
	switch v.Kind() {
	case reflect.Interface:
		var head struct {
			Name string `json:"_"`
		}
		if err := json.Unmarshal(data, &head); err != nil {
			return err
		}
		t := nodeTypes[head.Name]
		if t == nil {
			return fmt.Errorf("unknown node %q", head.Name)
		}
		p := reflect.New(t)
		if !p.Type().AssignableTo(v.Type()) {
			return fmt.Errorf("node %q in a wrong place", head.Name)
		}
		if err := readStruct(data, p.Elem()); err != nil {
			return err
		}
		v.Set(p)
		return nil
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if err := readStruct(data, p.Elem()); err != nil {
			return err
		}
		v.Set(p)
		return nil
	case reflect.Struct:
		return readStruct(data, v)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return json.Unmarshal(data, v.Addr().Interface())
		}
		var items []json.RawMessage
		if err := json.Unmarshal(data, &items); err != nil {
			return err
		}
		s := reflect.MakeSlice(v.Type(), len(items), len(items))
		for i, it := range items {
			if err := readValue(it, s.Index(i)); err != nil {
				return err
			}
		}
		v.Set(s)
		return nil
	}
	return json.Unmarshal(data, v.Addr().Interface())
}

func readStruct(data json.RawMessage, v reflect.Value) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	t := v.Type()
	if t == baseType {
		v.Addr().Interface().(*Base).Loc = -1
	}
	for i := range t.NumField() {
		f := t.Field(i)
		raw, ok := fields[f.Name]
		if t == constType && f.Name == "Value" {
			if !ok {
				continue
			}
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				return err
			}
			b, err := base64.StdEncoding.DecodeString(s)
			if err != nil {
				return err
			}
			c := v.Addr().Interface().(*Const)
			if c.Value, err = types.ReadDatum(c.T, b); err != nil {
				return err
			}
			continue
		}
		if f.Type == baseType {
			v.Field(i).Addr().Interface().(*Base).Loc = -1
		}
		if !ok {
			continue
		}
		if err := readValue(raw, v.Field(i)); err != nil {
			return fmt.Errorf("%s.%s: %w", t.Name(), f.Name, err)
		}
	}
	return nil
}
