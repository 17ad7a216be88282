package kernel

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
)

// Interner numbers the values of a column, so that keys of several columns have a
// fixed width: equal values have equal ids, NULL has id 0, and the others count from
// one. A dictionary is numbered once. Ids mean nothing to another Interner.
type Interner struct {
	t      types.T
	spec   *KeySpec
	table  *Table
	enc    Keys
	byDict map[arrow.ArrayData][]int32
	small  map[int32][]int32 // by scale: ids of the decimals 0 … smallDecimals−1, 0: not known
}

const (
	smallDecimals = 1 << 14
	internedDicts = 64
)

// NewInterner is for a column of type t.
func NewInterner(t types.T) *Interner {
	spec := NewKeySpec([]types.T{t})
	return &Interner{t: t, spec: spec, table: NewTable(spec, 64)}
}

// Internable: ids of a column in a's form are cheap, once its values are few.
func Internable(a arrow.Array) bool {
	_, dec := a.(*types.Dec64Array)
	return dec || IsCoded(a)
}

// Len is one more than the greatest id.
func (x *Interner) Len() int { return x.table.Len() + 1 }

// Size is the memory in bytes.
func (x *Interner) Size() int64 { return x.table.Size() }

// IDs gives the ids of a's rows, in m's memory.
func (x *Interner) IDs(m *Arena, env *types.Env, a arrow.Array) []int32 {
	if IsCoded(a) {
		return x.coded(m, env, CodesOf(a))
	}
	if d, ok := a.(*types.Dec64Array); ok && a.NullN() == 0 {
		return x.decimals(m, env, d)
	}
	return x.plain(m, env, a)
}

func (x *Interner) plain(m *Arena, env *types.Env, a arrow.Array) []int32 {
	ids := MakeIn[int32](m, a.Len())
	x.spec.Encode(env, &x.enc, []arrow.Array{a}, len(ids))
	x.table.Insert(&x.enc, x.enc.Null, ids, nil)
	for i := range ids {
		ids[i]++
	}
	return ids
}

func (x *Interner) coded(m *Arena, env *types.Env, c Coded) []int32 {
	words := x.byDict[c.ID]
	if words == nil {
		if x.byDict == nil || len(x.byDict) >= internedDicts {
			x.byDict = map[arrow.ArrayData][]int32{}
		}
		words = x.plain(nil, env, c.Dict())
		x.byDict[c.ID] = words
	}
	ids := MakeIn[int32](m, len(c.Codes))
	if c.Valid.All() {
		for i, k := range c.Codes {
			ids[i] = words[k]
		}
		return ids
	}
	for i, k := range c.Codes {
		if ids[i] = 0; c.Valid.Get(i) {
			ids[i] = words[k]
		}
	}
	return ids
}

// decimals looks small ones up in an array.
func (x *Interner) decimals(m *Arena, env *types.Env, d *types.Dec64Array) []int32 {
	vals, scale := d.Int64Values(), d.Scale()
	known := x.small[scale]
	if known == nil {
		if x.small == nil {
			x.small = map[int32][]int32{}
		}
		known = make([]int32, smallDecimals)
		x.small[scale] = known
	}
	ids := MakeIn[int32](m, len(vals))
	for i, v := range vals {
		if uint64(v) < smallDecimals {
			if ids[i] = known[v]; ids[i] != 0 {
				continue
			}
		} else {
			return x.plain(m, env, d)
		}
		id := x.plain(nil, env, types.NewDec64Array(scale, []int64{v}, nil, 0))[0]
		known[v], ids[i] = id, id
	}
	return ids
}
