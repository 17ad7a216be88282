package plan

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

const (
	// keyIDsFanout: each row of the side that has the keys is to meet so many of the other.
	keyIDsFanout = 2
	// keyIDsRowsMin and keyIDsRowsMax bound the side's rows: of a small one text comes as codes of a dictionary anyway,
	// and the list of keys stays in memory.
	keyIDsRowsMin = 32 << 10
	keyIDsRowsMax = 1 << 20
)

// keyIDs has a grouping compare numbers instead of those of its keys that come from the right side of a join
// below (vexec.KeyIDs): these are compared, and gathered, once for each row of that side and not once for each row that the
// join yields. So are columns that the keys determine (passGroupKeys). A grouping of what another one has grouped
// that way goes by the same numbers. Plans for several sites do without, and so does what cannot be run again when
// the list of keys turns out to be too long (Planned.Unnumbered).
func (em *emitter) keyIDs(pl *planpb.Plan, n *Node) *planpb.Plan {
	a := pl.GetAgg()
	if em.chunks != nil || em.unnumbered || !em.p.repeatable || em.p.opts.Sites > 0 || a.GetPhase() != planpb.Agg_COMPLETE || a.GetStrategy() == planpb.Agg_SORTED ||
		len(a.GetSets()) > 0 || len(a.GetGroupingCalls()) > 0 || len(a.GetKeys()) == 0 {
		return pl
	}
	g := &keyGroup{pl: pl, keys: slices.Clone(a.GetKeys())}
	for i, c := range n.Op.(*aggOp).aggs {
		if em.p.anyOf.has(c.col) {
			g.calls, g.keys = append(g.calls, i), append(g.keys, a.GetCalls()[i].GetArgs()[0])
		}
	}
	keys := g.keys
	for at := a.GetInput(); ; {
		var below *planpb.Plan
		switch k := at.GetOp().(type) {
		case *planpb.Plan_Gather:
			if len(k.Gather.GetMergeKeys()) == 0 {
				below = k.Gather.GetInput()
			}
		case *planpb.Plan_Filter:
			below = k.Filter.GetInput()
		case *planpb.Plan_Project:
			below = k.Project.GetInput()
			for i, e := range keys {
				keys[i] = mapColumns(e, func(c int) *planpb.Expr { return k.Project.GetExprs()[c] })
			}
		case *planpb.Plan_KeyValues:
			if id, ok := g.listed(k.KeyValues); ok {
				at.Output = append(slices.Clip(at.Output), planpb.NewType(types.Of(types.Int4)))
				k.KeyValues.Columns = append(k.KeyValues.Columns, id)
				em.p.trace("key_ids", "grouping")
				return em.groupByID(g, at, k.KeyValues.GetList())
			}
		case *planpb.Plan_HashJoin:
			switch k.HashJoin.GetType() {
			case planpb.JoinType_SEMI, planpb.JoinType_ANTI, planpb.JoinType_NULL_AWARE_ANTI:
				below = k.HashJoin.GetLeft()
			case planpb.JoinType_INNER:
				return em.keyIDsRight(g, at)
			}
		}
		if below == nil {
			return pl
		}
		g.path = append(g.path, at)
		at = below
	}
}

// keyGroup is a grouping that is looked at by keyIDs.
type keyGroup struct {
	pl   *planpb.Plan
	path []*planpb.Plan // nodes below it, down to the one looked at
	// keys are the grouping's as seen there, nil where they are not; then the arguments of calls that give
	// what the keys determine, whose numbers are calls.
	keys  []*planpb.Expr
	calls []int
	// chosen are the keys' numbers in the list, −1: none.
	chosen []int
}

