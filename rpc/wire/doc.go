// Package wire is what every service between nodes shares: errors with their
// SQLSTATE over gRPC statuses, the check that both ends speak of the same database
// in the same version, and credentials.
//
// A call carries the metadata "basalt-protocol" and "basalt-cluster". The server
// interceptors refuse a stranger with FAILED_PRECONDITION; a process that is not
// yet a node (Join) sends an empty cluster id.
//
// Pure functions and immutable values, safe for concurrent use.
package wire
