package base

import (
	"encoding/binary"
	"math/big"
	"math/bits"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// The hash functions of types whose values have parts: numeric, dates, jsonb,
// arrays and records. Each is a 64-bit hash with a seed; its low half with seed 0
// is the plain one, but where a type says otherwise (numeric, jsonb, arrays).

// hasher computes the plain (wide false) or the extended hash of values.
type hasher struct {
	ctx  *expr.Context
	wide bool
	seed uint64
}

func (h hasher) cut(v uint64) uint64 {
	if h.wide {
		return v
	}
	return uint64(uint32(v))
}

// numeric hashes the digits to the base of 10,000 without the zeros around them,
// so that 1.0 and 1.00 are alike.
func (h hasher) numeric(n types.Numeric) (uint64, error) {
	if !n.IsFinite() {
		return h.seed, nil
	}
	if n.IsZero() {
		return h.cut(h.seed - 1), nil
	}
	b, err := types.AppendSend(h.ctx.Env, types.Of(types.NumericOID), nil, n)
	if err != nil {
		return 0, err
	}
	weight := int(int16(binary.BigEndian.Uint16(b[2:])))
	digits := b[8:]
	for len(digits) >= 2 && digits[0] == 0 && digits[1] == 0 {
		digits = digits[2:]
		weight--
	}
	for n := len(digits); n >= 2 && digits[n-1] == 0 && digits[n-2] == 0; n = len(digits) {
		digits = digits[:n-2]
	}
	little := make([]byte, len(digits))
	for i := 0; i+1 < len(digits); i += 2 {
		little[i], little[i+1] = digits[i+1], digits[i]
	}
	v := h.cut(hashBytes(little, h.seed))
	return h.cut(v ^ uint64(int64(weight))), nil
}

func (h hasher) interval(v types.Interval) uint64 {
	days := int64(v.Months)*30 + int64(v.Days)
	span := new(big.Int).Mul(big.NewInt(days), big.NewInt(types.USecsPerDay))
	span.Add(span, big.NewInt(v.Micros))
	span.And(span, new(big.Int).SetUint64(1<<64-1))
	return hashInt8(int64(span.Uint64()), h.seed)
}

func (h hasher) timetz(v types.TimeTZ) uint64 {
	return hashInt8(v.Micros, h.seed) ^ hashWord(uint32(v.Zone), h.seed)
}

func (h hasher) timestamp(v types.Timestamp) uint64 { return hashInt8(int64(v), h.seed) }

// jsonb mixes the hashes of keys and scalars, depth first, with a mark per container.
func (h hasher) jsonb(v types.JSONBValue, acc uint64) (uint64, error) {
	mark := func(m uint64) uint64 {
		if h.wide {
			m |= m << 32
		}
		return acc ^ m
	}
	mix := func(x uint64) {
		if h.wide {
			acc = acc<<1&0xfffffffefffffffe | acc>>31&0x100000001
		} else {
			acc = uint64(bits.RotateLeft32(uint32(acc), 1))
		}
		acc ^= h.cut(x)
	}
	var err error
	switch v.Kind() {
	case types.JSONArrayKind, types.JSONObjectKind:
		object := v.Kind() == types.JSONObjectKind
		if object {
			acc = mark(0x20000000)
		} else {
			acc = mark(0x40000000)
		}
		for i := range v.Len() {
			if object {
				mix(hashBytes(v.Key(i), h.seed))
			}
			if acc, err = h.jsonb(v.Item(i), acc); err != nil {
				return 0, err
			}
		}
	case types.JSONNull:
		mix(1 + h.seed)
	case types.JSONString:
		mix(hashBytes(v.Str(), h.seed))
	case types.JSONNumber:
		n, err := h.numeric(v.Number())
		if err != nil {
			return 0, err
		}
		mix(n)
	case types.JSONBool:
		x := uint64(4)
		if v.Bool() {
			x = 2
		}
		if h.seed != 0 {
			x = 0
			if v.Bool() {
				x = 1
			}
			x = hashWord(uint32(x), h.seed)
		}
		mix(x)
	}
	return acc, nil
}

// value hashes a value of type t as its default hash operator class does.
func (h hasher) value(t types.T, d types.Datum) (uint64, error) {
	switch v := d.(type) {
	case bool:
		n := uint32(0)
		if v {
			n = 1
		}
		return h.cut(hashWord(n, h.seed)), nil
	case byte:
		return h.cut(hashWord(uint32(int32(int8(v))), h.seed)), nil
	case int16:
		return h.cut(hashWord(uint32(int32(v)), h.seed)), nil
	case int32:
		return h.cut(hashWord(uint32(v), h.seed)), nil
	case int64:
		return h.cut(hashInt8(v, h.seed)), nil
	case uint64:
		return h.cut(hashInt8(int64(v), h.seed)), nil
	case float32:
		return h.cut(hashFloat(float64(v), h.seed)), nil
	case float64:
		return h.cut(hashFloat(v, h.seed)), nil
	case types.OID:
		return h.cut(hashWord(uint32(v), h.seed)), nil
	case types.Numeric:
		return h.numeric(v)
	case string:
		if t.OID == types.BPChar {
			v = types.TrimBPChar(v)
		}
		if t.OID != types.JSON && t.OID != types.Unknown && t.OID != types.Bit && t.OID != types.VarBit {
			return h.cut(hashBytes(v, h.seed)), nil
		}
	case []byte:
		return h.cut(hashBytes(v, h.seed)), nil
	case types.UUID:
		return h.cut(hashBytes(v[:], h.seed)), nil
	case types.Date:
		n := int32(v)
		if v != types.DatePosInfinity && v != types.DateNegInfinity {
			n -= int32(types.PGEpochDays)
		}
		return h.cut(hashWord(uint32(n), h.seed)), nil
	case types.Time:
		return h.cut(hashInt8(int64(v), h.seed)), nil
	case types.TimeTZ:
		return h.cut(h.timetz(v)), nil
	case types.Timestamp:
		return h.cut(h.timestamp(v)), nil
	case types.Interval:
		return h.cut(h.interval(v)), nil
	case types.JSONB:
		return h.document(v)
	case *types.Array:
		return h.array(v)
	case *types.Record:
		return h.record(v)
	}
	return 0, pgerror.New(pgerror.UndefinedFunction, "could not identify %s function for type %s", h.kind(), types.TypeName(t.OID))
}

func (h hasher) kind() string {
	if h.wide {
		return "an extended hash"
	}
	return "a hash"
}

// document is a whole jsonb value: a scalar counts as an array around it.
func (h hasher) document(j types.JSONB) (uint64, error) {
	acc, root := uint64(0), j.Root()
	switch {
	case root.IsContainer() && root.Len() == 0:
		return h.seed, nil
	case !root.IsContainer():
		acc = 0x40000000
		if h.wide {
			acc |= acc << 32
		}
	}
	return h.jsonb(root, acc)
}

func (h hasher) array(a *types.Array) (uint64, error) {
	acc := uint64(1)
	for _, d := range a.Elems {
		e, err := h.element(a.Elem, d)
		if err != nil {
			return 0, err
		}
		acc = h.cut(acc*31 + e)
	}
	return acc, nil
}

func (h hasher) record(r *types.Record) (uint64, error) {
	acc := uint64(0)
	for i, d := range r.Fields {
		e, err := h.element(r.Types[i], d)
		if err != nil {
			return 0, err
		}
		acc = h.cut(acc*31 + e)
	}
	return acc, nil
}

func (h hasher) element(t types.T, d types.Datum) (uint64, error) {
	if d == nil {
		return 0, nil
	}
	return h.value(t, d)
}

// registerHashValues registers the functions that hash by value.
func registerHashValues(r *expr.Registry) {
	for _, f := range []struct{ plain, extended, typ string }{
		{"hash_numeric", "hash_numeric_extended", "numeric"},
		{"time_hash", "time_hash_extended", "time"},
		{"timetz_hash", "timetz_hash_extended", "timetz"},
		{"timestamp_hash", "timestamp_hash_extended", "timestamp"},
		{"interval_hash", "interval_hash_extended", "interval"},
		{"jsonb_hash", "jsonb_hash_extended", "jsonb"},
		{"pg_lsn_hash", "pg_lsn_hash_extended", "pg_lsn"},
		{"hash_array", "hash_array_extended", "anyarray"},
		{"hash_record", "hash_record_extended", "record"},
		{"hashenum", "hashenumextended", "anyenum"},
	} {
		adapt.Add(r, f.plain+"("+f.typ+")", adapt.D(func(ctx *expr.Context, call *expr.Call, a []types.Datum) (types.Datum, error) {
			if a[0] == nil {
				return nil, nil
			}
			v, err := hasher{ctx: ctx}.value(call.ArgTypes[0], a[0])
			return int32(uint32(v)), err
		}))
		adapt.Add(r, f.extended+"("+f.typ+",int8)", adapt.D(func(ctx *expr.Context, call *expr.Call, a []types.Datum) (types.Datum, error) {
			if a[0] == nil || a[1] == nil {
				return nil, nil
			}
			v, err := hasher{ctx: ctx, wide: true, seed: uint64(a[1].(int64))}.value(call.ArgTypes[0], a[0])
			return int64(v), err
		}))
	}
	vector := func(a *types.Array) []byte {
		var b []byte
		for _, o := range a.Elems {
			b = binary.LittleEndian.AppendUint32(b, uint32(o.(types.OID)))
		}
		return b
	}
	adapt.Add(r, "hashoidvector(oidvector)", adapt.F1(func(a *types.Array) int32 { return int32(uint32(hashBytes(vector(a), 0))) }))
	adapt.Add(r, "hashoidvectorextended(oidvector,int8)", adapt.F2(func(a *types.Array, seed int64) int64 {
		return int64(hashBytes(vector(a), uint64(seed)))
	}))
}
