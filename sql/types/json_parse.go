package types

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// JSONKind is the kind of a JSON value, in the order jsonb sorts them.
type JSONKind uint8

const (
	JSONNull JSONKind = iota
	JSONString
	JSONNumber
	JSONBool
	JSONArrayKind
	JSONObjectKind
	JSONDatetime // of DatetimeItem only
)

// JSONNode is a JSON value as a tree: parsed from text, or put together to be
// encoded as jsonb. Exactly the fields of its Kind are set.
type JSONNode struct {
	Kind  JSONKind
	True  bool        // of a boolean
	Str   string      // of a string, decoded (only when parsed with decoding)
	Num   Numeric     // of a number (only when parsed with decoding)
	Items []*JSONNode // elements, or the values of an object
	Keys  []string    // of an object, decoded, in the text's order, duplicates included
	Src   string      // the value's own text, when parsed from text
	Raw   JSONBValue  // an encoded value, taken over as it is; the other fields but Kind are not set
}

// jsonDepthMax bounds the nesting of a document.
const jsonDepthMax = 6400

type jsonToken uint8

const (
	jsonEnd jsonToken = iota
	jsonObjectStart
	jsonObjectEnd
	jsonArrayStart
	jsonArrayEnd
	jsonComma
	jsonColon
	jsonStr
	jsonNum
	jsonTrue
	jsonFalse
	jsonNullTok
)

// jsonLexer reads tokens; its errors carry PostgreSQL's DETAIL and CONTEXT.
type jsonLexer struct {
	s        string
	start    int // of the current token
	end      int // of the current token; where the error context ends
	prevEnd  int
	line     int
	lineFrom int
	tok      jsonToken
	decode   bool // strings are wanted, not only validated
	numbers  bool // numbers are wanted
	str      string
	depth    int
}

func (l *jsonLexer) fail(code pgerror.Code, msg, detail string, args ...any) error {
	from := l.lineFrom
	for l.end-from >= 50 {
		_, n := utf8.DecodeRuneInString(l.s[from:])
		from += n
	}
	if from-l.lineFrom <= 3 {
		from = l.lineFrom
	}
	prefix, suffix := "", ""
	if from > l.lineFrom {
		prefix = "..."
	}
	if l.tok != jsonEnd && l.end < len(l.s) && l.s[l.end] != '\n' && l.s[l.end] != '\r' {
		suffix = "..."
	}
	return pgerror.New(code, "%s", msg).WithDetail(detail, args...).
		WithWhere("JSON data, line %d: %s%s%s", l.line, prefix, l.s[min(from, l.end):l.end], suffix)
}

func (l *jsonLexer) invalid(detail string, args ...any) error {
	return l.fail(pgerror.InvalidTextRepresentation, "invalid input syntax for type json", detail, args...)
}

func (l *jsonLexer) invalidToken() error {
	return l.invalid("Token \"%s\" is invalid.", l.s[l.start:l.end])
}

func jsonWordByte(c byte) bool {
	return isAlnum(c) || c == '_' || c >= 0x80
}

// next reads the next token.
func (l *jsonLexer) next() error {
	p := l.end
	for p < len(l.s) {
		c := l.s[p]
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			break
		}
		p++
		if c == '\n' {
			l.line++
			l.lineFrom = p
		}
	}
	l.start = p
	if p >= len(l.s) {
		l.end, l.tok = p, jsonEnd
		return nil
	}
	one := func(t jsonToken) error {
		l.end, l.tok = p+1, t
		return nil
	}
	switch c := l.s[p]; {
	case c == '{':
		return one(jsonObjectStart)
	case c == '}':
		return one(jsonObjectEnd)
	case c == '[':
		return one(jsonArrayStart)
	case c == ']':
		return one(jsonArrayEnd)
	case c == ',':
		return one(jsonComma)
	case c == ':':
		return one(jsonColon)
	case c == '"':
		l.tok = jsonStr
		return l.stringToken()
	case c == '-' || isDigit(c):
		l.tok = jsonNum
		return l.numberToken()
	default:
		q := p
		for q < len(l.s) && jsonWordByte(l.s[q]) {
			q++
		}
		// Any token but the end: the context's suffix depends on it.
		l.tok = jsonStr
		if q == p {
			l.end = p + 1
			return l.invalidToken()
		}
		l.end = q
		switch l.s[p:q] {
		case "true":
			l.tok = jsonTrue
		case "false":
			l.tok = jsonFalse
		case "null":
			l.tok = jsonNullTok
		default:
			return l.invalidToken()
		}
		return nil
	}
}

