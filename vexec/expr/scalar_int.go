package expr

import (
	"math"
	"math/bits"
	"sync"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// Integer arithmetic and the comparisons, value by value.

// binaryScalar is a strict function of two values that are not NULL.
type binaryScalar func(a, b types.Datum) (types.Datum, error)

// intFunction gives a function's direct form, nil when it has none.
func intFunction(oid types.OID) binaryScalar {
	if f := intArithmetic()[oid]; f != nil {
		return f
	}
	c, ok := kernel.ComparisonFunction(oid)
	if !ok {
		return nil
	}
	switch c.Type.OID {
	case types.Int2, types.Int4, types.Int8:
		return func(a, b types.Datum) (types.Datum, error) {
			x, y := integer(a), integer(b)
			r := 0
			if x < y {
				r = -1
			} else if x > y {
				r = 1
			}
			return c.Op.Holds(r), nil
		}
	case types.Text, types.Bool, types.Oid, types.UUIDOID, types.DateOID, types.TimestampOID, types.TimestampTZOID, types.NumericOID:
		return func(a, b types.Datum) (types.Datum, error) { return c.Op.Holds(types.Compare(nil, c.Type, a, b)), nil }
	}
	return nil
}

func integer(d types.Datum) int64 {
	switch v := d.(type) {
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case int64:
		return v
	}
	panic(pgerror.Internal("an integer function of a %T", d))
}

// intArithmetic are +, − and * over the integer types.
var intArithmetic = sync.OnceValue(func() map[types.OID]binaryScalar {
	m := map[types.OID]binaryScalar{}
	widths := []struct{ digit, name, text string }{{"2", "int2", "smallint"}, {"4", "int4", "integer"}, {"8", "int8", "bigint"}}
	for i, a := range widths {
		for j, b := range widths {
			name := "int" + a.digit
			if i != j {
				name += b.digit
			}
			wide := max(i, j)
			result := func(v int64, ok bool) (types.Datum, error) {
				switch {
				case !ok:
				case wide == 0 && v == int64(int16(v)):
					return int16(v), nil
				case wide == 1 && v == int64(int32(v)):
					return int32(v), nil
				case wide == 2:
					return v, nil
				}
				return nil, pgerror.New(pgerror.NumericValueOutOfRange, "%s out of range", widths[wide].text)
			}
			for op, f := range map[string]func(x, y int64) (int64, bool){"pl": addInt, "mi": subInt, "mul": mulInt} {
				if oid, ok := facts.Proc(name + op + "(" + a.name + "," + b.name + ")"); ok {
					m[types.OID(oid)] = func(a, b types.Datum) (types.Datum, error) { return result(f(integer(a), integer(b))) }
				}
			}
		}
	}
	return m
})

func addInt(x, y int64) (int64, bool) {
	r := x + y
	return r, (x^r)&(y^r) >= 0
}

func subInt(x, y int64) (int64, bool) {
	r := x - y
	return r, (x^y)&(x^r) >= 0
}

func mulInt(x, y int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(x), uint64(y))
	// The signed high word of the product.
	h := int64(hi)
	if x < 0 {
		h -= y
	}
	if y < 0 {
		h -= x
	}
	r := int64(lo)
	return r, h == r>>63 && !(x == math.MinInt64 && y == -1) && !(y == math.MinInt64 && x == -1)
}
