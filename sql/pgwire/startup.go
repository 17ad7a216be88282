package pgwire

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgproto3/v2"

	"github.com/basaltdb/basalt/sql/auth"
	"github.com/basaltdb/basalt/sql/pgerror"
)

// Codes in place of a protocol version.
const (
	codeCancel    = 80877102
	codeSSL       = 80877103
	codeGSSEncode = 80877104
	protocolMajor = 3
)

func fatal(code pgerror.Code, format string, args ...any) *pgerror.Error {
	return pgerror.New(code, format, args...).WithSeverity("FATAL")
}

// startup runs the connection up to its first ReadyForQuery. ok is false when
// there is to be no session and the client has been told what there was to tell.
func (c *conn) startup() (ok bool, err error) {
	c.raw.SetDeadline(c.started.Add(c.server.opts.AuthenticationTimeout))
	var code uint32
	var body []byte
	for asked := 0; ; asked++ {
		if code, body, err = c.in.startup(); err != nil {
			return false, err
		}
		if asked > 2 {
			return false, fatal(pgerror.ProtocolViolation, "too many encryption requests")
		}
		switch code {
		case codeSSL:
			if c.server.opts.TLS == nil || c.tls {
				c.out.buf = append(c.out.buf, 'N')
				continue
			}
			c.out.buf = append(c.out.buf, 'S')
			if err := c.out.flush(); err != nil {
				return false, err
			}
			if c.in.br.Buffered() > 0 {
				return false, fatal(pgerror.ProtocolViolation, "received unencrypted data after SSL request").
					WithDetail("This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.")
			}
			tc := tls.Server(c.raw, c.server.opts.TLS)
			if err := tc.Handshake(); err != nil {
				return false, err
			}
			c.tls = true
			c.setNet(tc)
			continue
		case codeGSSEncode:
			c.out.buf = append(c.out.buf, 'N')
			continue
		case codeCancel:
			if len(body) == 8 {
				c.server.cancelRequest(int32(binary.BigEndian.Uint32(body)), binary.BigEndian.Uint32(body[4:]))
			}
			return false, nil
		}
		break
	}
	if code>>16 != protocolMajor {
		return false, fatal(pgerror.FeatureNotSupported, "unsupported frontend protocol %d.%d: server supports %d.0 to %d.0",
			code>>16, code&0xffff, protocolMajor, protocolMajor)
	}
	st, unknown, err := parseStartup(body)
	if err != nil {
		return false, err
	}
	if code&0xffff > 0 || len(unknown) > 0 {
		at := c.out.begin('v')
		c.out.buf = binary.BigEndian.AppendUint32(c.out.buf, 0)
		c.out.buf = binary.BigEndian.AppendUint32(c.out.buf, uint32(len(unknown)))
		for _, name := range unknown {
			c.out.buf = append(append(c.out.buf, name...), 0)
		}
		c.out.end(at)
	}
	st.Remote, st.Local = c.raw.RemoteAddr().String(), c.raw.LocalAddr().String()
	st.TLS, st.Started = c.tls, c.started
	if err := c.authenticate(&st); err != nil {
		return false, err
	}
	if st.Reserved, err = c.server.settle(c); err != nil {
		return false, err
	}
	st.PID = c.pid
	ctx := c.beginCall()
	defer c.endCall()
	if c.session, err = c.server.opts.Backend.Connect(ctx, st, c); err != nil {
		e := *pgerror.From(err)
		return false, e.WithSeverity("FATAL")
	}
	if err := c.out.message(&pgproto3.AuthenticationOk{}); err != nil {
		return false, err
	}
	c.sendParameters()
	if err := c.out.message(&pgproto3.BackendKeyData{ProcessID: uint32(c.pid), SecretKey: c.secret}); err != nil {
		return false, err
	}
	c.raw.SetDeadline(time.Time{})
	return true, c.out.err
}

