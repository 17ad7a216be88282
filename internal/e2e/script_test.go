package e2e

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

// script runs statements of a test, whose errors end it.
type script struct {
	t   *testing.T
	ctx context.Context
}

// run runs statements; the last one fails with the SQLSTATE want, unless that is "".
func (s script) run(c *pgx.Conn, want string, statements ...string) {
	s.t.Helper()
	for i, q := range statements {
		_, err := c.Exec(s.ctx, q)
		if last := i == len(statements)-1; last && want != "" {
			if !hasCode(err, want) {
				s.t.Fatalf("%s: %v, want %s", q, err, want)
			}
		} else if err != nil {
			s.t.Fatalf("%s: %v", q, err)
		}
	}
}

// same compares the one value of a query.
func (s script) same(c *pgx.Conn, q, want string) {
	s.t.Helper()
	if got := text(c, q); got != want {
		s.t.Fatalf("%s: %s, want %s", q, got, want)
	}
}
