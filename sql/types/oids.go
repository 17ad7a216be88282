package types

// OIDs of the built-in types, as pg_type of PostgreSQL has them. Where a Go value
// type of the same name exists (Date, Numeric, …) the OID carries the suffix OID.
const (
	Bool                    OID = 16
	Bytea                   OID = 17
	Char                    OID = 18
	Name                    OID = 19
	Int8                    OID = 20
	Int2                    OID = 21
	Int2Vector              OID = 22
	Int4                    OID = 23
	RegProc                 OID = 24
	Text                    OID = 25
	Oid                     OID = 26
	Tid                     OID = 27
	Xid                     OID = 28
	Cid                     OID = 29
	OidVector               OID = 30
	JSON                    OID = 114
	XML                     OID = 142
	PgNodeTree              OID = 194
	Cidr                    OID = 650
	Float4                  OID = 700
	Float8                  OID = 701
	Unknown                 OID = 705
	Money                   OID = 790
	Inet                    OID = 869
	ACLItem                 OID = 1033
	BPChar                  OID = 1042
	VarChar                 OID = 1043
	DateOID                 OID = 1082
	TimeOID                 OID = 1083
	TimestampOID            OID = 1114
	TimestampTZOID          OID = 1184
	IntervalOID             OID = 1186
	TimeTZOID               OID = 1266
	Bit                     OID = 1560
	VarBit                  OID = 1562
	NumericOID              OID = 1700
	RefCursor               OID = 1790
	RegProcedure            OID = 2202
	RegOper                 OID = 2203
	RegOperator             OID = 2204
	RegClass                OID = 2205
	RegType                 OID = 2206
	RecordOID               OID = 2249
	CString                 OID = 2275
	Any                     OID = 2276
	AnyArray                OID = 2277
	Void                    OID = 2278
	Trigger                 OID = 2279
	InternalOID             OID = 2281
	AnyElement              OID = 2283
	AnyNonArray             OID = 2776
	UUIDOID                 OID = 2950
	PgLSN                   OID = 3220
	AnyEnum                 OID = 3500
	RegConfig               OID = 3734
	RegDictionary           OID = 3769
	JSONBOID                OID = 3802
	AnyRange                OID = 3831
	JSONPath                OID = 4072
	RegNamespace            OID = 4089
	RegRole                 OID = 4096
	RegCollation            OID = 4191
	AnyMultirange           OID = 4537
	AnyCompatibleMultirange OID = 4538
	Xid8                    OID = 5069
	AnyCompatible           OID = 5077
	AnyCompatibleArray      OID = 5078
	AnyCompatibleNonArray   OID = 5079
	AnyCompatibleRange      OID = 5080
)

// OIDs of the array types over the built-in types.
const (
	NameArray          OID = 1003
	BoolArray          OID = 1000
	ByteaArray         OID = 1001
	CharArray          OID = 1002
	Int8Array          OID = 1016
	Int2Array          OID = 1005
	Int2VectorArray    OID = 1006
	Int4Array          OID = 1007
	RegProcArray       OID = 1008
	TextArray          OID = 1009
	OidArray           OID = 1028
	TidArray           OID = 1010
	XidArray           OID = 1011
	CidArray           OID = 1012
	OidVectorArray     OID = 1013
	JSONArray          OID = 199
	XMLArray           OID = 143
	CidrArray          OID = 651
	Float4Array        OID = 1021
	Float8Array        OID = 1022
	MoneyArray         OID = 791
	InetArray          OID = 1041
	ACLItemArray       OID = 1034
	BPCharArray        OID = 1014
	VarCharArray       OID = 1015
	DateArray          OID = 1182
	TimeArray          OID = 1183
	TimestampArray     OID = 1115
	TimestampTZArray   OID = 1185
	IntervalArray      OID = 1187
	TimeTZArray        OID = 1270
	BitArray           OID = 1561
	VarBitArray        OID = 1563
	NumericArray       OID = 1231
	RefCursorArray     OID = 2201
	RegProcedureArray  OID = 2207
	RegOperArray       OID = 2208
	RegOperatorArray   OID = 2209
	RegClassArray      OID = 2210
	RegTypeArray       OID = 2211
	CStringArray       OID = 1263
	UUIDArray          OID = 2951
	PgLSNArray         OID = 3221
	RegConfigArray     OID = 3735
	RegDictionaryArray OID = 3770
	JSONBArray         OID = 3807
	JSONPathArray      OID = 4073
	RegNamespaceArray  OID = 4090
	RegRoleArray       OID = 4097
	RegCollationArray  OID = 4192
	Xid8Array          OID = 271
)

// arrayElem maps each built-in array type to its element type.
var arrayElem = map[OID]OID{
	NameArray:          Name,
	BoolArray:          Bool,
	ByteaArray:         Bytea,
	CharArray:          Char,
	Int8Array:          Int8,
	Int2Array:          Int2,
	Int2VectorArray:    Int2Vector,
	Int4Array:          Int4,
	RegProcArray:       RegProc,
	TextArray:          Text,
	OidArray:           Oid,
	TidArray:           Tid,
	XidArray:           Xid,
	CidArray:           Cid,
	OidVectorArray:     OidVector,
	JSONArray:          JSON,
	XMLArray:           XML,
	CidrArray:          Cidr,
	Float4Array:        Float4,
	Float8Array:        Float8,
	MoneyArray:         Money,
	InetArray:          Inet,
	ACLItemArray:       ACLItem,
	BPCharArray:        BPChar,
	VarCharArray:       VarChar,
	DateArray:          DateOID,
	TimeArray:          TimeOID,
	TimestampArray:     TimestampOID,
	TimestampTZArray:   TimestampTZOID,
	IntervalArray:      IntervalOID,
	TimeTZArray:        TimeTZOID,
	BitArray:           Bit,
	VarBitArray:        VarBit,
	NumericArray:       NumericOID,
	RefCursorArray:     RefCursor,
	RegProcedureArray:  RegProcedure,
	RegOperArray:       RegOper,
	RegOperatorArray:   RegOperator,
	RegClassArray:      RegClass,
	RegTypeArray:       RegType,
	CStringArray:       CString,
	UUIDArray:          UUIDOID,
	PgLSNArray:         PgLSN,
	RegConfigArray:     RegConfig,
	RegDictionaryArray: RegDictionary,
	JSONBArray:         JSONBOID,
	JSONPathArray:      JSONPath,
	RegNamespaceArray:  RegNamespace,
	RegRoleArray:       RegRole,
	RegCollationArray:  RegCollation,
	Xid8Array:          Xid8,
}
