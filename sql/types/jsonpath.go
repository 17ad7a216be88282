package types

import (
	"math"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// A jsonpath value is its canonical text (a string as Datum); ParseJSONPath
// gives the tree that the functions of sql/functions/json walk.

// PathOp is the kind of a jsonpath item.
type PathOp uint8

const (
	PathNull PathOp = iota
	PathString
	PathNumber
	PathBool
	PathVariable
	PathRoot
	PathCurrent
	PathLast
	PathKey
	PathAnyKey
	PathAnyArray
	PathIndexes
	PathAny
	PathFilter
	PathMethod
	PathAnd
	PathOr
	PathNot
	PathIsUnknown
	PathExists
	PathCompare // Text is the operator
	PathArith   // Text is the operator
	PathUnary   // Text is the sign
	PathStartsWith
	PathLikeRegex
)

// PathItem is one item of a path; Next is the accessor that follows it.
type PathItem struct {
	Op          PathOp
	Text        string // string, key, variable, operator, method or pattern
	Flags       string // of like_regex
	Num         Numeric
	True        bool
	Left, Right *PathItem   // operands; the argument of unary items is Left
	Subs        []PathRange // of PathIndexes
	First, Last uint32      // of PathAny; MaxUint32 is "last"
	Next        *PathItem
}

// PathRange is one array subscript: From, or From to To.
type PathRange struct{ From, To *PathItem }

// JSONPathTree is a parsed path.
type JSONPathTree struct {
	Strict bool
	Root   *PathItem
}

type pathToken struct {
	kind byte // 0 end, 'w' bare word, 's' quoted string, 'n' number, 'v' variable, 'o' operator
	text string
	raw  string
}

type pathParser struct {
	s      string
	p      int
	tok    pathToken
	inSub  int // depth of array subscripts: LAST is allowed
	inFilt int // depth of filters: @ is allowed
	depth  int
	err    error
}

func (p *pathParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = pgerror.New(pgerror.SyntaxError, format, args...)
	}
}

func (p *pathParser) syntax() {
	if p.tok.kind == 'w' { // a word ends at the character after it, and that is what is named
		p.tok = pathToken{}
		if p.p < len(p.s) {
			_, n := utf8.DecodeRuneInString(p.s[p.p:])
			p.tok = pathToken{kind: 'o', raw: p.s[p.p : p.p+n]}
		}
	}
	if p.tok.kind == 0 {
		p.fail("syntax error at end of jsonpath input")
		return
	}
	p.fail("syntax error at or near \"%s\" of jsonpath input", p.tok.raw)
}

const pathSpecial = "?%$.[]{}()|&!=<>@#,*:-+/ \t\n\r\f\"\\"

func (p *pathParser) next() {
	for p.p < len(p.s) {
		c := p.s[p.p]
		if c == ' ' || c >= '\t' && c <= '\r' {
			p.p++
			continue
		}
		if strings.HasPrefix(p.s[p.p:], "/*") {
			end := strings.Index(p.s[p.p+2:], "*/")
			if end < 0 {
				p.p = len(p.s)
				p.tok = pathToken{}
				p.fail("unexpected end of comment at end of jsonpath input")
				return
			}
			p.p += end + 4
			continue
		}
		break
	}
	if p.p >= len(p.s) {
		p.tok = pathToken{}
		return
	}
	start := p.p
	c := p.s[p.p]
	switch {
	case c == '"':
		p.tok = pathToken{kind: 's', text: p.quoted()}
	case c == '$' && p.p+1 < len(p.s) && p.s[p.p+1] == '"':
		p.p++
		p.tok = pathToken{kind: 'v', text: p.quoted()}
	case c == '$' && p.p+1 < len(p.s) && strings.IndexByte(pathSpecial, p.s[p.p+1]) < 0:
		p.p++
		p.tok = pathToken{kind: 'v', text: p.bare()}
	case isDigit(c), c == '.' && p.p+1 < len(p.s) && isDigit(p.s[p.p+1]):
		p.number()
	case strings.IndexByte(pathSpecial, c) < 0 || c == '\\':
		p.tok = pathToken{kind: 'w', text: p.bare()}
	default:
		n := 1
		for _, op := range []string{"**", "&&", "||", "==", "!=", "<>", "<=", ">="} {
			if strings.HasPrefix(p.s[p.p:], op) {
				n = 2
			}
		}
		p.p += n
		t := p.s[start:p.p]
		if t == "<>" {
			t = "!="
		}
		p.tok = pathToken{kind: 'o', text: t}
	}
	p.tok.raw = p.s[start:p.p]
}

