// Package flight is Basalt's Arrow Flight SQL server: clients that speak Arrow
// run statements and pull their results as record batches, without the detour
// through rows. docs/flight.md is the user's side of it.
//
// The way of a query: GetFlightInfo prepares the text, answers the schema and a
// ticket; DoGet redeems the ticket: a session runs the statement and hands its
// batches, converted column by column (types.go, convert.go), to the stream.
//
// A message is never put together in memory (message.go): its body is a list of the vectors'
// buffers, in the segment reader's memory or, where a vector had to be made for sending
// (decimals, text out of its dictionary), in an arena that is used again once gRPC has
// written the message (arena.go).
//
// Vocabulary. An identity is who calls and what he asked for in headers. A conn
// is one SQL session (pgwire.Session, the same as the wire protocol drives) with
// what makes it safe for many callers: one call at a time, cancellation, an end.
// Calls outside a transaction have a conn of their own for their duration; a
// Flight SQL transaction is a conn that stays. A prepared statement is a text
// with its types and bound parameters, kept here and prepared anew in the conn
// that runs it (the plan cache makes that cheap). A ticket (ticket.go) says what
// a DoGet is to do; it is authenticated, so that only this server makes them.
//
// Invariants. (1) A result's batches have exactly the schema GetFlightInfo
// promised. (2) At most a few batches of a result are in memory: the statement
// waits for the client to take them. (3) When the call of a client ends, however
// it ends, its statement is cancelled and a conn of its own is closed. (4) Nothing
// a client sends ends the process: panics end their call.
//
// Results in parts (parts.go): what storage nodes can deliver each by itself has an endpoint
// per node, all of one snapshot, which a lease keeps. A server without sessions, on a
// storage node, redeems tickets for parts and does nothing else.
//
// Threading: everything here is called by many goroutines at once.
//
// What is not here: SQL (sql/session), passwords' verifiers (sql/auth).
package flight
