package storage

import (
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/storage/table"
	"github.com/basaltdb/basalt/txn"
)

// A store as one node's of several (docs/cluster.md): placement and row ids come
// from elsewhere, and what is dropped is removed when the first node says so.

// Unplaced is the placement of a database of several nodes that has no data
// tablets yet: system has the system tablet.
func Unplaced(system txn.NodeID) *txn.Placement { return &txn.Placement{System: system} }

// NewGateway is a Node without data of its own: it gives tables over transactions
// whose participants are other nodes. Only Store, Drop, Rows, Stats, BuildIndex,
// Placement, SetPlacement, AddCounts and Close may be called.
func NewGateway() *Node {
	return &Node{stop: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// Cluster makes the store, just opened with Options.Clustered or by NewGateway, one
// of several nodes'. now gives row ids; placer fixes the placement when it has no
// tablets and a table needs some. REQUIRES: before the first transaction.
func (n *Node) Cluster(place *txn.Placement, now table.Now, placer table.Placer) error {
	sh, err := table.NewShared(n.eng, place, table.NewSharedRowIDs(now))
	if err != nil {
		return err
	}
	sh.SetPlacer(placer)
	sh.SetColumns(n.cols)
	sh.TakeRowChanges() // from here on they are kept
	n.shared = sh
	if n.cols != nil {
		n.startMerging()
	}
	return nil
}

// StoredPlacement is the placement the store has noted, nil when there is none.
func (n *Node) StoredPlacement() (*txn.Placement, error) {
	b, ok, err := n.eng.LocalGet(placementKey)
	if err != nil || !ok {
		return nil, err
	}
	return decodePlacement(b)
}

// DroppedAt lists the dropped storage ids that no snapshot at or above ts can see.
// REQUIRES: the store has the system tablet.
func (n *Node) DroppedAt(ts txn.Timestamp) ([]uint64, error) {
	return n.dropped(engine.Timestamp(ts))
}

// Removed takes storage ids off the queue: every node has removed them (DropStorage).
func (n *Node) Removed(ids ...uint64) error {
	var queue []txn.KeyRange
	for _, id := range ids {
		q := dropKey(id)
		queue = append(queue, txn.KeyRange{Lower: q, Upper: append(q[:len(q):len(q)], 0)})
	}
	return n.mgr.DropRanges(queue...)
}

// AllRows, TakeRowChanges, ReturnRowChanges, HearChanged and SetRows carry row counts (table.Shared).
func (n *Node) AllRows() map[uint64]int64                        { return n.shared.AllRows() }
func (n *Node) TakeRowChanges() map[uint64]table.RowChange       { return n.shared.TakeRowChanges() }
func (n *Node) ReturnRowChanges(back map[uint64]table.RowChange) { n.shared.ReturnRowChanges(back) }
func (n *Node) HearChanged(changed map[uint64]int64)             { n.shared.HearChanged(changed) }
func (n *Node) SetRows(sums map[uint64]int64)                    { n.shared.SetRows(sums) }

// TabletBytes estimates the size of a tablet on this node.
func (n *Node) TabletBytes(t txn.TabletID) int64 {
	b, err := n.eng.Size(keyenc.Prefix(t, 0), keyenc.Prefix(t+1, 0))
	if err != nil {
		return 0
	}
	return b
}
