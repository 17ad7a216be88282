package types

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// A bit string (bit, bit varying) is held as its digits: a Go string of '0' and
// '1', one byte a bit, first bit first. PostgreSQL orders bit strings bit by
// bit, a prefix first, which is the byte order of the digits; so comparison,
// equality, hashing, keys and stored rows are those of text. Packing eight bits
// a byte would need an order of its own in each of these places; blocks of
// digits compress to as little on disk.

// BitsMax is the greatest number of bits of a value.
const BitsMax = 1<<28 - 1

// BitsTooLong is the error of a value beyond BitsMax.
func BitsTooLong() error {
	return pgerror.New(pgerror.ProgramLimitExceeded, "bit string length exceeds the maximum allowed (%d)", BitsMax)
}

// ParseBits reads binary digits, after b or B or nothing, or hexadecimal digits after x or X.
func ParseBits(s string) (string, error) {
	digits, hex := s, false
	if s != "" {
		switch s[0] {
		case 'b', 'B':
			digits = s[1:]
		case 'x', 'X':
			digits, hex = s[1:], true
		}
	}
	if len(digits) > BitsMax || hex && len(digits) > BitsMax/4 {
		return "", BitsTooLong()
	}
	invalid := func(i int, what string) error {
		_, w := utf8.DecodeRuneInString(digits[i:])
		return pgerror.New(pgerror.InvalidTextRepresentation, "\"%s\" is not a valid %s digit", digits[i:i+w], what)
	}
	if !hex {
		for i := range len(digits) {
			if digits[i] != '0' && digits[i] != '1' {
				return "", invalid(i, "binary")
			}
		}
		return digits, nil
	}
	out := make([]byte, 0, 4*len(digits))
	for i := range len(digits) {
		var v byte
		switch c := digits[i]; {
		case '0' <= c && c <= '9':
			v = c - '0'
		case 'A' <= c && c <= 'F':
			v = c - 'A' + 10
		case 'a' <= c && c <= 'f':
			v = c - 'a' + 10
		default:
			return "", invalid(i, "hexadecimal")
		}
		out = append(out, '0'+v>>3, '0'+v>>2&1, '0'+v>>1&1, '0'+v&1)
	}
	return string(out), nil
}

// BitTypmod fits s into bit(mod): cut or filled with zeros when explicit, otherwise the length must be right (22026).
func BitTypmod(s string, mod int32, explicit bool) (string, error) {
	n := int(mod)
	switch {
	case mod <= 0 || len(s) == n:
		return s, nil
	case !explicit:
		return "", checkBitLen(len(s), mod)
	case len(s) > n:
		return s[:n], nil
	case n > BitsMax:
		return "", BitsTooLong()
	}
	return s + strings.Repeat("0", n-len(s)), nil
}

// VarBitTypmod fits s into bit varying(mod): cut when explicit, otherwise too many bits are an error (22001).
func VarBitTypmod(s string, mod int32, explicit bool) (string, error) {
	if mod <= 0 || len(s) <= int(mod) {
		return s, nil
	}
	if !explicit {
		return "", checkVarBitLen(len(s), mod)
	}
	return s[:mod], nil
}

// CombineBits applies op ('&', '|' or '#') to two bit strings of one length.
func CombineBits(op byte, a, b string) (string, error) {
	if len(a) != len(b) {
		name := map[byte]string{'&': "AND", '|': "OR", '#': "XOR"}[op]
		return "", pgerror.New(pgerror.StringDataLengthMismatch, "cannot %s bit strings of different sizes", name)
	}
	out := make([]byte, len(a))
	switch op { // of the digits themselves: '0' is even, '1' odd
	case '&':
		for i := range out {
			out[i] = a[i] & b[i]
		}
	case '|':
		for i := range out {
			out[i] = a[i] | b[i]
		}
	default:
		for i := range out {
			out[i] = '0' + (a[i] ^ b[i])
		}
	}
	return string(out), nil
}

// IntBits is the low n bits of v, sign extended; one bit when n is not positive.
func IntBits(v int64, n int32) (string, error) {
	if n <= 0 {
		n = 1
	}
	if n > BitsMax {
		return "", BitsTooLong()
	}
	out := make([]byte, n)
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = '0' + byte(v&1)
		v >>= 1
	}
	return string(out), nil
}

// BitsInt is the number s is in base two, as the low bits of an integer of size bits; more digits fail (22003).
func BitsInt(s string, size int, name string) (uint64, error) {
	if len(s) > size {
		return 0, pgerror.New(pgerror.NumericValueOutOfRange, "%s out of range", name)
	}
	var v uint64
	for i := range len(s) {
		v = v<<1 | uint64(s[i]&1)
	}
	return v, nil
}

// recvBits reads the binary form: the number of bits, then the bits, eight a byte, the last filled with zeros.
func recvBits(b []byte) (string, error) {
	if len(b) < 4 {
		return "", checkLen(b, 4)
	}
	n := int32(binary.BigEndian.Uint32(b))
	if n < 0 || n > BitsMax {
		return "", pgerror.New(pgerror.InvalidBinaryRepresentation, "invalid length in external bit string")
	}
	if err := checkLen(b, 4+(int(n)+7)/8); err != nil {
		return "", err
	}
	out := make([]byte, n)
	for i := range out {
		out[i] = '0' + b[4+i>>3]>>(7-i&7)&1
	}
	return string(out), nil
}

func appendSendBits(buf []byte, s string) []byte {
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(s)))
	for ; s != ""; s = s[min(8, len(s)):] {
		var c byte
		for i := range min(8, len(s)) {
			c |= s[i] & 1 << (7 - i)
		}
		buf = append(buf, c)
	}
	return buf
}

// bitsTextLen is the number of bits a text would have, right or not.
func bitsTextLen(s string) int {
	switch {
	case s == "":
		return 0
	case s[0] == 'b' || s[0] == 'B':
		return len(s) - 1
	case s[0] == 'x' || s[0] == 'X':
		return 4 * (len(s) - 1)
	}
	return len(s)
}

// checkBitLen and checkVarBitLen hold a length against a modifier, as input does before it looks at the digits.
func checkBitLen(n int, mod int32) error {
	if mod > 0 && n != int(mod) {
		return pgerror.New(pgerror.StringDataLengthMismatch, "bit string length %d does not match type bit(%d)", n, mod)
	}
	return nil
}

func checkVarBitLen(n int, mod int32) error {
	if mod > 0 && n > int(mod) {
		return pgerror.New(pgerror.StringDataRightTruncation, "bit string too long for type bit varying(%d)", mod)
	}
	return nil
}

func bitsCodec(check func(n int, mod int32) error) *codec {
	return &codec{
		in: func(_ *Env, t T, s string) (Datum, error) {
			if err := check(bitsTextLen(s), t.Mod); err != nil {
				return nil, err
			}
			s, err := ParseBits(s)
			if err != nil {
				return nil, err
			}
			return s, nil
		},
		out: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) { return append(buf, d.(string)...), nil },
		recv: func(_ *Env, t T, b []byte) (Datum, error) {
			s, err := recvBits(b)
			if err == nil {
				err = check(len(s), t.Mod)
			}
			if err != nil {
				return nil, err
			}
			return s, nil
		},
		send:    func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) { return appendSendBits(buf, d.(string)), nil },
		compare: func(_ *Env, a, b Datum) int { return strings.Compare(a.(string), b.(string)) },
		key:     func(_ *Env, buf []byte, d Datum) []byte { return appendKeyString(buf, d.(string)) },
	}
}
