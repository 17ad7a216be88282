package catalogtest

import (
	"context"
	"encoding/binary"
	"sort"
	"sync"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// MemDB is a txn.DB over Go maps for catalog and DDL tests: one transaction at a
// time, no isolation, but rollback and savepoints.
type MemDB struct {
	mu     sync.Mutex
	tables map[uint64][]memRow
	now    map[string][]byte
	nextID uint64
	clock  txn.Timestamp
	ids    txn.ID
}

type memRow struct {
	id   uint64
	vals []types.Datum
}

// NewMemDB makes an empty store.
func NewMemDB() *MemDB { return &MemDB{tables: map[uint64][]memRow{}, now: map[string][]byte{}} }

func (d *MemDB) Begin(o txn.Options) txn.Txn {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ids++
	return &MemTxn{db: d, opts: o, id: d.ids}
}

func (d *MemDB) UpdateNow(_ context.Context, key []byte, f func([]byte) ([]byte, error)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, err := f(d.now[string(key)])
	if err == nil {
		d.now[string(key)] = v
	}
	return err
}

func (d *MemDB) ReadNow(_ context.Context, key []byte) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now[string(key)], nil
}

func (d *MemDB) OldestSnapshot() txn.Timestamp        { return d.clock }
func (d *MemDB) Locks() []txn.LockInfo                { return nil }
func (d *MemDB) Blockers(int32) []int32               { return nil }
func (d *MemDB) RelationLocksHere() bool              { return false }
func (d *MemDB) AdvisoryLocks(int32) txn.SessionLocks { return nil }
func (d *MemDB) SafeSnapshotBlockers(int32) []int32   { return nil }

func (d *MemDB) copy() map[uint64][]memRow {
	m := make(map[uint64][]memRow, len(d.tables))
	for k, v := range d.tables {
		m[k] = v[:len(v):len(v)]
	}
	return m
}

// MemTxn is a transaction of MemDB.
type MemTxn struct {
	db       *MemDB
	opts     txn.Options
	id       txn.ID
	stmt     uint32
	saved    []map[uint64][]memRow
	begun    map[uint64][]memRow
	onCommit []func(txn.Timestamp)
	done     bool
}

func (t *MemTxn) ID() txn.ID                              { return t.id }
func (t *MemTxn) Options() txn.Options                    { return t.opts }
func (t *MemTxn) AwaitSafeSnapshot(context.Context) error { return nil }
func (t *MemTxn) BeginStatement()                         { t.stmt++ }
func (t *MemTxn) Statement() uint32                       { return t.stmt }
func (t *MemTxn) NextCommand()                            { t.stmt++ }
func (t *MemTxn) Snapshot() txn.Timestamp                 { return t.db.clock }
func (t *MemTxn) FreshSnapshot() txn.Timestamp            { return t.db.clock }
func (t *MemTxn) ReadNewest() func()                      { return func() {} }
func (t *MemTxn) HasWrites() bool                         { return t.begun != nil }
func (t *MemTxn) SetLockTimeout(time.Duration)            {}
func (t *MemTxn) OnCommit(f func(txn.Timestamp))          { t.onCommit = append(t.onCommit, f) }

func (t *MemTxn) Get(context.Context, []byte) ([]byte, bool, error) {
	return nil, false, pgerror.Internal("MemTxn holds no keys")
}
func (t *MemTxn) NewIter(context.Context, txn.IterOptions) (txn.Iter, error) {
	return nil, pgerror.Internal("MemTxn holds no keys")
}
func (t *MemTxn) LockRow(context.Context, []byte, txn.LockStrength, txn.WaitPolicy) (txn.Newest, error) {
	return txn.Newest{}, nil
}
func (t *MemTxn) Put(context.Context, []byte, []byte) error { return nil }

// DeleteMoved implements txn.Txn.
func (t *MemTxn) DeleteMoved(ctx context.Context, key, _ []byte) error { return t.Delete(ctx, key) }

