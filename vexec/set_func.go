package vexec

import (
	"iter"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// setCall is a compiled set-returning function call.
type setCall struct {
	fn   *expr.SetFunction
	call *expr.Call
	args []*expr.Expr
}

func newSetCall(w *worker, s *planpb.SetFunc) (*setCall, error) {
	c := &setCall{fn: w.q.ex.opts.Registry.Set(types.OID(s.GetFunc()))}
	if c.fn == nil {
		return nil, pgerror.Unsupported("set-returning function %s", facts.ProcName(s.GetFunc()))
	}
	var err error
	if c.args, err = w.compileAll(s.GetArgs()); err != nil {
		return nil, err
	}
	c.call = &expr.Call{OID: types.OID(s.GetFunc()), ArgTypes: exprTypes(c.args), Result: s.GetResult().T(), Variadic: s.GetVariadic(),
		Const: make([]types.Datum, len(c.args)), IsConst: make([]bool, len(c.args))}
	for i, a := range c.args {
		c.call.Const[i], c.call.IsConst[i] = a.Const()
	}
	return c, nil
}

// setRows pulls the rows of one call as they are asked for: the function runs in
// a coroutine that hands over a group of rows at a time.
type setRows struct {
	next func() ([][]types.Datum, error, bool)
	stop func()
	rows [][]types.Datum
	at   int
	done bool
}

const setRowsGroup = 512

// start calls the function with one row of arguments.
func (c *setCall) start(w *worker, args []types.Datum) *setRows {
	if c.fn.Strict {
		for _, a := range args {
			if a == nil {
				return &setRows{done: true}
			}
		}
	}
	var seq iter.Seq2[[][]types.Datum, error] = func(yield func([][]types.Datum, error) bool) {
		var group [][]types.Datum
		stopped := errStopped
		err := c.fn.Eval(w.frame.Ctx, c.call, args, func(row ...types.Datum) error {
			group = append(group, append([]types.Datum(nil), row...))
			if len(group) == setRowsGroup {
				g := group
				group = nil
				if !yield(g, nil) {
					return stopped
				}
			}
			return nil
		})
		if err == stopped {
			return
		}
		if err != nil {
			yield(nil, err)
			return
		}
		if len(group) > 0 {
			yield(group, nil)
		}
	}
	next, stop := iter.Pull2(seq)
	return &setRows{next: next, stop: stop}
}

var errStopped = pgerror.Internal("set function stopped")

// row gives the next row; ok false at the end.
func (s *setRows) row() (r []types.Datum, ok bool, err error) {
	if s.done {
		return nil, false, nil
	}
	for s.at >= len(s.rows) {
		g, err, more := s.next()
		if err != nil {
			s.close()
			return nil, false, err
		}
		if !more {
			s.close()
			return nil, false, nil
		}
		s.rows, s.at = g, 0
	}
	s.at++
	return s.rows[s.at-1], true, nil
}

func (s *setRows) close() {
	s.done = true
	if s.stop != nil {
		s.stop()
	}
}
