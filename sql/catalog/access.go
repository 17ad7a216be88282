package catalog

import (
	"context"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// access reads and writes catalog rows of one database through a transaction's store.
type access struct {
	db    types.OID
	txn   txn.Txn
	store vexec.Store
}

// Row is one catalog row. Columns are read by name; a name the catalog does not have panics (a bug).
type Row struct {
	t       *sysTable
	v       []types.Datum
	locator []byte
}

func (r *Row) Get(col string) types.Datum {
	i, ok := r.t.cols[col]
	if !ok {
		panic("catalog: " + r.t.name + " has no column " + col)
	}
	return r.v[i]
}

func (r *Row) Null(col string) bool { return r.Get(col) == nil }

func (r *Row) OID(col string) types.OID {
	o, _ := r.Get(col).(types.OID)
	return o
}

func (r *Row) Str(col string) string {
	s, _ := r.Get(col).(string)
	return s
}

func (r *Row) Bool(col string) bool {
	b, _ := r.Get(col).(bool)
	return b
}

func (r *Row) Char(col string) byte {
	b, _ := r.Get(col).(byte)
	return b
}

func (r *Row) Int(col string) int64 {
	switch n := r.Get(col).(type) {
	case int16:
		return int64(n)
	case int32:
		return int64(n)
	case int64:
		return n
	}
	return 0
}

func (r *Row) Float(col string) float64 {
	f, _ := r.Get(col).(float32)
	return float64(f)
}

func (r *Row) Elems(col string) []types.Datum {
	if a, ok := r.Get(col).(*types.Array); ok && a != nil {
		return a.Elems
	}
	return nil
}

// Strs reads a text[] or aclitem[]: nil for NULL, and only for it.
func (r *Row) Strs(col string) []string {
	if r.Get(col) == nil {
		return nil
	}
	out := []string{}
	for _, e := range r.Elems(col) {
		s, _ := e.(string)
		out = append(out, s)
	}
	return out
}

// attnums reads an int2vector or int2[].
func (r *Row) Attnums(col string) []int {
	var out []int
	for _, e := range r.Elems(col) {
		out = append(out, int(e.(int16)))
	}
	return out
}

func (r *Row) OIDs(col string) []types.OID {
	var out []types.OID
	for _, e := range r.Elems(col) {
		out = append(out, e.(types.OID))
	}
	return out
}

// lookup reads the rows whose leading index columns equal eq, in index order.
// index "" scans the whole catalog.
func (a *access) lookup(ctx context.Context, table, index string, eq ...types.Datum) ([]*Row, error) {
	t := sysTableByName(table)
	st := t.storage(a.db)
	cols := make([]int32, 0, len(t.columns)+1)
	for i := range t.columns {
		cols = append(cols, int32(i))
	}
	cols = append(cols, -1)
	var bounds []vexec.KeyBounds
	var spans []*planpb.Span
	if index != "" {
		bounds, spans = []vexec.KeyBounds{{Eq: eq}}, []*planpb.Span{{}}
	}
	var rd vexec.Reader
	var err error
	if ix := t.byName[index]; ix != nil && !ix.primary {
		rd, _, err = a.store.IndexScan(ctx, &planpb.IndexScan{Table: st, Index: uint32(ix.pos), Columns: cols, Spans: spans, Ordered: true}, vexec.ScanRequest{Bounds: bounds, Parts: 1})
	} else {
		if index != "" && ix == nil {
			return nil, pgerror.Internal("catalog %s has no index %s", table, index)
		}
		rd, _, err = a.store.Scan(ctx, &planpb.Scan{Table: st, Columns: cols, Spans: spans, Ordered: true}, vexec.ScanRequest{Bounds: bounds, Parts: 1})
	}
	if err != nil {
		return nil, err
	}
	defer rd.Close()
	var out []*Row
	for {
		b, err := rd.Next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			return out, nil
		}
		for k := range b.Rows() {
			i := k
			if b.Sel != nil {
				i = int(b.Sel[k])
			}
			r := &Row{t: t, v: make([]types.Datum, len(t.columns))}
			for c := range t.columns {
				r.v[c] = types.Get(t.columns[c].Type, b.Cols[c], i)
			}
			loc, _ := types.Get(types.Of(types.Bytea), b.Cols[len(t.columns)], i).([]byte)
			r.locator = append([]byte(nil), loc...)
			out = append(out, r)
		}
	}
}

