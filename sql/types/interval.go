package types

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
)

// Bits of an interval's field restriction: the high half of its modifier.
const (
	IntervalMonth  = 1 << 1
	IntervalYear   = 1 << 2
	IntervalDay    = 1 << 3
	IntervalHour   = 1 << 10
	IntervalMinute = 1 << 11
	IntervalSecond = 1 << 12

	// IntervalFullRange and IntervalFullPrecision stand for no restriction.
	IntervalFullRange     = 0x7fff
	IntervalFullPrecision = 0xffff
)

// intervalIn is an interval being read: PostgreSQL checks each part's width
// as it adds to it.
type intervalIn struct {
	us            int64
	day, mon, yer int32
}

func addInt32(p *int32, v int64) bool {
	s := int64(*p) + v
	if v > math.MaxInt32 || v < math.MinInt32 || s > math.MaxInt32 || s < math.MinInt32 {
		return false
	}
	*p = int32(s)
	return true
}

func addInt64(p *int64, v int64) bool {
	s := *p + v
	if v > 0 && s < *p || v < 0 && s > *p {
		return false
	}
	*p = s
	return true
}

// MulInt64 multiplies, ok false on overflow.
func mulInt64(a, b int64) (int64, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	p := a * b
	if p/b != a || a == -1 && b == math.MinInt64 || b == -1 && a == math.MinInt64 {
		return 0, false
	}
	return p, true
}

func (in *intervalIn) fractMicros(f float64, scale int64) bool {
	if f == 0 {
		return true
	}
	f *= float64(scale)
	if f >= math.MaxInt64 || f <= math.MinInt64 {
		return false
	}
	us := int64(f)
	f -= float64(us)
	if f > 0.5 {
		us++
	} else if f < -0.5 {
		us--
	}
	return addInt64(&in.us, us)
}

func (in *intervalIn) micros(v int64, f float64, scale int64) bool {
	p, ok := mulInt64(v, scale)
	return ok && addInt64(&in.us, p) && in.fractMicros(f, scale)
}

func (in *intervalIn) days(v, scale int64) bool {
	if v < math.MinInt32 || v > math.MaxInt32 {
		return false
	}
	return addInt32(&in.day, v*scale)
}

func (in *intervalIn) fractDays(f float64, scale int64) bool {
	if f == 0 {
		return true
	}
	f *= float64(scale)
	extra := int32(f)
	return addInt32(&in.day, int64(extra)) && in.fractMicros(f-float64(extra), USecsPerDay)
}

func (in *intervalIn) months(v int64) bool { return addInt32(&in.mon, v) }

func (in *intervalIn) years(v, scale int64) bool {
	p, ok := mulInt64(v, scale)
	return ok && addInt32(&in.yer, p)
}

func (in *intervalIn) fractYears(f float64, scale int64) bool {
	return addInt32(&in.mon, int64(math.RoundToEven(f*float64(scale)*12)))
}

// addUnit adds v.f of a unit; got is the part it claims.
func (in *intervalIn) addUnit(u dtUnit, v int64, f float64) (got dtMask, ok bool) {
	switch u {
	case unitMicrosecond:
		return mMicro, in.micros(v, f, 1)
	case unitMillisecond:
		return mMilli, in.micros(v, f, 1000)
	case unitSecond:
		got = mSecond
		if f != 0 {
			got = mAllSecs
		}
		return got, in.micros(v, f, USecsPerSec)
	case unitMinute:
		return mMinute, in.micros(v, f, USecsPerMinute)
	case unitHour:
		return mHour, in.micros(v, f, USecsPerHour)
	case unitDay:
		return mDay, in.days(v, 1) && in.fractMicros(f, USecsPerDay)
	case unitWeek:
		return mWeek, in.days(v, 7) && in.fractDays(f, 7)
	case unitMonth:
		return mMonth, in.months(v) && in.fractDays(f, 30)
	case unitYear:
		return mYear, in.years(v, 1) && in.fractYears(f, 1)
	case unitDecade:
		return mDecade, in.years(v, 10) && in.fractYears(f, 10)
	case unitCentury:
		return mCentury, in.years(v, 100) && in.fractYears(f, 100)
	case unitMillennium:
		return mMillennium, in.years(v, 1000) && in.fractYears(f, 1000)
	}
	return 0, true
}

