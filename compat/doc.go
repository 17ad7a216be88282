// Package compat holds Basalt against upstream PostgreSQL.
//
// The corpus is plain SQL: DIR/AREA/NAME.sql, one statement after the other, run
// one by one (autocommit) over the simple protocol in a database of its own.
// PostgreSQL's answers are recorded beside each file (NAME.out): rows, column
// names and types, command tags, SQLSTATEs, messages, details, hints, positions
// and notices. Replaying runs the same statements on Basalt and compares.
//
//	make compat-record   runs the corpus on PostgreSQL and writes the .out files
//	make test            replays them on Basalt (TestReplay)
//	make compat-live     runs both side by side and shows the differences
//
// What must agree for a statement to count as equal: rows in order, column
// names and types, the command tag, or the SQLSTATE and message. Detail, hint,
// position and notices are compared too and counted on their own.
//
// Statements that are known to differ stand in known.txt with the reason. The
// list is meant to shrink: a listed statement that agrees fails the test, as does
// a list of 1 % of the statements or more. Where PostgreSQL 15 and 16 answer
// differently, the recording is of 16, which Basalt follows: v16.txt lists these files.
//
// The files named breadth.sql were written before their answers by Basalt were
// looked at; they are the part of the corpus that measures.
//
// The package speaks the wire protocol only; it knows nothing of either side's insides.
package compat
