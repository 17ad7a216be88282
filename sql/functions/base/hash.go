package base

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// The hash support functions (hashint4, hashtext, …), which people call to spread
// keys and name advisory locks. The function is Bob Jenkins' lookup3 with
// PostgreSQL's initial value; it must never change.

const hashInit = 0x9e3779b9 + 3923095

func hashMix(a, b, c uint32) (uint32, uint32, uint32) {
	a = (a - c) ^ bits.RotateLeft32(c, 4)
	c += b
	b = (b - a) ^ bits.RotateLeft32(a, 6)
	a += c
	c = (c - b) ^ bits.RotateLeft32(b, 8)
	b += a
	a = (a - c) ^ bits.RotateLeft32(c, 16)
	c += b
	b = (b - a) ^ bits.RotateLeft32(a, 19)
	a += c
	c = (c - b) ^ bits.RotateLeft32(b, 4)
	b += a
	return a, b, c
}

func hashFinal(a, b, c uint32) uint64 {
	c = (c ^ b) - bits.RotateLeft32(b, 14)
	a = (a ^ c) - bits.RotateLeft32(c, 11)
	b = (b ^ a) - bits.RotateLeft32(a, 25)
	c = (c ^ b) - bits.RotateLeft32(b, 16)
	a = (a ^ c) - bits.RotateLeft32(c, 4)
	b = (b ^ a) - bits.RotateLeft32(a, 14)
	c = (c ^ b) - bits.RotateLeft32(b, 24)
	return uint64(b)<<32 | uint64(c)
}

// hashBytes hashes k with a seed; the low half is the plain 32-bit hash when seed is 0.
func hashBytes[S string | []byte](s S, seed uint64) uint64 {
	k := []byte(s)
	a := uint32(hashInit) + uint32(len(k))
	b, c := a, a
	if seed != 0 {
		a, b, c = hashMix(a+uint32(seed>>32), b+uint32(seed), c)
	}
	for len(k) >= 12 {
		a += binary.LittleEndian.Uint32(k)
		b += binary.LittleEndian.Uint32(k[4:])
		c += binary.LittleEndian.Uint32(k[8:])
		a, b, c = hashMix(a, b, c)
		k = k[12:]
	}
	var tail [12]byte // the third word's lowest byte is left to the length
	copy(tail[:8], k)
	if len(k) > 8 {
		copy(tail[9:], k[8:])
	}
	a += binary.LittleEndian.Uint32(tail[:])
	b += binary.LittleEndian.Uint32(tail[4:])
	c += binary.LittleEndian.Uint32(tail[8:])
	return hashFinal(a, b, c)
}

// hashWord hashes one 32-bit value.
func hashWord(k uint32, seed uint64) uint64 {
	a := uint32(hashInit) + 4
	b, c := a, a
	if seed != 0 {
		a, b, c = hashMix(a+uint32(seed>>32), b+uint32(seed), c)
	}
	return hashFinal(a+k, b, c)
}

func hashInt8(v int64, seed uint64) uint64 {
	lo, hi := uint32(v), uint32(v>>32)
	if v < 0 {
		hi = ^hi
	}
	return hashWord(lo^hi, seed)
}

// hashFloat makes equal floats hash alike.
func hashFloat(f float64, seed uint64) uint64 {
	switch {
	case f == 0:
		return seed
	case math.IsNaN(f):
		f = math.Float64frombits(0x7ff8000000000000)
	}
	return hashBytes(binary.LittleEndian.AppendUint64(nil, math.Float64bits(f)), seed)
}

func addHash[A any](r *expr.Registry, name, ext, typ string, h func(v A, seed uint64) uint64) {
	adapt.Add(r, name+"("+typ+")", adapt.F1(func(v A) int32 { return int32(uint32(h(v, 0))) }))
	adapt.Add(r, ext+"("+typ+",int8)", adapt.F2(func(v A, seed int64) int64 { return int64(h(v, uint64(seed))) }))
}

func registerHash(r *expr.Registry) {
	addHash(r, "hashint2", "hashint2extended", "int2", func(v int16, s uint64) uint64 { return hashWord(uint32(int32(v)), s) })
	addHash(r, "hashint4", "hashint4extended", "int4", func(v int32, s uint64) uint64 { return hashWord(uint32(v), s) })
	addHash(r, "hashint8", "hashint8extended", "int8", hashInt8)
	addHash(r, "hashchar", "hashcharextended", "char", func(v byte, s uint64) uint64 { return hashWord(uint32(int32(int8(v))), s) })
	addHash(r, "hashoid", "hashoidextended", "oid", func(v types.OID, s uint64) uint64 { return hashWord(uint32(v), s) })
	addHash(r, "hashfloat4", "hashfloat4extended", "float4", func(v float32, s uint64) uint64 { return hashFloat(float64(v), s) })
	addHash(r, "hashfloat8", "hashfloat8extended", "float8", hashFloat)
	addHash(r, "hashtext", "hashtextextended", "text", hashBytes[string])
	addHash(r, "hashname", "hashnameextended", "name", hashBytes[string])
	addHash(r, "hashbpchar", "hashbpcharextended", "bpchar", func(v string, s uint64) uint64 { return hashBytes(types.TrimBPChar(v), s) })
	addHash(r, "uuid_hash", "uuid_hash_extended", "uuid", func(v types.UUID, s uint64) uint64 { return hashBytes(v[:], s) })
	addHash(r, "hashtid", "hashtidextended", "tid", hashTid)
	registerHashValues(r)
}

// hashTid hashes the six bytes PostgreSQL keeps of a tid (the block's upper half
// first), and what a block has beyond 32 bits behind them.
func hashTid(v, seed uint64) uint64 {
	block, offset := v>>16, uint16(v)
	b := make([]byte, 0, 8)
	b = binary.LittleEndian.AppendUint16(b, uint16(block>>16))
	b = binary.LittleEndian.AppendUint16(b, uint16(block))
	b = binary.LittleEndian.AppendUint16(b, offset)
	if high := uint16(block >> 32); high != 0 {
		b = binary.LittleEndian.AppendUint16(b, high)
	}
	return hashBytes(b, seed)
}
