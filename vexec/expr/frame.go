package expr

import "github.com/basaltdb/basalt/sql/types"

// Frame is what evaluation needs beyond the rows: the statement's context and
// the EXEC parameter slots. It belongs to one worker.
type Frame struct {
	Ctx *Context
	// Resolve computes a slot that nobody set (init plans); nil: such slots are NULL.
	Resolve func(slot uint32) (types.Datum, error)

	slots []types.Datum
	set   []bool
	epoch uint64 // changes with every Set
}

// NewFrame makes a frame of n slots.
func NewFrame(ctx *Context, n int) *Frame {
	return &Frame{Ctx: ctx, slots: make([]types.Datum, n), set: make([]bool, n), epoch: 1}
}

// Clone is a frame of its own with the same values, for another worker.
func (f *Frame) Clone() *Frame {
	g := *f
	if f.Ctx != nil && f.Ctx.Memory != nil { // counters belong to one worker
		ctx := *f.Ctx
		ctx.Memory = NewMemory(f.Ctx.Memory.limit)
		g.Ctx = &ctx
	}
	g.slots, g.set = append([]types.Datum{}, f.slots...), append([]bool{}, f.set...)
	return &g
}

// Set fixes a slot.
func (f *Frame) Set(slot uint32, d types.Datum) {
	for int(slot) >= len(f.slots) {
		f.slots, f.set = append(f.slots, nil), append(f.set, false)
	}
	f.slots[slot], f.set[slot] = d, true
	f.epoch++
}

// Unset forgets a slot's value, so that it is computed again.
func (f *Frame) Unset(slot uint32) {
	if int(slot) < len(f.set) {
		f.slots[slot], f.set[slot] = nil, false
		f.epoch++
	}
}

// Slot reads a slot.
func (f *Frame) Slot(slot uint32) (types.Datum, error) {
	if int(slot) < len(f.slots) && f.set[slot] {
		return f.slots[slot], nil
	}
	if f.Resolve == nil {
		return nil, nil
	}
	d, err := f.Resolve(slot)
	if err != nil {
		return nil, err
	}
	f.Set(slot, d)
	return d, nil
}
