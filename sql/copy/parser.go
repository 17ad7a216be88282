package copy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
)

// layout is what the parsers of one COPY share, all of it constant.
type layout struct {
	o        *Options
	t        *Target
	env      *types.Env
	nullText []byte
	// Per column: FORCE_NOT_NULL and FORCE_NULL.
	notNull, forceNull []bool
	// testingRows: every line goes the long way.
	testingRows bool
}

func (l *layout) columns() []column {
	cols := make([]column, len(l.t.Types))
	for i, t := range l.t.Types {
		cols[i] = newColumn(l.env, t)
	}
	return cols
}

// chunk is a piece of input that consists of whole lines, and what became of it.
type chunk struct {
	whole []byte // the buffer that data lies in
	data  []byte
	eol   byte
	first bool          // of the input
	done  chan struct{} // closed when another goroutine has parsed it; nil: nobody has

	pieces    []*piece
	lineCount int
	ended     bool    // by the end marker
	bad       *badRow // the row behind the pieces
}

// piece is one batch with the lines its rows come from: their numbers in the
// chunk, from 1, and data[from:to].
type piece struct {
	b        *vexec.Batch
	lines    []int32
	from, to []int32
}

func (p *piece) size(row int) int { return int(p.to[row] - p.from[row]) }

// badRow is an error in the data, with PostgreSQL's context less the line's number.
type badRow struct {
	err  error
	line int    // in the chunk
	tail string // of the context
}

func (b *badRow) report(table string, base int) error {
	e := *pgerror.From(b.err)
	if b.line >= 0 {
		e.Where = fmt.Sprintf("COPY %s, line %d%s", table, base+b.line, b.tail)
	}
	return &e
}

// parser turns chunks into pieces. It belongs to one goroutine at a time.
type parser struct {
	*layout
	cols []column

	c    *chunk
	pos  int // unread: c.data[pos:]
	line int // lines read of the chunk
	rows int // in the columns
	out  *piece
	utf8 bool // the chunk is valid

	run     run
	fields  [][]byte
	scratch []byte
	field   int // the current one, for contexts; −1: none
}

func newParser(l *layout) *parser {
	return &parser{layout: l, cols: l.columns(), run: run{l: l}}
}

// guarded parses a chunk; a panic becomes an error of the chunk.
func (p *parser) guarded(c *chunk) {
	defer func() {
		if r := recover(); r != nil {
			c.bad = &badRow{err: pgerror.Internal("parsing COPY data: %v", r), line: p.line}
			p.cols, p.rows, p.out = p.columns(), 0, nil
		}
	}()
	p.parse(c)
}

func (p *parser) parse(c *chunk) {
	p.c, p.pos, p.line, p.rows, p.field = c, 0, 0, 0, -1
	p.out = &piece{}
	ascii := isASCII(c.data)
	p.utf8 = ascii || utf8.Valid(c.data)
	err := p.header()
	plain := err == nil && p.utf8 && !p.testingRows && p.run.begin(c, ascii)
	for err == nil {
		if p.rows >= BatchRows {
			p.flush()
		}
		if plain {
			if err = p.plainRows(); err != nil || p.rows >= BatchRows {
				continue
			}
		}
		err = p.row()
	}
	p.flush()
	c.lineCount = p.line
	switch b, isBad := err.(*badRow); {
	case isBad:
		c.bad = b
	case err == errEnd:
		c.ended = true
	case err != io.EOF:
		c.bad = &badRow{err: err, line: -1}
	}
	p.c, p.run.data = nil, nil
}

// flush makes a piece of the rows in the columns. Behind them there may be values
// of a row that failed.
func (p *parser) flush() {
	cols := make([]arrow.Array, len(p.cols))
	for i, c := range p.cols {
		a := c.finish()
		if a.Len() > p.rows {
			a = array.NewSlice(a, 0, int64(p.rows))
		}
		cols[i] = a
	}
	if p.rows > 0 {
		p.out.b = &vexec.Batch{N: p.rows, Cols: cols}
		p.c.pieces = append(p.c.pieces, p.out)
	}
	p.out, p.rows = &piece{}, 0
}

