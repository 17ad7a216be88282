package coordinator

import (
	"testing"

	"github.com/basaltdb/basalt/txn"
)

// TestImportSnapshot: an imported snapshot is read at, is kept when the transaction that it came from
// has ended, and not when the gateway has been fenced since.
func TestImportSnapshot(t *testing.T) {
	c := newCluster(t, 2)
	g := c.gateway(1)
	c.deposit(g, 4, 10)
	from := begin(g, txn.ReadCommitted)
	held, err := from.ExportSnapshot()
	must(t, err)
	c.deposit(g, 4, 20)
	to := g.Begin(txn.Options{Isolation: txn.RepeatableRead}).(*transaction)
	must(t, to.ImportSnapshot(held))
	at := from.snap
	held.Release()
	from.Rollback()
	must(t, g.Refresh(t.Context()))
	if h := g.OldestSnapshot(); h > at {
		t.Errorf("the oldest snapshot is %d, %d is in use", h, at)
	}
	to.BeginStatement()
	to.BeginStatement()
	if s := to.Snapshot(); s != at {
		t.Errorf("reads at %d, the snapshot was of %d", s, at)
	}
	v, ok, err := to.Get(t.Context(), c.key(0))
	must(t, err)
	if !ok || amount(v) != 10 {
		t.Errorf("account 0 has %v (%t), had 10", v, ok)
	}
	again, err := to.ExportSnapshot()
	must(t, err)
	to.Rollback()
	if err := to.ImportSnapshot(again); err == nil {
		t.Error("imported into a transaction that has ended")
	}
	g.Fence()
	late := g.Begin(txn.Options{Isolation: txn.RepeatableRead}).(*transaction)
	if err := late.ImportSnapshot(again); err == nil {
		t.Error("a snapshot from before the fence was imported")
	}
	late.Rollback()
	again.Release()
}
