package vexec

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Batch is a slice of rows in columns: Arrow arrays of equal length and an
// optional selection. Batches are immutable once handed on; nobody releases them.
type Batch struct {
	Cols []arrow.Array
	// Sel, when not nil, lists the rows that count, ascending.
	Sel []int32
	// N is the number of rows in Cols (also when there are no columns).
	N int
}

// Rows is the number of selected rows.
func (b *Batch) Rows() int {
	if b.Sel != nil {
		return len(b.Sel)
	}
	return b.N
}

// Reader yields batches; nil at the end. Not safe for concurrent use. Next may
// be called again after the end. Close ends it early or late, any number of times,
// and frees what it holds; after the context is cancelled Next returns its error soon.
type Reader interface {
	Next(ctx context.Context) (*Batch, error)
	Close()
}

// Store is the data of one transaction as vexec sees it: storage implements it
// (in-process over a txn.Txn, remotely over a read view), and an in-memory
// version serves the tests. The snapshot is fixed when a Reader is opened.
// All methods are safe for concurrent use by the workers of one statement,
// except that Mutator's are called by one goroutine at a time with no Reader
// being opened meanwhile; open Readers keep seeing what they saw at their opening.
type Store interface {
	// Scan opens part part (0-based) of parts disjoint parts of a scan, which
	// together deliver every visible row once. ordered scans have one part. bounds are the
	// spans of scan with their values computed. scan.filter may be applied by the
	// store or not: it says so through Filtered.
	Scan(ctx context.Context, scan *planpb.Scan, bounds []KeyBounds, part, parts int) (r Reader, filtered bool, err error)
	// IndexScan is the same through a secondary index.
	IndexScan(ctx context.Context, scan *planpb.IndexScan, bounds []KeyBounds, part, parts int) (r Reader, filtered bool, err error)
	Mutator
}

// KeyBounds is a planpb.Span with its values computed. Values are in the Go
// form of the key column's type; nil in Eq means IS NULL.
type KeyBounds struct {
	Eq                             []types.Datum
	HasLower, HasUpper             bool
	Lower, Upper                   types.Datum
	LowerInclusive, UpperInclusive bool
}

// RowState is the outcome of locking a row.
type RowState uint8

const (
	// RowUnchanged: the row is as the snapshot saw it.
	RowUnchanged RowState = iota
	// RowUpdated: a newer version was committed meanwhile (READ COMMITTED only): re-check.
	RowUpdated
	// RowDeleted: it is gone; skip it.
	RowDeleted
	// RowSelfModified: this statement has changed it already; skip it.
	RowSelfModified
	// RowSkipped: SKIP LOCKED met a lock.
	RowSkipped
)

// Conflict says which row an INSERT met.
type Conflict struct {
	Locator []byte
	// Constraint that was violated.
	Constraint string
	// SameStatement: the other row was written by this very statement.
	SameStatement bool
}

// Mutator changes rows. Rows are "extended rows": the table's columns in
// ordinal order, then the computed columns of planpb.Table.computed.
// Errors carry PostgreSQL's codes and texts (23505 with its DETAIL, 40001, …).
type Mutator interface {
	// InsertBatch inserts rows that must not conflict (23505 otherwise).
	InsertBatch(ctx context.Context, table *planpb.Table, ext *Batch) error
	// InsertOrConflict inserts one row unless it conflicts on an arbiter
	// (onConflict), then it reports the conflict after locking the existing row
	// (DO UPDATE) or without (DO NOTHING).
	InsertOrConflict(ctx context.Context, table *planpb.Table, onConflict *planpb.OnConflict, ext []types.Datum) (*Conflict, error)
	// LockRow locks a row and returns its newest version, table columns only (nil
	// for RowDeleted, RowSkipped). strength and policy are txn's. noKeyChange etc. are in strength.
	LockRow(ctx context.Context, table *planpb.Table, locator []byte, strength, policy uint32) (RowState, []types.Datum, error)
	// Update replaces a locked row. oldExt and newExt are extended rows; the key may change.
	Update(ctx context.Context, table *planpb.Table, locator []byte, oldExt, newExt []types.Datum) error
	// Delete removes a locked row.
	Delete(ctx context.Context, table *planpb.Table, locator []byte, oldExt []types.Datum) error
}

// RowObserver hears of changed rows (referential constraints). Rows are table
// columns in ordinal order, nil when there is none.
type RowObserver interface {
	RowChanged(table *planpb.Table, op planpb.Modify_Op, old, new []types.Datum) error
}
