package types

import "math/big"

// Numeric is an exact decimal: unscaled × 10^-scale with PostgreSQL's display
// scale, or NaN, or ±Infinity.
type Numeric struct {
	big   *big.Int // nil: small holds the unscaled value
	small int64
	scale int32
	form  uint8
}

// NumericFromInt64 is unscaled × 10^-scale, shown with scale digits after the point.
func NumericFromInt64(unscaled int64, scale int32) Numeric {
	return Numeric{small: unscaled, scale: scale}
}

// Int64 gives the unscaled value and the display scale when the value is finite,
// fits an int64 and 0 ≤ scale ≤ 18.
func (n Numeric) Int64() (unscaled int64, scale int32, ok bool) {
	return n.small, n.scale, n.form == 0 && n.big == nil && n.scale <= 18
}

// AppendBinary appends the vector form of n.
func (n Numeric) AppendBinary(buf []byte) []byte { panic("numeric: to come") }

// NumericFromBinary reads AppendBinary's form.
func NumericFromBinary(b []byte) Numeric { panic("numeric: to come") }

// JSONB is a jsonb value in its binary form.
type JSONB []byte
