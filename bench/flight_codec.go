package bench

import (
	"io"

	"github.com/apache/arrow/go/v17/arrow/flight"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// What makes a client of Arrow's Go library pull about as cheaply as those in C++ and Rust
// do. By itself the library takes fresh, cleared memory for every message three times: to
// gather it in one piece, to take its body out of that, and for the vectors.

// flightCodec is gRPC's codec for protobuf, but for the messages of one Flight stream: their
// bodies go straight from the connection's buffers to memory that is used for every message.
// REQUIRES: the reader of the stream copies vectors out of a body before it asks for the
// next one, as ipc.Reader of v17 does.
type flightCodec struct {
	encoding.CodecV2
	body []byte
}

func newFlightCodec() *flightCodec { return &flightCodec{CodecV2: encoding.GetCodecV2(proto.Name)} }

// recycler is an Arrow allocator that gives out memory that was freed, as it was left. It is
// for one goroutine.
type recycler struct{ free map[int][][]byte }

func newRecycler() *recycler { return &recycler{free: map[int][][]byte{}} }

// recycledMax bounds the free buffers of one size.
const recycledMax = 64

func (r *recycler) Allocate(n int) []byte {
	c := 64
	for c < n {
		c *= 2
	}
	if f := r.free[c]; len(f) > 0 {
		r.free[c] = f[:len(f)-1]
		return f[len(f)-1][:n]
	}
	return make([]byte, n, c)
}

func (r *recycler) Free(b []byte) {
	if c := cap(b); c >= 64 && c&(c-1) == 0 && len(r.free[c]) < recycledMax {
		r.free[c] = append(r.free[c], b)
	}
}

func (r *recycler) Reallocate(n int, b []byte) []byte {
	if n <= cap(b) {
		return b[:n]
	}
	out := r.Allocate(n)
	copy(out, b)
	r.Free(b)
	return out
}

// Unmarshal implements encoding.CodecV2.
func (c *flightCodec) Unmarshal(data mem.BufferSlice, v any) error {
	fd, ok := v.(*flight.FlightData)
	if !ok || fd == nil {
		return c.CodecV2.Unmarshal(data, v)
	}
	r := data.Reader()
	defer r.Close()
	for r.Remaining() > 0 {
		tag, err := readVarint(r)
		if err != nil {
			return err
		}
		var to *[]byte
		switch num, typ := protowire.DecodeTag(tag); {
		case typ != protowire.BytesType:
			return c.CodecV2.Unmarshal(data, v)
		case num == 2:
			to = &fd.DataHeader
		case num == 3:
			to = &fd.AppMetadata
		case num == 1000:
			to = &fd.DataBody
		default: // a descriptor, or what is not known
			return c.CodecV2.Unmarshal(data, v)
		}
		n, err := readVarint(r)
		if err != nil {
			return err
		}
		if n > uint64(r.Remaining()) {
			return io.ErrUnexpectedEOF
		}
		var b []byte
		if to == &fd.DataBody {
			if uint64(cap(c.body)) < n {
				c.body = make([]byte, n+n/4)
			}
			b = c.body[:n]
		} else {
			b = make([]byte, n)
		}
		if _, err := io.ReadFull(r, b); err != nil {
			return err
		}
		*to = b
	}
	return nil
}

func readVarint(r io.ByteReader) (v uint64, err error) {
	for shift := 0; shift < 64; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			return 0, io.ErrUnexpectedEOF
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, nil
		}
	}
	return 0, io.ErrUnexpectedEOF
}
