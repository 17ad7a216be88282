package session

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/functions/sys"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/plan"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Config is what a Node is made of.
type Config struct {
	DB       txn.DB
	Catalog  *catalog.Manager
	Executor *vexec.Executor
	Registry *expr.Registry
	Storage  Storage
	// Cluster describes the database's processes; nil: nobody does.
	Cluster Cluster
	// Lower turns stored expressions into vexec's form.
	Lower catalog.Lowerer
	// Fragments runs pieces of plans beside the data; nil: all data is here.
	Fragments Fragments
	// Workers bounds the parallelism of one query; 0 or 1: none.
	Workers int
	// Parameters are values of server parameters (SHOW) that differ from PostgreSQL's
	// defaults, in canonical form by lower-case name.
	Parameters map[string]string
	// Notifications carries NOTIFY to the sessions that listen.
	Notifications *Notifications
	// TempSlotBase is added to the numbers of temporary schemas, which no other process may use.
	TempSlotBase int
	// WorkMem in bytes bounds each operator that can spill; 0: by the session's work_mem, and by
	// WorkMemDefault unless that is set (0: 64 MiB).
	WorkMem, WorkMemDefault int64
}

// Storage is what sessions need of a store beside its transactions.
type Storage interface {
	// Store opens the data of a transaction. env orders enum keys and words error details.
	Store(tx txn.Txn, env *types.Env) vexec.Store
	// Drop gives up the storage of tables and indexes when tx commits.
	Drop(ctx context.Context, tx txn.Txn, storageIDs ...uint64) error
	// Bytes estimates the size of a table's or index's storage.
	Bytes(storageID uint64) int64
	// Rows estimates the committed rows of a table. It reads no data.
	Rows(storageID uint64) int64
	// AddRows adjusts these estimates, by storage id.
	AddRows(changes map[uint64]int64)
	// TableAnalyzed is what is known of a table's statistics, and NoteAnalyzed notes that new ones were made, which
	// know of changed of the rows written.
	TableAnalyzed(storageID uint64) sys.Analyzed
	NoteAnalyzed(storageID uint64, changed int64, auto bool)
	// ColumnRows estimates how many of them lie in column segments.
	ColumnRows(storageID uint64) int64
	// SegmentColumns is what the segments on this node know of a column of a table. It reads no data.
	SegmentColumns(storageID uint64, attnum int, t types.T) []plan.SegmentColumn
	// Merge moves what can be of a table's rows into column segments, on this node.
	Merge(ctx context.Context, storageID uint64) error
	// Merges describes what lies in segments and what waits, on this node.
	Merges() []sys.Merge
	// BuildIndex fills a new index with the rows tx sees; evals makes, for a goroutine, what computes the columns that storage cannot.
	BuildIndex(ctx context.Context, tx txn.Txn, env *types.Env, t *planpb.Table, pos int, evals func() (evalRows, error)) error
}

// Cluster describes the processes of a database.
type Cluster interface {
	Nodes() []sys.ClusterNode
	Tablets() []sys.ClusterTablet
	// Fragments asks every live node.
	Fragments() []sys.ClusterFragments
}

// Node is what the sessions of a process share. Safe for concurrent use.
type Node struct {
	Config
	plans     planCache
	snapshots exportedSnapshots

	mu        sync.Mutex
	sessions  map[int32]*Session
	dbConns   map[types.OID]int
	tempSlots map[int]bool // N of pg_temp_N in use
	// Cancel and terminate by process number; set by the server that owns the connections.
	control atomic.Pointer[Control]
}

// Control reaches other sessions' connections.
type Control interface {
	Cancel(pid int32) bool
	Terminate(pid int32) bool
}

// NewNode makes the SQL side of a node.
func NewNode(cfg Config) *Node {
	n := &Node{Config: cfg, sessions: map[int32]*Session{}, dbConns: map[types.OID]int{}, tempSlots: map[int]bool{}}
	n.plans.init()
	return n
}

// SetControl gives the node a way to its connections.
func (n *Node) SetControl(c Control) { n.control.Store(&c) }

// Verifier implements pgwire.Backend.
func (n *Node) Verifier(ctx context.Context, user string) (string, error) {
	r, err := n.Catalog.Reader(0, "").RoleByName(ctx, user)
	if err != nil || r == nil {
		return "", err
	}
	if r.ValidUntil != nil && *r.ValidUntil < now() {
		return "", nil // a password that has expired is none
	}
	return r.Password, nil
}

// Connect implements pgwire.Backend.
func (n *Node) Connect(ctx context.Context, st pgwire.Startup, client pgwire.Client) (pgwire.Session, error) {
	db, err := n.Catalog.DatabaseByName(ctx, st.Database)
	if err != nil {
		return nil, err
	}
	var role *catalog.Role
	if db != nil {
		role, err = n.Catalog.Reader(db.OID, db.Name).RoleByName(ctx, st.User)
	} else {
		role, err = n.Catalog.Reader(0, "").RoleByName(ctx, st.User)
	}
	switch {
	case err != nil:
		return nil, err
	case role == nil:
		return nil, pgerror.New(pgerror.InvalidAuthorizationSpecification, `role "%s" does not exist`, st.User)
	case db == nil:
		return nil, pgerror.New(pgerror.InvalidCatalogName, `database "%s" does not exist`, st.Database)
	case !role.Login:
		return nil, pgerror.New(pgerror.InvalidAuthorizationSpecification, `role "%s" is not permitted to log in`, st.User)
	case !db.AllowConn:
		return nil, pgerror.New(pgerror.ObjectNotInPrerequisiteState, `database "%s" is not currently accepting connections`, st.Database)
	}
	if st.Reserved && !role.Super {
		return nil, pgerror.New(pgerror.TooManyConnections, "remaining connection slots are reserved for roles with the SUPERUSER attribute")
	}
	if err := n.admit(db, role); err != nil {
		return nil, err
	}
	s, err := n.newSession(ctx, st, client, db, role)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	n.sessions[st.PID] = s
	n.dbConns[db.OID]++
	n.mu.Unlock()
	return s, nil
}

func (n *Node) forget(s *Session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sessions[s.start.PID] == s {
		delete(n.sessions, s.start.PID)
		if s.kind == "" {
			n.dbConns[s.db.OID]--
		}
	}
}

// Sessions lists the live sessions.
func (n *Node) Sessions() []*Session {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]*Session, 0, len(n.sessions))
	for _, s := range n.sessions {
		out = append(out, s)
	}
	return out
}

// Connections counts the sessions in a database.
func (n *Node) Connections(db types.OID) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dbConns[db]
}
