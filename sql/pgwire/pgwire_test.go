package pgwire

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/sql/auth"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
)

// fake is a Backend whose sessions know a handful of query strings.
type fake struct{ verifier string }

func (f *fake) Verifier(context.Context, string) (string, error) { return f.verifier, nil }
func (f *fake) Connect(_ context.Context, st Startup, c Client) (Session, error) {
	if st.Database == "nowhere" {
		return nil, pgerror.New(pgerror.InvalidCatalogName, `database "nowhere" does not exist`)
	}
	c.ParameterStatus("server_version", "16.4")
	c.ParameterStatus("client_encoding", "UTF8")
	c.ParameterStatus("standard_conforming_strings", "on")
	return &fakeSession{client: c, env: types.DefaultEnv()}, nil
}

type fakeSession struct {
	client Client
	env    *types.Env
	sql    string
}

func (s *fakeSession) ClientEncoding() types.Transcoder { return nil }
func (s *fakeSession) Query(ctx context.Context, sql string, out Sink) error {
	switch sql {
	case "":
		return out.Empty()
	case "one":
		b := types.NewBuilder(types.Of(types.Int4), 1)
		b.Append(int32(1))
		out.Describe([]Column{{Name: "a", Type: types.Of(types.Int4), Len: 4}}, nil, false)
		out.Rows(&vexec.Batch{Cols: []arrow.Array{b.Finish()}, N: 1})
		return out.Complete("SELECT 1")
	case "fail":
		return pgerror.New(pgerror.DivisionByZero, "division by zero").WithHint("h").WithDetail("d")
	case "panic":
		var m map[string]int
		m["x"] = 1
	case "wait":
		<-ctx.Done()
		return context.Cause(ctx)
	case "copyin":
		r, err := out.CopyIn(false, 1)
		if err != nil {
			return err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		s.client.Notice(pgerror.New("00000", "got %d bytes", len(data)))
		return out.Complete("COPY 1")
	}
	return out.Complete("SET")
}

func (s *fakeSession) Parse(_ context.Context, _, sql string, _ []uint32) error {
	s.sql = sql
	if sql == "fail" {
		return pgerror.New(pgerror.SyntaxError, "syntax error")
	}
	return nil
}
func (s *fakeSession) Bind(context.Context, string, string, []int16, [][]byte, []int16) error {
	return nil
}
func (s *fakeSession) DescribeStatement(context.Context, string) ([]types.OID, []Column, error) {
	return nil, nil, nil
}
func (s *fakeSession) DescribePortal(context.Context, string) ([]Column, []int16, error) {
	return nil, nil, nil
}
func (s *fakeSession) Execute(_ context.Context, _ string, _ int, out Sink) error {
	return out.Complete("SET")
}
func (s *fakeSession) CloseStatement(string) error   { return nil }
func (s *fakeSession) ClosePortal(string) error      { return nil }
func (s *fakeSession) Sync(context.Context) error    { return nil }
func (s *fakeSession) Failed()                       {}
func (s *fakeSession) Status() byte                  { return 'I' }
func (s *fakeSession) Env() *types.Env               { return s.env }
func (s *fakeSession) Notifications() []Notification { return nil }

func (s *fakeSession) IdleTimeout() (time.Duration, *pgerror.Error) { return 0, nil }
func (s *fakeSession) SetIdle(bool)                                 {}
func (s *fakeSession) Close()                                       {}

func serve(t testing.TB, o Options) (addr string, s *Server) {
	t.Helper()
	s = NewServer(o)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return l.Addr().String(), s
}

func dial(t testing.TB, addr, user, password string) (*pgconn.PgConn, error) {
	t.Helper()
	dsn := "postgres://" + user
	if password != "" {
		dsn += ":" + password
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return pgconn.Connect(ctx, dsn+"@"+addr+"/postgres?sslmode=disable")
}

func TestSimpleQueries(t *testing.T) {
	addr, _ := serve(t, Options{Backend: &fake{}})
	c, err := dial(t, addr, "postgres", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	ctx := context.Background()
	rs, err := c.Exec(ctx, "one").ReadAll()
	if err != nil || string(rs[0].Rows[0][0]) != "1" || rs[0].CommandTag.String() != "SELECT 1" {
		t.Fatalf("%v %v", rs, err)
	}
	var pe *pgconn.PgError
	if _, err = c.Exec(ctx, "fail").ReadAll(); err == nil || !asPgError(err, &pe) || pe.Code != "22012" || pe.Hint != "h" || pe.Detail != "d" {
		t.Fatalf("%v", err)
	}
	if _, err = c.Exec(ctx, "panic").ReadAll(); err == nil || !asPgError(err, &pe) || pe.Code != "XX000" {
		t.Fatalf("%v", err)
	}
	if _, err = c.CopyFrom(ctx, strings.NewReader(strings.Repeat("x\n", 100000)), "copyin"); err != nil {
		t.Fatal(err)
	}
	if _, err = c.Exec(ctx, "one").ReadAll(); err != nil {
		t.Fatal(err)
	}
}

func asPgError(err error, pe **pgconn.PgError) bool {
	e, ok := err.(*pgconn.PgError)
	*pe = e
	return ok
}

func TestCancelRequest(t *testing.T) {
	addr, _ := serve(t, Options{Backend: &fake{}})
	c, err := dial(t, addr, "postgres", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	time.AfterFunc(50*time.Millisecond, func() { c.CancelRequest(context.Background()) })
	var pe *pgconn.PgError
	if _, err = c.Exec(context.Background(), "wait").ReadAll(); err == nil || !asPgError(err, &pe) || pe.Code != "57014" {
		t.Fatalf("%v", err)
	}
	if _, err = c.Exec(context.Background(), "one").ReadAll(); err != nil {
		t.Fatal(err)
	}
}

func TestPasswords(t *testing.T) {
	v, _ := auth.NewVerifier("secret")
	addr, _ := serve(t, Options{Backend: &fake{verifier: v}, NoTrust: true})
	c, err := dial(t, addr, "joe", "secret")
	if err != nil {
		t.Fatal(err)
	}
	c.Close(context.Background())
	if _, err = dial(t, addr, "joe", "wrong"); err == nil || !strings.Contains(err.Error(), "28P01") {
		t.Fatalf("%v", err)
	}
	addr, _ = serve(t, Options{Backend: &fake{}, NoTrust: true})
	if _, err = dial(t, addr, "joe", "secret"); err == nil || !strings.Contains(err.Error(), "28P01") {
		t.Fatalf("%v", err)
	}
}

func TestLimits(t *testing.T) {
	addr, _ := serve(t, Options{Backend: &fake{}, MaxConnections: 1})
	c, err := dial(t, addr, "postgres", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := dial(t, addr, "postgres", ""); err == nil || !strings.Contains(err.Error(), "53300") {
		t.Fatalf("%v", err)
	}
	if _, err := pgx.Connect(context.Background(), "postgres://u@"+addr+"/nowhere?sslmode=disable"); err == nil {
		t.Fatal("connected to nowhere")
	}
}

// A vanished client's statement is cancelled.
func TestVanishedClient(t *testing.T) {
	addr, s := serve(t, Options{Backend: &fake{}})
	c, err := dial(t, addr, "postgres", "")
	if err != nil {
		t.Fatal(err)
	}
	c.Exec(context.Background(), "wait")
	time.Sleep(20 * time.Millisecond)
	c.Conn().Close()
	for deadline := time.Now().Add(5 * time.Second); sessions(s) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the statement of a client that left goes on")
		}
	}
}

func sessions(s *Server) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func startupPacket() []byte {
	b := []byte{0, 0, 0, 0, 0, 3, 0, 0}
	b = append(b, "user\x00postgres\x00\x00"...)
	binary.BigEndian.PutUint32(b, uint32(len(b)))
	return b
}

// Hostile input of many kinds ends in an error or a close; a session beside it goes on.
func TestHostileBytes(t *testing.T) {
	addr, _ := serve(t, Options{Backend: &fake{}})
	good, err := dial(t, addr, "postgres", "")
	if err != nil {
		t.Fatal(err)
	}
	defer good.Close(context.Background())
	msg := func(typ byte, n uint32, body string) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{typ}, n), body...)
	}
	inputs := map[string][]byte{
		"huge startup":       {0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0},
		"tiny startup":       {0, 0, 0, 4},
		"zero startup":       {0, 0, 0, 0},
		"unknown version":    {0, 0, 0, 8, 0, 9, 0, 0},
		"http":               []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"gigabyte query":     append(startupPacket(), msg('Q', 0x3fffffff, "select")...),
		"4 GB query":         append(startupPacket(), msg('Q', 0xffffffff, "select")...),
		"negative":           append(startupPacket(), msg('Q', 3, "")...),
		"unknown type":       append(startupPacket(), msg('z', 4, "")...),
		"zero type":          append(startupPacket(), 0, 0, 0, 0, 0),
		"bind junk":          append(startupPacket(), msg('B', 20, "\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")...),
		"bind negative size": append(startupPacket(), msg('B', 18, "\x00\x00\x00\x00\x00\x01\xff\xff\xff\x00\x00\x00\x00\x00")...),
		"parse unterminated": append(startupPacket(), msg('P', 8, "abcd")...),
		"describe empty":     append(startupPacket(), msg('D', 4, "")...),
		"execute short":      append(startupPacket(), msg('E', 5, "\x00")...),
		"long sync":          append(startupPacket(), msg('S', 1<<20, "")...),
		"cut off":            startupPacket()[:9],
	}
	rng := rand.New(rand.NewSource(1))
	for i := range 200 {
		noise := make([]byte, rng.Intn(300))
		rng.Read(noise)
		if i%2 == 0 {
			noise = append(startupPacket(), noise...)
		}
		inputs["noise "+string(rune('a'+i%26))+strings.Repeat("x", i/26)] = noise
	}
	for name, in := range inputs {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(3 * time.Second))
		nc.Write(in)
		nc.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, nc); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Errorf("%s: the server neither answered nor closed", name)
			}
		}
		nc.Close()
	}
	if _, err := good.Exec(context.Background(), "one").ReadAll(); err != nil {
		t.Fatal(err)
	}
}

