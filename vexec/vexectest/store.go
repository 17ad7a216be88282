// Package vexectest helps to test the executor: a store in memory and short
// ways to write plans.
//
// The Store keeps tables as slices of rows, with locators that are row numbers.
// It has no transactions: what is changed is visible to Readers opened later.
// BatchRows cuts its batches, Dictionaries, Selections and Offsets vary their form.
// Tests say in Locked what LockRow is to find. One goroutine may change rows
// while no other uses the store.
package vexectest

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Store is an in-memory vexec.Store.
type Store struct {
	Tables map[string]*Table
	// BatchRows is the number of rows of a scan's batch; 0: 4096.
	BatchRows int
	// Dictionaries delivers strings dictionary-coded.
	Dictionaries bool
	// Selections delivers each batch with unselected rows between the others.
	Selections bool
	// Offsets delivers columns that are slices of longer ones.
	Offsets bool
	// Locked overrides the outcome of LockRow for a row number.
	Locked map[int]Outcome
}

// Outcome is what LockRow finds instead of the stored row.
type Outcome struct {
	State vexec.RowState
	Row   []types.Datum
}

// Table is one table's rows; nil rows are deleted.
type Table struct {
	Types []types.T
	Rows  [][]types.Datum
}

func (s *Store) table(t *planpb.Table) *Table { return s.Tables[t.GetName()] }

// Locator is the locator of row i.
func Locator(i int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i)) }

func rowNumber(locator []byte) int { return int(binary.BigEndian.Uint64(locator)) }

// Scan implements vexec.Store.
func (s *Store) Scan(_ context.Context, scan *planpb.Scan, req vexec.ScanRequest) (vexec.Reader, bool, error) {
	return s.open(scan.GetTable(), scan.GetTable().GetPrimaryKey(), scan.GetColumns(), &req), false, nil
}

// IndexScan implements vexec.Store.
func (s *Store) IndexScan(_ context.Context, scan *planpb.IndexScan, req vexec.ScanRequest) (vexec.Reader, bool, error) {
	return s.open(scan.GetTable(), scan.GetTable().GetIndexes()[scan.GetIndex()].GetKeys(), scan.GetColumns(), &req), false, nil
}

func (s *Store) open(t *planpb.Table, keys []*planpb.KeyPart, cols []int32, req *vexec.ScanRequest) vexec.Reader {
	tb := s.table(t)
	r := &reader{s: s, t: tb, cols: cols, fleeting: req.Fleeting, need: req.Need}
	if req.Filter != nil && req.Need != nil { // the caller filters
		r.need = slices.Clone(req.Need)
		for _, c := range req.Filter.Columns() {
			r.need[c] = true
		}
	}
	bounds := req.Bounds
	for i, row := range tb.Rows {
		if row == nil || i*req.Parts/max(len(tb.Rows), 1) != req.Part {
			continue
		}
		if len(bounds) > 0 && !within(tb, keys, bounds, row) {
			continue
		}
		r.rows = append(r.rows, i)
	}
	r.data = tb.Rows
	return r
}

func within(t *Table, keys []*planpb.KeyPart, bounds []vexec.KeyBounds, row []types.Datum) bool {
	env := types.DefaultEnv()
next:
	for _, b := range bounds {
		for i, eq := range b.Eq {
			o := keys[i].GetOrdinal()
			v := row[o]
			if (v == nil) != (eq == nil) || v != nil && types.Compare(env, t.Types[o], v, eq) != 0 {
				continue next
			}
		}
		if b.HasLower || b.HasUpper {
			o := keys[len(b.Eq)].GetOrdinal()
			v := row[o]
			if v == nil {
				continue
			}
			if b.HasLower {
				if c := types.Compare(env, t.Types[o], v, b.Lower); c < 0 || c == 0 && !b.LowerInclusive {
					continue
				}
			}
			if b.HasUpper {
				if c := types.Compare(env, t.Types[o], v, b.Upper); c > 0 || c == 0 && !b.UpperInclusive {
					continue
				}
			}
		}
		return true
	}
	return false
}

type reader struct {
	s    *Store
	t    *Table
	data [][]types.Datum
	cols []int32
	rows []int
	at   int
	// fleeting: the last batch is overwritten when the next is asked for.
	fleeting bool
	last     *vexec.Batch
	need     []bool // columns to deliver; nil: all
}

func (r *reader) Close() { r.rows = nil }

func (r *reader) Next(ctx context.Context) (*vexec.Batch, error) {
	if r.last != nil {
		overwrite(r.last)
	}
	b, err := r.next(ctx)
	if r.fleeting {
		r.last = b
	}
	return b, err
}

// overwrite puts garbage where a batch's values are.
func overwrite(b *vexec.Batch) {
	for _, c := range b.Cols {
		if c == nil {
			continue
		}
		bufs := c.Data().Buffers()
		values, garbage := bufs[len(bufs)-1], byte(0xa5)
		if c.DataType().ID() == arrow.DICTIONARY {
			garbage = 0 // still a code
		}
		if values == nil {
			continue
		}
		for i := range values.Bytes() {
			values.Bytes()[i] = garbage
		}
	}
	clear(b.Sel)
}