func (p *pathParser) number() {
	s, start := p.s, p.p
	digits := func() {
		for p.p < len(s) && isDigit(s[p.p]) {
			p.p++
		}
	}
	digits()
	if n := p.p - start; n > 1 && s[start] == '0' {
		p.p = start + 1
		p.tok = pathToken{raw: s[start : start+2], kind: 'n'}
		p.fail("trailing junk after numeric literal at or near \"%s\" of jsonpath input", s[start:start+2])
		return
	}
	if p.p < len(s) && s[p.p] == '.' && !(p.p+1 < len(s) && (s[p.p+1] == '*' || s[p.p+1] == '.')) {
		p.p++
		digits()
	}
	if p.p < len(s) && (s[p.p] == 'e' || s[p.p] == 'E') {
		q := p.p + 1
		if q < len(s) && (s[q] == '+' || s[q] == '-') {
			q++
		}
		if q < len(s) && isDigit(s[q]) {
			p.p = q
			digits()
		}
	}
	if p.p < len(s) && strings.IndexByte(pathSpecial, s[p.p]) < 0 {
		_, n := utf8.DecodeRuneInString(s[p.p:])
		p.fail("trailing junk after numeric literal at or near \"%s\" of jsonpath input", s[start:p.p+n])
	}
	p.tok = pathToken{kind: 'n', text: s[start:p.p]}
}

// bare reads an unquoted word; a backslash starts an escape as in JavaScript.
func (p *pathParser) bare() string {
	var b strings.Builder
	for p.p < len(p.s) {
		c := p.s[p.p]
		if c == '\\' {
			p.escape(&b)
			continue
		}
		if strings.IndexByte(pathSpecial, c) >= 0 || c == '\v' {
			break
		}
		b.WriteByte(c)
		p.p++
	}
	return b.String()
}

func (p *pathParser) quoted() string {
	p.p++
	var b strings.Builder
	for p.p < len(p.s) {
		switch c := p.s[p.p]; c {
		case '"':
			p.p++
			return b.String()
		case '\\':
			p.escape(&b)
		default:
			b.WriteByte(c)
			p.p++
		}
		if p.err != nil {
			return ""
		}
	}
	p.fail("unexpected end of quoted string at end of jsonpath input")
	return ""
}

func (p *pathParser) escape(b *strings.Builder) {
	p.p++
	if p.p >= len(p.s) {
		p.fail("unexpected end after backslash at end of jsonpath input")
		return
	}
	c := p.s[p.p]
	p.p++
	hex := func(n int) (rune, bool) {
		if p.p+n > len(p.s) {
			return 0, false
		}
		v, err := strconv.ParseUint(p.s[p.p:p.p+n], 16, 32)
		if err != nil {
			return 0, false
		}
		p.p += n
		return rune(v), true
	}
	var r rune
	ok := true
	switch c {
	case 'b':
		r = '\b'
	case 'f':
		r = '\f'
	case 'n':
		r = '\n'
	case 'r':
		r = '\r'
	case 't':
		r = '\t'
	case 'v':
		r = '\v'
	case 'x':
		if r, ok = hex(2); !ok {
			p.fail("invalid hexadecimal character sequence at or near \"\\x\" of jsonpath input")
			return
		}
	case 'u':
		if p.p < len(p.s) && p.s[p.p] == '{' {
			end := strings.IndexByte(p.s[p.p:], '}')
			if end < 2 || end > 7 {
				ok = false
			} else {
				p.p++
				r, ok = hex(end - 1)
				p.p++
			}
		} else if r, ok = hex(4); ok && r >= 0xd800 && r < 0xdc00 && strings.HasPrefix(p.s[p.p:], "\\u") {
			p.p += 2
			var lo rune
			if lo, ok = hex(4); ok {
				r = 0x10000 + (r-0xd800)<<10 + (lo - 0xdc00)
			}
		}
		if !ok {
			p.fail("invalid Unicode escape sequence at or near \"\\u\" of jsonpath input")
			return
		}
		if r == 0 {
			p.err = pgerror.New(pgerror.UntranslatableCharacter, "unsupported Unicode escape sequence").WithDetail("\\u0000 cannot be converted to text.")
			return
		}
	default:
		b.WriteByte(c)
		return
	}
	b.WriteRune(r)
}

