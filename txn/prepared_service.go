package txn

import (
	"context"
	"sync"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Two-phase commit over several nodes. The first node keeps what belongs to no branch: the
// name, who has prepared, the notes of SERIALIZABLE, the advisory locks, and which nodes have
// branches. PREPARE TRANSACTION takes the name (ReservePrepared), has every branch made
// durable with its locks (Participant.Hold), and is done when the first node's record is
// durable (ConfirmPrepared); a branch whose gateway has died meanwhile is ended or kept as the
// first node says (Participant.Outcome), and who has been told to end is not prepared any
// more. COMMIT PREPARED and ROLLBACK PREPARED are the first node's to carry out, for any gateway:
// it makes the decision durable, and brings it to all branches, however often it restarts.

// PreparedHost is the first node as gateways see it.
type PreparedHost interface {
	// ReservePrepared takes a transaction's name. Errors: 42710, 53200, 55000, 40001.
	ReservePrepared(ctx context.Context, r PrepareRequest) error
	// ConfirmPrepared prepares a transaction whose branches are held. After an error it is not
	// prepared, if the error is the host's own. Errors: 0A000, 40001; 08007.
	ConfirmPrepared(ctx context.Context, r PrepareRequest) error
	// ForgoPrepared gives the name of a transaction back that is not to be prepared any more,
	// whether it was taken or not. One that is prepared it leaves alone.
	ForgoPrepared(ctx context.Context, id ID) error
	// ListPrepared lists the prepared transactions, oldest first.
	ListPrepared(ctx context.Context) ([]PreparedInfo, error)
	// FinishPrepared commits or rolls back the prepared transaction of an ID and a name. After an
	// error it is still prepared, but for 08007. Errors: 42704, 55000, NodeMissing.
	FinishPrepared(ctx context.Context, id ID, gid string, commit bool) (Timestamp, error)
}

// NodeMissing is the SQLSTATE of a COMMIT PREPARED that has to wait for a node.
const NodeMissing = pgerror.CannotConnectNow

// PreparedPart is a node with a branch of a prepared transaction.
type PreparedPart struct {
	Node  NodeID
	Wrote bool
}

// PrepareRequest is what the first node keeps of a transaction, by Info.Txn.
type PrepareRequest struct {
	Gateway NodeID
	// Epoch is that of the transaction's first snapshot.
	Epoch     uint64
	Info      PreparedInfo
	Isolation Isolation
	ReadOnly  bool
	// What follows is ConfirmPrepared's. Catalog: the system tablet was written.
	Parts   []PreparedPart
	Catalog bool
	// Serial is the transaction's name at the Serializer, 0 for none, with the notes that
	// have not gone there yet.
	Serial uint64
	Notes  []Note
	// Advisory is the session, whose Number is 0 when it has no advisory locks.
	Advisory AdvisorySession
}

// hostedPrepared is what a PreparedTxn of several nodes has beside its transaction.
type hostedPrepared struct {
	id      ID
	gateway NodeID

	mu      sync.Mutex // held while it is being confirmed
	state   hostedState
	parts   []PreparedPart
	catalog bool
}

type hostedState uint8

const (
	hostedReserved hostedState = iota
	hostedReady                // prepared
	hostedGone                 // not to be prepared any more
)

// Cluster is what the first node needs to end prepared transactions on all nodes.
type Cluster struct {
	Node func(NodeID) (Participant, error)
	// Dead reports a node whose lease has ended: it serves nothing before it has settled its
	// branches, so nobody need wait for it.
	Dead func(NodeID) bool
	// Go runs something in the background, until a context ends.
	Go func(f func(ctx context.Context))
}

// SetCluster comes before the first call of a PreparedHost. It goes on with what the last run
// had decided.
func (s *OracleService) SetCluster(c Cluster) {
	s.cluster = c
	set := &s.m.prepared
	set.mu.Lock()
	left := set.decided
	set.decided = nil
	set.mu.Unlock()
	for _, p := range left {
		ts, _, err := s.m.outcome(p.hosted.id)
		if err != nil {
			continue // the next start does it
		}
		c.Go(func(ctx context.Context) { s.settlePrepared(ctx, p, ts, func() {}) })
	}
}

// finishPause is between attempts to reach a node, finishWait bounds one.
const (
	finishPause = 200 * time.Millisecond
	finishWait  = 2 * time.Second
)

// find finds a hosted transaction.
func (s *preparedSet) find(id ID) *PreparedTxn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.byGID {
		if p.hosted != nil && p.hosted.id == id {
			return p
		}
	}
	return nil
}

