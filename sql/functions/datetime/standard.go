package datetime

import (
	"errors"
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// Two faults of templates that do not count as PostgreSQL's other errors of their
// SQLSTATE do: within a jsonpath a field that only to_char knows is an error of the
// value, which predicates and silent hide, a wrong separator is one of the path.
var (
	ErrField     = errors.New("the template has a field of to_char")
	ErrSeparator = errors.New("the template has a separator the standard does not know")
)

// StandardValue is a text read by a template of the SQL standard: a types.Date,
// types.Time, types.TimeTZ or types.Timestamp as the template's fields say.
type StandardValue struct {
	Type   types.OID
	Value  types.Datum
	Offset int // of a timestamptz: seconds east of UTC, as it was written
}

// ParseStandard reads s by a template as jsonpath's datetime() does: separators and
// texts must match, and the whole of s be used.
func ParseStandard(s, template string) (StandardValue, error) {
	if template == "" {
		return StandardValue{}, badFormat("datetime format is not dated and not timed")
	}
	nodes := parseTemplate(template)
	if err := checkStandard(template, nodes); err != nil {
		return StandardValue{}, err
	}
	r := &templateReader{s: s, nodes: nodes, fixed: true, std: true}
	in, err := r.parse()
	if err != nil {
		return StandardValue{}, err
	}
	dated, timed, zoned := templateParts(nodes)
	clock := &in.clock
	micros := int64(clock.Hour)*types.USecsPerHour + int64(clock.Min)*types.USecsPerMinute + int64(clock.Sec)*types.USecsPerSec + int64(clock.Micro)
	offset := in.zoneSign * (in.tzh*3600 + in.tzm*60)
	missing := func(typ string) error {
		return badFormat("missing time zone in input string for type %s", typ)
	}
	switch {
	case dated && timed:
		t, ok := clock.Local()
		if !zoned {
			if !ok || !types.ValidTimestamp(t) {
				return StandardValue{}, outOfRange("timestamp")
			}
			return StandardValue{Type: types.TimestampOID, Value: t}, nil
		}
		if in.zoneSign == 0 {
			return StandardValue{}, missing("timestamptz")
		}
		t -= types.Timestamp(int64(offset) * types.USecsPerSec)
		if !ok || !types.ValidTimestamp(t) {
			return StandardValue{}, outOfRange("timestamptz")
		}
		return StandardValue{Type: types.TimestampTZOID, Value: t, Offset: offset}, nil
	case dated && zoned:
		return StandardValue{}, badFormat("datetime format is zoned but not timed")
	case dated:
		d := types.DaysFromCivil(clock.Year, clock.Month, clock.Day)
		if !types.ValidDate(d) {
			return StandardValue{}, pgerror.New(pgerror.DatetimeFieldOverflow, "date out of range: \"%s\"", s)
		}
		return StandardValue{Type: types.DateOID, Value: types.Date(d)}, nil
	case timed && zoned:
		if in.zoneSign == 0 {
			return StandardValue{}, missing("timetz")
		}
		return StandardValue{Type: types.TimeTZOID, Value: types.TimeTZ{Micros: micros, Zone: int32(-offset)}}, nil
	case timed:
		return StandardValue{Type: types.TimeOID, Value: types.Time(micros)}, nil
	}
	return StandardValue{}, badFormat("datetime format is not dated and not timed")
}

// checkStandard refuses characters that are neither fields, quoted nor separators.
func checkStandard(template string, nodes []templateNode) error {
	quoted := strings.Contains(template, "\"")
	for _, n := range nodes {
		if n.kind == nodeField || n.kind == nodeChar && quoted || strings.Contains("-./,':; ", n.text) {
			continue
		}
		return pgerror.Wrap(ErrSeparator, pgerror.InvalidDatetimeFormat, "invalid datetime format separator: \"%s\"", n.text)
	}
	return nil
}

// templateParts says which parts of a point in time a template's fields give.
func templateParts(nodes []templateNode) (dated, timed, zoned bool) {
	for _, n := range nodes {
		if n.kind != nodeField {
			continue
		}
		switch n.key.f {
		case fFX:
		case fTZH, fTZM, fTZ, fOF:
			zoned = true
		case fAM, fAMDots, fHH12, fHH24, fMI, fSS, fMS, fUS, fFF, fSSSS:
			timed = true
		default:
			dated = true
		}
	}
	return
}
