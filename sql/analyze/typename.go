package analyze

import (
	"math"
	"strconv"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// typeName resolves a TypeName with its modifier.
func (a *analyzer) typeName(tn *pg_query.TypeName) types.T {
	loc := int(tn.Location)
	if tn.PctType {
		a.unsupported(loc, "%%TYPE")
	}
	t := a.lookupTypeName(tn)
	if t == nil {
		a.failAt(loc, pgerror.UndefinedObject, "type \"%s\" does not exist", typeNameText(tn))
	}
	if tn.Setof {
		a.failAt(loc, pgerror.DatatypeMismatch, "type %s cannot be SETOF here", typeNameText(tn))
	}
	mod := tn.Typemod
	if len(tn.Typmods) > 0 {
		// the grammar puts the array bounds over a type with modifiers: they belong to the element
		elem := t
		if len(tn.ArrayBounds) > 0 && t.Elem != 0 {
			elem = a.typ(t.Elem)
		}
		mod = a.typmod(elem, tn)
	} else if mod == 0 {
		mod = -1
	}
	return a.tOf(t.OID, mod)
}

// typeNameText prints a type name as the user wrote it.
func typeNameText(tn *pg_query.TypeName) string {
	s := strings.Join(nodeStrings(tn.Names), ".")
	if tn.PctType {
		s += "%TYPE"
	}
	if len(tn.ArrayBounds) > 0 {
		s += "[]"
	}
	return s
}

// lookupTypeName finds the pg_type row; nil when there is none.
func (a *analyzer) lookupTypeName(tn *pg_query.TypeName) *catalog.Type {
	names := nodeStrings(tn.Names)
	var t *catalog.Type
	switch len(names) {
	case 0:
		if tn.TypeOid != 0 {
			t = a.typ(types.OID(tn.TypeOid))
		}
	case 1:
		t = a.findType(names[0])
	default:
		if len(names) == 3 && names[0] != a.cat.DatabaseName() {
			a.failAt(int(tn.Location), pgerror.FeatureNotSupported, "cross-database references are not implemented: %s", strings.Join(names, "."))
		}
		if len(names) > 3 {
			a.failAt(int(tn.Location), pgerror.SyntaxError, "improper qualified name (too many dotted names): %s", strings.Join(names, "."))
		}
		schema := names[len(names)-2]
		ns := a.namespace(schema, int(tn.Location))
		if ns == nil {
			a.failAt(int(tn.Location), pgerror.InvalidSchemaName, "schema \"%s\" does not exist", schema)
		}
		var err error
		t, err = a.cat.TypeByName(a.ctx, ns.OID, names[len(names)-1])
		check(err)
	}
	if t != nil && len(tn.ArrayBounds) > 0 {
		if t.Array == 0 {
			return nil
		}
		return a.typ(t.Array)
	}
	return t
}

// typmodInts reads the modifier list.
func (a *analyzer) typmodInts(tn *pg_query.TypeName) []string {
	var out []string
	for _, n := range tn.Typmods {
		if c := n.GetAConst(); c != nil {
			switch v := c.Val.(type) {
			case *pg_query.A_Const_Ival:
				out = append(out, strconv.Itoa(int(v.Ival.Ival)))
				continue
			case *pg_query.A_Const_Fval:
				out = append(out, v.Fval.Fval)
				continue
			case *pg_query.A_Const_Sval:
				out = append(out, v.Sval.Sval)
				continue
			}
		} else if r := n.GetColumnRef(); r != nil && len(r.Fields) == 1 && r.Fields[0].GetString_() != nil {
			out = append(out, r.Fields[0].GetString_().Sval)
			continue
		}
		a.failAt(int(tn.Location), pgerror.SyntaxError, "type modifiers must be simple constants or identifiers")
	}
	return out
}

// typmod runs the type's modifier input.
func (a *analyzer) typmod(t *catalog.Type, tn *pg_query.TypeName) int32 {
	loc := int(tn.Location)
	bad := func(format string, args ...any) { a.failAt(loc, pgerror.InvalidParameterValue, format, args...) }
	texts := a.typmodInts(tn)
	if t.TypmodIn == 0 {
		a.failAt(loc, pgerror.SyntaxError, "type modifier is not allowed for type \"%s\"", typeNameText(tn))
	}
	var n []int32
	for _, s := range texts {
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			a.failAt(loc, pgerror.InvalidTextRepresentation, "invalid input syntax for type integer: \"%s\"", s)
		}
		if v > math.MaxInt32 || v < math.MinInt32 {
			a.failAt(loc, pgerror.NumericValueOutOfRange, "value \"%s\" is out of range for type integer", s)
		}
		n = append(n, int32(v))
	}
	precision := func(name string, tz bool) int32 {
		if len(n) != 1 {
			bad("invalid type modifier")
		}
		full := strings.ToUpper(name)
		suffix := ""
		if tz {
			suffix = " WITH TIME ZONE"
		}
		if n[0] < 0 {
			bad("%s(%d)%s precision must not be negative", full, n[0], suffix)
		}
		if n[0] > 6 {
			if a.env.Notice != nil {
				a.env.Notice(a.errAt(loc, pgerror.InvalidParameterValue, "%s(%d)%s precision reduced to maximum allowed, %d", full, n[0], suffix, 6).WithSeverity("WARNING"))
			}
			return 6
		}
		return n[0]
	}
	switch t.OID {
	case types.BPChar, types.VarChar:
		name := "varchar"
		if t.OID == types.BPChar {
			name = "char"
		}
		if len(n) != 1 {
			bad("invalid type modifier")
		}
		if n[0] < 1 {
			bad("length for type %s must be at least 1", name)
		}
		if n[0] > 10485760 {
			bad("length for type %s cannot exceed %d", name, 10485760)
		}
		return n[0] + 4
	case types.Bit, types.VarBit:
		name := "bit"
		if t.OID == types.VarBit {
			name = "varbit"
		}
		if len(n) != 1 {
			bad("invalid type modifier")
		}
		if n[0] < 1 {
			bad("length for type %s must be at least 1", name)
		}
		if n[0] > 10485760*8 {
			bad("length for type %s cannot exceed %d", name, 10485760*8)
		}
		return n[0]
	case types.NumericOID:
		switch len(n) {
		case 1:
			if n[0] < 1 || n[0] > 1000 {
				bad("NUMERIC precision %d must be between 1 and %d", n[0], 1000)
			}
			return n[0]<<16 + 4
		case 2:
			if n[0] < 1 || n[0] > 1000 {
				bad("NUMERIC precision %d must be between 1 and %d", n[0], 1000)
			}
			if n[1] < -1000 || n[1] > 1000 {
				bad("NUMERIC scale %d must be between %d and %d", n[1], -1000, 1000)
			}
			return n[0]<<16 | n[1]&0x7ff + 4
		}
		bad("invalid NUMERIC type modifier")
	case types.TimeOID:
		return precision("time", false)
	case types.TimeTZOID:
		return precision("time", true)
	case types.TimestampOID:
		return precision("timestamp", false)
	case types.TimestampTZOID:
		return precision("timestamp", true)
	case types.IntervalOID:
		return a.intervalTypmod(n, loc)
	}
	a.unsupported(loc, "type modifier of type %s", a.format(t.OID))
	return -1
}

