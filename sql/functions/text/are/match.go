package are

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Regexp is a compiled pattern.
type Regexp struct {
	tree  *node
	prog  *program       // nil when there are back references
	fast  *regexp.Regexp // Go's counterpart with the same set of matches, nil when there is none
	plain bool           // the pattern has no assertions: a match does not depend on what is around it
	ncap  int
}

// Compile reads a pattern. Errors: 2201B with PostgreSQL's message.
func Compile(pattern string, f Flags) (*Regexp, error) {
	tree, p, err := parse(pattern, f)
	if err != nil {
		return nil, err
	}
	re := &Regexp{tree: tree, ncap: p.ncap, plain: !hasAsserts(tree)}
	if p.refs {
		return re, nil
	}
	if re.prog, err = compile(tree); err != nil {
		return nil, err
	}
	var b strings.Builder
	if goSyntax(&b, tree) {
		if g, err := regexp.Compile(b.String()); err == nil {
			g.Longest()
			re.fast = g
		}
	}
	return re, nil
}

// NumCaptures is the number of capturing parentheses.
func (re *Regexp) NumCaptures() int { return re.ncap }

func hasAsserts(n *node) bool {
	if n.kind == kAssert || n.kind == kLook {
		return true
	}
	for _, k := range n.kids {
		if hasAsserts(k) {
			return true
		}
	}
	return false
}

// goSyntax writes the tree as a Go pattern; false when Go has no counterpart.
func goSyntax(b *strings.Builder, n *node) bool {
	group := func(k *node) bool {
		b.WriteString("(?:")
		ok := goSyntax(b, k)
		b.WriteByte(')')
		return ok
	}
	switch n.kind {
	case kEmpty:
	case kSet:
		if len(n.set.r) == 0 {
			return false
		}
		b.WriteByte('[')
		for _, x := range n.set.r {
			fmt.Fprintf(b, `\x{%x}-\x{%x}`, x[0], x[1])
		}
		b.WriteByte(']')
	case kConcat, kGroup:
		for _, k := range n.kids {
			if !group(k) {
				return false
			}
		}
	case kAlt:
		for i, k := range n.kids {
			if i > 0 {
				b.WriteByte('|')
			}
			if !group(k) {
				return false
			}
		}
	case kRepeat:
		if !group(n.kids[0]) {
			return false
		}
		if n.max < 0 {
			fmt.Fprintf(b, "{%d,}", n.min)
		} else {
			fmt.Fprintf(b, "{%d,%d}", n.min, n.max)
		}
	case kAssert:
		switch n.what {
		case aBeginText:
			b.WriteString(`\A`)
		case aEndText:
			b.WriteString(`\z`)
		case aBeginLine:
			b.WriteString(`(?m:^)`)
		case aEndLine:
			b.WriteString(`(?m:$)`)
		case aWordEdge:
			b.WriteString(`\b`)
		case aNotWordEdge:
			b.WriteString(`\B`)
		default:
			return false
		}
	default:
		return false
	}
	return true
}

// Match reports whether the pattern occurs in s.
func (re *Regexp) Match(s string) (bool, error) {
	if re.fast != nil {
		return re.fast.MatchString(s), nil
	}
	if re.prog != nil {
		return newMachine(re.prog, s).leftmost(0) >= 0, nil
	}
	caps, err := re.Find(s, 0)
	return caps != nil, err
}

// Find finds the first match that starts at byte offset from or later: offsets of
// the match and of every capture (pairs; −1, −1 where one took no part), or nil.
func (re *Regexp) Find(s string, from int) ([]int, error) {
	if re.prog == nil {
		return re.backtrack(s, from)
	}
	start, end := -1, -1
	var m *machine
	if re.fast != nil && (from == 0 || re.plain) {
		loc := re.fast.FindStringIndex(s[from:])
		if loc == nil {
			return nil, nil
		}
		start, end = loc[0]+from, loc[1]+from
	} else {
		m = newMachine(re.prog, s)
		if start = m.leftmost(from); start < 0 {
			return nil, nil
		}
	}
	if re.tree.pref == shortest || end < 0 {
		if m == nil {
			m = newMachine(re.prog, s)
		}
		m.ends(start, len(s), func(e int) bool { end = e; return re.tree.pref != shortest })
	}
	caps := make([]int, 2*(re.ncap+1))
	for i := range caps {
		caps[i] = -1
	}
	caps[0], caps[1] = start, end
	if re.tree.caps {
		d := &dissector{s: s, caps: caps}
		d.node(re.tree, start, end)
		if d.err != nil {
			return nil, d.err
		}
	}
	return caps, nil
}

// advance gives the offset of the character after at.
func advance(s string, at int) int {
	if at >= len(s) {
		return at + 1
	}
	_, n := utf8.DecodeRuneInString(s[at:])
	return at + n
}

// FindAll calls f with each match in turn, as the g option finds them: an empty
// match right after another match is skipped. f answers whether to go on.
func (re *Regexp) FindAll(s string, from int, f func(caps []int) (bool, error)) error {
	for at := from; at <= len(s); {
		caps, err := re.Find(s, at)
		if err != nil || caps == nil {
			return err
		}
		more, err := f(caps)
		if err != nil || !more {
			return err
		}
		if at = caps[1]; caps[0] == caps[1] {
			at = advance(s, at)
		}
	}
	return nil
}
