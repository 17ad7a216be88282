package segment

import (
	"bytes"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/basaltdb/basalt/sql/types"
)

// ZoneKind says in which form a zone has its bounds.
type ZoneKind uint8

const (
	// ZoneNone: nothing is known of the values.
	ZoneNone ZoneKind = iota
	// ZoneInts: Min and Max are integers that order as the values do.
	ZoneInts
	// ZoneDecimals: Min and Max count units of 10^-Scale.
	ZoneDecimals
	// ZoneBytes: MinBytes and MaxBytes are (prefixes of) byte strings that order as the values do.
	ZoneBytes
)

// Zone is what is known of the values of a block or a file.
type Zone struct {
	Rows, Nulls        int
	Kind               ZoneKind
	Scale              uint8
	Min, Max           int64
	MinBytes, MaxBytes []byte
	// MaxCut: MaxBytes is a prefix of the maximum, not all of it.
	MaxCut bool
}

// zoneBytesMax is how much of a byte string a zone keeps.
const zoneBytesMax = 32

// order is how a type's values are put into zones.
type order uint8

const (
	orderNone    order = iota
	orderInt           // signed integers, bool
	orderUint          // unsigned of 8 bytes: sign flipped
	orderFloat         // IEEE bits turned to order, NaN above all
	orderNumeric       // ZoneDecimals
	orderBytes         // byte strings
	orderPadded        // byte strings without trailing blanks
)

func orderOf(t types.T) order {
	if t.Class != types.ClassBase {
		return orderNone
	}
	switch t.OID {
	case types.Bool, types.Char, types.Int2, types.Int4, types.Int8, types.Oid, types.DateOID, types.TimeOID, types.TimestampOID, types.TimestampTZOID:
		return orderInt
	case types.Xid8, types.PgLSN:
		return orderUint
	case types.Float4, types.Float8:
		return orderFloat
	case types.NumericOID:
		return orderNumeric
	case types.Text, types.VarChar, types.Name, types.Bytea, types.UUIDOID:
		return orderBytes
	case types.BPChar:
		return orderPadded
	}
	return orderNone
}

// orderedFloat is an integer that orders as floats do: −0 is 0, NaN is above all.
func orderedFloat(v float64) int64 {
	switch {
	case v != v:
		return math.MaxInt64
	case v == 0:
		return 0
	}
	b := int64(math.Float64bits(v))
	if b < 0 {
		return math.MinInt64 - b
	}
	return b
}

func floatOf(v int64) float64 {
	switch {
	case v == math.MaxInt64:
		return math.NaN()
	case v < 0:
		return math.Float64frombits(uint64(math.MinInt64 - v))
	}
	return math.Float64frombits(uint64(v))
}

const signFlip64 = math.MinInt64

// orderedInt is a Datum as ZoneInts has it.
func orderedInt(d types.Datum) (int64, bool) {
	switch v := d.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case byte:
		return int64(v), true
	case int16:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case types.OID:
		return int64(v), true
	case uint64:
		return int64(v) ^ signFlip64, true
	case float32:
		return orderedFloat(float64(v)), true
	case float64:
		return orderedFloat(v), true
	case types.Date:
		return int64(v), true
	case types.Time:
		return int64(v), true
	case types.Timestamp:
		return int64(v), true
	}
	return 0, false
}

func orderedBytes(d types.Datum, padded bool) ([]byte, bool) {
	switch v := d.(type) {
	case string:
		if padded {
			v = strings.TrimRight(v, " ")
		}
		return []byte(v), true
	case []byte:
		return v, true
	case types.UUID:
		return v[:], true
	}
	return nil, false
}

// setBytes sets the bounds of byte strings, cut where they are long.
func (z *Zone) setBytes(lo, hi []byte) {
	z.Kind = ZoneBytes
	z.MinBytes = bytes.Clone(lo[:min(len(lo), zoneBytesMax)])
	z.MaxBytes = bytes.Clone(hi[:min(len(hi), zoneBytesMax)])
	z.MaxCut = len(hi) > zoneBytesMax
}

// union makes z the zone of the rows of both.
func (z *Zone) union(o *Zone) {
	zNone, oNone := z.Rows == z.Nulls, o.Rows == o.Nulls // no values at all
	z.Rows += o.Rows
	z.Nulls += o.Nulls
	switch {
	case oNone:
		return
	case zNone:
		rows, nulls := z.Rows, z.Nulls
		*z = *o
		z.Rows, z.Nulls = rows, nulls
		return
	}
	if z.Kind != o.Kind || z.Kind == ZoneDecimals && z.Scale != o.Scale {
		z.Kind = ZoneNone
		return
	}
	switch z.Kind {
	case ZoneInts, ZoneDecimals:
		z.Min, z.Max = min(z.Min, o.Min), max(z.Max, o.Max)
	case ZoneBytes:
		if bytes.Compare(o.MinBytes, z.MinBytes) < 0 {
			z.MinBytes = o.MinBytes
		}
		switch c := bytes.Compare(o.MaxBytes, z.MaxBytes); {
		case c > 0:
			z.MaxBytes, z.MaxCut = o.MaxBytes, o.MaxCut
		case c == 0:
			z.MaxCut = z.MaxCut || o.MaxCut
		}
	}
}

