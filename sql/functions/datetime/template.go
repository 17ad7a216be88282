package datetime

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// A template of to_char, to_date and to_timestamp is cut into patterns (fields),
// separators, spaces and other characters.

type nodeKind uint8

const (
	nodeChar nodeKind = iota
	nodeSeparator
	nodeSpace
	nodeField
)

// field is a template pattern; the letter case it was written in is kept apart.
type field uint8

const (
	fAD field = iota
	fADDots
	fAM
	fAMDots
	fCC
	fDay
	fDDD
	fDD
	fDy
	fD
	fFF // with digits in fieldNode.ff
	fFX
	fHH24
	fHH12
	fIDDD
	fID
	fIW
	fIYYY
	fIYY
	fIY
	fI
	fJ
	fMI
	fMM
	fMonth
	fMon
	fMS
	fOF
	fQ
	fRM
	fSSSS
	fSS
	fTZH
	fTZM
	fTZ
	fUS
	fWW
	fW
	fYComma
	fYYYY
	fYYY
	fYY
	fY
)

// calendar says which year and week counting a field belongs to.
type calendar uint8

const (
	anyCalendar calendar = iota
	gregorian
	isoWeek
)

type keyword struct {
	name  string
	f     field
	digit bool
	cal   calendar
	ff    int
}

// keywords in the order they are tried: the longer of two with a common start first.
var keywords = func() []keyword {
	up := []keyword{
		{"A.D.", fADDots, false, anyCalendar, 0}, {"A.M.", fAMDots, false, anyCalendar, 0}, {"AD", fAD, false, anyCalendar, 0}, {"AM", fAM, false, anyCalendar, 0},
		{"B.C.", fADDots, false, anyCalendar, 0}, {"BC", fAD, false, anyCalendar, 0}, {"CC", fCC, true, anyCalendar, 0},
		{"DAY", fDay, false, anyCalendar, 0}, {"DDD", fDDD, true, gregorian, 0}, {"DD", fDD, true, gregorian, 0}, {"DY", fDy, false, anyCalendar, 0}, {"D", fD, true, gregorian, 0},
		{"FF1", fFF, false, anyCalendar, 1}, {"FF2", fFF, false, anyCalendar, 2}, {"FF3", fFF, false, anyCalendar, 3},
		{"FF4", fFF, false, anyCalendar, 4}, {"FF5", fFF, false, anyCalendar, 5}, {"FF6", fFF, false, anyCalendar, 6}, {"FX", fFX, false, anyCalendar, 0},
		{"HH24", fHH24, true, anyCalendar, 0}, {"HH12", fHH12, true, anyCalendar, 0}, {"HH", fHH12, true, anyCalendar, 0},
		{"IDDD", fIDDD, true, isoWeek, 0}, {"ID", fID, true, isoWeek, 0}, {"IW", fIW, true, isoWeek, 0},
		{"IYYY", fIYYY, true, isoWeek, 0}, {"IYY", fIYY, true, isoWeek, 0}, {"IY", fIY, true, isoWeek, 0}, {"I", fI, true, isoWeek, 0},
		{"J", fJ, true, anyCalendar, 0}, {"MI", fMI, true, anyCalendar, 0}, {"MM", fMM, true, gregorian, 0},
		{"MONTH", fMonth, false, gregorian, 0}, {"MON", fMon, false, gregorian, 0}, {"MS", fMS, true, anyCalendar, 0},
		{"OF", fOF, false, anyCalendar, 0}, {"P.M.", fAMDots, false, anyCalendar, 0}, {"PM", fAM, false, anyCalendar, 0}, {"Q", fQ, true, anyCalendar, 0},
		{"RM", fRM, false, gregorian, 0}, {"SSSSS", fSSSS, true, anyCalendar, 0}, {"SSSS", fSSSS, true, anyCalendar, 0}, {"SS", fSS, true, anyCalendar, 0},
		{"TZH", fTZH, false, anyCalendar, 0}, {"TZM", fTZM, true, anyCalendar, 0}, {"TZ", fTZ, false, anyCalendar, 0}, {"US", fUS, true, anyCalendar, 0},
		{"WW", fWW, true, gregorian, 0}, {"W", fW, true, gregorian, 0}, {"Y,YYY", fYComma, true, gregorian, 0},
		{"YYYY", fYYYY, true, gregorian, 0}, {"YYY", fYYY, true, gregorian, 0}, {"YY", fYY, true, gregorian, 0}, {"Y", fY, true, gregorian, 0},
	}
	var all []keyword
	for _, k := range up {
		all = append(all, k)
		switch k.name {
		case "DAY", "DY", "MONTH", "MON":
			c := k
			c.name = k.name[:1] + strings.ToLower(k.name[1:])
			all = append(all, c)
		}
		c := k
		c.name = strings.ToLower(k.name)
		all = append(all, c)
	}
	return all
}()

