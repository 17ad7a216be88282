package kernel

import (
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/basaltdb/basalt/sql/types"
)

// TestCode: few different strings are coded, NULLs and empty ones among them; other vectors stay.
func TestCode(t *testing.T) {
	texts := func(vs ...string) *array.String {
		b := array.NewStringBuilder(memory.DefaultAllocator)
		for _, v := range vs {
			if v == "null" {
				b.AppendNull()
			} else {
				b.Append(v)
			}
		}
		return b.NewStringArray()
	}
	for _, c := range []struct {
		in    *array.String
		most  int
		coded bool
	}{
		{texts("a", "b", "null", "a", "", "b"), 3, true},
		{texts("a", "b", "null", "a", "", "b"), 2, false},
		{texts("", ""), 1, true},
		{texts("null", "null"), 1, false},
		{texts("null", "x"), 1, true},
		{texts("a"), 0, false},
		{texts(), 1, false},
		{array.NewSlice(texts("x", "y", "null", "y", "y"), 1, 5).(*array.String), 1, true},
	} {
		out := Code(c.in, c.most)
		if IsCoded(out) != c.coded {
			t.Errorf("%v at most %d: coded is %v", c.in, c.most, IsCoded(out))
		}
		if got := Flatten(out); !array.Equal(got, c.in) {
			t.Errorf("%v became %v", c.in, got)
		}
	}
	for _, c := range []struct {
		a, b          *array.String
		most          int
		coded, shared bool
	}{
		{texts("a", "b", "null", "a"), texts("b", "a", "null"), 2, true, true},
		{texts("a", "b", "null", "a"), texts("c", "", "null", "c"), 4, true, false},
		{texts("a", "b", "null", "a"), texts("c", "", "null"), 3, false, false},
		{texts("a", "a"), texts(), 1, true, true},
	} {
		a := Code(c.a, 2)
		out := Append(types.Of(types.Text), a, c.b, c.most)
		if IsCoded(out) != c.coded || c.coded && (DictionaryID(out) == DictionaryID(a)) != c.shared {
			t.Errorf("%v, %v: coded is %v", c.a, c.b, IsCoded(out))
		}
		if got, want := Flatten(out), Concat(types.Of(types.Text), []arrow.Array{c.a, c.b}); !array.Equal(got, want) {
			t.Errorf("%v and %v became %v", c.a, c.b, got)
		}
	}
	if a := texts("a"); IsCoded(Append(types.Of(types.Text), a, a, 2)) {
		t.Error("a plain vector stays plain")
	}
	ints := array.NewInt32Builder(memory.DefaultAllocator)
	ints.Append(1)
	if a := ints.NewArray(); Code(a, 1) != a {
		t.Error("numbers are not coded")
	}
}
