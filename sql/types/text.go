package types

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// CheckUTF8 verifies that s may be stored as text: valid UTF-8 without NUL.
func CheckUTF8(s string) error {
	if strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) {
		return nil
	}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if s[i] == 0 || r == utf8.RuneError && n <= 1 {
			return invalidUTF8(s[i:])
		}
		i += n
	}
	return nil
}

// invalidUTF8 reports the bytes PostgreSQL would show: as many as the first byte promises.
func invalidUTF8(s string) error {
	n := 1
	switch c := s[0]; {
	case c >= 0xf0 && c < 0xf8:
		n = 4
	case c >= 0xe0 && c < 0xf0:
		n = 3
	case c >= 0xc0 && c < 0xe0:
		n = 2
	}
	var b strings.Builder
	const hex = "0123456789abcdef"
	for i, c := range []byte(s[:min(n, len(s))]) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("0x")
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return pgerror.New(pgerror.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": %s", b.String())
}

// CharLen is the number of characters of s, which is valid UTF-8.
func CharLen(s string) int {
	n, b := len(s), unsafe.Slice(unsafe.StringData(s), len(s))
	for len(b) >= 8 {
		n -= continuations(binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	for _, c := range b {
		if c&0xc0 == 0x80 {
			n--
		}
	}
	return n
}

// continuations counts the bytes of w that are not the first of their character.
func continuations(w uint64) int {
	w = w >> 7 & (^w >> 6) & 0x0101010101010101
	if w == 0 {
		return 0
	}
	return bits.OnesCount64(w)
}

// CharPrefix is the first n characters of s, which is valid UTF-8.
func CharPrefix(s string, n int) string {
	if n <= 0 {
		return ""
	}
	if len(s) <= n {
		return s
	}
	i, b := 0, unsafe.Slice(unsafe.StringData(s), len(s))
	for n >= 8 && i+8 <= len(b) { // 8 bytes begin at most 8 characters
		n -= 8 - continuations(binary.LittleEndian.Uint64(b[i:]))
		i += 8
	}
	for ; i < len(b); i++ {
		if b[i]&0xc0 == 0x80 {
			continue // of the character before
		}
		if n == 0 {
			break
		}
		n--
	}
	return s[:i]
}

// VarCharTypmod fits s into varchar(mod−4): trailing spaces beyond the length are
// cut off silently; anything else only when explicit, otherwise 22001.
func VarCharTypmod(s string, mod int32, explicit bool) (string, error) {
	if mod < 4 || len(s) <= int(mod-4) {
		return s, nil
	}
	n := int(mod - 4)
	p := CharPrefix(s, n)
	if !explicit && strings.Trim(s[len(p):], " ") != "" {
		return "", pgerror.New(pgerror.StringDataRightTruncation, "value too long for type character varying(%d)", n)
	}
	return p, nil
}

// BPCharTypmod fits s into char(mod−4), padding with spaces.
func BPCharTypmod(s string, mod int32, explicit bool) (string, error) {
	if mod < 4 {
		return s, nil
	}
	n := int(mod - 4)
	if k := CharLen(s); k < n {
		return s + strings.Repeat(" ", n-k), nil
	}
	p := CharPrefix(s, n)
	if !explicit && strings.Trim(s[len(p):], " ") != "" {
		return "", pgerror.New(pgerror.StringDataRightTruncation, "value too long for type character(%d)", n)
	}
	return p, nil
}

// nameBytesMax is the length of a name, NUL excluded.
const nameBytesMax = 63

// TruncateName cuts an identifier to 63 bytes at a character boundary.
func TruncateName(s string) string {
	if len(s) <= nameBytesMax {
		return s
	}
	n := nameBytesMax
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// TrimBPChar drops the padding that char(n) ignores in comparisons and conversions.
func TrimBPChar(s string) string { return strings.TrimRight(s, " ") }

func stringCodec(fit func(t T, s string) (string, error)) *codec {
	return &codec{
		in: func(_ *Env, t T, s string) (Datum, error) {
			if fit != nil {
				s2, err := fit(t, s)
				if err != nil {
					return nil, err
				}
				return s2, nil
			}
			return s, nil
		},
		out: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) { return append(buf, d.(string)...), nil },
		recv: func(env *Env, t T, b []byte) (Datum, error) {
			s, err := FromClient(env, b)
			if err != nil {
				return nil, err
			}
			if err := CheckUTF8(s); err != nil {
				return nil, err
			}
			if fit != nil {
				s2, err := fit(t, s)
				if err != nil {
					return nil, err
				}
				return s2, nil
			}
			return s, nil
		},
		send: func(env *Env, _ T, buf []byte, d Datum) ([]byte, error) {
			return ToClient(env, append(buf, d.(string)...), len(buf))
		},
		compare: func(_ *Env, a, b Datum) int { return strings.Compare(a.(string), b.(string)) },
		key:     func(_ *Env, buf []byte, d Datum) []byte { return appendKeyString(buf, d.(string)) },
	}
}

func appendKeyString(buf []byte, s string) []byte {
	n := len(s)
	buf = append(buf, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	return append(buf, s...)
}

var (
	textCodec    = stringCodec(nil)
	varcharCodec = stringCodec(func(t T, s string) (string, error) { return VarCharTypmod(s, t.Mod, false) })
	nameCodec    = stringCodec(func(_ T, s string) (string, error) { return TruncateName(s), nil })
	bpcharCodec  = func() *codec {
		c := stringCodec(func(t T, s string) (string, error) { return BPCharTypmod(s, t.Mod, false) })
		c.compare = func(_ *Env, a, b Datum) int {
			return strings.Compare(TrimBPChar(a.(string)), TrimBPChar(b.(string)))
		}
		c.key = func(_ *Env, buf []byte, d Datum) []byte { return appendKeyString(buf, TrimBPChar(d.(string))) }
		return c
	}()
)

// charCodec is "char": one byte, shown as itself, as \ooo with the high bit set,
// as nothing when zero.
var charCodec = codec{
	in: func(_ *Env, _ T, s string) (Datum, error) {
		if len(s) == 4 && s[0] == '\\' && isOctal(s[1]) && isOctal(s[2]) && isOctal(s[3]) {
			return (s[1]-'0')<<6 | (s[2]-'0')<<3 | (s[3] - '0'), nil
		}
		if s == "" {
			return byte(0), nil
		}
		return s[0], nil
	},
	out: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) { return AppendChar(buf, d.(byte)), nil },
	recv: func(_ *Env, _ T, b []byte) (Datum, error) {
		if err := checkLen(b, 1); err != nil {
			return nil, err
		}
		return b[0], nil
	},
	send:    func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) { return append(buf, d.(byte)), nil },
	compare: func(_ *Env, a, b Datum) int { return cmpInt(a.(byte), b.(byte)) },
	key:     func(_ *Env, buf []byte, d Datum) []byte { return append(buf, d.(byte)) },
}

// AppendChar appends "char"'s text form.
func AppendChar(buf []byte, c byte) []byte {
	switch {
	case c >= 0x80:
		return append(buf, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
	case c != 0:
		return append(buf, c)
	}
	return buf
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }
