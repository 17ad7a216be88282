// Package check verifies a whole store: that the catalogs agree with each other
// and with what is stored, that every row and index entry has its counterpart,
// and that every file reads back as it was written. `basalt debug check` runs it
// over a directory, tests run it over a live node at their end.
//
// Vocabulary. A Problem is one broken invariant, with the database and object it
// was found in. A catalog rule follows one reference between catalogs
// (pg_attribute.attrelid to pg_class …). A storage id is the key range of one
// table or index generation.
//
// What is verified:
//
//	files     every block of every table file against its checksum (storage/engine)
//	catalog   references between catalogs, both ends of pg_depend and pg_shdepend,
//	          counts kept in pg_class, stored expressions that can be read
//	tables    rows decode and stand under their key, index entries have their row
//	          and the reverse (storage/table)
//	ranges    every storage id with keys belongs to a relation of some database or
//	          waits to be removed
//
// All of it is read in one snapshot, so that it holds beside running
// transactions too, except the ranges: uncommitted transactions keep their writes
// out of the store, but a table dropped since may still have its keys.
//
// Problems are collected, not returned as errors; an error means that the check
// could not go on. A Run belongs to one goroutine. Repair is not here.
package check
