package types

import "time"

// Printing of dates and times in the four DateStyles.

var (
	monthAbbrev = [...]string{"", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}
	dayAbbrev   = [...]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}
)

// appendPad appends n ≥ 0 in decimal with at least width digits.
func appendPad(buf []byte, n, width int) []byte {
	var tmp [20]byte
	i := len(tmp)
	for n > 0 || width > 0 {
		i--
		tmp[i] = byte('0' + n%10)
		n /= 10
		width--
	}
	return append(buf, tmp[i:]...)
}

func appendYear(buf []byte, year int) []byte {
	if year <= 0 {
		year = -(year - 1)
	}
	return appendPad(buf, year, 4)
}

func appendBC(buf []byte, year int) []byte {
	if year <= 0 {
		return append(buf, " BC"...)
	}
	return buf
}

// appendSeconds appends ss[.ffffff] without trailing zeros.
func appendSeconds(buf []byte, sec, micro, width int) []byte {
	buf = appendPad(buf, sec, width)
	if micro == 0 {
		return buf
	}
	buf = appendPad(append(buf, '.'), micro, 6)
	for buf[len(buf)-1] == '0' {
		buf = buf[:len(buf)-1]
	}
	return buf
}

func appendClock(buf []byte, c *Clock) []byte {
	buf = append(appendPad(buf, c.Hour, 2), ':')
	buf = append(appendPad(buf, c.Min, 2), ':')
	return appendSeconds(buf, c.Sec, c.Micro, 2)
}

// appendOffset appends ±hh[:mm[:ss]]; short styles print no zero parts.
func appendOffset(buf []byte, off int) []byte {
	if off < 0 {
		buf, off = append(buf, '-'), -off
	} else {
		buf = append(buf, '+')
	}
	buf = appendPad(buf, off/3600, 2)
	if off%3600 != 0 {
		buf = appendPad(append(buf, ':'), off/60%60, 2)
		if off%60 != 0 {
			buf = appendPad(append(buf, ':'), off%60, 2)
		}
	}
	return buf
}

func appendDate(env *Env, buf []byte, d Date) []byte {
	switch d {
	case DatePosInfinity:
		return append(buf, "infinity"...)
	case DateNegInfinity:
		return append(buf, "-infinity"...)
	}
	c := CivilFromDays(int64(d))
	dmy := env.DateOrder == DateOrderDMY
	switch env.DateStyle {
	case DateStyleISO:
		buf = append(appendYear(buf, c.Year), '-')
		buf = append(appendPad(buf, c.Month, 2), '-')
		buf = appendPad(buf, c.Day, 2)
	case DateStyleSQL:
		buf = appendDayMonth(buf, c, dmy, '/')
		buf = appendYear(append(buf, '/'), c.Year)
	case DateStyleGerman:
		buf = appendDayMonth(buf, c, true, '.')
		buf = appendYear(append(buf, '.'), c.Year)
	default:
		buf = appendDayMonth(buf, c, dmy, '-')
		buf = appendYear(append(buf, '-'), c.Year)
	}
	return appendBC(buf, c.Year)
}

func appendDayMonth(buf []byte, c Civil, dayFirst bool, sep byte) []byte {
	a, b := c.Month, c.Day
	if dayFirst {
		a, b = b, a
	}
	return appendPad(append(appendPad(buf, a, 2), sep), b, 2)
}

// appendTimestamp prints t; zoned: t is UTC and shown in the session's zone.
func appendTimestamp(env *Env, buf []byte, t Timestamp, zoned bool) []byte {
	switch t {
	case TimestampPosInfinity:
		return append(buf, "infinity"...)
	case TimestampNegInfinity:
		return append(buf, "-infinity"...)
	}
	off, abbrev := 0, ""
	if zoned {
		if env.TimeZone == time.UTC {
			abbrev = "UTC"
		} else {
			off, abbrev = ZoneOffset(env.TimeZone, t)
		}
		t += Timestamp(int64(off) * USecsPerSec)
	}
	c := t.Split()
	dmy := env.DateOrder == DateOrderDMY
	switch env.DateStyle {
	case DateStyleISO:
		buf = append(appendYear(buf, c.Year), '-')
		buf = append(appendPad(buf, c.Month, 2), '-')
		buf = append(appendPad(buf, c.Day, 2), ' ')
		buf = appendClock(buf, &c)
		if zoned {
			buf = appendOffset(buf, off)
		}
	case DateStyleSQL, DateStyleGerman:
		sep := byte('/')
		if env.DateStyle == DateStyleGerman {
			sep, dmy = '.', true
		}
		buf = appendDayMonth(buf, c.Civil, dmy, sep)
		buf = append(appendYear(append(buf, sep), c.Year), ' ')
		buf = appendClock(buf, &c)
		if zoned {
			buf = append(append(buf, ' '), abbrev...)
		}
	default:
		buf = append(append(buf, dayAbbrev[Weekday(DaysFromCivil(c.Year, c.Month, c.Day))]...), ' ')
		if dmy {
			buf = append(append(appendPad(buf, c.Day, 2), ' '), monthAbbrev[c.Month]...)
		} else {
			buf = appendPad(append(append(buf, monthAbbrev[c.Month]...), ' '), c.Day, 2)
		}
		buf = append(appendClock(append(buf, ' '), &c), ' ')
		buf = appendYear(buf, c.Year)
		if zoned {
			buf = append(append(buf, ' '), abbrev...)
		}
	}
	return appendBC(buf, c.Year)
}
