package datetime

import (
	"strconv"
	"strings"
	"time"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

var (
	monthNames = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	dayNames   = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	// romanMonths run backwards: December first.
	romanMonths = [...]string{"XII", "XI", "X", "IX", "VIII", "VII", "VI", "V", "IV", "III", "II", "I"}
)

// moment is what a template prints: a timestamp's fields, or an interval's.
type moment struct {
	year, mon, day   int
	hour             int64
	min, sec, micro  int
	days             int64 // since 1970
	yday             int
	interval         bool
	zone             string
	offset           int // seconds east
	hasZone, hasDate bool
}

// withCase prints a name in the letter case of the pattern: DAY, Day or day.
func withCase(pattern, name string) string {
	switch {
	case pattern == strings.ToUpper(pattern):
		return strings.ToUpper(name)
	case pattern == strings.ToLower(pattern):
		return strings.ToLower(name)
	}
	return name
}

// ordinal is the English ending of a number's text.
func ordinal(digits string, upper bool) string {
	e := "th"
	n := len(digits)
	if n < 2 || digits[n-2] != '1' {
		switch digits[n-1] {
		case '1':
			e = "st"
		case '2':
			e = "nd"
		case '3':
			e = "rd"
		}
	}
	if upper {
		return strings.ToUpper(e)
	}
	return e
}

func errInterval() error {
	return pgerror.New(pgerror.InvalidDatetimeFormat, "invalid format specification for an interval value").
		WithHint("Intervals are not tied to specific calendar dates.")
}

// zeroPad is C's %0*d: the sign counts.
func zeroPad(n int64, width int) string {
	neg := n < 0
	s := strconv.FormatInt(n, 10)
	if neg {
		s = s[1:]
		width--
	}
	for len(s) < width {
		s = "0" + s
	}
	if neg {
		s = "-" + s
	}
	return s
}

func (m *moment) adjustYear(y int) int {
	if m.interval || y > 0 {
		return y
	}
	return -(y - 1)
}

// toChar prints m through a template.
func toChar(m *moment, nodes []templateNode) (string, error) {
	var b []byte
	for i := range nodes {
		n := &nodes[i]
		if n.kind != nodeField {
			b = append(b, n.text...)
			continue
		}
		k := n.key
		// number prints a padded number, one wider when negative.
		number := func(v int64, width int) {
			if n.fill {
				width = 0
			} else if v < 0 && width > 1 {
				width++
			}
			s := zeroPad(v, width)
			b = append(b, s...)
			if n.th {
				b = append(b, ordinal(s, n.upper)...)
			}
		}
		word := func(s string, width int) {
			b = append(b, s...)
			if n.fill || n.locale {
				return
			}
			for w := len(s); w < width; w++ {
				b = append(b, ' ')
			}
		}
		if m.interval {
			switch k.f {
			case fTZ, fTZH, fTZM, fOF, fAD, fADDots, fMonth, fMon, fDay, fDy, fD, fID:
				return "", errInterval()
			}
		}
		pick := func(yes bool, a, c string) {
			if yes {
				b = append(b, withCase(k.name, a)...)
			} else {
				b = append(b, withCase(k.name, c)...)
			}
		}
		afternoon := m.hour%24 >= 12
		isoYear := func() int {
			y, _ := types.ISOWeek(m.days)
			return y
		}
		switch k.f {
		case fAM:
			pick(afternoon, "PM", "AM")
		case fAMDots:
			pick(afternoon, "P.M.", "A.M.")
		case fAD:
			pick(m.year <= 0, "BC", "AD")
		case fADDots:
			pick(m.year <= 0, "B.C.", "A.D.")
		case fHH12:
			h := m.hour % 12
			if h == 0 {
				h = 12
			}
			if m.hour < 0 && h > 0 && !n.fill {
				b = append(b, zeroPad(h, 3)...)
			} else {
				number(h, 2)
			}
		case fHH24:
			number(m.hour, 2)
		case fMI:
			number(int64(m.min), 2)
		case fSS:
			number(int64(m.sec), 2)
		case fFF:
			us := int64(m.micro)
			for range 6 - k.ff {
				us /= 10
			}
			s := zeroPad(us, k.ff)
			b = append(b, s...)
			if n.th {
				b = append(b, ordinal(s, n.upper)...)
			}
		case fMS:
			s := zeroPad(int64(m.micro/1000), 3)
			b = append(b, s...)
			if n.th {
				b = append(b, ordinal(s, n.upper)...)
			}
		case fUS:
			s := zeroPad(int64(m.micro), 6)
			b = append(b, s...)
			if n.th {
				b = append(b, ordinal(s, n.upper)...)
			}
		case fSSSS:
			s := strconv.FormatInt(m.hour*3600+int64(m.min)*60+int64(m.sec), 10)
			b = append(b, s...)
			if n.th {
				b = append(b, ordinal(s, n.upper)...)
			}
		case fTZ:
			if m.hasZone {
				b = append(b, withCase(k.name, m.zone)...)
			}
		case fTZH:
			b = append(b, offsetSign(m.offset))
			b = append(b, zeroPad(int64(abs(m.offset)/3600), 2)...)
		case fTZM:
			b = append(b, zeroPad(int64(abs(m.offset)/60%60), 2)...)
		case fOF:
			width := 2
			if n.fill {
				width = 0
			}
			b = append(b, offsetSign(m.offset))
			b = append(b, zeroPad(int64(abs(m.offset)/3600), width)...)
			if abs(m.offset)%3600 != 0 {
				b = append(append(b, ':'), zeroPad(int64(abs(m.offset)%3600/60), 2)...)
			}
		case fMonth:
			word(withCase(k.name, monthNames[m.mon-1]), 9)
		case fMon:
			word(withCase(k.name, monthNames[m.mon-1][:3]), 0)
		case fMM:
			number(int64(m.mon), 2)
		case fDay:
			word(withCase(k.name, dayNames[types.Weekday(m.days)]), 9)
		case fDy:
			word(withCase(k.name, dayNames[types.Weekday(m.days)][:3]), 0)
		case fDDD:
			if n.fill {
				number(int64(m.yday), 0)
			} else {
				s := zeroPad(int64(m.yday), 3)
				b = append(b, s...)
				if n.th {
					b = append(b, ordinal(s, n.upper)...)
				}
			}
		case fIDDD:
			number(m.days-types.ISOWeekMonday(isoYear(), 1)+1, 3)
		case fDD:
			if n.fill {
				number(int64(m.day), 0)
			} else {
				s := zeroPad(int64(m.day), 2)
				b = append(b, s...)
				if n.th {
					b = append(b, ordinal(s, n.upper)...)
				}
			}
		case fD:
			number(int64(types.Weekday(m.days))+1, 0)
		case fID:
			number(int64((types.Weekday(m.days)+6)%7)+1, 0)
		case fWW:
			number(int64((m.yday-1)/7+1), 2)
		case fIW:
			_, w := types.ISOWeek(m.days)
			number(int64(w), 2)
		case fQ:
			if m.mon != 0 {
				number(int64((m.mon-1)/3+1), 0)
			}
		case fCC:
			c := m.year / 100
			if !m.interval {
				if m.year > 0 {
					c = (m.year-1)/100 + 1
				} else {
					c = m.year/100 - 1
				}
			}
			if c <= 99 && c >= -99 {
				number(int64(c), 2)
			} else {
				number(int64(c), 0)
			}
		case fYComma:
			y := m.adjustYear(m.year)
			s := strconv.Itoa(y/1000) + "," + zeroPad(int64(y%1000), 3)
			b = append(b, s...)
			if n.th {
				b = append(b, ordinal(s, n.upper)...)
			}
		case fYYYY, fIYYY:
			y := m.year
			if k.f == fIYYY {
				y = isoYear()
			}
			number(int64(m.adjustYear(y)), 4)
		case fYYY, fIYY, fYY, fIY, fY, fI:
			y := m.year
			if k.f == fIYY || k.f == fIY || k.f == fI {
				y = isoYear()
			}
			y = m.adjustYear(y)
			switch k.f {
			case fYYY, fIYY:
				number(int64(y%1000), 3)
			case fYY, fIY:
				number(int64(y%100), 2)
			default:
				number(int64(y%10), 1)
			}
		case fRM:
			if m.mon == 0 && m.year == 0 {
				break
			}
			at := 12 - m.mon
			switch {
			case m.mon == 0 && m.year >= 0:
				at = 0
			case m.mon == 0:
				at = 11
			case m.mon < 0:
				at = -(m.mon + 1)
			}
			word(withCase(k.name, romanMonths[at]), 4)
		case fW:
			number(int64((m.day-1)/7+1), 0)
		case fJ:
			number(types.Julian(m.days), 0)
		}
	}
	return string(b), nil
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

func offsetSign(off int) byte {
	if off >= 0 {
		return '+'
	}
	return '-'
}

func momentOf(t types.Timestamp) moment {
	c := t.Split()
	days := types.DaysFromCivil(c.Year, c.Month, c.Day)
	return moment{year: c.Year, mon: c.Month, day: c.Day, hour: int64(c.Hour), min: c.Min, sec: c.Sec, micro: c.Micro, days: days,
		yday: int(days-types.DaysFromCivil(c.Year, 1, 1)) + 1}
}

func registerFormatting(r *expr.Registry) {
	adapt.Add(r, "to_char(timestamp,text)", adapt.E2(func(t types.Timestamp, format string) (types.Datum, error) {
		if format == "" || !t.Finite() {
			return nil, nil
		}
		m := momentOf(t)
		return toChar(&m, parseTemplate(format))
	}))
	adapt.Add(r, "to_char(timestamptz,text)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, t types.Timestamp, format string) (types.Datum, error) {
		if format == "" || !t.Finite() {
			return nil, nil
		}
		m := momentOf(ctx.Env.ToLocal(t))
		m.hasZone = true
		if m.zone = "UTC"; ctx.Env.TimeZone != time.UTC {
			m.offset, m.zone = types.ZoneOffset(ctx.Env.TimeZone, t)
		}
		return toChar(&m, parseTemplate(format))
	}))
	adapt.Add(r, "to_char(interval,text)", adapt.E2(func(v types.Interval, format string) (types.Datum, error) {
		if format == "" {
			return nil, nil
		}
		m := moment{interval: true, year: int(v.Months / 12), mon: int(v.Months % 12), day: int(v.Days)}
		us := v.Micros
		m.hour, us = us/types.USecsPerHour, us%types.USecsPerHour
		m.min, us = int(us/types.USecsPerMinute), us%types.USecsPerMinute
		m.sec, m.micro = int(us/types.USecsPerSec), int(us%types.USecsPerSec)
		m.yday = (m.year*12+m.mon)*30 + m.day
		if m.year >= -5000 && m.year < 5_000_000 { // J and IW of an interval: the day its fields would name
			m.days = types.DaysFromCivil(m.year, m.mon, m.day)
		}
		return toChar(&m, parseTemplate(format))
	}))
	adapt.Add(r, "to_timestamp(text,text)", adapt.C2(func(ctx *expr.Context, _ *expr.Call, s, format string) (types.Timestamp, error) {
		in, err := parseByTemplate(s, parseTemplate(format))
		if err != nil {
			return 0, err
		}
		t, ok := in.clock.Local()
		if ok {
			off := types.LocalOffset(ctx.Env.TimeZone, t)
			if in.zoneSign != 0 {
				off = in.zoneSign * (in.tzh*3600 + in.tzm*60)
			}
			t -= types.Timestamp(int64(off) * types.USecsPerSec)
			ok = types.ValidTimestamp(t)
		}
		if !ok {
			return 0, outOfRange("timestamp")
		}
		return t, nil
	}))
	adapt.Add(r, "to_date(text,text)", adapt.E2(func(s, format string) (types.Date, error) {
		in, err := parseByTemplate(s, parseTemplate(format))
		if err != nil {
			return 0, err
		}
		d := types.DaysFromCivil(in.clock.Year, in.clock.Month, in.clock.Day)
		if !types.ValidDate(d) {
			return 0, pgerror.New(pgerror.DatetimeFieldOverflow, "date out of range: \"%s\"", s)
		}
		return types.Date(d), nil
	}))
}
