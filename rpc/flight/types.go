package flight

import (
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"

	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/types"
)

// The types of results. The table in docs/flight.md is the same for users.

// decimalDigitsMax is the precision of decimal128.
const decimalDigitsMax = 38

// decimalOf gives the decimal type of numeric(p,s), nil when text must do: no
// precision, more digits than decimal128 has, or a scale outside 0 to p.
func decimalOf(t types.T) *arrow.Decimal128Type {
	p, s, ok := types.NumericTypmod(t.Mod)
	if !ok || p > decimalDigitsMax || s < 0 || s > p {
		return nil
	}
	return &arrow.Decimal128Type{Precision: p, Scale: s}
}

// same reports whether the physical vector of t is what clients get.
func same(t types.T) bool {
	if t.Class != types.ClassBase {
		return false
	}
	switch t.OID {
	case types.Bool, types.Int2, types.Int4, types.Int8, types.Float4, types.Float8, types.Oid, types.Xid, types.Cid, types.Xid8,
		types.Text, types.VarChar, types.BPChar, types.Name, types.JSON, types.Unknown, types.Bytea, types.Bit, types.VarBit,
		types.DateOID, types.TimeOID, types.UUIDOID:
		return true
	}
	return false
}

// isTimestamp reports the types whose vectors count from another moment than Arrow.
func isTimestamp(t types.T) bool {
	return t.Class == types.ClassBase && (t.OID == types.TimestampOID || t.OID == types.TimestampTZOID)
}

// arrowType is the type of t in results.
func arrowType(t types.T) arrow.DataType {
	switch {
	case same(t), isTimestamp(t):
		return types.ArrowType(t)
	case t.Class == types.ClassArray:
		return arrow.ListOfField(field("item", t.ElemType(), true))
	case t.Class == types.ClassBase && t.OID == types.NumericOID:
		if d := decimalOf(t); d != nil {
			return d
		}
	case t.Class == types.ClassBase && t.OID == types.IntervalOID:
		return arrow.FixedWidthTypes.MonthDayNanoInterval
	}
	return arrow.BinaryTypes.String
}

// field is an Arrow field of a PostgreSQL type, without column metadata.
func field(name string, t types.T, nullable bool) arrow.Field {
	f := arrow.Field{Name: name, Type: arrowType(t), Nullable: nullable}
	if k, v := extension(t); k != nil {
		f.Metadata = arrow.NewMetadata(k, v)
	}
	return f
}

// extension names the canonical extension type of a type's values. It is given as field
// metadata, which clients that do not know the extension ignore.
func extension(t types.T) (keys, values []string) {
	name := ""
	switch {
	case t.Class != types.ClassBase:
	case t.OID == types.UUIDOID:
		name = "arrow.uuid"
	}
	if name == "" {
		return nil, nil
	}
	return []string{"ARROW:extension:name", "ARROW:extension:metadata"}, []string{name, ""}
}

// columnField is the field of a result or table column: with the metadata Flight SQL names.
func columnField(res types.Resolver, name string, t types.T, nullable bool) arrow.Field {
	f := field(name, t, nullable)
	b := flightsql.NewColumnMetadataBuilder()
	if res != nil {
		b.TypeName(res.FormatType(t.OID, -1))
	}
	if t.Class == types.ClassBase {
		switch t.OID {
		case types.NumericOID:
			if p, s, ok := types.NumericTypmod(t.Mod); ok {
				b.Precision(p).Scale(s)
			}
		case types.VarChar, types.BPChar:
			if t.Mod >= 4 {
				b.Precision(t.Mod - 4)
			}
		case types.Bit, types.VarBit:
			if t.Mod > 0 {
				b.Precision(t.Mod)
			}
		}
	}
	m := b.Metadata()
	k, v := extension(t)
	f.Metadata = arrow.NewMetadata(append(k, m.Keys()...), append(v, m.Values()...))
	return f
}

// schemaOf is the schema of a result.
func schemaOf(res types.Resolver, cols []pgwire.Column) *arrow.Schema {
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		fields[i] = columnField(res, c.Name, c.Type, true)
	}
	return arrow.NewSchema(fields, nil)
}
