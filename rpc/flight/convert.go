package flight

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/bitutil"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// batchBytesMax bounds the body of a record batch message: gRPC clients refuse
// messages over 4 MiB unless told otherwise.
const batchBytesMax = 7 << 19

// record converts a batch to the types of schema. Columns whose vectors clients
// can read as they are stay untouched; most others are made in mem.
func record(mem *arena, env *types.Env, schema *arrow.Schema, ts []types.T, b *vexec.Batch) (arrow.Record, error) {
	cols := b.Cols[:len(ts)]
	if b.Sel != nil {
		cols = kernel.TakeCols(cols, b.Sel)
	}
	out := make([]arrow.Array, len(ts))
	for i, t := range ts {
		var err error
		if out[i], err = convert(mem, env, t, schema.Field(i).Type, flatten(mem, cols[i])); err != nil {
			return nil, err
		}
	}
	return array.NewRecord(schema, out, int64(b.Rows())), nil
}

// convert gives vector a of type t as Arrow type dt.
func convert(mem *arena, env *types.Env, t types.T, dt arrow.DataType, a arrow.Array) (arrow.Array, error) {
	switch d := dt.(type) {
	case *arrow.Decimal128Type:
		return toDecimal(mem, t, d, a)
	case *arrow.MonthDayNanoIntervalType:
		return toMonthDayNano(dt, a)
	case *arrow.ListType:
		return toList(env, t, d, a)
	case *arrow.TimestampType:
		return toTimestamp(t, dt, a)
	}
	if same(t) {
		return a, nil
	}
	return toText(env, t, a)
}

// validity copies a's bitmap to offset 0; nil without NULLs.
func validity(a arrow.Array) []byte {
	if a.NullN() == 0 {
		return nil
	}
	n, off := a.Len(), a.Data().Offset()
	out := make([]byte, bitutil.BytesForBits(int64(n)))
	bitutil.CopyBitmap(a.NullBitmapBytes(), off, n, out, 0)
	return out
}

// codedBytesMax is up to what length values of a dictionary are copied by fixed moves.
const codedBytesMax = 32

// flatten is kernel.Flatten in mem.
func flatten(mem *arena, a arrow.Array) arrow.Array {
	d, ok := a.(*array.Dictionary)
	if !ok || mem == nil || d.NullN() > 0 {
		return kernel.Flatten(a)
	}
	words, codes := kernel.Strings(array.MakeFromData(d.Data().Dictionary())), kernel.CodesOf(d).Codes
	entries, longest := d.Data().Dictionary().Len(), 0
	if entries == 0 || entries > len(codes)/4 {
		return kernel.Flatten(a)
	}
	for i := range entries {
		longest = max(longest, len(words.At(i)))
	}
	if longest > codedBytesMax {
		return kernel.Flatten(a)
	}
	// Every move writes codedBytesMax bytes, whose end the next one writes over.
	type word struct {
		b [codedBytesMax]byte
		n int32
	}
	ws := make([]word, entries)
	for i := range ws {
		ws[i].n = int32(copy(ws[i].b[:], words.At(i)))
	}
	n := len(codes)
	offs := arrow.Int32Traits.CastFromBytes(mem.take(4 * (n + 1)))
	data := mem.take(n*longest + codedBytesMax)
	at := int32(0)
	offs[0] = 0
	ends := offs[1:]
	for i, c := range codes[:len(ends)] {
		w := &ws[c]
		*(*[codedBytesMax]byte)(data[at:]) = w.b
		at += w.n
		ends[i] = at
	}
	return types.NewVarlen(dictionaryValues(d), offs, data[:at], nil, 0)
}

func dictionaryValues(d *array.Dictionary) arrow.DataType {
	return d.DataType().(*arrow.DictionaryType).ValueType
}

// toText is the text form PostgreSQL shows.
func toText(env *types.Env, t types.T, a arrow.Array) (arrow.Array, error) {
	n := a.Len()
	offsets, data := make([]int32, n+1), make([]byte, 0, 16*n)
	for i := range n {
		if a.IsValid(i) {
			var err error
			if data, err = types.AppendOut(env, t, data, types.Get(t, a, i)); err != nil {
				return nil, err
			}
			if len(data) > math.MaxInt32 {
				return nil, pgerror.New(pgerror.ProgramLimitExceeded, "a batch of results exceeds 2 GB")
			}
		}
		offsets[i+1] = int32(len(data))
	}
	return types.NewVarlen(arrow.BinaryTypes.String, offsets, data, validity(a), a.NullN()), nil
}

