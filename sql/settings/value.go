package settings

import (
	"math"
	"strconv"
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Parse checks a value as the user wrote it and returns its canonical form. name
// is the parameter's name as the user wrote it.
func (d *Definition) Parse(name, value string) (string, error) {
	switch d.Kind {
	case Bool:
		b, ok := ParseBool(value)
		if !ok {
			return "", pgerror.New(pgerror.InvalidParameterValue, `parameter "%s" requires a Boolean value`, name)
		}
		if b {
			return "on", nil
		}
		return "off", nil
	case Enum:
		for _, e := range d.Enum {
			if strings.EqualFold(e, value) {
				if d.check != nil {
					return d.check(d, e)
				}
				return e, nil
			}
		}
		if alias := enumAlias(d, value); alias != "" {
			return alias, nil
		}
		return "", invalid(name, value).WithHint("Available values: %s.", strings.Join(d.Enum, ", "))
	case Int:
		return d.parseInt(name, value)
	case Real:
		v, unit, ok := number(value)
		if !ok {
			return "", invalid(name, value)
		}
		if v, ok = convert(d.Unit, v, unit); !ok {
			return "", d.unitHint(invalid(name, value))
		}
		if v < d.Min || v > d.Max || math.IsNaN(v) {
			return "", pgerror.New(pgerror.InvalidParameterValue, `%s%s is outside the valid range for parameter "%s" (%s .. %s)`,
				general(v), spaced(d.Unit), name, general(d.Min), general(d.Max))
		}
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	}
	if d.check != nil {
		return d.check(d, value)
	}
	return value, nil
}

func invalid(name, value string) *pgerror.Error {
	return pgerror.New(pgerror.InvalidParameterValue, `invalid value for parameter "%s": "%s"`, name, value)
}

func (d *Definition) parseInt(name, value string) (string, error) {
	v, unit, ok := number(value)
	if !ok {
		return "", invalid(name, value)
	}
	if d.Unit == "" && unit != "" {
		return "", invalid(name, value)
	}
	if v, ok = convert(d.Unit, v, unit); !ok {
		return "", d.unitHint(invalid(name, value))
	}
	v = math.RoundToEven(v)
	if v > math.MaxInt32 || v < math.MinInt32 {
		return "", invalid(name, value).WithHint("Value exceeds integer range.")
	}
	if v < d.Min || v > d.Max {
		return "", pgerror.New(pgerror.InvalidParameterValue, `%d%s is outside the valid range for parameter "%s" (%d .. %d)`,
			int64(v), spaced(d.Unit), name, int64(d.Min), int64(d.Max))
	}
	return strconv.FormatInt(int64(v), 10), nil
}

func spaced(unit string) string {
	if unit == "" {
		return ""
	}
	return " " + unit
}

// general is C's %g.
func general(v float64) string {
	s := strconv.FormatFloat(v, 'g', 6, 64)
	mant, exp, ok := strings.Cut(s, "e")
	if !ok {
		return s
	}
	sign, digits := exp[:1], exp[1:]
	if len(digits) < 2 {
		digits = "0" + digits
	}
	return mant + "e" + sign + digits
}

// number splits a number from the unit that follows it.
func number(s string) (v float64, unit string, ok bool) {
	s = strings.TrimSpace(s)
	end := 0
	if len(s) > 1 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		for end = 2; end < len(s) && strings.IndexByte("0123456789abcdefABCDEF", s[end]) >= 0; end++ {
		}
		n, err := strconv.ParseInt(s[2:end], 16, 64)
		return float64(n), strings.TrimSpace(s[end:]), err == nil
	}
	if end < len(s) && (s[end] == '-' || s[end] == '+') {
		end++
	}
	digits := 0
	for ; end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.'); end++ {
		if s[end] != '.' {
			digits++
		}
	}
	if digits == 0 {
		return 0, "", false
	}
	if end < len(s) && (s[end] == 'e' || s[end] == 'E') {
		k := end + 1
		if k < len(s) && (s[k] == '-' || s[k] == '+') {
			k++
		}
		if k < len(s) && s[k] >= '0' && s[k] <= '9' {
			for ; k < len(s) && s[k] >= '0' && s[k] <= '9'; k++ {
			}
			end = k
		}
	}
	v, err := strconv.ParseFloat(s[:end], 64)
	return v, strings.TrimSpace(s[end:]), err == nil
}

