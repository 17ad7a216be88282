package dbgen

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

//go:embed distributions.txt
var distributionsText string

// distribution is a weighted list of words.
type distribution struct {
	words []string
	// cumulative weights; nations' are not weights but the nations' regions.
	cumulative []int32
	// byWeight maps a value 1 … total (index −1) to its word; empty for nations.
	byWeight []int32
}

// pick chooses a word with its weight's probability.
func (d *distribution) pick(s *stream) string {
	return d.words[d.byWeight[s.uniform(1, int32(len(d.byWeight)))-1]]
}

var distributions = sync.OnceValue(func() map[string]*distribution {
	m := map[string]*distribution{}
	var d *distribution
	for line := range strings.Lines(distributionsText) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			d = &distribution{}
			m[strings.Trim(line, "[]")] = d
		default:
			w, word, _ := strings.Cut(line, "\t")
			n, err := strconv.Atoi(w)
			if err != nil {
				panic(fmt.Sprintf("dbgen: bad line %q in distributions.txt", line))
			}
			total := int32(n)
			if len(d.cumulative) > 0 {
				total += d.cumulative[len(d.cumulative)-1]
			}
			for range n {
				d.byWeight = append(d.byWeight, int32(len(d.words)))
			}
			d.words, d.cumulative = append(d.words, word), append(d.cumulative, total)
		}
	}
	return m
})

func dist(name string) *distribution { return distributions()[name] }

// textPoolBytes is the size of the pseudo text all comments are cut from.
const textPoolBytes = 300 << 20

// textPool generates the pool once: sentences after the grammar of clause 4.2.2.14.
var textPool = sync.OnceValue(func() []byte {
	g := sentences{
		s: newStream(933588178, 1), buf: make([]byte, 0, textPoolBytes+1024),
		grammar: dist("grammar"), np: dist("np"), vp: dist("vp"),
		nouns: dist("nouns"), verbs: dist("verbs"), adverbs: dist("adverbs"), articles: dist("articles"),
		prepositions: dist("prepositions"), auxiliaries: dist("auxillaries"), terminators: dist("terminators"), adjectives: dist("adjectives"),
	}
	for len(g.buf) < textPoolBytes {
		g.sentence()
	}
	return g.buf[:textPoolBytes:textPoolBytes]
})

type sentences struct {
	s                                                                                                    *stream
	buf                                                                                                  []byte
	grammar, np, vp, nouns, verbs, adverbs, articles, prepositions, auxiliaries, terminators, adjectives *distribution
}

func (g *sentences) word(d *distribution) {
	g.buf = append(append(g.buf, d.pick(g.s)...), ' ')
}

func (g *sentences) sentence() {
	form := g.grammar.pick(g.s)
	for i := 0; i < len(form); i += 2 {
		switch form[i] {
		case 'N':
			g.nounPhrase()
		case 'V':
			g.verbPhrase()
		case 'P':
			g.word(g.prepositions)
			g.buf = append(g.buf, "the "...)
			g.nounPhrase()
		case 'T':
			g.buf = g.buf[:len(g.buf)-1]
			g.word(g.terminators)
		}
	}
}

func (g *sentences) nounPhrase() {
	form := g.np.pick(g.s)
	for i := range len(form) {
		switch form[i] {
		case 'A':
			g.word(g.articles)
		case 'J':
			g.word(g.adjectives)
		case 'D':
			g.word(g.adverbs)
		case 'N':
			g.word(g.nouns)
		case ',':
			g.buf = append(g.buf[:len(g.buf)-1], ", "...)
		}
	}
}

func (g *sentences) verbPhrase() {
	form := g.vp.pick(g.s)
	for i := 0; i < len(form); i += 2 {
		switch form[i] {
		case 'D':
			g.word(g.adverbs)
		case 'V':
			g.word(g.verbs)
		case 'X':
			g.word(g.auxiliaries)
		}
	}
}
