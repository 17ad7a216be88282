package types

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones must not depend on the machine

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Time zones: IANA names from the embedded tz database, PostgreSQL's default
// set of abbreviations, and POSIX specifications.

//go:embed data/timezone_names.txt
var zoneNamesText string

// abbrevsText: abbreviation, then seconds east of UTC and an optional D for
// daylight saving, or the name of the zone whose rules give its meaning.
//
//go:embed data/timezone_abbrevs.tsv
var abbrevsText string

// ZoneAbbrev is one time zone abbreviation. With Zone the offset depends on the date.
type ZoneAbbrev struct {
	Name   string
	Offset int // seconds east of UTC
	DST    bool
	Zone   string
}

var zoneNames = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for _, n := range strings.Fields(zoneNamesText) {
		m[strings.ToLower(n)] = n
	}
	return m
})

var zoneAbbrevs = sync.OnceValue(func() map[string]ZoneAbbrev {
	m := map[string]ZoneAbbrev{}
	for _, a := range ZoneAbbrevs() {
		m[strings.ToLower(a.Name)] = a
	}
	return m
})

// OffsetAt gives what the abbreviation stands for at a time (UTC).
func (a ZoneAbbrev) OffsetAt(utc Timestamp) (seconds int, dst bool) {
	loc, ok := LoadZone(a.Zone)
	if a.Zone == "" || !ok {
		return a.Offset, a.DST
	}
	t := time.Unix(utc.UnixSeconds(), 0).In(loc)
	_, now := t.Zone()
	off := abbrevOffsetAt(a, loc, utc, now)
	return off, off == now && t.IsDST()
}

// ZoneNames lists the IANA names (pg_timezone_names).
func ZoneNames() []string { return strings.Fields(zoneNamesText) }

// ZoneAbbrevs lists the abbreviations (pg_timezone_abbrevs) in order.
func ZoneAbbrevs() []ZoneAbbrev {
	var all []ZoneAbbrev
	for _, l := range strings.Split(strings.TrimSpace(abbrevsText), "\n") {
		f := strings.Fields(l)
		a := ZoneAbbrev{Name: f[0], DST: len(f) > 2}
		if n, err := strconv.Atoi(f[1]); err == nil {
			a.Offset = n
		} else {
			a.Zone = f[1]
		}
		all = append(all, a)
	}
	return all
}

var zoneCache sync.Map // lower-case name → *time.Location or nil

// LoadZone finds a time zone by IANA name in any case or by POSIX specification
// (EST5EDT,M3.2.0,M11.1.0). The location's String is PostgreSQL's spelling.
func LoadZone(name string) (*time.Location, bool) {
	key := strings.ToLower(name)
	if l, ok := zoneCache.Load(key); ok {
		loc, _ := l.(*time.Location)
		return loc, loc != nil
	}
	loc := loadZone(name, key)
	if loc != nil || len(key) < 64 {
		zoneCache.Store(key, loc)
	}
	return loc, loc != nil
}

func loadZone(name, key string) *time.Location {
	if len(name) > 255 || name == "" {
		return nil
	}
	if n, ok := zoneNames()[strings.TrimPrefix(key, "posix/")]; ok {
		if n == "UTC" {
			return time.UTC
		}
		if loc, err := time.LoadLocation(n); err == nil {
			return loc
		}
	}
	return posixZone(strings.ToUpper(name))
}

// posixZone reads std offset [dst [offset] [,rule]]; without a rule the
// daylight saving rules of the United States apply, as PostgreSQL ships them.
func posixZone(s string) *time.Location {
	name, off, rest, ok := posixPart(s)
	if !ok || off == "" {
		return nil
	}
	secs, ok := posixOffset(off)
	if !ok {
		return nil
	}
	if name == "" { // a bare offset, west of Greenwich
		if rest != "" {
			return nil
		}
		return zoneWithRule(s, quoteZone("")+formatPosix(secs), "", -secs)
	}
	if rest == "" {
		return zoneWithRule(s, quoteZone(name)+formatPosix(secs), name, -secs)
	}
	dst, doff, rule, ok := posixPart(rest)
	if !ok || dst == "" {
		return nil
	}
	if doff != "" {
		if dsecs, ok := posixOffset(doff); ok {
			doff = formatPosix(dsecs)
		} else {
			return nil
		}
	}
	if rule == "" {
		rule = ",M3.2.0,M11.1.0"
	}
	if rule[0] != ',' {
		return nil
	}
	return zoneWithRule(s, quoteZone(name)+formatPosix(secs)+quoteZone(dst)+doff+rule, name, -secs)
}

