package storage

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/table"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

var ctx = context.Background()

func pbType(oid types.OID) *planpb.Type { return &planpb.Type{Oid: uint32(oid), Mod: -1} }

// accounts is a table (id int4 primary key, name text unique, balance int8), index on balance.
func accounts() *planpb.Table {
	return &planpb.Table{
		StorageId: 100, RelationId: 100, Schema: "public", Name: "accounts", PrimaryKeyName: "accounts_pkey",
		Columns: []*planpb.Column{
			{Attnum: 1, Name: "id", Type: pbType(types.Int4), NotNull: true},
			{Attnum: 2, Name: "name", Type: pbType(types.Text)},
			{Attnum: 3, Name: "balance", Type: pbType(types.Int8)},
		},
		PrimaryKey: []*planpb.KeyPart{{Ordinal: 0}},
		Indexes: []*planpb.Index{
			{StorageId: 101, Oid: 101, Name: "accounts_name_key", Unique: true, Keys: []*planpb.KeyPart{{Ordinal: 1}}},
			{StorageId: 102, Oid: 102, Name: "accounts_balance_idx", Keys: []*planpb.KeyPart{{Ordinal: 2, Descending: true, NullsFirst: true}}},
		},
	}
}

func openMem(t testing.TB, fs vfs.FS, o Options) *Node {
	t.Helper()
	o.FS = fs
	if o.MemoryBytes == 0 {
		o.MemoryBytes = 16 << 20
	}
	if o.Tablets == 0 {
		o.Tablets = settingTablets
	}
	n, err := Open("data", o)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// settingTablets is the number of tablets of the stores that openMem makes.
var settingTablets int

// eachSetting runs a test over stores of one and of eight tablets.
func eachSetting(t *testing.T, f func(t *testing.T)) {
	for _, n := range []int{1, 8} {
		t.Run(fmt.Sprintf("tablets=%d", n), func(t *testing.T) {
			settingTablets = n
			defer func() { settingTablets = 0 }()
			f(t)
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v (%+v)", err, pgerror.From(err))
	}
}

func row(vals ...types.Datum) []types.Datum { return vals }

func batchOf(tb *planpb.Table, rows ...[]types.Datum) *vexec.Batch {
	b := &vexec.Batch{N: len(rows)}
	for c, col := range tb.Columns {
		bl := types.NewBuilder(table.TypeOf(col.Type), len(rows))
		for _, r := range rows {
			bl.Append(r[c])
		}
		b.Cols = append(b.Cols, bl.Finish())
	}
	return b
}

// dump reads rows of a reader as text.
func dump(t testing.TB, r vexec.Reader, err error, ts ...types.OID) string {
	t.Helper()
	must(t, err)
	defer r.Close()
	var out []string
	for {
		b, err := r.Next(ctx)
		must(t, err)
		if b == nil {
			return strings.Join(out, " ")
		}
		for i := range b.Rows() {
			if b.Sel != nil {
				i = int(b.Sel[i])
			}
			var f []string
			for c, oid := range ts {
				f = append(f, fmt.Sprint(types.Get(types.Of(oid), b.Cols[c], i)))
			}
			out = append(out, strings.Join(f, "|"))
		}
	}
}

func TestTable(t *testing.T) { eachSetting(t, testTable) }

func testTable(t *testing.T) {
	fs := vfs.NewMem()
	n := openMem(t, fs, Options{})
	tb := accounts()
	tx := n.DB().Begin(txn.Options{})
	tx.BeginStatement()
	s := n.Store(tx, nil)
	must(t, s.InsertBatch(ctx, tb, batchOf(tb, row(int32(1), "a", int64(10)), row(int32(2), "b", int64(20)), row(int32(3), nil, nil))))
	all := &planpb.Scan{Table: tb, Columns: []int32{0, 1, 2}, Ordered: true}
	scan := func(s *table.Store, b ...vexec.KeyBounds) string {
		r, _, err := s.Scan(ctx, all, vexec.ScanRequest{Bounds: b, Parts: 1})
		return dump(t, r, err, types.Int4, types.Text, types.Int8)
	}
	if got := scan(s); got != "" {
		t.Fatalf("own statement visible: %s", got)
	}
	tx.BeginStatement()
	if got := scan(s); got != "1|a|10 2|b|20 3|<nil>|<nil>" {
		t.Fatal(got)
	}
	other := n.DB().Begin(txn.Options{})
	other.BeginStatement()
	if got := scan(n.Store(other, nil)); got != "" {
		t.Fatalf("uncommitted visible: %s", got)
	}
	_, err := tx.Commit(ctx)
	must(t, err)
	if got := scan(n.Store(other, nil)); got != "" {
		t.Fatalf("snapshot moved: %s", got)
	}
	other.BeginStatement()
	o := n.Store(other, nil)
	if got := scan(o); got != "1|a|10 2|b|20 3|<nil>|<nil>" {
		t.Fatal(got)
	}
	// violations
	for _, c := range []struct {
		r    []types.Datum
		want string
	}{
		{row(int32(1), "z", nil), `duplicate key value violates unique constraint "accounts_pkey" Key (id)=(1) already exists.`},
		{row(int32(9), "a", nil), `duplicate key value violates unique constraint "accounts_name_key" Key (name)=(a) already exists.`},
	} {
		sp := other.Savepoint()
		err := o.InsertBatch(ctx, tb, batchOf(tb, c.r))
		if e := pgerror.From(err); e == nil || e.Message+" "+e.Detail != c.want && !strings.HasPrefix(c.want, e.Message) {
			t.Fatalf("%+v", e)
		}
		must(t, other.RollbackTo(sp))
	}
	// update: key kept, index moved; then key moved
	r, rowv, err := o.LockRow(ctx, tb, locator(1), uint32(txn.LockNoKeyUpdate), 0)
	must(t, err)
	if r != vexec.RowUnchanged {
		t.Fatal(r)
	}
	must(t, o.Update(ctx, tb, locator(1), rowv, row(int32(1), "a", int64(15))))
	if r, _, err = o.LockRow(ctx, tb, locator(1), uint32(txn.LockNoKeyUpdate), 0); err != nil || r != vexec.RowSelfModified {
		t.Fatal(r, err)
	}
	other.BeginStatement()
	_, rowv, err = o.LockRow(ctx, tb, locator(2), uint32(txn.LockUpdate), 0)
	must(t, err)
	must(t, o.Update(ctx, tb, locator(2), rowv, row(int32(7), "b", int64(20))))
	other.BeginStatement()
	idx := &planpb.IndexScan{Table: tb, Index: 1, Columns: []int32{0, 2}, Ordered: true}
	ri, _, err := o.IndexScan(ctx, idx, vexec.ScanRequest{Parts: 1})
	if got := dump(t, ri, err, types.Int4, types.Int8); got != "3|<nil> 7|20 1|15" {
		t.Fatal(got)
	}
	ri, _, err = o.IndexScan(ctx, idx, vexec.ScanRequest{Bounds: []vexec.KeyBounds{{HasLower: true, Lower: int64(15), LowerInclusive: false}}, Parts: 1})
	if got := dump(t, ri, err, types.Int4, types.Int8); got != "7|20" {
		t.Fatal(got)
	}
	un := &planpb.IndexScan{Table: tb, Index: 0, Columns: []int32{0}}
	ri, _, err = o.IndexScan(ctx, un, vexec.ScanRequest{Bounds: []vexec.KeyBounds{{Eq: row("b")}}, Parts: 1})
	if got := dump(t, ri, err, types.Int4); got != "7" {
		t.Fatal(got)
	}
	must(t, o.Delete(ctx, tb, locator(3), row(int32(3), nil, nil)))
	_, err = other.Commit(ctx)
	must(t, err)
	must(t, n.Close())

	n = openMem(t, fs, Options{})
	tx = n.DB().Begin(txn.Options{})
	tx.BeginStatement()
	s = n.Store(tx, nil)
	if got := scan(s); got != "1|a|15 7|b|20" {
		t.Fatal(got)
	}
	if got := scan(s, vexec.KeyBounds{Eq: row(int32(7))}, vexec.KeyBounds{Eq: row(int32(1))}, vexec.KeyBounds{Eq: row(int32(7))}); got != "1|a|15 7|b|20" {
		t.Fatal(got)
	}
	var parts []string
	for p := range 3 {
		r, _, err := s.Scan(ctx, all, vexec.ScanRequest{Part: p, Parts: 3})
		parts = append(parts, dump(t, r, err, types.Int4))
	}
	if got := strings.Join(strings.Fields(strings.Join(parts, " ")), " "); got != "1 7" {
		t.Fatal(got)
	}
	if st, err := n.Stats(100); err != nil || st.Rows != 2 {
		t.Fatal(st, err)
	}
	tx.Rollback()
	must(t, n.Close())
}

// locator is the key of accounts row id.
func locator(id int32) []byte {
	u := uint32(id) ^ 1<<31
	return []byte{1, byte(u >> 24), byte(u >> 16), byte(u >> 8), byte(u)}
}
