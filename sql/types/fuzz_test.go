package types

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// roundTrip checks that a value read from text prints as a text that reads as an
// equal value, and survives its binary and vector forms.
func roundTrip(t *testing.T, ty T, s string) {
	if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
		return // never reaches a type
	}
	env := DefaultEnv()
	d, err := In(env, ty, s)
	if err != nil {
		return
	}
	out, err := Out(env, ty, d)
	if err != nil {
		t.Fatalf("%q: out: %v", s, err)
	}
	again, err := In(env, ty, out)
	if pgerror.Is(err, pgerror.InvalidTimeZoneDisplacementValue) {
		return // a zone of one's own may lie further off than a number may say
	}
	if err != nil {
		t.Fatalf("%q printed as %q: %v", s, out, err)
	}
	if o, _ := Out(env, ty, again); o != out {
		t.Fatalf("%q printed as %q, then as %q", s, out, o)
	}
	bin, err := AppendSend(env, ty, nil, d)
	if err != nil {
		t.Fatal(err)
	}
	if again, err = Recv(env, ty, bin); err != nil {
		t.Fatalf("%q: recv: %v", out, err)
	}
	vec := AppendDatum(ty, nil, d)
	if !bytes.Equal(vec, AppendDatum(ty, nil, again)) {
		t.Fatalf("%q: binary form loses something", out)
	}
	if again, err = ReadDatum(ty, vec); err != nil || !bytes.Equal(vec, AppendDatum(ty, nil, again)) {
		t.Fatalf("%q: vector form loses something", out)
	}
}

func fuzzText(f *testing.F, ty T, seeds ...string) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { roundTrip(t, ty, s) })
}

func FuzzDate(f *testing.F) {
	fuzzText(f, Of(DateOID), "2000-01-01", "Jan 5 99 BC", "J2451187", "20000101", "1/2/3", "infinity")
}

func FuzzTimestampTZ(f *testing.F) {
	fuzzText(f, Of(TimestampTZOID), "2000-01-01 10:00:00.5+02", "Mon Feb 10 17:32:01 1997 PST", "20011227T040506.789+08", "epoch", "2000-01-01 10:00 Europe/Berlin")
}

func FuzzTimeTZ(f *testing.F) {
	fuzzText(f, Of(TimeTZOID), "10:00:00.5+02", "040506-08", "04:05 PM", "t0405")
}

func FuzzInterval(f *testing.F) {
	fuzzText(f, Of(IntervalOID), "1 year 2 mons -3 days 04:05:06.7", "P1Y2M3DT4H", "P0001-02-03T04:05:06", "1-2 3 4:5:6", "@ 1.5 weeks ago")
}

func FuzzArray(f *testing.F) {
	fuzzText(f, Of(TextArray), "{a,b}", `{"a\"b",NULL,{c}}`, "[0:1]={a,b}", "{{a},{b}}", `{"null",""}`)
}

func FuzzIntArray(f *testing.F) {
	fuzzText(f, Of(Int4Array), "{1,2}", "{{1},{2}}", "[1:1][2:3]={{1,2}}")
}

func FuzzJSON(f *testing.F) {
	fuzzText(f, Of(JSON), `{"a":[1,2,{"b":null}]}`, `"\u00e9\n"`, "[1e5,-0.5]")
}

