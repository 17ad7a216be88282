package charset

import (
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// Encoding is one of PostgreSQL's encodings.
type Encoding struct {
	Name   string // as PostgreSQL prints it
	Number int32  // pg_char_to_encoding()
	single *charmap.Charmap
	multi  encoding.Encoding
	rule   rule
	// holes: the code page has no C1 control characters, whatever the table says.
	holes bool
}

// rule is how an encoding of several bytes is cut into characters.
type rule uint8

const (
	ruleNone rule = iota
	ruleEUC       // pairs of bytes 0xa1 … 0xfe
	ruleEUCJP
	ruleSJIS
	rulePairs // a byte with the high bit and any other but NUL
	ruleGB18030
)

// The numbers of the encodings without a table.
const (
	SQLASCII = 0
	UTF8     = 6
)

var byName, byNumber = func() (map[string]*Encoding, map[int32]*Encoding) {
	names, numbers := map[string]*Encoding{}, map[int32]*Encoding{}
	add := func(e Encoding, aliases ...string) {
		for _, a := range append(aliases, e.Name) {
			names[key(a)] = &e
		}
		numbers[e.Number] = &e
	}
	single := func(number int32, name string, m *charmap.Charmap, aliases ...string) {
		add(Encoding{Name: name, Number: number, single: m, holes: strings.HasPrefix(name, "WIN") && name != "WIN866"}, aliases...)
	}
	multi := func(number int32, name string, m encoding.Encoding, r rule, aliases ...string) {
		add(Encoding{Name: name, Number: number, multi: m, rule: r}, aliases...)
	}
	add(Encoding{Name: "SQL_ASCII"})
	add(Encoding{Name: "UTF8", Number: UTF8}, "Unicode", "UTF-8")
	multi(1, "EUC_JP", japanese.EUCJP, ruleEUCJP)
	multi(2, "EUC_CN", simplifiedchinese.GBK, ruleEUC)
	multi(3, "EUC_KR", korean.EUCKR, ruleEUC)
	multi(4, "EUC_TW", nil, ruleNone)
	multi(5, "EUC_JIS_2004", nil, ruleNone)
	multi(7, "MULE_INTERNAL", nil, ruleNone)
	single(8, "LATIN1", charmap.ISO8859_1, "ISO88591")
	single(9, "LATIN2", charmap.ISO8859_2, "ISO88592")
	single(10, "LATIN3", charmap.ISO8859_3, "ISO88593")
	single(11, "LATIN4", charmap.ISO8859_4, "ISO88594")
	single(12, "LATIN5", charmap.ISO8859_9, "ISO88599")
	single(13, "LATIN6", charmap.ISO8859_10, "ISO885910")
	single(14, "LATIN7", charmap.ISO8859_13, "ISO885913")
	single(15, "LATIN8", charmap.ISO8859_14, "ISO885914")
	single(16, "LATIN9", charmap.ISO8859_15, "ISO885915")
	single(17, "LATIN10", charmap.ISO8859_16, "ISO885916")
	single(18, "WIN1256", charmap.Windows1256, "Windows1256")
	single(19, "WIN1258", charmap.Windows1258, "Windows1258", "ABC", "TCVN", "TCVN5712", "VSCII")
	single(20, "WIN866", charmap.CodePage866, "Windows866", "ALT")
	single(21, "WIN874", charmap.Windows874, "Windows874")
	single(22, "KOI8R", charmap.KOI8R, "KOI8")
	single(23, "WIN1251", charmap.Windows1251, "Windows1251", "WIN")
	single(24, "WIN1252", charmap.Windows1252, "Windows1252")
	single(25, "ISO_8859_5", charmap.ISO8859_5)
	single(26, "ISO_8859_6", charmap.ISO8859_6)
	single(27, "ISO_8859_7", charmap.ISO8859_7)
	single(28, "ISO_8859_8", charmap.ISO8859_8)
	single(29, "WIN1250", charmap.Windows1250, "Windows1250")
	single(30, "WIN1253", charmap.Windows1253, "Windows1253")
	single(31, "WIN1254", charmap.Windows1254, "Windows1254")
	single(32, "WIN1255", charmap.Windows1255, "Windows1255")
	single(33, "WIN1257", charmap.Windows1257, "Windows1257")
	single(34, "KOI8U", charmap.KOI8U)
	multi(35, "SJIS", japanese.ShiftJIS, ruleSJIS, "ShiftJIS", "Mskanji", "WIN932", "Windows932")
	multi(36, "BIG5", traditionalchinese.Big5, rulePairs, "WIN950", "Windows950")
	multi(37, "GBK", simplifiedchinese.GBK, rulePairs, "WIN936", "Windows936")
	multi(38, "UHC", korean.EUCKR, rulePairs, "WIN949", "Windows949")
	multi(39, "GB18030", simplifiedchinese.GB18030, ruleGB18030)
	multi(40, "JOHAB", nil, ruleNone)
	multi(41, "SHIFT_JIS_2004", nil, ruleNone)
	return names, numbers
}()

// key is a name without what does not count in it: case and punctuation.
func key(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			return c
		}
		return -1
	}, s)
}

// Find finds an encoding by any spelling of its name; nil when there is none.
func Find(name string) *Encoding { return byName[key(name)] }

// ByNumber finds an encoding by PostgreSQL's number; nil when there is none.
func ByNumber(n int32) *Encoding { return byNumber[n] }

// IsUTF8 reports that nothing has to be converted, only checked: UTF8 and SQL_ASCII.
func (e *Encoding) IsUTF8() bool { return e.Number == UTF8 || e.Number == SQLASCII }

// Converts reports that there is a conversion to and from UTF8 (or none is needed).
func (e *Encoding) Converts() bool { return e.IsUTF8() || e.single != nil || e.multi != nil }

// MaxLength is the most bytes a character has.
func (e *Encoding) MaxLength() int32 {
	switch e.Name {
	case "EUC_JP", "EUC_CN", "EUC_KR", "EUC_JIS_2004", "JOHAB":
		return 3
	case "UTF8", "EUC_TW", "MULE_INTERNAL", "GB18030":
		return 4
	case "SJIS", "BIG5", "GBK", "UHC", "SHIFT_JIS_2004":
		return 2
	}
	return 1
}

// Direct reports that PostgreSQL has a conversion between two encodings other than UTF8.
func Direct(a, b *Encoding) bool {
	group := func(names ...string) bool {
		found := 0
		for _, n := range names {
			if a.Name == n || b.Name == n {
				found++
			}
		}
		return found == 2
	}
	return group("KOI8R", "WIN1251", "WIN866", "ISO_8859_5") || group("LATIN2", "WIN1250") || group("EUC_JP", "SJIS")
}