// rangeUnit is the unit of a bare number under a field restriction.
func rangeUnit(rng int32) dtUnit {
	switch {
	case rng == IntervalYear:
		return unitYear
	case rng == IntervalMonth, rng == IntervalYear|IntervalMonth:
		return unitMonth
	case rng == IntervalDay:
		return unitDay
	case rng == IntervalFullRange, rng&IntervalSecond != 0:
		return unitSecond
	case rng&IntervalMinute != 0:
		return unitMinute
	case rng&IntervalHour != 0:
		return unitHour
	}
	return unitSecond
}

// decode reads fields right to left, so that a unit is known before its number.
func (in *intervalIn) decode(env *Env, toks []dtToken, rng int32) dtError {
	force := false
	if env.IntervalStyle == IntervalStyleSQLStandard && len(toks) > 0 && toks[0].text[0] == '-' {
		force = true
		for _, t := range toks[1:] {
			if t.text[0] == '-' || t.text[0] == '+' {
				force = false
				break
			}
		}
	}
	var mask dtMask
	unit, pending, ago := unitNone, false, false
	clock := func(s string, neg bool) dtError {
		h, m, sec, us, e := decodeClock(s, rng == IntervalMinute|IntervalSecond)
		if e != dtOK {
			return e
		}
		var t intervalIn
		if !t.micros(h, 0, USecsPerHour) || !addInt64(&t.us, int64(m)*USecsPerMinute+int64(sec)*USecsPerSec+int64(us)) {
			return dtFieldOverflow
		}
		if neg || force {
			t.us = -t.us
		}
		in.us = t.us // NB: replaces; a second time field is refused by the mask
		return dtOK
	}
	for i := len(toks) - 1; i >= 0; i-- {
		t := toks[i]
		s := t.text
		var got dtMask
		switch t.kind {
		case fieldTime:
			if e := clock(s, false); e != dtOK {
				return e
			}
			got, unit, pending = mTime, unitDay, false
		case fieldZone, fieldDate, fieldNumber:
			if t.kind == fieldZone && strings.IndexByte(s[1:], ':') >= 0 && clock(s[1:], s[0] == '-') == dtOK {
				got, unit, pending = mTime, unitDay, false
				break
			}
			if unit == unitNone {
				unit = rangeUnit(rng)
			}
			v, f, e := scanIntervalNumber(s, &unit)
			if e != dtOK {
				return e
			}
			if force {
				v, f = -max(v, -v), -math.Abs(f)
			}
			var ok bool
			if got, ok = in.addUnit(unit, v, f); !ok {
				return dtFieldOverflow
			}
			if got == 0 {
				return dtBadFormat
			}
			if unit == unitHour {
				unit = unitDay
			}
			pending = false
		default:
			if pending {
				return dtBadFormat
			}
			w, ok := unitWords[dtKey(s)]
			if !ok {
				return dtBadFormat
			}
			switch w.kind {
			case wordIgnore:
				continue
			case wordUnit:
				unit, pending = dtUnit(w.val), true
			case wordAgo:
				if i != len(toks)-1 {
					return dtBadFormat
				}
				ago, unit = true, unitTime // a bare number before it has no unit
			}
		}
		if got&mask != 0 {
			return dtBadFormat
		}
		mask |= got
	}
	if mask == 0 || pending {
		return dtBadFormat
	}
	if ago {
		if in.us == math.MinInt64 || in.day == math.MinInt32 || in.mon == math.MinInt32 || in.yer == math.MinInt32 {
			return dtFieldOverflow
		}
		in.us, in.day, in.mon, in.yer = -in.us, -in.day, -in.mon, -in.yer
	}
	return dtOK
}

