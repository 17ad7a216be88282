package storage

import (
	"reflect"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// TestRowsByColumns reads some columns of single rows from segments, before and after the keys'
// presence filter is there, of changed rows among them, and of a table that has got another column.
func TestRowsByColumns(t *testing.T) {
	n := openMem(t, vfs.NewMem(), Options{Columns: columns.Options{RowsMin: 1, FileRowsMax: 300, BlockRows: 20}})
	defer func() { must(t, n.Close()) }()
	tb := &planpb.Table{StorageId: 20000, RelationId: 20000, Schema: "public", Name: "t", PrimaryKeyName: "t_pkey", PrimaryKey: []*planpb.KeyPart{{Ordinal: 0}}}
	for i, ty := range []types.OID{types.Int4, types.Text, types.NumericOID, types.Int8, types.Text} {
		tb.Columns = append(tb.Columns, &planpb.Column{Attnum: uint32(2*i + 1), Name: string(rune('a' + i)), Type: pbType(ty)})
	}
	value := func(i int32) []types.Datum {
		out := []types.Datum{i, "text", types.NumericFromInt64(int64(i)*7, 2), int64(i) << 33, "x"}
		if i%5 == 0 {
			out[1], out[3] = nil, nil
		}
		return out
	}
	const rows = 1000
	var all [][]types.Datum
	for i := range int32(rows) {
		all = append(all, value(i))
	}
	tx := n.DB().Begin(txn.Options{})
	tx.BeginStatement()
	ts := make([]types.T, len(tb.Columns))
	for i, c := range tb.Columns {
		ts[i] = c.GetType().T()
	}
	b := &vexec.Batch{N: rows}
	for c, ty := range ts {
		bl := types.NewBuilder(ty, rows)
		for _, r := range all {
			bl.Append(r[c])
		}
		b.Cols = append(b.Cols, bl.Finish())
	}
	must(t, n.Store(tx, nil).InsertBatch(ctx, tb, b))
	_, err := tx.Commit(ctx)
	must(t, err)
	must(t, n.Columns().MergeNow(ctx, tb.StorageId))
	tx = n.DB().Begin(txn.Options{})
	tx.BeginStatement()
	for i := int32(3); i < rows; i += 100 {
		st := n.Store(tx, nil)
		_, old, err := st.LockRow(ctx, tb, locator(i), uint32(txn.LockUpdate), uint32(txn.WaitBlock))
		must(t, err)
		all[i] = []types.Datum{i, "changed", nil, int64(1), "y"}
		must(t, st.Update(ctx, tb, locator(i), old, all[i]))
	}
	_, err = tx.Commit(ctx)
	must(t, err)
	wide := &planpb.Table{StorageId: tb.StorageId, RelationId: tb.RelationId, Schema: "public", Name: "t", PrimaryKeyName: "t_pkey", PrimaryKey: tb.PrimaryKey,
		Columns: append(append([]*planpb.Column{}, tb.Columns...), &planpb.Column{Attnum: 12, Name: "f", Type: pbType(types.Int4), HasMissing: true, Missing: types.AppendDatum(types.Of(types.Int4), nil, int32(42))})}
	for round := range 3 {
		tx := n.DB().Begin(txn.Options{})
		tx.BeginStatement()
		st := vexec.RowStore(n.Store(tx, nil))
		for i := range int32(rows) {
			for _, at := range [][]int32{{0, 1, 2, 3, 4}, {1}, {4, 2}, {3, 3, 0}, {}, {5, 2}} {
				table := tb
				if len(at) > 0 && at[0] == 5 {
					table = wide
				}
				got, err := st.GetRow(ctx, table, []types.Datum{i}, at)
				must(t, err)
				want := make([]types.Datum, len(at))
				for k, c := range at {
					if c == 5 {
						want[k] = int32(42)
					} else {
						want[k] = all[i][c]
					}
				}
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("round %d: row %d columns %v: %v, want %v", round, i, at, got, want)
				}
			}
		}
		tx.Rollback()
	}
}
