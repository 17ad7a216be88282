// Package storage is a storage node: it opens the store in a directory and gives
// out transactions (txn.DB) and tables (vexec.Store) over it.
//
//	storage.Open ── engine.Engine   versioned keys in Pebble
//	             ├─ txn.Manager     timestamps, locks, provisional writes, commit
//	             ├─ table.Shared    rows, indexes, scans
//	             └─ the reaper      drops the key ranges of dropped tables
//
// Placement. A store has the tablets it was made with (placement.go); which of them
// a key lies in is the business of storage/table.
//
// Dropping. DROP TABLE, TRUNCATE and rewrites leave a storage id behind. Node.Drop
// writes the id, within the transaction, to a queue in the store's own key range
// (storage id 1); once the transaction has committed and no snapshot can see it
// from before, the reaper removes the range and then the queue's entry. A crash
// in between repeats the removal, which does no harm.
//
// Node and everything it gives out may be used from several goroutines, within
// the rules of txn and vexec.
package storage
