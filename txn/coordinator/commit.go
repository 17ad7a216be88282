package coordinator

import (
	"context"
	"slices"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// Commit implements txn.Txn.
func (t *transaction) Commit(ctx context.Context) (txn.Timestamp, error) {
	if t.ended {
		return 0, pgerror.Internal("transaction %d used after its end", t.id.Load())
	}
	t.ended = true
	defer t.release()
	var writers, lockers []*part
	system := t.c.cfg.Placement().System
	t.mu.Lock()
	for _, p := range t.parts {
		if p.wrote {
			writers = append(writers, p)
		} else if p.begun && p.node != system { // there the epoch tells
			lockers = append(lockers, p)
		}
	}
	t.mu.Unlock()
	slices.SortFunc(writers, func(a, b *part) int { return int(a.node) - int(b.node) })
	fail := func(err error) (txn.Timestamp, error) {
		t.endSerial()
		t.abortAll(nil)
		return 0, err
	}
	if t.snapErr != nil {
		return fail(t.snapErr)
	}
	if err := t.fenced(); err != nil && len(writers)+len(t.said) > 0 {
		return fail(err)
	}
	if err := t.c.syncNow(ctx); err != nil {
		return fail(err)
	}
	if len(writers) == 0 && len(t.said) == 0 {
		if err := t.commitSerial(ctx); err != nil {
			return fail(err)
		}
		for _, f := range t.onCommit {
			f(t.snap)
		}
		t.releaseLocks(nil)
		return t.snap, nil
	}
	if err := ctx.Err(); err != nil {
		return fail(pgerror.From(context.Cause(ctx)))
	}
	if t.epoch == 0 { // nothing was asked
		if err := t.lookAround(ctx); err != nil {
			return fail(err)
		}
	}
	err := each(writers, func(p *part) error {
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.flush(ctx, p)
	})
	asked, record := lockers, txn.NodeID(0)
	if len(writers) > 1 {
		record = writers[0].node
	}
	if record != 0 || t.large {
		asked = append(asked, writers...)
	}
	if err == nil && len(asked) > 0 {
		err = each(asked, func(p *part) error {
			if p.wrote {
				return p.p.Prepare(ctx, t.branch(p), record)
			}
			// A node that has restarted has lost the locks that this commit relies on.
			_, err := p.p.Own(ctx, t.branch(p), nil)
			return err
		})
	}
	if err != nil {
		return fail(err)
	}
	if len(writers) > 0 {
		return t.decide(ctx, writers)
	}
	ts, err := t.commitNotifications(ctx)
	if err != nil {
		return fail(err)
	}
	t.committed(ts, nil)
	return ts, nil
}

// commitRequest asks for the commit's timestamp.
func (t *transaction) commitRequest(writers []*part) txn.CommitRequest {
	r := txn.CommitRequest{ID: txn.ID(t.id.Load()), Gateway: t.c.cfg.Self, Epoch: t.epoch, Catalog: t.catalog, Serial: t.serial, Notes: t.notes.Take(), Notifications: t.said}
	for _, p := range writers {
		r.Participants = append(r.Participants, p.node)
	}
	return r
}

// committed is the end of a transaction whose commit is visible; id has a record to forget.
func (t *transaction) committed(ts txn.Timestamp, id *txn.ID) {
	if len(t.said) > 0 {
		t.c.seen(ts)
	}
	for _, f := range t.onCommit {
		f(ts)
	}
	t.releaseLocks(id)
}

// decide draws the timestamp and sees the commit through. From here on the
// client's impatience only ends its waiting.
func (t *transaction) decide(ctx context.Context, writers []*part) (txn.Timestamp, error) {
	id := txn.ID(t.id.Load())
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.c.cfg.OutcomeWait)
	defer cancel()
	// Not ctx: a timestamp that was drawn and not heard of would hold back every snapshot.
	ts, err := t.c.cfg.Oracle.BeginCommit(wait, t.commitRequest(writers))
	if err != nil {
		t.endSerial()
		t.abortAll(nil)
		return 0, err
	}
	first := writers[0]
	if len(writers) == 1 {
		err = first.p.Apply(wait, t.branch(first), ts)
	} else {
		err = first.p.Decide(wait, t.branch(first), ts)
	}
	if err != nil && uncertain(err) {
		err = t.learn(wait, first, id, err)
	}
	if err != nil && !uncertain(err) { // rolled back
		t.finish(ts, false)
		t.abortAll(nil)
		return 0, err
	}
	if err != nil { // nobody knows yet
		t.settleLater(ts, writers, id)
		return 0, unknown(err)
	}
	err = each(writers, func(p *part) error { return t.apply(wait, p, ts) })
	if err == nil {
		err = t.c.cfg.Oracle.FinishCommit(wait, ts, true)
	}
	if err != nil {
		t.settleLater(ts, writers, id)
		return 0, unknown(err)
	}
	t.committed(ts, &id)
	return ts, nil
}

