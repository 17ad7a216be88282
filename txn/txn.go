// Package txn gives transactions over the tablets of a store: timestamps,
// snapshots, provisional writes, row and relation locks, savepoints, durable
// commit. This file is its picture: vocabulary and the interfaces the rest of
// Basalt sees; bodies live in the files named after their concept.
//
// Keys and values are opaque byte strings here; storage/rowcodec and
// storage/table give them meaning, but for the first two: a key begins with the
// tablet that owns it (TabletOf). A transaction's
// writes are provisional, held with their locks at the tablet that owns the key
// and tagged with the statement number, until one atomic, durable commit.
//
//	statement ──BeginStatement──► snapshot R (per statement under RC, per txn under RR)
//	    Get/Scan   newest version ≤ R, own provisional writes of earlier statements over it
//	    LockRow    waits for the holder, then reports the newest committed version
//	    Put/Delete provisional, needs the exclusive lock
//	Commit ── ts from the oracle ── one batch, shared fsync ── visible watermark ≥ ts ── acknowledge
//
// SERIALIZABLE adds notes of reads and writes (serializable.go); advisory locks belong
// to sessions (advisory.go).
//
// Invariants. (1) A snapshot taken after a commit was acknowledged includes it.
// (2) A snapshot contains all of a transaction or nothing. (3) Commit
// timestamps are unique, ascending and never reused, restarts included.
// (4) Locks are held to the end of the transaction, except those taken after a
// savepoint that was rolled back to.
package txn

import (
	"context"
	"time"
)

// Timestamp orders commits. 0 is before everything.
type Timestamp uint64

// ID names a transaction for as long as the store lives; never reused.
type ID uint64

// Isolation is a transaction isolation level. READ UNCOMMITTED is READ COMMITTED.
type Isolation uint8

const (
	ReadCommitted Isolation = iota
	RepeatableRead
	Serializable
)

// Options of a new transaction.
type Options struct {
	Isolation  Isolation
	ReadOnly   bool
	Deferrable bool
	// ProcessID names the session in the detail of a deadlock report; 0: the transaction's ID.
	ProcessID int32
}

// LockStrength is a row lock, weakest first, with PostgreSQL's conflict table
// (https://www.postgresql.org/docs/16/explicit-locking.html#ROW-LOCK-COMPATIBILITY).
type LockStrength uint8

const (
	LockKeyShare LockStrength = iota
	LockShare
	LockNoKeyUpdate
	LockUpdate
)

// RelationLock is a table lock mode, numbered and conflicting as PostgreSQL's.
type RelationLock uint8

const (
	AccessShare RelationLock = iota + 1
	RowShare
	RowExclusive
	ShareUpdateExclusive
	ShareLock
	ShareRowExclusive
	Exclusive
	AccessExclusive
)

// WaitPolicy says what to do when a lock is taken.
type WaitPolicy uint8

const (
	WaitBlock WaitPolicy = iota
	WaitSkip
	WaitError // NOWAIT: 55P03
)

// Newest is what LockRow found.
type Newest struct {
	// Exists is false when the newest version is a tombstone or there is none.
	Exists bool
	// Value is the newest version: the transaction's own provisional one if it
	// wrote the key, else the newest committed one. Of a tombstone, the key that
	// DeleteMoved named, or nothing. Not to be changed.
	Value []byte
	// CommitTS is the committed version's timestamp, 0 for none.
	CommitTS Timestamp
	// Changed: a version (or tombstone) newer than the transaction's snapshot was
	// committed by another transaction. Under RC the caller re-checks its
	// conditions on Value; under RR and SERIALIZABLE LockRow has already failed
	// with 40001 and PostgreSQL's message ("could not serialize access due to
	// concurrent update", or "… delete").
	Changed bool
	// OwnStatement is the statement number of the transaction's own newest write to
	// the key, 0 for none: a row already changed by the current statement is not
	// changed again.
	OwnStatement uint32
	// Skipped: WaitSkip met a conflicting lock; no lock was taken.
	Skipped bool
}

