package text

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// valueBytesMax is the largest value PostgreSQL makes.
const valueBytesMax = 0x3fffffff

func tooLong() error {
	return pgerror.New(pgerror.ProgramLimitExceeded, "requested length too large")
}

func invalidParameter(format string, args ...any) *pgerror.Error {
	return pgerror.New(pgerror.InvalidParameterValue, format, args...)
}

// lowerASCII and upperASCII change ASCII letters only, as collation C does.
func lowerASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if c := b[i]; c >= 'A' && c <= 'Z' {
					b[i] = c + 32
				}
			}
			return string(b)
		}
	}
	return s
}

func upperASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'a' && c <= 'z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if c := b[i]; c >= 'a' && c <= 'z' {
					b[i] = c - 32
				}
			}
			return string(b)
		}
	}
	return s
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func initcap(s string) string {
	b, in := []byte(s), false
	for i, c := range b {
		switch {
		case in && c >= 'A' && c <= 'Z':
			b[i] = c + 32
		case !in && c >= 'a' && c <= 'z':
			b[i] = c - 32
		}
		in = isAlnum(c)
	}
	return string(b)
}

// charOffset is the byte offset of character n (0-based), len(s) beyond the end.
func charOffset(s string, n int) int { return len(types.CharPrefix(s, n)) }

func negativeLength() error {
	return pgerror.New(pgerror.SubstringError, "negative substring length not allowed")
}

// substr is substring(s from start for length), characters counted from 1.
func substr(s string, start, length int32) (string, error) {
	if length < 0 {
		return "", negativeLength()
	}
	from, to := int64(start)-1, int64(start)-1+int64(length)
	if to <= 0 {
		return "", nil
	}
	from = max(from, 0)
	s = s[charOffset(s, int(min(from, int64(len(s))))):]
	return types.CharPrefix(s, int(min(to-from, int64(len(s))))), nil
}

func substrFrom(s string, start int32) string {
	return s[charOffset(s, max(int(start)-1, 0)):]
}

func overlay(s, repl string, start, length int32) (string, error) {
	if start <= 0 {
		return "", negativeLength()
	}
	end := int64(start) + int64(length)
	if end > math.MaxInt32 || end < math.MinInt32 {
		return "", pgerror.New(pgerror.NumericValueOutOfRange, "integer out of range")
	}
	return types.CharPrefix(s, int(start)-1) + repl + substrFrom(s, int32(end)), nil
}

// strpos is the character position of sub in s, 0 when it does not occur.
func strpos(s, sub string) int32 {
	i := strings.Index(s, sub)
	if i < 0 {
		return 0
	}
	return int32(types.CharLen(s[:i])) + 1
}

func left(s string, n int32) string {
	if n < 0 {
		return types.CharPrefix(s, types.CharLen(s)+int(n))
	}
	return types.CharPrefix(s, int(n))
}

func right(s string, n int32) string {
	if n < 0 {
		return s[charOffset(s, -int(n)):]
	}
	return s[charOffset(s, types.CharLen(s)-int(n)):]
}

// pad makes the filling of lpad and rpad; it answers s cut to n characters when none is needed.
func pad(ctx *expr.Context, s string, n int32, fill string) (cut, filling string, err error) {
	n = max(n, 0)
	if fill == "" {
		return types.CharPrefix(s, int(n)), "", nil
	}
	if int64(n)*4 > valueBytesMax {
		return "", "", tooLong()
	}
	have := types.CharLen(s)
	if have >= int(n) {
		return types.CharPrefix(s, int(n)), "", nil
	}
	need, each := int(n)-have, types.CharLen(fill)
	if err := ctx.GrowLarge(int64(need)/int64(each)*int64(len(fill))*2 + int64(len(s))); err != nil {
		return "", "", err
	}
	return s, strings.Repeat(fill, need/each) + types.CharPrefix(fill, need%each), nil
}

func lpad(ctx *expr.Context, _ *expr.Call, s string, n int32, fill string) (string, error) {
	s, f, err := pad(ctx, s, n, fill)
	return f + s, err
}

func rpad(ctx *expr.Context, _ *expr.Call, s string, n int32, fill string) (string, error) {
	s, f, err := pad(ctx, s, n, fill)
	return s + f, err
}

