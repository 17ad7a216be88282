package servertest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/server/servertest"
)

// heard waits for the notifications that a connection gets, as channel:payload.
func heard(t *testing.T, c *pgx.Conn, n int) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var out []string
	for range n {
		x, err := c.WaitForNotification(ctx)
		if err != nil {
			t.Fatalf("after %q: %v", out, err)
		}
		out = append(out, x.Channel+":"+x.Payload)
	}
	return strings.Join(out, " ")
}

// TestNotifications: what transactions send comes to idle sessions at once, in the
// order of the commits, once each, and only if it is committed.
func TestNotifications(t *testing.T) {
	n := servertest.Start(t)
	a, b, c := n.Connect(t), n.Connect(t), n.Connect(t)
	exec(t, a, "LISTEN one")
	exec(t, a, "LISTEN two")
	exec(t, b, "LISTEN one")

	// An idle connection is woken again and again, also with an idle timeout.
	exec(t, b, "SET idle_session_timeout = '60s'")
	for i := range 5 {
		exec(t, c, fmt.Sprintf("NOTIFY one, '%d'", i))
		want := fmt.Sprintf("one:%d", i)
		if got := heard(t, a, 1); got != want {
			t.Errorf("a hears %q", got)
		}
		if got := heard(t, b, 1); got != want {
			t.Errorf("b hears %q", got)
		}
	}

	exec(t, c, "BEGIN")
	exec(t, c, "NOTIFY one, 'x'")
	exec(t, c, "NOTIFY two, 'x'")
	exec(t, c, "NOTIFY one, 'x'")
	exec(t, c, "SAVEPOINT s")
	exec(t, c, "NOTIFY one, 'lost'")
	exec(t, c, "NOTIFY one, 'x'")
	exec(t, c, "ROLLBACK TO s")
	exec(t, c, "NOTIFY one, 'y'")
	exec(t, c, "COMMIT")
	exec(t, c, "BEGIN")
	exec(t, c, "NOTIFY one, 'rolled back'")
	exec(t, c, "ROLLBACK")
	exec(t, c, "NOTIFY one, 'z'")
	if got := heard(t, a, 4); got != "one:x two:x one:y one:z" {
		t.Errorf("a hears %q", got)
	}
	if got := heard(t, b, 3); got != "one:x one:y one:z" {
		t.Errorf("b hears %q", got)
	}

	// A session in a transaction hears afterwards, and keeps the queue meanwhile.
	exec(t, a, "BEGIN")
	exec(t, c, "SELECT count(pg_notify('two', g::text)) FROM generate_series(1, 1000) g")
	if got := rowsText(t, c, "SELECT (pg_notification_queue_usage() > 0)::text"); got != "true" {
		t.Errorf("the queue is empty while a session has not read it")
	}
	exec(t, a, "COMMIT")
	if got := heard(t, a, 1000); !strings.HasPrefix(got, "two:1 two:2 ") || !strings.HasSuffix(got, " two:1000") {
		t.Errorf("a hears %.40s … %s", got, got[len(got)-20:])
	}
	if got := rowsText(t, c, "SELECT pg_notification_queue_usage()::text"); got != "0" {
		t.Errorf("the queue still holds %s", got)
	}

	// Own notifications; another database hears nothing.
	exec(t, c, "LISTEN three")
	exec(t, c, "NOTIFY three, 'self'")
	if got := heard(t, c, 1); got != "three:self" {
		t.Errorf("c hears %q of itself", got)
	}
	exec(t, c, "CREATE DATABASE other")
	d, err := pgx.Connect(t.Context(), n.DSN("other"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close(context.Background())
	exec(t, d, "LISTEN three")
	exec(t, c, "NOTIFY three, 'here'")
	exec(t, d, "NOTIFY three, 'there'")
	if got := heard(t, d, 1); got != "three:there" {
		t.Errorf("d hears %q", got)
	}
}

// TestNotificationsOverTLS: waking an idle connection leaves its stream in order.
func TestNotificationsOverTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	n := servertest.StartWith(t, server.Options{InMemory: true, TLS: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}})
	c, err := pgx.Connect(t.Context(), strings.Replace(n.DSN("postgres"), "sslmode=disable", "sslmode=require", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	other := n.Connect(t)
	exec(t, c, "LISTEN x")
	for i := range 20 {
		exec(t, other, fmt.Sprintf("NOTIFY x, '%d'", i))
		if got, want := heard(t, c, 1), fmt.Sprintf("x:%d", i); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
		if got := rowsText(t, c, "SELECT 'and statements go on'"); got != "and statements go on" {
			t.Fatal(got)
		}
	}
}