// Units in terms of bytes and microseconds.
var memoryUnits = map[string]float64{"B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40, "8kB": 8 << 10}
var timeUnits = map[string]float64{"us": 1, "ms": 1e3, "s": 1e6, "min": 60e6, "h": 3600e6, "d": 86400e6}

// convert brings a value in a unit the user gave to the parameter's.
func convert(base string, v float64, unit string) (float64, bool) {
	if unit == "" {
		return v, true
	}
	for _, units := range []map[string]float64{memoryUnits, timeUnits} {
		if b, ok := units[base]; ok {
			u, ok := units[unit]
			return v * u / b, ok && unit != "8kB"
		}
	}
	return 0, false
}

func (d *Definition) unitHint(e *pgerror.Error) *pgerror.Error {
	if _, ok := memoryUnits[d.Unit]; ok {
		return e.WithHint(`Valid units for this parameter are "B", "kB", "MB", "GB", and "TB".`)
	}
	if _, ok := timeUnits[d.Unit]; ok {
		return e.WithHint(`Valid units for this parameter are "us", "ms", "s", "min", "h", and "d".`)
	}
	return e
}

// Format is what SHOW prints for a canonical value.
func (d *Definition) Format(v string) string {
	if d.Unit == "" {
		if d.Kind == Real {
			f, _ := strconv.ParseFloat(v, 64)
			return general(f)
		}
		return v
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil || f <= 0 {
		return v
	}
	units, order := memoryUnits, []string{"TB", "GB", "MB", "kB", "B"}
	if _, ok := timeUnits[d.Unit]; ok {
		units, order = timeUnits, []string{"d", "h", "min", "s", "ms", "us"}
	}
	total := f * units[d.Unit]
	for _, u := range order {
		if n := total / units[u]; n >= 1 && n == math.Trunc(n) {
			return strconv.FormatFloat(n, 'f', -1, 64) + u
		}
	}
	return v + d.Unit
}

// ParseBool reads a Boolean as PostgreSQL does: unique prefixes of true, false, yes, no, on, off, and 1, 0.
func ParseBool(s string) (value, ok bool) {
	l := strings.ToLower(s)
	if l == "" {
		return false, false
	}
	switch {
	case l == "1", strings.HasPrefix("true", l), strings.HasPrefix("yes", l), l == "on":
		return true, true
	case l == "0", strings.HasPrefix("false", l), strings.HasPrefix("no", l), len(l) > 1 && strings.HasPrefix("off", l):
		return false, true
	}
	return false, false
}

// enumAlias maps the spellings pg_settings hides to shown ones.
func enumAlias(d *Definition, value string) string {
	b, isBool := ParseBool(value)
	for _, e := range d.Enum {
		if isBool && (e == "on" && b || e == "off" && !b) {
			return e
		}
	}
	l := strings.ToLower(value)
	switch {
	case d.Name == "client_min_messages" && l == "debug":
		return "debug2"
	case d.Name == "client_min_messages" && l == "info":
		return "info"
	case d.Name == "password_encryption" && isBool && b:
		return "md5"
	}
	return ""
}

// Limits are pg_settings.min_val and max_val of a numeric parameter.
func (d *Definition) Limits() (min, max string) {
	if d.Kind == Int {
		return strconv.FormatInt(int64(d.Min), 10), strconv.FormatInt(int64(d.Max), 10)
	}
	return general(d.Min), general(d.Max)
}
