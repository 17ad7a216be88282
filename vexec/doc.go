// Package vexec is the vectorized executor: it runs plans (vexec/planpb) over
// batches of Arrow arrays. It knows types and nothing of SQL text, catalogs,
// storage or the network: data reaches it through the Store its host gives it.
//
// Reading order: vexec.go (Batch, Reader, Store), executor.go (how a host runs a
// statement), operator.go (the operator contract), query.go (a running
// statement), then one file per operator, named as in plan.proto. Statements of
// one row by its primary key, or of the few rows in a short range of keys, run
// without operators and batches: point.go and short_range.go, over values instead of
// vectors (expr/scalar.go). Expressions are in vexec/expr, loops
// over vectors in vexec/kernel, an in-memory Store and plan helpers for tests in
// vexec/vexectest.
//
// Vocabulary. A batch has columns of equal length and perhaps a selection; it is
// dense without one. A worker is one goroutine's share of a statement: its EXEC
// slots and its part of the driving scan, the leftmost scan below a Gather. A
// part is one of several disjoint pieces of that scan. Keys are rows in the form
// that hash tables compare (kernel.Keys): SQL equality is equality of bytes,
// whatever form a numeric vector has.
//
// Invariants. Operators pull; next gives non-empty batches until nil, and open
// starts over. Batches are immutable once handed on and nobody releases them; where the parent
// said at building that they are fleeting (buildFleeting), they are good until the next
// call of next only, and their memory is used again. Hash aggregations say so, and
// filters, projections, hash joins (of their left side) and scans hand it down.
// Equal rows keep their order through every operator that promises an order.
// Rows come out in the forms of the plan's output types; a numeric column may be
// Dec64 of any scale or Binary, batch by batch, and digits shown never change on
// the way.
//
// Text may come dictionary-coded from scans and stays so through filters, projections
// and joins up to groupings, where whoever builds an input says so (buildCoded); all
// others get plain columns. Columns that nobody asks for may be nil on that way.
//
// Keys of groupings that come from one side of a join below may be numbered there: what is between groups by
// the numbers (key_ids.go).
//
// Hash joins that drop unmatched left rows open their left side after the right one is
// complete and tell its scans the keys (join_filter.go); scans hand them to the store
// with the compiled filter and the ranges it implies (scan_filter.go).
//
// Memory. Every operator that holds rows has an account (memory.go) against
// Exec.WorkMem and the executor's limit; values that functions make are reserved
// against that limit before they are made (expr.Memory). To unlinked temporary
// files go, beyond WorkMem (spill.go): sorts, hash aggregation, DISTINCT and ORDER
// BY of aggregate calls, hash joins of every kind (cut by hash, grace_join.go; where
// that does not help, a memoryful at a time, pass_join.go), the equal rows of merge
// joins, windows (window_stream.go, window_spill.go), INTERSECT and EXCEPT, CTEs and
// materialized inputs, recursive work tables. What must be in memory at once fails
// with 53200 when the executor's limit is exceeded: a single value, an aggregate's
// state (ordered-set aggregates keep only the values they pick), the distinct rows a
// recursive UNION has seen. Projections, filters and aggregates take wide rows in
// pieces of about stepBytes, and joins, sorts and set-returning functions bound their
// batches by it.
//
// Parallelism. A Gather runs its input in several workers (gather.go); the hash
// tables of joins below it are shared and built together (pool.go, large ones in shared steps: join_build.go; who gives out the right
// rows of RIGHT and FULL joins: join_tail.go), and so are aggregations, whose groups are given out in the workers too (agg_shared.go); an
// aggregation directly on a Gather is one of its workers (agg_parallel.go). While many short
// statements come, the workers of all queries run by turns, down to one at a time (turns.go). Statements that change or lock
// rows run in one goroutine. Panics become XX000 at the worker's boundary.
//
// Not here: planning, function implementations (sql/functions fills the
// expr.Registry), transactions and their snapshots, EXPLAIN's text (Stats has the
// numbers).
package vexec