func quoteZone(name string) string { return "<" + name + ">" }

// posixPart takes a zone name (letters, or anything in <>) and an offset text.
func posixPart(s string) (name, off, rest string, ok bool) {
	if strings.HasPrefix(s, "<") {
		i := strings.IndexByte(s, '>')
		if i < 0 {
			return "", "", "", false
		}
		name, s = s[1:i], s[i+1:]
	} else {
		i := 0
		for i < len(s) && !strings.ContainsRune("0123456789,+-", rune(s[i])) {
			i++
		}
		name, s = s[:i], s[i:]
	}
	i := 0
	for i < len(s) && strings.ContainsRune("0123456789:+-", rune(s[i])) {
		i++
	}
	return name, s[:i], s[i:], true
}

// posixOffset reads [+-]hh[:mm[:ss]], seconds west of UTC.
func posixOffset(s string) (int, bool) {
	sign := 1
	if s != "" && (s[0] == '+' || s[0] == '-') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	total, unit := 0, 3600
	parts := strings.Split(s, ":")
	if len(parts) > 3 {
		return 0, false
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || i == 0 && n > 167 || i > 0 && n > 59 {
			return 0, false
		}
		total += int(n) * unit
		unit /= 60
	}
	return sign * total, true
}

func formatPosix(secs int) string {
	sign := ""
	if secs < 0 {
		sign, secs = "-", -secs
	}
	b := []byte(sign)
	b = appendPad(b, secs/3600, 2)
	b = appendPad(append(b, ':'), secs/60%60, 2)
	b = appendPad(append(b, ':'), secs%60, 2)
	return string(b)
}

// zoneWithRule makes a location from a POSIX rule by way of a minimal TZif
// file, the form the time package reads rules from.
func zoneWithRule(name, rule, std string, offset int) *time.Location {
	var b []byte
	block := func() {
		b = append(b, "TZif2"...)
		b = append(b, make([]byte, 15)...)
		for _, n := range []uint32{0, 0, 0, 0, 1, uint32(len(std) + 1)} {
			b = append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
		}
		o := uint32(int32(offset))
		b = append(b, byte(o>>24), byte(o>>16), byte(o>>8), byte(o), 0, 0)
		b = append(append(b, std...), 0)
	}
	block()
	block()
	b = append(b, '\n')
	b = append(b, rule...)
	b = append(b, '\n')
	loc, err := time.LoadLocationFromTZData(name, b)
	if err != nil {
		return nil
	}
	return loc
}

// errZone is PostgreSQL's answer to an unknown zone name.
func errZone(name string) error {
	return pgerror.New(pgerror.InvalidParameterValue, "time zone \"%s\" not recognized", name)
}

// ZoneOffset gives seconds east of UTC and the abbreviation in force at t (UTC).
func ZoneOffset(loc *time.Location, t Timestamp) (int, string) {
	if loc == time.UTC {
		return 0, "UTC"
	}
	name, off := time.Unix(t.UnixSeconds(), 0).In(loc).Zone()
	return off, name
}

// ZoneIsDST reports whether daylight saving is in force at t (UTC).
func ZoneIsDST(loc *time.Location, t Timestamp) bool {
	return time.Unix(t.UnixSeconds(), 0).In(loc).IsDST()
}

// LocalOffset gives the seconds east of UTC that a local date and time has in a
// zone. A time skipped by a change takes the offset before it, a time that
// occurs twice the offset after it.
func LocalOffset(loc *time.Location, local Timestamp) int {
	if loc == time.UTC {
		return 0
	}
	sec := local.UnixSeconds() // as if it were UTC
	day := time.Unix(sec-86400, 0).In(loc)
	_, before := day.Zone()
	_, end := day.ZoneBounds()
	if end.IsZero() {
		return before
	}
	boundary := end.Unix()
	if sec-int64(before) < boundary && boundary-sec > 2*86400 {
		return before
	}
	_, after := end.Zone()
	b, a := sec-int64(before), sec-int64(after)
	switch {
	case b < boundary && a < boundary:
		return before
	case b >= boundary && a >= boundary:
		// NB: a second change within the same two days is not looked for, as in PostgreSQL.
		return after
	case b > a:
		return before
	}
	return after
}

// abbrevOffset is the offset of an abbreviation whose meaning depends on the
// date: the one the abbreviation itself stands for in the zone near that time
// when the zone uses it then, otherwise what the zone does then.
func abbrevOffset(a ZoneAbbrev, local Timestamp) int {
	loc, ok := LoadZone(a.Zone)
	if !ok {
		return 0
	}
	off := LocalOffset(loc, local)
	utc := local - Timestamp(int64(off)*USecsPerSec)
	return abbrevOffsetAt(a, loc, utc, off)
}

