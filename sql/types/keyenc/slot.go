package keyenc

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/zeebo/xxh3"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// Where rows lie follows from a hash of key columns, so this file is frozen with
// the key format: the slot is xxh3 of the columns' slot forms, one after the
// other, modulo Slots. A slot form is 0x02 for NULL, else 0x01 and the value's
// ascending key form, whatever the column's direction, with three exceptions that
// let columns of different types meet:
//
//	int2, int4, int8   8 bytes, as int8
//	float4, float8     8 bytes, as float8
//	enum               the label's OID, 4 bytes

// Slots is the number of slots.
const Slots = 4096

// Slot is the slot of concatenated slot forms.
func Slot(form []byte) uint16 { return uint16(xxh3.Hash(form) % Slots) }

// AppendSlotForm appends the slot form of a value of the column.
func (c *Column) AppendSlotForm(env *types.Env, dst []byte, d types.Datum) ([]byte, error) {
	if d == nil {
		return append(dst, nullLast), nil
	}
	dst = append(dst, notNull)
	if c.T.Class == types.ClassEnum {
		return binary.BigEndian.AppendUint32(dst, uint32(d.(types.OID))), nil
	}
	switch v := d.(type) {
	case int16:
		return appendInt64(dst, int64(v)), nil
	case int32:
		return appendInt64(dst, int64(v)), nil
	case float32:
		return appendFloat64(dst, float64(v)), nil
	}
	return AppendValue(env, dst, c.T, d)
}

// AppendSlotFormAt appends the slot form of row i of a vector.
func (c *Column) AppendSlotFormAt(env *types.Env, dst []byte, arr arrow.Array, i int) ([]byte, error) {
	if arr.IsNull(i) {
		return append(dst, nullLast), nil
	}
	switch a := arr.(type) {
	case *array.Int16:
		return appendInt64(append(dst, notNull), int64(a.Value(i))), nil
	case *array.Int32:
		return appendInt64(append(dst, notNull), int64(a.Value(i))), nil
	case *array.Int64:
		return appendInt64(append(dst, notNull), a.Value(i)), nil
	case *array.Uint32, *array.Float32:
		return c.AppendSlotForm(env, dst, types.Get(c.T, arr, i))
	}
	asc := Column{T: c.T}
	return asc.AppendAt(env, dst, arr, i)
}

// SlotsOf gives the slots of rows by the columns' values, which are vectors in the
// physical form of the columns' types: rows lists them, nil for the first n.
func SlotsOf(env *types.Env, cols []Column, vectors []arrow.Array, rows []int32, n int) ([]uint16, error) {
	if rows != nil {
		n = len(rows)
	}
	out := make([]uint16, n)
	buf := make([]byte, 0, 64)
	for k := range n {
		i := k
		if rows != nil {
			i = int(rows[k])
		}
		buf = buf[:0]
		var err error
		for c := range cols {
			if buf, err = cols[c].AppendSlotFormAt(env, buf, vectors[c], i); err != nil {
				return nil, err
			}
		}
		out[k] = Slot(buf)
	}
	return out, nil
}

// AppendSlotFormOfKey appends the slot form of the column whose key form stands
// at the start of key, and gives the length of the key form.
func (c *Column) AppendSlotFormOfKey(env *types.Env, dst, key []byte) (form []byte, n int, err error) {
	if n, err = c.Skip(env, key); err != nil {
		return nil, 0, err
	}
	if key[0] != notNull {
		return append(dst, nullLast), n, nil
	}
	dst = append(dst, notNull)
	start := len(dst)
	dst = append(dst, key[1:n]...)
	v := dst[start:]
	if c.Desc {
		invert(v)
	}
	if c.T.Class == types.ClassEnum {
		return append(dst[:start], v[len(v)-4:]...), n, nil
	}
	if c.T.Class != types.ClassBase {
		return dst, n, nil
	}
	switch c.T.OID {
	case types.Int2:
		return appendInt64(dst[:start], int64(int16(binary.BigEndian.Uint16(v)^0x8000))), n, nil
	case types.Int4:
		return appendInt64(dst[:start], int64(int32(binary.BigEndian.Uint32(v)^(1<<31)))), n, nil
	case types.Float4:
		return appendFloat64(dst[:start], float64(readFloat32(binary.BigEndian.Uint32(v)))), n, nil
	}
	return dst, n, nil
}