// isPrepared reports whether a transaction of several nodes is prepared. With fence, one that
// is not will not be.
func (s *preparedSet) isPrepared(id ID, fence bool) bool {
	p := s.find(id)
	if p == nil {
		return false
	}
	p.hosted.mu.Lock()
	defer p.hosted.mu.Unlock()
	if p.hosted.state == hostedReserved && fence {
		p.hosted.state = hostedGone
		s.drop(p)
	}
	return p.hosted.state == hostedReady
}

// dropReserved gives the names back that a dead gateway has taken.
func (s *preparedSet) dropReserved(gateway NodeID) {
	s.mu.Lock()
	var ids []ID
	for _, p := range s.byGID {
		if p.hosted != nil && p.hosted.gateway == gateway {
			ids = append(ids, p.hosted.id)
		}
	}
	s.mu.Unlock()
	for _, id := range ids {
		s.isPrepared(id, true)
	}
}

// ReservePrepared implements PreparedHost.
func (s *OracleService) ReservePrepared(_ context.Context, r PrepareRequest) error {
	if r.Epoch != s.epoch {
		return preparedTooLate(r.Info.Txn)
	}
	set := &s.m.prepared
	set.mu.Lock()
	gone := set.forgone.has(r.Info.Txn)
	set.mu.Unlock()
	if gone || r.Info.Txn == 0 {
		return preparedTooLate(r.Info.Txn)
	}
	t := newTransaction(s.m, Options{Isolation: r.Isolation, ReadOnly: r.ReadOnly})
	t.external = true
	t.idOnce.Do(func() { t.id.Store(uint64(r.Info.Txn)) })
	t.owner.id = r.Info.Txn
	p := &PreparedTxn{m: s.m, t: t, info: r.Info, claimed: true, hosted: &hostedPrepared{id: r.Info.Txn, gateway: r.Gateway}}
	p.info.Txn = 0 // until it is prepared
	return s.m.reserve(p)
}

// preparedTooLate is the report of a PREPARE that has been forestalled.
func preparedTooLate(id ID) error {
	return pgerror.New(pgerror.SerializationFailure, "could not prepare transaction %d: the first node of the cluster knows nothing of it any more", id).
		WithHint("The transaction might succeed if retried.")
}

// ForgoPrepared implements PreparedHost.
func (s *OracleService) ForgoPrepared(_ context.Context, id ID) error {
	set := &s.m.prepared
	set.mu.Lock()
	set.forgone.add(id)
	set.mu.Unlock()
	set.isPrepared(id, true)
	return nil
}

// ListPrepared implements PreparedHost.
func (s *OracleService) ListPrepared(ctx context.Context) ([]PreparedInfo, error) {
	return s.m.Prepared(ctx)
}

// ConfirmPrepared implements PreparedHost.
func (s *OracleService) ConfirmPrepared(_ context.Context, r PrepareRequest) error {
	p := s.m.prepared.find(r.Info.Txn)
	if p == nil || r.Epoch != s.epoch {
		return preparedTooLate(r.Info.Txn)
	}
	h := p.hosted
	h.mu.Lock()
	defer h.mu.Unlock()
	switch h.state {
	case hostedReady: // the answer was lost
		return nil
	case hostedGone:
		return preparedTooLate(r.Info.Txn)
	}
	h.parts, h.catalog = r.Parts, r.Catalog
	if err := s.confirm(p, r); err != nil {
		h.state = hostedGone
		s.m.prepared.drop(p)
		p.t.state = txnEnded
		p.t.end()
		return err
	}
	h.state = hostedReady
	s.m.prepared.mu.Lock()
	defer s.m.prepared.mu.Unlock()
	p.info.Txn, p.info.Backend, p.claimed = h.id, r.Info.Backend, false
	return nil
}