// scanIntervalNumber reads 12, -1.5 or the SQL form years-months, which sets unit to months.
func scanIntervalNumber(s string, unit *dtUnit) (int64, float64, dtError) {
	end := 0
	if s[0] == '-' || s[0] == '+' {
		end++
	}
	start := end
	for end < len(s) && isDigit(s[end]) {
		end++
	}
	v := int64(0)
	if end > start {
		n, err := strconv.ParseInt(strings.TrimPrefix(s[:end], "+"), 10, 64)
		if err != nil {
			return 0, 0, dtFieldOverflow
		}
		v = n
	}
	rest := s[end:]
	neg := s[0] == '-'
	switch {
	case rest == "":
		return v, 0, dtOK
	case rest[0] == '-':
		m, tail, ok := scanInt(rest[1:])
		if !ok || m < 0 || m >= 12 {
			return 0, 0, dtFieldOverflow
		}
		if tail != "" {
			return 0, 0, dtBadFormat
		}
		*unit = unitMonth
		if neg {
			m = -m
		}
		p, ok := mulInt64(v, 12)
		if !ok || !addInt64(&p, int64(m)) {
			return 0, 0, dtFieldOverflow
		}
		return p, 0, dtOK
	case rest[0] == '.':
		f, ok := fractionValue(rest)
		if !ok {
			return 0, 0, dtBadFormat
		}
		if neg {
			f = -f
		}
		return v, f, dtOK
	}
	return 0, 0, dtBadFormat
}

// iso8601 reads P1Y2M3DT4H5M6S and the alternative forms P0001-02-03T04:05:06.
func (in *intervalIn) iso8601(s string) dtError {
	if len(s) < 2 || s[0] != 'P' {
		return dtBadFormat
	}
	p, datePart, have := 1, true, false
	number := func() (v int64, f float64, width int, e dtError) {
		if p >= len(s) || !isDigit(s[p]) && s[p] != '-' && s[p] != '.' {
			return 0, 0, 0, dtBadFormat
		}
		start := p
		if s[p] == '-' {
			p++
		}
		ds := p
		for p < len(s) && isDigit(s[p]) {
			p++
		}
		width = p - ds
		if p < len(s) && s[p] == '.' {
			for p++; p < len(s) && isDigit(s[p]); p++ {
			}
		}
		if p < len(s) && (s[p] == 'e' || s[p] == 'E') {
			q := p + 1
			if q < len(s) && (s[q] == '+' || s[q] == '-') {
				q++
			}
			if q < len(s) && isDigit(s[q]) {
				for p = q; p < len(s) && isDigit(s[p]); p++ {
				}
			}
		}
		x, err := strconv.ParseFloat(s[start:p], 64)
		if err != nil {
			return 0, 0, 0, dtBadFormat
		}
		if x < -1.0e15 || x > 1.0e15 {
			return 0, 0, 0, dtFieldOverflow
		}
		v = int64(x)
		return v, x - float64(v), width, dtOK
	}
	unitAt := func() byte {
		if p >= len(s) {
			p++
			return 0
		}
		p++
		return s[p-1]
	}
	for p < len(s) {
		if s[p] == 'T' {
			datePart, have = false, false
			p++
			continue
		}
		v, f, width, e := number()
		if e != dtOK {
			return e
		}
		ok := true
		add := func(u dtUnit) {
			_, ok = in.addUnit(u, v, f)
		}
		u := unitAt()
		if datePart {
			switch u {
			case 'Y':
				add(unitYear)
			case 'M':
				add(unitMonth)
			case 'W':
				add(unitWeek)
			case 'D':
				add(unitDay)
			case 'T', 0, '-':
				if u != '-' && width == 8 && !have {
					ok = in.years(v/10000, 1) && in.months(v/100%100) && in.days(v%100, 1) && in.fractMicros(f, USecsPerDay)
					if !ok {
						return dtFieldOverflow
					}
					if u == 0 {
						return dtOK
					}
					datePart, have = false, false
					continue
				}
				if have {
					return dtBadFormat
				}
				// Years, then months and days between dashes; T starts the time anywhere.
				done := u == 0
				add(unitYear)
				for _, next := range []dtUnit{unitMonth, unitDay} {
					if !ok || u == 'T' || done {
						break
					}
					if u != '-' {
						return dtBadFormat
					}
					if v, f, _, e = number(); e != dtOK {
						return e
					}
					add(next)
					if u = unitAt(); u == 0 {
						done = true
					}
				}
				if !ok {
					return dtFieldOverflow
				}
				if done {
					return dtOK
				}
				if u != 'T' {
					return dtBadFormat
				}
				datePart, have = false, false
				continue
			default:
				return dtBadFormat
			}
		} else {
			switch u {
			case 'H':
				add(unitHour)
			case 'M':
				add(unitMinute)
			case 'S':
				add(unitSecond)
			case 0, ':':
				if u == 0 && width == 6 && !have {
					if in.micros(v/10000, 0, USecsPerHour) && in.micros(v/100%100, 0, USecsPerMinute) && in.micros(v%100, f, USecsPerSec) {
						return dtOK
					}
					return dtFieldOverflow
				}
				if have {
					return dtBadFormat
				}
				add(unitHour)
				for _, next := range []dtUnit{unitMinute, unitSecond} {
					if !ok || u == 0 {
						break
					}
					if u != ':' {
						return dtBadFormat
					}
					if v, f, _, e = number(); e != dtOK {
						return e
					}
					add(next)
					u = unitAt()
				}
				if !ok {
					return dtFieldOverflow
				}
				if u != 0 {
					return dtBadFormat
				}
				return dtOK
			default:
				return dtBadFormat
			}
		}
		if !ok {
			return dtFieldOverflow
		}
		have = true
	}
	return dtOK
}

