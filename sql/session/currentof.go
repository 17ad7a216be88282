package session

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// updatable says which tables' rows WHERE CURRENT OF finds through a cursor: the
// query of a cursor delivers their keys behind the columns asked for.
type updatable struct {
	column   map[types.OID]int // table → column of its keys
	repeated map[types.OID]bool
	locking  bool // FOR UPDATE or SHARE: the tables are those locked
}

// addLocators appends row keys to what a cursor's query delivers.
func addLocators(q *query.Query) updatable {
	u := updatable{column: map[types.OID]int{}, repeated: map[types.OID]bool{}, locking: len(q.RowMarks) > 0}
	width := 0
	for _, t := range q.TargetList {
		if !t.Junk {
			width++
		}
	}
	add := func(rti int) {
		r := q.RTable[rti-1]
		if r.Kind != query.RTERelation || r.RelKind != catalog.KindTable || r.Relid < types.FirstNormalOID {
			return
		}
		if _, ok := u.column[r.Relid]; ok {
			u.repeated[r.Relid] = true
			return
		}
		u.column[r.Relid] = width
		width++
		q.TargetList = append(q.TargetList, &query.TargetEntry{ResNo: len(q.TargetList) + 1, Name: "locator",
			Expr: &query.Var{Base: query.Base{T: types.Of(types.Bytea), Loc: -1}, RTIndex: rti, AttNum: query.AttLocator}})
	}
	if u.locking {
		for _, m := range q.RowMarks {
			if !m.PushedDown {
				add(m.RTIndex)
			}
		}
		return u
	}
	simple := q.SetOperations == nil && len(q.GroupClause) == 0 && q.Having == nil && len(q.DistinctClause) == 0 && len(q.SortClause) == 0 &&
		!q.HasAggs && !q.HasWindowFuncs && !q.HasTargetSRFs && !q.HasGroupingSets && q.JoinTree != nil && len(q.JoinTree.Items) == 1
	if simple {
		if ref, ok := q.JoinTree.Items[0].(*query.RangeTblRef); ok {
			add(ref.RTIndex)
		}
	}
	return u
}

// compileCursor is compile for a cursor's query. Its plan is the cursor's own.
func (s *Session) compileCursor(ctx context.Context, source string, node *pg_query.Node, params []types.OID) (*compiled, updatable, error) {
	for {
		r := s.reader()
		version := r.Version()
		env, err := s.analyzeEnv(ctx, r)
		if err != nil {
			return nil, updatable{}, err
		}
		q, err := analyze.AnalyzeNode(ctx, env, source, node, params)
		if err != nil {
			return nil, updatable{}, err
		}
		up := addLocators(q)
		c, err := s.compileQuery(ctx, r, q)
		if err != nil {
			return nil, updatable{}, err
		}
		if s.reader().Version() != version {
			continue // DDL was committed while we waited for a lock
		}
		if err := s.plan(ctx, r, c); err != nil {
			return nil, updatable{}, err
		}
		c.cols = c.cols[:len(c.cols)-len(up.column)]
		return c, up, nil
	}
}

// currentOf gives the key of the row of a table that a cursor stands on.
func (s *Session) currentOf(cursor string, table *catalog.Relation) ([]byte, error) {
	p := s.portals[cursor]
	if p == nil {
		return nil, pgerror.New(pgerror.InvalidCursorName, `cursor "%s" does not exist`, cursor)
	}
	state := func(format string, args ...any) ([]byte, error) {
		return nil, pgerror.New(pgerror.InvalidCursorState, format, args...)
	}
	if !p.cursor {
		return state(`cursor "%s" is not a SELECT query`, cursor)
	}
	if p.held {
		return state(`cursor "%s" is held from a previous transaction`, cursor)
	}
	column, ok := p.updatable.column[table.OID]
	switch {
	case !ok && p.updatable.locking:
		return state(`cursor "%s" does not have a FOR UPDATE/SHARE reference to table "%s"`, cursor, table.Name)
	case !ok:
		return state(`cursor "%s" is not a simply updatable scan of table "%s"`, cursor, table.Name)
	case p.updatable.repeated[table.OID]:
		return state(`cursor "%s" has multiple FOR UPDATE/SHARE references to table "%s"`, cursor, table.Name)
	case p.pos < 1 || p.atEnd:
		return state(`cursor "%s" is not positioned on a row`, cursor)
	}
	b, row, err := p.seen.row(p.pos)
	if err != nil {
		return nil, err
	}
	locator, _ := types.Get(types.Of(types.Bytea), b.Cols[column], row).([]byte)
	return append([]byte(nil), locator...), nil
}
