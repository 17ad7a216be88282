// Package parse turns SQL text into PostgreSQL's raw parse trees, by
// PostgreSQL's own grammar (pg_query_go).
//
// Vocabulary. A source is the text a client sent: one or more statements. A
// Statement is one of them with its tree. Locations in trees are 0-based byte
// offsets into the source; error positions on the wire are 1-based character
// positions in it (Position converts).
//
// Invariants. Parse never crashes the process on hostile text: length, NUL
// bytes, encoding and nesting are checked before the C parser sees it. Errors
// are *pgerror.Error with PostgreSQL's message, SQLSTATE and position. Trees are
// shared and must not be changed. All functions are safe for concurrent use.
//
// What is not here: anything that needs a catalog (sql/analyze).
package parse