// DB begins transactions. Safe for concurrent use.
type DB interface {
	Begin(opts Options) Txn
	// RelationLocksHere reports whether relation locks are kept in this process: to take
	// one is no message.
	RelationLocksHere() bool
	// UpdateNow is an atomic read-modify-write of one key outside any transaction
	// (sequences): f gets the current value (nil: none) and returns the new one.
	// Visible at once to everybody, rolled back by nobody, durable no later than
	// the next acknowledged commit. f may be called while a latch is held: it must
	// not block. These keys are names apart from all others; they belong to the
	// system tablet and do not begin with it.
	UpdateNow(ctx context.Context, key []byte, f func(old []byte) ([]byte, error)) error
	// ReadNow reads a key written by UpdateNow.
	ReadNow(ctx context.Context, key []byte) ([]byte, error)
	// OldestSnapshot is the horizon: no live snapshot is older.
	OldestSnapshot() Timestamp
	// Locks lists who holds and who waits for what (pg_locks), in no order.
	Locks() []LockInfo
	// Blockers are the processes that a process waits for: holders of a lock it
	// wants, and those before it in the queue.
	Blockers(pid int32) []int32
	// AdvisoryLocks makes the advisory locks of a session; nil where there are none.
	// Close them.
	AdvisoryLocks(pid int32) SessionLocks
	// SafeSnapshotBlockers are the processes whose transactions keep a DEFERRABLE one
	// of process pid waiting for its snapshot.
	SafeSnapshotBlockers(pid int32) []int32
}

// Savepoint is a position in a transaction's writes and locks.
type Savepoint struct {
	Statement uint32
	Seq       uint64
}

// Txn is one transaction. One goroutine drives it, except that Get, Scan and
// read views may be used by the workers of the running statement at once, while
// nothing writes. After an error of Commit, or after Rollback, only ID may be called.
type Txn interface {
	ID() ID
	Options() Options
	// BeginStatement starts the next statement: its number goes up, and under READ
	// COMMITTED a new snapshot is taken. Under the other levels the first call takes the snapshot.
	BeginStatement()
	// AwaitSafeSnapshot takes the snapshot of a SERIALIZABLE READ ONLY DEFERRABLE
	// transaction, when none is taken yet: it waits until one is safe from anomalies. It does nothing for others.
	AwaitSafeSnapshot(ctx context.Context) error
	// Statement is the current statement's number, 1 for the first.
	Statement() uint32
	// NextCommand makes the writes so far visible to what follows in the same
	// statement (data-modifying CTEs' successors, referential actions): the number
	// goes up, the snapshot stays.
	NextCommand()
	// Snapshot is the read timestamp in force.
	Snapshot() Timestamp
	// FreshSnapshot is a read timestamp at or above every acknowledged commit, for
	// checks that must see the newest committed state (foreign keys).
	FreshSnapshot() Timestamp
	// ReadNewest lets REPEATABLE READ and SERIALIZABLE read the newest committed
	// state until the returned function is called, for checks that must see it
	// (rows that refer to a key that has gone). A row committed after the
	// transaction's own snapshot may be read and shared; changing it fails with
	// 40001. Under READ COMMITTED nothing happens: every statement does so.
	ReadNewest() (done func())
	// HasWrites reports whether anything was written.
	HasWrites() bool

	// Get reads the newest version at the snapshot, own writes of earlier
	// statements included. ok is false for no row. The value must not be changed.
	Get(ctx context.Context, key []byte) (value []byte, ok bool, err error)
	// NewIter iterates a key range with the same visibility.
	NewIter(ctx context.Context, o IterOptions) (Iter, error)
	// LockRow takes a row lock, waiting as policy says, and reports the newest
	// version. The key need not exist: a lock on an absent key is what unique
	// checks hold. Errors: 40001, 40P01 deadlock_detected, 55P03, 57014.
	LockRow(ctx context.Context, key []byte, s LockStrength, policy WaitPolicy) (Newest, error)
	// Put and Delete write provisionally. REQUIRES: LockUpdate or LockNoKeyUpdate
	// held on key (or the key is new and private to the transaction: hidden row
	// ids, and index entries that carry the row's key). They may block to spill.
	Put(ctx context.Context, key, value []byte) error
	Delete(ctx context.Context, key []byte) error
	// DeleteMoved is Delete for a row that goes on under another key: who has waited
	// for key learns that from LockRow.
	DeleteMoved(ctx context.Context, key, to []byte) error
	// LockRelation takes a table lock (id: the relation's storage-independent OID
	// with its database in the upper half).
	LockRelation(ctx context.Context, id uint64, mode RelationLock, policy WaitPolicy) error

	Savepoint() Savepoint
	// RollbackTo undoes every write and releases every lock taken after sp.
	RollbackTo(sp Savepoint) error

	// Commit makes the writes durable and visible, then releases the locks. With no
	// writes it is free. An error with SQLSTATE 40001/… means nothing was
	// committed; 08007 that the outcome is unknown.
	Commit(ctx context.Context) (Timestamp, error)
	// Rollback forgets the writes and releases the locks. Safe to call at any time, any number of times.
	Rollback()

	// OnCommit registers f to run after a successful commit became visible, before
	// it is acknowledged (catalog cache invalidation). f must not block.
	OnCommit(f func(ts Timestamp))

	// SetLockTimeout bounds each lock wait from now on; 0 is without bound (55P03 after it).
	SetLockTimeout(d time.Duration)
}

