// Package fragment runs pieces of plans on the nodes of a database: the service
// Fragments of rpc/proto, the client of it, and the gateway's side that starts a
// statement's pieces everywhere and reads what comes back.
//
// Vocabulary. A statement that was cut is named by a query id of 16 random bytes on
// every node. A fragment runs once per site. What it sends to an exchange lies in an
// output on its node, one queue per consumer, until the consumers have taken it
// (Fetch). Sites pull from each other directly; the gateway pulls partition 0.
//
// Memory. An output holds at most outputBytesMax; then its fragment waits. When
// another of its consumers has nothing to read meanwhile, the fragment goes on and the
// full queue grows on disk instead: consumers that wait for each other's share
// cannot block each other for good. Consumers read a message at a time, gRPC's flow
// control holds the rest back.
//
// Ends. A run lasts until its output is taken or nobody wants it, its context ends, or
// it fails. It fails its output with the same error, so that consumers, and what
// consumes them, report the cause. The gateway holds a Run call per site open: when
// it ends (the statement is over, cancelled, or the gateway is gone) the site stops.
// A Fetch waits for its producer to start no longer than fetchWait.
//
// Threading: Server and Gateway are safe for concurrent use, a Cursor is not.
//
// Not here: how plans are cut (sql/plan), which nodes there are (rpc/node),
// transactions (txn; a fragment reads and writes through txn.Branches).
package fragment
