// Package plan turns an analysed, rewritten query.Query into a vexec plan.
//
// Stages, each in files of its own:
//
//	build_*      Query → relational tree (rel.go): columns get numbers of their own
//	             (Col), sub-selects in expressions become joins or init plans
//	pass_*       named rewrites of that tree, listed in passes.go: simplification,
//	             decorrelation, outer join reduction, pushdown, join ordering, aggregation
//	             below joins.
//	             Each can be switched off (Options.Disable) and the tree is verified
//	             after each one (verify.go)
//	estimate_*   selectivities and row counts from statistics, as PostgreSQL does it
//	phys_*       relational tree → physical tree (Node), where access paths, join
//	             methods, orders and parallelism are chosen by cost (cost.go)
//	emit_*       Node → planpb: columns become batch positions, columns of an outer
//	             Apply become EXEC slots
//	explain_*    Node → EXPLAIN text and JSON in PostgreSQL's shape
//
// Vocabulary. A Col is one column of one relation instance, unique in a planning
// run; an expression in the tree is a query.Expr in which every Var has RTIndex =
// Col and AttNum = 1, and Param{ParamExec} is an EXEC slot. A subtree is
// correlated when it uses Cols that it does not produce ("free" Cols): a join
// whose right side is correlated to its left is an Apply.
//
// Invariants. The input Query is never changed. Planning depends only on the
// Query and Options, so a plan may be cached while Planned.Cacheable and the
// catalog's version last. Nothing here reads rows or knows transactions;
// permissions are the session's business.
//
// Threading: Plan is safe for concurrent use; a planning run is one goroutine.
package plan
