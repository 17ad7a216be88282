package flight

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
)

// Results in parts: what the storage nodes have each of, pulled from them directly or
// through this server, all at the snapshot of the GetFlightInfo. A lease keeps the snapshot.

// Nodes are the nodes of the database as parts of results need them.
type Nodes struct {
	// Key authenticates tickets for parts at every node of the database. It may change:
	// tickets from before are then invalid.
	Key func() []byte
	// Location is where a node serves Flight (host:port), "" when it does not.
	Location func(node uint32) string
	// Pull runs a part on its node and hands over its batches.
	Pull func(ctx context.Context, part pgwire.Part, emit func(*vexec.Batch) error) error
}

const (
	// partLife is how long tickets for parts are good unless they are renewed, and
	// their snapshot is kept.
	partLife = 5 * time.Minute
	// leasesMax bounds the snapshots that are kept for tickets; results come in one part beyond.
	leasesMax = 1000
	// partColumnsMax bounds what a ticket may say.
	partColumnsMax = 1 << 16
)

// lease keeps a snapshot for the tickets of one FlightInfo.
type lease struct {
	release func()
	until   time.Time
	pulled  map[uint32]bool // parts that were pulled whole through this server
	parts   int
	pulling int // parts being pulled through this server
}

// spread gives the result of a text in parts, nil when it comes in one.
// REQUIRES: within a call of c, outside transactions.
func (c *conn) spread(ctx context.Context, params [][]byte) (*pgwire.Spread, error) {
	sp, ok := c.session.(pgwire.Spreader)
	if !ok || c.server.opts.Nodes == nil {
		return nil, nil
	}
	c.server.mu.Lock()
	full := len(c.server.leases) >= leasesMax
	c.server.mu.Unlock()
	if full {
		return nil, nil
	}
	if err := c.session.Bind(ctx, "", "", nil, params, nil); err != nil {
		return nil, err
	}
	return sp.Spread(ctx, "")
}

// partsInfo makes the FlightInfo of a result in parts; it takes the spread over.
func (s *Server) partsInfo(who *identity, sp *pgwire.Spread, schema *arrow.Schema, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	id, until := newID(), time.Now().Add(partLife)
	info := &flight.FlightInfo{Schema: flight.SerializeSchema(schema, s.Alloc), FlightDescriptor: desc, TotalRecords: -1, TotalBytes: -1}
	for i, p := range sp.Parts {
		t := &ticket{kind: ticketPart, id: id, node: p.Node, partition: uint32(i), partitions: uint32(len(sp.Parts)), expires: until,
			user: who.user, database: who.database, of: string(encodePart(sp.Types, info.Schema, p.Fragment))}
		e, err := s.partEndpoint(t)
		if err != nil {
			sp.Release()
			return nil, err
		}
		info.Endpoint = append(info.Endpoint, e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing != nil || len(s.leases) >= leasesMax {
		sp.Release()
		return nil, pgerror.New(pgerror.ConfigurationLimitExceeded, "too many results wait to be pulled").WithHint("Cancel those that are not needed.")
	}
	s.leases[id] = &lease{release: sp.Release, until: until, parts: len(sp.Parts), pulled: map[uint32]bool{}}
	return info, nil
}

// partEndpoint is where a part can be had: at its node, and here.
func (s *Server) partEndpoint(t *ticket) (*flight.FlightEndpoint, error) {
	handle := t.encode(s.keyOf(t.kind))
	if len(handle) > ticketBytesMax {
		return nil, pgerror.New(pgerror.ProgramLimitExceeded, "the statement's plan is longer than %d bytes", ticketBytesMax)
	}
	b, err := flightsql.CreateStatementQueryTicket(handle)
	if err != nil {
		return nil, err
	}
	e := &flight.FlightEndpoint{Ticket: &flight.Ticket{Ticket: b}, ExpirationTime: timestamppb.New(t.expires)}
	if addr := s.opts.Nodes.Location(t.node); addr != "" {
		scheme := "grpc+tcp://"
		if s.opts.TLS != nil {
			scheme = "grpc+tls://"
		}
		e.Location = []*flight.Location{{Uri: scheme + addr}, {Uri: flight.LocationReuseConnection}}
	}
	return e, nil
}

// A part's ticket has for its body: uvarint columns; per column its type's OID and
// modifier, 4 bytes each; uvarint length, the Arrow schema as IPC message; what to run.
func encodePart(ts []types.T, schema, fragment []byte) []byte {
	b := binary.AppendUvarint(nil, uint64(len(ts)))
	for _, t := range ts {
		b = binary.BigEndian.AppendUint32(b, uint32(t.OID))
		b = binary.BigEndian.AppendUint32(b, uint32(t.Mod))
	}
	b = append(binary.AppendUvarint(b, uint64(len(schema))), schema...)
	return append(b, fragment...)
}

func decodePart(b []byte) (ts []types.T, schema, fragment []byte, err error) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > partColumnsMax || uint64(len(b)-w) < 8*n {
		return nil, nil, nil, errTicket
	}
	b = b[w:]
	ts = make([]types.T, n)
	for i := range ts {
		ts[i] = types.WithMod(types.OID(binary.BigEndian.Uint32(b)), int32(binary.BigEndian.Uint32(b[4:])))
		b = b[8:]
	}
	n, w = binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, nil, errTicket
	}
	return ts, b[w : w+int(n)], b[w+int(n):], nil
}

