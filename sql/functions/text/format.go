package text

import (
	_ "embed"
	"math"
	"strings"
	"unsafe"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

//go:embed keywords.txt
var keywordList string

// keywords are the key words that cannot stand as an identifier everywhere.
var keywords = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(keywordList) {
		m[w] = true
	}
	return m
}()

// QuoteIdent is quote_ident: s, in double quotes if it needs them.
func QuoteIdent(s string) string {
	safe := s != "" && (s[0] >= 'a' && s[0] <= 'z' || s[0] == '_')
	for i := 0; safe && i < len(s); i++ {
		c := s[i]
		safe = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_'
	}
	if safe && !keywords[s] {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// QuoteLiteral is quote_literal.
func QuoteLiteral(s string) string {
	q := strings.ReplaceAll(s, "'", "''")
	if strings.Contains(q, `\`) {
		return "E'" + strings.ReplaceAll(q, `\`, `\\`) + "'"
	}
	return "'" + q + "'"
}

// castText is value::text: the output function but for bool and bpchar.
func castText(ctx *expr.Context, t types.T, d types.Datum) (string, error) {
	if b, ok := d.(bool); ok {
		if b {
			return "true", nil
		}
		return "false", nil
	}
	if t.OID == types.BPChar {
		return types.TrimBPChar(d.(string)), nil
	}
	return types.Out(ctx.Env, t, d)
}

// variadic gives the values and types of a VARIADIC "any" call from argument from on.
// isNull: VARIADIC NULL was given.
func variadic(call *expr.Call, args []types.Datum, from int) (vals []types.Datum, ts []types.T, isNull bool) {
	if !call.Variadic {
		return args[from:], call.ArgTypes[from:], false
	}
	last := len(args) - 1
	if args[last] == nil {
		return nil, nil, true
	}
	a := args[last].(*types.Array)
	ts = make([]types.T, len(a.Elems))
	for i := range ts {
		ts[i] = call.ArgTypes[last].ElemType()
	}
	return a.Elems, ts, false
}

func concat(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
	return concatArgs(ctx, call, args, 0, "")
}

func concatArgs(ctx *expr.Context, call *expr.Call, args []types.Datum, from int, sep string) (types.Datum, error) {
	vals, ts, isNull := variadic(call, args, from)
	if isNull {
		return nil, nil
	}
	var b []byte
	first := true
	for i, v := range vals {
		if v == nil {
			continue
		}
		if !first {
			b = append(b, sep...)
		}
		first = false
		var err error
		before := len(b)
		if s, ok := v.(string); ok && len(s) > 1<<20 {
			if err := expr.CannotEnlarge(int64(before), int64(len(s))); err != nil {
				return nil, err
			}
			if err := ctx.GrowLarge(int64(len(s))); err != nil {
				return nil, err
			}
		}
		if b, err = types.AppendOut(ctx.Env, ts[i], b, v); err != nil {
			return nil, err
		}
	}
	if err := expr.CannotEnlarge(int64(len(b)), 0); err != nil {
		return nil, err
	}
	return unsafe.String(unsafe.SliceData(b), len(b)), nil
}

func concatWS(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
	if args[0] == nil {
		return nil, nil
	}
	return concatArgs(ctx, call, args, 1, args[0].(string))
}

const percentHint = `For a single "%%" use "%%%%".` // a format of WithHint

// formatSpec is one conversion of a format string: %[position$][flags][width]type.
type formatSpec struct {
	arg      int // 1-based; 0: the next one
	left     bool
	width    int
	widthArg int // −1: none; 0: the next one; n: that one
	verb     byte
}

// format is format(formatstr, …).
func format(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
	if args[0] == nil {
		return nil, nil
	}
	f := args[0].(string)
	var vals []types.Datum
	var ts []types.T
	if len(args) > 1 {
		vals, ts, _ = variadic(call, args, 1)
	}
	var b strings.Builder
	next := 0
	take := func(n int) (types.Datum, types.T, error) {
		if n > 0 {
			next = n
		} else {
			next++
		}
		if next > len(vals) {
			return nil, types.T{}, invalidParameter("too few arguments for format()")
		}
		return vals[next-1], ts[next-1], nil
	}
	for i := 0; i < len(f); i++ {
		if f[i] != '%' {
			b.WriteByte(f[i])
			continue
		}
		if i+1 < len(f) && f[i+1] == '%' {
			b.WriteByte('%')
			i++
			continue
		}
		spec, n, err := parseFormatSpec(f[i+1:])
		if err != nil {
			return nil, err
		}
		i += n
		if spec.widthArg >= 0 {
			d, t, err := take(spec.widthArg)
			if err != nil {
				return nil, err
			}
			if spec.width, err = widthOf(ctx, d, t); err != nil {
				return nil, err
			}
		}
		if spec.width < 0 {
			if spec.width == math.MinInt32 {
				return nil, pgerror.New(pgerror.NumericValueOutOfRange, "number is out of range")
			}
			spec.left, spec.width = true, -spec.width
		}
		d, t, err := take(spec.arg)
		if err != nil {
			return nil, err
		}
		s := ""
		switch {
		case d != nil:
			if s, err = types.Out(ctx.Env, t, d); err != nil {
				return nil, err
			}
			if spec.verb == 'I' {
				s = QuoteIdent(s)
			} else if spec.verb == 'L' {
				s = QuoteLiteral(s)
			}
		case spec.verb == 'I':
			return nil, pgerror.New(pgerror.NullValueNotAllowed, "null values cannot be formatted as an SQL identifier")
		case spec.verb == 'L':
			s = "NULL"
		}
		need := max(spec.width-types.CharLen(s), 0)
		if need > 1<<20 || b.Len()+len(s) > 1<<20 {
			if err := expr.CannotEnlarge(int64(b.Len()), int64(need+len(s))); err != nil {
				return nil, err
			}
			if err := ctx.GrowLarge(2*int64(need) + int64(len(s))); err != nil {
				return nil, err
			}
		}
		fill := strings.Repeat(" ", need)
		if spec.left {
			b.WriteString(s + fill)
		} else {
			b.WriteString(fill + s)
		}
	}
	return b.String(), nil
}

// widthOf reads a * width argument; NULL means 0.
func widthOf(ctx *expr.Context, d types.Datum, t types.T) (int, error) {
	switch v := d.(type) {
	case nil:
		return 0, nil
	case int32:
		return int(v), nil
	case int16:
		return int(v), nil
	}
	s, err := types.Out(ctx.Env, t, d)
	if err != nil {
		return 0, err
	}
	v, err := types.ParseInt(s, 32, "integer")
	return int(v), err
}

// parseFormatSpec reads what follows a percent sign; n is its length.
func parseFormatSpec(s string) (spec formatSpec, n int, err error) {
	spec.widthArg = -1
	i := 0
	unterminated := func() (formatSpec, int, error) {
		return spec, 0, invalidParameter("unterminated format() type specifier").WithHint(percentHint)
	}
	number := func() (int, bool, error) {
		start, v := i, 0
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			if v = v*10 + int(s[i]-'0'); v > math.MaxInt32 {
				return 0, false, pgerror.New(pgerror.NumericValueOutOfRange, "number is out of range")
			}
			i++
		}
		return v, i > start, nil
	}
	argument0 := func(v int) error {
		if v == 0 {
			return invalidParameter("format specifies argument 0, but arguments are numbered from 1")
		}
		return nil
	}
	v, ok, err := number()
	if err != nil {
		return spec, 0, err
	}
	if ok {
		if i == len(s) {
			return unterminated()
		}
		if s[i] == '$' {
			if err := argument0(v); err != nil {
				return spec, 0, err
			}
			spec.arg = v
			i++
			ok = false
		} else {
			spec.width = v
		}
	}
	if !ok {
		for i < len(s) && s[i] == '-' {
			spec.left = true
			i++
		}
		if i == len(s) {
			return unterminated()
		}
		if s[i] == '*' {
			i++
			if i == len(s) {
				return unterminated()
			}
			w, ok, err := number()
			if err != nil {
				return spec, 0, err
			}
			spec.widthArg = 0
			if ok {
				if i == len(s) {
					return unterminated()
				}
				if s[i] != '$' {
					return spec, 0, invalidParameter("width argument position must be ended by \"$\"")
				}
				if err := argument0(w); err != nil {
					return spec, 0, err
				}
				spec.widthArg = w
				i++
			}
		} else if spec.width, _, err = number(); err != nil {
			return spec, 0, err
		}
	}
	if i == len(s) {
		return unterminated()
	}
	if spec.verb = s[i]; spec.verb != 's' && spec.verb != 'I' && spec.verb != 'L' {
		return spec, 0, invalidParameter("unrecognized format() type specifier \"%s\"", types.CharPrefix(s[i:], 1)).WithHint(percentHint)
	}
	return spec, i + 1, nil
}

func registerFormat(r *expr.Registry) {
	adapt.Add(r, "concat(any)", adapt.D(concat))
	adapt.Add(r, "concat_ws(text,any)", adapt.D(concatWS))
	adapt.Add(r, "format(text,any)", adapt.D(format))
	adapt.Add(r, "format(text)", adapt.D(format))
	adapt.Add(r, "quote_ident(text)", adapt.F1(QuoteIdent))
	adapt.Add(r, "quote_literal(text)", adapt.F1(QuoteLiteral))
	quoted := func(null types.Datum) expr.Kernel {
		return adapt.D(func(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
			if args[0] == nil {
				return null, nil
			}
			s, err := castText(ctx, call.ArgTypes[0], args[0])
			if err != nil {
				return nil, err
			}
			return QuoteLiteral(s), nil
		})
	}
	adapt.Add(r, "quote_literal(anyelement)", quoted(nil))
	adapt.Add(r, "quote_nullable(text)", quoted("NULL"))
	adapt.Add(r, "quote_nullable(anyelement)", quoted("NULL"))
	adapt.Add(r, "textanycat(text,anynonarray)", adapt.C2(func(ctx *expr.Context, call *expr.Call, s string, d types.Datum) (string, error) {
		v, err := castText(ctx, call.ArgTypes[1], d)
		return s + v, err
	}))
	adapt.Add(r, "anytextcat(anynonarray,text)", adapt.C2(func(ctx *expr.Context, call *expr.Call, d types.Datum, s string) (string, error) {
		v, err := castText(ctx, call.ArgTypes[0], d)
		return v + s, err
	}))
	nulls := func(want bool) expr.Kernel {
		return adapt.D(func(_ *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
			vals, _, isNull := variadic(call, args, 0)
			if isNull {
				return nil, nil
			}
			n := int32(0)
			for _, v := range vals {
				if (v == nil) == want {
					n++
				}
			}
			return n, nil
		})
	}
	adapt.Add(r, "num_nulls(any)", nulls(true))
	adapt.Add(r, "num_nonnulls(any)", nulls(false))
}
