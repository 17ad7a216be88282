package pgwire

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
)

// Rows go to the wire straight from their vectors. A column's encoding is chosen
// once per batch; the common types then write without a value in between, the
// others through types.AppendOut and types.AppendSend.

type encoding uint8

const (
	encodeGeneral encoding = iota // text by types.AppendOut
	encodeGeneralBinary
	encodeInt16
	encodeInt32
	encodeInt64
	encodeInt16Binary
	encodeInt32Binary
	encodeInt64Binary
	encodeFloat64Binary
	encodeDec64
	encodeString // text, and binary: the same bytes
	encodeDictionary
	encodeBool
	encodeBoolBinary
	encodeDateISO
	encodeTimestampISO
)

// columnEncoder writes one column of the current batch. Its typed views share
// the vector's memory.
type columnEncoder struct {
	kind  encoding
	nulls bool
	arr   arrow.Array
	t     types.T
	i16   []int16
	i32   []int32
	i64   []int64
	scale int32
	str   *array.String
	dict  *array.Dictionary
	boo   *array.Boolean
}

// rowEncoder writes batches of one result as DataRow messages.
type rowEncoder struct {
	cols    []Column
	formats []int16
	enc     []columnEncoder
}

func (r *rowEncoder) describe(cols []Column, formats []int16) {
	r.cols, r.formats = cols, formats
	if cap(r.enc) < len(cols) {
		r.enc = make([]columnEncoder, len(cols))
	}
	r.enc = r.enc[:len(cols)]
}

// rows appends the batch; it spills o between rows.
func (r *rowEncoder) rows(o *output, env *types.Env, b *vexec.Batch) error {
	defer clear(r.enc) // the batch is not kept
	for i := range r.enc {
		r.enc[i].set(env, r.cols[i].Type, b.Cols[i], format(r.formats, i) == 1)
	}
	n := b.Rows()
	for k := range n {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		at := o.begin('D')
		o.buf = binary.BigEndian.AppendUint16(o.buf, uint16(len(r.enc)))
		for c := range r.enc {
			e := &r.enc[c]
			if e.nulls && e.arr.IsNull(i) {
				o.buf = append(o.buf, 0xff, 0xff, 0xff, 0xff)
				continue
			}
			lenAt := len(o.buf)
			o.buf = append(o.buf, 0, 0, 0, 0)
			var err error
			if o.buf, err = e.append(env, o.buf, i); err == nil && env.ClientEncoding != nil && format(r.formats, c) == 0 {
				o.buf, err = types.ToClient(env, o.buf, lenAt+4)
			}
			if err != nil {
				o.abandon()
				return err
			}
			binary.BigEndian.PutUint32(o.buf[lenAt:], uint32(len(o.buf)-lenAt-4))
		}
		o.end(at)
		if err := o.spill(); err != nil {
			return err
		}
	}
	return nil
}

