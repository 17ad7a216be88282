package node

import (
	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/storage/table"
)

// Row counts are estimates for planning: each gateway counts what its commits
// write and remove, the first node adds it up, and beats bring the sums back.

// rowChanges are the changes to send with the next beat.
func (n *Node) rowChanges() []*rpcpb.RowCount {
	var out []*rpcpb.RowCount
	for id, d := range n.store.TakeRowChanges() {
		out = append(out, &rpcpb.RowCount{StorageId: id, Rows: d.Rows, Changed: d.Changed})
	}
	return out
}

// rowsUnsent takes back changes that did not arrive.
func (n *Node) rowsUnsent(rows []*rpcpb.RowCount) {
	back := map[uint64]table.RowChange{}
	for _, c := range rows {
		back[c.StorageId] = table.RowChange{Rows: c.Rows, Changed: c.Changed}
	}
	n.store.ReturnRowChanges(back)
}

// setRows takes the sums.
func (n *Node) setRows(rows []*rpcpb.RowCount) {
	sums := map[uint64]int64{}
	for _, c := range rows {
		sums[c.StorageId] = c.Rows
	}
	n.store.SetRows(sums)
}

// hearChanged tells the first node's own tables what another gateway has written: the first node
// sees to it that tables are analysed.
func (n *Node) hearChanged(rows []*rpcpb.RowCount) {
	changed := map[uint64]int64{}
	for _, c := range rows {
		if c.Changed != 0 {
			changed[c.StorageId] = c.Changed
		}
	}
	n.store.HearChanged(changed)
}

// ownRows adds the first node's own changes up.
func (n *Node) ownRows() {
	m := n.members
	changes := n.rowChanges()
	m.mu.Lock()
	m.addRows(changes)
	rows := m.rowsSince(m.ownRowsAt)
	m.ownRowsAt = m.rowsAt
	m.mu.Unlock()
	n.setRows(rows)
}
