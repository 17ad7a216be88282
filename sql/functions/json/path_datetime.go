package json

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/basaltdb/basalt/sql/functions/datetime"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// Points in time within a running jsonpath: type OID, value, and the offset a zone was
// written with. They leave the path as strings.

func datetimeItem(v datetime.StandardValue) jv {
	var value int64
	zone := v.Offset
	switch d := v.Value.(type) {
	case types.Date:
		value = int64(d)
	case types.Time:
		value = int64(d)
	case types.Timestamp:
		value = int64(d)
	case types.TimeTZ:
		value, zone = d.Micros, int(d.Zone)
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(v.Type))
	b = binary.LittleEndian.AppendUint64(b, uint64(value))
	return types.DatetimeItem(binary.LittleEndian.AppendUint32(b, uint32(int32(zone))))
}

func datetimeOf(v jv) datetime.StandardValue {
	b := v.Datetime()
	out := datetime.StandardValue{Type: types.OID(binary.LittleEndian.Uint32(b))}
	value, zone := int64(binary.LittleEndian.Uint64(b[4:])), int32(binary.LittleEndian.Uint32(b[12:]))
	switch out.Type {
	case types.DateOID:
		out.Value = types.Date(value)
	case types.TimeOID:
		out.Value = types.Time(value)
	case types.TimeTZOID:
		out.Value = types.TimeTZ{Micros: value, Zone: zone}
	default:
		out.Value, out.Offset = types.Timestamp(value), int(zone)
	}
	return out
}

var datetimeTypeNames = map[types.OID]string{
	types.DateOID: "date", types.TimeOID: "time without time zone", types.TimeTZOID: "time with time zone",
	types.TimestampOID: "timestamp without time zone", types.TimestampTZOID: "timestamp with time zone",
}

// datetimeText is the string a point in time becomes: ISO 8601 with a T, an offset
// always with minutes.
func datetimeText(v jv) (string, error) {
	d := datetimeOf(v)
	env := types.DefaultEnv()
	if z, ok := d.Value.(types.TimeTZ); ok {
		clock, err := types.Out(env, types.Of(types.TimeOID), types.Time(z.Micros))
		return clock + offsetText(int(-z.Zone)), err
	}
	t, ok := d.Value.(types.Timestamp)
	if !ok {
		return types.Out(env, types.Of(d.Type), d.Value)
	}
	offset := ""
	if d.Type == types.TimestampTZOID {
		t += types.Timestamp(int64(d.Offset) * types.USecsPerSec)
		offset = offsetText(d.Offset)
	}
	day, err := types.Out(env, types.Of(types.DateOID), types.TimestampToDate(t))
	if err != nil {
		return "", err
	}
	clock, err := types.Out(env, types.Of(types.TimeOID), t.TimeOfDay())
	day, bc := strings.CutSuffix(day, " BC")
	if bc {
		offset += " BC"
	}
	return day + "T" + clock + offset, err
}

// offsetText writes seconds east of UTC, whole minutes as templates have them.
func offsetText(seconds int) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	return fmt.Sprintf("%c%02d:%02d", sign, seconds/3600, seconds/60%60)
}

// outside is an item as it leaves the path.
func outside(v jv) (jv, error) {
	if v.Kind() != types.JSONDatetime {
		return v, nil
	}
	s, err := datetimeText(v)
	return encode(&tree{Kind: types.JSONString, Str: s}), err
}

// datetimeFormats are tried by datetime() without a template.
var datetimeFormats = func() []string {
	times := []string{"HH24:MI:SS.USTZH:TZM", "HH24:MI:SS.USTZH", "HH24:MI:SS.US", "HH24:MI:SSTZH:TZM", "HH24:MI:SSTZH", "HH24:MI:SS"}
	out := []string{"yyyy-mm-dd"}
	for _, day := range []string{"", "yyyy-mm-dd ", "yyyy-mm-dd\"T\""} {
		for _, t := range times {
			out = append(out, day+t)
		}
	}
	return out
}()

func (r *pathRun) datetime(i *types.PathItem, v jv, f *found) error {
	if v.Kind() != types.JSONString {
		return pathError(pgerror.InvalidArgumentForSQLJSONDatetimeFunction, "jsonpath item method .%s() can only be applied to a string", i.Text)
	}
	if i.Left != nil {
		d, err := datetime.ParseStandard(v.Str(), i.Left.Text)
		if err != nil {
			return err
		}
		return r.next(i, datetimeItem(d), f)
	}
	for _, format := range datetimeFormats {
		if d, err := datetime.ParseStandard(v.Str(), format); err == nil {
			return r.next(i, datetimeItem(d), f)
		}
	}
	return pgerror.New(pgerror.InvalidArgumentForSQLJSONDatetimeFunction, "datetime format is not recognized: \"%s\"", v.Str()).
		WithHint("Use a datetime template argument to specify the input data format.")
}

// compareDatetimes orders two points in time; ok is false when their types have no
// common one. Where the session's zone decides, only the functions with _tz may.
func (r *pathRun) compareDatetimes(a, b jv) (c int, ok bool, err error) {
	x, y := datetimeOf(a), datetimeOf(b)
	if rank(x.Type) > rank(y.Type) {
		c, ok, err = r.compareDatetimes(b, a)
		return -c, ok, err
	}
	if x.Type == y.Type {
		return types.Compare(nil, types.Of(x.Type), x.Value, y.Value), true, nil
	}
	zone := func(from, to string) error {
		if r.env != nil {
			return nil
		}
		return pgerror.New(pgerror.FeatureNotSupported, "cannot convert value from %s to %s without time zone usage", from, to).
			WithHint("Use *_tz() function for time zone support.")
	}
	switch u := x.Value.(type) {
	case types.Time:
		z, is := y.Value.(types.TimeTZ)
		if !is {
			return 0, false, nil
		}
		if err := zone("time", "timetz"); err != nil {
			return 0, false, err
		}
		now := r.env.ToLocal(r.env.XactTime)
		off := types.LocalOffset(r.env.TimeZone, now-types.Timestamp(now.TimeOfDay())+types.Timestamp(u))
		return types.Compare(nil, types.Of(types.TimeTZOID), types.TimeTZ{Micros: int64(u), Zone: int32(-off)}, z), true, nil
	case types.Date:
		t, is := y.Value.(types.Timestamp)
		if !is {
			return 0, false, nil
		}
		if y.Type == types.TimestampOID {
			return types.CompareDateTimestamp(u, t), true, nil
		}
		if err := zone("date", "timestamptz"); err != nil {
			return 0, false, err
		}
		return types.CompareDateTimestampTZ(r.env, u, t), true, nil
	case types.Timestamp:
		if err := zone("timestamp", "timestamptz"); err != nil {
			return 0, false, err
		}
		return types.CompareTimestampTZ(r.env, u, y.Value.(types.Timestamp)), true, nil
	}
	return 0, false, nil
}

// rank orders the types so that one that can be turned into another comes first.
func rank(t types.OID) int {
	switch t {
	case types.TimeOID:
		return 0
	case types.TimeTZOID:
		return 1
	case types.DateOID:
		return 2
	case types.TimestampOID:
		return 3
	}
	return 4
}
