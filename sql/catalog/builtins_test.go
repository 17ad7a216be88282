package catalog

import (
	"testing"

	"github.com/basaltdb/basalt/sql/types"
)

func TestBuiltins(t *testing.T) {
	b := Builtins()
	if f := b.Function(177); f == nil || f.Name != "int4pl" || f.Returns != types.Int4 || len(f.ArgTypes) != 2 || !f.Strict {
		t.Errorf("int4pl: %+v", f)
	}
	if o := b.Operator(96); o == nil || o.Name != "=" || o.Func != 65 {
		t.Errorf("int4 = : %+v", o)
	}
	for _, c := range []struct {
		typ  types.OID
		want string
	}{{types.Int4, "int4_ops"}, {types.VarChar, "text_ops"}, {types.BPChar, "bpchar_ops"}, {types.Int4Array, "array_ops"}, {types.RecordOID, "record_ops"}, {types.Oid, "oid_ops"}, {types.RegClass, "oid_ops"}, {types.JSON, ""}, {types.Name, "name_ops"}} {
		oc := b.DefaultOpClassOf("btree", b.BuiltinType(c.typ))
		got := ""
		if oc != nil {
			got = oc.Name
		}
		if got != c.want {
			t.Errorf("default btree class of %d: %q, want %q", c.typ, got, c.want)
		}
	}
	if f := b.Functions("make_interval"); len(f) != 1 || len(f[0].Defaults) != 7 || f[0].Defaults[6] != "0.0" {
		t.Errorf("make_interval: %+v", f[0])
	}
	for oid, ty := range b.types {
		if ty.IsTrueArray && ty.T.Class != types.ClassArray {
			t.Errorf("type %d %s: %+v", oid, ty.Name, ty.T)
		}
	}
	if a := b.Aggregate(2116); a == nil || a.SortOp != 521 {
		t.Errorf("max(int4): %+v", a)
	}
}
