package coordinator

import (
	"context"

	"github.com/basaltdb/basalt/txn"
)

var _ txn.Sharer = (*transaction)(nil)

// fragmentSeqs is how many sequence numbers the writing fragments of a statement
// may use on each node.
const fragmentSeqs = 1 << 36

// Share implements txn.Sharer.
func (t *transaction) Share(ctx context.Context, readers, writers []txn.NodeID) (txn.Shared, error) {
	out := txn.Shared{Branches: map[txn.NodeID]txn.Branch{}}
	if err := t.usable(ctx); err != nil {
		return out, err
	}
	out.At = t.readAt()
	if len(writers) > 0 {
		t.large = true
		if _, err := t.ensureID(ctx); err != nil {
			return out, err
		}
		out.Seq = txn.SeqRange{First: t.seq + 1, End: t.seq + fragmentSeqs}
		t.seq += fragmentSeqs
	}
	var parts []*part
	byNode := map[txn.NodeID]bool{}
	for i, n := range append(append([]txn.NodeID{}, writers...), readers...) {
		if _, done := byNode[n]; done {
			continue
		}
		byNode[n] = i < len(writers)
		p, err := t.partAt(n)
		if err != nil {
			return out, err
		}
		parts = append(parts, p)
	}
	if len(parts) == 0 {
		return out, nil
	}
	// the locking of t.mu makes the calls one after the other where something has to be sent
	err := each(parts, func(p *part) error {
		t.mu.Lock()
		defer t.mu.Unlock()
		if err := t.flush(ctx, p); err != nil {
			return err
		}
		if byNode[p.node] {
			if !p.begun { // makes the branch, so that it is there to be rolled back
				err := p.p.Write(ctx, t.branch(p), out.At, nil)
				p.begun = true // or it may be
				if err != nil {
					return err
				}
			}
			p.wrote = true
		}
		out.Branches[p.node] = t.branch(p)
		return nil
	})
	return out, err
}

// Pin implements txn.Sharer.
func (t *transaction) Pin(ctx context.Context) (func(), error) {
	if err := t.usable(ctx); err != nil {
		return nil, err
	}
	pins, at := t.pins, t.snap
	pins.pin(at)
	return func() { pins.unpin(at) }, nil
}
