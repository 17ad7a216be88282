package datetime

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// Reading of texts by template: to_date and to_timestamp.

// parsed collects the fields of a text; 0 stands for not given, as in PostgreSQL.
type parsed struct {
	hh, mi, ss, ssss, ms, us int
	pm, bc                   int
	clock12                  bool
	year, yearSize, cc       int
	mm, dd, ddd, d, ww, w, j int
	cal                      calendar
	tzh, tzm, zoneSign       int
	clock                    types.Clock // the result
}

type templateReader struct {
	parsed
	s     string
	p     int
	nodes []templateNode
	at    int // the node being read
	extra int // characters skipped beyond what the template has
	fixed bool
	std   bool // SQL's way: what is no field stands in the text as it is, and nothing is left over
}

func badFormat(format string, args ...any) *pgerror.Error {
	return pgerror.New(pgerror.InvalidDatetimeFormat, format, args...)
}

func (r *templateReader) key() *keyword { return r.nodes[r.at].key }

// set stores a field's value; a second, different one is an error.
func (r *templateReader) set(dst *int, v int) error {
	if *dst != 0 && *dst != v {
		return badFormat("conflicting values for \"%s\" field in formatting string", r.key().name).
			WithDetail("This value contradicts a previous setting for the same field type.")
	}
	*dst = v
	return nil
}

// openEnded reports that a number may take all digits there are: the next node is no digit.
func (r *templateReader) openEnded() bool {
	if r.nodes[r.at].fill || r.nodes[r.at].th || r.at+1 >= len(r.nodes) {
		return true
	}
	n := &r.nodes[r.at+1]
	if n.kind == nodeField {
		return !n.key.digit
	}
	return !(len(n.text) == 1 && n.text[0] >= '0' && n.text[0] <= '9')
}

// scanLong is C's strtol: white space, sign, digits.
func scanLong(s string) (v int64, used int, overflow bool) {
	i := 0
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	start := i
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	ds := i
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	if i == ds {
		return 0, 0, false
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(s[start:i], "+"), 10, 64)
	return n, i, err != nil
}

// number reads an integer field of up to width digits into dst (nil: ignored).
func (r *templateReader) number(dst *int, width int) (int, error) {
	init := r.p
	for r.p < len(r.s) && isSpace(r.s[r.p]) {
		r.p++
	}
	rest := r.s[r.p:]
	text := rest
	if len(text) > width {
		text = text[:width]
	}
	var v int64
	var over bool
	const hint = "If your source string is not fixed-width, try using the \"FM\" modifier."
	if r.openEnded() {
		var used int
		if v, used, over = scanLong(r.s[init:]); used > 0 {
			r.p = init + used
		} else {
			r.p = init
		}
	} else {
		if len(rest) < width {
			return 0, badFormat("source string too short for \"%s\" formatting field", r.key().name).
				WithDetail("Field requires %d characters, but only %d remain.", width, len(rest)).WithHint(hint)
		}
		var used int
		v, used, over = scanLong(text)
		if used > 0 && used < width {
			return 0, badFormat("invalid value \"%s\" for \"%s\"", text, r.key().name).
				WithDetail("Field requires %d characters, but only %d could be parsed.", width, used).WithHint(hint)
		}
		r.p += used
	}
	if r.p == init {
		return 0, badFormat("invalid value \"%s\" for \"%s\"", text, r.key().name).WithDetail("Value must be an integer.")
	}
	if over || v > math.MaxInt32 || v < math.MinInt32 {
		return 0, pgerror.New(pgerror.DatetimeFieldOverflow, "value for \"%s\" in source string is out of range", r.key().name).
			WithDetail("Value must be in the range %d to %d.", math.MinInt32, math.MaxInt32)
	}
	if dst != nil {
		if err := r.set(dst, int(v)); err != nil {
			return 0, err
		}
	}
	return r.p - init, nil
}

// choice reads one of some words in any letter case.
func (r *templateReader) choice(words []string) (int, error) {
	rest := r.s[r.p:]
	for i, w := range words {
		if len(rest) >= len(w) && strings.EqualFold(rest[:len(w)], w) {
			r.p += len(w)
			return i, nil
		}
	}
	for i := range len(rest) {
		if isSpace(rest[i]) {
			rest = rest[:i]
			break
		}
	}
	return 0, badFormat("invalid value \"%s\" for \"%s\"", rest, r.key().name).
		WithDetail("The given value did not match any of the allowed values for this field.")
}

