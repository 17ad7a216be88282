// Package node makes a process a node of a database of several: it joins, keeps
// its lease, knows the others and reaches them, serves its branches of
// transactions, and gives a gateway its coordinator. docs/cluster.md tells the
// protocol.
//
// Vocabulary. The first node keeps the members: who has ever joined, with the
// lease of each. A beat renews a lease and brings back what a node must know: who
// lives, the placement, the horizon, what was dropped. A node that misses its lease
// is fenced: the first node ends what its gateway had open, and it joins again
// with everything it had begun forgotten. An incarnation is one such joining.
//
//	Start ─ directory, store, Join ─► Server (register more services) ─► Serve ─ resolve, answer
//
// Invariants. (1) A node answers for its tablets only while it has a lease and
// after it has settled every intent it found, and again after each higher epoch
// it meets. (2) A directory belongs to one node of one database for good: the file
// NODE says so (directory.go). (3) A joining waits until what the process's earlier
// incarnation had open as a gateway is ended.
//
// Threading. Node is safe for concurrent use after Start.
//
// Not here: transactions (txn, txn/coordinator), their wire form (rpc/txnrpc),
// sessions (sql/server), fragments.
package node