func (p *pathParser) op(s string) bool { return p.tok.kind == 'o' && p.tok.text == s }
func (p *pathParser) word(s string) bool {
	return p.tok.kind == 'w' && strings.EqualFold(p.tok.text, s)
}

func (p *pathParser) expect(s string) {
	if !p.op(s) {
		p.syntax()
		return
	}
	p.next()
}

// Predicates and values are parsed as one expression language, weakest binding
// first; isPredicate tells them apart afterwards.
func isPredicate(i *PathItem) bool {
	if i.Next != nil {
		return false
	}
	switch i.Op {
	case PathAnd, PathOr, PathNot, PathIsUnknown, PathExists, PathCompare, PathStartsWith, PathLikeRegex:
		return true
	}
	return false
}

func (p *pathParser) want(i *PathItem, predicate bool) *PathItem {
	if p.err == nil && i != nil && isPredicate(i) != predicate {
		p.syntax()
	}
	return i
}

const pathDepthMax = 1000

func (p *pathParser) enter() bool {
	if p.depth++; p.depth > pathDepthMax {
		p.fail("jsonpath is nested too deeply")
		return false
	}
	return p.err == nil
}

func (p *pathParser) or() *PathItem {
	defer func() { p.depth-- }()
	if !p.enter() {
		return &PathItem{}
	}
	l := p.and()
	for p.err == nil && p.op("||") {
		p.want(l, true)
		p.next()
		l = &PathItem{Op: PathOr, Left: l, Right: p.want(p.and(), true)}
	}
	return l
}

func (p *pathParser) and() *PathItem {
	l := p.not()
	for p.err == nil && p.op("&&") {
		p.want(l, true)
		p.next()
		l = &PathItem{Op: PathAnd, Left: l, Right: p.want(p.not(), true)}
	}
	return l
}

func (p *pathParser) not() *PathItem {
	if p.op("!") {
		p.next()
		if !p.op("(") && !p.word("exists") {
			p.syntax()
			return &PathItem{}
		}
		arg := p.primary()
		return &PathItem{Op: PathNot, Left: p.want(arg, true)}
	}
	return p.comparison()
}

func (p *pathParser) comparison() *PathItem {
	l := p.sum()
	if p.err != nil {
		return l
	}
	switch {
	case p.tok.kind == 'o' && strings.Contains(" == != < > <= >= ", " "+p.tok.text+" "):
		op := p.tok.text
		p.want(l, false)
		p.next()
		return &PathItem{Op: PathCompare, Text: op, Left: l, Right: p.want(p.sum(), false)}
	case p.word("starts"):
		p.want(l, false)
		p.next()
		if !p.word("with") {
			p.syntax()
			return l
		}
		p.next()
		r := &PathItem{Op: PathString, Text: p.tok.text}
		switch p.tok.kind {
		case 's':
		case 'v':
			r.Op = PathVariable
		default:
			p.syntax()
		}
		p.next()
		return &PathItem{Op: PathStartsWith, Left: l, Right: r}
	case p.word("like_regex"):
		p.want(l, false)
		p.next()
		r := &PathItem{Op: PathLikeRegex, Left: l, Text: p.tok.text}
		if p.tok.kind != 's' {
			p.syntax()
			return r
		}
		p.next()
		if p.word("flag") {
			p.next()
			if p.tok.kind != 's' {
				p.syntax()
				return r
			}
			p.regexFlags(r, p.tok.text)
			p.next()
		}
		return r
	}
	return l
}

