// Package analyze is PostgreSQL's parse analysis: it turns a raw parse tree into
// a resolved query tree (sql/query), or into PostgreSQL's error with its
// SQLSTATE, detail, hint and position.
//
// Vocabulary is PostgreSQL's. A parse state (pstate) belongs to one query level;
// its namespace lists the range table items that names can refer to at this
// point. An expression kind says where an expression stands, which decides what
// it may contain. Coercion, operator and function resolution follow chapter 10
// of PostgreSQL's manual over the catalog's facts.
//
// Invariants. Analysis reads catalogs only through catalog.Reader, has no other
// state, and is safe for concurrent use. Trees it returns share nothing with the
// parse tree. Every expression has its type and collation set; unknown literals
// are gone from output columns (they became text).
//
// Errors inside the package travel as panics of a private type and are turned
// back into errors at the package's entry points (entry.go); no other panic is
// caught there. They are raised by fail and at, which add the position.
//
// Reading order: entry.go (what others call), pstate.go, select.go, from.go,
// expr.go, coerce.go, func.go.
//
// What is not here: view expansion and identity rules (sql/rewrite), plans
// (sql/plan), DDL (sql/catalog and the session), which calls AnalyzeExpr.
package analyze
