package rowcodec

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

var samples = []struct {
	oid  types.OID
	text []string
}{
	{types.Bool, []string{"t", "f"}},
	{types.Char, []string{"a", "z"}},
	{types.Int2, []string{"-3", "32767"}},
	{types.Int4, []string{"-70000", "5"}},
	{types.Int8, []string{"-9223372036854775808", "7"}},
	{types.Oid, []string{"4294967295", "1"}},
	{types.Float4, []string{"1.5", "NaN"}},
	{types.Float8, []string{"-0.1", "Infinity"}},
	{types.NumericOID, []string{"1.50", "-99999999999999.99", "0.00", "1.5", "123456789012345678901234567890.5", "NaN"}},
	{types.Text, []string{"", "héllo"}},
	{types.BPChar, []string{"ab  ", "c"}},
	{types.Bytea, []string{`\x00ff`, `\x`}},
	{types.DateOID, []string{"2024-02-29", "-infinity"}},
	{types.TimeOID, []string{"12:34:56.789", "24:00"}},
	{types.TimeTZOID, []string{"12:00+05:30", "00:00-15"}},
	{types.TimestampOID, []string{"2024-02-29 01:02:03.456", "infinity"}},
	{types.TimestampTZOID, []string{"2024-02-29 01:02:03.456+00", "infinity"}},
	{types.IntervalOID, []string{"1 year -3 days 04:05:06", "-1 mon"}},
	{types.Bit, []string{"1", "01"}},
	{types.VarBit, []string{"", "1010101010101"}},
	{types.UUIDOID, []string{"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}},
	{types.JSON, []string{`{"a": 1}`}},
	{types.JSONBOID, []string{`{"a": [1, null]}`, "3"}},
	{1007, []string{"{1,NULL,3}", "{}"}},
	{1009, []string{`{a,"b c"}`}},
	{1231, []string{"{1.50,NaN}"}}, // numeric[]
}

// TestRoundTrip stores random rows of every type, from vectors and from Datums,
// and reads them back both ways, all columns and some.
func TestRoundTrip(t *testing.T) {
	env := types.DefaultEnv()
	r := rand.New(rand.NewPCG(1, 2))
	var cols []Column
	for i, s := range samples {
		cols = append(cols, Column{Attnum: i*2 + 1, T: types.Of(s.oid)}) // every other attribute is dropped
	}
	r.Shuffle(len(cols), func(i, j int) { cols[i], cols[j] = cols[j], cols[i] })
	enc, err := NewEncoder(cols)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 20 {
		n := 1 + r.IntN(300)
		builders := make([]*types.Builder, len(cols))
		want := make([][]types.Datum, n)
		texts := func(c Column) []string { return samples[(c.Attnum-1)/2].text }
		for c := range cols {
			builders[c] = types.NewBuilder(cols[c].T, n)
			nullable := r.IntN(2) == 0
			long := r.IntN(8) == 0
			for i := range n {
				var d types.Datum
				if !nullable || r.IntN(3) > 0 {
					s := texts(cols[c])
					txt := s[r.IntN(len(s))]
					if round%2 == 0 { // one scale
						txt = s[0]
					}
					if long && cols[c].T.OID == types.Text {
						txt = strings.Repeat("x", r.IntN(70000))
					}
					if d, err = types.In(env, cols[c].T, txt); err != nil {
						t.Fatal(cols[c].T.OID, err)
					}
				}
				builders[c].Append(d)
				want[i] = append(want[i], d)
			}
		}
		vectors := make([]arrow.Array, len(cols))
		for c := range cols {
			vectors[c] = builders[c].Finish()
		}
		some := cols
		if round%3 == 0 {
			some = cols[:r.IntN(len(cols))]
		}
		dec := NewDecoder(some, n)
		for i := range n {
			b, err := enc.AppendRow(nil, vectors, i)
			if err != nil {
				t.Fatal(err)
			}
			ordered := make([]types.Datum, len(cols))
			for c := range cols {
				ordered[c] = want[i][c]
			}
			b2, err := enc.AppendDatums(nil, ordered)
			if err != nil || string(b) != string(b2) {
				t.Fatalf("stored forms differ: %x %x %v", b, b2, err)
			}
			got, err := Row(some, b)
			if err != nil {
				t.Fatal(err)
			}
			for c := range some {
				same(t, env, some[c].T, got[c], want[i][c])
			}
			if err := dec.Append(b); err != nil {
				t.Fatal(err)
			}
		}
		out := dec.Finish()
		for c := range some {
			if out[c].Len() != n {
				t.Fatal(out[c].Len())
			}
			for i := range n {
				same(t, env, some[c].T, types.Get(some[c].T, out[c], i), want[i][c])
			}
		}
	}
}

func same(t *testing.T, env *types.Env, typ types.T, got, want types.Datum) {
	t.Helper()
	if got == nil || want == nil {
		if got != want {
			t.Fatalf("type %d: %v, want %v", typ.OID, got, want)
		}
		return
	}
	g, err := types.Out(env, typ, got)
	if err != nil {
		t.Fatal(err)
	}
	w, _ := types.Out(env, typ, want)
	if g != w {
		t.Fatalf("type %d: %s, want %s", typ.OID, g, w)
	}
}

// TestMissing reads rows stored before columns were added.
func TestMissing(t *testing.T) {
	enc, err := NewEncoder([]Column{{Attnum: 2, T: types.Of(types.Int4)}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := enc.AppendDatums(nil, []types.Datum{int32(7)})
	if err != nil {
		t.Fatal(err)
	}
	cols := []Column{
		{Attnum: 1, T: types.Of(types.Text), HasMissing: true, Missing: "no: it was there, dropped or NULL"},
		{Attnum: 2, T: types.Of(types.Int4)},
		{Attnum: 3, T: types.Of(types.Text), HasMissing: true, Missing: "default"},
		{Attnum: 4, T: types.Of(types.NumericOID), HasMissing: true, Missing: types.NumericFromInt64(150, 2)},
		{Attnum: 9, T: types.Of(types.Bool)},
	}
	want := "[<nil> 7 default 1.50 <nil>]"
	row, err := Row(cols, b)
	if err != nil {
		t.Fatal(err)
	}
	d := NewDecoder(cols, 2)
	if err := d.Append(b); err != nil {
		t.Fatal(err)
	}
	out := d.Finish()
	var vec []types.Datum
	for i := range cols {
		vec = append(vec, types.Get(cols[i].T, out[i], 0))
	}
	for _, r := range [][]types.Datum{row, vec} {
		s, err := types.Out(types.DefaultEnv(), types.Of(types.NumericOID), r[3])
		if err != nil {
			t.Fatal(err)
		}
		r[3] = s
		if got := fmt.Sprint(r); got != want {
			t.Error(got)
		}
	}
}

// TestLazyRow stores rows again of which a part has been decoded.
func TestLazyRow(t *testing.T) {
	cols := []Column{
		{Attnum: 2, T: types.Of(types.Text)},
		{Attnum: 1, T: types.Of(types.Int4)},
		{Attnum: 4, T: types.Of(types.NumericOID)},
		{Attnum: 5, T: types.Of(types.Text)},
		{Attnum: 7, T: types.Of(types.Int8), HasMissing: true, Missing: int64(5)},
	}
	old, err := NewEncoder(cols[:4])
	if err != nil {
		t.Fatal(err)
	}
	enc, err := NewEncoder(cols)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := old.AppendDatums(nil, []types.Datum{"text", int32(7), types.NumericFromInt64(150, 2), nil})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := Row(cols, stored)
	if err != nil {
		t.Fatal(err)
	}
	want, err := enc.AppendDatums(nil, whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, wanted := range [][]int32{{}, {0}, {1, 2}, {3}, {0, 4}, {0, 1, 2, 3, 4}} {
		row, err := LazyRow(cols, wanted, stored)
		if err != nil {
			t.Fatal(err)
		}
		got, err := enc.AppendDatums(nil, row)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%v: %x, want %x", wanted, got, want)
		}
		for i := range row {
			l, lazy := row[i].(*lazyValue)
			if lazy == slices.Contains(wanted, int32(i)) && whole[i] != nil && i != 4 {
				t.Errorf("%v: column %d is lazy: %v", wanted, i, lazy)
			}
			if lazy {
				if row[i], err = l.Value(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if fmt.Sprint(row) != fmt.Sprint(whole) {
			t.Errorf("%v: %v, want %v", wanted, row, whole)
		}
	}
}

func TestShortInt(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 127, 128, -128, -129, 1 << 15, -(1 << 15), 1 << 23, -(1 << 31), 1<<63 - 1, -1 << 63, 0x123456} {
		b := appendShortInt(nil, v)
		if len(b) > 8 || shortInt(b) != v {
			t.Errorf("%d: %x %d", v, b, shortInt(b))
		}
	}
}

// FuzzDecode feeds damaged rows: an error or values, never a panic.
func FuzzDecode(f *testing.F) {
	fixed := []Column{{Attnum: 1, T: types.Of(types.Int4)}, {Attnum: 2, T: types.Of(types.Text)}, {Attnum: 3, T: types.Of(types.Bool)},
		{Attnum: 4, T: types.Of(types.NumericOID)}, {Attnum: 5, T: types.Of(types.UUIDOID)}, {Attnum: 6, T: types.Of(types.Char)}}
	enc, _ := NewEncoder(fixed)
	b, _ := enc.AppendDatums(nil, []types.Datum{int32(1), "text", true, types.NumericFromInt64(12, 1), types.UUID{}, byte('c')})
	f.Add(b)
	f.Add([]byte{0x21, 1, 0, 1, 1, 0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		// numerics in binary form are Numeric's own to check
		cols := fixed
		if r, err := parse(b); err == nil && r.n > 3 {
			if v, ok, err := r.value(3); err == nil && ok && len(v) > 0 && v[0] == numericWide {
				cols = fixed[:3]
			}
		}
		_, err := Row(cols, b)
		d := NewDecoder(cols, 4)
		derr := d.Append(b)
		if (err == nil) != (derr == nil) {
			t.Fatalf("row: %v, vector: %v", err, derr)
		}
		if err != nil && !pgerror.Is(err, pgerror.DataCorrupted) {
			t.Fatal(err)
		}
		if derr == nil {
			d.Finish()
		}
	})
}
