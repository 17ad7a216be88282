// Package proto holds the wire form of what the processes of one database say to
// each other: node.proto, generated into rpcpb by `make proto`.
//
// Nothing but generated code uses it directly except rpc/node (membership),
// rpc/txnrpc (transactions) and rpc/fragment (plans).
package proto
