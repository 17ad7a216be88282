package charset

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

func hexBytes(b []byte) string {
	var s strings.Builder
	for i, c := range b {
		if i > 0 {
			s.WriteByte(' ')
		}
		fmt.Fprintf(&s, "0x%02x", c)
	}
	return s.String()
}

// invalid is the error of a byte sequence that is no character of the encoding.
func (e *Encoding) invalid(b []byte) error {
	return pgerror.New(pgerror.CharacterNotInRepertoire, "invalid byte sequence for encoding \"%s\": %s", e.Name, hexBytes(b))
}

func untranslatable(b []byte, from, to string) error {
	return pgerror.New(pgerror.UntranslatableCharacter,
		"character with byte sequence %s in encoding \"%s\" has no equivalent in encoding \"%s\"", hexBytes(b), from, to)
}

// length is the number of bytes the character that begins with b[0] says it has.
func (r rule) length(b []byte) int {
	c := b[0]
	switch {
	case c < 0x80:
		return 1
	case r == ruleEUCJP && c == 0x8f:
		return 3
	case r == ruleSJIS && c >= 0xa1 && c <= 0xdf:
		return 1
	case r == ruleGB18030 && len(b) > 1 && b[1] >= '0' && b[1] <= '9':
		return 4
	case r == ruleNone:
		return 1
	}
	return 2
}

func in(c, lo, hi byte) bool { return c >= lo && c <= hi }

// valid checks one whole character of more than one byte, or of one above 0x7f.
func (r rule) valid(b []byte) bool {
	switch r {
	case ruleEUC:
		return in(b[0], 0xa1, 0xfe) && in(b[1], 0xa1, 0xfe)
	case ruleEUCJP:
		switch b[0] {
		case 0x8e:
			return in(b[1], 0xa1, 0xdf)
		case 0x8f:
			return in(b[1], 0xa1, 0xfe) && in(b[2], 0xa1, 0xfe)
		}
		return in(b[0], 0xa1, 0xfe) && in(b[1], 0xa1, 0xfe)
	case ruleSJIS:
		return len(b) == 1 || (in(b[0], 0x81, 0x9f) || in(b[0], 0xe0, 0xfc)) && (in(b[1], 0x40, 0x7e) || in(b[1], 0x80, 0xfc))
	case rulePairs:
		return b[1] != 0
	case ruleGB18030:
		if len(b) == 4 {
			return in(b[0], 0x81, 0xfe) && in(b[2], 0x81, 0xfe) && in(b[3], '0', '9')
		}
		return in(b[0], 0x81, 0xfe) && (in(b[1], 0x40, 0x7e) || in(b[1], 0x80, 0xfe))
	}
	return true
}

func isASCII[S string | []byte](b S) bool {
	for i := 0; i < len(b); i++ {
		if b[i] >= utf8.RuneSelf || b[i] == 0 {
			return false
		}
	}
	return true
}

// Verify checks that b is text of the encoding, without converting it, and
// counts its characters.
func (e *Encoding) Verify(b []byte) (characters int, err error) {
	if e.Number == UTF8 {
		s := string(b)
		return utf8.RuneCountInString(s), types.CheckUTF8(s)
	}
	for len(b) > 0 {
		n := e.rule.length(b)
		if n > len(b) || b[0] == 0 || b[0] >= utf8.RuneSelf && !e.rule.valid(b[:n]) {
			return 0, e.invalid(b[:min(n, len(b))])
		}
		b = b[n:]
		characters++
	}
	return characters, nil
}

// ToUTF8 converts text of the encoding: 22021 when it is malformed, 22P05 when
// UTF8 lacks a character. The result may share b's memory.
func (e *Encoding) ToUTF8(b []byte) ([]byte, error) {
	if isASCII(b) {
		return b, nil
	}
	if e.IsUTF8() {
		return b, types.CheckUTF8(string(b))
	}
	out := make([]byte, 0, len(b)+len(b)/2)
	for len(b) > 0 {
		n := e.rule.length(b)
		if n > len(b) || b[0] == 0 {
			return nil, e.invalid(b[:min(n, len(b))])
		}
		if b[0] < utf8.RuneSelf {
			out = append(out, b[0])
			b = b[1:]
			continue
		}
		if !e.rule.valid(b[:n]) {
			return nil, e.invalid(b[:n])
		}
		at := len(out)
		if e.single != nil {
			out = utf8.AppendRune(out, e.single.DecodeByte(b[0]))
		} else {
			c, err := e.multi.NewDecoder().Bytes(b[:n])
			if err != nil {
				return nil, untranslatable(b[:n], e.Name, "UTF8")
			}
			out = append(out, c...)
		}
		if r, _ := utf8.DecodeRune(out[at:]); r == utf8.RuneError || e.hole(r) {
			return nil, untranslatable(b[:n], e.Name, "UTF8")
		}
		b = b[n:]
	}
	return out, nil
}

// hole: the code page does not have the character though its table does.
func (e *Encoding) hole(r rune) bool { return e.holes && r >= 0x80 && r < 0xa0 }

// FromUTF8 converts valid UTF-8: 22P05 when the encoding lacks a character. The
// result may share s's memory.
func (e *Encoding) FromUTF8(s []byte) ([]byte, error) {
	if e.IsUTF8() || isASCII(s) {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for len(s) > 0 {
		r, n := utf8.DecodeRune(s)
		if r < utf8.RuneSelf {
			out = append(out, byte(r))
			s = s[n:]
			continue
		}
		ok := !e.hole(r)
		if e.single != nil {
			c, has := e.single.EncodeRune(r)
			ok = ok && has
			out = append(out, c)
		} else if ok {
			c, err := e.multi.NewEncoder().Bytes(s[:n])
			ok = err == nil && len(c) > 0 && e.rule.length(c) == len(c) && e.rule.valid(c)
			out = append(out, c...)
		}
		if !ok {
			return nil, untranslatable(s[:n], "UTF8", e.Name)
		}
		s = s[n:]
	}
	return out, nil
}
