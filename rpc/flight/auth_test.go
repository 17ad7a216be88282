package flight_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	grpcmd "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	flightserver "github.com/basaltdb/basalt/rpc/flight"
)

func basic(ctx context.Context, user, password string) context.Context {
	return grpcmd.AppendToOutgoingContext(ctx, "authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

func TestPasswords(t *testing.T) {
	f := start(t, func(o *flightserver.Options) { o.NoTrust = true })
	c := f.client(t, nil)
	f.exec(t, "CREATE ROLE alice LOGIN PASSWORD 'secret'", "CREATE ROLE bob LOGIN PASSWORD 'hush'", "CREATE ROLE nologin PASSWORD 'x'",
		"CREATE TABLE t (a int)", "GRANT SELECT ON t TO alice", "CREATE DATABASE other")
	ctx := ctxOf(t)
	ask := func(ctx context.Context, q string) string {
		rows, err := query(ctx, c, q)
		if err != nil {
			return state(err)
		}
		return rows[0][0]
	}
	header := func(kv ...string) context.Context { return grpcmd.AppendToOutgoingContext(ctx, kv...) }
	for _, x := range []struct {
		name string
		ctx  context.Context
		q    string
		want string
	}{
		{"no credentials", ctx, "SELECT 1", "28000"},
		{"right password", basic(ctx, "alice", "secret"), "SELECT current_user", "alice"},
		{"and again", basic(ctx, "alice", "secret"), "SELECT current_user", "alice"},
		{"wrong password", basic(ctx, "alice", "Secret"), "SELECT 1", "28P01"},
		{"no password set", basic(ctx, "postgres", ""), "SELECT 1", "28P01"},
		{"no such role", basic(ctx, "nobody", "secret"), "SELECT 1", "28P01"},
		{"no login", basic(ctx, "nologin", "x"), "SELECT 1", "28000"},
		{"scheme", header("authorization", "Digest abc"), "SELECT 1", "28000"},
		{"not base64", header("authorization", "Basic !!"), "SELECT 1", "28000"},
		{"noise as token", header("authorization", "Bearer abc"), "SELECT 1", "28000"},
		{"long noise as token", header("authorization", "Bearer "+base64.RawURLEncoding.EncodeToString(make([]byte, 64))), "SELECT 1", "28000"},
		{"privileges", basic(ctx, "bob", "hush"), "SELECT * FROM t", "42501"},
		{"database", grpcmd.AppendToOutgoingContext(basic(ctx, "bob", "hush"), "database", "other"), "SELECT current_database()", "other"},
		{"unknown database", grpcmd.AppendToOutgoingContext(basic(ctx, "bob", "hush"), "catalog", "none"), "SELECT 1", "3D000"},
		{"setting", grpcmd.AppendToOutgoingContext(basic(ctx, "bob", "hush"), "basalt-set-search_path", "app"), "SHOW search_path", "app"},
		{"unknown setting", grpcmd.AppendToOutgoingContext(basic(ctx, "bob", "hush"), "basalt-set-nosuch", "app"), "SHOW search_path", "42704"},
	} {
		if got := ask(x.ctx, x.q); got != x.want {
			t.Errorf("%s: got %q, want %q", x.name, got, x.want)
		}
	}
	if _, err := query(ctx, c, "SELECT 1"); status.Code(err) != codes.Unauthenticated {
		t.Errorf("code %s", status.Code(err))
	}

	// A handshake gives a token; it ends with the password.
	_, err := c.Client.AuthenticateBasicToken(ctx, "alice", "wrong")
	wantState(t, err, "28P01")
	token, err := c.Client.AuthenticateBasicToken(ctx, "alice", "secret")
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(token, "SELECT current_user"); got != "alice" {
		t.Errorf("with a token: %q", got)
	}
	// What belongs to one user does not serve another.
	info, err := c.Execute(token, "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = fetch(basic(ctx, "bob", "hush"), c, info)
	wantState(t, err, "42501")
	tx, err := c.BeginTransaction(token)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tx.ExecuteUpdate(basic(ctx, "bob", "hush"), "SELECT 1")
	wantState(t, err, "25000")
	f.exec(t, "ALTER ROLE alice PASSWORD 'changed'")
	if got := ask(token, "SELECT 1"); got != "28000" {
		t.Errorf("a token after the password's change: %q", got)
	}
	if got := ask(basic(ctx, "alice", "secret"), "SELECT 1"); got != "28P01" {
		t.Errorf("the old password: %q", got)
	}
}

func TestTrustOnLoopback(t *testing.T) {
	f := start(t, nil)
	c := f.client(t, nil)
	f.exec(t, "CREATE ROLE alice LOGIN")
	ctx := ctxOf(t)
	for user, ctx := range map[string]context.Context{"postgres": ctx, "alice": basic(ctx, "alice", "")} {
		rows, err := query(ctx, c, "SELECT current_user")
		if err != nil {
			t.Fatal(err)
		}
		wantRows(t, rows, []string{user})
	}
	_, err := query(basic(ctx, "nobody", ""), c, "SELECT 1")
	wantState(t, err, "28000")
	token, err := c.Client.AuthenticateBasicToken(ctx, "alice", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := query(token, c, "SELECT 1"); err != nil {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, func(o *flightserver.Options) {
		o.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	})
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	wantRows(t, mustQuery(t, f.client(t, &tls.Config{RootCAs: pool}), "SELECT 1"), []string{"1"})
	if _, err := query(ctxOf(t), f.client(t, &tls.Config{RootCAs: x509.NewCertPool()}), "SELECT 1"); status.Code(err) != codes.Unavailable {
		t.Errorf("an unknown certificate: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if _, err := query(ctx, f.client(t, nil), "SELECT 1"); err == nil {
		t.Error("a client without TLS was served")
	}
}
