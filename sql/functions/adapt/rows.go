package adapt

import (
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// DescribeRows gives the registered set-returning functions with several OUT
// parameters the names and types of their columns, as pg_proc declares them.
// Polymorphic columns follow the call's arguments.
func DescribeRows(r *expr.Registry) {
	r.EachSet(func(s *expr.SetFunction) {
		f := catalog.Builtins().Function(s.OID)
		if s.Columns != nil || f == nil || f.Returns != types.RecordOID {
			return
		}
		var names []string
		var ts []types.T
		poly := false
		for i, m := range []byte(f.ArgModes) {
			if m != 'o' && m != 'b' && m != 't' {
				continue
			}
			t := types.Of(f.AllArgTypes[i])
			if ty := catalog.Builtins().BuiltinType(f.AllArgTypes[i]); ty != nil {
				t = ty.T
			}
			n := ""
			if i < len(f.ArgNames) {
				n = f.ArgNames[i]
			}
			names, ts = append(names, n), append(ts, t)
			poly = poly || t.OID == types.AnyElement || t.OID == types.AnyArray
		}
		if len(ts) < 2 {
			return
		}
		if !poly {
			s.Columns = func(*expr.Call) ([]string, []types.T) { return names, ts }
			return
		}
		s.Columns = func(call *expr.Call) ([]string, []types.T) {
			elem, array := types.T{}, types.T{}
			for i, d := range f.ArgTypes {
				if i >= len(call.ArgTypes) {
					break
				}
				switch d {
				case types.AnyArray:
					array, elem = call.ArgTypes[i], call.ArgTypes[i].ElemType()
				case types.AnyElement:
					elem = call.ArgTypes[i]
				}
			}
			out := make([]types.T, len(ts))
			for i, t := range ts {
				switch t.OID {
				case types.AnyElement:
					t = elem
				case types.AnyArray:
					t = array
				}
				out[i] = t
			}
			return names, out
		}
	})
}
