package copy

import (
	"encoding/binary"
	"io"
	"strconv"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
)

// Writer writes batches as COPY TO data: each row is one Write.
type Writer struct {
	o     *Options
	out   io.Writer
	env   *types.Env
	names []string
	types []types.T
	force []bool // FORCE_QUOTE per column
	buf   []byte
	text  []byte
	rows  int64
}

// NewWriter makes a Writer. Options have been checked.
func NewWriter(out io.Writer, o *Options, names []string, ts []types.T, env *types.Env) *Writer {
	w := &Writer{o: o, out: out, env: env, names: names, types: ts, force: flags(names, o.ForceQuote)}
	if o.ForceQuoteAll {
		for i := range w.force {
			w.force[i] = true
		}
	}
	return w
}

// Begin writes what comes before the rows.
func (w *Writer) Begin() error {
	w.buf = w.buf[:0]
	switch {
	case w.o.Format == Binary:
		w.buf = append(append(w.buf, signature...), 0, 0, 0, 0, 0, 0, 0, 0)
	case w.o.Header != HeaderNone:
		for i, n := range w.names {
			if i > 0 {
				w.buf = append(w.buf, w.o.delim)
			}
			if w.o.Format == CSV {
				w.csv([]byte(n), false, len(w.names) == 1)
			} else {
				w.escape([]byte(n))
			}
		}
		w.buf = append(w.buf, '\n')
	default:
		return nil
	}
	_, err := w.out.Write(w.buf)
	return err
}

// Rows writes a batch's selected rows.
func (w *Writer) Rows(b *vexec.Batch) error {
	n := b.Rows()
	for k := range n {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		w.buf = w.buf[:0]
		var err error
		if w.o.Format == Binary {
			err = w.binaryRow(b.Cols, i)
		} else {
			err = w.textRow(b.Cols, i)
		}
		if err != nil {
			return err
		}
		if _, err := w.out.Write(w.buf); err != nil {
			return err
		}
		w.rows++
	}
	return nil
}

// End writes what comes after the rows and returns their number.
func (w *Writer) End() (int64, error) {
	if w.o.Format == Binary {
		if _, err := w.out.Write([]byte{0xff, 0xff}); err != nil {
			return w.rows, err
		}
	}
	return w.rows, nil
}

func (w *Writer) binaryRow(cols []arrow.Array, i int) (err error) {
	w.buf = binary.BigEndian.AppendUint16(w.buf, uint16(len(w.types)))
	for c, t := range w.types {
		if cols[c].IsNull(i) {
			w.buf = append(w.buf, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		at := len(w.buf)
		w.buf = append(w.buf, 0, 0, 0, 0)
		if w.buf, err = types.AppendSend(w.env, t, w.buf, types.Get(t, cols[c], i)); err != nil {
			return err
		}
		binary.BigEndian.PutUint32(w.buf[at:], uint32(len(w.buf)-at-4))
	}
	return nil
}

func (w *Writer) textRow(cols []arrow.Array, i int) (err error) {
	for c, t := range w.types {
		if c > 0 {
			w.buf = append(w.buf, w.o.delim)
		}
		if cols[c].IsNull(i) {
			w.buf = append(w.buf, w.o.null...)
			continue
		}
		w.text = w.text[:0]
		safe := false // no byte that needs an escape
		switch a := cols[c].(type) {
		case *array.Int32:
			w.text, safe = strconv.AppendInt(w.text, int64(a.Value(i)), 10), t.Class == types.ClassBase
		case *array.Int64:
			w.text, safe = strconv.AppendInt(w.text, a.Value(i), 10), t.Class == types.ClassBase
		default:
			d := types.Get(t, a, i)
			if s, ok := d.(string); ok && t.OID != types.CString {
				w.text = append(w.text, s...)
			} else if w.text, err = types.AppendOut(w.env, t, w.text, d); err != nil {
				return err
			}
		}
		switch {
		case w.o.Format == CSV:
			w.csv(w.text, w.force[c], len(w.types) == 1)
		case safe && w.o.delim != '-':
			w.buf = append(w.buf, w.text...)
		default:
			w.escape(w.text)
		}
	}
	w.buf = append(w.buf, '\n')
	return nil
}

// escape appends a value of text format.
func (w *Writer) escape(s []byte) {
	from := 0
	for i, c := range s {
		var e byte
		switch c {
		case '\b':
			e = 'b'
		case '\f':
			e = 'f'
		case '\n':
			e = 'n'
		case '\r':
			e = 'r'
		case '\t':
			e = 't'
		case '\v':
			e = 'v'
		case '\\', w.o.delim:
			e = c
		default:
			continue
		}
		w.buf = append(append(w.buf, s[from:i]...), '\\', e)
		from = i + 1
	}
	w.buf = append(w.buf, s[from:]...)
}

// csv appends a value of CSV format, quoted where it must be. only: it is the row's only column.
func (w *Writer) csv(s []byte, force, only bool) {
	o := w.o
	quote := force || string(s) == o.null
	if !quote {
		if only && string(s) == `\.` {
			quote = true
		}
		for _, c := range s {
			if c == o.delim || c == o.quote || c == '\n' || c == '\r' {
				quote = true
				break
			}
		}
	}
	if !quote {
		w.buf = append(w.buf, s...)
		return
	}
	w.buf = append(w.buf, o.quote)
	for _, c := range s {
		if c == o.quote || c == o.escape {
			w.buf = append(w.buf, o.escape)
		}
		w.buf = append(w.buf, c)
	}
	w.buf = append(w.buf, o.quote)
}
