package text

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzLike: the prepared forms of a pattern agree with the general matcher.
func FuzzLike(f *testing.F) {
	for _, c := range [][2]string{{"abc", "a%c"}, {"aXbXc", "%X%"}, {"日本", "_本"}, {"a%b", `a\%b`}, {"ab", "%%b"}, {"", "%"}} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, s, pattern string) {
		if !utf8.ValidString(s) || !utf8.ValidString(pattern) || len(s)+len(pattern) > 200 {
			return
		}
		p := CompileLike(pattern, false, false)
		got, err := p.Match(s)
		want, err2 := matchLike(s, pattern, false)
		if (err == nil) != (err2 == nil) || got != want {
			t.Fatalf("%q LIKE %q: %v %v, general matcher %v %v", s, pattern, got, err, want, err2)
		}
	})
}

// FuzzNumberFormat: no format or input makes to_char or to_number panic.
func FuzzNumberFormat(f *testing.F) {
	f.Add("-1,234.5", "S9G999D9", 12.5)
	f.Add("<5>", "FM0.99PR", -0.001)
	f.Fuzz(func(t *testing.T, s, format string, v float64) {
		if len(format) > 100 || strings.Count(format, "9") > 60 {
			return
		}
		_, _ = toNumber(s, format)
		if d, err := parseNumFormat(format); err == nil {
			_, _ = formatFloat(d, v, 15)
			_, _ = formatInt4(d, int32(v))
		}
	})
}
