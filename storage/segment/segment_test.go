package segment

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// testTypes are one type of every physical form and order.
var testTypes = []types.OID{types.Bool, types.Char, types.Int2, types.Int4, types.Int8, types.Float4, types.Float8, types.Oid,
	types.Xid8, types.NumericOID, types.Text, types.BPChar, types.Bytea, types.DateOID, types.TimeOID, types.TimestampOID,
	types.TimestampTZOID, types.TimeTZOID, types.IntervalOID, types.UUIDOID, types.VarBit, types.JSON, types.JSONBOID, 1007}

// shape is how values follow each other.
type shape int

const (
	shapeRandom shape = iota
	shapeConstant
	shapeRuns
	shapeAscending
	shapeFew
	shapeOutliers
	shapeSmall
	shapes
)

// model is a file's content.
type model struct {
	cols []Column
	rows [][]types.Datum // per column
	keys [][]byte
}

func randomModel(r *rand.Rand, n int, ts []types.OID) *model {
	m := &model{}
	for i, oid := range ts {
		t := types.Of(oid)
		m.cols = append(m.cols, Column{Attnum: 2*i + 1, Type: t})
		m.rows = append(m.rows, randomValues(r, t, n))
	}
	m.keys = randomKeys(r, n)
	return m
}

func randomKeys(r *rand.Rand, n int) [][]byte {
	out := make([][]byte, n)
	kind := r.IntN(4)
	at := r.Uint64N(1 << 40)
	for i := range out {
		switch kind {
		case 0: // row ids
			at++
			out[i] = binary.BigEndian.AppendUint64(nil, at)
		case 1: // two columns
			at += r.Uint64N(3)
			out[i] = append(binary.BigEndian.AppendUint64([]byte{1}, at), 1, 0x80, 0, byte(i>>8), byte(i))
		case 2: // text of any length
			out[i] = fmt.Appendf(nil, "key %d %s\x00\x01", at+uint64(i), strings.Repeat("x", r.IntN(20)))
		default: // wide random keys
			out[i] = make([]byte, 1+r.IntN(40))
			for j := range out[i] {
				out[i][j] = byte(r.Uint32())
			}
			out[i] = binary.BigEndian.AppendUint32(out[i], uint32(i))
		}
	}
	slices.SortFunc(out, bytes.Compare)
	return slices.CompactFunc(out, bytes.Equal)[:]
}

func randomValues(r *rand.Rand, t types.T, n int) []types.Datum {
	out := make([]types.Datum, n)
	sh := shape(r.IntN(int(shapes)))
	nulls := []int{0, 0, 0, 1, 30, 99, 100}[r.IntN(7)]
	few := make([]types.Datum, 1+r.IntN(200))
	for i := range few {
		few[i] = randomValue(r, t, shapeRandom, uint64(i))
	}
	cur := few[0]
	at := r.Uint64() >> r.UintN(64)
	for i := range out {
		var d types.Datum
		switch sh {
		case shapeConstant:
			d = cur
		case shapeRuns:
			if r.IntN(50) == 0 {
				cur = randomValue(r, t, shapeRandom, 0)
			}
			d = cur
		case shapeFew:
			d = few[r.IntN(len(few))]
		case shapeAscending:
			at += r.Uint64N(5)
			d = randomValue(r, t, sh, at)
		case shapeOutliers:
			d = randomValue(r, t, shapeSmall, 0)
			if r.IntN(300) == 0 {
				d = randomValue(r, t, shapeRandom, 0)
			}
		default:
			d = randomValue(r, t, sh, 0)
		}
		if r.IntN(100) < nulls {
			d = nil
		}
		out[i] = d
	}
	return out
}

const words = "special requests sleep furiously across the pending ideas carefully express packages above quickly final deposits "

