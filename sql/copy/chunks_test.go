package copy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/basaltdb/basalt/sql/types"
)

// wide has a column of every kind of builder.
var wide = Target{Table: "w", Names: []string{"i2", "i4", "i8", "t", "v", "c", "d", "n", "f4", "f8", "ts", "tz", "b", "u"},
	Types: []types.T{types.Of(types.Int2), types.Of(types.Int4), types.Of(types.Int8), types.Of(types.Text),
		types.WithMod(types.VarChar, 5+4), types.WithMod(types.BPChar, 4+4), types.Of(types.DateOID),
		types.WithMod(types.NumericOID, 8<<16|3+4), types.Of(types.Float4), types.Of(types.Float8),
		types.Of(types.TimestampOID), types.Of(types.TimestampTZOID), types.Of(types.Bool), types.Of(types.NumericOID)}}

// TestChunks reads random files, most lines plain, some with everything that is
// not, and some with errors, cut at any place and by several goroutines: rows,
// contexts and errors are those of reading line by line.
func TestChunks(t *testing.T) {
	str := func(s string) *string { return &s }
	options := []Options{{}, {Delimiter: str("|"), Null: str("")}, {Delimiter: str(","), Null: str("zz")}, {Format: CSV}, {Format: CSV, Header: HeaderTrue},
		{Format: CSV, Quote: str("'"), Escape: str("\\")}, {Format: CSV, Null: str("NULL"), HasForceNull: true, ForceNull: []string{"t", "v"}},
		{Format: CSV, HasForceNotNull: true, ForceNotNull: []string{"t", "c"}}}
	for seed := range uint64(600) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		o := options[rnd.IntN(len(options))]
		in := randomFile(rnd, &o)
		want := readChunks(o, wide, strings.NewReader(in), 0, true)
		for _, size := range []int{1, 1 + rnd.IntN(200), 1 + rnd.IntN(2000), chunkBytes} {
			if got := readChunks(o, wide, strings.NewReader(in), size, true); got != want {
				t.Fatalf("seed %d, chunks of %d, input\n%q\ngives\n%s\nwant\n%s", seed, size, in, got, want)
			}
		}
	}
}

func randomFile(rnd *rand.Rand, o *Options) string {
	pick := func(s ...string) string { return s[rnd.IntN(len(s))] }
	delim, null, quote := "\t", `\N`, ""
	if o.Format == CSV {
		delim, null, quote = ",", "", `"`
	}
	if o.Delimiter != nil {
		delim = *o.Delimiter
	}
	if o.Null != nil {
		null = *o.Null
	}
	if o.Quote != nil {
		quote = *o.Quote
	}
	eol := pick("\n", "\n", "\n", "\n", "\r\n", "\r")
	odd := pick("", "", "0", "1", "2") // how many lines are not plain
	value := func(c int) string {
		switch c {
		case 0, 1, 2:
			return fmt.Sprint(rnd.IntN(60000) - 30000)
		case 6:
			return pick("1994-02-03", "2024-02-29", "0001-01-01", "infinity", "4713-01-01 BC")
		case 7:
			return pick("12.5", "-3", "99999.999", "0.0004", "NaN", ".5")
		case 8, 9:
			return pick("1.5", "-2e5", "0", "-0", "1e-30", "NaN", "Infinity", "3.4028235e38")
		case 10:
			return pick("2020-01-02 03:04:05", "2020-01-02T03:04:05.123456", "2020-01-02 24:00:00", "2020-01-02", "2020-01-02 03:04:05.1234567", "-infinity")
		case 11:
			return pick("2020-01-02 03:04:05+00", "2020-01-02 03:04:05.5-05:30", "2020-01-02 03:04:05 Europe/Berlin", "2020-01-02 03:04:05+1430")
		case 12:
			return pick("t", "false", "yes")
		case 13:
			return pick("1", "1.50", "123456789012345678901234567890", "-0.00")
		}
		v := pick("", "a", "abc", "xyz ", "é", "日本", "zz", "NULL", "q")
		if c == 3 {
			v += pick("", "a much longer text than others", "0123456789")
		}
		return v
	}
	var b strings.Builder
	if o.Header == HeaderTrue {
		b.WriteString("any header" + eol)
	}
	n := rnd.IntN(60)
	badAt := -1
	if rnd.IntN(3) == 0 {
		badAt = rnd.IntN(n + 1)
	}
	for i := range n {
		f := make([]string, len(wide.Types))
		for c := range f {
			switch {
			case rnd.IntN(12) == 0:
				f[c] = null
			case quote != "" && rnd.IntN(4) == 0:
				f[c] = quote + value(c) + quote
			default:
				f[c] = value(c)
			}
		}
		if odd != "" && rnd.IntN(5-int(odd[0]-'0')) == 0 {
			if o.Format == CSV {
				f[3] = pick(quote+"x"+eol+"y"+quote, quote+"a"+quote+quote+"b"+quote, "a"+quote+"b"+quote, quote+delim+quote, `\.`, "\\", "a"+quote+"\\"+quote+quote)
			} else {
				f[3] = pick(`\x41\t`, `\101b`, "\\"+eol, `\\`, `\N `, `a\N`, `\.`, "\\"+delim, `\N`)
			}
		}
		if i == badAt {
			switch rnd.IntN(7) {
			case 0:
				f = f[:len(f)-1]
			case 1:
				f = append(f, "x")
			case 2:
				f[rnd.IntN(3)] = pick("1x", "", "99999999999999999999")
			case 3:
				f[4] = "too long"
			case 4:
				f[7] = "123456.5"
			case 5:
				f[3] = "\xff"
			case 6:
				f[6], f[1] = "1999-02-30", "none"
			}
		}
		b.WriteString(strings.Join(f, delim) + eol)
		if rnd.IntN(80) == 0 {
			b.WriteString(`\.` + eol)
		}
	}
	s := b.String()
	if rnd.IntN(4) == 0 {
		s = strings.TrimSuffix(s, eol)
	}
	return s
}
