// Package workload makes histories of a running server and has compat/history judge
// them. It speaks to one or several targets through pgx, some clients with prepared
// statements, some with the simple protocol, and reads every thing on every way there
// is to it: by primary key, by secondary indexes whose keys change with every write,
// by ranges, by scans of the whole table, under row locks; VACUUM moves rows into
// column segments meanwhile.
//
// The workloads, by name (workloads in run.go):
//
//	txns      lists (as arrays, as rows of their own) and registers in one history;
//	          savepoints, row locks, upserts, deletes that come back
//	bank      transfers beside sums, which never change
//	fork      keys written once, read in groups: two reads never disagree on the order
//	counter   increments whose results are handed to others, who must see them at once
//	register  single statements on single keys, for porcupine
//	skew      constraints over several rows, which only SERIALIZABLE keeps
//
// A run goes through rounds: each makes a history for some seconds, reads everything
// once more and judges. What connections lose to a killed server is part of the history.
package workload