func randomValue(r *rand.Rand, t types.T, sh shape, at uint64) types.Datum {
	u := r.Uint64()
	switch sh {
	case shapeAscending:
		u = at
	case shapeSmall:
		u %= 100
	}
	text := func() string {
		if sh == shapeAscending {
			return fmt.Sprintf("row %012d", at)
		}
		switch r.IntN(12) {
		case 0:
			return ""
		case 1:
			b := make([]byte, r.IntN(50))
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			return string(b)
		}
		from := r.IntN(len(words) - 1)
		return words[from : from+r.IntN(len(words)-from)]
	}
	if t.Class == types.ClassArray {
		return &types.Array{Elem: t.ElemType(), Dims: []types.ArrayDim{{Len: 1, Lower: 1}}, Elems: []types.Datum{int32(u)}}
	}
	switch t.OID {
	case types.Bool:
		return u&1 == 1
	case types.Char:
		return byte(u)
	case types.Int2:
		return int16(u)
	case types.Int4:
		return int32(u)
	case types.Int8:
		return int64(u)
	case types.Float4:
		return []float32{math.Float32frombits(uint32(u)), float32(u % 1000), float32(math.NaN()), 0, float32(math.Copysign(0, -1))}[r.IntN(5)]
	case types.Float8:
		return []float64{math.Float64frombits(u), float64(u%1000) / 100, math.NaN(), math.Inf(-1), math.Copysign(0, -1)}[r.IntN(5)]
	case types.Oid:
		return types.OID(u)
	case types.Xid8:
		return u
	case types.NumericOID:
		if sh == shapeSmall || sh == shapeAscending {
			return types.NumericFromInt64(int64(u%(1<<40))-50, 2)
		}
		switch r.IntN(20) {
		case 0:
			return types.NumericNaN
		case 1:
			n, _ := types.NumericFromInt64(int64(u), 3).Mul(types.NumericFromInt64(math.MaxInt64, 7))
			return n
		case 2:
			return types.NumericFromInt64(int64(u%1000), 0)
		}
		return types.NumericFromInt64(int64(u), 2)
	case types.Text, types.JSON:
		return text()
	case types.BPChar:
		return text() + strings.Repeat(" ", r.IntN(3))
	case types.VarBit:
		return fmt.Sprintf("%b", u)
	case types.Bytea:
		return []byte(text())
	case types.JSONBOID:
		return types.JSONB(text())
	case types.DateOID:
		return types.Date(int32(u))
	case types.TimeOID:
		return types.Time(u % 86_400_000_000)
	case types.TimestampOID, types.TimestampTZOID:
		return types.Timestamp(u)
	case types.TimeTZOID:
		return types.TimeTZ{Micros: int64(u % 86_400_000_000), Zone: int32(u % 7)}
	case types.IntervalOID:
		return types.Interval{Months: int32(u % 3), Days: int32(u % 5), Micros: int64(u)}
	case types.UUIDOID:
		var x types.UUID
		binary.LittleEndian.PutUint64(x[:], u)
		return x
	}
	panic(t.OID)
}

// vectors are rows lo … hi−1 in random forms: sliced, dictionaries.
func (m *model) vectors(r *rand.Rand, lo, hi int) []arrow.Array {
	var out []arrow.Array
	for c := range m.cols {
		t := m.cols[c].Type
		from, to := lo-min(lo, r.IntN(10)), min(hi+r.IntN(3), len(m.keys))
		b := types.NewBuilder(t, to-from)
		for _, d := range m.rows[c][from:to] {
			b.Append(d)
		}
		var a arrow.Array = b.Finish()
		if s, ok := a.(*array.String); ok && r.IntN(2) == 0 {
			a = dictionaryOf(r, s)
		}
		out = append(out, kernel.Slice(a, lo-from, hi-from))
	}
	return out
}

func dictionaryOf(r *rand.Rand, s *array.String) arrow.Array {
	b := array.NewDictionaryBuilder(memory.DefaultAllocator, &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}).(*array.BinaryDictionaryBuilder)
	for i := range s.Len() {
		if s.IsNull(i) {
			b.AppendNull()
		} else if err := b.AppendString(s.Value(i)); err != nil {
			panic(err)
		}
	}
	return b.NewArray()
}

func (m *model) write(t testing.TB, r *rand.Rand, fs vfs.FS, path string, o WriterOptions) *Meta {
	t.Helper()
	w, err := NewWriter(fs, path, m.cols, o)
	if err != nil {
		t.Fatal(err)
	}
	for lo := 0; lo < len(m.keys); {
		hi := min(lo+1+r.IntN(5000), len(m.keys))
		var k Keys
		for _, key := range m.keys[lo:hi] {
			k.Append(key)
		}
		if err := w.Append(k, m.vectors(r, lo, hi)); err != nil {
			t.Fatal(err)
		}
		lo = hi
	}
	meta, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return meta
}

