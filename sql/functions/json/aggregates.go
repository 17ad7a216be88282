package json

import (
	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// textAgg is json_agg and json_object_agg: text that grows.
type textAgg struct {
	w      writer
	call   *expr.Call
	object bool
	buf    []byte
}

func (s *textAgg) Add(a []types.Datum) (err error) {
	t := s.call.ArgTypes
	if s.object {
		if s.buf == nil {
			s.buf = append(s.buf, "{ "...)
		} else {
			s.buf = append(s.buf, ", "...)
		}
		if a[0] == nil {
			return invalid("field name must not be null")
		}
		k, err := keyText(s.w.ctx, t[0], a[0])
		if err != nil {
			return err
		}
		s.buf = append(types.AppendJSONString(s.buf, k), " : "...)
		s.buf, err = s.w.append(s.buf, t[1], a[1])
		return err
	}
	if s.buf == nil {
		s.buf = append(s.buf, '[')
	} else {
		s.buf = append(s.buf, ", "...)
		if c := t[0].Class; a[0] != nil && (c == types.ClassArray || c == types.ClassComposite) {
			s.buf = append(s.buf, "\n "...)
		}
	}
	s.buf, err = s.w.append(s.buf, t[0], a[0])
	return err
}

func (s *textAgg) Result() (types.Datum, error) {
	switch {
	case s.buf == nil:
		return nil, nil
	case s.object:
		return string(s.buf) + " }", nil
	}
	return string(s.buf) + "]", nil
}

func (s *textAgg) Size() int64 { return 96 + int64(cap(s.buf)) }

// treeAgg is jsonb_agg and jsonb_object_agg.
type treeAgg struct {
	ctx  *expr.Context
	call *expr.Call
	n    *tree
	size int64
}

func (s *treeAgg) Add(a []types.Datum) error {
	t := s.call.ArgTypes
	if s.n == nil {
		s.n = &tree{Kind: types.JSONArrayKind}
		if len(a) == 2 {
			s.n.Kind = types.JSONObjectKind
		}
	}
	v, vt := a[len(a)-1], t[len(a)-1]
	if len(a) == 2 {
		if a[0] == nil {
			return pgerror.New(pgerror.InvalidParameterValue, "field name must not be null")
		}
		k, err := keyText(s.ctx, t[0], a[0])
		if err != nil {
			return err
		}
		s.n.Keys = append(s.n.Keys, k)
		s.size += int64(len(k)) + 16
	}
	c, err := node(s.ctx, vt, v)
	if err != nil {
		return err
	}
	enc := types.EncodeJSONB(c)
	s.n.Items = append(s.n.Items, types.RawNode(enc.Root()))
	s.size += int64(len(enc)) + 160
	return nil
}

func (s *treeAgg) Result() (types.Datum, error) {
	if s.n == nil {
		return nil, nil
	}
	return types.EncodeJSONB(s.n), nil
}

func (s *treeAgg) Size() int64 { return 96 + s.size }

func registerAggregates(r *expr.Registry) {
	for sig, object := range map[string]bool{"json_agg(anyelement)": false, "json_object_agg(any,any)": true} {
		adapt.AddAgg(r, sig, false, func(ctx *expr.Context, call *expr.Call) expr.AggState {
			return &textAgg{w: writer{ctx: ctx}, call: call, object: object}
		})
	}
	for _, sig := range []string{"jsonb_agg(anyelement)", "jsonb_object_agg(any,any)"} {
		adapt.AddAgg(r, sig, false, func(ctx *expr.Context, call *expr.Call) expr.AggState { return &treeAgg{ctx: ctx, call: call} })
	}
}