// confirm makes the record durable and takes over what is kept here.
func (s *OracleService) confirm(p *PreparedTxn, r PrepareRequest) error {
	t := p.t
	var advisory *AdvisoryLocks
	if r.Advisory.Number != 0 {
		if r.Advisory.Epoch != 0 && r.Advisory.Epoch != s.epoch {
			return ErrAdvisoryLost()
		}
		e, err := s.hosted(r.Advisory)
		if err != nil {
			return err
		}
		e.turn.Lock()
		defer e.turn.Unlock()
		e.undo = nil
		advisory = e.locks
		if err := advisory.preparable(); err != nil {
			return err
		}
	}
	if r.Serial != 0 {
		x, err := s.takeSerial(SerialTxn{Gateway: r.Gateway, Number: r.Serial, Epoch: r.Epoch}, r.Notes)
		if err != nil {
			return err
		}
		t.sx = x
	}
	if err := t.writeHostedRecord(p, advisory); err != nil {
		return err
	}
	t.state = txnPrepared
	if advisory != nil {
		advisory.handOver(t)
	}
	if t.sx != nil {
		s.m.ssi.detach(t.sx)
	}
	return nil
}

// takeSerial is the last check of a SERIALIZABLE transaction that is prepared; it is not its
// gateway's any more.
func (s *OracleService) takeSerial(x SerialTxn, notes []Note) (*sxact, error) {
	s.serialMu.Lock()
	defer s.serialMu.Unlock()
	t, err := s.serial(x)
	if err != nil {
		return nil, err
	}
	if _, err := s.m.ssi.note(t.x, notes); err != nil {
		return nil, err
	}
	if err := s.m.ssi.prepare(t.x); err != nil {
		return nil, err
	}
	delete(s.serials.open, x.key())
	return t.x, nil
}

// writeHostedRecord makes the record of a transaction of several nodes durable.
func (t *transaction) writeHostedRecord(p *PreparedTxn, advisory *AdvisoryLocks) error {
	id, i := p.hosted.id, &p.info
	w := t.m.preparedWriter(id)
	h := preparedHeader{state: preparedState, hosted: true, owner: i.Owner, database: i.Database, time: i.Time, isolation: t.opts.Isolation, gid: i.GID, note: i.Note, parts: p.hosted.parts}
	if t.opts.ReadOnly {
		h.flags |= preparedReadOnly
	}
	if p.hosted.catalog {
		h.flags |= preparedCatalog
	}
	var err error
	if advisory != nil {
		for _, l := range advisory.transactions() {
			if err == nil {
				err = w.lock(recordAdvisory, l.mode, l.key.append(nil))
			}
		}
	}
	if t.sx != nil {
		h.flags |= preparedNotes
		h.snapshot = t.sx.snapshot
		if err == nil {
			err = t.writeReads(w)
		}
		if err == nil {
			err = t.writeWrites(w)
		}
	}
	if err == nil {
		err = w.flush(0)
	}
	if err != nil {
		_ = t.m.eng.LocalDeleteRange(preparedKey(id, 0), preparedKey(id+1, 0)) // or the next start does it
		return err
	}
	h.chunks, t.recordChunks = w.chunks, w.chunks
	if err := t.m.eng.LocalSet(preparedKey(id, 0), h.encode(), true); err != nil {
		return unknownOutcome(err)
	}
	return nil
}

// writeWrites writes the notes of what the transaction has written.
func (t *transaction) writeWrites(w *recordWriter) error {
	keys, ranges := t.m.ssi.writesOf(t.sx)
	for _, k := range keys {
		w.buf = appendBytes(append(w.buf, entryWroteKey), k)
		if err := w.flush(intentChunkBytes); err != nil {
			return err
		}
	}
	for _, r := range ranges {
		w.buf = appendBytes(appendBytes(append(w.buf, entryWroteRange), r.lower), r.upper)
		if err := w.flush(intentChunkBytes); err != nil {
			return err
		}
	}
	return nil
}

