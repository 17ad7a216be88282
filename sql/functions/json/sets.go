package json

import (
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

type emitter = func(row ...types.Datum) error

func registerSets(r *expr.Registry) {
	for suffix, out := range map[string]func(*types.JSONNode) types.Datum{"": asJSON, "_text": asText} {
		adapt.AddSet(r, "json_each"+suffix+"(json)", func(_ *expr.Context, _ *expr.Call, a []types.Datum, emit emitter) error {
			n, err := types.SplitJSON(a[0].(string), true)
			if err != nil {
				return err
			}
			switch n.Kind {
			case types.JSONObjectKind:
			case types.JSONArrayKind:
				return invalid("cannot deconstruct an array as an object")
			default:
				return invalid("cannot deconstruct a scalar")
			}
			for i, k := range n.Keys {
				if err := emit(k, out(n.Items[i])); err != nil {
					return err
				}
			}
			return nil
		})
		decode := suffix != ""
		adapt.AddSet(r, "json_array_elements"+suffix+"(json)", func(_ *expr.Context, _ *expr.Call, a []types.Datum, emit emitter) error {
			n, err := types.SplitJSON(a[0].(string), decode)
			if err != nil {
				return err
			}
			f := "cannot call json_array_elements" + suffix
			if err := arrayOnly(n.Kind, f+" on a non-array", f+" on a scalar"); err != nil {
				return err
			}
			for _, it := range n.Items {
				if err := emit(out(it)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for suffix, out := range map[string]func(types.JSONBValue) types.Datum{"": asJSONB, "_text": jsonbText} {
		adapt.AddSet(r, "jsonb_each"+suffix+"(jsonb)", func(_ *expr.Context, _ *expr.Call, a []types.Datum, emit emitter) error {
			v := a[0].(types.JSONB).Root()
			if v.Kind() != types.JSONObjectKind {
				return invalid("cannot call jsonb_each%s on a non-object", suffix)
			}
			for i := range v.Len() {
				if err := emit(v.Key(i), out(v.Item(i))); err != nil {
					return err
				}
			}
			return nil
		})
		adapt.AddSet(r, "jsonb_array_elements"+suffix+"(jsonb)", func(_ *expr.Context, _ *expr.Call, a []types.Datum, emit emitter) error {
			v := a[0].(types.JSONB).Root()
			if err := arrayOnly(v.Kind(), "cannot extract elements from an object", "cannot extract elements from a scalar"); err != nil {
				return err
			}
			for i := range v.Len() {
				if err := emit(out(v.Item(i))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	objectOnly := func(k types.JSONKind, f string) error {
		switch k {
		case types.JSONObjectKind:
			return nil
		case types.JSONArrayKind:
			return invalid("cannot call %s on an array", f)
		}
		return invalid("cannot call %s on a scalar", f)
	}
	adapt.AddSet(r, "json_object_keys(json)", func(_ *expr.Context, _ *expr.Call, a []types.Datum, emit emitter) error {
		n, err := types.SplitJSON(a[0].(string), true)
		if err != nil {
			return err
		}
		if err := objectOnly(n.Kind, "json_object_keys"); err != nil {
			return err
		}
		for _, k := range n.Keys {
			if err := emit(k); err != nil {
				return err
			}
		}
		return nil
	})
	adapt.AddSet(r, "jsonb_object_keys(jsonb)", func(_ *expr.Context, _ *expr.Call, a []types.Datum, emit emitter) error {
		v := a[0].(types.JSONB).Root()
		if err := objectOnly(v.Kind(), "jsonb_object_keys"); err != nil {
			return err
		}
		for i := range v.Len() {
			if err := emit(v.Key(i)); err != nil {
				return err
			}
		}
		return nil
	})
}