// row appends one row of values.
func (r *rowEncoder) row(o *output, env *types.Env, row []types.Datum) error {
	at := o.begin('D')
	o.buf = binary.BigEndian.AppendUint16(o.buf, uint16(len(r.cols)))
	for c := range r.cols {
		d := row[c]
		if d == nil {
			o.buf = append(o.buf, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		lenAt := len(o.buf)
		o.buf = append(o.buf, 0, 0, 0, 0)
		bin := format(r.formats, c) == 1
		var err error
		if v, ok := d.(int32); ok && r.cols[c].Type.OID == types.Int4 && !bin {
			o.buf = strconv.AppendInt(o.buf, int64(v), 10)
		} else if bin {
			o.buf, err = types.AppendSend(env, r.cols[c].Type, o.buf, d)
		} else if o.buf, err = types.AppendOut(env, r.cols[c].Type, o.buf, d); err == nil && env.ClientEncoding != nil {
			o.buf, err = types.ToClient(env, o.buf, lenAt+4)
		}
		if err != nil {
			o.abandon()
			return err
		}
		binary.BigEndian.PutUint32(o.buf[lenAt:], uint32(len(o.buf)-lenAt-4))
	}
	o.end(at)
	return o.spill()
}

func (e *columnEncoder) set(env *types.Env, t types.T, arr arrow.Array, bin bool) {
	*e = columnEncoder{arr: arr, t: t, nulls: arr.NullN() > 0, kind: encodeGeneral}
	if bin {
		e.kind = encodeGeneralBinary
	}
	pick := func(text, binary encoding) {
		e.kind = text
		if bin {
			e.kind = binary
		}
	}
	if t.Class != types.ClassBase && t.Class != types.ClassPseudo {
		return
	}
	if bin && env.ClientEncoding != nil {
		return // texts are converted
	}
	switch a := arr.(type) {
	case *array.Int16:
		e.i16 = a.Int16Values()
		pick(encodeInt16, encodeInt16Binary)
	case *array.Int32:
		e.i32 = a.Int32Values()
		pick(encodeInt32, encodeInt32Binary)
	case *array.Int64:
		e.i64 = a.Int64Values()
		pick(encodeInt64, encodeInt64Binary)
	case *array.Float64:
		if bin {
			e.kind = encodeFloat64Binary
		}
	case *types.Dec64Array:
		if !bin {
			e.i64, e.scale, e.kind = a.Int64Values(), a.Scale(), encodeDec64
		}
	case *array.String:
		switch t.OID {
		case types.Text, types.VarChar, types.BPChar, types.Name, types.JSON, types.Unknown:
			e.str, e.kind = a, encodeString
		case types.Bit, types.VarBit:
			if !bin {
				e.str, e.kind = a, encodeString
			}
		}
	case *array.Dictionary:
		if s, ok := a.Dictionary().(*array.String); ok {
			switch t.OID {
			case types.Text, types.VarChar, types.BPChar, types.Name:
				e.dict, e.str, e.kind = a, s, encodeDictionary
				e.nulls = true
			}
		}
	case *array.Boolean:
		e.boo = a
		pick(encodeBool, encodeBoolBinary)
	case *array.Date32:
		if !bin && env.DateStyle == types.DateStyleISO {
			e.kind = encodeDateISO
		}
	case *array.Timestamp:
		if bin { // the number itself
			e.i64, e.kind = arrow.Int64Traits.CastFromBytes(arrow.TimestampTraits.CastToBytes(a.TimestampValues())), encodeInt64Binary
		} else if env.DateStyle == types.DateStyleISO && t.OID == types.TimestampOID {
			e.kind = encodeTimestampISO
		}
	}
}

// append writes value i, which is not NULL.
func (e *columnEncoder) append(env *types.Env, buf []byte, i int) ([]byte, error) {
	switch e.kind {
	case encodeInt16:
		return strconv.AppendInt(buf, int64(e.i16[i]), 10), nil
	case encodeInt32:
		return strconv.AppendInt(buf, int64(e.i32[i]), 10), nil
	case encodeInt64:
		return strconv.AppendInt(buf, e.i64[i], 10), nil
	case encodeInt16Binary:
		return binary.BigEndian.AppendUint16(buf, uint16(e.i16[i])), nil
	case encodeInt32Binary:
		return binary.BigEndian.AppendUint32(buf, uint32(e.i32[i])), nil
	case encodeInt64Binary:
		return binary.BigEndian.AppendUint64(buf, uint64(e.i64[i])), nil
	case encodeFloat64Binary:
		return binary.BigEndian.AppendUint64(buf, math.Float64bits(e.arr.(*array.Float64).Value(i))), nil
	case encodeDec64:
		return appendDec64(buf, e.i64[i], e.scale), nil
	case encodeString:
		return append(buf, e.str.Value(i)...), nil
	case encodeDictionary:
		return append(buf, e.str.Value(e.dict.GetValueIndex(i))...), nil
	case encodeBool:
		if e.boo.Value(i) {
			return append(buf, 't'), nil
		}
		return append(buf, 'f'), nil
	case encodeBoolBinary:
		if e.boo.Value(i) {
			return append(buf, 1), nil
		}
		return append(buf, 0), nil
	case encodeDateISO:
		if out, ok := appendDateISO(buf, int64(e.arr.(*array.Date32).Value(i))); ok {
			return out, nil
		}
	case encodeTimestampISO:
		if out, ok := appendTimestampISO(buf, types.Timestamp(e.arr.(*array.Timestamp).Value(i))); ok {
			return out, nil
		}
	case encodeGeneralBinary:
		return types.AppendSend(env, e.t, buf, types.Get(e.t, e.arr, i))
	}
	d := types.Get(e.t, e.arr, i)
	if d == nil {
		return buf, nil
	}
	return types.AppendOut(env, e.t, buf, d)
}

// appendDec64 shows units of 10^-scale with scale digits.
func appendDec64(buf []byte, v int64, scale int32) []byte {
	if scale == 0 {
		return strconv.AppendInt(buf, v, 10)
	}
	u := uint64(v)
	if v < 0 {
		buf = append(buf, '-')
		u = -u
	}
	var digits [20]byte
	at := len(digits)
	for n := int32(0); u > 0 || n <= scale; n++ {
		at--
		digits[at] = byte('0' + u%10)
		u /= 10
	}
	point := len(digits) - int(scale)
	buf = append(buf, digits[at:point]...)
	buf = append(buf, '.')
	return append(buf, digits[point:]...)
}

// appendDateISO shows a day of the years 1 to 9999; ok is false for others.
func appendDateISO(buf []byte, days int64) ([]byte, bool) {
	const firstDay, lastDay = -719162, 2932896 // 0001-01-01, 9999-12-31
	if days < firstDay || days > lastDay {
		return buf, false
	}
	y, m, d := civil(days)
	return append(buf, byte('0'+y/1000), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10), '-',
		byte('0'+m/10), byte('0'+m%10), '-', byte('0'+d/10), byte('0'+d%10)), true
}

func appendTimestampISO(buf []byte, t types.Timestamp) ([]byte, bool) {
	days, rest := t.Day()
	buf, ok := appendDateISO(buf, days)
	if !ok {
		return buf, false
	}
	two := func(v int64) { buf = append(buf, byte('0'+v/10), byte('0'+v%10)) }
	buf = append(buf, ' ')
	two(rest / 3_600_000_000)
	buf = append(buf, ':')
	two(rest / 60_000_000 % 60)
	buf = append(buf, ':')
	two(rest / 1_000_000 % 60)
	if frac := rest % 1_000_000; frac != 0 {
		buf = append(buf, '.')
		for unit := int64(100_000); frac != 0; unit /= 10 {
			buf = append(buf, byte('0'+frac/unit))
			frac %= unit
		}
	}
	return buf, true
}

// civil is the proleptic Gregorian date of a day counted from 1970-01-01
// (days shifted to begin in March of year 0, in 400-year eras).
func civil(days int64) (y, m, d int64) {
	z := days + 719468
	era := z / 146097
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = doy - (153*mp+2)/5 + 1
	m = mp + 3
	if m > 12 {
		m -= 12
	}
	y = yoe + era*400
	if m <= 2 {
		y++
	}
	return y, m, d
}
