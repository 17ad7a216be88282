package txn

import (
	"context"
	"time"
)

// This file is the contract between a transaction's coordinator (on a gateway)
// and the nodes that hold its branches; docs/cluster.md tells the protocol. Keys
// begin with their tablet. Calls of one branch come one at a time, except reads.

// Branch names a transaction's part on a node, on every call: the first call makes the branch.
type Branch struct {
	Txn       ID
	Gateway   NodeID
	Epoch     uint64
	Isolation Isolation
	ProcessID int32
	// Begun: the branch has been made before. A branch that is then not there is lost
	// (08006): its node has restarted, or recovery has ended it.
	Begun bool
	// Cuts is how often the transaction had rolled back to a savepoint when the call was
	// made. A branch refuses calls from before the last one it has heard of: they were
	// given up, and the network has kept them.
	Cuts uint64
	// Serial names the transaction at the first node's Serializer when its reads and
	// writes are to be noted; 0: they are not.
	Serial uint64
}

// ReadAt is what a read sees: commits at or below Snapshot, own writes of
// statements before Statement.
type ReadAt struct {
	Snapshot  Timestamp
	Statement uint32
}

// ScanPage asks for rows of [Lower, Upper) in order until one of the limits is passed.
type ScanPage struct {
	Lower, Upper  []byte
	Reverse       bool
	CommittedOnly bool
	RowsMax       int
	BytesMax      int
}

// Page is the answer. More: there may be rows beyond the last key.
type Page struct {
	Keys, Values [][]byte
	More         bool
}

// LockKind is which of RowTxn's lock calls is meant.
type LockKind uint8

const (
	LockKindRow LockKind = iota
	LockKindKey
	LockKindUnique
)

// LockCall asks for locks on keys, in order, all of one strength.
type LockCall struct {
	// Writes are made before the locks are taken: they ride along.
	Writes   []BranchWrite
	Kind     LockKind
	Keys     [][]byte
	Strength LockStrength
	Policy   WaitPolicy
	// Seq orders the locks among the branch's writes and locks (savepoints cut by
	// it): key i takes the numbers from Seq + i·LockSeqStep on.
	Seq     uint64
	Timeout time.Duration
	// OwnSnapshot is the transaction's snapshot while ReadNewest has put another in force; 0: none.
	OwnSnapshot Timestamp
}

// LockSeqStep is how many sequence numbers one key of a LockCall may use.
const LockSeqStep = 4

// BranchWrite is one provisional write.
type BranchWrite struct {
	Key, Value []byte
	Delete     bool
	// New: the key has no version below (RowTxn.PutNew).
	New       bool
	Statement uint32
	Seq       uint64
}

// Wait is an edge of the wait-for graph of a node.
type Wait struct {
	Waiter, Blocker       ID
	WaiterPID, BlockerPID int32
	// What the waiter waits for, as a deadlock report words it.
	What  string
	Since time.Time
	// Advisory: the lock is an advisory one, whose owners are sessions; they and their
	// transactions have IDs of their own.
	Advisory bool
}

