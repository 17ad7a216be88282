package txn

import (
	"context"
	"sync"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// OracleService serves a manager's oracle to all nodes: the manager's node is the
// first one. Commits drawn here and by the manager itself share one order.
//
// What is in flight is known in memory only. After a restart every timestamp
// handed out so far lies below the watermark, so nobody may be given a snapshot
// before all nodes have settled their intents: the epoch, one higher with every
// start, tells them.
type OracleService struct {
	m     *Manager
	epoch uint64

	mu sync.Mutex
	// inflight by timestamp.
	inflight map[Timestamp]*PendingCommit
	// catalogs are the timestamps of catalog changes not yet below every snapshot, ascending.
	catalogs []Timestamp
	// gateways' oldest snapshots, as they report them.
	oldest map[NodeID]Timestamp

	// serialMu guards serials; it comes before mu.
	serialMu sync.Mutex
	serials  serials

	hostedSessions hostedSessions
	notifications  notificationQueue
	cluster        Cluster
}

// PendingCommit is a commit between its timestamp and its visibility.
type PendingCommit struct {
	ID           ID
	TS           Timestamp
	Gateway      NodeID
	Participants []NodeID
	catalog      bool
	slot         *commitSlot
	serial       *serial // SERIALIZABLE
	// notifications are sent when the commit is visible.
	notifications []Notification
}

var _ Oracle = (*OracleService)(nil)

// NewOracleService begins a new epoch.
func NewOracleService(m *Manager) (*OracleService, error) {
	c, err := openCounter(m.eng, "epoch", 0)
	if err != nil {
		return nil, err
	}
	epoch, err := c.next()
	if err != nil {
		return nil, err
	}
	s := &OracleService{m: m, epoch: epoch, inflight: map[Timestamp]*PendingCommit{}, oldest: map[NodeID]Timestamp{},
		serials: serials{open: map[serialKey]*serial{}}}
	// A catalog change may have happened at any time before.
	s.catalogs = []Timestamp{m.oracle.fresh()}
	m.SetHorizon(0)
	return s, nil
}

// Epoch is this start's number.
func (s *OracleService) Epoch() uint64 { return s.epoch }

// Snapshot implements Oracle.
func (s *OracleService) Snapshot(context.Context) (SnapshotInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := SnapshotInfo{Snapshot: s.m.oracle.fresh(), Epoch: s.epoch}
	s.notifications.publish(info.Snapshot)
	info.Notified = Timestamp(s.notifications.newest.Load())
	n := 0
	for n < len(s.catalogs) && s.catalogs[n] <= info.Snapshot {
		n++
	}
	if n > 0 {
		info.Catalog = s.catalogs[n-1]
		s.catalogs = append(s.catalogs[:0], s.catalogs[n-1:]...)
	}
	return info, nil
}

// NextIDs implements Oracle.
func (s *OracleService) NextIDs(_ context.Context, n int) (ID, error) {
	if n <= 0 || n > idChunk {
		return 0, pgerror.Internal("%d transaction IDs asked for", n)
	}
	m := s.m
	m.ids.Lock()
	defer m.ids.Unlock()
	first := m.ids.c.last + 1
	if err := m.ids.c.reserve(m.ids.c.last + uint64(n)); err != nil {
		return 0, err
	}
	m.ids.c.last += uint64(n)
	return ID(first), nil
}

// BeginCommit implements Oracle.
func (s *OracleService) BeginCommit(_ context.Context, r CommitRequest) (Timestamp, error) {
	if r.Epoch != s.epoch {
		return 0, pgerror.New(pgerror.SerializationFailure, "could not commit transaction %d: the first node of the cluster has restarted since it began", r.ID).
			WithHint("The transaction might succeed if retried.")
	}
	p := &PendingCommit{ID: r.ID, Gateway: r.Gateway, Participants: r.Participants, catalog: r.Catalog, notifications: r.Notifications}
	if err := s.notifications.reserve(p.notifications); err != nil {
		return 0, err
	}
	draw := func(t *serial) (Timestamp, error) {
		slot, err := s.m.oracle.begin()
		if err != nil {
			return 0, err
		}
		p.slot, p.TS, p.serial = slot, slot.ts, t
		s.mu.Lock()
		defer s.mu.Unlock()
		s.inflight[p.TS] = p
		return p.TS, nil
	}
	var err error
	if r.Serial != 0 {
		err = s.prepareSerial(SerialTxn{Gateway: r.Gateway, Number: r.Serial, Epoch: r.Epoch}, r.Notes, draw)
	} else {
		_, err = draw(nil)
	}
	if err != nil {
		s.notifications.settle(p, false)
		return 0, err
	}
	return p.TS, nil
}

// FinishCommit implements Oracle. A timestamp that is not in flight was finished
// by recovery, or before a restart.
func (s *OracleService) FinishCommit(ctx context.Context, ts Timestamp, committed bool) error {
	visible := s.Settle(ts, committed)
	defer s.Sweep()
	if visible == nil {
		return nil
	}
	select {
	case <-visible:
		return nil
	case <-ctx.Done():
		return contextError(ctx)
	}
}

// Settle is FinishCommit without the wait for earlier commits; the channel is closed when they are
// finished, nil if they are. Who has several commits to finish must not wait for one before the
// others: they may be the earlier ones.
func (s *OracleService) Settle(ts Timestamp, committed bool) (visible <-chan struct{}) {
	s.mu.Lock()
	p := s.inflight[ts]
	delete(s.inflight, ts)
	if p != nil && p.catalog && committed {
		// Keep them ascending: commits finish in any order.
		i := len(s.catalogs)
		for i > 0 && s.catalogs[i-1] > ts {
			i--
		}
		s.catalogs = append(s.catalogs, 0)
		copy(s.catalogs[i+1:], s.catalogs[i:])
		s.catalogs[i] = ts
	}
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	s.settleSerial(p.serial, committed)
	s.notifications.settle(p, committed)
	return s.m.oracle.applied(p.slot)
}

// Pending lists the commits of a gateway that are in flight, in no order.
func (s *OracleService) Pending(gateway NodeID) []PendingCommit {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []PendingCommit
	for _, p := range s.inflight {
		if p.Gateway == gateway {
			out = append(out, *p)
		}
	}
	return out
}

// ReportOldest takes a gateway's oldest snapshot in use. The values of one
// gateway ascend; the first must be taken before the gateway gets a snapshot.
func (s *OracleService) ReportOldest(gateway NodeID, ts Timestamp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oldest[gateway] = max(s.oldest[gateway], ts)
}

// DropGateway forgets a gateway that is fenced.
func (s *OracleService) DropGateway(gateway NodeID) {
	s.endSerialsOf(gateway)
	s.endAdvisoryOf(gateway)
	s.m.prepared.dropReserved(gateway)
	s.notifications.end(func(k subscriptionKey) bool { return k.gateway == gateway })
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.oldest, gateway)
}

// Horizon is the oldest timestamp that any gateway reads at: what nodes are told.
func (s *OracleService) Horizon() Timestamp {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.m.oracle.fresh()
	for _, ts := range s.oldest {
		h = min(h, ts)
	}
	return h
}
