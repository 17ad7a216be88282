package types

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// Dec64Type is the fast physical form of numeric: an int64 counting units of
// 10^-Scale, 0 ≤ Scale ≤ 18, every value of the vector shown with Scale digits
// after the point. NaN and infinities have no Dec64 form.
//
// A numeric vector is either Dec64 or Binary (see Numeric.AppendBinary), and
// batches of one column may differ in form and scale: kernels dispatch on the
// vector's DataType. On the wire it is the Arrow extension "basalt.dec64" over
// int64, its metadata the scale in decimal.
type Dec64Type struct {
	arrow.ExtensionBase
	Scale int32
}

// NewDec64Type makes the type with the given scale.
func NewDec64Type(scale int32) *Dec64Type {
	return &Dec64Type{ExtensionBase: arrow.ExtensionBase{Storage: arrow.PrimitiveTypes.Int64}, Scale: scale}
}

func (*Dec64Type) ArrayType() reflect.Type { return reflect.TypeOf(Dec64Array{}) }
func (*Dec64Type) ExtensionName() string   { return "basalt.dec64" }
func (t *Dec64Type) Serialize() string     { return strconv.Itoa(int(t.Scale)) }
func (t *Dec64Type) String() string        { return fmt.Sprintf("dec64(%d)", t.Scale) }
func (t *Dec64Type) ExtensionEquals(o arrow.ExtensionType) bool {
	u, ok := o.(*Dec64Type)
	return ok && u.Scale == t.Scale
}

func (*Dec64Type) Deserialize(storage arrow.DataType, data string) (arrow.ExtensionType, error) {
	n, err := strconv.Atoi(data)
	if err != nil || n < 0 || n > 18 || storage.ID() != arrow.INT64 {
		return nil, fmt.Errorf("basalt.dec64: bad metadata %q over %s", data, storage)
	}
	return NewDec64Type(int32(n)), nil
}

// Dec64Array is a vector of Dec64Type.
type Dec64Array struct{ array.ExtensionArrayBase }

// Scale is the number of digits after the point.
func (a *Dec64Array) Scale() int32 { return a.ExtensionType().(*Dec64Type).Scale }

// Int64Values are the unscaled values (undefined at NULLs); shared, not to be changed.
func (a *Dec64Array) Int64Values() []int64 { return a.Storage().(*array.Int64).Int64Values() }

// NewDec64Array wraps unscaled values as a numeric vector of the given scale. It
// takes the slices over; valid as in NewFixed.
func NewDec64Array(scale int32, values []int64, valid []byte, nulls int) arrow.Array {
	data := NewFixed(arrow.PrimitiveTypes.Int64, arrow.Int64Traits.CastToBytes(values), len(values), valid, nulls).Data().(*array.Data)
	return array.MakeFromData(array.NewData(NewDec64Type(scale), data.Len(), data.Buffers(), nil, data.NullN(), 0))
}

func init() {
	if err := arrow.RegisterExtensionType(NewDec64Type(0)); err != nil {
		panic(err)
	}
}