func (t *MemTxn) Delete(context.Context, []byte) error { return nil }
func (t *MemTxn) LockRelation(context.Context, uint64, txn.RelationLock, txn.WaitPolicy) error {
	return nil
}

func (t *MemTxn) Savepoint() txn.Savepoint {
	t.saved = append(t.saved, t.db.copy())
	return txn.Savepoint{Statement: t.stmt, Seq: uint64(len(t.saved))}
}

func (t *MemTxn) RollbackTo(sp txn.Savepoint) error {
	t.db.tables = t.saved[sp.Seq-1]
	t.saved = t.saved[:sp.Seq-1]
	t.db.tables = t.db.copy()
	return nil
}

func (t *MemTxn) Commit(context.Context) (txn.Timestamp, error) {
	t.done = true
	t.db.clock++
	for _, f := range t.onCommit {
		f(t.db.clock)
	}
	return t.db.clock, nil
}

func (t *MemTxn) Rollback() {
	if !t.done && t.begun != nil {
		t.db.tables = t.begun
	}
	t.done = true
}

// MemStore opens a MemTxn's data.
func MemStore(t txn.Txn) vexec.Store { return &memStore{t: t.(*MemTxn)} }

type memStore struct{ t *MemTxn }

func (s *memStore) write() {
	if s.t.begun == nil {
		s.t.begun = s.t.db.copy()
	}
}

type memReader struct{ b *vexec.Batch }

func (r *memReader) Next(context.Context) (*vexec.Batch, error) {
	b := r.b
	r.b = nil
	return b, nil
}
func (r *memReader) Close() {}

func tableTypes(t *planpb.Table) []types.T {
	var out []types.T
	for _, c := range t.Columns {
		out = append(out, c.Type.T())
	}
	for _, c := range t.Computed {
		out = append(out, c.Type.T())
	}
	return out
}

func (s *memStore) read(t *planpb.Table, keys []*planpb.KeyPart, cols []int32, bounds []vexec.KeyBounds, ordered bool) vexec.Reader {
	typs := tableTypes(t)
	env := types.DefaultEnv()
	s.t.db.mu.Lock()
	rows := s.t.db.tables[t.StorageId]
	s.t.db.mu.Unlock()
	var out []memRow
	for _, r := range rows {
		ok := len(bounds) == 0
		for _, b := range bounds {
			m := true
			for i, e := range b.Eq {
				o := keys[i].Ordinal
				v := r.vals[o]
				m = m && (v == nil) == (e == nil) && (v == nil || types.Compare(env, typs[o], v, e) == 0)
			}
			ok = ok || m
		}
		if ok {
			out = append(out, r)
		}
	}
	if ordered {
		sort.SliceStable(out, func(i, j int) bool {
			for _, k := range keys {
				a, b := out[i].vals[k.Ordinal], out[j].vals[k.Ordinal]
				if a == nil || b == nil {
					if (a == nil) != (b == nil) {
						return b == nil
					}
					continue
				}
				if c := types.Compare(env, typs[k.Ordinal], a, b); c != 0 {
					return c < 0
				}
			}
			return false
		})
	}
	b := &vexec.Batch{N: len(out)}
	for _, c := range cols {
		if c == -1 {
			bl := types.NewBuilder(types.Of(types.Bytea), len(out))
			for _, r := range out {
				bl.Append(binary.BigEndian.AppendUint64(nil, r.id))
			}
			b.Cols = append(b.Cols, bl.Finish())
			continue
		}
		bl := types.NewBuilder(typs[c], len(out))
		for _, r := range out {
			bl.Append(r.vals[c])
		}
		b.Cols = append(b.Cols, bl.Finish())
	}
	return &memReader{b}
}

func (s *memStore) Scan(_ context.Context, scan *planpb.Scan, req vexec.ScanRequest) (vexec.Reader, bool, error) {
	return s.read(scan.Table, scan.Table.PrimaryKey, scan.Columns, req.Bounds, scan.Ordered), false, nil
}

