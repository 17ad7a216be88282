package pgwire

import (
	"encoding/binary"
	"net"
	"sync"

	"github.com/jackc/pgproto3/v2"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// outputBytesMax is how much is buffered before it is written to the client; the
// write blocks when the client does not read: that is the back pressure.
const (
	outputBytesMax = 32 << 10
	// outputKeepBytes is the largest buffer that is used again.
	outputKeepBytes  = 16 * outputBytesMax
	outputStartBytes = 4 << 10
)

// output collects messages for one client. After a write error everything is dropped.
type output struct {
	net net.Conn
	buf []byte
	err error
	// open is where the message that is being written began, plus one; 0: none is.
	open int
}

func (o *output) flush() error {
	if len(o.buf) == 0 || o.err != nil {
		o.buf = o.buf[:0]
		return o.err
	}
	_, o.err = o.net.Write(o.buf)
	if cap(o.buf) > outputKeepBytes {
		o.buf = nil
	}
	o.buf = o.buf[:0]
	return o.err
}

// outputs are buffers of connections at work.
var outputs = sync.Pool{New: func() any { b := make([]byte, 0, outputStartBytes); return &b }}

// rest gives the empty buffer to whoever needs one, wake takes one.
func (o *output) rest() {
	if cap(o.buf) > 0 && len(o.buf) == 0 {
		b := o.buf
		o.buf = nil
		outputs.Put(&b)
	}
}

func (o *output) wake() {
	if o.buf == nil {
		o.buf = *outputs.Get().(*[]byte)
	}
}

// spill flushes when enough has been collected.
func (o *output) spill() error {
	if len(o.buf) >= outputBytesMax {
		return o.flush()
	}
	return o.err
}

func (o *output) message(m pgproto3.BackendMessage) error {
	buf, err := m.Encode(o.buf)
	if err != nil {
		return pgerror.Internal("encoding a message: %s", err)
	}
	o.buf = buf
	return o.spill()
}

// begin and end frame a message whose body is appended to buf in between.
func (o *output) begin(typ byte) (at int) {
	at = len(o.buf)
	o.buf, o.open = append(o.buf, typ, 0, 0, 0, 0), at+1
	return at
}

// abandon takes back a message whose writing a panic ended.
func (o *output) abandon() {
	if o.open > 0 {
		o.buf, o.open = o.buf[:o.open-1], 0
	}
}

func (o *output) end(at int) {
	binary.BigEndian.PutUint32(o.buf[at+1:], uint32(len(o.buf)-at-1))
	o.open = 0
}

func (o *output) readyForQuery(status byte) {
	o.buf = append(o.buf, 'Z', 0, 0, 0, 5, status)
}

// notification is what NOTIFY has sent.
func (o *output) notification(n Notification, client types.Transcoder) {
	at := o.begin('A')
	o.buf = binary.BigEndian.AppendUint32(o.buf, uint32(n.PID))
	for _, s := range []string{n.Channel, n.Payload} {
		b := []byte(s)
		if client != nil {
			if t, err := client.FromUTF8(b); err == nil {
				b = t
			}
		}
		o.buf = append(append(o.buf, b...), 0)
	}
	o.end(at)
	_ = o.spill() // kept in err
}

// commandComplete, and the messages without a body.
func (o *output) commandComplete(tag string) {
	at := o.begin('C')
	o.buf = append(append(o.buf, tag...), 0)
	o.end(at)
}

func (o *output) bare(typ byte) { o.buf = append(o.buf, typ, 0, 0, 0, 4) }

func (o *output) parameterStatus(name, value string) {
	at := o.begin('S')
	o.buf = append(append(o.buf, name...), 0)
	o.buf = append(append(o.buf, value...), 0)
	o.end(at)
}

// report appends an ErrorResponse or NoticeResponse.
func (o *output) report(typ byte, e *pgerror.Error, client types.Transcoder) {
	e = translated(e, client)
	severity := e.Severity
	if severity == "" {
		severity = "ERROR"
		if typ == 'N' {
			severity = "NOTICE"
		}
	}
	m := pgproto3.ErrorResponse{
		Severity: severity, SeverityUnlocalized: severity, Code: string(e.Code), Message: e.Message,
		Detail: e.Detail, Hint: e.Hint, Position: int32(e.Position),
		InternalPosition: int32(e.InternalPosition), InternalQuery: e.InternalQuery, Where: e.Where,
		SchemaName: e.Schema, TableName: e.Table, ColumnName: e.Column, DataTypeName: e.DataType,
		ConstraintName: e.Constraint,
	}
	at := len(o.buf)
	o.buf, _ = m.Encode(o.buf)
	o.buf[at] = typ
}

func (o *output) rowDescription(client types.Transcoder, cols []Column, formats []int16) error {
	at := o.begin('T')
	o.buf = binary.BigEndian.AppendUint16(o.buf, uint16(len(cols)))
	for i := range cols {
		c := &cols[i]
		if client != nil {
			name, err := client.FromUTF8([]byte(c.Name))
			if err != nil {
				o.abandon()
				return err
			}
			o.buf = append(append(o.buf, name...), 0)
		} else {
			o.buf = append(append(o.buf, c.Name...), 0)
		}
		o.buf = binary.BigEndian.AppendUint32(o.buf, uint32(c.Table))
		o.buf = binary.BigEndian.AppendUint16(o.buf, uint16(c.Att))
		o.buf = binary.BigEndian.AppendUint32(o.buf, uint32(c.Type.OID))
		o.buf = binary.BigEndian.AppendUint16(o.buf, uint16(c.Len))
		o.buf = binary.BigEndian.AppendUint32(o.buf, uint32(c.Type.Mod))
		o.buf = binary.BigEndian.AppendUint16(o.buf, uint16(format(formats, i)))
	}
	o.end(at)
	return nil
}

// translated is e in the client's encoding; where that lacks a character, the
// error of the translation takes e's place, with e's severity.
func translated(e *pgerror.Error, client types.Transcoder) *pgerror.Error {
	if client == nil {
		return e
	}
	c := *e
	for _, f := range []*string{&c.Message, &c.Detail, &c.Hint, &c.InternalQuery, &c.Where, &c.Schema, &c.Table, &c.Column, &c.DataType, &c.Constraint} {
		b, err := client.FromUTF8([]byte(*f))
		if err != nil {
			return pgerror.From(err).WithSeverity(e.Severity)
		}
		*f = string(b)
	}
	return &c
}

// format is the format code of column i.
func format(formats []int16, i int) int16 {
	switch len(formats) {
	case 0:
		return 0
	case 1:
		return formats[0]
	}
	if i < len(formats) {
		return formats[i]
	}
	return 0
}