func (r *templateReader) skipSpaces() {
	for r.p < len(r.s) && isSpace(r.s[r.p]) {
		r.p++
		r.extra++
	}
}

func (r *templateReader) skipChar() {
	_, n := utf8.DecodeRuneInString(r.s[r.p:])
	r.p += n
}

func (r *templateReader) read() error {
	for r.at = 0; r.at < len(r.nodes) && r.p < len(r.s); r.at++ {
		n := &r.nodes[r.at]
		isFX := n.kind == nodeField && n.key.f == fFX
		if !r.fixed && !isFX && (n.kind == nodeField || r.at == 0) {
			r.skipSpaces()
		}
		switch n.kind {
		case nodeSpace, nodeSeparator:
			if r.std {
				if r.s[r.p] != n.text[0] {
					return badFormat("unmatched format separator \"%s\"", n.text)
				}
				r.p++
				continue
			}
			if r.fixed {
				if r.p < len(r.s) {
					r.skipChar()
				}
				continue
			}
			r.extra--
			if r.p < len(r.s) && (isSpace(r.s[r.p]) || isSeparator(r.s[r.p])) {
				r.p++
				r.extra++
			}
			continue
		case nodeChar:
			if r.std && !strings.HasPrefix(r.s[r.p:], n.text) {
				return badFormat("unmatched format character \"%s\"", n.text)
			}
			if !r.fixed && r.extra > 0 {
				r.extra--
			} else if r.p < len(r.s) {
				r.skipChar()
			}
			continue
		}
		if c := n.key.cal; c != anyCalendar {
			if r.cal == anyCalendar {
				r.cal = c
			} else if r.cal != c {
				return badFormat("invalid combination of date conventions").
					WithHint("Do not mix Gregorian and ISO week date conventions in a formatting template.")
			}
		}
		if err := r.field(n); err != nil {
			return err
		}
		if !r.fixed {
			r.extra = 0
			r.skipSpaces()
		}
	}
	if r.std {
		if r.at < len(r.nodes) {
			return badFormat("input string is too short for datetime format")
		}
		if strings.TrimLeft(r.s[r.p:], " \t\n\v\f\r") != "" {
			return badFormat("trailing characters remain in input string after datetime format")
		}
	}
	return nil
}

func scaleDigits(v *int, digits, full int) {
	for ; digits < full; digits++ {
		*v *= 10
	}
}

var (
	eraWords     = []string{"ad", "bc"}
	eraDotWords  = []string{"a.d.", "b.c."}
	noonWords    = []string{"am", "pm"}
	noonDotWords = []string{"a.m.", "p.m."}
	monthShort   = shorten(monthNames[:])
	dayShort     = shorten(dayNames[:])
)

func shorten(names []string) []string {
	var s []string
	for _, n := range names {
		s = append(s, n[:3])
	}
	return s
}

