package aggfn

import (
	"unsafe"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// fold combines values pairwise: min, max, bool_and, bit_or, …
type fold struct {
	v types.Datum
	f func(acc, v types.Datum) types.Datum
}

func (s *fold) Add(args []types.Datum) error {
	if s.v == nil {
		s.v = args[0]
	} else {
		s.v = s.f(s.v, args[0])
	}
	return nil
}

func (s *fold) Result() (types.Datum, error) { return s.v, nil }

func (s *fold) Size() int64 {
	switch v := s.v.(type) {
	case string:
		return 48 + int64(len(v))
	case []byte:
		return 48 + int64(len(v))
	}
	return 64
}

// extreme is min (dir −1) or max (dir 1) by the type's ordering. Of equal values
// that look different (1.0 and 1.00) the later one stays, but for bpchar.
func extreme(dir int) func(*expr.Context, *expr.Call) expr.AggState {
	return func(ctx *expr.Context, call *expr.Call) expr.AggState {
		t := call.ArgTypes[0]
		return &fold{f: func(acc, v types.Datum) types.Datum {
			switch c := types.Compare(ctx.Env, t, v, acc) * dir; {
			case c > 0, c == 0 && t.OID != types.BPChar:
				return v
			}
			return acc
		}}
	}
}

func bitFold[A int16 | int32 | int64](r *expr.Registry, typ string) {
	for name, op := range map[string]func(a, b A) A{
		"bit_and": func(a, b A) A { return a & b },
		"bit_or":  func(a, b A) A { return a | b },
		"bit_xor": func(a, b A) A { return a ^ b },
	} {
		adapt.AddAgg(r, name+"("+typ+")", true, func(*expr.Context, *expr.Call) expr.AggState {
			return &bitState[A]{op: op}
		})
	}
}

// bitStringFold is bit_and, bit_or and bit_xor of bit strings, which must be of one length.
type bitStringFold struct {
	fold
	op byte
}

func (s *bitStringFold) Add(args []types.Datum) error {
	if s.v == nil {
		s.v = args[0]
		return nil
	}
	v, err := types.CombineBits(s.op, s.v.(string), args[0].(string))
	if err != nil {
		return err
	}
	s.v = v
	return nil
}

// stringAgg joins values; each but the first brings its delimiter.
type stringAgg[S string | []byte] struct {
	b    []byte
	some bool
}

func (s *stringAgg[S]) Add(args []types.Datum) error {
	if args[0] == nil {
		return nil
	}
	more := len(args[0].(S))
	if s.some && args[1] != nil {
		more += len(args[1].(S))
	}
	if err := expr.CannotEnlarge(int64(len(s.b)), int64(more)); err != nil {
		return err
	}
	if s.some && args[1] != nil {
		s.b = append(s.b, args[1].(S)...)
	}
	s.b = append(s.b, args[0].(S)...)
	s.some = true
	return nil
}

func (s *stringAgg[S]) Result() (types.Datum, error) {
	if !s.some {
		return nil, nil
	}
	// what is appended later does not touch these bytes
	b := s.b[:len(s.b):len(s.b)]
	if _, ok := any(S("")).(string); ok {
		return unsafe.String(unsafe.SliceData(b), len(b)), nil
	}
	return b, nil
}

func (s *stringAgg[S]) Size() int64 { return 32 + int64(cap(s.b)) }

func registerSimple(r *expr.Registry) {
	for _, t := range []string{"int2", "int4", "int8", "numeric", "float4", "float8", "text", "bpchar", "oid", "pg_lsn", "xid8",
		"date", "time", "timetz", "timestamp", "timestamptz", "interval", "anyarray", "anyenum"} {
		adapt.AddAgg(r, "min("+t+")", true, extreme(-1))
		adapt.AddAgg(r, "max("+t+")", true, extreme(1))
	}
	and := func(*expr.Context, *expr.Call) expr.AggState {
		return &fold{f: func(a, b types.Datum) types.Datum { return a.(bool) && b.(bool) }}
	}
	adapt.AddAgg(r, "bool_and(bool)", true, and)
	adapt.AddAgg(r, "every(bool)", true, and)
	adapt.AddAgg(r, "bool_or(bool)", true, func(*expr.Context, *expr.Call) expr.AggState {
		return &fold{f: func(a, b types.Datum) types.Datum { return a.(bool) || b.(bool) }}
	})
	bitFold[int16](r, "int2")
	bitFold[int32](r, "int4")
	bitFold[int64](r, "int8")
	for name, op := range map[string]byte{"bit_and": '&', "bit_or": '|', "bit_xor": '#'} {
		adapt.AddAgg(r, name+"(bit)", true, func(*expr.Context, *expr.Call) expr.AggState { return &bitStringFold{op: op} })
	}
	adapt.AddAgg(r, "string_agg(text,text)", false, func(*expr.Context, *expr.Call) expr.AggState { return &stringAgg[string]{} })
	adapt.AddAgg(r, "string_agg(bytea,bytea)", false, func(*expr.Context, *expr.Call) expr.AggState { return &stringAgg[[]byte]{} })
}
