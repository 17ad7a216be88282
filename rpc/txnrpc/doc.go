// Package txnrpc carries transactions between nodes: txn.Participant and
// txn.Oracle over gRPC, a client and a server of each. It adds nothing to their
// contracts but the network: a call that does not get through is 08006.
//
// Clients are safe for concurrent use and share one connection per node.
package txnrpc
