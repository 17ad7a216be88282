// Package segment is the immutable column file: rows sorted by key, one encoded
// chunk per column, cut into blocks that are aligned over all columns.
//
//	Writer   Append(keys, vectors) … Finish → Meta
//	File     Open; Read, ReadSelected: blocks as vectors; Row: single values;
//	         Find, SeekRow, Keys: by key; Zone, MayMatch: what a block cannot hold
//	Ahead    reads a column's blocks for a scan, several at once
//	Cache    verified blocks of all files, bounded in bytes
//
// Vocabulary. A key is what storage/table calls a locator: bytes, ascending and
// distinct within a file, opaque here. A block is a run of up to BlockRowsMax rows
// (fewer where values are large); block b of every column has the same rows. A chunk
// is the blocks of one column, contiguous in the file, and perhaps a dictionary or
// symbol table that they share. A zone is what is known of a block's values: the
// number of NULLs, bounds of the others. Columns are named by their attribute
// number; nothing else of a schema is known here.
//
// Forms (block.go, ints.go, text.go, symbols.go) are chosen by size: constants,
// frames of reference, lines, runs, small tables, patched frames for integers,
// dates and decimals; a sorted dictionary per chunk for text that repeats, a
// symbol table for text that does not. Every form gives one value without decoding
// its block. The bytes of a file are described in format.go.
//
// Invariants. (1) A file never changes once Finish has returned. (2) Vectors given
// out are immutable, complete and nobody's to release; they may share a cached
// block's memory. (3) Values come back digit by digit as they were written: a
// numeric block is Dec64 only where all its values have one scale. (4) A damaged
// file gives XX001 naming file and block from whatever call meets the damage.
//
// Threading. A Writer belongs to one goroutine. File and Cache are safe for
// concurrent use; Close is called when nobody reads.
//
// Not here: which rows are visible, which files there are (storage/columns),
// what keys mean (storage/table).
package segment