func (l *jsonLexer) numberToken() error {
	s, p, bad := l.s, l.start, false
	digits := func() bool {
		from := p
		for p < len(s) && isDigit(s[p]) {
			p++
		}
		return p > from
	}
	if s[p] == '-' {
		p++
	}
	if p < len(s) && s[p] == '0' {
		p++
	} else if !digits() {
		bad = true
	}
	if p < len(s) && s[p] == '.' {
		p++
		bad = !digits() || bad
	}
	if p < len(s) && (s[p] == 'e' || s[p] == 'E') {
		p++
		if p < len(s) && (s[p] == '+' || s[p] == '-') {
			p++
		}
		bad = !digits() || bad
	}
	for p < len(s) && jsonWordByte(s[p]) {
		p++
		bad = true
	}
	l.end = p
	if bad {
		return l.invalidToken()
	}
	return nil
}

func hexValue(c byte) (int, bool) {
	switch {
	case isDigit(c):
		return int(c - '0'), true
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10, true
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10, true
	}
	return 0, false
}

func (l *jsonLexer) stringToken() error {
	s, p := l.s, l.start+1
	from := p
	var buf []byte
	high := -1
	charEnd := func(p int) int {
		_, n := utf8.DecodeRuneInString(s[p:])
		return p + n
	}
	lowMissing := func(end int) error {
		l.end = end
		return l.invalid("Unicode low surrogate must follow a high surrogate.")
	}
	for ; ; p++ {
		if p >= len(s) {
			l.end = p
			return l.invalidToken()
		}
		c := s[p]
		switch {
		case c == '"':
			l.end = p + 1
			if high >= 0 {
				return lowMissing(p + 1)
			}
			if l.decode {
				if buf == nil {
					l.str = s[from:p]
				} else {
					l.str = string(buf)
				}
			}
			return nil
		case c < 32:
			l.end = p
			return l.invalid("Character with value 0x%02x must be escaped.", c)
		case c != '\\':
			if high >= 0 {
				return lowMissing(charEnd(p))
			}
			if buf != nil {
				buf = append(buf, c)
			}
			continue
		}
		if l.decode && buf == nil {
			buf = append(make([]byte, 0, 2*(p-from)+16), s[from:p]...)
		}
		p++
		if p >= len(s) {
			l.end = p
			return l.invalidToken()
		}
		if s[p] != 'u' {
			if high >= 0 {
				return lowMissing(charEnd(p))
			}
			i := strings.IndexByte("\"\\/bfnrt", s[p])
			if i < 0 {
				l.end = charEnd(p)
				return l.invalid("Escape sequence \"\\%s\" is invalid.", s[p:l.end])
			}
			if l.decode {
				buf = append(buf, "\"\\/\b\f\n\r\t"[i])
			}
			continue
		}
		r := 0
		for range 4 {
			p++
			if p >= len(s) {
				l.end = p
				return l.invalidToken()
			}
			h, ok := hexValue(s[p])
			if !ok {
				l.end = charEnd(p)
				return l.invalid("\"\\u\" must be followed by four hexadecimal digits.")
			}
			r = r<<4 | h
		}
		if !l.decode {
			continue
		}
		l.end = p + 1
		switch {
		case r >= 0xd800 && r < 0xdc00:
			if high >= 0 {
				return l.invalid("Unicode high surrogate must not follow a high surrogate.")
			}
			high = r
			continue
		case r >= 0xdc00 && r < 0xe000:
			if high < 0 {
				return lowMissing(p + 1)
			}
			r = 0x10000 + (high-0xd800)<<10 + (r - 0xdc00)
			high = -1
		case high >= 0:
			return lowMissing(p + 1)
		case r == 0:
			return l.fail(pgerror.UntranslatableCharacter, "unsupported Unicode escape sequence", "\\u0000 cannot be converted to text.")
		}
		buf = utf8.AppendRune(buf, rune(r))
	}
}

// unexpected reports a token that does not belong here.
func (l *jsonLexer) unexpected(want string) error {
	if l.tok == jsonEnd {
		return l.invalid("The input string ended unexpectedly.")
	}
	return l.invalid("Expected %s, but found \"%s\".", want, l.s[l.start:l.end])
}

// value reads one value from the current token on and leaves the token after it
// current. With tree it is returned, without nil is.
func (l *jsonLexer) value(tree bool) (*JSONNode, error) {
	if l.depth++; l.depth > jsonDepthMax {
		return nil, pgerror.New(pgerror.StatementTooComplex, "stack depth limit exceeded").
			WithHint("Increase the configuration parameter \"max_stack_depth\" (currently 2048kB), after ensuring the platform's stack depth limit is adequate.")
	}
	defer func() { l.depth-- }()
	start := l.start
	n := &JSONNode{}
	if !tree {
		n = nil
	}
	switch l.tok {
	case jsonStr:
		if tree {
			n.Kind, n.Str = JSONString, l.str
		}
	case jsonNum:
		if tree {
			n.Kind = JSONNumber
			if l.numbers {
				v, err := ParseNumeric(l.s[l.start:l.end])
				if err != nil {
					return nil, err
				}
				n.Num = v
			}
		}
	case jsonTrue, jsonFalse:
		if tree {
			n.Kind, n.True = JSONBool, l.tok == jsonTrue
		}
	case jsonNullTok:
	case jsonObjectStart:
		if tree {
			n.Kind = JSONObjectKind
		}
		if err := l.object(n); err != nil {
			return nil, err
		}
		if tree {
			n.Src = l.s[start:l.prevEnd]
		}
		return n, nil
	case jsonArrayStart:
		if tree {
			n.Kind = JSONArrayKind
		}
		if err := l.array(n); err != nil {
			return nil, err
		}
		if tree {
			n.Src = l.s[start:l.prevEnd]
		}
		return n, nil
	default:
		return nil, l.unexpected("JSON value")
	}
	if tree {
		n.Src = l.s[start:l.end]
	}
	return n, l.advance()
}

