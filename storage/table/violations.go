package table

import (
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// uniqueViolation is PostgreSQL's 23505 for a row whose key is taken, unless that
// shows a conflict of SERIALIZABLE transactions.
func (s *Store) uniqueViolation(sc *schema, constraint string, ords []int, src rowSource, key []byte) error {
	if err := s.tx.PredicateWrite(key); err != nil {
		return err
	}
	e := pgerror.New(pgerror.UniqueViolation, "duplicate key value violates unique constraint \"%s\"", constraint).
		WithTable(sc.t.Schema, sc.t.Name).WithConstraint(constraint)
	if key := s.describeKey(sc, ords, src); key != "" {
		e.WithDetail("Key %s already exists.", key)
	}
	return e
}

// describeKey is "(a, b)=(1, 2)", as PostgreSQL words a key; "" where a value has no text.
func (s *Store) describeKey(sc *schema, ords []int, src rowSource) string {
	var names, vals strings.Builder
	for i, o := range ords {
		if i > 0 {
			names.WriteString(", ")
			vals.WriteString(", ")
		}
		names.WriteString(sc.columnName(o))
		d := src.datum(o)
		if d == nil {
			vals.WriteString("null")
			continue
		}
		txt, err := types.Out(s.env, sc.types[o], d)
		if err != nil {
			return ""
		}
		vals.WriteString(txt)
	}
	return "(" + names.String() + ")=(" + vals.String() + ")"
}

func (sc *schema) columnName(ord int) string {
	if ord < len(sc.t.Columns) {
		return quoted(sc.t.Columns[ord].Name)
	}
	if k := ord - len(sc.t.Columns); k < len(sc.t.ComputedNames) {
		return sc.t.ComputedNames[k]
	}
	return "expr"
}

// quoted puts a name in double quotes when its characters ask for them.
func quoted(name string) string {
	for i := range len(name) {
		if c := name[i]; !(c >= 'a' && c <= 'z' || c == '_' || i > 0 && c >= '0' && c <= '9') {
			return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		}
	}
	return name
}
