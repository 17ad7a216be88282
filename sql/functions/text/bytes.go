package text

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"math"
	"math/bits"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/vexec/expr"
)

func substrBytes(b []byte, start, length int32) ([]byte, error) {
	if length < 0 {
		return nil, negativeLength()
	}
	from, to := int64(start)-1, int64(start)-1+int64(length)
	from, to = min(max(from, 0), int64(len(b))), min(max(to, 0), int64(len(b)))
	return clone(b[from:max(from, to)]), nil
}

func substrBytesFrom(b []byte, start int32) []byte {
	return clone(b[min(max(int(start)-1, 0), len(b)):])
}

// clone copies, never to nil (which would be NULL).
func clone(b []byte) []byte { return append([]byte{}, b...) }

func overlayBytes(b, repl []byte, start, length int32) ([]byte, error) {
	if start <= 0 {
		return nil, negativeLength()
	}
	end := int64(start) + int64(length)
	if end > math.MaxInt32 || end < math.MinInt32 {
		return nil, pgerror.New(pgerror.NumericValueOutOfRange, "integer out of range")
	}
	out := append(clone(b[:min(int(start)-1, len(b))]), repl...)
	return append(out, substrBytesFrom(b, int32(end))...), nil
}

func trimBytes(b, set []byte, l, r bool) []byte {
	in := func(c byte) bool { return bytes.IndexByte(set, c) >= 0 }
	for l && len(b) > 0 && in(b[0]) {
		b = b[1:]
	}
	for r && len(b) > 0 && in(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return clone(b)
}

func checkIndex(i, n int64) error {
	if i < 0 || i >= n {
		return pgerror.New(pgerror.ArraySubscriptError, "index %d out of valid range, 0..%d", i, n-1)
	}
	return nil
}

func getByte(b []byte, i int32) (int32, error) {
	if err := checkIndex(int64(i), int64(len(b))); err != nil {
		return 0, err
	}
	return int32(b[i]), nil
}

func setByte(b []byte, i, v int32) ([]byte, error) {
	if err := checkIndex(int64(i), int64(len(b))); err != nil {
		return nil, err
	}
	b = clone(b)
	b[i] = byte(v)
	return b, nil
}

func getBit(b []byte, i int64) (int32, error) {
	if err := checkIndex(i, int64(len(b))*8); err != nil {
		return 0, err
	}
	return int32(b[i/8] >> (i % 8) & 1), nil
}

func setBit(b []byte, i int64, v int32) ([]byte, error) {
	if err := checkIndex(i, int64(len(b))*8); err != nil {
		return nil, err
	}
	if v != 0 && v != 1 {
		return nil, invalidParameter("new bit must be 0 or 1")
	}
	b = clone(b)
	b[i/8] = b[i/8]&^(1<<(i%8)) | byte(v)<<(i%8)
	return b, nil
}

func bitCount(b []byte) int64 {
	n := 0
	for _, c := range b {
		n += bits.OnesCount8(c)
	}
	return int64(n)
}

func md5Hex(b []byte) string {
	s := md5.Sum(b)
	return hex.EncodeToString(s[:])
}

func registerBytes(r *expr.Registry) {
	adapt.Add(r, "byteacat(bytea,bytea)", adapt.F2(func(a, b []byte) []byte { return append(clone(a), b...) }))
	for _, n := range []string{"length", "octet_length"} {
		adapt.Add(r, n+"(bytea)", adapt.F1(func(b []byte) int32 { return int32(len(b)) }))
	}
	adapt.Add(r, "bit_length(bytea)", adapt.F1(func(b []byte) int32 { return int32(len(b)) * 8 }))
	for _, n := range []string{"substr", "substring"} {
		adapt.Add(r, n+"(bytea,int4,int4)", adapt.E3(substrBytes))
		adapt.Add(r, n+"(bytea,int4)", adapt.F2(substrBytesFrom))
	}
	adapt.Add(r, "overlay(bytea,bytea,int4,int4)", adapt.E4(overlayBytes))
	adapt.Add(r, "overlay(bytea,bytea,int4)", adapt.E3(func(b, repl []byte, start int32) ([]byte, error) {
		return overlayBytes(b, repl, start, int32(len(repl)))
	}))
	adapt.Add(r, "position(bytea,bytea)", adapt.F2(func(b, sub []byte) int32 { return int32(bytes.Index(b, sub)) + 1 }))
	adapt.Add(r, "btrim(bytea,bytea)", adapt.F2(func(b, set []byte) []byte { return trimBytes(b, set, true, true) }))
	adapt.Add(r, "ltrim(bytea,bytea)", adapt.F2(func(b, set []byte) []byte { return trimBytes(b, set, true, false) }))
	adapt.Add(r, "rtrim(bytea,bytea)", adapt.F2(func(b, set []byte) []byte { return trimBytes(b, set, false, true) }))
	adapt.Add(r, "get_byte(bytea,int4)", adapt.E2(getByte))
	adapt.Add(r, "set_byte(bytea,int4,int4)", adapt.E3(setByte))
	adapt.Add(r, "get_bit(bytea,int8)", adapt.E2(getBit))
	adapt.Add(r, "set_bit(bytea,int8,int4)", adapt.E3(setBit))
	adapt.Add(r, "bit_count(bytea)", adapt.F1(bitCount))
	adapt.Add(r, "md5(bytea)", adapt.F1(md5Hex))
	adapt.Add(r, "md5(text)", adapt.F1(func(s string) string { return md5Hex([]byte(s)) }))
	adapt.Add(r, "sha224(bytea)", adapt.F1(func(b []byte) []byte { s := sha256.Sum224(b); return s[:] }))
	adapt.Add(r, "sha256(bytea)", adapt.F1(func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }))
	adapt.Add(r, "sha384(bytea)", adapt.F1(func(b []byte) []byte { s := sha512.Sum384(b); return s[:] }))
	adapt.Add(r, "sha512(bytea)", adapt.F1(func(b []byte) []byte { s := sha512.Sum512(b); return s[:] }))
}
