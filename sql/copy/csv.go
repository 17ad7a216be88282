package copy

import (
	"bytes"
	"io"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// csvLine reads a record: newlines inside quotes belong to it.
func (r *Reader) csvLine() ([]byte, error) {
	inQuote, at := false, 0
	lastEscape := false
	lines := 0
	for {
		data := r.buf[r.start:r.end]
		for at < len(data) {
			if !inQuote {
				// Skip to the next byte that matters.
				k := indexCSV(data[at:], r.o.quote)
				if k < 0 {
					at = len(data)
					break
				}
				at += k
			}
			c := data[at]
			if inQuote && c == r.o.escape && r.o.escape != r.o.quote {
				lastEscape = !lastEscape
			}
			if c == r.o.quote && !lastEscape {
				inQuote = !inQuote
			}
			if c != r.o.escape || r.o.escape == r.o.quote {
				lastEscape = false
			}
			if inQuote && c == '\n' {
				lines++
			}
			if !inQuote && (c == '\n' || c == '\r') {
				if c == '\r' {
					if at+1 == len(data) && !r.eof {
						break // is a \n behind it?
					}
					if at+1 < len(data) && data[at+1] == '\n' {
						r.start += at + 2
						r.line += lines
						return data[:at], nil
					}
				}
				r.start += at + 1
				r.line += lines
				return data[:at], nil
			}
			at++
		}
		if err := r.fill(); err == io.EOF {
			data = r.buf[r.start:r.end]
			if at < len(data) {
				continue
			}
			if len(data) == 0 {
				return nil, io.EOF
			}
			r.start = r.end
			r.line += lines
			return data, nil
		} else if err != nil {
			return nil, err
		}
	}
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
func (r *Reader) splitCSV(line []byte) error {
	o := r.o
	if bytes.IndexByte(line, o.quote) < 0 {
		for n := 0; ; n++ {
			i := bytes.IndexByte(line, o.delim)
			f := line
			if i >= 0 {
				f = line[:i:i]
			}
			if bytes.Equal(f, r.nullText) && !(n < len(r.notNul) && r.notNul[n]) {
				f = nil
			} else if f == nil {
				f = []byte{}
			}
			r.fields = append(r.fields, f)
			if i < 0 {
				return nil
			}
			line = line[i+1:]
		}
	}
	whole := line
	if cap(r.scratch) < len(line) {
		r.scratch = make([]byte, 0, 2*len(line))
	}
	out := r.scratch[:0]
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
			r.scratch = out[:0]
			return r.context(pgerror.New(pgerror.BadCopyFileFormat, "unterminated CSV quoted field"), whole, true)
		}
		f := out[begin:len(out):len(out)]
		force := n < len(r.forceN) && r.forceN[n]
		notNull := n < len(r.notNul) && r.notNul[n]
		if bytes.Equal(f, r.nullText) && (!quoted && !notNull || quoted && force) {
			r.fields = append(r.fields, nil)
		} else {
			if f == nil {
				f = []byte{}
			}
			r.fields = append(r.fields, f)
		}
		if i >= len(line) {
			break
		}
		line = line[i+1:]
	}
	r.scratch = out[:0]
	return nil
}
