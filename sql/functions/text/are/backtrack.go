package are

import (
	"strings"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// stepsMax bounds the work on one match with back references.
const stepsMax = 5_000_000

// tracer tries the possibilities of a tree with back references one by one. The
// first whole match in each part's order of preference wins, then the longest or
// shortest of all from that start as the expression prefers.
type tracer struct {
	s     string
	caps  []int
	steps int
}

type tooComplex struct{}

// backtrack is Find for expressions with back references.
func (re *Regexp) backtrack(s string, from int) (caps []int, err error) {
	t := &tracer{s: s, caps: make([]int, 2*(re.ncap+1))}
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(tooComplex); !ok {
				panic(r)
			}
			caps, err = nil, pgerror.Unsupported("regular expression with back references that needs this many steps")
		}
	}()
	for start := from; start <= len(s); start = advance(s, start) {
		for i := range t.caps {
			t.caps[i] = -1
		}
		var best []int
		t.node(re.tree, start, func(end int) bool {
			if best == nil || re.tree.pref != shortest && end > best[1] || re.tree.pref == shortest && end < best[1] {
				best = append([]int{}, t.caps...)
				best[0], best[1] = start, end
			}
			return re.tree.pref != shortest && end == len(s) || re.tree.pref == shortest && end == start
		})
		if best != nil {
			return best, nil
		}
	}
	return nil, nil
}

// node calls k with each end of a match of n from at; k answers true to stop.
func (t *tracer) node(n *node, at int, k func(end int) bool) bool {
	if t.steps++; t.steps > stepsMax {
		panic(tooComplex{})
	}
	switch n.kind {
	case kEmpty:
		return k(at)
	case kSet:
		if at >= len(t.s) {
			return false
		}
		c, w := utf8.DecodeRuneInString(t.s[at:])
		return n.set.has(c) && k(at+w)
	case kAssert:
		return holds(n.what, t.s, at) && k(at)
	case kLook:
		sub, err := compile(n.kids[0])
		if err != nil {
			panic(tooComplex{})
		}
		return looks(&inst{look: n, sub: sub}, t.s, at) && k(at)
	case kBackref:
		i, j := t.caps[2*n.n], t.caps[2*n.n+1]
		return i >= 0 && strings.HasPrefix(t.s[at:], t.s[i:j]) && k(at+j-i)
	case kGroup:
		oldI, oldJ := t.caps[2*n.n], t.caps[2*n.n+1]
		if t.node(n.kids[0], at, func(end int) bool {
			i, j := t.caps[2*n.n], t.caps[2*n.n+1]
			t.caps[2*n.n], t.caps[2*n.n+1] = at, end
			if k(end) {
				return true
			}
			t.caps[2*n.n], t.caps[2*n.n+1] = i, j
			return false
		}) {
			return true
		}
		t.caps[2*n.n], t.caps[2*n.n+1] = oldI, oldJ
		return false
	case kConcat:
		return t.concat(n.kids, at, k)
	case kAlt:
		for _, kid := range n.kids {
			if t.node(kid, at, k) {
				return true
			}
		}
		return false
	}
	return t.repeat(n, 0, at, k)
}

func (t *tracer) concat(kids []*node, at int, k func(int) bool) bool {
	if len(kids) == 0 {
		return k(at)
	}
	return t.node(kids[0], at, func(end int) bool { return t.concat(kids[1:], end, k) })
}

func (t *tracer) repeat(n *node, done, at int, k func(int) bool) bool {
	if b := n.kids[0]; b.kind == kBackref && t.caps[2*b.n] < 0 {
		return false // even for no repetition at all
	}
	if done >= n.min && n.lazy && k(at) {
		return true
	}
	if n.max < 0 || done < n.max {
		if t.node(n.kids[0], at, func(end int) bool {
			return (end > at || done < n.min) && t.repeat(n, done+1, end, k)
		}) {
			return true
		}
	}
	return done >= n.min && !n.lazy && k(at)
}
