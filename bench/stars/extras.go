package stars

import (
	"fmt"
	"strconv"
	"strings"
)

// addDocument writes a text of some kilobytes; a word in a few of them is rare.
func addDocument(_ *sizes, r random, unit int64, o *row) {
	o.int(unit + 1)
	o.text([]string{"en", "de", "fr", "es"}[r.skewed(4)-1])
	if r.chance(200) {
		o.null()
	} else {
		o.text(r.pickSkewed(words["first"]) + " " + r.pickSkewed(words["last"]))
	}
	o.text(r.sentence(r.between(3, 12)))
	if r.chance(30) {
		o.null()
	} else {
		var b strings.Builder
		for range r.between(5, 100) {
			s := r.sentence(r.between(6, 20))
			b.WriteString(strings.ToUpper(s[:1]) + s[1:])
			switch {
			case r.chance(2):
				b.WriteString(", a \"" + r.pick(words["colors"]) + " " + r.pick(words["syllables"]) + "\"")
			case r.chance(5):
				fmt.Fprintf(&b, ", order %d-%d", r.between(100, 999), r.between(1000, 9999))
			}
			b.WriteString(". ")
		}
		o.text(b.String())
	}
	if r.chance(900) {
		o.null()
	} else {
		o.text(r.sentence(r.between(50, 200)))
	}
	o.end()
}

// addWide fills 299 columns, three fifths of the later ones with nothing.
func addWide(_ *sizes, r random, unit int64, o *row) {
	o.int(unit + 1)
	for c := int64(1); c < wideColumns; c++ {
		if c > 20 && r.chance(600) {
			o.null()
			continue
		}
		switch c % 8 {
		case 0:
			o.int(r.skewed(100))
		case 1:
			o.int(r.Int64N(1 << 40))
		case 2:
			o.cents(r.between(-1_000_000, 1_000_000))
		case 3:
			o.text(epoch.AddDate(0, 0, int(r.Int64N(dateCount))).Format("2006-01-02"))
		case 4:
			o.text(r.pick(words["colors"]) + strconv.FormatInt(r.Int64N(c), 10))
		case 5:
			o.sep()
			o.buf = strconv.AppendFloat(o.buf, float64(r.between(-1_000_000, 1_000_000))/64, 'g', -1, 64)
		case 6:
			o.text([]string{"f", "t"}[r.IntN(2)])
		case 7:
			o.int(r.between(0, 100_000))
		}
	}
	o.end()
}

// addEvent writes one key; there are about half as many keys as events, in no order.
func addEvent(g *sizes, r random, _ int64, o *row) {
	k := r.between(1, g.events)
	if r.chance(200) {
		k = r.popular(g.events)
	}
	o.int(k * 2654435761 % 10_000_000_019)
	o.end()
}
