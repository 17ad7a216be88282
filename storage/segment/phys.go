package segment

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
)

// phys is how a type's values are stored, which follows from its vectors.
type phys uint8

const (
	physVar     phys = iota // bytes
	physBool                // bits
	physInt                 // integers of 1, 2, 4 or 8 bytes
	physFixed               // bytes of one width: floats, intervals, …
	physNumeric             // integers with a scale, or bytes
)

// physOf gives a type's phys, the width of a fixed or integer value, whether an
// integer is unsigned, and the type of its vectors.
func physOf(t types.T) (p phys, width int, uns bool, dt arrow.DataType) {
	dt = types.ArrowType(t)
	if t.OID == types.NumericOID && t.Class == types.ClassBase {
		return physNumeric, 8, false, dt
	}
	switch dt.ID() {
	case arrow.BOOL:
		return physBool, 0, false, dt
	case arrow.UINT8:
		return physInt, 1, true, dt
	case arrow.INT16:
		return physInt, 2, false, dt
	case arrow.INT32, arrow.DATE32:
		return physInt, 4, false, dt
	case arrow.UINT32:
		return physInt, 4, true, dt
	case arrow.INT64, arrow.TIME64, arrow.TIMESTAMP:
		return physInt, 8, false, dt
	case arrow.UINT64:
		return physInt, 8, true, dt
	case arrow.FLOAT32:
		return physFixed, 4, false, dt
	case arrow.FLOAT64:
		return physFixed, 8, false, dt
	case arrow.FIXED_SIZE_BINARY:
		return physFixed, dt.(*arrow.FixedSizeBinaryType).ByteWidth, false, dt
	}
	return physVar, 0, false, dt
}
