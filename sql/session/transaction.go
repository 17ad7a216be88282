package session

import (
	"context"
	"time"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
)

// phase is where a session stands in its transaction.
type phase uint8

const (
	phaseIdle     phase = iota
	phaseImplicit       // a statement or pipeline outside a block
	phaseBlock          // after BEGIN
	phaseFailed         // a block after an error
)

// transaction is the current one: a txn.Txn, begun when it is first needed, and
// the session's state that follows it.
type transaction struct {
	opts       txn.Options
	tx         txn.Txn // nil until the first statement that needs one
	store      vexec.Store
	cat        *catalog.Transaction
	queried    bool // a snapshot was taken: characteristics are fixed
	readOnly   bool
	start      types.Timestamp
	savepoints []savepoint
	// lost is why tx is gone though the block goes on: it could not be rolled back to a savepoint.
	lost error
	// temp: temporary objects were used.
	temp    bool
	exports exports
	// uncommitted: READ UNCOMMITTED was asked for; it is READ COMMITTED by another name.
	uncommitted bool
}

type savepoint struct {
	name     string
	at       txn.Savepoint
	begun    bool // the txn existed when the savepoint was made
	settings int
	deferred int
	advisory int
	temp     types.OID // the session's temporary schema
	said     saidMark
	readOnly bool
}

func now() types.Timestamp { return types.TimestampOf(time.Now()) }

// isolationNames by txn.Isolation.
var isolationNames = [...]string{txn.ReadCommitted: "read committed", txn.RepeatableRead: "repeatable read", txn.Serializable: "serializable"}

// begin makes the session's transaction with the default characteristics.
func (s *Session) begin(p phase) {
	s.phase = p
	d := s.current()
	s.cur = transaction{start: s.stmtTime, uncommitted: d.uncommitted, readOnly: d.readOnly}
	s.cur.opts.Isolation, s.cur.opts.Deferrable = d.isolation, d.deferrable
}

// ensure makes sure that there is a transaction.
func (s *Session) ensure() {
	if s.phase == phaseIdle {
		s.begin(phaseImplicit)
	}
}

// txn gives the txn.Txn of the current transaction, beginning it.
func (s *Session) txn() txn.Txn {
	s.ensure()
	if s.cur.tx == nil {
		s.cur.opts.ReadOnly = s.cur.readOnly && s.temp.namespace == 0 // temporary tables may be written all the same
		s.cur.opts.ProcessID = s.start.PID
		s.cur.tx = s.node.DB.Begin(s.cur.opts)
		if s.advisory != nil {
			s.advisory.Bind(s.cur.tx)
		}
		s.cur.store = s.node.Storage.Store(s.cur.tx, s.typesEnv(s.reader()))
		s.cur.cat = s.node.Catalog.Transaction(s.cur.tx, s.cur.store, s.db.OID, s.db.Name)
		s.cur.cat.SetTemp(s.temp.namespace)
	}
	return s.cur.tx
}

// forget rolls the txn.Txn back; the block may begin another.
func (t *transaction) forget() {
	if t.tx != nil {
		t.tx.Rollback()
		t.tx, t.store, t.cat = nil, nil, nil
	}
}

// flushNotes ends a statement of a SERIALIZABLE block: whoever comes after it meets what
// it has read and written. The commit of an implicit transaction carries the notes itself.
func (s *Session) flushNotes(ctx context.Context) error {
	if s.phase != phaseBlock || s.cur.tx == nil || s.cur.opts.Isolation != txn.Serializable {
		return nil
	}
	if n, ok := s.cur.tx.(txn.Noter); ok {
		return n.FlushNotes(ctx)
	}
	return nil
}

// statementTxn starts the next statement: a new number, and under READ COMMITTED
// a new snapshot. Portals that are still open read to their end first.
func (s *Session) statementTxn(ctx context.Context) (txn.Txn, error) {
	if err := s.holdPortals(ctx); err != nil {
		return nil, err
	}
	s.ensure()
	tx := s.txn()
	s.cur.queried = true
	tx.SetLockTimeout(s.lockTimeout())
	if d, ok := tx.(txn.DeadlockTimer); ok {
		d.SetDeadlockTimeout(s.current().deadlock)
	}
	if err := tx.AwaitSafeSnapshot(ctx); err != nil {
		return nil, err
	}
	tx.BeginStatement()
	return tx, nil
}