func (s *memStore) IndexScan(_ context.Context, scan *planpb.IndexScan, req vexec.ScanRequest) (vexec.Reader, bool, error) {
	return s.read(scan.Table, scan.Table.Indexes[scan.Index].Keys, scan.Columns, req.Bounds, scan.Ordered), false, nil
}

func (s *memStore) InsertBatch(ctx context.Context, t *planpb.Table, ext *vexec.Batch) error {
	s.write()
	typs := tableTypes(t)
	for i := range ext.N {
		vals := make([]types.Datum, len(typs))
		for c := range typs {
			vals[c] = types.Get(typs[c], ext.Cols[c], i)
		}
		if err := s.unique(t, typs, vals, 0, ext.N > 1); err != nil {
			return err
		}
		s.t.db.mu.Lock()
		s.t.db.nextID++
		rows := s.t.db.tables[t.StorageId]
		s.t.db.tables[t.StorageId] = append(rows, memRow{s.t.db.nextID, vals})
		s.t.db.mu.Unlock()
	}
	return nil
}

func (s *memStore) unique(t *planpb.Table, typs []types.T, vals []types.Datum, self uint64, many bool) error {
	env := types.DefaultEnv()
	check := func(name string, keys []*planpb.KeyPart) error {
		for _, r := range s.t.db.tables[t.StorageId] {
			same := r.id != self
			for _, k := range keys {
				a, b := r.vals[k.Ordinal], vals[k.Ordinal]
				same = same && a != nil && b != nil && types.Compare(env, typs[k.Ordinal], a, b) == 0
				if !same {
					break
				}
			}
			if same {
				return pgerror.New(pgerror.UniqueViolation, "duplicate key value violates unique constraint %q", name)
			}
		}
		return nil
	}
	if many {
		return nil // bulk loads of tests are trusted
	}
	if len(t.PrimaryKey) > 0 {
		if err := check(t.PrimaryKeyName, t.PrimaryKey); err != nil {
			return err
		}
	}
	for _, ix := range t.Indexes {
		if ix.Unique && !ix.Partial {
			if err := check(ix.Name, ix.Keys); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *memStore) InsertOrConflict(context.Context, *planpb.Table, *planpb.OnConflict, []types.Datum) (*vexec.Conflict, error) {
	return nil, pgerror.Internal("MemDB has no ON CONFLICT")
}

func (s *memStore) find(t *planpb.Table, loc []byte) int {
	id := binary.BigEndian.Uint64(loc)
	for i, r := range s.t.db.tables[t.StorageId] {
		if r.id == id {
			return i
		}
	}
	return -1
}

func (s *memStore) LockRow(_ context.Context, t *planpb.Table, loc []byte, _, _ uint32) (vexec.RowState, []types.Datum, error) {
	i := s.find(t, loc)
	if i < 0 {
		return vexec.RowDeleted, nil, nil
	}
	return vexec.RowUnchanged, s.t.db.tables[t.StorageId][i].vals, nil
}

func (s *memStore) Update(_ context.Context, t *planpb.Table, loc []byte, _, next []types.Datum) error {
	s.write()
	i := s.find(t, loc)
	if err := s.unique(t, tableTypes(t), next, binary.BigEndian.Uint64(loc), false); err != nil {
		return err
	}
	rows := append([]memRow(nil), s.t.db.tables[t.StorageId]...)
	rows[i].vals = next
	s.t.db.tables[t.StorageId] = rows
	return nil
}

func (s *memStore) Delete(_ context.Context, t *planpb.Table, loc []byte, _ []types.Datum) error {
	s.write()
	i := s.find(t, loc)
	rows := s.t.db.tables[t.StorageId]
	s.t.db.tables[t.StorageId] = append(append([]memRow(nil), rows[:i]...), rows[i+1:]...)
	return nil
}
