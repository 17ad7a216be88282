package text

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

func encode(b []byte, format string) (string, error) {
	switch lowerASCII(format) {
	case "hex":
		return hex.EncodeToString(b), nil
	case "base64":
		s := base64.StdEncoding.EncodeToString(b)
		var out strings.Builder
		for len(s) > 76 || len(s) == 76 && s[75] != '=' { // MIME's line length; a padded last line stays open
			out.WriteString(s[:76])
			out.WriteByte('\n')
			s = s[76:]
		}
		out.WriteString(s)
		return out.String(), nil
	case "escape":
		var out []byte
		for _, c := range b {
			switch {
			case c == 0 || c >= 0x80:
				out = append(out, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
			case c == '\\':
				out = append(out, '\\', '\\')
			default:
				out = append(out, c)
			}
		}
		return string(out), nil
	}
	return "", invalidParameter("unrecognized encoding: \"%s\"", format)
}

func decode(s, format string) ([]byte, error) {
	switch lowerASCII(format) {
	case "hex":
		return types.ParseHex(s)
	case "base64":
		return decodeBase64(s)
	case "escape":
		if strings.HasPrefix(s, `\x`) { // not bytea's hexadecimal form here
			return nil, pgerror.New(pgerror.InvalidTextRepresentation, "invalid input syntax for type bytea")
		}
		return types.ParseBytea(s)
	}
	return nil, invalidParameter("unrecognized encoding: \"%s\"", format)
}

// decodeBase64 reads as PostgreSQL does: white space anywhere, whole groups of
// four, and whatever follows a padding sign in its group is dropped.
func decodeBase64(s string) ([]byte, error) {
	out := []byte{}
	var buf uint32
	pos, end := 0, 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		var v uint32
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			continue
		case c == '=':
			if end == 0 {
				if pos != 2 && pos != 3 {
					return nil, invalidParameter("unexpected \"=\" while decoding base64 sequence")
				}
				end = pos - 1
			}
		case c >= 'A' && c <= 'Z':
			v = uint32(c - 'A')
		case c >= 'a' && c <= 'z':
			v = uint32(c-'a') + 26
		case c >= '0' && c <= '9':
			v = uint32(c-'0') + 52
		case c == '+':
			v = 62
		case c == '/':
			v = 63
		default:
			_, n := utf8.DecodeRuneInString(s[i:])
			return nil, invalidParameter("invalid symbol \"%s\" found while decoding base64 sequence", s[i:i+n])
		}
		buf = buf<<6 | v
		if pos++; pos == 4 {
			out = append(out, byte(buf>>16))
			if end == 0 || end > 1 {
				out = append(out, byte(buf>>8))
			}
			if end == 0 || end > 2 {
				out = append(out, byte(buf))
			}
			buf, pos = 0, 0
		}
	}
	if pos != 0 {
		return nil, invalidParameter("invalid base64 end sequence").
			WithHint("Input data is missing padding, is truncated, or is otherwise corrupted.")
	}
	return out, nil
}

// charset is a PostgreSQL encoding. enc is nil for UTF8, and for SQL_ASCII (raw).
type charset struct {
	name string
	enc  encoding.Encoding
	raw  bool
}

var charsets = func() map[string]charset {
	m := map[string]charset{}
	add := func(name string, enc encoding.Encoding, aliases ...string) {
		for _, a := range append(aliases, name) {
			m[charsetKey(a)] = charset{name: name, enc: enc, raw: enc == nil && name != "UTF8"}
		}
	}
	add("UTF8", nil, "UTF-8", "Unicode")
	add("SQL_ASCII", nil)
	add("LATIN1", charmap.ISO8859_1, "ISO88591")
	add("LATIN2", charmap.ISO8859_2, "ISO88592")
	add("LATIN3", charmap.ISO8859_3, "ISO88593")
	add("LATIN4", charmap.ISO8859_4, "ISO88594")
	add("LATIN5", charmap.ISO8859_9, "ISO88599")
	add("LATIN6", charmap.ISO8859_10, "ISO885910")
	add("LATIN7", charmap.ISO8859_13, "ISO885913")
	add("LATIN8", charmap.ISO8859_14, "ISO885914")
	add("LATIN9", charmap.ISO8859_15, "ISO885915")
	add("LATIN10", charmap.ISO8859_16, "ISO885916")
	add("ISO_8859_5", charmap.ISO8859_5)
	add("ISO_8859_6", charmap.ISO8859_6)
	add("ISO_8859_7", charmap.ISO8859_7)
	add("ISO_8859_8", charmap.ISO8859_8)
	add("KOI8R", charmap.KOI8R, "KOI8")
	add("KOI8U", charmap.KOI8U)
	add("WIN866", charmap.CodePage866, "ALT")
	add("WIN874", charmap.Windows874)
	add("WIN1250", charmap.Windows1250)
	add("WIN1251", charmap.Windows1251, "WIN")
	add("WIN1252", charmap.Windows1252)
	add("WIN1253", charmap.Windows1253)
	add("WIN1254", charmap.Windows1254)
	add("WIN1255", charmap.Windows1255)
	add("WIN1256", charmap.Windows1256)
	add("WIN1257", charmap.Windows1257)
	add("WIN1258", charmap.Windows1258)
	add("EUC_JP", japanese.EUCJP)
	add("SJIS", japanese.ShiftJIS, "ShiftJIS", "Mskanji", "WIN932", "Windows932")
	add("EUC_KR", korean.EUCKR)
	add("UHC", korean.EUCKR, "WIN949", "Windows949")
	add("GBK", simplifiedchinese.GBK, "WIN936", "Windows936")
	add("GB18030", simplifiedchinese.GB18030)
	add("BIG5", traditionalchinese.Big5, "WIN950", "Windows950")
	return m
}()