// apply applies on one participant, again until the context ends: the commit is decided.
func (t *transaction) apply(ctx context.Context, p *part, ts txn.Timestamp) error {
	for {
		err := p.p.Apply(ctx, t.branch(p), ts)
		if err == nil || applied(err) {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryPause):
		}
	}
}

// applied: a participant that has lost the branch after the decision found its
// intents and the record at its start, and has applied them.
func applied(err error) bool { return pgerror.Is(err, txn.BranchLost) }

// uncertain reports an error that leaves open whether the call was done.
func uncertain(err error) bool {
	switch pgerror.From(err).Code {
	case pgerror.SerializationFailure, pgerror.DiskFull, txn.BranchLost:
		return false
	}
	return true
}

// learn asks the record's node how it came out, until it answers. nil: committed.
func (t *transaction) learn(ctx context.Context, p *part, id txn.ID, cause error) error {
	for {
		_, state, err := p.p.Outcome(ctx, id, true)
		if err == nil {
			if state == txn.OutcomeCommitted {
				return nil
			}
			return pgerror.Wrap(cause, pgerror.SerializationFailure, "could not commit: %v", cause).
				WithHint("The transaction might succeed if retried.")
		}
		select {
		case <-ctx.Done():
			return unknown(cause)
		case <-time.After(retryPause):
		}
	}
}

// unknown is the report of a commit whose outcome could not be learned in time.
func unknown(err error) error {
	return pgerror.Wrap(err, "08007", "the outcome of the transaction is unknown: %v", err)
}

// settleLater goes on in the background with a commit that could not be seen through.
func (t *transaction) settleLater(ts txn.Timestamp, writers []*part, id txn.ID) {
	c := t.c
	branches := make([]txn.Branch, len(writers))
	for i, p := range writers {
		branches[i] = t.branch(p)
	}
	skip := map[*part]bool{}
	for _, p := range writers {
		skip[p] = true
	}
	t.abortAll(skip) // locks elsewhere
	c.retry("settling "+branches[0].String(), func(ctx context.Context) error {
		_, state, err := writers[0].p.Outcome(ctx, id, true)
		if err != nil {
			return err
		}
		committed := state == txn.OutcomeCommitted
		for i, p := range writers {
			if committed {
				if err := p.p.Apply(ctx, branches[i], ts); err != nil && !applied(err) {
					return err
				}
			} else if err := p.p.Abort(ctx, branches[i]); err != nil {
				return err
			}
		}
		if err := c.cfg.Oracle.FinishCommit(ctx, ts, committed); err != nil {
			return err
		}
		for i, p := range writers {
			if err := p.p.Release(ctx, branches[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// finish reports the end of a commit that was not.
func (t *transaction) finish(ts txn.Timestamp, committed bool) {
	ctx, cancel := context.WithTimeout(t.c.ctx, t.c.cfg.EndWait)
	defer cancel()
	if err := t.c.cfg.Oracle.FinishCommit(ctx, ts, committed); err != nil {
		t.c.retry("finishing a commit", func(ctx context.Context) error { return t.c.cfg.Oracle.FinishCommit(ctx, ts, committed) })
	}
}

// releaseLocks ends the branches of a transaction that has committed; id has a
// record to forget.
func (t *transaction) releaseLocks(id *txn.ID) {
	var parts []*part
	var record *part
	for _, p := range t.parts {
		if p.begun {
			parts = append(parts, p)
		}
		if id != nil && p.wrote && (record == nil || p.node < record.node) {
			record = p
		}
	}
	if len(parts) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.c.ctx), t.c.cfg.EndWait)
	defer cancel()
	_ = each(parts, func(p *part) error {
		b := t.branch(p)
		if err := p.p.Release(ctx, b); err != nil {
			t.c.retry("releasing the locks of "+b.String(), func(ctx context.Context) error { return p.p.Release(ctx, b) })
		}
		return nil
	})
	if record != nil {
		// A record that stays does no harm; it is never asked for again.
		_ = record.p.Forget(ctx, *id)
	}
}
