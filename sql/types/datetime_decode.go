package types

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Decoding of date/time texts: the fields of a text are read left to right,
// each claims the parts of a date it stands for, no part may be claimed twice.

// dtMask is a set of parts.
type dtMask uint32

const (
	mYear dtMask = 1 << iota
	mMonth
	mDay
	mDoy
	mHour
	mMinute
	mSecond
	mMilli
	mMicro
	mZone
	mDSTMod
	mWeekday
	mAMPM
	mADBC
	mWeek
	mDecade
	mCentury
	mMillennium
	mIgnored

	mDate    = mYear | mMonth | mDay
	mAllSecs = mSecond | mMilli | mMicro
	mTime    = mHour | mMinute | mAllSecs
)

// dtResult says what a text stood for.
type dtResult uint8

const (
	dtFinite dtResult = iota
	dtEpoch
	dtPosInf
	dtNegInf
)

type dtDecoder struct {
	env      *Env
	timeOnly bool

	clock    Clock
	yday     int
	mask     dtMask
	special  dtResult
	offset   int // seconds east of UTC, with mZone
	named    *time.Location
	dynamic  *ZoneAbbrev
	prefix   dtUnit // label whose number is still to come
	textMon  bool
	julian   bool
	twoDigit bool
	bc       bool
	ampm     int
}

// dtFailure turns a decoding failure into PostgreSQL's report.
func dtFailure(e dtError, s, typ string) error {
	switch e {
	case dtFieldOverflow:
		return pgerror.New(pgerror.DatetimeFieldOverflow, "date/time field value out of range: \"%s\"", s)
	case dtMDOverflow:
		return pgerror.New(pgerror.DatetimeFieldOverflow, "date/time field value out of range: \"%s\"", s).
			WithHint("Perhaps you need a different \"datestyle\" setting.")
	case dtIntervalOverflow:
		return pgerror.New(pgerror.IntervalFieldOverflow, "interval field value out of range: \"%s\"", s)
	case dtZoneOverflow:
		return pgerror.New(pgerror.InvalidTimeZoneDisplacementValue, "time zone displacement out of range: \"%s\"", s)
	}
	return pgerror.New(pgerror.InvalidDatetimeFormat, "invalid input syntax for type %s: \"%s\"", typ, s)
}

// decodeDateTime reads a text with a date in it; decodeTimeOnly one for time and timetz.
func decodeDateTime(env *Env, s, typ string) (*dtDecoder, error) {
	return runDecoder(env, s, typ, false)
}
func decodeTimeOnly(env *Env, s, typ string) (*dtDecoder, error) {
	return runDecoder(env, s, typ, true)
}

func runDecoder(env *Env, s, typ string, timeOnly bool) (*dtDecoder, error) {
	d := &dtDecoder{env: env, timeOnly: timeOnly}
	toks, e := splitDateTime(s)
	if e == dtOK {
		var err error
		if e, err = d.decode(toks); err != nil {
			return nil, err
		}
	}
	if e != dtOK {
		return nil, dtFailure(e, s, typ)
	}
	return d, nil
}

// scanInt reads a leading integer of 32 bits; rest is what follows.
func scanInt(s string) (v int, rest string, ok bool) {
	end := 0
	if end < len(s) && (s[end] == '-' || s[end] == '+') {
		end++
	}
	for end < len(s) && isDigit(s[end]) {
		end++
	}
	if end == 0 {
		return 0, s, true
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(s[:end], "+"), 10, 32)
	if err != nil && end > 1 {
		return 0, s[end:], false
	}
	return int(n), s[end:], true
}

// fraction reads ".123" as microseconds.
func fraction(s string) (int, bool) {
	if s == "." {
		return 0, true
	}
	f, ok := fractionValue(s)
	return int(math.RoundToEven(f * 1e6)), ok
}

