package flight_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	flightserver "github.com/basaltdb/basalt/rpc/flight"
	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/server/servertest"
)

// fixture is a node with its Flight side.
type fixture struct {
	node   *servertest.Node
	server *flightserver.Server
	addr   string
}

func start(t testing.TB, change func(*flightserver.Options)) *fixture {
	t.Helper()
	n := servertest.StartWith(t, server.Options{InMemory: true})
	return startOn(t, n, change)
}

func startOn(t testing.TB, n *servertest.Node, change func(*flightserver.Options)) *fixture {
	t.Helper()
	o := flightserver.Options{Backend: n.Node, NewPID: n.NewPID, Version: "test"}
	if change != nil {
		change(&o)
	}
	s, err := flightserver.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	n.Join(s)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		s.Shutdown(ctx)
	})
	return &fixture{node: n, server: s, addr: l.Addr().String()}
}

// client is a Flight SQL client, with TLS when config is not nil.
func (f *fixture) client(t testing.TB, config *tls.Config, opts ...grpc.DialOption) *flightsql.Client {
	t.Helper()
	creds := insecure.NewCredentials()
	if config != nil {
		creds = credentials.NewTLS(config)
	}
	c, err := flightsql.NewClient(f.addr, nil, nil, append(opts, grpc.WithTransportCredentials(creds))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// exec runs statements over the wire protocol.
func (f *fixture) exec(t testing.TB, sqls ...string) {
	t.Helper()
	c := f.node.Connect(t)
	for _, q := range sqls {
		if _, err := c.Exec(context.Background(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

func ctxOf(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// fetch reads all of an info's result.
func fetch(ctx context.Context, c *flightsql.Client, info *flight.FlightInfo) (*arrow.Schema, []arrow.Record, error) {
	var recs []arrow.Record
	var schema *arrow.Schema
	for _, e := range info.Endpoint {
		r, err := c.DoGet(ctx, e.Ticket)
		if err != nil {
			return nil, nil, err
		}
		schema = r.Schema()
		for r.Next() {
			rec := r.Record()
			rec.Retain()
			recs = append(recs, rec)
		}
		err = r.Err()
		r.Release()
		if err != nil && err != io.EOF {
			return schema, recs, err
		}
	}
	return schema, recs, nil
}

// query runs a statement and gives its rows as text, NULL as "(null)".
func query(ctx context.Context, c *flightsql.Client, q string) ([][]string, error) {
	info, err := c.Execute(ctx, q)
	if err != nil {
		return nil, err
	}
	_, recs, err := fetch(ctx, c, info)
	return texts(recs), err
}

func texts(recs []arrow.Record) (out [][]string) {
	for _, r := range recs {
		for i := range int(r.NumRows()) {
			row := make([]string, r.NumCols())
			for k := range row {
				row[k] = r.Column(k).ValueStr(i)
			}
			out = append(out, row)
		}
	}
	return out
}

func mustQuery(t testing.TB, c *flightsql.Client, q string) [][]string {
	t.Helper()
	rows, err := query(ctxOf(t), c, q)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return rows
}

// state is the SQLSTATE of a call's error.
func state(err error) string {
	if err == nil {
		return ""
	}
	for _, d := range status.Convert(err).Details() {
		if i, ok := d.(*errdetails.ErrorInfo); ok {
			return i.Reason
		}
	}
	return "no SQLSTATE: " + err.Error()
}

func wantState(t testing.TB, err error, want string) {
	t.Helper()
	if got := state(err); got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

func wantRows(t testing.TB, got [][]string, want ...[]string) {
	t.Helper()
	same := len(got) == len(want)
	for i := 0; same && i < len(got); i++ {
		same = len(got[i]) == len(want[i])
		for k := 0; same && k < len(got[i]); k++ {
			same = got[i][k] == want[i][k]
		}
	}
	if !same {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestStatements(t *testing.T) {
	f := start(t, nil)
	c := f.client(t, nil)
	ctx := ctxOf(t)
	update := func(q string, want int64) {
		t.Helper()
		if n, err := c.ExecuteUpdate(ctx, q); err != nil || n != want {
			t.Errorf("%s: %d, %v; want %d", q, n, err, want)
		}
	}
	update("CREATE TABLE t (id int PRIMARY KEY, v text)", 0)
	update("INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 5) i", 5)
	update("UPDATE t SET v = 'x' WHERE id > 3", 2)
	update("DELETE FROM t WHERE id = 1", 1)
	wantRows(t, mustQuery(t, c, "SELECT id, v FROM t ORDER BY id"), []string{"2", "v2"}, []string{"3", "v3"}, []string{"4", "x"}, []string{"5", "x"})
	wantRows(t, mustQuery(t, c, "INSERT INTO t VALUES (9, 'n') RETURNING id"), []string{"9"})
	wantRows(t, mustQuery(t, c, "SELECT v FROM t WHERE id = 9"), []string{"n"})
	wantRows(t, mustQuery(t, c, "SELECT 1 WHERE false"))
	wantRows(t, mustQuery(t, c, "CREATE TABLE u (a int)"))
	wantRows(t, mustQuery(t, c, "SHOW server_encoding"), []string{"UTF8"})
	wantRows(t, mustQuery(t, c, ""))

	for _, x := range []struct{ sql, state string }{
		{"SELEC 1", "42601"}, {"SELECT * FROM nosuch", "42P01"}, {"SELECT 1/0", "22012"}, {"INSERT INTO t VALUES (9)", "23505"},
		{"SELECT $1::int", "42P02"}, {"SELECT 1; SELECT 2", "42601"}, {"BEGIN", "0A000"}, {"COPY t TO STDOUT", "0A000"},
	} {
		_, err := query(ctx, c, x.sql)
		wantState(t, err, x.state)
	}
	_, err := c.ExecuteUpdate(ctx, "INSERT INTO t VALUES (9)")
	wantState(t, err, "23505")
	_, err = c.ExecuteUpdate(ctx, "COPY t FROM STDIN")
	wantState(t, err, "0A000")
	// An error within a result comes after the batches before it.
	_, err = query(ctx, c, "SELECT 100000 / (50000 - i) FROM generate_series(1, 60000) i")
	wantState(t, err, "22012")
	if n := len(f.node.Node.Sessions()); n > 1 {
		t.Errorf("%d sessions are left", n)
	}
}

func TestPrepared(t *testing.T) {
	f := start(t, nil)
	c := f.client(t, nil)
	ctx := ctxOf(t)
	f.exec(t, "CREATE TABLE t (id int PRIMARY KEY, v text, n numeric(10,2))")
	p, err := c.Prepare(ctx, "INSERT INTO t VALUES ($1, $2, $3)")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.ParameterSchema().String(); p.ParameterSchema().NumFields() != 3 || p.DatasetSchema().NumFields() != 0 {
		t.Errorf("parameters %s, dataset %s", got, p.DatasetSchema())
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "b", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "c", Type: arrow.PrimitiveTypes.Float64, Nullable: true}}, nil))
	for i := range 100 {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		if i%10 == 0 {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.StringBuilder).Append("row")
		}
		b.Field(2).(*array.Float64Builder).Append(float64(i) / 4)
	}
	p.SetParameters(b.NewRecord())
	if n, err := p.ExecuteUpdate(ctx); err != nil || n != 100 {
		t.Fatalf("%d rows, %v", n, err)
	}
	_, err = p.ExecuteUpdate(ctx) // the same keys again: all or nothing
	wantState(t, err, "23505")
	wantRows(t, mustQuery(t, c, "SELECT count(*), count(v), sum(n)::text FROM t"), []string{"100", "90", "1237.50"})
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}

	q, err := c.Prepare(ctx, "SELECT id, v FROM t WHERE id = $1 OR id = $2 ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := q.DatasetSchema().NumFields(), 2; got != want {
		t.Errorf("%d columns", got)
	}
	_, err = q.Execute(ctx)
	if err == nil {
		info, _ := q.Execute(ctx)
		_, _, err = fetch(ctx, c, info)
	}
	wantState(t, err, "08P01")
	ints := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int16}, {Name: "b", Type: arrow.PrimitiveTypes.Uint64}}, nil))
	ints.Field(0).(*array.Int16Builder).AppendValues([]int16{3, 20}, nil)
	ints.Field(1).(*array.Uint64Builder).AppendValues([]uint64{2, 20}, nil)
	q.SetParameters(ints.NewRecord())
	info, err := q.Execute(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, recs, err := fetch(ctx, c, info)
	if err != nil {
		t.Fatal(err)
	}
	wantRows(t, texts(recs), []string{"2", "row"}, []string{"3", "row"}, []string{"20", "(null)"})
	if err := q.Close(ctx); err != nil {
		t.Fatal(err)
	}
	_, _, err = fetch(ctx, c, info)
	wantState(t, err, "26000")
}

func TestTransactions(t *testing.T) {
	f := start(t, func(o *flightserver.Options) { o.TransactionIdle = 2 * time.Second })
	c := f.client(t, nil)
	ctx := ctxOf(t)
	f.exec(t, "CREATE TABLE t (id int PRIMARY KEY)")
	count := func() string { return mustQuery(t, c, "SELECT count(*) FROM t")[0][0] }
	tx, err := c.BeginTransaction(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecuteUpdate(ctx, "INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != "0" {
		t.Errorf("uncommitted rows are visible: %s", got)
	}
	sp, err := tx.BeginSavepoint(ctx, `odd "name"`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecuteUpdate(ctx, "INSERT INTO t VALUES (2)"); err != nil {
		t.Fatal(err)
	}
	_, err = tx.ExecuteUpdate(ctx, "INSERT INTO t VALUES (2)")
	wantState(t, err, "23505")
	_, err = tx.Execute(ctx, "SELECT 1")
	wantState(t, err, "25P02")
	if err := tx.RollbackSavepoint(ctx, sp); err != nil {
		t.Fatal(err)
	}
	info, err := tx.Execute(ctx, "SELECT id FROM t")
	if err != nil {
		t.Fatal(err)
	}
	_, recs, err := fetch(ctx, c, info)
	if err != nil {
		t.Fatal(err)
	}
	wantRows(t, texts(recs), []string{"1"})
	p, err := tx.Prepare(ctx, "INSERT INTO t VALUES (7)")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := p.ExecuteUpdate(ctx); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != "2" {
		t.Errorf("%s rows after the commit", got)
	}
	_, _, err = fetch(ctx, c, info)
	wantState(t, err, "25000")

	// A failed transaction does not commit, and a rollback undoes.
	tx, _ = c.BeginTransaction(ctx)
	tx.ExecuteUpdate(ctx, "INSERT INTO t VALUES (3)")
	tx.ExecuteUpdate(ctx, "SELECT 1/0")
	wantState(t, tx.Commit(ctx), "25P02")
	tx, _ = c.BeginTransaction(ctx)
	tx.ExecuteUpdate(ctx, "INSERT INTO t VALUES (3)")
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if got := count(); got != "2" {
		t.Errorf("%s rows after the rollbacks", got)
	}

	// One that is left alone ends and frees its locks.
	tx, _ = c.BeginTransaction(ctx)
	if _, err := tx.ExecuteUpdate(ctx, "DELETE FROM t WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	if n, err := c.ExecuteUpdate(ctx, "DELETE FROM t WHERE id = 1"); err != nil || n != 1 {
		t.Errorf("after the other transaction's end: %d, %v", n, err)
	}
	wantState(t, tx.Commit(ctx), "25000")
}

func TestCancel(t *testing.T) {
	f := start(t, nil)
	c := f.client(t, nil)
	ctx := ctxOf(t)
	const long = "SELECT count(*) FROM generate_series(1, 100000000) a, generate_series(1, 1000) b"
	info, err := c.Execute(ctx, long)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		_, _, err := fetch(ctx, c, info)
		got <- err
	}()
	wait := func() {
		for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			if rows := mustQuery(t, c, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"); rows[0][0] != "1" || time.Since(began) > time.Minute {
				return
			}
		}
	}
	wait()
	res, err := c.CancelFlightInfo(ctx, &flight.CancelFlightInfoRequest{Info: info})
	if err != nil || res.Status != flight.CancelStatusCancelled {
		t.Fatal(res, err)
	}
	wantState(t, <-got, "57014")
	_, _, err = fetch(ctx, c, info)
	wantState(t, err, "57014")

	// A client that goes takes its statement along.
	short, cancel := context.WithCancel(ctx)
	info, _ = c.Execute(ctx, long)
	go func() {
		_, _, err := fetch(short, c, info)
		got <- err
	}()
	wait()
	cancel()
	<-got
	for began := time.Now(); len(f.node.Node.Sessions()) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute { // it would run for hours
			t.Fatal("the statement of a client that has gone still runs")
		}
	}
	// By process number, from a session of the other protocol.
	info, _ = c.Execute(ctx, long)
	go func() {
		_, _, err := fetch(ctx, c, info)
		got <- err
	}()
	wait()
	f.exec(t, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
	wantState(t, <-got, "57014")
}
