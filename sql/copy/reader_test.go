package copy

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
)

var target = Target{Table: "t", Names: []string{"a", "b", "n"},
	Types: []types.T{types.Of(types.Int4), types.Of(types.Text), types.WithMod(types.NumericOID, 10<<16|2+4)}}

// read gives all rows as text, NULL as "~", or the error with its context.
func read(o Options, in string) string {
	out := readChunks(o, target, iotest.OneByteReader(strings.NewReader(in)), chunkBytes, false)
	if i := strings.LastIndexByte(out, '!'); i >= 0 {
		return out[i+1:]
	}
	return out
}

// readChunks is read with the input cut into chunks of a size, the rows before an
// error and "!" included, and each row's context where that is wanted.
func readChunks(o Options, target Target, in io.Reader, size int, contexts bool) string { // size 0: one chunk, line by line
	o.From = true
	if err := o.Check(); err != nil {
		return err.Error()
	}
	env := types.DefaultEnv()
	r := NewReader(in, &o, target, env)
	defer r.Close()
	if r.chunkBytes = size; size == 0 {
		r.chunkBytes, r.l.testingRows = chunkBytes, true
	}
	var out []string
	for {
		b, err := r.Next()
		if err != nil {
			return strings.Join(out, ";") + "!" + err.Error() + " | " + pgerror.From(err).Where
		}
		if b == nil {
			return strings.Join(out, ";")
		}
		rows := rowsOf(env, target, b)
		for i := range rows {
			if contexts {
				rows[i] += " (" + r.RowContext(i, true) + ")"
			}
		}
		out = append(out, rows...)
	}
}

func rowsOf(env *types.Env, target Target, b *vexec.Batch) (out []string) {
	for i := range b.N {
		var f []string
		for c, t := range target.Types {
			s := "~"
			if d := types.Get(t, b.Cols[c], i); d != nil {
				s, _ = types.Out(env, t, d)
			}
			f = append(f, s)
		}
		out = append(out, strings.Join(f, ","))
	}
	return out
}

func TestReader(t *testing.T) {
	str := func(s string) *string { return &s }
	for _, c := range []struct {
		name, in, want string
		o              Options
	}{
		{"plain", "1\tx\t1.5\n2\ty\t-0.05\n", "1,x,1.50;2,y,-0.05", Options{}},
		{"no last newline", "1\tx\t1", "1,x,1.00", Options{}},
		{"carriage returns", "1\tx\t1\r\n2\ty\t2\r\n", "1,x,1.00;2,y,2.00", Options{}},
		{"nulls", "\\N\t\\N\t\\N\n", "~,~,~", Options{}},
		{"escapes", "1\ta\\tb\\\\\\x41\\101\\\nz\t2\n", "1,a\tb\\AA\nz,2.00", Options{}},
		{"end marker", "1\tx\t1\n\\.\nrubbish", "1,x,1.00", Options{}},
		{"NaN widens", "1\tx\t1.25\n2\ty\tNaN\n", "1,x,1.25;2,y,NaN", Options{}},
		{"rounding", "1\tx\t1.005\n", "1,x,1.01", Options{}},
		{"missing", "1\tx\n", `missing data for column "n" | COPY t, line 1: "1	x"`, Options{}},
		{"extra", "1\tx\t1\t\n", "extra data after last expected column | COPY t, line 1: \"1\tx\t1\t\"", Options{}},
		{"bad value", "1\tx\t1\nz\tx\t1\n", `invalid input syntax for type integer: "z" | COPY t, line 2, column a: "z"`, Options{}},
		{"bad encoding", "1\t\xff\t1\n", `invalid byte sequence for encoding "UTF8": 0xff | COPY t, line 1`, Options{}},
		{"csv", "1,\"a,\"\"b\"\"\nc\",2\n,,\n", "1,a,\"b\"\nc,2.00;~,~,~", Options{Format: CSV}},
		{"csv empty string", "1,\"\",2\n", "1,,2.00", Options{Format: CSV}},
		{"csv force not null", "1,,2\n", "1,,2.00", Options{Format: CSV, HasForceNotNull: true, ForceNotNull: []string{"b"}}},
		{"csv force null", "1,\"\",2\n", "1,~,2.00", Options{Format: CSV, HasForceNull: true, ForceNull: []string{"b"}}},
		{"csv header", "a,b,n\n1,x,2\n", "1,x,2.00", Options{Format: CSV, Header: HeaderTrue}},
		{"csv header mismatch", "a,c,n\n1,x,2\n", `column name mismatch in header line field 2: got "c", expected "b" | COPY t, line 1: "a,c,n"`, Options{Format: CSV, Header: HeaderMatch}},
		{"csv escape", "1;'a''\\'';2\n", "1,a',2.00", Options{Format: CSV, Delimiter: str(";"), Quote: str("'"), Escape: str("\\")}},
		{"csv open quote", "1,\"x,2\n", "unterminated CSV quoted field | COPY t, line 1: \"1,\"x,2\n\"", Options{Format: CSV}},
		{"delimiter and null", "1|-|2\n", "1,~,2.00", Options{Delimiter: str("|"), Null: str("-")}},
		{"no signature", "nonsense that is long enough", "COPY file signature not recognized", Options{Format: Binary}},
	} {
		got := read(c.o, c.in)
		if c.o.Format == Binary {
			got, _, _ = strings.Cut(got, " | ")
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestISODate(t *testing.T) {
	env := types.DefaultEnv()
	for d := types.Date(-719162); d < 2932896; d += 371 {
		s, _ := types.Out(env, types.Of(types.DateOID), d)
		if got, ok := isoDate([]byte(s)); !ok || got != int32(d) {
			t.Fatalf("%s: %d %v, want %d", s, got, ok, d)
		}
	}
	for _, s := range []string{"2023-02-29", "2024-13-01", "2024-00-10", "2024-01-32", "0000-01-01", "2024-1-001"} {
		if _, ok := isoDate([]byte(s)); ok {
			t.Errorf("%s is no date", s)
		}
	}
}

// TestISOMoment: the fast parsers agree with the type's input.
func TestISOMoment(t *testing.T) {
	env := types.DefaultEnv()
	parse := func(oid types.OID, s string) {
		t.Helper()
		want, err := types.In(env, types.Of(oid), s)
		if err != nil {
			t.Fatal(err)
		}
		fast := isoTimestamp
		if oid == types.TimestampTZOID {
			fast = isoTimestampTZ
		}
		if got, ok := fast([]byte(s)); !ok || types.Timestamp(got) != want {
			t.Errorf("%s: %d %v, want %d", s, got, ok, want)
		}
	}
	for _, day := range []string{"0001-01-01", "1900-02-28", "1969-12-31", "1970-01-01", "1999-12-31", "2000-01-01", "2024-02-29", "9999-12-31"} {
		for _, clock := range []string{"00:00:00", "23:59:59.999999", "12:34:56.7"} {
			parse(types.TimestampOID, day+" "+clock)
			parse(types.TimestampTZOID, day+" "+clock+"+00")
			parse(types.TimestampTZOID, day+"T"+clock+"-05:30")
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("1\tx\t1.5\n"), byte(0))
	f.Add([]byte("1,\"x\",1.5\n"), byte(1))
	f.Add(append([]byte("PGCOPY\n\377\r\n\000"), make([]byte, 30)...), byte(2))
	f.Fuzz(func(t *testing.T, in []byte, format byte) {
		read(Options{Format: Format(format % 3)}, string(in))
	})
}
