package flight

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/types"
)

// prepared is a prepared statement: a text, its types as they were when it was
// prepared, and the parameters bound last.
type prepared struct {
	user, database, txn, text string
	params                    []types.T
	schema                    *arrow.Schema // nil: no rows

	mu    sync.Mutex
	bound [][][]byte // rows of parameters in text form
	used  time.Time
}

// Bounds of what is kept for clients.
const (
	preparedMax   = 10000
	boundBytesMax = 64 << 20
)

func (p *prepared) lastUsed() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used
}

func (p *prepared) rows() [][][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used = time.Now()
	return p.bound
}

// CreatePreparedStatement implements flightsql.Server.
func (s *Server) CreatePreparedStatement(ctx context.Context, req flightsql.ActionCreatePreparedStatementRequest) (res flightsql.ActionCreatePreparedStatementResult, err error) {
	who := identityOf(ctx)
	p := &prepared{user: who.user, database: who.database, txn: string(req.GetTransactionId()), text: req.GetQuery(), used: time.Now()}
	err = s.with(ctx, req.GetTransactionId(), func(ctx context.Context, c *conn) (err error) {
		if p.params, p.schema, err = c.describe(ctx, p.text); err != nil {
			return err
		}
		fields := make([]arrow.Field, len(p.params))
		for i, t := range p.params {
			fields[i] = columnField(c.session.Env().Resolver, "$"+strconv.Itoa(i+1), t, true)
		}
		res.ParameterSchema = arrow.NewSchema(fields, nil)
		return nil
	})
	if err != nil {
		return res, statusOf(err)
	}
	res.DatasetSchema = orEmpty(p.schema)
	id := newID()
	res.Handle = id[:]
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.prepared) >= preparedMax {
		return res, statusOf(pgerror.New(pgerror.ConfigurationLimitExceeded, "too many prepared statements").WithHint("Close those that are not needed."))
	}
	s.prepared[string(id[:])] = p
	return res, nil
}

func (s *Server) findPrepared(who *identity, handle []byte) (*prepared, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.prepared[string(handle)]
	if p == nil || p.user != who.user {
		return nil, pgerror.New(pgerror.InvalidSQLStatementName, "the prepared statement does not exist")
	}
	return p, nil
}

// ClosePreparedStatement implements flightsql.Server.
func (s *Server) ClosePreparedStatement(ctx context.Context, req flightsql.ActionClosePreparedStatementRequest) error {
	h := req.GetPreparedStatementHandle()
	if _, err := s.findPrepared(identityOf(ctx), h); err != nil {
		return statusOf(err)
	}
	s.mu.Lock()
	delete(s.prepared, string(h))
	s.mu.Unlock()
	return nil
}

// GetFlightInfoPreparedStatement implements flightsql.Server.
func (s *Server) GetFlightInfoPreparedStatement(ctx context.Context, cmd flightsql.PreparedStatementQuery, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	h := cmd.GetPreparedStatementHandle()
	p, err := s.findPrepared(identityOf(ctx), h)
	if err != nil {
		return nil, statusOf(err)
	}
	if sp, err := s.spreadPrepared(ctx, p); err != nil {
		return nil, statusOf(err)
	} else if sp != nil {
		info, err := s.partsInfo(identityOf(ctx), sp, p.schema, desc)
		return info, statusOf(err)
	}
	info, err := s.info(&ticket{kind: ticketPrepared, user: p.user, database: p.database, txn: p.txn, of: string(h)}, orEmpty(p.schema), desc)
	return info, statusOf(err)
}

// spreadPrepared gives the result of a prepared statement in parts, nil when it comes in one.
func (s *Server) spreadPrepared(ctx context.Context, p *prepared) (sp *pgwire.Spread, err error) {
	rows := p.rows()
	if s.opts.Nodes == nil || p.txn != "" || p.schema == nil || len(rows) > 1 || len(rows) == 0 && len(p.params) > 0 {
		return nil, nil
	}
	c, done, err := s.acquire(ctx, identityOf(ctx), p.database, nil)
	if err != nil {
		return nil, err
	}
	defer done()
	err = c.call(ctx, func(ctx context.Context) error {
		if err := p.parse(ctx, c); err != nil {
			return err
		}
		var params [][]byte
		if len(rows) > 0 {
			params = rows[0]
		}
		if sp, err = c.spread(ctx, params); err != nil {
			return err
		}
		return c.finish(ctx, false)
	})
	if err != nil && sp != nil {
		sp.Release()
	}
	return sp, err
}

// GetSchemaPreparedStatement implements flightsql.Server.
func (s *Server) GetSchemaPreparedStatement(ctx context.Context, cmd flightsql.PreparedStatementQuery, _ *flight.FlightDescriptor) (*flight.SchemaResult, error) {
	p, err := s.findPrepared(identityOf(ctx), cmd.GetPreparedStatementHandle())
	if err != nil {
		return nil, statusOf(err)
	}
	return &flight.SchemaResult{Schema: flight.SerializeSchema(orEmpty(p.schema), s.Alloc)}, nil
}