func (r *templateReader) field(n *templateNode) error {
	k := n.key
	simple := func(dst *int, width int) error {
		_, err := r.number(dst, width)
		if err == nil && n.th {
			for range 2 {
				if r.p < len(r.s) {
					r.skipChar()
				}
			}
		}
		return err
	}
	word := func(dst *int, words []string, add int) error {
		i, err := r.choice(words)
		if err != nil {
			return err
		}
		return r.set(dst, i+add)
	}
	switch k.f {
	case fFX:
		r.fixed = true
	case fAM, fAMDots:
		r.clock12 = true
		if k.f == fAM {
			return word(&r.pm, noonWords, 0)
		}
		return word(&r.pm, noonDotWords, 0)
	case fAD:
		return word(&r.bc, eraWords, 0)
	case fADDots:
		return word(&r.bc, eraDotWords, 0)
	case fHH12:
		r.clock12 = true
		return simple(&r.hh, 2)
	case fHH24:
		return simple(&r.hh, 2)
	case fMI:
		return simple(&r.mi, 2)
	case fSS:
		return simple(&r.ss, 2)
	case fMS:
		used, err := r.number(&r.ms, 3)
		scaleDigits(&r.ms, used, 3)
		return err
	case fUS, fFF:
		width := 6
		if k.f == fFF {
			width = k.ff
		}
		used, err := r.number(&r.us, width)
		scaleDigits(&r.us, used, 6)
		return err
	case fSSSS:
		return simple(&r.ssss, len(k.name))
	case fTZ, fOF:
		return pgerror.Wrap(ErrField, pgerror.FeatureNotSupported, "formatting field \"%s\" is only supported in to_char", k.name)
	case fTZH:
		r.zoneSign = 1
		if c := r.s[r.p]; c == '+' || c == '-' || c == ' ' {
			if c == '-' {
				r.zoneSign = -1
			}
			r.p++
		} else if r.extra > 0 && r.s[r.p-1] == '-' {
			r.zoneSign = -1
		}
		_, err := r.number(&r.tzh, 2)
		return err
	case fTZM:
		if r.zoneSign == 0 {
			r.zoneSign = 1
		}
		_, err := r.number(&r.tzm, 2)
		return err
	case fMonth:
		return word(&r.mm, monthNames[:], 1)
	case fMon:
		return word(&r.mm, monthShort, 1)
	case fMM:
		return simple(&r.mm, 2)
	case fDay:
		return word(&r.d, dayNames[:], 1)
	case fDy:
		return word(&r.d, dayShort, 1)
	case fDDD:
		return simple(&r.ddd, 3)
	case fIDDD:
		_, err := r.number(&r.ddd, 3)
		return err
	case fDD:
		return simple(&r.dd, 2)
	case fD:
		return simple(&r.d, 1)
	case fID:
		_, err := r.number(&r.d, 1)
		if r.d++; r.d > 7 {
			r.d = 1
		}
		return err
	case fWW, fIW:
		return simple(&r.ww, 2)
	case fQ:
		return simple(nil, 1)
	case fCC:
		return simple(&r.cc, 2)
	case fYComma:
		m, used, _ := scanLong(r.s[r.p:])
		rest := r.s[r.p+used:]
		if used == 0 || rest == "" || rest[0] != ',' {
			return badFormat("invalid input string for \"Y,YYY\"")
		}
		rest = rest[1:]
		if len(rest) > 3 {
			rest = rest[:3]
		}
		y, used2, _ := scanLong(rest)
		if used2 == 0 {
			return badFormat("invalid input string for \"Y,YYY\"")
		}
		r.p += used + 1 + used2
		if n.th {
			r.p = min(len(r.s), r.p+2)
		}
		r.yearSize = 4
		return r.set(&r.year, int(m*1000+y))
	case fYYYY, fIYYY:
		r.yearSize = 4
		return simple(&r.year, 4)
	case fYYY, fIYY, fYY, fIY, fY, fI:
		size := len(strings.TrimLeft(strings.ToUpper(k.name), "I"))
		if k.f == fI {
			size = 1
		} else if k.f == fIY {
			size = 2
		} else if k.f == fIYY {
			size = 3
		}
		used, err := r.number(&r.year, size)
		if err != nil {
			return err
		}
		if used < 4 {
			r.year = fullYear(r.year)
		}
		r.yearSize = size
		if n.th {
			r.p = min(len(r.s), r.p+2)
		}
	case fRM:
		i, err := r.choice(romanMonths[:])
		if err != nil {
			return err
		}
		return r.set(&r.mm, 12-i)
	case fW:
		return simple(&r.w, 1)
	case fJ:
		return simple(&r.j, 1)
	}
	return nil
}

// fullYear completes a year of one to three digits to the one nearest 2020.
func fullYear(y int) int {
	switch {
	case y < 70:
		return y + 2000
	case y < 100:
		return y + 1900
	case y < 520:
		return y + 2000
	case y < 1000:
		return y + 1000
	}
	return y
}

// parseByTemplate reads s; the result is in clock and the zone fields.
func parseByTemplate(s string, nodes []templateNode) (*parsed, error) {
	return (&templateReader{s: s, nodes: nodes}).parse()
}

