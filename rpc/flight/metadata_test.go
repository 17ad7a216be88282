package flight_test

import (
	"context"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql/schema_ref"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// metadata runs a metadata command, checks its schema in the info and in the
// result, and gives its rows.
func metadata(t *testing.T, c *flightsql.Client, want *arrow.Schema, call func(context.Context) (*flight.FlightInfo, error)) []arrow.Record {
	t.Helper()
	ctx := ctxOf(t)
	info, err := call(ctx)
	if err != nil {
		t.Fatal(err)
	}
	promised, err := flight.DeserializeSchema(info.Schema, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	got, recs, err := fetch(ctx, c, info)
	if err != nil {
		t.Fatal(err)
	}
	if !promised.Equal(want) || !got.Equal(want) {
		t.Errorf("promised %s\ngot %s\nwant %s", promised, got, want)
	}
	return recs
}

func ptr(s string) *string { return &s }

func TestMetadata(t *testing.T) {
	f := start(t, nil)
	c := f.client(t, nil)
	f.exec(t, "CREATE SCHEMA s", "CREATE TABLE s.parent (a int, b int, c text NOT NULL, PRIMARY KEY (b, a), UNIQUE (c))",
		`CREATE TABLE "Child" (id int8 PRIMARY KEY, x int, y int, n numeric(7,2), CONSTRAINT up FOREIGN KEY (x, y) REFERENCES s.parent (b, a) ON DELETE CASCADE ON UPDATE SET NULL)`,
		"CREATE TABLE other (c text REFERENCES s.parent (c))", "CREATE VIEW v AS SELECT 1 AS one", "CREATE DATABASE second")
	rows := func(want *arrow.Schema, call func(ctx context.Context) (*flight.FlightInfo, error)) [][]string {
		t.Helper()
		return texts(metadata(t, c, want, call))
	}
	wantRows(t, rows(schema_ref.Catalogs, func(ctx context.Context) (*flight.FlightInfo, error) { return c.GetCatalogs(ctx) }),
		[]string{"postgres"}, []string{"second"}, []string{"template1"})
	wantRows(t, rows(schema_ref.DBSchemas, func(ctx context.Context) (*flight.FlightInfo, error) {
		return c.GetDBSchemas(ctx, &flightsql.GetDBSchemasOpts{})
	}), []string{"postgres", "information_schema"}, []string{"postgres", "pg_catalog"}, []string{"postgres", "pg_toast"}, []string{"postgres", "public"}, []string{"postgres", "s"})
	wantRows(t, rows(schema_ref.DBSchemas, func(ctx context.Context) (*flight.FlightInfo, error) {
		return c.GetDBSchemas(ctx, &flightsql.GetDBSchemasOpts{Catalog: ptr("postgres"), DbSchemaFilterPattern: ptr("p%lic")})
	}), []string{"postgres", "public"})
	wantRows(t, rows(schema_ref.DBSchemas, func(ctx context.Context) (*flight.FlightInfo, error) {
		return c.GetDBSchemas(ctx, &flightsql.GetDBSchemasOpts{Catalog: ptr("second")})
	}))
	wantRows(t, rows(schema_ref.TableTypes, func(ctx context.Context) (*flight.FlightInfo, error) { return c.GetTableTypes(ctx) }),
		[]string{"FOREIGN TABLE"}, []string{"MATERIALIZED VIEW"}, []string{"SYSTEM TABLE"}, []string{"SYSTEM VIEW"}, []string{"TABLE"}, []string{"VIEW"})
	wantRows(t, rows(schema_ref.Tables, func(ctx context.Context) (*flight.FlightInfo, error) {
		return c.GetTables(ctx, &flightsql.GetTablesOpts{TableTypes: []string{"TABLE", "VIEW"}})
	}), []string{"postgres", "public", "Child", "TABLE"}, []string{"postgres", "public", "other", "TABLE"}, []string{"postgres", "public", "v", "VIEW"}, []string{"postgres", "s", "parent", "TABLE"})
	wantRows(t, rows(schema_ref.Tables, func(ctx context.Context) (*flight.FlightInfo, error) {
		return c.GetTables(ctx, &flightsql.GetTablesOpts{DbSchemaFilterPattern: ptr("pg_catalog"), TableNameFilterPattern: ptr("pg_clas_")})
	}), []string{"postgres", "pg_catalog", "pg_class", "SYSTEM TABLE"})

	recs := metadata(t, c, schema_ref.TablesWithIncludedSchema, func(ctx context.Context) (*flight.FlightInfo, error) {
		return c.GetTables(ctx, &flightsql.GetTablesOpts{IncludeSchema: true, TableNameFilterPattern: ptr("Child")})
	})
	if len(recs) != 1 || recs[0].NumRows() != 1 {
		t.Fatal(recs)
	}
	s, err := flight.DeserializeSchema(recs[0].Column(4).(*array.Binary).Value(0), memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	want := []arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "x", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		{Name: "y", Type: arrow.PrimitiveTypes.Int32, Nullable: true}, {Name: "n", Type: &arrow.Decimal128Type{Precision: 7, Scale: 2}, Nullable: true}}
	for i, w := range want {
		got := s.Field(i)
		if got.Name != w.Name || got.Nullable != w.Nullable || !arrow.TypeEqual(got.Type, w.Type) {
			t.Errorf("column %d: %s, want %s", i, got, w)
		}
		if v, _ := got.Metadata.GetValue("ARROW:FLIGHT:SQL:TABLE_NAME"); v != "Child" {
			t.Errorf("column %d: table %q", i, v)
		}
	}
	// Every system table has a schema.
	metadata(t, c, schema_ref.TablesWithIncludedSchema, func(ctx context.Context) (*flight.FlightInfo, error) {
		return c.GetTables(ctx, &flightsql.GetTablesOpts{IncludeSchema: true})
	})

	parent, child := flightsql.TableRef{DBSchema: ptr("s"), Table: "parent"}, flightsql.TableRef{Catalog: ptr("postgres"), DBSchema: ptr("public"), Table: "Child"}
	wantRows(t, rows(schema_ref.PrimaryKeys, func(ctx context.Context) (*flight.FlightInfo, error) { return c.GetPrimaryKeys(ctx, parent) }),
		[]string{"postgres", "s", "parent", "b", "1", "parent_pkey"}, []string{"postgres", "s", "parent", "a", "2", "parent_pkey"})
	up := [][]string{{"postgres", "s", "parent", "b", "postgres", "public", "Child", "x", "1", "up", "parent_pkey", "2", "0"},
		{"postgres", "s", "parent", "a", "postgres", "public", "Child", "y", "2", "up", "parent_pkey", "2", "0"}}
	toC := []string{"postgres", "s", "parent", "c", "postgres", "public", "other", "c", "1", "other_c_fkey", "parent_c_key", "3", "3"}
	wantRows(t, rows(schema_ref.ExportedKeys, func(ctx context.Context) (*flight.FlightInfo, error) { return c.GetExportedKeys(ctx, parent) }), up[0], up[1], toC)
	wantRows(t, rows(schema_ref.ImportedKeys, func(ctx context.Context) (*flight.FlightInfo, error) { return c.GetImportedKeys(ctx, child) }), up...)
	wantRows(t, rows(schema_ref.CrossReference, func(ctx context.Context) (*flight.FlightInfo, error) { return c.GetCrossReference(ctx, parent, child) }), up...)
	wantRows(t, rows(schema_ref.CrossReference, func(ctx context.Context) (*flight.FlightInfo, error) { return c.GetCrossReference(ctx, child, parent) }))
}

func TestInfo(t *testing.T) {
	f := start(t, nil)
	c := f.client(t, nil)
	recs := metadata(t, c, schema_ref.SqlInfo, func(ctx context.Context) (*flight.FlightInfo, error) {
		return c.GetSqlInfo(ctx, []flightsql.SqlInfo{flightsql.SqlInfoFlightSqlServerName, flightsql.SqlInfoFlightSqlServerTransaction, flightsql.SqlInfoFlightSqlServerCancel})
	})
	var got []string
	for _, r := range texts(recs) {
		got = append(got, strings.Join(r, " "))
	}
	if want := `0 [0,"Basalt"]|8 [3,2]|9 [1,true]`; strings.Join(got, "|") != want {
		t.Errorf("got %s, want %s", strings.Join(got, "|"), want)
	}
	metadata(t, c, schema_ref.SqlInfo, func(ctx context.Context) (*flight.FlightInfo, error) { return c.GetSqlInfo(ctx, nil) })
	all := texts(metadata(t, c, schema_ref.XdbcTypeInfo, func(ctx context.Context) (*flight.FlightInfo, error) { return c.GetXdbcTypeInfo(ctx, nil) }))
	for i, r := range all {
		if i > 0 && atoi(r[1]) < atoi(all[i-1][1]) {
			t.Errorf("%s is out of order", r[0])
		}
	}
	four := int32(4)
	wantRows(t, texts(metadata(t, c, schema_ref.XdbcTypeInfo, func(ctx context.Context) (*flight.FlightInfo, error) { return c.GetXdbcTypeInfo(ctx, &four) })),
		[]string{"int4", "4", "10", "(null)", "(null)", "(null)", "1", "false", "2", "false", "false", "false", "int4", "0", "0", "4", "(null)", "10", "(null)"},
		[]string{"oid", "4", "10", "(null)", "(null)", "(null)", "1", "false", "2", "true", "false", "false", "oid", "0", "0", "4", "(null)", "10", "(null)"})
}

func atoi(s string) int {
	n, sign := 0, 1
	for _, c := range s {
		if c == '-' {
			sign = -1
			continue
		}
		n = n*10 + int(c-'0')
	}
	return n * sign
}
