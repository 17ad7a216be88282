// Package engine is the Pebble-anchored row delta: one ordered store of
// versioned keys, with reads at a timestamp and atomic durable batches.
//
// Vocabulary. A key is a byte string that begins with the tablet that owns it (two
// bytes, big endian); it has versions, each
// with the commit timestamp that made it. A version is a value or a tombstone.
// An engine key is the stored form of one version (see key.go for the bytes).
// Local keys are this node's own records (format version, oracle bound,
// sequence values); they live in tablet 0 and have no versions.
//
// Invariants. (1) One process per directory. (2) An engine key is written at
// most once; it may be deleted later by garbage collection. (3) A batch is
// applied whole or not at all, and Commit returns after it is durable, or an
// error that says nothing was promised. (4) After a failed write to the log the
// engine is failed for good: every later call returns the same error, since
// what the disk holds is unknown until the store is opened again.
//
// Point reads go through a cache of the newest versions of keys that are asked for often
// (row_cache.go), which commits keep true.
//
// Threading. Everything is safe for concurrent use, but for iterators and
// batches, which belong to one goroutine.
//
// Corrupt blocks, files and records are reported as XX001 (data_corrupted),
// never by a panic.
//
// Not here: which timestamps exist and who may see them (txn), what keys and
// values mean (sql/types/keyenc, storage/rowcodec, storage/table).
package engine
