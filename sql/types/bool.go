package types

import (
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
)

var boolCodec = codec{
	in: func(_ *Env, _ T, s string) (Datum, error) {
		v := strings.ToLower(strings.Trim(s, " \t\n\r\v\f"))
		if v != "" {
			switch {
			case strings.HasPrefix("true", v), strings.HasPrefix("yes", v), v == "on", v == "1":
				return true, nil
			case strings.HasPrefix("false", v), strings.HasPrefix("no", v), v == "of", v == "off", v == "0":
				return false, nil
			}
		}
		return nil, pgerror.New(pgerror.InvalidTextRepresentation, "invalid input syntax for type boolean: \"%s\"", s)
	},
	out: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		if d.(bool) {
			return append(buf, 't'), nil
		}
		return append(buf, 'f'), nil
	},
	recv: func(_ *Env, _ T, b []byte) (Datum, error) {
		if err := checkLen(b, 1); err != nil {
			return nil, err
		}
		return b[0] != 0, nil
	},
	send: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		if d.(bool) {
			return append(buf, 1), nil
		}
		return append(buf, 0), nil
	},
	compare: func(_ *Env, a, b Datum) int {
		x, y := a.(bool), b.(bool)
		switch {
		case x == y:
			return 0
		case y:
			return -1
		}
		return 1
	},
	key: func(_ *Env, buf []byte, d Datum) []byte {
		if d.(bool) {
			return append(buf, 1)
		}
		return append(buf, 0)
	},
}