// Participant is a node as coordinators see it. Errors carry PostgreSQL's codes; 08006
// means that the node could not be asked or has lost the branch.
type Participant interface {
	Get(ctx context.Context, b Branch, at ReadAt, key []byte) (value []byte, ok bool, err error)
	// GetMany is Get for many keys, in order; nil is a key without a value. It stops early when the
	// answer grows large, but not before the first key.
	GetMany(ctx context.Context, b Branch, at ReadAt, keys [][]byte) (values [][]byte, err error)
	Scan(ctx context.Context, b Branch, at ReadAt, p ScanPage) (Page, error)
	// Lock stops at the first key that fails. Newest come in the order of the keys.
	Lock(ctx context.Context, b Branch, at ReadAt, l LockCall) ([]Newest, error)
	// Write makes writes, in the order of their numbers; those of Lock are the same. After an
	// error, which may have kept the answer only, the coordinator sends them again with the
	// next ones: a branch takes each number once.
	Write(ctx context.Context, b Branch, at ReadAt, w []BranchWrite) error
	LockRelation(ctx context.Context, b Branch, id uint64, mode RelationLock, policy WaitPolicy, seq uint64, timeout time.Duration) error
	// RollbackTo cuts the branch's writes and locks after seq.
	RollbackTo(ctx context.Context, b Branch, seq uint64) error

	// Own reports whether the branch's newest write to key, of any statement, left a value there.
	Own(ctx context.Context, b Branch, key []byte) (bool, error)

	// Prepare makes the branch durable as intents; record is the node that will have
	// the transaction's record. 0: there is no other participant; then a branch that is small
	// enough for one batch is left as it is. What is large is written before the commit has
	// its timestamp, which holds back those of others.
	Prepare(ctx context.Context, b Branch, record NodeID) error
	// Hold is Prepare for PREPARE TRANSACTION: the branch's locks become durable too, and it
	// stays, its gateway's end and restarts notwithstanding, for as long as record, the first
	// node, says OutcomePrepared. It is a session's no more.
	Hold(ctx context.Context, b Branch, record NodeID) error
	// Decide writes the transaction's record, committed at ts, unless it was aborted
	// before (40001). It is the commit of a transaction with several participants.
	Decide(ctx context.Context, b Branch, ts Timestamp) error
	// Apply makes the branch's writes versions at ts: its intents, or, when there was no
	// Prepare, what it holds in memory together with the record (the only participant). Locks stay.
	Apply(ctx context.Context, b Branch, ts Timestamp) error
	// Release gives the branch's locks back after ts became visible, and forgets the branch.
	Release(ctx context.Context, b Branch) error
	// Abort forgets the branch: writes, intents and locks.
	Abort(ctx context.Context, b Branch) error
	// Outcome reads the transaction's record. With fence, a missing record is written
	// as aborted first, so that the answer is final.
	Outcome(ctx context.Context, id ID, fence bool) (ts Timestamp, state Outcome, err error)
	// Forget removes a record that nobody will ask for any more.
	Forget(ctx context.Context, id ID) error

	// ReadNow and SwapNow are DB's UpdateNow in two halves: SwapNow sets key to value
	// if it still is old (nil: absent), else it reports what it is. SyncNow makes all of them durable.
	ReadNow(ctx context.Context, key []byte) ([]byte, error)
	SwapNow(ctx context.Context, key, old, value []byte) (now []byte, ok bool, err error)
	SyncNow(ctx context.Context) error

	// Locks and Waits describe the node's lock table at one moment.
	Locks(ctx context.Context) ([]LockInfo, error)
	Waits(ctx context.Context) ([]Wait, error)
	// CancelWait ends a lock wait of the transaction with err, if it still waits.
	CancelWait(ctx context.Context, id ID, err error) error
	// EndGateway ends what a dead gateway left: branches without intents are rolled
	// back, those with intents as their records say (fenced by asking).
	EndGateway(ctx context.Context, gateway NodeID) error
}

// Outcome is what a record says.
type Outcome uint8

const (
	OutcomeUnknown Outcome = iota // no record
	OutcomeCommitted
	OutcomeAborted
	// OutcomePrepared: by PREPARE TRANSACTION. There is no record that says so: the first node
	// knows (prepared_service.go).
	OutcomePrepared
)

// Oracle is the timestamp oracle as gateways and nodes see it.
type Oracle interface {
	// Snapshot is the watermark, with the newest catalog change at or below it.
	Snapshot(ctx context.Context) (SnapshotInfo, error)
	// NextIDs reserves n transaction IDs; the first is returned.
	NextIDs(ctx context.Context, n int) (ID, error)
	// BeginCommit draws a commit timestamp; until FinishCommit no snapshot passes it.
	// Of a SERIALIZABLE transaction it is the last check too (40001).
	BeginCommit(ctx context.Context, r CommitRequest) (Timestamp, error)
	// FinishCommit reports that the commit is applied everywhere, or that it was
	// aborted, and waits until the watermark has reached it.
	FinishCommit(ctx context.Context, ts Timestamp, committed bool) error

	Serializer
	AdvisoryHost
	NotificationHost
	PreparedHost
}

// CommitRequest is what BeginCommit is told.
type CommitRequest struct {
	ID      ID
	Gateway NodeID
	// Epoch is that of the transaction's first snapshot: when the first node has begun
	// another one since, the transaction's relation locks are lost (40001).
	Epoch uint64
	// Participants are who to ask when the gateway dies, the one with the record first.
	Participants []NodeID
	// Catalog: the system tablet was written.
	Catalog bool
	// Serial is the transaction's name at the Serializer, 0 for none, with the notes
	// that have not gone there yet.
	Serial uint64
	Notes  []Note
	// Notifications are sent when the commit is visible.
	Notifications []Notification
}

// SnapshotInfo is an answer of the oracle.
type SnapshotInfo struct {
	Snapshot Timestamp
	// Catalog is the timestamp of the newest catalog change at or below Snapshot.
	Catalog Timestamp
	Epoch   uint64
	// Notified is no older than the newest commit at or below Snapshot that has sent notifications.
	Notified Timestamp
}
