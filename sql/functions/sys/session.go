package sys

import (
	"context"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// Session is what these functions need of the session they run in
// (expr.Context.Session implements it). Safe for concurrent use by the workers of
// the running statement.
type Session interface {
	// CatalogReader is the running statement's.
	CatalogReader() catalog.Reader
	CatalogManager() *catalog.Manager
	// SchemaPath lists the namespaces of search_path that exist, in order, without
	// the implicit pg_catalog.
	SchemaPath() []types.OID
	CurrentUserOID() types.OID
	SessionUserOID() types.OID

	// Setting is SHOW's text of a parameter; ok is false when there is none of that name.
	Setting(name string) (value string, ok bool)
	// ChangeSetting is SET (local: SET LOCAL; nil: RESET) and returns the new value as SHOW prints it.
	ChangeSetting(ctx context.Context, name string, value *string, local bool) (string, error)
	// SettingRows are the rows of pg_settings.
	SettingRows() []SettingRow

	BackendPID() int32
	// CancelBackend and TerminateBackend report whether there was such a process.
	CancelBackend(pid int32) bool
	TerminateBackend(pid int32) bool
	Activities() []Activity
	LockRows(ctx context.Context) []LockRow
	// Blockers are the processes that a process waits for.
	Blockers(pid int32) []int32
	// AdvisoryLock takes an advisory lock for the session, or for its transaction; got
	// is false when try finds it taken. AdvisoryUnlock warns where there is nothing to give back.
	AdvisoryLock(ctx context.Context, k AdvisoryKey, shared, xact, try bool) (got bool, err error)
	AdvisoryUnlock(k AdvisoryKey, shared bool) (held bool, err error)
	AdvisoryUnlockAll()
	// Notify is NOTIFY, ListeningChannels what the session listens to.
	Notify(channel, payload string) error
	ListeningChannels() []string
	NotificationQueueUsage(ctx context.Context) float64
	// SafeSnapshotBlockers are the processes that keep a DEFERRABLE transaction waiting.
	SafeSnapshotBlockers(pid int32) []int32
	// TransactionID is the transaction's ID; assign gives it one if it has none yet (ok false then never).
	TransactionID(assign bool) (id uint64, ok bool)
	SnapshotTimestamp() uint64
	// ExportSnapshot gives the identifier by which another session of this process can use the snapshot in force.
	ExportSnapshot() (string, error)
	StartTime() types.Timestamp
	ReadOnly() bool
	// ClientAddress and ClientPort are "" and 0 over a Unix socket.
	ClientAddress() (addr string, port int32)

	// LockSequence takes ROW EXCLUSIVE on a sequence for the transaction.
	LockSequence(ctx context.Context, oid types.OID) error
	// Sequences is the session's memory of currval and cached values.
	Sequences() *SequenceMemory
	// StorageBytes estimates the bytes of a table's or index's storage.
	StorageBytes(storageID uint64) int64
	// TableAnalyzed is what is known of a table's statistics.
	TableAnalyzed(ctx context.Context, table types.OID) (Analyzed, error)
	PreparedStatements() []PreparedStatement
	CursorRows() []CursorRow
	PreparedTransactions(ctx context.Context) ([]PreparedTransaction, error)
	// Merges describes tables with rows in column segments, or on their way there.
	Merges() []Merge
	// ClusterNodes and ClusterTablets describe the database's processes.
	ClusterNodes() []ClusterNode
	ClusterTablets() []ClusterTablet
	// ClusterFragments asks every live node what it has of running statements.
	ClusterFragments() []ClusterFragments
}

// Analyzed is when statistics of a table were made, and how many rows have been written since.
type Analyzed struct {
	Changed          int64
	Last, LastAuto   *types.Timestamp // nil: never
	Count, CountAuto int64
}

// Merge is a table in a tablet, by how much of it lies in column segments.
type Merge struct {
	Tablet             int32
	Database, FileNode types.OID
	Segments, Loose    int64 // files; loose ones are of bulk writes not merged yet
	Rows, Bytes        int64 // in segments
	Delta, Dead        int64 // row versions outside, and those that wait to be purged, about
	Phase              string
	RowsDone           int64 // of the merge that runs
	Surveyed           *types.Timestamp
}

// ClusterNode is a process of the database. Times are nil when unknown, addresses "" when there is none.
type ClusterNode struct {
	ID                              int32
	Role, RPC, SQL, Flight, Version string
	Alive                           bool
	LastHeartbeat, Started          *types.Timestamp
}

// ClusterFragments is what a node has of statements that run in pieces.
type ClusterFragments struct {
	Node, Statements, Fragments int32
	// Memory is what its queries hold, in bytes.
	Memory int64
	// Known: the node has answered.
	Known bool
}

// ClusterTablet is a tablet with user data.
type ClusterTablet struct {
	ID, Node, First, End int32
	Bytes                int64
}

// SettingRow is a row of pg_settings. Nullable texts are nil when NULL.
type SettingRow struct {
	Name, Setting            string
	Unit                     *string
	Category, Short          string
	Extra                    *string
	Context, VarType, Source string
	Min, Max                 *string
	Enum                     []string // nil: NULL
	Boot, Reset              *string
}

// Activity is a row of pg_stat_activity. Times are nil when unknown.
type Activity struct {
	PID                                              int32
	Database                                         types.OID
	User                                             types.OID
	Application, ClientAddr                          string
	ClientPort                                       int32
	State, Query                                     string
	BackendStart, QueryStart, XactStart, StateChange *types.Timestamp
	WaitEventType, WaitEvent                         string
	Type                                             string // backend_type; "": a client's
}

// LockRow is a row of pg_locks, about an advisory lock, a relation or a row of it, or, where none of them is
// set, a transaction.
type LockRow struct {
	Advisory           *AdvisoryKey
	Database, Relation types.OID
	Tuple              bool // it is on a row, or a key of an index
	Transaction        types.OID // an xid
	Virtual            string    // the holder's virtualtransaction
	PID                int32
	Mode               string // AccessShareLock …
	Granted            bool
	WaitStart          *types.Timestamp // nil: does not wait
}

// PreparedStatement is a row of pg_prepared_statements.
type PreparedStatement struct {
	Name, Statement string
	Prepared        types.Timestamp
	ParamTypes      []types.OID
	FromSQL         bool
}

// PreparedTransaction is a row of pg_prepared_xacts.
type PreparedTransaction struct {
	Transaction     types.OID // an xid
	GID             string
	Prepared        types.Timestamp
	Owner, Database types.OID
}

// CursorRow is a row of pg_cursors.
type CursorRow struct {
	Name, Statement          string
	Hold, Binary, Scrollable bool
	Created                  types.Timestamp
}

// of finds the session; 0A000 where an expression runs without one.
func of(ctx *expr.Context) (Session, error) {
	if s, ok := ctx.Session.(Session); ok {
		return s, nil
	}
	return nil, pgerror.Unsupported("a session function outside a session")
}
