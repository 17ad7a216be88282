package keyenc

import (
	"bytes"
	"testing"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// fuzzedKeys are the types whose key forms differ.
var fuzzedKeys = []types.T{types.Of(types.Int2), types.Of(types.Int4), types.Of(types.Int8), types.Of(types.Bool), types.Of(types.Float4), types.Of(types.Float8),
	types.Of(types.Text), types.Of(types.Bytea), types.Of(types.NumericOID), types.Of(types.DateOID), types.Of(types.TimeTZOID), types.Of(types.IntervalOID),
	types.Of(types.UUIDOID), types.Of(types.ArrayOf(types.Text)), types.Of(types.ArrayOf(types.NumericOID)),
	{OID: row3, Mod: -1, Class: types.ClassComposite}, {OID: 50000, Mod: -1, Class: types.ClassEnum}}

// FuzzKey: whatever bytes stand where a column's key form should, they are XX001 or a form
// that lies within them and has a slot form, the same whatever follows; and the key form of
// every value that reads is found whole, with the value's own slot form.
func FuzzKey(f *testing.F) {
	env := types.DefaultEnv()
	env.Resolver = resolver{}
	for i, t := range fuzzedKeys {
		for _, s := range []string{"1", "t", "-2.50", "{a,NULL,\"b\"}", "[2:3]={1,2}", "2024-02-29", "12:00+02", "1 mon -3 days", "Infinity",
			"6f1c2d3e-0000-4000-8000-000000000001", "(1,a,\"{1.5,NULL}\")", ""} {
			f.Add(byte(i), false, false, s, []byte(s))
			if d, err := keyValue(env, t, s); err == nil {
				for _, desc := range []bool{false, true} {
					c := Column{T: t, Desc: desc}
					if k, err := c.Append(env, nil, d); err == nil {
						f.Add(byte(i), desc, true, s, k)
					}
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, which byte, desc, first bool, text string, key []byte) {
		c := Column{T: fuzzedKeys[int(which)%len(fuzzedKeys)], Desc: desc, NullsFirst: first}
		form, n, err := c.AppendSlotFormOfKey(env, nil, key)
		switch {
		case err == nil && (n < 1 || n > len(key)):
			t.Fatalf("%x: a form of %d bytes", key, n)
		case err == nil:
			again, m, err := c.AppendSlotFormOfKey(env, nil, append(bytes.Clone(key[:n]), text...))
			if err != nil || m != n || !bytes.Equal(again, form) {
				t.Fatalf("%x: %d %x, then %d %x %v", key, n, form, m, again, err)
			}
		case !pgerror.Is(err, pgerror.DataCorrupted):
			t.Fatal(err)
		}
		d, err := keyValue(env, c.T, text)
		if err != nil {
			return
		}
		k, err := c.Append(env, nil, d)
		if err != nil {
			t.Fatal(err)
		}
		want, err := c.AppendSlotForm(env, nil, d)
		if err != nil {
			t.Fatal(err)
		}
		form, n, err = c.AppendSlotFormOfKey(env, nil, append(bytes.Clone(k), key...))
		if err != nil || n != len(k) || !bytes.Equal(form, want) {
			t.Fatalf("%s as %x: %d bytes of %d, slot form %x, want %x; %v", text, k, n, len(k), form, want, err)
		}
	})
}

// keyValue reads a value; of an enum by a number.
func keyValue(env *types.Env, t types.T, s string) (types.Datum, error) {
	if t.Class == types.ClassEnum {
		return types.OID(len(s)), nil
	}
	return types.In(env, t, s)
}
