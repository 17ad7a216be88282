package rowcodec

import (
	"encoding/binary"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

const (
	version     = 1
	headerLen   = 3
	numericWide = 0xff
	slotsMax    = 1<<16 - 1
)

// kind is how a type's values are stored.
type kind uint8

const (
	kindVar kind = iota // bytes as they are
	kindBool
	kind1
	kind2
	kind4
	kind8
	kind12
	kind16
	kindNumeric
)

// width is the size of a fixed kind, 0 for the others.
func (k kind) width() int {
	switch k {
	case kind1:
		return 1
	case kind2:
		return 2
	case kind4:
		return 4
	case kind8:
		return 8
	case kind12:
		return 12
	case kind16:
		return 16
	}
	return 0
}

func kindOf(t types.T) kind {
	switch t.Class {
	case types.ClassEnum:
		return kind4
	case types.ClassArray, types.ClassComposite:
		return kindVar
	}
	switch t.OID {
	case types.Bool:
		return kindBool
	case types.Char:
		return kind1
	case types.Int2:
		return kind2
	case types.Int4, types.Float4, types.DateOID, types.Oid, types.Xid, types.Cid, types.RegProc, types.RegProcedure,
		types.RegOper, types.RegOperator, types.RegClass, types.RegType, types.RegConfig, types.RegDictionary,
		types.RegCollation, types.RegNamespace, types.RegRole:
		return kind4
	case types.Int8, types.Float8, types.TimeOID, types.TimestampOID, types.TimestampTZOID, types.Xid8, types.PgLSN, types.Tid:
		return kind8
	case types.TimeTZOID:
		return kind12
	case types.IntervalOID, types.UUIDOID:
		return kind16
	case types.NumericOID:
		return kindNumeric
	}
	return kindVar
}

// row is a parsed header.
type row struct {
	b      []byte
	n      int
	ends   int // offset of the ends
	data   int // offset of the data
	wshift uint
}

func corrupt(what string) error {
	return pgerror.New(pgerror.DataCorrupted, "malformed stored row: %s", what)
}

func parse(b []byte) (row, error) {
	if len(b) < headerLen || b[0]&0x0f != version || b[0]>>4 > 2 {
		return row{}, corrupt("header")
	}
	r := row{b: b, n: int(binary.LittleEndian.Uint16(b[1:])), wshift: uint(b[0] >> 4)}
	r.ends = headerLen + (r.n+7)/8
	r.data = r.ends + r.n<<r.wshift
	if r.data > len(b) {
		return row{}, corrupt("too short")
	}
	return r, nil
}

func (r *row) end(slot int) int {
	switch r.wshift {
	case 0:
		return int(r.b[r.ends+slot])
	case 1:
		return int(binary.LittleEndian.Uint16(r.b[r.ends+2*slot:]))
	}
	return int(binary.LittleEndian.Uint32(r.b[r.ends+4*slot:]))
}

// value gives the bytes of a slot; present is false for NULL. REQUIRES: slot < n.
func (r *row) value(slot int) (v []byte, present bool, err error) {
	if r.b[headerLen+slot>>3]&(1<<(slot&7)) == 0 {
		return nil, false, nil
	}
	start := 0
	if slot > 0 {
		start = r.end(slot - 1)
	}
	start, end := r.data+start, r.data+r.end(slot)
	if start > end || end > len(r.b) {
		return nil, false, corrupt("value out of bounds")
	}
	return r.b[start:end:end], true, nil
}

// appendShortInt appends v in its shortest two's complement form, little endian.
func appendShortInt(dst []byte, v int64) []byte {
	if v == 0 {
		return dst
	}
	for {
		dst = append(dst, byte(v))
		if last := int8(byte(v)); int64(last) == v {
			return dst
		}
		v >>= 8 // 200 needs a second byte, 0, or it would read as −56
	}
}

// shortInt reads appendShortInt's form. REQUIRES: len(b) ≤ 8.
func shortInt(b []byte) int64 {
	switch len(b) {
	case 0:
		return 0
	case 1:
		return int64(int8(b[0]))
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(b)))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	case 8:
		return int64(binary.LittleEndian.Uint64(b))
	}
	var u uint64
	for i, c := range b {
		u |= uint64(c) << (8 * i)
	}
	shift := 64 - 8*len(b)
	return int64(u<<shift) >> shift
}
