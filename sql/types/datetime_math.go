package types

import (
	"math"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Arithmetic of dates, timestamps and intervals.

// AddInterval is timestamp + interval: months first (the day clipped to the
// month's end), then days, then time.
func (t Timestamp) AddInterval(v Interval) (Timestamp, error) {
	if !t.Finite() {
		return t, nil
	}
	var err error
	if v.Months != 0 {
		day, us := t.Day()
		if t, err = atValidDay(addMonths(day, v.Months), us); err != nil {
			return 0, err
		}
	}
	if v.Days != 0 {
		day, us := t.Day()
		if t, err = atValidDay(day+int64(v.Days), us); err != nil {
			return 0, err
		}
	}
	us := int64(t)
	if !addInt64(&us, v.Micros) || !ValidTimestamp(Timestamp(us)) {
		return 0, errTimestampRange()
	}
	return Timestamp(us), nil
}

// addMonths moves a day (since 1970) by months, clipped to the month's end.
func addMonths(day int64, months int32) int64 {
	c := CivilFromDays(day)
	m := int64(c.Year)*12 + int64(c.Month-1) + int64(months)
	c.Year, c.Month = int(floorDiv64(m, 12)), int(m-floorDiv64(m, 12)*12)+1
	return DaysFromCivil(c.Year, c.Month, min(c.Day, DaysInMonth(c.Year, c.Month)))
}

// atValidDay is AtDay for a day that may be any.
func atValidDay(day, us int64) (Timestamp, error) {
	if inDays(day) {
		if t := AtDay(day, us); ValidTimestamp(t) {
			return t, nil
		}
	}
	return 0, errTimestampRange()
}

// AddIntervalTZ is timestamptz + interval: months, and then days, move the local
// date of the session's zone.
func (t Timestamp) AddIntervalTZ(env *Env, v Interval) (Timestamp, error) {
	if !t.Finite() {
		return t, nil
	}
	var err error
	if v.Months != 0 {
		day, us := env.ToLocal(t).Day()
		if t, err = env.fromLocalDay(addMonths(day, v.Months), us); err != nil {
			return 0, err
		}
	}
	if v.Days != 0 {
		day, us := env.ToLocal(t).Day()
		if t, err = env.fromLocalDay(day+int64(v.Days), us); err != nil {
			return 0, err
		}
	}
	return t.AddInterval(Interval{Micros: v.Micros})
}

// fromLocalDay is FromLocal of AtDay for a day that may be any.
func (e *Env) fromLocalDay(day, us int64) (Timestamp, error) {
	if !inDays(day) {
		return 0, errTimestampRange()
	}
	return e.FromLocal(AtDay(day, us))
}

// Neg is −v.
func (v Interval) Neg() (Interval, error) {
	if v.Months == math.MinInt32 || v.Days == math.MinInt32 || v.Micros == math.MinInt64 {
		return Interval{}, errIntervalRange()
	}
	return Interval{-v.Months, -v.Days, -v.Micros}, nil
}

// Add is v + w field by field.
func (v Interval) Add(w Interval) (Interval, error) {
	if !addInt32(&v.Months, int64(w.Months)) || !addInt32(&v.Days, int64(w.Days)) || !addInt64(&v.Micros, w.Micros) {
		return Interval{}, errIntervalRange()
	}
	return v, nil
}

// Sub is v − w field by field.
func (v Interval) Sub(w Interval) (Interval, error) {
	us := v.Micros - w.Micros
	if !addInt32(&v.Months, -int64(w.Months)) || !addInt32(&v.Days, -int64(w.Days)) ||
		w.Micros > 0 && us > v.Micros || w.Micros < 0 && us < v.Micros {
		return Interval{}, errIntervalRange()
	}
	v.Micros = us
	return v, nil
}

// roundMicro rounds a number of seconds or days to six digits.
func roundMicro(f float64) float64 { return math.RoundToEven(f*1e6) / 1e6 }

// Mul is v × f; fractions of months become days, fractions of days time.
func (v Interval) Mul(f float64) (Interval, error) {
	return v.scale(float64(v.Months)*f, float64(v.Days)*f, float64(v.Micros)*f)
}

// Div is v ÷ f.
func (v Interval) Div(f float64) (Interval, error) {
	if f == 0 {
		return Interval{}, divisionByZero()
	}
	return v.scale(float64(v.Months)/f, float64(v.Days)/f, float64(v.Micros)/f)
}

func (v Interval) scale(months, days, micros float64) (Interval, error) {
	bad := func(f float64) bool { return math.IsNaN(f) || f > math.MaxInt32 || f < math.MinInt32 }
	if bad(months) || bad(days) {
		return Interval{}, errIntervalRange()
	}
	r := Interval{Months: int32(months), Days: int32(days)}
	monthDays := roundMicro((months - float64(r.Months)) * 30)
	secs := roundMicro((days - float64(r.Days) + monthDays - float64(int(monthDays))) * 86400)
	if math.Abs(secs) >= 86400 {
		r.Days += int32(secs / 86400)
		secs -= float64(int(secs/86400)) * 86400
	}
	r.Days += int32(monthDays)
	us := math.RoundToEven(micros + secs*1e6)
	if math.IsNaN(us) || us >= math.MaxInt64 || us < math.MinInt64 {
		return Interval{}, errIntervalRange()
	}
	r.Micros = int64(us)
	return r, nil
}

// JustifyHours moves whole days of time into the day field.
func (v Interval) JustifyHours() (Interval, error) {
	days := v.Micros / USecsPerDay
	v.Micros -= days * USecsPerDay
	if !addInt32(&v.Days, days) {
		return Interval{}, errIntervalRange()
	}
	v.alignTime()
	return v, nil
}

// alignTime gives time the sign of the days.
func (v *Interval) alignTime() {
	if v.Days > 0 && v.Micros < 0 {
		v.Micros += USecsPerDay
		v.Days--
	} else if v.Days < 0 && v.Micros > 0 {
		v.Micros -= USecsPerDay
		v.Days++
	}
}

// JustifyDays moves each 30 days into a month.
func (v Interval) JustifyDays() (Interval, error) {
	m := v.Days / 30
	v.Days -= m * 30
	if !addInt32(&v.Months, int64(m)) {
		return Interval{}, errIntervalRange()
	}
	if v.Months > 0 && v.Days < 0 {
		v.Days += 30
		v.Months--
	} else if v.Months < 0 && v.Days > 0 {
		v.Days -= 30
		v.Months++
	}
	return v, nil
}

// JustifyInterval does both and gives all fields one sign.
func (v Interval) JustifyInterval() (Interval, error) {
	if v.Days > 0 && v.Micros > 0 || v.Days < 0 && v.Micros < 0 {
		m := v.Days / 30
		v.Days -= m * 30
		if !addInt32(&v.Months, int64(m)) {
			return Interval{}, errIntervalRange()
		}
	}
	d := v.Micros / USecsPerDay
	v.Micros -= d * USecsPerDay
	if !addInt32(&v.Days, d) {
		return Interval{}, errIntervalRange()
	}
	m := v.Days / 30
	v.Days -= m * 30
	if !addInt32(&v.Months, int64(m)) {
		return Interval{}, errIntervalRange()
	}
	if v.Months > 0 && (v.Days < 0 || v.Days == 0 && v.Micros < 0) {
		v.Days += 30
		v.Months--
	} else if v.Months < 0 && (v.Days > 0 || v.Days == 0 && v.Micros > 0) {
		v.Days -= 30
		v.Months++
	}
	v.alignTime()
	return v, nil
}

// Sub is timestamp − timestamp: days and time.
func (t Timestamp) Sub(u Timestamp) (Interval, error) {
	if !t.Finite() || !u.Finite() {
		return Interval{}, pgerror.New(pgerror.DatetimeFieldOverflow, "cannot subtract infinite timestamps")
	}
	return Interval{Micros: int64(t) - int64(u)}.JustifyHours()
}

// Age is the symbolic difference of two local timestamps in years, months, days and
// time. As in PostgreSQL +infinity is the point in time its number would be, and
// -infinity, for which the calendar has no day, is out of range.
func Age(t, u Timestamp) (Interval, error) { return age(time.UTC, t, u) }

// AgeTZ is Age of two instants by the calendar of the session's zone.
func AgeTZ(env *Env, t, u Timestamp) (Interval, error) { return age(env.TimeZone, t, u) }

func age(zone *time.Location, t, u Timestamp) (Interval, error) {
	if t == TimestampNegInfinity || u == TimestampNegInfinity {
		return Interval{}, errTimestampRange()
	}
	split := func(t Timestamp) Clock {
		off, _ := ZoneOffset(zone, t)
		return t.SplitAt(off)
	}
	if t < u {
		v, err := ageOrdered(split(u), split(t))
		if err != nil {
			return v, err
		}
		return v.Neg()
	}
	return ageOrdered(split(t), split(u))
}

// ageOrdered is age for later ≥ earlier. Days are borrowed from the earlier date's month.
func ageOrdered(a, b Clock) (Interval, error) {
	us := a.timeMicros() - b.timeMicros()
	day, mon, year := a.Day-b.Day, a.Month-b.Month, a.Year-b.Year
	for us < 0 {
		us += USecsPerDay
		day--
	}
	for day < 0 {
		day += DaysInMonth(b.Year, b.Month)
		mon--
	}
	for mon < 0 {
		mon += 12
		year--
	}
	months := int64(year)*12 + int64(mon)
	if months > math.MaxInt32 {
		return Interval{}, errIntervalRange()
	}
	return Interval{Months: int32(months), Days: int32(day), Micros: us}, nil
}

// DateToTimestamp is midnight of a day.
func DateToTimestamp(d Date) (Timestamp, error) {
	switch d {
	case DatePosInfinity:
		return TimestampPosInfinity, nil
	case DateNegInfinity:
		return TimestampNegInfinity, nil
	}
	if int64(d) >= endTimestampDay {
		return 0, errDateRangeForTimestamp()
	}
	return AtDay(int64(d), 0), nil
}

// DateToTimestampTZ is midnight of a day in the session's zone.
func DateToTimestampTZ(env *Env, d Date) (Timestamp, error) {
	t, err := DateToTimestamp(d)
	if err != nil || !t.Finite() {
		return t, err
	}
	u := t - Timestamp(int64(LocalOffset(env.TimeZone, t))*USecsPerSec)
	if !ValidTimestamp(u) {
		return 0, errDateRangeForTimestamp()
	}
	return u, nil
}

// TimestampToDate is the day of a timestamp.
func TimestampToDate(t Timestamp) Date {
	switch t {
	case TimestampPosInfinity:
		return DatePosInfinity
	case TimestampNegInfinity:
		return DateNegInfinity
	}
	day, _ := t.Day()
	return Date(day)
}

// CompareDateTimestamp orders a date (as midnight) and a timestamp without overflow.
func CompareDateTimestamp(d Date, t Timestamp) int {
	v, err := DateToTimestamp(d)
	if err != nil { // later than every finite timestamp
		if t == TimestampPosInfinity {
			return -1
		}
		return 1
	}
	return cmpInt64(int64(v), int64(t))
}

// CompareDateTimestampTZ orders a date (midnight of the session's zone) and a timestamptz.
func CompareDateTimestampTZ(env *Env, d Date, t Timestamp) int {
	v, err := DateToTimestampTZ(env, d)
	if err != nil {
		if d > 0 {
			if t == TimestampPosInfinity {
				return -1
			}
			return 1
		}
		if t == TimestampNegInfinity {
			return 1
		}
		return -1
	}
	return cmpInt64(int64(v), int64(t))
}

// CompareTimestampTZ orders a local timestamp of the session's zone and a timestamptz.
func CompareTimestampTZ(env *Env, t, tz Timestamp) int {
	v, err := env.FromLocal(t)
	if err != nil {
		if t > 0 {
			if tz == TimestampPosInfinity {
				return -1
			}
			return 1
		}
		if tz == TimestampNegInfinity {
			return 1
		}
		return -1
	}
	return cmpInt64(int64(v), int64(tz))
}

// AddInterval is time + interval, wrapping at midnight.
func (t Time) AddInterval(v Interval) Time {
	us := (int64(t) + v.Micros%USecsPerDay) % USecsPerDay
	if us < 0 {
		us += USecsPerDay
	}
	return Time(us)
}

// DateBin is date_bin(): the start of the stride-long bin from origin that t lies in.
func DateBin(stride Interval, t, origin Timestamp) (Timestamp, error) {
	if !t.Finite() {
		return t, nil
	}
	if !origin.Finite() {
		return 0, pgerror.New(pgerror.DatetimeFieldOverflow, "origin out of range")
	}
	if stride.Months != 0 {
		return 0, pgerror.New(pgerror.FeatureNotSupported, "timestamps cannot be binned into intervals containing months or years")
	}
	us, ok := mulInt64(int64(stride.Days), USecsPerDay)
	if !ok || !addInt64(&us, stride.Micros) {
		return 0, errIntervalRange()
	}
	if us <= 0 {
		return 0, pgerror.New(pgerror.DatetimeFieldOverflow, "stride must be greater than zero")
	}
	diff := int64(t)
	if !addInt64(&diff, -int64(origin)) {
		return 0, errIntervalRange()
	}
	mod := diff % us
	r := int64(origin) + diff - mod
	if mod < 0 {
		if !addInt64(&r, -us) || !ValidTimestamp(Timestamp(r)) {
			return 0, errTimestampRange()
		}
	}
	return Timestamp(r), nil
}
