package plan

import (
	"slices"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// rel is a node of the relational tree. Nodes are owned by one planning run and
// changed in place by the passes; a node has one parent.
type rel interface {
	// inputs gives the children; setInput replaces child i.
	inputs() []rel
	setInput(i int, r rel)
}

type (
	leaf  struct{}
	unary struct{ in rel }
)

func (leaf) inputs() []rel                 { return nil }
func (leaf) setInput(int, rel)             {}
func (u *unary) inputs() []rel             { return []rel{u.in} }
func (u *unary) setInput(_ int, r rel)     { u.in = r }
func (j *relJoin) inputs() []rel           { return []rel{j.left, j.right} }
func (a *relAppend) inputs() []rel         { return a.ins }
func (a *relAppend) setInput(i int, r rel) { a.ins[i] = r }
func (s *relSetOp) inputs() []rel          { return []rel{s.left, s.right} }
func (r *relRecursive) inputs() []rel      { return []rel{r.left, r.right} }
func (b *relBatch) inputs() []rel          { return []rel{b.in, b.body} }
func (b *relBatch) setInput(i int, r rel) {
	if i == 0 {
		b.in = r
	} else {
		b.body = r
	}
}
func (j *relJoin) setInput(i int, r rel) {
	if i == 0 {
		j.left = r
	} else {
		j.right = r
	}
}
func (s *relSetOp) setInput(i int, r rel) {
	if i == 0 {
		s.left = r
	} else {
		s.right = r
	}
}
func (s *relRecursive) setInput(i int, r rel) {
	if i == 0 {
		s.left = r
	} else {
		s.right = r
	}
}

// projItem computes column col.
type projItem struct {
	col  Col
	expr query.Expr
}

// sortItem is one sort key.
type sortItem struct {
	expr       query.Expr
	desc       bool
	nullsFirst bool
}

// getCol is a stored column delivered by a relGet: its ordinal in the table, or a
// system column (negative, as in planpb.Scan).
type getCol struct {
	col Col
	ord int32
}

// relGet reads a table; quals hold for its rows. Columns are added on demand.
type relGet struct {
	leaf
	table  *catalog.Relation
	stored *planpb.Table
	alias  string
	cols   []getCol
	quals  []query.Expr
	sample *query.TableSample
	// target marks the scan of the row that a Modify changes or LockRows locks:
	// rechecks replace it by the ChunkScan of this slot + 1.
	target uint32
}

// relResult is a single row without columns.
type relResult struct{ leaf }

// relValues is a list of rows.
type relValues struct {
	leaf
	cols  []Col
	rows  [][]query.Expr
	alias string
}

// relFilter keeps the rows for which all quals are true.
type relFilter struct {
	unary
	quals []query.Expr
}

// relProject adds computed columns to its input's.
type relProject struct {
	unary
	items []projItem
	// barrier keeps the items from being merged upwards: the select list of an
	// OFFSET 0 subquery or volatile expressions.
	barrier bool
	// alias is set on top of a sub-select: EXPLAIN's Subquery Scan.
	alias string
}

// joinType is planpb's join types; RIGHT kinds appear in the physical tree only.
type joinType uint8

const (
	joinInner joinType = iota
	joinLeft
	joinFull
	joinSemi
	joinAnti
	joinNullAwareAnti
	joinMark
	joinSingle
)

func (t joinType) String() string {
	return [...]string{"inner", "left", "full", "semi", "anti", "null-aware anti", "mark", "single"}[t]
}

// relJoin joins; the right side may use columns of the left (an Apply). For
// joinMark the result is column mark (true, false or NULL as x IN (…) says, where
// the quals as a whole are "x = y").
type relJoin struct {
	typ         joinType
	left, right rel
	quals       []query.Expr
	mark        Col
	// subplan names the sub-select it was made from, for EXPLAIN.
	subplan string
	// hint fixes left/right roles and the method chosen by the join_order pass.
	hint joinHint
	// given are columns of the right side that are known to be equal to values (constantsForRight).
	given ColSet
}

// exact: a mark whose NULL is told from FALSE.
func (j *relJoin) exact() bool { return j.typ == joinMark && j.subplan == "exact" }

// joinHint is what join ordering decided.
type joinHint uint8

const (
	hintNone  joinHint = iota
	hintIndex          // parameterised index access on the right
	hintFixed          // build side decided: right
)

// aggItem computes aggregate col over the group.
type aggItem struct {
	col Col
	agg *query.Aggref
	// whole is the call itself where agg is over its states (FINAL).
	whole *query.Aggref
}

// relGroup groups by keys. Without keys and sets it gives exactly one row.
type relGroup struct {
	unary
	keys []projItem
	aggs []aggItem
	// sets lists positions in keys; nil: one set of all keys.
	sets [][]int
	// groupings are GROUPING() calls: positions in keys.
	groupings []groupingItem
	distinct  bool // made from DISTINCT or UNION
	// phase: PARTIAL gives keys and states, FINAL takes them: its keys and the arguments of
	// its calls are columns (pass_eager_agg.go).
	phase planpb.Agg_Phase
}

type groupingItem struct {
	col  Col
	keys []int
}

// scalar: an aggregation that yields one row even for no input.
func (g *relGroup) scalar() bool { return len(g.keys) == 0 && g.sets == nil }

// relWindow computes the window functions of one window clause.
type relWindow struct {
	unary
	partition []query.Expr
	order     []sortItem
	frame     query.Frame
	calls     []windowItem
}

type windowItem struct {
	col Col
	fn  *query.WindowFunc
}

// relSort orders its input. final: the order is that of the query, and joins above
// have to keep it (phys_order.go).
type relSort struct {
	unary
	keys  []sortItem
	final bool
}

// relLimit cuts; ties is set for WITH TIES.
type relLimit struct {
	unary
	count, offset query.Expr
	withTies      bool
	ties          []sortItem
}

// relDistinctOn keeps the first row of each run of equal keys.
type relDistinctOn struct {
	unary
	keys []query.Expr
}

// relAppend is UNION ALL: column i of the output is inCols[k][i] of input k.
type relAppend struct {
	ins    []rel
	cols   []Col
	inCols [][]Col
}

// relSetOp is INTERSECT or EXCEPT.
type relSetOp struct {
	left, right  rel
	op           planpb.SetOp_Op
	cols         []Col
	lcols, rcols []Col
}

// setItem is a select-list item under ProjectSet: an expression or a set-returning call.
type setItem struct {
	col Col
	set bool
	fn  query.Expr // FuncExpr or OpExpr when set
}

// relProjectSet expands set-returning functions; its input's columns pass through.
type relProjectSet struct {
	unary
	items []setItem
}

// relFunction is ROWS FROM (…).
type relFunction struct {
	leaf
	funcs      []*query.RangeTblFunction
	cols       []Col // of all functions, then the ordinality
	ordinality bool
	alias      string
}

// relCTE reads a shared subplan.
type relCTE struct {
	leaf
	cte   *cteInfo
	cols  []Col // per column of the CTE; 0: not used
	alias string
}

// relBatch runs body for stretches of in's rows (planpb.BatchApply), which the
// relChunks of the same slot in it read. Its columns are body's.
type relBatch struct {
	in, body rel
	slot     uint32
	cols     []Col  // of in, as handed to body
	first    uint32 // rows of the first stretch; 0: all
}

// relChunk reads the stretch in work of the relBatch around it.
type relChunk struct {
	leaf
	slot uint32
	cols []Col
	rows float64
}

// readsWorkTable: r depends on the round of a recursion around it.
func readsWorkTable(r rel) bool {
	var reads func(r rel, own []uint32) bool
	reads = func(r rel, own []uint32) bool {
		switch x := r.(type) {
		case *relWorkTable:
			return !slices.Contains(own, x.table)
		case *relRecursive:
			own = append(own[:len(own):len(own)], x.table)
		}
		return slices.ContainsFunc(r.inputs(), func(in rel) bool { return reads(in, own) })
	}
	return reads(r, nil)
}

// relRecursive is WITH RECURSIVE's loop.
type relRecursive struct {
	left, right  rel
	cols         []Col
	lcols, rcols []Col
	distinct     bool
	table        uint32
}

// relWorkTable reads the work table of an enclosing relRecursive.
type relWorkTable struct {
	leaf
	table uint32
	cols  []Col
	alias string
}

// lockTarget is one relation of a relLock.
type lockTarget struct {
	get              *relGet
	locator          Col
	strength, policy uint32
}

// relLock locks the rows of its targets.
type relLock struct {
	unary
	targets []lockTarget
	scanOf  rel
}

// relModify changes a table.
type relModify struct {
	unary
	op     planpb.Modify_Op
	table  *catalog.Relation
	stored *planpb.Table
	alias  string
	// inCols are the leading input columns in the order planpb.Modify wants.
	inCols []Col
	// extra are input columns passed to returning.
	extra []Col
	// rowCols are the Cols by which returning and checks name the new (DELETE: old) row, per ordinal.
	rowCols   []Col
	returning []projItem
	checks    []modifyCheck
	generated []modifyAssign
	conflict  *modifyConflict
	changed   []int
	actions   []*planpb.MergeAction
	target    *relGet // nil for INSERT
	source    string
}

type modifyCheck struct {
	name, view string
	expr       query.Expr
}

type modifyAssign struct {
	ord  int
	expr query.Expr
}

type modifyConflict struct {
	update   bool
	anyIndex bool
	primary  bool
	indexes  []int
	names    []string
	set      []modifyAssign
	where    query.Expr
	excluded []Col    // per ordinal
	inits    []uint32 // slots of init plans that run for every row
	bound    ColSet   // columns of the row that these read
}

// cteInfo is one WITH item that is materialized.
type cteInfo struct {
	id        uint32
	name      string
	query     *query.Query
	rel       rel
	cols      []Col // outputs of rel
	modifying bool
	fence     bool // conditions stay out: AS MATERIALIZED, or recursive
	refs      int
	node      *Node
	rows      float64
}

// outCols is the set of columns a tree delivers.
func outCols(r rel) ColSet {
	var s ColSet
	switch x := r.(type) {
	case *colsRel:
		return x.cols
	case *relGet:
		for _, c := range x.cols {
			s.add(c.col)
		}
	case *relValues:
		s = setOf(x.cols...)
	case *relFunction:
		s = setOf(x.cols...)
	case *relCTE:
		for _, c := range x.cols {
			if c != 0 {
				s.add(c)
			}
		}
	case *relWorkTable:
		s = setOf(x.cols...)
	case *relChunk:
		s = setOf(x.cols...)
	case *relBatch:
		s = outCols(x.body)
	case *relAppend:
		s = setOf(x.cols...)
	case *relSetOp:
		s = setOf(x.cols...)
	case *relRecursive:
		s = setOf(x.cols...)
	case *relProject:
		s = outCols(x.in)
		for _, it := range x.items {
			s.add(it.col)
		}
	case *relProjectSet:
		s = outCols(x.in)
		for _, it := range x.items {
			s.add(it.col)
		}
	case *relWindow:
		s = outCols(x.in)
		for _, it := range x.calls {
			s.add(it.col)
		}
	case *relGroup:
		for _, k := range x.keys {
			s.add(k.col)
		}
		for _, k := range x.groupings {
			s.add(k.col)
		}
		for _, a := range x.aggs {
			s.add(a.col)
		}
	case *relJoin:
		s = outCols(x.left)
		switch x.typ {
		case joinInner, joinLeft, joinFull, joinSingle:
			s.addAll(outCols(x.right))
		case joinMark:
			s.add(x.mark)
		}
	case *relModify:
		for _, it := range x.returning {
			s.add(it.col)
		}
	default:
		for _, in := range r.inputs() {
			s.addAll(outCols(in))
		}
	}
	return s
}

// mapRelExprs applies f to every expression directly in the node r.
func mapRelExprs(r rel, f func(query.Expr) query.Expr) {
	list := func(es []query.Expr) {
		for i := range es {
			if !isNil(es[i]) {
				es[i] = f(es[i])
			}
		}
	}
	items := func(its []projItem) {
		for i := range its {
			its[i].expr = f(its[i].expr)
		}
	}
	sorts := func(ks []sortItem) {
		for i := range ks {
			ks[i].expr = f(ks[i].expr)
		}
	}
	opt := func(e *query.Expr) {
		if !isNil(*e) {
			*e = f(*e)
		}
	}
	switch x := r.(type) {
	case *relGet:
		list(x.quals)
	case *relValues:
		for _, row := range x.rows {
			list(row)
		}
	case *relFilter:
		list(x.quals)
	case *relProject:
		items(x.items)
	case *relJoin:
		list(x.quals)
	case *relGroup:
		items(x.keys)
		for i, a := range x.aggs {
			if n, ok := f(a.agg).(*query.Aggref); ok {
				x.aggs[i].agg = n
			}
		}
	case *relWindow:
		list(x.partition)
		sorts(x.order)
		opt(&x.frame.StartOffset)
		opt(&x.frame.EndOffset)
		for i, w := range x.calls {
			if n, ok := f(w.fn).(*query.WindowFunc); ok {
				x.calls[i].fn = n
			}
		}
	case *relSort:
		sorts(x.keys)
	case *relLimit:
		opt(&x.count)
		opt(&x.offset)
		sorts(x.ties)
	case *relDistinctOn:
		list(x.keys)
	case *relProjectSet:
		for i := range x.items {
			x.items[i].fn = f(x.items[i].fn)
		}
	case *relFunction:
		for i, fn := range x.funcs {
			if e := f(fn.Expr); e != fn.Expr {
				c := *fn
				c.Expr = e
				x.funcs[i] = &c
			}
		}
	case *relModify:
		items(x.returning)
		for i := range x.checks {
			x.checks[i].expr = f(x.checks[i].expr)
		}
		for i := range x.generated {
			x.generated[i].expr = f(x.generated[i].expr)
		}
		if c := x.conflict; c != nil {
			for i := range c.set {
				c.set[i].expr = f(c.set[i].expr)
			}
			opt(&c.where)
		}
	}
}

// usedCols is the set of columns that the expressions and fixed columns of the node r alone use.
func usedCols(r rel) ColSet {
	var s ColSet
	mapRelExprs(r, func(e query.Expr) query.Expr { s.addAll(exprCols(e)); return e })
	addList := func(cs []Col) {
		for _, c := range cs {
			if c != 0 {
				s.add(c)
			}
		}
	}
	switch x := r.(type) {
	case *relAppend:
		for _, cs := range x.inCols {
			addList(cs)
		}
	case *relSetOp:
		addList(x.lcols)
		addList(x.rcols)
	case *relBatch:
		addList(x.cols)
	case *relRecursive:
		addList(x.lcols)
		addList(x.rcols)
	case *relLock:
		for _, t := range x.targets {
			s.add(t.locator)
		}
	case *relModify:
		// rowCols and excluded name the rows inside Modify, they come from no input.
		var own ColSet
		for _, c := range x.rowCols {
			own.add(c)
		}
		if x.conflict != nil {
			for _, c := range x.conflict.excluded {
				own.add(c)
			}
		}
		s = s.minus(own)
		addList(x.inCols)
		addList(x.extra)
	}
	return s
}

// freeCols is the set of columns a tree uses but does not produce.
func freeCols(r rel) ColSet {
	used, made := colUse(r)
	return used.minus(made)
}

// colUse gives all columns used and all produced anywhere in the tree.
func colUse(r rel) (used, made ColSet) {
	used = usedCols(r)
	made = outCols(r)
	for _, in := range r.inputs() {
		u, m := colUse(in)
		used.addAll(u)
		made.addAll(m)
	}
	return used, made
}

// correlated: r uses columns of set.
func correlated(r rel, set ColSet) bool { return freeCols(r).intersects(set) }

// column types of a list of columns.
func (p *planner) typesOf(cols []Col) []types.T {
	ts := make([]types.T, len(cols))
	for i, c := range cols {
		ts[i] = p.cols[c].t
	}
	return ts
}
