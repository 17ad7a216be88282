package are

import (
	"strings"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Flags change how a pattern is read.
type Flags struct {
	Fold         bool // i
	Literal      bool // q
	Expanded     bool // x
	NewlineStop  bool // . and [^…] do not match newline (n, p)
	NewlineAnchr bool // ^ and $ match at lines (n, w)
	Extended     bool // e: POSIX ERE, no escapes
	Basic        bool // b
}

// Error is a pattern's fault in PostgreSQL's words.
func syntaxError(msg string) error {
	return pgerror.New(pgerror.InvalidRegularExpression, "invalid regular expression: %s", msg)
}

const (
	errParen   = "parentheses () not balanced"
	errBrack   = "brackets [] not balanced"
	errBrace   = "braces {} not balanced"
	errBadBR   = "invalid repetition count(s)"
	errRange   = "invalid character range"
	errClass   = "invalid character class"
	errCollate = "invalid collating element"
	errEscape  = "invalid escape \\ sequence"
	errRepeat  = "quantifier operand invalid"
	errBackref = "invalid backreference number"
	errOption  = "invalid embedded option"
	errTooBig  = "regular expression is too complex"
)

// ApplyFlags reads an option string such as "gi"; 'g' is reported apart.
// Unknown letters are an error.
func ApplyFlags(opts string, f *Flags) (global bool, err error) {
	for i, c := range opts {
		if c == 'g' {
			global = true
			continue
		}
		if !f.set(c) {
			return global, pgerror.New(pgerror.InvalidParameterValue, "invalid regular expression option: \"%s\"", string([]rune(opts[i:])[0]))
		}
	}
	return global, nil
}

func (f *Flags) set(c rune) bool {
	switch c {
	case 'b':
		f.Basic, f.Extended, f.Literal = true, false, false
	case 'c':
		f.Fold = false
	case 'e':
		f.Extended, f.Basic, f.Literal = true, false, false
	case 'i':
		f.Fold = true
	case 'm', 'n':
		f.NewlineStop, f.NewlineAnchr = true, true
	case 'p':
		f.NewlineStop, f.NewlineAnchr = true, false
	case 'q':
		f.Literal, f.Extended, f.Basic = true, false, false
	case 's':
		f.NewlineStop, f.NewlineAnchr = false, false
	case 't':
		f.Expanded = false
	case 'w':
		f.NewlineStop, f.NewlineAnchr = false, true
	case 'x':
		f.Expanded = true
	default:
		return false
	}
	return true
}

type kind uint8

const (
	kEmpty   kind = iota
	kSet          // one character of set
	kConcat       // kids in order
	kAlt          // one of kids
	kRepeat       // kids[0], min … max times (max < 0: no limit)
	kGroup        // capturing kids[0] as number n
	kAssert       // assertion what
	kLook         // look-around over kids[0]
	kBackref      // what group n matched
)

type assertion uint8

const (
	aBegin assertion = iota // start of string, or of line when newline-sensitive
	aEnd
	aBeginText
	aEndText
	aBeginLine
	aEndLine
	aWordStart
	aWordEnd
	aWordEdge
	aNotWordEdge
)

// preference is which of several matches a part wants.
type preference uint8

const (
	none preference = iota
	longest
	shortest
)

type node struct {
	kind     kind
	set      *set
	kids     []*node
	min, max int
	lazy     bool
	fixed    bool // {m}: no preference of its own
	n        int
	what     assertion
	behind   bool // look-around: behind, and negated
	negate   bool
	caps     bool // captures inside
	pref     preference
	prog     *program // compiled on demand by dissect
}

// dupMax is the largest repetition count.
const dupMax = 255

type parser struct {
	s     string
	i     int
	flags Flags
	ncap  int
	done  []bool // group closed (may be referred to)
	refs  bool
	looks bool
	in    int // inside look-around
}

func (p *parser) more() bool { return p.i < len(p.s) }

func (p *parser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *parser) rune() rune {
	r, n := utf8.DecodeRuneInString(p.s[p.i:])
	p.i += n
	return r
}

// parse reads a whole pattern.
func parse(s string, f Flags) (*node, *parser, error) {
	p := &parser{s: s, flags: f, done: []bool{true}}
	if strings.HasPrefix(s, "***") && !f.Extended && !f.Basic && !f.Literal {
		switch {
		case strings.HasPrefix(s, "***="):
			p.flags.Literal, p.s = true, s[4:]
		case strings.HasPrefix(s, "***:"):
			p.s = s[4:]
		default:
			return nil, nil, syntaxError(errRepeat)
		}
	}
	if !p.flags.Literal && !p.flags.Extended && !p.flags.Basic && strings.HasPrefix(p.s, "(?") && len(p.s) > 2 && p.s[2]|0x20 >= 'a' && p.s[2]|0x20 <= 'z' {
		end := strings.IndexByte(p.s, ')')
		if end < 0 {
			return nil, nil, syntaxError(errOption)
		}
		for _, c := range p.s[2:end] {
			if !p.flags.set(c) {
				return nil, nil, syntaxError(errOption)
			}
		}
		p.s = p.s[end+1:]
	}
	if p.flags.Literal {
		n := &node{kind: kConcat}
		for p.more() {
			n.kids = append(n.kids, p.char(p.rune()))
		}
		finish(n)
		return n, p, nil
	}
	if p.flags.Basic {
		return nil, nil, pgerror.Unsupported("basic regular expression (option b)")
	}
	n, err := p.alt()
	if err != nil {
		return nil, nil, err
	}
	if p.more() {
		return nil, nil, syntaxError(errParen)
	}
	finish(n)
	return n, p, nil
}

// finish fills in caps and pref bottom up.
func finish(n *node) {
	for _, k := range n.kids {
		finish(k)
		n.caps = n.caps || k.caps
	}
	switch n.kind {
	case kGroup:
		n.caps, n.pref = true, n.kids[0].pref
	case kAlt:
		n.pref = longest
	case kConcat:
		for _, k := range n.kids {
			if k.pref != none {
				n.pref = k.pref
				break
			}
		}
	case kRepeat:
		switch {
		case n.fixed:
			n.pref = n.kids[0].pref
		case n.lazy:
			n.pref = shortest
		default:
			n.pref = longest
		}
	}
}

func (p *parser) char(r rune) *node {
	s := &set{}
	s.add(r, r)
	if p.flags.Fold {
		s.fold()
	}
	s.seal()
	return &node{kind: kSet, set: s}
}

func (p *parser) alt() (*node, error) {
	n, err := p.branch()
	if err != nil {
		return nil, err
	}
	if !p.more() || p.peek() != '|' {
		return n, nil
	}
	n = &node{kind: kAlt, kids: []*node{n}}
	for p.more() && p.peek() == '|' {
		p.i++
		b, err := p.branch()
		if err != nil {
			return nil, err
		}
		n.kids = append(n.kids, b)
	}
	return n, nil
}

// skip passes over white space and comments.
func (p *parser) skip() {
	for p.more() {
		switch c := p.peek(); {
		case p.flags.Expanded && (c == ' ' || c >= '\t' && c <= '\r'):
			p.i++
		case p.flags.Expanded && c == '#':
			for p.more() && p.peek() != '\n' {
				p.i++
			}
		case !p.flags.Extended && strings.HasPrefix(p.s[p.i:], "(?#"):
			end := strings.IndexByte(p.s[p.i:], ')')
			if end < 0 {
				p.i = len(p.s)
				return
			}
			p.i += end + 1
		default:
			return
		}
	}
}

func (p *parser) branch() (*node, error) {
	n := &node{kind: kConcat}
	for {
		p.skip()
		if !p.more() || p.peek() == '|' || p.peek() == ')' {
			break
		}
		a, err := p.atom()
		if err != nil {
			return nil, err
		}
		if a, err = p.quantified(a); err != nil {
			return nil, err
		}
		n.kids = append(n.kids, a)
	}
	switch len(n.kids) {
	case 0:
		return &node{kind: kEmpty}, nil
	case 1:
		return n.kids[0], nil
	}
	return n, nil
}

func (p *parser) quantified(a *node) (*node, error) {
	p.skip()
	if !p.more() {
		return a, nil
	}
	min, max, fixed := 0, 0, false
	switch c := p.peek(); c {
	case '*':
		min, max = 0, -1
		p.i++
	case '+':
		min, max = 1, -1
		p.i++
	case '?':
		min, max = 0, 1
		p.i++
	case '{':
		if !p.braceStarts() {
			return a, nil
		}
		p.i++
		start := p.i
		var err error
		if min, max, err = p.counts(); err != nil {
			return nil, err
		}
		fixed = !strings.Contains(p.s[start:p.i], ",")
	default:
		return a, nil
	}
	if a.kind == kAssert || a.kind == kLook {
		return nil, syntaxError(errRepeat)
	}
	n := &node{kind: kRepeat, kids: []*node{a}, min: min, max: max, fixed: fixed}
	if p.more() && p.peek() == '?' && !p.flags.Extended {
		n.lazy = true
		p.i++
	}
	p.skip()
	if p.more() && (strings.IndexByte("*+?", p.peek()) >= 0 || p.peek() == '{' && p.braceStarts()) {
		return nil, syntaxError(errRepeat)
	}
	return n, nil
}

// braceStarts: { is a bound only before a digit.
func (p *parser) braceStarts() bool {
	return p.flags.Extended || p.i+1 < len(p.s) && p.s[p.i+1] >= '0' && p.s[p.i+1] <= '9'
}

func (p *parser) counts() (min, max int, err error) {
	number := func() (int, bool) {
		v, start := 0, p.i
		for p.more() && p.peek() >= '0' && p.peek() <= '9' && v <= dupMax {
			v = v*10 + int(p.peek()-'0')
			p.i++
		}
		return v, p.i > start
	}
	min, ok := number()
	if !ok || min > dupMax {
		return 0, 0, syntaxError(errBadBR)
	}
	max = min
	if p.more() && p.peek() == ',' {
		p.i++
		if max, ok = number(); !ok {
			max = -1
		} else if max > dupMax || max < min {
			return 0, 0, syntaxError(errBadBR)
		}
	}
	if !p.more() {
		return 0, 0, syntaxError(errBrace)
	}
	if p.peek() != '}' {
		return 0, 0, syntaxError(errBadBR)
	}
	p.i++
	return min, max, nil
}

func (p *parser) atom() (*node, error) {
	switch c := p.peek(); c {
	case '(':
		return p.group()
	case '.':
		p.i++
		s := &set{}
		s.add(0, utf8.MaxRune)
		if p.flags.NewlineStop {
			s.remove('\n')
		}
		s.seal()
		return &node{kind: kSet, set: s}, nil
	case '[':
		return p.bracket()
	case '^':
		p.i++
		return &node{kind: kAssert, what: p.anchor(aBegin)}, nil
	case '$':
		p.i++
		return &node{kind: kAssert, what: p.anchor(aEnd)}, nil
	case '*', '+', '?':
		return nil, syntaxError(errRepeat)
	case '{':
		if p.braceStarts() {
			return nil, syntaxError(errRepeat)
		}
	case '\\':
		return p.escape()
	}
	return p.char(p.rune()), nil
}

func (p *parser) anchor(a assertion) assertion {
	switch {
	case a == aBegin && p.flags.NewlineAnchr:
		return aBeginLine
	case a == aBegin:
		return aBeginText
	case p.flags.NewlineAnchr:
		return aEndLine
	}
	return aEndText
}

func (p *parser) group() (*node, error) {
	p.i++ // (
	var n *node
	capture := 0
	if !p.flags.Extended && p.peek() == '?' && p.more() {
		rest := p.s[p.i+1:]
		switch {
		case strings.HasPrefix(rest, ":"):
			p.i += 2
		case strings.HasPrefix(rest, "="), strings.HasPrefix(rest, "!"):
			n = &node{kind: kLook, negate: rest[0] == '!'}
			p.i += 2
		case strings.HasPrefix(rest, "<="), strings.HasPrefix(rest, "<!"):
			n = &node{kind: kLook, negate: rest[1] == '!', behind: true}
			p.i += 3
		default:
			return nil, syntaxError(errRepeat)
		}
	} else if p.in == 0 {
		p.ncap++
		capture = p.ncap
		p.done = append(p.done, false)
	}
	if n != nil {
		p.looks = true
		p.in++
		defer func() { p.in-- }()
	}
	kid, err := p.alt()
	if err != nil {
		return nil, err
	}
	if !p.more() || p.peek() != ')' {
		return nil, syntaxError(errParen)
	}
	p.i++
	switch {
	case n != nil:
		n.kids = []*node{kid}
		return n, nil
	case capture > 0:
		p.done[capture] = true
		return &node{kind: kGroup, kids: []*node{kid}, n: capture}, nil
	}
	return &node{kind: kConcat, kids: []*node{kid}}, nil // keeps quantifiers apart
}

func (p *parser) setNode(s *set) *node {
	if p.flags.Fold {
		s.fold()
	}
	s.seal()
	return &node{kind: kSet, set: s}
}

func (p *parser) escape() (*node, error) {
	p.i++ // \
	if !p.more() {
		return nil, syntaxError(errEscape)
	}
	c := p.peek()
	if p.flags.Extended || !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z') {
		return p.char(p.rune()), nil
	}
	if a, ok := map[byte]assertion{'A': aBeginText, 'Z': aEndText, 'm': aWordStart, 'M': aWordEnd, 'y': aWordEdge, 'Y': aNotWordEdge}[c]; ok {
		p.i++
		return &node{kind: kAssert, what: a}, nil
	}
	if s, ok := classEscape(c); ok {
		p.i++
		if p.flags.NewlineStop && (c == 'D' || c == 'W') {
			s.remove('\n')
		}
		s.seal()
		return &node{kind: kSet, set: s}, nil
	}
	if c >= '1' && c <= '9' {
		start, v := p.i, 0
		for p.more() && p.peek() >= '0' && p.peek() <= '9' && v < 1000 {
			v = v*10 + int(p.peek()-'0')
			p.i++
		}
		if p.i-start == 1 || v < len(p.done) {
			if v >= len(p.done) || !p.done[v] || p.in > 0 {
				return nil, syntaxError(errBackref)
			}
			p.refs = true
			return &node{kind: kBackref, n: v}, nil
		}
		p.i = start // an octal escape after all
	}
	r, err := p.charEscape()
	if err != nil {
		return nil, err
	}
	return p.char(r), nil
}

