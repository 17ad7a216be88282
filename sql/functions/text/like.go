package text

import (
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/functions/base"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// LikePattern is a LIKE pattern (escape character \) made ready for many strings.
// Most patterns are a few literal pieces between percent signs, which are then
// searched for directly; the rest go through the general matcher.
type LikePattern struct {
	kind    likeKind
	literal string   // equals, prefix, suffix, contains
	parts   []string // pieces: found in this order, the first anchored when first, the last when last
	first   bool
	last    bool
	pattern string // general
	fold    bool   // ILIKE: ASCII letters without case, as collation C has it
	bytes   bool   // bytea: _ is one byte
}

type likeKind uint8

const (
	likeGeneral likeKind = iota
	likeEquals
	likePrefix
	likeSuffix
	likeContains
	likePieces
)

// CompileLike prepares a pattern.
func CompileLike(pattern string, fold, bytea bool) *LikePattern {
	if fold {
		pattern = lowerASCII(pattern)
	}
	p := &LikePattern{pattern: pattern, fold: fold, bytes: bytea}
	var cur []byte
	var parts []string
	percents, first, last := 0, true, true
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '_':
			return p
		case '\\':
			if i++; i == len(pattern) {
				return p // fails, but only for strings that get that far
			}
			cur = append(cur, pattern[i])
			last = true
		case '%':
			percents++
			if len(cur) > 0 {
				parts = append(parts, string(cur))
				cur = nil
			} else if percents == 1 {
				first = false
			}
			last = false
		default:
			cur = append(cur, c)
			last = true
		}
	}
	if len(cur) > 0 {
		parts = append(parts, string(cur))
	}
	p.parts, p.first, p.last = parts, first, last
	switch {
	case percents == 0:
		p.kind, p.literal = likeEquals, strings.Join(parts, "")
	case len(parts) == 0:
		p.kind = likeContains // % alone: contains ""
	case len(parts) > 1:
		p.kind = likePieces
	case first:
		p.kind, p.literal = likePrefix, parts[0]
	case last:
		p.kind, p.literal = likeSuffix, parts[0]
	default:
		p.kind, p.literal = likeContains, parts[0]
	}
	return p
}

// Match reports whether s matches the whole pattern.
func (p *LikePattern) Match(s string) (bool, error) {
	if p.fold {
		s = lowerASCII(s)
	}
	switch p.kind {
	case likeEquals:
		return s == p.literal, nil
	case likePrefix:
		return strings.HasPrefix(s, p.literal), nil
	case likeSuffix:
		return strings.HasSuffix(s, p.literal), nil
	case likeContains:
		return strings.Contains(s, p.literal), nil
	case likePieces:
		return p.matchPieces(s), nil
	}
	return matchLike(s, p.pattern, p.bytes)
}

func (p *LikePattern) matchPieces(s string) bool {
	parts := p.parts
	if p.first {
		if !strings.HasPrefix(s, parts[0]) {
			return false
		}
		s, parts = s[len(parts[0]):], parts[1:]
	}
	tail := ""
	if p.last {
		tail, parts = parts[len(parts)-1], parts[:len(parts)-1]
	}
	for _, q := range parts {
		i := strings.Index(s, q)
		if i < 0 {
			return false
		}
		s = s[i+len(q):]
	}
	return strings.HasSuffix(s, tail)
}

