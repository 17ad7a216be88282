package kernel

import (
	"bytes"
	"math"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/internal/simd"
	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/types"
)

// Op is a comparison operator.
type Op uint8

const (
	Eq Op = iota
	Ne
	Lt
	Le
	Gt
	Ge
)

// Holds says whether a three-way result satisfies op.
func (op Op) Holds(c int) bool {
	switch op {
	case Eq:
		return c == 0
	case Ne:
		return c != 0
	case Lt:
		return c < 0
	case Le:
		return c <= 0
	case Gt:
		return c > 0
	}
	return c >= 0
}

// Flip is the operator with its sides exchanged.
func (op Op) Flip() Op {
	switch op {
	case Lt:
		return Gt
	case Le:
		return Ge
	case Gt:
		return Lt
	case Ge:
		return Le
	}
	return op
}

// Comparison is a PostgreSQL comparison function the engine knows: op by the
// default order of Type over operands that may be narrower integers.
type Comparison struct {
	Op   Op
	Type types.T // the wider side
}

// Fast is a strict function over whole vectors. A nil vector without an error
// means that these forms are not covered: ask the general function. The result
// is NULL where an argument is; it may be in m's memory.
type Fast func(m *Arena, args []arrow.Array, n int) (arrow.Array, error)

var comparisons = sync.OnceValue(func() map[types.OID]Comparison {
	m := map[types.OID]Comparison{}
	add := func(t types.OID, names [6]string, args string) {
		for op, name := range names {
			if oid, ok := facts.Proc(name + args); ok {
				m[types.OID(oid)] = Comparison{Op(op), types.Of(t)}
			}
		}
	}
	six := func(prefix string) (n [6]string) {
		for i, s := range []string{"eq", "ne", "lt", "le", "gt", "ge"} {
			n[i] = prefix + s
		}
		return n
	}
	ints := []struct {
		oid  types.OID
		name string
		d    string
	}{{types.Int2, "int2", "2"}, {types.Int4, "int4", "4"}, {types.Int8, "int8", "8"}}
	for i, a := range ints {
		for j, b := range ints {
			name := "int" + a.d
			if i != j {
				name += b.d
			}
			add(ints[max(i, j)].oid, six(name), "("+a.name+","+b.name+")")
		}
	}
	add(types.Float4, six("float4"), "(float4,float4)")
	add(types.Float8, six("float8"), "(float8,float8)")
	add(types.DateOID, six("date_"), "(date,date)")
	add(types.TimestampOID, six("timestamp_"), "(timestamp,timestamp)")
	add(types.TimestampTZOID, six("timestamptz_"), "(timestamptz,timestamptz)")
	add(types.TimeOID, six("time_"), "(time,time)")
	add(types.NumericOID, six("numeric_"), "(numeric,numeric)")
	add(types.Text, [6]string{"texteq", "textne", "text_lt", "text_le", "text_gt", "text_ge"}, "(text,text)")
	add(types.BPChar, six("bpchar"), "(bpchar,bpchar)")
	add(types.Name, six("name"), "(name,name)")
	add(types.Bytea, six("bytea"), "(bytea,bytea)")
	add(types.Bit, six("bit"), "(bit,bit)")
	add(types.VarBit, six("varbit"), "(varbit,varbit)")
	add(types.Oid, six("oid"), "(oid,oid)")
	add(types.Bool, six("bool"), "(bool,bool)")
	add(types.Char, six("char"), "(char,char)")
	add(types.UUIDOID, six("uuid_"), "(uuid,uuid)")
	return m
})

// ComparisonFunction tells whether a function is a comparison the engine knows.
func ComparisonFunction(oid types.OID) (Comparison, bool) {
	c, ok := comparisons()[oid]
	return c, ok
}

// FastFunction gives the engine's own form of a function, nil when there is none.
func FastFunction(oid types.OID) Fast {
	if c, ok := comparisons()[oid]; ok {
		return func(_ *Arena, args []arrow.Array, n int) (arrow.Array, error) {
			return c.vectors(args[0], args[1], n), nil
		}
	}
	return arithmetic()[oid]
}

