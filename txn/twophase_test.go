package txn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/storage/segment"
)

func anybody(*PreparedInfo) error { return nil }

// prepare prepares a transaction under a name.
func prepare(t *testing.T, tx Txn, gid string) {
	t.Helper()
	if err := tx.(Preparer).Prepare(context.Background(), PreparedInfo{GID: gid, Owner: 10, Database: 5, Time: time.UnixMicro(77), Note: []byte(gid)}, nil); err != nil {
		t.Fatal(err)
	}
}

func claim(t *testing.T, m *Manager, gid string) ClaimedTxn {
	t.Helper()
	p, err := m.ClaimPrepared(context.Background(), gid, anybody)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func prepared(m *Manager) []PreparedInfo {
	infos, _ := m.Prepared(context.Background()) // in one process nothing fails
	return infos
}

func begin(m *Manager, iso Isolation, pid int32) Txn {
	tx := m.Begin(Options{Isolation: iso, ProcessID: pid})
	tx.BeginStatement()
	return tx
}

// is fails unless err has the SQLSTATE.
func is(t *testing.T, err error, code pgerror.Code) {
	t.Helper()
	if !pgerror.Is(err, code) {
		t.Fatalf("%v, want %s", err, code)
	}
}

// reads is what a new snapshot has under key, "" for nothing.
func reads(t *testing.T, m *Manager, key string) string {
	t.Helper()
	tx := begin(m, ReadCommitted, 9)
	defer tx.Rollback()
	v, _, err := tx.Get(context.Background(), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return string(v)
}

// TestPrepared holds what a prepared transaction keeps against crashes: its writes, small and spilled ones, its
// locks of every kind; and that it ends by its name, whole, its record with it.
func TestPrepared(t *testing.T) {
	ctx := context.Background()
	for _, spill := range []bool{false, true} {
		for _, crash := range []bool{false, true} {
			for _, commit := range []bool{false, true} {
				t.Run(fmt.Sprintf("spill=%t/crash=%t/commit=%t", spill, crash, commit), func(t *testing.T) {
					fs := vfs.NewCrashableMem()
					cfg := Config{PreparedMax: 3}
					if spill {
						cfg.SpillBytes = 4 << 10
					}
					eng, m := testManager(t, fs, cfg)
					old := begin(m, ReadCommitted, 1)
					if err := old.Put(ctx, []byte("key a"), []byte("old")); err != nil {
						t.Fatal(err)
					}
					if _, err := old.Commit(ctx); err != nil {
						t.Fatal(err)
					}
					adv := m.AdvisoryLocks(7)
					if _, err := adv.Lock(ctx, AdvisoryKey{Key: 3}, true, true, WaitBlock, 0, 0); err != nil {
						t.Fatal(err)
					}
					tx := begin(m, RepeatableRead, 7)
					if err := tx.LockRelation(ctx, 40, RowExclusive, WaitBlock); err != nil {
						t.Fatal(err)
					}
					if _, err := tx.LockRow(ctx, []byte("shared"), LockKeyShare, WaitBlock); err != nil {
						t.Fatal(err)
					}
					write := func(key, value string) {
						if _, err := tx.LockRow(ctx, []byte(key), LockUpdate, WaitBlock); err != nil {
							t.Fatal(err)
						}
						if err := tx.Put(ctx, []byte(key), []byte(value)); err != nil {
							t.Fatal(err)
						}
					}
					write("key a", "new")
					for i := range 100 {
						write(fmt.Sprint("key ", i), fmt.Sprint("value ", i))
					}
					if _, err := tx.LockRow(ctx, []byte("key 5"), LockUpdate, WaitBlock); err != nil {
						t.Fatal(err)
					}
					if err := tx.Delete(ctx, []byte("key 5")); err != nil {
						t.Fatal(err)
					}
					if (tx.(*transaction).spill.Load() != nil) != spill {
						t.Fatal("spilled, or not")
					}
					if err := tx.(Preparer).Prepare(ctx, PreparedInfo{GID: "g", Owner: 10, Database: 5, Time: time.UnixMicro(77), Note: []byte("n")}, adv); err != nil {
						t.Fatal(err)
					}
					tx.Rollback() // is nobody's business any more
					if h := m.OldestSnapshot(); h != m.Watermark() {
						t.Errorf("the prepared transaction holds the horizon at %d, below %d", h, m.Watermark())
					}
					if crash {
						fs = fs.CrashClone(vfs.CrashCloneCfg{})
						if err := errors.Join(m.Close(), eng.Close()); err != nil {
							t.Fatal(err)
						}
						cfg.PreparedMax = 0 // those that are there stay
						eng, m = testManager(t, fs, cfg)
					}
					infos := prepared(m)
					if len(infos) != 1 || infos[0].GID != "g" || infos[0].Owner != 10 || infos[0].Database != 5 || infos[0].Time.UnixMicro() != 77 || string(infos[0].Note) != "n" || infos[0].Txn != tx.ID() {
						t.Fatalf("%+v", infos)
					}
					if v := reads(t, m, "key a"); v != "old" {
						t.Fatalf("a is %q", v)
					}
					other := begin(m, ReadCommitted, 8)
					busy := func(key string, s LockStrength) {
						t.Helper()
						_, err := other.LockRow(ctx, []byte(key), s, WaitError)
						is(t, err, pgerror.LockNotAvailable)
					}
					busy("key a", LockKeyShare)
					busy("key 5", LockKeyShare)
					busy("key 99", LockShare)
					busy("shared", LockUpdate)
					if _, err := other.LockRow(ctx, []byte("shared"), LockNoKeyUpdate, WaitError); err != nil {
						t.Fatal(err)
					}
					is(t, other.LockRelation(ctx, 40, ShareLock, WaitError), pgerror.LockNotAvailable)
					mine := m.AdvisoryLocks(8)
					if got, err := mine.Lock(ctx, AdvisoryKey{Key: 3}, false, false, WaitError, 0, 0); got || err != nil {
						t.Fatal("the advisory lock is free", err)
					}
					var held []string
					for _, l := range m.Locks() {
						if l.Holder == tx.ID() {
							held = append(held, fmt.Sprint(l.Mode, l.ProcessID, l.Relation, l.Transaction != 0, l.Advisory != nil))
						}
					}
					slices.Sort(held)
					if fmt.Sprint(held) != "[ExclusiveLock0 0 true false RowExclusiveLock0 40 false false ShareLock0 0 false true]" {
						t.Fatal(held)
					}
					waiter := make(chan error, 1)
					go func() {
						_, err := other.LockRow(ctx, []byte("key a"), LockUpdate, WaitBlock)
						waiter <- err
					}()
					for len(m.Blockers(8)) == 0 {
						time.Sleep(time.Millisecond)
					}
					if b := m.Blockers(8); !slices.Equal(b, []int32{0}) {
						t.Fatal(b)
					}
					_, err := m.ClaimPrepared(context.Background(), "h", anybody)
					is(t, err, pgerror.UndefinedObject)
					_, err = m.ClaimPrepared(context.Background(), "g", func(*PreparedInfo) error { return pgerror.New(pgerror.InsufficientPrivilege, "no") })
					is(t, err, pgerror.InsufficientPrivilege)
					p := claim(t, m, "g")
					_, err = m.ClaimPrepared(context.Background(), "g", anybody)
					is(t, err, pgerror.ObjectNotInPrerequisiteState)
					if p.Recovered() != crash {
						t.Fatal("recovered, or not")
					}
					gone, stop := context.WithCancel(ctx)
					stop()
					if _, err := p.Commit(gone); err == nil {
						t.Fatal("committed by nobody")
					}
					p = claim(t, m, "g")
					want := "old"
					if commit {
						want = "new"
						_, err = p.Commit(ctx)
					} else {
						err = p.Rollback(ctx)
					}
					if err != nil {
						t.Fatal(err)
					}
					if err := <-waiter; err != nil {
						t.Fatal(err)
					}
					other.Rollback()
					check := func() {
						t.Helper()
						if v := reads(t, m, "key a"); v != want {
							t.Fatalf("a is %q", v)
						}
						if v := reads(t, m, "key 99"); (v == "value 99") != commit {
							t.Fatalf("key 99 is %q", v)
						}
						if v := reads(t, m, "key 5"); v != "" {
							t.Fatalf("key 5 is %q", v)
						}
						if len(prepared(m)) != 0 {
							t.Fatal("still prepared")
						}
					}
					check()
					for _, l := range m.Locks() {
						if l.Holder == tx.ID() {
							t.Fatalf("left over: %+v", l)
						}
					}
					fs = fs.CrashClone(vfs.CrashCloneCfg{})
					if err := errors.Join(m.Close(), eng.Close()); err != nil {
						t.Fatal(err)
					}
					eng, m = testManager(t, fs, cfg)
					check()
					if err := eng.LocalScan([]byte(preparedPrefix), preparedEnd, func(key, _ []byte) error { return fmt.Errorf("left over: %q", key) }); err != nil {
						t.Fatal(err)
					}
					if err := errors.Join(m.Close(), eng.Close()); err != nil {
						t.Fatal(err)
					}
				})
			}
		}
	}
}

// TestPreparedNames: names are taken once, as many as may be, and come free.
func TestPreparedNames(t *testing.T) {
	ctx := context.Background()
	eng, m := testManager(t, vfs.NewMem(), Config{PreparedMax: 2})
	prepare(t, begin(m, ReadCommitted, 1), "one")
	is(t, begin(m, ReadCommitted, 1).(Preparer).Prepare(ctx, PreparedInfo{GID: "one"}, nil), pgerror.DuplicateObject)
	prepare(t, begin(m, ReadCommitted, 1), "two")
	is(t, begin(m, ReadCommitted, 1).(Preparer).Prepare(ctx, PreparedInfo{GID: "three"}, nil), pgerror.OutOfMemory)
	if _, err := claim(t, m, "one").Commit(ctx); err != nil {
		t.Fatal(err)
	}
	prepare(t, begin(m, ReadCommitted, 1), "one")
	for _, g := range []string{"one", "two"} {
		if err := claim(t, m, g).Rollback(ctx); err != nil {
			t.Fatal(err)
		}
	}
	adv := m.AdvisoryLocks(1)
	for _, xact := range []bool{true, false} {
		if _, err := adv.Lock(ctx, AdvisoryKey{Key: 1}, xact, xact, WaitBlock, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	is(t, begin(m, ReadCommitted, 1).(Preparer).Prepare(ctx, PreparedInfo{GID: "one"}, adv), pgerror.FeatureNotSupported)
	if len(prepared(m)) != 0 {
		t.Fatal("the name of a failed PREPARE stays taken")
	}
	if err := errors.Join(m.Close(), eng.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestPreparedSerializable: what a prepared transaction has read and written counts after a
// restart, and it is never the one that is ended.
func TestPreparedSerializable(t *testing.T) {
	ctx := context.Background()
	read := func(tx Txn, key string) error {
		if err := tx.(RowTxn).PredicateRead([]byte(key), nil); err != nil {
			return err
		}
		_, _, err := tx.Get(ctx, []byte(key))
		return err
	}
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart=%t", restart), func(t *testing.T) {
			fs := vfs.NewCrashableMem()
			eng, m := testManager(t, fs, Config{PreparedMax: 2})
			p := begin(m, Serializable, 1)
			if err := errors.Join(read(p, "key x"), p.Put(ctx, []byte("key y"), []byte("p"))); err != nil {
				t.Fatal(err)
			}
			prepare(t, p, "p")
			if restart {
				fs = fs.CrashClone(vfs.CrashCloneCfg{})
				if err := errors.Join(m.Close(), eng.Close()); err != nil {
					t.Fatal(err)
				}
				eng, m = testManager(t, fs, Config{PreparedMax: 2})
			}
			// The other half of a write skew: reads y, writes x.
			q := begin(m, Serializable, 2)
			err := read(q, "key y")
			if err == nil {
				err = q.Put(ctx, []byte("key x"), []byte("q"))
			}
			if err == nil {
				_, err = q.Commit(ctx)
			}
			is(t, err, pgerror.SerializationFailure)
			q.Rollback()
			// One that only writes what it has read comes after it.
			w := begin(m, Serializable, 3)
			if err := w.Put(ctx, []byte("key x"), []byte("w")); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Commit(ctx); err != nil {
				t.Fatal(err)
			}
			// A read only one waits for it before its snapshot is safe.
			d := m.Begin(Options{Isolation: Serializable, ReadOnly: true, Deferrable: true, ProcessID: 4})
			safe := make(chan error, 1)
			go func() { safe <- d.AwaitSafeSnapshot(ctx) }()
			for len(m.SafeSnapshotBlockers(4)) == 0 {
				time.Sleep(time.Millisecond)
			}
			if b := m.SafeSnapshotBlockers(4); !slices.Equal(b, []int32{0}) {
				t.Fatal(b)
			}
			if _, err := claim(t, m, "p").Commit(ctx); err != nil {
				t.Fatal(err)
			}
			if err := <-safe; err != nil {
				t.Fatal(err)
			}
			// Unsafe, since w committed between p's read and its commit: the snapshot is another.
			d.BeginStatement()
			if v, _, _ := d.Get(ctx, []byte("key y")); string(v) != "p" {
				t.Fatalf("y is %q", v)
			}
			d.Rollback()
			if err := errors.Join(m.Close(), eng.Close()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestPreparedBulk: rows inserted in bulk survive a restart inside a prepared transaction,
// their keys taken, and their files go with a rollback.
func TestPreparedBulk(t *testing.T) {
	ctx := context.Background()
	for _, commit := range []bool{false, true} {
		t.Run(fmt.Sprintf("commit=%t", commit), func(t *testing.T) {
			fs := vfs.NewCrashableMem()
			o := columns.Options{RowsMin: 1, Mode: columns.Always}
			eng, cols, m := openColumns(t, fs, Config{PreparedMax: 1}, o)
			f := &faults{t: t}
			r := BulkRows{}
			for _, c := range columnsTypes {
				r.Columns = append(r.Columns, segment.Column{Attnum: c.Attnum, Type: c.T})
			}
			enc, err := rowcodec.NewEncoder(columnsTypes)
			if err != nil {
				t.Fatal(err)
			}
			dec := rowcodec.NewDecoder(columnsTypes, 4096)
			for id := range int32(500) {
				row, err := enc.AppendDatums(nil, []types.Datum{id, fmt.Sprint(id), nil, "x"})
				if err == nil {
					err = dec.Append(row)
				}
				if err != nil {
					t.Fatal(err)
				}
				r.Keys = append(r.Keys, f.key(id))
			}
			r.Vectors = dec.Finish()
			tx := begin(m, ReadCommitted, 1)
			if done, taken, err := tx.(BulkTxn).InsertRows(ctx, r); !done || taken != nil || err != nil {
				t.Fatal(done, taken, err)
			}
			prepare(t, tx, "b")
			for range 2 {
				fs = fs.CrashClone(vfs.CrashCloneCfg{})
				if err := errors.Join(cols.Close(), m.Close(), eng.Close()); err != nil {
					t.Fatal(err)
				}
				eng, cols, m = openColumns(t, fs, Config{PreparedMax: 1}, o)
			}
			other := begin(m, ReadCommitted, 2)
			_, err = other.LockRow(ctx, f.key(77), LockKeyShare, WaitError)
			is(t, err, pgerror.LockNotAvailable)
			other.Rollback()
			p := claim(t, m, "b")
			if commit {
				_, err = p.Commit(ctx)
			} else {
				err = p.Rollback(ctx)
			}
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				now := begin(m, ReadCommitted, 3)
				v, ok, err := now.Get(ctx, f.key(77))
				if err != nil || ok != commit || ok && !bytes.Contains(v, []byte("77")) {
					t.Fatalf("%q %v %v", v, ok, err)
				}
				now.Rollback()
				names, err := fs.List(fs.PathJoin("data", "segments"))
				if err != nil || (len(names) > 0) != commit {
					t.Fatal(names, err)
				}
				if err := errors.Join(cols.Close(), m.Close(), eng.Close()); err != nil {
					t.Fatal(err)
				}
				eng, cols, m = openColumns(t, fs, Config{PreparedMax: 1}, o)
			}
			if err := errors.Join(cols.Close(), m.Close(), eng.Close()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// FuzzPreparedRecord: headers and entries are read or refused, with no panic.
func FuzzPreparedRecord(f *testing.F) {
	h := preparedHeader{state: preparedState, chunks: 3, owner: 10, database: 5, time: time.UnixMicro(5), isolation: Serializable, flags: preparedNotes, snapshot: 9, gid: "g", note: []byte("n")}
	f.Add(h.encode())
	f.Add(appendIntent([]byte{entryWrite}, []byte("k"), []byte("v"), false, true))
	f.Add(appendBytes([]byte{entryLock, recordRows, 3}, []byte("k")))
	f.Add(appendBytes(appendBytes([]byte{entryReadRange}, []byte("k")), []byte("l")))
	h.hosted, h.flags, h.parts = true, preparedNotes|preparedCatalog, []PreparedPart{{Node: 1}, {Node: 300, Wrote: true}}
	f.Add(h.encode())
	f.Add(appendBytes([]byte{entryWroteKey}, []byte("k")))
	f.Add(appendBytes(appendBytes([]byte{entryWroteRange}, []byte("k")), []byte("l")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := decodePreparedHeader(b); err == nil {
			again, err := decodePreparedHeader(h.encode())
			if err != nil || !bytes.Equal(again.encode(), h.encode()) {
				t.Fatalf("%+v is not read again: %v", h, err)
			}
		} else if !pgerror.Is(err, pgerror.DataCorrupted) && !pgerror.Is(err, pgerror.FeatureNotSupported) {
			t.Fatal(err)
		}
		if err := eachEntry(b, func(*entry) error { return nil }); err != nil && !pgerror.Is(err, pgerror.DataCorrupted) {
			t.Fatal(err)
		}
	})
}