func FuzzJSONB(f *testing.F) {
	for _, s := range []string{`{"a":[1,2,{"b":null}],"aa":1}`, `"\u00e9\n"`, "[1e5,-0.5,true]", `{"a":1,"a":2}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		roundTrip(t, Of(JSONBOID), s)
		j, err := ParseJSONB(s)
		if err != nil {
			return
		}
		if err := CheckJSONB(j); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if CompareJSONB(j, j) != 0 {
			t.Fatalf("%q is not equal to itself", s)
		}
		if v := j.Root(); v.Kind() == JSONObjectKind {
			for i := range v.Len() {
				if v.Find(v.Key(i)) != i {
					t.Fatalf("%q: key %q not found", s, v.Key(i))
				}
			}
		}
	})
}

// FuzzJSONBBytes feeds damaged documents to the checker and what it accepts to the accessors.
func FuzzJSONBBytes(f *testing.F) {
	for _, s := range []string{`{"a":[1,"x",null],"bb":{"c":true}}`, "[]", "{}", "[[1],[2,3]]"} {
		j, _ := ParseJSONB(s)
		f.Add([]byte(j))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		j := JSONB(b)
		if CheckJSONB(j) != nil || hasNumber(j.Root()) { // numbers have a check of their own
			return
		}
		if _, err := ParseJSONB(string(j.Root().AppendText(nil))); err != nil && !hasText(j.Root()) {
			t.Fatalf("% x: %v", b, err)
		}
	})
}

func hasNumber(v JSONBValue) bool {
	if v.Kind() == JSONNumber {
		return true
	}
	if v.IsContainer() {
		for i := range v.Len() {
			if hasNumber(v.Item(i)) {
				return true
			}
		}
	}
	return false
}

// hasText reports strings or keys, whose bytes the checker does not read.
func hasText(v JSONBValue) bool {
	switch v.Kind() {
	case JSONString:
		return true
	case JSONArrayKind, JSONObjectKind:
		if v.Kind() == JSONObjectKind && v.Len() > 0 {
			return true
		}
		for i := range v.Len() {
			if hasText(v.Item(i)) {
				return true
			}
		}
	}
	return false
}

func FuzzJSONPath(f *testing.F) {
	fuzzText(f, Of(JSONPath), "$.a[*] ? (@.b > 1 && @.c starts with \"x\")", "strict $.**{1 to last}", "-($.a + 1) * 2", "$ ? (@ like_regex \"a\" flag \"i\")")
}

// FuzzRecv feeds bytes to the receive functions: errors, never panics.
func FuzzRecv(f *testing.F) {
	oids := []OID{DateOID, TimeOID, TimeTZOID, TimestampOID, TimestampTZOID, IntervalOID, Int4Array, TextArray, JSONArray, JSON, JSONBOID, JSONPath, Int2Vector}
	for i := range oids {
		f.Add(byte(i), []byte{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 7})
	}
	f.Fuzz(func(t *testing.T, k byte, b []byte) {
		ty, env := Of(oids[int(k)%len(oids)]), DefaultEnv()
		d, err := Recv(env, ty, b)
		if err != nil {
			return
		}
		if _, err := Out(env, ty, d); err != nil {
			t.Fatal(err)
		}
		AppendDatum(ty, nil, d)
	})
}

// fuzzedTypes are types of every form of AppendDatum's.
var fuzzedTypes = []T{Of(Bool), Of(Char), Of(Int2), Of(Int4), Of(Int8), Of(Float4), Of(Float8), Of(NumericOID), Of(Text), Of(Bytea), Of(JSONBOID),
	Of(DateOID), Of(TimeOID), Of(TimeTZOID), Of(TimestampOID), Of(IntervalOID), Of(UUIDOID), Of(Oid), Of(Tid), Of(Bit),
	Of(ArrayOf(Int4)), Of(ArrayOf(Text)), Of(ArrayOf(NumericOID)), Of(ArrayOf(Bool)), Of(RecordOID), Of(ArrayOf(RecordOID))}

// FuzzReadDatum: whatever bytes stand for a value, they are refused or give a value that
// can be printed, compared and written again, and take memory as they are long.
func FuzzReadDatum(f *testing.F) {
	env := DefaultEnv()
	for i, t := range fuzzedTypes {
		for _, s := range []string{"1", "{1,NULL,2}", "[0:1]={1,2}", "{{t,f},{f,t}}", "2024-02-29 12:00:00", `{"a": [1, null]}`, "1 day", "1e-30", "101"} {
			if d, err := In(env, t, s); err == nil {
				f.Add(byte(i), AppendDatum(t, nil, d))
			}
		}
	}
	nested := &Record{Type: Of(RecordOID), Fields: []Datum{int32(1), nil, "x"}, Types: []T{Of(Int4), Of(Int4), Of(Text)}, Names: []string{"a", "b", ""}}
	f.Add(byte(len(fuzzedTypes)-2), AppendDatum(Of(RecordOID), nil, nested))
	f.Add(byte(len(fuzzedTypes)-1), AppendDatum(Of(ArrayOf(RecordOID)), nil, &Array{Elem: Of(RecordOID), Dims: []ArrayDim{{Len: 2, Lower: 1}}, Elems: []Datum{nested, nil}}))
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		ty := fuzzedTypes[int(which)%len(fuzzedTypes)]
		d, err := ReadDatum(ty, b)
		if err != nil {
			if !pgerror.Is(err, pgerror.DataCorrupted) {
				t.Fatal(err)
			}
			return
		}
		if readable(d) {
			Out(env, ty, d)
			if _, isArray := d.(*Array); !isArray {
				Compare(env, ty, d, d)
			}
		}
		again, err := ReadDatum(ty, AppendDatum(ty, nil, d))
		if err != nil {
			t.Fatalf("%v is not read again: %v", d, err)
		}
		if !bytes.Equal(AppendDatum(ty, nil, again), AppendDatum(ty, nil, d)) {
			t.Fatalf("%v changes", d)
		}
	})
}

// readable: no jsonb inside, whose own bytes are FuzzJSONBBytes' matter, and no type that
// does not exist.
func readable(d Datum) bool {
	switch d := d.(type) {
	case JSONB:
		return false
	case *Array:
		for _, e := range d.Elems {
			if !readable(e) {
				return false
			}
		}
	case *Record:
		for i, e := range d.Fields {
			if !readable(e) || ArrowType(d.Types[i]) == nil || d.Types[i].Class != Of(d.Types[i].OID).Class {
				return false
			}
		}
	}
	return true
}

// TestNestedForms: values within each other without end are refused before the stack ends.
func TestNestedForms(t *testing.T) {
	var d Datum = &Record{Type: Of(RecordOID), Fields: []Datum{int32(1)}, Types: []T{Of(Int4)}}
	for range nestedDatumsMax - 1 {
		d = &Record{Type: Of(RecordOID), Fields: []Datum{d}, Types: []T{Of(RecordOID)}}
	}
	b := AppendDatum(Of(RecordOID), nil, d)
	if _, err := ReadDatum(Of(RecordOID), b); err != nil {
		t.Error(err)
	}
	d = &Record{Type: Of(RecordOID), Fields: []Datum{d}, Types: []T{Of(RecordOID)}}
	if _, err := ReadDatum(Of(RecordOID), AppendDatum(Of(RecordOID), nil, d)); !pgerror.Is(err, pgerror.DataCorrupted) {
		t.Errorf("%v", err)
	}
}
