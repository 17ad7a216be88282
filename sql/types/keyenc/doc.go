// Package keyenc gives keys their meaning: which bytes a table's or index's keys
// start with, and encodings of SQL values whose byte order is the values' order.
//
// The key space (frozen, format version 1):
//
//	offset  size  what
//	0       2     tablet, big endian
//	2       8     storage id, big endian (planpb.Table.storage_id, planpb.Index.storage_id)
//	10      n     table: the primary key's columns, or the hidden row id, 8 bytes big endian
//	              index: the index's key columns; then, unless the entry is unique
//	              by these alone, the row's locator
//
// A locator is the part of a row's key after the storage id. Storage ids below
// 16 are the store's own (see storage).
//
// One column's bytes: a marker (0x00 NULL first, 0x01 a value, 0x02 NULL last),
// then the value's bytes, inverted when the column is descending. Encodings are
// self-delimiting, so that columns follow each other without separators. Equal
// values (by the type's btree equality: 1.0 and 1.00, −0 and 0, bpchar with and
// without padding) have equal bytes; so keys do not give back every value, rows
// hold them in full.
//
//	bool, "char"          1 byte
//	int2, int4, int8      big endian, sign bit flipped
//	oid and kin, xid8     big endian
//	float4, float8        IEEE bits, big endian, flipped to order; NaN above all
//	date, time, timestamp as the integers they are
//	timetz                instant (8 bytes), zone (4 bytes)
//	interval              PostgreSQL's 128-bit span, big endian, sign flipped
//	uuid                  16 bytes
//	text, bytea, bit, …   00 escaped to 00 FF, ended by 00 01; bpchar without trailing blanks
//	numeric               see numeric.go
//	enum                  sort position as float4, then the label's OID
//	arrays, records       see composite.go
//
// A slot is the place of a row in the hash space of key columns (slot.go): also
// computed from a key's bytes, and by those who send rows where they lie.
//
// Pure functions, safe for concurrent use. A leaf beside sql/types.
package keyenc