// stored is a value's canonical bytes; nil for NULL.
func stored(d types.Datum) []byte {
	if d == nil {
		return nil
	}
	return rowcodec.AppendValue([]byte{}, d)
}

// storedValue is the same of a Value.
func storedValue(c *column, v Value) []byte {
	switch {
	case v.Null:
		return nil
	case v.Dec:
		return stored(types.NumericFromInt64(int64(v.Bits), int32(v.Scale)))
	case c.phys == physBool:
		return []byte{byte(v.Bits)}
	case c.phys == physInt:
		return binary.LittleEndian.AppendUint64(nil, v.Bits)[:c.width]
	case c.phys == physNumeric:
		return stored(types.NumericFromBinary(v.Bytes))
	}
	return append([]byte{}, v.Bytes...)
}

func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// TestRoundTrip writes random columns of every type and reads them back whole, in
// selections and value by value, by key and by position.
func TestRoundTrip(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for seed := range rounds {
		roundTrip(t, uint64(seed))
	}
}

func roundTrip(t *testing.T, seed uint64) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(seed, 1))
	fs := vfs.NewMem()
	n := []int{1, 2, 100, 4096, 4097, 10000}[r.IntN(6)]
	ts := []types.OID{}
	for range 6 {
		ts = append(ts, testTypes[r.IntN(len(testTypes))])
	}
	if n < 200 {
		ts = testTypes
	}
	m := randomModel(r, n, ts)
	n = len(m.keys)
	o := WriterOptions{}
	if r.IntN(3) == 0 {
		o.BlockRows = 1 + r.IntN(1000)
	}
	meta := m.write(t, r, fs, "x.seg", o)
	var cache *Cache
	switch r.IntN(3) {
	case 0:
		cache = NewCache(1 << 30)
	case 1:
		cache = NewCache(1 << 18)
	}
	f, err := Open(fs, "x.seg", cache)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("seed %d: %s", seed, fmt.Sprintf(format, args...))
	}
	if got := f.Meta(); meta.Rows != n || got.Bytes != meta.Bytes || !bytes.Equal(got.Last, m.keys[n-1]) || !bytes.Equal(meta.First, m.keys[0]) {
		fail("meta %+v, %+v of %d rows", meta, got, n)
	}
	if err := f.Verify(ctx); err != nil {
		fail("%v", err)
	}
	for c := range m.cols {
		typ := m.cols[c].Type
		col := newColumn(m.cols[c])
		nulls := 0
		for b := range f.Blocks() {
			first, rows := f.BlockRows(b)
			want := m.rows[c][first : first+rows]
			a, err := f.Read(ctx, b, c)
			if err != nil {
				fail("%v", err)
			}
			checkVector(t, seed, typ, a, want)
			var sel []int32
			step := 1 + r.IntN(20)
			for i := r.IntN(step); i < rows; i += 1 + r.IntN(step) {
				sel = append(sel, int32(i))
			}
			if a, err = f.ReadSelected(ctx, b, c, sel, nil, nil); err != nil {
				fail("%v", err)
			}
			var picked []types.Datum
			for _, i := range sel {
				picked = append(picked, want[i])
			}
			checkVector(t, seed, typ, a, picked)
			z := f.Zone(c, b)
			for _, d := range want {
				if d == nil {
					nulls++
				}
			}
			checkZone(t, seed, typ, z, want)
		}
		cm := meta.Columns[c]
		if cm.Nulls != nulls {
			fail("%d NULLs, statistics say %d", nulls, cm.Nulls)
		}
		distinct := map[string]bool{}
		for _, d := range m.rows[c] {
			if d != nil {
				distinct[string(stored(d))] = true
			}
		}
		if got := float64(cm.Distinct); math.Abs(got-float64(len(distinct))) > 0.12*float64(len(distinct))+2 && typ.OID != types.NumericOID {
			fail("type %d: %d distinct values, estimate %v", typ.OID, len(distinct), got)
		}
		var out [1]Value
		var buf []byte
		for range 50 {
			row := r.IntN(n)
			if buf, err = f.Row(ctx, row, []int{c}, out[:], buf[:0]); err != nil {
				fail("%v", err)
			}
			if got, want := storedValue(&col, out[0]), stored(m.rows[c][row]); !same(got, want) {
				fail("type %d: row %d is %x, want %x", typ.OID, row, got, want)
			}
		}
	}
	for range 200 {
		i := r.IntN(n)
		key := slices.Clone(m.keys[i])
		row, ok, err := f.Find(ctx, key)
		if err != nil || !ok || row != i {
			fail("Find of key %d gives %d, %v, %v", i, row, ok, err)
		}
		if got, err := f.AppendKey(ctx, nil, i); err != nil || !bytes.Equal(got, key) {
			fail("key %d is %x, want %x: %v", i, got, key, err)
		}
		switch r.IntN(4) {
		case 0:
			key = key[:r.IntN(len(key)+1)]
		case 1:
			key = append(key, byte(r.Uint32()))
		case 2:
			if len(key) > 0 {
				key[r.IntN(len(key))] ^= 1 << r.IntN(8)
			}
		}
		at, there := slices.BinarySearchFunc(m.keys, key, bytes.Compare)
		if row, err := f.SeekRow(ctx, key); err != nil || row != at {
			fail("SeekRow(%x) gives %d, want %d: %v", key, row, at, err)
		}
		if row, ok, err := f.Find(ctx, key); err != nil || ok != there || ok && row != at {
			fail("Find(%x) gives %d, %v, want %d, %v: %v", key, row, ok, at, there, err)
		}
	}
	for b := range f.Blocks() {
		first, rows := f.BlockRows(b)
		keys, err := f.Keys(ctx, b)
		if err != nil || keys.Len() != rows {
			fail("%d keys of %d: %v", keys.Len(), rows, err)
		}
		for i := range rows {
			if !bytes.Equal(keys.At(i), m.keys[first+i]) {
				fail("key %d", first+i)
			}
		}
	}
}

