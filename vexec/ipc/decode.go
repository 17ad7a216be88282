package ipc

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// Numbers of Arrow's flatbuffers schemas (Message.fbs, Schema.fbs).
const (
	headerSchema = 1
	headerBatch  = 3

	messageHeaderType = 1
	messageHeader     = 2
	schemaEndianness  = 0
	schemaFields      = 1
	schemaMetadata    = 2
	fieldDictionary   = 4
	fieldMetadata     = 6
	batchLength       = 0
	batchNodes        = 1
	batchBuffers      = 2
	batchCompression  = 3
	structBytes       = 16 // FieldNode and Buffer: two int64

	// rowsMax bounds a batch without columns to speak of.
	rowsMax = 1 << 24
	// dec64ScaleMax is the largest scale a Dec64 vector may have.
	dec64ScaleMax = 1000
)

// Decoder decodes the messages of one Encoder.
type Decoder struct {
	ts    []types.T
	forms []int32 // per column: −1 for types.ArrowType, else Dec64's scale; nil before the first schema
}

// NewDecoder makes a Decoder that accepts rows of the given types.
func NewDecoder(ts []types.T) *Decoder { return &Decoder{ts: ts} }

func malformed(what string, args ...any) error {
	return pgerror.New(pgerror.ProtocolViolation, "malformed record batch: "+what, args...)
}

// Decode gives the batch of a message. It shares the message's memory.
func (d *Decoder) Decode(m Message) (*vexec.Batch, error) {
	if len(m.Schema) > 0 {
		if err := d.schema(m.Schema); err != nil {
			return nil, err
		}
	}
	if d.forms == nil {
		return nil, malformed("no schema")
	}
	t, err := header(m.Header, headerBatch)
	if err != nil {
		return nil, err
	}
	n, ok := t.int64At(batchLength)
	if !ok || n < 0 || n > rowsMax || n != m.Rows {
		return nil, malformed("%d rows", n)
	}
	if _, there, ok := t.sub(batchCompression); !ok || there {
		return nil, malformed("compressed")
	}
	nodes, nodeN, ok1 := t.vector(batchNodes, structBytes)
	bufs, bufN, ok2 := t.vector(batchBuffers, structBytes)
	if !ok1 || !ok2 || nodeN != len(d.ts) {
		return nil, malformed("%d columns instead of %d", nodeN, len(d.ts))
	}
	r := columns{header: t.buf, body: m.Body, bufs: bufs, bufN: bufN, rows: int(n)}
	b := &vexec.Batch{N: int(n), Cols: make([]arrow.Array, len(d.ts))}
	for i, ct := range d.ts {
		at := nodes + structBytes*i
		length, nulls := i64(t.buf, at), i64(t.buf, at+8)
		if length != n || nulls < 0 || nulls > n {
			return nil, malformed("column %d has %d rows and %d nulls", i+1, length, nulls)
		}
		dt := types.ArrowType(ct)
		if d.forms[i] >= 0 {
			dt = types.NewDec64Type(d.forms[i])
		}
		if b.Cols[i], err = r.column(dt, int(nulls)); err != nil {
			return nil, err
		}
	}
	if r.next != bufN {
		return nil, malformed("%d buffers instead of %d", bufN, r.next)
	}
	return b, nil
}

func i64(b []byte, at int) int64 { return int64(binary.LittleEndian.Uint64(b[at:])) }

// header is the table of a message of the given kind.
func header(buf []byte, kind byte) (table, error) {
	root, ok := rootTable(buf)
	if !ok {
		return table{}, malformed("header of %d bytes", len(buf))
	}
	k, ok := root.byteAt(messageHeaderType)
	if !ok || k != kind {
		return table{}, malformed("message of kind %d", k)
	}
	t, there, ok := root.sub(messageHeader)
	if !ok || !there {
		return table{}, malformed("no header")
	}
	return t, nil
}

