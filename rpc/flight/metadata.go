package flight

import (
	"context"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql/schema_ref"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
)

// The metadata commands. Each is a query over the system catalogs, run as the
// caller; its rows are put into the exact schema Flight SQL prescribes. A catalog is
// a database, and a session sees the tables of its own.

// rowSink collects the rows of a small result.
type rowSink struct {
	sink
	datums [][]types.Datum
}

func (k *rowSink) Rows(b *vexec.Batch) error {
	for n := range b.Rows() {
		i := n
		if b.Sel != nil {
			i = int(b.Sel[n])
		}
		row := make([]types.Datum, len(k.types))
		for c, t := range k.types {
			d := types.Get(t, b.Cols[c], i)
			if s, ok := d.(string); ok {
				d = string([]byte(s)) // the vector's memory is not ours to keep
			}
			row[c] = d
		}
		k.datums = append(k.datums, row)
	}
	return nil
}

// rows runs a catalog query. nil params are NULLs. REQUIRES: within a call of c.
func (c *conn) rows(ctx context.Context, query string, params ...*string) ([][]types.Datum, error) {
	k := &rowSink{sink: sink{session: c.session, schema: func(*arrow.Schema) error { return nil }}}
	oids := make([]uint32, len(params))
	values := make([][]byte, len(params))
	for i, p := range params {
		oids[i] = uint32(types.Text)
		if p != nil {
			values[i] = append([]byte{}, *p...)
		}
	}
	if err := c.session.Parse(ctx, "", query, oids); err != nil {
		return nil, err
	}
	err := c.bindExecute(ctx, values, k)
	return k.datums, err
}

// metadataInfo is the FlightInfo of a metadata command: its ticket is the command itself,
// which says nothing that its holder could not ask for anyway.
func (s *Server) metadataInfo(desc *flight.FlightDescriptor, schema *arrow.Schema) (*flight.FlightInfo, error) {
	return &flight.FlightInfo{Schema: flight.SerializeSchema(schema, s.Alloc), FlightDescriptor: desc, TotalRecords: -1, TotalBytes: -1,
		Endpoint: []*flight.FlightEndpoint{{Ticket: &flight.Ticket{Ticket: desc.Cmd}}}}, nil
}

// answer runs a metadata query and streams its rows under schema.
func (s *Server) answer(ctx context.Context, schema *arrow.Schema, f func(ctx context.Context, c *conn) ([][]types.Datum, error)) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	var rows [][]types.Datum
	err := s.with(ctx, nil, func(ctx context.Context, c *conn) (err error) {
		rows, err = f(ctx, c)
		return err
	})
	if err != nil {
		return nil, nil, statusOf(err)
	}
	return streamRows(ctx, schema, rows)
}

// streamRows puts rows into batches.
func streamRows(ctx context.Context, schema *arrow.Schema, rows [][]types.Datum) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for _, r := range rows {
		for i, d := range r {
			appendValue(b.Field(i), d)
		}
	}
	var parts []arrow.Record
	split(b.NewRecord(), func(r arrow.Record) error { parts = append(parts, r); return nil })
	ch := make(chan flight.StreamChunk, len(parts))
	for _, p := range parts {
		ch <- flight.StreamChunk{Data: p}
	}
	close(ch)
	return schema, ch, nil
}

// appendValue appends what catalog queries yield to the builders of metadata schemas.
func appendValue(b array.Builder, d types.Datum) {
	if d == nil {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(d.(string))
	case *array.BinaryBuilder:
		b.Append(d.([]byte))
	case *array.Int32Builder:
		b.Append(d.(int32))
	case *array.Uint8Builder:
		b.Append(uint8(d.(int32)))
	case *array.BooleanBuilder:
		b.Append(d.(bool))
	case *array.ListBuilder:
		b.Append(true)
		for _, s := range d.([]string) {
			b.ValueBuilder().(*array.StringBuilder).Append(s)
		}
	default:
		b.AppendNull()
	}
}

