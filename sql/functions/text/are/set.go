package are

import (
	"sort"
	"unicode/utf8"
)

// set is a set of characters: sorted disjoint ranges, with a bitmap for ASCII.
type set struct {
	r     [][2]rune
	ascii [4]uint32
}

func (s *set) add(lo, hi rune) { s.r = append(s.r, [2]rune{lo, hi}) }

func (s *set) union(t *set) { s.r = append(s.r, t.r...) }

// normalize sorts and joins the ranges.
func (s *set) normalize() {
	sort.Slice(s.r, func(i, j int) bool { return s.r[i][0] < s.r[j][0] })
	out := s.r[:0]
	for _, x := range s.r {
		if n := len(out); n > 0 && x[0] <= out[n-1][1]+1 {
			out[n-1][1] = max(out[n-1][1], x[1])
			continue
		}
		out = append(out, x)
	}
	s.r = out
}

func (s *set) invert() {
	s.normalize()
	var out [][2]rune
	next := rune(0)
	for _, x := range s.r {
		if x[0] > next {
			out = append(out, [2]rune{next, x[0] - 1})
		}
		next = x[1] + 1
	}
	if next <= utf8.MaxRune {
		out = append(out, [2]rune{next, utf8.MaxRune})
	}
	s.r = out
}

func (s *set) remove(c rune) {
	s.invert()
	s.add(c, c)
	s.invert()
}

// fold adds the other case of every ASCII letter.
func (s *set) fold() {
	for _, x := range s.r {
		for c := max(x[0], 'A'); c <= min(x[1], 'Z'); c++ {
			s.r = append(s.r, [2]rune{c + 32, c + 32})
		}
		for c := max(x[0], 'a'); c <= min(x[1], 'z'); c++ {
			s.r = append(s.r, [2]rune{c - 32, c - 32})
		}
	}
}

// seal makes the set ready for has.
func (s *set) seal() {
	s.normalize()
	s.ascii = [4]uint32{}
	for _, x := range s.r {
		for c := x[0]; c <= min(x[1], 127); c++ {
			s.ascii[c>>5] |= 1 << (c & 31)
		}
	}
}

func (s *set) has(c rune) bool {
	if c < 128 {
		return s.ascii[c>>5]>>(c&31)&1 != 0
	}
	i := sort.Search(len(s.r), func(i int) bool { return s.r[i][1] >= c })
	return i < len(s.r) && s.r[i][0] <= c
}

func ranges(r ...rune) *set {
	s := &set{}
	for i := 0; i < len(r); i += 2 {
		s.add(r[i], r[i+1])
	}
	return s
}

func classEscape(c byte) (*set, bool) {
	var s *set
	switch c | 0x20 {
	case 'd':
		s = ranges('0', '9')
	case 's':
		s = ranges('\t', '\r', ' ', ' ')
	case 'w':
		s = ranges('0', '9', 'A', 'Z', 'a', 'z', '_', '_')
	default:
		return nil, false
	}
	if c < 'a' {
		s.invert()
	}
	return s, true
}

func namedClass(name string, fold bool) (*set, bool) {
	switch name {
	case "alnum":
		return ranges('0', '9', 'A', 'Z', 'a', 'z'), true
	case "alpha":
		return ranges('A', 'Z', 'a', 'z'), true
	case "ascii":
		return ranges(0, 127), true
	case "blank":
		return ranges('\t', '\t', ' ', ' '), true
	case "cntrl":
		return ranges(0, 31, 127, 127), true
	case "digit":
		return ranges('0', '9'), true
	case "graph":
		return ranges('!', '~'), true
	case "lower", "upper":
		if fold {
			return ranges('A', 'Z', 'a', 'z'), true
		}
		if name == "lower" {
			return ranges('a', 'z'), true
		}
		return ranges('A', 'Z'), true
	case "print":
		return ranges(' ', '~'), true
	case "punct":
		return ranges('!', '/', ':', '@', '[', '`', '{', '~'), true
	case "space":
		return ranges('\t', '\r', ' ', ' '), true
	case "word":
		return ranges('0', '9', 'A', 'Z', 'a', 'z', '_', '_'), true
	case "xdigit":
		return ranges('0', '9', 'A', 'F', 'a', 'f'), true
	}
	return nil, false
}

func isWord(c rune) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_'
}
