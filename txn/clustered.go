package txn

// A manager of one node among several: its store takes commits of other nodes'
// timestamps, and what may be collected is decided elsewhere.

// SetHorizon makes the manager one of several nodes, whose collector keeps what
// snapshots at or above ts may see. Calls give ascending values; 0 at first keeps everything.
func (m *Manager) SetHorizon(ts Timestamp) {
	o := &m.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clustered = true
	o.limit = max(o.limit, ts)
}

// Covers reports whether a relation lock held makes another superfluous.
func Covers(held, wanted RelationLock) bool {
	return relationLockKind.covers[wanted-1]&bit(lockMode(held-1)) != 0
}