type templateNode struct {
	kind   nodeKind
	text   string // of a character node, one character
	key    *keyword
	fill   bool // FM
	locale bool // TM
	th     bool // TH or th follows
	upper  bool // TH
}

var templateCache sync.Map // template text → []templateNode, bounded by templateCacheMax

const templateCacheTextMax = 256

var templateCacheSize struct {
	sync.Mutex
	n int
}

const templateCacheMax = 512

// parseTemplate cuts a template, keeping a bounded number of results.
func parseTemplate(s string) []templateNode {
	if t, ok := templateCache.Load(s); ok {
		return t.([]templateNode)
	}
	t := cutTemplate(s)
	templateCacheSize.Lock()
	defer templateCacheSize.Unlock()
	if len(s) <= templateCacheTextMax && templateCacheSize.n < templateCacheMax {
		templateCacheSize.n++
		templateCache.Store(strings.Clone(s), t)
	}
	return t
}

func isSeparator(c byte) bool {
	return c > 0x20 && c < 0x7f && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func cutTemplate(s string) []templateNode {
	var nodes []templateNode
	s = strings.Clone(s)
	for s != "" {
		n := templateNode{}
		for hasPrefixFold2(s, "FM", "fm") || hasPrefixFold2(s, "TM", "tm") {
			if s[0] == 'F' || s[0] == 'f' {
				n.fill = true
			} else {
				n.locale = true
			}
			s = s[2:]
			break
		}
		if n.key = findKeyword(s); n.key != nil {
			n.kind = nodeField
			s = s[len(n.key.name):]
			switch {
			case strings.HasPrefix(s, "TH"):
				n.th, n.upper, s = true, true, s[2:]
			case strings.HasPrefix(s, "th"):
				n.th, s = true, s[2:]
			case strings.HasPrefix(s, "SP"):
				s = s[2:]
			}
			nodes = append(nodes, n)
			continue
		}
		if s == "" {
			break
		}
		if s[0] == '"' {
			for s = s[1:]; s != ""; {
				if s[0] == '"' {
					s = s[1:]
					break
				}
				if s[0] == '\\' && len(s) > 1 {
					s = s[1:]
				}
				_, size := utf8.DecodeRuneInString(s)
				nodes = append(nodes, templateNode{kind: nodeChar, text: s[:size]})
				s = s[size:]
			}
			continue
		}
		if s[0] == '\\' && len(s) > 1 && s[1] == '"' {
			s = s[1:]
		}
		_, size := utf8.DecodeRuneInString(s)
		c := templateNode{kind: nodeChar, text: s[:size]}
		switch {
		case isSeparator(s[0]):
			c.kind = nodeSeparator
		case isSpace(s[0]):
			c.kind = nodeSpace
		}
		nodes = append(nodes, c)
		s = s[size:]
	}
	return nodes
}

func hasPrefixFold2(s, a, b string) bool { return strings.HasPrefix(s, a) || strings.HasPrefix(s, b) }

func findKeyword(s string) *keyword {
	for i := range keywords {
		if strings.HasPrefix(s, keywords[i].name) {
			return &keywords[i]
		}
	}
	return nil
}