// intervalFull is the field mask of an interval without fields, and of its precision when none is given.
const (
	intervalFullRange     = 0x7fff
	intervalFullPrecision = 0xffff
)

func (a *analyzer) intervalTypmod(n []int32, loc int) int32 {
	if len(n) == 0 || len(n) > 2 {
		a.failAt(loc, pgerror.InvalidParameterValue, "invalid INTERVAL type modifier")
	}
	const (
		month, year, day, hour, minute, second = 1 << 1, 1 << 2, 1 << 3, 1 << 10, 1 << 11, 1 << 12
	)
	switch n[0] {
	case year, month, day, hour, minute, second, year | month, day | hour, day | hour | minute, day | hour | minute | second,
		hour | minute, hour | minute | second, minute | second, intervalFullRange:
	default:
		a.failAt(loc, pgerror.InvalidParameterValue, "invalid INTERVAL type modifier")
	}
	if len(n) == 1 {
		if n[0] == intervalFullRange {
			return -1
		}
		return intervalFullPrecision | n[0]<<16
	}
	p := n[1]
	if p < 0 {
		a.failAt(loc, pgerror.InvalidParameterValue, "INTERVAL(%d) precision must not be negative", p)
	}
	if p > 6 {
		if a.env.Notice != nil {
			a.env.Notice(a.errAt(loc, pgerror.InvalidParameterValue, "INTERVAL(%d) precision reduced to maximum allowed, %d", p, 6).WithSeverity("WARNING"))
		}
		p = 6
	}
	return p | n[0]<<16
}
