package copy

import (
	"encoding/binary"
	"io"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// The binary format: an eleven-byte signature, 32 bits of flags, an extension
// area with its length; then per row a 16-bit field count and per field a 32-bit
// length (−1: NULL) and its bytes; −1 in place of a count ends the data.

var signature = []byte("PGCOPY\n\377\r\n\000")

func badFormat(text string) error { return pgerror.New(pgerror.BadCopyFileFormat, "%s", text) }

// need makes n unread bytes available; ok is false at the end of input.
func (r *Reader) need(n int) (ok bool, err error) {
	for r.end-r.start < n {
		if err := r.fill(); err == io.EOF {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
	return true, nil
}

func (r *Reader) take(n int) []byte {
	b := r.buf[r.start : r.start+n]
	r.start += n
	return b
}

func (r *Reader) binaryHeader() error {
	ok, err := r.need(len(signature) + 8)
	if err != nil {
		return err
	}
	if !ok || string(r.buf[r.start:r.start+len(signature)]) != string(signature) {
		return badFormat("COPY file signature not recognized")
	}
	r.take(len(signature))
	flags := binary.BigEndian.Uint32(r.take(4))
	if flags&(1<<16) != 0 {
		return badFormat("invalid COPY file header (WITH OIDS)")
	}
	if flags>>16 != 0 {
		return badFormat("unrecognized critical flags in COPY file header")
	}
	n := int(int32(binary.BigEndian.Uint32(r.take(4))))
	if n < 0 {
		return badFormat("invalid COPY file header (missing length)")
	}
	if ok, err = r.need(n); err != nil {
		return err
	} else if !ok {
		return badFormat("invalid COPY file header (wrong length)")
	}
	r.take(n)
	return nil
}

func (r *Reader) binaryRow() (int, error) {
	if !r.begun {
		r.begun = true
		if err := r.binaryHeader(); err != nil {
			return 0, err
		}
	}
	r.line++
	ok, err := r.need(2)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, io.EOF // an old-style end without a trailer
	}
	n := int(int16(binary.BigEndian.Uint16(r.take(2))))
	if n == -1 {
		if more, err := r.need(1); err != nil {
			return 0, err
		} else if more {
			return 0, r.context(badFormat("received copy data after EOF marker"), nil, false)
		}
		return 0, io.EOF
	}
	if n != len(r.cols) {
		return 0, r.context(pgerror.New(pgerror.BadCopyFileFormat, "row field count is %d, expected %d", n, len(r.cols)), nil, false)
	}
	size := 0
	for i, c := range r.cols {
		r.field = i
		if ok, err := r.need(4); err != nil {
			return 0, err
		} else if !ok {
			return 0, r.context(badFormat("unexpected EOF in COPY data"), nil, false)
		}
		l := int(int32(binary.BigEndian.Uint32(r.take(4))))
		if l == -1 {
			c.null()
			continue
		}
		if l < 0 {
			return 0, r.context(badFormat("invalid field size"), nil, false)
		}
		if ok, err := r.need(l); err != nil {
			return 0, err
		} else if !ok {
			return 0, r.context(badFormat("unexpected EOF in COPY data"), nil, false)
		}
		if err := c.binary(r.take(l)); err != nil {
			return 0, r.context(err, nil, false)
		}
		size += l
	}
	return size, nil
}
