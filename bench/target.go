package bench

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// defaultDSN is a Basalt started with its defaults.
const defaultDSN = "host=127.0.0.1 port=5433 user=postgres dbname=postgres sslmode=disable"

// Target is a server under measurement.
type Target struct{ Name, DSN string }

// parseTargets reads --target values: NAME:DSN, or a bare DSN named by its position.
func parseTargets(values []string) ([]Target, error) {
	if len(values) == 0 {
		return []Target{{Name: "basalt", DSN: defaultDSN}}, nil
	}
	var ts []Target
	for i, v := range values {
		name, dsn, ok := strings.Cut(v, ":")
		if !ok || strings.ContainsAny(name, " =/") {
			name, dsn = fmt.Sprintf("target%d", i+1), v
		}
		if _, err := pgconn.ParseConfig(dsn); err != nil {
			return nil, fmt.Errorf("--target %q: %w", v, err)
		}
		ts = append(ts, Target{Name: name, DSN: dsn})
	}
	return ts, nil
}

func (t Target) connect(ctx context.Context) (*pgconn.PgConn, error) {
	c, err := pgconn.Connect(ctx, t.DSN)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Name, err)
	}
	return c, nil
}
