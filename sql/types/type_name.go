package types

import "strconv"

// builtinNames are format_type()'s names of the types whose SQL name differs from pg_type's.
var builtinNames = map[OID]string{
	Bool: "boolean", Char: "\"char\"", Int2: "smallint", Int4: "integer", Int8: "bigint", Float4: "real", Float8: "double precision",
	BPChar: "character", VarChar: "character varying", TimeOID: "time without time zone", TimeTZOID: "time with time zone",
	TimestampOID: "timestamp without time zone", TimestampTZOID: "timestamp with time zone", Bit: "bit", VarBit: "bit varying",
	Bytea: "bytea", Name: "name", Text: "text", Oid: "oid", JSON: "json", JSONBOID: "jsonb", DateOID: "date", IntervalOID: "interval",
	NumericOID: "numeric", UUIDOID: "uuid", XML: "xml", RecordOID: "record", Unknown: "unknown", CString: "cstring", Void: "void",
	RegClass: "regclass", RegType: "regtype", RegProc: "regproc", Xid: "xid", Cid: "cid", Tid: "tid", Inet: "inet", Cidr: "cidr",
	Money: "money", Xid8: "xid8", PgLSN: "pg_lsn", JSONPath: "jsonpath", Int2Vector: "int2vector", OidVector: "oidvector",
	AnyElement: "anyelement", AnyArray: "anyarray", RefCursor: "refcursor", ACLItem: "aclitem",
}

// TypeName is the SQL name of a built-in type where no catalog is at hand; other
// types are named by their OID.
func TypeName(oid OID) string {
	if n, ok := builtinNames[oid]; ok {
		return n
	}
	if e, ok := arrayElem[oid]; ok {
		return TypeName(e) + "[]"
	}
	return strconv.FormatUint(uint64(oid), 10)
}