func (p *pathParser) regexFlags(r *PathItem, flags string) {
	for i := 0; i < len(flags); i++ {
		if strings.IndexByte("ismxq", flags[i]) < 0 {
			if p.err == nil {
				p.err = pgerror.New(pgerror.SyntaxError, "invalid input syntax for type jsonpath").
					WithDetail("Unrecognized flag character \"%c\" in LIKE_REGEX predicate.", flags[i])
			}
			return
		}
	}
	for _, c := range "ismxq" {
		if strings.ContainsRune(flags, c) {
			r.Flags += string(c)
		}
	}
	if strings.Contains(r.Flags, "x") && !strings.Contains(r.Flags, "q") && p.err == nil {
		p.err = pgerror.New(pgerror.FeatureNotSupported, "XQuery \"x\" flag (expanded regular expressions) is not implemented")
	}
}

func (p *pathParser) sum() *PathItem {
	l := p.product()
	for p.err == nil && (p.op("+") || p.op("-")) {
		op := p.tok.text
		p.want(l, false)
		p.next()
		l = &PathItem{Op: PathArith, Text: op, Left: l, Right: p.want(p.product(), false)}
	}
	return l
}

func (p *pathParser) product() *PathItem {
	l := p.unary()
	for p.err == nil && (p.op("*") || p.op("/") || p.op("%")) {
		op := p.tok.text
		p.want(l, false)
		p.next()
		l = &PathItem{Op: PathArith, Text: op, Left: l, Right: p.want(p.unary(), false)}
	}
	return l
}

func (p *pathParser) unary() *PathItem {
	if p.op("+") || p.op("-") {
		defer func() { p.depth-- }()
		if !p.enter() {
			return &PathItem{}
		}
		op := p.tok.text
		p.next()
		arg := p.want(p.unary(), false)
		if arg.Op == PathNumber && arg.Next == nil { // a signed number is a number
			if op == "-" {
				arg.Num = arg.Num.Neg()
			}
			return arg
		}
		return &PathItem{Op: PathUnary, Text: op, Left: arg}
	}
	return p.primary()
}

func (p *pathParser) primary() *PathItem {
	i := &PathItem{}
	t := p.tok
	switch {
	case t.kind == 's':
		i.Op, i.Text = PathString, t.text
	case t.kind == 'v':
		i.Op, i.Text = PathVariable, t.text
	case t.kind == 'n':
		n, err := ParseNumeric(t.text)
		if err != nil {
			p.syntax()
		}
		i.Op, i.Num = PathNumber, n
	case p.op("$"):
		i.Op = PathRoot
	case p.op("@"):
		if p.inFilt == 0 {
			p.fail("@ is not allowed in root expressions")
		}
		i.Op = PathCurrent
	case p.word("last"):
		if p.inSub == 0 {
			p.fail("LAST is allowed only in array subscripts")
		}
		i.Op = PathLast
	case t.kind == 'w' && t.text == "null":
	case t.kind == 'w' && (t.text == "true" || t.text == "false"):
		i.Op, i.True = PathBool, t.text == "true"
	case p.word("exists"):
		p.next()
		p.expect("(")
		i = &PathItem{Op: PathExists, Left: p.want(p.or(), false)}
		if !p.op(")") {
			p.syntax()
		}
	case p.op("("):
		p.next()
		i = p.or()
		if !p.op(")") {
			p.syntax()
			return i
		}
		p.next()
		if p.err == nil && p.word("is") && isPredicate(i) {
			p.next()
			if !p.word("unknown") {
				p.syntax()
				return i
			}
			p.next()
			return &PathItem{Op: PathIsUnknown, Left: i}
		}
		return p.accessors(i)
	default:
		p.syntax()
	}
	if p.err != nil {
		return i
	}
	p.next()
	if i.Op == PathExists {
		return i
	}
	return p.accessors(i)
}

var pathMethods = []string{"abs", "size", "type", "floor", "double", "ceiling", "keyvalue", "datetime"}

