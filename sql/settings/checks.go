package settings

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/charset"
)

var checks map[string]func(d *Definition, value string) (string, error)

func init() {
	checks = map[string]func(d *Definition, value string) (string, error){
		"datestyle":        checkDateStyle,
		"timezone":         checkTimeZone,
		"log_timezone":     checkTimeZone,
		"client_encoding":  checkClientEncoding,
		"application_name": checkASCII,
		"cluster_name":     checkASCII,
	}
	for k, f := range checks {
		definitions[k].check = f
	}
}

// ParseDateStyle reads "ISO, MDY" and its kind; parts not named keep old's.
func ParseDateStyle(value string, style types.DateStyle, order types.DateOrder) (types.DateStyle, types.DateOrder, error) {
	haveStyle, haveOrder := false, false
	conflict := false
	setStyle := func(s types.DateStyle) {
		conflict = conflict || haveStyle && style != s
		style, haveStyle = s, true
	}
	setOrder := func(o types.DateOrder) {
		conflict = conflict || haveOrder && order != o
		order, haveOrder = o, true
	}
	for _, word := range strings.Split(value, ",") {
		w := strings.Trim(strings.TrimSpace(word), `"`)
		l := strings.ToLower(w)
		switch {
		case l == "iso":
			setStyle(types.DateStyleISO)
		case l == "sql":
			setStyle(types.DateStyleSQL)
		case strings.HasPrefix(l, "postgres"):
			setStyle(types.DateStylePostgres)
		case l == "german":
			setStyle(types.DateStyleGerman)
			if !haveOrder {
				order = types.DateOrderDMY
			}
		case l == "ymd":
			setOrder(types.DateOrderYMD)
		case l == "dmy", strings.HasPrefix(l, "euro"):
			setOrder(types.DateOrderDMY)
		case l == "mdy", l == "us", strings.HasPrefix(l, "noneuro"):
			setOrder(types.DateOrderMDY)
		case l == "default":
			if !haveStyle {
				style = types.DateStyleISO
			}
			if !haveOrder {
				order = types.DateOrderMDY
			}
		default:
			return style, order, invalid("DateStyle", value).WithDetail(`Unrecognized key word: "%s".`, l)
		}
	}
	if conflict {
		return style, order, invalid("DateStyle", value).WithDetail(`Conflicting "datestyle" specifications.`)
	}
	return style, order, nil
}

// FormatDateStyle is DateStyle's canonical form.
func FormatDateStyle(style types.DateStyle, order types.DateOrder) string {
	return [...]string{"ISO", "Postgres", "SQL", "German"}[style] + ", " + [...]string{"MDY", "DMY", "YMD"}[order]
}

func checkDateStyle(_ *Definition, value string) (string, error) {
	// Parts left out keep their value; Settings.Set completes the text before it comes here.
	style, order, err := ParseDateStyle(value, types.DateStyleISO, types.DateOrderMDY)
	if err != nil {
		return "", err
	}
	return FormatDateStyle(style, order), nil
}

func checkTimeZone(d *Definition, value string) (string, error) {
	_, name, err := LoadZone(value)
	if err != nil {
		e := invalid(d.Name, value)
		if err == errZoneRange {
			e.WithDetail("UTC timezone offset is out of range.")
		}
		return "", e
	}
	return name, nil
}

func checkASCII(_ *Definition, value string) (string, error) {
	b := []byte(value)
	for i, c := range b {
		if c < 32 || c > 126 {
			b[i] = '?'
		}
	}
	if len(b) > 63 {
		b = b[:63]
	}
	return string(b), nil
}

// checkClientEncoding takes any encoding that can be converted; the value is the
// encoding's own name, but the old name UNICODE stays.
func checkClientEncoding(d *Definition, value string) (string, error) {
	e := charset.Find(value)
	switch {
	case e == nil:
		return "", invalid(d.Name, value)
	case !e.Converts():
		err := invalid(d.Name, value).WithDetail("Conversion between %s and UTF8 is not supported.", e.Name)
		err.Code = pgerror.FeatureNotSupported
		return "", err
	case value == "UNICODE":
		return value, nil
	}
	return e.Name, nil
}

var errZoneRange = errors.New("out of range")

// LoadZone finds a time zone by name, offset in hours (east) or POSIX offset
// (west), and gives it with the name SHOW prints.
func LoadZone(value string) (*time.Location, string, error) {
	v := strings.TrimSpace(value)
	if f, unit, ok := number(v); ok && unit == "" {
		if f < -167 || f > 167 {
			return nil, "", errZoneRange
		}
		loc, name := FixedZone(int(f * 3600))
		return loc, name, nil
	}
	loc, ok := types.LoadZone(v)
	if !ok {
		return nil, "", fmt.Errorf("no such time zone")
	}
	if loc == time.UTC && strings.EqualFold(v, "gmt") {
		return loc, "GMT", nil
	}
	return loc, loc.String(), nil
}

// FixedZone is a zone so many seconds east of UTC, with PostgreSQL's name for it.
func FixedZone(east int) (*time.Location, string) {
	offset := func(secs int) string {
		sign := "+"
		if secs < 0 {
			sign, secs = "-", -secs
		}
		s := fmt.Sprintf("%s%02d", sign, secs/3600)
		if secs%3600 != 0 {
			s += fmt.Sprintf(":%02d", secs/60%60)
		}
		if secs%60 != 0 {
			s += fmt.Sprintf(":%02d", secs%60)
		}
		return s
	}
	name := "<" + offset(east) + ">" + offset(-east)
	return time.FixedZone(name, east), name
}
