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
	// bodyKeepBytes is the largest body buffer kept for the next message.
	bodyKeepBytes = 1 << 20
)

// input frames messages. A body is valid until the next message is read.
type input struct {
	br   *bufio.Reader
	body []byte
	// small is the usual reader while br is the large one of a COPY.
	small *bufio.Reader
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
// a client never waits for an answer that sits in the buffer.
type flushingReader struct{ c *conn }

func (r flushingReader) Read(p []byte) (int, error) {
	if err := r.c.out.flush(); err != nil {
		return 0, err
	}
	return r.c.net.Read(p)
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

// message reads the next message. Errors other than *pgerror.Error are the connection's own.
func (in *input) message() (typ byte, body []byte, err error) {
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
	body, err = in.bytes(n)
	return typ, body, err
}

// bytes reads n bytes: out of the buffer where they fit, else into one that
// grows with what has arrived.
func (in *input) bytes(n int) ([]byte, error) {
	if in.br.Buffered() >= n {
		b, err := in.br.Peek(n)
		in.br.Discard(n)
		return b, err
	}
	if cap(in.body) > bodyKeepBytes && n <= bodyKeepBytes {
		in.body = nil
	}
	buf := in.body[:0]
	for len(buf) < n {
		step := min(n-len(buf), max(bodyChunkBytes, len(buf)))
		if cap(buf)-len(buf) < step {
			grown := make([]byte, len(buf), len(buf)+step)
			copy(grown, buf)
			buf = grown
		}
		got, err := io.ReadFull(in.br, buf[len(buf):len(buf)+step])
		buf = buf[:len(buf)+got]
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	in.body = buf
	return buf, nil
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
	b, err := in.bytes(n)
	if err != nil {
		return 0, nil, err
	}
	return binary.BigEndian.Uint32(b), b[4:], nil
}
