package types

import (
	"github.com/basaltdb/basalt/sql/pgerror"
)

// Lengths of time in microseconds, and limits of PostgreSQL's date types.
const (
	USecsPerSec    int64 = 1_000_000
	USecsPerMinute       = 60 * USecsPerSec
	USecsPerHour         = 60 * USecsPerMinute
	USecsPerDay          = 24 * USecsPerHour

	// julianUnixEpoch is the Julian day number of 1970-01-01.
	julianUnixEpoch int64 = 2440588

	minDate = -julianUnixEpoch             // 4714-11-24 BC, Julian day 0
	endDate = 2147483494 - julianUnixEpoch // 5874898-01-01, exclusive
)

// Civil is a calendar date of the proleptic Gregorian calendar; Year 0 is 1 BC.
type Civil struct{ Year, Month, Day int }

// DaysFromCivil counts days since 1970-01-01; month and day may lie outside
// their usual ranges only by day.
func DaysFromCivil(year, month, day int) int64 {
	y := int64(year)
	if month <= 2 {
		y--
	}
	era := floorDiv64(y, 400)
	yoe := y - era*400
	m := int64(month)
	if m > 2 {
		m -= 3
	} else {
		m += 9
	}
	doy := (153*m+2)/5 + int64(day) - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

// CivilFromDays is the inverse of DaysFromCivil.
func CivilFromDays(days int64) Civil {
	z := days + 719468
	era := floorDiv64(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	c := Civil{Year: int(yoe + era*400), Month: int(mp) + 3, Day: int(doy-(153*mp+2)/5) + 1}
	if c.Month > 12 {
		c.Month -= 12
		c.Year++
	}
	return c
}

func floorDiv64(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// IsLeap reports leap years.
func IsLeap(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

// DaysInMonth is the length of a month, 1 … 12.
func DaysInMonth(year, month int) int {
	switch month {
	case 2:
		if IsLeap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// ISOWeek gives the ISO 8601 week date of a day: year, week 1 … 53.
func ISOWeek(days int64) (year, week int) {
	// The Thursday of the same week decides.
	thu := days - int64((Weekday(days)+6)%7) + 3
	c := CivilFromDays(thu)
	return c.Year, int((thu-DaysFromCivil(c.Year, 1, 1))/7) + 1
}

// ISOWeekMonday is the first day of an ISO week.
func ISOWeekMonday(year, week int) int64 {
	jan4 := DaysFromCivil(year, 1, 4)
	return jan4 - int64((Weekday(jan4)+6)%7) + int64(week-1)*7
}

// Weekday is 0 for Sunday … 6 for Saturday.
func Weekday(days int64) int {
	w := (days + 4) % 7
	if w < 0 {
		w += 7
	}
	return int(w)
}

// Julian is the Julian day number of a day.
func Julian(days int64) int64 { return days + julianUnixEpoch }

// Clock is a broken-down date and time.
type Clock struct {
	Civil
	Hour, Min, Sec int
	Micro          int // of the second
}

func (c *Clock) setTime(us int64) {
	c.Hour, us = int(us/USecsPerHour), us%USecsPerHour
	c.Min, us = int(us/USecsPerMinute), us%USecsPerMinute
	c.Sec, c.Micro = int(us/USecsPerSec), int(us%USecsPerSec)
}

// timeMicros is the time of day.
func (c *Clock) timeMicros() int64 {
	return int64(c.Hour)*USecsPerHour + int64(c.Min)*USecsPerMinute + int64(c.Sec)*USecsPerSec + int64(c.Micro)
}

// Years writes the EXTRACT(year) of finite dates into out (which is as long) and
// reports false at the first infinity.
func Years(dates []Date, out []int64) bool {
	// Runs of dates in one year are common: its bounds are kept.
	from, to, year := int64(1), int64(0), int64(0)
	for i, d := range dates {
		day := int64(d)
		if day < from || day >= to {
			if !d.Finite() {
				return false
			}
			y := CivilFromDays(day).Year
			from, to = DaysFromCivil(y, 1, 1), DaysFromCivil(y+1, 1, 1)
			if year = int64(y); y <= 0 {
				year--
			}
		}
		out[i] = year
	}
	return true
}

// Finite reports whether a date is not an infinity.
func (d Date) Finite() bool { return d != DatePosInfinity && d != DateNegInfinity }

// ValidDate reports whether a day number since 1970 is a date PostgreSQL has.
func ValidDate(days int64) bool { return days >= minDate && days < endDate }

// Errors of arithmetic (22008).
func errTimestampRange() error {
	return pgerror.New(pgerror.DatetimeFieldOverflow, "timestamp out of range")
}
func errDateRange() error { return pgerror.New(pgerror.DatetimeFieldOverflow, "date out of range") }
func errDateRangeForTimestamp() error {
	return pgerror.New(pgerror.DatetimeFieldOverflow, "date out of range for timestamp")
}
func errIntervalRange() error {
	return pgerror.New(pgerror.DatetimeFieldOverflow, "interval out of range")
}
