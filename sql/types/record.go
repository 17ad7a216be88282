package types

import (
	"encoding/binary"
	"strconv"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// The vector form of a record (the bytes of one Binary element):
//
//	byte     1 (form), bit 7 set when field names follow
//	T        the row type
//	uvarint  number of fields
//	per field: T; name as uvarint length and bytes (only with bit 7);
//	         uvarint 0 for NULL, otherwise length + 1 and the AppendDatum form
//
// T is uint32 OID, int32 modifier, byte class, uint32 element OID, byte element
// class, little endian. A record carries its types so that anonymous records
// can be printed and compared wherever they end up.

const (
	recordForm  = 1
	recordNamed = 0x80
	typeBytes   = 14
)

func appendType(buf []byte, t T) []byte {
	buf = binary.LittleEndian.AppendUint32(buf, uint32(t.OID))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(t.Mod))
	buf = append(buf, byte(t.Class))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(t.Elem))
	return append(buf, byte(t.ElemClass))
}

func readType(b []byte) T {
	return T{OID: OID(binary.LittleEndian.Uint32(b)), Mod: int32(binary.LittleEndian.Uint32(b[4:])), Class: Class(b[8]),
		Elem: OID(binary.LittleEndian.Uint32(b[9:])), ElemClass: Class(b[13])}
}

// AppendRecord appends the vector form of a record.
func AppendRecord(buf []byte, r *Record) []byte {
	head := byte(recordForm)
	if r.Names != nil {
		head |= recordNamed
	}
	buf = append(buf, head)
	buf = appendType(buf, r.Type)
	buf = binary.AppendUvarint(buf, uint64(len(r.Fields)))
	for i, f := range r.Fields {
		buf = appendType(buf, r.Types[i])
		if r.Names != nil {
			buf = binary.AppendUvarint(buf, uint64(len(r.Names[i])))
			buf = append(buf, r.Names[i]...)
		}
		if f == nil {
			buf = append(buf, 0)
			continue
		}
		v := AppendDatum(r.Types[i], nil, f)
		buf = append(binary.AppendUvarint(buf, uint64(len(v))+1), v...)
	}
	return buf
}

// DecodeRecord reads AppendRecord's form. The record's own row type wins over t
// where t is record. As with DecodeArray, damaged bytes panic.
func DecodeRecord(t T, b []byte) *Record {
	r, err := readRecord(t, b, 0)
	if err != nil {
		panic(err)
	}
	return r
}

func readRecord(t T, b []byte, depth int) (*Record, error) {
	in := formReader{b: b}
	head := in.byte()
	own := in.take(typeBytes)
	n := in.uvarint()
	// A field takes its type and a byte at least.
	if in.bad || head&^recordNamed != recordForm || n > uint64(len(b))/(typeBytes+1) {
		return nil, damaged(t)
	}
	r := &Record{Type: readType(own)}
	if t.OID != RecordOID {
		r.Type = t
	}
	r.Fields, r.Types = make([]Datum, n), make([]T, n)
	if head&recordNamed != 0 {
		r.Names = make([]string, n)
	}
	for i := range r.Fields {
		ty := in.take(typeBytes)
		if r.Names != nil {
			r.Names[i] = string(in.take(in.uvarint()))
		}
		l := in.uvarint()
		if in.bad {
			return nil, damaged(t)
		}
		r.Types[i] = readType(ty)
		if l == 0 {
			continue
		}
		e := in.take(l - 1)
		if in.bad {
			return nil, damaged(t)
		}
		d, err := readDatum(r.Types[i], e, depth)
		if err != nil {
			return nil, err
		}
		r.Fields[i] = d
	}
	if len(in.b) > 0 {
		return nil, damaged(t)
	}
	return r, nil
}

var recordCodec codec

func init() {
	recordCodec = codec{in: recordIn, out: recordOut, recv: recordRecv, send: recordSend, compare: recordCompare, key: recordKey}
}

