package copy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
)

// Target is what rows are read into.
type Target struct {
	// Table names the relation in error contexts.
	Table string
	// Names and Types of the columns in the order of the input's fields.
	Names []string
	Types []types.T
}

// BatchRows is the number of rows of a batch; batchBytesMax ends one earlier when rows are long.
const (
	BatchRows     = 4096
	batchBytesMax = 8 << 20
	readBytes     = 64 << 10
	// rowBytesMax bounds one row, as PostgreSQL's 1 GB limit for a string buffer.
	rowBytesMax = 0x3fffffff
)

// Reader reads COPY FROM input as batches.
type Reader struct {
	o      *Options
	t      Target
	in     io.Reader
	cols   []column
	env    *types.Env
	notNul []bool // FORCE_NOT_NULL per column
	forceN []bool // FORCE_NULL per column

	buf        []byte
	start, end int // unread input is buf[start:end]
	eof        bool
	line       int // lines read so far
	finished   bool
	begun      bool
	eol        byte // text: 0 unknown, '\n', '\r', or 'c' for \r\n
	fields     [][]byte
	quoted     []bool
	scratch    []byte
	nullText   []byte

	// The current field, for error contexts.
	field int
	lines []lineOf // of the last batch's rows
	text  []byte
}

// NewReader makes a Reader. Options have been checked.
func NewReader(in io.Reader, o *Options, t Target, env *types.Env) *Reader {
	r := &Reader{o: o, t: t, in: in, env: env, nullText: []byte(o.null), field: -1}
	for _, typ := range t.Types {
		r.cols = append(r.cols, newColumn(env, typ, BatchRows))
	}
	r.notNul, r.forceN = flags(t.Names, o.ForceNotNull), flags(t.Names, o.ForceNull)
	if o.HasForceNotNull && o.ForceNotNull == nil {
		for i := range r.notNul {
			r.notNul[i] = true
		}
	}
	if o.HasForceNull && o.ForceNull == nil {
		for i := range r.forceN {
			r.forceN[i] = true
		}
	}
	return r
}

func flags(names, chosen []string) []bool {
	out := make([]bool, len(names))
	for i, n := range names {
		for _, c := range chosen {
			out[i] = out[i] || c == n
		}
	}
	return out
}

// Line is the number of the last line read.
func (r *Reader) Line() int { return r.line }

// RowContext is COPY's context of a row of the last batch, with the row's text
// where withText asks for it.
func (r *Reader) RowContext(row int, withText bool) string {
	if row >= len(r.lines) {
		return fmt.Sprintf("COPY %s, line %d", r.t.Table, r.line)
	}
	l := r.lines[row]
	if !withText || r.o.Format == Binary {
		return fmt.Sprintf("COPY %s, line %d", r.t.Table, l.number)
	}
	return fmt.Sprintf("COPY %s, line %d: \"%s\"", r.t.Table, l.number, limited(r.text[l.from:l.to]))
}

// lineOf says where a row of the last batch came from: text[from:to] is its beginning.
type lineOf struct{ number, from, to int }

// note remembers the line that a row comes from.
func (r *Reader) note(line []byte) {
	from := len(r.text)
	r.text = append(r.text, line[:min(len(line), contextBytes)]...)
	r.lines = append(r.lines, lineOf{r.line, from, len(r.text)})
}

// contextBytes of a line are enough for limited.
const contextBytes = 101

// Next reads the next batch; nil at the end of the data.
func (r *Reader) Next() (*vexec.Batch, error) {
	if r.finished {
		return nil, nil
	}
	rows, size := 0, 0
	r.lines, r.text = r.lines[:0], r.text[:0]
	for rows < BatchRows && size < batchBytesMax {
		n, err := r.row()
		if err == io.EOF {
			r.finished = true
			break
		}
		if err != nil {
			r.finished = true
			return nil, err
		}
		rows++
		size += n
	}
	if rows == 0 {
		return nil, nil
	}
	b := &vexec.Batch{N: rows, Cols: make([]arrow.Array, len(r.cols))}
	for i, c := range r.cols {
		b.Cols[i] = c.finish()
	}
	return b, nil
}

// context adds COPY's context to an error of the current row.
func (r *Reader) context(err error, value []byte, withValue bool) error {
	e := *pgerror.From(err)
	switch {
	case r.field < 0 && withValue:
		e.Where = fmt.Sprintf("COPY %s, line %d: \"%s\"", r.t.Table, r.line, limited(value))
	case r.field < 0:
		e.Where = fmt.Sprintf("COPY %s, line %d", r.t.Table, r.line)
	case value == nil && !withValue:
		e.Where = fmt.Sprintf("COPY %s, line %d, column %s", r.t.Table, r.line, r.t.Names[r.field])
	case value == nil:
		e.Where = fmt.Sprintf("COPY %s, line %d, column %s: null input", r.t.Table, r.line, r.t.Names[r.field])
	default:
		e.Where = fmt.Sprintf("COPY %s, line %d, column %s: \"%s\"", r.t.Table, r.line, r.t.Names[r.field], limited(value))
	}
	return &e
}

