package types

import (
	"encoding/binary"
	"math"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Codecs of date, time, timetz, timestamp and timestamptz. On the wire days count
// from 2000-01-01, as microseconds do everywhere.

var timeScale = [...]int64{1_000_000, 100_000, 10_000, 1000, 100, 10, 1}

// roundMicros rounds half away from zero to typmod digits of a second.
func roundMicros(v int64, mod int32) int64 {
	if mod < 0 || mod >= 6 {
		return v
	}
	s := timeScale[mod]
	if v >= 0 {
		if v > math.MaxInt64-s/2 {
			return v / s * s
		}
		return (v + s/2) / s * s
	}
	return -((-v + s/2) / s * s)
}

// RoundTimestamp applies the modifier of timestamp(p) and timestamptz(p). As in
// PostgreSQL the last half of a unit before the end of the range becomes the end
// itself, which no arithmetic takes.
func RoundTimestamp(t Timestamp, mod int32) Timestamp {
	if !t.Finite() {
		return t
	}
	return Timestamp(roundMicros(int64(t), mod))
}

// RoundTime applies the modifier of time(p) and timetz(p).
func RoundTime(t int64, mod int32) int64 { return roundMicros(t, mod) }

func dateIn(env *Env, _ T, s string) (Datum, error) {
	d, err := decodeDateTime(env, s, "date")
	if err != nil {
		return nil, err
	}
	switch d.special {
	case dtEpoch:
		return Date(0), nil
	case dtPosInf:
		return DatePosInfinity, nil
	case dtNegInf:
		return DateNegInfinity, nil
	}
	days := DaysFromCivil(d.clock.Year, d.clock.Month, d.clock.Day)
	if !ValidDate(days) {
		return nil, pgerror.New(pgerror.DatetimeFieldOverflow, "date out of range: \"%s\"", s)
	}
	return Date(days), nil
}

var dateCodec = codec{
	in: dateIn,
	out: func(env *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		return appendDate(env, buf, d.(Date)), nil
	},
	recv: func(_ *Env, _ T, b []byte) (Datum, error) {
		if err := checkLen(b, 4); err != nil {
			return nil, err
		}
		switch v := int32(binary.BigEndian.Uint32(b)); v {
		case math.MaxInt32:
			return DatePosInfinity, nil
		case math.MinInt32:
			return DateNegInfinity, nil
		default:
			if days := int64(v) + PGEpochDays; ValidDate(days) {
				return Date(days), nil
			}
		}
		return nil, errDateRange()
	},
	send: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		v := d.(Date)
		if v.Finite() {
			v -= Date(PGEpochDays)
		}
		return binary.BigEndian.AppendUint32(buf, uint32(v)), nil
	},
	compare: func(_ *Env, a, b Datum) int { return cmpInt64(int64(a.(Date)), int64(b.(Date))) },
	key: func(_ *Env, buf []byte, d Datum) []byte {
		return binary.LittleEndian.AppendUint32(buf, uint32(d.(Date)))
	},
}

func cmpInt64(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

var timeCodec = codec{
	in: func(env *Env, t T, s string) (Datum, error) {
		d, err := decodeTimeOnly(env, s, "time")
		if err != nil {
			return nil, err
		}
		return Time(RoundTime(d.clock.timeMicros(), t.Mod)), nil
	},
	out: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		var c Clock
		c.setTime(int64(d.(Time)))
		return appendClock(buf, &c), nil
	},
	recv: func(_ *Env, t T, b []byte) (Datum, error) {
		if err := checkLen(b, 8); err != nil {
			return nil, err
		}
		v := int64(binary.BigEndian.Uint64(b))
		if v < 0 || v > USecsPerDay {
			return nil, pgerror.New(pgerror.DatetimeFieldOverflow, "time out of range")
		}
		return Time(RoundTime(v, t.Mod)), nil
	},
	send: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		return binary.BigEndian.AppendUint64(buf, uint64(d.(Time))), nil
	},
	compare: func(_ *Env, a, b Datum) int { return cmpInt64(int64(a.(Time)), int64(b.(Time))) },
	key: func(_ *Env, buf []byte, d Datum) []byte {
		return binary.LittleEndian.AppendUint64(buf, uint64(d.(Time)))
	},
}

