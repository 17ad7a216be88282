package copy

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/basaltdb/basalt/internal/cores"
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

const (
	// BatchRows is the largest number of rows of a batch.
	BatchRows = 8192
	// chunkBytes is the size of the pieces that input is cut into.
	chunkBytes = 512 << 10
	readBytes  = 64 << 10
	// rowBytesMax bounds one row, as PostgreSQL's 1 GB limit for a string buffer.
	rowBytesMax = 0x3fffffff
	// parsersMax bounds the goroutines that parse one COPY's input.
	parsersMax = 16
	// batchBytesMax ends a batch of binary input early when its rows are long.
	batchBytesMax = 8 << 20
)

// What PostgreSQL collects before it inserts (CopyMultiInsertInfo).
const (
	pendingRowsMax  = 1000
	pendingBytesMax = 65535
)

// Reader reads COPY FROM input as batches. One goroutine calls it; in text and CSV
// format others parse ahead of it. It must be closed.
type Reader struct {
	o  *Options
	t  Target
	in io.Reader
	l  layout

	// Input: unread is buf[start:end].
	buf        []byte
	start, end int
	eof        bool
	failed     error // what the input failed with
	inErr      error // the same, once all whole lines before it are cut
	chunkBytes int
	spare      [][]byte // buffers of chunks that are done

	cut     cutter
	own     *parser // for small inputs
	workers int
	jobs    chan *chunk // nil until there is work for others
	running sync.WaitGroup
	ahead   []*chunk // cut, in order

	bin *binaryReader

	cur      *chunk
	next     int // next piece of cur
	piece    *piece
	base     int // lines before cur
	finished bool

	// What PostgreSQL would have collected before the first row of the current batch.
	pendingRows, pendingBytes int
}

