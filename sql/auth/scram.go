package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/text/secure/precis"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Mechanism is the SASL mechanism's name.
const Mechanism = "SCRAM-SHA-256"

const (
	iterations = 4096
	saltBytes  = 16
	nonceBytes = 18
)

type verifier struct {
	iterations           int
	salt                 []byte
	storedKey, serverKey []byte
}

// NewVerifier makes the verifier of a password with a fresh salt.
func NewVerifier(password string) (string, error) {
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	return newVerifier(password, salt, iterations)
}

func newVerifier(password string, salt []byte, iterations int) (string, error) {
	salted, err := pbkdf2.Key(sha256.New, prepare(password), salt, iterations, sha256.Size)
	if err != nil {
		return "", pgerror.Internal("deriving a key: %s", err)
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s$%d:%s$%s:%s", Mechanism, iterations, b64(salt), b64(stored[:]), b64(mac(salted, "Server Key"))), nil
}

// prepare normalises a password, or leaves it alone where that is not possible.
func prepare(password string) string {
	for i := range len(password) {
		if password[i] >= 0x80 {
			if p, err := precis.OpaqueString.String(password); err == nil {
				return p
			}
			return password
		}
	}
	return password
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// IsVerifier reports whether a PASSWORD clause's text is a verifier already.
func IsVerifier(s string) bool { _, ok := parse(s); return ok }

func parse(s string) (v verifier, ok bool) {
	parts := strings.Split(s, "$")
	if len(parts) != 3 || parts[0] != Mechanism {
		return v, false
	}
	iter, salt, ok1 := strings.Cut(parts[1], ":")
	stored, server, ok2 := strings.Cut(parts[2], ":")
	n, err := strconv.Atoi(iter)
	if !ok1 || !ok2 || err != nil || n < 1 {
		return v, false
	}
	v.iterations = n
	for _, f := range []struct {
		to   *[]byte
		text string
	}{{&v.salt, salt}, {&v.storedKey, stored}, {&v.serverKey, server}} {
		if *f.to, err = base64.StdEncoding.DecodeString(f.text); err != nil {
			return v, false
		}
	}
	return v, len(v.storedKey) == sha256.Size && len(v.serverKey) == sha256.Size
}

// Exchange is one authentication: First answers the client's first message,
// Final its second.
type Exchange struct {
	v           verifier
	doomed      bool // no usable verifier: go through the motions, then refuse
	binding     string
	clientFirst string // bare
	serverFirst string
	nonce       string
}

// NewExchange starts an authentication against a verifier; "" (or a damaged one) always fails in the end.
func NewExchange(text string) *Exchange {
	v, ok := parse(text)
	x := &Exchange{v: v, doomed: !ok}
	if !ok {
		x.v = verifier{iterations: iterations, salt: make([]byte, saltBytes), storedKey: make([]byte, sha256.Size), serverKey: make([]byte, sha256.Size)}
		rand.Read(x.v.salt)
	}
	return x
}

func malformed(detail string) error {
	return pgerror.New(pgerror.ProtocolViolation, "malformed SCRAM message").WithDetail("%s", detail)
}

// First takes client-first-message and returns server-first-message.
func (x *Exchange) First(msg []byte) ([]byte, error) {
	s := string(msg)
	flag, rest, ok := strings.Cut(s, ",")
	if !ok || (flag != "n" && flag != "y") {
		if strings.HasPrefix(flag, "p=") {
			return nil, malformed("The client requires channel binding, which was not offered.")
		}
		return nil, malformed("Unexpected channel-binding flag.")
	}
	authzid, bare, ok := strings.Cut(rest, ",")
	if !ok || authzid != "" {
		return nil, malformed("The client uses authorization identity, but it is not supported.")
	}
	x.binding = flag + ",,"
	fields := strings.Split(bare, ",")
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "n=") || !strings.HasPrefix(fields[1], "r=") {
		return nil, malformed("The message's attributes are not as expected.")
	}
	client := fields[1][2:]
	if client == "" {
		return nil, malformed("The nonce is empty.")
	}
	own := make([]byte, nonceBytes)
	rand.Read(own)
	x.nonce = client + base64.StdEncoding.EncodeToString(own)
	x.clientFirst = bare
	x.serverFirst = fmt.Sprintf("r=%s,s=%s,i=%d", x.nonce, base64.StdEncoding.EncodeToString(x.v.salt), x.v.iterations)
	return []byte(x.serverFirst), nil
}

// Final takes client-final-message; ok says whether the password was right, then
// reply is server-final-message.
func (x *Exchange) Final(msg []byte) (reply []byte, ok bool, err error) {
	s := string(msg)
	at := strings.LastIndex(s, ",p=")
	if at < 0 {
		return nil, false, malformed("The proof is missing.")
	}
	withoutProof := s[:at]
	proof, err := base64.StdEncoding.DecodeString(s[at+3:])
	if err != nil || len(proof) != sha256.Size {
		return nil, false, malformed("Malformed proof in client-final-message.")
	}
	fields := strings.Split(withoutProof, ",")
	if len(fields) < 2 || fields[0] != "c="+base64.StdEncoding.EncodeToString([]byte(x.binding)) {
		return nil, false, malformed("Unexpected SCRAM channel-binding attribute in client-final-message.")
	}
	if fields[1] != "r="+x.nonce {
		return nil, false, malformed("Nonce does not match.")
	}
	auth := x.clientFirst + "," + x.serverFirst + "," + withoutProof
	signature := mac(x.v.storedKey, auth)
	key := make([]byte, sha256.Size)
	subtle.XORBytes(key, proof, signature)
	stored := sha256.Sum256(key)
	if x.doomed || subtle.ConstantTimeCompare(stored[:], x.v.storedKey) != 1 || bytes.Equal(x.v.storedKey, make([]byte, sha256.Size)) {
		return nil, false, nil
	}
	return []byte("v=" + base64.StdEncoding.EncodeToString(mac(x.v.serverKey, auth))), true, nil
}