var pow10 = func() (p [19]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// toDecimal makes decimals of one scale from either form of numeric.
func toDecimal(mem *arena, t types.T, dt *arrow.Decimal128Type, a arrow.Array) (arrow.Array, error) {
	n := a.Len()
	out := arrow.Decimal128Traits.CastFromBytes(mem.take(n * arrow.Decimal128SizeBytes))
	d, ok := a.(*types.Dec64Array)
	if up := int(dt.Scale); ok && up >= int(d.Scale()) && up-int(d.Scale()) < len(pow10) {
		values, m := d.Int64Values(), pow10[up-int(d.Scale())]
		if m == 1 {
			out = out[:len(values)]
			for i, v := range values {
				out[i] = decimal128.New(v>>63, uint64(v))
			}
		} else {
			for i, v := range values {
				sign := v >> 63
				hi, lo := bits.Mul64(uint64((v^sign)-sign), m)
				if sign != 0 {
					var borrow uint64
					lo, borrow = bits.Sub64(0, lo, 0)
					hi, _ = bits.Sub64(0, hi, borrow)
				}
				out[i] = decimal128.New(int64(hi), lo)
			}
		}
	} else {
		for i := range n {
			if a.IsNull(i) {
				out[i] = decimal128.Num{}
				continue
			}
			var err error
			if out[i], err = decimal(t, types.Get(t, a, i).(types.Numeric)); err != nil {
				return nil, err
			}
		}
	}
	return types.NewFixed(dt, arrow.Decimal128Traits.CastToBytes(out), n, validity(a), a.NullN()), nil
}

// decimal is a value of numeric(p,s) as a decimal of scale s.
func decimal(t types.T, v types.Numeric) (decimal128.Num, error) {
	if !v.IsFinite() {
		return decimal128.Num{}, pgerror.New(pgerror.NumericValueOutOfRange, "%s has no place in an Arrow decimal", v).
			WithHint("Cast the column to text or double precision.")
	}
	v, err := v.ApplyTypmod(t.Mod)
	if err != nil {
		return decimal128.Num{}, err
	}
	u := v.Big()
	if p, s, _ := types.NumericTypmod(t.Mod); v.Scale() != s || u.BitLen() > 127 || p > decimalDigitsMax {
		if v.Scale() > s {
			return decimal128.Num{}, pgerror.Internal("a value of numeric(%d,%d) has scale %d", p, s, v.Scale())
		}
		u = new(big.Int).Mul(u, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(s-v.Scale())), nil))
	}
	return decimal128.FromBigInt(u), nil
}

// toMonthDayNano: the physical form is the same but for microseconds.
func toMonthDayNano(dt arrow.DataType, a arrow.Array) (arrow.Array, error) {
	n := a.Len()
	b := make([]byte, 16*n)
	f := a.(*array.FixedSizeBinary)
	for i := range n {
		if f.IsNull(i) {
			continue
		}
		v := f.Value(i)
		nanos, err := nanoseconds(int64(binary.LittleEndian.Uint64(v[8:])))
		if err != nil {
			return nil, err
		}
		copy(b[16*i:], v[:8])
		binary.LittleEndian.PutUint64(b[16*i+8:], uint64(nanos))
	}
	return types.NewFixed(dt, b, n, validity(a), a.NullN()), nil
}

func nanoseconds(micros int64) (int64, error) {
	if micros > math.MaxInt64/1000 || micros < math.MinInt64/1000 {
		return 0, pgerror.New(pgerror.IntervalFieldOverflow, "interval out of range for Arrow's nanoseconds").WithHint("Cast the column to text.")
	}
	return micros * 1000, nil
}

// toTimestamp counts from 1970 as Arrow does.
func toTimestamp(t types.T, dt arrow.DataType, a arrow.Array) (arrow.Array, error) {
	from := a.(*array.Timestamp)
	out := make([]arrow.Timestamp, from.Len())
	for i := range out {
		if from.IsNull(i) {
			continue
		}
		var err error
		if out[i], err = arrowTimestamp(t, types.Timestamp(from.Value(i))); err != nil {
			return nil, err
		}
	}
	return types.NewFixed(dt, arrow.TimestampTraits.CastToBytes(out), len(out), validity(a), a.NullN()), nil
}

// arrowTimestamp is v as clients get it; infinity is the end of Arrow's range.
func arrowTimestamp(t types.T, v types.Timestamp) (arrow.Timestamp, error) {
	if !v.Finite() {
		return arrow.Timestamp(v), nil
	}
	us, ok := v.UnixMicros()
	if !ok || us == math.MaxInt64 {
		s, err := types.Out(types.DefaultEnv(), t.NoMod(), v)
		if err != nil {
			return 0, err
		}
		return 0, pgerror.New(pgerror.DatetimeFieldOverflow, "timestamp \"%s\" is out of range for Arrow's microseconds since 1970", s).
			WithHint("Cast the column to text.")
	}
	return arrow.Timestamp(us), nil
}

