package wire

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// The files of a --certs directory (PEM). A node needs all but ca.key, which stays
// with who makes certificates.
const (
	caCert   = "ca.crt"
	caKey    = "ca.key"
	nodeCert = "node.crt"
	nodeKey  = "node.key"
)

// Validity of certificates.
const (
	caYears   = 10
	nodeYears = 2
)

// Credentials are mutual TLS between nodes: both ends show a certificate of the
// cluster's own authority. nil: no TLS.
type Credentials struct {
	server, client *tls.Config
}

// LoadCredentials reads a --certs directory.
func LoadCredentials(dir string) (*Credentials, error) {
	ca, err := os.ReadFile(filepath.Join(dir, caCert))
	if err != nil {
		return nil, fmt.Errorf("certificates: %w (basalt cert create-ca makes one)", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("certificates: %s holds no certificate", filepath.Join(dir, caCert))
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, nodeCert), filepath.Join(dir, nodeKey))
	if err != nil {
		return nil, fmt.Errorf("certificates: %w (basalt cert create-node makes one)", err)
	}
	certs := []tls.Certificate{pair}
	return &Credentials{
		server: &tls.Config{Certificates: certs, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13},
		client: &tls.Config{Certificates: certs, RootCAs: pool, MinVersion: tls.VersionTLS13},
	}, nil
}

// DialOption is what a client connects with.
func (c *Credentials) DialOption() grpc.DialOption {
	if c == nil {
		return grpc.WithTransportCredentials(insecure.NewCredentials())
	}
	return grpc.WithTransportCredentials(credentials.NewTLS(c.client.Clone()))
}

// ServerOption is what a server accepts.
func (c *Credentials) ServerOption() grpc.ServerOption {
	if c == nil {
		return grpc.Creds(insecure.NewCredentials())
	}
	return grpc.Creds(credentials.NewTLS(c.server.Clone()))
}

// CreateCA makes a cluster's certificate authority in dir.
func CreateCA(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	t, err := template("Basalt cluster CA", caYears)
	if err != nil {
		return err
	}
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return write(dir, caCert, caKey, t, t, key, key)
}

// CreateNode makes a node's certificate in dir, signed by the authority there. hosts
// are the names and addresses other nodes reach it by.
func CreateNode(dir string, hosts []string) error {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, caCert), filepath.Join(dir, caKey))
	if err != nil {
		return fmt.Errorf("the authority's certificate and key are needed in %s: %w", dir, err)
	}
	ca, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	t, err := template("Basalt node "+hosts[0], nodeYears)
	if err != nil {
		return err
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	signer, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return fmt.Errorf("%s is no ECDSA key", filepath.Join(dir, caKey))
	}
	return write(dir, nodeCert, nodeKey, t, ca, key, signer)
}

func template(name string, years int) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(years, 0, 0)}, nil
}

// write makes a certificate and its key; neither may be there already.
func write(dir, certFile, keyFile string, t, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) error {
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, signer)
	if err != nil {
		return err
	}
	kb, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, f := range []string{keyFile, certFile} {
		if _, err := os.Stat(filepath.Join(dir, f)); err == nil {
			return fmt.Errorf("%s exists and is not overwritten", filepath.Join(dir, f))
		}
	}
	if err := create(filepath.Join(dir, keyFile), 0o600, &pem.Block{Type: "PRIVATE KEY", Bytes: kb}); err != nil {
		return err
	}
	return create(filepath.Join(dir, certFile), 0o644, &pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func create(path string, mode os.FileMode, b *pem.Block) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists and is not overwritten", path)
	}
	if err != nil {
		return err
	}
	return errors.Join(pem.Encode(f, b), f.Close())
}