// NewReader makes a Reader. Options have been checked.
func NewReader(in io.Reader, o *Options, t Target, env *types.Env) *Reader {
	r := &Reader{o: o, t: t, in: in, chunkBytes: chunkBytes}
	r.l = layout{o: o, t: &r.t, env: env, nullText: []byte(o.null)}
	r.l.notNull, r.l.forceNull = flags(t.Names, o.ForceNotNull), flags(t.Names, o.ForceNull)
	if o.HasForceNotNull && o.ForceNotNull == nil {
		for i := range r.l.notNull {
			r.l.notNull[i] = true
		}
	}
	if o.HasForceNull && o.ForceNull == nil {
		for i := range r.l.forceNull {
			r.l.forceNull[i] = true
		}
	}
	r.cut.o = o
	r.workers = min(cores.Count(), parsersMax)
	if o.Format == Binary {
		r.bin = &binaryReader{r: r, cols: r.l.columns()}
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

// Close ends the goroutines that parse.
func (r *Reader) Close() {
	r.finished = true
	if r.jobs != nil {
		close(r.jobs)
		r.jobs = nil
	}
	r.running.Wait()
	r.ahead = nil
}

// Line is the number of the last line of the last batch.
func (r *Reader) Line() int {
	if r.piece != nil && len(r.piece.lines) > 0 {
		return r.base + int(r.piece.lines[len(r.piece.lines)-1])
	}
	return r.base
}

// RowContext is COPY's context of a row of the last batch, with the row's text
// where withText asks for it.
func (r *Reader) RowContext(row int, withText bool) string {
	if r.piece == nil || row >= len(r.piece.lines) {
		return fmt.Sprintf("COPY %s, line %d", r.t.Table, r.Line())
	}
	where := fmt.Sprintf("COPY %s, line %d", r.t.Table, r.base+int(r.piece.lines[row]))
	if withText && r.o.Format != Binary {
		where += fmt.Sprintf(": \"%s\"", limited(r.cur.data[r.piece.from[row]:r.piece.to[row]]))
	}
	return where
}

// Overtaking gives the error in the data that PostgreSQL reports instead of a
// unique violation in a row of the last batch: it inserts rows a thousand at a
// time, and reads them first. The Reader is of no use afterwards.
func (r *Reader) Overtaking(row int) error {
	rows, size := r.pendingRows, r.pendingBytes
	for {
		for i := range r.piece.b.N {
			if rows, size = rows+1, size+r.piece.size(i); rows >= pendingRowsMax || size >= pendingBytesMax {
				if i >= row {
					return nil
				}
				rows, size = 0, 0
			}
		}
		row = 0
		if b, err := r.Next(); err != nil || b == nil {
			return err
		}
	}
}

// Next reads the next batch; nil at the end of the data. An error in the data
// comes after the rows before it.
func (r *Reader) Next() (*vexec.Batch, error) {
	if r.finished {
		return nil, nil
	}
	if r.piece != nil {
		for i := range r.piece.b.N {
			if r.pendingRows, r.pendingBytes = r.pendingRows+1, r.pendingBytes+r.piece.size(i); r.pendingRows >= pendingRowsMax || r.pendingBytes >= pendingBytesMax {
				r.pendingRows, r.pendingBytes = 0, 0
			}
		}
	}
	r.piece = nil
	for {
		if c := r.cur; c != nil {
			if r.next < len(c.pieces) {
				r.piece = c.pieces[r.next]
				r.next++
				return r.piece.b, nil
			}
			if c.bad != nil {
				r.finished = true
				return nil, c.bad.report(r.t.Table, r.base)
			}
			r.base += c.lineCount
			if c.ended {
				r.finished = true
				return nil, r.drain()
			}
			r.recycle(c)
		}
		c, err := r.nextChunk()
		if err != nil || c == nil {
			r.finished = true
			return nil, err
		}
		r.cur, r.next = c, 0
	}
}

// nextChunk gives the next chunk, parsed; nil at the end of the data.
func (r *Reader) nextChunk() (*chunk, error) {
	if r.bin != nil {
		return r.bin.chunk()
	}
	for r.inErr == nil && len(r.ahead) <= r.workers {
		c, err := r.cutChunk(len(r.ahead) == 0)
		if err != nil {
			r.inErr = err
			break
		}
		if c == nil {
			break
		}
		r.ahead = append(r.ahead, c)
		if r.jobs == nil && r.eof && r.start == r.end {
			break // all there is: parsed here
		}
		r.dispatch(c)
	}
	if len(r.ahead) == 0 {
		if r.inErr == io.EOF {
			return nil, nil
		}
		return nil, r.inputError(r.inErr, 1)
	}
	c := r.ahead[0]
	r.ahead = r.ahead[1:]
	if c.done != nil {
		<-c.done
	} else {
		if r.own == nil {
			r.own = newParser(&r.l)
		}
		r.own.guarded(c)
	}
	return c, nil
}

// dispatch has a chunk parsed by another goroutine.
func (r *Reader) dispatch(c *chunk) {
	c.done = make(chan struct{})
	if r.jobs == nil {
		r.jobs = make(chan *chunk, r.workers+1)
		for range r.workers {
			r.running.Add(1)
			go func(jobs <-chan *chunk) {
				defer r.running.Done()
				p := newParser(&r.l)
				for c := range jobs {
					p.guarded(c)
					close(c.done)
				}
			}(r.jobs)
		}
	}
	r.jobs <- c
}

// cutChunk reads input up to a chunk of whole lines. nil: there is no line end in
// a chunk's length, and the caller has chunks to go on with (not patient).
// io.EOF: no more.
func (r *Reader) cutChunk(patient bool) (*chunk, error) {
	want := r.chunkBytes
	for {
		var err error
		for r.end-r.start < want && err == nil {
			err = r.fill()
		}
		data := r.buf[r.start:r.end]
		n := r.cut.end(data, r.eof)
		if n == 0 && err != nil {
			return nil, err
		}
		if n > 0 {
			c := &chunk{whole: r.buf, data: data[:n:n], eol: r.cut.eol, first: !r.cut.begun}
			r.cut.begun = true
			rest := data[n:]
			var buf []byte
			if k := len(r.spare); k > 0 && len(r.spare[k-1]) >= len(rest) {
				buf, r.spare = r.spare[k-1], r.spare[:k-1]
			} else {
				buf = make([]byte, max(len(rest), r.chunkBytes+readBytes))
			}
			r.start, r.end = 0, copy(buf, rest)
			r.buf = buf
			return c, nil
		}
		if !patient {
			return nil, nil
		}
		want = 2 * max(want, len(data))
	}
}

// recycle takes a chunk's buffer back.
func (r *Reader) recycle(c *chunk) {
	r.cur = nil
	if n := len(c.whole); n > 0 && n <= 2*(r.chunkBytes+readBytes) && len(r.spare) <= r.workers {
		r.spare = append(r.spare, c.whole)
	}
}

// inputError adds a context where PostgreSQL does: the line that does not come.
func (r *Reader) inputError(err error, line int) error {
	switch pgerror.From(err).Code {
	case pgerror.CharacterNotInRepertoire, pgerror.UntranslatableCharacter, pgerror.QueryCanceled:
		return (&badRow{err: err, line: line}).report(r.t.Table, r.base)
	}
	return err
}

// fill reads more input behind the unread part; io.EOF when there is none.
func (r *Reader) fill() error {
	if r.failed != nil {
		return r.failed
	}
	if r.start > 0 && len(r.buf)-r.end < readBytes {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	if r.end-r.start > rowBytesMax {
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
		r.eof, err = true, io.EOF
	}
	r.failed = err
	return err
}

// drain reads what follows the end marker.
func (r *Reader) drain() error {
	for {
		if r.inErr == io.EOF {
			return nil
		}
		if r.inErr != nil {
			return r.inputError(r.inErr, 0)
		}
		r.start, r.end = 0, 0
		r.inErr = r.fill()
	}
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
