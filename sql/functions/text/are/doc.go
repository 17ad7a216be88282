// Package are is PostgreSQL's regular expressions: advanced regular expressions
// (the manual's 9.7.3) with their own rules about which match is found, and
// SIMILAR TO's patterns translated to them.
//
// How it works. parse.go reads a pattern into a tree. program.go compiles the tree
// (and, on demand, its parts) to a small program; vm.go runs a program over a
// string for all alternatives at once, in time linear in the string. match.go
// finds the leftmost start, then the longest or shortest end as the expression's
// preference says; dissect.go then divides the match among the capturing
// parentheses by each part's own preference, left to right. Where the tree has an
// exact counterpart in Go's regexp, that does the searching.
//
// Back references have no such program: backtrack.go tries the possibilities one
// by one, within a bound of steps.
//
// Characters outside ASCII are letters to nobody and have no case, as PostgreSQL
// has it under collation C.
//
// A Regexp is safe for concurrent use.
package are
