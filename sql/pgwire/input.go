package pgwire

import (
	"bufio"
	"encoding/binary"
	"io"
	"sync"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Bounds of what a client may send.
const (
	startupBytesMax  = 10000      // PostgreSQL's MAX_STARTUP_PACKET_LENGTH
	messageBytesMax  = 0x3fffffff // 1 GB − 1, as PostgreSQL's
	smallBytesMax    = 10000      // messages that carry a name at most
	passwordBytesMax = 65535
	inputBufferBytes = 16 << 10
	// copyBufferBytes is the same during a COPY FROM STDIN.
	copyBufferBytes = 256 << 10
	// bodyChunkBytes is how much memory a long body takes ahead of its bytes.
	bodyChunkBytes = 256 << 10
	// bodyKeepBytes is the largest body buffer that is used again, and the largest body
	// that is not accounted.
	bodyKeepBytes = 1 << 20
	// bodyCopies is how many times the length of a long message is accounted: for its
	// body, for its texts and for the values made of them.
	bodyCopies = 3
)

// input frames messages. A body is valid until the next message is read.
type input struct {
	br   *bufio.Reader
	body []byte
	// small is the usual reader while br is the large one of a COPY.
	small *bufio.Reader

	memory Memory // nil: nobody accounts
	held   int64  // reserved for body
}

// bodies are buffers of messages that did not fit into their readers.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// free gives the last body's memory back.
func (in *input) free() {
	if in.body == nil {
		return
	}
	if cap(in.body) <= bodyKeepBytes {
		b := in.body[:0]
		bodies.Put(&b)
	}
	in.body = nil
	if in.held > 0 {
		in.memory.Release(in.held)
		in.held = 0
	}
}

// reserve accounts n bytes more of a long body.
func (in *input) reserve(n, copies int64) error {
	if in.memory == nil {
		return nil
	}
	if err := in.memory.Reserve(n * copies); err != nil {
		return err
	}
	in.held += n * copies
	return nil
}

// copyReaders are the large readers of connections that copied.
var copyReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, copyBufferBytes) }}

// widen reads through a large buffer from now on; what is read already comes first.
func (in *input) widen() {
	if in.small != nil {
		return
	}
	in.small = in.br
	in.br = copyReaders.Get().(*bufio.Reader)
	in.br.Reset(in.small)
}

// narrow ends it once the large buffer is empty.
func (in *input) narrow() {
	if in.small == nil || in.br.Buffered() > 0 {
		return
	}
	in.br.Reset(nil)
	copyReaders.Put(in.br)
	in.br, in.small = in.small, nil
}

// flushingReader flushes pending output before it blocks on the network, so that
// a client never waits for an answer that sits in the buffer. A client that is waited for
// has no output buffer.
type flushingReader struct{ c *conn }

func (r flushingReader) Read(p []byte) (int, error) {
	if err := r.c.out.flush(); err != nil {
		return 0, err
	}
	r.c.out.rest()
	n, err := r.c.net.Read(p)
	r.c.out.wake()
	return n, err
}

// bound is the longest body of a message type; ok is false for unknown types.
func bound(typ byte) (n int, ok bool) {
	switch typ {
	case 'Q', 'P', 'B', 'F', 'd', 'f':
		return messageBytesMax, true
	case 'C', 'D', 'E', 'H', 'S', 'X', 'c':
		return smallBytesMax, true
	case 'p':
		return passwordBytesMax, true
	}
	return 0, false
}

// peek waits for the next message and gives its type.
func (in *input) peek() (byte, error) {
	head, err := in.br.Peek(1)
	if err != nil {
		return 0, err
	}
	return head[0], nil
}

// message reads the next message. Errors other than *pgerror.Error are the connection's
// own. One that is not FATAL took the place of a message, which has been read past.
func (in *input) message() (typ byte, body []byte, err error) {
	in.free()
	head, err := in.br.Peek(5)
	if err != nil {
		if len(head) > 0 && err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	typ = head[0]
	limit, ok := bound(typ)
	if !ok {
		return 0, nil, pgerror.New(pgerror.ProtocolViolation, "invalid frontend message type %d", typ).WithSeverity("FATAL")
	}
	n := int(binary.BigEndian.Uint32(head[1:])) - 4
	if n < 0 || n > limit {
		return 0, nil, pgerror.New(pgerror.ProtocolViolation, "invalid message length").WithSeverity("FATAL")
	}
	in.br.Discard(5)
	copies := int64(bodyCopies)
	if typ == 'd' {
		copies = 1
	}
	body, err = in.bytes(n, copies)
	return typ, body, err
}

// bytes reads n bytes: out of the buffer where they fit, else into one that
// grows with what has arrived. copies is how many times those of a long body are accounted.
func (in *input) bytes(n int, copies int64) ([]byte, error) {
	if in.br.Buffered() >= n {
		b, err := in.br.Peek(n)
		in.br.Discard(n)
		return b, err
	}
	in.body = *bodies.Get().(*[]byte)
	buf := in.body[:0]
	for len(buf) < n {
		step := min(n-len(buf), max(bodyChunkBytes, len(buf)))
		if n > bodyKeepBytes {
			if err := in.reserve(int64(step), copies); err != nil {
				in.free()
				return nil, in.skip(n-len(buf), err)
			}
		}
		if cap(buf)-len(buf) < step {
			grown := make([]byte, len(buf), len(buf)+step)
			copy(grown, buf)
			buf = grown
		}
		got, err := io.ReadFull(in.br, buf[len(buf):len(buf)+step])
		buf = buf[:len(buf)+got]
		in.body = buf
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return buf, nil
}

// skip reads past the rest of a message there is no memory for, and returns why.
func (in *input) skip(n int, why error) error {
	if _, err := io.CopyN(io.Discard, in.br, int64(n)); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return why
}

// startup reads a start-up packet: length, then code and payload.
func (in *input) startup() (code uint32, body []byte, err error) {
	head, err := in.br.Peek(4)
	if err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint32(head)) - 4
	if n < 4 || n > startupBytesMax {
		return 0, nil, pgerror.New(pgerror.ProtocolViolation, "invalid length of startup packet").WithSeverity("FATAL")
	}
	in.br.Discard(4)
	b, err := in.bytes(n, 0)
	if err != nil {
		return 0, nil, err
	}
	return binary.BigEndian.Uint32(b), b[4:], nil
}
