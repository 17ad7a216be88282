package coordinator

import (
	"testing"

	"github.com/basaltdb/basalt/txn"
)

// TestPinsBeforeFirstCommit: what read before the first commit, at snapshot 0, keeps nothing once it
// is closed: the horizon goes on.
func TestPinsBeforeFirstCommit(t *testing.T) {
	c := newCluster(t, 2)
	g := c.gateway(1)
	old := g.Begin(txn.Options{})
	old.BeginStatement()
	v, err := old.(txn.RowTxn).NewView()
	must(t, err)
	if s := v.Snapshot(); s != 0 {
		t.Fatalf("the first snapshot is %d", s)
	}
	w := g.Begin(txn.Options{})
	w.BeginStatement()
	must(t, w.(txn.RowTxn).Put(t.Context(), c.key(1), []byte("v")))
	ts, err := w.Commit(t.Context())
	must(t, err)
	must(t, g.Refresh(t.Context()))
	if h := g.OldestSnapshot(); h != 0 {
		t.Errorf("with a view at snapshot 0 the oldest snapshot is %d", h)
	}
	v.Close()
	v.Close()
	old.Rollback()
	must(t, g.Refresh(t.Context()))
	if h := g.OldestSnapshot(); h < ts {
		t.Errorf("after the commit at %d the oldest snapshot is %d", ts, h)
	}
}
