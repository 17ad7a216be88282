package charset

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// TestReader cuts input at every byte.
func TestReader(t *testing.T) {
	for _, c := range []struct{ enc, in, want, err string }{
		{"LATIN1", "a\xe9b", "aéb", ""},
		{"SJIS", "x\x83\x5cy", "xソy", ""}, // a second byte that is a backslash
		{"GB18030", "\x94\x39\xfc\x36z", "😀z", ""},
		{"GB18030", "z\x94", "z", `invalid byte sequence for encoding "GB18030": 0x94`},
		{"EUC_JP", "a\na\xa4", "a\na", `invalid byte sequence for encoding "EUC_JP": 0xa4`},
		{"WIN1252", "ok\x81no", "ok", `character with byte sequence 0x81 in encoding "WIN1252" has no equivalent in encoding "UTF8"`},
	} {
		for _, in := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in))} {
			b, err := io.ReadAll(NewReader(Find(c.enc), in))
			msg := ""
			if err != nil {
				msg = err.Error()
			}
			if string(b) != c.want || !strings.Contains(msg, c.err) || (msg == "") != (c.err == "") {
				t.Errorf("%s %q: %q, %s", c.enc, c.in, b, msg)
			}
		}
	}
}

// FuzzToUTF8: what is read is valid UTF-8; a single-byte encoding gives it back.
func FuzzToUTF8(f *testing.F) {
	for n := range int32(42) {
		f.Add(n, []byte("a\xa4\xe2\x81\x30\x81\x30\x8f\xff\x00"))
	}
	f.Fuzz(func(t *testing.T, n int32, b []byte) {
		e := ByNumber(n)
		if e == nil || !e.Converts() {
			return
		}
		out, err := e.ToUTF8(b)
		if err != nil {
			return
		}
		if !utf8.Valid(out) {
			t.Fatalf("%s %x: %x", e.Name, b, out)
		}
		if _, err := e.Verify(b); err != nil {
			t.Fatalf("%s %x: converted and then %v", e.Name, b, err)
		}
		if back, err := e.FromUTF8(out); e.single != nil && (err != nil || string(back) != string(b)) {
			t.Fatalf("%s %x: %x, %v", e.Name, b, back, err)
		}
	})
}
