package stars

import (
	"bufio"
	"fmt"
	"io"
)

// Progress hears how many of a table's units are generated; done is total at the end.
type Progress func(table string, done, total int64)

// Write writes a table at a scale factor as CSV. progress may be nil.
func Write(w io.Writer, name string, sf float64, progress Progress) error {
	for _, t := range tables {
		if t.name == name {
			return t.write(w, newSizes(sf), progress)
		}
	}
	return fmt.Errorf("stars: no table %q", name)
}

func (t *table) write(w io.Writer, g *sizes, progress Progress) error {
	out := bufio.NewWriterSize(w, 1<<18)
	total := t.units(g)
	var o row
	for block := int64(0); block*blockUnits < total; block++ {
		r := newRandom(t.stream, block)
		o.buf = o.buf[:0]
		for unit := block * blockUnits; unit < min((block+1)*blockUnits, total); unit++ {
			t.add(g, r, unit, &o)
		}
		if _, err := out.Write(o.buf); err != nil {
			return err
		}
		if progress != nil && block%16 == 0 {
			progress(t.name, block*blockUnits, total)
		}
	}
	if progress != nil {
		progress(t.name, total, total)
	}
	return out.Flush()
}

// Reader streams a table. A goroutine of its own generates ahead; Close ends it.
type Reader struct {
	*io.PipeReader
	done chan struct{}
}

// NewReader starts generating a table.
func NewReader(name string, sf float64, progress Progress) *Reader {
	pr, pw := io.Pipe()
	r := &Reader{PipeReader: pr, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		pw.CloseWithError(Write(pw, name, sf, progress))
	}()
	return r
}

// Close ends the generation and waits for it.
func (r *Reader) Close() error {
	err := r.PipeReader.Close()
	<-r.done
	return err
}
