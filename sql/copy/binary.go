package copy

import (
	"encoding/binary"
	"io"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/vexec"
)

// The binary format: an eleven-byte signature, 32 bits of flags, an extension
// area with its length; then per row a 16-bit field count and per field a 32-bit
// length (−1: NULL) and its bytes; −1 in place of a count ends the data.

var signature = []byte("PGCOPY\n\377\r\n\000")

func badFormat(text string) error { return pgerror.New(pgerror.BadCopyFileFormat, "%s", text) }

// binaryReader reads binary input, on the caller's goroutine.
type binaryReader struct {
	r     *Reader
	cols  []column
	begun bool
	field int
	line  int // rows read of the chunk
}

// chunk reads one batch.
func (b *binaryReader) chunk() (*chunk, error) {
	c, p := &chunk{}, &piece{}
	size, rows := 0, 0
	var err error
	for b.line = 0; rows < BatchRows && size < batchBytesMax; {
		b.field = -1
		var n int
		if n, err = b.row(); err != nil {
			break
		}
		rows, size = rows+1, size+n
		p.lines = append(p.lines, int32(b.line))
		p.from, p.to = append(p.from, 0), append(p.to, int32(n))
	}
	c.lineCount = b.line
	arrays := make([]arrow.Array, len(b.cols))
	for i, col := range b.cols {
		arrays[i] = col.finish()
		if arrays[i].Len() > rows {
			arrays[i] = array.NewSlice(arrays[i], 0, int64(rows))
		}
	}
	if rows > 0 {
		p.b = &vexec.Batch{N: rows, Cols: arrays}
		c.pieces = append(c.pieces, p)
	}
	switch bad, isBad := err.(*badRow); {
	case err == nil:
	case err == io.EOF && rows == 0:
		return nil, nil
	case err == io.EOF:
		// Met again by the next call.
	case isBad:
		c.bad = bad
	default:
		c.bad = &badRow{err: err, line: -1}
	}
	return c, nil
}

// context adds COPY's context to an error of the current row.
func (b *binaryReader) context(err error) error {
	bad := &badRow{err: err, line: b.line}
	if b.field >= 0 {
		bad.tail = ", column " + b.r.t.Names[b.field]
	}
	return bad
}

// need makes n unread bytes available; ok is false at the end of input.
func (b *binaryReader) need(n int) (ok bool, err error) {
	r := b.r
	for r.end-r.start < n {
		if err := r.fill(); err == io.EOF {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
	return true, nil
}

func (b *binaryReader) take(n int) []byte {
	r := b.r
	f := r.buf[r.start : r.start+n]
	r.start += n
	return f
}

func (b *binaryReader) header() error {
	ok, err := b.need(len(signature) + 8)
	if err != nil {
		return err
	}
	if !ok || string(b.r.buf[b.r.start:b.r.start+len(signature)]) != string(signature) {
		return badFormat("COPY file signature not recognized")
	}
	b.take(len(signature))
	flags := binary.BigEndian.Uint32(b.take(4))
	if flags&(1<<16) != 0 {
		return badFormat("invalid COPY file header (WITH OIDS)")
	}
	if flags>>16 != 0 {
		return badFormat("unrecognized critical flags in COPY file header")
	}
	n := int(int32(binary.BigEndian.Uint32(b.take(4))))
	if n < 0 {
		return badFormat("invalid COPY file header (missing length)")
	}
	if ok, err = b.need(n); err != nil {
		return err
	} else if !ok {
		return badFormat("invalid COPY file header (wrong length)")
	}
	b.take(n)
	return nil
}

func (b *binaryReader) row() (int, error) {
	if !b.begun {
		b.begun = true
		if err := b.header(); err != nil {
			return 0, err
		}
	}
	b.line++
	ok, err := b.need(2)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, io.EOF // an old-style end without a trailer
	}
	n := int(int16(binary.BigEndian.Uint16(b.take(2))))
	if n == -1 {
		if more, err := b.need(1); err != nil {
			return 0, err
		} else if more {
			return 0, b.context(badFormat("received copy data after EOF marker"))
		}
		return 0, io.EOF
	}
	if n != len(b.cols) {
		return 0, b.context(pgerror.New(pgerror.BadCopyFileFormat, "row field count is %d, expected %d", n, len(b.cols)))
	}
	size := 0
	for i, c := range b.cols {
		b.field = i
		if ok, err := b.need(4); err != nil {
			return 0, err
		} else if !ok {
			return 0, b.context(badFormat("unexpected EOF in COPY data"))
		}
		l := int(int32(binary.BigEndian.Uint32(b.take(4))))
		if l == -1 {
			c.null()
			continue
		}
		if l < 0 {
			return 0, b.context(badFormat("invalid field size"))
		}
		if ok, err := b.need(l); err != nil {
			return 0, err
		} else if !ok {
			return 0, b.context(badFormat("unexpected EOF in COPY data"))
		}
		if err := c.binary(b.take(l)); err != nil {
			return 0, b.context(err)
		}
		size += l
	}
	return size, nil
}
