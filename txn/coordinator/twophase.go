package coordinator

import (
	"context"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// Two-phase commit by name: the first node keeps prepared transactions (txn.PreparedHost),
// and finishes them for any gateway.

var (
	_ txn.TwoPhase = (*Coordinator)(nil)
	_ txn.Preparer = (*transaction)(nil)
)

// Prepared implements txn.TwoPhase.
func (c *Coordinator) Prepared(ctx context.Context) ([]txn.PreparedInfo, error) {
	return c.cfg.Oracle.ListPrepared(ctx)
}

// Prepare implements txn.Preparer.
func (t *transaction) Prepare(ctx context.Context, info txn.PreparedInfo, locks txn.SessionLocks) error {
	if t.ended {
		return pgerror.Internal("transaction %d used after its end", t.id.Load())
	}
	t.ended = true
	defer t.release()
	fail := func(err error) error {
		t.endSerial()
		t.abortAll(nil)
		return err
	}
	if t.snapErr != nil {
		return fail(t.snapErr)
	}
	if err := t.fenced(); err != nil {
		return fail(err)
	}
	if err := t.c.syncNow(ctx); err != nil {
		return fail(err)
	}
	if err := ctx.Err(); err != nil {
		return fail(pgerror.From(context.Cause(ctx)))
	}
	if t.epoch == 0 {
		if err := t.lookAround(ctx); err != nil {
			return fail(err)
		}
	}
	id, err := t.ensureID(ctx)
	if err != nil {
		return fail(err)
	}
	info.Txn, info.Backend = id, t.opts.ProcessID
	r := txn.PrepareRequest{Gateway: t.c.cfg.Self, Epoch: t.epoch, Info: info, Isolation: t.opts.Isolation, ReadOnly: t.opts.ReadOnly}
	advisory, _ := locks.(*advisoryLocks)
	if err := advisory.check(t.epoch, t.pins); err != nil {
		return fail(err)
	}
	if err := t.c.cfg.Oracle.ReservePrepared(ctx, r); err != nil {
		return t.forgoPrepared(id, fail(err))
	}
	var parts []*part
	for _, p := range t.parts {
		if p.begun || p.wrote {
			parts = append(parts, p)
			r.Parts = append(r.Parts, txn.PreparedPart{Node: p.node, Wrote: p.wrote})
		}
	}
	system := t.c.cfg.Placement().System
	err = each(parts, func(p *part) error {
		t.mu.Lock()
		err := t.flush(ctx, p)
		t.mu.Unlock()
		if err == nil {
			err = p.p.Hold(ctx, t.branch(p), system)
		}
		return err
	})
	if err == nil && ctx.Err() != nil {
		err = pgerror.From(context.Cause(ctx))
	}
	if err == nil {
		err = t.fenced()
	}
	if err != nil {
		return t.forgoPrepared(id, fail(err))
	}
	if t.serial != 0 && t.notes.Safe() { // nothing depends on what it has read
		t.endSerial()
	}
	r.Catalog, r.Serial, r.Notes = t.catalog, t.serial, t.notes.Take()
	if r.Advisory, err = advisory.prepare(); err != nil {
		return t.forgoPrepared(id, fail(err))
	}
	if err := t.confirmPrepared(ctx, r); err != nil {
		if pgerror.Is(err, "08007") {
			t.endSerial() // if it is prepared the first node has it
			t.settlePrepareLater(id, parts)
			return err
		}
		return t.forgoPrepared(id, fail(err))
	}
	advisory.handedOver()
	t.serial = 0
	return nil
}

// forgoPrepared gives the name of a transaction back that is rolled back.
func (t *transaction) forgoPrepared(id txn.ID, err error) error {
	f := func(ctx context.Context) error { return t.c.cfg.Oracle.ForgoPrepared(ctx, id) }
	ctx, cancel := context.WithTimeout(t.c.ctx, t.c.cfg.EndWait)
	defer cancel()
	if f(ctx) != nil {
		t.c.retry("giving back the name of a transaction", f)
	}
	return err
}

// settlePrepareLater goes on in the background with a transaction of which nobody knows whether
// it is prepared: if not, it will not be, and is rolled back.
func (t *transaction) settlePrepareLater(id txn.ID, parts []*part) {
	branches := make([]txn.Branch, len(parts))
	for i, p := range parts {
		branches[i] = t.branch(p)
	}
	t.c.retry("finding out whether "+txn.Branch{Txn: id, Gateway: t.c.cfg.Self}.String()+" is prepared", func(ctx context.Context) error {
		p, err := t.c.system()
		if err != nil {
			return err
		}
		_, state, err := p.Outcome(ctx, id, true)
		if err != nil || state == txn.OutcomePrepared || state == txn.OutcomeCommitted {
			return err
		}
		for i, p := range parts {
			if err := p.p.Abort(ctx, branches[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// confirmPrepared makes the transaction a prepared one. When the answer is lost it asks how it
// came out.
func (t *transaction) confirmPrepared(ctx context.Context, r txn.PrepareRequest) error {
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.c.cfg.OutcomeWait)
	defer cancel()
	cause := t.c.cfg.Oracle.ConfirmPrepared(wait, r)
	if cause == nil || !uncertain(cause) || pgerror.Is(cause, pgerror.FeatureNotSupported) || pgerror.Is(cause, txn.AdvisoryLost) {
		return cause
	}
	for {
		p, err := t.c.system()
		var state txn.Outcome
		if err == nil {
			_, state, err = p.Outcome(wait, r.Info.Txn, true)
		}
		switch {
		case err != nil:
		case state == txn.OutcomePrepared, state == txn.OutcomeCommitted:
			return nil
		default:
			return pgerror.Wrap(cause, pgerror.SerializationFailure, "could not prepare: %v", cause).
				WithHint("The transaction might succeed if retried.")
		}
		select {
		case <-wait.Done():
			return unknown(cause)
		case <-time.After(retryPause):
		}
	}
}

// prepare names the session at the host for a transaction that is prepared with its locks;
// no number: it has none. Nothing else may use it before handedOver, or a failure.
func (a *advisoryLocks) prepare() (txn.AdvisorySession, error) {
	if a == nil {
		return txn.AdvisorySession{}, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.errLocked(); err != nil || a.session+a.xact == 0 {
		return txn.AdvisorySession{}, err
	}
	return a.nameLocked(), nil
}

// handedOver: the transaction's locks are not the session's any more.
func (a *advisoryLocks) handedOver() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settledLocked(a.session, 0)
}

// claimed is a prepared transaction that somebody is about to finish. Only the first node's
// FinishPrepared keeps others out.
type claimed struct {
	c        *Coordinator
	info     txn.PreparedInfo
	onCommit []func(ts txn.Timestamp)
}

// ClaimPrepared implements txn.TwoPhase.
func (c *Coordinator) ClaimPrepared(ctx context.Context, gid string, allowed func(*txn.PreparedInfo) error) (txn.ClaimedTxn, error) {
	if c.suspended.Load() {
		return nil, errNoContact
	}
	all, err := c.Prepared(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].GID != gid {
			continue
		}
		if err := allowed(&all[i]); err != nil {
			return nil, err
		}
		return &claimed{c: c, info: all[i]}, nil
	}
	return nil, pgerror.New(pgerror.UndefinedObject, `prepared transaction with identifier "%s" does not exist`, gid)
}

func (p *claimed) Info() txn.PreparedInfo             { return p.info }
func (p *claimed) Recovered() bool                    { return true }
func (p *claimed) OnCommit(f func(ts txn.Timestamp))  { p.onCommit = append(p.onCommit, f) }
func (p *claimed) Release()                           {}
func (p *claimed) Rollback(ctx context.Context) error { return p.finish(ctx, false) }

// Commit implements txn.ClaimedTxn.
func (p *claimed) Commit(ctx context.Context) (txn.Timestamp, error) {
	ts, err := p.c.cfg.Oracle.FinishPrepared(ctx, p.info.Txn, p.info.GID, true)
	if err != nil {
		return 0, finishError(err)
	}
	for _, f := range p.onCommit {
		f(ts)
	}
	return ts, nil
}

func (p *claimed) finish(ctx context.Context, commit bool) error {
	_, err := p.c.cfg.Oracle.FinishPrepared(ctx, p.info.Txn, p.info.GID, commit)
	return finishError(err)
}

// finishError words an answer that has not come: whether the call was done is not known.
func finishError(err error) error {
	switch {
	case err == nil:
		return nil
	case pgerror.Is(err, pgerror.QueryCanceled), pgerror.Is(err, pgerror.ConnectionFailure):
		return unknown(err)
	}
	return err
}
