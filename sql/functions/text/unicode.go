package text

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

func normForm(name string) (norm.Form, error) {
	switch strings.ToUpper(name) {
	case "NFC":
		return norm.NFC, nil
	case "NFD":
		return norm.NFD, nil
	case "NFKC":
		return norm.NFKC, nil
	case "NFKD":
		return norm.NFKD, nil
	}
	return 0, invalidParameter("invalid normalization form: %s", name)
}

// unistr reads \XXXX, \uXXXX, \+XXXXXX and \UXXXXXXXX escapes.
func unistr(s string) (string, error) {
	var b strings.Builder
	var high rune // first half of a surrogate pair, 0 when none is open
	pairError := func() error { return pgerror.New(pgerror.SyntaxError, "invalid Unicode surrogate pair") }
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			if high != 0 {
				return "", pairError()
			}
			b.WriteByte(s[i])
			i++
			continue
		}
		rest := s[i+1:]
		if strings.HasPrefix(rest, `\`) {
			if high != 0 {
				return "", pairError()
			}
			b.WriteByte('\\')
			i += 2
			continue
		}
		skip, n := 0, 4
		switch {
		case strings.HasPrefix(rest, "u"):
			skip = 1
		case strings.HasPrefix(rest, "+"):
			skip, n = 1, 6
		case strings.HasPrefix(rest, "U"):
			skip, n = 1, 8
		}
		if len(rest) < skip+n || !isHex(rest[skip:skip+n]) {
			return "", pgerror.New(pgerror.SyntaxError, "invalid Unicode escape").
				WithHint(`Unicode escapes must be \XXXX, \+XXXXXX, \uXXXX, or \UXXXXXXXX.`)
		}
		v, _ := strconv.ParseUint(rest[skip:skip+n], 16, 32)
		if v == 0 || v > utf8.MaxRune {
			return "", invalidParameter("invalid Unicode code point: %04X", v)
		}
		i += 1 + skip + n
		c := rune(v)
		switch {
		case c >= 0xd800 && c < 0xdc00:
			if high != 0 {
				return "", pairError()
			}
			high = c
		case c >= 0xdc00 && c < 0xe000:
			if high == 0 {
				return "", pairError()
			}
			b.WriteRune(utf16.DecodeRune(high, c))
			high = 0
		case high != 0:
			return "", pairError()
		default:
			b.WriteRune(c)
		}
	}
	if high != 0 {
		return "", pairError()
	}
	return b.String(), nil
}

func isHex(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
			return false
		}
	}
	return true
}

func isIdentStart(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= 0x80
}

// parseIdent splits a qualified name into its folded parts.
func parseIdent(s string, strict bool) (*types.Array, error) {
	bad := func(detail string) (*types.Array, error) {
		e := invalidParameter("string is not a valid identifier: \"%s\"", s)
		if detail != "" {
			e = e.WithDetail("%s", detail)
		}
		return nil, e
	}
	var parts []types.Datum
	i := 0
	space := func() {
		for i < len(s) && strings.IndexByte(" \t\n\r\f", s[i]) >= 0 {
			i++
		}
	}
	space()
	afterDot := false
	for {
		missing := true
		switch {
		case i < len(s) && s[i] == '"':
			var part strings.Builder
			for i++; ; i++ {
				j := strings.IndexByte(s[i:], '"')
				if j < 0 {
					return bad("String has unclosed double quotes.")
				}
				part.WriteString(s[i : i+j])
				i += j + 1
				if i >= len(s) || s[i] != '"' {
					break
				}
				part.WriteByte('"')
			}
			if part.Len() == 0 {
				return bad("Quoted identifier must not be empty.")
			}
			parts, missing = append(parts, part.String()), false
		case i < len(s) && isIdentStart(s[i]):
			start := i
			for i < len(s) && (isIdentStart(s[i]) || s[i] >= '0' && s[i] <= '9' || s[i] == '$') {
				i++
			}
			parts, missing = append(parts, lowerASCII(s[start:i])), false
		}
		if missing {
			switch {
			case i < len(s) && s[i] == '.':
				return bad("No valid identifier before \".\".")
			case afterDot:
				return bad("No valid identifier after \".\".")
			}
			return bad("")
		}
		space()
		switch {
		case i == len(s):
			return types.NewArray(types.Of(types.Text), parts), nil
		case s[i] == '.':
			afterDot = true
			i++
			space()
			continue
		case strict:
			return bad("")
		}
		return types.NewArray(types.Of(types.Text), parts), nil
	}
}

func registerUnicode(r *expr.Registry) {
	adapt.Add(r, "normalize(text,text)", adapt.E2(func(s, form string) (string, error) {
		f, err := normForm(form)
		if err != nil {
			return "", err
		}
		return f.String(s), nil
	}))
	adapt.Add(r, "is_normalized(text,text)", adapt.E2(func(s, form string) (bool, error) {
		f, err := normForm(form)
		if err != nil {
			return false, err
		}
		return f.IsNormalString(s), nil
	}))
	adapt.Add(r, "unistr(text)", adapt.E1(unistr))
	adapt.Add(r, "parse_ident(text,bool)", adapt.E2(parseIdent))
}
