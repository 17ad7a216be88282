package expr

import (
	"math"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// Range is a condition on one column that a predicate implies: the column is not
// NULL and within [Lower, Upper] (nil: unbounded), and one of In when In is not nil.
// Values are in the Go form of the column's type; In ascends and has no duplicates.
type Range struct {
	Column       int
	Lower, Upper types.Datum
	In           []types.Datum
}

// Ranges gives what the predicate implies for single columns, one Range per column
// at most. Slots that are not computed yet are left alone.
func (x *Expr) Ranges(f *Frame) []Range {
	conj := x.conj
	if conj == nil {
		conj = []node{x.root}
	}
	r := ranges{f: f}
	for _, c := range conj {
		r.add(c)
	}
	return r.out
}

// Columns are the columns the expression reads, ascending.
func (x *Expr) Columns() []int { return x.columns }

type ranges struct {
	f   *Frame
	out []Range
}

func (r *ranges) add(n node) {
	switch c := n.(type) {
	case *codedNode:
		r.add(c.inner)
	case *boolNode:
		if c.op == 0 { // AND below a codedNode
			for _, a := range c.args {
				r.add(a)
			}
		}
	case *nullTestNode:
		if col, ok := columnOf(c.arg); ok && c.not && !c.row {
			r.narrow(col, types.T{}, Range{})
		}
	case *scalarArrayNode:
		r.in(c)
	case *funcNode:
		if len(c.args) != 2 {
			return
		}
		if c.isCmp {
			r.comparison(c)
		} else if likes()[c.call.OID] {
			r.prefix(c)
		}
	}
}

// columnOf sees through changes of type that leave the bits alone.
func columnOf(n node) (int, bool) {
	switch c := n.(type) {
	case *columnNode:
		return c.index, true
	case *relabelNode:
		if !relabelRebuilds(c.from, c.to) {
			return columnOf(c.arg)
		}
	}
	return 0, false
}

// known gives the value of a constant or of a slot that has one.
func (r *ranges) known(n node) (types.Datum, bool) {
	switch c := n.(type) {
	case *constNode:
		return c.value, c.value != nil
	case *slotNode:
		if int(c.slot) < len(r.f.slots) && r.f.set[c.slot] {
			d := r.f.slots[c.slot]
			return d, d != nil
		}
	}
	return nil, false
}

func (r *ranges) comparison(c *funcNode) {
	op := c.compare.Op
	col, ok := columnOf(c.args[0])
	v, known := r.known(c.args[1])
	t := c.call.ArgTypes[0]
	if !ok {
		if col, ok = columnOf(c.args[1]); !ok {
			return
		}
		v, known = r.known(c.args[0])
		t = c.call.ArgTypes[1]
		op = op.Flip()
	}
	if !known || op == kernel.Ne {
		return
	}
	var b Range
	switch op {
	case kernel.Eq:
		b.Lower, b.Upper = v, v
	case kernel.Lt, kernel.Le:
		b.Upper = v
	default:
		b.Lower = v
	}
	r.narrow(col, t, b)
}

func (r *ranges) in(c *scalarArrayNode) {
	col, ok := columnOf(c.scalar)
	d, known := r.known(c.array)
	if !ok || !known || !c.eqAny || c.all {
		return
	}
	var in []types.Datum
	for _, e := range d.(*types.Array).Elems {
		if e != nil {
			in = append(in, e)
		}
	}
	if len(in) == 0 {
		return
	}
	r.narrow(col, c.scalarType, Range{In: in})
}

// prefix serves LIKE 'abc%'.
func (r *ranges) prefix(c *funcNode) {
	col, ok := columnOf(c.args[0])
	v, known := r.known(c.args[1])
	if !ok || !known {
		return
	}
	p := v.(string)
	if i := strings.IndexAny(p, `%_\`); i >= 0 {
		p = p[:i]
	}
	if p == "" {
		return
	}
	b := Range{Lower: p}
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] < 0xff {
			b.Upper = p[:i] + string([]byte{p[i] + 1})
			break
		}
	}
	r.narrow(col, types.Of(types.Text), b)
}

var likes = sync.OnceValue(func() map[types.OID]bool {
	m := map[types.OID]bool{}
	for _, s := range []string{"textlike(text,text)", "like(text,text)"} {
		if oid, ok := facts.Proc(s); ok {
			m[types.OID(oid)] = true
		}
	}
	return m
})

// narrow intersects what is known of a column with b, whose values are of a type that
// compares with t. Values that cannot be had in t's form leave their side unbounded.
func (r *ranges) narrow(col int, t types.T, b Range) {
	equal := b.Lower != nil && b.Upper != nil || b.In != nil
	for _, d := range []*types.Datum{&b.Lower, &b.Upper} {
		if *d != nil {
			*d, _ = rangeValue(t, *d, equal)
		}
	}
	for i := range b.In {
		v, ok := rangeValue(t, b.In[i], true)
		if !ok {
			b.In = nil
			break
		}
		b.In[i] = v
	}
	env := types.DefaultEnv()
	less := func(x, y types.Datum) int { return types.Compare(env, t, x, y) }
	if b.In != nil {
		slices.SortFunc(b.In, less)
		b.In = slices.CompactFunc(b.In, func(x, y types.Datum) bool { return less(x, y) == 0 })
		b.Lower, b.Upper = b.In[0], b.In[len(b.In)-1]
	}
	for i := range r.out {
		o := &r.out[i]
		if o.Column != col {
			continue
		}
		if o.Lower == nil || b.Lower != nil && less(b.Lower, o.Lower) > 0 {
			o.Lower = b.Lower
		}
		if o.Upper == nil || b.Upper != nil && less(b.Upper, o.Upper) < 0 {
			o.Upper = b.Upper
		}
		if o.In == nil {
			o.In = b.In
		}
		return
	}
	b.Column = col
	r.out = append(r.out, b)
}

// rangeValue is d in the Go form of t. Blank-padded strings have an order of their
// own, so only equality is known of them, of the padded value.
func rangeValue(t types.T, d types.Datum, equal bool) (types.Datum, bool) {
	if t.Class != types.ClassBase {
		return nil, false
	}
	switch t.OID {
	case types.Int2, types.Int4, types.Int8:
		var k int64
		switch v := d.(type) {
		case int16:
			k = int64(v)
		case int32:
			k = int64(v)
		case int64:
			k = v
		default:
			return nil, false
		}
		switch {
		case t.OID == types.Int8:
			return k, true
		case t.OID == types.Int4 && k >= math.MinInt32 && k <= math.MaxInt32:
			return int32(k), true
		case t.OID == types.Int2 && k >= math.MinInt16 && k <= math.MaxInt16:
			return int16(k), true
		}
		return nil, false
	case types.DateOID:
		_, ok := d.(types.Date)
		return d, ok
	case types.TimestampOID, types.TimestampTZOID:
		_, ok := d.(types.Timestamp)
		return d, ok
	case types.NumericOID:
		_, ok := d.(types.Numeric)
		return d, ok
	case types.Text, types.VarChar:
		_, ok := d.(string)
		return d, ok
	case types.BPChar:
		s, ok := d.(string)
		n := int(t.Mod) - 4
		if !ok || !equal || n <= 0 {
			return nil, false
		}
		s = strings.TrimRight(s, " ")
		if pad := n - utf8.RuneCountInString(s); pad > 0 {
			s += strings.Repeat(" ", pad)
		}
		return s, true
	}
	return nil, false
}
