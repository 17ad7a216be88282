package types

func init() {
	for name, t := range map[string]T{
		"bool": Of(Bool), `"char"`: Of(Char), "int2": Of(Int2), "int4": Of(Int4), "int8": Of(Int8), "float4": Of(Float4), "float8": Of(Float8),
		"numeric": Of(NumericOID), "numeric(5,2)": WithMod(NumericOID, (5<<16|2)+4), "numeric(3,3)": WithMod(NumericOID, (3<<16|3)+4),
		"numeric(4,-2)": WithMod(NumericOID, (4<<16|(-2&0x7ff))+4), "numeric(20,0)": WithMod(NumericOID, 20<<16+4),
		"text": Of(Text), "varchar(3)": WithMod(VarChar, 7), "char(3)": WithMod(BPChar, 7), "bpchar": Of(BPChar), "name": Of(Name), "bytea": Of(Bytea),
		"bit": Of(Bit), "varbit": Of(VarBit), "varbit[]": Of(VarBitArray), "uuid": Of(UUIDOID), "oid": Of(Oid), "xid": Of(Xid), "cid": Of(Cid), "xid8": Of(Xid8), "pg_lsn": Of(PgLSN),
	} {
		valueTypes[name] = t
	}
}
