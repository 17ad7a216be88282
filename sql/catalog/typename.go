package catalog

import (
	"fmt"

	"github.com/basaltdb/basalt/sql/types"
)

// sqlTypeName gives the SQL spelling of the types that have one of their own,
// with their modifier when mod ≥ 0; ok is false for the others. given says that
// a modifier was asked for, even −1 (format_type(1042, -1) is "bpchar").
func sqlTypeName(oid types.OID, mod int32, given bool) (name string, ok bool) {
	has := mod >= 0
	prec := func(base, suffix string) string {
		if has {
			return fmt.Sprintf("%s(%d)%s", base, mod, suffix)
		}
		return base + suffix
	}
	switch oid {
	case types.Bool:
		return "boolean", true
	case types.Int2:
		return "smallint", true
	case types.Int4:
		return "integer", true
	case types.Int8:
		return "bigint", true
	case types.Float4:
		return "real", true
	case types.Float8:
		return "double precision", true
	case types.Char:
		return `"char"`, true
	case types.BPChar:
		if has {
			return fmt.Sprintf("character(%d)", mod-4), true
		}
		if given {
			return "bpchar", true
		}
		return "character", true
	case types.VarChar:
		if has {
			return fmt.Sprintf("character varying(%d)", mod-4), true
		}
		return "character varying", true
	case types.Bit:
		if has {
			return fmt.Sprintf("bit(%d)", mod), true
		}
		if given {
			return `"bit"`, true
		}
		return "bit", true
	case types.VarBit:
		return prec("bit varying", ""), true
	case types.NumericOID:
		if mod >= 4 {
			m := mod - 4
			return fmt.Sprintf("numeric(%d,%d)", (m>>16)&0xffff, int32(m&0x7ff^1024)-1024), true
		}
		return "numeric", true
	case types.TimeOID:
		return prec("time", " without time zone"), true
	case types.TimeTZOID:
		return prec("time", " with time zone"), true
	case types.TimestampOID:
		return prec("timestamp", " without time zone"), true
	case types.TimestampTZOID:
		return prec("timestamp", " with time zone"), true
	case types.IntervalOID:
		if has {
			return "interval" + intervalModifier(mod), true
		}
		return "interval", true
	}
	return "", false
}

// intervalModifier prints an interval's typmod: its fields and precision.
func intervalModifier(mod int32) string {
	const (
		month, year, day, hour, minute, second = 1 << 1, 1 << 2, 1 << 3, 1 << 10, 1 << 11, 1 << 12
		fullRange, fullPrecision               = 0x7fff, 0xffff
	)
	fields, precision := int(mod>>16)&0x7fff, int(mod&0xffff)
	s := ""
	switch fields {
	case year:
		s = " year"
	case month:
		s = " month"
	case day:
		s = " day"
	case hour:
		s = " hour"
	case minute:
		s = " minute"
	case second:
		s = " second"
	case year | month:
		s = " year to month"
	case day | hour:
		s = " day to hour"
	case day | hour | minute:
		s = " day to minute"
	case day | hour | minute | second:
		s = " day to second"
	case hour | minute:
		s = " hour to minute"
	case hour | minute | second:
		s = " hour to second"
	case minute | second:
		s = " minute to second"
	case fullRange:
	}
	if precision != fullPrecision {
		s += fmt.Sprintf("(%d)", precision)
	}
	return s
}

// FormatTypeIn is format_type() over a search path. given says that a modifier
// argument was present, even if negative.
func FormatTypeIn(r Reader, path []types.OID, oid types.OID, mod int32, given bool) string {
	if oid == 0 {
		return "-"
	}
	ty, err := r.Type(bg, oid)
	if err != nil || ty == nil {
		return "???"
	}
	suffix := ""
	if ty.IsTrueArray && ty.OID != types.Int2Vector && ty.OID != types.OidVector {
		elem, err := r.Type(bg, ty.Elem)
		if err != nil || elem == nil {
			return "???[]"
		}
		ty, suffix = elem, "[]"
	}
	if s, ok := sqlTypeName(ty.OID, mod, given); ok {
		return s + suffix
	}
	name := QuoteIdent(ty.Name)
	if !typeVisible(r, path, ty) {
		if ns, err := r.Namespace(bg, ty.Namespace); err == nil && ns != nil {
			name = QuoteIdent(SchemaName(r, ns.OID, ns.Name)) + "." + name
		}
	}
	if mod >= 0 {
		name = fmt.Sprintf("%s(%d)", name, mod)
	}
	return name + suffix
}
