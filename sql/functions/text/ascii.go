package text

import (
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types/charset"
	"github.com/basaltdb/basalt/vexec/expr"
)

// to_ascii takes the bytes of a text for characters of a one-byte encoding and
// drops their accents. In a UTF8 database the text's bytes are not of that
// encoding; the answer is PostgreSQL's all the same.

// asciiTable is what becomes of the bytes that occur in UTF-8: 0x80 … 0xbf and
// 0xc2 … 0xf4 (the others cannot).
type asciiTable struct{ tail, lead string }

var asciiTables = map[string]asciiTable{
	"LATIN1": {"                                  cL Y  \"Ca  -R     'u .,      ?",
		"AAAAACEEEEIIII NOOOOOxOUUUUYTBaaaaaaaceeeeiiii nooo"},
	"LATIN2": {"                                 A L LS \"SSTZ-ZZ a,l'ls ,sstz\"zz",
		"AAALCCCEEEEIIDDNNOOOOxRUUUUYTBraaaalccceeeeiiddnnoo"},
	"LATIN9": {"                                  cL YS sCa  -R     Zu .z   EeY?",
		"AAAAACEEEEIIII NOOOOOxOUUUUYTBaaaaaaaceeeeiiii nooo"},
	"WIN1250": {"  ' \"    %S<STZZ `'\"\".--  s>stzz   L A  \"CS  -RZ  ,l'u .,as L\"lz",
		"AAALCCCEEEEIIDDNNOOOOxRUUUUYTBraaaalccceeeeiiddnnoo"},
}

func toASCII(s string, e *charset.Encoding) (string, error) {
	t, ok := asciiTables[e.Name]
	if !ok {
		return "", pgerror.New(pgerror.FeatureNotSupported, "encoding conversion from %s to ASCII not supported", e.Name)
	}
	b := []byte(s)
	for i, c := range b {
		switch {
		case c >= 0xc2 && c <= 0xf4:
			b[i] = t.lead[c-0xc2]
		case c >= 0x80 && c < 0xc0:
			b[i] = t.tail[c-0x80]
		}
	}
	return string(b), nil
}

func registerASCII(r *expr.Registry) {
	adapt.Add(r, "to_ascii(text)", adapt.E1(func(s string) (string, error) { return toASCII(s, charset.ByNumber(charset.UTF8)) }))
	adapt.Add(r, "to_ascii(text,name)", adapt.E2(func(s, name string) (string, error) {
		e := charset.Find(name)
		if e == nil {
			return "", pgerror.New(pgerror.UndefinedObject, "%s is not a valid encoding name", name)
		}
		return toASCII(s, e)
	}))
	adapt.Add(r, "to_ascii(text,int4)", adapt.E2(func(s string, n int32) (string, error) {
		e := charset.ByNumber(n)
		if e == nil {
			return "", pgerror.New(pgerror.UndefinedObject, "%d is not a valid encoding code", n)
		}
		return toASCII(s, e)
	}))
}