// keyIDsRight is keyIDs for keys from the right side of join.
func (em *emitter) keyIDsRight(g *keyGroup, join *planpb.Plan) *planpb.Plan {
	j := join.GetHashJoin()
	left, right := len(j.GetLeft().GetOutput()), j.GetRight()
	if rows := right.GetRows(); rows < keyIDsRowsMin || rows > keyIDsRowsMax || join.GetRows() < keyIDsFanout*rows {
		return g.pl
	}
	ids := &planpb.KeyIDs{Input: right}
	g.chosen = make([]int, len(g.keys))
	wide, all := false, true
	nk := len(g.keys) - len(g.calls)
	for i, e := range g.keys {
		g.chosen[i] = -1
		if i >= nk && !all { // what other keys determine with these
			continue
		}
		if e = onRight(j, left, e); e == nil {
			all = false
			continue
		}
		g.chosen[i] = len(ids.Keys)
		ids.Keys = append(ids.Keys, e)
		if i >= nk {
			ids.Determined++
		}
		wide = wide || i >= nk || !narrowKeys[types.OID(e.GetType().GetOid())]
	}
	if !wide {
		return g.pl
	}
	int4 := planpb.NewType(types.Of(types.Int4))
	n := &planpb.Plan{Id: em.p.planID(), Rows: right.GetRows(), Output: append(slices.Clip(right.GetOutput()), int4), Op: &planpb.Plan_KeyIds{KeyIds: ids}}
	ids.List = n.Id
	em.p.trace("key_ids", "join")
	j.Right = n
	join.Output = append(slices.Clip(join.Output), int4)
	return em.groupByID(g, join, ids.List)
}

// onRight is e over the right side of an inner join, nil where it cannot be computed there for all rows.
func onRight(j *planpb.HashJoin, left int, e *planpb.Expr) *planpb.Expr {
	if !eager(e) {
		return nil
	}
	return mapColumns(e, func(c int) *planpb.Expr {
		if c >= left {
			return planpb.NewColumn(j.GetRight().GetOutput()[c-left].T(), c-left)
		}
		for i, k := range j.GetLeftKeys() { // of two equal values of such a type one is as good
			r := j.GetRightKeys()[i]
			if col := k.GetColumn(); col != nil && int(col.GetIndex()) == c && r.GetColumn() != nil &&
				k.GetType().GetOid() == r.GetType().GetOid() && narrowKeys[types.OID(k.GetType().GetOid())] {
				return r
			}
		}
		return nil
	})
}

// groupByID has the grouping use the number in the last column of from, which goes up the path, in place of the
// chosen keys.
func (em *emitter) groupByID(g *keyGroup, from *planpb.Plan, list uint32) *planpb.Plan {
	em.p.keyIDs = true
	pl := g.pl
	t := types.Of(types.Int4)
	int4 := planpb.NewType(t)
	id := len(from.GetOutput()) - 1
	for i := len(g.path) - 1; i >= 0; i-- {
		n := g.path[i]
		switch k := n.GetOp().(type) {
		case *planpb.Plan_Project:
			k.Project.Exprs = append(slices.Clip(k.Project.Exprs), planpb.NewColumn(t, id))
		case *planpb.Plan_HashJoin:
			// id is the first column of the left side that the right one's follow
			if r := k.HashJoin.GetResidual(); r != nil {
				k.HashJoin.Residual = proto.Clone(r).(*planpb.Expr)
				eachColumn(k.HashJoin.Residual, func(c *planpb.ColumnRef) {
					if int(c.GetIndex()) >= id {
						c.Index++
					}
				})
			}
		}
		n.Output = append(slices.Clip(n.Output), int4)
		id = len(n.Output) - 1
	}
	a := pl.GetAgg()
	values := &planpb.KeyValues{Input: pl, List: list}
	out := &planpb.Plan{Id: em.p.planID(), Rows: pl.GetRows(), Output: pl.GetOutput(), Op: &planpb.Plan_KeyValues{KeyValues: values}}
	old := a.GetKeys()
	a.Keys = []*planpb.Expr{planpb.NewColumn(t, id)}
	pl.Output = []*planpb.Type{int4}
	for i, e := range old {
		if g.chosen[i] >= 0 {
			values.Columns = append(values.Columns, int32(-1-g.chosen[i]))
			continue
		}
		values.Columns = append(values.Columns, int32(len(a.Keys)))
		a.Keys = append(a.Keys, e)
		pl.Output = append(pl.Output, out.Output[i])
	}
	calls := a.GetCalls()
	a.Calls = nil
	for i, c := range calls {
		if k := slices.Index(g.calls, i); k >= 0 && g.chosen[len(old)+k] >= 0 {
			values.Columns = append(values.Columns, int32(-1-g.chosen[len(old)+k]))
			continue
		}
		values.Columns = append(values.Columns, int32(len(pl.Output)))
		a.Calls = append(a.Calls, c)
		pl.Output = append(pl.Output, out.Output[len(old)+i])
	}
	return out
}