func FuzzParseStartup(f *testing.F) {
	f.Add(startupPacket()[8:])
	f.Fuzz(func(t *testing.T, b []byte) { parseStartup(b) })
}

func FuzzInput(f *testing.F) {
	f.Add([]byte{'Q', 0, 0, 0, 5, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := &conn{}
		a, z := net.Pipe()
		go func() { z.Write(b); z.Close() }()
		c.setNet(a)
		for {
			if _, _, err := c.in.message(); err != nil {
				break
			}
		}
		a.Close()
	})
}

func TestTextEncodings(t *testing.T) {
	for _, c := range []struct {
		v     int64
		scale int32
		want  string
	}{{0, 2, "0.00"}, {-5, 2, "-0.05"}, {12345, 2, "123.45"}, {-9223372036854775808, 3, "-9223372036854775.808"}, {7, 0, "7"}} {
		if got := string(appendDec64(nil, c.v, c.scale)); got != c.want {
			t.Errorf("dec64 %d/%d: %s", c.v, c.scale, got)
		}
	}
	env := types.DefaultEnv()
	for day := int64(-719162); day <= 2932896; day += 997 {
		got, ok := appendDateISO(nil, day)
		want, _ := types.Out(env, types.Of(types.DateOID), types.Date(day))
		if !ok || string(got) != want {
			t.Fatalf("day %d: %s, want %s", day, got, want)
		}
	}
	for _, us := range []types.Timestamp{0, 1, -1, types.AtDay(0, 0), types.AtDay(-719162, 0), types.AtDay(2932896, types.USecsPerDay-1), types.AtDay(11016, 500_000), 123456789012345} {
		got, ok := appendTimestampISO(nil, us)
		want, _ := types.Out(env, types.Of(types.TimestampOID), us)
		if !ok || !bytes.Equal(got, []byte(want)) {
			t.Fatalf("timestamp %d: %s, want %s", us, got, want)
		}
	}
}
