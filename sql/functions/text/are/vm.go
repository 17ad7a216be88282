package are

import "unicode/utf8"

// threads is an ordered set of instruction numbers, each with the string offset
// its thread started at.
type threads struct {
	dense  []int
	start  []int
	sparse []int
}

func newThreads(n int) *threads {
	return &threads{dense: make([]int, 0, n), start: make([]int, 0, n), sparse: make([]int, n)}
}

func (t *threads) has(pc int) bool {
	i := t.sparse[pc]
	return i < len(t.dense) && t.dense[i] == pc
}

func (t *threads) clear() { t.dense, t.start = t.dense[:0], t.start[:0] }

// machine runs one program over one string.
type machine struct {
	p         *program
	s         string
	cur, next *threads
	stack     []int
}

func newMachine(p *program, s string) *machine {
	return &machine{p: p, s: s, cur: newThreads(len(p.code)), next: newThreads(len(p.code))}
}

// follow adds pc and all it leads to without consuming a character at offset at.
func (m *machine) follow(t *threads, pc, start, at int) {
	m.stack = append(m.stack[:0], pc)
	for len(m.stack) > 0 {
		pc := m.stack[len(m.stack)-1]
		m.stack = m.stack[:len(m.stack)-1]
		if t.has(pc) {
			continue
		}
		t.sparse[pc] = len(t.dense)
		t.dense, t.start = append(t.dense, pc), append(t.start, start)
		switch i := &m.p.code[pc]; i.op {
		case iJump:
			m.stack = append(m.stack, i.next)
		case iSplit:
			m.stack = append(m.stack, i.other, i.next)
		case iAssert:
			if holds(i.what, m.s, at) {
				m.stack = append(m.stack, i.next)
			}
		case iLook:
			if looks(i, m.s, at) {
				m.stack = append(m.stack, i.next)
			}
		}
	}
}

// step moves every thread over the character at offset at.
func (m *machine) step(at int) (width int) {
	c, n := rune(m.s[at]), 1
	if c >= utf8.RuneSelf {
		c, n = utf8.DecodeRuneInString(m.s[at:])
	}
	m.next.clear()
	for k, pc := range m.cur.dense {
		if i := &m.p.code[pc]; i.op == iSet && i.set.has(c) {
			m.follow(m.next, i.next, m.cur.start[k], at+n)
		}
	}
	m.cur, m.next = m.next, m.cur
	return n
}

// matched gives the start of the earliest-started thread that matches here, −1 for none.
func (m *machine) matched() int {
	best := -1
	last := len(m.p.code) - 1
	if m.cur.has(last) {
		best = m.cur.start[m.cur.sparse[last]]
	}
	return best
}

// leftmost finds the smallest offset ≥ from where a match starts, −1 for none.
func (m *machine) leftmost(from int) int {
	m.cur.clear()
	best := -1
	for at := from; ; {
		if best < 0 {
			m.follow(m.cur, 0, at, at)
		}
		if s := m.matched(); s >= 0 && (best < 0 || s < best) {
			best = s
		}
		if best >= 0 { // only threads that started earlier can still win
			alive := false
			for _, s := range m.cur.start {
				alive = alive || s < best
			}
			if !alive {
				return best
			}
		}
		if at >= len(m.s) {
			return best
		}
		at += m.step(at)
	}
}

// ends calls f for every offset ≤ limit where a match from start can end, in
// ascending order, until f answers false.
func (m *machine) ends(start, limit int, f func(end int) bool) {
	m.cur.clear()
	m.follow(m.cur, 0, start, start)
	for at := start; ; {
		if m.matched() >= 0 && !f(at) {
			return
		}
		if at >= limit || len(m.cur.dense) == 0 {
			return
		}
		at += m.step(at)
	}
}

// holds evaluates an assertion at offset at.
func holds(a assertion, s string, at int) bool {
	before := at > 0 && isWord(rune(s[at-1]))
	after := at < len(s) && isWord(rune(s[at]))
	switch a {
	case aBeginText:
		return at == 0
	case aEndText:
		return at == len(s)
	case aBeginLine:
		return at == 0 || s[at-1] == '\n'
	case aEndLine:
		return at == len(s) || s[at] == '\n'
	case aWordStart:
		return !before && after
	case aWordEnd:
		return before && !after
	case aWordEdge:
		return before != after
	case aNotWordEdge:
		return before == after
	}
	return false
}

// looks evaluates a look-around at offset at.
func looks(i *inst, s string, at int) bool {
	m, found := newMachine(i.sub, s), false
	if !i.look.behind {
		m.ends(at, len(s), func(int) bool { found = true; return false })
		return found != i.look.negate
	}
	for start := at; start >= 0 && !found; start-- {
		if start < len(s) && !utf8.RuneStart(s[start]) {
			continue
		}
		m.ends(start, at, func(end int) bool { found = found || end == at; return !found })
	}
	return found != i.look.negate
}
