package pgwire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/sql/auth"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

func raw(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// closed waits for the server to close a connection and gives what it sent.
func closed(t testing.TB, what string, c net.Conn) []byte {
	t.Helper()
	b, err := io.ReadAll(c)
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		t.Errorf("%s: the connection stays open", what)
	}
	return b
}

// TestAuthenticationTimeout: who has not logged in in time is cut off, however he spends
// it; who has may be silent for longer.
func TestAuthenticationTimeout(t *testing.T) {
	v, _ := auth.NewVerifier("secret")
	addr, _ := serve(t, Options{Backend: &fake{verifier: v}, NoTrust: true, AuthenticationTimeout: 300 * time.Millisecond})
	good, err := dial(t, addr, "joe", "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer good.Close(context.Background())
	began := time.Now()
	silent := raw(t, addr)
	half := raw(t, addr)
	half.Write(startupPacket()[:7])
	asked := raw(t, addr)
	asked.Write(startupPacket())
	dripping := raw(t, addr)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for _, b := range bytes.Repeat(startupPacket(), 10) {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				dripping.Write([]byte{b})
			}
		}
	}()
	for what, c := range map[string]net.Conn{"silent": silent, "half a packet": half, "no password": asked, "one byte at a time": dripping} {
		closed(t, what, c)
	}
	if d := time.Since(began); d < 250*time.Millisecond || d > 5*time.Second {
		t.Errorf("cut off after %s", d)
	}
	if _, err := good.Exec(context.Background(), "one").ReadAll(); err != nil {
		t.Error(err)
	}
}

// TestConnectionFlood: connections that do not log in are bounded, take little memory and
// keep nobody out.
func TestConnectionFlood(t *testing.T) {
	addr, s := serve(t, Options{Backend: &fake{}, MaxConnections: 2, MaxPending: 20})
	good, err := dial(t, addr, "postgres", "")
	if err != nil {
		t.Fatal(err)
	}
	defer good.Close(context.Background())
	var flood []net.Conn
	for i := range 200 {
		c := raw(t, addr)
		if i%2 == 0 {
			c.Write(startupPacket()[:10])
		}
		flood = append(flood, c)
	}
	second, err := dial(t, addr, "postgres", "")
	if err != nil {
		t.Fatalf("beside a flood: %v", err)
	}
	defer second.Close(context.Background())
	if _, err := dial(t, addr, "postgres", ""); err == nil || !strings.Contains(err.Error(), "53300") {
		t.Errorf("a third session of two: %v", err)
	}
	s.mu.Lock()
	pending := s.pending.Len()
	s.mu.Unlock()
	if pending > 20 {
		t.Errorf("%d connections wait, want at most 20", pending)
	}
	for _, c := range flood[:150] {
		closed(t, "an old one", c)
	}
	if _, err := good.Exec(context.Background(), "one").ReadAll(); err != nil {
		t.Error(err)
	}
}

