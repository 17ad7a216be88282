package types

import (
	"math"
	"testing"
	"time"
)

// TestTimestampClocks: the two ways of counting meet only here.
func TestTimestampClocks(t *testing.T) {
	at := time.Date(2024, 2, 29, 12, 34, 56, 789_000_999, time.FixedZone("", 3600))
	v := TimestampOf(at)
	if want, _ := In(DefaultEnv(), Of(TimestampTZOID), "2024-02-29 11:34:56.789+00"); v != want {
		t.Errorf("%d, want %d", v, want)
	}
	if !v.Time().Equal(at.Truncate(time.Microsecond)) {
		t.Errorf("%s", v.Time())
	}
	for _, x := range []struct {
		text     string
		v        Timestamp
		sec, us  int64
		noMicros bool
	}{
		{text: "2000-01-01 00:00:00", v: 0, sec: 946684800},
		{text: "1970-01-01 00:00:00", v: -946684800_000000},
		{text: "1969-12-31 23:59:59.999999", v: -946684800_000001, sec: -1, us: 999999},
		{text: "4714-11-24 00:00:00 BC", v: -211813488000_000000, sec: -210866803200},
		{text: "294247-01-10 04:00:54.775807", v: math.MaxInt64 - 946684800_000000, sec: 9223372036854, us: 775807},
		{text: "294276-12-31 23:59:59.999999", v: 9223371331199_999999, sec: 9224318015999, us: 999999, noMicros: true},
	} {
		d, err := In(DefaultEnv(), Of(TimestampOID), x.text)
		if err != nil || d != x.v {
			t.Errorf("%s: %d, %v; want %d", x.text, d, err, x.v)
		}
		if s, err := Out(DefaultEnv(), Of(TimestampOID), x.v); err != nil || s != x.text {
			t.Errorf("%d: %s, %v; want %s", x.v, s, err, x.text)
		}
		if s := x.v.UnixSeconds(); s != x.sec {
			t.Errorf("%s: %d seconds, want %d", x.text, s, x.sec)
		}
		if us, ok := x.v.UnixMicros(); ok == x.noMicros || ok && us != x.sec*1e6+x.us {
			t.Errorf("%s: %d microseconds, %v", x.text, us, ok)
		}
		if v, ok := TimestampOfUnix(x.sec, x.us); !ok || v != x.v {
			t.Errorf("%s: from 1970 %d, %v", x.text, v, ok)
		}
		if day, us := x.v.Day(); AtDay(day, us) != x.v || us < 0 || us >= USecsPerDay {
			t.Errorf("%s: day %d and %d", x.text, day, us)
		}
		c := x.v.Split()
		if v, ok := c.Timestamp(); !ok || v != x.v {
			t.Errorf("%s: split %+v gives %d, %v", x.text, c, v, ok)
		}
	}
	for _, sec := range []int64{9224318016000, -210866803201, math.MaxInt64, math.MinInt64} {
		if v, ok := TimestampOfUnix(sec, 0); ok {
			t.Errorf("%d seconds: %d", sec, v)
		}
	}
	if v, ok := TimestampOfUnix(-210866803201, 999_999); ok {
		t.Errorf("before the beginning: %d", v)
	}
}
