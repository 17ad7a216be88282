package flight

import (
	"context"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/flight"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
)

// sink takes what a statement produces. Without schema and rows functions it
// only keeps the tag.
type sink struct {
	session pgwire.Session
	env     *types.Env // without a session
	schema  func(*arrow.Schema) error
	rows    func(arrow.Record) error
	tag     string

	arrow *arrow.Schema
	types []types.T
}

func (k *sink) Describe(cols []pgwire.Column, _ []int16, _ bool) error {
	if k.schema == nil {
		return nil
	}
	next := schemaOf(k.session.Env().Resolver, cols)
	if k.arrow != nil { // a further execution with other parameters
		if !next.Equal(k.arrow) {
			return pgerror.New(pgerror.FeatureNotSupported, "cached plan must not change result type")
		}
		return nil
	}
	k.arrow, k.types = next, make([]types.T, len(cols))
	for i, c := range cols {
		k.types[i] = c.Type
	}
	return k.schema(next)
}

func (k *sink) Rows(b *vexec.Batch) error {
	if k.rows == nil || b.Rows() == 0 {
		return nil
	}
	env := k.env
	if k.session != nil {
		env = k.session.Env()
	}
	mem := newArena()
	defer mem.free()
	rec, err := record(mem, env, k.arrow, k.types, b)
	if err != nil {
		return err
	}
	return split(rec, func(r arrow.Record) error {
		mem.refs.Add(1)
		return k.rows(&rental{r, mem})
	})
}

// CodedRows implements pgwire.CodedSink: what is sent is taken out of its dictionary on the way.
func (k *sink) CodedRows() {}

func (k *sink) Complete(tag string) error { k.tag = tag; return nil }
func (k *sink) Empty() error              { return nil }
func (k *sink) Suspended() error          { return pgerror.Internal("a result was suspended without a limit") }

func (k *sink) CopyIn(bool, int) (io.Reader, error) {
	return nil, pgerror.Unsupported("COPY FROM STDIN over Flight SQL")
}

func (k *sink) CopyOut(bool, int) (io.WriteCloser, error) {
	return nil, pgerror.Unsupported("COPY TO STDOUT over Flight SQL")
}

// chunksAhead is how many batches of a result wait for the client.
const chunksAhead = 1

// streamResult runs a statement in c and gives its schema, once it is known, and its
// batches. done is called when everything has ended. The statement runs under ctx;
// call is the DoGet's own context, which ends with the call, whatever ends that.
func (s *Server) streamResult(call, ctx context.Context, c *conn, done func(), run func(ctx context.Context, out pgwire.Sink) error) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	type head struct {
		schema *arrow.Schema
		err    error
	}
	started := make(chan head, 1)
	chunks := make(chan flight.StreamChunk, chunksAhead)
	s.done.Add(1)
	go func() {
		defer s.done.Done()
		defer close(chunks)
		defer done()
		k := &sink{session: c.session}
		err := c.call(ctx, func(ctx context.Context) error {
			k.schema = func(sc *arrow.Schema) error { started <- head{schema: sc}; return nil }
			k.rows = func(rec arrow.Record) error {
				select {
				case chunks <- flight.StreamChunk{Data: rec}:
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			return run(ctx, k)
		})
		switch {
		case k.arrow == nil && err != nil:
			started <- head{err: err}
		case k.arrow == nil:
			started <- head{schema: arrow.NewSchema(nil, nil)}
		case err != nil:
			select {
			case chunks <- flight.StreamChunk{Err: statusOf(err)}:
			case <-call.Done():
			}
		}
	}()
	h := <-started
	if h.err != nil {
		return nil, nil, statusOf(h.err)
	}
	return h.schema, chunks, nil
}
