// Package query is the tree parse analysis makes of a statement: PostgreSQL's
// Query with its range table, join tree, target list and expression nodes, under
// PostgreSQL's names.
//
// A Query is fully resolved: relations, functions and operators are OIDs, every
// expression has a type, `*` is expanded, columns are Vars (range table index
// and attribute number, both 1-based). Sub-selects are Queries of their own;
// a Var with LevelsUp > 0 belongs to an enclosing one.
//
// Trees are immutable once analysed: the rewriter and the planner copy what they
// change (Mutate), so that a cached tree can be planned again by any session.
// Marshal and Unmarshal keep trees in catalogs (views, defaults, checks, index
// expressions) as versioned JSON with OIDs, so that renames do no harm.
//
// What is not here: how trees are made (sql/analyze), printed (sql/deparse), or
// planned (sql/plan).
package query
