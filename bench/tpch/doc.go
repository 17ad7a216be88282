// Package tpch loads TPC-H and runs its 22 queries over the PostgreSQL wire
// protocol, against Basalt or any PostgreSQL, and checks the answers.
//
// Queries use the specification's default parameters. Answers at scale factors
// 0.01 and 1 are PostgreSQL 15's, as `psql -A -t -F'|'` prints them; at other
// scale factors two targets' answers can be compared with each other.
//
// A lineitem or orders line of the generated data is streamed straight into
// COPY: nothing is written to disk.
package tpch
