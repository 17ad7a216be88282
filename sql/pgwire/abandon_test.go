package pgwire

import (
	"bytes"
	"testing"
)

// A message that a panic cut off is taken back as a whole: what follows is read as messages.
func TestAbandon(t *testing.T) {
	var o output
	o.commandComplete("SELECT 0")
	whole := bytes.Clone(o.buf)
	o.abandon()
	if !bytes.Equal(o.buf, whole) {
		t.Errorf("a finished message was taken back: %q", o.buf)
	}
	o.begin('D')
	o.buf = append(o.buf, 0, 1, 0, 0, 0, 0)
	o.abandon()
	if !bytes.Equal(o.buf, whole) {
		t.Errorf("of a half message there is left %q", o.buf[len(whole):])
	}
	o.abandon()
	o.bare('n')
	if want := append(whole, 'n', 0, 0, 0, 4); !bytes.Equal(o.buf, want) {
		t.Errorf("%q, want %q", o.buf, want)
	}
}
