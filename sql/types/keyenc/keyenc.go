package keyenc

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// PrefixLen is the length of a key's tablet and storage id.
const PrefixLen = TabletLen + 8

// TabletLen is the length of a key's tablet.
const TabletLen = 2

// Prefix is the first bytes of every key of a table or index in a tablet.
func Prefix[T ~uint16](tablet T, storageID uint64) []byte {
	return AppendPrefix(make([]byte, 0, PrefixLen), tablet, storageID)
}

// AppendPrefix appends the tablet and the storage id.
func AppendPrefix[T ~uint16](dst []byte, tablet T, storageID uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint16(dst, uint16(tablet)), storageID)
}

// PrefixEnd is the exclusive upper bound of the keys of a table or index in a tablet.
func PrefixEnd[T ~uint16](tablet T, storageID uint64) []byte { return Prefix(tablet, storageID+1) }

// Successor changes key to the smallest key above all keys that start with it.
// It is nil when there is none.
func Successor(key []byte) []byte {
	for i := len(key) - 1; i >= 0; i-- {
		if key[i] != 0xff {
			key[i]++
			return key[:i+1]
		}
	}
	return nil
}

// Markers before each column.
const (
	nullFirst = 0x00
	notNull   = 0x01
	nullLast  = 0x02
)

// Column is how one key column is encoded.
type Column struct {
	T          types.T
	Desc       bool
	NullsFirst bool
}

// Append appends d as a value of the column. env is needed for enums.
// 0A000 for types without an order-preserving encoding.
func (c *Column) Append(env *types.Env, dst []byte, d types.Datum) ([]byte, error) {
	if d == nil {
		return c.AppendNull(dst), nil
	}
	dst = append(dst, notNull)
	n := len(dst)
	dst, err := AppendValue(env, dst, c.T, d)
	if err != nil {
		return nil, err
	}
	if c.Desc {
		invert(dst[n:])
	}
	return dst, nil
}

// AppendNull appends NULL.
func (c *Column) AppendNull(dst []byte) []byte {
	if c.NullsFirst {
		return append(dst, nullFirst)
	}
	return append(dst, nullLast)
}

// AppendNotNullStart and AppendNotNullEnd bound the column's values from below and
// above, NULLs left out: range scans never deliver NULLs.
func (c *Column) AppendNotNullStart(dst []byte) []byte { return append(dst, notNull) }
func (c *Column) AppendNotNullEnd(dst []byte) []byte   { return append(dst, notNull+1) }

func invert(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

// Supported reports whether values of t can be key columns.
func Supported(t types.T) bool {
	switch t.Class {
	case types.ClassArray:
		return Supported(t.ElemType())
	case types.ClassPseudo:
		return false
	}
	switch t.OID {
	case types.JSON, types.JSONBOID, types.XML:
		return false
	}
	return true
}

func unsupported(t types.T) error {
	return pgerror.Unsupported("an index over values of the type with OID %d", t.OID)
}

// AppendValue appends the ascending encoding of d, which must not be nil.
func AppendValue(env *types.Env, dst []byte, t types.T, d types.Datum) ([]byte, error) {
	if t.Class == types.ClassEnum {
		return appendEnum(env, dst, d.(types.OID))
	}
	switch v := d.(type) {
	case bool:
		if v {
			return append(dst, 1), nil
		}
		return append(dst, 0), nil
	case byte:
		return append(dst, v), nil
	case int16:
		return appendInt16(dst, v), nil
	case int32:
		return appendInt32(dst, v), nil
	case int64:
		return appendInt64(dst, v), nil
	case types.OID:
		return binary.BigEndian.AppendUint32(dst, uint32(v)), nil
	case uint64:
		return binary.BigEndian.AppendUint64(dst, v), nil
	case float32:
		return appendFloat32(dst, v), nil
	case float64:
		return appendFloat64(dst, v), nil
	case types.Numeric:
		return appendNumeric(dst, v)
	case string:
		switch t.OID {
		case types.BPChar:
			n := len(v)
			for n > 0 && v[n-1] == ' ' {
				n--
			}
			v = v[:n]
		case types.JSON, types.XML:
			return nil, unsupported(t)
		}
		return appendString(dst, v), nil
	case []byte:
		return appendString(dst, v), nil
	case types.Date:
		return appendInt32(dst, int32(v)), nil
	case types.Time:
		return appendInt64(dst, int64(v)), nil
	case types.Timestamp:
		return appendInt64(dst, int64(v)), nil
	case types.TimeTZ:
		dst = appendInt64(dst, v.Micros+int64(v.Zone)*1_000_000)
		return appendInt32(dst, v.Zone), nil
	case types.Interval:
		return appendInterval(dst, v), nil
	case types.UUID:
		return append(dst, v[:]...), nil
	case *types.Array:
		return appendArray(env, dst, v)
	case *types.Record:
		return appendRecord(env, dst, v)
	}
	return nil, unsupported(t)
}

func appendInt16(dst []byte, v int16) []byte {
	return binary.BigEndian.AppendUint16(dst, uint16(v)^0x8000)
}

func appendInt32(dst []byte, v int32) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(v)^(1<<31))
}

