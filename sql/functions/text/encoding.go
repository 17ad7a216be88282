package text

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/charset"
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

func encodingOf(name, role string) (*charset.Encoding, error) {
	if e := charset.Find(name); e != nil {
		return e, nil
	}
	return nil, invalidParameter("invalid %s encoding name \"%s\"", role, name)
}

func noConversion(from, to *charset.Encoding) error {
	return pgerror.New(pgerror.UndefinedFunction, "default conversion function for encoding \"%s\" to \"%s\" does not exist", from.Name, to.Name)
}

func convertFrom(b []byte, name string) (string, error) {
	e, err := encodingOf(name, "source")
	if err != nil {
		return "", err
	}
	if !e.Converts() {
		return "", pgerror.Unsupported("conversion from encoding \"%s\"", e.Name)
	}
	out, err := e.ToUTF8(b)
	return string(out), err
}

func convertTo(s, name string) ([]byte, error) {
	e, err := encodingOf(name, "destination")
	if err != nil {
		return nil, err
	}
	if !e.Converts() {
		return nil, pgerror.Unsupported("conversion to encoding \"%s\"", e.Name)
	}
	out, err := e.FromUTF8([]byte(s))
	return append([]byte{}, out...), err
}

// convert goes over UTF8; the source is checked first, as PostgreSQL does.
func convert(b []byte, from, to string) ([]byte, error) {
	src, err := encodingOf(from, "source")
	if err != nil {
		return nil, err
	}
	dst, err := encodingOf(to, "destination")
	if err != nil {
		return nil, err
	}
	if _, err := src.Verify(b); err != nil {
		return nil, err
	}
	if src == dst || dst.Number == charset.SQLASCII || src.Number == charset.SQLASCII {
		if src.Number == charset.SQLASCII {
			if _, err := dst.Verify(b); err != nil {
				return nil, err
			}
		}
		return append([]byte{}, b...), nil
	}
	if !src.Converts() || !dst.Converts() {
		return nil, pgerror.Unsupported("conversion between encodings \"%s\" and \"%s\"", src.Name, dst.Name)
	}
	if !src.IsUTF8() && !dst.IsUTF8() && !charset.Direct(src, dst) {
		return nil, noConversion(src, dst)
	}
	s, err := src.ToUTF8(b)
	if err != nil {
		return nil, err
	}
	out, err := dst.FromUTF8(s)
	return append([]byte{}, out...), err
}

func registerEncoding(r *expr.Registry) {
	adapt.Add(r, "encode(bytea,text)", adapt.E2(encode))
	adapt.Add(r, "decode(text,text)", adapt.E2(decode))
	adapt.Add(r, "convert_from(bytea,name)", adapt.E2(convertFrom))
	adapt.Add(r, "convert_to(text,name)", adapt.E2(convertTo))
	adapt.Add(r, "convert(bytea,name,name)", adapt.E3(convert))
	adapt.Add(r, "length(bytea,name)", adapt.E2(func(b []byte, name string) (int32, error) {
		e := charset.Find(name)
		if e == nil {
			return 0, invalidParameter("invalid encoding name \"%s\"", name)
		}
		n, err := e.Verify(b)
		return int32(n), err
	}))
	adapt.Add(r, "pg_encoding_max_length(int4)", adapt.F1(func(n int32) types.Datum {
		if e := charset.ByNumber(n); e != nil {
			return e.MaxLength()
		}
		return nil
	}))
	registerASCII(r)
}