// FinishPrepared implements PreparedHost.
func (s *OracleService) FinishPrepared(ctx context.Context, id ID, gid string, commit bool) (Timestamp, error) {
	p, err := s.m.claim(gid, func(i *PreparedInfo) error {
		if i.Txn != id { // another one by now
			return pgerror.New(pgerror.UndefinedObject, `prepared transaction with identifier "%s" does not exist`, gid)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if p.hosted == nil {
		p.release()
		return 0, pgerror.Internal("prepared transaction %d is of this process alone", id)
	}
	if !commit {
		return 0, s.rollbackPrepared(ctx, p)
	}
	return s.commitPrepared(ctx, p)
}

// branchOf names a branch of a prepared transaction.
func (s *OracleService) branchOf(p *PreparedTxn) Branch {
	return Branch{Txn: p.hosted.id, Epoch: s.epoch, Isolation: p.t.opts.Isolation, Begun: true, Cuts: ^uint64(0)}
}

// onNode makes one call to a node with a branch.
func (s *OracleService) onNode(ctx context.Context, n NodeID, f func(ctx context.Context, x Participant) error) error {
	x, err := s.cluster.Node(n)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, finishWait)
	defer cancel()
	return f(ctx, x)
}

// rollbackPrepared rolls back, and ends the claim.
func (s *OracleService) rollbackPrepared(ctx context.Context, p *PreparedTxn) error {
	b := s.m.eng.NewBatch(0)
	if err := p.t.deleteRecord(b); err != nil {
		b.Close()
		p.release()
		return err
	}
	if err := b.Commit(true); err != nil {
		p.release()
		return unknownOutcome(err)
	}
	p.t.state = txnEnded
	p.t.end()
	s.m.prepared.drop(p)
	br := s.branchOf(p)
	done, round := once()
	s.cluster.Go(func(ctx context.Context) {
		s.untilDone(ctx, p.hosted.parts, func(ctx context.Context, n NodeID) bool {
			return s.onNode(ctx, n, func(ctx context.Context, x Participant) error { return x.Abort(ctx, br) }) == nil
		}, round)
	})
	select { // a node that does not answer finds out by itself
	case <-done:
	case <-ctx.Done():
	}
	return nil
}

// untilDone calls f for parts until each has succeeded once, or ctx ends; round is told after
// every time that all which are left have been tried.
func (s *OracleService) untilDone(ctx context.Context, parts []PreparedPart, f func(ctx context.Context, n NodeID) bool, round func()) {
	left := parts
	for {
		ok := make([]bool, len(left))
		var wg sync.WaitGroup
		for i, x := range left {
			wg.Add(1)
			go func() {
				defer wg.Done()
				ok[i] = f(ctx, x.Node)
			}()
		}
		wg.Wait()
		var again []PreparedPart
		for i, x := range left {
			if !ok[i] {
				again = append(again, x)
			}
		}
		left = again
		round()
		if len(left) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(finishPause):
		}
	}
}

// commitPrepared commits, and ends the claim.
func (s *OracleService) commitPrepared(ctx context.Context, p *PreparedTxn) (Timestamp, error) {
	h, br := p.hosted, s.branchOf(p)
	// Every node is there: a commit that one has yet to hear of holds back the snapshots of all.
	wrote := false
	for _, x := range h.parts {
		wrote = wrote || x.Wrote
		err := s.onNode(ctx, x.Node, func(ctx context.Context, n Participant) error {
			_, err := n.Own(ctx, br, nil)
			return err
		})
		if err != nil {
			p.release()
			return 0, pgerror.Wrap(err, NodeMissing, "cannot commit prepared transaction \"%s\" now: node %d does not answer: %v", p.info.GID, x.Node, err).
				WithDetail("It is still prepared.")
		}
	}
	ts := s.m.oracle.fresh()
	if !wrote {
		if err := p.t.commitNothing(); err != nil {
			p.release()
			return 0, err
		}
		s.endPrepared(p)
		done, round := once()
		s.cluster.Go(func(ctx context.Context) { s.releasePrepared(ctx, p, ts, round) })
		select {
		case <-done:
		case <-ctx.Done():
		}
		return ts, nil
	}
	c := &PendingCommit{ID: h.id, catalog: h.catalog}
	for _, x := range h.parts {
		if x.Wrote {
			c.Participants = append(c.Participants, x.Node)
		}
	}
	slot, err := s.m.oracle.begin()
	if err != nil {
		p.release()
		return 0, err
	}
	c.slot, c.TS = slot, slot.ts
	p.t.stamped(c.TS)
	s.mu.Lock()
	s.inflight[c.TS] = c
	s.mu.Unlock()
	if err := s.decidePrepared(h.id, c.TS); err != nil {
		if p.t.sx != nil {
			s.m.ssi.stamped(p.t.sx, 0)
		}
		s.Settle(c.TS, false)
		p.release()
		return 0, err
	}
	// From here on it is committed. Who waits may give up waiting.
	done, round := once()
	s.cluster.Go(func(ctx context.Context) {
		if !s.applyPrepared(ctx, p, c.TS) {
			return // the next start goes on
		}
		if v := s.Settle(c.TS, true); v != nil {
			select {
			case <-v:
			case <-ctx.Done():
				return
			}
		}
		s.Sweep()
		s.endPrepared(p)
		s.settlePrepared(ctx, p, c.TS, round)
	})
	select {
	case <-done:
		return c.TS, nil
	case <-ctx.Done():
		return 0, unknownOutcome(contextError(ctx))
	}
}

// decidePrepared writes the transaction's record: the commit.
func (s *OracleService) decidePrepared(id ID, ts Timestamp) error {
	if b := s.m.branches.Load(); b != nil { // against Outcome
		mu := &b.decide64[uint64(id)%uint64(len(b.decide64))]
		mu.Lock()
		defer mu.Unlock()
	}
	if err := s.m.eng.LocalSet(recordKey(id), recordValue(OutcomeCommitted, ts), true); err != nil {
		return unknownOutcome(err)
	}
	return nil
}

// endPrepared gives back what is kept here of a transaction that has committed.
func (s *OracleService) endPrepared(p *PreparedTxn) {
	p.t.state = txnCommitted
	p.t.end()
	s.m.prepared.drop(p)
}

// applyOn applies a decided commit on a node. A branch that is gone has been settled by its
// node, which has asked for the outcome.
func (s *OracleService) applyOn(ctx context.Context, n NodeID, b Branch, ts Timestamp) bool {
	err := s.onNode(ctx, n, func(ctx context.Context, x Participant) error { return x.Apply(ctx, b, ts) })
	return err == nil || pgerror.Is(err, BranchLost)
}

// applyPrepared applies on all nodes but those that are dead; false: ctx has ended.
func (s *OracleService) applyPrepared(ctx context.Context, p *PreparedTxn, ts Timestamp) bool {
	b := s.branchOf(p)
	s.untilDone(ctx, p.hosted.wrote(), func(ctx context.Context, n NodeID) bool {
		return s.applyOn(ctx, n, b, ts) || s.cluster.Dead(n)
	}, func() {})
	return ctx.Err() == nil
}

func (h *hostedPrepared) wrote() (out []PreparedPart) {
	for _, x := range h.parts {
		if x.Wrote {
			out = append(out, x)
		}
	}
	return out
}

// settlePrepared ends a decided commit on all nodes, those that were dead too, and then removes
// the record. round is told when all have been tried.
func (s *OracleService) settlePrepared(ctx context.Context, p *PreparedTxn, ts Timestamp, round func()) {
	if !s.releasePrepared(ctx, p, ts, round) {
		return
	}
	batch := s.m.eng.NewBatch(0)
	err := batch.LocalDelete(recordKey(p.hosted.id))
	if err == nil {
		err = p.t.deleteRecord(batch)
	}
	if err != nil {
		batch.Close()
		return // the next start does it
	}
	_ = batch.Commit(false) // likewise
}

// releasePrepared ends the branches of a transaction that has committed on all nodes, and with
// them its locks. A branch with writes goes only when they are applied: a node that was down
// may have them as intents still. false: ctx has ended.
func (s *OracleService) releasePrepared(ctx context.Context, p *PreparedTxn, ts Timestamp, round func()) bool {
	b := s.branchOf(p)
	wrote := map[NodeID]bool{}
	for _, x := range p.hosted.wrote() {
		wrote[x.Node] = true
	}
	s.untilDone(ctx, p.hosted.parts, func(ctx context.Context, n NodeID) bool {
		if wrote[n] && !s.applyOn(ctx, n, b, ts) {
			return false
		}
		return s.onNode(ctx, n, func(ctx context.Context, x Participant) error {
			if wrote[n] {
				return x.Release(ctx, b)
			}
			return x.Abort(ctx, b) // its locks are on disk
		}) == nil
	}, round)
	return ctx.Err() == nil
}

// once gives a channel and what closes it, the first time.
func once() (<-chan struct{}, func()) {
	c := make(chan struct{})
	return c, sync.OnceFunc(func() { close(c) })
}
