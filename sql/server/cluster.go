package server

import (
	"context"
	"time"

	"github.com/basaltdb/basalt/sql/functions/sys"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/txn"
)

// Cluster is what a node of several brings: sessions run over transactions whose
// participants are the nodes (docs/cluster.md). Who made it closes it, after the Server.
type Cluster struct {
	// Self is this node.
	Self txn.NodeID
	// First: this is the first node, which gives birth to an empty database.
	First bool
	// DB begins transactions over all nodes.
	DB txn.DB
	// Store gives tables over transactions of DB.
	Store *storage.Node
	// OnCatalog takes who is to be told of catalog changes before a snapshot that
	// sees them is used.
	OnCatalog func(f func(ts txn.Timestamp))
	// Describe lists the nodes and the tablets.
	Describe func() ([]sys.ClusterNode, []sys.ClusterTablet)
	// Fragments asks the live nodes what they have of running statements.
	Fragments func() []sys.ClusterFragments
	// Columns asks the nodes with data what their column segments know of a column of a table, and how many
	// rows they have; attnum 0: the rows only.
	Columns func(ctx context.Context, storageID uint64, attnum int) (rows int64, segments []ColumnSegment, err error)
}

// ColumnSegment is what a column segment knows of a column, and how many rows it has.
type ColumnSegment struct {
	Rows uint64
	columns.ColumnStats
}

// described describes the processes: the cluster's, or the one there is.
type described struct{ s *Server }

func (d described) Nodes() []sys.ClusterNode {
	if c := d.s.opts.Cluster; c != nil {
		nodes, _ := c.Describe()
		return nodes
	}
	now, started := micros(time.Now()), micros(d.s.started)
	return []sys.ClusterNode{{ID: 1, Role: "all", SQL: d.s.addr(), Version: d.s.opts.Version, Alive: true, LastHeartbeat: now, Started: started}}
}

func (d described) Tablets() []sys.ClusterTablet {
	if c := d.s.opts.Cluster; c != nil {
		_, tablets := c.Describe()
		return tablets
	}
	var out []sys.ClusterTablet
	for _, t := range d.s.store.Placement().Tablets {
		out = append(out, sys.ClusterTablet{ID: int32(t.ID), Node: int32(t.Node), First: int32(t.First), End: int32(t.End), Bytes: d.s.store.TabletBytes(t.ID)})
	}
	return out
}

func (d described) Fragments() []sys.ClusterFragments {
	if c := d.s.opts.Cluster; c != nil {
		return c.Fragments()
	}
	return []sys.ClusterFragments{{Node: 1, Memory: d.s.executor.Held(), Known: true}}
}

// micros is a time as SQL has it.
func micros(t time.Time) *types.Timestamp {
	ts := types.TimestampOf(t)
	return &ts
}

// pidBits leaves each node so many bits for the process numbers of its sessions.
const pidBits = 20

// pids are the process numbers of this node's sessions: each node has its own range.
func (c *Cluster) pids() (first, end int32) {
	if c == nil {
		return 0, 0
	}
	return int32(c.Self) << pidBits, int32(c.Self+1) << pidBits
}

// tempSlots is where this node's numbers of temporary schemas begin.
func (c *Cluster) tempSlots() int {
	first, _ := c.pids()
	return int(first)
}

// open opens the store of a lone node; a node of several has one.
func open(o Options, so storage.Options) (*storage.Node, error) {
	if o.Cluster != nil {
		return o.Cluster.Store, nil
	}
	return storage.Open(o.Dir, so)
}
