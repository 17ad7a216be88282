package coordinator

import (
	"context"
	"testing"

	"github.com/basaltdb/basalt/txn"
)

// TestShare: fragments on the nodes see what earlier statements wrote and not what
// their own writes, which commit with the transaction or go with a savepoint.
func TestShare(t *testing.T) {
	ctx := context.Background()
	c := newCluster(t, 2)
	g := c.gateway(9)
	defer g.Close()
	first := g.Begin(txn.Options{})
	first.BeginStatement()
	must(t, first.Put(ctx, c.key(100), []byte("x")))
	if _, err := first.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	tx := g.Begin(txn.Options{}).(txn.RowTxn)
	tx.BeginStatement()
	must(t, tx.Put(ctx, c.key(0), []byte("before")))
	sp := tx.Savepoint()
	tx.BeginStatement()
	nodes := c.place.Nodes()
	home := map[txn.NodeID]int{} // a key of each node
	for i := 1; len(home) < len(nodes); i++ {
		if n := c.place.NodeOf(txn.TabletOf(c.key(i))); home[n] == 0 {
			home[n] = i
		}
	}
	late := map[txn.NodeID]txn.RowTxn{}
	write := func(value string) txn.Shared {
		s, err := tx.(txn.Sharer).Share(ctx, nodes, nodes)
		must(t, err)
		for n, i := range home {
			f, done, err := c.nodes[n].br.Fragment(s.Branches[n], s.At, s.Seq, 0)
			must(t, err)
			if _, ok, err := f.Get(ctx, c.key(0)); err != nil || ok != (c.place.NodeOf(txn.TabletOf(c.key(0))) == n) {
				t.Fatalf("node %d: %v %v", n, ok, err)
			}
			if _, err := f.LockRow(ctx, c.key(i), txn.LockUpdate, txn.WaitBlock); err != nil {
				t.Fatal(err)
			}
			must(t, f.Put(ctx, c.key(i), []byte(value)))
			if _, ok, _ := f.Get(ctx, c.key(i)); ok {
				t.Error("a fragment sees its own statement's write")
			}
			if w, err := f.WroteKey(c.key(i)); err != nil || !w {
				t.Error(w, err)
			}
			must(t, f.RollbackTo(f.Savepoint()))
			done(true)
			if late[n] == nil {
				late[n] = f
			}
		}
		return s
	}
	write("undone")
	must(t, tx.RollbackTo(sp))
	tx.BeginStatement()
	s := write("kept")
	for n, f := range late { // its statement was rolled back
		if f.Put(ctx, c.key(home[n]), []byte("late")) == nil {
			t.Error("a fragment of a statement that was rolled back has written")
		}
	}
	// without numbers nothing can be written
	f, _, err := c.nodes[nodes[0]].br.Fragment(s.Branches[nodes[0]], s.At, txn.SeqRange{}, 0)
	must(t, err)
	if err := f.Put(ctx, c.key(0), nil); err == nil {
		t.Error("a reading fragment has written")
	}
	tx.BeginStatement()
	for _, i := range home {
		v, ok, err := tx.Get(ctx, c.key(i))
		if err != nil || !ok || string(v) != "kept" {
			t.Errorf("own write: %q %v %v", v, ok, err)
		}
	}
	if _, err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	after := g.Begin(txn.Options{})
	after.BeginStatement()
	defer after.Rollback()
	for _, i := range home {
		v, ok, err := after.Get(ctx, c.key(i))
		if err != nil || !ok || string(v) != "kept" {
			t.Errorf("after the commit: %q %v %v", v, ok, err)
		}
	}
}
