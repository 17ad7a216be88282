package catalogtest

import (
	"testing"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/types"
)

func TestReader(t *testing.T) {
	c := New()
	r := c.Table("t", []string{"id"}, Col("id", "bigint"), Col("price", "numeric(15,2)"), Col("tags", "text[]"))
	c.Index(r, "t_price", false, "price")
	mood := c.Enum("mood", "sad", "happy")
	for _, x := range []struct{ got, want string }{
		{c.FormatType(r.Columns[1].Type.OID, r.Columns[1].Type.Mod), "numeric(15,2)"},
		{c.FormatType(r.Columns[2].Type.OID, -1), "text[]"},
		{c.FormatType(mood.Array, -1), "mood[]"},
		{c.FormatType(types.BPChar, -1), "character"},
		{c.FormatType(types.TimestampTZOID, 3), "timestamp(3) with time zone"},
		{c.RegOut(types.RegClass, r.OID), "t"},
		{c.RegOut(types.RegClass, 1259), "pg_class"},
		{c.RegOut(types.RegProcedure, 177), "int4pl(integer,integer)"},
		{c.RegOut(types.RegOperator, 96), "=(integer,integer)"},
	} {
		if x.got != x.want {
			t.Errorf("got %q, want %q", x.got, x.want)
		}
	}
	for text, want := range map[string]types.OID{"double precision": types.Float8, "varchar(3)": types.VarChar, "pg_catalog.int4": types.Int4, "int[]": types.Int4Array, `"char"`: types.Char, "Mood": mood.OID, "timestamp(3) with time zone": types.TimestampTZOID} {
		if got, err := c.RegIn(types.RegType, text); err != nil || got != want {
			t.Errorf("regtype %q: %d, %v; want %d", text, got, err, want)
		}
	}
	if _, err := c.RegIn(types.RegClass, "nope"); err == nil || err.Error() != `relation "nope" does not exist` {
		t.Errorf("regclass nope: %v", err)
	}
	if got, err := c.RegIn(types.RegProcedure, "int4pl(int4, integer)"); err != nil || got != 177 {
		t.Errorf("regprocedure: %d %v", got, err)
	}
	pc, _ := c.RelationByName(t.Context(), catalog.PgCatalogNamespace, "pg_class")
	if pc == nil || pc.PrimaryKey < 0 || len(pc.Storage.PrimaryKey) != 1 || len(pc.Indexes) != 3 {
		t.Errorf("pg_class: %+v", pc)
	}
}