// readFloat32 undoes orderedFloat32.
func readFloat32(u uint32) float32 {
	switch {
	case u == math.MaxUint32:
		return float32(math.NaN())
	case u>>31 != 0:
		return math.Float32frombits(u &^ (1 << 31))
	}
	return math.Float32frombits(^u)
}

// Skip is the length of the column's key form at the start of key. env names the
// fields of row types. XX001 when the key does not hold one.
func (c *Column) Skip(env *types.Env, key []byte) (int, error) {
	if len(key) == 0 {
		return 0, corruptKey(key)
	}
	switch key[0] {
	case nullFirst, nullLast:
		return 1, nil
	case notNull:
	default:
		return 0, corruptKey(key)
	}
	var flip byte
	if c.Desc {
		flip = 0xff
	}
	n, err := skipValue(env, key[1:], c.T, flip)
	if err != nil {
		return 0, err
	}
	return 1 + n, nil
}

// skipValue is the length of a value's key form; its bytes are inverted when flip is 0xff.
func skipValue(env *types.Env, b []byte, t types.T, flip byte) (int, error) {
	fixed := func(n int) (int, error) {
		if len(b) < n {
			return 0, corruptKey(b)
		}
		return n, nil
	}
	switch t.Class {
	case types.ClassEnum:
		return fixed(8)
	case types.ClassArray:
		return skipArray(env, b, t.ElemType(), flip)
	case types.ClassComposite:
		return skipRecord(env, b, t, flip)
	}
	if t.OID == types.NumericOID {
		return skipNumeric(b, flip)
	}
	switch a := types.ArrowType(t).(type) {
	case *arrow.BooleanType:
		return fixed(1)
	case *arrow.StringType, *arrow.BinaryType:
		return skipString(b, flip)
	case arrow.FixedWidthDataType:
		return fixed(a.BitWidth() / 8)
	}
	return 0, unsupported(t)
}

func skipString(b []byte, flip byte) (int, error) {
	for i := 0; ; {
		k := bytes.IndexByte(b[i:], escape^flip)
		if k < 0 || i+k+1 >= len(b) {
			return 0, corruptKey(b)
		}
		i += k + 2
		if b[i-1]^flip == stringEnd {
			return i, nil
		}
	}
}

func skipNumeric(b []byte, flip byte) (int, error) {
	if len(b) == 0 {
		return 0, corruptKey(b)
	}
	end := flip
	switch b[0] ^ flip {
	case numNeg:
		end = ^flip
	case numPos:
	default:
		return 1, nil
	}
	const digits = 1 + 3
	if len(b) < digits {
		return 0, corruptKey(b)
	}
	k := bytes.IndexByte(b[digits:], end)
	if k < 0 {
		return 0, corruptKey(b)
	}
	return digits + k + 1, nil
}

// skipElems skips elements up to their end; next gives the type of each.
func skipElems(env *types.Env, b []byte, flip byte, next func() (types.T, bool)) (int, error) {
	for i := 0; i < len(b); {
		switch b[i] ^ flip {
		case elemEnd:
			return i + 1, nil
		case elemNull:
			if _, ok := next(); !ok {
				return 0, corruptKey(b)
			}
			i++
		case elemValue:
			t, ok := next()
			if !ok {
				return 0, corruptKey(b)
			}
			n, err := skipValue(env, b[i+1:], t, flip)
			if err != nil {
				return 0, err
			}
			i += 1 + n
		default:
			return 0, corruptKey(b)
		}
	}
	return 0, corruptKey(b)
}

func skipArray(env *types.Env, b []byte, elem types.T, flip byte) (int, error) {
	n, err := skipElems(env, b, flip, func() (types.T, bool) { return elem, true })
	if err != nil {
		return 0, err
	}
	if n >= len(b) {
		return 0, corruptKey(b)
	}
	if n += 1 + 8*int(b[n]^flip); n > len(b) {
		return 0, corruptKey(b)
	}
	return n, nil
}

func skipRecord(env *types.Env, b []byte, t types.T, flip byte) (int, error) {
	if env == nil || env.Resolver == nil {
		return 0, pgerror.Internal("no catalog at hand for the fields of type %d", t.OID)
	}
	_, fields, ok := env.Resolver.Composite(t.OID)
	if !ok {
		return 0, unsupported(t)
	}
	return skipElems(env, b, flip, func() (types.T, bool) {
		if len(fields) == 0 {
			return types.T{}, false
		}
		f := fields[0]
		fields = fields[1:]
		return f, true
	})
}

func corruptKey(key []byte) error {
	return pgerror.New(pgerror.DataCorrupted, "malformed key column %x", key)
}