// charEscape reads the letter or digit after a backslash as a character.
func (p *parser) charEscape() (rune, error) {
	c := p.peek()
	p.i++
	hex := func(lo, hi int) (rune, error) {
		v, n := 0, 0
		for n < hi && p.more() {
			d := strings.IndexByte("0123456789abcdef", p.peek()|0x20)
			if d < 0 || p.peek() < '0' {
				break
			}
			if v = v<<4 | d; v > utf8.MaxRune {
				return 0, syntaxError(errEscape)
			}
			p.i++
			n++
		}
		if n < lo {
			return 0, syntaxError(errEscape)
		}
		return rune(v), nil
	}
	switch c {
	case 'a':
		return '\a', nil
	case 'b':
		return '\b', nil
	case 'B':
		return '\\', nil
	case 'c':
		if !p.more() {
			return 0, syntaxError(errEscape)
		}
		return p.rune() & 037, nil
	case 'e':
		return 033, nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		return hex(4, 4)
	case 'U':
		return hex(8, 8)
	case 'v':
		return '\v', nil
	case 'x':
		return hex(1, 255)
	}
	if c >= '0' && c <= '7' {
		v := rune(c - '0')
		for n := 1; n < 3 && p.more() && p.peek() >= '0' && p.peek() <= '7'; n++ {
			v = v<<3 | rune(p.peek()-'0')
			p.i++
		}
		return v, nil
	}
	return 0, syntaxError(errEscape)
}