func repeat(ctx *expr.Context, _ *expr.Call, s string, n int32) (string, error) {
	if n <= 0 || s == "" {
		return "", nil
	}
	if int64(n)*int64(len(s)) > valueBytesMax-4 {
		return "", tooLong()
	}
	if err := ctx.GrowLarge(int64(n) * int64(len(s))); err != nil {
		return "", err
	}
	return strings.Repeat(s, int(n)), nil
}

func textcat(ctx *expr.Context, _ *expr.Call, a, b string) (string, error) {
	n := int64(len(a)) + int64(len(b))
	if n > valueBytesMax-4 {
		return "", expr.InvalidAlloc(n + 4)
	}
	if err := ctx.GrowLarge(n); err != nil {
		return "", err
	}
	return a + b, nil
}

func replace(ctx *expr.Context, _ *expr.Call, s, from, to string) (string, error) {
	if from == "" {
		return s, nil
	}
	if len(to) > len(from) && len(s)/len(from)*len(to) > 1<<20 {
		n := int64(len(s)) + int64(strings.Count(s, from))*int64(len(to)-len(from))
		if err := expr.CannotEnlarge(n-int64(len(to)), int64(len(to))); err != nil {
			return "", err
		}
		if err := ctx.GrowLarge(n); err != nil {
			return "", err
		}
	}
	return strings.ReplaceAll(s, from, to), nil
}

func reverse(s string) string {
	b, at := make([]byte, len(s)), len(s)
	for i := 0; i < len(s); {
		_, n := utf8.DecodeRuneInString(s[i:])
		at -= n
		copy(b[at:], s[i:i+n])
		i += n
	}
	return string(b)
}

func splitPart(s, sep string, n int32) (string, error) {
	if n == 0 {
		return "", invalidParameter("field position must not be zero")
	}
	if s == "" {
		return "", nil
	}
	if sep == "" {
		if n == 1 || n == -1 {
			return s, nil
		}
		return "", nil
	}
	if n < 0 {
		parts := strings.Count(s, sep) + 1
		if n = int32(parts) + n + 1; n <= 0 {
			return "", nil
		}
	}
	for ; n > 1; n-- {
		i := strings.Index(s, sep)
		if i < 0 {
			return "", nil
		}
		s = s[i+len(sep):]
	}
	if i := strings.Index(s, sep); i >= 0 {
		s = s[:i]
	}
	return s, nil
}

func translate(s, from, to string) string {
	f, t := []rune(from), []rune(to)
	m := make(map[rune]rune, len(f))
	for i, c := range f {
		if _, seen := m[c]; seen {
			continue
		}
		m[c] = -1
		if i < len(t) {
			m[c] = t[i]
		}
	}
	return strings.Map(func(c rune) rune {
		if r, ok := m[c]; ok {
			return r
		}
		return c
	}, s)
}

func ascii(s string) int32 {
	if s == "" {
		return 0
	}
	c, _ := utf8.DecodeRuneInString(s)
	return c
}

func chr(c int32) (string, error) {
	switch {
	case c < 0:
		return "", invalidParameter("character number must be positive")
	case c == 0:
		return "", pgerror.New(pgerror.ProgramLimitExceeded, "null character not permitted")
	case c > utf8.MaxRune:
		return "", pgerror.New(pgerror.ProgramLimitExceeded, "requested character too large for encoding: %d", c)
	case !utf8.ValidRune(c):
		return "", pgerror.New(pgerror.ProgramLimitExceeded, "requested character not valid for encoding: %d", c)
	}
	return string(c), nil
}

func trim(s, set string, l, r bool) string {
	if set == " " { // the usual case
		if l {
			s = strings.TrimLeft(s, " ")
		}
		if r {
			s = strings.TrimRight(s, " ")
		}
		return s
	}
	if set == "" {
		return s
	}
	if l {
		s = strings.TrimLeft(s, set)
	}
	if r {
		s = strings.TrimRight(s, set)
	}
	return s
}

func length(s string) int32 { return int32(types.CharLen(s)) }

