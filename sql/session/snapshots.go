package session

import (
	"fmt"
	"sync"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// exportedSnapshots are the snapshots that transactions of this process have exported, by identifier, for as
// long as these last. Other processes of a database know nothing of them. Safe for concurrent use.
type exportedSnapshots struct {
	mu   sync.Mutex
	byID map[string]exportedSnapshot
	made uint32 // transactions that have exported, so far
}

// exportedSnapshot is one of them, with what PostgreSQL asks of who imports it.
type exportedSnapshot struct {
	held         txn.HeldSnapshot
	database     types.OID
	serializable bool
	readOnly     bool
}

// exportsMax bounds what one transaction exports.
const exportsMax = 1 << 12

// exports are what a transaction has exported. Identifiers are made of the process, a number of the
// transaction and one of the snapshot.
type exports struct {
	number uint32
	ids    []string
}

// ExportSnapshot implements sys.Session.
func (s *Session) ExportSnapshot() (string, error) {
	if len(s.cur.savepoints) > 0 {
		return "", pgerror.New(pgerror.ActiveSQLTransaction, "cannot export a snapshot from a subtransaction")
	}
	tx, ok := s.txn().(txn.SnapshotSharer)
	if !ok {
		return "", pgerror.Unsupported("pg_export_snapshot() here")
	}
	held, err := tx.ExportSnapshot()
	if err != nil {
		return "", err
	}
	e := &s.node.snapshots
	e.mu.Lock()
	defer e.mu.Unlock()
	x := &s.cur.exports
	if len(x.ids) >= exportsMax {
		held.Release()
		return "", pgerror.New(pgerror.ProgramLimitExceeded, "a transaction cannot export more than %d snapshots", exportsMax)
	}
	if len(x.ids) == 0 {
		e.made++
		x.number = e.made
	}
	id := fmt.Sprintf("%08X-%08X-%d", uint32(s.start.PID), x.number, len(x.ids)+1)
	if e.byID == nil {
		e.byID = map[string]exportedSnapshot{}
	}
	e.byID[id] = exportedSnapshot{held, s.db.OID, s.cur.opts.Isolation == txn.Serializable, s.cur.readOnly}
	x.ids = append(x.ids, id)
	return id, nil
}

// end takes back what a transaction has exported.
func (e *exportedSnapshots) end(x *exports) {
	if len(x.ids) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range x.ids {
		e.byID[id].held.Release()
		delete(e.byID, id)
	}
	x.ids = nil
}

// importSnapshot is SET TRANSACTION SNAPSHOT.
func (s *Session) importSnapshot(id string) error {
	if s.phase != phaseBlock && !s.inQueryString {
		s.warn(pgerror.NoActiveSQLTransaction, "SET TRANSACTION can only be used in transaction blocks")
	}
	s.ensure()
	switch {
	case s.cur.queried || len(s.cur.savepoints) > 0:
		return pgerror.New(pgerror.ActiveSQLTransaction, "SET TRANSACTION SNAPSHOT must be called before any query")
	case s.cur.opts.Isolation == txn.ReadCommitted:
		return pgerror.New(pgerror.FeatureNotSupported, "a snapshot-importing transaction must have isolation level SERIALIZABLE or REPEATABLE READ")
	}
	e := &s.node.snapshots
	e.mu.Lock() // to the end: it must not be released meanwhile
	defer e.mu.Unlock()
	x, ok := e.byID[id]
	switch serializable := s.cur.opts.Isolation == txn.Serializable; {
	case !ok:
		return pgerror.New(pgerror.InvalidParameterValue, "invalid snapshot identifier: \"%s\"", id)
	case serializable && !x.serializable:
		return pgerror.New(pgerror.FeatureNotSupported, "a serializable transaction cannot import a snapshot from a non-serializable transaction")
	case serializable && x.readOnly && !s.cur.readOnly:
		return pgerror.New(pgerror.FeatureNotSupported, "a non-read-only serializable transaction cannot import a snapshot from a read-only transaction")
	case x.database != s.db.OID:
		return pgerror.New(pgerror.FeatureNotSupported, "cannot import a snapshot from a different database")
	case serializable:
		return pgerror.Unsupported("SET TRANSACTION SNAPSHOT in a SERIALIZABLE transaction")
	}
	tx, ok := s.txn().(txn.SnapshotSharer)
	if !ok {
		return pgerror.Unsupported("SET TRANSACTION SNAPSHOT here")
	}
	if err := tx.ImportSnapshot(x.held); err != nil {
		return err
	}
	s.cur.queried = true
	return nil
}
