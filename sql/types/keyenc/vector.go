package keyenc

import (
	"encoding/binary"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/basaltdb/basalt/sql/types"
)

// AppendAt appends row i of a vector as a value of the column: Append without
// making a Datum, where the type has a direct form.
func (c *Column) AppendAt(env *types.Env, dst []byte, arr arrow.Array, i int) ([]byte, error) {
	if arr.IsNull(i) {
		return c.AppendNull(dst), nil
	}
	n := len(dst) + 1
	dst = append(dst, notNull)
	switch a := arr.(type) {
	case *array.Int16:
		dst = appendInt16(dst, a.Value(i))
	case *array.Int32:
		dst = appendInt32(dst, a.Value(i))
	case *array.Int64:
		dst = appendInt64(dst, a.Value(i))
	case *array.Date32:
		dst = appendInt32(dst, int32(a.Value(i)))
	case *array.Timestamp:
		dst = appendInt64(dst, int64(a.Value(i)))
	case *types.Dec64Array:
		dst = appendDec64(dst, a.Int64Values()[i], a.Scale())
	case *array.String:
		if c.T.OID == types.BPChar || c.T.OID == types.JSON || c.T.OID == types.XML {
			return c.Append(env, dst[:n-1], a.Value(i))
		}
		dst = appendString(dst, a.Value(i))
	case *array.Uint32:
		if c.T.Class == types.ClassEnum {
			return c.Append(env, dst[:n-1], types.OID(a.Value(i)))
		}
		dst = binary.BigEndian.AppendUint32(dst, a.Value(i))
	default:
		return c.Append(env, dst[:n-1], types.Get(c.T, arr, i))
	}
	if c.Desc {
		invert(dst[n:])
	}
	return dst, nil
}
