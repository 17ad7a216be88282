package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// flightClient connects to a Flight server.
func flightClient(t testing.TB, addr string) *flightsql.Client {
	t.Helper()
	c, err := flightsql.NewClient(addr, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// pull reads an endpoint's rows as texts.
func pull(ctx context.Context, c *flightsql.Client, ticket *flight.Ticket) ([]string, error) {
	r, err := c.DoGet(ctx, ticket)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	var rows []string
	for r.Next() {
		rec := r.Record()
		for i := range int(rec.NumRows()) {
			var row strings.Builder
			for _, col := range rec.Columns() {
				row.WriteString(col.ValueStr(i))
				row.WriteByte('|')
			}
			rows = append(rows, row.String())
		}
	}
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return rows, nil
}

// TestFlightParts pulls lineitem from its three nodes at once while transactions move
// quantities between its rows, replace rows, and everything pulled is of one moment.
func TestFlightParts(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	const orders, lines = 5000, 4
	gateway := nodetest.FreeAddr(t)
	cl := nodetest.StartCluster(t, 3, "--tablets", "6", "--flight-addr", gateway)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	s := session(t, cl.First)
	for _, sql := range []string{
		"CREATE TABLE lineitem (l_orderkey bigint, l_linenumber int, l_quantity numeric(15,2) NOT NULL, l_shipdate date, l_comment text, PRIMARY KEY (l_orderkey, l_linenumber))",
		fmt.Sprintf("INSERT INTO lineitem SELECT o, l, 100, date '1995-01-01' + (o + l)::int, 'line ' || o || '.' || l FROM generate_series(1, %d) o, generate_series(1, %d) l", orders, lines),
		"CREATE ROLE nobody LOGIN", "CREATE ROLE reader LOGIN", "GRANT SELECT ON lineitem TO reader",
	} {
		if _, err := s.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	const q = "SELECT l_orderkey, l_linenumber, l_quantity, l_shipdate, l_comment FROM lineitem"
	g := flightClient(t, gateway)
	nodes, outer := map[string]*flightsql.Client{}, t

	t.Run("snapshot", func(t *testing.T) {
		run, stop := context.WithCancel(ctx)
		defer stop()
		var updates sync.WaitGroup
		done := 0
		var mu sync.Mutex
		for w := range 4 {
			updates.Add(1)
			go func() {
				defer updates.Done()
				c, err := pgx.Connect(ctx, cl.First.DSN())
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close(context.Background())
				gone := map[[2]int]bool{}
				pick := func() [2]int { // a row that is still where it was loaded; each worker has orders of its own: no deadlocks
					for {
						if row := [2]int{1 + 4*rand.IntN(orders/4-1) + w, rand.IntN(lines) + 1}; !gone[row] {
							return row
						}
					}
				}
				for i := 0; run.Err() == nil; i++ {
					a, b, n := pick(), pick(), rand.IntN(50)
					sql := fmt.Sprintf(`BEGIN; UPDATE lineitem SET l_quantity = l_quantity + %d, l_comment = 'moved %[7]d' WHERE l_orderkey = %[2]d AND l_linenumber = %[3]d;
UPDATE lineitem SET l_quantity = l_quantity - %[1]d WHERE l_orderkey = %[4]d AND l_linenumber = %[5]d; COMMIT`, n, a[0], a[1], b[0], b[1], w, i)
					if i%3 == 0 { // a row goes, another comes
						sql = fmt.Sprintf(`BEGIN; UPDATE lineitem SET l_orderkey = l_orderkey + %d WHERE l_orderkey = %d AND l_linenumber = %d; COMMIT`, orders*(1+i), a[0], a[1])
						gone[a] = true
					}
					results, err := c.PgConn().Exec(ctx, sql).ReadAll()
					if err != nil {
						t.Errorf("%s: %v", sql, err)
						return
					}
					for _, r := range results {
						if r.CommandTag.Update() && r.CommandTag.RowsAffected() != 1 {
							t.Errorf("%s: %s", sql, r.CommandTag)
						}
					}
					mu.Lock()
					done++
					mu.Unlock()
				}
			}()
		}
		var last []string
		for round := range 6 {
			info, err := g.Execute(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			if len(info.Endpoint) != 3 {
				t.Fatalf("%d endpoints", len(info.Endpoint))
			}
			time.Sleep(100 * time.Millisecond) // the rows go on
			direct, through := make([][]string, 3), make([][]string, 3)
			var pulls sync.WaitGroup
			for i, e := range info.Endpoint {
				if len(e.Location) == 0 || e.ExpirationTime == nil {
					t.Fatalf("endpoint %d: %v", i, e)
				}
				addr := strings.TrimPrefix(e.Location[0].Uri, "grpc+tcp://")
				if nodes[addr] == nil {
					nodes[addr] = flightClient(outer, addr)
				}
				for _, x := range []struct {
					c   *flightsql.Client
					out *[]string
				}{{nodes[addr], &direct[i]}, {g, &through[i]}} {
					pulls.Add(1)
					go func() {
						defer pulls.Done()
						var err error
						if *x.out, err = pull(ctx, x.c, e.Ticket); err != nil {
							t.Errorf("part %d: %v", i, err)
						}
					}()
				}
			}
			pulls.Wait()
			if t.Failed() {
				break
			}
			rows, again := slices.Concat(direct...), slices.Concat(through...)
			slices.Sort(rows)
			slices.Sort(again)
			if !slices.Equal(rows, again) {
				t.Errorf("round %d: the nodes' rows differ from what the gateway gives for the same tickets", round)
			}
			if slices.Equal(rows, last) {
				t.Errorf("round %d: nothing has changed", round)
			}
			last = rows
			sum := 0.0
			for _, r := range rows {
				f := strings.Split(r, "|")
				var v float64
				fmt.Sscan(f[2], &v)
				sum += v
			}
			if len(rows) != orders*lines || sum != orders*lines*100 {
				t.Errorf("round %d: %d rows with %v in sum, want %d with %d", round, len(rows), sum, orders*lines, orders*lines*100)
			}
			for i := range direct {
				if len(direct[i]) == 0 {
					t.Errorf("part %d has no rows", i)
				}
			}
		}
		stop()
		updates.Wait()
		t.Logf("%d nodes, %d transactions", len(nodes), done)
		if len(nodes) != 3 || done < 50 {
			t.Errorf("%d nodes, %d transactions", len(nodes), done)
		}
	})

	as := func(user string) context.Context {
		return metadata.AppendToOutgoingContext(ctx, "authorization", "Basic "+basic(user))
	}
	want := func(what string, err error, part string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v, want %s", what, err, part)
		}
	}
	t.Run("refusals", func(t *testing.T) {
		_, err := g.Execute(as("nobody"), q)
		want("no privilege", err, "42501")
		info, err := g.Execute(as("reader"), q)
		if err != nil || len(info.Endpoint) != 3 {
			t.Fatalf("reader: %v", err)
		}
		_, err = pull(as("nobody"), g, info.Endpoint[0].Ticket)
		want("another's ticket", err, "42501")
		if _, err := pull(as("reader"), g, info.Endpoint[0].Ticket); err != nil {
			t.Errorf("own ticket: %v", err)
		}
		node := nodes[strings.TrimPrefix(info.Endpoint[0].Location[0].Uri, "grpc+tcp://")]
		if node == nil {
			t.Fatal("no node was met")
		}
		bad := append([]byte(nil), info.Endpoint[0].Ticket.Ticket...)
		bad[len(bad)/2] ^= 1
		_, err = pull(ctx, node, &flight.Ticket{Ticket: bad})
		want("a ticket that was changed", err, "22023")
		_, err = node.Execute(ctx, q)
		want("a statement at a storage node", err, "0A000")
		st, err := g.CancelFlightInfo(as("reader"), &flight.CancelFlightInfoRequest{Info: info})
		if err != nil || st.Status != flight.CancelStatusCancelled {
			t.Errorf("cancel: %v, %v", st, err)
		}
		_, err = pull(as("reader"), g, info.Endpoint[1].Ticket)
		want("a cancelled ticket", err, "57014")
	})
	t.Run("one endpoint", func(t *testing.T) {
		for _, sql := range []string{"SELECT count(*) FROM lineitem", q + " ORDER BY 1 LIMIT 10", "SELECT 1", "SELECT random() FROM lineitem"} {
			info, err := g.Execute(ctx, sql)
			if err != nil || len(info.Endpoint) != 1 {
				t.Errorf("%s: %d endpoints, %v", sql, len(info.GetEndpoint()), err)
			}
		}
		tx, err := g.BeginTransaction(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecuteUpdate(ctx, "DELETE FROM lineitem"); err != nil {
			t.Fatal(err)
		}
		info, err := tx.Execute(ctx, q)
		if err != nil || len(info.Endpoint) != 1 {
			t.Fatalf("in a transaction: %v", err)
		}
		if rows, err := pull(ctx, g, info.Endpoint[0].Ticket); err != nil || len(rows) != 0 {
			t.Errorf("a transaction does not see its own writes: %d rows, %v", len(rows), err)
		}
		if err := tx.Rollback(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Run("prepared and renewed", func(t *testing.T) {
		p, err := g.Prepare(ctx, q+" WHERE l_linenumber <= $1")
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close(ctx)
		p.SetParameters(int32Record(2))
		info, err := p.Execute(ctx)
		if err != nil || len(info.Endpoint) != 3 {
			t.Fatalf("%d endpoints, %v", len(info.GetEndpoint()), err)
		}
		n := 0
		for _, e := range info.Endpoint {
			e, err := g.RenewFlightEndpoint(ctx, &flight.RenewFlightEndpointRequest{Endpoint: e})
			if err != nil {
				t.Fatal(err)
			}
			rows, err := pull(ctx, g, e.Ticket)
			if err != nil {
				t.Fatal(err)
			}
			n += len(rows)
		}
		if n != orders*2 {
			t.Errorf("%d rows, want %d", n, orders*2)
		}
		_, err = g.RenewFlightEndpoint(ctx, &flight.RenewFlightEndpointRequest{Endpoint: info.Endpoint[0]})
		want("renewing what was pulled", err, "72000")
	})
}
