package plan

import (
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// General unnesting of dependent joins, for what pulling conditions up cannot do
// (pass_decorrelate.go), after Neumann and Kemper, "Unnesting Arbitrary Queries".
// The left side is computed once and kept; the distinct values of its columns that
// the right side uses, the domain, are joined into the right side instead, at the
// leaves that need them, and carried up through its operators (unnest_push.go). The
// join then matches the left row's values with those carried along, NULL with NULL.
// The right side is so computed once for all values that occur, and for no others.
//
// Where equal values of a column can be told apart (1.0 and 1.00), or have no
// equality at all (json), the rows of the left side are numbered and the number is
// what is carried: the domain is the rows themselves then.
//
// The left side is kept as a common table expression where it can be computed away
// from its place. Where it cannot (rows being changed or locked, which a re-check
// computes again; rows that depend on an outer row), and below a LIMIT that may not
// want all its rows, it is kept by stretches (relBatch).
//
// What runs per row:
//   - right sides with volatile expressions, row locks, or a recursive query that
//     depends on the row: how often they run, and how far, shows
//   - set-returning functions in LATERAL: they have to be called for every value
//   - where the left side has at most one row: nothing is saved
//   - conditional sub-selects (CASE, COALESCE) of one row: they run if the condition holds
//   - LIMIT and OFFSET that are no constants, in a sub-select

type unnester struct {
	p     *planner
	outer ColSet
	// params are the left columns carried through the right; keys are those of them
	// that tell the rows of the domain apart.
	params, keys []Col
	cte          *cteInfo  // the left side kept whole, or
	batch        *relBatch // in stretches
	rows         float64   // of the left side
}

// batchRowsFirst is the first stretch of a left side that may not be read to its end.
const batchRowsFirst = 32

// carried maps the columns of the left side to those carried through the right.
type carried map[Col]query.Expr

// unnest makes the right side of j independent of its left; nil when it cannot.
// Joins that depend on a row further out wait for the join with that one, unless
// last says that there will be none.
func (p *planner) unnest(j *relJoin, lcols ColSet, last bool) rel {
	if isGate(j.left) || p.maxOneRow(j.left) || overFunction(j.right) {
		return nil
	}
	depends := !freeCols(j).empty()
	if depends && !last {
		return nil
	}
	switch j.typ {
	case joinInner, joinLeft, joinSingle, joinSemi, joinAnti, joinMark:
	default:
		return nil
	}
	right := cloneRel(j.right)
	if right == nil {
		return nil
	}
	u := &unnester{p: p, outer: lcols, params: freeCols(right).intersect(lcols).list(), rows: p.rows(j.left)}
	if !u.can(right) {
		return nil
	}
	exact := true
	for _, c := range u.params {
		exact = exact && exactEquality(p.cols[c].t)
	}
	left := j.left
	nn := p.nonNull(left)
	if u.keys = u.params; !exact {
		id := p.newCol(colInfo{t: types.Of(types.Int8), name: "row_number", notNull: true})
		left = &relWindow{unary: unary{left}, calls: []windowItem{{id, p.rowNumber()}}, frame: rowsSoFar}
		u.keys, u.params = []Col{id}, append(u.params, id)
		nn.add(id)
	}
	cols := outCols(left).list()
	var l rel
	if p.shareable(left) && !depends && !p.earlyStop[j] {
		u.cte = &cteInfo{id: uint32(len(p.ctes)), name: "outer_rows", rel: left, cols: cols}
		p.ctes = append(p.ctes, u.cte)
		u.cte.refs++
		l = &relCTE{cte: u.cte, cols: cols, alias: u.cte.name}
		p.trace("decorrelate", "domain")
	} else {
		p.targets++
		u.batch = &relBatch{in: left, slot: p.targets, cols: cols}
		if p.earlyStop[j] {
			u.batch.first = batchRowsFirst
		}
		l = &relChunk{slot: u.batch.slot, cols: cols, rows: u.rows}
		p.trace("decorrelate", "domain_by_stretches")
	}
	r, m := u.push(right)
	quals := append([]query.Expr{}, j.quals...)
	for _, c := range u.keys {
		// NULL matches NULL, and of the conditions of an exact mark none but the test may be unknown.
		quals = append(quals, p.sameValue(p.colVar(c), m[c], !nn.has(c) || j.exact()))
	}
	n := &relJoin{typ: j.typ, left: l, right: p.decorrelateTree(r, last), quals: quals, mark: j.mark, subplan: j.subplan}
	if u.batch == nil {
		return n
	}
	u.batch.body = n
	return u.batch
}

// rowNumber is row_number() OVER (…).
func (p *planner) rowNumber() *query.WindowFunc {
	return &query.WindowFunc{Base: query.Base{T: types.Of(types.Int8), Loc: -1}, Func: procRowNumber, Name: "row_number"}
}

// rowsSoFar is the default frame.
var rowsSoFar = query.Frame{Mode: query.FrameRange, Start: query.UnboundedPreceding, End: query.CurrentRow}

// overFunction: the right side is a function of the left's row and what is made of
// its rows one by one: it has to be called for every value, in a join as well.
func overFunction(r rel) bool {
	for {
		switch x := r.(type) {
		case *relFunction:
			return true
		case *relFilter:
			r = x.in
		case *relProject:
			r = x.in
		default:
			return false
		}
	}
}

// shareable: the tree may be computed once, away from its place.
func (p *planner) shareable(r rel) bool {
	switch x := r.(type) {
	case *relGet:
		if x.target != 0 {
			return false
		}
	case *relLock, *relModify, *relWorkTable, *relChunk:
		return false
	}
	for _, in := range r.inputs() {
		if !p.shareable(in) {
			return false
		}
	}
	return true
}

// exactEquality: equal values of the type cannot be told apart (1.0 = 1.00 can).
func exactEquality(t types.T) bool {
	switch t.OID {
	case types.Bool, types.Int2, types.Int4, types.Int8, types.Oid, types.Text, types.VarChar, types.Name, types.Char,
		types.DateOID, types.TimestampOID, types.TimestampTZOID, types.UUIDOID, types.Bytea, types.Bit, types.VarBit:
		return true
	}
	return t.Class == types.ClassEnum
}

// sameValue is a = b, or a IS NOT DISTINCT FROM b.
func (p *planner) sameValue(a, b query.Expr, nulls bool) query.Expr {
	t := a.Type()
	oc, equal := p.cat.DefaultOpClass("hash", t.OID), 1
	if oc == nil { // bit strings have an ordering only
		oc, equal = p.cat.DefaultOpClass("btree", t.OID), 3
	}
	if oc == nil {
		p.bug("no equality for type %d", t.OID)
	}
	op := p.cat.Operator(p.cat.FamilyOperator(oc.Family, oc.InType, oc.InType, equal))
	if op == nil {
		p.bug("no equality for type %d", t.OID)
	}
	if oc.InType != t.OID && t.Class == types.ClassBase {
		in := types.Of(oc.InType)
		a = &query.RelabelType{Base: query.Base{T: in, Coll: a.Collation(), Loc: -1}, Arg: a, Form: query.CoerceImplicitCast}
		b = &query.RelabelType{Base: query.Base{T: in, Coll: b.Collation(), Loc: -1}, Arg: b, Form: query.CoerceImplicitCast}
	}
	if nulls {
		return notExpr(&query.DistinctExpr{Base: boolBase, Op: op.OID, Func: op.Func, Left: a, Right: b})
	}
	return &query.OpExpr{Base: boolBase, Op: op.OID, Func: op.Func, Name: "=", Args: []query.Expr{a, b}}
}

// stopsEarly notes the joins on the way from a LIMIT down its streaming inputs,
// whose left sides may not be read to the end.
func (p *planner) stopsEarly(r rel, under bool) {
	switch x := r.(type) {
	case *relLimit:
		under = under || !isNil(x.count)
	case *relFilter, *relProject, *relProjectSet:
	case *relJoin:
		if under {
			if p.earlyStop == nil {
				p.earlyStop = map[*relJoin]bool{}
			}
			p.earlyStop[x] = true
		}
		p.stopsEarly(x.left, under)
		p.stopsEarly(x.right, false)
		return
	default:
		under = false
	}
	for _, in := range r.inputs() {
		p.stopsEarly(in, under)
	}
}
