package planpb

import (
	"fmt"
	"slices"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// FragmentVersion is the format this build writes and reads. Version 2: timestamps
// count from 2000 (types.Timestamp), in version 1 from 1970. Version 3: KeyIDs and KeyValues.
const FragmentVersion = 3

// Bounds of what a plan may be; beyond them it is malformed or hostile.
const (
	planDepthMax  = 500
	exprDepthMax  = 2000
	columnsMax    = 20000
	execSlotsMax  = 1 << 16
	planNodesMax  = 1 << 16
	constBytesMax = 1 << 30
)

// Validate checks what execution takes for granted of a fragment that came from
// elsewhere: a known version, no missing parts, references within bounds,
// constants that can be read. Errors are 08P01 (a malformed message), 22023
// (values out of range) or 54001 (too deep).
func (f *Fragment) Validate() error {
	if f.GetVersion() != FragmentVersion {
		return pgerror.New(pgerror.ProtocolViolation, "unknown plan version %d", f.GetVersion())
	}
	if len(f.GetParams()) != len(f.GetParamTypes()) || len(f.GetExecParams()) != len(f.GetExecParamTypes()) || len(f.GetExecParams()) != len(f.GetExecParamSlots()) {
		return malformed("parameters without types")
	}
	v := &validator{slots: f.GetStatement().GetExecSlots()}
	for _, s := range f.GetExecParamSlots() {
		if s >= v.slots {
			return outOfRange("slot %d of %d", s, v.slots)
		}
	}
	for i, p := range f.GetParams() {
		if err := v.param(f.GetParamTypes()[i], p); err != nil {
			return err
		}
	}
	for i, p := range f.GetExecParams() {
		if err := v.param(f.GetExecParamTypes()[i], p); err != nil {
			return err
		}
	}
	if err := f.GetStatement().Validate(); err != nil {
		return err
	}
	return v.exprs(f.GetOutputKeys(), len(f.GetStatement().GetRoot().GetOutput()))
}

// param checks a parameter's value.
func (v *validator) param(t *Type, c *Const) error {
	if err := v.typ(t); err != nil {
		return err
	}
	return v.expr(&Expr{Type: t, Kind: &Expr_Const{Const: c}}, 0, 0)
}

// Validate is the same for a statement.
func (s *Statement) Validate() error {
	if s == nil || s.GetRoot() == nil {
		return malformed("no root")
	}
	if s.GetExecSlots() > execSlotsMax {
		return outOfRange("%d parameter slots", s.GetExecSlots())
	}
	v := &validator{slots: s.GetExecSlots(), lists: map[uint32]int{}, ctes: map[uint32]int{}, work: map[uint32]int{}, chunks: map[uint32]int{}}
	for _, c := range s.GetCtes() {
		if _, dup := v.ctes[c.GetId()]; dup {
			return malformed("CTE %d twice", c.GetId())
		}
		v.ctes[c.GetId()] = len(c.GetPlan().GetOutput())
	}
	for _, c := range s.GetCtes() {
		if err := v.plan(c.GetPlan(), 0); err != nil {
			return err
		}
	}
	for _, i := range s.GetInitPlans() {
		if err := v.plan(i.GetPlan(), 0); err != nil {
			return err
		}
		switch i.GetKind() {
		case InitPlan_SCALAR, InitPlan_ARRAY:
			if len(i.GetSlots()) != 1 || len(i.GetPlan().GetOutput()) < 1 {
				return malformed("init plan with %d slots", len(i.GetSlots()))
			}
		case InitPlan_EXISTS:
			if len(i.GetSlots()) != 1 {
				return malformed("init plan with %d slots", len(i.GetSlots()))
			}
		case InitPlan_ROW:
			if len(i.GetSlots()) > len(i.GetPlan().GetOutput()) {
				return malformed("init plan with %d slots", len(i.GetSlots()))
			}
		default:
			return outOfRange("init plan kind %d", i.GetKind())
		}
		for _, sl := range i.GetSlots() {
			if sl >= v.slots {
				return outOfRange("slot %d of %d", sl, v.slots)
			}
		}
	}
	return v.plan(s.GetRoot(), 0)
}

func malformed(format string, args ...any) error {
	return pgerror.New(pgerror.ProtocolViolation, "malformed plan: %s", fmt.Sprintf(format, args...))
}

func outOfRange(format string, args ...any) error {
	return pgerror.New(pgerror.InvalidParameterValue, "plan value out of range: %s", fmt.Sprintf(format, args...))
}

type validator struct {
	slots  uint32
	lists  map[uint32]int // of KeyIDs: their keys
	nodes  int
	ctes   map[uint32]int // columns by id
	work   map[uint32]int
	chunks map[uint32]int // widths of the rows of BatchApplys around
}

// plan checks a node and what is below it.
func (v *validator) plan(p *Plan, depth int) error {
	if p == nil || p.Op == nil {
		return malformed("missing node")
	}
	if depth > planDepthMax {
		return pgerror.New(pgerror.StatementTooComplex, "plan is nested too deeply")
	}
	if v.nodes++; v.nodes > planNodesMax {
		return pgerror.New(pgerror.StatementTooComplex, "plan has too many nodes")
	}
	if len(p.GetOutput()) > columnsMax {
		return outOfRange("%d columns", len(p.GetOutput()))
	}
	for _, t := range p.GetOutput() {
		if err := v.typ(t); err != nil {
			return err
		}
	}
	return v.op(p, len(p.GetOutput()), depth+1)
}

// in checks an input and gives its width.
func (v *validator) in(p *Plan, depth int) (int, error) {
	return len(p.GetOutput()), v.plan(p, depth)
}

func (v *validator) op(p *Plan, width, depth int) error {
	want := func(n int) error {
		if width != n {
			return malformed("node of %d columns where %d are computed", width, n)
		}
		return nil
	}
	unary := func(in *Plan, check func(n int) error) error {
		n, err := v.in(in, depth)
		if err != nil {
			return err
		}
		return check(n)
	}
	same := func(in *Plan, check func(n int) error) error {
		return unary(in, func(n int) error {
			if err := want(n); err != nil {
				return err
			}
			if check == nil {
				return nil
			}
			return check(n)
		})
	}
	switch k := p.Op.(type) {
	case *Plan_Scan:
		return v.scan(k.Scan.GetTable(), k.Scan.GetColumns(), k.Scan.GetFilter(), k.Scan.GetSpans(), width)
	case *Plan_IndexScan:
		if int(k.IndexScan.GetIndex()) >= len(k.IndexScan.GetTable().GetIndexes()) {
			return outOfRange("index %d", k.IndexScan.GetIndex())
		}
		return v.scan(k.IndexScan.GetTable(), k.IndexScan.GetColumns(), k.IndexScan.GetFilter(), k.IndexScan.GetSpans(), width)
	case *Plan_Values:
		for _, r := range k.Values.GetRows() {
			if err := want(len(r.GetExprs())); err != nil {
				return err
			}
			if err := v.exprs(r.GetExprs(), 0); err != nil {
				return err
			}
		}
		return nil
	case *Plan_Result:
		if err := want(len(k.Result.GetExprs())); err != nil {
			return err
		}
		if err := v.exprs(k.Result.GetExprs(), 0); err != nil {
			return err
		}
		return v.optional(k.Result.GetFilter(), 0)
	case *Plan_Filter:
		return same(k.Filter.GetInput(), func(n int) error { return v.expr(k.Filter.GetPredicate(), n, 0) })
	case *Plan_Project:
		if err := want(len(k.Project.GetExprs())); err != nil {
			return err
		}
		return unary(k.Project.GetInput(), func(n int) error { return v.exprs(k.Project.GetExprs(), n) })
	case *Plan_HashJoin:
		return v.join(k.HashJoin.GetType(), k.HashJoin.GetLeft(), k.HashJoin.GetRight(), k.HashJoin.GetLeftKeys(), k.HashJoin.GetRightKeys(), k.HashJoin.GetResidual(), width, depth)
	case *Plan_MergeJoin:
		return v.join(k.MergeJoin.GetType(), k.MergeJoin.GetLeft(), k.MergeJoin.GetRight(), k.MergeJoin.GetLeftKeys(), k.MergeJoin.GetRightKeys(), k.MergeJoin.GetResidual(), width, depth)
	case *Plan_NestLoop:
		return v.join(k.NestLoop.GetType(), k.NestLoop.GetLeft(), k.NestLoop.GetRight(), nil, nil, k.NestLoop.GetCondition(), width, depth)
	case *Plan_Apply:
		switch k.Apply.GetType() {
		case JoinType_INNER, JoinType_LEFT, JoinType_SEMI, JoinType_ANTI, JoinType_MARK, JoinType_SINGLE:
		default:
			return outOfRange("join type %d of an apply", k.Apply.GetType())
		}
		for _, b := range k.Apply.GetBindings() {
			if err := v.expr(b.GetValue(), len(k.Apply.GetLeft().GetOutput()), 0); err != nil {
				return err
			}
			if b.GetSlot() >= v.slots {
				return outOfRange("slot %d of %d", b.GetSlot(), v.slots)
			}
		}
		return v.join(k.Apply.GetType(), k.Apply.GetLeft(), k.Apply.GetRight(), nil, nil, k.Apply.GetCondition(), width, depth)
	case *Plan_Agg:
		return unary(k.Agg.GetInput(), func(n int) error { return v.agg(k.Agg, n, want) })
	case *Plan_KeyIds:
		return unary(k.KeyIds.GetInput(), func(n int) error {
			if err := want(n + 1); err != nil {
				return err
			}
			if k.KeyIds.GetDetermined() > 0 && int(k.KeyIds.GetDetermined()) >= len(k.KeyIds.GetKeys()) {
				return outOfRange("%d keys of %d", k.KeyIds.GetDetermined(), len(k.KeyIds.GetKeys()))
			}
			v.lists[k.KeyIds.GetList()] = len(k.KeyIds.GetKeys())
			return v.exprs(k.KeyIds.GetKeys(), n)
		})
	case *Plan_KeyValues:
		if err := want(len(k.KeyValues.GetColumns())); err != nil {
			return err
		}
		return unary(k.KeyValues.GetInput(), func(n int) error {
			if int(k.KeyValues.GetId()) >= n {
				return outOfRange("column %d of %d", k.KeyValues.GetId(), n)
			}
			for _, c := range k.KeyValues.GetColumns() {
				if int(c) >= n || int(c) < -v.lists[k.KeyValues.GetList()] {
					return outOfRange("column %d of %d", c, n)
				}
			}
			return nil
		})
	case *Plan_Sort:
		return same(k.Sort.GetInput(), func(n int) error { return v.sortKeys(k.Sort.GetKeys(), n) })
	case *Plan_Limit:
		return same(k.Limit.GetInput(), func(n int) error {
			if err := v.optional(k.Limit.GetCount(), 0); err != nil {
				return err
			}
			if err := v.optional(k.Limit.GetOffset(), 0); err != nil {
				return err
			}
			return v.sortKeys(k.Limit.GetTies(), n)
		})
	case *Plan_Unique:
		return same(k.Unique.GetInput(), func(n int) error { return v.exprs(k.Unique.GetKeys(), n) })
	case *Plan_SetOp:
		if k.SetOp.GetOp() < 0 || k.SetOp.GetOp() > SetOp_EXCEPT_ALL {
			return outOfRange("set operation %d", k.SetOp.GetOp())
		}
		if err := same(k.SetOp.GetLeft(), nil); err != nil {
			return err
		}
		return same(k.SetOp.GetRight(), nil)
	case *Plan_Append:
		for _, in := range k.Append.GetInputs() {
			if err := same(in, nil); err != nil {
				return err
			}
		}
		return nil
	case *Plan_Window:
		return unary(k.Window.GetInput(), func(n int) error { return v.window(k.Window, n, want) })
	case *Plan_ProjectSet:
		if err := want(len(k.ProjectSet.GetExprs())); err != nil {
			return err
		}
		return unary(k.ProjectSet.GetInput(), func(n int) error {
			for _, e := range k.ProjectSet.GetExprs() {
				if (e.GetExpr() == nil) == (e.GetSet() == nil) {
					return malformed("set expression")
				}
				if err := v.optional(e.GetExpr(), n); err != nil {
					return err
				}
				if err := v.set(e.GetSet(), n); err != nil {
					return err
				}
			}
			return nil
		})
	case *Plan_FunctionScan:
		n := 0
		for _, f := range k.FunctionScan.GetFuncs() {
			if (f.GetScalar() == nil) == (f.GetSet() == nil) {
				return malformed("table function")
			}
			if err := v.optional(f.GetScalar(), 0); err != nil {
				return err
			}
			if err := v.set(f.GetSet(), 0); err != nil {
				return err
			}
			n += len(f.GetColumns())
		}
		if k.FunctionScan.GetOrdinality() {
			n++
		}
		return want(n)
	case *Plan_RecursiveUnion:
		if err := same(k.RecursiveUnion.GetLeft(), nil); err != nil {
			return err
		}
		id := k.RecursiveUnion.GetWorkTable()
		if _, dup := v.work[id]; dup {
			return malformed("work table %d twice", id)
		}
		v.work[id] = width
		defer delete(v.work, id)
		return same(k.RecursiveUnion.GetRight(), nil)
	case *Plan_WorkTableScan:
		n, ok := v.work[k.WorkTableScan.GetWorkTable()]
		if !ok {
			return malformed("no work table %d", k.WorkTableScan.GetWorkTable())
		}
		return want(n)
	case *Plan_CteScan:
		n, ok := v.ctes[k.CteScan.GetCte()]
		if !ok {
			return malformed("no CTE %d", k.CteScan.GetCte())
		}
		return want(n)
	case *Plan_Modify:
		return v.modify(k.Modify, width, depth)
	case *Plan_LockRows:
		return same(k.LockRows.GetInput(), func(n int) error {
			for _, t := range k.LockRows.GetTargets() {
				if err := v.table(t.GetTable()); err != nil {
					return err
				}
				if int(t.GetLocatorColumn()) >= n {
					return outOfRange("locator column %d of %d", t.GetLocatorColumn(), n)
				}
				if err := v.ordinals(t.GetTable(), t.GetRecheckColumns()); err != nil {
					return err
				}
			}
			if k.LockRows.GetRecheck() != nil {
				return same(k.LockRows.GetRecheck(), nil)
			}
			return nil
		})
	case *Plan_Gather:
		return same(k.Gather.GetInput(), func(n int) error { return v.sortKeys(k.Gather.GetMergeKeys(), n) })
	case *Plan_Materialize:
		return same(k.Materialize.GetInput(), nil)
	case *Plan_ChunkScan:
		if n, ok := v.chunks[k.ChunkScan.GetSlot()]; ok {
			return want(n)
		}
		return nil
	case *Plan_BatchApply:
		if err := v.plan(k.BatchApply.GetInput(), depth+1); err != nil {
			return err
		}
		slot := k.BatchApply.GetSlot()
		if _, dup := v.chunks[slot]; dup {
			return malformed("rows of slot %d twice", slot)
		}
		v.chunks[slot] = len(k.BatchApply.GetInput().GetOutput())
		defer delete(v.chunks, slot)
		return same(k.BatchApply.GetBody(), nil)
	case *Plan_Exchange:
		return same(k.Exchange.GetInput(), func(n int) error {
			if err := v.sortKeys(k.Exchange.GetMergeKeys(), n); err != nil {
				return err
			}
			return v.exprs(k.Exchange.GetKeys(), n)
		})
	case *Plan_ExchangeSource:
		return v.sortKeys(k.ExchangeSource.GetMergeKeys(), width)
	}
	return malformed("unknown operator")
}

func (v *validator) scan(t *Table, cols []int32, filter *Expr, spans []*Span, width int) error {
	if err := v.table(t); err != nil {
		return err
	}
	if len(cols) != width {
		return malformed("scan of %d columns where %d are promised", len(cols), width)
	}
	if err := v.ordinals(t, cols); err != nil {
		return err
	}
	if err := v.optional(filter, width); err != nil {
		return err
	}
	for _, s := range spans {
		if s.GetLastEqIsArray() && len(s.GetEq()) == 0 {
			return malformed("span without its array")
		}
		for i, e := range s.GetEq() {
			last := s.GetLastEqIsArray() && i == len(s.GetEq())-1
			if !last && e.GetKind() == nil && i < len(s.GetEqNull()) && s.GetEqNull()[i] {
				continue // IS NULL has no value
			}
			if err := v.expr(e, 0, 0); err != nil {
				return err
			}
			if last && types.Class(e.GetType().GetClass()) != types.ClassArray {
				return malformed("span over an array that is none")
			}
		}
		if err := v.optional(s.GetLower(), 0); err != nil {
			return err
		}
		if err := v.optional(s.GetUpper(), 0); err != nil {
			return err
		}
	}
	return nil
}

func (v *validator) table(t *Table) error {
	if t == nil || len(t.GetColumns()) > columnsMax {
		return malformed("missing table")
	}
	for _, c := range t.GetColumns() {
		if err := v.typ(c.GetType()); err != nil {
			return err
		}
	}
	if err := v.exprs(t.GetComputed(), len(t.GetColumns())); err != nil {
		return err
	}
	ext := len(t.GetColumns()) + len(t.GetComputed())
	keys := func(ks []*KeyPart) error {
		for _, k := range ks {
			if int(k.GetOrdinal()) >= ext {
				return outOfRange("key ordinal %d of %d", k.GetOrdinal(), ext)
			}
		}
		return nil
	}
	if err := keys(t.GetPrimaryKey()); err != nil {
		return err
	}
	for _, x := range t.GetIndexes() {
		if err := keys(x.GetKeys()); err != nil {
			return err
		}
		if x.GetPartial() && int(x.GetPredicate()) >= ext {
			return outOfRange("index predicate %d of %d", x.GetPredicate(), ext)
		}
		for _, o := range x.GetInclude() {
			if int(o) >= ext {
				return outOfRange("included ordinal %d of %d", o, ext)
			}
		}
	}
	return nil
}

// ordinals are columns of a table, or system columns.
func (v *validator) ordinals(t *Table, cols []int32) error {
	for _, c := range cols {
		if c < -4 || int(c) >= len(t.GetColumns()) {
			return outOfRange("column ordinal %d of %d", c, len(t.GetColumns()))
		}
	}
	return nil
}

func (v *validator) join(typ JoinType, left, right *Plan, lk, rk []*Expr, residual *Expr, width, depth int) error {
	l, err := v.in(left, depth)
	if err != nil {
		return err
	}
	r, err := v.in(right, depth)
	if err != nil {
		return err
	}
	n := l + r
	switch typ {
	case JoinType_SEMI, JoinType_ANTI, JoinType_NULL_AWARE_ANTI:
		n = l
	case JoinType_RIGHT_SEMI, JoinType_RIGHT_ANTI:
		n = r
	case JoinType_MARK:
		n = l + 1
	case JoinType_INNER, JoinType_LEFT, JoinType_RIGHT, JoinType_FULL, JoinType_SINGLE:
	default:
		return outOfRange("join type %d", typ)
	}
	if n != width {
		return malformed("join of %d columns where %d are promised", n, width)
	}
	if len(lk) != len(rk) {
		return malformed("join with %d and %d keys", len(lk), len(rk))
	}
	if err := v.exprs(lk, l); err != nil {
		return err
	}
	if err := v.exprs(rk, r); err != nil {
		return err
	}
	return v.optional(residual, l+r)
}

func (v *validator) agg(a *Agg, n int, want func(int) error) error {
	if err := want(len(a.GetKeys()) + len(a.GetGroupingCalls()) + len(a.GetCalls())); err != nil {
		return err
	}
	if a.GetPhase() < Agg_COMPLETE || a.GetPhase() > Agg_FINAL {
		return outOfRange("aggregation phase %d", a.GetPhase())
	}
	if a.GetPhase() == Agg_FINAL { // its expressions are over PARTIAL's input and not evaluated
		if n < len(a.GetKeys())+len(a.GetCalls()) {
			return malformed("%d columns of keys and states", n)
		}
		n = columnsMax
	}
	if err := v.exprs(a.GetKeys(), n); err != nil {
		return err
	}
	in := func(ks []uint32) error {
		for _, k := range ks {
			if int(k) >= len(a.GetKeys()) {
				return outOfRange("key %d of %d", k, len(a.GetKeys()))
			}
		}
		return nil
	}
	for _, s := range a.GetSets() {
		if err := in(s.GetKeys()); err != nil {
			return err
		}
	}
	if err := finerSets(a.GetSets()); err != nil {
		return err
	}
	for _, g := range a.GetGroupingCalls() {
		if err := in(g.GetKeys()); err != nil {
			return err
		}
	}
	for _, c := range a.GetCalls() {
		if err := v.typ(c.GetResult()); err != nil {
			return err
		}
		if err := v.exprs(c.GetArgs(), n); err != nil {
			return err
		}
		if err := v.exprs(c.GetDirectArgs(), n); err != nil {
			return err
		}
		if err := v.sortKeys(c.GetOrderBy(), n); err != nil {
			return err
		}
		if err := v.optional(c.GetFilter(), n); err != nil {
			return err
		}
	}
	return nil
}

// finerSets: what a set is combined from has all of its keys, and no set is made of itself.
func finerSets(sets []*GroupingSet) error {
	for i, s := range sets {
		at := s
		for steps := 0; at.GetFiner() != 0; steps++ {
			f := int(at.GetFiner()) - 1
			if f >= len(sets) {
				return outOfRange("grouping set %d of %d", f, len(sets))
			}
			if steps >= len(sets) {
				return malformed("grouping set %d is combined from itself", i)
			}
			for _, k := range at.GetKeys() {
				if !slices.Contains(sets[f].GetKeys(), k) {
					return malformed("grouping set %d is combined from one without key %d", i, k)
				}
			}
			at = sets[f]
		}
	}
	return nil
}

func (v *validator) window(w *Window, n int, want func(int) error) error {
	if err := want(n + len(w.GetCalls())); err != nil {
		return err
	}
	if err := v.exprs(w.GetPartition(), n); err != nil {
		return err
	}
	if err := v.sortKeys(w.GetOrder(), n); err != nil {
		return err
	}
	f := w.GetFrame()
	if f.GetMode() == WindowFrame_RANGE && (f.GetStartOffset() != nil || f.GetEndOffset() != nil) && len(w.GetOrder()) != 1 {
		return malformed("RANGE offset over %d columns", len(w.GetOrder()))
	}
	if err := v.optional(f.GetStartOffset(), 0); err != nil {
		return err
	}
	if err := v.optional(f.GetEndOffset(), 0); err != nil {
		return err
	}
	for _, c := range w.GetCalls() {
		if err := v.typ(c.GetResult()); err != nil {
			return err
		}
		if err := v.exprs(c.GetArgs(), n); err != nil {
			return err
		}
		if err := v.optional(c.GetFilter(), n); err != nil {
			return err
		}
	}
	return nil
}

func (v *validator) modify(m *Modify, width, depth int) error {
	if err := v.table(m.GetTable()); err != nil {
		return err
	}
	n, err := v.in(m.GetInput(), depth)
	if err != nil {
		return err
	}
	cols := len(m.GetTable().GetColumns())
	need := int(m.GetExtraColumns())
	switch m.GetOp() {
	case Modify_INSERT:
		need += cols
	case Modify_UPDATE:
		need += cols + 1
	case Modify_DELETE:
		need++
	case Modify_MERGE:
		need += cols + 2
	default:
		return outOfRange("modification %d", m.GetOp())
	}
	if n < need {
		return malformed("modification of %d columns where %d are needed", n, need)
	}
	if m.GetHasReturning() && len(m.GetReturning()) != width {
		return malformed("RETURNING of %d columns where %d are promised", len(m.GetReturning()), width)
	}
	if err := v.exprs(m.GetReturning(), columnsMax); err != nil {
		return err
	}
	for _, c := range m.GetChecks() {
		if err := v.expr(c.GetExpr(), cols, 0); err != nil {
			return err
		}
	}
	assign := func(as []*Assignment, n int) error {
		for _, a := range as {
			if int(a.GetOrdinal()) >= cols {
				return outOfRange("assignment to column %d of %d", a.GetOrdinal(), cols)
			}
			if err := v.expr(a.GetValue(), n, 0); err != nil {
				return err
			}
		}
		return nil
	}
	if err := assign(m.GetGenerated(), cols); err != nil {
		return err
	}
	if c := m.GetOnConflict(); c != nil {
		if err := assign(c.GetSet(), 2*cols); err != nil {
			return err
		}
		if err := v.optional(c.GetWhere(), 2*cols); err != nil {
			return err
		}
		for _, b := range c.GetBindings() {
			if err := v.optional(b.GetValue(), 2*cols); err != nil {
				return err
			}
		}
		for _, x := range c.GetIndexes() {
			if int(x) >= len(m.GetTable().GetIndexes()) {
				return outOfRange("arbiter index %d", x)
			}
		}
	}
	if err := v.ordinals(m.GetTable(), m.GetRecheckColumns()); err != nil {
		return err
	}
	if m.GetRecheck() != nil {
		return v.plan(m.GetRecheck(), depth)
	}
	return nil
}

func (v *validator) sortKeys(ks []*SortKey, n int) error {
	for _, k := range ks {
		if err := v.expr(k.GetExpr(), n, 0); err != nil {
			return err
		}
		if t := k.GetExpr().GetType().T(); !types.Comparable(t) {
			return outOfRange("sort by type %d", t.OID)
		}
	}
	return nil
}

func (v *validator) set(s *SetFunc, n int) error {
	if s == nil {
		return nil
	}
	if err := v.typ(s.GetResult()); err != nil {
		return err
	}
	return v.exprs(s.GetArgs(), n)
}

// typ rejects types whose class contradicts their form.
func (v *validator) typ(t *Type) error {
	if t == nil || t.GetOid() == 0 {
		return malformed("missing type")
	}
	switch c := types.Class(t.GetClass()); {
	case c > types.ClassPseudo:
		return outOfRange("type class %d", t.GetClass())
	case c == types.ClassArray && t.GetElem() == 0:
		return malformed("array type %d without an element type", t.GetOid())
	}
	if o := types.OID(t.GetOid()); o < types.FirstNormalOID && types.Of(o).Class != types.Class(t.GetClass()) && types.Class(t.GetClass()) != types.ClassComposite {
		return outOfRange("type %d as class %d", t.GetOid(), t.GetClass())
	}
	return nil
}
