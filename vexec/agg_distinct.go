package vexec

import (
	"sync"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// distinctAcc lets each argument value into its group once. Beyond its budget
// the table takes no more: rows with other values go to partitions on disk by
// hash, which are gone through one after the other at the end.
type distinctAcc struct {
	w     *worker
	c     *aggCall
	inner accumulator
	spec  *kernel.KeySpec
	table *kernel.Table
	keys  kernel.Keys
	level int
	parts []*spillFile
	mem   *memory
}

func newDistinctAcc(w *worker, c *aggCall, inner accumulator) accumulator {
	return newDistinct(w, c, inner, 0)
}

func newDistinct(w *worker, c *aggCall, inner accumulator, level int) *distinctAcc {
	spec := kernel.NewGroupedKeySpec(distinctTypes(c))
	return &distinctAcc{w: w, c: c, inner: inner, spec: spec, table: kernel.NewTable(spec, 64), level: level,
		mem: &memory{q: w.q, name: "Aggregate", budget: w.q.env.WorkMem}}
}

// distinctTypes are a group's number and the arguments.
func distinctTypes(c *aggCall) []types.T { return append([]types.T{types.Of(types.Int4)}, c.argTs...) }

func (d *distinctAcc) resize(n int) { d.inner.resize(n) }
func (d *distinctAcc) bytes() int64 { return d.inner.bytes() + d.table.Size() }

const (
	distinctFanoutBits = 4
	distinctLevelsMax  = 8
)

func (d *distinctAcc) add(groups []int32, args []arrow.Array) error {
	n := len(groups)
	cols := append([]arrow.Array{kernel.MakeFixed(arrow.PrimitiveTypes.Int32, groups, nil, 0)}, args...)
	d.spec.Encode(d.w.frame.Ctx.Env, &d.keys, cols, n)
	if d.parts != nil {
		return d.divert(cols, n)
	}
	fresh := d.table.Insert(&d.keys, nil, make([]int32, n), nil)
	if len(fresh) == 0 {
		return nil
	}
	if d.level < distinctLevelsMax && d.table.Len() >= 256 && (d.table.Size() > d.mem.budget || d.mem.fits(d.table.Size()) != nil) {
		d.parts = make([]*spillFile, 1<<distinctFanoutBits)
	}
	g := make([]int32, len(fresh))
	for i, r := range fresh {
		g[i] = groups[r]
	}
	return d.inner.add(g, kernel.TakeCols(args, fresh))
}

// divert writes the rows whose value is not in the table to partitions.
func (d *distinctAcc) divert(cols []arrow.Array, n int) error {
	num := make([]int32, n)
	d.table.Find(&d.keys, nil, num)
	rows := make([][]int32, len(d.parts))
	shift := 60 - d.level*distinctFanoutBits
	for i, k := range num {
		if k < 0 {
			p := d.keys.Hash[i] >> shift & (1<<distinctFanoutBits - 1)
			rows[p] = append(rows[p], int32(i))
		}
	}
	for p, r := range rows {
		if len(r) == 0 {
			continue
		}
		if d.parts[p] == nil {
			f, err := newSpillFile(d.w.q, d.mem.id, distinctTypes(d.c))
			if err != nil {
				return err
			}
			d.w.q.onClose(f.close)
			d.parts[p] = f
		}
		if err := d.parts[p].gather(&Batch{Cols: kernel.TakeCols(cols, r), N: len(r)}); err != nil {
			return err
		}
	}
	return nil
}

// finish goes through what is on disk.
func (d *distinctAcc) finish() error {
	parts := d.parts
	d.parts = nil
	if parts != nil {
		d.table = kernel.NewTable(d.spec, 64)
	}
	for _, f := range parts {
		if f == nil {
			continue
		}
		sub := newDistinct(d.w, d.c, d.inner, d.level+1)
		for i := range f.len() {
			b, err := f.read(i)
			if err != nil {
				return err
			}
			if err := sub.add(kernel.Values[int32](b.Cols[0]), b.Cols[1:]); err != nil {
				return err
			}
			sub.mem.set(sub.table.Size())
			if err := sub.mem.must(); err != nil {
				sub.mem.free()
				return err
			}
		}
		sub.mem.free()
		f.close()
		if err := sub.finish(); err != nil {
			return err
		}
	}
	return nil
}

func (d *distinctAcc) result(lo, hi int) (arrow.Array, error) {
	if err := d.finish(); err != nil {
		return nil, err
	}
	return d.inner.result(lo, hi)
}

func (d *distinctAcc) merge(accumulator, []int32, []int32) error {
	panic("distinct states are not merged")
}

// setRowsMin is how many rows of a batch are worth filling sets side by side.
const setRowsMin = 512

// together runs functions that know nothing of each other side by side: the sets of several DISTINCT calls are
// what an aggregation with such spends its time in. It gives the first error in their order.
func together(fs []func() error) error {
	if len(fs) == 0 {
		return nil
	}
	errs := make([]error, len(fs))
	run := func(i int) {
		defer func() {
			if r := recover(); r != nil {
				errs[i] = recovered(r)
			}
		}()
		errs[i] = fs[i]()
	}
	var wg sync.WaitGroup
	for i := range fs[1:] {
		wg.Go(func() { run(i + 1) })
	}
	run(0)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
