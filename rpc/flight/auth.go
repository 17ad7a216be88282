package flight

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/arrow/flight"
	flightpb "github.com/apache/arrow/go/v17/arrow/flight/gen/flight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/basaltdb/basalt/sql/auth"
	"github.com/basaltdb/basalt/sql/pgerror"
)

// identity is who makes a call and what the call's headers ask for.
type identity struct {
	user, database string
	settings       [][2]string
	remote, local  string
	tls            bool
}

// Headers of a call.
const (
	headerDatabase = "database"
	headerCatalog  = "catalog" // the same by Flight SQL's word
	settingPrefix  = "basalt-set-"
	defaultUser    = "postgres"
	defaultDB      = "postgres"
	tokenLife      = 12 * time.Hour
)

type identityKey struct{}

func identityOf(ctx context.Context) *identity {
	who, _ := ctx.Value(identityKey{}).(*identity)
	return who
}

var errNoCredentials = pgerror.New(pgerror.InvalidAuthorizationSpecification, "no credentials: give a user and password (authorization: Basic …) or the token of a handshake")

// authenticate finds out who calls. issue is a new bearer token when the caller proved a password.
func (s *Server) authenticate(ctx context.Context) (who *identity, issue string, err error) {
	md, _ := metadata.FromIncomingContext(ctx)
	who = &identity{database: defaultDB}
	first := func(name string) string {
		if v := md.Get(name); len(v) > 0 {
			return v[0]
		}
		return ""
	}
	for _, h := range []string{headerCatalog, headerDatabase} {
		if v := first(h); v != "" {
			who.database = v
		}
	}
	for k, v := range md {
		if name, ok := strings.CutPrefix(k, settingPrefix); ok && len(v) > 0 {
			who.settings = append(who.settings, [2]string{name, v[0]})
		}
	}
	trusted := false
	if p, ok := peer.FromContext(ctx); ok {
		who.remote = p.Addr.String()
		if p.LocalAddr != nil {
			who.local = p.LocalAddr.String()
		}
		_, who.tls = p.AuthInfo.(credentials.TLSInfo)
		if a, ok := p.Addr.(*net.TCPAddr); ok && a.IP.IsLoopback() && !s.opts.NoTrust {
			trusted = true
		}
	}
	if s.opts.Backend == nil { // nobody logs in here: a ticket says what its bearer may have
		return who, "", nil
	}
	scheme, rest, _ := strings.Cut(first("authorization"), " ")
	switch strings.ToLower(scheme) {
	case "basic":
		raw, err := decodeBase64(strings.TrimSpace(rest))
		user, password, ok := strings.Cut(string(raw), ":")
		if err != nil || !ok || user == "" {
			return nil, "", pgerror.New(pgerror.InvalidAuthorizationSpecification, "malformed Basic credentials")
		}
		issue, err = s.login(ctx, user, password, trusted)
		if err != nil {
			return nil, "", err
		}
		who.user = user
		return who, issue, nil
	case "bearer":
		if who.user, err = s.checkToken(ctx, strings.TrimSpace(rest)); err != nil {
			return nil, "", err
		}
		return who, "", nil
	case "":
		if trusted {
			who.user = defaultUser
			return who, "", nil
		}
		return nil, "", errNoCredentials
	}
	return nil, "", pgerror.New(pgerror.InvalidAuthorizationSpecification, "unknown authorization scheme")
}

func decodeBase64(s string) ([]byte, error) {
	if b, err := base64.StdEncoding.DecodeString(s); err == nil {
		return b, nil
	}
	return base64.RawStdEncoding.DecodeString(s)
}

// login checks a password and makes a token.
func (s *Server) login(ctx context.Context, user, password string, trusted bool) (string, error) {
	verifier, err := s.opts.Backend.Verifier(ctx, user)
	if err != nil {
		return "", err
	}
	if !trusted && !s.known.matches(s.key, user, password, verifier) {
		return "", pgerror.New(pgerror.InvalidPassword, `password authentication failed for user "%s"`, user)
	}
	return s.newToken(user, verifier, time.Now().Add(tokenLife)), nil
}

