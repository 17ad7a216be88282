// Package columns is the set of column segments of a store: which files there are,
// what they hold, and how rows move into them.
//
// Vocabulary. A space is the rows of one table in one tablet: the keys that begin
// with the same keyenc.PrefixLen bytes. What follows them in a key is the locator.
// A segment is one immutable file (storage/segment) of rows of a space, sorted by
// locator, with a timestamp. Two kinds:
//
//   - merged segments have a span [lower, upper) of locators and a floor, which is
//     their timestamp: in the span every version in the engine, and every row of a loose
//     segment, at or below the floor is dead. Spans of a space do not overlap; a span may
//     have no rows and then no file.
//   - loose segments come from bulk writes, at their commit timestamp. They hold only
//     keys that had no visible version just before it; they kill nothing, and may overlap
//     spans and each other.
//
// Which of engine and segments decides on a key is said in storage/engine/columns.go.
//
// An overlay (overlay.go) keeps in memory what scans have read of a space's delta: versions in the
// engine that its segments lack. Commits make parts of it stale key by key, and the next scan reads these
// keys again (overlay_patch.go).
//
// Invariants. (1) A directory record refers to a file only after the file and its
// name are durable; a file without a record is removed by the next start. (2) A swap
// of segments is one synced batch of the engine, published after it is durable.
// (3) A state of a space that was pinned keeps its files until it is released.
// (4) A floor never exceeds a timestamp that anybody still reads at, nor one at which
// a commit may still arrive: merging asks its Clock (txn.Manager). (5) While a merge
// at T runs, the clock's horizon stays at T: no tombstone that the new segments need
// is collected.
//
// Threading. A Store is safe for concurrent use; one goroutine of its own merges and
// purges. Iterators and writers belong to one goroutine.
//
// Not here: the files' format (storage/segment), what a row's columns are called and
// who may see them (storage/table, txn).
package columns
