package rewrite

import (
	"slices"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// operators over records: = and <.
const (
	recordEq types.OID = 2988
	recordLt types.OID = 2990
	arrayEq  types.OID = 1070
	arrayLt  types.OID = 1072
)

// searchCycle adds the columns of SEARCH and CYCLE to a recursive WITH item:
//
//	SELECT …, ARRAY[ROW(by)] seq, default mark, ARRAY[ROW(cols)] path FROM (first term)
//	UNION ALL
//	SELECT …, seq || ROW(by), CASE WHEN ROW(cols) = ANY (path) THEN value ELSE default END, path || ROW(cols)
//	FROM (recursive term, with the item's own seq, mark and path) WHERE mark <> value
//
// Breadth first, seq is ROW(0, by) and one more than before at each step.
func (r *rewriter) searchCycle(c *query.CommonTableExpr) (*query.CommonTableExpr, error) {
	if c.Search == nil && c.Cycle == nil {
		return c, nil
	}
	w := &walkColumns{cte: c, width: len(c.ColNames), op: c.Query.SetOperations}
	cat, inc := r.cat.Functions("array_cat"), r.cat.Functions("int8inc")
	eq := r.cat.Operator(recordEq)
	if len(cat) == 0 || len(inc) == 0 || eq == nil {
		return nil, pgerror.Internal("the operators of SEARCH and CYCLE are missing")
	}
	w.arrayCat, w.int8Inc, w.recordEq = cat[0].OID, inc[0].OID, eq.Func
	if c.Cycle != nil {
		ne := r.cat.Operator(c.Cycle.MarkNotEqual)
		if ne == nil {
			return nil, pgerror.Internal("CYCLE has no inequality operator")
		}
		w.markNE, w.markNEName = ne.Func, ne.Name
	}
	left, err := w.term(w.op.Left.RTIndex, false)
	if err != nil {
		return nil, err
	}
	right, err := w.term(w.op.Right.RTIndex, true)
	if err != nil {
		return nil, err
	}
	q := c.Query.Copy()
	q.RTable = slices.Clone(q.RTable)
	q.RTable[w.op.Left.RTIndex-1], q.RTable[w.op.Right.RTIndex-1] = left, right
	op := *w.op
	op.ColTypes, op.ColCollations, op.GroupClauses = slices.Clone(op.ColTypes), slices.Clone(op.ColCollations), slices.Clone(op.GroupClauses)
	q.TargetList = slices.Clone(q.TargetList)
	out := *c
	out.Query, out.Search, out.Cycle = q, nil, nil
	out.ColNames, out.ColTypes, out.ColCollations = slices.Clone(c.ColNames), slices.Clone(c.ColTypes), slices.Clone(c.ColCollations)
	for _, col := range w.added() {
		out.ColNames, out.ColTypes, out.ColCollations = append(out.ColNames, col.name), append(out.ColTypes, col.t), append(out.ColCollations, col.coll)
		op.ColTypes, op.ColCollations = append(op.ColTypes, col.t), append(op.ColCollations, col.coll)
		if !op.All {
			op.GroupClauses = append(op.GroupClauses, col.group)
		}
		n := len(out.ColNames)
		q.TargetList = append(q.TargetList, &query.TargetEntry{ResNo: n, Name: col.name,
			Expr: &query.Var{Base: query.Base{T: col.t, Coll: col.coll, Loc: -1}, RTIndex: op.Left.RTIndex, AttNum: n}})
	}
	q.SetOperations = &op
	return &out, nil
}

type walkColumns struct {
	cte                         *query.CommonTableExpr
	op                          *query.SetOperation
	width                       int // columns without those added
	arrayCat, int8Inc, recordEq types.OID
	markNE                      types.OID
	markNEName                  string
}

// walkColumn is an added column.
type walkColumn struct {
	name  string
	t     types.T
	coll  types.OID
	group query.SortGroupClause
}

// added lists the added columns in their order.
func (w *walkColumns) added() []walkColumn {
	var out []walkColumn
	rows := query.SortGroupClause{EqOp: arrayEq, SortOp: arrayLt, Hashable: true}
	if s := w.cte.Search; s != nil {
		if s.BreadthFirst {
			out = append(out, walkColumn{name: s.SeqColumn, t: types.Of(types.RecordOID), group: query.SortGroupClause{EqOp: recordEq, SortOp: recordLt, Hashable: true}})
		} else {
			out = append(out, walkColumn{name: s.SeqColumn, t: types.Of(types.RecordArray), group: rows})
		}
	}
	if y := w.cte.Cycle; y != nil {
		out = append(out, walkColumn{name: y.MarkColumn, t: y.MarkType, coll: y.MarkCollation, group: y.MarkGroup},
			walkColumn{name: y.PathColumn, t: types.Of(types.RecordArray), group: rows})
	}
	return out
}

// term wraps one side of the UNION in a query that computes the added columns.
func (w *walkColumns) term(rti int, recursive bool) (*query.RangeTblEntry, error) {
	old := w.cte.Query.RTable[rti-1]
	inner, err := w.inner(old.Subquery, recursive)
	if err != nil {
		return nil, err
	}
	added := w.added()
	sub := &query.RangeTblEntry{Kind: query.RTESubquery, Subquery: inner, ERefName: "*TLOCRN*"}
	if recursive {
		sub.ERefName = "*TROCRN*"
	}
	outer := &query.Query{Command: query.CmdSelect, RTable: []*query.RangeTblEntry{sub}}
	from := &query.FromExpr{Items: []query.FromItem{&query.RangeTblRef{RTIndex: 1}}}
	outer.JoinTree = from
	var cols []query.Expr // the columns of the term, by number
	for _, t := range inner.TargetList {
		if t.Junk {
			continue
		}
		typ, coll := t.Expr.Type(), t.Expr.Collation()
		sub.ERefColumns, sub.ColTypes, sub.ColCollations = append(sub.ERefColumns, t.Name), append(sub.ColTypes, typ), append(sub.ColCollations, coll)
		cols = append(cols, &query.Var{Base: query.Base{T: typ, Coll: coll, Loc: -1}, RTIndex: 1, AttNum: t.ResNo})
	}
	e := &query.RangeTblEntry{Kind: query.RTESubquery, Subquery: outer, ERefName: old.ERefName}
	target := func(x query.Expr, name string) {
		outer.TargetList = append(outer.TargetList, &query.TargetEntry{Expr: x, ResNo: len(outer.TargetList) + 1, Name: name})
		e.ERefColumns, e.ColTypes, e.ColCollations = append(e.ERefColumns, name), append(e.ColTypes, x.Type()), append(e.ColCollations, x.Collation())
	}
	for i := range w.width {
		target(cols[i], w.cte.ColNames[i])
	}
	own := cols[w.width:] // the recursive reference's seq, mark, path
	if s := w.cte.Search; s != nil {
		switch {
		case s.BreadthFirst && recursive:
			depth := &query.FieldSelect{Base: query.Base{T: types.Of(types.Int8), Loc: -1}, Arg: own[0], Field: 1}
			next := &query.FuncExpr{Base: query.Base{T: types.Of(types.Int8), Loc: -1}, Func: w.int8Inc, Name: "int8inc", Args: []query.Expr{depth}}
			target(w.row(cols, s.Columns, next), s.SeqColumn)
		case s.BreadthFirst:
			zero := &query.Const{Base: query.Base{T: types.Of(types.Int8), Loc: -1}, Value: int64(0)}
			target(w.row(cols, s.Columns, zero), s.SeqColumn)
		case recursive:
			target(w.append(own[0], w.row(cols, s.Columns, nil)), s.SeqColumn)
		default:
			target(rowArray(w.row(cols, s.Columns, nil)), s.SeqColumn)
		}
		if recursive {
			own = own[1:]
		}
	}
	if y := w.cte.Cycle; y != nil {
		row := w.row(cols, y.Columns, nil)
		if recursive {
			mark, path := own[0], own[1]
			seen := &query.ScalarArrayOpExpr{Base: query.Base{T: types.Of(types.Bool), Loc: -1}, Op: recordEq, Func: w.recordEq, Name: "=", UseOr: true, Scalar: row, Array: path}
			target(&query.CaseExpr{Base: query.Base{T: y.MarkType, Coll: y.MarkCollation, Loc: -1},
				Whens: []query.CaseWhen{{Cond: seen, Result: y.MarkValue}}, Default: y.MarkDefault}, y.MarkColumn)
			target(w.append(path, row), y.PathColumn)
			from.Quals = &query.OpExpr{Base: query.Base{T: types.Of(types.Bool), Loc: -1}, Op: y.MarkNotEqual, Func: w.markNE, Name: w.markNEName,
				Args: []query.Expr{mark, y.MarkValue}, InputColl: y.MarkCollation}
		} else {
			target(y.MarkDefault, y.MarkColumn)
			target(rowArray(row), y.PathColumn)
		}
	}
	if len(cols) != w.width && len(cols) != w.width+len(added) {
		return nil, pgerror.Internal("recursive query %s has %d columns", w.cte.Name, len(cols))
	}
	return e, nil
}

// inner is a side of the UNION as written, one level deeper; the recursive one
// also gives the added columns of its reference to the item.
func (w *walkColumns) inner(q *query.Query, recursive bool) (*query.Query, error) {
	ref := 0
	for i, e := range q.RTable {
		if e.Kind == query.RTECTE && e.CTEName == w.cte.Name && e.SelfReference && e.CTELevelsUp == 2 {
			ref = i + 1
			break
		}
	}
	q = query.IncrementQueryLevels(q, 1, 1)
	if !recursive {
		return q, nil
	}
	if ref == 0 {
		return nil, pgerror.New(pgerror.FeatureNotSupported,
			"with a SEARCH or CYCLE clause, the recursive reference to WITH query \"%s\" must be at the top level of its right-hand SELECT", w.cte.Name)
	}
	q = q.Copy()
	var targets, junk []*query.TargetEntry
	for _, t := range q.TargetList {
		if t.Junk {
			junk = append(junk, t)
		} else {
			targets = append(targets, t)
		}
	}
	for i, col := range w.added() {
		targets = append(targets, &query.TargetEntry{ResNo: len(targets) + 1, Name: col.name,
			Expr: &query.Var{Base: query.Base{T: col.t, Coll: col.coll, Loc: -1}, RTIndex: ref, AttNum: w.width + i + 1}})
	}
	for _, t := range junk {
		c := *t
		c.ResNo = len(targets) + 1
		targets = append(targets, &c)
	}
	q.TargetList = targets
	return q, nil
}

// row is ROW of named columns, with first before them if it is given.
func (w *walkColumns) row(cols []query.Expr, names []string, first query.Expr) query.Expr {
	out := &query.RowExpr{Base: query.Base{T: types.Of(types.RecordOID), Loc: -1}}
	if first != nil {
		out.Fields, out.Names = append(out.Fields, first), append(out.Names, "*DEPTH*")
	}
	for _, n := range names {
		i := slices.Index(w.cte.ColNames, n)
		out.Fields, out.Names = append(out.Fields, cols[i]), append(out.Names, n)
	}
	return out
}

func rowArray(row query.Expr) query.Expr {
	return &query.ArrayExpr{Base: query.Base{T: types.Of(types.RecordArray), Loc: -1}, Elems: []query.Expr{row}, ElemType: types.Of(types.RecordOID)}
}

// append is array || ROW.
func (w *walkColumns) append(array, row query.Expr) query.Expr {
	return &query.FuncExpr{Base: query.Base{T: types.Of(types.RecordArray), Loc: -1}, Func: w.arrayCat, Name: "array_cat", Args: []query.Expr{array, rowArray(row)}}
}
