// Package coordinator gives transactions over the tablets of several nodes: a
// txn.DB for gateways. docs/cluster.md tells the protocol, txn/participant.go is
// what it asks of nodes.
//
// Vocabulary. A part is what a transaction knows of its branch on one node: the
// writes not yet sent, and whether the branch exists. Writes are sent with the
// next call that must see them: a read of a later statement, a lock, the end of
// the transaction, or when they grow large.
//
//	Begin ─ BeginStatement ─► Oracle.Snapshot
//	Get, NewIter, LockRow, Put … ─► Participant of the key's tablet
//	Commit ─► one participant: Apply; several: Prepare, Decide, Apply
//	       ─► Oracle.FinishCommit ─► Release
//
// PREPARE TRANSACTION ends with Oracle.ConfirmPrepared instead, after Participant.Hold
// everywhere; the first node finishes it then (txn/prepared_service.go).
//
// What a transaction sends with NOTIFY travels with its commit; a feed brings what all
// send to the gateways that listen (txn/notifications.go).
//
// Invariants. (1) A commit is acknowledged after it is applied on every
// participant and visible to every later snapshot. (2) What was begun is ended:
// an abort or an apply that does not get through is tried again in the background
// until its node answers or is declared dead. (3) A snapshot in use is never newer
// than Oldest has reported.
//
// Threading. Coordinator is safe for concurrent use; transactions follow the
// rules of txn.Txn.
//
// Not here: the network (rpc gives Participants and Oracles over gRPC), who the
// nodes are, which of them live.
package coordinator
