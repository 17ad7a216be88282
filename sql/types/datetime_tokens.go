package types

import (
	"strings"
)

// Fields of a date/time text, the words PostgreSQL knows, and the split of a
// text into fields.

type dtField uint8

const (
	fieldNumber  dtField = iota // digits, perhaps with a point
	fieldString                 // a word
	fieldDate                   // digits or letters with - / . inside
	fieldTime                   // digits with : inside
	fieldZone                   // sign and digits
	fieldSpecial                // sign and letters
)

type dtToken struct {
	kind dtField
	text string
}

// dtError is a decoding failure before it is given its message.
type dtError uint8

const (
	dtOK dtError = iota
	dtBadFormat
	dtFieldOverflow
	dtMDOverflow // month or day: the DateStyle may be to blame
	dtIntervalOverflow
	dtZoneOverflow
)

const (
	dtFieldsMax   = 25
	dtTextMax     = 128 + dtFieldsMax
	dtKeywordSize = 10 // words are compared up to here
)

func isAlpha(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isAlnum(c byte) bool { return isDigit(c) || isAlpha(c) }
func isPunct(c byte) bool { return c > ' ' && c < 127 && !isAlnum(c) }

// splitDateTime cuts a text into fields.
func splitDateTime(s string) ([]dtToken, dtError) {
	var toks []dtToken
	size, p := 0, 0
	at := func(i int) byte {
		if i < len(s) {
			return s[i]
		}
		return 0
	}
	for p < len(s) {
		if arrayIsSpace(s[p]) {
			p++
			continue
		}
		if len(toks) >= dtFieldsMax {
			return nil, dtBadFormat
		}
		start := p
		var kind dtField
		prefix := ""
		c := s[p]
		digits := func() {
			for isDigit(at(p)) {
				p++
			}
		}
		switch {
		case isDigit(c):
			digits()
			switch d := at(p); d {
			case ':':
				kind = fieldTime
				for p < len(s) && (isDigit(s[p]) || s[p] == ':' || s[p] == '.') {
					p++
				}
			case '-', '/', '.':
				p++
				if isDigit(at(p)) {
					kind = fieldDate
					if d == '.' {
						kind = fieldNumber
					}
					digits()
					if at(p) == d {
						kind = fieldDate
						for p < len(s) && (isDigit(s[p]) || s[p] == d) {
							p++
						}
					}
				} else {
					kind = fieldDate
					for p < len(s) && (isAlnum(s[p]) || s[p] == d) {
						p++
					}
				}
			default:
				kind = fieldNumber
			}
		case c == '.':
			p++
			digits()
			kind = fieldNumber
		case isAlpha(c):
			for p < len(s) && isAlpha(s[p]) {
				p++
			}
			kind = fieldString
			date := false
			switch d := at(p); {
			case d == '-' || d == '/' || d == '.':
				date = true
			case d == '+' || isDigit(d):
				// A keyword ends here; any other word may be the start of a zone name.
				_, known := dateWords[dtKey(strings.ToLower(s[start:p]))]
				date = !known
			}
			if date {
				kind = fieldDate
				for p < len(s) && (isAlnum(s[p]) || strings.IndexByte("+-/_.:", s[p]) >= 0) {
					p++
				}
			}
		case c == '+' || c == '-':
			p++
			for p < len(s) && arrayIsSpace(s[p]) {
				p++
			}
			prefix = string(c)
			start = p
			switch d := at(p); {
			case isDigit(d):
				kind = fieldZone
				for p < len(s) && (isDigit(s[p]) || s[p] == ':' || s[p] == '.' || s[p] == '-') {
					p++
				}
			case isAlpha(d):
				kind = fieldSpecial
				for p < len(s) && isAlpha(s[p]) {
					p++
				}
			default:
				return nil, dtBadFormat
			}
		case isPunct(c):
			p++
			continue
		default:
			return nil, dtBadFormat
		}
		toks = append(toks, dtToken{kind: kind, text: prefix + strings.ToLower(s[start:p])})
		if size += len(prefix) + p - start + 1; size >= dtTextMax {
			return nil, dtBadFormat
		}
	}
	return toks, dtOK
}

func dtKey(w string) string {
	if len(w) > dtKeywordSize {
		return w[:dtKeywordSize]
	}
	return w
}

// wordKind says what a word does in a date/time text.
type wordKind uint8

const (
	wordUnknown  wordKind = iota
	wordIgnore            // at, on
	wordReserved          // now, today, epoch, infinity, …
	wordMonth
	wordWeekday
	wordAMPM
	wordADBC
	wordDSTMod // "MET DST"
	wordUnit   // a label for the number that follows or precedes
	wordISOTime
	wordAgo
)

// dtUnit is a unit or a part of a date, as labels, EXTRACT and date_trunc name it.
type dtUnit uint8

const (
	unitNone dtUnit = iota
	unitMicrosecond
	unitMillisecond
	unitSecond
	unitMinute
	unitHour
	unitDay
	unitWeek
	unitMonth
	unitQuarter
	unitYear
	unitDecade
	unitCentury
	unitMillennium
	unitJulian
	unitDow
	unitIsoDow
	unitDoy
	unitIsoYear
	unitTimezone
	unitTimezoneHour
	unitTimezoneMinute
	unitTime
	unitEpoch
	unitNow
	unitYesterday
	unitToday
	unitTomorrow
	unitZulu
	unitLate
	unitEarly
)

const (
	ampmAM = 1
	ampmPM = 2
)

type dtWord struct {
	kind wordKind
	val  int
}

// dateWords are the words of dates and times; months are 1 … 12, weekdays 0 … 6.
var dateWords = map[string]dtWord{
	"-infinity": {wordReserved, int(unitEarly)}, "ad": {wordADBC, 0}, "allballs": {wordReserved, int(unitZulu)},
	"am": {wordAMPM, ampmAM}, "at": {wordIgnore, 0}, "bc": {wordADBC, 1}, "d": {wordUnit, int(unitDay)},
	"dow": {wordUnit, int(unitDow)}, "doy": {wordUnit, int(unitDoy)}, "dst": {wordDSTMod, 3600},
	"epoch": {wordReserved, int(unitEpoch)}, "h": {wordUnit, int(unitHour)}, "infinity": {wordReserved, int(unitLate)},
	"isodow": {wordUnit, int(unitIsoDow)}, "isoyear": {wordUnit, int(unitIsoYear)}, "j": {wordUnit, int(unitJulian)},
	"jd": {wordUnit, int(unitJulian)}, "julian": {wordUnit, int(unitJulian)}, "m": {wordUnit, int(unitMonth)},
	"mm": {wordUnit, int(unitMinute)}, "now": {wordReserved, int(unitNow)}, "on": {wordIgnore, 0}, "pm": {wordAMPM, ampmPM},
	"s": {wordUnit, int(unitSecond)}, "t": {wordISOTime, int(unitTime)}, "today": {wordReserved, int(unitToday)},
	"tomorrow": {wordReserved, int(unitTomorrow)}, "y": {wordUnit, int(unitYear)}, "yesterday": {wordReserved, int(unitYesterday)},
	"jan": {wordMonth, 1}, "january": {wordMonth, 1}, "feb": {wordMonth, 2}, "february": {wordMonth, 2}, "mar": {wordMonth, 3},
	"march": {wordMonth, 3}, "apr": {wordMonth, 4}, "april": {wordMonth, 4}, "may": {wordMonth, 5}, "jun": {wordMonth, 6},
	"june": {wordMonth, 6}, "jul": {wordMonth, 7}, "july": {wordMonth, 7}, "aug": {wordMonth, 8}, "august": {wordMonth, 8},
	"sep": {wordMonth, 9}, "sept": {wordMonth, 9}, "september": {wordMonth, 9}, "oct": {wordMonth, 10}, "october": {wordMonth, 10},
	"nov": {wordMonth, 11}, "november": {wordMonth, 11}, "dec": {wordMonth, 12}, "december": {wordMonth, 12},
	"sun": {wordWeekday, 0}, "sunday": {wordWeekday, 0}, "mon": {wordWeekday, 1}, "monday": {wordWeekday, 1},
	"tue": {wordWeekday, 2}, "tues": {wordWeekday, 2}, "tuesday": {wordWeekday, 2}, "wed": {wordWeekday, 3},
	"weds": {wordWeekday, 3}, "wednesday": {wordWeekday, 3}, "thu": {wordWeekday, 4}, "thur": {wordWeekday, 4},
	"thurs": {wordWeekday, 4}, "thursday": {wordWeekday, 4}, "fri": {wordWeekday, 5}, "friday": {wordWeekday, 5},
	"sat": {wordWeekday, 6}, "saturday": {wordWeekday, 6},
}

// unitWords are the units of intervals, EXTRACT and date_trunc.
var unitWords = map[string]dtWord{
	"@": {wordIgnore, 0}, "ago": {wordAgo, 0},
	"c": {wordUnit, int(unitCentury)}, "cent": {wordUnit, int(unitCentury)}, "centuries": {wordUnit, int(unitCentury)},
	"century": {wordUnit, int(unitCentury)}, "d": {wordUnit, int(unitDay)}, "day": {wordUnit, int(unitDay)},
	"days": {wordUnit, int(unitDay)}, "dec": {wordUnit, int(unitDecade)}, "decade": {wordUnit, int(unitDecade)},
	"decades": {wordUnit, int(unitDecade)}, "decs": {wordUnit, int(unitDecade)}, "h": {wordUnit, int(unitHour)},
	"hour": {wordUnit, int(unitHour)}, "hours": {wordUnit, int(unitHour)}, "hr": {wordUnit, int(unitHour)},
	"hrs": {wordUnit, int(unitHour)}, "m": {wordUnit, int(unitMinute)}, "microsecon": {wordUnit, int(unitMicrosecond)},
	"mil": {wordUnit, int(unitMillennium)}, "millennia": {wordUnit, int(unitMillennium)},
	"millennium": {wordUnit, int(unitMillennium)}, "millisecon": {wordUnit, int(unitMillisecond)},
	"mils": {wordUnit, int(unitMillennium)}, "min": {wordUnit, int(unitMinute)}, "mins": {wordUnit, int(unitMinute)},
	"minute": {wordUnit, int(unitMinute)}, "minutes": {wordUnit, int(unitMinute)}, "mon": {wordUnit, int(unitMonth)},
	"mons": {wordUnit, int(unitMonth)}, "month": {wordUnit, int(unitMonth)}, "months": {wordUnit, int(unitMonth)},
	"ms": {wordUnit, int(unitMillisecond)}, "msec": {wordUnit, int(unitMillisecond)}, "mseconds": {wordUnit, int(unitMillisecond)},
	"msecs": {wordUnit, int(unitMillisecond)}, "qtr": {wordUnit, int(unitQuarter)}, "quarter": {wordUnit, int(unitQuarter)},
	"s": {wordUnit, int(unitSecond)}, "sec": {wordUnit, int(unitSecond)}, "second": {wordUnit, int(unitSecond)},
	"seconds": {wordUnit, int(unitSecond)}, "secs": {wordUnit, int(unitSecond)}, "timezone": {wordUnit, int(unitTimezone)},
	"timezone_h": {wordUnit, int(unitTimezoneHour)}, "timezone_m": {wordUnit, int(unitTimezoneMinute)},
	"us": {wordUnit, int(unitMicrosecond)}, "usec": {wordUnit, int(unitMicrosecond)}, "usecond": {wordUnit, int(unitMicrosecond)},
	"useconds": {wordUnit, int(unitMicrosecond)}, "usecs": {wordUnit, int(unitMicrosecond)}, "w": {wordUnit, int(unitWeek)},
	"week": {wordUnit, int(unitWeek)}, "weeks": {wordUnit, int(unitWeek)}, "y": {wordUnit, int(unitYear)},
	"year": {wordUnit, int(unitYear)}, "years": {wordUnit, int(unitYear)}, "yr": {wordUnit, int(unitYear)}, "yrs": {wordUnit, int(unitYear)},
}
