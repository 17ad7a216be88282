package aggfn

import (
	"bytes"
	"testing"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// FuzzState: whatever a node sends as the state of an aggregate is an error that is not
// the server's, or a state that can be merged again and has a result.
func FuzzState(f *testing.F) {
	bits := func() expr.PortableState { return &bitState[int16]{op: func(a, b int16) int16 { return a ^ b }} }
	states := []func() expr.PortableState{
		func() expr.PortableState { return &count{} },
		func() expr.PortableState { return &exactSum{} },
		func() expr.PortableState { return &moments{} },
		func() expr.PortableState { return &regression{} },
		bits,
	}
	for i := range states {
		f.Add(byte(i), states[i]().AppendState(nil), states[i]().AppendState(nil))
	}
	f.Add(byte(0), []byte{1, 0, 0, 0, 0, 0, 0, 0}, []byte{2, 0, 0, 0, 0, 0, 0, 0})
	sum := (&exactSum{n: 3, small: 9, sum: types.NumericFromInt64(15, 1), sumSq: types.NumericFromInt64(225, 2)}).AppendState(nil)
	f.Add(byte(1), sum, sum)
	f.Add(byte(2), (&moments{n: 2, sx: 3, sxx: .5}).AppendState(nil), (&moments{n: 1, sx: 1}).AppendState(nil))
	f.Add(byte(3), (&regression{n: 2, sx: 3, sxx: .5, sy: 1, syy: 2, sxy: 3}).AppendState(nil), (&regression{n: 1}).AppendState(nil))
	f.Add(byte(4), (&bitState[int16]{some: true, v: 5}).AppendState(nil), (&bitState[int16]{some: true, v: -5}).AppendState(nil))
	f.Fuzz(func(t *testing.T, which byte, a, b []byte) {
		make := states[int(which)%len(states)]
		s := make()
		for _, in := range [][]byte{a, b} {
			if err := s.MergeState(in); err != nil {
				if pgerror.Is(err, pgerror.InternalError) {
					t.Fatal(err)
				}
				return
			}
		}
		form := s.AppendState(nil)
		next := make()
		if err := next.MergeState(form); err != nil {
			t.Fatalf("%x: %v", form, err)
		}
		if again := next.AppendState(nil); int(which)%len(states) == 0 && !bytes.Equal(form, again) {
			t.Fatalf("%x becomes %x", form, again)
		}
	})
}
