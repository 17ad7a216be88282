package servertest_test

import (
	"context"
	"testing"

	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/server/servertest"
)

// TestKeyListTooLong: a grouping whose list of keys does not fit into memory is done without one, unless it is
// of a statement that cannot be run twice, which has none.
func TestKeyListTooLong(t *testing.T) {
	ctx := context.Background()
	s := servertest.StartWith(t, server.Options{InMemory: true, MemoryBytes: 48 << 20})
	c := s.Connect(t)
	exec(t, c, `CREATE TABLE keyed (k int PRIMARY KEY, t text); CREATE TABLE facts (n int PRIMARY KEY, k int);
		INSERT INTO keyed SELECT i, md5(i::text) FROM generate_series(1, 80000) i;
		INSERT INTO facts SELECT i, 1 + i % 80000 FROM generate_series(1, 960000) i; ANALYZE keyed; ANALYZE facts;
		CREATE TABLE kept (t text, n bigint); CREATE SEQUENCE calls`)
	const groups = "SELECT keyed.t, count(*) AS n FROM facts JOIN keyed USING (k) GROUP BY keyed.t"
	check := func(what, sql string) {
		t.Helper()
		var n, sum, least int64
		if err := c.QueryRow(ctx, sql).Scan(&n, &sum, &least); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if n != 80000 || sum != 960000 || least != 12 {
			t.Errorf("%s: %d groups of %d rows, the smallest has %d", what, n, sum, least)
		}
	}
	for range 2 { // from the cache of plans, too
		check("a query", "SELECT count(*), sum(n)::bigint, min(n) FROM ("+groups+") x")
	}
	exec(t, c, "INSERT INTO kept "+groups)
	check("inserted", "SELECT count(*), sum(n)::bigint, min(n) FROM kept")
	check("volatile", "SELECT count(*), sum(n)::bigint, min(n) FROM ("+groups+") x WHERE nextval('calls') > 0")
	var calls int64
	if err := c.QueryRow(ctx, "SELECT last_value FROM calls").Scan(&calls); err != nil || calls != 80000 {
		t.Errorf("the function was called %d times: %v", calls, err)
	}
}
