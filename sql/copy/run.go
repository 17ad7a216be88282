package copy

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// A run is a sequence of plain lines: they end in \n, have as many fields as the
// table has columns, and their fields lie in the input as they are: no escapes
// but \N, no quotes but around a whole field. Real files consist of little else.
// The field ends of a run are found in one pass over the bytes, then it is parsed
// column by column. What is not plain ends a run and goes the long way (parser.row).
type run struct {
	l    *layout
	data []byte
	// ends: field k of the run, row by row, is data[ends[k]+1 : ends[k+1]].
	ends []int32
	cols int
	rows int
	// ascii: characters are bytes.
	ascii bool
	// special is a byte that makes a field less than plain: a backslash or the quote.
	special   byte
	hasSpec   bool // data has it
	quoted    bool // fields of the run may be quoted
	nullLen   int  // length of the NULL text
	nullIsEsc bool // it is \N
}

// runFieldsMax bounds the fields of a run.
const runFieldsMax = 128 << 10

// begin looks whether a chunk may have plain lines.
func (r *run) begin(c *chunk, ascii bool) bool {
	o := r.l.o
	r.data, r.ascii, r.cols = c.data, ascii, len(r.l.t.Types)
	if r.cols == 0 || r.cols > runFieldsMax/16 || c.eol != '\n' && o.Format == Text || bytes.IndexByte(c.data, '\r') >= 0 {
		return false
	}
	r.special = '\\'
	if o.Format == CSV {
		r.special = o.quote
		if o.escape != o.quote && bytes.IndexByte(c.data, o.escape) >= 0 {
			return false
		}
	}
	r.hasSpec = bytes.IndexByte(c.data, r.special) >= 0
	r.nullLen = len(r.l.nullText)
	r.nullIsEsc = o.Format == Text && o.null == `\N`
	return true
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// zeros has the high bit of every byte of x that is 0.
func zeros(x uint64) uint64 { return ^((x&^highs + ^uint64(highs)) | x | ^uint64(highs)) }

// scan finds the plain lines from pos on, at most maxRows. It gives the position
// behind them.
func (r *run) scan(pos, maxRows int) int {
	data, cols := r.data, r.cols
	maxRows = min(maxRows, max(1, runFieldsMax/cols))
	if need := maxRows*cols + 1; cap(r.ends) < need {
		r.ends = make([]int32, need)
	}
	ends := r.ends[:cap(r.ends)]
	ends[0] = int32(pos - 1)
	delim, special := r.l.o.delim, r.special
	dw, sw := uint64(delim)*ones, uint64(special)*ones
	const nw = '\n' * ones
	k, col, rows := 1, 0, 0 // next end, column, whole rows
	after := pos
	i := pos
	r.quoted = false
words:
	for i < len(data) {
		var m uint64
		if i+8 <= len(data) {
			w := binary.LittleEndian.Uint64(data[i:])
			m = zeros(w^dw) | zeros(w^nw)
			if r.hasSpec {
				m |= zeros(w ^ sw)
			}
		} else {
			for j, c := range data[i:] {
				if c == delim || c == '\n' || c == special {
					m |= 0x80 << (8 * j)
				}
			}
		}
		for ; m != 0; m &= m - 1 {
			at := i + bits.TrailingZeros64(m)/8
			switch data[at] {
			case delim:
				if col++; col == cols {
					break words
				}
				ends[k] = int32(at)
				k++
			case '\n':
				if col++; col != cols || at-after == 2 && data[after] == '\\' && data[after+1] == '.' {
					break words
				}
				ends[k] = int32(at)
				k++
				col, after = 0, at+1
				if rows++; rows == maxRows {
					break words
				}
			default:
				n := r.field(at, int(ends[k-1])+1)
				if n == 0 {
					break words
				}
				i = at + n
				continue words
			}
		}
		i += 8
	}
	r.ends, r.rows = ends[:rows*cols+1], rows
	return after
}

// field passes over a field that begins at from with the special byte: \N or a
// quoted text. It gives its length; 0: something else, or the byte is within.
func (r *run) field(at, from int) int {
	if at != from {
		return 0
	}
	rest := r.data[at:]
	n := 2
	if r.special == '\\' && r.l.o.Format == Text {
		if !r.nullIsEsc || len(rest) < 2 || rest[1] != 'N' {
			return 0
		}
	} else {
		k := bytes.IndexByte(rest[1:], r.special)
		if k < 0 || bytes.IndexByte(rest[1:1+k], '\n') >= 0 {
			return 0
		}
		n = k + 2
		r.quoted = true
	}
	if n >= len(rest) || rest[n] != r.l.o.delim && rest[n] != '\n' {
		return 0
	}
	return n
}

// unwrap takes the quotes off a field and tells whether it is NULL.
func (r *run) unwrap(f []byte, col int) (field []byte, null bool) {
	if r.quoted && len(f) >= 2 && f[0] == r.special {
		f = f[1 : len(f)-1]
		return f, r.l.forceNull[col] && bytes.Equal(f, r.l.nullText)
	}
	return f, bytes.Equal(f, r.l.nullText) && !(r.l.o.Format == CSV && r.l.notNull[col])
}

// plainRows reads the plain lines at the current position into the columns.
func (p *parser) plainRows() error {
	r := &p.run
	next := r.scan(p.pos, BatchRows-p.rows)
	n := r.rows
	if n == 0 {
		return nil
	}
	var bad error
	for i, c := range p.cols {
		k, err := c.fields(r, i, n)
		if err != nil { // of an earlier row than those before
			f, _ := r.unwrap(r.data[r.ends[k*r.cols+i]+1:r.ends[k*r.cols+i+1]], i)
			n, p.field = k, i
			bad = p.badField(err, f, k)
		}
	}
	for i := range n {
		p.note(p.line+i+1, int(r.ends[i*r.cols])+1, int(r.ends[(i+1)*r.cols]))
	}
	p.line += n
	p.pos = next
	return bad
}

// badField is the error of a field of row k of a run.
func (p *parser) badField(err error, f []byte, k int) error {
	p.line += k + 1
	bad := p.context(err, f, true)
	p.line -= k + 1
	return bad
}
