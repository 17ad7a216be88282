// Package history judges what transactions saw. It is pure: a history goes in, the
// anomalies in it come out, each with a witness. compat/history/workload makes
// histories of a running server.
//
// The method is Elle's (Kingsbury, Alvaro: "Elle: Inferring Isolation Anomalies from
// Experimental Observations", 2020) on Adya's phenomena ("Weak Consistency: A
// Generalized Theory and Optimistic Implementations for Distributed Transactions",
// 1999). Every written value is unique, so whoever reads it tells whom it read from.
// Lists that are only appended to tell the order of their versions by what is read of
// them; registers tell it through writes that report the value they replaced. From
// that follow the edges of a graph:
//
//	ww  T1 → T2   T2 installed the version after one of T1
//	wr  T1 → T2   T2 read a version of T1
//	rw  T1 → T2   T1 read the version before one of T2
//	rt  T1 → T2   T1 was acknowledged before T2 was sent
//
// and a cycle is an anomaly, if the level forbids it. What PostgreSQL's levels are is
// said by the nodes, since each of its events happens at one moment:
//
//   - READ COMMITTED (statements.go): a node per statement that reads, at its snapshot,
//     and one per commit. A statement's snapshot contains all of a transaction or
//     nothing, and every commit acknowledged before the statement was sent. Rows read
//     under a lock are the newest, so each is a node of its own.
//   - REPEATABLE READ, which is snapshot isolation (snapshots.go): a node at the
//     snapshot, which the first statement takes, and one at the commit. ww edges end at
//     the snapshot: the first updater wins. A cycle is one of the dependency graph
//     without two adjacent rw edges (G0, G1c, G-single, G-nonadjacent; lost updates and
//     long forks among them), rt edges included: snapshot isolation of the strong kind.
//     What aborted transactions read before they failed is of a snapshot too, and checked.
//   - SERIALIZABLE (serial.go): all of the above, and one node per transaction. Any
//     cycle is an anomaly (G2, write skew), rt edges included. SSI owes strict
//     serializability, though nobody asks for it: let Tout be the transaction of a cycle
//     that commits first. Its predecessor P cannot reach it by ww, wr or rt, all of which
//     mean "committed before the snapshot of"; so P → Tout is rw and P runs beside Tout.
//     The predecessor of P cannot have committed before P's snapshot either, which
//     precedes Tout's commit; so that edge is rw too. These two are the dangerous
//     structure with Tout first, which SSI ends; a Tin that only reads is reached by wr
//     or rt alone, so Tout committed before its snapshot, and the exception for read only
//     transactions does not apply. The order of one session's transactions is part of rt.
//
// A transaction whose outcome is unknown (the connection broke at COMMIT) counts as
// committed when somebody has seen a value of it, at no known time, and else as not.
// Writes of a savepoint that was rolled back are never to be seen by others.
//
// Registers whose writes tell nothing of what they replaced have versions in no
// order: less is found, nothing wrong.
//
// models.go has the checks that need no graph: sums, forks, monotonic reads; the
// linearizability of single keys is porcupine's.
package history