func (d *Decoder) schema(buf []byte) error {
	t, err := header(buf, headerSchema)
	if err != nil {
		return err
	}
	if e, ok := t.byteAt(schemaEndianness); !ok || e != 0 {
		return malformed("byte order %d", e)
	}
	v, found, ok := t.metadata(schemaMetadata, versionKey)
	if !ok || !found || v != strconv.Itoa(Version) {
		return malformed("version %q", v)
	}
	start, n, ok := t.vector(schemaFields, 4)
	if !ok || n != len(d.ts) {
		return malformed("%d columns instead of %d", n, len(d.ts))
	}
	forms := make([]int32, n)
	for i := range forms {
		f, ok := t.element(start, i)
		if !ok {
			return malformed("schema")
		}
		if _, there, ok := f.sub(fieldDictionary); !ok || there {
			return malformed("dictionary")
		}
		forms[i] = -1
		name, found, ok := f.metadata(fieldMetadata, "ARROW:extension:name")
		if !ok {
			return malformed("schema")
		}
		if !found {
			continue
		}
		meta, _, ok := f.metadata(fieldMetadata, "ARROW:extension:metadata")
		scale, err := strconv.Atoi(meta)
		if !ok || err != nil || name != (*types.Dec64Type)(nil).ExtensionName() || d.ts[i].OID != types.NumericOID || d.ts[i].Class != types.ClassBase ||
			scale < 0 || scale > dec64ScaleMax {
			return malformed("column %d of type %q", i+1, name)
		}
		forms[i] = int32(scale)
	}
	d.forms = forms
	return nil
}

// columns takes the columns of one batch from its body.
type columns struct {
	header, body []byte
	bufs, bufN   int // the vector of buffers and its length
	next         int
	rows         int
}

// buffer is the next one, of at least need bytes and aligned to align.
func (c *columns) buffer(need, align int) ([]byte, error) {
	if c.next >= c.bufN {
		return nil, malformed("%d buffers", c.bufN)
	}
	at := c.bufs + structBytes*c.next
	c.next++
	off, size := i64(c.header, at), i64(c.header, at+8)
	if off < 0 || size < 0 || off > int64(len(c.body)) || size > int64(len(c.body))-off || size < int64(need) {
		return nil, malformed("buffer of %d bytes at %d", size, off)
	}
	out := c.body[off : off+size : off+size]
	if len(out) > 0 && align > 1 && uintptr(unsafe.Pointer(unsafe.SliceData(out)))%uintptr(align) != 0 {
		moved := make([]byte, len(out))
		copy(moved, out)
		out = moved
	}
	return out, nil
}

func (c *columns) column(dt arrow.DataType, nulls int) (arrow.Array, error) {
	n := c.rows
	need := 0
	if nulls > 0 {
		need = kernel.BitmapLen(n)
	}
	valid, err := c.buffer(need, 1)
	if err != nil {
		return nil, err
	}
	if nulls > 0 {
		if zeros(valid, n) != nulls {
			return nil, malformed("%d nulls instead of %d", zeros(valid, n), nulls)
		}
	} else {
		valid = nil
	}
	switch w := kernel.Width(dt); {
	case w > 0:
		vals, err := c.buffer(n*w, 8)
		if err != nil {
			return nil, err
		}
		if d, ok := dt.(*types.Dec64Type); ok {
			return types.NewDec64Array(d.Scale, unsafe.Slice((*int64)(unsafe.Pointer(unsafe.SliceData(vals))), n), valid, nulls), nil
		}
		return types.NewFixed(dt, vals[:n*w], n, valid, nulls), nil
	case dt.ID() == arrow.BOOL:
		vals, err := c.buffer(kernel.BitmapLen(n), 1)
		if err != nil {
			return nil, err
		}
		return kernel.MakeBool(vals, n, valid, nulls), nil
	}
	if n == 0 { // offsets may be left out
		for range 2 {
			if _, err := c.buffer(0, 1); err != nil {
				return nil, err
			}
		}
		return types.NewVarlen(dt, []int32{0}, nil, nil, 0), nil
	}
	ob, err := c.buffer(4*(n+1), 4)
	if err != nil {
		return nil, err
	}
	data, err := c.buffer(0, 1)
	if err != nil {
		return nil, err
	}
	off := unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(ob))), n+1)
	last := int32(0)
	for _, o := range off {
		if o < last || int(o) > len(data) {
			return nil, malformed("offset %d after %d in %d bytes", o, last, len(data))
		}
		last = o
	}
	return types.NewVarlen(dt, off, data, valid, nulls), nil
}

// zeros counts the zero bits among the first n.
func zeros(b []byte, n int) int {
	ones := 0
	for _, x := range b[:n/8] {
		ones += bits.OnesCount8(x)
	}
	if r := n % 8; r > 0 {
		ones += bits.OnesCount8(b[n/8] & (1<<r - 1))
	}
	return n - ones
}
