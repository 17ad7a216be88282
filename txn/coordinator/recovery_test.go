package coordinator

import (
	"context"
	"testing"
	"time"

	"github.com/basaltdb/basalt/txn"
)

// TestRecoveryOfManyCommits: a gateway dies with several commits under way, and each is in the way of
// the later ones: recovery ends them all, in whatever order it finds them, and others' commits go on.
func TestRecoveryOfManyCommits(t *testing.T) {
	c := newCluster(t, 3)
	g1 := c.gateway(1)
	c.deposit(g1, 6, 100)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for range 5 {
		for range 6 {
			id, err := c.oracle.NextIDs(ctx, 1)
			must(t, err)
			_, err = c.oracle.BeginCommit(ctx, txn.CommitRequest{ID: id, Gateway: 9, Epoch: c.oracle.Epoch(), Participants: []txn.NodeID{2, 3}})
			must(t, err)
		}
		waits := make(chan error, 1)
		go func() { waits <- c.transfer(g1, 0, 5) }() // behind them
		rec := &Recovery{Oracle: c.oracle, Nodes: c.place.Nodes, Node: c.reach, Dead: func(txn.NodeID) bool { return false }}
		must(t, rec.EndGateway(ctx, 9))
		must(t, <-waits)
		if n := len(c.oracle.Pending(9)); n != 0 {
			t.Errorf("%d commits are left", n)
		}
	}
	// Who waits for a commit behind another's may give up.
	id, err := c.oracle.NextIDs(ctx, 2)
	must(t, err)
	first, err := c.oracle.BeginCommit(ctx, txn.CommitRequest{ID: id, Gateway: 9, Epoch: c.oracle.Epoch(), Participants: []txn.NodeID{2}})
	must(t, err)
	second, err := c.oracle.BeginCommit(ctx, txn.CommitRequest{ID: id + 1, Gateway: 1, Epoch: c.oracle.Epoch(), Participants: []txn.NodeID{2}})
	must(t, err)
	short, stop := context.WithTimeout(ctx, 20*time.Millisecond)
	defer stop()
	if err := c.oracle.FinishCommit(short, second, true); err == nil {
		t.Error("a commit behind one in flight is finished")
	}
	must(t, c.oracle.FinishCommit(ctx, first, false))
}
