package flight

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/types"
)

func TestTicket(t *testing.T) {
	key := []byte("a key")
	keyed := func(k string) func(byte) []byte { return func(byte) []byte { return []byte(k) } }
	want := ticket{kind: ticketPart, id: newID(), node: 1 << 30, partition: 2, partitions: 3, expires: time.Unix(1<<33, 0),
		user: "u", database: "d", txn: "", of: "SELECT 1"}
	b := want.encode(key)
	got, err := decodeTicket(keyed("a key"), b)
	if err != nil || *got != want {
		t.Fatalf("%+v, %v; want %+v", got, err, want)
	}
	if _, err := decodeTicket(keyed("another"), b); err == nil {
		t.Error("another key's ticket was read")
	}
	next := append([]byte(nil), b[:len(b)-32]...)
	next[0] = 3
	if _, err := decodeTicket(keyed("a key"), sign(key, "ticket", next)); !pgerror.Is(err, pgerror.FeatureNotSupported) {
		t.Errorf("version 3: %v", err)
	}
	if _, err := decodeTicket(keyed("a key"), sign(key, "token", next)); err == nil {
		t.Error("what was signed for another purpose was read")
	}
	s := &Server{key: key, opts: Options{Backend: noSessions{}}}
	for _, x := range []struct {
		name   string
		change func(*ticket)
		user   string
		code   pgerror.Code
	}{
		{"good", func(t *ticket) {}, "u", ""},
		{"another user", func(t *ticket) {}, "v", pgerror.InsufficientPrivilege},
		{"expired", func(t *ticket) { t.expires = time.Now().Add(-time.Second) }, "u", pgerror.InvalidParameterValue},
		{"part of a result", func(t *ticket) { t.kind, t.node, t.partitions = ticketPart, 3, 2 }, "u", ""},
		{"part of a statement", func(t *ticket) { t.partitions = 2 }, "u", pgerror.InvalidParameterValue},
		{"part in a transaction", func(t *ticket) { t.kind, t.txn = ticketPart, "x" }, "u", pgerror.InvalidParameterValue},
		{"another user's part", func(t *ticket) { t.kind = ticketPart }, "v", pgerror.InsufficientPrivilege},
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

// noSessions is a Backend nobody asks.
type noSessions struct{ pgwire.Backend }

// FuzzPart: the decoder of a part's body never panics, and writes back what it reads.
func FuzzPart(f *testing.F) {
	f.Add(encodePart([]types.T{types.Of(types.Int4), types.WithMod(types.NumericOID, 655366)}, []byte("schema"), []byte("fragment")))
	f.Add([]byte{})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		ts, schema, fragment, err := decodePart(b)
		if err != nil {
			return
		}
		ts2, schema2, fragment2, err := decodePart(encodePart(ts, schema, fragment))
		if err != nil || !slices.Equal(ts, ts2) || !bytes.Equal(schema, schema2) || !bytes.Equal(fragment, fragment2) {
			t.Fatalf("%v, %v", ts, err)
		}
	})
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
		if _, err := decodeTicket(func(byte) []byte { return []byte("a key nobody has") }, b); err == nil {
			t.Fatal("noise was taken for a ticket")
		}
		tk, err := parseTicket(b)
		if err != nil {
			return
		}
		if again, err := decodeTicket(func(byte) []byte { return key }, tk.encode(key)); err != nil || *again != *tk {
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
