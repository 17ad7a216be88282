package expr

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/vexec/kernel"
)

// Input is the rows an expression is evaluated on: columns, and optionally a
// selection of their rows. Columns are gathered by the selection when an
// expression first asks for them, so untouched columns cost nothing.
type Input struct {
	N      int // rows that count
	cols   []arrow.Array
	sel    []int32       // rows of cols that count; nil: all
	dense  []arrow.Array // gathered columns, nil until asked for
	locals []local       // CASE tests and array elements in scope, dense
	// mem is where values are made that die with the Input; nil: anywhere.
	mem *kernel.Arena
}

// local is a vector bound to an EXEC slot inside an expression.
type local struct {
	slot uint32
	vec  arrow.Array
}

// NewInput makes an Input over cols of n rows, of which sel (nil: all) count.
func NewInput(cols []arrow.Array, n int, sel []int32) *Input {
	in := &Input{N: n, cols: cols, sel: sel, dense: make([]arrow.Array, len(cols))}
	if sel != nil {
		in.N = len(sel)
	}
	return in
}

// In makes in's own vectors, and what expressions make of them, in m's memory: they are
// good until m's Reset. It gives in.
func (in *Input) In(m *kernel.Arena) *Input {
	in.mem = m
	return in
}

// Subset is the rows sel of in.
func (in *Input) Subset(sel []int32) *Input {
	if len(sel) == in.N {
		return in
	}
	rows := sel
	if in.sel != nil {
		rows = kernel.MakeIn[int32](in.mem, len(sel))
		for i, s := range sel {
			rows[i] = in.sel[s]
		}
	}
	out := NewInput(in.cols, 0, rows).In(in.mem)
	if len(in.locals) > 0 {
		out.locals = make([]local, len(in.locals))
		for i, l := range in.locals {
			out.locals[i] = local{l.slot, kernel.TakeIn(in.mem, l.vec, sel)}
		}
	}
	return out
}

// bind is in with one more local.
func (in *Input) bind(slot uint32, vec arrow.Array) *Input {
	out := *in
	out.locals = append(append([]local{}, in.locals...), local{slot, vec})
	return &out
}

// Column is column i of the rows that count, plain.
func (in *Input) Column(i int) arrow.Array {
	if in.sel == nil && !kernel.IsCoded(in.cols[i]) {
		return in.cols[i]
	}
	if in.dense[i] == nil {
		in.dense[i] = kernel.FlattenRowsIn(in.mem, in.cols[i], in.sel)
	}
	return in.dense[i]
}

// codedColumn is Column, but a dictionary-coded column stays so.
func (in *Input) codedColumn(i int) arrow.Array {
	if !kernel.IsCoded(in.cols[i]) {
		return in.Column(i)
	}
	if in.sel == nil {
		return in.cols[i]
	}
	return kernel.TakeIn(in.mem, in.cols[i], in.sel)
}

// Source is column i as it came, perhaps coded: rows sel (nil: all) of vec.
func (in *Input) Source(i int) (vec arrow.Array, sel []int32) { return in.cols[i], in.sel }

// source is column i without gathering it: rows sel (nil: all) of vec, plain.
func (in *Input) source(i int) (vec arrow.Array, sel []int32) {
	if in.dense[i] != nil || kernel.IsCoded(in.cols[i]) {
		return in.Column(i), nil
	}
	return in.cols[i], in.sel
}

func (in *Input) local(slot uint32) arrow.Array {
	for i := len(in.locals) - 1; i >= 0; i-- {
		if in.locals[i].slot == slot {
			return in.locals[i].vec
		}
	}
	return nil
}