func malformedRecord(s, format string, args ...any) error {
	return pgerror.New(pgerror.InvalidTextRepresentation, "malformed record literal: \"%s\"", s).WithDetail(format, args...)
}

// compositeFields gives the columns of a named row type.
func compositeFields(env *Env, t T) (names []string, fields []T, err error) {
	if t.OID == RecordOID {
		return nil, nil, pgerror.New(pgerror.FeatureNotSupported, "input of anonymous composite types is not implemented")
	}
	if env != nil && env.Resolver != nil {
		if names, fields, ok := env.Resolver.Composite(t.OID); ok {
			return names, fields, nil
		}
	}
	return nil, nil, pgerror.Unsupported("row type with OID %d", t.OID)
}

func recordIn(env *Env, t T, s string) (Datum, error) {
	names, fields, err := compositeFields(env, t)
	if err != nil {
		return nil, err
	}
	r := &Record{Type: t, Names: names, Types: fields, Fields: make([]Datum, len(fields))}
	p := 0
	for p < len(s) && arrayIsSpace(s[p]) {
		p++
	}
	if p >= len(s) || s[p] != '(' {
		return nil, malformedRecord(s, "Missing left parenthesis.")
	}
	p++
	for i := range fields {
		if i > 0 {
			if p >= len(s) || s[p] != ',' {
				return nil, malformedRecord(s, "Too few columns.")
			}
			p++
		}
		if p < len(s) && (s[p] == ',' || s[p] == ')') {
			continue // NULL
		}
		var cur []byte
		for quoted := false; quoted || p < len(s) && s[p] != ',' && s[p] != ')'; {
			if p >= len(s) {
				return nil, malformedRecord(s, "Unexpected end of input.")
			}
			c := s[p]
			p++
			switch {
			case c == '\\':
				if p >= len(s) {
					return nil, malformedRecord(s, "Unexpected end of input.")
				}
				cur = append(cur, s[p])
				p++
			case c == '"' && !quoted:
				quoted = true
			case c == '"' && p < len(s) && s[p] == '"':
				cur = append(cur, c)
				p++
			case c == '"':
				quoted = false
			default:
				cur = append(cur, c)
			}
		}
		if p >= len(s) {
			return nil, malformedRecord(s, "Unexpected end of input.")
		}
		if r.Fields[i], err = In(env, fields[i], string(cur)); err != nil {
			return nil, err
		}
	}
	if p >= len(s) || s[p] != ')' {
		return nil, malformedRecord(s, "Too many columns.")
	}
	for p++; p < len(s); p++ {
		if !arrayIsSpace(s[p]) {
			return nil, malformedRecord(s, "Junk after right parenthesis.")
		}
	}
	return r, nil
}

func recordOut(env *Env, _ T, buf []byte, d Datum) ([]byte, error) {
	r := d.(*Record)
	buf = append(buf, '(')
	var tmp []byte
	var err error
	for i, f := range r.Fields {
		if i > 0 {
			buf = append(buf, ',')
		}
		if f == nil {
			continue
		}
		if tmp, err = AppendOut(env, r.Types[i], tmp[:0], f); err != nil {
			return buf, err
		}
		quote := len(tmp) == 0
		for _, c := range tmp {
			quote = quote || c == '"' || c == '\\' || c == '(' || c == ')' || c == ',' || arrayIsSpace(c)
		}
		if !quote {
			buf = append(buf, tmp...)
			continue
		}
		buf = append(buf, '"')
		for _, c := range tmp {
			if c == '"' || c == '\\' {
				buf = append(buf, c)
			}
			buf = append(buf, c)
		}
		buf = append(buf, '"')
	}
	return append(buf, ')'), nil
}

