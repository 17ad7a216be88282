package ipc_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/ipc"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// sample is a value of a type in each of several shapes.
var samples = []struct {
	t    types.T
	text []string
}{
	{types.Of(types.Bool), []string{"t", "f"}},
	{types.Of(types.Int2), []string{"-7", "32767"}},
	{types.Of(types.Int4), []string{"0", "-2147483648"}},
	{types.Of(types.Int8), []string{"9223372036854775807", "1"}},
	{types.Of(types.Float4), []string{"1.5", "NaN"}},
	{types.Of(types.Float8), []string{"-0", "Infinity", "2.25"}},
	{types.Of(types.NumericOID), []string{"1.50", "2.25"}},
	{types.Of(types.NumericOID), []string{"1.5", "12345678901234567890123.000", "NaN"}},
	{types.Of(types.Text), []string{"", "hello", "Привет"}},
	{types.Of(types.BPChar), []string{"a  ", "b"}},
	{types.Of(types.Bytea), []string{`\x00ff`, `\x`}},
	{types.Of(types.DateOID), []string{"2024-02-29", "infinity"}},
	{types.Of(types.TimestampTZOID), []string{"2024-02-29 12:00:00.5+00"}},
	{types.Of(types.TimeTZOID), []string{"12:00:00+02"}},
	{types.Of(types.IntervalOID), []string{"1 mon 2 days 00:00:03"}},
	{types.Of(types.UUIDOID), []string{"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}},
	{types.Of(types.JSONBOID), []string{`{"a": [1, null]}`}},
	{types.Of(types.Oid), []string{"4294967295"}},
	{types.T{OID: 1007, Class: types.ClassArray, Elem: types.Int4}, []string{"{1,NULL,3}", "{}"}},
}

func rowTypes() []types.T {
	var ts []types.T
	for _, s := range samples {
		ts = append(ts, s.t)
	}
	return ts
}

func randomBatch(t testing.TB, r *rand.Rand, n int) *vexec.Batch {
	b := &vexec.Batch{N: n}
	for _, s := range samples {
		bl := types.NewBuilder(s.t, n)
		nulls := r.IntN(3)
		for range n {
			if nulls > 0 && r.IntN(nulls+1) == 0 {
				bl.Append(nil)
				continue
			}
			d, err := types.In(types.DefaultEnv(), s.t, s.text[r.IntN(len(s.text))])
			if err != nil {
				t.Fatal(err)
			}
			bl.Append(d)
		}
		b.Cols = append(b.Cols, bl.Finish())
	}
	return b
}

func text(t testing.TB, ts []types.T, bs ...*vexec.Batch) []string {
	var out []string
	for _, b := range bs {
		sel := b.Sel
		for k := range b.Rows() {
			i := k
			if sel != nil {
				i = int(sel[k])
			}
			var row strings.Builder
			for c, ct := range ts {
				d := types.Get(ct, b.Cols[c], i)
				if d == nil {
					row.WriteString("|NULL")
					continue
				}
				s, err := types.Out(types.DefaultEnv(), ct, d)
				if err != nil {
					t.Fatal(err)
				}
				row.WriteString("|" + s)
			}
			out = append(out, row.String())
		}
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	ts := rowTypes()
	e, d := ipc.NewEncoder(ts), ipc.NewDecoder(ts)
	for i := range 60 {
		b := randomBatch(t, r, r.IntN(70))
		switch i % 3 {
		case 1:
			b.Sel = []int32{}
			for k := range b.N {
				if r.IntN(2) == 0 {
					b.Sel = append(b.Sel, int32(k))
				}
			}
		case 2:
			if b.N > 2 {
				lo, hi := 1+r.IntN(b.N-2), b.N
				for c := range b.Cols {
					b.Cols[c] = kernel.Slice(b.Cols[c], lo, hi)
				}
				b.N = hi - lo
			}
		}
		ms, err := e.Encode(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		var got []*vexec.Batch
		for _, m := range ms {
			x, err := d.Decode(m)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, x)
		}
		if a, b := fmt.Sprint(text(t, ts, b)), fmt.Sprint(text(t, ts, got...)); a != b {
			t.Fatalf("batch %d:\nsent     %s\nreceived %s", i, a, b)
		}
	}
}

func TestPiecesAndDictionaries(t *testing.T) {
	ts := []types.T{types.Of(types.Text)}
	bl := types.NewBuilder(ts[0], 3000)
	for i := range 3000 {
		bl.Append(strings.Repeat("x", i))
	}
	b := &vexec.Batch{N: 3000, Cols: []arrow.Array{bl.Finish()}}
	e, d := ipc.NewEncoder(ts), ipc.NewDecoder(ts)
	ms, err := e.Encode(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, m := range ms {
		if m.Size() > 1<<20 {
			t.Errorf("a message of %d bytes", m.Size())
		}
		x, err := d.Decode(m)
		if err != nil {
			t.Fatal(err)
		}
		rows += x.N
	}
	if rows != 3000 || len(ms) < 5 {
		t.Errorf("%d rows in %d messages", rows, len(ms))
	}

	db := array.NewDictionaryBuilder(memory.DefaultAllocator, &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}).(*array.BinaryDictionaryBuilder)
	for _, s := range []string{"a", "b", "a"} {
		if err := db.AppendString(s); err != nil {
			t.Fatal(err)
		}
	}
	db.AppendNull()
	if ms, err = e.Encode(nil, &vexec.Batch{N: 4, Cols: []arrow.Array{db.NewArray()}}); err != nil {
		t.Fatal(err)
	}
	x, err := d.Decode(ms[0])
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(text(t, ts, x)); got != "[|a |b |a |NULL]" {
		t.Error(got)
	}
}

func TestNoColumns(t *testing.T) {
	e, d := ipc.NewEncoder(nil), ipc.NewDecoder(nil)
	ms, err := e.Encode(nil, &vexec.Batch{N: 42})
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.Decode(ms[0])
	if err != nil || b.N != 42 {
		t.Fatal(b, err)
	}
}

// TestMalformed flips, cuts and grows what is sent: an error or some batch, never a panic.
func TestMalformed(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	ts := rowTypes()
	ms, err := ipc.NewEncoder(ts).Encode(nil, randomBatch(t, r, 20))
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for range 20000 {
		m := ms[0]
		for _, part := range []*[]byte{&m.Schema, &m.Header, &m.Body} {
			if r.IntN(2) == 0 {
				continue
			}
			b := bytes.Clone(*part)
			for range 1 + r.IntN(3) {
				switch r.IntN(4) {
				case 0:
					b = b[:r.IntN(len(b)+1)]
				default:
					if len(b) > 0 {
						b[r.IntN(len(b))] = byte(r.Uint32())
					}
				}
			}
			*part = b
		}
		if err := decode(t, ts, m); err != nil {
			refused++
		}
	}
	if refused < 5000 {
		t.Errorf("%d of 20000 refused", refused)
	}
	if _, err := ipc.NewDecoder(ts).Decode(ipc.Message{Header: ms[0].Header, Body: ms[0].Body, Rows: 20}); err == nil {
		t.Error("a stream without a schema was read")
	}
	if _, err := ipc.NewDecoder(ts[1:]).Decode(ms[0]); err == nil {
		t.Error("rows of another type were read")
	}
}

func decode(t testing.TB, ts []types.T, m ipc.Message) error {
	b, err := ipc.NewDecoder(ts).Decode(m)
	if err != nil {
		var e *pgerror.Error
		if !errors.As(err, &e) || e.Code != pgerror.ProtocolViolation {
			t.Fatalf("%v", err)
		}
		return err
	}
	for i, c := range b.Cols { // every byte can be reached
		_ = kernel.Bytes(c)
		if kernel.Width(c.DataType()) == 0 && c.DataType().ID() != arrow.BOOL {
			s := kernel.Strings(c)
			for k := range b.N {
				_ = bytes.Clone(s.At(k))
			}
		} else if ts[i].Class == types.ClassBase {
			for k := range b.N {
				_ = types.Get(ts[i], c, k)
			}
		}
	}
	return nil
}

func FuzzDecode(f *testing.F) {
	ts := rowTypes()
	ms, err := ipc.NewEncoder(ts).Encode(nil, randomBatch(f, rand.New(rand.NewPCG(5, 6)), 20))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ms[0].Schema, ms[0].Header, ms[0].Body, int64(20))
	f.Fuzz(func(t *testing.T, schema, header, body []byte, rows int64) {
		_ = decode(t, ts, ipc.Message{Schema: schema, Header: header, Body: body, Rows: rows})
	})
}
