package pgwire

import (
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
	pid     int32
	secret  uint32
	started time.Time

	in      input
	out     output
	rows    rowEncoder
	session Session
	params  [][2]string       // ParameterStatus to send before ReadyForQuery
	told    map[string]string // the values the client knows
	skip    bool              // an error was sent: skip to Sync

	busyFrom atomic.Int64 // UnixNano when the running call began, 0 when idle

	mu         sync.Mutex
	ctx        context.Context
	cancel     context.CancelCauseFunc
	running    bool
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
		return err
	}
	if c.skip && typ != 'S' && typ != 'X' {
		return nil
	}
	switch typ {
	case 'Q':
		return c.query(body)
	case 'P', 'B', 'D', 'E', 'C':
		return c.extended(typ, body)
	case 'S':
		c.skip = false
		if err := c.call(func(ctx context.Context) error { return c.session.Sync(ctx) }); err != nil {
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
	return c.out.err
}

// read waits for the next message, under the session's idle timeouts.
func (c *conn) read() (byte, []byte, error) {
	wait := c.in.br.Buffered() == 0
	var reason *pgerror.Error
	if wait {
		var d time.Duration
		d, reason = c.session.IdleTimeout()
		c.mu.Lock()
		stop := c.terminated
		if stop == nil {
			if d > 0 {
				c.net.SetReadDeadline(time.Now().Add(d))
			} else {
				reason = nil
			}
		}
		c.mu.Unlock()
		if stop != nil {
			return 0, nil, stop
		}
		c.session.SetIdle(true)
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
func (c *conn) Notice(n *pgerror.Error) { c.out.report('N', n, c.client()) }

// client converts to and from the client's encoding; nil when that is UTF8.
func (c *conn) client() types.Transcoder {
	if c.session == nil {
		return nil
	}
	return c.session.Env().ClientEncoding
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
	c.out.readyForQuery(c.session.Status())
}

// call runs f as a call of the session and sends its error.
func (c *conn) call(f func(ctx context.Context) error) error {
	ctx := c.beginCall()
	err := c.guard(ctx, f)
	c.endCall()
	if err == nil {
		return c.out.err
	}
	return c.report(err)
}

// guard turns a panic of the session into XX000: the session goes on.
func (c *conn) guard(ctx context.Context, f func(ctx context.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if e, ok := r.(*pgerror.Error); ok {
				err = e
			} else {
				err = pgerror.Internal("unexpected failure: %v", r)
			}
			c.server.opts.Log.Error("statement ended by a panic", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			c.session.Failed()
		}
	}()
	return f(ctx)
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
		err = c.call(func(ctx context.Context) error { return c.session.Query(ctx, m.String, c) })
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
	switch typ {
	case 'P':
		var m pgproto3.Parse
		if err := decode(&m, body); err != nil {
			return c.fail(err)
		}
		if err := c.received(&m.Name, &m.Query); err != nil {
			return c.fail(err)
		}
		return c.then(func(ctx context.Context) error { return c.session.Parse(ctx, m.Name, m.Query, m.ParameterOIDs) }, '1')
	case 'B':
		var m pgproto3.Bind
		if err := decode(&m, body); err != nil {
			return c.fail(err)
		}
		if err := c.received(&m.DestinationPortal, &m.PreparedStatement); err != nil {
			return c.fail(err)
		}
		return c.then(func(ctx context.Context) error {
			return c.session.Bind(ctx, m.DestinationPortal, m.PreparedStatement, m.ParameterFormatCodes, m.Parameters, m.ResultFormatCodes)
		}, '2')
	case 'D':
		var m pgproto3.Describe
		if err := decode(&m, body); err != nil {
			return c.fail(err)
		}
		if err := c.received(&m.Name); err != nil {
			return c.fail(err)
		}
		switch m.ObjectType {
		case 'S':
			return c.call(func(ctx context.Context) error { return c.describeStatement(ctx, m.Name) })
		case 'P':
			return c.call(func(ctx context.Context) error { return c.describePortal(ctx, m.Name) })
		}
		return c.fail(pgerror.New(pgerror.ProtocolViolation, "invalid DESCRIBE message subtype %d", m.ObjectType))
	case 'E':
		var m pgproto3.Execute
		if err := decode(&m, body); err != nil {
			return c.fail(err)
		}
		if err := c.received(&m.Portal); err != nil {
			return c.fail(err)
		}
		limit := int(int32(m.MaxRows))
		return c.call(func(ctx context.Context) error { return c.session.Execute(ctx, m.Portal, max(limit, 0), c) })
	default: // 'C'
		var m pgproto3.Close
		if err := decode(&m, body); err != nil {
			return c.fail(err)
		}
		if err := c.received(&m.Name); err != nil {
			return c.fail(err)
		}
		switch m.ObjectType {
		case 'S':
			return c.then(func(context.Context) error { return c.session.CloseStatement(m.Name) }, '3')
		case 'P':
			return c.then(func(context.Context) error { return c.session.ClosePortal(m.Name) }, '3')
		}
		return c.fail(pgerror.New(pgerror.ProtocolViolation, "invalid CLOSE message subtype %d", m.ObjectType))
	}
}

// then makes a call and acknowledges it with a message without a body.
func (c *conn) then(f func(ctx context.Context) error, ack byte) error {
	return c.call(func(ctx context.Context) error {
		if err := f(ctx); err != nil {
			return err
		}
		c.out.bare(ack)
		return nil
	})
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
