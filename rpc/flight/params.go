package flight

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// paramText is value i of a parameter column in PostgreSQL's text form for type t, nil
// for NULL. Clients choose their own Arrow types: what counts is that the text is
// valid input of t.
func paramText(t types.T, a arrow.Array, i int) ([]byte, error) {
	if a.IsNull(i) {
		return nil, nil
	}
	switch a := a.(type) {
	case *array.Null:
		return nil, nil
	case *array.Boolean:
		return strconv.AppendBool(nil, a.Value(i)), nil
	case *array.Int8:
		return strconv.AppendInt(nil, int64(a.Value(i)), 10), nil
	case *array.Int16:
		return strconv.AppendInt(nil, int64(a.Value(i)), 10), nil
	case *array.Int32:
		return strconv.AppendInt(nil, int64(a.Value(i)), 10), nil
	case *array.Int64:
		return strconv.AppendInt(nil, a.Value(i), 10), nil
	case *array.Uint8:
		return strconv.AppendUint(nil, uint64(a.Value(i)), 10), nil
	case *array.Uint16:
		return strconv.AppendUint(nil, uint64(a.Value(i)), 10), nil
	case *array.Uint32:
		return strconv.AppendUint(nil, uint64(a.Value(i)), 10), nil
	case *array.Uint64:
		return strconv.AppendUint(nil, a.Value(i), 10), nil
	case *array.Float16:
		return floatText(float64(a.Value(i).Float32()), 32), nil
	case *array.Float32:
		return floatText(float64(a.Value(i)), 32), nil
	case *array.Float64:
		return floatText(a.Value(i), 64), nil
	case *array.Decimal128:
		return []byte(a.Value(i).ToString(a.DataType().(*arrow.Decimal128Type).Scale)), nil
	case *array.Decimal256:
		return []byte(a.Value(i).ToString(a.DataType().(*arrow.Decimal256Type).Scale)), nil
	case *array.String:
		return []byte(a.Value(i)), nil
	case *array.LargeString:
		return []byte(a.Value(i)), nil
	case *array.StringView:
		return []byte(a.Value(i)), nil
	case *array.Binary:
		return bytesText(t, a.Value(i)), nil
	case *array.LargeBinary:
		return bytesText(t, a.Value(i)), nil
	case *array.BinaryView:
		return bytesText(t, a.Value(i)), nil
	case *array.FixedSizeBinary:
		return bytesText(t, a.Value(i)), nil
	case *array.Date32:
		if x := infinite(int64(a.Value(i)), int64(types.DateNegInfinity), int64(types.DatePosInfinity)); x != nil {
			return x, nil
		}
		return timeText(a.Value(i).ToTime(), "2006-01-02"), nil
	case *array.Date64:
		return timeText(a.Value(i).ToTime(), "2006-01-02"), nil
	case *array.Time32:
		return clockText(int64(a.Value(i)) * int64(a.DataType().(*arrow.Time32Type).Unit.Multiplier())), nil
	case *array.Time64:
		return clockText(int64(a.Value(i)) * int64(a.DataType().(*arrow.Time64Type).Unit.Multiplier())), nil
	case *array.Timestamp:
		dt := a.DataType().(*arrow.TimestampType)
		if x := infinite(int64(a.Value(i)), int64(types.TimestampNegInfinity), int64(types.TimestampPosInfinity)); x != nil {
			return x, nil
		}
		return timestampText(int64(a.Value(i)), dt)
	case *array.Duration:
		d := time.Duration(a.Value(i)) * a.DataType().(*arrow.DurationType).Unit.Multiplier()
		return fmt.Appendf(nil, "%d microseconds", d.Microseconds()), nil
	case *array.MonthInterval:
		return fmt.Appendf(nil, "%d months", a.Value(i)), nil
	case *array.DayTimeInterval:
		return fmt.Appendf(nil, "%d days %d milliseconds", a.Value(i).Days, a.Value(i).Milliseconds), nil
	case *array.MonthDayNanoInterval:
		v := a.Value(i)
		return fmt.Appendf(nil, "%d months %d days %d microseconds", v.Months, v.Days, v.Nanoseconds/1000), nil
	case *array.Dictionary:
		return paramText(t, a.Dictionary(), a.GetValueIndex(i))
	case *array.DenseUnion:
		return paramText(t, a.Field(a.ChildID(i)), int(a.ValueOffset(i)))
	case *array.SparseUnion:
		return paramText(t, a.Field(a.ChildID(i)), i)
	case array.ListLike:
		return listText(t, a, i)
	case array.ExtensionArray:
		return paramText(t, a.Storage(), i)
	}
	return nil, pgerror.Unsupported("a parameter of Arrow type %s", a.DataType())
}