// matchLike is the general matcher: on a mismatch it goes back to the last
// percent sign and lets it take one more character.
func matchLike(s, p string, bytea bool) (bool, error) {
	step := func(i int) int {
		if bytea || s[i] < utf8.RuneSelf {
			return 1
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		return n
	}
	si, pi, backP, backS := 0, 0, -1, 0
	for si < len(s) {
		matched := false
		if pi < len(p) {
			switch c := p[pi]; c {
			case '%':
				pi++
				backP, backS = pi, si
				continue
			case '_':
				si += step(si)
				pi++
				matched = true
			case '\\':
				if pi+1 >= len(p) {
					return false, pgerror.New(pgerror.InvalidEscapeSequence, "LIKE pattern must not end with escape character")
				}
				if matched = p[pi+1] == s[si]; matched {
					si, pi = si+1, pi+2
				}
			default:
				if matched = c == s[si]; matched {
					si, pi = si+1, pi+1
				}
			}
		} else if backP == len(p) && backP >= 0 {
			return true, nil
		}
		if matched {
			continue
		}
		if backP < 0 {
			return false, nil
		}
		backS += step(backS)
		si, pi = backS, backP
	}
	for pi < len(p) && p[pi] == '%' {
		pi++
	}
	return pi == len(p), nil
}

// likeEscape turns a pattern with its own escape character into one with \.
func likeEscape(pattern, esc string) (string, error) {
	var b strings.Builder
	if esc == "" { // no escape character: make backslashes ordinary
		return strings.ReplaceAll(pattern, `\`, `\\`), nil
	}
	if types.CharLen(esc) != 1 {
		return "", pgerror.New(pgerror.InvalidEscapeSequence, "invalid escape string").
			WithHint("Escape string must be empty or one character.")
	}
	if esc == `\` {
		return pattern, nil
	}
	after := false
	for i := 0; i < len(pattern); {
		_, n := utf8.DecodeRuneInString(pattern[i:])
		c := pattern[i : i+n]
		i += n
		switch {
		case c == esc && !after:
			b.WriteByte('\\')
			after = true
			continue
		case c == `\` && !after:
			b.WriteString(`\\`)
		default:
			b.WriteString(c)
		}
		after = false
	}
	return b.String(), nil
}

func prepareLike(fold, bytea bool) adapt.Option {
	return adapt.Prepare(func(_ *expr.Context, call *expr.Call) (any, error) {
		if len(call.IsConst) < 2 || !call.IsConst[1] || call.Const[1] == nil {
			return nil, nil
		}
		if bytea {
			return CompileLike(string(call.Const[1].([]byte)), fold, true), nil
		}
		return CompileLike(call.Const[1].(string), fold, false), nil
	})
}

// likeKernel is [NOT] [I]LIKE over strings.
func likeKernel(fold, not bool) expr.Kernel {
	return base.OverDictionary(func(_ *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		valid, nulls := adapt.Validity(args, n)
		bits := make([]byte, bitutil.BytesForBits(int64(n)))
		set := func(i int, m bool) {
			if m != not {
				bits[i>>3] |= 1 << (i & 7)
			}
		}
		if p, ok := call.State.(*LikePattern); ok {
			if a, ok := args[0].(*array.String); ok {
				for i := range n {
					if nulls > 0 && !bitutil.BitIsSet(valid, i) {
						continue
					}
					m, err := p.Match(a.Value(i))
					if err != nil {
						return nil, err
					}
					set(i, m)
				}
				return adapt.BoolVector(bits, n, valid, nulls), nil
			}
		}
		a, b := adapt.Values[string](call.ArgTypes[0], args[0]), adapt.Values[string](call.ArgTypes[1], args[1])
		var p *LikePattern
		last := ""
		for i := range n {
			if nulls > 0 && !bitutil.BitIsSet(valid, i) {
				continue
			}
			if p == nil || b[i] != last {
				p, last = CompileLike(b[i], fold, false), b[i]
			}
			m, err := p.Match(a[i])
			if err != nil {
				return nil, err
			}
			set(i, m)
		}
		return adapt.BoolVector(bits, n, valid, nulls), nil
	})
}

// selectLike lists the strings that match a constant pattern.
func selectLike(not bool) adapt.Option {
	return adapt.Select(func(_ *expr.Context, call *expr.Call, a arrow.Array, sel, out []int32) ([]int32, bool, error) {
		p, ok := call.State.(*LikePattern)
		s, plain := a.(*array.String)
		if !ok || !plain {
			return nil, false, nil
		}
		n := s.Len()
		if sel != nil {
			n = len(sel)
		}
		for i := range n {
			row := i
			if sel != nil {
				row = int(sel[i])
			}
			if s.IsNull(row) {
				continue
			}
			m, err := p.Match(s.Value(row))
			if err != nil {
				return nil, false, err
			}
			if m != not {
				out = append(out, int32(i))
			}
		}
		return out, true, nil
	})
}

func byteaLike(not bool) expr.Kernel {
	return adapt.C2(func(_ *expr.Context, call *expr.Call, b, pat []byte) (bool, error) {
		p, ok := call.State.(*LikePattern)
		if !ok {
			p = CompileLike(string(pat), false, true)
		}
		m, err := p.Match(string(b))
		return m != not, err
	})
}

func registerLike(r *expr.Registry) {
	for _, f := range []struct {
		names     []string
		fold, not bool
	}{
		{[]string{"textlike(text,text)", "like(text,text)", "namelike(name,text)", "like(name,text)", "bpcharlike(bpchar,text)"}, false, false},
		{[]string{"textnlike(text,text)", "notlike(text,text)", "namenlike(name,text)", "notlike(name,text)", "bpcharnlike(bpchar,text)"}, false, true},
		{[]string{"texticlike(text,text)", "nameiclike(name,text)", "bpchariclike(bpchar,text)"}, true, false},
		{[]string{"texticnlike(text,text)", "nameicnlike(name,text)", "bpcharicnlike(bpchar,text)"}, true, true},
	} {
		for _, n := range f.names {
			adapt.Add(r, n, likeKernel(f.fold, f.not), prepareLike(f.fold, false), selectLike(f.not))
		}
	}
	for _, n := range []string{"bytealike", "like"} {
		adapt.Add(r, n+"(bytea,bytea)", byteaLike(false), prepareLike(false, true))
	}
	for _, n := range []string{"byteanlike", "notlike"} {
		adapt.Add(r, n+"(bytea,bytea)", byteaLike(true), prepareLike(false, true))
	}
	adapt.Add(r, "like_escape(text,text)", adapt.E2(likeEscape))
	adapt.Add(r, "like_escape(bytea,bytea)", adapt.E2(likeEscapeBytes))
}

func likeEscapeBytes(pattern, esc []byte) ([]byte, error) {
	switch {
	case len(esc) == 0:
		return []byte(strings.ReplaceAll(string(pattern), `\`, `\\`)), nil
	case len(esc) > 1:
		return nil, pgerror.New(pgerror.InvalidEscapeSequence, "invalid escape string").
			WithHint("Escape string must be empty or one character.")
	case esc[0] == '\\':
		return pattern, nil
	}
	out, after := make([]byte, 0, len(pattern)), false
	for _, c := range pattern {
		switch {
		case c == esc[0] && !after:
			out, after = append(out, '\\'), true
			continue
		case c == '\\' && !after:
			out = append(out, '\\', '\\')
		default:
			out = append(out, c)
		}
		after = false
	}
	return out, nil
}
