package flight

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/types"
)

// with runs f in the transaction txn, or in a session of its own when txn is empty.
// f must leave nothing open; the session's implicit transaction is committed after it.
func (s *Server) with(ctx context.Context, txn []byte, f func(ctx context.Context, c *conn) error) error {
	c, done, err := s.acquire(ctx, identityOf(ctx), "", txn)
	if err != nil {
		return err
	}
	defer done()
	return c.call(ctx, func(ctx context.Context) error {
		if err := f(ctx, c); err != nil {
			return err
		}
		return c.finish(ctx, len(txn) > 0)
	})
}

// acquire gives the conn of a transaction, or a new one to database ("": the
// caller's); done gives it back.
func (s *Server) acquire(ctx context.Context, who *identity, database string, txn []byte) (c *conn, done func(), err error) {
	if len(txn) > 0 {
		if c, err = s.transaction(who, txn); err != nil {
			return nil, nil, err
		}
		return c, func() {}, nil
	}
	if database == "" {
		database = who.database
	}
	if c, err = s.connect(ctx, who, database); err != nil {
		return nil, nil, err
	}
	return c, func() { c.close(errEnded) }, nil
}

// finish ends the statements of a call: outside a transaction their work is committed.
// A block that they opened or ended themselves is refused.
func (c *conn) finish(ctx context.Context, inTransaction bool) error {
	if inTransaction {
		if c.session.Status() == 'I' {
			return pgerror.New(pgerror.InvalidTransactionTermination, "the transaction was ended by a statement")
		}
		return nil
	}
	if err := c.session.Sync(ctx); err != nil {
		return err
	}
	if c.session.Status() != 'I' {
		c.session.Failed()
		return pgerror.Unsupported("BEGIN as a statement of Flight SQL").WithHint("Use Flight SQL's BeginTransaction.")
	}
	return nil
}

// execute runs one statement with text parameters and sends its result to out.
// REQUIRES: within a call of c.
func (c *conn) execute(ctx context.Context, text string, params [][]byte, out pgwire.Sink) error {
	if err := c.session.Parse(ctx, "", text, nil); err != nil {
		return err
	}
	return c.bindExecute(ctx, params, out)
}

// bindExecute runs the unnamed statement.
func (c *conn) bindExecute(ctx context.Context, params [][]byte, out pgwire.Sink) error {
	if err := c.session.Bind(ctx, "", "", nil, params, nil); err != nil {
		return err
	}
	return c.session.Execute(ctx, "", 0, out)
}

// describe prepares a text and gives its parameter types and its schema (nil: no rows).
func (c *conn) describe(ctx context.Context, text string) (params []types.T, schema *arrow.Schema, err error) {
	if err := c.session.Parse(ctx, "", text, nil); err != nil {
		return nil, nil, err
	}
	oids, cols, err := c.session.DescribeStatement(ctx, "")
	if err != nil {
		return nil, nil, err
	}
	res := c.session.Env().Resolver
	params = make([]types.T, len(oids))
	for i, o := range oids {
		t, ok := res.TypeByOID(o)
		if !ok {
			return nil, nil, pgerror.New(pgerror.IndeterminateDatatype, "could not determine data type of parameter $%d", i+1)
		}
		params[i] = t
	}
	if cols != nil {
		schema = schemaOf(res, cols)
	}
	return params, schema, nil
}

// orEmpty is the schema of what yields no rows.
func orEmpty(s *arrow.Schema) *arrow.Schema {
	if s == nil {
		return arrow.NewSchema(nil, nil)
	}
	return s
}

// info makes the FlightInfo of a ticket.
func (s *Server) info(t *ticket, schema *arrow.Schema, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	t.id, t.expires, t.partitions = newID(), time.Now().Add(ticketLife), 1
	handle := t.encode(s.key)
	if len(handle) > ticketBytesMax {
		return nil, pgerror.New(pgerror.ProgramLimitExceeded, "the statement is longer than %d bytes", ticketBytesMax)
	}
	b, err := flightsql.CreateStatementQueryTicket(handle)
	if err != nil {
		return nil, err
	}
	return &flight.FlightInfo{
		Schema: flight.SerializeSchema(schema, s.Alloc), FlightDescriptor: desc, TotalRecords: -1, TotalBytes: -1,
		Endpoint: []*flight.FlightEndpoint{{Ticket: &flight.Ticket{Ticket: b}, ExpirationTime: timestamppb.New(t.expires)}},
	}, nil
}

