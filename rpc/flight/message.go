package flight

import (
	"bytes"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/flight/flightsql"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// Results leave without being put together in memory: a message's body is a list of the
// columns' buffers, which gRPC copies to its connection from where they lie. On the wire it
// is the FlightData that the Flight library would have sent.

// service is the Flight service. Results of statements are sent here, the rest is the library's.
type service struct {
	flight.FlightServer
	server *Server
}

// DoGet implements flight.FlightServer.
func (v service) DoGet(t *flight.Ticket, out flight.FlightService_DoGetServer) error {
	cmd, err := flightsql.GetStatementQueryTicket(t)
	if err != nil { // another command: the library knows it, or says what is wrong
		return v.FlightServer.DoGet(t, out)
	}
	schema, chunks, err := v.server.DoGetStatement(out.Context(), cmd)
	if err != nil {
		return err
	}
	w := &messageWriter{out: out}
	records := ipc.NewWriterWithPayloadWriter(w, ipc.WithSchema(schema))
	defer records.Close()
	for c := range chunks {
		if c.Err != nil {
			return c.Err
		}
		w.arena = nil
		if r, ok := c.Data.(*rental); ok {
			w.arena = r.arena
		}
		if err := records.Write(c.Data); err != nil {
			return err
		}
	}
	return nil
}

// messageWriter sends the payloads of an ipc.Writer.
type messageWriter struct {
	out   grpc.ServerStream
	arena *arena // of the record being written; its reference goes along with the message
}

func (*messageWriter) Start() error { return nil }
func (*messageWriter) Close() error { return nil }

// WritePayload implements ipc.PayloadWriter.
func (w *messageWriter) WritePayload(p ipc.Payload) error {
	meta := p.Meta()
	m := &message{header: bytes.Clone(meta.Bytes())}
	meta.Release()
	if err := p.SerializeBody(m); err != nil {
		return err
	}
	if len(m.body) > 0 { // the schema's message comes before the first record's
		m.arena, w.arena = w.arena, nil
	}
	return w.out.SendMsg(m)
}

// message is a FlightData on its way.
type message struct {
	header []byte
	body   [][]byte
	size   int
	arena  *arena
}

// Write takes a piece of the body. NB: it keeps b, which is a vector's buffer and does not change.
func (m *message) Write(b []byte) (int, error) {
	m.body = append(m.body, b)
	m.size += len(b)
	return len(b), nil
}

// Field numbers of FlightData.
const (
	flightDataHeader = 2
	flightDataBody   = 1000
)

// buffers gives the message's wire form, and its arena to gRPC.
func (m *message) buffers() mem.BufferSlice {
	head := make([]byte, 0, len(m.header)+32)
	head = protowire.AppendTag(head, flightDataHeader, protowire.BytesType)
	head = protowire.AppendBytes(head, m.header)
	if m.size == 0 {
		return mem.BufferSlice{mem.SliceBuffer(head)}
	}
	head = protowire.AppendTag(head, flightDataBody, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(m.size))
	out := make(mem.BufferSlice, 1, 1+len(m.body))
	out[0] = mem.SliceBuffer(head)
	var root mem.Buffer
	for _, b := range m.body {
		at, ok := m.arena.offset(b)
		if !ok {
			out = append(out, mem.SliceBuffer(b))
			continue
		}
		if root == nil {
			root = mem.NewBuffer(&m.arena.buf, m.arena)
		}
		out = append(out, root.Slice(at, at+len(b)))
	}
	switch {
	case root != nil:
		root.Free() // its parts keep it
	case m.arena != nil:
		m.arena.free()
	}
	return out
}

// codec is gRPC's codec for protobuf, which knows messages too.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(proto.Name)} }

func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if m, ok := v.(*message); ok {
		return m.buffers(), nil
	}
	return c.CodecV2.Marshal(v)
}

var _ arrow.Record = (*rental)(nil)
