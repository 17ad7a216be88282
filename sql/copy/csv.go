package copy

import (
	"bytes"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// csvLine reads a record: newlines inside quotes belong to it. PostgreSQL counts
// them as lines by what it knows of line ends, in the first record nothing.
func (p *parser) csvLine() ([]byte, error) {
	data, o := p.c.data[p.pos:], p.o
	inside := byte('\r')
	if p.c.eol == '\n' && (!p.c.first || p.line > 0) {
		inside = '\n'
	}
	var q quoting
	for at := 0; at < len(data); at++ {
		if !q.in {
			// Skip to the next byte that matters.
			k := indexCSV(data[at:], o.quote)
			if k < 0 {
				break
			}
			at += k
		}
		c := data[at]
		if !q.step(o, c) {
			if c == inside {
				p.line++
			}
			continue
		}
		switch {
		case c == '\r' && p.c.eol == 'c' && at+1 < len(data) && data[at+1] == '\n':
			p.pos += at + 2
			return data[:at], nil
		case c == '\r' && p.c.eol != '\r':
			return nil, p.newlineError("unquoted carriage return found in data", "Use quoted CSV field to represent carriage return.")
		case c == '\n' && p.c.eol != '\n':
			return nil, p.newlineError("unquoted newline found in data", "Use quoted CSV field to represent newline.")
		case c == '\n' || c == '\r':
			p.pos += at + 1
			return data[:at], nil
		}
	}
	p.pos += len(data)
	return data, nil
}

func indexCSV(b []byte, quote byte) int {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		i = len(b)
	}
	if j := bytes.IndexByte(b[:i], quote); j >= 0 {
		i = j
	}
	if j := bytes.IndexByte(b[:i], '\r'); j >= 0 {
		i = j
	}
	if i == len(b) {
		return -1
	}
	return i
}

// splitCSV cuts a record into fields.
func (p *parser) splitCSV(line []byte) error {
	o := p.o
	if bytes.IndexByte(line, o.quote) < 0 {
		for n := 0; ; n++ {
			i := bytes.IndexByte(line, o.delim)
			f := line
			if i >= 0 {
				f = line[:i:i]
			}
			if bytes.Equal(f, p.nullText) && !(n < len(p.notNull) && p.notNull[n]) {
				f = nil
			} else if f == nil {
				f = []byte{}
			}
			p.fields = append(p.fields, f)
			if i < 0 {
				return nil
			}
			line = line[i+1:]
		}
	}
	whole := line
	if cap(p.scratch) < len(line) {
		p.scratch = make([]byte, 0, 2*len(line))
	}
	out := p.scratch[:0]
	for n := 0; ; n++ {
		begin, i := len(out), 0
		quoted, in := false, false
		for i < len(line) {
			c := line[i]
			if !in {
				if c == o.delim {
					break
				}
				if c == o.quote {
					quoted, in = true, true
					i++
					continue
				}
				out = append(out, c)
				i++
				continue
			}
			if c == o.escape && i+1 < len(line) && (line[i+1] == o.escape || line[i+1] == o.quote) {
				out = append(out, line[i+1])
				i += 2
				continue
			}
			i++
			if c == o.quote {
				in = false
				continue
			}
			out = append(out, c)
		}
		if in {
			p.scratch = out[:0]
			return p.context(pgerror.New(pgerror.BadCopyFileFormat, "unterminated CSV quoted field"), whole, true)
		}
		f := out[begin:len(out):len(out)]
		force := n < len(p.forceNull) && p.forceNull[n]
		notNull := n < len(p.notNull) && p.notNull[n]
		if bytes.Equal(f, p.nullText) && (!quoted && !notNull || quoted && force) {
			p.fields = append(p.fields, nil)
		} else {
			if f == nil {
				f = []byte{}
			}
			p.fields = append(p.fields, f)
		}
		if i >= len(line) {
			break
		}
		line = line[i+1:]
	}
	p.scratch = out[:0]
	return nil
}