// utcMicros is the time of day moved to UTC, what timetz orders by first.
func (t TimeTZ) utcMicros() int64 { return t.Micros + int64(t.Zone)*USecsPerSec }

// timeZoneMax bounds a timetz's zone: 15:59:59.
const timeZoneMax = 16*3600 - 1

var timetzCodec = codec{
	in: func(env *Env, t T, s string) (Datum, error) {
		d, err := decodeTimeOnly(env, s, "time with time zone")
		if err != nil {
			return nil, err
		}
		return TimeTZ{Micros: RoundTime(d.clock.timeMicros(), t.Mod), Zone: int32(-d.offset)}, nil
	},
	out: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		v := d.(TimeTZ)
		var c Clock
		c.setTime(v.Micros)
		return appendOffset(appendClock(buf, &c), int(-v.Zone)), nil
	},
	recv: func(_ *Env, t T, b []byte) (Datum, error) {
		if err := checkLen(b, 12); err != nil {
			return nil, err
		}
		v := TimeTZ{Micros: int64(binary.BigEndian.Uint64(b)), Zone: int32(binary.BigEndian.Uint32(b[8:]))}
		if v.Micros < 0 || v.Micros > USecsPerDay {
			return nil, pgerror.New(pgerror.DatetimeFieldOverflow, "time out of range")
		}
		if v.Zone < -timeZoneMax || v.Zone > timeZoneMax {
			return nil, pgerror.New(pgerror.InvalidTimeZoneDisplacementValue, "time zone displacement out of range")
		}
		v.Micros = RoundTime(v.Micros, t.Mod)
		return v, nil
	},
	send: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
		v := d.(TimeTZ)
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(buf, uint64(v.Micros)), uint32(v.Zone)), nil
	},
	compare: func(_ *Env, a, b Datum) int {
		x, y := a.(TimeTZ), b.(TimeTZ)
		if c := cmpInt64(x.utcMicros(), y.utcMicros()); c != 0 {
			return c
		}
		return cmpInt64(int64(x.Zone), int64(y.Zone))
	},
	key: func(_ *Env, buf []byte, d Datum) []byte { return AppendDatum(Of(TimeTZOID), buf, d) },
}

func timestampIn(env *Env, t T, s string, zoned bool) (Datum, error) {
	name := "timestamp"
	if zoned {
		name = "timestamp with time zone"
	}
	d, err := decodeDateTime(env, s, name)
	if err != nil {
		return nil, err
	}
	switch d.special {
	case dtEpoch:
		return unixEpoch, nil
	case dtPosInf:
		return TimestampPosInfinity, nil
	case dtNegInf:
		return TimestampNegInfinity, nil
	}
	v, ok := d.clock.Local()
	if ok && zoned {
		v -= Timestamp(int64(d.offset) * USecsPerSec)
	}
	if !ok || !ValidTimestamp(v) {
		return nil, pgerror.New(pgerror.DatetimeFieldOverflow, "timestamp out of range: \"%s\"", s)
	}
	return RoundTimestamp(v, t.Mod), nil
}

func timestampCodecOf(zoned bool) codec {
	return codec{
		in: func(env *Env, t T, s string) (Datum, error) { return timestampIn(env, t, s, zoned) },
		out: func(env *Env, _ T, buf []byte, d Datum) ([]byte, error) {
			return appendTimestamp(env, buf, d.(Timestamp), zoned), nil
		},
		recv: func(_ *Env, t T, b []byte) (Datum, error) {
			if err := checkLen(b, 8); err != nil {
				return nil, err
			}
			v := Timestamp(binary.BigEndian.Uint64(b))
			if v.Finite() && !ValidTimestamp(v) {
				return nil, errTimestampRange()
			}
			return RoundTimestamp(v, t.Mod), nil
		},
		send: func(_ *Env, _ T, buf []byte, d Datum) ([]byte, error) {
			return binary.BigEndian.AppendUint64(buf, uint64(d.(Timestamp))), nil
		},
		compare: func(_ *Env, a, b Datum) int { return cmpInt64(int64(a.(Timestamp)), int64(b.(Timestamp))) },
		key: func(_ *Env, buf []byte, d Datum) []byte {
			return binary.LittleEndian.AppendUint64(buf, uint64(d.(Timestamp)))
		},
	}
}

var timestampCodec, timestamptzCodec = timestampCodecOf(false), timestampCodecOf(true)