// bracket reads a bracket expression.
func (p *parser) bracket() (*node, error) {
	for text, a := range map[string]assertion{"[[:<:]]": aWordStart, "[[:>:]]": aWordEnd} {
		if strings.HasPrefix(p.s[p.i:], text) {
			p.i += len(text)
			return &node{kind: kAssert, what: a}, nil
		}
	}
	p.i++ // [
	s := &set{}
	negate := p.peek() == '^'
	if negate {
		p.i++
	}
	for first := true; ; first = false {
		if !p.more() {
			return nil, syntaxError(errBrack)
		}
		if p.peek() == ']' && !first {
			p.i++
			break
		}
		if p.peek() == '[' && p.i+1 < len(p.s) && p.s[p.i+1] == ':' {
			end := strings.Index(p.s[p.i+2:], ":]")
			if end < 0 {
				return nil, syntaxError(errBrack)
			}
			c, ok := namedClass(p.s[p.i+2:p.i+2+end], p.flags.Fold)
			if !ok {
				return nil, syntaxError(errClass)
			}
			s.union(c)
			p.i += end + 4
			continue
		}
		if p.peek() == '\\' && !p.flags.Extended && p.i+1 < len(p.s) {
			if c, ok := classEscape(p.s[p.i+1]); ok {
				s.union(c)
				p.i += 2
				continue
			}
		}
		lo, err := p.bracketChar(first)
		if err != nil {
			return nil, err
		}
		hi := lo
		if p.peek() == '-' && p.i+1 < len(p.s) && p.s[p.i+1] != ']' {
			p.i++
			if p.peek() == '[' && p.i+1 < len(p.s) && (p.s[p.i+1] == ':' || p.s[p.i+1] == '=') {
				return nil, syntaxError(errRange)
			}
			if hi, err = p.bracketChar(true); err != nil {
				return nil, err
			}
			if hi < lo {
				return nil, syntaxError(errRange)
			}
		}
		s.add(lo, hi)
	}
	if p.flags.Fold {
		s.fold()
	}
	if negate {
		s.invert()
		if p.flags.NewlineStop {
			s.remove('\n')
		}
	}
	s.seal()
	return &node{kind: kSet, set: s}, nil
}