func intervalRange(mod int32) int32 {
	if mod < 0 {
		return IntervalFullRange
	}
	return mod >> 16 & IntervalFullRange
}

// RoundInterval applies an interval modifier: fields that are not kept are cut, seconds rounded.
func RoundInterval(v Interval, mod int32) Interval {
	if mod < 0 {
		return v
	}
	switch rng := intervalRange(mod); rng {
	case IntervalFullRange:
	case IntervalYear:
		v = Interval{Months: v.Months / 12 * 12}
	case IntervalMonth, IntervalYear | IntervalMonth:
		v = Interval{Months: v.Months}
	case IntervalDay:
		v.Micros = 0
	default:
		switch {
		case rng&IntervalSecond != 0:
		case rng&IntervalMinute != 0:
			v.Micros = v.Micros / USecsPerMinute * USecsPerMinute
		case rng&IntervalHour != 0:
			v.Micros = v.Micros / USecsPerHour * USecsPerHour
		}
	}
	if p := mod & IntervalFullPrecision; p != IntervalFullPrecision {
		v.Micros = roundMicros(v.Micros, p)
	}
	return v
}

func intervalInText(env *Env, t T, s string) (Datum, error) {
	var in intervalIn
	toks, e := splitDateTime(s)
	if e == dtOK {
		e = in.decode(env, toks, intervalRange(t.Mod))
	}
	if e == dtBadFormat {
		in = intervalIn{}
		e = in.iso8601(s)
	}
	if e == dtFieldOverflow {
		e = dtIntervalOverflow
	}
	if e != dtOK {
		return nil, dtFailure(e, s, "interval")
	}
	months := int64(in.yer)*12 + int64(in.mon)
	if months > math.MaxInt32 || months < math.MinInt32 {
		return nil, errIntervalRange()
	}
	return RoundInterval(Interval{Months: int32(months), Days: in.day, Micros: in.us}, t.Mod), nil
}

// intervalParts are an interval's fields as they are shown.
type intervalParts struct {
	year, mon, day int
	hour           int64
	min, sec, us   int
}

