package servertest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/sql/server/servertest"
)

// TestSerializableIsRefused: no way of asking for SERIALIZABLE gives a weaker level.
func TestSerializableIsRefused(t *testing.T) {
	ctx := context.Background()
	c := servertest.Start(t).Connect(t)
	refused := func(sql string) {
		t.Helper()
		_, err := c.Exec(ctx, sql)
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != "0A000" || e.Message != "SERIALIZABLE isolation is not supported yet" {
			t.Errorf("%s: %v", sql, err)
		}
	}
	refused("BEGIN ISOLATION LEVEL SERIALIZABLE")
	exec(t, c, "SELECT 1") // no failed block is left
	refused("START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE")
	refused("SET default_transaction_isolation = serializable")
	refused("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE")
	refused("SELECT set_config('default_transaction_isolation', 'serializable', false)")
	for _, sql := range []string{"SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET transaction_isolation = 'serializable'"} {
		exec(t, c, "BEGIN")
		refused(sql)
		exec(t, c, "ROLLBACK")
	}
	exec(t, c, "BEGIN ISOLATION LEVEL READ UNCOMMITTED")
	exec(t, c, "COMMIT")
}
