// Package auth holds password verifiers and the server's side of SCRAM-SHA-256
// (RFC 5802, RFC 7677), as PostgreSQL stores and speaks them.
//
// A verifier is the text of pg_authid.rolpassword:
// "SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>", the last three in
// base64. NewVerifier makes one from a password; Exchange checks a client against
// one, or pretends to when the role has none, so that an attacker cannot tell
// roles that exist from those that do not.
//
// Passwords are compared as given: SASLprep only matters for non-ASCII
// passwords in unnormalised form, for which libpq falls back to the raw bytes too.
//
// What is not here: where verifiers are kept (sql/catalog), and the messages
// that carry the exchange (sql/pgwire).
package auth
