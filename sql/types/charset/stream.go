package charset

import (
	"io"
)

// Reader reads text of an encoding as UTF8. What stands before a malformed
// character is delivered before the error. Not for concurrent use.
type Reader struct {
	e    *Encoding
	in   io.Reader
	raw  []byte // read, not yet converted: at most the beginning of a character after Read
	out  []byte // converted, not yet delivered
	err  error
	ends bool
}

// NewReader makes a Reader over in.
func NewReader(e *Encoding, in io.Reader) *Reader { return &Reader{e: e, in: in} }

const readBytes = 32 << 10

func (r *Reader) Read(p []byte) (int, error) {
	for len(r.out) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.more()
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

// more reads and converts the next whole characters.
func (r *Reader) more() {
	if !r.ends {
		old := len(r.raw)
		r.raw = append(r.raw, make([]byte, readBytes)...)
		n, err := r.in.Read(r.raw[old:])
		r.raw = r.raw[:old+n]
		if err == io.EOF {
			r.ends = true
		} else if err != nil {
			r.err = err
			return
		}
	}
	whole := r.raw
	if !r.ends {
		whole = r.raw[:r.e.whole(r.raw)]
	}
	good, err := r.e.prefix(whole)
	if r.out, r.err = good, err; err == nil && r.ends {
		r.err = io.EOF
	}
	r.raw = append([]byte{}, r.raw[len(whole):]...)
}

// whole is the length of b without a character cut off at its end.
func (e *Encoding) whole(b []byte) int {
	if e.rule == ruleNone {
		return len(b)
	}
	i := 0
	for i < len(b) {
		if e.rule == ruleGB18030 && b[i] >= 0x80 && i+1 == len(b) {
			break
		}
		n := e.rule.length(b[i:])
		if i+n > len(b) {
			break
		}
		i += n
	}
	return i
}

// prefix converts b up to the first character that cannot be.
func (e *Encoding) prefix(b []byte) ([]byte, error) {
	out, err := e.ToUTF8(b)
	if err == nil {
		return append([]byte{}, out...), nil
	}
	out = nil
	for len(b) > 0 {
		n := min(e.rule.length(b), len(b))
		c, err := e.ToUTF8(b[:n])
		if err != nil {
			return out, err
		}
		out = append(out, c...)
		b = b[n:]
	}
	return out, nil
}

// Writer writes UTF8 as text of an encoding. Each Write must end with a whole
// character. Close closes the writer below.
type Writer struct {
	e   *Encoding
	out io.WriteCloser
}

// NewWriter makes a Writer over out.
func NewWriter(e *Encoding, out io.WriteCloser) *Writer { return &Writer{e: e, out: out} }

func (w *Writer) Write(p []byte) (int, error) {
	b, err := w.e.FromUTF8(p)
	if err != nil {
		return 0, err
	}
	if _, err := w.out.Write(b); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close closes the writer below.
func (w *Writer) Close() error { return w.out.Close() }
