package types

import (
	"math"
	"math/big"
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// EXTRACT, date_part and date_trunc.

// DateField is a part of a date, a time or an interval, as EXTRACT names it.
type DateField struct {
	unit dtUnit
	name string // as given, lower case
}

// FindDateField reads the name of a field; an unknown name gives a field that
// no type has, so that the error can name the type.
func FindDateField(name string) DateField {
	key := strings.ToLower(name)
	f := DateField{name: key}
	if w, ok := unitWords[dtKey(key)]; ok && w.kind == wordUnit {
		f.unit = dtUnit(w.val)
	} else if w, ok := dateWords[dtKey(key)]; ok && (w.kind == wordUnit || w.kind == wordReserved && dtUnit(w.val) == unitEpoch) {
		f.unit = dtUnit(w.val)
	}
	return f
}

func (f DateField) errUnknown(typ string) error {
	if f.unit == unitNone {
		return pgerror.New(pgerror.InvalidParameterValue, "unit \"%s\" not recognized for type %s", f.name, typ)
	}
	return pgerror.New(pgerror.FeatureNotSupported, "unit \"%s\" not supported for type %s", f.name, typ)
}

// errTrunc is errUnknown for date_trunc, which knows units of length only.
func (f DateField) errTrunc(typ string) error {
	if _, ok := unitWords[dtKey(f.name)]; !ok {
		f.unit = unitNone
	}
	return f.errUnknown(typ)
}

// IsYear reports the field YEAR, which has a kernel of its own.
func (f DateField) IsYear() bool { return f.unit == unitYear }

// FieldValue is the value of a field: units × 10^-Scale, or an infinity, or NULL,
// or (julian with a time of day) an exact number.
type FieldValue struct {
	Units int64
	Scale int32
	Inf   int  // ±1: infinite
	Null  bool // no value: fields that go round, of an infinite date
	day   int64
	frac  int64 // microseconds of the day
	exact bool
	big   *big.Int
	float float64 // epoch, where date_part computes it in floating point
}

// Numeric is the value as EXTRACT gives it.
func (v FieldValue) Numeric() (Numeric, error) {
	switch {
	case v.Inf > 0:
		return NumericPosInf, nil
	case v.Inf < 0:
		return NumericNegInf, nil
	case v.exact:
		q, err := NumericFromInt64(v.frac, 0).Div(NumericFromInt64(USecsPerDay, 0))
		if err != nil {
			return Numeric{}, err
		}
		return NumericFromInt64(v.day, 0).Add(q)
	case v.big != nil:
		return NumericFromBig(v.big, v.Scale), nil
	}
	return NumericFromInt64(v.Units, v.Scale), nil
}

// Float is the value as date_part gives it.
func (v FieldValue) Float() float64 {
	switch {
	case v.Inf != 0:
		return math.Inf(v.Inf)
	case v.exact:
		return float64(v.day) + float64(v.frac)/float64(USecsPerDay)
	case v.float != 0:
		return v.float
	}
	return float64(v.Units) / math.Pow10(int(v.Scale))
}

func whole(n int64) FieldValue { return FieldValue{Units: n} }

func yearField(u dtUnit, y int) (int64, bool) {
	year := int64(y)
	switch u {
	case unitYear:
		if year > 0 {
			return year, true
		}
		return year - 1, true
	case unitDecade:
		return floorDiv64(year, 10), true
	case unitCentury:
		if year > 0 {
			return (year + 99) / 100, true
		}
		return -((99 - (year - 1)) / 100), true
	case unitMillennium:
		if year > 0 {
			return (year + 999) / 1000, true
		}
		return -((999 - (year - 1)) / 1000), true
	}
	return 0, false
}

// dayField is a field of a date alone.
func dayField(u dtUnit, days int64, c Civil) (int64, bool) {
	switch u {
	case unitDay:
		return int64(c.Day), true
	case unitMonth:
		return int64(c.Month), true
	case unitQuarter:
		return int64(c.Month-1)/3 + 1, true
	case unitWeek:
		_, w := ISOWeek(days)
		return int64(w), true
	case unitIsoYear:
		y, _ := ISOWeek(days)
		if y <= 0 {
			y--
		}
		return int64(y), true
	case unitDow:
		return int64(Weekday(days)), true
	case unitIsoDow:
		return int64((Weekday(days)+6)%7) + 1, true
	case unitDoy:
		return days - DaysFromCivil(c.Year, 1, 1) + 1, true
	}
	return yearField(u, c.Year)
}

// timeField is a field of a time of day or of an interval's time.
func timeField(u dtUnit, us int64) (FieldValue, bool) {
	switch u {
	case unitMicrosecond:
		return whole(us % USecsPerMinute), true
	case unitMillisecond:
		return FieldValue{Units: us % USecsPerMinute, Scale: 3}, true
	case unitSecond:
		return FieldValue{Units: us % USecsPerMinute, Scale: 6}, true
	case unitMinute:
		return whole(us / USecsPerMinute % 60), true
	case unitHour:
		return whole(us / USecsPerHour), true
	}
	return FieldValue{}, false
}

// infiniteField is a field of ±infinity.
func (f DateField) infiniteField(positive, date bool, typ string) (FieldValue, error) {
	switch f.unit {
	case unitYear, unitDecade, unitCentury, unitMillennium, unitJulian, unitIsoYear, unitEpoch:
		if positive {
			return FieldValue{Inf: 1}, nil
		}
		return FieldValue{Inf: -1}, nil
	case unitDay, unitMonth, unitQuarter, unitWeek, unitDow, unitIsoDow, unitDoy:
		return FieldValue{Null: true}, nil
	case unitMicrosecond, unitMillisecond, unitSecond, unitMinute, unitHour, unitTimezone, unitTimezoneHour, unitTimezoneMinute:
		if !date {
			return FieldValue{Null: true}, nil
		}
	}
	return FieldValue{}, f.errUnknown(typ)
}

// OfDate is EXTRACT(f FROM date).
func (f DateField) OfDate(d Date) (FieldValue, error) {
	if !d.Finite() {
		return f.infiniteField(d > 0, true, "date")
	}
	switch f.unit {
	case unitJulian:
		return whole(Julian(int64(d))), nil
	case unitEpoch:
		return whole(int64(d) * 86400), nil
	}
	if n, ok := dayField(f.unit, int64(d), CivilFromDays(int64(d))); ok {
		return whole(n), nil
	}
	return FieldValue{}, f.errUnknown("date")
}

// OfTimestamp is EXTRACT(f FROM timestamp); zoned: timestamptz, in the session's zone.
func (f DateField) OfTimestamp(env *Env, t Timestamp, zoned bool) (FieldValue, error) {
	typ := "timestamp without time zone"
	if zoned {
		typ = "timestamp with time zone"
	}
	if !t.Finite() {
		return f.infiniteField(t > 0, false, typ)
	}
	if f.unit == unitEpoch {
		if us, ok := t.UnixMicros(); ok && us < math.MaxInt64 {
			return FieldValue{Units: us, Scale: 6}, nil
		}
		// NB: of numbers beyond 64 bits PostgreSQL keeps sixteen digits.
		b := big.NewInt(int64(t))
		q, err := NumericFromBig(b.Sub(b, big.NewInt(int64(unixEpoch))), 0).Div(NumericFromInt64(USecsPerSec, 0))
		if err != nil {
			return FieldValue{}, err
		}
		if q, err = q.Round(6); err != nil {
			return FieldValue{}, err
		}
		return FieldValue{big: q.Big(), Scale: 6, float: (float64(t) - float64(unixEpoch)) / 1e6}, nil
	}
	off := 0
	if zoned {
		off, _ = ZoneOffset(env.TimeZone, t)
		t += Timestamp(int64(off) * USecsPerSec)
	}
	days, us := t.Day()
	if v, ok := timeField(f.unit, us); ok {
		return v, nil
	}
	if f.unit == unitJulian {
		return FieldValue{exact: true, day: Julian(days), frac: us}, nil
	}
	if n, ok := dayField(f.unit, days, CivilFromDays(days)); ok {
		return whole(n), nil
	}
	if zoned {
		if n, ok := zoneField(f.unit, off); ok {
			return whole(n), nil
		}
	}
	return FieldValue{}, f.errUnknown(typ)
}

func zoneField(u dtUnit, off int) (int64, bool) {
	switch u {
	case unitTimezone:
		return int64(off), true
	case unitTimezoneHour:
		return int64(off / 3600), true
	case unitTimezoneMinute:
		return int64(off / 60 % 60), true
	}
	return 0, false
}

// OfTime is EXTRACT(f FROM time).
func (f DateField) OfTime(t Time) (FieldValue, error) {
	if v, ok := timeField(f.unit, int64(t)); ok {
		return v, nil
	}
	if f.unit == unitEpoch {
		return FieldValue{Units: int64(t), Scale: 6}, nil
	}
	return FieldValue{}, f.errUnknown("time without time zone")
}

// OfTimeTZ is EXTRACT(f FROM timetz).
func (f DateField) OfTimeTZ(t TimeTZ) (FieldValue, error) {
	if v, ok := timeField(f.unit, t.Micros); ok {
		return v, nil
	}
	if f.unit == unitEpoch {
		return FieldValue{Units: t.utcMicros(), Scale: 6}, nil
	}
	if n, ok := zoneField(f.unit, int(-t.Zone)); ok {
		return whole(n), nil
	}
	return FieldValue{}, f.errUnknown("time with time zone")
}

// OfInterval is EXTRACT(f FROM interval).
func (f DateField) OfInterval(v Interval) (FieldValue, error) {
	year := int64(v.Months / 12)
	switch f.unit {
	case unitDay:
		return whole(int64(v.Days)), nil
	case unitMonth:
		return whole(int64(v.Months % 12)), nil
	case unitQuarter:
		return whole(int64(v.Months%12)/3 + 1), nil
	case unitYear:
		return whole(year), nil
	case unitDecade:
		return whole(year / 10), nil
	case unitCentury:
		return whole(year / 100), nil
	case unitMillennium:
		return whole(year / 1000), nil
	case unitEpoch:
		f := float64(v.Micros)/1e6 + 365.25*86400*float64(year)
		f += 30.0 * 86400 * float64(v.Months%12)
		f += 86400 * float64(v.Days)
		secs := (1461*year + 120*int64(v.Months%12) + 4*int64(v.Days)) * (86400 / 4)
		if us, ok := mulInt64(secs, USecsPerSec); ok && addInt64(&us, v.Micros) {
			return FieldValue{Units: us, Scale: 6, float: f}, nil
		}
		b := new(big.Int).Mul(big.NewInt(secs), big.NewInt(USecsPerSec))
		return FieldValue{big: b.Add(b, big.NewInt(v.Micros)), Scale: 6, float: f}, nil
	}
	if x, ok := timeField(f.unit, v.Micros); ok {
		return x, nil
	}
	return FieldValue{}, f.errUnknown("interval")
}

// truncYear is the first year of the decade, century or millennium y lies in.
func truncYear(u dtUnit, y int) int {
	switch u {
	case unitMillennium:
		if y > 0 {
			return (y+999)/1000*1000 - 999
		}
		return -((999-(y-1))/1000)*1000 + 1
	case unitCentury:
		if y > 0 {
			return (y+99)/100*100 - 99
		}
		return -((99-(y-1))/100)*100 + 1
	case unitDecade:
		if y > 0 {
			return y / 10 * 10
		}
		return -((8 - (y - 1)) / 10) * 10
	}
	return y
}

// TruncTimestamp is date_trunc of a timestamp.
func (f DateField) TruncTimestamp(t Timestamp) (Timestamp, error) {
	r, _, err := f.truncLocal(t, "timestamp without time zone")
	if err == nil && r.Finite() && !ValidTimestamp(r) {
		err = errTimestampRange()
	}
	return r, err
}

// truncLocal is date_trunc of a local time, which may lie a zone's offset out of range;
// coarse: the unit is a day or more.
func (f DateField) truncLocal(t Timestamp, typ string) (r Timestamp, coarse bool, err error) {
	if !t.Finite() {
		return t, false, nil // whatever the unit, as in PostgreSQL
	}
	var step int64
	switch f.unit {
	case unitMicrosecond:
		step = 1
	case unitMillisecond:
		step = 1000
	case unitSecond:
		step = USecsPerSec
	case unitMinute:
		step = USecsPerMinute
	case unitHour:
		step = USecsPerHour
	case unitDay:
		step, coarse = USecsPerDay, true
	case unitWeek, unitMonth, unitQuarter, unitYear, unitDecade, unitCentury, unitMillennium:
		coarse = true
	default:
		return 0, false, f.errTrunc(typ)
	}
	if step > 0 {
		return Timestamp(floorDiv64(int64(t), step) * step), coarse, nil
	}
	days, _ := t.Day()
	if f.unit == unitWeek {
		days -= int64((Weekday(days) + 6) % 7)
	} else {
		c := CivilFromDays(days)
		switch f.unit {
		case unitMonth:
		case unitQuarter:
			c.Month = (c.Month-1)/3*3 + 1
		default:
			c.Year, c.Month = truncYear(f.unit, c.Year), 1
		}
		days = DaysFromCivil(c.Year, c.Month, 1)
	}
	if !inDays(days) {
		return 0, false, errTimestampRange()
	}
	return AtDay(days, 0), true, nil
}

// TruncTimestampTZ is date_trunc of a timestamptz in a zone.
func (f DateField) TruncTimestampTZ(z Zone, t Timestamp) (Timestamp, error) {
	off := 0
	if t.Finite() {
		off = z.AtUTC(t)
	}
	local := t
	if t.Finite() {
		local += Timestamp(int64(off) * USecsPerSec)
	}
	r, coarse, err := f.truncLocal(local, "timestamp with time zone")
	if err != nil || !t.Finite() {
		return r, err
	}
	if coarse {
		off = z.AtLocal(r)
	}
	r -= Timestamp(int64(off) * USecsPerSec)
	if !ValidTimestamp(r) {
		return 0, errTimestampRange()
	}
	return r, nil
}

// TruncInterval is date_trunc of an interval.
func (f DateField) TruncInterval(v Interval) (Interval, error) {
	m := int32(0)
	switch f.unit {
	case unitMillennium:
		m = 12000
	case unitCentury:
		m = 1200
	case unitDecade:
		m = 120
	case unitYear:
		m = 12
	case unitQuarter:
		m = 3
	case unitMonth:
		m = 1
	case unitDay:
		v.Micros = 0
		return v, nil
	case unitHour:
		v.Micros = v.Micros / USecsPerHour * USecsPerHour
		return v, nil
	case unitMinute:
		v.Micros = v.Micros / USecsPerMinute * USecsPerMinute
		return v, nil
	case unitSecond:
		v.Micros = v.Micros / USecsPerSec * USecsPerSec
		return v, nil
	case unitMillisecond:
		v.Micros = v.Micros / 1000 * 1000
		return v, nil
	case unitMicrosecond:
		return v, nil
	case unitWeek:
		return v, pgerror.New(pgerror.FeatureNotSupported, "unit \"%s\" not supported for type interval", f.name).
			WithDetail("Months usually have fractional weeks.")
	default:
		return v, f.errTrunc("interval")
	}
	return Interval{Months: v.Months / m * m}, nil
}

// Zone is the session's zone as a Zone.
func (e *Env) Zone() Zone { return Zone{Loc: e.TimeZone} }

// Plain reports a value that is Units × 10^-Scale and nothing else.
func (v FieldValue) Plain() bool { return v.Inf == 0 && !v.Null && !v.exact && v.big == nil }
