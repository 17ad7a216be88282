package txn

import "github.com/basaltdb/basalt/sql/pgerror"

// SnapshotSharer is implemented by transactions whose snapshot others of this process may use too
// (pg_export_snapshot, SET TRANSACTION SNAPSHOT).
type SnapshotSharer interface {
	// ExportSnapshot holds the snapshot in force until it is released.
	ExportSnapshot() (HeldSnapshot, error)
	// ImportSnapshot puts a snapshot in force that another transaction has exported and is not
	// released before the call returns. REQUIRES: REPEATABLE READ, and no statement yet.
	ImportSnapshot(s HeldSnapshot) error
}

// HeldSnapshot is a snapshot whose versions are kept.
type HeldSnapshot interface {
	// Release gives it back, once. Safe for concurrent use.
	Release()
}

var _ SnapshotSharer = (*transaction)(nil)

// heldSnapshot is a Manager's.
type heldSnapshot struct {
	m *Manager
	s *snapshot
}

func (h heldSnapshot) Release() { h.m.oracle.unpin(h.s) }

// ExportSnapshot implements SnapshotSharer.
func (t *transaction) ExportSnapshot() (HeldSnapshot, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	s := t.snapshotInForce()
	t.m.oracle.repin(s)
	return heldSnapshot{t.m, s}, nil
}

// ImportSnapshot implements SnapshotSharer.
func (t *transaction) ImportSnapshot(s HeldSnapshot) error {
	if err := t.usable(); err != nil {
		return err
	}
	h, ok := s.(heldSnapshot)
	if !ok || h.m != t.m || t.snap != nil || t.opts.Isolation != RepeatableRead {
		return pgerror.Internal("a snapshot of another database, or for a transaction that has one")
	}
	t.m.oracle.repin(h.s)
	t.snap = h.s
	return nil
}
