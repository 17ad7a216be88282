package types

import (
	"encoding/binary"
	"math"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// datumWidth is the fixed size of AppendDatum's form of t, 0 when it varies.
func datumWidth(t T) int {
	switch t.Class {
	case ClassEnum:
		return 4
	case ClassArray, ClassComposite:
		return 0
	}
	switch t.OID {
	case Bool, Char:
		return 1
	case Int2:
		return 2
	case Int4, Float4, DateOID, Oid, Xid, Cid, RegProc, RegProcedure, RegOper, RegOperator, RegClass, RegType, RegConfig,
		RegDictionary, RegCollation, RegNamespace, RegRole:
		return 4
	case Int8, Float8, TimeOID, TimestampOID, TimestampTZOID, Xid8, PgLSN, Tid:
		return 8
	case TimeTZOID:
		return 12
	case IntervalOID, UUIDOID:
		return 16
	}
	return 0
}

// AppendDatum appends a self-contained internal form of d (not NULL): exactly the
// bytes one element of the type's vector has (fixed width little endian, bool one byte).
func AppendDatum(t T, buf []byte, d Datum) []byte {
	le := binary.LittleEndian
	switch v := d.(type) {
	case bool:
		if v {
			return append(buf, 1)
		}
		return append(buf, 0)
	case byte:
		return append(buf, v)
	case int16:
		return le.AppendUint16(buf, uint16(v))
	case int32:
		return le.AppendUint32(buf, uint32(v))
	case int64:
		return le.AppendUint64(buf, uint64(v))
	case OID:
		return le.AppendUint32(buf, uint32(v))
	case uint64:
		return le.AppendUint64(buf, v)
	case float32:
		return le.AppendUint32(buf, math.Float32bits(v))
	case float64:
		return le.AppendUint64(buf, math.Float64bits(v))
	case Numeric:
		return v.AppendBinary(buf)
	case string:
		return append(buf, v...)
	case []byte:
		return append(buf, v...)
	case JSONB:
		return append(buf, v...)
	case Date:
		return le.AppendUint32(buf, uint32(v))
	case Time:
		return le.AppendUint64(buf, uint64(v))
	case TimeTZ:
		return le.AppendUint32(le.AppendUint64(buf, uint64(v.Micros)), uint32(v.Zone))
	case Timestamp:
		return le.AppendUint64(buf, uint64(v))
	case Interval:
		buf = le.AppendUint32(le.AppendUint32(buf, uint32(v.Months)), uint32(v.Days))
		return le.AppendUint64(buf, uint64(v.Micros))
	case UUID:
		return append(buf, v[:]...)
	case *Array:
		return AppendArray(buf, v)
	case *Record:
		return AppendRecord(buf, v)
	case Unit:
		return buf
	}
	panic(pgerror.Internal("AppendDatum: no rule for %T as type %d", d, t.OID))
}

// nestedDatumsMax bounds arrays and records within each other.
const nestedDatumsMax = 2000

// formReader takes bytes of AppendDatum's forms apart; bad is set at the first thing
// that is missing.
type formReader struct {
	b   []byte
	bad bool
}

func (r *formReader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *formReader) byte() byte {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *formReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *formReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func damaged(t T) error {
	return pgerror.New(pgerror.DataCorrupted, "malformed value of type %d", t.OID)
}

// ReadDatum reads AppendDatum's form; b holds that value alone. The result
// shares no memory with b. XX001 when b is no such value.
func ReadDatum(t T, b []byte) (Datum, error) { return readDatum(t, b, 0) }

func readDatum(t T, b []byte, depth int) (Datum, error) {
	switch t.Class {
	case ClassArray, ClassComposite:
		if depth >= nestedDatumsMax {
			return nil, damaged(t)
		}
		var d Datum
		var err error
		if t.Class == ClassArray {
			d, err = readArray(t, b, depth+1)
		} else {
			d, err = readRecord(t, b, depth+1)
		}
		if err != nil {
			return nil, err
		}
		return d, nil
	}
	if w := datumWidth(t); w > 0 && len(b) != w {
		return nil, pgerror.New(pgerror.DataCorrupted, "value of type %d has %d bytes instead of %d", t.OID, len(b), w)
	}
	le := binary.LittleEndian
	if t.Class == ClassEnum {
		return OID(le.Uint32(b)), nil
	}
	switch t.OID {
	case Bool:
		return b[0] != 0, nil
	case Char:
		return b[0], nil
	case Int2:
		return int16(le.Uint16(b)), nil
	case Int4:
		return int32(le.Uint32(b)), nil
	case Int8:
		return int64(le.Uint64(b)), nil
	case Float4:
		return math.Float32frombits(le.Uint32(b)), nil
	case Float8:
		return math.Float64frombits(le.Uint64(b)), nil
	case NumericOID:
		return NumericFromBinary(append([]byte(nil), b...)), nil
	case Bytea:
		return append([]byte{}, b...), nil
	case JSONBOID:
		return JSONB(append([]byte{}, b...)), nil
	case DateOID:
		return Date(le.Uint32(b)), nil
	case TimeOID:
		return Time(le.Uint64(b)), nil
	case TimestampOID, TimestampTZOID:
		return Timestamp(le.Uint64(b)), nil
	case TimeTZOID:
		return TimeTZ{Micros: int64(le.Uint64(b)), Zone: int32(le.Uint32(b[8:]))}, nil
	case IntervalOID:
		return Interval{Months: int32(le.Uint32(b)), Days: int32(le.Uint32(b[4:])), Micros: int64(le.Uint64(b[8:]))}, nil
	case UUIDOID:
		return UUID(b), nil
	case Xid8, PgLSN, Tid:
		return le.Uint64(b), nil
	case Void:
		return Unit{}, nil
	}
	if datumWidth(t) == 4 {
		return OID(le.Uint32(b)), nil
	}
	return string(b), nil
}