// RowTxn is what the layer that gives keys and values their meaning needs beside
// Txn. Every Txn of a Manager is one.
type RowTxn interface {
	Txn
	// GetInto is Get with the value appended to buf, which the caller keeps.
	GetInto(ctx context.Context, key, buf []byte) (value []byte, ok bool, err error)
	// GetColumns is GetInto for who wants the columns of a row with some attribute numbers:
	// others may be NULL in the value.
	GetColumns(ctx context.Context, key, buf []byte, atts []int) (value []byte, ok bool, err error)
	// LockKey is LockRow without the conflict check of REPEATABLE READ and
	// SERIALIZABLE: unique checks look at the newest committed state under every level.
	LockKey(ctx context.Context, key []byte, s LockStrength, policy WaitPolicy) (Newest, error)
	// LockUnique is LockKey(LockUpdate) for a unique check: a key that exists and
	// that nobody is about to free is reported without waiting for those who merely
	// share it (the lock held is then perhaps a weaker one).
	LockUnique(ctx context.Context, key []byte) (Newest, error)
	// LockFresh is LockUnique for many keys that are probably free, with f called
	// for each in order; f may write its key. Newest.Value is valid during the call.
	LockFresh(ctx context.Context, keys [][]byte, f func(i int, n Newest) error) error
	// PutNew is Put for a key that has no version below: LockKey has found nothing,
	// or the key was never used. It spares the garbage collector a look.
	PutNew(ctx context.Context, key, value []byte) error
	// WroteKey reports whether the transaction's newest write to key, the current
	// statement's included, left a value there.
	WroteKey(key []byte) (bool, error)
	// HoldsRelation reports whether a table lock is held that covers mode.
	HoldsRelation(id uint64, mode RelationLock) bool

	// PredicateRead notes, under SERIALIZABLE, a read of the keys in [lower, upper), or
	// of the key lower when upper is nil. It must come before the read. Error: 40001.
	PredicateRead(lower, upper []byte) error
	// PredicateWrite checks key as a write of it would, without writing: a row that may
	// not be written because of another transaction is a conflict with it before it is
	// anything else. Error: 40001.
	PredicateWrite(key []byte) error

	// NewView fixes what is visible now (the snapshot, own writes of earlier
	// statements) for a reader that outlives the statement's later writes, or the
	// statement: a portal's scan goes on with its view.
	NewView() (View, error)
}

// DeadlockTimer is a Txn whose lock waits last some time before a deadlock is looked
// for: a check costs more than most waits. Without, it is looked for at once.
type DeadlockTimer interface {
	SetDeadlockTimeout(d time.Duration)
}

// View reads at one moment of a transaction. It belongs to one goroutine, which
// may differ from the transaction's; it must be closed before the transaction ends.
type View interface {
	// Get reads a key. The value is valid until the next call of Get or Close.
	Get(ctx context.Context, key []byte) (value []byte, ok bool, err error)
	// NewIter iterates a key range; close it before the view. At and CommittedOnly
	// of the options are ignored.
	NewIter(ctx context.Context, o IterOptions) (Iter, error)
	Snapshot() Timestamp
	Close()
}

// ManyGetter is a View to which a key is a message to another node: many go in one.
type ManyGetter interface {
	// GetMany reads keys and calls f with each, in order. Values stay valid.
	GetMany(ctx context.Context, keys [][]byte, f func(i int, value []byte, ok bool) error) error
}

// IterOptions of a range read. Lower is inclusive, Upper exclusive; both set.
type IterOptions struct {
	Lower, Upper []byte
	Reverse      bool
	// At reads at another timestamp than the snapshot (FreshSnapshot); 0: the snapshot.
	At Timestamp
	// CommittedOnly leaves the transaction's own writes out.
	CommittedOnly bool
}

// Iter walks the visible versions in key order (descending when Reverse).
// Key and Value are valid until the next call of Next or Close.
type Iter interface {
	// Next moves to the next visible row; false at the end or on error.
	Next() bool
	Key() []byte
	Value() []byte
	Err() error
	Close() error
}