// limited cuts a value shown in a context to PostgreSQL's 100 bytes.
func limited(b []byte) string {
	const limit = 100
	if len(b) <= limit {
		return string(b)
	}
	n := limit
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return string(b[:n]) + "..."
}

// fill reads more input behind the unread part; io.EOF when there is none.
func (r *Reader) fill() error {
	if r.eof {
		return io.EOF
	}
	if r.start > 0 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	if r.end > rowBytesMax {
		return pgerror.New(pgerror.ProgramLimitExceeded, "out of memory").WithDetail("A row of COPY data is longer than %d bytes.", rowBytesMax)
	}
	if len(r.buf)-r.end < readBytes {
		grown := make([]byte, max(2*len(r.buf), 2*readBytes))
		copy(grown, r.buf[:r.end])
		r.buf = grown
	}
	n, err := r.in.Read(r.buf[r.end:])
	r.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return r.fill()
	}
	if errors.Is(err, io.EOF) {
		r.eof = true
		return io.EOF
	}
	return err
}

// row reads one row into the columns and returns its length in bytes.
func (r *Reader) row() (int, error) {
	r.field = -1
	if r.o.Format == Binary {
		n, err := r.binaryRow()
		if err == nil {
			r.note(nil)
		}
		return n, err
	}
	for {
		line, err := r.nextLine()
		if err != nil {
			return 0, err
		}
		first := !r.begun
		r.begun = true
		if first && r.o.Header != HeaderNone {
			if r.o.Header == HeaderMatch {
				if err := r.matchHeader(line); err != nil {
					return 0, err
				}
			}
			continue
		}
		if !utf8.Valid(line) {
			return 0, r.context(types.CheckUTF8(string(line)+"\n"), nil, false)
		}
		r.note(line)
		if err := r.split(line); err != nil {
			return 0, err
		}
		return len(line), r.append(line)
	}
}

// split cuts a line into fields.
func (r *Reader) split(line []byte) error {
	r.fields, r.quoted = r.fields[:0], r.quoted[:0]
	if len(r.cols) == 0 {
		if len(line) > 0 {
			return r.context(pgerror.New(pgerror.BadCopyFileFormat, "extra data after last expected column"), line, true)
		}
		return nil
	}
	if r.o.Format == CSV {
		return r.splitCSV(line)
	}
	r.splitText(line)
	return nil
}

// append parses the fields of a line into the columns.
func (r *Reader) append(line []byte) error {
	if len(r.fields) > len(r.cols) {
		return r.context(pgerror.New(pgerror.BadCopyFileFormat, "extra data after last expected column"), line, true)
	}
	for i, c := range r.cols {
		if i >= len(r.fields) {
			return r.context(pgerror.New(pgerror.BadCopyFileFormat, `missing data for column "%s"`, r.t.Names[i]), line, true)
		}
		f := r.fields[i]
		if f == nil {
			c.null()
			continue
		}
		if err := c.text(f); err != nil {
			r.field = i
			return r.context(err, f, true)
		}
	}
	return nil
}

func (r *Reader) matchHeader(line []byte) error {
	if err := r.split(line); err != nil {
		return err
	}
	if len(r.fields) != len(r.cols) {
		return r.context(pgerror.New(pgerror.BadCopyFileFormat, "wrong number of fields in header line: got %d, expected %d", len(r.fields), len(r.cols)), line, true)
	}
	for i, f := range r.fields {
		if f == nil {
			return r.context(pgerror.New(pgerror.BadCopyFileFormat, `column name mismatch in header line field %d: got null value ("%s"), expected "%s"`, i+1, r.o.null, r.t.Names[i]), line, true)
		}
		if string(f) != r.t.Names[i] {
			return r.context(pgerror.New(pgerror.BadCopyFileFormat, `column name mismatch in header line field %d: got "%s", expected "%s"`, i+1, f, r.t.Names[i]), line, true)
		}
	}
	return nil
}

// nextLine gives the next line without its end; io.EOF after the last one or \. .
func (r *Reader) nextLine() ([]byte, error) {
	var line []byte
	var err error
	if r.o.Format == CSV {
		line, err = r.csvLine()
	} else {
		line, err = r.textLine()
	}
	if err != nil {
		if code := pgerror.From(err).Code; err != io.EOF && (code == pgerror.CharacterNotInRepertoire || code == pgerror.UntranslatableCharacter) {
			r.line++ // the line that cannot be read
			return nil, r.context(err, nil, false)
		} else if code == pgerror.QueryCanceled {
			r.line++ // the line that does not come
			return nil, r.context(err, nil, false)
		}
		return nil, err
	}
	r.line++
	if len(line) == 2 && line[0] == '\\' && line[1] == '.' {
		return nil, r.drain()
	}
	return line, nil
}

