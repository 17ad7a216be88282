package types

import (
	"bytes"
	"encoding/hex"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// ParseBytea reads bytea's text form, hex (\x…) or escape.
func ParseBytea(s string) ([]byte, error) {
	if len(s) >= 2 && s[0] == '\\' && s[1] == 'x' {
		return ParseHex(s[2:])
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\':
			out = append(out, s[i])
		case i+3 < len(s) && s[i+1] >= '0' && s[i+1] <= '3' && isOctal(s[i+2]) && isOctal(s[i+3]):
			out = append(out, (s[i+1]-'0')<<6|(s[i+2]-'0')<<3|(s[i+3]-'0'))
			i += 3
		case i+1 < len(s) && s[i+1] == '\\':
			out = append(out, '\\')
			i++
		default:
			return nil, pgerror.New(pgerror.InvalidTextRepresentation, "invalid input syntax for type bytea")
		}
	}
	return out, nil
}

// ParseHex reads pairs of hexadecimal digits, white space allowed between pairs.
func ParseHex(s string) ([]byte, error) {
	digit := func(i int) (byte, error) {
		switch c := s[i]; {
		case isDigit(c):
			return c - '0', nil
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			return c | 0x20 - 'a' + 10, nil
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		return 0, pgerror.New(pgerror.InvalidParameterValue, "invalid hexadecimal digit: \"%s\"", s[i:i+n])
	}
	out := make([]byte, 0, len(s)/2)
	for i := 0; i < len(s); {
		if c := s[i]; c == ' ' || c == '\n' || c == '\t' || c == '\r' {
			i++
			continue
		}
		hi, err := digit(i)
		if err != nil {
			return nil, err
		}
		if i+1 >= len(s) {
			return nil, pgerror.New(pgerror.InvalidParameterValue, "invalid hexadecimal data: odd number of digits")
		}
		lo, err := digit(i + 1)
		if err != nil {
			return nil, err
		}
		out = append(out, hi<<4|lo)
		i += 2
	}
	return out, nil
}

// AppendBytea appends bytea's text form.
func AppendBytea(buf, b []byte, escape bool) []byte {
	if !escape {
		buf = append(buf, '\\', 'x')
		return hex.AppendEncode(buf, b)
	}
	for _, c := range b {
		switch {
		case c == '\\':
			buf = append(buf, '\\', '\\')
		case c < 0x20 || c > 0x7e:
			buf = append(buf, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		default:
			buf = append(buf, c)
		}
	}
	return buf
}

var byteaCodec = codec{
	in: func(_ *Env, _ T, s string) (Datum, error) {
		b, err := ParseBytea(s)
		if err != nil {
			return nil, err
		}
		return b, nil
	},
	out: func(env *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		return AppendBytea(buf, d.([]byte), env != nil && env.ByteaEscape), nil
	},
	recv:    func(_ *Env, _ T, b []byte) (Datum, error) { return append([]byte{}, b...), nil },
	send:    func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) { return append(buf, d.([]byte)...), nil },
	compare: func(_ *Env, a, b Datum) int { return bytes.Compare(a.([]byte), b.([]byte)) },
	key:     func(_ *Env, buf []byte, d Datum) []byte { return appendKeyString(buf, string(d.([]byte))) },
}