// statementSchema describes a statement and checks that it is one. With spread, it gives the
// result in parts too, if it comes in parts.
func (s *Server) statementSchema(ctx context.Context, cmd flightsql.StatementQuery, spread bool) (schema *arrow.Schema, sp *pgwire.Spread, err error) {
	err = s.with(ctx, cmd.GetTransactionId(), func(ctx context.Context, c *conn) error {
		params, sc, err := c.describe(ctx, cmd.GetQuery())
		if err != nil {
			return err
		}
		if len(params) > 0 {
			return pgerror.New(pgerror.UndefinedParameter, "there is no parameter $1").WithHint("Statements with parameters must be prepared.")
		}
		schema = orEmpty(sc)
		if spread && sc != nil && len(cmd.GetTransactionId()) == 0 {
			sp, err = c.spread(ctx, nil)
		}
		return err
	})
	if err != nil && sp != nil {
		sp.Release()
	}
	return schema, sp, err
}

// GetFlightInfoStatement implements flightsql.Server.
func (s *Server) GetFlightInfoStatement(ctx context.Context, cmd flightsql.StatementQuery, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	schema, sp, err := s.statementSchema(ctx, cmd, true)
	if err != nil {
		return nil, statusOf(err)
	}
	who := identityOf(ctx)
	if sp != nil {
		info, err := s.partsInfo(who, sp, schema, desc)
		return info, statusOf(err)
	}
	info, err := s.info(&ticket{kind: ticketStatement, user: who.user, database: who.database, txn: string(cmd.GetTransactionId()), of: cmd.GetQuery()}, schema, desc)
	return info, statusOf(err)
}

// GetSchemaStatement implements flightsql.Server.
func (s *Server) GetSchemaStatement(ctx context.Context, cmd flightsql.StatementQuery, _ *flight.FlightDescriptor) (*flight.SchemaResult, error) {
	schema, _, err := s.statementSchema(ctx, cmd, false)
	if err != nil {
		return nil, statusOf(err)
	}
	return &flight.SchemaResult{Schema: flight.SerializeSchema(schema, s.Alloc)}, nil
}

// redeem reads a ticket that its owner hands in.
func (s *Server) redeem(who *identity, b []byte) (*ticket, error) {
	t, err := decodeTicket(s.keyOf, b)
	switch {
	case err != nil:
		return nil, err
	case s.opts.Backend == nil && t.kind != ticketPart:
		return nil, errPartsOnly
	case t.user != who.user && s.opts.Backend != nil:
		return nil, pgerror.New(pgerror.InsufficientPrivilege, "the ticket belongs to another user")
	case time.Now().After(t.expires):
		return nil, pgerror.New(pgerror.InvalidParameterValue, "the ticket has expired")
	}
	return t, nil
}

// keyOf is the key that authenticates tickets of a kind.
func (s *Server) keyOf(kind byte) []byte {
	if kind == ticketPart && s.opts.Nodes != nil {
		return s.opts.Nodes.Key()
	}
	return s.key
}

