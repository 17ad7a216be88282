package text

import (
	"strings"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// splitFields is the work of string_to_array and string_to_table: a NULL
// separator splits into characters, an empty one not at all. ok false: NULL input.
func splitFields(args []types.Datum) (fields []types.Datum, ok bool) {
	if args[0] == nil {
		return nil, false
	}
	s := args[0].(string)
	put := func(f string) {
		if len(args) == 3 && args[2] != nil && args[2].(string) == f {
			fields = append(fields, nil)
			return
		}
		fields = append(fields, f)
	}
	switch {
	case s == "":
	case args[1] == nil:
		for i := 0; i < len(s); {
			_, n := utf8.DecodeRuneInString(s[i:])
			put(s[i : i+n])
			i += n
		}
	case args[1].(string) == "":
		put(s)
	default:
		for _, f := range strings.Split(s, args[1].(string)) {
			put(f)
		}
	}
	return fields, true
}

func stringToArray(_ *expr.Context, _ *expr.Call, args []types.Datum) (types.Datum, error) {
	fields, ok := splitFields(args)
	if !ok {
		return nil, nil
	}
	return types.NewArray(types.Of(types.Text), fields), nil
}

func stringToTable(_ *expr.Context, _ *expr.Call, args []types.Datum, emit func(...types.Datum) error) error {
	fields, _ := splitFields(args)
	for _, f := range fields {
		if err := emit(f); err != nil {
			return err
		}
	}
	return nil
}

// arrayToString joins an array's elements; NULL elements are left out, or shown
// as the third argument.
func arrayToString(ctx *expr.Context, _ *expr.Call, args []types.Datum) (types.Datum, error) {
	if args[0] == nil || args[1] == nil {
		return nil, nil
	}
	a := args[0].(*types.Array)
	var b []byte
	first := true
	for _, e := range a.Elems {
		if e == nil && (len(args) < 3 || args[2] == nil) {
			continue
		}
		if !first {
			b = append(b, args[1].(string)...)
		}
		first = false
		if e == nil {
			b = append(b, args[2].(string)...)
			continue
		}
		var err error
		if b, err = types.AppendOut(ctx.Env, a.Elem, b, e); err != nil {
			return nil, err
		}
	}
	return string(b), nil
}

func registerSplit(r *expr.Registry) {
	adapt.Add(r, "string_to_array(text,text)", adapt.D(stringToArray))
	adapt.Add(r, "string_to_array(text,text,text)", adapt.D(stringToArray))
	adapt.AddSet(r, "string_to_table(text,text)", stringToTable)
	adapt.AddSet(r, "string_to_table(text,text,text)", stringToTable)
	adapt.Add(r, "array_to_string(anyarray,text)", adapt.D(arrayToString))
	adapt.Add(r, "array_to_string(anyarray,text,text)", adapt.D(arrayToString))
}
