package expr

import (
	"math"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

type columnNode struct{ index int }

func (c *columnNode) eval(_ *Frame, in *Input) (arrow.Array, error) {
	if c.index >= len(in.cols) {
		return nil, pgerror.Internal("column %d of an input with %d columns", c.index, len(in.cols))
	}
	return in.Column(c.index), nil
}

// constNode is a value.
type constNode struct {
	t     types.T
	value types.Datum
	vec   arrow.Array // expanded once, sliced for each batch
	// scaled is vec of a decimal with more digits after the point
	scaled arrow.Array
}

// atScale is a decimal constant n times with scale digits after the point; nil: it
// has as many already, or does not fit.
func (c *constNode) atScale(scale int32, n int) arrow.Array {
	if d, ok := c.scaled.(*types.Dec64Array); ok && d.Scale() == scale && d.Len() >= n {
		return kernel.Slice(d, 0, n)
	}
	x, ok := c.value.(types.Numeric)
	if !ok {
		return nil
	}
	u, s, ok := x.Int64()
	if !ok || s >= scale || scale > 18 {
		return nil
	}
	for ; s < scale; s++ {
		if u > math.MaxInt64/10 || u < math.MinInt64/10 {
			return nil
		}
		u *= 10
	}
	vals := make([]int64, n)
	for i := range vals {
		vals[i] = u
	}
	c.scaled = types.NewDec64Array(scale, vals, nil, 0)
	return c.scaled
}

func (c *constNode) constant() bool { return true }

func (c *constNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	if c.vec == nil || c.vec.Len() < in.N {
		n := 1
		for n < in.N {
			n *= 2
		}
		if size := datumBytes(c.value); size > constLargeBytes {
			n = in.N
			if size*int64(n) > vectorBytesMax {
				return nil, pgerror.New(pgerror.ProgramLimitExceeded, "the values of one batch exceed %d bytes", vectorBytesMax)
			}
			if err := f.Ctx.Grow(size * int64(n)); err != nil {
				return nil, err
			}
		}
		c.vec = repeat(c.t, c.value, n)
	}
	return kernel.Slice(c.vec, 0, in.N), nil
}

// constLargeBytes is the size from which copies of a constant are counted.
const constLargeBytes = 4 << 10

func datumBytes(d types.Datum) int64 {
	switch v := d.(type) {
	case string:
		return int64(len(v))
	case []byte:
		return int64(len(v))
	case types.JSONB:
		return int64(len(v))
	}
	return 0
}

func repeat(t types.T, d types.Datum, n int) arrow.Array {
	if d == nil {
		return kernel.Nulls(t, n)
	}
	return types.Repeat(t, d, n)
}

// slotNode reads an EXEC parameter.
type slotNode struct {
	t     types.T
	slot  uint32
	epoch uint64
	con   constNode
}

func (s *slotNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	if s.epoch != f.epoch {
		d, err := f.Slot(s.slot)
		if err != nil {
			return nil, err
		}
		s.con = constNode{t: s.t, value: d}
		s.epoch = f.epoch
	}
	return s.con.eval(f, in)
}

// localNode reads a vector bound by an enclosing CASE or array coercion.
type localNode struct{ slot uint32 }

func (l *localNode) eval(_ *Frame, in *Input) (arrow.Array, error) {
	v := in.local(l.slot)
	if v == nil {
		return nil, pgerror.Internal("slot %d read outside its expression", l.slot)
	}
	return v, nil
}

// relabelNode changes the type without changing bits, where the forms agree.
type relabelNode struct {
	arg      node
	from, to types.T
}

func (r *relabelNode) constant() bool { return isConstant(r.arg) }

// relabelRebuilds: binary-coercible in PostgreSQL but of different vector or Go forms here.
func relabelRebuilds(from, to types.T) bool {
	if from.Class != types.ClassBase || to.Class != types.ClassBase {
		return false
	}
	return types.ArrowType(from).ID() != types.ArrowType(to).ID()
}

func (r *relabelNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	v, err := r.arg.eval(f, in)
	if err != nil || !relabelRebuilds(r.from, r.to) {
		return v, err
	}
	b := types.NewBuilder(r.to, in.N)
	for i := range in.N {
		d := types.Get(r.from, v, i)
		switch x := d.(type) {
		case nil:
		case int32:
			d = types.OID(uint32(x))
		case types.OID:
			d = int32(x)
		case string:
			d = []byte(x)
		case []byte:
			d = string(x)
		default:
			return nil, pgerror.Internal("relabel of type %d as %d", r.from.OID, r.to.OID)
		}
		b.Append(d)
	}
	return b.Finish(), nil
}

// externalValue gives $index of the statement.
func externalValue(ctx *Context, index int) (types.Datum, error) {
	if index < 1 || index > len(ctx.Params) {
		return nil, pgerror.New(pgerror.UndefinedParameter, "no value found for parameter %d", index)
	}
	return ctx.Params[index-1], nil
}
