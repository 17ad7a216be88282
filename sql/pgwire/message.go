package pgwire

import (
	"bytes"
	"encoding/binary"

	"github.com/jackc/pgproto3/v2"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// request is the message being served, taken apart. Its slices are used again for
// the next one, params share the message's memory: all of it is valid while the
// message is served.
type request struct {
	text   string // the query string of Query and Parse
	name   string // statement or portal
	source string // Bind: the statement
	object byte   // Describe and Close: 'S' or 'P'
	limit  int    // Execute
	oids   []uint32
	// Bind
	formats, results []int16
	params           [][]byte
}

// bodyReader takes a message's body apart; it fails for good at the first
// thing that is missing.
type bodyReader struct {
	b   []byte
	bad bool
}

// cstring reads a string; it is known when it equals old, which then needs no memory.
func (r *bodyReader) cstring(old string) string {
	i := bytes.IndexByte(r.b, 0)
	if i < 0 {
		r.bad = true
		return ""
	}
	s := r.b[:i]
	r.b = r.b[i+1:]
	if string(s) == old {
		return old
	}
	return string(s)
}

func (r *bodyReader) uint16() int {
	if r.bad || len(r.b) < 2 {
		r.bad = true
		return 0
	}
	v := binary.BigEndian.Uint16(r.b)
	r.b = r.b[2:]
	return int(v)
}

func (r *bodyReader) int32() int {
	if r.bad || len(r.b) < 4 {
		r.bad = true
		return 0
	}
	v := int32(binary.BigEndian.Uint32(r.b))
	r.b = r.b[4:]
	return int(v)
}

func (r *bodyReader) codes(dst []int16) []int16 {
	dst = dst[:0]
	for n := r.uint16(); n > 0 && !r.bad; n-- {
		dst = append(dst, int16(r.uint16()))
	}
	return dst
}

// paramsKept bounds the slice of parameters kept for the next Bind.
const paramsKept = 64

// bind takes a Bind apart; false when it is malformed.
func (m *request) bind(body []byte) bool {
	r := bodyReader{b: body}
	m.name, m.source = r.cstring(m.name), r.cstring(m.source)
	m.formats = r.codes(m.formats)
	if m.params = m.params[:0]; cap(m.params) > paramsKept {
		m.params = nil
	}
	for n := r.uint16(); n > 0 && !r.bad; n-- {
		size := r.int32()
		switch {
		case size == -1:
			m.params = append(m.params, nil)
			continue
		case size < 0 || size > len(r.b):
			return false
		}
		m.params = append(m.params, r.b[:size:size])
		r.b = r.b[size:]
	}
	m.results = r.codes(m.results)
	return !r.bad
}

// decode takes a message of the extended protocol apart. Malformed ones are
// reported in pgproto3's words.
func (m *request) decode(typ byte, body []byte) error {
	switch typ {
	case 'B':
		if m.bind(body) {
			return nil
		}
		if err := decode(&pgproto3.Bind{}, body); err != nil {
			return err
		}
		return pgerror.New(pgerror.ProtocolViolation, "invalid message format")
	case 'E':
		r := bodyReader{b: body}
		m.name = r.cstring(m.name)
		m.limit = max(r.int32(), 0)
		if r.bad || len(r.b) > 0 {
			if err := decode(&pgproto3.Execute{}, body); err != nil {
				return err
			}
		}
		return nil
	case 'D', 'C':
		r := bodyReader{b: body}
		if len(body) >= 2 {
			m.object, r.b = body[0], body[1:]
			m.name = r.cstring(m.name)
		} else {
			r.bad = true
		}
		if !r.bad && len(r.b) == 0 {
			return nil
		}
		if typ == 'D' {
			return decode(&pgproto3.Describe{}, body)
		}
		return decode(&pgproto3.Close{}, body)
	default: // 'P'
		var p pgproto3.Parse
		if err := decode(&p, body); err != nil {
			return err
		}
		m.name, m.text, m.oids = p.Name, p.Query, p.ParameterOIDs
		return nil
	}
}
