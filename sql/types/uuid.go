package types

import (
	"bytes"
	"encoding/hex"
)

// ParseUUID reads 32 hexadecimal digits, a hyphen allowed after each group of
// four, braces allowed around.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	t := s
	if t != "" && t[0] == '{' {
		if t[len(t)-1] != '}' {
			return u, invalidText("uuid", s)
		}
		t = t[1 : len(t)-1]
	}
	for i := range u {
		if len(t) < 2 {
			return u, invalidText("uuid", s)
		}
		if _, err := hex.Decode(u[i:i+1], []byte(t[:2])); err != nil {
			return u, invalidText("uuid", s)
		}
		t = t[2:]
		if i%2 == 1 && i < 15 && t != "" && t[0] == '-' {
			t = t[1:]
		}
	}
	if t != "" {
		return u, invalidText("uuid", s)
	}
	return u, nil
}

// AppendUUID appends the hyphenated form.
func AppendUUID(buf []byte, u UUID) []byte {
	for i, part := range [][]byte{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
		if i > 0 {
			buf = append(buf, '-')
		}
		buf = hex.AppendEncode(buf, part)
	}
	return buf
}

var uuidCodec = codec{
	in: func(_ *Env, _ T, s string) (Datum, error) {
		u, err := ParseUUID(s)
		if err != nil {
			return nil, err
		}
		return u, nil
	},
	out: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) { return AppendUUID(buf, d.(UUID)), nil },
	recv: func(_ *Env, _ T, b []byte) (Datum, error) {
		if err := checkLen(b, 16); err != nil {
			return nil, err
		}
		return UUID(b), nil
	},
	send: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		u := d.(UUID)
		return append(buf, u[:]...), nil
	},
	compare: func(_ *Env, a, b Datum) int {
		x, y := a.(UUID), b.(UUID)
		return bytes.Compare(x[:], y[:])
	},
	key: func(_ *Env, buf []byte, d Datum) []byte {
		u := d.(UUID)
		return append(buf, u[:]...)
	},
}
