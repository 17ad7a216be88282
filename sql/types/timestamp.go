package types

import (
	"math"
	"time"
)

// A Timestamp is timestamp or timestamptz (then UTC): microseconds since
// 2000-01-01 00:00:00, PostgreSQL's own zero, with ±infinity at the ends. This is
// the one meaning of the number wherever it is kept: in a Datum, in the vectors of
// ArrowType (although Arrow says that a timestamp counts from 1970), in rows, keys,
// column segments, plans, spilled batches and messages between nodes. The binary
// form of the wire is the number itself.
//
// Everything else that counts time, counts from 1970: Date and the day numbers of
// calendar.go, time.Time, Arrow's clients. The functions of this file are the only
// way between the two; a conversion of a number that did not come from a Timestamp
// is wrong.
//
// Finite values lie in [4714-11-24 BC, 294277-01-01). The int64 goes on for eight
// days after that, so that a local time may lie a zone's offset beyond the end.
type Timestamp int64

const (
	// PGEpochDays is 2000-01-01, the zero of timestamps and of the wire forms, in days since 1970.
	PGEpochDays int64 = 10957
	// epochSeconds is the same in seconds since 1970.
	epochSeconds = PGEpochDays * 86400
	// unixEpoch is 1970-01-01 00:00:00.
	unixEpoch = Timestamp(-epochSeconds * USecsPerSec)

	minTimestamp = Timestamp((minDate - PGEpochDays) * USecsPerDay) // 4714-11-24 BC
	endTimestamp = Timestamp(106751983 * USecsPerDay)               // 294277-01-01, exclusive
	// endTimestampDay is the day of endTimestamp since 1970.
	endTimestampDay = int64(endTimestamp)/USecsPerDay + PGEpochDays

	TimestampPosInfinity Timestamp = math.MaxInt64
	TimestampNegInfinity Timestamp = math.MinInt64
)

// Finite reports whether a timestamp is not an infinity.
func (t Timestamp) Finite() bool { return t != TimestampPosInfinity && t != TimestampNegInfinity }

// ValidTimestamp reports whether t is in range (finite).
func ValidTimestamp(t Timestamp) bool { return t >= minTimestamp && t < endTimestamp }

// TimestampOf is an instant of a clock as timestamptz.
func TimestampOf(t time.Time) Timestamp { return unixEpoch + Timestamp(t.UnixMicro()) }

// Time is the instant of a finite timestamptz, in UTC.
func (t Timestamp) Time() time.Time {
	s := floorDiv64(int64(t), USecsPerSec)
	return time.Unix(s+epochSeconds, (int64(t)-s*USecsPerSec)*1000).UTC()
}

// UnixSeconds is Time in whole seconds since 1970, rounded down.
func (t Timestamp) UnixSeconds() int64 { return floorDiv64(int64(t), USecsPerSec) + epochSeconds }

// UnixMicros counts from 1970; ok is false for the last thirty years of the range,
// which do not fit.
func (t Timestamp) UnixMicros() (us int64, ok bool) {
	us = int64(t)
	ok = addInt64(&us, -int64(unixEpoch))
	return us, ok
}

// TimestampOfUnix is a number of seconds since 1970 and microseconds more; ok is false
// out of range.
func TimestampOfUnix(sec, us int64) (t Timestamp, ok bool) {
	if sec < math.MinInt64/4 || sec > math.MaxInt64/4 {
		return 0, false
	}
	sec += us/USecsPerSec - epochSeconds
	if sec < int64(minTimestamp)/USecsPerSec-1 || sec > int64(endTimestamp)/USecsPerSec {
		return 0, false
	}
	t = Timestamp(sec*USecsPerSec + us%USecsPerSec)
	return t, ValidTimestamp(t)
}

// TimestampOfUnixSeconds is a number of seconds since 1970; ok is false out of range.
func TimestampOfUnixSeconds(s float64) (t Timestamp, ok bool) {
	s -= float64(epochSeconds) // first: this is where PostgreSQL rounds
	if math.IsNaN(s) || s < float64(minTimestamp/1e6) || s >= float64(endTimestamp/1e6) {
		return 0, false
	}
	t = Timestamp(math.RoundToEven(s * 1e6))
	return t, ValidTimestamp(t)
}

// AtDay puts a day (since 1970) and a time of day together. REQUIRES: the day lies
// within a few days of the range.
func AtDay(day, us int64) Timestamp { return Timestamp((day-PGEpochDays)*USecsPerDay + us) }

// Day is the day (since 1970) t lies in, and the time of that day. +infinity is the
// 9th of January 294277 here, as in PostgreSQL's broken-down times.
func (t Timestamp) Day() (day, us int64) {
	d := floorDiv64(int64(t), USecsPerDay)
	return d + PGEpochDays, int64(t) - d*USecsPerDay
}

// inDays reports whether a day (since 1970) may hold a local time that a zone's offset
// moves into range.
func inDays(day int64) bool { return day >= minDate-1 && day <= endTimestampDay }

// Split breaks a timestamp without zone down.
func (t Timestamp) Split() Clock { return t.SplitAt(0) }

// SplitAt breaks t down in a zone whose offset is given in seconds east of UTC.
func (t Timestamp) SplitAt(offset int) Clock {
	day, us := t.Day()
	us += int64(offset) * USecsPerSec
	n := floorDiv64(us, USecsPerDay)
	c := Clock{Civil: CivilFromDays(day + n)}
	c.setTime(us - n*USecsPerDay)
	return c
}

// TimeOfDay is the time part of a finite timestamp.
func (t Timestamp) TimeOfDay() Time {
	_, us := t.Day()
	return Time(us)
}

// Timestamp puts the fields together; ok is false when the result is out of range.
func (c *Clock) Timestamp() (Timestamp, bool) {
	t, ok := c.Local()
	return t, ok && ValidTimestamp(t)
}

// Local is Timestamp with a day to spare at both ends: a local time that a zone
// moves into range.
func (c *Clock) Local() (Timestamp, bool) {
	if c.Year < -4714 || c.Year > 294277 {
		return 0, false
	}
	d := DaysFromCivil(c.Year, c.Month, c.Day)
	return AtDay(d, c.timeMicros()), inDays(d)
}
