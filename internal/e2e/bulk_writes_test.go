package e2e

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/internal/nodetest"
)

var gatherBytes = regexp.MustCompile(`rows=\d+ bytes=(\d+)`)

// toGateway is how many bytes a statement moves to the gateway, and how many between nodes, as
// EXPLAIN (ANALYZE, DISTRIBUTED) counts them. −1: nothing of it runs on the nodes.
func moved(t *testing.T, c *pgx.Conn, sql string) (toGateway, between int) {
	t.Helper()
	rows, err := c.Query(context.Background(), "EXPLAIN (ANALYZE, DISTRIBUTED) "+sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	toGateway = -1
	var to *int
	for _, l := range lines {
		switch {
		case strings.Contains(l, "to gateway"):
			to, toGateway = &toGateway, max(toGateway, 0)
		case strings.Contains(l, "Exchange"):
			to = &between
		}
		if m := gatherBytes.FindStringSubmatch(l); m != nil && to != nil {
			n, _ := strconv.Atoi(m[1])
			*to += n
		}
	}
	return toGateway, between
}

// TestClusterBulkWrites: INSERT … SELECT of many rows stores them on their nodes, where they lie or
// sent there by the exchange, not through the gateway; whatever ends it, nothing of it stays.
func TestClusterBulkWrites(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	cl := nodetest.StartCluster(t, 3, "--tablets", "6")
	c := session(t, cl.First)
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Minute)
	defer stop()
	exec := func(sql, want string) {
		t.Helper()
		began := time.Now()
		_, err := c.Exec(ctx, sql)
		if d := time.Since(began); d > 2*time.Second {
			t.Logf("%.80s: %s", sql, d.Round(time.Millisecond))
		}
		if err == nil && want != "" || err != nil && (want == "" || !hasCode(err, want)) {
			t.Fatalf("%.80s: %v, want %s", sql, err, want)
		}
	}
	count := func(table, want string) {
		t.Helper()
		if got := text(c, "SELECT count(*) || ' ' || coalesce(sum(k), 0) FROM "+table); got != want {
			t.Errorf("%s: %s, want %s", table, got, want)
		}
	}
	exec(`CREATE TABLE big (k int PRIMARY KEY, few int, v text);
		INSERT INTO big SELECT i, i % 3, 'value ' || i FROM generate_series(1, 20000) i;
		ANALYZE big;
		CREATE TABLE beside (k int PRIMARY KEY, few int NOT NULL CHECK (few < 5), v text, twice int GENERATED ALWAYS AS (k * 2) STORED);
		CREATE INDEX ON beside (few);
		CREATE TABLE elsewhere (v text, k int, PRIMARY KEY (v, k)) WITH (distribute_by = 'v');
		CREATE TABLE alone (v text UNIQUE, k int PRIMARY KEY);
		CREATE TABLE child (k int PRIMARY KEY REFERENCES big)`, "")

	const all, sum = "20000 200010000", 200010000
	if gw, between := moved(t, c, "INSERT INTO beside SELECT k, few, v FROM big"); gw < 0 || gw > 4096 || between > 0 {
		t.Errorf("rows that lie beside one another: %d bytes to the gateway, %d between nodes", gw, between)
	}
	count("beside", all)
	if gw, between := moved(t, c, "INSERT INTO elsewhere SELECT v, k FROM big"); gw < 0 || gw > 4096 || between < 20000*10 {
		t.Errorf("rows that lie elsewhere: %d bytes to the gateway, %d between nodes", gw, between)
	}
	count("elsewhere", all)
	if got := text(c, "SELECT count(*) FROM beside JOIN elsewhere USING (k, v) WHERE twice = 2 * k"); got != "20000" {
		t.Errorf("the copies differ: %s", got)
	}
	if got := text(c, "SELECT count(*) FROM beside WHERE few = 1"); got != "6667" { // by the index
		t.Errorf("few = 1: %s", got)
	}
	// What looks at other rows goes through the gateway, with the same result.
	for _, sql := range []string{"INSERT INTO alone SELECT v, k FROM big", "INSERT INTO child SELECT k FROM big WHERE k <= 500"} {
		exec(sql, "")
	}
	count("alone", all)
	count("child", "500 125250")
	exec("INSERT INTO alone SELECT 'x' || v, k + 100000 FROM big UNION ALL SELECT 'value 7', 0", "23505")
	exec("INSERT INTO child SELECT k + 20000 FROM big", "23503")

	// Sequences, RETURNING, ON CONFLICT, the table itself.
	exec("INSERT INTO beside SELECT k, few, v FROM big ON CONFLICT DO NOTHING", "")
	count("beside", all)
	exec("INSERT INTO beside SELECT k, 4, v || '!' FROM big WHERE k > 15000 ON CONFLICT (k) DO UPDATE SET v = excluded.v || beside.few WHERE beside.few < 2", "")
	if got := text(c, "SELECT count(*) || ' ' || count(DISTINCT v) || ' ' || min(v) FROM beside WHERE v LIKE '%!%' AND few < 2 AND twice = 2 * k"); got != "3333 3333 value 15001!1" {
		t.Errorf("ON CONFLICT DO UPDATE: %s", got)
	}
	exec("INSERT INTO beside SELECT k % 100, few, v FROM big ON CONFLICT (k) DO UPDATE SET v = 'twice'", "21000")
	exec("UPDATE beside SET v = 'value ' || k", "")
	count("beside", all)
	exec("INSERT INTO beside SELECT k + 100000, few, v FROM beside", "")
	count("beside", fmt.Sprint("40000 ", 2*sum+20000*100000))
	var given string
	if err := c.QueryRow(ctx, "WITH x AS (INSERT INTO beside SELECT k + 200000, few, v FROM beside WHERE k <= 20000 RETURNING k, twice) SELECT count(*) || ' ' || sum(twice - 2 * k) FROM x").
		Scan(&given); err != nil || given != "20000 0" {
		t.Errorf("RETURNING: %s, %v", given, err)
	}
	exec("DELETE FROM beside WHERE k > 20000", "")
	count("beside", all)

	// Errors, in the middle of it: nothing stays.
	more := "INSERT INTO beside (k, few, v) SELECT k + 100000, few, v FROM big"
	for _, x := range []struct{ sql, code string }{
		{"INSERT INTO beside (k, few, v) SELECT k + 19999, few, v FROM big", "23505"},
		{"INSERT INTO elsewhere SELECT v, CASE WHEN k = 19000 THEN 3 ELSE k + 100000 END FROM (SELECT CASE WHEN k = 19000 THEN 'value 3' ELSE v END, k FROM big) s (v, k)", "23505"},
		{strings.Replace(more, "few, v FROM", "CASE WHEN k = 11234 THEN NULL ELSE few END, v FROM", 1), "23502"},
		{strings.Replace(more, "few, v FROM", "CASE WHEN k = 11234 THEN 9 ELSE few END, v FROM", 1), "23514"},
		{strings.Replace(more, "few, v FROM", "1 / (k - 11234), v FROM", 1), "22012"},
	} {
		exec(x.sql, x.code)
		count("beside", all)
		count("elsewhere", all)
	}

	// Transactions and savepoints.
	exec("BEGIN; "+more, "")
	count("beside", fmt.Sprint("40000 ", 2*sum+20000*100000))
	if got := text(session(t, cl.First), "SELECT count(*) FROM beside"); got != "20000" {
		t.Errorf("others see %s rows", got)
	}
	exec("SAVEPOINT a; INSERT INTO beside (k, few, v) SELECT k + 300000, few, v FROM big", "")
	exec("INSERT INTO beside (k, few, v) SELECT k + 100000, few, v FROM big", "23505")
	exec("ROLLBACK TO a", "")
	count("beside", fmt.Sprint("40000 ", 2*sum+20000*100000))
	exec("ROLLBACK", "")
	count("beside", all)

	// Somebody else has a key: it is waited for.
	other := session(t, cl.First)
	if _, err := other.Exec(ctx, "BEGIN; INSERT INTO beside VALUES (111234, 1, 'other')"); err != nil {
		t.Fatal(err)
	}
	waits := make(chan error, 1)
	go func() { _, err := c.Exec(ctx, more); waits <- err }()
	select {
	case err := <-waits:
		t.Errorf("it did not wait: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	if _, err := other.Exec(ctx, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-waits; !hasCode(err, "23505") {
		t.Errorf("after the other's commit: %v", err)
	}
	exec("DELETE FROM beside WHERE k = 111234", "")
	count("beside", all)

	// And in a circle: one of the two ends with a deadlock, the other goes on.
	if _, err := other.Exec(ctx, "BEGIN; INSERT INTO beside VALUES (111234, 1, 'other')"); err != nil {
		t.Fatal(err)
	}
	exec("BEGIN; INSERT INTO beside VALUES (500000, 1, 'one')", "")
	go func() { _, err := c.Exec(ctx, more); waits <- err }()
	time.Sleep(300 * time.Millisecond)
	_, err := other.Exec(ctx, "INSERT INTO beside VALUES (500000, 1, 'other')")
	if err != nil {
		_, err2 := other.Exec(ctx, "ROLLBACK")
		err = errors.Join(err, err2)
	}
	mine := <-waits
	if hasCode(err, "40P01") == hasCode(mine, "40P01") {
		t.Errorf("a deadlock: %v, %v", err, mine)
	}
	exec("ROLLBACK", "")
	if _, err := other.Exec(ctx, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	count("beside", all)

	// A cancel and a timeout in the middle.
	exec("SET statement_timeout = 100", "")
	exec("INSERT INTO elsewhere SELECT a.v || b.v, a.k FROM big a JOIN big b ON a.few = b.few", "57014")
	exec("RESET statement_timeout", "")
	count("elsewhere", all)

	// COPY: the same rules, and the line of the error.
	var data strings.Builder
	for i := range 15000 {
		fmt.Fprintf(&data, "%d\t%d\tcopied\n", 100000+i, i%3)
	}
	if tag, err := c.PgConn().CopyFrom(ctx, strings.NewReader(data.String()), "COPY beside (k, few, v) FROM STDIN"); err != nil || tag.RowsAffected() != 15000 {
		t.Errorf("COPY: %v, %v", tag, err)
	}
	exec("DELETE FROM beside WHERE k >= 100000", "")
	var pe *pgconn.PgError
	data.WriteString("5\t1\ttaken\n")
	if _, err := c.PgConn().CopyFrom(ctx, strings.NewReader(data.String()), "COPY beside (k, few, v) FROM STDIN"); !errors.As(err, &pe) || pe.Code != "23505" || !strings.Contains(pe.Where, "line 15001") {
		t.Errorf("COPY of a key that is taken: %v %+v", err, pe)
	}
	count("beside", all)

	// A node dies in the middle: an error, and nothing half done.
	ended := make(chan error, 1)
	go func() {
		_, err := c.Exec(ctx, "INSERT INTO elsewhere SELECT a.v || b.v, a.k FROM big a JOIN big b ON a.few = b.few")
		ended <- err
	}()
	watch := session(t, cl.First)
	awaitPieces(t, watch, true, 10*time.Second)
	time.Sleep(200 * time.Millisecond)
	cl.Storage[1].Kill()
	if err := <-ended; !errors.As(err, &pe) || !strings.HasPrefix(pe.Code, "08") && pe.Code != "57P01" {
		t.Errorf("a node died: %v", err)
	}
	cl.Storage[1].Restart()
	awaitPieces(t, watch, false, 20*time.Second)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if got := text(watch, "SELECT count(*) || ' ' || sum(k) FROM elsewhere"); got == all {
			break
		} else if time.Now().After(end) {
			t.Fatalf("after a node died: %s", got)
		}
	}
	exec("INSERT INTO elsewhere SELECT v, k + 100000 FROM big", "")
	count("elsewhere", fmt.Sprint("40000 ", 2*sum+20000*100000))
}
