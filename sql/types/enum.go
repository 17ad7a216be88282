package types

import (
	"encoding/binary"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Enum values are the OIDs of their labels; labels and order come from Env.Resolver.

func enumResolver(env *Env) (Resolver, error) {
	if env == nil || env.Resolver == nil {
		return nil, pgerror.Unsupported("an enum value without a catalog")
	}
	return env.Resolver, nil
}

func enumIn(env *Env, t T, s string) (Datum, error) {
	r, err := enumResolver(env)
	if err != nil {
		return nil, err
	}
	if v, ok := r.EnumValue(t.OID, s); ok {
		return v, nil
	}
	return nil, pgerror.New(pgerror.InvalidTextRepresentation, "invalid input value for enum %s: \"%s\"", r.FormatType(t.OID, -1), s)
}

func enumOut(env *Env, _ T, buf []byte, d Datum) ([]byte, error) {
	r, err := enumResolver(env)
	if err != nil {
		return buf, err
	}
	_, label, _, ok := r.EnumLabel(d.(OID))
	if !ok {
		return buf, pgerror.New(pgerror.InvalidBinaryRepresentation, "invalid internal value for enum: %d", d.(OID))
	}
	return append(buf, label...), nil
}

var enumCodec = codec{
	in:  enumIn,
	out: enumOut,
	recv: func(env *Env, t T, b []byte) (Datum, error) {
		s, err := FromClient(env, b)
		if err != nil {
			return nil, err
		}
		return enumIn(env, t, s)
	},
	send: func(env *Env, t T, buf []byte, d Datum) ([]byte, error) {
		out, err := enumOut(env, t, buf, d)
		if err != nil {
			return buf, err
		}
		return ToClient(env, out, len(buf))
	},
	compare: func(env *Env, a, b Datum) int {
		x, y := a.(OID), b.(OID)
		if x == y {
			return 0
		}
		if env != nil && env.Resolver != nil {
			_, _, sx, okx := env.Resolver.EnumLabel(x)
			_, _, sy, oky := env.Resolver.EnumLabel(y)
			if okx && oky && sx != sy {
				if sx < sy {
					return -1
				}
				return 1
			}
		}
		if x < y {
			return -1
		}
		return 1
	},
	key: func(_ *Env, buf []byte, d Datum) []byte {
		return binary.LittleEndian.AppendUint32(buf, uint32(d.(OID)))
	},
}