// AbbrevOffset is the offset that an abbreviation of the zone loc stands for near
// an instant; what the zone does then when it does not use the abbreviation.
func AbbrevOffset(a ZoneAbbrev, loc *time.Location, at Timestamp) int {
	off, _ := ZoneOffset(loc, at)
	return abbrevOffsetAt(a, loc, at, off)
}

func abbrevOffsetAt(a ZoneAbbrev, loc *time.Location, utc Timestamp, otherwise int) int {
	t := time.Unix(utc.UnixSeconds(), 0).In(loc)
	for range 200 {
		if n, o := t.Zone(); n == a.Name {
			return o
		}
		start, _ := t.ZoneBounds()
		if start.IsZero() {
			break
		}
		t = start.Add(-time.Second)
	}
	t = time.Unix(utc.UnixSeconds(), 0).In(loc)
	for range 200 {
		_, end := t.ZoneBounds()
		if end.IsZero() || end.Year() > 2100 {
			break
		}
		t = end
		if n, o := t.Zone(); n == a.Name {
			return o
		}
	}
	return otherwise
}

// Zone is a time zone as AT TIME ZONE and friends name it: fixed, or a location.
type Zone struct {
	Fixed  bool
	Offset int // seconds east of UTC when Fixed
	Loc    *time.Location
	abbrev ZoneAbbrev // when it is an abbreviation with a date-dependent meaning
}

// FindZone reads a zone name as timezone(text, …) does: abbreviation first,
// then name or POSIX specification. 22023 when there is none.
func FindZone(name string) (Zone, error) {
	key := strings.ToLower(name)
	if a, ok := zoneAbbrevs()[key]; ok {
		if a.Zone == "" {
			return Zone{Fixed: true, Offset: a.Offset}, nil
		}
		loc, ok := LoadZone(a.Zone)
		if !ok {
			return Zone{}, errZone(name)
		}
		return Zone{Loc: loc, abbrev: a}, nil
	}
	if loc, ok := LoadZone(name); ok {
		return Zone{Loc: loc}, nil
	}
	return Zone{}, errZone(name)
}

// ReadZone is FindZone for make_timestamptz, which takes offsets as dates show them:
// -05 is five hours west.
func ReadZone(name string) (Zone, error) {
	if name != "" && name[0] >= '0' && name[0] <= '9' {
		return Zone{}, pgerror.New(pgerror.InvalidParameterValue, "invalid input syntax for type numeric time zone: \"%s\"", name).
			WithHint("Numeric time zones must have \"-\" or \"+\" as first character.")
	}
	switch off, e := decodeOffset(name); e {
	case dtOK:
		return Zone{Fixed: true, Offset: off}, nil
	case dtZoneOverflow:
		return Zone{}, pgerror.New(pgerror.InvalidParameterValue, "numeric time zone \"%s\" out of range", name)
	}
	return FindZone(name)
}

// AtUTC is the offset in force at a UTC time.
func (z Zone) AtUTC(t Timestamp) int {
	switch {
	case z.Fixed:
		return z.Offset
	case z.abbrev.Zone != "":
		off, _ := ZoneOffset(z.Loc, t)
		return abbrevOffsetAt(z.abbrev, z.Loc, t, off)
	}
	off, _ := ZoneOffset(z.Loc, t)
	return off
}

// AtLocal is the offset a local time has.
func (z Zone) AtLocal(local Timestamp) int {
	switch {
	case z.Fixed:
		return z.Offset
	case z.abbrev.Zone != "":
		return abbrevOffset(z.abbrev, local)
	}
	return LocalOffset(z.Loc, local)
}

// ToLocal turns timestamptz into the session zone's local timestamp, which may lie
// beyond the ends of the range.
func (e *Env) ToLocal(t Timestamp) Timestamp {
	if !t.Finite() || e.TimeZone == time.UTC {
		return t
	}
	off, _ := ZoneOffset(e.TimeZone, t)
	return t + Timestamp(int64(off)*USecsPerSec)
}

// FromLocal turns a local timestamp of the session zone into timestamptz.
func (e *Env) FromLocal(t Timestamp) (Timestamp, error) {
	if !t.Finite() {
		return t, nil
	}
	u := t - Timestamp(int64(LocalOffset(e.TimeZone, t))*USecsPerSec)
	if !ValidTimestamp(u) {
		return 0, errTimestampRange()
	}
	return u, nil
}
