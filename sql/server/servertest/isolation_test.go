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
