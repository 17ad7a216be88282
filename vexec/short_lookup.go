package vexec

import (
	"context"
	"slices"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// shortLookup joins the rows of a short range with those that another table has
// under the primary keys they name: an inner hash join by lookups. A joined row
// is the columns read of the range, then those of the other table.
type shortLookup struct {
	table    *planpb.Table
	columns  []int32
	outer    int            // columns before them
	key      []*expr.Scalar // over the range's columns
	filter   *expr.Scalar   // over the joined row
	residual *expr.Scalar   // likewise
}

// prepareLookup prepares a join one of whose sides is a short range, and the other the
// scan of a table whose whole primary key is equal to parameters or columns of it.
func (r *ShortRange) prepareLookup(m *expr.ScalarMaker, j *planpb.HashJoin) (columns []*expr.Scalar, ok bool) {
	if j.GetType() != planpb.JoinType_INNER || slices.Contains(j.GetNullEqual(), true) {
		return nil, false
	}
	if columns, ok = r.prepareSides(m, j.GetRight(), j.GetLeft(), j.GetRightKeys(), j.GetLeftKeys(), j.GetResidual(), false); ok {
		return columns, true
	}
	r.scan, r.span, r.eq, r.lower, r.upper, r.filter = RowScan{}, nil, nil, nil, nil, nil
	return r.prepareSides(m, j.GetLeft(), j.GetRight(), j.GetLeftKeys(), j.GetRightKeys(), j.GetResidual(), true)
}

func (r *ShortRange) prepareSides(m *expr.ScalarMaker, rng, other *planpb.Plan, rngKeys, otherKeys []*planpb.Expr, residual *planpb.Expr, rangeFirst bool) (columns []*expr.Scalar, ok bool) {
	s := other.GetScan()
	if s == nil || len(s.GetSpans()) > 1 || len(s.GetTable().GetPrimaryKey()) == 0 {
		return nil, false
	}
	below, ps := projects(rng)
	outer, ok := r.prepareScan(m, below, false)
	if !ok {
		return nil, false
	}
	if outer, ok = stack(m, outer, ps, 0); !ok {
		return nil, false
	}
	l := &shortLookup{table: s.GetTable(), columns: s.GetColumns(), outer: len(r.scan.Columns)}
	pk := l.table.GetPrimaryKey()
	l.key = make([]*expr.Scalar, len(pk))
	if len(s.GetSpans()) == 1 {
		sp := s.GetSpans()[0]
		if sp.GetLower() != nil || sp.GetUpper() != nil || sp.GetLastEqIsArray() || slices.Contains(sp.GetEqNull(), true) {
			return nil, false
		}
		m.SetColumns(nil)
		for i, e := range sp.GetEq() {
			if l.key[i] = m.Compile(e); l.key[i] == nil {
				return nil, false
			}
		}
	}
	m.SetColumns(outer)
	for i, e := range otherKeys {
		c := e.GetColumn()
		if c == nil || int(c.GetIndex()) >= len(l.columns) {
			return nil, false
		}
		o := l.columns[c.GetIndex()]
		at := slices.IndexFunc(pk, func(k *planpb.KeyPart) bool { return o >= 0 && k.GetOrdinal() == uint32(o) })
		if at < 0 || l.key[at] != nil || rngKeys[i].GetType().GetOid() != l.table.GetColumns()[o].GetType().GetOid() {
			return nil, false
		}
		if l.key[at] = m.Compile(rngKeys[i]); l.key[at] == nil {
			return nil, false
		}
	}
	if slices.Contains(l.key, nil) {
		return nil, false
	}
	at := make([]int32, len(l.columns))
	for i, o := range l.columns {
		if o < 0 || int(o) >= len(l.table.GetColumns()) {
			return nil, false
		}
		at[i] = int32(l.outer + i)
	}
	inner := rowColumns(other.GetOutput(), at)
	if s.GetFilter() != nil {
		m.SetColumns(inner)
		if l.filter = m.Compile(s.GetFilter()); l.filter == nil {
			return nil, false
		}
	}
	if columns = append(slices.Clone(inner), outer...); rangeFirst {
		columns = append(slices.Clone(outer), inner...)
	}
	if residual != nil {
		m.SetColumns(columns)
		if l.residual = m.Compile(residual); l.residual == nil {
			return nil, false
		}
	}
	r.lookup = l
	return columns, true
}

// each gives the joined rows to f as in.Row, which is used again.
func (l *shortLookup) each(ctx context.Context, store RowStore, in *expr.ScalarInput, scan *RowScan, filter *expr.Scalar, f func(locator []byte) (more bool, err error)) (done bool, err error) {
	// The range is read to its end before rows are looked up, so that a long one costs no lookups.
	// REQUIRES: rows that stay.
	scan.Reuse = false
	var rows [][]types.Datum
	done, err = store.ScanRows(ctx, scan, func(_ []byte, row []types.Datum) (bool, error) {
		if filter != nil {
			in.Row = row
			if d, err := filter.Eval(in); err != nil || d != true {
				return err == nil, err
			}
		}
		rows = append(rows, row)
		return true, nil
	})
	if err != nil || !done {
		return done, err
	}
	key := make([]types.Datum, len(l.key))
	joined := make([]types.Datum, l.outer+len(l.columns))
	for _, row := range rows {
		in.Row = row
		null := false
		for i, k := range l.key {
			if key[i], err = k.Eval(in); err != nil {
				return true, err
			}
			null = null || key[i] == nil
		}
		if null {
			continue
		}
		found, err := store.GetRow(ctx, l.table, key, l.columns)
		if err != nil {
			return true, err
		}
		if found == nil {
			continue
		}
		copy(joined, row)
		copy(joined[l.outer:], found)
		in.Row = joined
		if l.filter != nil {
			if d, err := l.filter.Eval(in); err != nil {
				return true, err
			} else if d != true {
				continue
			}
		}
		if l.residual != nil {
			if d, err := l.residual.Eval(in); err != nil {
				return true, err
			} else if d != true {
				continue
			}
		}
		if more, err := f(nil); err != nil || !more {
			return true, err
		}
	}
	return true, nil
}