// GetFlightInfoCatalogs implements flightsql.Server.
func (s *Server) GetFlightInfoCatalogs(_ context.Context, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.Catalogs)
}

// DoGetCatalogs implements flightsql.Server.
func (s *Server) DoGetCatalogs(ctx context.Context) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.answer(ctx, schema_ref.Catalogs, func(ctx context.Context, c *conn) ([][]types.Datum, error) {
		return c.rows(ctx, `SELECT datname::text FROM pg_catalog.pg_database WHERE datallowconn ORDER BY 1`)
	})
}

// GetFlightInfoSchemas implements flightsql.Server.
func (s *Server) GetFlightInfoSchemas(_ context.Context, _ flightsql.GetDBSchemas, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.DBSchemas)
}

// DoGetDBSchemas implements flightsql.Server.
func (s *Server) DoGetDBSchemas(ctx context.Context, cmd flightsql.GetDBSchemas) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.answer(ctx, schema_ref.DBSchemas, func(ctx context.Context, c *conn) ([][]types.Datum, error) {
		return c.rows(ctx, `SELECT pg_catalog.current_database()::text, nspname::text FROM pg_catalog.pg_namespace
			WHERE ($1 IS NULL OR $1 = pg_catalog.current_database()::text) AND ($2 IS NULL OR nspname::text LIKE $2) ORDER BY 1, 2`,
			cmd.GetCatalog(), cmd.GetDBSchemaFilterPattern())
	})
}

// tableTypes by pg_class.relkind; those of the system's schemas carry SYSTEM before them.
const tableTypes = `CASE WHEN n.nspname IN ('pg_catalog', 'information_schema') THEN 'SYSTEM ' ELSE '' END ||
	CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END`

// GetFlightInfoTableTypes implements flightsql.Server.
func (s *Server) GetFlightInfoTableTypes(_ context.Context, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.TableTypes)
}

// DoGetTableTypes implements flightsql.Server.
func (s *Server) DoGetTableTypes(ctx context.Context) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return streamRows(ctx, schema_ref.TableTypes, [][]types.Datum{{"FOREIGN TABLE"}, {"MATERIALIZED VIEW"}, {"SYSTEM TABLE"}, {"SYSTEM VIEW"}, {"TABLE"}, {"VIEW"}})
}

func tablesSchema(cmd flightsql.GetTables) *arrow.Schema {
	if cmd.GetIncludeSchema() {
		return schema_ref.TablesWithIncludedSchema
	}
	return schema_ref.Tables
}

// GetFlightInfoTables implements flightsql.Server.
func (s *Server) GetFlightInfoTables(_ context.Context, cmd flightsql.GetTables, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, tablesSchema(cmd))
}

// DoGetTables implements flightsql.Server.
func (s *Server) DoGetTables(ctx context.Context, cmd flightsql.GetTables) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	wanted := map[string]bool{}
	for _, t := range cmd.GetTableTypes() {
		wanted[t] = true
	}
	filters := []*string{cmd.GetCatalog(), cmd.GetDBSchemaFilterPattern(), cmd.GetTableNameFilterPattern()}
	const where = ` WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ($1 IS NULL OR $1 = pg_catalog.current_database()::text)
		AND ($2 IS NULL OR n.nspname::text LIKE $2) AND ($3 IS NULL OR c.relname::text LIKE $3)`
	const from = ` FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`
	return s.answer(ctx, tablesSchema(cmd), func(ctx context.Context, c *conn) ([][]types.Datum, error) {
		all, err := c.rows(ctx, `SELECT pg_catalog.current_database()::text, n.nspname::text, c.relname::text, `+tableTypes+`, c.oid`+from+where+` ORDER BY 1, 2, 3, 4`, filters...)
		if err != nil {
			return nil, err
		}
		var columns map[types.OID][]arrow.Field
		if cmd.GetIncludeSchema() {
			if columns, err = c.tableColumns(ctx, from+where, filters); err != nil {
				return nil, err
			}
		}
		var out [][]types.Datum
		for _, r := range all {
			if len(wanted) > 0 && !wanted[r[3].(string)] {
				continue
			}
			row := r[:4]
			if cmd.GetIncludeSchema() {
				row = append(row[:4:4], flight.SerializeSchema(arrow.NewSchema(columns[r[4].(types.OID)], nil), memory.DefaultAllocator))
			}
			out = append(out, row)
		}
		return out, nil
	})
}

