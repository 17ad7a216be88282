package coordinator

import (
	"slices"
	"sync"
	"testing"

	"github.com/basaltdb/basalt/txn"
)

// TestLargeCommitOfOneNode: what a large transaction has written on its only node is made durable
// before it draws its timestamp, so that others commit meanwhile; a small one is one call.
func TestLargeCommitOfOneNode(t *testing.T) {
	c := newCluster(t, 3)
	g := c.gateway(1)
	defer g.Close()
	c.deposit(g, 12, 100)
	var mu sync.Mutex
	var calls []string
	other := func() { // waits for every timestamp drawn before its own
		y := begin(g, txn.ReadCommitted)
		_, err := y.LockRow(ctx, c.key(3), txn.LockNoKeyUpdate, txn.WaitBlock)
		must(t, err)
		must(t, y.Put(ctx, c.key(3), money(100)))
		_, err = y.Commit(ctx)
		must(t, err)
	}
	fault := func(n txn.NodeID, call string, after bool) error {
		mu.Lock()
		first := call == "prepare" && !after && !slices.Contains(calls, call)
		if after || first {
			calls = append(calls, call)
		}
		mu.Unlock()
		if first {
			other()
		}
		return nil
	}
	for _, large := range []bool{false, true} {
		x := begin(g, txn.ReadCommitted)
		writes := 1
		if large { // several times what is held in memory
			writes = 6
		}
		for i := range writes {
			v := make([]byte, 512<<10)
			v[0] = byte(i)
			_, err := x.LockRow(ctx, c.key(2), txn.LockNoKeyUpdate, txn.WaitBlock)
			must(t, err)
			if !large {
				v = money(7)
			}
			must(t, x.Put(ctx, c.key(2), v))
			x.BeginStatement()
		}
		must(t, x.Put(ctx, c.key(2), money(7)))
		c.fault.Store(&fault)
		calls = nil
		_, err := x.Commit(ctx)
		must(t, err)
		c.fault.Store(nil)
		mu.Lock()
		if slices.Contains(calls, "prepare") != large {
			t.Errorf("large %v: %v", large, calls)
		}
		mu.Unlock()
		if sum, rows, err := c.total(g); err != nil || sum != 11*100+7 || rows != 12 {
			t.Errorf("large %v: %d of %d rows, %v", large, sum, rows, err)
		}
	}
}