// listed chooses the keys that are in v's list, provided that these are all that v has of it, and gives
// the column of the number below v.
func (g *keyGroup) listed(v *planpb.KeyValues) (id int32, ok bool) {
	all, found := map[int]bool{}, map[int]bool{}
	for _, c := range v.GetColumns() {
		if c < 0 {
			all[int(-1-c)] = true
		}
	}
	g.chosen = make([]int, len(g.keys))
	for i, e := range g.keys {
		g.chosen[i] = -1
		if i >= len(g.keys)-len(g.calls) {
			continue
		}
		if c := e.GetColumn(); c != nil && v.GetColumns()[c.GetIndex()] < 0 {
			g.chosen[i] = int(-1 - v.GetColumns()[c.GetIndex()])
			found[g.chosen[i]] = true
		}
	}
	return int32(v.GetId()), len(found) == len(all)
}

// eager: e may be computed for rows that are not asked for. It is a column, or the beginning of one.
func eager(e *planpb.Expr) bool {
	switch k := e.GetKind().(type) {
	case *planpb.Expr_Column:
		return true
	case *planpb.Expr_Relabel:
		return eager(k.Relabel.GetArg())
	case *planpb.Expr_Func:
		if f := k.Func; f.GetOid() != 0 && slices.Contains(prefixes(), f.GetOid()) && eager(f.GetArgs()[0]) {
			for _, arg := range f.GetArgs()[1:] {
				c := arg.GetConst()
				if c == nil || c.GetNull() {
					return false
				}
				if v, err := types.ReadDatum(arg.GetType().T(), c.GetValue()); err != nil || v.(int32) < 0 {
					return false
				}
			}
			return true
		}
	}
	return false
}

// prefixes are the functions that cut text by two numbers: only a negative length fails.
func prefixes() (out []uint32) {
	for _, name := range []string{"substr(text,int4,int4)", "substring(text,int4,int4)"} {
		if oid, ok := facts.Proc(name); ok {
			out = append(out, oid)
		}
	}
	return out
}

// mapColumns is e with other expressions for its columns; nil where it has none for one, or is
// not of the kinds that eager knows.
func mapColumns(e *planpb.Expr, to func(c int) *planpb.Expr) *planpb.Expr {
	switch k := e.GetKind().(type) {
	case *planpb.Expr_Column:
		return to(int(k.Column.GetIndex()))
	case *planpb.Expr_Const:
		return e
	case *planpb.Expr_Relabel:
		arg := mapColumns(k.Relabel.GetArg(), to)
		if arg == nil {
			return nil
		}
		return &planpb.Expr{Type: e.Type, Collation: e.Collation, Kind: &planpb.Expr_Relabel{Relabel: &planpb.Relabel{Arg: arg}}}
	case *planpb.Expr_Func:
		f := &planpb.Func{Oid: k.Func.GetOid(), Variadic: k.Func.GetVariadic()}
		for _, x := range k.Func.GetArgs() {
			arg := mapColumns(x, to)
			if arg == nil {
				return nil
			}
			f.Args = append(f.Args, arg)
		}
		return &planpb.Expr{Type: e.Type, Collation: e.Collation, Kind: &planpb.Expr_Func{Func: f}}
	}
	return nil
}

// eachColumn visits the columns that e refers to.
func eachColumn(e *planpb.Expr, f func(*planpb.ColumnRef)) {
	var visit func(m protoreflect.Message)
	visit = func(m protoreflect.Message) {
		if c, ok := m.Interface().(*planpb.ColumnRef); ok {
			f(c)
			return
		}
		m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			switch {
			case fd.Kind() != protoreflect.MessageKind:
			case fd.IsList():
				for i := range v.List().Len() {
					visit(v.List().Get(i).Message())
				}
			default:
				visit(v.Message())
			}
			return true
		})
	}
	visit(e.ProtoReflect())
}
