package txn

import "context"

// SeqRange is a range of sequence numbers that a fragment may use for its writes
// and locks.
type SeqRange struct{ First, End uint64 }

// Shared is what fragments of a statement need of its transaction on the nodes
// where they run.
type Shared struct {
	At ReadAt
	// Branches by node, as far as they were asked for.
	Branches map[NodeID]Branch
	// Seq is empty unless fragments write.
	Seq SeqRange
}

// Sharer is implemented by transactions whose statements can run in fragments on
// several nodes (those of a coordinator).
type Sharer interface {
	// Share gets ready for fragments on the given nodes: what earlier statements have
	// written is there. On the nodes of writers the branch exists afterwards and takes
	// part in the commit, and sequence numbers are set aside: a rollback to a savepoint
	// taken before undoes what the fragments write. Until the fragments have ended,
	// nothing else may be done on the branches of writers.
	Share(ctx context.Context, readers, writers []NodeID) (Shared, error)
	// Pin keeps what the statement's snapshot sees from being collected until release is
	// called, once, by any goroutine; the transaction may end before.
	Pin(ctx context.Context) (release func(), err error)
}
