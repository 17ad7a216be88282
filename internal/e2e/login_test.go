package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// outside is an address of this machine that is not loopback.
func outside(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Skip(err)
	}
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() {
			return ip.IP.String()
		}
	}
	t.Skip("this machine has no address but loopback")
	return ""
}

// try logs in with a connection string and says who it is.
func try(dsn string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	var user string
	err = c.QueryRow(ctx, "select current_user::text").Scan(&user)
	return user, err
}

// TestLogin: loopback is trusted for roles that exist and may log in; from
// elsewhere the password decides, and an unknown role fails like a wrong one.
func TestLogin(t *testing.T) {
	host := outside(t)
	n := nodetest.StartPublic(t, t.TempDir(), "--insecure")
	c := connect(t, n)
	exec1(t, c, `create role ann login password 'päss word''s'; create role bob login; create role team password 'team'`)
	for _, x := range []struct {
		host, user, password, code, message string
	}{
		{"127.0.0.1", "ann", "", "", ""},
		{"127.0.0.1", "bob", "", "", ""},
		{"127.0.0.1", "nobody", "", "28000", `role "nobody" does not exist`},
		{"127.0.0.1", "team", "", "28000", `role "team" is not permitted to log in`},
		{host, "ann", "päss word's", "", ""},
		{host, "ann", "wrong", "28P01", `password authentication failed for user "ann"`},
		{host, "bob", "anything", "28P01", `password authentication failed for user "bob"`},
		{host, "nobody", "anything", "28P01", `password authentication failed for user "nobody"`},
		{host, "postgres", "postgres", "28P01", `password authentication failed for user "postgres"`},
		{host, "team", "team", "28000", `role "team" is not permitted to log in`},
	} {
		cfg := fmt.Sprintf("host=%s port=%d user=%s dbname=postgres sslmode=disable password='%s'", x.host, n.Port(), x.user, strings.ReplaceAll(x.password, "'", `\'`))
		user, err := try(cfg)
		if x.code == "" {
			if err != nil || user != x.user {
				t.Errorf("%s from %s: %q, %v", x.user, x.host, user, err)
			}
			continue
		}
		wantCode(t, err, x.code)
		if err != nil && !strings.Contains(err.Error(), x.message) {
			t.Errorf("%s from %s: %v, want %s", x.user, x.host, err, x.message)
		}
	}
	exec1(t, c, "alter role ann password 'new'")
	if _, err := try(fmt.Sprintf("host=%s port=%d user=ann dbname=postgres sslmode=disable password=new", host, n.Port())); err != nil {
		t.Error(err)
	}
	_, err := try(fmt.Sprintf("host=%s port=%d user=ann dbname=postgres sslmode=disable password='päss word\\'s'", host, n.Port()))
	wantCode(t, err, "28P01")
	if _, err := try(fmt.Sprintf("host=%s port=%d user=ann dbname=postgres sslmode=require password=new", host, n.Port())); err == nil {
		t.Error("sslmode=require is content without TLS")
	}
	n.Stop()
}

// certificate writes a self-signed certificate for addr.
func certificate(t *testing.T, dir, addr string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "basalt"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.ParseIP(addr), net.ParseIP("127.0.0.1")}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	kb, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
	for name, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: kb}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestTLS: with a certificate the server may listen everywhere, encrypts for
// whoever asks, and what is verified is verified.
func TestTLS(t *testing.T) {
	host := outside(t)
	dir := t.TempDir()
	cert, key := certificate(t, dir, host)
	n := nodetest.StartPublic(t, filepath.Join(dir, "data"), "--tls-cert", cert, "--tls-key", key)
	exec1(t, connect(t, n), "create role ann login password 'secret'")
	dsn := func(h, rest string) string {
		return fmt.Sprintf("host=%s port=%d user=ann password=secret dbname=postgres %s", h, n.Port(), rest)
	}
	for _, h := range []string{"127.0.0.1", host} {
		for rest, ok := range map[string]bool{
			"sslmode=disable":                         true,
			"sslmode=require":                         true,
			"sslmode=verify-full sslrootcert=" + cert: true,
			"sslmode=verify-ca sslrootcert=" + cert:   true,
			"sslmode=verify-full":                     false, // nobody the system knows has signed it
		} {
			if user, err := try(dsn(h, rest)); (err == nil && user == "ann") != ok {
				t.Errorf("%s %s: %q, %v", h, rest, user, err)
			}
		}
	}
	_, err := try(fmt.Sprintf("host=%s port=%d user=ann password=wrong dbname=postgres sslmode=require", host, n.Port()))
	wantCode(t, err, "28P01")
	// an old protocol version is refused within TLS, and the server goes on
	raw := dial(t, n)
	raw.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47})
	answer := make([]byte, 1)
	if _, err := raw.Read(answer); err != nil || answer[0] != 'S' {
		t.Fatalf("SSLRequest: %q, %v", answer, err)
	}
	if err := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}).Handshake(); err == nil {
		t.Error("TLS 1.1 is accepted")
	}
	if _, err := try(dsn(host, "sslmode=require")); err != nil {
		t.Error(err)
	}
	n.Stop()
}
