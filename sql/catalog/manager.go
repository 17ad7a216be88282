package catalog

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Lowerer turns a stored expression (index expression, partial index predicate)
// into vexec's form. ordinals maps attribute number − 1 of Var RTIndex 1 to the
// input column, −1 for dropped; cat answers for the types in e. The planner implements it.
type Lowerer interface {
	LowerExpr(ctx context.Context, cat Reader, e query.Expr, ordinals []int) (*planpb.Expr, error)
}

// Printer prints the expressions of index keys for error details: lower(name),
// (a + 1). cat answers for the names in them, r for the columns. The deparser
// implements it.
type Printer interface {
	IndexKey(ctx context.Context, e query.Expr, r *Relation, cat Reader) string
}

// Options of a Manager.
type Options struct {
	DB txn.DB
	// Store opens the data of a transaction.
	Store func(txn.Txn) vexec.Store
	Lower Lowerer
	// Print may be nil: then key expressions have no text in error details.
	Print Printer
}

// Manager gives out Readers of every database of one store and keeps their
// descriptors. Safe for concurrent use.
type Manager struct {
	opts    Options
	mu      sync.Mutex
	current map[types.OID]*state // by database
	version atomic.Uint64
	// OIDs reserved and not given out yet.
	oidNext, oidLimit types.OID
}

// NewManager makes a Manager. Nothing is read until a Reader is used.
func NewManager(opts Options) *Manager {
	m := &Manager{opts: opts, current: map[types.OID]*state{}}
	m.version.Store(1)
	return m
}

// Database is a pg_database row.
type Database struct {
	OID        types.OID
	Name       string
	Owner      types.OID
	AllowConn  bool
	IsTemplate bool
	ConnLimit  int
	ACL        []string
}

// read runs f over a fresh snapshot of a database's catalogs.
func (m *Manager) read(db types.OID, f func(a *access) error) error {
	t := m.opts.DB.Begin(txn.Options{ReadOnly: true})
	defer t.Rollback()
	t.BeginStatement()
	return f(&access{db: db, txn: t, store: m.opts.Store(t)})
}

// DatabaseByName finds a database, nil for none.
func (m *Manager) DatabaseByName(ctx context.Context, name string) (d *Database, err error) {
	err = m.read(0, func(a *access) error {
		r, err := a.one(ctx, "pg_database", "pg_database_datname_index", name)
		d = databaseOf(r)
		return err
	})
	return d, err
}

// Databases lists all databases.
func (m *Manager) Databases(ctx context.Context) (out []*Database, err error) {
	err = m.read(0, func(a *access) error {
		rs, err := a.lookup(ctx, "pg_database", "")
		for _, r := range rs {
			out = append(out, databaseOf(r))
		}
		return err
	})
	return out, err
}

func databaseOf(r *Row) *Database {
	if r == nil {
		return nil
	}
	return &Database{OID: r.OID("oid"), Name: r.Str("datname"), Owner: r.OID("datdba"), AllowConn: r.Bool("datallowconn"),
		IsTemplate: r.Bool("datistemplate"), ConnLimit: int(r.Int("datconnlimit")), ACL: r.Strs("datacl")}
}

// Reader is the newest committed state of a database. It stays usable when newer
// versions appear; take a new one for each statement.
func (m *Manager) Reader(db types.OID, name string) Reader { return m.shared(db, name) }

func (m *Manager) shared(db types.OID, name string) *state {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.current[db]
	if s == nil || s.name != name {
		s = newState(m, db, name)
		s.version = m.version.Load()
		m.current[db] = s
	}
	return s
}

// Version is the newest version of a database's catalog: it differs from that of
// an older Reader when DDL was committed since.
func (m *Manager) Version(db types.OID) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.current[db]; s != nil {
		return s.version
	}
	return m.version.Load()
}

// InvalidateAll starts a new version of every database's catalog: it was changed
// elsewhere.
func (m *Manager) InvalidateAll() { m.invalidate(0, true) }

// Changed starts a new version of a database, or of all, after a commit that went another
// way than through a Writer of this process.
func (m *Manager) Changed(db types.OID, shared bool) { m.invalidate(db, shared) }

// invalidate starts a new version of one database, or of all when shared
// catalogs changed.
func (m *Manager) invalidate(db types.OID, all bool) {
	v := m.version.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, s := range m.current {
		if all || id == db {
			n := newState(m, id, s.name)
			n.version = v
			m.current[id] = n
		}
	}
}

// Transaction is the catalog as one transaction uses it: the shared Reader until
// its first DDL statement, a private one from then on.
type Transaction struct {
	m       *Manager
	db      types.OID
	name    string
	txn     txn.Txn
	store   vexec.Store
	private *state
	writer  *Writer
	temp    types.OID
}

// Transaction binds the catalog of a database to a transaction. store is the
// transaction's data; it may be nil, then Options.Store opens it.
func (m *Manager) Transaction(t txn.Txn, store vexec.Store, db types.OID, name string) *Transaction {
	if store == nil {
		store = m.opts.Store(t)
	}
	return &Transaction{m: m, db: db, name: name, txn: t, store: store}
}

// Reader gives the state the next statement of the transaction sees.
func (t *Transaction) Reader() Reader {
	if t.private != nil {
		return WithTemp(t.private, t.temp)
	}
	return WithTemp(t.m.shared(t.db, t.name), t.temp)
}

// SetTemp tells the schema of the session's temporary objects, 0 for none.
func (t *Transaction) SetTemp(namespace types.OID) { t.temp = namespace }

// HasDDL reports whether the transaction has changed the catalog.
func (t *Transaction) HasDDL() bool { return t.writer != nil && t.writer.dirty }

// Changed reports what a commit will change: the database's catalog, those all databases share.
func (t *Transaction) Changed() (changed, shared bool) {
	if t.writer == nil {
		return false, false
	}
	return t.writer.dirty, t.writer.shared
}

// Invalidate forgets the private Reader's descriptors. The session calls it after
// RollbackTo.
func (t *Transaction) Invalidate() {
	if t.private != nil {
		t.private = t.newPrivate()
	}
}

// privateVersions keeps versions of private Readers apart from shared ones.
const privateVersions = 1 << 63

func (t *Transaction) newPrivate() *state {
	s := newState(t.m, t.db, t.name)
	s.version = t.m.version.Add(1) | privateVersions
	s.own = &access{db: t.db, txn: t.txn, store: t.store}
	return s
}

// Writer gives the transaction's Writer, making its Reader private. Under READ
// COMMITTED each DDL statement should call it (or Refresh) after it has taken its
// locks, so that it sees what others committed meanwhile.
func (t *Transaction) Writer() *Writer {
	if t.writer == nil {
		t.writer = &Writer{t: t, access: &access{db: t.db, txn: t.txn, store: t.store}}
	}
	if t.private == nil {
		t.private = t.newPrivate()
	}
	return t.writer
}