// TestCancelFlood: cancel requests with wrong keys cancel nothing, take no place, no
// process number and no memory that stays; the right one among them is heard.
func TestCancelFlood(t *testing.T) {
	addr, s := serve(t, Options{Backend: &fake{}, MaxConnections: 2, MaxPending: 64, FirstPID: 1 << 20, EndPID: 1<<20 + 4})
	good, err := dial(t, addr, "postgres", "")
	if err != nil {
		t.Fatal(err)
	}
	defer good.Close(context.Background())
	result := make(chan error, 1)
	go func() { _, err := good.Exec(context.Background(), "wait").ReadAll(); result <- err }()
	before := heap()
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 300 {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				b := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 16}, codeCancel)
				b = binary.BigEndian.AppendUint32(b, good.PID())
				c.Write(binary.BigEndian.AppendUint32(b, binary.BigEndian.Uint32(good.SecretKey())+1))
				io.Copy(io.Discard, c)
				c.Close()
			}
		}()
	}
	wg.Wait()
	select {
	case err := <-result:
		t.Fatalf("cancelled by a wrong key: %v", err)
	default:
	}
	second, err := dial(t, addr, "postgres", "")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close(context.Background())
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("the heap has grown by %d KiB", grown>>10)
	}
	good.CancelRequest(context.Background())
	var pe *pgconn.PgError
	if err := <-result; !errors.As(err, &pe) || pe.Code != "57014" {
		t.Errorf("the right cancel: %v", err)
	}
	if n := sessions(s); n != 2 {
		t.Errorf("%d sessions", n)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestLongBeforeLogin: who has not logged in cannot make the server take in a long message.
func TestLongBeforeLogin(t *testing.T) {
	v, _ := auth.NewVerifier("secret")
	addr, _ := serve(t, Options{Backend: &fake{verifier: v}, NoTrust: true})
	for _, head := range []string{"Q\x3f\xff\xff\xff", "B\x3f\xff\xff\xff", "d\x3f\xff\xff\xff", "p\x3f\xff\xff\xff", "p\x00\x01\x00\x10"} {
		c := raw(t, addr)
		c.Write(append(startupPacket(), head...))
		if got := closed(t, head, c); !bytes.Contains(got, []byte("C08P01")) {
			t.Errorf("%q: %q", head, got)
		}
	}
}

// ledger is a Memory of so many bytes.
type ledger struct{ left, least atomic.Int64 }

func newLedger(n int64) *ledger {
	l := &ledger{}
	l.left.Store(n)
	l.least.Store(n)
	return l
}

func (l *ledger) Reserve(n int64) error {
	now := l.left.Add(-n)
	if now < 0 {
		l.left.Add(n)
		return pgerror.New(pgerror.OutOfMemory, "out of memory")
	}
	l.least.Store(min(l.least.Load(), now))
	return nil
}
func (l *ledger) Release(n int64) { l.left.Add(n) }

// TestLongMessages: a message there is no memory for is answered with 53200 and read
// past; the session goes on, and everything reserved comes back.
func TestLongMessages(t *testing.T) {
	memory := newLedger(30 << 20)
	addr, s := serve(t, Options{Backend: &fake{}, Memory: memory})
	c, err := dial(t, addr, "postgres", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	code := func(err error) string {
		var pe *pgconn.PgError
		if errors.As(err, &pe) {
			return pe.Code
		}
		if err != nil {
			return err.Error()
		}
		return ""
	}
	for _, tc := range []struct {
		bytes int
		code  string
	}{{1 << 20, ""}, {8 << 20, ""}, {40 << 20, "53200"}, {5 << 20, ""}} {
		text := strings.Repeat("x", tc.bytes)
		if _, err := c.Exec(ctx, text).ReadAll(); code(err) != tc.code {
			t.Errorf("a query of %d bytes: %v", tc.bytes, err)
		}
		if _, err := c.Prepare(ctx, "", text, nil); code(err) != tc.code {
			t.Errorf("a Parse of %d bytes: %v", tc.bytes, err)
		}
		r := c.ExecParams(ctx, "one", [][]byte{[]byte(text)}, nil, nil, nil).Read()
		if code(r.Err) != tc.code {
			t.Errorf("a Bind of %d bytes: %v", tc.bytes, r.Err)
		}
	}
	if memory.least.Load() >= 30<<20-8<<20 {
		t.Error("long messages were not accounted")
	}
	// CopyData in one message; pgconn cuts it, so by hand.
	h := raw(t, addr)
	h.Write(startupPacket())
	h.Write(append([]byte{'Q', 0, 0, 0, 11}, "copyin\x00"...))
	h.Write(binary.BigEndian.AppendUint32([]byte{'d'}, 40<<20+4))
	h.Write(make([]byte, 40<<20))
	h.Write([]byte{'c', 0, 0, 0, 4, 'Q', 0, 0, 0, 8, 'o', 'n', 'e', 0, 'X', 0, 0, 0, 4})
	if got := closed(t, "copy", h); !bytes.Contains(got, []byte("C53200")) || !bytes.Contains(got, []byte("SELECT 1")) {
		t.Errorf("%q", got)
	}
	// A client that leaves in the middle of one.
	g := raw(t, addr)
	g.Write(startupPacket())
	g.Write(binary.BigEndian.AppendUint32([]byte{'Q'}, 9<<20+4))
	g.Write(make([]byte, 4<<20))
	g.Close()
	c.Close(ctx)
	for deadline := time.Now().Add(5 * time.Second); sessions(s) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a session stays")
		}
	}
	if got := memory.left.Load(); got != 30<<20 {
		t.Errorf("%d bytes are still reserved", 30<<20-got)
	}
}

// TestDescribeFlood: a client that asks much and does not wait does not make the server
// collect the answers.
func TestDescribeFlood(t *testing.T) {
	_, s := serve(t, Options{Backend: &fake{}})
	c := &conn{out: output{net: discardConn{}}, server: s}
	c.session = &wide{fakeSession{client: c}}
	most := 0
	body := append([]byte{'S'}, 0)
	for range 5000 {
		if err := c.dispatch('D', body); err != nil {
			t.Fatal(err)
		}
		most = max(most, cap(c.out.buf))
	}
	if most > 256<<10 {
		t.Errorf("%d KiB of answers are held", most>>10)
	}
}

// wide describes statements of many columns.
type wide struct{ fakeSession }

func (w *wide) DescribeStatement(context.Context, string) ([]types.OID, []Column, error) {
	return nil, make([]Column, 1600), nil
}

type discardConn struct{ net.Conn }

func (discardConn) Write(p []byte) (int, error) { return len(p), nil }
