package servertest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/sql/server/servertest"
)

// TestSerializable: every way of asking for SERIALIZABLE gives it, and write skew ends one of two.
func TestSerializable(t *testing.T) {
	ctx := context.Background()
	s := servertest.Start(t)
	a, b := s.Connect(t), s.Connect(t)
	exec(t, a, "CREATE TABLE skew (k int PRIMARY KEY, v int); INSERT INTO skew VALUES (1, 1), (2, 1)")
	for _, begin := range [][2]string{
		{"BEGIN ISOLATION LEVEL SERIALIZABLE"},
		{"BEGIN", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"},
		{"BEGIN", "SET transaction_isolation = 'serializable'"},
		{"SET default_transaction_isolation = serializable", "BEGIN"},
		{"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE", "BEGIN"},
	} {
		for _, sql := range begin {
			exec(t, a, sql)
			exec(t, b, sql)
		}
		exec(t, a, "SELECT sum(v) FROM skew; UPDATE skew SET v = v - 1 WHERE k = 1")
		exec(t, b, "SELECT sum(v) FROM skew; UPDATE skew SET v = v - 1 WHERE k = 2")
		exec(t, a, "COMMIT")
		_, err := b.Exec(ctx, "COMMIT")
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != "40001" {
			t.Errorf("%s: %v", begin, err)
		}
		exec(t, a, "RESET default_transaction_isolation")
		exec(t, b, "RESET default_transaction_isolation")
	}
}

// TestSerializableConflicts: what ON CONFLICT finds is read, also when nothing is done about
// it, or what was done is undone.
func TestSerializableConflicts(t *testing.T) {
	ctx := context.Background()
	s := servertest.Start(t)
	a, b := s.Connect(t), s.Connect(t)
	exec(t, a, "CREATE TABLE k (k int PRIMARY KEY, u int UNIQUE, v text); CREATE TABLE o (k int PRIMARY KEY, v text)")
	for _, sql := range []string{
		"SAVEPOINT s; INSERT INTO k VALUES (1, 1, 'x') ON CONFLICT (k) DO UPDATE SET v = k.v || excluded.v RETURNING v; ROLLBACK TO s",
		"INSERT INTO k VALUES (1, 2, 'x') ON CONFLICT (k) DO NOTHING",
		"INSERT INTO k VALUES (2, 1, 'x') ON CONFLICT (u) DO NOTHING",
		"INSERT INTO k VALUES (2, 1, 'x') ON CONFLICT DO NOTHING",
	} {
		exec(t, a, "DELETE FROM k; DELETE FROM o; INSERT INTO k VALUES (1, 1, 'a'); INSERT INTO o VALUES (1, 'a')")
		exec(t, a, "BEGIN ISOLATION LEVEL SERIALIZABLE")
		exec(t, b, "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT v FROM o WHERE k = 1")
		exec(t, a, sql)                                // sees the row, so a comes before b
		exec(t, a, "UPDATE o SET v = 'b' WHERE k = 1") // b has not seen it, so b comes before a
		exec(t, b, "DELETE FROM k WHERE k = 1")
		exec(t, a, "COMMIT")
		_, err := b.Exec(ctx, "COMMIT")
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != "40001" {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// TestSnapshotOutlivesSavepoint: the snapshot that the first query takes is the transaction's,
// though the savepoint before it is rolled back to, by request or by an error.
func TestSnapshotOutlivesSavepoint(t *testing.T) {
	ctx := context.Background()
	s := servertest.Start(t)
	a, b := s.Connect(t), s.Connect(t)
	exec(t, a, "CREATE TABLE s (k int PRIMARY KEY, v int)")
	count := func() (n int) {
		t.Helper()
		if err := a.QueryRow(ctx, "SELECT count(*) FROM s").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	k := 0
	for _, level := range []string{"REPEATABLE READ", "SERIALIZABLE"} {
		for _, fail := range []string{"", "SELECT 1 / 0"} {
			exec(t, a, "BEGIN ISOLATION LEVEL "+level+"; SAVEPOINT s")
			was := count()
			exec(t, a, "INSERT INTO s VALUES (-1, 0)")
			if k++; fail != "" {
				if _, err := a.Exec(ctx, fail); err == nil {
					t.Fatal("no error")
				}
			}
			exec(t, a, "ROLLBACK TO s")
			_, err := b.Exec(ctx, "INSERT INTO s VALUES ($1, 0)", k)
			if err != nil {
				t.Fatal(err)
			}
			if n := count(); n != was {
				t.Errorf("%s, %q: %d rows, then %d", level, fail, was, n)
			}
			exec(t, a, "INSERT INTO s VALUES (-1, 0); ROLLBACK TO s; COMMIT")
			// Before the first query there is nothing to keep.
			exec(t, a, "BEGIN ISOLATION LEVEL "+level+"; SAVEPOINT s; ROLLBACK TO s")
			exec(t, b, "DELETE FROM s WHERE k = 1")
			exec(t, a, "RELEASE s; SET TRANSACTION READ ONLY; COMMIT")
		}
	}
}