// tableColumns gives the columns of the tables a query selects.
func (c *conn) tableColumns(ctx context.Context, tables string, filters []*string) (map[types.OID][]arrow.Field, error) {
	rows, err := c.rows(ctx, `SELECT a.attrelid, a.attname::text, a.atttypid, a.atttypmod, a.attnotnull, n.nspname::text, c.relname::text,
		pg_catalog.current_database()::text, t.typbasetype, t.typtypmod
		FROM pg_catalog.pg_attribute a JOIN (SELECT c.oid AS relation`+tables+`) w ON w.relation = a.attrelid
		JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
		WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum`, filters...)
	if err != nil {
		return nil, err
	}
	res := c.session.Env().Resolver
	out := map[types.OID][]arrow.Field{}
	for _, r := range rows {
		oid, mod := r[2].(types.OID), r[3].(int32)
		if base := r[8].(types.OID); base != 0 { // a domain's values are its base type's
			oid, mod = base, r[9].(int32)
		}
		t, ok := res.TypeByOID(oid)
		if !ok {
			t = types.Of(types.Text)
		}
		f := columnField(res, r[1].(string), t.WithMod(mod), !r[4].(bool))
		k := append(f.Metadata.Keys(), flightsql.CatalogNameKey, flightsql.SchemaNameKey, flightsql.TableNameKey)
		v := append(f.Metadata.Values(), r[7].(string), r[5].(string), r[6].(string))
		f.Metadata = arrow.NewMetadata(k, v)
		rel := r[0].(types.OID)
		out[rel] = append(out[rel], f)
	}
	return out, nil
}

// GetFlightInfoPrimaryKeys implements flightsql.Server.
func (s *Server) GetFlightInfoPrimaryKeys(_ context.Context, _ flightsql.TableRef, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.PrimaryKeys)
}

// DoGetPrimaryKeys implements flightsql.Server.
func (s *Server) DoGetPrimaryKeys(ctx context.Context, ref flightsql.TableRef) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.answer(ctx, schema_ref.PrimaryKeys, func(ctx context.Context, c *conn) ([][]types.Datum, error) {
		return c.rows(ctx, `SELECT pg_catalog.current_database()::text, n.nspname::text, c.relname::text, a.attname::text,
			pg_catalog.array_position(k.conkey, a.attnum), k.conname::text
			FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
			JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (k.conkey)
			WHERE k.contype = 'p' AND ($1 IS NULL OR $1 = pg_catalog.current_database()::text)
			AND ($2 IS NULL OR n.nspname::text = $2) AND c.relname::text = $3 ORDER BY 1, 2, 3, 6, 5`, ref.Catalog, ref.DBSchema, &ref.Table)
	})
}

