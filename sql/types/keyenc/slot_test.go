package keyenc

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
)

// row3 is a row type of (int2, text, numeric[]).
const row3 types.OID = 50001

type resolver struct{ types.Resolver }

func (resolver) Composite(types.OID) ([]string, []types.T, bool) {
	return []string{"a", "b", "c"}, []types.T{types.Of(types.Int2), types.Of(types.Text), types.Of(1231)}, true
}

func (resolver) EnumLabel(v types.OID) (types.OID, string, float32, bool) {
	return 50000, "", float32(v) / 3, true
}

// TestSlotForms checks for every type that the slot form of a datum, of a vector's
// value and of a key's bytes agree, and that Skip finds the end of every column.
func TestSlotForms(t *testing.T) {
	env := types.DefaultEnv()
	env.Resolver = resolver{}
	type value struct {
		t types.T
		d types.Datum
	}
	var values []value
	for oid, texts := range ordered {
		for _, s := range texts {
			if s != "" && s[0] == '=' {
				s = s[1:]
			}
			d, err := types.In(env, types.Of(oid), s)
			if err != nil {
				continue // reported by TestOrder
			}
			values = append(values, value{types.Of(oid), d})
		}
		values = append(values, value{types.Of(oid), nil})
	}
	rowType := types.T{OID: row3, Mod: -1, Class: types.ClassComposite}
	num, _ := types.In(env, types.Of(1231), "{1.50,NULL,-3}")
	for _, f := range [][]types.Datum{{int16(3), "a\x00b", num}, {nil, nil, nil}, {int16(-1), "", nil}} {
		values = append(values, value{rowType, &types.Record{Type: rowType, Fields: f,
			Types: []types.T{types.Of(types.Int2), types.Of(types.Text), types.Of(1231)}}})
	}
	for _, v := range []types.OID{1, 7} {
		values = append(values, value{types.T{OID: 50000, Mod: -1, Class: types.ClassEnum}, v})
	}
	if len(values) < 150 {
		t.Fatal(len(values))
	}
	r := rand.New(rand.NewPCG(1, 1))
	for _, v := range values {
		for _, c := range []Column{{T: v.t}, {T: v.t, Desc: true, NullsFirst: true}} {
			want, err := c.AppendSlotForm(env, []byte("x"), v.d)
			if err != nil {
				t.Fatal(err)
			}
			vec, err := c.AppendSlotFormAt(env, []byte("x"), types.Repeat(v.t, v.d, 1), 0)
			if err != nil || !bytes.Equal(vec, want) {
				t.Errorf("%v of type %d: from a vector %x, from a datum %x (%v)", v.d, v.t.OID, vec, want, err)
			}
			// Another column follows in the key.
			after := values[r.IntN(len(values))]
			ac := Column{T: after.t, Desc: r.IntN(2) == 0}
			key, err := c.Append(env, nil, v.d)
			if err != nil {
				t.Fatal(err)
			}
			n := len(key)
			if key, err = ac.Append(env, key, after.d); err != nil {
				t.Fatal(err)
			}
			form, got, err := c.AppendSlotFormOfKey(env, []byte("x"), key)
			if err != nil || got != n || !bytes.Equal(form, want) {
				t.Errorf("%v of type %d, key %x: %x and length %d, want %x and %d (%v)", v.d, v.t.OID, key, form, got, want, n, err)
			}
			for cut := range n {
				if got, err := c.Skip(env, key[:cut]); err == nil && got > cut {
					t.Errorf("%v of type %d: length %d of %x", v.d, v.t.OID, got, key[:cut])
				}
			}
		}
	}
}

// TestSlots holds the hash fixed, and that columns of different widths meet.
func TestSlots(t *testing.T) {
	for _, c := range []struct {
		t    types.OID
		text string
		want uint16
	}{
		{types.Int2, "7", 1603}, {types.Int4, "7", 1603}, {types.Int8, "7", 1603}, {types.Int4, "-1", 3068}, {types.Float4, "1.5", 2398}, {types.Float8, "1.5", 2398},
		{types.Text, "abc", 1068}, {types.VarChar, "abc", 1068}, {types.NumericOID, "1.50", 671}, {types.NumericOID, "1.5", 671},
	} {
		typ := types.Of(c.t)
		d, err := types.In(types.DefaultEnv(), typ, c.text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := SlotsOf(nil, []Column{{T: typ}}, []arrow.Array{types.Repeat(typ, d, 2)}, []int32{1}, 0)
		if err != nil || len(got) != 1 || got[0] != c.want {
			t.Errorf("%s of type %d: %v (%v)", c.text, c.t, got, err)
		}
	}
	seen := map[uint16]bool{}
	col := Column{T: types.Of(types.Int4)}
	for i := range 100000 {
		f, _ := col.AppendSlotForm(nil, nil, int32(i))
		seen[Slot(f)] = true
	}
	if len(seen) != Slots {
		t.Errorf("%d slots of %d used", len(seen), Slots)
	}
}
