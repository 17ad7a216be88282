package coordinator

import (
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

var _ txn.SnapshotSharer = (*transaction)(nil)

// heldSnapshot is a snapshot of a Coordinator, pinned once.
type heldSnapshot struct {
	pins  *pins
	at    txn.Timestamp
	epoch uint64
}

func (h heldSnapshot) Release() { h.pins.unpin(h.at) }

// ExportSnapshot implements txn.SnapshotSharer.
func (t *transaction) ExportSnapshot() (txn.HeldSnapshot, error) {
	if err := t.fenced(); err != nil {
		return nil, err
	}
	if t.snap == 0 {
		return nil, pgerror.Internal("a transaction without a snapshot")
	}
	t.pins.pin(t.snap)
	return heldSnapshot{t.pins, t.snap, t.epoch}, nil
}

// ImportSnapshot implements txn.SnapshotSharer.
func (t *transaction) ImportSnapshot(s txn.HeldSnapshot) error {
	h, ok := s.(heldSnapshot)
	if !ok || t.snap != 0 || t.ended || t.opts.Isolation != txn.RepeatableRead {
		return pgerror.Internal("a snapshot of another database, or for a transaction that has one")
	}
	before := t.pins
	t.pins = h.pins
	if err := t.fenced(); err != nil {
		t.pins = before
		return err
	}
	t.pins.pin(h.at)
	t.snap, t.epoch = h.at, h.epoch
	return nil
}
