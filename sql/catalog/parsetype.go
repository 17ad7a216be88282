package catalog

import (
	"strconv"
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// sqlTypeWords maps the SQL spellings of built-in types (white space
// normalised, modifier taken out) to their OIDs.
var sqlTypeWords = map[string]types.OID{
	"boolean": types.Bool, "smallint": types.Int2, "int": types.Int4, "integer": types.Int4, "bigint": types.Int8,
	"real": types.Float4, "double precision": types.Float8, "float": types.Float8,
	"decimal": types.NumericOID, "dec": types.NumericOID, "numeric": types.NumericOID,
	"character varying": types.VarChar, "char varying": types.VarChar, "nchar varying": types.VarChar, "national character varying": types.VarChar,
	"national char varying": types.VarChar, "varchar": types.VarChar,
	"character": types.BPChar, "char": types.BPChar, "nchar": types.BPChar, "national character": types.BPChar, "national char": types.BPChar,
	"bit": types.Bit, "bit varying": types.VarBit,
	"time": types.TimeOID, "time without time zone": types.TimeOID, "time with time zone": types.TimeTZOID,
	"timestamp": types.TimestampOID, "timestamp without time zone": types.TimestampOID, "timestamp with time zone": types.TimestampTZOID,
	"interval": types.IntervalOID,
}

// ParseTypeName is parseTypeString(): the type a text such as "numeric(10,2)[]"
// or "timestamp with time zone" names under a search path. The modifier is kept
// for the types whose modifier is plain numbers.
func ParseTypeName(r Reader, role types.OID, path []types.OID, text string) (types.T, error) {
	s := strings.TrimSpace(text)
	bad := func() (types.T, error) {
		return types.T{}, pgerror.New(pgerror.SyntaxError, "syntax error at or near %q", s).WithPosition(0)
	}
	if s == "" {
		return types.T{}, pgerror.New(pgerror.SyntaxError, "invalid type name %q", text)
	}
	dims := 0
	for strings.HasSuffix(s, "]") {
		i := strings.LastIndexByte(s, '[')
		if i < 0 || strings.Trim(s[i+1:len(s)-1], " 0123456789") != "" {
			return bad()
		}
		s = strings.TrimSpace(s[:i])
		dims++
	}
	var mods []string
	words := s
	if i := strings.IndexByte(s, '('); i > 0 && !strings.Contains(s[:i], `"`) || i > 0 && strings.HasSuffix(s, ")") && !strings.HasSuffix(s, `"`) {
		j := strings.IndexByte(s, ')')
		if j < i {
			return bad()
		}
		for _, m := range strings.Split(s[i+1:j], ",") {
			mods = append(mods, strings.TrimSpace(m))
		}
		words = strings.TrimSpace(s[:i]) + " " + strings.TrimSpace(s[j+1:])
	}
	words = strings.TrimSpace(words)
	var ty *Type
	var err error
	if oid, ok := sqlTypeWords[foldName(strings.Join(strings.Fields(words), " "))]; ok {
		ty, err = r.Type(bg, oid)
	} else {
		var schema, name string
		schema, name, err = qualified(words, r.DatabaseName())
		if err != nil {
			if pgerror.From(err).Code == pgerror.InvalidName {
				return bad()
			}
			return types.T{}, err
		}
		if err := schemaExists(r, role, schema); err != nil {
			return types.T{}, err
		}
		ty, err = LookupType(bg, r, role, path, schema, name)
		if err == nil && ty == nil {
			return types.T{}, pgerror.New(pgerror.UndefinedObject, "type %q does not exist", joinName(schema, name))
		}
	}
	if err != nil {
		return types.T{}, err
	}
	t := ty.T
	if dims > 0 {
		arr, err := r.Type(bg, ty.Array)
		if err != nil {
			return types.T{}, err
		}
		if arr == nil {
			return types.T{}, pgerror.New(pgerror.UndefinedObject, "type \"%s[]\" does not exist", words)
		}
		t = arr.T
	}
	if len(mods) > 0 {
		n := make([]int32, len(mods))
		for i, m := range mods {
			v, err := strconv.Atoi(m)
			if err != nil {
				return bad()
			}
			n[i] = int32(v)
		}
		switch ty.OID {
		case types.VarChar, types.BPChar:
			t.Mod = n[0] + 4
		case types.NumericOID:
			scale := int32(0)
			if len(n) > 1 {
				scale = n[1]
			}
			t.Mod = (n[0]<<16 | scale&0x7ff) + 4
		default:
			t.Mod = n[0]
		}
	}
	return t, nil
}
