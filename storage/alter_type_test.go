package storage

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// TestUndoneAlterType: rows that are merged while a transaction has altered a column's type are written
// under that type. When it is undone they are read under the old one.
func TestUndoneAlterType(t *testing.T) {
	n := openMem(t, vfs.NewMem(), Options{Columns: columns.Options{RowsMin: 1}})
	defer func() { must(t, n.Close()) }()
	tb := &planpb.Table{StorageId: 20000, RelationId: 20000, Schema: "public", Name: "k", PrimaryKeyName: "k_pkey",
		PrimaryKey: []*planpb.KeyPart{{Ordinal: 0}}}
	for i, name := range []string{"a", "b"} {
		tb.Columns = append(tb.Columns, &planpb.Column{Attnum: uint32(i + 1), Name: name, Type: pbType(types.Int4), NotNull: i == 0})
	}
	tx := n.DB().Begin(txn.Options{})
	defer tx.Rollback()
	tx.BeginStatement()
	must(t, n.Store(tx, nil).InsertBatch(ctx, tb, batchOf(tb, row(int32(1), int32(10)), row(int32(2), nil), row(int32(3), int32(-30)))))
	_, err := tx.Commit(ctx)
	must(t, err)

	altered := proto.Clone(tb).(*planpb.Table)
	altered.Columns[1].Type = pbType(types.Oid)
	undone := n.DB().Begin(txn.Options{})
	undone.BeginStatement()
	if _, err := scanRows(n, undone, altered); err != nil {
		t.Fatal(err)
	}
	must(t, n.Columns().MergeNow(ctx, tb.StorageId))
	undone.Rollback()

	tx = n.DB().Begin(txn.Options{})
	defer tx.Rollback()
	tx.BeginStatement()
	got, err := scanRows(n, tx, tb)
	must(t, err)
	want := [][]types.Datum{row(int32(1), int32(10)), row(int32(2), nil), row(int32(3), int32(-30))}
	if len(got) != len(want) {
		t.Fatalf("%d rows", len(got))
	}
	for i := range want {
		for j := range want[i] {
			if got[i][j] != want[i][j] {
				t.Errorf("row %d: %v, want %v", i, got[i], want[i])
			}
		}
	}
}

// scanRows reads the first two columns of a table in the key's order.
func scanRows(n *Node, tx txn.Txn, tb *planpb.Table) (out [][]types.Datum, err error) {
	rd, _, err := n.Store(tx, nil).Scan(ctx, &planpb.Scan{Table: tb, Columns: []int32{0, 1}, Ordered: true}, vexec.ScanRequest{Parts: 1})
	if err != nil {
		return nil, err
	}
	defer rd.Close()
	for {
		b, err := rd.Next(ctx)
		if b == nil || err != nil {
			return out, err
		}
		each(b, func(i int) {
			out = append(out, row(types.Get(tb.Columns[0].Type.T(), b.Cols[0], i), types.Get(tb.Columns[1].Type.T(), b.Cols[1], i)))
		})
	}
}
