package txn

import "time"

// waitEdges lists who waits for whom.
func (m *Manager) waitEdges() []Wait {
	var out []Wait
	m.waits.mu.Lock()
	defer m.waits.mu.Unlock()
	for _, t := range m.lockTables() {
		t.each(func(e *lockEntry) {
			for _, w := range e.queue {
				w.eachBlocker(func(o *lockOwner) {
					out = append(out, Wait{Waiter: w.o.id, Blocker: o.id, WaiterPID: w.o.pid, BlockerPID: o.pid,
						What: t.describe(w, o), Since: w.since, Advisory: t == m.advisory})
				})
			}
		})
	}
	return out
}

// cancelWait ends the lock wait of a transaction with err, if it waits.
func (m *Manager) cancelWait(id ID, err error) {
	m.waits.mu.Lock()
	defer m.waits.mu.Unlock()
	for _, t := range m.lockTables() {
		var found *lockWaiter
		t.each(func(e *lockEntry) {
			for _, w := range e.queue {
				if w.o.id == id {
					found = w
				}
			}
		})
		if found != nil {
			found.err = err
			t.abandonLocked(found)
			close(found.granted)
			return
		}
	}
}

// For is how long a wait has lasted.
func (w Wait) For(now time.Time) time.Duration { return now.Sub(w.Since) }
