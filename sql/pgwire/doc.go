// Package pgwire speaks PostgreSQL's frontend/backend protocol, version 3
// (https://www.postgresql.org/docs/16/protocol.html): it accepts connections,
// authenticates them, turns messages into calls of a Session and results into
// messages. It knows nothing of SQL.
//
// Vocabulary. A Server listens. A conn is one client connection, driven by one
// goroutine from start-up to close. A Session (declared here, implemented by
// sql/session) is what the connection drives. A Sink is the connection as the
// session sees it: where rows, tags, notices and COPY data go.
//
// Threading. Everything of a connection happens on its goroutine, with three
// exceptions that other goroutines use: cancel (a CancelRequest on another
// connection, a timeout, pg_cancel_backend), terminate (shutdown), and the
// server's watchdog, which looks whether the clients of running statements are
// still there and cancels the work of those that left.
//
// Invariants. (1) Input is bounded before memory is taken for it: a length word
// alone allocates nothing, a body grows as its bytes arrive, and a long one is
// accounted; without memory for it the message is read past and answered with 53200.
// Who has not logged in sends little, has little time, and keeps no place (admission.go). (2) Every byte
// received is untrusted; malformed messages end in an ErrorResponse (08P01) or
// in the connection's close, never in anything that other connections feel.
// (3) Output is flushed before the connection blocks on input, and bounded by
// the client's speed: a slow reader blocks its own statement only. A connection that
// waits for its client holds a small input buffer and nothing else.
// (4) After an error in the extended protocol, messages up to Sync are skipped.
//
// What is not here: statements and transactions (sql/session), formats of COPY
// data (sql/copy), password verifiers (sql/auth).
package pgwire
