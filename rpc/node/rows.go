package node

import "github.com/basaltdb/basalt/rpc/proto/rpcpb"

// Row counts are estimates for planning: each gateway counts what its commits
// write and remove, the first node adds it up, and beats bring the sums back.

// rowChanges are the changes to send with the next beat.
func (n *Node) rowChanges() []*rpcpb.RowCount {
	var out []*rpcpb.RowCount
	for id, d := range n.store.TakeRowChanges() {
		out = append(out, &rpcpb.RowCount{StorageId: id, Rows: d})
	}
	return out
}

// rowsUnsent takes back changes that did not arrive.
func (n *Node) rowsUnsent(rows []*rpcpb.RowCount) {
	back := map[uint64]int64{}
	for _, c := range rows {
		back[c.StorageId] = c.Rows
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