// keys is the query over foreign keys; conditions are on the referenced (p) and the
// referring (f) table, order lists columns of the result.
func keys(conditions, order string) string {
	rule := func(column string) string {
		out := `CASE k.` + column
		for i, x := range []string{"c", "r", "n", "a", "d"} { // Flight SQL's numbers of the rules
			out += ` WHEN '` + x + `' THEN ` + strconv.Itoa(i)
		}
		return out + ` END`
	}
	return `SELECT pg_catalog.current_database()::text, pn.nspname::text, p.relname::text, pa.attname::text,
		pg_catalog.current_database()::text, fn.nspname::text, f.relname::text, fa.attname::text,
		pg_catalog.array_position(k.conkey, fa.attnum), k.conname::text, u.conname::text, ` + rule("confupdtype") + `, ` + rule("confdeltype") + `
		FROM pg_catalog.pg_constraint k
		JOIN pg_catalog.pg_class p ON p.oid = k.confrelid JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
		JOIN pg_catalog.pg_class f ON f.oid = k.conrelid JOIN pg_catalog.pg_namespace fn ON fn.oid = f.relnamespace
		JOIN pg_catalog.pg_attribute fa ON fa.attrelid = k.conrelid AND fa.attnum = ANY (k.conkey)
		JOIN pg_catalog.pg_attribute pa ON pa.attrelid = k.confrelid
			AND pg_catalog.array_position(k.confkey, pa.attnum) = pg_catalog.array_position(k.conkey, fa.attnum)
		LEFT JOIN pg_catalog.pg_constraint u ON u.conindid = k.conindid AND u.conrelid = k.confrelid AND u.contype IN ('p', 'u')
		WHERE k.contype = 'f' AND ` + conditions + ` ORDER BY ` + order
}

// tableIs is a condition on table alias t with the parameters from n on: catalog, schema, table.
func tableIs(t string, n int) string {
	p := func(i int) string { return "$" + strconv.Itoa(n+i) }
	return `(` + p(0) + ` IS NULL OR ` + p(0) + ` = pg_catalog.current_database()::text) AND (` + p(1) + ` IS NULL OR ` + t + `n.nspname::text = ` + p(1) + `) AND ` + t + `.relname::text = ` + p(2)
}

const (
	orderByReferring  = `5, 6, 7, 10, 9`
	orderByReferenced = `1, 2, 3, 11, 10, 9`
)

// GetFlightInfoExportedKeys implements flightsql.Server.
func (s *Server) GetFlightInfoExportedKeys(_ context.Context, _ flightsql.TableRef, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.ExportedKeys)
}

// DoGetExportedKeys implements flightsql.Server: the foreign keys that refer to a table.
func (s *Server) DoGetExportedKeys(ctx context.Context, ref flightsql.TableRef) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.foreignKeys(ctx, keys(tableIs("p", 1), orderByReferring), ref.Catalog, ref.DBSchema, &ref.Table)
}

// GetFlightInfoImportedKeys implements flightsql.Server.
func (s *Server) GetFlightInfoImportedKeys(_ context.Context, _ flightsql.TableRef, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.ImportedKeys)
}

// DoGetImportedKeys implements flightsql.Server: the foreign keys of a table.
func (s *Server) DoGetImportedKeys(ctx context.Context, ref flightsql.TableRef) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.foreignKeys(ctx, keys(tableIs("f", 1), orderByReferenced), ref.Catalog, ref.DBSchema, &ref.Table)
}

// GetFlightInfoCrossReference implements flightsql.Server.
func (s *Server) GetFlightInfoCrossReference(_ context.Context, _ flightsql.CrossTableRef, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.CrossReference)
}

// DoGetCrossReference implements flightsql.Server: the foreign keys from one table to another.
func (s *Server) DoGetCrossReference(ctx context.Context, ref flightsql.CrossTableRef) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	p, f := ref.PKRef, ref.FKRef
	return s.foreignKeys(ctx, keys(tableIs("p", 1)+` AND `+tableIs("f", 4), orderByReferring), p.Catalog, p.DBSchema, &p.Table, f.Catalog, f.DBSchema, &f.Table)
}

func (s *Server) foreignKeys(ctx context.Context, query string, params ...*string) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.answer(ctx, schema_ref.ImportedExportedKeysAndCrossReference, func(ctx context.Context, c *conn) ([][]types.Datum, error) {
		return c.rows(ctx, query, params...)
	})
}
