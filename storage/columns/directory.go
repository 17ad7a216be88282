package columns

import (
	"encoding/binary"
	"math"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
)

// The directory: one local key of the engine per segment or span without rows,
// "column/" and the record's number, 8 bytes big endian. The number also names the
// file, when there is one.
//
// The bytes of a record (version 1, or 2 for kind 3, which version 1 had not; integers
// little endian, strings as uvarint length and bytes):
//
//	offset  size    what
//	0       1       version
//	1       1       kind: 1 merged, 2 loose, 3 of a prepared transaction (prepared.go)
//	2       1       flags: 1 there is a file
//	3       10      space: the first bytes of its keys
//	13      8       timestamp: the floor of a merged segment; 0 of a prepared one
//	21      string  lower, upper: the span's bounds (merged only; both empty for others)
//	…       uvarint rows, bytes
//	…       string  first and last locator (empty without a file)
//	…       uvarint number of columns; then for each:
//	                uvarint attribute number, nulls, distinct values, total width of values;
//	                1 byte: 1 when bounds follow: string minimum, string maximum (rowcodec.AppendValue's form)
const (
	recordVersion         = 1
	recordVersionPrepared = 2

	kindMerged   = 1
	kindLoose    = 2
	kindPrepared = 3

	recordHasFile = 1
)

const recordPrefix = "column/"

// recordKey is the local key of a record.
func recordKey(number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(recordPrefix), number)
}

// recordsEnd is above every record's key.
var recordsEnd = []byte("column0")

// record is one entry of the directory.
type record struct {
	number       uint64
	kind         byte
	hasFile      bool
	space        Space
	ts           engine.Timestamp
	lower, upper []byte
	rows, bytes  uint64
	first, last  []byte
	cols         []ColumnStats
}

// ColumnStats is what is known of a column of a segment from when it was written.
type ColumnStats struct {
	Attnum   int
	Nulls    uint64
	Distinct uint64
	// Width is the size of all values together.
	Width uint64
	// Min and Max are in rowcodec.AppendValue's form; nil: not known.
	Min, Max []byte
}

func appendString(dst, s []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func (r *record) encode() []byte {
	var flags byte
	if r.hasFile {
		flags |= recordHasFile
	}
	version := byte(recordVersion)
	if r.kind == kindPrepared {
		version = recordVersionPrepared
	}
	b := append(make([]byte, 0, 128), version, r.kind, flags)
	b = append(b, r.space[:]...)
	b = binary.LittleEndian.AppendUint64(b, r.ts)
	b = appendString(appendString(b, r.lower), r.upper)
	b = binary.AppendUvarint(binary.AppendUvarint(b, r.rows), r.bytes)
	b = appendString(appendString(b, r.first), r.last)
	b = binary.AppendUvarint(b, uint64(len(r.cols)))
	for i := range r.cols {
		c := &r.cols[i]
		b = binary.AppendUvarint(b, uint64(c.Attnum))
		b = binary.AppendUvarint(b, c.Nulls)
		b = binary.AppendUvarint(b, c.Distinct)
		b = binary.AppendUvarint(b, c.Width)
		if c.Min == nil || c.Max == nil {
			b = append(b, 0)
			continue
		}
		b = appendString(appendString(append(b, 1), c.Min), c.Max)
	}
	return b
}

// recordReader takes a record apart; bad is set at the first malformed field.
type recordReader struct {
	b   []byte
	bad bool
}

func (r *recordReader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *recordReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *recordReader) string() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	return append([]byte{}, r.take(int(n))...)
}

// recordHeaderLen is the length of the fixed part.
const recordHeaderLen = 21

// decodeRecord reads a record. XX001 when it is malformed.
func decodeRecord(key, b []byte) (*record, error) {
	bad := func() (*record, error) {
		return nil, pgerror.New(pgerror.DataCorrupted, "malformed directory record of column segment, key %x", key)
	}
	if len(key) != len(recordPrefix)+8 || len(b) < recordHeaderLen {
		return bad()
	}
	if b[0] > recordVersionPrepared {
		return nil, pgerror.New(pgerror.FeatureNotSupported, "column segment %x has a directory record of version %d, this program reads versions up to %d",
			key[len(recordPrefix):], b[0], recordVersionPrepared)
	}
	r := &record{number: binary.BigEndian.Uint64(key[len(recordPrefix):]), kind: b[1], hasFile: b[2]&recordHasFile != 0}
	if b[0] == 0 || r.kind == 0 || r.kind > kindPrepared || (r.kind == kindPrepared) != (b[0] == recordVersionPrepared) ||
		b[2]&^recordHasFile != 0 || r.kind != kindMerged && !r.hasFile {
		return bad()
	}
	copy(r.space[:], b[3:])
	r.ts = binary.LittleEndian.Uint64(b[13:])
	d := recordReader{b: b[recordHeaderLen:]}
	r.lower, r.upper = d.string(), d.string()
	r.rows, r.bytes = d.uvarint(), d.uvarint()
	r.first, r.last = d.string(), d.string()
	n := d.uvarint()
	if d.bad || n > math.MaxUint16 || r.rows > math.MaxInt32 {
		return bad()
	}
	for range n {
		c := ColumnStats{Attnum: int(d.uvarint()), Nulls: d.uvarint(), Distinct: d.uvarint(), Width: d.uvarint()}
		if f := d.take(1); f != nil && f[0] == 1 {
			c.Min, c.Max = d.string(), d.string()
		}
		if d.bad {
			return bad()
		}
		r.cols = append(r.cols, c)
	}
	if d.bad || len(d.b) > 0 {
		return bad()
	}
	return r, nil
}
