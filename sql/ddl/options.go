package ddl

import (
	"strconv"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// defText is a DefElem's value as text; "true" when it has none.
func defText(d *pg_query.DefElem) string {
	if d.Arg == nil {
		return "true"
	}
	return nodeText(d.Arg)
}

func nodeText(n *pg_query.Node) string {
	switch v := n.GetNode().(type) {
	case *pg_query.Node_String_:
		return v.String_.Sval
	case *pg_query.Node_Integer:
		return strconv.Itoa(int(v.Integer.Ival))
	case *pg_query.Node_Float:
		return v.Float.Fval
	case *pg_query.Node_Boolean:
		return strconv.FormatBool(v.Boolean.Boolval)
	case *pg_query.Node_TypeName:
		return strings.Join(strs(v.TypeName.Names), ".")
	case *pg_query.Node_List:
		return strings.Join(strs(v.List.Items), ".")
	}
	return ""
}

func checkOption(name, v string, k optionKind) error {
	switch k.kind {
	case 'i':
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil {
			return pgerror.New(pgerror.InvalidParameterValue, "invalid value for integer option %q: %s", name, v)
		}
		if float64(n) < k.min || float64(n) > k.max {
			return pgerror.New(pgerror.InvalidParameterValue, "value %s out of bounds for option %q", v, name).
				WithDetail("Valid values are between \"%d\" and \"%d\".", int(k.min), int(k.max))
		}
	case 'f':
		n, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return pgerror.New(pgerror.InvalidParameterValue, "invalid value for floating point option %q: %s", name, v)
		}
		if n < k.min || n > k.max {
			return pgerror.New(pgerror.InvalidParameterValue, "value %s out of bounds for option %q", v, name).
				WithDetail("Valid values are between \"%f\" and \"%f\".", k.min, k.max)
		}
	case 'b':
		if _, ok := boolWord(v); !ok {
			return pgerror.New(pgerror.InvalidParameterValue, "invalid value for boolean option %q: %s", name, v)
		}
	case 's':
		if name == "check_option" && v != "local" && v != "cascaded" {
			return pgerror.New(pgerror.InvalidParameterValue, "invalid value for enum option %q: %s", name, v).
				WithDetail("Valid values are \"local\" and \"cascaded\".")
		}
	}
	return nil
}

func boolWord(v string) (val, ok bool) {
	switch strings.ToLower(v) {
	case "true", "on", "yes", "1", "t", "y":
		return true, true
	case "false", "off", "no", "0", "f", "n":
		return false, true
	}
	return false, false
}

// defInt reads a DefElem's 64-bit integer.
func defInt(d *pg_query.DefElem) (int64, error) {
	switch v := d.Arg.GetNode().(type) {
	case *pg_query.Node_Integer:
		return int64(v.Integer.Ival), nil
	case *pg_query.Node_Float:
		n, err := strconv.ParseInt(v.Float.Fval, 10, 64)
		if err != nil {
			if strings.ContainsAny(v.Float.Fval, ".eE") {
				return 0, pgerror.New(pgerror.InvalidTextRepresentation, "invalid input syntax for type bigint: %q", v.Float.Fval)
			}
			return 0, pgerror.New(pgerror.NumericValueOutOfRange, "value %q is out of range for type bigint", v.Float.Fval)
		}
		return n, nil
	}
	return 0, pgerror.New(pgerror.SyntaxError, "%s requires a numeric value", d.Defname)
}

// defBool reads a DefElem's boolean; none is true.
func defBool(d *pg_query.DefElem) (bool, error) {
	if d.Arg == nil {
		return true, nil
	}
	if i, ok := d.Arg.GetNode().(*pg_query.Node_Integer); ok && i.Integer.Ival != 0 && i.Integer.Ival != 1 {
		return false, pgerror.New(pgerror.SyntaxError, "%s requires a Boolean value", d.Defname)
	}
	v, ok := boolWord(nodeText(d.Arg))
	if !ok {
		return false, pgerror.New(pgerror.SyntaxError, "%s requires a Boolean value", d.Defname)
	}
	return v, nil
}

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }
