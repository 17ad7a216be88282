package copy

import "github.com/basaltdb/basalt/sql/types"

// The ISO forms of dates and moments, which files consist of.

// clock reads HH:MM:SS with up to six decimals, and gives what follows.
func clock(f []byte) (micros int64, rest []byte, ok bool) {
	if len(f) < 8 || f[2] != ':' || f[5] != ':' {
		return 0, nil, false
	}
	h, m, s := twoDigits(f), twoDigits(f[3:]), twoDigits(f[6:])
	if h < 0 || m < 0 || s < 0 || h > 23 || m > 59 || s > 59 {
		return 0, nil, false
	}
	micros = int64((h*60+m)*60+s) * 1000000
	if f = f[8:]; len(f) > 0 && f[0] == '.' {
		unit, n := int64(100000), 1
		for ; n < len(f) && f[n] >= '0' && f[n] <= '9'; n++ {
			micros += int64(f[n]-'0') * unit
			unit /= 10
		}
		if n == 1 || n > 7 { // more digits are rounded
			return 0, nil, false
		}
		f = f[n:]
	}
	return micros, f, true
}

func twoDigits(f []byte) int {
	a, b := f[0]-'0', f[1]-'0'
	if a > 9 || b > 9 {
		return -1
	}
	return int(a)*10 + int(b)
}

// moment reads a date and a time of day as a types.Timestamp.
func moment(f []byte) (micros int64, rest []byte, ok bool) {
	if len(f) < 19 || f[10] != ' ' && f[10] != 'T' {
		return 0, nil, false
	}
	day, ok := isoDate(f[:10])
	if !ok {
		return 0, nil, false
	}
	t, rest, ok := clock(f[11:])
	return int64(types.AtDay(int64(day), t)), rest, ok
}

func isoTimestamp(f []byte) (int64, bool) {
	v, rest, ok := moment(f)
	return v, ok && len(rest) == 0
}

// isoTimestampTZ wants an offset: what a moment without one means depends on the
// session's time zone.
func isoTimestampTZ(f []byte) (int64, bool) {
	v, rest, ok := moment(f)
	if !ok || len(rest) != 3 && len(rest) != 6 || rest[0] != '+' && rest[0] != '-' {
		return 0, false
	}
	h, m := twoDigits(rest[1:]), 0
	if len(rest) == 6 {
		if rest[3] != ':' {
			return 0, false
		}
		m = twoDigits(rest[4:])
	}
	if h < 0 || m < 0 || h > 14 || m > 59 {
		return 0, false
	}
	offset := int64(h*60+m) * 60 * 1000000
	if rest[0] == '+' {
		offset = -offset
	}
	return v + offset, true
}