// vectors compares two vectors; nil when their forms are not covered.
func (c Comparison) vectors(a, b arrow.Array, n int) arrow.Array {
	state := func(f func(i int) bool) arrow.Array {
		valid, nulls := CombineValid(n, []arrow.Array{a, b})
		out := make([]byte, BitmapLen(n))
		if nulls == 0 {
			for i := range n {
				if f(i) {
					SetBit(out, i)
				}
			}
		} else {
			for i := range n {
				if valid[i>>3]&(1<<(i&7)) != 0 && f(i) {
					SetBit(out, i)
				}
			}
		}
		return MakeBool(out, n, valid, nulls)
	}
	switch c.Type.OID {
	case types.Int2, types.Int4, types.Int8:
		if a.DataType().ID() == b.DataType().ID() {
			switch a.DataType().ID() {
			case arrow.INT32:
				return compareBits(c.Op, Values[int32](a), Values[int32](b), a, b)
			case arrow.INT64:
				return compareBits(c.Op, Values[int64](a), Values[int64](b), a, b)
			}
		}
		return compareBits(c.Op, widen(a), widen(b), a, b)
	case types.DateOID:
		return compareBits(c.Op, Values[int32](a), Values[int32](b), a, b)
	case types.TimestampOID, types.TimestampTZOID, types.TimeOID:
		return compareBits(c.Op, Values[int64](a), Values[int64](b), a, b)
	case types.NumericOID:
		x, y, ok := alignDec64(nil, a, b)
		if ok {
			return compareBits(c.Op, x, y, a, b)
		}
		if a.DataType().ID() == arrow.EXTENSION && b.DataType().ID() == arrow.EXTENSION {
			break
		}
	case types.Text, types.Name, types.Bytea, types.Bit, types.VarBit:
		if c.Op <= Ne {
			x, y, want := Strings(a), Strings(b), c.Op == Eq
			return state(func(i int) bool { return bytes.Equal(x.At(i), y.At(i)) == want })
		}
	}
	f := Comparer(nil, c.Type, a, b)
	return state(func(i int) bool { return c.Op.Holds(f(i, i)) })
}

// widen gives an integer vector as int64.
func widen(a arrow.Array) []int64 {
	switch a.DataType().ID() {
	case arrow.INT64:
		return Values[int64](a)
	case arrow.INT32:
		return convert[int32, int64](Values[int32](a))
	}
	return convert[int16, int64](Values[int16](a))
}

func convert[S, T int16 | int32 | int64](src []S) []T {
	out := make([]T, len(src))
	for i, x := range src {
		out[i] = T(x)
	}
	return out
}

