// Package charset converts between UTF8, the encoding of every database, and the
// other encodings PostgreSQL knows: those of clients (client_encoding), of COPY
// files and of convert() and its kin.
//
// An Encoding is found by any of PostgreSQL's spellings of its name, or by its
// number. Text is cut into characters by the encoding's own rule first, so that a
// malformed sequence (22021) is told from a character that the other side does
// not have (22P05), and both are reported with the bytes PostgreSQL reports.
//
// The tables are those of golang.org/x/text. Where they follow the web's
// standard and not the vendor's (control characters in the holes of the windows
// code pages), the holes are left untranslatable, as PostgreSQL has it.
//
// Invariants: what ToUTF8 gives is valid UTF-8 without NUL; FromUTF8 is given
// valid UTF-8. SQL_ASCII stands for no conversion: its bytes are only checked.
// Encodings are immutable and safe for concurrent use.
//
// What is not here: EUC_TW, EUC_JIS_2004, SHIFT_JIS_2004, MULE_INTERNAL and
// JOHAB, which have a name and a number but no conversion.
package charset
