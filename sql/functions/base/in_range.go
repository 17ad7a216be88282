package base

import (
	"math"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// in_range(val, base, offset, sub, less): whether val is on the frame's side of
// base ± offset, for RANGE frames with an offset.

func badFrameOffset() error {
	return pgerror.New(pgerror.InvalidPrecedingOrFollowingSize, "invalid preceding or following size in window function")
}

func inRangeInt[A, B signedInt](val, base A, offset B, sub, less bool) (bool, error) {
	if offset < 0 {
		return false, badFrameOffset()
	}
	o := int64(offset)
	if sub {
		o = -o
	}
	b := int64(base)
	sum := b + o
	if (b^sum)&(o^sum) < 0 { // beyond every value
		return sub != less, nil
	}
	if less {
		return int64(val) <= sum, nil
	}
	return int64(val) >= sum, nil
}

func inRangeFloat[A float](val, base A, offset float64, sub, less bool) (bool, error) {
	v, b := float64(val), float64(base)
	switch {
	case math.IsNaN(offset) || offset < 0:
		return false, badFrameOffset()
	case math.IsNaN(v):
		return math.IsNaN(b) || !less, nil
	case math.IsNaN(b):
		return less, nil
	case math.IsInf(offset, 0) && math.IsInf(b, 0) && (b > 0) == sub:
		return true, nil
	}
	sum := b + offset
	if sub {
		sum = b - offset
	}
	if less {
		return v <= sum, nil
	}
	return v >= sum, nil
}

func inRangeNumeric(val, base, offset types.Numeric, sub, less bool) (bool, error) {
	switch {
	case offset.IsNaN() || offset.Sign() < 0:
		return false, badFrameOffset()
	case val.IsNaN():
		return base.IsNaN() || !less, nil
	case base.IsNaN():
		return less, nil
	case offset.IsInf() && base.IsInf() && (base.Sign() > 0) == sub:
		return true, nil
	}
	if sub {
		offset = offset.Neg()
	}
	sum, err := base.Add(offset)
	if err != nil {
		return false, err
	}
	if less {
		return val.Cmp(sum) <= 0, nil
	}
	return val.Cmp(sum) >= 0, nil
}

func registerInRange(r *expr.Registry) {
	adapt.Add(r, "in_range(int2,int2,int2,bool,bool)", adapt.E5(inRangeInt[int16, int16]))
	adapt.Add(r, "in_range(int2,int2,int4,bool,bool)", adapt.E5(inRangeInt[int16, int32]))
	adapt.Add(r, "in_range(int2,int2,int8,bool,bool)", adapt.E5(inRangeInt[int16, int64]))
	adapt.Add(r, "in_range(int4,int4,int2,bool,bool)", adapt.E5(inRangeInt[int32, int16]))
	adapt.Add(r, "in_range(int4,int4,int4,bool,bool)", adapt.E5(inRangeInt[int32, int32]))
	adapt.Add(r, "in_range(int4,int4,int8,bool,bool)", adapt.E5(inRangeInt[int32, int64]))
	adapt.Add(r, "in_range(int8,int8,int8,bool,bool)", adapt.E5(inRangeInt[int64, int64]))
	adapt.Add(r, "in_range(float4,float4,float8,bool,bool)", adapt.E5(inRangeFloat[float32]))
	adapt.Add(r, "in_range(float8,float8,float8,bool,bool)", adapt.E5(inRangeFloat[float64]))
	adapt.Add(r, "in_range(numeric,numeric,numeric,bool,bool)", adapt.E5(inRangeNumeric))
}