// drain reads what follows the end marker; it gives io.EOF.
func (r *Reader) drain() error {
	for {
		r.start, r.end = 0, 0
		if err := r.fill(); err != nil {
			return err
		}
	}
}

// textLine reads a line of text format: a newline after an odd number of
// backslashes belongs to the data.
func (r *Reader) textLine() ([]byte, error) {
	from := 0 // searched so far, from start
	for {
		data := r.buf[r.start:r.end]
		for from < len(data) {
			var i int
			if r.eol == '\n' || r.eol == 'c' {
				i = bytes.IndexByte(data[from:], '\n')
			} else {
				i = bytes.IndexAny(data[from:], "\r\n")
			}
			if i < 0 {
				from = len(data)
				break
			}
			i += from
			if escapedAt(data, i) {
				from = i + 1
				continue
			}
			if data[i] == '\r' && r.eol != '\r' {
				if i+1 == len(data) && !r.eof {
					from = i
					break // is a \n behind it?
				}
				if i+1 < len(data) && data[i+1] == '\n' {
					r.eol = 'c'
					r.start += i + 2
					return data[:i], nil
				}
				r.eol = '\r'
			}
			if data[i] == '\n' {
				if r.eol == '\r' {
					return nil, r.newlineError("literal newline found in data", `Use "\n" to represent newline.`)
				}
				if r.eol == 'c' {
					if i > 0 && data[i-1] == '\r' {
						r.start += i + 1
						return data[:i-1], nil
					}
					return nil, r.newlineError("literal newline found in data", `Use "\n" to represent newline.`)
				}
				r.eol = '\n'
				if j := bytes.IndexByte(data[:i], '\r'); j >= 0 && !escapedAt(data, j) {
					return nil, r.newlineError("literal carriage return found in data", `Use "\r" to represent carriage return.`)
				}
			}
			r.start += i + 1
			return data[:i], nil
		}
		if err := r.fill(); err == io.EOF {
			data = r.buf[r.start:r.end]
			if len(data) == 0 {
				return nil, io.EOF
			}
			if from < len(data) {
				continue // a lone \r at the end
			}
			r.start = r.end
			return data, nil
		} else if err != nil {
			return nil, err
		}
	}
}

func (r *Reader) newlineError(text, hint string) error {
	r.line++
	return r.context(pgerror.New(pgerror.BadCopyFileFormat, "%s", text).WithHint("%s", hint), nil, false)
}

// escapedAt reports whether an odd number of backslashes stands before i.
func escapedAt(b []byte, i int) bool {
	n := 0
	for i > n && b[i-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// splitText cuts a line at its delimiters and undoes the escapes.
func (r *Reader) splitText(line []byte) {
	if bytes.IndexByte(line, '\\') < 0 {
		plain := len(r.nullText) > 0 && bytes.IndexByte(r.nullText, '\\') >= 0
		for {
			i := bytes.IndexByte(line, r.o.delim)
			f := line
			if i >= 0 {
				f = line[:i:i]
			}
			if !plain && bytes.Equal(f, r.nullText) {
				f = nil
			} else if f == nil {
				f = []byte{}
			}
			r.fields = append(r.fields, f)
			if i < 0 {
				return
			}
			line = line[i+1:]
		}
	}
	// Decoded bytes go to scratch; it is made large enough first, so that fields keep pointing into it.
	if cap(r.scratch) < len(line) {
		r.scratch = make([]byte, 0, 2*len(line))
	}
	out := r.scratch[:0]
	for {
		begin := len(out)
		raw := line
		i := 0
		for i < len(line) && line[i] != r.o.delim {
			c := line[i]
			i++
			if c != '\\' || i >= len(line) {
				out = append(out, c)
				continue
			}
			c = line[i]
			i++
			switch c {
			case 'b':
				c = '\b'
			case 'f':
				c = '\f'
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case 'v':
				c = '\v'
			case '0', '1', '2', '3', '4', '5', '6', '7':
				v := int(c - '0')
				for k := 0; k < 2 && i < len(line) && line[i] >= '0' && line[i] <= '7'; k++ {
					v = v<<3 + int(line[i]-'0')
					i++
				}
				c = byte(v)
			case 'x':
				v, n := 0, 0
				for n < 2 && i < len(line) {
					h := hexDigit(line[i])
					if h < 0 {
						break
					}
					v = v<<4 + h
					i++
					n++
				}
				if n > 0 {
					c = byte(v)
				}
			}
			out = append(out, c)
		}
		raw = raw[:i]
		if bytes.Equal(raw, r.nullText) {
			r.fields = append(r.fields, nil)
		} else {
			r.fields = append(r.fields, out[begin:len(out):len(out)])
		}
		if i >= len(line) {
			break
		}
		line = line[i+1:]
	}
	r.scratch = out[:0]
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
