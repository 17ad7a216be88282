package expr

import (
	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// boolNode is AND, OR or NOT in three-valued logic. An argument is evaluated
// only on the rows its predecessors have not decided.
type boolNode struct {
	op   planpb.BoolExpr_Op
	args []node
	// total: no argument can fail, and none costs much, so that all are evaluated on all rows.
	total bool
}

// boolExpr compiles AND, OR and NOT. Nested ones of a kind become one; a
// constant that decides the result ends the list, one that cannot is dropped.
func (m *maker) boolExpr(e *planpb.BoolExpr) (node, error) {
	b := &boolNode{op: e.GetOp()}
	if b.op == planpb.BoolExpr_NOT && len(e.GetArgs()) != 1 {
		return nil, pgerror.Internal("NOT of %d arguments", len(e.GetArgs()))
	}
	for _, a := range e.GetArgs() {
		n, err := m.compile(a)
		if err != nil {
			return nil, err
		}
		if c, ok := n.(*boolNode); ok && c.op == b.op && b.op != planpb.BoolExpr_NOT {
			b.args = append(b.args, c.args...)
			continue
		}
		if c, ok := n.(*constNode); ok && b.op != planpb.BoolExpr_NOT {
			switch c.value {
			case b.op == planpb.BoolExpr_OR:
				return c, nil
			case b.op == planpb.BoolExpr_AND:
				continue
			}
		}
		b.args = append(b.args, n)
	}
	if len(b.args) == 0 {
		return &constNode{t: types.Of(types.Bool), value: b.op == planpb.BoolExpr_AND}, nil
	}
	b.total = cannotFail(b)
	return b, nil
}

func (b *boolNode) constant() bool { return allConstant(b.args) }

func (b *boolNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	if b.op == planpb.BoolExpr_NOT {
		v, err := b.args[0].eval(f, in)
		if err != nil {
			return nil, err
		}
		return kernel.Not(v), nil
	}
	if len(b.args) == 1 {
		return b.args[0].eval(f, in)
	}
	if b.total && in.N > 0 {
		vs := make([]arrow.Array, len(b.args))
		for k, a := range b.args {
			var err error
			if vs[k], err = a.eval(f, in); err != nil {
				return nil, err
			}
		}
		return kernel.AndOr(b.op == planpb.BoolExpr_OR, vs), nil
	}
	n := in.N
	const no, yes, null = 0, 1, 2
	neutral, decided := byte(yes), false // AND: true goes on, false decides
	if b.op == planpb.BoolExpr_OR {
		neutral, decided = no, true
	}
	state := make([]byte, n)
	for i := range state {
		state[i] = neutral
	}
	var rows []int32 // undecided; nil: all
	cur := in
	for k, a := range b.args {
		v, err := a.eval(f, cur)
		if err != nil {
			return nil, err
		}
		val, valid := kernel.Bools(v), kernel.Valid(v)
		last := k == len(b.args)-1
		var left []int32
		if !last {
			left = make([]int32, 0, cur.N)
		}
		for i := range cur.N {
			r := i
			if rows != nil {
				r = int(rows[i])
			}
			switch {
			case !valid.Get(i):
				state[r] = null
			case val.Get(i) == decided:
				state[r] = 1 - neutral
				continue
			}
			if !last {
				left = append(left, int32(i))
			}
		}
		if last {
			break
		}
		if len(left) == 0 {
			break
		}
		if len(left) < cur.N {
			cur = cur.Subset(left)
			if rows == nil {
				rows = left
			} else {
				next := make([]int32, len(left))
				for i, l := range left {
					next[i] = rows[l]
				}
				rows = next
			}
		}
	}
	return kernel.BoolsFromStates(state), nil
}

// selectRows implements selecter for AND and OR: of a filter only the true rows
// count, so NULL is as good as false.
func (b *boolNode) selectRows(f *Frame, in *Input) ([]int32, bool, error) {
	var sel []int32 // AND: rows that are true so far; OR: rows that are not; nil: all
	cur := in
	switch b.op {
	case planpb.BoolExpr_AND:
		for _, a := range b.args {
			keep, err := trueRows(f, a, cur)
			if err != nil {
				return nil, true, err
			}
			if len(keep) < cur.N {
				cur, sel = cur.Subset(keep), in.compose(sel, keep)
			}
			if cur.N == 0 {
				return []int32{}, true, nil
			}
		}
		if sel == nil {
			sel = everyRow(in.N)
		}
		return sel, true, nil
	case planpb.BoolExpr_OR:
		hit := make([]bool, in.N)
		for k, a := range b.args {
			if cur != in && cur.N >= in.N/2 && total(a) { // cheaper than to gather what is left
				yes, err := trueRows(f, a, in)
				if err != nil {
					return nil, true, err
				}
				for _, i := range yes {
					hit[i] = true
				}
				continue
			}
			yes, err := trueRows(f, a, cur)
			if err != nil {
				return nil, true, err
			}
			for _, i := range yes {
				if sel != nil {
					i = sel[i]
				}
				hit[i] = true
			}
			if k == len(b.args)-1 || len(yes) == cur.N {
				break
			}
			if len(yes) > 0 {
				left := without(cur.N, yes)
				cur, sel = cur.Subset(left), in.compose(sel, left)
			}
		}
		return kernel.SelectTrue(hit), true, nil
	}
	return nil, false, nil
}

func everyRow(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	return out
}

// without lists 0 … n−1 but for rows, which ascend.
func without(n int, rows []int32) []int32 {
	out := make([]int32, 0, n-len(rows))
	at := int32(0)
	for _, r := range rows {
		for ; at < r; at++ {
			out = append(out, at)
		}
		at = r + 1
	}
	for ; at < int32(n); at++ {
		out = append(out, at)
	}
	return out
}

type nullTestNode struct {
	arg     node
	argType types.T
	not     bool
	row     bool
}

func (t *nullTestNode) constant() bool { return isConstant(t.arg) }

func (t *nullTestNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	v, err := t.arg.eval(f, in)
	if err != nil {
		return nil, err
	}
	if !t.row {
		return kernel.IsNull(v, t.not), nil
	}
	out := make([]byte, kernel.BitmapLen(in.N))
	valid := kernel.Valid(v)
	for i := range in.N {
		hit := valid.Get(i) == t.not
		if valid.Get(i) {
			// IS NULL: every field is NULL; IS NOT NULL: none is
			hit = true
			for _, d := range types.Get(t.argType, v, i).(*types.Record).Fields {
				if (d != nil) != t.not {
					hit = false
				}
			}
		}
		if hit {
			kernel.SetBit(out, i)
		}
	}
	return kernel.MakeBool(out, in.N, nil, 0), nil
}

type booleanTestNode struct {
	arg  node
	test planpb.BooleanTest_Test
}

func (t *booleanTestNode) constant() bool { return isConstant(t.arg) }

func (t *booleanTestNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	v, err := t.arg.eval(f, in)
	if err != nil {
		return nil, err
	}
	out := make([]byte, kernel.BitmapLen(in.N))
	val, valid := kernel.Bools(v), kernel.Valid(v)
	for i := range in.N {
		known := valid.Get(i)
		is := known && val.Get(i)
		var hit bool
		switch t.test {
		case planpb.BooleanTest_IS_TRUE:
			hit = is
		case planpb.BooleanTest_IS_NOT_TRUE:
			hit = !is
		case planpb.BooleanTest_IS_FALSE:
			hit = known && !is
		case planpb.BooleanTest_IS_NOT_FALSE:
			hit = !known || is
		case planpb.BooleanTest_IS_UNKNOWN:
			hit = !known
		case planpb.BooleanTest_IS_NOT_UNKNOWN:
			hit = known
		}
		if hit {
			kernel.SetBit(out, i)
		}
	}
	return kernel.MakeBool(out, in.N, nil, 0), nil
}

// distinctNode is IS DISTINCT FROM.
type distinctNode struct {
	left, right node
	eq          *funcNode
}

func (d *distinctNode) constant() bool {
	return isConstant(d.left) && isConstant(d.right) && d.eq.fn.Volatility == Immutable
}

func (d *distinctNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	l, r, rows, same, err := pairEqual(f, in, d.left, d.right, d.eq)
	if err != nil {
		return nil, err
	}
	out := make([]byte, kernel.BitmapLen(in.N))
	lv, rv := kernel.Valid(l), kernel.Valid(r)
	for i := range in.N {
		if lv.Get(i) != rv.Get(i) {
			kernel.SetBit(out, i)
		}
	}
	for k, i := range rows {
		if !same(k) {
			kernel.SetBit(out, int(i))
		}
	}
	return kernel.MakeBool(out, in.N, nil, 0), nil
}

// pairEqual evaluates both sides and eq on the rows where neither is NULL.
func pairEqual(f *Frame, in *Input, left, right node, eq *funcNode) (l, r arrow.Array, rows []int32, same func(int) bool, err error) {
	if l, err = left.eval(f, in); err != nil {
		return
	}
	if r, err = right.eval(f, in); err != nil {
		return
	}
	lv, rv := kernel.Valid(l), kernel.Valid(r)
	rows = make([]int32, 0, in.N)
	for i := range in.N {
		if lv.Get(i) && rv.Get(i) {
			rows = append(rows, int32(i))
		}
	}
	a, b := l, r
	if len(rows) < in.N {
		a, b = kernel.Take(l, rows), kernel.Take(r, rows)
	}
	v, err := eq.apply(f, in.mem, []arrow.Array{a, b}, len(rows))
	if err != nil {
		return
	}
	val, valid := kernel.Bools(v), kernel.Valid(v)
	return l, r, rows, func(k int) bool { return valid.Get(k) && val.Get(k) }, nil
}

type nullIfNode struct {
	left, right node
	eq          *funcNode
}

func (d *nullIfNode) constant() bool {
	return isConstant(d.left) && isConstant(d.right) && d.eq.fn.Volatility == Immutable
}

func (d *nullIfNode) eval(f *Frame, in *Input) (arrow.Array, error) {
	l, _, rows, same, err := pairEqual(f, in, d.left, d.right, d.eq)
	if err != nil {
		return nil, err
	}
	idx := make([]int32, in.N)
	for i := range idx {
		idx[i] = int32(i)
	}
	hit := false
	for k, i := range rows {
		if same(k) {
			idx[i], hit = -1, true
		}
	}
	if !hit {
		return l, nil
	}
	return kernel.Take(l, idx), nil
}