func isASCII(b []byte) bool {
	for ; len(b) >= 32; b = b[32:] {
		w := binary.LittleEndian.Uint64(b) | binary.LittleEndian.Uint64(b[8:]) | binary.LittleEndian.Uint64(b[16:]) | binary.LittleEndian.Uint64(b[24:])
		if w&highs != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func (b *badRow) Error() string { return b.err.Error() }
func (b *badRow) Unwrap() error { return b.err }

// errEnd is met at the end marker.
var errEnd = fmt.Errorf("end marker")

// context adds COPY's context to an error of the current line.
func (p *parser) context(err error, value []byte, withValue bool) error {
	b := &badRow{err: err, line: p.line}
	switch {
	case p.field < 0 && withValue:
		b.tail = fmt.Sprintf(": \"%s\"", limited(value))
	case p.field < 0:
	case value == nil && !withValue:
		b.tail = ", column " + p.t.Names[p.field]
	case value == nil:
		b.tail = fmt.Sprintf(", column %s: null input", p.t.Names[p.field])
	default:
		b.tail = fmt.Sprintf(", column %s: \"%s\"", p.t.Names[p.field], limited(value))
	}
	return b
}

// header reads the first line of the input where it is none of the rows.
func (p *parser) header() error {
	if !p.c.first || p.o.Header == HeaderNone {
		return nil
	}
	line, err := p.nextLine()
	if err != nil || p.o.Header != HeaderMatch {
		return err
	}
	if err := p.split(line); err != nil {
		return err
	}
	if len(p.fields) != len(p.cols) {
		return p.context(pgerror.New(pgerror.BadCopyFileFormat, "wrong number of fields in header line: got %d, expected %d", len(p.fields), len(p.cols)), line, true)
	}
	for i, f := range p.fields {
		if f == nil {
			return p.context(pgerror.New(pgerror.BadCopyFileFormat, `column name mismatch in header line field %d: got null value ("%s"), expected "%s"`, i+1, p.o.null, p.t.Names[i]), line, true)
		}
		if string(f) != p.t.Names[i] {
			return p.context(pgerror.New(pgerror.BadCopyFileFormat, `column name mismatch in header line field %d: got "%s", expected "%s"`, i+1, f, p.t.Names[i]), line, true)
		}
	}
	return nil
}

// row reads one line of any form into the columns.
func (p *parser) row() error {
	p.field = -1
	line, err := p.nextLine()
	if err != nil {
		return err
	}
	if !p.utf8 && !utf8.Valid(line) {
		return p.context(types.CheckUTF8(string(line)+"\n"), nil, false)
	}
	if err := p.split(line); err != nil {
		return err
	}
	if err := p.append(line); err != nil {
		return err
	}
	from := cap(p.c.data) - cap(line)
	p.note(p.line, from, from+len(line))
	return nil
}

// note counts a row that is whole.
func (p *parser) note(line, from, to int) {
	p.rows++
	p.out.lines = append(p.out.lines, int32(line))
	p.out.from, p.out.to = append(p.out.from, int32(from)), append(p.out.to, int32(to))
}

// split cuts a line into fields.
func (p *parser) split(line []byte) error {
	p.fields = p.fields[:0]
	if len(p.cols) == 0 {
		if len(line) > 0 {
			return p.context(pgerror.New(pgerror.BadCopyFileFormat, "extra data after last expected column"), line, true)
		}
		return nil
	}
	if p.o.Format == CSV {
		return p.splitCSV(line)
	}
	p.splitText(line)
	return nil
}

// append parses the fields of a line into the columns.
func (p *parser) append(line []byte) error {
	if len(p.fields) > len(p.cols) {
		return p.context(pgerror.New(pgerror.BadCopyFileFormat, "extra data after last expected column"), line, true)
	}
	for i, c := range p.cols {
		if i >= len(p.fields) {
			return p.context(pgerror.New(pgerror.BadCopyFileFormat, `missing data for column "%s"`, p.t.Names[i]), line, true)
		}
		f := p.fields[i]
		if f == nil {
			c.null()
			continue
		}
		if err := c.text(f); err != nil {
			p.field = i
			return p.context(err, f, true)
		}
	}
	return nil
}

// nextLine gives the next line without its end; io.EOF after the last one, errEnd at the end marker.
func (p *parser) nextLine() ([]byte, error) {
	if p.pos >= len(p.c.data) {
		return nil, io.EOF
	}
	var line []byte
	var err error
	if p.o.Format == CSV {
		line, err = p.csvLine()
	} else {
		line, err = p.textLine()
	}
	if err != nil {
		return nil, err
	}
	p.line++
	if len(line) == 2 && line[0] == '\\' && line[1] == '.' {
		return nil, errEnd
	}
	return line, nil
}

// textLine reads a line of text format: a newline after an odd number of
// backslashes belongs to the data.
func (p *parser) textLine() ([]byte, error) {
	data, eol := p.c.data[p.pos:], p.c.eol
	for from := 0; from < len(data); {
		i := bytes.IndexByte(data[from:], '\n')
		if eol == '\r' {
			i = bytes.IndexAny(data[from:], "\r\n")
		}
		if i < 0 {
			break
		}
		if i += from; escapedAt(data, i) {
			from = i + 1
			continue
		}
		line := data[:i]
		if eol == 'c' && i > 0 && data[i-1] == '\r' && !escapedAt(data, i-1) {
			line = data[:i-1]
		} else if eol != '\n' && eol != 0 && data[i] == '\n' {
			return nil, p.newlineError("literal newline found in data", `Use "\n" to represent newline.`)
		}
		for j := 0; eol != '\r'; j++ {
			k := bytes.IndexByte(line[j:], '\r')
			if k < 0 {
				break
			}
			if j += k; !escapedAt(line, j) {
				return nil, p.newlineError("literal carriage return found in data", `Use "\r" to represent carriage return.`)
			}
		}
		p.pos += i + 1
		return line, nil
	}
	p.pos += len(data)
	return data, nil
}

func (p *parser) newlineError(text, hint string) error {
	p.line++
	return p.context(pgerror.New(pgerror.BadCopyFileFormat, "%s", text).WithHint("%s", hint), nil, false)
}

// escapedAt reports whether an odd number of backslashes stands before i.
func escapedAt(b []byte, i int) bool {
	n := 0
	for i > n && b[i-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}