// toList makes lists of one-dimensional arrays.
func toList(env *types.Env, t types.T, dt *arrow.ListType, a arrow.Array) (arrow.Array, error) {
	b := array.NewListBuilderWithField(memory.DefaultAllocator, dt.ElemField())
	elem := t.ElemType()
	values := b.ValueBuilder()
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
			continue
		}
		x := types.Get(t, a, i).(*types.Array)
		if len(x.Dims) > 1 {
			return nil, pgerror.Unsupported("an array of %d dimensions as an Arrow list", len(x.Dims)).WithHint("Cast the column to text.")
		}
		b.Append(true)
		for _, d := range x.Elems {
			if err := appendDatum(env, elem, values, d); err != nil {
				return nil, err
			}
		}
	}
	return b.NewArray(), nil
}

// appendDatum appends a value of type t to a builder of its Arrow type.
func appendDatum(env *types.Env, t types.T, b array.Builder, d types.Datum) error {
	if d == nil {
		b.AppendNull()
		return nil
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(d.(bool))
	case *array.Int16Builder:
		b.Append(d.(int16))
	case *array.Int32Builder:
		b.Append(d.(int32))
	case *array.Int64Builder:
		b.Append(d.(int64))
	case *array.Uint32Builder:
		b.Append(uint32(d.(types.OID)))
	case *array.Uint64Builder:
		b.Append(d.(uint64))
	case *array.Float32Builder:
		b.Append(d.(float32))
	case *array.Float64Builder:
		b.Append(d.(float64))
	case *array.BinaryBuilder:
		b.Append(d.([]byte))
	case *array.Date32Builder:
		b.Append(arrow.Date32(d.(types.Date)))
	case *array.Time64Builder:
		b.Append(arrow.Time64(d.(types.Time)))
	case *array.TimestampBuilder:
		v, err := arrowTimestamp(t, d.(types.Timestamp))
		if err != nil {
			return err
		}
		b.Append(v)
	case *array.FixedSizeBinaryBuilder:
		u := d.(types.UUID)
		b.Append(u[:])
	case *array.Decimal128Builder:
		v, err := decimal(t, d.(types.Numeric))
		if err != nil {
			return err
		}
		b.Append(v)
	case *array.MonthDayNanoIntervalBuilder:
		v := d.(types.Interval)
		nanos, err := nanoseconds(v.Micros)
		if err != nil {
			return err
		}
		b.Append(arrow.MonthDayNanoInterval{Months: v.Months, Days: v.Days, Nanoseconds: nanos})
	case *array.StringBuilder:
		if s, ok := d.(string); ok && same(t) {
			b.Append(s)
			return nil
		}
		s, err := types.Out(env, t, d)
		if err != nil {
			return err
		}
		b.Append(s)
	default:
		return pgerror.Internal("no rule for %T", b)
	}
	return nil
}

// split cuts a record into slices whose messages stay under batchBytesMax. A row
// that is larger by itself is sent as it is.
func split(rec arrow.Record, yield func(arrow.Record) error) error {
	n := rec.NumRows()
	if size := recordBytes(rec); n > 1 && size > batchBytesMax {
		half := n / 2
		for _, part := range []arrow.Record{rec.NewSlice(0, half), rec.NewSlice(half, n)} {
			if err := split(part, yield); err != nil {
				return err
			}
		}
		return nil
	}
	return yield(rec)
}

func recordBytes(rec arrow.Record) int64 {
	var n int64
	for _, c := range rec.Columns() {
		n += arrayBytes(c)
	}
	return n
}

// arrayBytes is the size of an array's part of a message, a little more at most.
func arrayBytes(a arrow.Array) int64 {
	n := int64(a.Len())
	size := bitutil.BytesForBits(n) + 64*3
	switch a := a.(type) {
	case *array.Boolean:
		return size + bitutil.BytesForBits(n)
	case *array.String:
		return size + 4*(n+1) + int64(a.ValueOffset(int(n))-a.ValueOffset(0))
	case *array.Binary:
		if n == 0 {
			return size
		}
		offsets := a.ValueOffsets()
		return size + 4*(n+1) + int64(offsets[n]-offsets[0])
	case *array.List:
		if n == 0 {
			return size
		}
		from, _ := a.ValueOffsets(0)
		_, to := a.ValueOffsets(int(n) - 1)
		return size + 4*(n+1) + arrayBytes(array.NewSlice(a.ListValues(), from, to))
	}
	if f, ok := a.DataType().(arrow.FixedWidthDataType); ok {
		return size + n*int64(f.Bytes())
	}
	return size
}
