// Package transfer is pgbench's workload over the wire: the TPC-B-like
// transaction, the simple update and the select-only script, on pgbench's four
// tables, in the simple, extended and prepared protocol modes. It runs against
// Basalt or any PostgreSQL, so that peers are measured by the same code, and it
// checks that the sums of the balances agree with the history.
package transfer
