package vexec

import (
	"sync"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// distinctAcc lets each argument value into its group once. Integers are kept as bitmaps while these are dense,
// all else in a hash table of groups and values. Beyond its budget the set takes no more: rows with other values
// go to partitions on disk by hash, which are gone through one after the other at the end.
type distinctAcc struct {
	w     *worker
	c     *aggCall
	inner accumulator
	spec  *kernel.KeySpec
	bits  *kernel.GroupBits // instead of table; nil: no
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
	d := &distinctAcc{w: w, c: c, inner: inner, spec: kernel.NewGroupedKeySpec(distinctTypes(c)), level: level,
		mem: &memory{q: w.q, name: "Aggregate", budget: w.q.env.WorkMem}}
	d.start()
	return d
}

// start makes an empty set.
func (d *distinctAcc) start() {
	d.bits, d.table = nil, nil
	if len(d.c.argTs) == 1 && kernel.BitsCover(types.ArrowType(d.c.argTs[0])) {
		d.bits = kernel.NewGroupBits(d.mem.budget / 4)
	} else {
		d.table = kernel.NewTable(d.spec, 64)
	}
}

// distinctTypes are a group's number and the arguments.
func distinctTypes(c *aggCall) []types.T { return append([]types.T{types.Of(types.Int4)}, c.argTs...) }

func (d *distinctAcc) resize(n int) { d.inner.resize(n) }
func (d *distinctAcc) bytes() int64 { return d.inner.bytes() + d.size() }

// size is the memory of the set, len how many values are in it.
func (d *distinctAcc) size() int64 {
	if d.bits != nil {
		return d.bits.Size()
	}
	return d.table.Size()
}

func (d *distinctAcc) len() int {
	if d.bits != nil {
		return d.bits.Len()
	}
	return d.table.Len()
}

const (
	distinctFanoutBits = 4
	distinctLevelsMax  = 8
)

func (d *distinctAcc) add(groups []int32, args []arrow.Array) error {
	if d.parts != nil {
		return d.divert(groups, args)
	}
	fresh, err := d.insert(groups, args)
	if err != nil || len(fresh) == 0 {
		return err
	}
	if d.level < distinctLevelsMax && d.len() >= 256 && (d.size() > d.mem.budget || d.mem.fits(d.size()) != nil) {
		d.parts = make([]*spillFile, 1<<distinctFanoutBits)
	}
	g := make([]int32, len(fresh))
	for i, r := range fresh {
		g[i] = groups[r]
	}
	return d.inner.add(g, kernel.TakeCols(args, fresh))
}

// insert puts rows into the set and lists those that were not there.
func (d *distinctAcc) insert(groups []int32, args []arrow.Array) ([]int32, error) {
	if d.bits == nil {
		return d.table.Insert(d.encode(groups, args), nil, make([]int32, len(groups)), nil), nil
	}
	fresh, done := d.bits.Add(groups, args[0], nil)
	if done == len(groups) {
		return fresh, nil
	}
	if err := d.hashed(); err != nil {
		return nil, err
	}
	rest, err := d.insert(groups[done:], []arrow.Array{kernel.Slice(args[0], done, len(groups))})
	for _, r := range rest {
		fresh = append(fresh, r+int32(done))
	}
	return fresh, err
}

// encode makes the keys of rows.
func (d *distinctAcc) encode(groups []int32, args []arrow.Array) *kernel.Keys {
	d.spec.Encode(d.w.frame.Ctx.Env, &d.keys, distinctCols(groups, args), len(groups))
	return &d.keys
}

func distinctCols(groups []int32, args []arrow.Array) []arrow.Array {
	return append([]arrow.Array{kernel.MakeFixed(arrow.PrimitiveTypes.Int32, groups, nil, 0)}, args...)
}

// hashed moves the bitmaps, which have become sparse, to a hash table.
func (d *distinctAcc) hashed() error {
	bits := d.bits
	d.bits, d.table = nil, kernel.NewTable(d.spec, bits.Len())
	numbers := make([]int32, buildStep)
	return bits.Each(d.c.argTs[0], buildStep, func(groups []int32, values arrow.Array) error {
		d.table.Insert(d.encode(groups, []arrow.Array{values}), nil, numbers[:len(groups)], nil)
		return nil
	})
}

// divert writes the rows whose value is not in the set to partitions.
func (d *distinctAcc) divert(groups []int32, args []arrow.Array) error {
	keys := d.encode(groups, args)
	has := make([]bool, len(groups))
	if d.bits != nil {
		d.bits.Find(groups, args[0], has)
	} else {
		num := make([]int32, len(groups))
		d.table.Find(keys, nil, num)
		for i, k := range num {
			has[i] = k >= 0
		}
	}
	rows := make([][]int32, len(d.parts))
	shift := 60 - d.level*distinctFanoutBits
	for i, h := range has {
		if !h {
			p := keys.Hash[i] >> shift & (1<<distinctFanoutBits - 1)
			rows[p] = append(rows[p], int32(i))
		}
	}
	cols := distinctCols(groups, args)
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
		d.start()
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
			sub.mem.set(sub.size())
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
