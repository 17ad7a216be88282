package vexec

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// waitingRows are input rows of a grouping set whose groups are not in its table: the table
// is to stay in the processor's caches, and groups turned out to be many and to have few
// rows each. They are cut by the upper bits of the hash of their keys, and each partition is
// aggregated by itself when all of the input has been read (agg_shared.go). Beyond the
// budget the rows go to files, one for each of the uppermost aggFanoutBits.
type waitingRows struct {
	rows  *kernel.Scatter
	files []*spillFile // nil: all in memory
	// While probing, rows are looked up in the table first. probed and found are of the rows
	// so far in this window.
	probing       bool
	probed, found int
}

const (
	// waitBits cut the rows that wait in partitions.
	waitBits = 8
	// waitReduceMin: a table goes on to take groups while they have so many rows each.
	waitReduceMin = 2
	// Rows are looked up in the table as long as one in probeHitMin of a window is found.
	probeWindow = 1 << 15
	probeHitMin = 8
)

// manyGroups: the table has outgrown the caches and its groups have few rows. It is asked
// again whenever the table has twice as many groups.
func (g *groupSet) manyGroups(rows int) bool {
	g.rowsIn += rows
	n := g.table.Len()
	if len(g.member) == 0 || n < max(g.checked[0]*2, g.a.w.q.env.CachedGroups) {
		return false
	}
	few := g.rowsIn-g.checked[1] < waitReduceMin*(n-g.checked[0])
	g.checked = [2]int{n, g.rowsIn}
	return few
}

// startWaiting closes the table: rows of other groups wait from here on.
func (g *groupSet) startWaiting() error {
	if err := g.detach(); err != nil {
		return err
	}
	g.plainKeys()
	g.wait = &waitingRows{rows: kernel.NewScatter(waitBits), probing: true}
	g.used = make([]bool, len(g.a.inTs))
	for _, k := range g.member {
		markColumns(g.used, g.a.keys[k])
	}
	for _, c := range g.a.calls {
		markColumns(g.used, c.args...)
		markColumns(g.used, c.filter)
	}
	return nil
}

func (w *waitingRows) bytes() int64 {
	if w == nil {
		return 0
	}
	return w.rows.Bytes()
}

func (w *waitingRows) close() {
	if w == nil {
		return
	}
	for _, f := range w.files {
		f.close()
	}
}

// addWaiting adds a batch of which only the rows of known groups are aggregated now.
func (g *groupSet) addWaiting(b *Batch) error {
	in := input(b)
	g.mem.Reset()
	if g.fleeting {
		in.In(&g.mem)
	}
	keys, err := g.evalKeys(in)
	if err != nil {
		return err
	}
	g.spec.Encode(g.a.w.frame.Ctx.Env, &g.enc, keys, in.N)
	cols := b.Cols
	for i, used := range g.used {
		if !used && cols[i] != nil {
			cols = make([]arrow.Array, len(b.Cols))
			for k, c := range b.Cols {
				if g.used[k] {
					cols[k] = c
				}
			}
			break
		}
	}
	w := g.wait
	if !w.probing {
		w.rows.Add(cols, b.Sel, g.enc.Hash)
		return nil
	}
	num := g.numbers[:in.N]
	g.table.Find(&g.enc, nil, num)
	found := 0
	for _, k := range num {
		if k >= 0 {
			found++
		}
	}
	w.probed, w.found = w.probed+in.N, w.found+found
	if w.probed >= probeWindow {
		w.probing = w.found*probeHitMin >= w.probed
		w.probed, w.found = 0, 0
	}
	if found == 0 {
		w.rows.Add(cols, b.Sel, g.enc.Hash)
		return nil
	}
	if found < in.N {
		rest := make([]int32, 0, in.N-found)
		hash := make([]uint64, 0, in.N-found)
		stay, there := make([]int32, 0, found), make([]int32, 0, found)
		for i, k := range num {
			if k >= 0 {
				stay, there = append(stay, int32(i)), append(there, k)
				continue
			}
			at := int32(i)
			if b.Sel != nil {
				at = b.Sel[i]
			}
			rest, hash = append(rest, at), append(hash, g.enc.Hash[i])
		}
		w.rows.Add(cols, rest, hash)
		in, num = in.Subset(stay), there
	}
	return g.feed(in, num)
}

// feed gives every call the rows of groups num.
func (g *groupSet) feed(in *expr.Input, num []int32) error {
	var fills []func() error
	for i, c := range g.a.calls {
		if g.a.shared[i] >= 0 {
			continue
		}
		if d, ok := g.accs[i].(*distinctAcc); ok && g.a.beside && len(num) >= setRowsMin {
			groups, args, err := c.arguments(g.a.w, in, num)
			if err != nil {
				return err
			}
			if len(groups) > 0 {
				fills = append(fills, func() error { return d.add(groups, args) })
			}
			continue
		}
		if err := c.feed(g.a.w, g.accs[i], in, num); err != nil {
			return err
		}
	}
	return together(fills)
}

// spillWaiting moves the rows that wait to files.
func (g *groupSet) spillWaiting() error {
	w := g.wait
	if w.files == nil {
		w.files = make([]*spillFile, 1<<aggFanoutBits)
	}
	for p := range w.rows.Parts() {
		pieces, _ := w.rows.Take(p)
		if len(pieces) == 0 {
			continue
		}
		f := &w.files[p>>(waitBits-aggFanoutBits)]
		if *f == nil {
			var err error
			if *f, err = newSpillFile(g.a.w.q, g.a.id, g.a.inTs); err != nil {
				return err
			}
		}
		for _, b := range pieces {
			if err := (*f).gather(&Batch{Cols: b.Cols, N: b.N}); err != nil {
				return err
			}
		}
	}
	w.rows.Forget()
	return nil
}

// mergeFrom folds in groups rows (nil: all) of another table of the same set, whose key
// values are keys, by member.
func (g *groupSet) mergeFrom(o *groupSet, keys []arrow.Array, rows []int32) error {
	n := o.groups()
	if rows != nil {
		n = len(rows)
		keys = kernel.TakeCols(keys, rows)
	}
	to := make([]int32, n)
	if len(g.member) > 0 {
		g.keep(keys, g.insert(keys, n, nil, to))
	}
	for i, acc := range g.accs {
		if err := acc.merge(o.accs[i], rows, to); err != nil {
			return err
		}
	}
	return nil
}

// keyValues joins the key values of all groups, by member.
func (g *groupSet) keyValues() []arrow.Array {
	out := make([]arrow.Array, len(g.member))
	for i, k := range g.member {
		out[i] = kernel.Concat(g.a.keyTs[k], g.keyCols[i])
		g.keyCols[i] = []arrow.Array{out[i]}
	}
	return out
}
