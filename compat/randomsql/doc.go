// Package randomsql makes random SQL for differential tests: statements over a
// small fixed schema whose answers PostgreSQL fully determines up to row order.
//
// A Generator is seeded; the same seed gives the same schema content and the same
// statements on every machine. Statements are trees of text (Node), so that one
// that two servers answer differently can be reduced: Reduce replaces expressions
// by literals or by parts of themselves and drops optional clauses as long as the
// difference stays.
//
// What keeps answers determined: floating values are multiples of a quarter, so
// sums do not depend on their order; LIMIT, DISTINCT ON, array_agg and row numbers
// come with an ordering over everything that shows; divisors are guarded; updates
// join on keys. What is left undetermined is which of several errors comes first.
//
// A Generator is not safe for concurrent use. The package knows no server: the
// caller runs and compares (compat.RunRandom).
package randomsql