func recordSend(env *Env, _ T, buf []byte, d Datum) ([]byte, error) {
	r := d.(*Record)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(r.Fields)))
	var err error
	for i, f := range r.Fields {
		buf = binary.BigEndian.AppendUint32(buf, uint32(r.Types[i].OID))
		if buf, err = appendSendSized(env, r.Types[i], buf, f); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

func recordRecv(env *Env, t T, b []byte) (Datum, error) {
	names, fields, err := compositeFields(env, t)
	if err != nil {
		return nil, err
	}
	if len(b) < 4 {
		return nil, errInsufficientData
	}
	if n := int32(binary.BigEndian.Uint32(b)); int(n) != len(fields) {
		return nil, pgerror.New(pgerror.DatatypeMismatch, "wrong number of columns: %d, expected %d", n, len(fields))
	}
	b = b[4:]
	r := &Record{Type: t, Names: names, Types: fields, Fields: make([]Datum, len(fields))}
	for i, f := range fields {
		if len(b) < 4 {
			return nil, errInsufficientData
		}
		if oid := OID(binary.BigEndian.Uint32(b)); oid != f.OID {
			return nil, pgerror.New(pgerror.DatatypeMismatch,
				"binary data has type %d (%s) instead of expected %d (%s) in record column %d",
				oid, formatTypeName(env, oid), f.OID, formatTypeName(env, f.OID), i+1)
		}
		if r.Fields[i], b, err = recvSized(env, f, b[4:]); IsTrailingData(err) {
			err = pgerror.New(pgerror.InvalidBinaryRepresentation, "improper binary format in record column %d", i+1)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(b) != 0 {
		return nil, trailingData()
	}
	return r, nil
}

// CompareRecords orders two rows column by column, NULLs last, with
// PostgreSQL's errors (42804) for rows of different shape and 42883 for
// columns without an ordering.
func CompareRecords(env *Env, a, b *Record) (int, error) {
	for i := range min(len(a.Fields), len(b.Fields)) {
		if a.Types[i].OID != b.Types[i].OID {
			return 0, pgerror.New(pgerror.DatatypeMismatch, "cannot compare dissimilar column types %s and %s at record column %d",
				formatTypeName(env, a.Types[i].OID), formatTypeName(env, b.Types[i].OID), i+1)
		}
		if !Comparable(a.Types[i]) {
			return 0, pgerror.New(pgerror.UndefinedFunction, "could not identify a comparison function for type %s",
				formatTypeName(env, a.Types[i].OID))
		}
		if a.Fields[i] != nil && b.Fields[i] != nil && a.Types[i].Class == ClassComposite {
			c, err := CompareRecords(env, a.Fields[i].(*Record), b.Fields[i].(*Record))
			if c != 0 || err != nil {
				return c, err
			}
			continue
		}
		if c := compareNullable(env, a.Types[i], a.Fields[i], b.Fields[i]); c != 0 {
			return c, nil
		}
	}
	if len(a.Fields) != len(b.Fields) {
		return 0, pgerror.New(pgerror.DatatypeMismatch, "cannot compare record types with different numbers of columns")
	}
	return 0, nil
}

// recordCompare is total: rows of different shape, an error in SQL, order by
// their types so that sorting has an answer.
func recordCompare(env *Env, x, y Datum) int {
	a, b := x.(*Record), y.(*Record)
	for i := range min(len(a.Fields), len(b.Fields)) {
		if ta, tb := a.Types[i].OID, b.Types[i].OID; ta != tb {
			if ta < tb {
				return -1
			}
			return 1
		}
		if !Comparable(a.Types[i]) {
			continue
		}
		if c := compareNullable(env, a.Types[i], a.Fields[i], b.Fields[i]); c != 0 {
			return c
		}
	}
	return len(a.Fields) - len(b.Fields)
}

func recordKey(env *Env, buf []byte, d Datum) []byte {
	r := d.(*Record)
	buf = binary.AppendUvarint(buf, uint64(len(r.Fields)))
	for i, f := range r.Fields {
		buf = AppendEqualityKey(env, r.Types[i], buf, f)
	}
	return buf
}

// FieldName is the name of field i (0-based): f1, f2, … in an anonymous record.
func (r *Record) FieldName(i int) string {
	if r.Names != nil {
		return r.Names[i]
	}
	return "f" + strconv.Itoa(i+1)
}