func appendInt64(dst []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(v)^(1<<63))
}

func appendFloat32(dst []byte, v float32) []byte {
	return binary.BigEndian.AppendUint32(dst, orderedFloat32(v))
}

func orderedFloat32(v float32) uint32 {
	switch {
	case v != v:
		return math.MaxUint32
	case v == 0:
		return 1 << 31
	}
	b := math.Float32bits(v)
	if b>>31 != 0 {
		return ^b
	}
	return b | 1<<31
}

func appendFloat64(dst []byte, v float64) []byte {
	var u uint64
	switch {
	case v != v:
		u = math.MaxUint64
	case v == 0:
		u = 1 << 63
	default:
		if u = math.Float64bits(v); u>>63 != 0 {
			u = ^u
		} else {
			u |= 1 << 63
		}
	}
	return binary.BigEndian.AppendUint64(dst, u)
}

// Ends and escapes of byte strings.
const (
	escape     = 0x00
	escapedNul = 0xff
	stringEnd  = 0x01
)

func appendString[S string | []byte](dst []byte, s S) []byte {
	start := 0
	for i := 0; i < len(s); i++ {
		if s[i] == 0 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, escape, escapedNul)
			start = i + 1
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, escape, stringEnd)
}

// appendInterval appends the span PostgreSQL compares intervals by: months of 30
// days and days of 24 hours, in microseconds, as a 128-bit integer.
func appendInterval(dst []byte, v types.Interval) []byte {
	const dayMicros = 86_400_000_000
	days := int64(v.Months)*30 + int64(v.Days)
	neg := days < 0
	u := uint64(days)
	if neg {
		u = uint64(-days)
	}
	hi, lo := bits.Mul64(u, dayMicros)
	if neg {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	var carry uint64
	lo, carry = bits.Add64(lo, uint64(v.Micros), 0)
	hi, _ = bits.Add64(hi, uint64(v.Micros>>63), carry)
	dst = binary.BigEndian.AppendUint64(dst, hi^(1<<63))
	return binary.BigEndian.AppendUint64(dst, lo)
}

func appendEnum(env *types.Env, dst []byte, v types.OID) ([]byte, error) {
	if env == nil || env.Resolver == nil {
		return nil, pgerror.Internal("no catalog at hand to order enum value %d", v)
	}
	_, _, pos, ok := env.Resolver.EnumLabel(v)
	if !ok {
		return nil, pgerror.New(pgerror.InvalidBinaryRepresentation, "invalid internal value for enum: %d", v)
	}
	dst = appendFloat32(dst, pos)
	return binary.BigEndian.AppendUint32(dst, uint32(v)), nil
}
