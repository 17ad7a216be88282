package are

import (
	"testing"
	"unicode/utf8"
)

// FuzzRegexp: any pattern either fails to compile or matches consistently: the
// match found starts where the machine says and lies inside the string, and Go's
// engine (where it is used) agrees with the machine.
func FuzzRegexp(f *testing.F) {
	for _, p := range []string{"a*b|c", "(a|ab)(c|bcd)(d*)", `\m\w+\M`, "(?i)[a-c]{2,3}?", `(a)\1`, "a(?=b)", "[^]a]", "(?n)^.$", "x{0}", "((a*)*)*"} {
		f.Add(p, "abcd abcd")
	}
	f.Fuzz(func(t *testing.T, p, s string) {
		if !utf8.ValidString(p) || !utf8.ValidString(s) || len(p) > 40 || len(s) > 60 {
			return
		}
		re, err := Compile(p, Flags{})
		if err != nil {
			return
		}
		m, err := re.Match(s)
		if err != nil {
			return
		}
		caps, err := re.Find(s, 0)
		if err != nil {
			return
		}
		if (caps != nil) != m {
			t.Fatalf("%q in %q: Match %v, Find %v", p, s, m, caps)
		}
		if re.prog != nil {
			if start := newMachine(re.prog, s).leftmost(0); caps == nil && start >= 0 || caps != nil && start != caps[0] {
				t.Fatalf("%q in %q: machine %d, Find %v", p, s, start, caps)
			}
		}
		for i := 0; i+1 < len(caps); i += 2 {
			if caps[i] < 0 {
				continue
			}
			if caps[i] > caps[i+1] || caps[i] < caps[0] && re.prog != nil && !re.looksBack() || caps[i+1] > len(s) {
				t.Fatalf("%q in %q: %v", p, s, caps)
			}
		}
	})
}

func (re *Regexp) looksBack() bool { return !re.plain }

// FuzzSimilar: every translation of a SIMILAR TO pattern is handled.
func FuzzSimilar(f *testing.F) {
	f.Add(`a#"b%#"c`, "#")
	f.Add("[^a](b|c)_", `\`)
	f.Fuzz(func(t *testing.T, p, esc string) {
		if !utf8.ValidString(p) || !utf8.ValidString(esc) || len(p) > 60 {
			return
		}
		if s, err := Similar(p, esc); err == nil {
			_, _ = Compile(s, Flags{})
		}
	})
}