// accessors reads what follows a primary: keys, subscripts, filters, methods.
func (p *pathParser) accessors(i *PathItem) *PathItem {
	at := i
	for at.Next != nil {
		at = at.Next
	}
	for p.err == nil {
		n := &PathItem{}
		switch {
		case p.op("."):
			p.next()
			switch {
			case p.op("*"):
				n.Op = PathAnyKey
				p.next()
			case p.op("**"):
				p.anyPath(n)
			case p.tok.kind == 's' || p.tok.kind == 'w':
				n.Op, n.Text = PathKey, p.tok.text
				bare := p.tok.kind == 'w'
				p.next()
				if bare && p.op("(") {
					n.Op = 0
					for _, m := range pathMethods {
						if strings.EqualFold(n.Text, m) {
							n.Op, n.Text = PathMethod, m
						}
					}
					if n.Op != PathMethod {
						p.syntax()
						return i
					}
					p.next()
					if n.Text == "datetime" && p.tok.kind == 's' {
						n.Left = &PathItem{Op: PathString, Text: p.tok.text}
						p.next()
					}
					p.expect(")")
				}
			default:
				p.syntax()
				return i
			}
		case p.op("**"): // "$**" is not a path: a point must precede it
			p.syntax()
			return i
		case p.op("["):
			p.next()
			if p.op("*") {
				n.Op = PathAnyArray
				p.next()
				p.expect("]")
				break
			}
			n.Op = PathIndexes
			p.inSub++
			for p.err == nil {
				r := PathRange{From: p.want(p.or(), false)}
				if p.word("to") {
					p.next()
					r.To = p.want(p.or(), false)
				}
				n.Subs = append(n.Subs, r)
				if !p.op(",") {
					break
				}
				p.next()
			}
			p.inSub--
			p.expect("]")
		case p.op("?"):
			p.next()
			p.expect("(")
			p.inFilt++
			n.Op, n.Left = PathFilter, p.want(p.or(), true)
			p.inFilt--
			p.expect(")")
		default:
			return i
		}
		at.Next = n
		at = n
	}
	return i
}

func (p *pathParser) anyPath(n *PathItem) {
	n.Op, n.Last = PathAny, math.MaxUint32
	p.next()
	if !p.op("{") {
		return
	}
	level := func() uint32 {
		v := uint32(math.MaxUint32)
		if p.tok.kind == 'n' {
			u, err := strconv.ParseUint(p.tok.text, 10, 32)
			if err != nil {
				p.syntax()
			}
			v = uint32(u)
		} else if !p.word("last") {
			p.syntax()
		}
		p.next()
		return v
	}
	p.next()
	n.First = level()
	n.Last = n.First
	if p.word("to") {
		p.next()
		n.Last = level()
	}
	p.expect("}")
}

var pathCache sync.Map // text → *JSONPathTree, bounded
var pathCacheSize struct {
	sync.Mutex
	n int
}

// ParseJSONPath reads a jsonpath text. The tree is shared and must not be changed.
func ParseJSONPath(s string) (*JSONPathTree, error) {
	if t, ok := pathCache.Load(s); ok {
		return t.(*JSONPathTree), nil
	}
	p := &pathParser{s: s}
	p.next()
	if p.tok.kind == 0 && p.err == nil {
		return nil, pgerror.New(pgerror.InvalidTextRepresentation, "invalid input syntax for type jsonpath: \"%s\"", s)
	}
	t := &JSONPathTree{}
	if p.word("strict") || p.word("lax") {
		t.Strict = p.word("strict")
		p.next()
	}
	t.Root = p.or()
	if p.err == nil && p.tok.kind != 0 {
		p.syntax()
	}
	if p.err != nil {
		return nil, p.err
	}
	pathCacheSize.Lock()
	defer pathCacheSize.Unlock()
	if len(s) < 1024 && pathCacheSize.n < 512 {
		pathCacheSize.n++
		pathCache.Store(strings.Clone(s), t)
	}
	return t, nil
}

func jsonpathIn(s string) (Datum, error) {
	t, err := ParseJSONPath(s)
	if err != nil {
		return nil, err
	}
	return string(t.AppendText(nil)), nil
}

var jsonpathCodec = codec{
	in:  func(_ *Env, _ T, s string) (Datum, error) { return jsonpathIn(s) },
	out: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) { return append(buf, d.(string)...), nil },
	recv: func(env *Env, _ T, b []byte) (Datum, error) {
		if len(b) == 0 {
			return nil, errInsufficientData
		}
		if b[0] != 1 {
			return nil, pgerror.New(pgerror.InternalError, "unsupported jsonpath version number: %d", b[0])
		}
		text, err := FromClient(env, b[1:])
		if err != nil {
			return nil, err
		}
		return jsonpathIn(text)
	},
	send: func(env *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		return ToClient(env, append(append(buf, 1), d.(string)...), len(buf)+1)
	},
}
