package pgwire

import (
	"encoding/binary"
	"io"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
)

// The connection as Sink of its session.

func (c *conn) Describe(cols []Column, formats []int16, silent bool) error {
	c.rows.describe(cols, formats)
	if !silent {
		if err := c.out.rowDescription(c.client(), cols, formats); err != nil {
			return err
		}
	}
	return c.out.spill()
}

func (c *conn) Rows(b *vexec.Batch) error { return c.rows.rows(&c.out, c.session.Env(), b) }

// Row implements RowSink.
func (c *conn) Row(row []types.Datum) error { return c.rows.row(&c.out, c.session.Env(), row) }

func (c *conn) Complete(tag string) error { c.out.commandComplete(tag); return c.out.err }
func (c *conn) Empty() error              { c.out.bare('I'); return c.out.err }
func (c *conn) Suspended() error          { c.out.bare('s'); return c.out.err }

// copyResponse appends CopyInResponse or CopyOutResponse.
func (c *conn) copyResponse(typ byte, bin bool, columns int) {
	code := byte(0)
	if bin {
		code = 1
	}
	at := c.out.begin(typ)
	c.out.buf = append(c.out.buf, code)
	c.out.buf = binary.BigEndian.AppendUint16(c.out.buf, uint16(columns))
	for range columns {
		c.out.buf = append(c.out.buf, 0, code)
	}
	c.out.end(at)
}

func (c *conn) CopyIn(bin bool, columns int) (io.Reader, error) {
	c.copyResponse('G', bin, columns)
	if err := c.out.flush(); err != nil {
		return nil, err
	}
	c.in.widen()
	return &copyReader{c: c}, nil
}

// copyReader reads the data of CopyData messages up to CopyDone.
type copyReader struct {
	c    *conn
	rest []byte
	err  error
}

func (r *copyReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.rest, r.err = r.next()
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *copyReader) next() ([]byte, error) {
	c := r.c
	c.busyFrom.Store(0) // the read itself notices a client that leaves
	typ, body, err := c.in.message()
	if err != nil {
		c.mu.Lock()
		stop := c.terminated
		c.mu.Unlock()
		if stop != nil {
			return nil, stop
		}
		if pe, ok := err.(*pgerror.Error); ok {
			return nil, pe
		}
		return nil, fatal(pgerror.ConnectionFailure, "unexpected EOF on client connection with an open transaction")
	}
	switch typ {
	case 'd':
		return body, nil
	case 'c':
		return nil, io.EOF
	case 'f':
		if n := len(body); n > 0 && body[n-1] == 0 {
			body = body[:n-1]
		}
		return nil, pgerror.New(pgerror.QueryCanceled, "COPY from stdin failed: %s", body)
	case 'H', 'S':
		return nil, nil
	}
	return nil, fatal(pgerror.ProtocolViolation, "unexpected message type 0x%02X during COPY from stdin", typ)
}

func (c *conn) CopyOut(bin bool, columns int) (io.WriteCloser, error) {
	c.copyResponse('H', bin, columns)
	return copyWriter{c}, c.out.err
}

type copyWriter struct{ c *conn }

func (w copyWriter) Write(p []byte) (int, error) {
	at := w.c.out.begin('d')
	w.c.out.buf = append(w.c.out.buf, p...)
	w.c.out.end(at)
	if err := w.c.out.spill(); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w copyWriter) Close() error { w.c.out.bare('c'); return w.c.out.err }