// parseStartup reads the name/value pairs of a start-up packet. unknown lists protocol options (_pq_.…).
func parseStartup(body []byte) (st Startup, unknown []string, err error) {
	next := func() (string, bool) {
		i := bytes.IndexByte(body, 0)
		if i < 0 {
			return "", false
		}
		s := string(body[:i])
		body = body[i+1:]
		return s, true
	}
	bad := fatal(pgerror.ProtocolViolation, "invalid startup packet layout: expected terminator as last byte")
	for {
		name, ok := next()
		if !ok {
			return st, nil, bad
		}
		if name == "" {
			break
		}
		value, ok := next()
		if !ok {
			return st, nil, bad
		}
		switch {
		case name == "user":
			st.User = value
		case name == "database":
			st.Database = value
		case name == "replication":
			if value != "false" && value != "off" && value != "0" && value != "no" {
				return st, nil, fatal(pgerror.FeatureNotSupported, "replication connections are not supported yet")
			}
		case name == "options":
			opts, err := parseOptions(value)
			if err != nil {
				return st, nil, err
			}
			st.Params = append(st.Params, opts...)
		case strings.HasPrefix(name, "_pq_."):
			unknown = append(unknown, name)
		default:
			st.Params = append(st.Params, [2]string{name, value})
		}
	}
	if len(body) > 0 {
		return st, nil, bad
	}
	if st.User == "" {
		return st, nil, fatal(pgerror.InvalidAuthorizationSpecification, "no PostgreSQL user name specified in startup packet")
	}
	if st.Database == "" {
		st.Database = st.User
	}
	return st, unknown, nil
}

// parseOptions reads the command-line style "-c name=value --name=value" of the
// options parameter; a backslash takes the next character as it is.
func parseOptions(s string) ([][2]string, error) {
	var words []string
	var w []byte
	in := false
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case ch == '\\' && i+1 < len(s):
			i++
			w, in = append(w, s[i]), true
		case ch == ' ' || ch == '\t' || ch == '\n':
			if in {
				words = append(words, string(w))
			}
			w, in = nil, false
		default:
			w, in = append(w, ch), true
		}
	}
	if in {
		words = append(words, string(w))
	}
	var out [][2]string
	for i := 0; i < len(words); i++ {
		word := words[i]
		switch {
		case word == "-c" && i+1 < len(words):
			i++
			word = words[i]
		case strings.HasPrefix(word, "-c"):
			word = word[2:]
		case strings.HasPrefix(word, "--"):
			word = word[2:]
		default:
			return nil, fatal("42601", "invalid command-line argument for server process: %s", word)
		}
		name, value, ok := strings.Cut(word, "=")
		if !ok {
			return nil, fatal("42601", "-c %s requires a value", word)
		}
		out = append(out, [2]string{strings.ReplaceAll(name, "-", "_"), value})
	}
	return out, nil
}

// authenticate trusts loopback; others prove their password by SCRAM-SHA-256.
func (c *conn) authenticate(st *Startup) error {
	if !c.server.opts.NoTrust && loopback(c.raw.RemoteAddr()) {
		return nil
	}
	text, err := c.server.opts.Backend.Verifier(c.server.ctx, st.User)
	if err != nil {
		return err
	}
	x := auth.NewExchange(text)
	if err := c.out.message(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{auth.Mechanism}}); err != nil {
		return err
	}
	body, err := c.password()
	if err != nil {
		return err
	}
	var first pgproto3.SASLInitialResponse
	if err := decode(&first, body); err != nil {
		return err
	}
	if first.AuthMechanism != auth.Mechanism {
		return fatal(pgerror.ProtocolViolation, "client selected an invalid SASL authentication mechanism")
	}
	answer, err := x.First(first.Data)
	if err != nil {
		return err
	}
	if err := c.out.message(&pgproto3.AuthenticationSASLContinue{Data: answer}); err != nil {
		return err
	}
	if body, err = c.password(); err != nil {
		return err
	}
	reply, ok, err := x.Final(body)
	if err != nil {
		return err
	}
	if !ok {
		return fatal(pgerror.InvalidPassword, `password authentication failed for user "%s"`, st.User)
	}
	return c.out.message(&pgproto3.AuthenticationSASLFinal{Data: reply})
}

// password reads a message of the authentication. Others are refused by their first
// byte: who has not logged in does not make the server take in more than passwordBytesMax.
func (c *conn) password() ([]byte, error) {
	typ, err := c.in.peek()
	if err != nil {
		return nil, err
	}
	if typ != 'p' {
		return nil, fatal(pgerror.ProtocolViolation, "expected SASL response, got message type %d", typ)
	}
	_, body, err := c.in.message()
	return body, err
}

func loopback(a net.Addr) bool {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}

func (c *conn) setNet(nc net.Conn) {
	c.net = nc
	c.out.net = nc
	c.in.br = bufio.NewReaderSize(flushingReader{c}, inputBufferBytes)
	if c.server != nil {
		c.in.memory = c.server.opts.Memory
	}
}
