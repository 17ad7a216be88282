// Package isolation runs PostgreSQL's own isolation specs against a server: several
// sessions in fixed interleavings, every wait, error and row compared with what
// PostgreSQL expects of itself.
//
// The specs and their expected output are PostgreSQL's and are not kept here:
// Source finds them where the machine has them, or fetches PostgreSQL's source
// package. The program that plays a spec is PostgreSQL's isolationtester.
//
// skipped.txt lists the specs that are left out, each with its reason, and
// known.txt the specs that differ, each with its reason; every other spec of
// PostgreSQL's schedule must print exactly what one of its expected files says.
//
// Each spec runs in a database of its own, so one that breaks off leaves nothing
// to the next. A run belongs to one goroutine.
package isolation
