package rowcodec

import "github.com/basaltdb/basalt/sql/types"

// lazyValue is a value of a stored row that has not been decoded: as a Datum it goes
// through AppendValue as it is, and to nobody else.
type lazyValue struct {
	b []byte
	c *Column
}

// Value decodes it.
func (v *lazyValue) Value() (types.Datum, error) { return DecodeValue(v.c.T, v.b) }

// LazyRow is Row where the columns at some positions, ascending, alone are decoded: the others that
// are not NULL come as values with a method Value() (types.Datum, error), which AppendValue
// takes. They share b's memory.
func LazyRow(cols []Column, wanted []int32, b []byte) ([]types.Datum, error) {
	out := make([]types.Datum, len(cols))
	r, err := parse(b)
	if err != nil {
		return nil, err
	}
	for _, c := range wanted {
		if out[c], err = r.datum(&cols[c]); err != nil {
			return nil, err
		}
	}
	lazy, next := make([]lazyValue, len(cols)), 0
	for i := range cols {
		for next < len(wanted) && int(wanted[next]) < i {
			next++
		}
		if next < len(wanted) && int(wanted[next]) == i {
			continue
		}
		slot := cols[i].Attnum - 1
		if slot >= r.n {
			if cols[i].HasMissing {
				out[i] = cols[i].Missing
			}
			continue
		}
		v, ok, err := r.value(slot)
		if err != nil {
			return nil, err
		}
		if ok {
			lazy[i] = lazyValue{b: v, c: &cols[i]}
			out[i] = &lazy[i]
		}
	}
	return out, nil
}
