package txn

import (
	"context"
	"sync"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// SERIALIZABLE over several nodes: the first node keeps for all what serializable.go
// keeps for one process (OracleService implements Serializer; docs/cluster.md says why
// there). This file is the contract, and how notes travel.

// Serializer watches the SERIALIZABLE transactions of all gateways. A transaction is
// named by its gateway and a number that the gateway draws.
type Serializer interface {
	// BeginSerializable registers a transaction together with its snapshot. watched is
	// false for one that is safe from the start: nothing of it need be noted, and it is
	// not known by its number. id is what Locks shows of it.
	BeginSerializable(ctx context.Context, x SerialTxn, id ID, opts Options) (info SnapshotInfo, watched bool, err error)
	// Note takes notes of what the transaction has read and written, in order. safe:
	// it need not note any more. Error: 40001, after which it can only be ended.
	Note(ctx context.Context, x SerialTxn, notes []Note) (safe bool, err error)
	// EndSerializable ends a transaction that has written nothing, after a last check
	// when it commits (40001), or that is rolled back, whether it was begun or not.
	// Those that have written end with FinishCommit.
	EndSerializable(ctx context.Context, x SerialTxn, notes []Note, commit bool) error
	// AwaitSafe waits until it is decided whether a read only transaction is safe.
	AwaitSafe(ctx context.Context, x SerialTxn) (safe bool, err error)
	// SafeSnapshotBlockers are the processes that a DEFERRABLE transaction of pid waits for.
	SafeSnapshotBlockers(ctx context.Context, pid int32) ([]int32, error)
}

// SerialTxn names a transaction at the Serializer. Epoch is that of its snapshot: the
// first node forgets everything when it restarts.
type SerialTxn struct {
	Gateway NodeID
	Number  uint64
	Epoch   uint64
}

// Serialized is the branch's transaction as the Serializer knows it.
func (b Branch) Serialized() SerialTxn {
	return SerialTxn{Gateway: b.Gateway, Number: b.Serial, Epoch: b.Epoch}
}

// NoteKind is what a Note tells.
type NoteKind uint8

const (
	// NoteRead: the keys in [Lower, Upper), or the key Lower when Upper is nil, were read
	// at the snapshot, or will be.
	NoteRead NoteKind = iota
	// NoteWrite: the key Lower was written.
	NoteWrite
	// NoteTouch: the key Lower would be written; it is looked at as a write is, and not kept.
	NoteTouch
)

// Note is one read or write of a transaction.
type Note struct {
	Kind         NoteKind
	Lower, Upper []byte
}

// Noter is a Txn that may hold notes of reads and writes back. Its statements end
// with FlushNotes, so that whoever comes after finds them.
type Noter interface {
	// FlushNotes sends them. Error: 40001.
	FlushNotes(ctx context.Context) error
}

// Bounds of what is held back.
const (
	heldNotesMax      = 4096
	heldNotesBytesMax = 256 << 10
)

// HeldNotes are the notes that a transaction, or its part on a node, has not sent yet.
// It does not matter when a read at a snapshot is noted, before or after it is done, as
// long as that is before the commit: what was written meanwhile is known. Safe for
// concurrent use.
type HeldNotes struct {
	mu    sync.Mutex
	notes []Note
	bytes int
	safe  bool
	// sending makes them arrive in order.
	sending sync.Mutex
}

// Add holds a note, of which it keeps a copy; full: they should be sent.
func (h *HeldNotes) Add(kind NoteKind, lower, upper []byte) (full bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if kind == NoteRead && (h.safe || mutantNoPredicates || mutantNoRanges && upper != nil) {
		return false
	}
	if n := len(h.notes); n > 0 && h.notes[n-1].is(kind, lower, upper) {
		return false
	}
	both := make([]byte, len(lower)+len(upper))
	n := copy(both, lower)
	copy(both[n:], upper)
	x := Note{Kind: kind, Lower: both[:n:n]}
	if upper != nil {
		x.Upper = both[n:]
	}
	h.notes = append(h.notes, x)
	h.bytes += len(both)
	return len(h.notes) >= heldNotesMax || h.bytes >= heldNotesBytesMax
}

func (n *Note) is(kind NoteKind, lower, upper []byte) bool {
	return n.Kind == kind && string(n.Lower) == string(lower) && (n.Upper == nil) == (upper == nil) && string(n.Upper) == string(upper)
}

// Take gives what is held, to be sent in another call.
func (h *HeldNotes) Take() []Note {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.notes
	h.notes, h.bytes = nil, 0
	return n
}

// Flush sends what is held.
func (h *HeldNotes) Flush(ctx context.Context, to Serializer, x SerialTxn) error {
	h.sending.Lock()
	defer h.sending.Unlock()
	n := h.Take()
	if len(n) == 0 {
		return nil
	}
	safe, err := to.Note(ctx, x, n)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.safe = h.safe || safe
	if err != nil && !pgerror.Is(err, pgerror.SerializationFailure) {
		// They may not have arrived. What has read may go on after a savepoint.
		h.notes = append(n[:len(n):len(n)], h.notes...)
		for _, x := range n {
			h.bytes += len(x.Lower) + len(x.Upper)
		}
	}
	return err
}

// Safe: the Serializer has said that nothing need be noted any more.
func (h *HeldNotes) Safe() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.safe
}