// commit ends the transaction; the session is idle afterwards whatever comes back.
func (s *Session) commit(ctx context.Context) error {
	if s.phase == phaseIdle {
		return nil
	}
	err := s.ri.CheckDeferred(ctx)
	if err == nil {
		err = s.holdCursors(ctx)
	}
	if err == nil {
		err = s.endTemp(ctx)
	}
	if err != nil {
		s.rollback()
		return s.fix(ctx, err)
	}
	s.closePortals()
	err = s.commitSaid(ctx, func() error {
		if s.cur.tx == nil {
			return nil
		}
		_, err := s.cur.tx.Commit(ctx)
		return err
	})
	if err != nil {
		s.rollback()
		return s.fix(ctx, err)
	}
	s.temp.lasting = s.temp.namespace != 0
	s.report(s.settings.Commit())
	s.end()
	s.node.Notifications.hear(ctx, s)
	return nil
}

// rollback undoes the transaction; the session is idle afterwards.
func (s *Session) rollback() {
	if s.phase == phaseIdle {
		return
	}
	s.dropPortals(0)
	s.cur.forget()
	s.rollbackTemp(0)
	s.undoSettings(0)
	s.end()
}

func (s *Session) end() {
	s.said.reset()
	s.releaseAdvisory(0)
	s.node.snapshots.end(&s.cur.exports)
	s.phase = phaseIdle
	s.cur = transaction{}
	s.ri.Reset()
}

// abort is what an error does: the transaction, or its innermost savepoint, is
// rolled back, and a block stays failed until it is ended.
func (s *Session) abort() {
	switch s.phase {
	case phaseImplicit:
		s.rollback()
	case phaseBlock:
		s.phase = phaseFailed
		if n := len(s.cur.savepoints); n > 0 {
			_ = s.rollbackTo(n - 1) // kept in lost
			return
		}
		s.dropPortals(0)
		s.cur.forget()
		s.node.snapshots.end(&s.cur.exports)
		s.rollbackTemp(0)
		s.said.reset()
		s.releaseAdvisory(0)
		s.undoSettings(0)
		s.ri.Reset()
	}
}

// rollbackTo rolls back to a savepoint. An error says that what came before the savepoint is
// lost with the rest: the block may only end then, or go back to where it had done nothing. Above
// READ COMMITTED there is a snapshot to lose as soon as something was queried, after the savepoint too.
func (s *Session) rollbackTo(i int) error {
	sp := &s.cur.savepoints[i]
	s.dropPortals(i + 1)
	switch {
	case !sp.begun && (s.cur.opts.Isolation == txn.ReadCommitted || !s.cur.queried):
		s.cur.forget()
		s.cur.lost = nil
	case s.cur.lost == nil && s.cur.tx != nil: // sp.at is nothing when it was not begun; its snapshot stays
		if err := s.cur.tx.RollbackTo(sp.at); err != nil {
			s.cur.forget()
			s.cur.lost = err
		} else {
			s.cur.cat.Invalidate()
		}
	}
	s.rollbackTemp(sp.temp)
	s.said.cut(sp.said)
	s.undoSettings(sp.settings)
	s.ri.Truncate(sp.deferred)
	s.releaseAdvisory(sp.advisory)
	s.cur.readOnly = sp.readOnly
	return s.cur.lost
}

var errFailedBlock = pgerror.New(pgerror.InFailedSQLTransaction,
	"current transaction is aborted, commands ignored until end of transaction block")

// requireBlock refuses a command that only makes sense in a transaction block.
func (s *Session) requireBlock(command string) error {
	if s.phase == phaseBlock || s.phase == phaseFailed || s.phase == phaseImplicit && s.inQueryString {
		return nil
	}
	return pgerror.New(pgerror.NoActiveSQLTransaction, "%s can only be used in transaction blocks", command)
}

// preventBlock refuses a command that cannot be part of a larger transaction.
func (s *Session) preventBlock(command string) error {
	if s.phase == phaseBlock {
		return pgerror.New(pgerror.ActiveSQLTransaction, "%s cannot run inside a transaction block", command)
	}
	if s.inQueryString {
		return pgerror.New(pgerror.ActiveSQLTransaction, "%s cannot be executed within a pipeline", command)
	}
	return nil
}

// forbidReadOnly refuses a writing command in a read-only transaction.
func (s *Session) forbidReadOnly(command string) error {
	if s.cur.readOnly {
		return pgerror.New(pgerror.ReadOnlySQLTransaction, "cannot execute %s in a read-only transaction", command)
	}
	return nil
}