func registerStrings(r *expr.Registry) {
	bpLength := adapt.F1(func(s string) int32 { return length(types.TrimBPChar(s)) })
	for _, n := range []string{"length", "char_length", "character_length"} {
		adapt.Add(r, n+"(text)", adapt.F1(length), adapt.CannotFail, adapt.Value1(adapt.Never1(length)))
		adapt.Add(r, n+"(bpchar)", bpLength, adapt.CannotFail)
	}
	adapt.Add(r, "textlen(text)", adapt.F1(length))
	octets := adapt.F1(func(s string) int32 { return int32(len(s)) })
	adapt.Add(r, "octet_length(text)", octets, adapt.CannotFail)
	adapt.Add(r, "octet_length(bpchar)", octets, adapt.CannotFail)
	adapt.Add(r, "bit_length(text)", adapt.F1(func(s string) int32 { return int32(len(s)) * 8 }))
	adapt.Add(r, "lower(text)", adapt.F1(lowerASCII), adapt.Value1(adapt.Never1(lowerASCII)))
	adapt.Add(r, "upper(text)", adapt.F1(upperASCII), adapt.Value1(adapt.Never1(upperASCII)))
	adapt.Add(r, "initcap(text)", adapt.F1(initcap))
	adapt.Add(r, "textcat(text,text)", adapt.C2(textcat), adapt.ValueC2(textcat), adapt.Grows)
	for _, n := range []string{"substr", "substring"} {
		adapt.Add(r, n+"(text,int4,int4)", adapt.E3(substr), adapt.Value3(substr))
		adapt.Add(r, n+"(text,int4)", adapt.F2(substrFrom))
	}
	adapt.Add(r, "overlay(text,text,int4,int4)", adapt.E4(overlay))
	adapt.Add(r, "overlay(text,text,int4)", adapt.E3(func(s, repl string, start int32) (string, error) {
		return overlay(s, repl, start, length(repl))
	}))
	adapt.Add(r, "strpos(text,text)", adapt.F2(strpos))
	adapt.Add(r, "position(text,text)", adapt.F2(strpos))
	adapt.Add(r, "left(text,int4)", adapt.F2(left))
	adapt.Add(r, "right(text,int4)", adapt.F2(right))
	adapt.Add(r, "lpad(text,int4,text)", adapt.C3(lpad))
	adapt.Add(r, "rpad(text,int4,text)", adapt.C3(rpad))
	adapt.Add(r, "lpad(text,int4)", adapt.C2(func(ctx *expr.Context, call *expr.Call, s string, n int32) (string, error) {
		return lpad(ctx, call, s, n, " ")
	}))
	adapt.Add(r, "rpad(text,int4)", adapt.C2(func(ctx *expr.Context, call *expr.Call, s string, n int32) (string, error) {
		return rpad(ctx, call, s, n, " ")
	}))
	adapt.Add(r, "repeat(text,int4)", adapt.C2(repeat))
	adapt.Add(r, "replace(text,text,text)", adapt.C3(replace))
	adapt.Add(r, "reverse(text)", adapt.F1(reverse))
	adapt.Add(r, "split_part(text,text,int4)", adapt.E3(splitPart))
	adapt.Add(r, "translate(text,text,text)", adapt.F3(translate))
	adapt.Add(r, "ascii(text)", adapt.F1(ascii))
	adapt.Add(r, "chr(int4)", adapt.E1(chr))
	adapt.Add(r, "starts_with(text,text)", adapt.F2(strings.HasPrefix))
	for _, t := range []struct {
		name string
		l, r bool
	}{{"btrim", true, true}, {"ltrim", true, false}, {"rtrim", false, true}} {
		adapt.Add(r, t.name+"(text,text)", adapt.F2(func(s, set string) string { return trim(s, set, t.l, t.r) }))
		adapt.Add(r, t.name+"(text)", adapt.F1(func(s string) string { return trim(s, " ", t.l, t.r) }))
	}
	adapt.Add(r, "to_hex(int4)", adapt.F1(func(v int32) string { return strconv.FormatUint(uint64(uint32(v)), 16) }))
	adapt.Add(r, "to_hex(int8)", adapt.F1(func(v int64) string { return strconv.FormatUint(uint64(v), 16) }))
}