func (v Interval) parts() intervalParts {
	p := intervalParts{year: int(v.Months / 12), mon: int(v.Months % 12), day: int(v.Days)}
	us := v.Micros
	p.hour, us = us/USecsPerHour, us%USecsPerHour
	p.min, us = int(us/USecsPerMinute), us%USecsPerMinute
	p.sec, p.us = int(us/USecsPerSec), int(us%USecsPerSec)
	return p
}

func abs[N int | int64 | int32](n N) N {
	if n < 0 {
		return -n
	}
	return n
}

func appendInterval(env *Env, buf []byte, v Interval) []byte {
	p := v.parts()
	switch env.IntervalStyle {
	case IntervalStylePostgresVerbose:
		return appendIntervalVerbose(buf, p)
	case IntervalStyleSQLStandard:
		return appendIntervalSQL(buf, p)
	case IntervalStyleISO8601:
		return appendIntervalISO(buf, p)
	}
	zero, before := true, false
	part := func(n int, unit string) {
		if n == 0 {
			return
		}
		if !zero {
			buf = append(buf, ' ')
		}
		if before && n > 0 {
			buf = append(buf, '+')
		}
		buf = append(strconv.AppendInt(buf, int64(n), 10), unit...)
		if n != 1 {
			buf = append(buf, 's')
		}
		before, zero = n < 0, false
	}
	part(p.year, " year")
	part(p.mon, " mon")
	part(p.day, " day")
	if zero || v.Micros != 0 {
		if !zero {
			buf = append(buf, ' ')
		}
		if v.Micros < 0 {
			buf = append(buf, '-')
		} else if before {
			buf = append(buf, '+')
		}
		buf = appendHoursOn(buf, p, 2)
	}
	return buf
}

// appendHoursOn appends hh:mm:ss without sign.
func appendHoursOn(buf []byte, p intervalParts, width int) []byte {
	h := uint64(abs(p.hour))
	if width == 2 && h < 10 {
		buf = append(buf, '0')
	}
	buf = append(strconv.AppendUint(buf, h, 10), ':')
	buf = append(appendPad(buf, abs(p.min), 2), ':')
	return appendSeconds(buf, abs(p.sec), abs(p.us), 2)
}

func appendIntervalVerbose(buf []byte, p intervalParts) []byte {
	zero, before := true, false
	buf = append(buf, '@')
	part := func(n int64, unit string) {
		if n == 0 {
			return
		}
		if zero {
			before, n = n < 0, abs(n)
		} else if before {
			n = -n
		}
		buf = append(strconv.AppendInt(append(buf, ' '), n, 10), unit...)
		if n != 1 {
			buf = append(buf, 's')
		}
		zero = false
	}
	part(int64(p.year), " year")
	part(int64(p.mon), " mon")
	part(int64(p.day), " day")
	part(p.hour, " hour")
	part(int64(p.min), " min")
	if p.sec != 0 || p.us != 0 {
		buf = append(buf, ' ')
		if p.sec < 0 || p.us < 0 {
			if zero {
				before = true
			} else if !before {
				buf = append(buf, '-')
			}
		} else if before {
			buf = append(buf, '-')
		}
		buf = append(appendSeconds(buf, abs(p.sec), abs(p.us), 1), " sec"...)
		if abs(p.sec) != 1 || p.us != 0 {
			buf = append(buf, 's')
		}
		zero = false
	}
	if zero {
		buf = append(buf, " 0"...)
	}
	if before {
		buf = append(buf, " ago"...)
	}
	return buf
}