// pullPart redeems a ticket for a part. The ticket itself is the permission: privileges were
// checked when it was made.
func (s *Server) pullPart(call, ctx context.Context, t *ticket, done func()) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	fail := func(err error) (*arrow.Schema, <-chan flight.StreamChunk, error) {
		done()
		return nil, nil, statusOf(err)
	}
	ts, raw, fragment, err := decodePart([]byte(t.of))
	if err != nil {
		return fail(err)
	}
	schema, err := flight.DeserializeSchema(raw, s.Alloc)
	if err != nil || schema.NumFields() != len(ts) {
		return fail(errTicket)
	}
	end, err := s.usePart(t)
	if err != nil {
		return fail(err)
	}
	chunks := make(chan flight.StreamChunk, chunksAhead)
	s.done.Add(1)
	go func() {
		defer s.done.Done()
		defer close(chunks)
		defer done()
		k := &sink{env: types.DefaultEnv(), arrow: schema, types: ts, rows: func(rec arrow.Record) error {
			select {
			case chunks <- flight.StreamChunk{Data: rec}:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}}
		err := s.guard(func() error {
			return s.opts.Nodes.Pull(ctx, pgwire.Part{Node: t.node, Fragment: fragment}, k.Rows)
		})
		end(err == nil)
		if err != nil {
			if ctx.Err() != nil {
				err = pgerror.From(context.Cause(ctx))
			}
			select {
			case chunks <- flight.StreamChunk{Err: statusOf(err)}:
			case <-call.Done():
			}
		}
	}()
	return schema, chunks, nil
}

// usePart notes that a part is being pulled. end tells how it went: when all parts
// have been pulled whole here, their snapshot goes.
func (s *Server) usePart(t *ticket) (end func(whole bool), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing != nil {
		return nil, s.closing
	}
	l := s.leases[t.id]
	if l == nil { // another node's: it keeps the snapshot, or the pull fails
		return func(bool) {}, nil
	}
	l.pulling++
	return func(whole bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		l.pulling--
		if whole {
			l.pulled[t.partition] = true
		}
		if s.leases[t.id] == l && (len(l.pulled) == l.parts || time.Now().After(l.until)) && l.pulling == 0 {
			s.dropLease(t.id, l)
		}
	}, nil
}

// dropLease lets a snapshot go. REQUIRES: mu held.
func (s *Server) dropLease(id [16]byte, l *lease) {
	delete(s.leases, id)
	l.release()
}

// RenewFlightEndpoint implements flightsql.Server: another while for a part's ticket and its snapshot.
func (s *Server) RenewFlightEndpoint(ctx context.Context, req *flight.RenewFlightEndpointRequest) (*flight.FlightEndpoint, error) {
	e, err := s.renewPart(identityOf(ctx), req.GetEndpoint())
	return e, statusOf(err)
}

func (s *Server) renewPart(who *identity, e *flight.FlightEndpoint) (*flight.FlightEndpoint, error) {
	if e.GetTicket() == nil {
		return nil, errTicket
	}
	st, err := flightsql.GetStatementQueryTicket(e.Ticket)
	if err != nil {
		return nil, errTicket
	}
	t, err := s.redeem(who, st.GetStatementHandle())
	if err != nil {
		return nil, err
	}
	if t.kind != ticketPart {
		return nil, pgerror.Unsupported("renewing a ticket that has no snapshot")
	}
	s.mu.Lock()
	l := s.leases[t.id]
	if l != nil {
		t.expires = time.Now().Add(partLife)
		l.until = t.expires
	}
	s.mu.Unlock()
	if l == nil {
		return nil, pgerror.New("72000", "the snapshot of the ticket is not kept here any more")
	}
	return s.partEndpoint(t)
}

// expireLeases lets go of snapshots whose time is over. REQUIRES: mu held.
func (s *Server) expireLeases(now time.Time) {
	for id, l := range s.leases {
		if now.After(l.until) && l.pulling == 0 {
			s.dropLease(id, l)
		}
	}
}