// bracketChar reads one end of a range.
func (p *parser) bracketChar(first bool) (rune, error) {
	if !p.more() {
		return 0, syntaxError(errBrack)
	}
	switch c := p.peek(); {
	case c == '[' && p.i+1 < len(p.s) && (p.s[p.i+1] == '.' || p.s[p.i+1] == '='):
		mark := p.s[p.i+1 : p.i+2]
		end := strings.Index(p.s[p.i+2:], mark+"]")
		if end < 0 {
			return 0, syntaxError(errBrack)
		}
		name := p.s[p.i+2 : p.i+2+end]
		p.i += end + 4
		r, n := utf8.DecodeRuneInString(name)
		if n == len(name) && n > 0 {
			return r, nil
		}
		if r, ok := collatingNames[name]; ok {
			return r, nil
		}
		return 0, syntaxError(errCollate)
	case c == '\\' && !p.flags.Extended:
		p.i++
		if !p.more() {
			return 0, syntaxError(errEscape)
		}
		c := p.peek()
		if c >= '1' && c <= '9' { // what would be a back reference has no place here
			start, v := p.i, 0
			for p.more() && p.peek() >= '0' && p.peek() <= '9' && v < 1000 {
				v = v*10 + int(p.peek()-'0')
				p.i++
			}
			if p.i-start == 1 || v <= p.ncap {
				return 0, syntaxError(errEscape)
			}
			p.i = start
		}
		if c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' {
			return p.charEscape()
		}
	case c == '-' && !first && p.i+1 < len(p.s) && p.s[p.i+1] != ']':
		return 0, syntaxError(errRange)
	}
	return p.rune(), nil
}

var collatingNames = map[string]rune{
	"NUL": 0, "tab": '\t', "newline": '\n', "space": ' ', "hyphen": '-', "period": '.', "comma": ',', "slash": '/', "colon": ':',
	"semicolon": ';', "underscore": '_', "backslash": '\\', "left-square-bracket": '[', "right-square-bracket": ']', "circumflex": '^',
	"dollar-sign": '$', "asterisk": '*', "plus-sign": '+', "question-mark": '?', "vertical-line": '|', "left-parenthesis": '(', "right-parenthesis": ')',
}
