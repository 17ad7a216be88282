package flight

import (
	"testing"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
)

func TestTicket(t *testing.T) {
	key := []byte("a key")
	want := ticket{kind: ticketStatement, id: newID(), snapshot: 1 << 60, partition: 2, partitions: 3, expires: time.Unix(1<<33, 0),
		user: "u", database: "d", txn: "", of: "SELECT 1"}
	b := want.encode(key)
	got, err := decodeTicket(key, b)
	if err != nil || *got != want {
		t.Fatalf("%+v, %v; want %+v", got, err, want)
	}
	if _, err := decodeTicket([]byte("another"), b); err == nil {
		t.Error("another key's ticket was read")
	}
	next := append([]byte(nil), b[:len(b)-32]...)
	next[0] = 2
	if _, err := decodeTicket(key, sign(key, "ticket", next)); !pgerror.Is(err, pgerror.FeatureNotSupported) {
		t.Errorf("version 2: %v", err)
	}
	if _, err := decodeTicket(key, sign(key, "token", next)); err == nil {
		t.Error("what was signed for another purpose was read")
	}
	s := &Server{key: key}
	for _, x := range []struct {
		name   string
		change func(*ticket)
		user   string
		code   pgerror.Code
	}{
		{"good", func(t *ticket) {}, "u", ""},
		{"another user", func(t *ticket) {}, "v", pgerror.InsufficientPrivilege},
		{"expired", func(t *ticket) { t.expires = time.Now().Add(-time.Second) }, "u", pgerror.InvalidParameterValue},
		{"part of a result", func(t *ticket) { t.partitions = 2 }, "u", pgerror.FeatureNotSupported},
		{"pinned", func(t *ticket) { t.snapshot = 7 }, "u", pgerror.FeatureNotSupported},
		{"no partition", func(t *ticket) { t.partitions = 0 }, "u", pgerror.InvalidParameterValue},
		{"kind", func(t *ticket) { t.kind = 9 }, "u", pgerror.InvalidParameterValue},
	} {
		tk := ticket{kind: ticketStatement, partitions: 1, expires: time.Now().Add(time.Hour), user: "u"}
		x.change(&tk)
		_, err := s.redeem(&identity{user: x.user}, tk.encode(key))
		if x.code == "" && err != nil || x.code != "" && !pgerror.Is(err, x.code) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

// FuzzTicket: the decoder never panics, nothing unsigned passes, and what parses
// is written back as it was.
func FuzzTicket(f *testing.F) {
	key := []byte("a key")
	t0 := ticket{kind: ticketPrepared, partitions: 1, expires: time.Unix(1, 0), user: "u", database: "d", of: "handle"}
	b := t0.encode(key)
	f.Add(b)
	f.Add(b[:len(b)-32])
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := decodeTicket([]byte("a key nobody has"), b); err == nil {
			t.Fatal("noise was taken for a ticket")
		}
		tk, err := parseTicket(b)
		if err != nil {
			return
		}
		if again, err := decodeTicket(key, tk.encode(key)); err != nil || *again != *tk {
			t.Fatalf("%+v, %v; want %+v", again, err, tk)
		}
	})
}

func TestGRPCCodes(t *testing.T) {
	for state, code := range grpcCodes {
		if len(state) != 2 && len(state) != 5 || code == 0 {
			t.Errorf("%s: %s", state, code)
		}
	}
}
