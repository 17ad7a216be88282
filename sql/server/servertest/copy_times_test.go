package servertest_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/basaltdb/basalt/sql/server/servertest"
)

// TestTimestampsBinary: the ends of the range and the infinities go through binary COPY
// and come back byte for byte, and pgx reads and writes the instants meant.
func TestTimestampsBinary(t *testing.T) {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, servertest.Start(t).DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	for _, q := range []string{
		"CREATE TABLE times (id int PRIMARY KEY, t timestamp, z timestamptz, d date, a timestamp[])",
		"INSERT INTO times SELECT row_number() OVER (), v::timestamp, (v || '+00')::timestamptz, NULL, ARRAY[v::timestamp, NULL] FROM unnest(ARRAY[" +
			"'294276-12-31 23:59:59.999999', '4714-11-24 00:00:00', '1970-01-01 00:00:00', '1999-12-31 23:59:59.999999', '2000-01-01 00:00:00']) v WHERE v NOT LIKE '4714%'",
		"INSERT INTO times VALUES (10, 'infinity', '-infinity', 'infinity', '{infinity}'), (11, '4714-11-24 BC', '4714-11-24 00:00+00 BC', '4714-11-24 BC', '{}'), (12, NULL, NULL, '5874897-12-31', NULL)",
		"CREATE TABLE again (LIKE times)",
	} {
		if _, err := c.Exec(ctx, q); err != nil {
			t.Fatal(q, err)
		}
	}
	out := func(q string) []byte {
		t.Helper()
		var b bytes.Buffer
		if _, err := c.PgConn().CopyTo(ctx, &b, q); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	first := out("COPY (SELECT * FROM times ORDER BY id) TO STDOUT (FORMAT binary)")
	if _, err := c.PgConn().CopyFrom(ctx, bytes.NewReader(first), "COPY again FROM STDIN (FORMAT binary)"); err != nil {
		t.Fatal(err)
	}
	if second := out("COPY (SELECT * FROM again ORDER BY id) TO STDOUT (FORMAT binary)"); !bytes.Equal(first, second) {
		t.Errorf("\n%x\n%x", first, second)
	}
	text := out("COPY (SELECT * FROM times ORDER BY id) TO STDOUT")
	if _, err := c.Exec(ctx, "TRUNCATE again"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PgConn().CopyFrom(ctx, bytes.NewReader(text), "COPY again FROM STDIN"); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := c.QueryRow(ctx, "SELECT count(*) FROM (SELECT * FROM times EXCEPT SELECT * FROM again) x").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows differ after COPY as text, %v", n, err)
	}

	for i, want := range []any{
		time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1999, 12, 31, 23, 59, 59, 999_999_000, time.UTC), time.Date(2024, 2, 29, 1, 2, 3, 4000, time.UTC),
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-4713, 11, 24, 0, 0, 0, 0, time.UTC),
		pgtype.Timestamp{InfinityModifier: pgtype.Infinity, Valid: true}, pgtype.Timestamp{InfinityModifier: pgtype.NegativeInfinity, Valid: true},
	} {
		if at, ok := want.(time.Time); ok {
			want = pgtype.Timestamp{Time: at, Valid: true}
		}
		var got pgtype.Timestamp
		var text string
		if err := c.QueryRow(ctx, "SELECT $1::timestamp, $1::timestamp::text", want).Scan(&got, &text); err != nil || got != want {
			t.Errorf("%d: %v (%s), %v; want %v", i, got, text, err, want)
		}
	}
	before := time.Now().Truncate(time.Microsecond)
	var now, clock time.Time
	if err := c.QueryRow(ctx, "SELECT now(), clock_timestamp()").Scan(&now, &clock); err != nil {
		t.Fatal(err)
	}
	if after := time.Now(); now.Before(before) || clock.Before(now) || clock.After(after) {
		t.Errorf("now() is %s and clock_timestamp() %s, between %s and %s", now, clock, before, after)
	}
}
