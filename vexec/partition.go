package vexec

import (
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/zeebo/xxh3"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Which consumer gets a row is the same on every node of every version that can
// take part in a statement, so this file is frozen:
//
//	HASH  (xxh3(slot forms of the keys, one after the other) div 4096) mod partitions
//	SLOT  xxh3(same) mod 4096, looked up in slot_partition_ends and slot_partitions
//
// A slot form (sql/types/keyenc/slot.go) is equal for values that are equal by
// their type's equality: numerics of any scale, integers of any width, floats of
// either, blank-padded strings, intervals. NULLs go where their form says, all to
// one consumer.

// CanHash reports whether keys of a type can be used by HASH and SLOT exchanges.
func CanHash(t types.T) bool {
	switch t.Class {
	case types.ClassEnum:
		return true
	case types.ClassBase:
	default:
		return false
	}
	switch t.OID {
	case types.Bool, types.Char, types.Int2, types.Int4, types.Int8, types.Float4, types.Float8, types.NumericOID,
		types.Text, types.VarChar, types.BPChar, types.Name, types.Bytea, types.Bit, types.VarBit, types.DateOID, types.TimeOID, types.TimeTZOID,
		types.TimestampOID, types.TimestampTZOID, types.IntervalOID, types.UUIDOID, types.Oid, types.Xid8, types.PgLSN,
		types.RegClass, types.RegType, types.RegProc, types.RegNamespace, types.RegRole:
		return true
	}
	return false
}

// Partitioner splits the output of a fragment among the consumers of its exchange.
// It belongs to one goroutine.
type Partitioner struct {
	kind   planpb.Exchange_Kind
	n      int
	frame  *expr.Frame
	keys   []*expr.Expr
	cols   []keyenc.Column
	bySlot []int32 // SLOT: consumer of each slot
	form   []byte
}

// partitionsMax bounds the consumers of an exchange.
const partitionsMax = 4096

// NewPartitioner makes the output side of a fragment that feeds an exchange.
func (e *Executor) NewPartitioner(f *planpb.Fragment, env Exec) (*Partitioner, error) {
	p := &Partitioner{kind: f.GetOutput(), n: int(f.GetPartitions())}
	if p.n < 1 || p.n > partitionsMax {
		return nil, pgerror.New(pgerror.ProtocolViolation, "an exchange with %d consumers", f.GetPartitions())
	}
	switch p.kind {
	case planpb.Exchange_GATHER:
		if p.n != 1 {
			return nil, pgerror.New(pgerror.ProtocolViolation, "rows gathered by %d consumers", p.n)
		}
		return p, nil
	case planpb.Exchange_BROADCAST:
		return p, nil
	case planpb.Exchange_HASH, planpb.Exchange_SLOT:
	default:
		return nil, pgerror.New(pgerror.ProtocolViolation, "unknown kind of exchange %d", p.kind)
	}
	if p.kind == planpb.Exchange_SLOT {
		if err := p.slots(f.GetSlotPartitionEnds(), f.GetSlotPartitions()); err != nil {
			return nil, err
		}
	}
	if len(f.GetOutputKeys()) == 0 {
		return nil, pgerror.New(pgerror.ProtocolViolation, "an exchange by no keys")
	}
	p.frame = expr.NewFrame(env.Expr, int(f.GetStatement().GetExecSlots()))
	for s, d := range env.ExecParams {
		p.frame.Set(s, d)
	}
	var err error
	if p.keys, err = expr.CompileAll(f.GetOutputKeys(), e.opts.Registry, p.frame); err != nil {
		return nil, err
	}
	for _, k := range p.keys {
		if !CanHash(k.Type) {
			return nil, pgerror.Unsupported("an exchange by keys of type %d", k.Type.OID)
		}
		p.cols = append(p.cols, keyenc.Column{T: k.Type})
	}
	return p, nil
}

func (p *Partitioner) slots(ends, parts []uint32) error {
	if len(ends) != len(parts) || len(ends) == 0 || ends[len(ends)-1] != keyenc.Slots {
		return pgerror.New(pgerror.ProtocolViolation, "%d slot ranges with %d consumers do not cover the slots", len(ends), len(parts))
	}
	p.bySlot = make([]int32, 0, keyenc.Slots)
	for i, end := range ends {
		if int(end) < len(p.bySlot) || end > keyenc.Slots || parts[i] >= uint32(p.n) {
			return pgerror.New(pgerror.ProtocolViolation, "slots up to %d for consumer %d of %d", end, parts[i], p.n)
		}
		for len(p.bySlot) < int(end) {
			p.bySlot = append(p.bySlot, int32(parts[i]))
		}
	}
	return nil
}

// Partitions is the number of consumers.
func (p *Partitioner) Partitions() int { return p.n }

// Broadcast reports that every consumer gets all rows.
func (p *Partitioner) Broadcast() bool { return p.kind == planpb.Exchange_BROADCAST }

// Split gives each consumer's rows of a batch, nil for none. Batches share b's columns.
func (p *Partitioner) Split(b *Batch) ([]*Batch, error) {
	out := make([]*Batch, p.n)
	if p.n == 1 || p.kind == planpb.Exchange_BROADCAST {
		for i := range out {
			out[i] = b
		}
		return out, nil
	}
	keys, err := evalAll(p.frame, p.keys, input(b))
	if err != nil {
		return nil, err
	}
	for i, k := range keys {
		if k.DataType().ID() == arrow.DICTIONARY {
			keys[i] = kernel.Flatten(k)
		}
	}
	rows := make([][]int32, p.n)
	env := p.frame.Ctx.Env
	for i := range b.Rows() {
		p.form = p.form[:0]
		for c := range p.cols {
			if p.form, err = p.cols[c].AppendSlotFormAt(env, p.form, keys[c], i); err != nil {
				return nil, err
			}
		}
		h := xxh3.Hash(p.form)
		to := int32(h / keyenc.Slots % uint64(p.n))
		if p.bySlot != nil {
			to = p.bySlot[h%keyenc.Slots]
		}
		at := int32(i)
		if b.Sel != nil {
			at = b.Sel[i]
		}
		rows[to] = append(rows[to], at)
	}
	for i, r := range rows {
		if len(r) > 0 {
			out[i] = &Batch{Cols: b.Cols, Sel: r, N: b.N}
		}
	}
	return out, nil
}