// Bounds are the smallest and largest value as Datums of type t; nil where they are
// not known. Those of long byte strings are cut.
func (z *Zone) Bounds(t types.T) (lo, hi types.Datum) {
	if z.Rows == z.Nulls {
		return nil, nil
	}
	switch z.Kind {
	case ZoneInts:
		return intDatum(t, z.Min), intDatum(t, z.Max)
	case ZoneDecimals:
		return types.NumericFromInt64(z.Min, int32(z.Scale)), types.NumericFromInt64(z.Max, int32(z.Scale))
	case ZoneBytes:
		return bytesDatum(t, z.MinBytes), bytesDatum(t, z.MaxBytes)
	}
	return nil, nil
}

func intDatum(t types.T, v int64) types.Datum {
	switch t.OID {
	case types.Bool:
		return v != 0
	case types.Char:
		return byte(v)
	case types.Int2:
		return int16(v)
	case types.Int4:
		return int32(v)
	case types.Int8:
		return v
	case types.Oid:
		return types.OID(v)
	case types.Xid8, types.PgLSN:
		return uint64(v ^ signFlip64)
	case types.Float4:
		return float32(floatOf(v))
	case types.Float8:
		return floatOf(v)
	case types.DateOID:
		return types.Date(v)
	case types.TimeOID:
		return types.Time(v)
	case types.TimestampOID, types.TimestampTZOID:
		return types.Timestamp(v)
	}
	return nil
}

func bytesDatum(t types.T, b []byte) types.Datum {
	switch t.OID {
	case types.Bytea:
		return bytes.Clone(b)
	case types.UUIDOID:
		var u types.UUID
		copy(u[:], b)
		return u
	}
	return strings.ToValidUTF8(string(b), "")
}

// Range is a condition on a column: not NULL, and between two bounds or one of some
// values. It belongs to no file.
type Range struct {
	order              order
	hasLower, hasUpper bool
	lower, upper       int64
	lowerNum, upperNum types.Numeric
	lowerStr, upperStr []byte
	in                 bool
	ints               []int64
	nums               []types.Numeric
	strs               [][]byte
}

// NewRange prepares the condition that a value of type t is not NULL and in [lower,
// upper] (nil: unbounded), or, when in is not nil, one of its values, which ascend.
// Nil when zones say nothing of the type.
func NewRange(t types.T, lower, upper types.Datum, in []types.Datum) *Range {
	r := &Range{order: orderOf(t), hasLower: lower != nil, hasUpper: upper != nil, in: in != nil}
	ok := true
	switch r.order {
	case orderNone:
		return nil
	case orderNumeric:
		numeric := func(d types.Datum) (v types.Numeric) {
			if d != nil {
				var is bool
				v, is = d.(types.Numeric)
				ok = ok && is
			}
			return v
		}
		r.lowerNum, r.upperNum = numeric(lower), numeric(upper)
		for _, d := range in {
			r.nums = append(r.nums, numeric(d))
		}
	case orderBytes, orderPadded:
		str := func(d types.Datum) (b []byte) {
			if d != nil {
				var is bool
				b, is = orderedBytes(d, r.order == orderPadded)
				ok = ok && is
			}
			return b
		}
		r.lowerStr, r.upperStr = str(lower), str(upper)
		for _, d := range in {
			r.strs = append(r.strs, str(d))
		}
	default:
		integer := func(d types.Datum) (v int64) {
			if d != nil {
				var is bool
				v, is = orderedInt(d)
				ok = ok && is
			}
			return v
		}
		r.lower, r.upper = integer(lower), integer(upper)
		for _, d := range in {
			r.ints = append(r.ints, integer(d))
		}
	}
	if !ok {
		return nil
	}
	return r
}

// May reports whether a row of the zone may satisfy r.
func (z *Zone) May(r *Range) bool {
	if z.Nulls >= z.Rows {
		return false
	}
	switch z.Kind {
	case ZoneInts:
		if r.order == orderNumeric || r.order >= orderBytes {
			return true
		}
		if r.hasLower && z.Max < r.lower || r.hasUpper && z.Min > r.upper {
			return false
		}
		if r.in {
			i, _ := slices.BinarySearch(r.ints, z.Min)
			return i < len(r.ints) && r.ints[i] <= z.Max
		}
	case ZoneDecimals:
		if r.order != orderNumeric {
			return true
		}
		lo, hi := types.NumericFromInt64(z.Min, int32(z.Scale)), types.NumericFromInt64(z.Max, int32(z.Scale))
		if r.hasLower && hi.Cmp(r.lowerNum) < 0 || r.hasUpper && lo.Cmp(r.upperNum) > 0 {
			return false
		}
		if r.in {
			i := sort.Search(len(r.nums), func(i int) bool { return r.nums[i].Cmp(lo) >= 0 })
			return i < len(r.nums) && r.nums[i].Cmp(hi) <= 0
		}
	case ZoneBytes:
		if r.order < orderBytes {
			return true
		}
		if r.hasLower && z.below(r.lowerStr) || r.hasUpper && bytes.Compare(z.MinBytes, r.upperStr) > 0 {
			return false
		}
		if r.in {
			i := sort.Search(len(r.strs), func(i int) bool { return bytes.Compare(r.strs[i], z.MinBytes) >= 0 })
			return i < len(r.strs) && !z.below(r.strs[i])
		}
	}
	return true
}

// below: every value is less than v.
func (z *Zone) below(v []byte) bool {
	return bytes.Compare(z.MaxBytes, v) < 0 && !(z.MaxCut && bytes.HasPrefix(v, z.MaxBytes))
}