// advance reads the next token and remembers where the current one ended.
func (l *jsonLexer) advance() error {
	l.prevEnd = l.end
	return l.next()
}

func (l *jsonLexer) object(n *JSONNode) error {
	if err := l.advance(); err != nil {
		return err
	}
	if l.tok == jsonObjectEnd {
		return l.advance()
	}
	if l.tok != jsonStr {
		return l.unexpected("string or \"}\"")
	}
	for {
		key := l.str
		if err := l.advance(); err != nil {
			return err
		}
		if l.tok != jsonColon {
			return l.unexpected("\":\"")
		}
		if err := l.advance(); err != nil {
			return err
		}
		v, err := l.value(n != nil)
		if err != nil {
			return err
		}
		if n != nil {
			n.Keys, n.Items = append(n.Keys, key), append(n.Items, v)
		}
		switch l.tok {
		case jsonObjectEnd:
			return l.advance()
		case jsonComma:
		default:
			return l.unexpected("\",\" or \"}\"")
		}
		if err := l.advance(); err != nil {
			return err
		}
		if l.tok != jsonStr {
			return l.unexpected("string")
		}
	}
}

func (l *jsonLexer) array(n *JSONNode) error {
	if err := l.advance(); err != nil {
		return err
	}
	if l.tok == jsonArrayEnd {
		return l.advance()
	}
	for {
		v, err := l.value(n != nil)
		if err != nil {
			return err
		}
		if n != nil {
			n.Items = append(n.Items, v)
		}
		switch l.tok {
		case jsonArrayEnd:
			return l.advance()
		case jsonComma:
		default:
			return l.unexpected("\",\" or \"]\"")
		}
		if err := l.advance(); err != nil {
			return err
		}
	}
}

func parseJSON(s string, decode, numbers, tree bool) (*JSONNode, error) {
	l := &jsonLexer{s: s, line: 1, decode: decode, numbers: numbers}
	if err := l.advance(); err != nil {
		return nil, err
	}
	n, err := l.value(tree)
	if err != nil {
		return nil, err
	}
	if l.tok != jsonEnd {
		return nil, l.unexpected("end of input")
	}
	return n, nil
}

// ValidateJSON checks a json text; errors are those of json input.
func ValidateJSON(s string) error {
	_, err := parseJSON(s, false, false, false)
	return err
}

// ParseJSON reads a json text as a tree with decoded strings, keys and numbers.
func ParseJSON(s string) (*JSONNode, error) { return parseJSON(s, true, true, true) }

// SplitJSON reads a json text as a tree of source texts (Src). With decode
// strings and keys are decoded, which fails for \u0000 and broken surrogates.
func SplitJSON(s string, decode bool) (*JSONNode, error) { return parseJSON(s, decode, false, true) }

// AppendJSONString appends s as a JSON string.
func AppendJSONString(buf []byte, s string) []byte {
	buf = append(buf, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 32 && c != '"' && c != '\\' {
			continue
		}
		buf = append(buf, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			buf = append(buf, '\\', c)
		case '\b':
			buf = append(buf, '\\', 'b')
		case '\f':
			buf = append(buf, '\\', 'f')
		case '\n':
			buf = append(buf, '\\', 'n')
		case '\r':
			buf = append(buf, '\\', 'r')
		case '\t':
			buf = append(buf, '\\', 't')
		default:
			buf = fmt.Appendf(buf, "\\u%04x", c)
		}
	}
	return append(append(buf, s[from:]...), '"')
}

var jsonCodec = codec{
	in: func(_ *Env, _ T, s string) (Datum, error) {
		if err := ValidateJSON(s); err != nil {
			return nil, err
		}
		return s, nil
	},
	out: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) { return append(buf, d.(string)...), nil },
	recv: func(env *Env, _ T, b []byte) (Datum, error) {
		s, err := FromClient(env, b)
		if err == nil {
			err = CheckUTF8(s)
		}
		if err != nil {
			return nil, err
		}
		if err := ValidateJSON(s); err != nil {
			return nil, err
		}
		return s, nil
	},
	send: func(env *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		return ToClient(env, append(buf, d.(string)...), len(buf))
	},
}
