package vexec

import (
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// keyForms replaces key columns that are not of fixed width by ids (kernel.Interner):
// what comes dictionary-coded is then grouped without a look at its strings. Where the
// ids of all columns are few, groups are found by position in an array. Ids are this
// table's own, so before rows are cut by the hash of their keys they must go
// (groupSet.plainKeys).
type keyForms struct {
	interners []*kernel.Interner // by key; nil: the column as it is
	all       bool               // every column has ids
	sizes     []int              // of the interners, as direct is laid out
	direct    []int32            // group number + 1 by the ids of all columns; 0: not known
}

// directMax bounds the array by which groups are found.
const directMax = 1 << 14

// decide chooses the form of the keys by that of the first rows.
func (g *groupSet) decide(keys []arrow.Array) {
	g.decided = true
	if g.a.sorted || g.table.Len() > 0 {
		return
	}
	f := &keyForms{interners: make([]*kernel.Interner, len(keys)), all: true}
	ts := slices.Clone(g.spec.Types)
	for i, c := range keys {
		switch {
		case kernel.NewKeySpec(ts[i : i+1]).Fixed():
			f.all = false
		case kernel.Internable(c):
			f.interners[i] = kernel.NewInterner(ts[i])
			ts[i] = types.Of(types.Int4)
		default:
			return
		}
	}
	if !slices.ContainsFunc(keys, kernel.IsCoded) {
		return
	}
	g.setForms(f, ts)
}

// setForms makes the table one of keys in other forms. REQUIRES: it is empty.
func (g *groupSet) setForms(f *keyForms, ts []types.T) {
	g.forms = f
	g.spec = kernel.NewKeySpec(ts)
	g.table = kernel.NewTable(g.spec, 64)
}

func (f *keyForms) size() int64 {
	if f == nil {
		return 0
	}
	n := int64(cap(f.direct)) * 4
	for _, x := range f.interners {
		if x != nil {
			n += x.Size()
		}
	}
	return n
}

// insert gives each row the number of its group and lists the rows that began one.
func (g *groupSet) insert(keys []arrow.Array, n int, skip []bool, numbers []int32) []int32 {
	env := g.a.w.frame.Ctx.Env
	if g.a.sorted {
		return g.insertSorted(keys, n, numbers)
	}
	if g.forms == nil {
		g.spec.Encode(env, &g.enc, keys, n)
		return g.table.Insert(&g.enc, skip, numbers, nil)
	}
	f := g.forms
	ids := make([][]int32, len(keys))
	for i, c := range keys {
		if x := f.interners[i]; x != nil {
			ids[i] = x.IDs(&g.mem, env, c)
		}
	}
	if skip == nil && f.all && f.layout() {
		return g.insertDirect(ids, nil, n, numbers)
	}
	return g.insertIDs(keys, ids, n, skip, numbers)
}

// insertSorted is insert where equal keys follow each other.
func (g *groupSet) insertSorted(keys []arrow.Array, n int, numbers []int32) []int32 {
	g.spec.Encode(g.a.w.frame.Ctx.Env, &g.enc, keys, n)
	var fresh []int32
	if g.count == 0 || !g.enc.EqualTo(0, &g.last, 0) {
		g.count++
		fresh = append(fresh, 0)
	}
	fresh = g.enc.Runs(int32(g.count-1), numbers, fresh)
	g.count = int(numbers[n-1]) + 1
	g.last.SetRow(&g.enc, n-1)
	return fresh
}

func (g *groupSet) insertIDs(keys []arrow.Array, ids [][]int32, n int, skip []bool, numbers []int32) []int32 {
	cols := make([]arrow.Array, len(ids))
	for i, v := range ids {
		if v == nil {
			cols[i] = keys[i]
		} else {
			cols[i] = kernel.MakeFixed(arrow.PrimitiveTypes.Int32, v, nil, 0)
		}
	}
	g.spec.Encode(g.a.w.frame.Ctx.Env, &g.enc, cols, n)
	return g.table.Insert(&g.enc, skip, numbers, nil)
}

// layout makes direct fit the ids there are now; false: they are too many.
func (f *keyForms) layout() bool {
	total := 1
	same := f.sizes != nil
	for i, x := range f.interners {
		if total *= x.Len(); total > directMax {
			f.direct, f.sizes = nil, nil
			return false
		}
		same = same && f.sizes[i] == x.Len()
	}
	if same {
		return true
	}
	f.sizes = f.sizes[:0]
	for _, x := range f.interners {
		f.sizes = append(f.sizes, x.Len())
	}
	f.direct = make([]int32, total)
	return true
}

// insertDirect is insert by position, of rows sel (nil: all) of the vectors that ids are
// of; rows whose group is not known there yet go through the table. What it lists are
// positions in the vectors.
func (g *groupSet) insertDirect(ids [][]int32, sel []int32, n int, numbers []int32) []int32 {
	f := g.forms
	at := ids[0]
	if len(ids) > 1 {
		at = kernel.MakeIn[int32](&g.mem, len(ids[0]))
		copy(at, ids[0])
		for i := 1; i < len(ids); i++ {
			w := int32(f.sizes[i])
			for r, v := range ids[i] {
				at[r] = at[r]*w + v
			}
		}
	}
	missing := int32(0)
	numbers = numbers[:n]
	if sel == nil {
		for r, p := range at[:n] {
			k := f.direct[p] - 1
			numbers[r] = k
			missing |= k
		}
	} else {
		for i, r := range sel[:n] {
			k := f.direct[at[r]] - 1
			numbers[i] = k
			missing |= k
		}
	}
	if missing >= 0 {
		return nil
	}
	var places, rows []int32 // in numbers, in the vectors
	for i, k := range numbers {
		if k < 0 {
			places, rows = append(places, int32(i)), append(rows, int32(i))
			if sel != nil {
				rows[len(rows)-1] = sel[i]
			}
		}
	}
	some := make([][]int32, len(ids))
	for i, v := range ids {
		some[i] = pick(v, rows)
	}
	num := make([]int32, len(rows))
	fresh := g.insertIDs(nil, some, len(rows), nil, num)
	for i, k := range num {
		numbers[places[i]] = k
		f.direct[at[rows[i]]] = k + 1
	}
	return pick(rows, fresh)
}

// plainKeys gives the groups keys that other tables understand. Numbers stay.
func (g *groupSet) plainKeys() {
	if g.forms == nil {
		return
	}
	g.forms = nil
	var ts []types.T
	keys := make([]arrow.Array, len(g.member))
	for i, k := range g.member {
		ts = append(ts, g.a.keyTs[k])
		keys[i] = kernel.Concat(g.a.keyTs[k], g.keyCols[i])
		g.keyCols[i] = []arrow.Array{keys[i]}
	}
	n := g.table.Len()
	g.spec = kernel.NewKeySpec(ts)
	g.table = kernel.NewTable(g.spec, n)
	g.spec.Encode(g.a.w.frame.Ctx.Env, &g.enc, keys, n)
	g.table.Insert(&g.enc, nil, make([]int32, n), nil)
}
