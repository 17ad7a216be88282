package pgwire

import (
	"container/list"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgproto3/v2"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// conn is one client connection.
type conn struct {
	server  *Server
	raw     net.Conn // the TCP connection
	net     net.Conn // raw, or TLS over it
	tls     bool
	pid     int32 // 0 before it has logged in
	secret  uint32
	waiting *list.Element // in Server.pending; guarded by Server.mu
	started time.Time

	in      input
	out     output
	rows    rowEncoder
	req     request
	session Session
	params  [][2]string       // ParameterStatus to send before ReadyForQuery
	told    map[string]string // the values the client knows
	skip    bool              // an error was sent: skip to Sync

	busyFrom atomic.Int64 // UnixNano when the running call began, 0 when idle

	mu         sync.Mutex
	ctx        context.Context
	cancel     context.CancelCauseFunc
	running    bool
	listening  bool // for the client's next message
	woken      bool // the session may have notifications
	terminated *pgerror.Error
}

// farewellTimeout is how long a client has to take its last messages.
const farewellTimeout = time.Second

// errClose ends the connection without a word.
var errClose = errors.New("connection closed")

// serve drives the connection from its first byte to its close.
func (c *conn) serve() {
	defer func() {
		if r := recover(); r != nil { // outside a session's call: a bug here; other connections go on
			c.server.opts.Log.Error("connection ended by a panic", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
		if c.session != nil {
			c.closeSession()
		}
		c.net.Close()
		c.in.free()
	}()
	ok, err := c.startup()
	if err == nil && ok {
		c.ready()
		for err == nil {
			err = c.next()
		}
	}
	c.farewell(err)
}

func (c *conn) closeSession() {
	defer func() {
		if r := recover(); r != nil {
			c.server.opts.Log.Error("panic while a session closed", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	c.session.Close()
}

// farewell sends the report of a connection that the server ends.
func (c *conn) farewell(err error) {
	c.mu.Lock()
	if c.terminated != nil && c.session != nil {
		err = c.terminated
	}
	c.mu.Unlock()
	var pe *pgerror.Error
	if errors.As(err, &pe) {
		e := *pe
		e.Severity = "FATAL"
		c.net.SetDeadline(time.Now().Add(farewellTimeout))
		c.out.report('E', &e, c.client())
	}
	c.out.flush()
}

// next reads and serves one message. A returned error ends the connection.
func (c *conn) next() error {
	typ, body, err := c.read()
	if err != nil {
		if typ == 0 || fatalError(err) {
			return err
		}
		return c.unread(typ, err)
	}
	return c.dispatch(typ, body)
}

// dispatch serves a message.
func (c *conn) dispatch(typ byte, body []byte) error {
	if c.skip && typ != 'S' && typ != 'X' {
		return nil
	}
	switch typ {
	case 'Q':
		return c.query(body)
	case 'P', 'B', 'D', 'E', 'C':
		if err := c.extended(typ, body); err != nil {
			return err
		}
		return c.out.spill() // a client that asks much and never waits
	case 'S':
		c.skip = false
		if err := c.call('S'); err != nil {
			return err
		}
		c.skip = false
		c.ready()
	case 'H':
		return c.out.flush()
	case 'X':
		return errClose
	case 'F':
		err := c.fail(pgerror.Unsupported("the function call protocol"))
		c.skip = false
		c.ready()
		return err
	case 'd', 'c', 'f':
		// left over from a COPY that failed
	case 'p':
		return fatal(pgerror.ProtocolViolation, "invalid frontend message type %d", typ)
	}
	return c.out.spill()
}

// fatalError reports that a connection cannot go on after an error of reading.
func fatalError(err error) bool {
	pe, ok := err.(*pgerror.Error)
	return !ok || pe.Severity == "FATAL"
}

// unread answers a message that was read past for want of memory.
func (c *conn) unread(typ byte, err error) error {
	if c.skip || typ == 'd' || typ == 'f' {
		return nil // it would not have been looked at
	}
	err = c.fail(err)
	if typ == 'Q' || typ == 'F' {
		c.skip = false
		c.ready()
	}
	return err
}

// read waits for the next message, under the session's idle timeouts.
func (c *conn) read() (byte, []byte, error) {
	wait := c.in.br.Buffered() == 0
	var reason *pgerror.Error
	if wait {
		var err error
		if reason, err = c.idle(); err != nil {
			return 0, nil, err
		}
	}
	typ, body, err := c.in.message()
	if wait {
		c.session.SetIdle(false)
	}
	if reason != nil {
		c.net.SetReadDeadline(time.Time{})
	}
	if err != nil {
		c.mu.Lock()
		stop := c.terminated
		c.mu.Unlock()
		switch {
		case stop != nil:
			return 0, nil, stop
		case reason != nil && errors.Is(err, os.ErrDeadlineExceeded):
			return 0, nil, reason
		}
	}
	return typ, body, err
}

// idle waits for the client's next message to begin and sends notifications
// meanwhile. A read that times out from now on stands for reason, nil for none. What
// ends the wait beside a message is for the next read to report.
func (c *conn) idle() (reason *pgerror.Error, err error) {
	d, reason := c.session.IdleTimeout()
	var deadline time.Time
	if d > 0 {
		deadline = time.Now().Add(d)
	} else {
		reason = nil
	}
	for first := true; ; first = false {
		c.mu.Lock()
		stop, woken := c.terminated, c.woken
		c.woken = false
		if c.listening = stop == nil && !woken; c.listening && (reason != nil || !first) {
			c.net.SetReadDeadline(deadline)
		}
		c.mu.Unlock()
		if stop != nil {
			return nil, stop
		}
		if woken {
			c.notify()
			continue
		}
		c.session.SetIdle(true)
		_, err := c.in.br.Peek(1)
		c.mu.Lock()
		c.listening = false
		woken = c.woken && c.terminated == nil
		if woken && err == nil {
			c.net.SetReadDeadline(deadline) // that of Wake must not stay
		}
		c.mu.Unlock()
		if !woken || !errors.Is(err, os.ErrDeadlineExceeded) {
			return reason, nil
		}
	}
}

// Wake implements Client.
func (c *conn) Wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.woken = true
	if c.listening && c.terminated == nil {
		c.net.SetReadDeadline(time.Now())
	}
}

// notify sends the notifications that have come.
func (c *conn) notify() {
	for _, n := range c.session.Notifications() {
		c.out.notification(n, c.client())
	}
}

// beginCall gives the context of a call; it is made anew only after it was cancelled.
func (c *conn) beginCall() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil || c.ctx.Err() != nil {
		c.ctx, c.cancel = context.WithCancelCause(context.Background())
	}
	if c.terminated != nil {
		c.cancel(c.terminated)
	}
	c.running = true
	c.busyFrom.Store(time.Now().UnixNano())
	return c.ctx
}

func (c *conn) endCall() {
	c.mu.Lock()
	c.running = false
	c.mu.Unlock()
	c.busyFrom.Store(0)
}

func (c *conn) busySince() time.Duration {
	from := c.busyFrom.Load()
	if from == 0 {
		return 0
	}
	return time.Since(time.Unix(0, from))
}

// Cancel implements Client. A cancel that finds nothing running has no effect.
func (c *conn) Cancel(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running && c.cancel != nil {
		c.cancel(cause)
	}
}

// Terminate implements Client.
func (c *conn) Terminate(reason *pgerror.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.terminated != nil {
		return
	}
	c.terminated = reason
	if c.running && c.cancel != nil {
		c.cancel(reason)
	}
	c.net.SetReadDeadline(time.Now())                       // wakes a waiting read
	c.net.SetWriteDeadline(time.Now().Add(farewellTimeout)) // and a write to a client that does not read
}

// Notice implements Client.
func (c *conn) Notice(n *pgerror.Error) {
	c.out.report('N', n, c.client())
	c.out.spill()
}

// client converts to and from the client's encoding; nil when that is UTF8.
func (c *conn) client() types.Transcoder {
	if c.session == nil {
		return nil
	}
	return c.session.ClientEncoding()
}

// received puts texts of a message into UTF8.
func (c *conn) received(texts ...*string) error {
	client := c.client()
	if client == nil {
		return nil
	}
	for _, t := range texts {
		b, err := client.ToUTF8([]byte(*t))
		if err != nil {
			return err
		}
		*t = string(b)
	}
	return nil
}

// ParameterStatus implements Client.
func (c *conn) ParameterStatus(name, value string) {
	c.params = append(c.params, [2]string{name, value})
}

func (c *conn) sendParameters() {
	if len(c.params) == 0 {
		return
	}
	last := map[string]string{}
	for _, p := range c.params {
		last[p[0]] = p[1]
	}
	for _, p := range c.params {
		v, pending := last[p[0]]
		delete(last, p[0])
		if old, told := c.told[p[0]]; !pending || told && old == v {
			continue
		}
		if c.told == nil {
			c.told = map[string]string{}
		}
		c.told[p[0]] = v
		c.out.parameterStatus(p[0], v)
	}
	c.params = c.params[:0]
}

func (c *conn) ready() {
	c.in.narrow()
	c.sendParameters()
	if c.session.Status() == 'I' {
		c.notify()
	}
	c.out.readyForQuery(c.session.Status())
}

// call serves the request of a message's type as a call of the session and sends
// its error.
func (c *conn) call(typ byte) error {
	ctx := c.beginCall()
	err := c.guard(ctx, typ)
	c.endCall()
	if err == nil {
		return c.out.err
	}
	return c.report(err)
}

// guard turns a panic of the session into XX000: the session goes on.
func (c *conn) guard(ctx context.Context, typ byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if e, ok := r.(*pgerror.Error); ok {
				err = e
			} else {
				err = pgerror.Internal("unexpected failure: %v", r)
			}
			c.server.opts.Log.Error("statement ended by a panic", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			c.out.abandon()
			c.session.Failed()
		}
	}()
	return c.run(ctx, typ)
}

// run makes the session's call for a request, and acknowledges it with a message
// without a body where that is the answer.
func (c *conn) run(ctx context.Context, typ byte) error {
	m := &c.req
	var err error
	ack := byte(0)
	switch typ {
	case 'Q':
		return c.session.Query(ctx, m.text, c)
	case 'S':
		return c.session.Sync(ctx)
	case 'P':
		err, ack = c.session.Parse(ctx, m.name, m.text, m.oids), '1'
	case 'B':
		err, ack = c.session.Bind(ctx, m.name, m.source, m.formats, m.params, m.results), '2'
	case 'D':
		if m.object == 'S' {
			return c.describeStatement(ctx, m.name)
		}
		return c.describePortal(ctx, m.name)
	case 'E':
		return c.session.Execute(ctx, m.name, m.limit, c)
	case 'C':
		ack = '3'
		if m.object == 'S' {
			err = c.session.CloseStatement(m.name)
		} else {
			err = c.session.ClosePortal(m.name)
		}
	}
	if err == nil {
		c.out.bare(ack)
	}
	return err
}

// report sends an ErrorResponse; a FATAL one ends the connection.
func (c *conn) report(err error) error {
	c.skip = true
	if c.out.err != nil {
		return c.out.err
	}
	pe := pgerror.From(err)
	c.mu.Lock()
	stop := c.terminated
	c.mu.Unlock()
	if stop != nil {
		return stop
	}
	if pe.Severity == "FATAL" || pe.Severity == "PANIC" {
		return pe
	}
	if pe.Code == pgerror.InternalError {
		c.server.opts.Log.Error("internal error", "err", pe.Message)
	}
	c.out.report('E', pe, c.client())
	return c.out.err
}

// fail reports an error of the protocol and lets the session know.
func (c *conn) fail(err error) error {
	c.session.Failed()
	return c.report(err)
}

func (c *conn) query(body []byte) error {
	var m pgproto3.Query
	err := decode(&m, body)
	if err == nil {
		err = c.received(&m.String)
	}
	if err != nil {
		err = c.fail(err)
	} else {
		c.req.text = m.String
		err = c.call('Q')
		c.req.text = ""
	}
	if err != nil {
		return err
	}
	c.skip = false
	c.ready()
	return c.out.err
}

// decode reads a message's body; pgproto3 slices by lengths the client sent, so
// that malformed ones may panic there.
func decode(m pgproto3.Message, body []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = pgerror.New(pgerror.ProtocolViolation, "invalid message format")
		}
	}()
	if err := m.Decode(body); err != nil {
		return pgerror.New(pgerror.ProtocolViolation, "invalid message format").WithDetail("%s", err.Error())
	}
	return nil
}

func (c *conn) extended(typ byte, body []byte) error {
	m := &c.req
	err := m.decode(typ, body)
	if err == nil {
		err = c.received(&m.name)
	}
	switch {
	case err != nil:
	case typ == 'P':
		err = c.received(&m.text)
	case typ == 'B':
		err = c.received(&m.source)
	case (typ == 'D' || typ == 'C') && m.object != 'S' && m.object != 'P':
		what := "DESCRIBE"
		if typ == 'C' {
			what = "CLOSE"
		}
		err = pgerror.New(pgerror.ProtocolViolation, "invalid %s message subtype %d", what, m.object)
	}
	if err != nil {
		return c.fail(err)
	}
	return c.call(typ)
}

func (c *conn) describeStatement(ctx context.Context, name string) error {
	params, cols, err := c.session.DescribeStatement(ctx, name)
	if err != nil {
		return err
	}
	at := c.out.begin('t')
	c.out.buf = binary.BigEndian.AppendUint16(c.out.buf, uint16(len(params)))
	for _, p := range params {
		c.out.buf = binary.BigEndian.AppendUint32(c.out.buf, uint32(p))
	}
	c.out.end(at)
	return c.describe(cols, nil)
}

func (c *conn) describePortal(ctx context.Context, name string) error {
	cols, formats, err := c.session.DescribePortal(ctx, name)
	if err != nil {
		return err
	}
	return c.describe(cols, formats)
}

func (c *conn) describe(cols []Column, formats []int16) error {
	if cols == nil {
		c.out.bare('n')
		return nil
	}
	return c.out.rowDescription(c.client(), cols, formats)
}
