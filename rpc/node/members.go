package node

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/basaltdb/basalt/rpc/proto/rpcpb"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/txn/coordinator"
)

// members is who belongs to the database; the first node keeps it.
//
// The local record "members" of its store is JSON, version 1: {"version", "nodes":
// [{"id", "directory", "role", "rpc", "sql", "flight"}]}. Ids ascend, none is used
// twice. Leases are known in memory only: after a restart everybody has a new one.
type members struct {
	store    *storage.Node
	oracle   *txn.OracleService
	recovery *coordinator.Recovery
	tablets  int // asked for; 0: one per node with storage
	logf     func(format string, args ...any)

	mu   sync.Mutex
	list map[txn.NodeID]*member
	// reaped: who has removed what of a dropped storage id.
	reaped map[uint64]map[txn.NodeID]bool
	rows   map[uint64]rowCount
	rowsAt uint64 // counts changes of rows
	// ownRowsAt is up to where the first node's own tables know rows.
	ownRowsAt uint64
	// joining makes joins of one node come one at a time.
	joining map[txn.NodeID]*sync.Mutex
	// looked is when expire last was there.
	looked time.Time
}

type member struct {
	ID        txn.NodeID `json:"id"`
	Directory string     `json:"directory"`
	Role      Role       `json:"role"`
	RPC       string     `json:"rpc"`
	SQL       string     `json:"sql,omitempty"`
	Flight    string     `json:"flight,omitempty"`

	version     string
	incarnation uint64 // 0: any, since the first node has restarted
	started     time.Time
	beat        time.Time
	alive       bool
	// ended: what the gateway had open before it died has been ended.
	ended  bool
	ending bool
	// joining: a new incarnation is about to come; its join ends what was open.
	joining bool
	bytes   map[txn.TabletID]uint64
	// rowsAt is up to where the node knows rows.
	rowsAt uint64
}

type rowCount struct {
	rows int64
	at   uint64
}

var membersKey = []byte("members")

const membersVersion = 1

type membersRecord struct {
	Version int       `json:"version"`
	Nodes   []*member `json:"nodes"`
}

func (m *members) load() error {
	b, ok, err := m.store.Engine().LocalGet(membersKey)
	if err != nil || !ok {
		return err
	}
	var r membersRecord
	if err := json.Unmarshal(b, &r); err != nil {
		return pgerror.Wrap(err, pgerror.DataCorrupted, "malformed record of the cluster's members")
	}
	if r.Version != membersVersion {
		return fmt.Errorf("the record of the cluster's members has version %d, this program reads version %d", r.Version, membersVersion)
	}
	now := time.Now()
	for _, x := range r.Nodes {
		x.alive, x.beat = true, now
		m.list[x.ID] = x
		if x.Role != Storage {
			m.oracle.ReportOldest(x.ID, 0)
		}
	}
	return nil
}