// DoGetPreparedStatement implements flightsql.Server: clients that make the ticket
// of the command themselves.
func (s *Server) DoGetPreparedStatement(ctx context.Context, cmd flightsql.PreparedStatementQuery) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	who := identityOf(ctx)
	p, err := s.findPrepared(who, cmd.GetPreparedStatementHandle())
	if err != nil {
		return nil, nil, statusOf(err)
	}
	c, done, err := s.acquire(ctx, who, p.database, []byte(p.txn))
	if err != nil {
		return nil, nil, statusOf(err)
	}
	return s.streamResult(ctx, ctx, c, done, func(ctx context.Context, out pgwire.Sink) error {
		if err := p.query(ctx, c, out); err != nil {
			return err
		}
		return c.finish(ctx, p.txn != "")
	})
}

// query runs the statement once per row of bound parameters.
func (p *prepared) query(ctx context.Context, c *conn, out pgwire.Sink) error {
	rows := p.rows()
	if len(rows) == 0 {
		if len(p.params) > 0 {
			return p.unbound()
		}
		rows = [][][]byte{nil}
	}
	if err := p.parse(ctx, c); err != nil {
		return err
	}
	for _, r := range rows {
		if err := c.bindExecute(ctx, r, out); err != nil {
			return err
		}
	}
	return nil
}

func (p *prepared) unbound() error {
	return pgerror.New(pgerror.ProtocolViolation, "bind message supplies 0 parameters, but the prepared statement requires %d", len(p.params))
}

// parse prepares the text in c, with the parameter types it had before.
func (p *prepared) parse(ctx context.Context, c *conn) error {
	oids := make([]uint32, len(p.params))
	for i, t := range p.params {
		oids[i] = uint32(t.OID)
	}
	return c.session.Parse(ctx, "", p.text, oids)
}

// readParams calls f with the rows of a client's parameter batches.
func (p *prepared) readParams(r flight.MessageReader, f func(row [][]byte) error) error {
	for {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return pgerror.New(pgerror.ProtocolViolation, "malformed parameters: %s", err)
		}
		if int(rec.NumCols()) != len(p.params) {
			if rec.NumCols() == 0 && rec.NumRows() == 0 {
				continue
			}
			return pgerror.New(pgerror.ProtocolViolation, "bind message supplies %d parameters, but the prepared statement requires %d", rec.NumCols(), len(p.params))
		}
		for i := range int(rec.NumRows()) {
			row := make([][]byte, len(p.params))
			for k, t := range p.params {
				if row[k], err = paramText(t, rec.Column(k), i); err != nil {
					return err
				}
			}
			if err := f(row); err != nil {
				return err
			}
		}
	}
}

// DoPutPreparedStatementQuery implements flightsql.Server: it binds parameters.
func (s *Server) DoPutPreparedStatementQuery(ctx context.Context, cmd flightsql.PreparedStatementQuery, r flight.MessageReader, _ flight.MetadataWriter) ([]byte, error) {
	h := cmd.GetPreparedStatementHandle()
	p, err := s.findPrepared(identityOf(ctx), h)
	if err != nil {
		return nil, statusOf(err)
	}
	var rows [][][]byte
	size := 0
	err = p.readParams(r, func(row [][]byte) error {
		for i, v := range row {
			row[i] = bytes.Clone(v)
			size += len(v) + 24
		}
		if size > boundBytesMax {
			return pgerror.New(pgerror.ProgramLimitExceeded, "the parameters of a query exceed %d bytes", boundBytesMax)
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return nil, statusOf(err)
	}
	p.mu.Lock()
	p.bound, p.used = rows, time.Now()
	p.mu.Unlock()
	return h, nil
}

// DoPutPreparedStatementUpdate implements flightsql.Server. All rows of parameters are one transaction.
func (s *Server) DoPutPreparedStatementUpdate(ctx context.Context, cmd flightsql.PreparedStatementUpdate, r flight.MessageReader) (n int64, err error) {
	p, err := s.findPrepared(identityOf(ctx), cmd.GetPreparedStatementHandle())
	if err != nil {
		return 0, statusOf(err)
	}
	c, done, err := s.acquire(ctx, identityOf(ctx), p.database, []byte(p.txn))
	if err != nil {
		return 0, statusOf(err)
	}
	defer done()
	err = c.call(ctx, func(ctx context.Context) error {
		if err := p.parse(ctx, c); err != nil {
			return err
		}
		run := func(row [][]byte) error {
			k := &sink{session: c.session}
			if err := c.bindExecute(ctx, row, k); err != nil {
				return err
			}
			n += affected(k.tag)
			return nil
		}
		ran := false
		if len(p.params) > 0 {
			err := p.readParams(r, func(row [][]byte) error { ran = true; return run(row) })
			if err != nil {
				c.session.Failed()
				return err
			}
			for _, row := range p.rows() {
				if ran { // bound before, used when none come along
					break
				}
				if err := run(row); err != nil {
					return err
				}
			}
			if !ran && len(p.rows()) == 0 {
				c.session.Failed()
				return p.unbound()
			}
		} else {
			p.rows()
			if err := run(nil); err != nil {
				return err
			}
		}
		return c.finish(ctx, p.txn != "")
	})
	if err != nil {
		return 0, statusOf(err)
	}
	return n, nil
}