// one reads the single row of a unique index; nil for none.
func (a *access) one(ctx context.Context, table, index string, eq ...types.Datum) (*Row, error) {
	rs, err := a.lookup(ctx, table, index, eq...)
	if err != nil || len(rs) == 0 {
		return nil, err
	}
	return rs[0], nil
}

// Values are the columns of a new or changed catalog row by name. Columns left
// out of a new row are NULL, or the type's zero where NULL is not allowed.
type Values map[string]types.Datum

// zeroOf is the zero of a catalog column's type.
func zeroOf(t types.T) types.Datum {
	switch t.OID {
	case types.Bool:
		return false
	case types.Char:
		return byte(0)
	case types.Int2:
		return int16(0)
	case types.Int4:
		return int32(0)
	case types.Int8:
		return int64(0)
	case types.Float4:
		return float32(0)
	case types.Name, types.Text, types.PgNodeTree:
		return ""
	}
	if t.Class == types.ClassArray {
		return types.NewArray(types.Of(t.Elem), nil)
	}
	return types.OID(0)
}

func makeRow(t *sysTable, v Values) []types.Datum {
	out := make([]types.Datum, len(t.columns))
	for name := range v {
		if _, ok := t.cols[name]; !ok {
			panic("catalog: " + t.name + " has no column " + name)
		}
	}
	for i, c := range t.columns {
		d, ok := v[c.Name]
		if !ok && c.NotNull {
			d = zeroOf(c.Type)
		}
		out[i] = d
	}
	return out
}

func (a *access) insert(ctx context.Context, table string, v Values) error {
	t := sysTableByName(table)
	return a.insertRows(ctx, t, [][]types.Datum{makeRow(t, v)})
}

// insertRows writes rows and makes them visible to what follows.
func (a *access) insertRows(ctx context.Context, t *sysTable, rows [][]types.Datum) error {
	b := &vexec.Batch{N: len(rows)}
	for i, c := range t.columns {
		bl := types.NewBuilder(c.Type, len(rows))
		for _, r := range rows {
			bl.Append(r[i])
		}
		b.Cols = append(b.Cols, bl.Finish())
	}
	if err := a.store.InsertBatch(ctx, t.storage(a.db), b); err != nil {
		return err
	}
	a.txn.NextCommand()
	return nil
}

// lock takes the row's lock for a change.
func (a *access) lock(ctx context.Context, r *Row) error {
	state, cur, err := a.store.LockRow(ctx, r.t.storage(a.db), r.locator, uint32(txn.LockUpdate), uint32(txn.WaitBlock))
	if err != nil {
		return err
	}
	switch state {
	case vexec.RowUnchanged:
	case vexec.RowUpdated:
		// Another transaction's DDL on the same object that took no conflicting
		// relation lock (two COMMENTs, two GRANTs): PostgreSQL reports it the same way.
		_ = cur
		return pgerror.Internal("tuple concurrently updated")
	default:
		return pgerror.Internal("tuple concurrently deleted")
	}
	return nil
}

func (a *access) update(ctx context.Context, r *Row, v Values) error {
	next := append([]types.Datum(nil), r.v...)
	for name, d := range v {
		i, ok := r.t.cols[name]
		if !ok {
			panic("catalog: " + r.t.name + " has no column " + name)
		}
		next[i] = d
	}
	if err := a.lock(ctx, r); err != nil {
		return err
	}
	if err := a.store.Update(ctx, r.t.storage(a.db), r.locator, r.v, next); err != nil {
		return err
	}
	a.txn.NextCommand()
	return nil
}

func (a *access) delete(ctx context.Context, r *Row) error {
	if err := a.lock(ctx, r); err != nil {
		return err
	}
	if err := a.store.Delete(ctx, r.t.storage(a.db), r.locator, r.v); err != nil {
		return err
	}
	a.txn.NextCommand()
	return nil
}