// timestampText is a number of Arrow's units since 1970.
func timestampText(v int64, dt *arrow.TimestampType) ([]byte, error) {
	sec, us := v, int64(0)
	if unit := dt.Unit.Multiplier(); unit < time.Second {
		per := int64(time.Second / unit)
		rest := v % per
		if sec = v / per; rest < 0 {
			sec, rest = sec-1, rest+per
		}
		us = rest * int64(unit) / 1000
	}
	at, ok := types.TimestampOfUnix(sec, us)
	if !ok {
		return nil, pgerror.New(pgerror.DatetimeFieldOverflow, "timestamp out of range: Arrow's %d %s since 1970", v, dt.Unit)
	}
	t := types.Of(types.TimestampOID)
	if dt.TimeZone != "" {
		t = types.Of(types.TimestampTZOID)
	}
	return types.AppendOut(types.DefaultEnv(), t, nil, at)
}

// infinite is the text of a date's or timestamp's extreme values, which stand for
// infinity in results too; nil for others.
func infinite(v, neg, pos int64) []byte {
	switch v {
	case neg:
		return []byte("-infinity")
	case pos:
		return []byte("infinity")
	}
	return nil
}

func floatText(v float64, bits int) []byte { return strconv.AppendFloat(nil, v, 'g', -1, bits) }

// bytesText is the text of binary data for a type: 16 bytes for uuid, the text itself for text.
func bytesText(t types.T, b []byte) []byte {
	switch {
	case t.OID == types.Bytea:
		return append([]byte(`\x`), hex.EncodeToString(b)...)
	case t.OID == types.UUIDOID && len(b) == 16:
		return []byte(hex.EncodeToString(b))
	}
	return append([]byte(nil), b...)
}

// timeText writes years beyond 1 to 9999 as PostgreSQL reads them.
func timeText(at time.Time, layout string) []byte {
	at = at.UTC()
	y := at.Year()
	if y >= 1 && y <= 9999 {
		return []byte(at.Format(layout))
	}
	// 2000 is a leap year as every year with a 29 February is.
	rest := time.Date(2000, at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
	text := strings.TrimPrefix(rest.Format(layout), "2000")
	if y < 1 {
		return fmt.Appendf(nil, "%04d%s BC", 1-y, text)
	}
	return fmt.Appendf(nil, "%d%s", y, text)
}

// clockText is a time of day given in nanoseconds.
func clockText(nanos int64) []byte {
	s := nanos / 1e9
	return fmt.Appendf(nil, "%02d:%02d:%02d.%06d", s/3600, s/60%60, s%60, nanos/1000%1e6)
}

// listText is an array in PostgreSQL's text form.
func listText(t types.T, a array.ListLike, i int) ([]byte, error) {
	elem := t
	if t.Class == types.ClassArray {
		elem = t.ElemType()
	}
	from, to := a.ValueOffsets(i)
	out := []byte{'{'}
	for k := from; k < to; k++ {
		if k > from {
			out = append(out, ',')
		}
		v, err := paramText(elem, a.ListValues(), int(k))
		switch {
		case err != nil:
			return nil, err
		case v == nil:
			out = append(out, "NULL"...)
			continue
		}
		if _, nested := a.ListValues().(array.ListLike); nested {
			out = append(out, v...)
			continue
		}
		out = append(out, '"')
		for _, c := range v {
			if c == '"' || c == '\\' {
				out = append(out, '\\')
			}
			out = append(out, c)
		}
		out = append(out, '"')
	}
	return append(out, '}'), nil
}
