package txn

// staleKey is a key whose versions below ts are garbage once no snapshot is older than ts.
type staleKey struct {
	key []byte
	ts  Timestamp
}

// collector removes versions that no snapshot can see.
type collector struct{ m *Manager }

func startCollector(m *Manager) *collector { return &collector{m: m} }

func (c *collector) add(stale []staleKey) {}

func (c *collector) stop() error { return nil }
