package keyenc

import (
	"bytes"
	"math"
	"testing"

	"github.com/basaltdb/basalt/sql/types"
)

// in reads values of a type from text, in ascending order as PostgreSQL sorts
// them; "=" before a value says that it equals the one before.
var ordered = map[types.OID][]string{
	types.Bool:           {"f", "t"},
	types.Int2:           {"-32768", "-1", "0", "1", "255", "256", "32767"},
	types.Int4:           {"-2147483648", "-65536", "-1", "0", "1", "256", "2147483647"},
	types.Int8:           {"-9223372036854775808", "-1", "0", "9223372036854775807"},
	types.Oid:            {"0", "1", "2147483648", "4294967295"},
	types.Float4:         {"-Infinity", "-1e30", "-1", "-0.5", "0", "=-0", "1e-40", "1", "Infinity", "NaN"},
	types.Float8:         {"-Infinity", "-1e300", "-1", "0", "=-0", "1e-310", "1", "1e300", "Infinity", "NaN"},
	types.NumericOID:     {"-Infinity", "-1e50", "-123456789012345678901234567890", "-100", "-99.5", "-99.49", "-1", "-0.1", "-0.01", "-1e-30", "0", "=0.000", "1e-30", "0.001", "0.0099", "0.01", "=0.0100", "0.1", "0.99", "1", "=1.0", "=1.00000000000000000000000000", "1.01", "9", "9.9", "10", "=10.0", "99", "100", "101", "1000000", "123456789012345678", "1234567890123456789", "12345678901234567890", "1e50", "Infinity", "NaN"},
	types.Text:           {"", "A", "a", "a ", "aa", "b", "é"},
	types.BPChar:         {"", "a", "=a  ", "a b", "b"},
	types.Bytea:          {`\x`, `\x00`, `\x0000`, `\x0001`, `\x00ff`, `\x01`, `\x01ff`, `\xff`, `\xff00`},
	types.DateOID:        {"-infinity", "0044-03-15 BC", "1969-12-31", "1970-01-01", "2024-02-29", "infinity"},
	types.TimeOID:        {"00:00", "12:34:56.789", "24:00"},
	types.TimestampOID:   {"-infinity", "1969-12-31 23:59:59", "1970-01-01", "2024-02-29 12:00", "infinity"},
	types.TimestampTZOID: {"-infinity", "1969-12-31 23:59:59+00", "2024-02-29 12:00+02", "2024-02-29 12:00+00", "infinity"},
	types.TimeTZOID:      {"00:00+15", "12:00+02", "12:00+01", "11:00+00", "12:00+00", "12:00-01"},
	types.IntervalOID:    {"-178000000 years", "-1 mon", "-29 days", "-00:00:01", "0", "00:00:01", "1 day", "=24:00", "29 days 24:00:01", "1 mon 00:00:02", "1 year", "178000000 years"},
	types.VarBit:         {"", "0", "00", "000000000", "0000000001", "001", "01", "1", "10", "100000000", "11", "111111111"},
	types.UUIDOID:        {"00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-0000000000ff", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
	1007:                 {"{}", "{-5}", "{1}", "{1,-1}", "{1,2}", "{1,2,3}", "{1,NULL}", "{NULL}", "{NULL,1}"}, // int4[]
	1009:                 {"{}", `{""}`, `{"",a}`, "{a}", "{a,b}", "{ab}", "{b}"},                               // text[]
}

func TestOrder(t *testing.T) {
	env := types.DefaultEnv()
	for oid, texts := range ordered {
		typ := types.Of(oid)
		for _, c := range []Column{{T: typ}, {T: typ, Desc: true, NullsFirst: true}, {T: typ, NullsFirst: true}, {T: typ, Desc: true}} {
			var prev []byte
			for i, s := range texts {
				eq := s != "" && s[0] == '='
				if eq {
					s = s[1:]
				}
				d, err := types.In(env, typ, s)
				if err != nil {
					t.Errorf("type %d, %s: %v", oid, s, err)
					continue
				}
				k, err := c.Append(env, nil, d)
				if err != nil {
					t.Fatal(err)
				}
				if v, err := c.AppendAt(env, nil, types.Repeat(typ, d, 1), 0); err != nil || !bytes.Equal(v, k) {
					t.Errorf("type %d, %s: from a vector %x, from a datum %x (%v)", oid, s, v, k, err)
				}
				if null := c.AppendNull(nil); bytes.Compare(null, k) < 0 != c.NullsFirst {
					t.Errorf("type %d, %s: NULL on the wrong side", oid, s)
				}
				if bytes.Compare(c.AppendNotNullStart(nil), k) > 0 || bytes.Compare(c.AppendNotNullEnd(nil), k) <= 0 {
					t.Errorf("type %d, %s: not between the bounds of values", oid, s)
				}
				if i > 0 && prev != nil {
					want := -1
					if eq {
						want = 0
					} else if c.Desc {
						want = 1
					}
					if got := bytes.Compare(prev, k); got != want {
						t.Errorf("type %d desc %v: %q after %q: %d, want %d (%x %x)", oid, c.Desc, s, texts[i-1], got, want, prev, k)
					}
					if !eq && (bytes.HasPrefix(k, prev) || bytes.HasPrefix(prev, k)) {
						t.Errorf("type %d: %q and %q: one is a prefix of the other", oid, s, texts[i-1])
					}
				}
				prev = k
			}
		}
	}
}

func TestSuccessor(t *testing.T) {
	for _, c := range []struct{ in, want []byte }{{[]byte{1, 2}, []byte{1, 3}}, {[]byte{1, 255}, []byte{2}}, {[]byte{255}, nil}} {
		if got := Successor(bytes.Clone(c.in)); !bytes.Equal(got, c.want) {
			t.Errorf("%x: %x", c.in, got)
		}
	}
}

// FuzzOrder compares pairs of values with the type's own comparison.
func FuzzOrder(f *testing.F) {
	f.Add(int64(1), int64(2), 1.5, -0.0, "a", "a\x00", int32(3), int32(2))
	f.Fuzz(func(t *testing.T, i, j int64, x, y float64, s, u string, si, sj int32) {
		env := types.DefaultEnv()
		check := func(oid types.OID, a, b types.Datum) {
			typ := types.Of(oid)
			ka, err := AppendValue(env, nil, typ, a)
			if err != nil {
				t.Fatal(err)
			}
			kb, err := AppendValue(env, nil, typ, b)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := bytes.Compare(ka, kb), sign(types.Compare(env, typ, a, b)); got != want {
				t.Errorf("type %d: %v and %v: %d, want %d", oid, a, b, got, want)
			}
		}
		check(types.Int8, i, j)
		check(types.Float8, x, y)
		check(types.Float4, float32(x), float32(y))
		check(types.Text, s, u)
		check(types.Bytea, []byte(s), []byte(u))
		check(types.NumericOID, types.NumericFromInt64(i, abs(si)%19), types.NumericFromInt64(j, abs(sj)%19))
		check(types.IntervalOID, types.Interval{Months: si, Days: sj, Micros: i}, types.Interval{Months: sj, Days: si, Micros: j})
	})
}

func sign(x int) int {
	switch {
	case x < 0:
		return -1
	case x > 0:
		return 1
	}
	return 0
}

func abs(x int32) int32 {
	if x == math.MinInt32 {
		return 0
	}
	return max(x, -x)
}