// A token is, in base64 without padding: 8 bytes Unix seconds of its end, the user,
// and an HMAC over these and the role's verifier: a changed password ends it.
func (s *Server) newToken(user, verifier string, until time.Time) string {
	b := append(binary.BigEndian.AppendUint64(nil, uint64(until.Unix())), user...)
	return base64.RawURLEncoding.EncodeToString(append(b, sign(s.key, "token\x00"+verifier, b)[len(b):]...))
}

var errToken = pgerror.New(pgerror.InvalidAuthorizationSpecification, "invalid or expired token")

func (s *Server) checkToken(ctx context.Context, token string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) <= 8+sha256.Size {
		return "", errToken
	}
	user := string(b[8 : len(b)-sha256.Size])
	verifier, err := s.opts.Backend.Verifier(ctx, user)
	if err != nil {
		return "", err
	}
	if _, ok := verify(s.key, "token\x00"+verifier, b); !ok || time.Now().Unix() > int64(binary.BigEndian.Uint64(b)) {
		return "", errToken
	}
	return user, nil
}

// knownMax bounds the remembered logins.
const knownMax = 1024

// logins remembers passwords that were right, as keyed hashes: clients may send
// them with every call, and deriving a key takes milliseconds by design.
type logins struct {
	mu   sync.Mutex
	seen map[string]struct{}
}

func (l *logins) matches(key []byte, user, password, verifier string) bool {
	h := string(sign(key, "login\x00"+user+"\x00"+verifier, []byte(password))[len(password):])
	l.mu.Lock()
	_, ok := l.seen[h]
	l.mu.Unlock()
	if ok {
		return true
	}
	if !auth.Matches(verifier, password) {
		return false
	}
	l.mu.Lock()
	if l.seen == nil || len(l.seen) >= knownMax {
		l.seen = map[string]struct{}{}
	}
	l.seen[h] = struct{}{}
	l.mu.Unlock()
	return true
}

// handshakeMethod is the one call that may come without credentials in its headers:
// it may carry them in its payload.
const handshakeMethod = "/arrow.flight.protocol.FlightService/Handshake"

type stream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s stream) Context() context.Context { return s.ctx }

func (s *Server) streamInterceptor(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer s.recovered(&err)
	ctx := ss.Context()
	who, issue, err := s.authenticate(ctx)
	if info.FullMethod == handshakeMethod {
		return statusOf(s.handshake(ss, issue, err))
	}
	if err != nil {
		return statusOf(err)
	}
	if issue != "" {
		ss.SetHeader(metadata.Pairs("authorization", "Bearer "+issue))
	}
	return statusOf(handler(srv, stream{ss, context.WithValue(ctx, identityKey{}, who)}))
}

func (s *Server) unaryInterceptor(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	defer s.recovered(&err)
	who, issue, err := s.authenticate(ctx)
	if err != nil {
		return nil, statusOf(err)
	}
	if issue != "" {
		grpc.SetHeader(ctx, metadata.Pairs("authorization", "Bearer "+issue))
	}
	resp, err = handler(context.WithValue(ctx, identityKey{}, who), req)
	return resp, statusOf(err)
}

// handshake answers with a bearer token. Credentials come in the headers, or as a
// BasicAuth message in the first request's payload.
func (s *Server) handshake(ss grpc.ServerStream, token string, err error) error {
	if token == "" {
		if err != nil && !errors.Is(err, errNoCredentials) {
			return err
		}
		var req flight.HandshakeRequest
		if e := ss.RecvMsg(&req); e != nil && !errors.Is(e, io.EOF) {
			return e
		}
		if len(req.Payload) == 0 {
			if err != nil {
				return err
			}
			return ss.SendMsg(&flight.HandshakeResponse{}) // trusted, and nothing to prove
		}
		var basic flightpb.BasicAuth
		if e := proto.Unmarshal(req.Payload, &basic); e != nil || basic.Username == "" {
			return pgerror.New(pgerror.InvalidAuthorizationSpecification, "malformed handshake")
		}
		if token, err = s.login(ss.Context(), basic.Username, basic.Password, err == nil); err != nil {
			return err
		}
	}
	if err := ss.SetHeader(metadata.Pairs("authorization", "Bearer "+token)); err != nil {
		return err
	}
	ss.SetTrailer(metadata.Pairs("authorization", "Bearer "+token))
	return ss.SendMsg(&flight.HandshakeResponse{Payload: []byte(token)})
}
