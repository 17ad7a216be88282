package array

import (
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// collect is array_agg over values.
type collect struct {
	elem  types.T
	elems []types.Datum
	bytes int64 // of the values themselves
}

func (s *collect) Add(a []types.Datum) error {
	s.elems = append(s.elems, a[0])
	s.bytes += valueBytes(a[0])
	return nil
}

func (s *collect) Remove([]types.Datum) error {
	s.bytes -= valueBytes(s.elems[0])
	s.elems = s.elems[1:]
	return nil
}

func (s *collect) Result() (types.Datum, error) {
	if len(s.elems) == 0 {
		return nil, nil
	}
	return types.NewArray(s.elem, append([]types.Datum(nil), s.elems...)), nil
}

// elemBytes is a Datum in the state, in the result's copy, and in its vector.
const elemBytes = 16 + 16 + 16

func (s *collect) Size() int64 { return 64 + elemBytes*int64(cap(s.elems)) + 2*s.bytes }

// valueBytes is what a value holds beyond its Datum.
func valueBytes(d types.Datum) int64 {
	switch v := d.(type) {
	case string:
		return int64(len(v)) + 16
	case []byte:
		return int64(len(v)) + 24
	case types.JSONB:
		return int64(len(v)) + 24
	case *types.Array:
		n := int64(64)
		for _, e := range v.Elems {
			n += 16 + valueBytes(e)
		}
		return n
	case *types.Record:
		return 256
	}
	return 16
}

// collectArrays is array_agg over arrays: all of one shape, a dimension is added.
type collectArrays struct {
	n     int32
	first arr
	elems []types.Datum
	bytes int64 // of the values themselves
}

func (s *collectArrays) Add(a []types.Datum) error {
	v := asArray(a[0])
	if v == nil {
		return pgerror.New(pgerror.NullValueNotAllowed, "cannot accumulate null arrays")
	}
	if s.first == nil {
		if len(v.Dims) == 0 {
			return pgerror.New(pgerror.ArraySubscriptError, "cannot accumulate empty arrays")
		}
		if len(v.Dims) >= 6 {
			return pgerror.New(pgerror.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", len(v.Dims)+1, 6)
		}
		s.first = v
	}
	same := len(v.Dims) == len(s.first.Dims)
	for i := 0; same && i < len(v.Dims); i++ {
		same = v.Dims[i] == s.first.Dims[i]
	}
	if !same {
		return pgerror.New(pgerror.ArraySubscriptError, "cannot accumulate arrays of different dimensionality")
	}
	s.n++
	s.elems = append(s.elems, v.Elems...)
	s.bytes += valueBytes(v)
	return nil
}

func (s *collectArrays) Result() (types.Datum, error) {
	if s.n == 0 {
		return nil, nil
	}
	r := &types.Array{Elem: s.first.Elem, Dims: append([]types.ArrayDim{{Len: s.n, Lower: 1}}, s.first.Dims...)}
	r.Elems = append([]types.Datum(nil), s.elems...)
	return r, types.CheckArrayDims(r.Dims)
}

func (s *collectArrays) Size() int64 { return 64 + elemBytes*int64(cap(s.elems)) + 2*s.bytes }

// extreme is min and max over arrays.
type extreme struct {
	ctx  *expr.Context
	best arr
	dir  int
}

func (s *extreme) Add(a []types.Datum) error {
	v := a[0].(arr)
	if err := needOrder(s.ctx, v.Elem); err != nil {
		return err
	}
	if s.best == nil || compare(s.ctx, v, s.best)*s.dir > 0 {
		s.best = v
	}
	return nil
}

func (s *extreme) Result() (types.Datum, error) {
	if s.best == nil {
		return nil, nil
	}
	return s.best, nil
}

func (s *extreme) Size() int64 { return 64 }

func registerAggregates(r *expr.Registry) {
	adapt.AddAgg(r, "array_agg(anynonarray)", false, func(_ *expr.Context, call *expr.Call) expr.AggState {
		return &collect{elem: call.ArgTypes[0].NoMod()}
	})
	adapt.AddAgg(r, "array_agg(anyarray)", false, func(*expr.Context, *expr.Call) expr.AggState { return &collectArrays{} })
	adapt.AddAgg(r, "min(anyarray)", true, func(ctx *expr.Context, _ *expr.Call) expr.AggState { return &extreme{ctx: ctx, dir: -1} })
	adapt.AddAgg(r, "max(anyarray)", true, func(ctx *expr.Context, _ *expr.Call) expr.AggState { return &extreme{ctx: ctx, dir: 1} })
}
