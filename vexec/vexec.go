package vexec

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Batch is a slice of rows in columns: Arrow arrays of equal length and an
// optional selection. Batches are immutable once handed on; nobody releases them.
// Fleeting ones (ScanRequest.Fleeting) are good until the next is asked for.
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
	// Scan opens one part of a scan. Ordered scans have one part. filtered says that
	// the reader applies req.Filter; otherwise the caller has to.
	Scan(ctx context.Context, scan *planpb.Scan, req ScanRequest) (r Reader, filtered bool, err error)
	// IndexScan is the same through a secondary index.
	IndexScan(ctx context.Context, scan *planpb.IndexScan, req ScanRequest) (r Reader, filtered bool, err error)
	Mutator
}

// ScanRequest is what a scan asks for beyond its plan node.
type ScanRequest struct {
	// Bounds are the spans of the plan node with their values computed.
	Bounds []KeyBounds
	// Part (0-based) is one of Parts disjoint parts, which together deliver every
	// visible row once. Parts cut the key space, so they may be opened at different moments.
	Part, Parts int
	// Filter, when not nil, decides which rows are wanted. It belongs to the goroutine of the reader.
	Filter ScanFilter
	// Fleeting: a batch and its vectors are done with when the next one is asked for, or the reader closed.
	Fleeting bool
	// Need, when not nil, are the columns that are looked at once Filter has decided: the
	// others may be nil in the batches delivered. A store may ignore it.
	Need []bool
	// Narrow, when not nil, are keys of Bounds outside of which no row is wanted. Parts are those
	// of Bounds, whose parts may know more or less. A store may ignore it.
	Narrow []KeyBounds
	// Ranges are conditions that Filter implies, over table columns: a store may use
	// them to pass over rows without looking at them, or ignore them.
	Ranges []ColumnRange
}

// ScanFilter decides on rows from a few of a scan's columns, so that a store can
// leave the others undecoded where no row passes.
type ScanFilter interface {
	// Columns are the positions in the scan's columns that Select looks at, ascending.
	Columns() []int
	// Select gives the rows of b that pass, a subset of b.Sel, ascending; nil means
	// all of b's. The list is good until the next call. Columns of b that are not in
	// Columns may be nil; the others are good until Select returns.
	Select(ctx context.Context, b *Batch) ([]int32, error)
}

// ColumnRange says that no row is wanted whose column is NULL or outside [Lower, Upper].
type ColumnRange struct {
	// Ordinal of the table column.
	Ordinal int
	// Lower and Upper are in the Go form of the column's type; nil: unbounded. Both inclusive.
	Lower, Upper types.Datum
	// In, when not nil, lists the only values wanted, ascending and distinct.
	In []types.Datum
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
	// RowMoved: another transaction gave the row another key meanwhile. The row
	// reported is its new locator (a []byte) alone: lock it there, as lockMoved does.
	RowMoved
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
	// Update replaces a row locked for NO KEY UPDATE, waiting for those who share its
	// keys where one of these changes. oldExt and newExt are extended rows; the key may change.
	Update(ctx context.Context, table *planpb.Table, locator []byte, oldExt, newExt []types.Datum) error
	// Delete removes a locked row.
	Delete(ctx context.Context, table *planpb.Table, locator []byte, oldExt []types.Datum) error
}

// RowObserver hears of changed rows (referential constraints). Rows are table
// columns in ordinal order, nil when there is none.
type RowObserver interface {
	RowChanged(table *planpb.Table, op planpb.Modify_Op, old, new []types.Datum) error
}
