package session

import (
	"context"
	"encoding/binary"
	"time"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/functions/sys"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// gidBytesMax bounds the name of a prepared transaction.
const gidBytesMax = 199

// twoPhase runs PREPARE TRANSACTION, COMMIT PREPARED and ROLLBACK PREPARED.
func (s *Session) twoPhase(ctx context.Context, st *pg_query.TransactionStmt) (string, error) {
	if st.Kind == pg_query.TransactionStmtKind_TRANS_STMT_PREPARE {
		switch s.phase {
		case phaseBlock:
			if err := s.prepareTransaction(ctx, st.Gid); err != nil {
				s.rollback()
				return "", s.fix(ctx, err)
			}
			return "PREPARE TRANSACTION", nil
		case phaseFailed:
			s.rollback()
		default:
			s.warn(pgerror.NoActiveSQLTransaction, "there is no transaction in progress")
			s.rollback()
		}
		return "ROLLBACK", nil
	}
	commit := st.Kind == pg_query.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED
	name := "ROLLBACK PREPARED"
	if commit {
		name = "COMMIT PREPARED"
	}
	if s.phase == phaseFailed {
		return "", errFailedBlock
	}
	if err := s.preventBlock(name); err != nil {
		return "", err
	}
	if err := s.finishPrepared(ctx, st.Gid, commit); err != nil {
		return "", s.fix(ctx, err)
	}
	return name, nil
}

// prepareTransaction prepares the session's transaction; after an error it is to be rolled back.
func (s *Session) prepareTransaction(ctx context.Context, gid string) error {
	if err := s.ri.CheckDeferred(ctx); err != nil {
		return err
	}
	for _, p := range s.portals {
		if p.hold && !p.held {
			return pgerror.New(pgerror.FeatureNotSupported, "cannot PREPARE a transaction that has created a cursor WITH HOLD")
		}
	}
	temp, err := s.touchedTemp(ctx)
	switch {
	case err != nil:
		return err
	case temp:
		return pgerror.New(pgerror.FeatureNotSupported, "cannot PREPARE a transaction that has operated on temporary objects")
	case len(gid) > gidBytesMax:
		return pgerror.New(pgerror.InvalidParameterValue, `transaction identifier "%s" is too long`, gid)
	case len(s.cur.exports.ids) > 0:
		return pgerror.New(pgerror.FeatureNotSupported, "cannot PREPARE a transaction that has exported snapshots")
	case s.said.any():
		return pgerror.New(pgerror.FeatureNotSupported, "cannot PREPARE a transaction that has executed LISTEN, UNLISTEN, or NOTIFY")
	}
	s.closePortals()
	tx, ok := s.txn().(txn.Preparer)
	if !ok {
		return pgerror.Internal("a transaction that cannot be prepared")
	}
	s.advisoryMu.Lock()
	advisory := s.advisory
	s.advisoryMu.Unlock()
	info := txn.PreparedInfo{GID: gid, Owner: uint32(s.currentUser.OID), Database: uint32(s.db.OID), Time: now().Time(), Note: s.preparedNote()}
	if err := tx.Prepare(ctx, info, advisory); err != nil {
		return err
	}
	s.report(s.settings.Commit())
	s.end()
	return nil
}

// touchedTemp reports whether the transaction has used temporary objects, by DDL and
// LOCK TABLE too, which lock what they use.
func (s *Session) touchedTemp(ctx context.Context) (bool, error) {
	if s.cur.temp || s.temp.namespace == 0 || s.cur.tx == nil {
		return s.cur.temp, nil
	}
	shared := catalog.WithTemp(s.node.Catalog.Reader(s.db.OID, s.db.Name), s.temp.namespace)
	for _, l := range s.node.DB.Locks() {
		if l.Holder != s.cur.tx.ID() || l.Relation>>32 != uint64(s.db.OID) {
			continue
		}
		for _, r := range []catalog.Reader{s.reader(), shared} { // it may be gone from the first
			rel, err := r.Relation(ctx, types.OID(l.Relation))
			if err != nil {
				return false, err
			}
			if rel != nil && rel.Persistence == catalog.PersistenceTemp {
				return true, nil
			}
		}
	}
	return false, nil
}

// finishPrepared commits a prepared transaction or rolls it back.
func (s *Session) finishPrepared(ctx context.Context, gid string, commit bool) error {
	db, ok := s.node.DB.(txn.TwoPhase)
	if !ok { // none was prepared: that is refused
		return pgerror.New(pgerror.UndefinedObject, `prepared transaction with identifier "%s" does not exist`, gid)
	}
	p, err := db.ClaimPrepared(ctx, gid, func(i *txn.PreparedInfo) error {
		switch {
		case i.Owner != uint32(s.currentUser.OID) && !s.currentUser.Super:
			return pgerror.New(pgerror.InsufficientPrivilege, "permission denied to finish prepared transaction").
				WithHint("Must be superuser or the user that prepared the transaction.")
		case i.Database != uint32(s.db.OID):
			return pgerror.New(pgerror.FeatureNotSupported, "prepared transaction belongs to another database").
				WithHint("Connect to the database where the transaction was prepared to finish it.")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !commit {
		return p.Rollback(ctx)
	}
	if p.Recovered() {
		note, err := decodePreparedNote(p.Info().Note)
		if err != nil {
			p.Release()
			return err
		}
		p.OnCommit(func(txn.Timestamp) { s.node.carryOut(s.db.OID, note) })
	}
	_, err = p.Commit(ctx)
	return err
}

// preparedNote is what the commit of a prepared transaction must tell the process, when
// that has been started since: in the transaction's record (format version 1, integers big endian)
//
//	version:1 = 1 | flags:1 (1 the catalog has changed, 2 that of all databases) |
//	rows written, for each table: storage id:8 | rows:8
type preparedNote struct {
	catalog, shared bool
	rows            map[uint64]int64
}

const (
	preparedNoteVersion = 1
	noteCatalog         = 1
	noteShared          = 2
)

// preparedNote is the note of the session's transaction.
func (s *Session) preparedNote() []byte {
	b := []byte{preparedNoteVersion, 0}
	if changed, shared := s.cur.cat.Changed(); changed {
		b[1] = noteCatalog
		if shared {
			b[1] |= noteShared
		}
	}
	if c, ok := s.cur.store.(interface{ RowChanges() map[uint64]int64 }); ok { // estimates: another store has none
		for id, n := range c.RowChanges() {
			b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, id), uint64(n))
		}
	}
	return b
}

// decodePreparedNote reads a note. XX001 when it is malformed, 0A000 of a later version.
func decodePreparedNote(b []byte) (*preparedNote, error) {
	if len(b) > 0 && b[0] > preparedNoteVersion {
		return nil, pgerror.New(pgerror.FeatureNotSupported, "a prepared transaction has a note of version %d, this program reads versions up to %d", b[0], preparedNoteVersion)
	}
	if len(b) < 2 || b[0] != preparedNoteVersion || b[1] > noteCatalog|noteShared || len(b)%16 != 2 {
		return nil, pgerror.New(pgerror.DataCorrupted, "malformed note of a prepared transaction")
	}
	n := &preparedNote{catalog: b[1]&noteCatalog != 0, shared: b[1]&noteShared != 0, rows: map[uint64]int64{}}
	for b = b[2:]; len(b) > 0; b = b[16:] {
		n.rows[binary.BigEndian.Uint64(b)] = int64(binary.BigEndian.Uint64(b[8:]))
	}
	return n, nil
}

// carryOut does what a note of a transaction that has committed says.
func (n *Node) carryOut(db types.OID, note *preparedNote) {
	if note.catalog {
		n.Catalog.Changed(db, note.shared)
	}
	n.Storage.AddRows(note.rows)
}

// PreparedTransactions implements sys.Session.
func (s *Session) PreparedTransactions(ctx context.Context) ([]sys.PreparedTransaction, error) {
	all, err := s.node.prepared(ctx)
	var out []sys.PreparedTransaction
	for _, i := range all {
		out = append(out, sys.PreparedTransaction{Transaction: types.OID(i.Txn), GID: i.GID, Prepared: types.TimestampOf(i.Time), Owner: types.OID(i.Owner), Database: types.OID(i.Database)})
	}
	return out, err
}

// listPreparedWait bounds asking for the prepared transactions.
const listPreparedWait = 10 * time.Second

// prepared lists the prepared transactions.
func (n *Node) prepared(ctx context.Context) ([]txn.PreparedInfo, error) {
	d, ok := n.DB.(txn.TwoPhase)
	if !ok {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, listPreparedWait)
	defer cancel()
	return d.Prepared(ctx)
}

// Prepared counts the prepared transactions of a database.
func (n *Node) Prepared(ctx context.Context, db types.OID) (count int, err error) {
	all, err := n.prepared(ctx)
	for _, i := range all {
		if types.OID(i.Database) == db {
			count++
		}
	}
	return count, err
}