var pow10 = func() (p [19]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// alignDec64 gives two Dec64 vectors' values at a common scale.
func alignDec64(m *Arena, a, b arrow.Array) (x, y []int64, ok bool) {
	p, ok1 := a.(*types.Dec64Array)
	q, ok2 := b.(*types.Dec64Array)
	if !ok1 || !ok2 {
		return nil, nil, false
	}
	x, y = p.Int64Values(), q.Int64Values()
	switch d := p.Scale() - q.Scale(); {
	case d > 0:
		y, ok = scaleUp(m, y, d, Valid(b))
	case d < 0:
		x, ok = scaleUp(m, x, -d, Valid(a))
	default:
		ok = true
	}
	return x, y, ok
}

// scaleUp multiplies by 10^k; ok false on overflow at a value that is not NULL.
func scaleUp(m *Arena, v []int64, k int32, valid Bits) ([]int64, bool) {
	if k > 18 {
		return nil, false
	}
	p := pow10[k]
	limit := math.MaxInt64 / p
	out := MakeIn[int64](m, len(v))
	for i, x := range v {
		if x > limit || x < -limit {
			if valid.Get(i) {
				return nil, false
			}
			out[i] = 0
			continue
		}
		out[i] = x * p
	}
	return out, true
}

// compareBits compares integers: eight results to a byte.
func compareBits[T int32 | int64](op Op, x, y []T, a, b arrow.Array) arrow.Array {
	n := len(x)
	y = y[:n]
	out := make([]byte, BitmapLen(n))
	r, swap, invert := op.relation()
	if swap {
		x, y = y, x
	}
	simd.MarkPairs(r, x, y, invert, out)
	valid, nulls := CombineValid(n, []arrow.Array{a, b})
	return MakeBool(out, n, valid, nulls)
}

// SelectConst lists the rows (positions within sel, or of a when sel is nil)
// where value op constant holds, or constant op value when flipped. done false:
// these forms are not covered. The list is in m's memory.
func (c Comparison) SelectConst(m *Arena, a arrow.Array, sel []int32, d types.Datum, flipped bool) (keep []int32, done bool) {
	op := c.Op
	if flipped {
		op = op.Flip()
	}
	valid := Valid(a)
	n := a.Len()
	if sel != nil {
		n = len(sel)
	}
	out := MakeIn[int32](m, n)[:0]
	switch v := d.(type) {
	case int16, int32, int64, types.Date, types.Timestamp, types.Time:
		k, _ := asInt64(d)
		switch a.DataType().ID() {
		case arrow.INT16:
			return selectInt(op, Values[int16](a), sel, k, valid, out), true
		case arrow.INT32, arrow.DATE32:
			return selectInt(op, Values[int32](a), sel, k, valid, out), true
		case arrow.INT64, arrow.TIMESTAMP, arrow.TIME64:
			return selectInt(op, Values[int64](a), sel, k, valid, out), true
		}
	case types.Numeric:
		p, ok := a.(*types.Dec64Array)
		if !ok {
			return nil, false
		}
		k, exact, ok := decimalBound(v, p.Scale())
		if !ok {
			return nil, false
		}
		if !exact { // k is the floor
			switch op {
			case Eq:
				return out, true
			case Ne:
				return nil, false
			case Lt, Le:
				op = Le
			default:
				op = Gt
			}
		}
		return selectInt(op, p.Int64Values(), sel, k, valid, out), true
	case string:
		if a.DataType().ID() != arrow.STRING {
			return nil, false
		}
		s := Strings(a)
		if c.Type.OID == types.BPChar {
			k := TrimBlanks([]byte(v))
			return selectRows(sel, n, valid, out, func(i int) bool { return op.Holds(bytes.Compare(TrimBlanks(s.At(i)), k)) }), true
		}
		k := []byte(v)
		if op <= Ne {
			want := op == Eq
			return selectRows(sel, n, valid, out, func(i int) bool { return bytes.Equal(s.At(i), k) == want }), true
		}
		return selectRows(sel, n, valid, out, func(i int) bool { return op.Holds(bytes.Compare(s.At(i), k)) }), true
	case float64:
		if a.DataType().ID() != arrow.FLOAT64 {
			return nil, false
		}
		x := Values[float64](a)
		if sel == nil {
			return selectFloats(op, x, v, valid, out), true
		}
		return selectRows(sel, n, valid, out, func(i int) bool { return op.Holds(CompareFloat(x[i], v)) }), true
	}
	return nil, false
}

// SelectColumns lists the rows (positions within sel, or of a and b when sel is nil)
// where a op b holds. done false: these forms are not covered. The list is in m's memory.
func (c Comparison) SelectColumns(m *Arena, a, b arrow.Array, sel []int32) (keep []int32, done bool) {
	if a.NullN() > 0 || b.NullN() > 0 || a.DataType().ID() != b.DataType().ID() {
		return nil, false
	}
	switch a.DataType().ID() {
	case arrow.INT32, arrow.DATE32:
		return selectPairs(m, c.Op, Values[int32](a), Values[int32](b), sel), true
	case arrow.INT64, arrow.TIMESTAMP, arrow.TIME64:
		return selectPairs(m, c.Op, Values[int64](a), Values[int64](b), sel), true
	}
	if x, y, ok := alignDec64(m, a, b); ok {
		return selectPairs(m, c.Op, x, y, sel), true
	}
	return nil, false
}

func asInt64(d types.Datum) (int64, bool) {
	switch v := d.(type) {
	case int16:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case types.Date:
		return int64(v), true
	case types.Timestamp:
		return int64(v), true
	case types.Time:
		return int64(v), true
	}
	return 0, false
}

// decimalBound is the floor of v in units of 10^-scale; exact when it is v itself.
func decimalBound(v types.Numeric, scale int32) (k int64, exact, ok bool) {
	u, s, ok := v.Int64()
	if !ok {
		if u, s, ok = v.TrimScale().Int64(); !ok {
			return 0, false, false
		}
	}
	if s <= scale {
		m := pow10[scale-s]
		if limit := math.MaxInt64 / m; u > limit || u < -limit {
			return 0, false, false
		}
		return u * m, true, true
	}
	m := pow10[s-scale]
	k = u / m
	if k*m == u {
		return k, true, true
	}
	if u < 0 {
		k--
	}
	return k, false, true
}

func selectRows(sel []int32, n int, valid Bits, out []int32, f func(i int) bool) []int32 {
	for i := range n {
		r := i
		if sel != nil {
			r = int(sel[i])
		}
		if valid.Get(r) && f(r) {
			out = append(out, int32(i))
		}
	}
	return out
}
