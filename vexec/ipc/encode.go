package ipc

import (
	"bytes"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// Version is the format's version, in the metadata of every schema. Version 2:
// timestamps count from 2000 (types.Timestamp), in version 1 from 1970 as Arrow says.
const Version = 2

const versionKey = "basalt.ipc"

// PieceBytes bounds a message, roughly.
const PieceBytes = 768 << 10

// Message is one record batch on its way. Schema is set on the first of a stream
// and whenever the columns' forms change.
type Message struct {
	Schema, Header, Body []byte
	Rows                 int64
}

// Size is the message's bytes.
func (m *Message) Size() int64 { return int64(len(m.Schema) + len(m.Header) + len(m.Body)) }

// Encoder encodes batches of one row type.
type Encoder struct {
	ts     []types.T
	schema *arrow.Schema
	w      *ipc.Writer
	sink   sink
}

// NewEncoder makes an Encoder for rows of the given types.
func NewEncoder(ts []types.T) *Encoder { return &Encoder{ts: ts} }

// sink takes the payloads of an ipc.Writer apart.
type sink struct {
	headers [][]byte
	body    []byte
}

func (*sink) Start() error { return nil }
func (*sink) Close() error { return nil }

func (s *sink) WritePayload(p ipc.Payload) error {
	m := p.Meta()
	s.headers = append(s.headers, bytes.Clone(m.Bytes()))
	m.Release()
	var buf bytes.Buffer
	if err := p.SerializeBody(&buf); err != nil {
		return err
	}
	s.body = buf.Bytes()
	return nil
}

// Encode gives the messages of a batch and appends them to out.
func (e *Encoder) Encode(out []Message, b *vexec.Batch) ([]Message, error) {
	if len(b.Cols) != len(e.ts) {
		return out, pgerror.Internal("a batch of %d columns where %d are to be sent", len(b.Cols), len(e.ts))
	}
	cols, n := b.Cols, b.N
	if b.Sel != nil {
		cols, n = kernel.TakeCols(cols, b.Sel), len(b.Sel)
	}
	for i, c := range cols {
		if c.DataType().ID() == arrow.DICTIONARY {
			flat := append([]arrow.Array{}, cols...)
			for ; i < len(flat); i++ {
				flat[i] = kernel.Flatten(flat[i])
			}
			cols = flat
			break
		}
	}
	return e.pieces(out, cols, n)
}

// pieces halves rows until they fit a message.
func (e *Encoder) pieces(out []Message, cols []arrow.Array, n int) ([]Message, error) {
	if n == 0 {
		return out, nil
	}
	size := int64(0)
	for _, c := range cols {
		size += kernel.Bytes(c)
	}
	if size <= PieceBytes || n == 1 {
		m, err := e.one(cols, n)
		return append(out, m), err
	}
	parts := min(n, int((size+PieceBytes-1)/PieceBytes))
	for p := range parts {
		lo, hi := p*n/parts, (p+1)*n/parts
		piece := make([]arrow.Array, len(cols))
		for i, c := range cols {
			piece[i] = kernel.Slice(c, lo, hi)
		}
		var err error
		if out, err = e.pieces(out, piece, hi-lo); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (e *Encoder) one(cols []arrow.Array, n int) (m Message, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = pgerror.Internal("encoding a batch: %v", r)
		}
	}()
	if e.schema == nil || !e.sameForms(cols) {
		e.schema = e.schemaOf(cols)
		e.sink.headers = nil
		e.w = ipc.NewWriterWithPayloadWriter(&e.sink, ipc.WithSchema(e.schema))
	}
	rec := array.NewRecord(e.schema, cols, int64(n))
	if err := e.w.Write(rec); err != nil {
		return m, pgerror.Internal("encoding a batch: %v", err)
	}
	h := e.sink.headers
	m.Header, m.Body, m.Rows = h[len(h)-1], e.sink.body, int64(n)
	if len(h) == 2 {
		m.Schema = h[0]
	}
	e.sink.headers, e.sink.body = nil, nil
	return m, nil
}

func (e *Encoder) sameForms(cols []arrow.Array) bool {
	for i, f := range e.schema.Fields() {
		if !arrow.TypeEqual(f.Type, cols[i].DataType()) {
			return false
		}
	}
	return true
}

func (e *Encoder) schemaOf(cols []arrow.Array) *arrow.Schema {
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		fields[i] = arrow.Field{Name: strconv.Itoa(i + 1), Type: c.DataType(), Nullable: true}
	}
	md := arrow.NewMetadata([]string{versionKey}, []string{strconv.Itoa(Version)})
	return arrow.NewSchema(fields, &md)
}
