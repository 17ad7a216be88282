// Package stats is ANALYZE: it samples a table through a vexec scan and computes
// catalog.ColumnStats the way PostgreSQL does: null fraction, average width,
// number of distinct values, most common values, an equal-depth histogram and the
// correlation between value order and row order.
//
// The sample is taken by reservoir over the whole scan, so the row count it
// reports is exact; it is the scan's filter, so that a column store decodes no
// more than the rows of the sample. What the statistics mean is the planner's business
// (sql/plan); how they are kept is the catalog's (Writer).
//
// Invariants: statistics are a pure function of the rows read and the seed; the
// scan is read once; memory is bounded by the sample. A run is one
// goroutine.
package stats