func appendIntervalSQL(buf []byte, p intervalParts) []byte {
	neg := p.year < 0 || p.mon < 0 || p.day < 0 || p.hour < 0 || p.min < 0 || p.sec < 0 || p.us < 0
	pos := p.year > 0 || p.mon > 0 || p.day > 0 || p.hour > 0 || p.min > 0 || p.sec > 0 || p.us > 0
	yearMonth := p.year != 0 || p.mon != 0
	dayTime := p.day != 0 || p.hour != 0 || p.min != 0 || p.sec != 0 || p.us != 0
	sign := func(n bool) byte {
		if n {
			return '-'
		}
		return '+'
	}
	switch {
	case !neg && !pos:
		return append(buf, '0')
	case neg && pos || yearMonth && dayTime:
		buf = append(buf, sign(p.year < 0 || p.mon < 0))
		buf = append(strconv.AppendInt(buf, int64(abs(p.year)), 10), '-')
		buf = append(strconv.AppendInt(buf, int64(abs(p.mon)), 10), ' ', sign(p.day < 0))
		buf = append(strconv.AppendInt(buf, int64(abs(p.day)), 10), ' ', sign(p.hour < 0 || p.min < 0 || p.sec < 0 || p.us < 0))
		return appendHoursOn(buf, p, 1)
	}
	if neg {
		buf = append(buf, '-')
	}
	if yearMonth {
		buf = append(strconv.AppendInt(buf, int64(abs(p.year)), 10), '-')
		return strconv.AppendInt(buf, int64(abs(p.mon)), 10)
	}
	if p.day != 0 {
		buf = append(strconv.AppendInt(buf, int64(abs(p.day)), 10), ' ')
	}
	return appendHoursOn(buf, p, 1)
}

func appendIntervalISO(buf []byte, p intervalParts) []byte {
	if p == (intervalParts{}) {
		return append(buf, "PT0S"...)
	}
	part := func(n int64, unit byte) {
		if n != 0 {
			buf = append(strconv.AppendInt(buf, n, 10), unit)
		}
	}
	buf = append(buf, 'P')
	part(int64(p.year), 'Y')
	part(int64(p.mon), 'M')
	part(int64(p.day), 'D')
	if p.hour != 0 || p.min != 0 || p.sec != 0 || p.us != 0 {
		buf = append(buf, 'T')
	}
	part(p.hour, 'H')
	part(int64(p.min), 'M')
	if p.sec != 0 || p.us != 0 {
		if p.sec < 0 || p.us < 0 {
			buf = append(buf, '-')
		}
		buf = append(appendSeconds(buf, abs(p.sec), abs(p.us), 1), 'S')
	}
	return buf
}

// linear is an interval's length with months of 30 days and days of 24 hours,
// the measure of its ordering.
func (v Interval) linear() (days, micros int64) {
	d := floorDiv64(v.Micros, USecsPerDay)
	return int64(v.Months)*30 + int64(v.Days) + d, v.Micros - d*USecsPerDay
}

// CompareIntervals orders intervals: 1 month = 30 days = 720 hours.
func CompareIntervals(a, b Interval) int {
	ad, au := a.linear()
	bd, bu := b.linear()
	if c := cmpInt64(ad, bd); c != 0 {
		return c
	}
	return cmpInt64(au, bu)
}

var intervalCodec = codec{
	in: intervalInText,
	out: func(env *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		return appendInterval(env, buf, d.(Interval)), nil
	},
	recv: func(_ *Env, t T, b []byte) (Datum, error) {
		if err := checkLen(b, 16); err != nil {
			return nil, err
		}
		v := Interval{Micros: int64(binary.BigEndian.Uint64(b)), Days: int32(binary.BigEndian.Uint32(b[8:])), Months: int32(binary.BigEndian.Uint32(b[12:]))}
		return RoundInterval(v, t.Mod), nil
	},
	send: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		v := d.(Interval)
		buf = binary.BigEndian.AppendUint64(buf, uint64(v.Micros))
		buf = binary.BigEndian.AppendUint32(buf, uint32(v.Days))
		return binary.BigEndian.AppendUint32(buf, uint32(v.Months)), nil
	},
	compare: func(_ *Env, a, b Datum) int { return CompareIntervals(a.(Interval), b.(Interval)) },
	key: func(_ *Env, buf []byte, d Datum) []byte {
		days, us := d.(Interval).linear()
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(buf, uint64(days)), uint64(us))
	},
}