func (r *reader) next(ctx context.Context) (*vexec.Batch, error) {
	if r.at >= len(r.rows) {
		return nil, ctx.Err()
	}
	n := r.s.BatchRows
	if n <= 0 {
		n = 4096
	}
	n = min(n, len(r.rows)-r.at)
	rows := r.rows[r.at : r.at+n]
	r.at += n
	if !r.s.Selections {
		return r.batch(rows), nil
	}
	// every row twice, the second of each pair selected
	double := make([]int, 0, 2*n)
	sel := make([]int32, 0, n)
	for _, i := range rows {
		double = append(double, i, i)
		sel = append(sel, int32(len(double)-1))
	}
	b := r.batch(double)
	b.Sel = sel
	return b, nil
}

func (r *reader) batch(rows []int) *vexec.Batch {
	if r.s.Offsets {
		b := r.whole(slices.Concat(rows[:1], rows, rows[len(rows)-1:]))
		for i, c := range b.Cols {
			if c == nil {
				continue
			}
			b.Cols[i] = array.NewSlice(c, 1, int64(1+len(rows)))
		}
		b.N = len(rows)
		return b
	}
	return r.whole(rows)
}

func (r *reader) whole(rows []int) *vexec.Batch {
	b := &vexec.Batch{N: len(rows)}
	for at, c := range r.cols {
		if r.need != nil && !r.need[at] {
			b.Cols = append(b.Cols, nil)
			continue
		}
		if c < 0 {
			bl := types.NewBuilder(types.Of(types.Bytea), len(rows))
			for _, i := range rows {
				bl.Append(Locator(i))
			}
			b.Cols = append(b.Cols, bl.Finish())
			continue
		}
		bl := types.NewBuilder(r.t.Types[c], len(rows))
		for _, i := range rows {
			bl.Append(r.data[i][c])
		}
		a := bl.Finish()
		if r.s.Dictionaries && a.DataType().ID() == arrow.STRING {
			a = dictionary(a.(*array.String))
		}
		b.Cols = append(b.Cols, a)
	}
	return b
}

func dictionary(a *array.String) arrow.Array {
	b := array.NewDictionaryBuilder(memory.DefaultAllocator, &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}).(*array.BinaryDictionaryBuilder)
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
		} else if err := b.AppendString(a.Value(i)); err != nil {
			panic(err)
		}
	}
	return b.NewArray()
}

// InsertBatch implements vexec.Mutator.
func (s *Store) InsertBatch(_ context.Context, t *planpb.Table, ext *vexec.Batch) error {
	tb := s.table(t)
	for i := range ext.N {
		row := make([]types.Datum, len(tb.Types))
		for c := range row {
			row[c] = types.Get(tb.Types[c], ext.Cols[c], i)
		}
		if s.find(t, row) >= 0 {
			return pgerror.New(pgerror.UniqueViolation, "duplicate key value violates unique constraint \"%s\"", t.GetPrimaryKeyName())
		}
		tb.Rows = append(tb.Rows, row)
	}
	return nil
}

// find gives the row with row's primary key, −1 when there is none.
func (s *Store) find(t *planpb.Table, row []types.Datum) int {
	if len(t.GetPrimaryKey()) == 0 {
		return -1
	}
	tb := s.table(t)
next:
	for i, r := range tb.Rows {
		if r == nil {
			continue
		}
		for _, k := range t.GetPrimaryKey() {
			o := k.GetOrdinal()
			if types.Compare(types.DefaultEnv(), tb.Types[o], r[o], row[o]) != 0 {
				continue next
			}
		}
		return i
	}
	return -1
}

// InsertOrConflict implements vexec.Mutator: the arbiter is the primary key.
func (s *Store) InsertOrConflict(_ context.Context, t *planpb.Table, _ *planpb.OnConflict, ext []types.Datum) (*vexec.Conflict, error) {
	tb := s.table(t)
	if i := s.find(t, ext); i >= 0 {
		return &vexec.Conflict{Locator: Locator(i), Constraint: t.GetPrimaryKeyName()}, nil
	}
	tb.Rows = append(tb.Rows, append([]types.Datum{}, ext[:len(tb.Types)]...))
	return nil, nil
}

// LockRow implements vexec.Mutator.
func (s *Store) LockRow(_ context.Context, t *planpb.Table, locator []byte, _, _ uint32) (vexec.RowState, []types.Datum, error) {
	i := rowNumber(locator)
	if o, ok := s.Locked[i]; ok {
		return o.State, o.Row, nil
	}
	row := s.table(t).Rows[i]
	if row == nil {
		return vexec.RowDeleted, nil, nil
	}
	return vexec.RowUnchanged, row, nil
}

// Update implements vexec.Mutator.
func (s *Store) Update(_ context.Context, t *planpb.Table, locator []byte, _, newExt []types.Datum) error {
	tb := s.table(t)
	tb.Rows[rowNumber(locator)] = append([]types.Datum{}, newExt[:len(tb.Types)]...)
	return nil
}

// Delete implements vexec.Mutator.
func (s *Store) Delete(_ context.Context, t *planpb.Table, locator []byte, _ []types.Datum) error {
	s.table(t).Rows[rowNumber(locator)] = nil
	return nil
}

var _ vexec.Store = (*Store)(nil)
