package types

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/basaltdb/basalt/sql/pgerror"
)

func invalidText(typ, s string) error {
	return pgerror.New(pgerror.InvalidTextRepresentation, "invalid input syntax for type %s: \"%s\"", typ, s)
}

func outOfRangeText(typ, s string) error {
	return pgerror.New(pgerror.NumericValueOutOfRange, "value \"%s\" is out of range for type %s", s, typ)
}

// ParseInt reads the text form of an integer type of the given width: white
// space around, a sign, decimal or 0x/0o/0b digits, single underscores between
// digits. typ is the SQL name for the error.
func ParseInt(s string, bits int, typ string) (int64, error) {
	t, neg := trimSpace(s), false
	if t != "" && (t[0] == '-' || t[0] == '+') {
		neg, t = t[0] == '-', t[1:]
	}
	if t == "" {
		return 0, invalidText(typ, s)
	}
	base := uint64(10)
	if len(t) > 1 && t[0] == '0' {
		switch t[1] | 0x20 {
		case 'x':
			base = 16
		case 'o':
			base = 8
		case 'b':
			base = 2
		}
		if base != 10 {
			t = t[2:]
			if t != "" && t[0] == '_' {
				t = t[1:]
			}
			if t == "" {
				return 0, invalidText(typ, s)
			}
		}
	}
	var v uint64
	over := false
	limit := uint64(1) << (bits - 1)
	if !neg {
		limit--
	}
	for i := 0; i < len(t); i++ {
		c := t[i]
		var d uint64
		switch {
		case c >= '0' && c <= '9':
			d = uint64(c - '0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			d = uint64(c|0x20-'a') + 10
		case c == '_' && i > 0 && t[i-1] != '_' && i+1 < len(t):
			continue
		default:
			d = 99
		}
		if d >= base {
			return 0, invalidText(typ, s)
		}
		if v > (math.MaxUint64-d)/base {
			over = true
			continue
		}
		if v = v*base + d; v > limit {
			over = true
		}
	}
	if over {
		return 0, outOfRangeText(typ, s)
	}
	if neg {
		return -int64(v), nil
	}
	return int64(v), nil
}

// checkLen verifies the exact length of a binary value.
func checkLen(b []byte, n int) error {
	switch {
	case len(b) == 0 && n == 1:
		return pgerror.New(pgerror.ProtocolViolation, "no data left in message")
	case len(b) < n:
		return insufficientData()
	case len(b) > n:
		return trailingData()
	}
	return nil
}

var int2Codec = codec{
	in: func(_ *Env, _ T, s string) (Datum, error) {
		v, err := ParseInt(s, 16, "smallint")
		if err != nil {
			return nil, err
		}
		return int16(v), nil
	},
	out: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		return strconv.AppendInt(buf, int64(d.(int16)), 10), nil
	},
	recv: func(_ *Env, _ T, b []byte) (Datum, error) {
		if err := checkLen(b, 2); err != nil {
			return nil, err
		}
		return int16(binary.BigEndian.Uint16(b)), nil
	},
	send: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		return binary.BigEndian.AppendUint16(buf, uint16(d.(int16))), nil
	},
	compare: func(_ *Env, a, b Datum) int { return cmpInt(a.(int16), b.(int16)) },
	key: func(_ *Env, buf []byte, d Datum) []byte {
		return binary.LittleEndian.AppendUint16(buf, uint16(d.(int16)))
	},
}

var int4Codec = codec{
	in: func(_ *Env, _ T, s string) (Datum, error) {
		v, err := ParseInt(s, 32, "integer")
		if err != nil {
			return nil, err
		}
		return int32(v), nil
	},
	out: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		return strconv.AppendInt(buf, int64(d.(int32)), 10), nil
	},
	recv: func(_ *Env, _ T, b []byte) (Datum, error) {
		if err := checkLen(b, 4); err != nil {
			return nil, err
		}
		return int32(binary.BigEndian.Uint32(b)), nil
	},
	send: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		return binary.BigEndian.AppendUint32(buf, uint32(d.(int32))), nil
	},
	compare: func(_ *Env, a, b Datum) int { return cmpInt(a.(int32), b.(int32)) },
	key: func(_ *Env, buf []byte, d Datum) []byte {
		return binary.LittleEndian.AppendUint32(buf, uint32(d.(int32)))
	},
}

var int8Codec = codec{
	in: func(_ *Env, _ T, s string) (Datum, error) {
		v, err := ParseInt(s, 64, "bigint")
		if err != nil {
			return nil, err
		}
		return v, nil
	},
	out: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		return strconv.AppendInt(buf, d.(int64), 10), nil
	},
	recv: func(_ *Env, _ T, b []byte) (Datum, error) {
		if err := checkLen(b, 8); err != nil {
			return nil, err
		}
		return int64(binary.BigEndian.Uint64(b)), nil
	},
	send: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		return binary.BigEndian.AppendUint64(buf, uint64(d.(int64))), nil
	},
	compare: func(_ *Env, a, b Datum) int { return cmpInt(a.(int64), b.(int64)) },
	key: func(_ *Env, buf []byte, d Datum) []byte {
		return binary.LittleEndian.AppendUint64(buf, uint64(d.(int64)))
	},
}

// IsTrailingData reports Recv's error for bytes after the value: the caller says
// which value it was.
func IsTrailingData(err error) bool {
	e, ok := err.(*pgerror.Error)
	return ok && e.Code == pgerror.InvalidBinaryRepresentation && e.Message == trailingDataText
}

const trailingDataText = "incorrect binary data format"