// save writes the record. REQUIRES: mu held.
func (m *members) save() error {
	r := membersRecord{Version: membersVersion}
	for _, id := range slices.Sorted(maps.Keys(m.list)) {
		r.Nodes = append(r.Nodes, m.list[id])
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return m.store.Engine().LocalSet(membersKey, b, true)
}

// join makes a directory's process a node with a lease.
func (m *members) join(ctx context.Context, q *rpcpb.JoinRequest, rpcAddr, flightAddr string) (txn.NodeID, error) {
	dir, role := hex.EncodeToString(q.Directory), Role(q.Role)
	if len(q.Directory) != 16 || role > Storage {
		return 0, pgerror.New(pgerror.ProtocolViolation, "malformed request to join")
	}
	m.mu.Lock()
	var x *member
	last := first
	for _, o := range m.list {
		last = max(last, o.ID)
		if o.Directory == dir {
			x = o
		}
	}
	switch {
	case x == nil && q.Node != 0:
		m.mu.Unlock()
		return 0, pgerror.New(pgerror.ObjectNotInPrerequisiteState, "the cluster does not know node %d with this data directory", q.Node)
	case x == nil:
		x = &member{ID: last + 1, Directory: dir, Role: role}
		m.list[x.ID] = x
	case q.Node != 0 && txn.NodeID(q.Node) != x.ID || x.Role != role:
		m.mu.Unlock()
		return 0, pgerror.New(pgerror.ObjectNotInPrerequisiteState, "the data directory is known as node %d with another role", x.ID)
	}
	one := m.joining[x.ID]
	if one == nil {
		one = &sync.Mutex{}
		m.joining[x.ID] = one
	}
	m.mu.Unlock()

	one.Lock()
	defer one.Unlock()
	m.mu.Lock()
	again := x.incarnation != q.Incarnation
	if again { // nobody need ask the process that was there before
		x.alive, x.joining = false, true
		x.RPC = rpcAddr
		defer func() {
			m.mu.Lock()
			x.joining = false
			m.mu.Unlock()
		}()
	}
	m.mu.Unlock()
	// An ending that began before must not meet what the new incarnation begins.
	if err := m.awaitEnding(ctx, x); err != nil {
		return 0, err
	}
	if again && x.Role != Storage {
		if err := m.endGateway(ctx, x.ID); err != nil {
			return 0, err
		}
		m.oracle.ReportOldest(x.ID, 0)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	x.RPC, x.SQL, x.Flight, x.version = rpcAddr, q.SqlAddr, flightAddr, q.Version
	x.incarnation, x.beat, x.alive, x.ended, x.rowsAt = q.Incarnation, time.Now(), true, false, 0
	if again {
		x.started = x.beat
		m.logf("node %d (%s) has joined from %s", x.ID, x.Role, x.RPC)
	}
	return x.ID, m.save()
}

// awaitEnding waits until expire's ending of a node is over.
func (m *members) awaitEnding(ctx context.Context, x *member) error {
	for {
		m.mu.Lock()
		ending := x.ending
		m.mu.Unlock()
		if !ending {
			return nil
		}
		select {
		case <-ctx.Done():
			return pgerror.From(context.Cause(ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// endGateway ends what a gateway has open, trying for as long as ctx lets it:
// nodes that do not answer are dead when their lease ends.
func (m *members) endGateway(ctx context.Context, g txn.NodeID) error {
	for {
		err := m.recovery.EndGateway(ctx, g)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// heartbeat renews a lease; false: the node is fenced.
func (m *members) heartbeat(q *rpcpb.HeartbeatRequest) (*rpcpb.HeartbeatReply, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x := m.list[txn.NodeID(q.Node)]
	if x == nil || !x.alive || x.incarnation != 0 && x.incarnation != q.Incarnation {
		return nil, false
	}
	x.incarnation, x.beat = q.Incarnation, time.Now()
	if x.started.IsZero() {
		x.started = x.beat
	}
	if x.Role != Storage {
		m.oracle.ReportOldest(x.ID, txn.Timestamp(q.OldestSnapshot))
	}
	x.bytes = map[txn.TabletID]uint64{}
	for _, t := range q.Tablets {
		x.bytes[txn.TabletID(t.Id)] = t.Bytes
	}
	for _, id := range q.Reaped {
		if r := m.reaped[id]; r != nil {
			r[x.ID] = true
		}
	}
	m.addRows(q.Rows)
	r := &rpcpb.HeartbeatReply{Rows: m.rowsSince(x.rowsAt)}
	x.rowsAt = m.rowsAt
	for id, by := range m.reaped {
		if !by[x.ID] {
			r.Dropped = append(r.Dropped, id)
		}
	}
	return r, true
}

// addRows takes a gateway's changes of row counts. REQUIRES: mu held.
func (m *members) addRows(rows []*rpcpb.RowCount) {
	for _, c := range rows {
		if c.Rows == 0 {
			continue
		}
		m.rowsAt++
		m.rows[c.StorageId] = rowCount{max(0, m.rows[c.StorageId].rows+c.Rows), m.rowsAt}
	}
}

// rowsSince are the counts that have changed since at. REQUIRES: mu held.
func (m *members) rowsSince(at uint64) []*rpcpb.RowCount {
	if at == m.rowsAt {
		return nil
	}
	var out []*rpcpb.RowCount
	for id, c := range m.rows {
		if c.at > at {
			out = append(out, &rpcpb.RowCount{StorageId: id, Rows: c.rows})
		}
	}
	return out
}

// expire ends leases, and what the dead had open.
func (m *members) expire(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// While this process stood still it heard no beats: that is nobody's fault.
	now := time.Now()
	if still := now.Sub(m.looked) - beatEvery; still > 0 && !m.looked.IsZero() {
		for _, x := range m.list {
			x.beat = x.beat.Add(still)
		}
	}
	m.looked = now
	for _, x := range m.list {
		if x.alive && now.Sub(x.beat) > lease {
			x.alive, x.ended = false, x.Role == Storage
			m.logf("node %d (%s) does not answer", x.ID, x.Role)
		}
		left := !x.alive && !x.joining && x.Role != Storage && (!x.ended || len(m.oracle.Pending(x.ID)) > 0)
		if left && !x.ending {
			x.ending = true
			go func() {
				err := m.recovery.EndGateway(ctx, x.ID)
				m.mu.Lock()
				defer m.mu.Unlock()
				x.ending, x.ended = false, err == nil
				if err == nil {
					m.logf("what node %d had open is ended", x.ID)
				}
			}()
		}
	}
}

// dead reports a node without a lease.
func (m *members) dead(n txn.NodeID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	x := m.list[n]
	return n != first && (x == nil || !x.alive)
}

// holders are the nodes that may hold branches: those with storage.
func (m *members) holders() []txn.NodeID {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := []txn.NodeID{first}
	for _, id := range slices.Sorted(maps.Keys(m.list)) {
		if m.list[id].Role != Gateway {
			out = append(out, id)
		}
	}
	return out
}

// place fixes the placement when it is not fixed yet.
func (m *members) place(firstRole Role) (*txn.Placement, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.store.Placement(); len(p.Tablets) > 0 {
		return p, nil
	}
	var nodes []txn.NodeID
	if firstRole != Gateway {
		nodes = append(nodes, first)
	}
	for _, id := range slices.Sorted(maps.Keys(m.list)) {
		if x := m.list[id]; x.alive && x.Role != Gateway {
			nodes = append(nodes, id)
		}
	}
	if len(nodes) == 0 {
		return nil, pgerror.New(pgerror.ObjectNotInPrerequisiteState, "no storage node has joined the cluster yet").
			WithHint("Start one: basalt start --role storage --join …")
	}
	n := m.tablets
	if n == 0 {
		n = len(nodes)
	}
	p := txn.EvenPlacement(first, nodes, n)
	if err := m.store.SetPlacement(p); err != nil {
		return nil, err
	}
	m.logf("%d tablets placed over %d storage nodes", n, len(nodes))
	return p, nil
}

// reap has every storage node remove what no snapshot can see any more.
func (m *members) reap() error {
	ids, err := m.store.DroppedAt(m.oracle.Horizon())
	if err != nil {
		return err
	}
	var done []uint64
	m.mu.Lock()
	for _, id := range ids {
		by := m.reaped[id]
		if by == nil {
			m.reaped[id] = map[txn.NodeID]bool{}
			continue
		}
		all := true
		for _, n := range m.store.Placement().Nodes() {
			all = all && (n == first || by[n])
		}
		if all {
			done = append(done, id)
		}
	}
	m.mu.Unlock()
	done = done[:min(len(done), dropsPerBeat)]
	if len(done) == 0 {
		return nil
	}
	if err := m.store.DropStorage(done...); err != nil {
		return err
	}
	for _, id := range done {
		if err := m.store.Removed(id); err != nil {
			return err
		}
		m.mu.Lock()
		delete(m.reaped, id)
		delete(m.rows, id)
		m.mu.Unlock()
	}
	return nil
}

// status lists the nodes after the first; it fills the sizes of tablets.
func (m *members) status(tablets []*rpcpb.TabletInfo) []*rpcpb.NodeInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*rpcpb.NodeInfo
	for _, id := range slices.Sorted(maps.Keys(m.list)) {
		x := m.list[id]
		out = append(out, &rpcpb.NodeInfo{Id: uint32(id), Role: rpcpb.Role(x.Role), RpcAddr: x.RPC, SqlAddr: x.SQL, FlightAddr: x.Flight, Version: x.version,
			Alive: x.alive, LastHeartbeatNanos: unixNano(x.beat), StartedNanos: unixNano(x.started)})
	}
	for _, t := range tablets {
		if x := m.list[txn.NodeID(t.Node)]; x != nil {
			t.Bytes = x.bytes[txn.TabletID(t.Id)]
		}
	}
	return out
}

func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
