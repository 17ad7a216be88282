package stars

import (
	_ "embed"
	"math"
	"strings"
)

//go:embed words.txt
var wordsText string

// words are the lists of words.txt by name; an underscore stands for a space.
var words = func() map[string][]string {
	m := map[string][]string{}
	for line := range strings.Lines(wordsText) {
		f := strings.Fields(line)
		for _, w := range f[1:] {
			m[f[0]] = append(m[f[0]], strings.ReplaceAll(w, "_", " "))
		}
	}
	return m
}()

func pow51(u float64) float64 { return math.Pow(51, u) }

// syllables spells a number in pseudo words, as a brand or a manufacturer is called.
func syllables(n int64) string {
	s, list := "", words["syllables"]
	for {
		s += list[n%10]
		if n /= 10; n == 0 {
			return s
		}
	}
}

// sentence is so many words of text, the first ones of the list more often.
func (r random) sentence(n int64) string {
	var b strings.Builder
	list := words["text"]
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(r.pickSkewed(list))
	}
	return b.String()
}
