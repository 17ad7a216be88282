package types

import (
	"bytes"
	"testing"
)

// FuzzNumericText: what parses prints to something that parses to the same.
func FuzzNumericText(f *testing.F) {
	for _, s := range []string{"0", "-1.50", "1e10", "NaN", "-inf", "1e-30", "99999999999999999999.9", "0x1F", "1_000", ".", "1e", " 5 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseNumeric(s)
		if err != nil || n.digits() > 1000 {
			return
		}
		text := n.String()
		m, err := ParseNumeric(text)
		if err != nil || n.Cmp(m) != 0 || m.String() != text {
			t.Fatalf("%q prints %q, which reads as %v (%v)", s, text, m, err)
		}
		if b := NumericFromBinary(n.AppendBinary(nil)); b.String() != text {
			t.Fatalf("%q: vector form gives %s", text, b)
		}
		w, err := numericRecv(n.appendSend(nil))
		if err != nil || w.String() != text {
			t.Fatalf("%q: wire form gives %v (%v)", text, w, err)
		}
	})
}

// FuzzRecv: no bytes from a client make a receive function panic, and what is
// accepted survives another trip.
func FuzzRecv(f *testing.F) {
	f.Add(uint32(NumericOID), []byte{0, 1, 0, 0, 0, 0, 0, 2, 0, 5})
	f.Add(uint32(NumericOID), []byte{0, 2, 0xff, 0xfe, 0x40, 0, 0, 9, 0, 5, 0x27, 0x0f})
	f.Add(uint32(Text), []byte("a\xff"))
	f.Add(uint32(Float8), []byte{0, 1, 2, 3, 4, 5, 6, 7})
	f.Add(uint32(UUIDOID), []byte("0123456789abcdef"))
	oids := []OID{Bool, Char, Int2, Int4, Int8, Float4, Float8, NumericOID, Text, VarChar, BPChar, Name, Bytea, UUIDOID, Oid, Xid8, PgLSN}
	f.Fuzz(func(t *testing.T, which uint32, b []byte) {
		ty := Of(oids[int(which)%len(oids)])
		env := DefaultEnv()
		d, err := Recv(env, ty, b)
		if err != nil {
			return
		}
		out, err := AppendSend(env, ty, nil, d)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Recv(env, ty, out)
		if err != nil {
			t.Fatalf("type %d: %x: sent form %x: %v", ty.OID, b, out, err)
		}
		if !bytes.Equal(AppendEqualityKey(env, ty, nil, d), AppendEqualityKey(env, ty, nil, again)) {
			t.Fatalf("type %d: %x does not survive the trip", ty.OID, b)
		}
		if _, err := Out(env, ty, d); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzScalarText: no text makes an input function panic.
func FuzzScalarText(f *testing.F) {
	f.Add(uint8(0), "1e400")
	f.Add(uint8(3), `\x00`)
	oids := []OID{Float8, Float4, Int8, Bytea, UUIDOID, Oid, PgLSN, Bool, Char, Xid8}
	f.Fuzz(func(t *testing.T, which uint8, s string) {
		ty := Of(oids[int(which)%len(oids)])
		env := DefaultEnv()
		d, err := In(env, ty, s)
		if err != nil {
			return
		}
		out, err := Out(env, ty, d)
		if err != nil {
			t.Fatal(err)
		}
		again, err := In(env, ty, out)
		if err != nil || Comparable(ty) && Compare(env, ty, d, again) != 0 {
			t.Fatalf("type %d: %q prints %q: %v", ty.OID, s, out, err)
		}
	})
}
