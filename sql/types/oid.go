package types

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// ParseOID reads oid's text form: an unsigned 32-bit number; negative numbers
// down to −2147483648 wrap as PostgreSQL's do.
func ParseOID(s, typ string) (OID, error) {
	t, neg := trimSpace(s), false
	if t != "" && (t[0] == '-' || t[0] == '+') {
		neg, t = t[0] == '-', t[1:]
	}
	if t == "" {
		return 0, invalidText(typ, s)
	}
	v := uint64(0)
	for i := 0; i < len(t); i++ {
		if !isDigit(t[i]) {
			return 0, invalidText(typ, s)
		}
		if v = v*10 + uint64(t[i]-'0'); v > math.MaxUint32 {
			v = math.MaxUint32 + 1
		}
	}
	if v > math.MaxUint32 || neg && v > 1<<31 {
		return 0, outOfRangeText(typ, s)
	}
	if neg {
		v = -v
	}
	return OID(v), nil
}

// oidLike is the codec of a 32-bit identifier type.
func oidLike(typ string, ordered bool) *codec {
	c := &codec{
		in: func(_ *Env, _ T, s string) (Datum, error) {
			v, err := ParseOID(s, typ)
			if err != nil {
				return nil, err
			}
			return v, nil
		},
		out: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
			return strconv.AppendUint(buf, uint64(d.(OID)), 10), nil
		},
		recv: func(_ *Env, _ T, b []byte) (Datum, error) {
			if err := checkLen(b, 4); err != nil {
				return nil, err
			}
			return OID(binary.BigEndian.Uint32(b)), nil
		},
		send: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
			return binary.BigEndian.AppendUint32(buf, uint32(d.(OID))), nil
		},
		key: func(_ *Env, buf []byte, d Datum) []byte {
			return binary.LittleEndian.AppendUint32(buf, uint32(d.(OID)))
		},
	}
	if ordered {
		c.compare = func(_ *Env, a, b Datum) int { return cmpInt(a.(OID), b.(OID)) }
	}
	return c
}

// regCodec is the codec of a reg* type: names through the resolver.
func regCodec(reg OID, typ string) *codec {
	c := oidLike(typ, true)
	c.in = func(env *Env, _ T, s string) (Datum, error) {
		if s == "-" && reg != RegOper { // there it is an operator's name
			return OID(0), nil
		}
		if s != "" && allDigits(s) {
			return ParseOID(s, "oid")
		}
		if env == nil || env.Resolver == nil {
			return nil, pgerror.Unsupported("input of type %s without a catalog", typ)
		}
		v, err := env.Resolver.RegIn(reg, s)
		if err != nil {
			return nil, err
		}
		return v, nil
	}
	c.out = func(env *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		v := d.(OID)
		switch {
		case v == 0:
			if reg == RegOper {
				return append(buf, '0'), nil
			}
			return append(buf, '-'), nil
		case env == nil || env.Resolver == nil:
			return strconv.AppendUint(buf, uint64(v), 10), nil
		}
		return append(buf, env.Resolver.RegOut(reg, v)...), nil
	}
	return c
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// uint64Like is the codec of xid8 and pg_lsn, which differ in their text form.
func uint64Like(in func(string) (uint64, error), out func([]byte, uint64) []byte) *codec {
	return &codec{
		in: func(_ *Env, _ T, s string) (Datum, error) {
			v, err := in(s)
			if err != nil {
				return nil, err
			}
			return v, nil
		},
		out: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) { return out(buf, d.(uint64)), nil },
		recv: func(_ *Env, _ T, b []byte) (Datum, error) {
			if err := checkLen(b, 8); err != nil {
				return nil, err
			}
			return binary.BigEndian.Uint64(b), nil
		},
		send: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
			return binary.BigEndian.AppendUint64(buf, d.(uint64)), nil
		},
		compare: func(_ *Env, a, b Datum) int { return cmpInt(a.(uint64), b.(uint64)) },
		key: func(_ *Env, buf []byte, d Datum) []byte {
			return binary.LittleEndian.AppendUint64(buf, d.(uint64))
		},
	}
}

var xid8Codec = uint64Like(func(s string) (uint64, error) {
	t := trimSpace(s)
	v, err := strconv.ParseUint(t, 10, 64)
	if err != nil {
		if i, err2 := strconv.ParseInt(t, 10, 64); err2 == nil {
			return uint64(i), nil
		}
		return 0, invalidText("xid8", s)
	}
	return v, nil
}, func(buf []byte, v uint64) []byte { return strconv.AppendUint(buf, v, 10) })

// parseLSN reads XXXXXXXX/XXXXXXXX, one to eight hexadecimal digits each.
func parseLSN(s string) (uint64, error) {
	var halves [2]uint64
	i := 0
	for h := range halves {
		start := i
		for i < len(s) && i-start < 9 {
			c := s[i]
			switch {
			case isDigit(c):
				halves[h] = halves[h]<<4 | uint64(c-'0')
			case c|0x20 >= 'a' && c|0x20 <= 'f':
				halves[h] = halves[h]<<4 | uint64(c|0x20-'a'+10)
			default:
				goto done
			}
			i++
		}
	done:
		if n := i - start; n < 1 || n > 8 {
			return 0, invalidText("pg_lsn", s)
		}
		if h == 0 {
			if i >= len(s) || s[i] != '/' {
				return 0, invalidText("pg_lsn", s)
			}
			i++
		}
	}
	if i != len(s) {
		return 0, invalidText("pg_lsn", s)
	}
	return halves[0]<<32 | halves[1], nil
}

var lsnCodec = uint64Like(parseLSN, func(buf []byte, v uint64) []byte {
	return fmt.Appendf(buf, "%X/%X", v>>32, v&math.MaxUint32)
})

// Uint64Text is the decimal text of v.
func Uint64Text(v uint64) string { return strconv.FormatUint(v, 10) }
