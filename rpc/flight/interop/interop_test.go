// Package interop tests the Flight SQL server with the v18 client of Arrow for Go and
// its database/sql driver. It is a module of its own: the two versions of Arrow
// cannot be in one program, and the server's build stays free of the second.
//
//	cd rpc/flight/interop && go test ./...
//
// builds the server (or takes the binary BASALT names) and starts it.
package interop

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql/driver"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql/schema_ref"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

var listening = regexp.MustCompile(`Flight SQL clients" addr=(\S+)`)

// serve starts the server and gives its Flight SQL address.
func serve(t *testing.T) string {
	t.Helper()
	binary := os.Getenv("BASALT")
	if binary == "" {
		binary = filepath.Join(t.TempDir(), "basalt")
		build := exec.Command("go", "build", "-o", binary, "./cmd/basalt")
		build.Dir = "../../.."
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	cmd := exec.Command(binary, "start", "--data", filepath.Join(t.TempDir(), "data"), "--sql-addr", "127.0.0.1:0", "--flight-addr", "127.0.0.1:0")
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	for s := bufio.NewScanner(out); s.Scan(); {
		if m := listening.FindStringSubmatch(s.Text()); m != nil {
			go io.Copy(io.Discard, out)
			return m[1]
		}
	}
	t.Fatal("the server did not start")
	return ""
}

func fetch(t *testing.T, ctx context.Context, c *flightsql.Client, info *flight.FlightInfo, err error) (*arrow.Schema, [][]string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.DoGet(ctx, info.Endpoint[0].Ticket)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	var rows [][]string
	for r.Next() {
		rec := r.RecordBatch()
		for i := range int(rec.NumRows()) {
			var row []string
			for _, c := range rec.Columns() {
				row = append(row, c.ValueStr(i))
			}
			rows = append(rows, row)
		}
	}
	if err := r.Err(); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return r.Schema(), rows
}

func TestV18(t *testing.T) {
	addr := serve(t)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c, err := flightsql.NewClient(addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if ctx, err = c.Client.AuthenticateBasicToken(ctx, "postgres", "any"); err != nil {
		t.Fatal(err)
	}
	exec := func(q string) {
		t.Helper()
		if _, err := c.ExecuteUpdate(ctx, q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	exec("CREATE TABLE t (id int PRIMARY KEY, u uuid, n numeric(20,4), at timestamptz, tags text[], iv interval)")
	exec("INSERT INTO t VALUES (1, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', -1.5, '2024-02-29 10:00+00', '{a,NULL}', '1 day 1 second'), (2, NULL, NULL, NULL, NULL, NULL)")
	info, err := c.Execute(ctx, "SELECT u, n, at, tags, iv FROM t ORDER BY id")
	schema, rows := fetch(t, ctx, c, info, err)
	if _, ok := schema.Field(0).Type.(*extensions.UUIDType); !ok {
		t.Errorf("uuid came as %s", schema.Field(0).Type)
	}
	want := `[[a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 -1.5 2024-02-29T10:00:00Z ["a",null] {"months":0,"days":1,"nanoseconds":1000000000}] [(null) (null) (null) (null) (null)]]`
	if got := fmt.Sprint(rows); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	p, err := c.Prepare(ctx, "UPDATE t SET u = $1 WHERE id = $2")
	if err != nil {
		t.Fatal(err)
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "u", Type: extensions.NewUUIDType()}, {Name: "id", Type: arrow.PrimitiveTypes.Int32}}, nil))
	if err := b.Field(0).(*extensions.UUIDBuilder).AppendValueFromString("00000000-0000-0000-0000-000000000007"); err != nil {
		t.Fatal(err)
	}
	b.Field(1).(*array.Int32Builder).Append(2)
	p.SetParameters(b.NewRecordBatch())
	if n, err := p.ExecuteUpdate(ctx); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	tx, err := c.BeginTransaction(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecuteUpdate(ctx, "DELETE FROM t WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	info, err = c.Execute(ctx, "SELECT count(*), max(u::text) FROM t")
	if _, rows = fetch(t, ctx, c, info, err); fmt.Sprint(rows) != "[[2 a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11]]" {
		t.Errorf("got %s", rows)
	}
	name := "t"
	info, err = c.GetTables(ctx, &flightsql.GetTablesOpts{TableNameFilterPattern: &name, IncludeSchema: true})
	if schema, rows = fetch(t, ctx, c, info, err); !schema.Equal(schema_ref.TablesWithIncludedSchema) || len(rows) != 1 {
		t.Errorf("tables: %s %v", schema, rows)
	}
	info, err = c.GetSqlInfo(ctx, nil)
	if schema, _ = fetch(t, ctx, c, info, err); !schema.Equal(schema_ref.SqlInfo) {
		t.Errorf("info: %s", schema)
	}
	info, err = c.GetXdbcTypeInfo(ctx, nil)
	if schema, _ = fetch(t, ctx, c, info, err); !schema.Equal(schema_ref.XdbcTypeInfo) {
		t.Errorf("types: %s", schema)
	}

	// database/sql
	db, err := sql.Open("flightsql", (&driver.DriverConfig{Address: addr, Username: "postgres", Password: "any", Timeout: 10 * time.Second}).DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if r, err := db.ExecContext(ctx, "INSERT INTO t (id) VALUES ($1::int8)", int64(3)); err != nil {
		t.Error(err)
	} else if n, _ := r.RowsAffected(); n != 1 {
		t.Errorf("%d rows affected", n)
	}
	var n int32
	var text string
	if err := db.QueryRowContext(ctx, "SELECT id, u::text FROM t WHERE id = $1::int8", int64(2)).Scan(&n, &text); err != nil || n != 2 || text != "00000000-0000-0000-0000-000000000007" {
		t.Error(n, text, err)
	}
	dtx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dtx.ExecContext(ctx, "DELETE FROM t"); err != nil {
		t.Error(err)
	}
	if err := dtx.Rollback(); err != nil {
		t.Error(err)
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM t").Scan(new(int64)); err != nil {
		t.Error(err)
	}
}