func fractionValue(s string) (float64, bool) {
	if s == "." {
		return 0, true
	}
	for i := 1; i < len(s); i++ {
		if !isDigit(s[i]) {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat("0"+s, 64)
	return f, err == nil
}

func atoiPrefix(s string) int {
	n, _, _ := scanInt(s)
	return n
}

func (d *dtDecoder) decode(toks []dtToken) (dtError, error) {
	dateBase := dtMask(0) // number fields of a time never start a date
	if d.timeOnly {
		dateBase = mDate
	}
	for i, t := range toks {
		var got dtMask
		e := dtOK
		switch t.kind {
		case fieldDate:
			var err error
			got, e, err = d.dateField(toks, i)
			if err != nil {
				return dtOK, err
			}
		case fieldTime:
			if d.prefix != unitNone {
				if d.prefix != unitTime {
					return dtBadFormat, nil
				}
				d.prefix = unitNone
			}
			got, e = d.clockField(t.text)
			if e == dtOK && !d.timeOnly && d.clock.overflows() {
				e = dtFieldOverflow
			}
		case fieldZone:
			d.offset, e = decodeOffset(t.text)
			got = mZone
		case fieldNumber:
			if d.prefix != unitNone {
				got, e = d.labelled(t.text)
			} else {
				got, e = d.plainNumber(toks, i, dateBase)
			}
		default:
			var err error
			var skip bool
			got, skip, e, err = d.word(toks, i)
			if err != nil {
				return dtOK, err
			}
			if skip {
				continue
			}
		}
		if e != dtOK {
			return e, nil
		}
		if got&d.mask != 0 {
			return dtBadFormat, nil
		}
		d.mask |= got
	}
	return d.finish()
}

// overflows reports a time past 24:00:00.
func (c *Clock) overflows() bool {
	return c.Hour < 0 || c.Hour > 24 || c.Min < 0 || c.Min > 59 || c.Sec < 0 || c.Sec > 60 ||
		c.Micro < 0 || c.Micro > 1_000_000 || c.timeMicros() > USecsPerDay
}

// dateField handles digits or letters with punctuation inside: a date, a zone
// name, or a run-together time with a zone behind it.
func (d *dtDecoder) dateField(toks []dtToken, i int) (dtMask, dtError, error) {
	s := toks[i].text
	runTogether := func(base dtMask) (dtMask, dtError) {
		if d.mask&mTime == mTime {
			return 0, dtBadFormat
		}
		at := strings.IndexByte(s, '-')
		if at < 0 {
			return 0, dtBadFormat
		}
		var e dtError
		if d.offset, e = decodeOffset(s[at:]); e != dtOK {
			return 0, e
		}
		got, e := d.numberField(s[:at], d.mask|base)
		return got | mZone, e
	}
	zoneName := func() (dtMask, dtError, error) {
		loc, ok := LoadZone(s)
		if !ok {
			return 0, dtOK, errZone(s)
		}
		d.named = loc
		return mZone, dtOK, nil
	}
	if d.timeOnly {
		if i == 0 && len(toks) >= 2 && (toks[len(toks)-1].kind == fieldDate || toks[1].kind == fieldTime) {
			got, e := d.dateText(s)
			return got, e, nil
		}
		if isDigit(s[0]) {
			got, e := runTogether(mDate)
			return got, e, nil
		}
		return zoneName()
	}
	if d.prefix == unitJulian {
		v, rest, ok := scanInt(s)
		if !ok || v < 0 {
			return 0, dtFieldOverflow, nil
		}
		d.clock.Civil, d.julian = CivilFromDays(int64(v)-julianUnixEpoch), true
		var e dtError
		d.offset, e = decodeOffset(rest)
		d.prefix = unitNone
		return mDate | mTime | mZone, e, nil
	}
	if d.prefix != unitNone || d.mask&(mMonth|mDay) == mMonth|mDay {
		if isDigit(s[0]) || d.prefix != unitNone {
			if d.prefix != unitNone {
				if d.prefix != unitTime {
					return 0, dtBadFormat, nil
				}
				d.prefix = unitNone
			}
			got, e := runTogether(0)
			return got, e, nil
		}
		return zoneName()
	}
	got, e := d.dateText(s)
	return got, e, nil
}

// dateText reads a date whose parts are divided by punctuation.
func (d *dtDecoder) dateText(s string) (dtMask, dtError) {
	var parts []string
	for p := 0; p < len(s) && len(parts) < dtFieldsMax; {
		for p < len(s) && !isAlnum(s[p]) {
			p++
		}
		if p >= len(s) {
			return 0, dtBadFormat
		}
		start := p
		if isDigit(s[p]) {
			for p < len(s) && isDigit(s[p]) {
				p++
			}
		} else {
			for p < len(s) && isAlpha(s[p]) {
				p++
			}
		}
		parts = append(parts, s[start:p])
		if p < len(s) {
			p++
		}
	}
	mask := d.mask
	var got dtMask
	textMon := false
	for i, w := range parts {
		if !isAlpha(w[0]) {
			continue
		}
		word, ok := dateWords[dtKey(w)]
		if ok && word.kind == wordIgnore {
			continue
		}
		if !ok || word.kind != wordMonth || mask&mMonth != 0 {
			return 0, dtBadFormat
		}
		d.clock.Month, textMon = word.val, true
		mask |= mMonth
		got |= mMonth
		parts[i] = ""
	}
	for _, w := range parts {
		if w == "" {
			continue
		}
		if isAlpha(w[0]) {
			return 0, dtBadFormat
		}
		m, e := d.number(w, textMon, mask)
		if e != dtOK {
			return 0, e
		}
		if mask&m != 0 {
			return 0, dtBadFormat
		}
		mask |= m
		got |= m
	}
	if mask&^(mDoy|mZone) != mDate {
		return 0, dtBadFormat
	}
	return got, dtOK
}

// clockField reads hh:mm[:ss[.fff]] or mm:ss.fff.
func (d *dtDecoder) clockField(s string) (dtMask, dtError) {
	h, m, sec, us, e := decodeClock(s, false)
	if e != dtOK {
		return 0, e
	}
	if h > math.MaxInt32 {
		return 0, dtFieldOverflow
	}
	d.clock.Hour, d.clock.Min, d.clock.Sec, d.clock.Micro = int(h), m, sec, us
	return mTime, dtOK
}

// decodeClock reads a time of day or, with any number of hours, of an interval;
// minSec: two fields are minutes and seconds.
func decodeClock(s string, minSec bool) (hour int64, m, sec, us int, e dtError) {
	end := 0
	for end < len(s) && isDigit(s[end]) {
		end++
	}
	hour, err := strconv.ParseInt("0"+s[:end], 10, 64)
	if err != nil {
		return 0, 0, 0, 0, dtFieldOverflow
	}
	rest, ok := s[end:], true
	if rest == "" || rest[0] != ':' {
		return 0, 0, 0, 0, dtBadFormat
	}
	if m, rest, ok = scanInt(rest[1:]); !ok {
		return 0, 0, 0, 0, dtFieldOverflow
	}
	switch {
	case rest == "":
		if minSec {
			if hour > math.MaxInt32 {
				return 0, 0, 0, 0, dtFieldOverflow
			}
			sec, m, hour = m, int(hour), 0
		}
	case rest[0] == '.':
		if us, ok = fraction(rest); !ok {
			return 0, 0, 0, 0, dtBadFormat
		}
		if hour > math.MaxInt32 {
			return 0, 0, 0, 0, dtFieldOverflow
		}
		sec, m, hour = m, int(hour), 0
	case rest[0] == ':':
		if sec, rest, ok = scanInt(rest[1:]); !ok {
			return 0, 0, 0, 0, dtFieldOverflow
		}
		if rest != "" {
			if rest[0] != '.' {
				return 0, 0, 0, 0, dtBadFormat
			}
			if us, ok = fraction(rest); !ok {
				return 0, 0, 0, 0, dtBadFormat
			}
		}
	default:
		return 0, 0, 0, 0, dtBadFormat
	}
	if hour < 0 || m < 0 || m > 59 || sec < 0 || sec > 60 || us < 0 || us > 1_000_000 {
		return 0, 0, 0, 0, dtFieldOverflow
	}
	return hour, m, sec, us, dtOK
}

// decodeOffset reads ±hh[:mm[:ss]] or ±hhmm as seconds east of UTC.
func decodeOffset(s string) (int, dtError) {
	if s == "" || s[0] != '+' && s[0] != '-' {
		return 0, dtBadFormat
	}
	hr, rest, ok := scanInt(strings.TrimLeft(s[1:], " "))
	if !ok {
		return 0, dtZoneOverflow
	}
	m, sec := 0, 0
	if strings.HasPrefix(rest, ":") {
		if m, rest, ok = scanInt(rest[1:]); !ok {
			return 0, dtZoneOverflow
		}
		if strings.HasPrefix(rest, ":") {
			if sec, rest, ok = scanInt(rest[1:]); !ok {
				return 0, dtZoneOverflow
			}
		}
	} else if rest == "" && len(s) > 3 {
		hr, m = hr/100, hr%100
	}
	if hr < 0 || hr > 15 || m < 0 || m > 59 || sec < 0 || sec > 59 {
		return 0, dtZoneOverflow
	}
	if rest != "" {
		return 0, dtBadFormat
	}
	off := (hr*60+m)*60 + sec
	if s[0] == '-' {
		off = -off
	}
	return off, dtOK
}

// labelled reads the number after a label: y2001, j2451187, t040506.
func (d *dtDecoder) labelled(s string) (dtMask, dtError) {
	v, rest, ok := scanInt(s)
	if !ok {
		return 0, dtFieldOverflow
	}
	if rest != "" && rest[0] != '.' {
		return 0, dtBadFormat
	}
	label := d.prefix
	d.prefix = unitNone
	switch label {
	case unitYear:
		d.clock.Year = v
		return mYear, dtOK
	case unitMonth:
		if d.mask&mMonth != 0 && d.mask&mHour != 0 {
			d.clock.Min = v
			return mMinute, dtOK
		}
		d.clock.Month = v
		return mMonth, dtOK
	case unitDay:
		d.clock.Day = v
		return mDay, dtOK
	case unitHour:
		d.clock.Hour = v
		return mHour, dtOK
	case unitMinute:
		d.clock.Min = v
		return mMinute, dtOK
	case unitSecond:
		d.clock.Sec = v
		if rest == "" {
			return mSecond, dtOK
		}
		if d.clock.Micro, ok = fraction(rest); !ok {
			return 0, dtBadFormat
		}
		return mAllSecs, dtOK
	case unitTimezone:
		var e dtError
		d.offset, e = decodeOffset(s)
		return mZone, e
	case unitJulian:
		if v < 0 {
			return 0, dtFieldOverflow
		}
		d.clock.Civil, d.julian = CivilFromDays(int64(v)-julianUnixEpoch), true
		if rest == "" {
			return mDate, dtOK
		}
		f, ok := fractionValue(rest)
		if !ok {
			return 0, dtBadFormat
		}
		d.clock.setTime(int64(f * float64(USecsPerDay)))
		return mDate | mTime, dtOK
	case unitTime:
		got, e := d.numberField(s, d.mask|mDate)
		if e == dtOK && got != mTime {
			e = dtBadFormat
		}
		return got, e
	}
	return 0, dtBadFormat
}

// plainNumber decides what an unlabelled number is by its length and by what is known already.
func (d *dtDecoder) plainNumber(toks []dtToken, i int, base dtMask) (dtMask, dtError) {
	s := toks[i].text
	dot := strings.IndexByte(s, '.')
	if d.timeOnly {
		switch {
		case dot >= 0 && i == 0 && len(toks) >= 2 && toks[len(toks)-1].kind == fieldDate:
			return d.dateText(s)
		case dot > 2 || dot < 0 && len(s) > 4:
			return d.numberField(s, d.mask|base)
		case dot >= 0:
			return 0, dtBadFormat
		}
		return d.number(s, false, d.mask|base)
	}
	switch {
	case dot >= 0 && d.mask&mDate == 0:
		return d.dateText(s)
	case dot > 2, len(s) >= 6 && (d.mask&mDate == 0 || d.mask&mTime == 0):
		return d.numberField(s, d.mask)
	}
	return d.number(s, d.textMon, d.mask)
}

// number gives one number its place in a date, by position and DateStyle order.
func (d *dtDecoder) number(s string, textMon bool, mask dtMask) (dtMask, dtError) {
	v, rest, ok := scanInt(s)
	if !ok {
		return 0, dtFieldOverflow
	}
	if len(rest) == len(s) {
		return 0, dtBadFormat
	}
	if rest != "" {
		if rest[0] != '.' {
			return 0, dtBadFormat
		}
		if len(s)-len(rest) > 2 {
			return d.numberField(s, mask|mDate)
		}
		if d.clock.Micro, ok = fraction(rest); !ok {
			return 0, dtBadFormat
		}
	}
	if len(s) == 3 && mask&mDate == mYear && v >= 1 && v <= 366 {
		d.yday = v
		return mDoy | mMonth | mDay, dtOK
	}
	year := func() (dtMask, dtError) {
		d.clock.Year, d.twoDigit = v, len(s) <= 2
		return mYear, dtOK
	}
	month := func() (dtMask, dtError) { d.clock.Month = v; return mMonth, dtOK }
	day := func() (dtMask, dtError) { d.clock.Day = v; return mDay, dtOK }
	ymd := d.env.DateOrder == DateOrderYMD
	switch mask & mDate {
	case 0:
		switch {
		case len(s) >= 3 || ymd:
			return year()
		case d.env.DateOrder == DateOrderDMY:
			return day()
		}
		return month()
	case mYear, mDay:
		return month()
	case mMonth:
		if textMon && (len(s) >= 3 || ymd) {
			return year()
		}
		return day()
	case mYear | mMonth:
		if textMon && len(s) >= 3 && d.twoDigit {
			// The first number was the day after all.
			d.clock.Day, d.clock.Year, d.twoDigit = d.clock.Year, v, false
			return mDay, dtOK
		}
		return day()
	case mMonth | mDay:
		return year()
	case mDate:
		return d.numberField(s, mask)
	}
	return 0, dtBadFormat
}

// numberField reads run-together digits: yymmdd, yyyymmdd, hhmm, hhmmss[.fff].
func (d *dtDecoder) numberField(s string, mask dtMask) (dtMask, dtError) {
	if dot := strings.IndexByte(s, '.'); dot >= 0 {
		us, ok := fraction(s[dot:])
		if !ok {
			return 0, dtBadFormat
		}
		d.clock.Micro, s = us, s[:dot]
	} else if mask&mDate != mDate && len(s) >= 6 {
		n := len(s)
		d.clock.Day, d.clock.Month = atoiPrefix(s[n-2:]), atoiPrefix(s[n-4:n-2])
		y, err := strconv.ParseInt(s[:n-4], 10, 32)
		if err != nil {
			return 0, dtFieldOverflow
		}
		d.clock.Year = int(y)
		if n == 6 {
			d.twoDigit = true
		}
		return mDate, dtOK
	}
	if mask&mTime != mTime {
		switch len(s) {
		case 6:
			d.clock.Hour, d.clock.Min, d.clock.Sec = atoiPrefix(s[:2]), atoiPrefix(s[2:4]), atoiPrefix(s[4:])
			return mTime, dtOK
		case 4:
			d.clock.Hour, d.clock.Min, d.clock.Sec = atoiPrefix(s[:2]), atoiPrefix(s[2:]), 0
			return mTime, dtOK
		}
	}
	return 0, dtBadFormat
}

// now is the transaction's time in the session zone.
func (d *dtDecoder) now() Timestamp { return d.env.ToLocal(d.env.XactTime) }

// word handles keywords, zone abbreviations and zone names.
func (d *dtDecoder) word(toks []dtToken, i int) (got dtMask, skip bool, e dtError, err error) {
	s := toks[i].text
	if a, ok := zoneAbbrevs()[s]; ok {
		if a.Zone != "" {
			d.dynamic = &a
		} else {
			d.offset = a.Offset
		}
		return mZone, false, dtOK, nil
	}
	w, ok := dateWords[dtKey(s)]
	if !ok {
		loc, ok := LoadZone(s)
		if !ok {
			return 0, false, dtBadFormat, nil
		}
		d.named = loc
		return mZone, false, dtOK, nil
	}
	switch w.kind {
	case wordIgnore:
		return 0, true, dtOK, nil
	case wordReserved:
		got, e = d.reserved(dtUnit(w.val))
	case wordMonth:
		if d.timeOnly {
			return 0, false, dtBadFormat, nil
		}
		if d.mask&mMonth != 0 && !d.textMon && d.mask&mDay == 0 && d.clock.Month >= 1 && d.clock.Month <= 31 {
			d.clock.Day = d.clock.Month
			got = mDay
		} else {
			got = mMonth
		}
		d.textMon = true
		d.clock.Month = w.val
	case wordDSTMod:
		d.offset += w.val
		got = mDSTMod
	case wordAMPM:
		d.ampm = w.val
		got = mAMPM
	case wordADBC:
		d.bc = w.val == 1
		got = mADBC
	case wordWeekday:
		if d.timeOnly {
			return 0, false, dtBadFormat, nil
		}
		got = mWeekday
	case wordUnit:
		if d.prefix != unitNone {
			return 0, false, dtBadFormat, nil
		}
		d.prefix = dtUnit(w.val)
	case wordISOTime:
		if !d.timeOnly && d.mask&mDate != mDate || i >= len(toks)-1 {
			return 0, false, dtBadFormat, nil
		}
		if k := toks[i+1].kind; k != fieldNumber && k != fieldTime && k != fieldDate {
			return 0, false, dtBadFormat, nil
		}
		d.prefix = unitTime
	default:
		e = dtBadFormat
	}
	return got, false, e, nil
}

func (d *dtDecoder) reserved(u dtUnit) (dtMask, dtError) {
	if d.timeOnly {
		switch u {
		case unitNow:
			now := d.now().Split()
			d.clock.Hour, d.clock.Min, d.clock.Sec, d.clock.Micro = now.Hour, now.Min, now.Sec, now.Micro
			return mTime, dtOK
		case unitZulu:
			d.clock.setTime(0)
			d.offset = 0
			return mTime | mZone, dtOK
		}
		return 0, dtBadFormat
	}
	day := func(shift int64) (dtMask, dtError) {
		today, _ := d.now().Day()
		d.clock.Civil = CivilFromDays(today + shift)
		return mDate, dtOK
	}
	switch u {
	case unitNow:
		d.clock = d.now().Split()
		d.offset, _ = ZoneOffset(d.env.TimeZone, d.env.XactTime)
		return mDate | mTime | mZone, dtOK
	case unitYesterday:
		return day(-1)
	case unitToday:
		return day(0)
	case unitTomorrow:
		return day(1)
	case unitZulu:
		d.clock.setTime(0)
		d.offset = 0
		return mTime | mZone, dtOK
	case unitEpoch:
		d.special = dtEpoch
	case unitLate:
		d.special = dtPosInf
	case unitEarly:
		d.special = dtNegInf
	}
	return mDate | mTime | mZone, dtOK
}