func checkVector(t *testing.T, seed uint64, typ types.T, a arrow.Array, want []types.Datum) {
	t.Helper()
	if a.Len() != len(want) {
		t.Fatalf("seed %d: %d rows, want %d", seed, a.Len(), len(want))
	}
	nulls := 0
	for i, d := range want {
		if d == nil {
			nulls++
		}
		if got := types.Get(typ, a, i); !same(stored(got), stored(d)) {
			t.Fatalf("seed %d: type %d (%s): row %d is %v, want %v", seed, typ.OID, a.DataType(), i, got, d)
		}
	}
	if a.NullN() != nulls {
		t.Fatalf("seed %d: %d NULLs, want %d", seed, a.NullN(), nulls)
	}
}

// checkZone: no value is outside its zone, and conditions that a value satisfies are not ruled out.
func checkZone(t *testing.T, seed uint64, typ types.T, z *Zone, vals []types.Datum) {
	t.Helper()
	nulls := 0
	env := types.DefaultEnv()
	lo, hi := z.Bounds(typ)
	for i, d := range vals {
		if d == nil {
			nulls++
			continue
		}
		if z.Kind == ZoneInts || z.Kind == ZoneDecimals {
			if types.Compare(env, typ, d, lo) < 0 || types.Compare(env, typ, d, hi) > 0 {
				t.Fatalf("seed %d: type %d: %v is not in [%v, %v]", seed, typ.OID, d, lo, hi)
			}
		}
		if i%7 == 0 {
			for _, r := range []*Range{NewRange(typ, d, d, nil), NewRange(typ, d, nil, nil), NewRange(typ, nil, d, nil), NewRange(typ, nil, nil, []types.Datum{d})} {
				if r != nil && !z.May(r) {
					t.Fatalf("seed %d: type %d: %v is ruled out of %+v", seed, typ.OID, d, z)
				}
			}
		}
	}
	if z.Nulls != nulls || z.Rows != len(vals) {
		t.Fatalf("seed %d: zone of %d rows, %d NULLs; want %d, %d", seed, z.Rows, z.Nulls, len(vals), nulls)
	}
}