func (r *templateReader) parse() (*parsed, error) {
	s := r.s
	if err := r.read(); err != nil {
		return nil, err
	}
	p := &r.parsed
	overflow := func() error {
		return pgerror.New(pgerror.DatetimeFieldOverflow, "date/time field value out of range: \"%s\"", s)
	}
	c := &p.clock
	c.Month, c.Day = 1, 1
	if p.ssss != 0 {
		c.Hour, c.Min, c.Sec = p.ssss/3600, p.ssss/60%60, p.ssss%60
	}
	for _, f := range []struct {
		v   int
		dst *int
	}{{p.ss, &c.Sec}, {p.mi, &c.Min}, {p.hh, &c.Hour}} {
		if f.v != 0 {
			*f.dst = f.v
		}
	}
	if p.clock12 {
		if c.Hour < 1 || c.Hour > 12 {
			return nil, badFormat("hour \"%d\" is invalid for the 12-hour clock", c.Hour).
				WithHint("Use the 24-hour clock, or give an hour between 1 and 12.")
		}
		if p.pm != 0 && c.Hour < 12 {
			c.Hour += 12
		} else if p.pm == 0 && c.Hour == 12 {
			c.Hour = 0
		}
	}
	p.settleYear()
	hasMonth, hasDay := false, false
	if p.j != 0 {
		c.Civil = types.CivilFromDays(int64(p.j) - types.Julian(0))
		hasMonth, hasDay = true, true
	}
	if p.ww != 0 {
		if p.cal == isoWeek {
			d := types.ISOWeekMonday(c.Year, p.ww)
			switch {
			case p.d > 1:
				d += int64(p.d) - 2
			case p.d == 1:
				d += 6
			}
			c.Civil = types.CivilFromDays(d)
			hasMonth, hasDay = true, true
		} else {
			p.ddd = (p.ww-1)*7 + 1
		}
	}
	if p.w != 0 {
		p.dd = (p.w-1)*7 + 1
	}
	if p.dd != 0 {
		c.Day, hasDay = p.dd, true
	}
	if p.mm != 0 {
		c.Month, hasMonth = p.mm, true
	}
	if p.ddd != 0 && (c.Month <= 1 || c.Day <= 1) {
		if c.Year == 0 && p.bc == 0 {
			return nil, badFormat("cannot calculate day of year without year information")
		}
		if p.cal == isoWeek {
			c.Civil = types.CivilFromDays(types.ISOWeekMonday(c.Year, 1) - 1 + int64(p.ddd))
		} else {
			month, before := 1, 0
			for month <= 12 && p.ddd > before+types.DaysInMonth(c.Year, month) {
				before += types.DaysInMonth(c.Year, month)
				month++
			}
			if c.Month <= 1 {
				c.Month = month
			}
			if c.Day <= 1 {
				c.Day = p.ddd - before
			}
		}
		hasMonth, hasDay = true, true
	}
	c.Micro = p.ms*1000 + p.us
	if hasMonth && (c.Month < 1 || c.Month > 12) || hasDay && (c.Day < 1 || c.Day > 31) ||
		c.Month >= 1 && c.Month <= 12 && c.Day > types.DaysInMonth(c.Year, c.Month) {
		return nil, overflow()
	}
	if c.Hour < 0 || c.Hour >= 24 || c.Min < 0 || c.Min >= 60 || c.Sec < 0 || c.Sec >= 60 || c.Micro < 0 || c.Micro >= 1_000_000 {
		return nil, overflow()
	}
	if p.zoneSign != 0 && (p.tzh < 0 || p.tzh > 15 || p.tzm < 0 || p.tzm >= 60) {
		return nil, pgerror.New(pgerror.InvalidTimeZoneDisplacementValue, "time zone displacement out of range: \"%s\"", s)
	}
	return p, nil
}

// settleYear puts year, century and era together.
func (p *parsed) settleYear() {
	c := &p.clock
	if p.bc != 0 {
		p.cc = -p.cc
	}
	switch {
	case p.year != 0 && p.cc != 0 && p.yearSize <= 2:
		y := p.year % 100
		switch {
		case y != 0 && p.cc >= 0:
			y += (p.cc - 1) * 100
		case y != 0:
			y = (p.cc+1)*100 - y + 1
		case p.cc >= 0:
			y = p.cc * 100
		default:
			y = p.cc*100 + 1
		}
		c.Year = y
	case p.year != 0:
		c.Year = p.year
		if p.bc != 0 {
			c.Year = -c.Year
		}
		if c.Year < 0 {
			c.Year++
		}
	case p.cc > 0:
		c.Year = (p.cc-1)*100 + 1
	case p.cc < 0:
		c.Year = p.cc*100 + 1
	}
}