// charsetKey drops what does not count in an encoding's name.
func charsetKey(s string) string {
	return strings.Map(func(c rune) rune {
		if c < utf8.RuneSelf && isAlnum(byte(c)) {
			return c
		}
		return -1
	}, lowerASCII(s))
}

func hexBytes(b []byte) string {
	parts := make([]string, len(b))
	for i, c := range b {
		parts[i] = fmt.Sprintf("0x%02x", c)
	}
	return strings.Join(parts, " ")
}

// toUTF8 decodes b.
func (c charset) toUTF8(b []byte) (string, error) {
	if c.enc == nil {
		s := string(b)
		if c.raw && !utf8.ValidString(s) { // ASCII bytes only are known
			for _, x := range b {
				if x >= 0x80 {
					return "", types.CheckUTF8(s)
				}
			}
		}
		return s, types.CheckUTF8(s)
	}
	out, err := c.enc.NewDecoder().Bytes(b)
	if err != nil {
		return "", pgerror.New(pgerror.CharacterNotInRepertoire, "invalid byte sequence for encoding \"%s\": %s", c.name, hexBytes(b[:min(1, len(b))]))
	}
	s := string(out)
	if i := strings.IndexRune(s, utf8.RuneError); i >= 0 {
		at := min(utf8.RuneCountInString(s[:i]), len(b)-1)
		if _, single := c.enc.(*charmap.Charmap); single {
			return "", pgerror.New(pgerror.UntranslatableCharacter,
				"character with byte sequence %s in encoding \"%s\" has no equivalent in encoding \"UTF8\"", hexBytes(b[at:at+1]), c.name)
		}
		return "", pgerror.New(pgerror.CharacterNotInRepertoire, "invalid byte sequence for encoding \"%s\": %s", c.name, hexBytes(b[at:min(at+2, len(b))]))
	}
	return s, types.CheckUTF8(s)
}

// fromUTF8 encodes s.
func (c charset) fromUTF8(s string) ([]byte, error) {
	if c.enc == nil {
		return []byte(s), nil
	}
	e := c.enc.NewEncoder()
	b, err := e.Bytes([]byte(s))
	if err == nil {
		return append([]byte{}, b...), nil
	}
	for _, r := range s {
		if _, err := c.enc.NewEncoder().String(string(r)); err != nil {
			return nil, pgerror.New(pgerror.UntranslatableCharacter,
				"character with byte sequence %s in encoding \"UTF8\" has no equivalent in encoding \"%s\"", hexBytes([]byte(string(r))), c.name)
		}
	}
	return nil, pgerror.Wrap(err, pgerror.InternalError, "%s", err.Error())
}

func charsetOf(name, role string) (charset, error) {
	c, ok := charsets[charsetKey(name)]
	if !ok {
		return c, invalidParameter("invalid %s encoding name \"%s\"", role, name)
	}
	return c, nil
}

func convertFrom(b []byte, name string) (string, error) {
	c, err := charsetOf(name, "source")
	if err != nil {
		return "", err
	}
	return c.toUTF8(b)
}

func convertTo(s, name string) ([]byte, error) {
	c, err := charsetOf(name, "destination")
	if err != nil {
		return nil, err
	}
	return c.fromUTF8(s)
}

func convert(b []byte, from, to string) ([]byte, error) {
	src, err := charsetOf(from, "source")
	if err != nil {
		return nil, err
	}
	dst, err := charsetOf(to, "destination")
	if err != nil {
		return nil, err
	}
	s, err := src.toUTF8(b)
	if err != nil {
		return nil, err
	}
	return dst.fromUTF8(s)
}

func registerEncoding(r *expr.Registry) {
	adapt.Add(r, "encode(bytea,text)", adapt.E2(encode))
	adapt.Add(r, "decode(text,text)", adapt.E2(decode))
	adapt.Add(r, "convert_from(bytea,name)", adapt.E2(convertFrom))
	adapt.Add(r, "convert_to(text,name)", adapt.E2(convertTo))
	adapt.Add(r, "convert(bytea,name,name)", adapt.E3(convert))
	adapt.Add(r, "length(bytea,name)", adapt.E2(func(b []byte, name string) (int32, error) {
		c, ok := charsets[charsetKey(name)]
		if !ok {
			return 0, invalidParameter("invalid encoding name \"%s\"", name)
		}
		s, err := c.toUTF8(b)
		return length(s), err
	}))
	ascii := func(enc string) error {
		return pgerror.New(pgerror.FeatureNotSupported, "encoding conversion from %s to ASCII not supported", enc)
	}
	adapt.Add(r, "to_ascii(text)", adapt.E1(func(string) (string, error) { return "", ascii("UTF8") }))
}