// DoGetStatement implements flightsql.Server: the tickets of statements and of
// prepared statements.
func (s *Server) DoGetStatement(ctx context.Context, cmd flightsql.StatementQueryTicket) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	who := identityOf(ctx)
	t, err := s.redeem(who, cmd.GetStatementHandle())
	if err != nil {
		return nil, nil, statusOf(err)
	}
	call := ctx
	ctx, stop, err := s.begin(ctx, t)
	if err != nil {
		return nil, nil, statusOf(err)
	}
	if t.kind == ticketPart {
		return s.pullPart(call, ctx, t, stop)
	}
	var p *prepared
	if t.kind == ticketPrepared {
		if p, err = s.findPrepared(who, []byte(t.of)); err != nil {
			stop()
			return nil, nil, statusOf(err)
		}
	}
	c, done, err := s.acquire(ctx, who, t.database, []byte(t.txn))
	if err != nil {
		stop()
		return nil, nil, statusOf(err)
	}
	return s.streamResult(call, ctx, c, func() { done(); stop() }, func(ctx context.Context, out pgwire.Sink) error {
		if p != nil {
			err = p.query(ctx, c, out)
		} else {
			err = c.execute(ctx, t.of, nil, out)
		}
		if err != nil {
			return err
		}
		return c.finish(ctx, t.txn != "")
	})
}

// redemption is a DoGet by its ticket.
type redemption struct {
	id        [16]byte
	partition uint32
}

// begin notes that a ticket is being redeemed, so that it can be cancelled.
func (s *Server) begin(ctx context.Context, t *ticket) (context.Context, func(), error) {
	ctx, cancel := context.WithCancelCause(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.cancelled[t.id]; ok {
		cancel(nil)
		return nil, nil, errUserCancel
	}
	run := redemption{t.id, t.partition}
	if _, ok := s.running[run]; ok {
		cancel(nil)
		return nil, nil, pgerror.New(pgerror.ObjectInUse, "the ticket is being redeemed already")
	}
	s.running[run] = cancel
	return ctx, func() {
		s.mu.Lock()
		delete(s.running, run)
		s.mu.Unlock()
		cancel(nil)
	}, nil
}

// cancelledMax bounds the remembered cancelled tickets.
const cancelledMax = 10000

// CancelFlightInfo implements flightsql.Server, and serves CancelQuery too: running
// DoGets of the info's tickets are cancelled, and none can begin any more.
func (s *Server) CancelFlightInfo(ctx context.Context, req *flight.CancelFlightInfoRequest) (result flight.CancelFlightInfoResult, err error) {
	result.Status, err = s.cancelTickets(identityOf(ctx), req.GetInfo())
	err = statusOf(err)
	return
}

func (s *Server) cancelTickets(who *identity, info *flight.FlightInfo) (flight.CancelStatus, error) {
	var ts []*ticket
	for _, e := range info.GetEndpoint() {
		if e.GetTicket() == nil {
			return flight.CancelStatusUnspecified, errTicket
		}
		st, err := flightsql.GetStatementQueryTicket(e.Ticket)
		if err != nil {
			return flight.CancelStatusUnspecified, errTicket
		}
		t, err := s.redeem(who, st.GetStatementHandle())
		if err != nil {
			return flight.CancelStatusUnspecified, err
		}
		ts = append(ts, t)
	}
	status := flight.CancelStatusNotCancellable
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range ts {
		if len(s.cancelled) < cancelledMax {
			s.cancelled[t.id] = t.expires
			status = flight.CancelStatusCancelled
		}
		if cancel := s.running[redemption{t.id, t.partition}]; cancel != nil {
			cancel(errUserCancel)
			status = flight.CancelStatusCancelled
		}
		if l := s.leases[t.id]; l != nil { // pulls elsewhere end when the snapshot has gone
			s.dropLease(t.id, l)
		}
	}
	return status, nil
}

// DoPutCommandStatementUpdate implements flightsql.Server.
func (s *Server) DoPutCommandStatementUpdate(ctx context.Context, cmd flightsql.StatementUpdate) (n int64, err error) {
	err = s.with(ctx, cmd.GetTransactionId(), func(ctx context.Context, c *conn) error {
		k := &sink{session: c.session}
		if err := c.execute(ctx, cmd.GetQuery(), nil, k); err != nil {
			return err
		}
		n = affected(k.tag)
		return nil
	})
	return n, statusOf(err)
}

// affected is the number at the end of a command tag; 0 when it has none.
func affected(tag string) int64 {
	n, err := strconv.ParseInt(tag[strings.LastIndexByte(tag, ' ')+1:], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
