package flight_test

import (
	"context"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/server/servertest"
	"github.com/basaltdb/basalt/storage/columns"
)

// checksum is one of all rows of a result, whatever their order.
func checksum(ctx context.Context, c *flightsql.Client, q string) (rows int, sum uint64, err error) {
	info, err := c.Execute(ctx, q)
	if err != nil {
		return 0, 0, err
	}
	for _, e := range info.Endpoint {
		r, err := c.DoGet(ctx, e.Ticket)
		if err != nil {
			return 0, 0, err
		}
		for r.Next() {
			rec := r.Record()
			for i := range int(rec.NumRows()) {
				var row strings.Builder
				for _, col := range rec.Columns() {
					row.WriteString(col.ValueStr(i))
					row.WriteByte('|')
				}
				sum += uint64(crc32.ChecksumIEEE([]byte(row.String())))
				rows++
			}
		}
		err = r.Err()
		r.Release()
		if err != nil {
			return 0, 0, err
		}
	}
	return rows, sum, nil
}

// TestMessages: what leaves from column segments (coded text among it) is what SQL says, also when many
// results are sent at once from memory that is used again and again.
func TestMessages(t *testing.T) {
	f := startOn(t, servertest.StartWith(t, server.Options{InMemory: true, Columns: columns.Options{Mode: columns.Always}}), nil)
	f.exec(t, `CREATE TABLE m (id int PRIMARY KEY, short "char", flag char(1), mode char(10), long text, maybe text, one varchar, many text, n numeric(15,2), wide numeric(38,9),
			d date, b bool, f float8)`,
		`INSERT INTO m SELECT i, 'x', (ARRAY['A','N','R'])[i%3+1], (ARRAY['AIR','MAIL','SHIP','TRUCK',''])[i%5+1],
			repeat((ARRAY['abc','de'])[i%2+1], 20), CASE WHEN i%7 <> 0 THEN (ARRAY['u','vv','www'])[i%3+1] END, CASE WHEN i%7 <> 3 THEN 'same' END, 'row ' || i,
			(i * 37 % 100000 - 50000) / 100.0, CASE WHEN i%11 <> 0 THEN i / 7.0 END, date '1992-01-01' + i % 2500, i%4 = 0, i / 3.0
			FROM generate_series(1, 24000) i`,
		`VACUUM m`, `DELETE FROM m WHERE id % 1000 = 17`, `UPDATE m SET mode = 'changed', maybe = NULL WHERE id % 1000 = 18`)
	ctx := ctxOf(t)
	queries := []string{
		"SELECT * FROM m",
		"SELECT mode, maybe, long, id FROM m WHERE flag = 'A' AND id % 10 < 7",
		"SELECT many, n, wide, one FROM m WHERE d < '1993-01-01'",
		"SELECT mode, flag || mode, count(*), sum(n) FROM m GROUP BY 1, 2",
		"SELECT repeat(long, 30), mode FROM m WHERE id < 4000", // messages are cut
	}
	c := f.client(t, nil)
	want := map[string]string{}
	for _, q := range queries {
		rows, sum, err := checksum(ctx, c, q)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		want[q] = fmt.Sprint(rows, sum)
		// An OFFSET and a sort that changes nothing: nothing leaves as it was stored.
		rows, sum, err = checksum(ctx, c, "SELECT * FROM ("+q+" ORDER BY 1 OFFSET 0) s")
		if got := fmt.Sprint(rows, sum); err != nil || got != want[q] || rows == 0 {
			t.Errorf("%s: %v %s, sorted %s", q, err, want[q], got)
		}
	}
	// And the rows themselves, against the wire protocol's.
	sql := f.node.Connect(t)
	const sample = "SELECT id, short, flag, mode, long, maybe, one, many, n, wide, d, b FROM m WHERE id % 997 = 1 OR id % 1000 BETWEEN 17 AND 18 ORDER BY id"
	var text strings.Builder
	rows, err := sql.Query(ctx, "SELECT s::text FROM ("+sample+") s")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		text.WriteString(s + "\n")
	}
	var flown strings.Builder
	got, err := query(ctx, c, "SELECT s::text FROM ("+sample+") s")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range got {
		flown.WriteString(r[0] + "\n")
	}
	if text.String() != flown.String() || text.Len() < 1000 {
		t.Errorf("the wire protocol and Flight differ:\n%.300s\n%.300s", text.String(), flown.String())
	}
	columnwise, err := query(ctx, c, strings.Replace(sample, "SELECT id,", "SELECT", 1))
	if err != nil {
		t.Fatal(err)
	}
	rowwise, err := query(ctx, c, strings.Replace(strings.Replace(sample, "SELECT id,", "SELECT", 1), "FROM m", "FROM (SELECT DISTINCT * FROM m) m", 1))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := fmt.Sprint(columnwise), fmt.Sprint(rowwise); a != b {
		t.Errorf("rows differ:\n%.300s\n%.300s", a, b)
	}
	g, gctx := errgroup.WithContext(ctx)
	for i := range 4 {
		g.Go(func() error {
			c := f.client(t, nil, grpc.WithInitialWindowSize(int32(64<<10<<i)))
			for k := range 5 {
				q := queries[(i+k)%len(queries)]
				rows, sum, err := checksum(gctx, c, q)
				if got := fmt.Sprint(rows, sum); err != nil || got != want[q] {
					return fmt.Errorf("%s: %v %s, want %s", q, err, got, want[q])
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}
