package analyze

import (
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// nsItem is a range table entry as names see it (ParseNamespaceItem).
type nsItem struct {
	name string
	// schema and relid tell relations of one name apart.
	relid       types.OID
	rti         int
	rte         *query.RangeTblEntry
	cols        []nsCol
	relVisible  bool
	colsVisible bool
	lateralOnly bool
	lateralOK   bool
}

// nsCol says which Var a column is.
type nsCol struct {
	rti, att int
	typ      types.T
	coll     types.OID
	syn      int // range table index to print it with, when not rti
	synAtt   int
	hidden   bool // not in *
}

// item makes the plain namespace item of an entry.
func (ps *pstate) item(r *query.RangeTblEntry, rti int) *nsItem {
	it := &nsItem{name: r.ERefName, rti: rti, rte: r, relid: r.Relid, relVisible: true, colsVisible: true, lateralOK: true}
	it.cols = make([]nsCol, len(r.ERefColumns))
	for i := range r.ERefColumns {
		it.cols[i] = nsCol{rti: rti, att: i + 1, typ: r.ColTypes[i], coll: r.ColCollations[i]}
	}
	return it
}

// addRTE appends to the range table and gives the plain item.
func (ps *pstate) addRTE(r *query.RangeTblEntry) *nsItem {
	ps.q.RTable = append(ps.q.RTable, r)
	return ps.item(r, len(ps.q.RTable))
}

var systemColumns = map[string]struct {
	att int
	typ types.OID
}{
	"ctid": {-1, types.Tid}, "xmin": {-2, types.Xid}, "cmin": {-3, types.Cid}, "xmax": {-4, types.Xid}, "cmax": {-5, types.Cid}, "tableoid": {-6, types.Oid},
}

// columnOf finds a column in an item: nil when it has none.
func (ps *pstate) columnOf(it *nsItem, levelsUp int, name string, loc int) query.Expr {
	found := -1
	for i, c := range it.rte.ERefColumns {
		if c == name && c != "" {
			if found >= 0 {
				ps.failAt(loc, pgerror.AmbiguousColumn, "column reference \"%s\" is ambiguous", name)
			}
			found = i
		}
	}
	if found >= 0 {
		return ps.itemVar(it, found, levelsUp, loc)
	}
	if it.rte.Kind == query.RTERelation && it.rte.RelKind != catalog.KindView && it.rte.RelKind != catalog.KindComposite {
		if s, ok := systemColumns[name]; ok {
			return &query.Var{Base: ps.base(s.typ, -1, loc), RTIndex: it.rti, AttNum: s.att, LevelsUp: levelsUp}
		}
	}
	return nil
}

func (ps *pstate) itemVar(it *nsItem, i, levelsUp, loc int) *query.Var {
	c := it.cols[i]
	v := &query.Var{Base: query.Base{T: c.typ, Coll: c.coll, Loc: loc}, RTIndex: c.rti, AttNum: c.att, LevelsUp: levelsUp}
	if it.rti != c.rti {
		v.SynRTIndex, v.SynAttNum = it.rti, i+1
	}
	return v
}

// checkLateral refuses a reference to an item that is there but out of reach.
func (ps *pstate) checkLateral(it *nsItem, loc int) {
	if !it.lateralOnly || it.lateralOK {
		return
	}
	name := it.name
	if ps.target != nil && it.rte == ps.target.rte {
		fail(ps.errAt(loc, pgerror.InvalidColumnReference, "invalid reference to FROM-clause entry for table \"%s\"", name).
			WithHint("There is an entry for table \"%s\", but it cannot be referenced from this part of the query.", name))
	}
	fail(ps.errAt(loc, pgerror.InvalidColumnReference, "invalid reference to FROM-clause entry for table \"%s\"", name).
		WithDetail("The combining JOIN type must be INNER or LEFT for a LATERAL reference."))
}

// columnByName resolves an unqualified column through all levels.
func (ps *pstate) columnByName(name string, localOnly bool, loc int) query.Expr {
	up := 0
	for p := ps; p != nil; p, up = p.parent, up+1 {
		var out query.Expr
		for _, it := range p.ns {
			if !it.colsVisible || it.lateralOnly && !p.lateral {
				continue
			}
			if e := p.columnOf(it, up, name, loc); e != nil {
				if out != nil {
					ps.failAt(loc, pgerror.AmbiguousColumn, "column reference \"%s\" is ambiguous", name)
				}
				p.checkLateral(it, loc)
				out = e
			}
		}
		if out != nil || localOnly {
			return out
		}
	}
	return nil
}

// findItem finds the item of a table name, and how many levels up.
func (ps *pstate) findItem(schema, name string, loc int) (*nsItem, int) {
	var relid types.OID
	if schema != "" {
		ns, err := ps.cat.NamespaceByName(ps.ctx, schema)
		check(err)
		if ns == nil {
			return nil, 0
		}
		r, err := ps.cat.RelationByName(ps.ctx, ns.OID, name)
		check(err)
		if r == nil {
			return nil, 0
		}
		relid = r.OID
	}
	up := 0
	for p := ps; p != nil; p, up = p.parent, up+1 {
		var out *nsItem
		for _, it := range p.ns {
			if !it.relVisible || it.lateralOnly && !p.lateral {
				continue
			}
			if relid != 0 {
				if it.rte.Kind != query.RTERelation || it.rte.Relid != relid || it.rte.Alias != "" {
					continue
				}
			} else if it.name != name {
				continue
			}
			if out != nil {
				if relid != 0 {
					ps.failAt(loc, pgerror.AmbiguousAlias, "table reference %d is ambiguous", relid)
				}
				ps.failAt(loc, pgerror.AmbiguousAlias, "table reference \"%s\" is ambiguous", name)
			}
			p.checkLateral(it, loc)
			out = it
		}
		if out != nil {
			return out, up
		}
	}
	return nil, 0
}

// checkConflicts refuses a name used twice in one FROM.
func (ps *pstate) checkConflicts(old, add []*nsItem) {
	for _, n := range add {
		if !n.relVisible {
			continue
		}
		for _, o := range old {
			if !o.relVisible || o.name != n.name {
				continue
			}
			if n.rte.Kind == query.RTERelation && n.rte.Alias == "" && o.rte.Kind == query.RTERelation && o.rte.Alias == "" && n.rte.Relid != o.rte.Relid {
				continue
			}
			fail(pgerror.New(pgerror.DuplicateAlias, "table name \"%s\" specified more than once", n.name))
		}
	}
}

func setLateral(items []*nsItem, only, ok bool) {
	for _, it := range items {
		it.lateralOnly, it.lateralOK = only, ok
	}
}

// missingTable raises the error of a table name that is not in FROM.
func (ps *pstate) missingTable(schema, name string, loc int) {
	// is there one somewhere that cannot be seen from here?
	var hit *query.RangeTblEntry
	var relid types.OID
	if schema == "" {
		if r := ps.searchRelation("", name, loc); r != nil {
			relid = r.OID
		}
	} else if ns := ps.namespace(schema, -1); ns != nil {
		if r, err := ps.cat.RelationByName(ps.ctx, ns.OID, name); err == nil && r != nil {
			relid = r.OID
		}
	}
	for p := ps; p != nil && hit == nil; p = p.parent {
		for _, r := range p.q.RTable {
			if relid != 0 && r.Kind == query.RTERelation && r.Relid == relid || schema == "" && r.ERefName == name && r.ERefName != "" && !(r.Kind == query.RTEJoin && r.Alias == "") {
				hit = r
				break
			}
		}
	}
	if hit == nil {
		fail(ps.errAt(loc, pgerror.UndefinedTable, "missing FROM-clause entry for table \"%s\"", name))
	}
	e := ps.errAt(loc, pgerror.UndefinedTable, "invalid reference to FROM-clause entry for table \"%s\"", name)
	if hit.ERefName != name {
		// it is there under an alias: a visible one can be suggested
		if it, _ := ps.findItem("", hit.ERefName, loc); it != nil && it.rte == hit {
			fail(e.WithHint("Perhaps you meant to reference the table alias \"%s\".", hit.ERefName))
		}
	}
	fail(e.WithHint("There is an entry for table \"%s\", but it cannot be referenced from this part of the query.", hit.ERefName))
}

// fuzzyDistanceMax bounds how far a suggested column name may be.
const fuzzyDistanceMax = 3

// missingColumn raises the error of a column that is nowhere, with suggestions.
func (ps *pstate) missingColumn(table, name string, loc int) {
	best := fuzzyDistanceMax + 1
	var first, second *query.RangeTblEntry
	var firstCol, secondCol int // 0: not visible exact match
	exact := false
scan:
	for p := ps; p != nil; p = p.parent {
		for _, r := range p.q.RTable {
			if r.Kind == query.RTEJoin {
				continue
			}
			penalty := 0
			if table != "" {
				penalty = levenshtein(table, r.ERefName)
			}
			for i, c := range r.ERefColumns {
				if c == "" {
					continue
				}
				if c == name && penalty == 0 && table == "" {
					// exact match that is not visible
					if exact && first != nil && first != r {
						second, secondCol = r, 0
					} else if !exact {
						exact, first, firstCol, second = true, r, 0, nil
					}
					continue
				}
				if exact {
					continue
				}
				if penalty > best {
					continue
				}
				d := levenshtein(name, c)
				if d > len(name)/2 {
					continue
				}
				d += penalty
				switch {
				case d < best && d <= fuzzyDistanceMax:
					best, first, firstCol, second, secondCol = d, r, i+1, nil, 0
				case d == best && d <= fuzzyDistanceMax:
					if second != nil {
						// too many equally good ones: none is suggested
						first, second = nil, nil
						best = d - 1
						if best < 0 {
							break scan
						}
					} else if first != nil {
						second, secondCol = r, i+1
					} else {
						best, first, firstCol = d, r, i+1
					}
				}
			}
		}
	}
	var e *pgerror.Error
	if table != "" {
		e = ps.errAt(loc, pgerror.UndefinedColumn, "column %s.%s does not exist", table, name)
	} else {
		e = ps.errAt(loc, pgerror.UndefinedColumn, "column \"%s\" does not exist", name)
	}
	switch {
	case first == nil:
	case exact:
		e.Hint = "There is a column named \"" + name + "\" in table \"" + first.ERefName + "\", but it cannot be referenced from this part of the query."
	case second == nil:
		e.Hint = "Perhaps you meant to reference the column \"" + first.ERefName + "." + first.ERefColumns[firstCol-1] + "\"."
	default:
		e.Hint = "Perhaps you meant to reference the column \"" + first.ERefName + "." + first.ERefColumns[firstCol-1] +
			"\" or the column \"" + second.ERefName + "." + second.ERefColumns[secondCol-1] + "\"."
	}
	fail(e)
}

// levenshtein is the edit distance of two short strings, by characters.
func levenshtein(s, t string) int {
	a, b := []rune(s), []rune(t)
	if len(a) > 255 || len(b) > 255 {
		return 1000
	}
	prev := make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			c := prev[j-1]
			if a[i-1] != b[j-1] {
				c++
			}
			cur[j] = min(c, prev[j]+1, cur[j-1]+1)
		}
		prev, cur = cur, prev
	}
	return prev[len(b)]
}
