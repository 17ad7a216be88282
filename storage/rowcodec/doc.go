// Package rowcodec is the stored form of a row: columns found by attribute
// number in constant time, so that a scan touches only the columns it was asked
// for and turns them into Arrow vectors without a value in between.
//
// The bytes of a row (frozen, version 1; integers little endian):
//
//	offset  size       what
//	0       1          bits 0–3: version, 1; bits 4–5: width w of an end, 0 → 1, 1 → 2, 2 → 4 bytes
//	1       2          n, the number of slots: the highest attribute number stored
//	3       ⌈n/8⌉      presence: bit i set when attribute i+1 has a value
//	…       n × w      ends: where the value of attribute i+1 ends in the data
//	…       last end   data: the values, one behind the other
//
// A value begins where the one before it ends. An attribute that is not present
// is NULL; one above n was added after the row was stored and has its column's
// missing value. Slots of dropped columns stay empty in rows stored later.
//
// The bytes of a value:
//
//	bool, "char"                  1
//	int2 · int4, float4, oid, date, enum · int8, float8, time, timestamp, xid8   2 · 4 · 8
//	timetz · interval, uuid       12 · 16, as in the type's vector
//	text, bytea, jsonb, …         the bytes
//	numeric                       scale (0…18) and the unscaled integer in its shortest two's
//	                              complement form (0 to 8 bytes); or 0xFF and Numeric.AppendBinary
//	arrays, records               types.AppendArray, types.AppendRecord
//
// Encoder and Decoder are for one goroutine. Damaged rows are XX001.
package rowcodec
