package servertest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/server/servertest"
)

// TestConnectionLimits: max_connections, of which the last are for superusers, and
// authentication_timeout have the effect that SHOW and pg_settings tell of.
func TestConnectionLimits(t *testing.T) {
	n := servertest.StartWith(t, server.Options{InMemory: true, MaxConnections: 6, AuthenticationTimeout: 5 * time.Second})
	ctx := context.Background()
	c := n.Connect(t)
	exec(t, c, "CREATE ROLE joe LOGIN; CREATE ROLE ann LOGIN CONNECTION LIMIT 1")
	for sql, want := range map[string]string{
		"SHOW max_connections":                "6",
		"SHOW superuser_reserved_connections": "3",
		"SHOW authentication_timeout":         "5s",
		"SELECT setting || '/' || reset_val || '/' || context FROM pg_settings WHERE name = 'max_connections'": "6/6/postmaster",
		"SELECT current_setting('authentication_timeout')":                                                     "5s",
	} {
		var got string
		if err := c.QueryRow(ctx, sql).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", sql, got, err, want)
		}
	}
	for sql, want := range map[string]string{
		"SET max_connections = 5":                "55P02",
		"SET superuser_reserved_connections = 5": "55P02",
		"SET authentication_timeout = 5":         "55P02",
		"RESET max_connections":                  "55P02",
	} {
		if _, err := c.Exec(ctx, sql); code(err) != want {
			t.Errorf("%s: %v, want %s", sql, err, want)
		}
	}
	connect := func(user string) (*pgx.Conn, error) {
		c, err := pgx.Connect(ctx, strings.Replace(n.DSN("postgres"), "postgres@", user+"@", 1))
		if err == nil {
			t.Cleanup(func() { c.Close(ctx) })
		}
		return c, err
	}
	refused := func(user, message string) {
		t.Helper()
		if _, err := connect(user); err == nil || !strings.Contains(err.Error(), message) || !strings.Contains(err.Error(), "SQLSTATE 53300") {
			t.Errorf("%s: %v, want %q", user, err, message)
		}
	}
	if _, err := connect("ann"); err != nil { // the second
		t.Fatal(err)
	}
	refused("ann", `too many connections for role "ann"`)
	third, err := connect("joe")
	if err != nil {
		t.Fatal(err)
	}
	refused("joe", "remaining connection slots are reserved for roles with the SUPERUSER attribute")
	for range 3 { // those refused may have their places still
		deadline := time.Now().Add(5 * time.Second)
		_, err := connect("postgres")
		for ; err != nil && time.Now().Before(deadline); _, err = connect("postgres") {
			time.Sleep(10 * time.Millisecond)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	refused("postgres", "sorry, too many clients already")
	refused("joe", "sorry, too many clients already")
	third.Close(ctx)
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := connect("postgres"); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("after one has left: %v", err)
		}
	}
}
