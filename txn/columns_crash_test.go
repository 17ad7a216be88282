package txn

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/storage/segment"
)

// TestColumnsFaults kills a store over and over while it commits, loads in bulk, merges, purges and
// swaps: a round writes, merges and then meets a fault at a random file operation (a
// short write, a failed sync, a full disk, or the plug), crashes with a random part of
// what was not synced lost, and starts again. Every acknowledged commit must be there
// then, whole, what failed must be there whole or not at all, and no file may be left
// over.
func TestColumnsFaults(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	rounds := 150
	if testing.Short() {
		rounds = 40
	}
	t.Logf("seed %d", seed)
	f := &faults{t: t, r: rand.New(rand.NewPCG(seed, 17)), mem: vfs.NewCrashableMem(), rows: map[int32]string{}, seed: seed}
	for i := range rounds {
		f.round(i)
	}
	t.Logf("%d commits, %d of unknown outcome, %d bulk inserts, %d prepared, %d of them ended, faults met %v", f.commits, f.unknown, f.bulks, f.prepared, f.decided, f.met)
}

type faults struct {
	t    *testing.T
	r    *rand.Rand
	seed uint64
	mem  *vfs.MemFS
	rows map[int32]string
	// unsure is the state after a commit whose outcome is unknown, nil for none.
	unsure                map[int32]string
	commits, unknown, met int
	bulks                 int // bulk inserts
	// pending is the prepared transaction there is, nil for none.
	pending           *pendingFault
	prepared, decided int
}

// pendingFault is a prepared transaction of the model: the rows if it commits.
type pendingFault struct {
	rows map[int32]string
	// unsure: it may be prepared or not; then the rows are any of outcomes.
	unsure   bool
	outcomes []map[int32]string
}

// faultFS injects one fault at the n-th operation that may fail.
type faultFS struct {
	left  atomic.Int64
	kind  atomic.Int64
	fired atomic.Bool
	cut   atomic.Bool // the next write ends half way
}

// shortFS cuts writes off where faultFS says so: part of the data lies in the file, and the
// writer gets an error.
type shortFS struct {
	vfs.FS
	faults *faultFS
}

func (s shortFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.Create(name, c)
	if err != nil {
		return nil, err
	}
	return shortFile{f, s.faults}, nil
}

func (s shortFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.ReuseForWrite(from, to, c)
	if err != nil {
		return nil, err
	}
	return shortFile{f, s.faults}, nil
}

type shortFile struct {
	vfs.File
	faults *faultFS
}

func (f shortFile) Write(p []byte) (int, error) {
	if !f.faults.cut.Swap(false) {
		return f.File.Write(p)
	}
	n, err := f.File.Write(p[:len(p)/2])
	if err == nil {
		err = io.ErrShortWrite
	}
	return n, err
}

var errPlug = errors.New("the plug was pulled")

func (f *faultFS) MaybeError(op errorfs.Op) error {
	if !strings.Contains(op.Path, "segments") && !strings.HasSuffix(op.Path, ".log") && op.Kind != errorfs.OpFileSync {
		return nil
	}
	switch op.Kind {
	case errorfs.OpFileWrite, errorfs.OpCreate, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpOpenDir:
	default:
		return nil
	}
	kind := f.kind.Load()
	if f.fired.Load() {
		switch kind {
		case 0: // full from now on, for files of segments
			if op.Kind == errorfs.OpFileWrite && strings.Contains(op.Path, "segments") {
				return syscall.ENOSPC
			}
		case 3:
			return errPlug
		}
		return nil
	}
	if f.left.Add(-1) > 0 {
		return nil
	}
	if kind == 4 && op.Kind != errorfs.OpFileWrite {
		return nil
	}
	f.fired.Store(true)
	f.cut.Store(kind == 4)
	switch {
	case kind == 0 && strings.Contains(op.Path, "segments"):
		return syscall.ENOSPC
	case kind == 1:
		return syscall.EIO
	case kind == 2 && strings.Contains(op.Path, "segments"):
		return syscall.EIO
	case kind == 3:
		return errPlug
	}
	return nil
}

func (f *faultFS) String() string { return "faults" }

func (f *faults) fail(format string, args ...any) {
	f.t.Helper()
	f.t.Fatalf("seed %d: "+format, append([]any{f.seed}, args...)...)
}

func (f *faults) key(id int32) []byte {
	sp := columns.MakeSpace(uint16(1), columnsTable)
	return binary.BigEndian.AppendUint32(sp[:], uint32(id))
}

func (f *faults) round(n int) {
	ctx := context.Background()
	inj := &faultFS{}
	inj.kind.Store(int64(f.r.IntN(5)))
	inj.left.Store(1 << 40) // not during recovery
	fs := errorfs.Wrap(shortFS{f.mem, inj}, inj)
	eng, err := engine.Open("data", engine.Options{FS: fs, MemoryBytes: 8 << 20, PresenceReads: 3})
	if err != nil {
		f.fail("round %d: %v", n, err)
	}
	mode := columns.Options{RowsMin: 1, FileRowsMax: 5 + f.r.IntN(60), BlockRows: 1 + f.r.IntN(20), Mode: columns.Mode(1 + f.r.IntN(2))}
	cols, err := columns.Open(eng, mode)
	if err != nil {
		f.fail("round %d: %v", n, err)
	}
	names, err := f.mem.List(f.mem.PathJoin("data", "segments"))
	if err != nil {
		f.fail("%v", err)
	}
	if want := cols.Files(); len(want) != len(names) {
		f.fail("round %d: %d files for %d segments: %v", n, len(names), len(want), names)
	}
	m, err := NewManager(eng, Config{DisableGC: f.r.IntN(2) == 0, PreparedMax: 1})
	if err != nil {
		f.fail("round %d: %v", n, err)
	}
	cols.Register(columnsTable, columnsTypes)
	f.settle(n, m)
	f.verify(n, m, cols)
	cols.Start(m, func() []uint16 { return []uint16{1} })
	inj.left.Store(int64(1 + f.r.IntN(60)))
	sp := columns.MakeSpace(uint16(1), columnsTable)
	for i := 0; i < 25 && f.unsure == nil && (f.pending == nil || !f.pending.unsure) && eng.Failed() == nil; i++ {
		if f.r.IntN(3) == 0 {
			spans, _ := cols.TestingSpans(sp)
			from := f.r.IntN(spans + 1)
			_ = cols.TestingMerge(ctx, sp, from, from+1+f.r.IntN(4))
			continue
		}
		if f.pending != nil { // it alone: the model's transactions take no locks
			f.finish(ctx, m)
			continue
		}
		f.commit(ctx, m)
	}
	if inj.fired.Load() {
		f.met++
	}
	crashed := f.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: f.r.IntN(101), RNG: f.r})
	inj.kind.Store(-1) // let it end
	inj.cut.Store(false)
	_ = cols.Close()
	_ = m.Close()
	_ = eng.Close()
	f.mem = crashed
}

func (f *faults) commit(ctx context.Context, m *Manager) {
	tx := m.Begin(Options{})
	tx.BeginStatement()
	next := map[int32]string{}
	for k, v := range f.rows {
		next[k] = v
	}
	if f.r.IntN(3) == 0 && !f.bulk(ctx, tx, next) {
		tx.Rollback()
		return
	}
	for range 1 + f.r.IntN(30) {
		id := int32(f.r.IntN(200))
		if f.r.IntN(4) == 0 {
			if err := tx.Delete(ctx, f.key(id)); err != nil {
				f.fail("%v", err)
			}
			delete(next, id)
			continue
		}
		enc, err := rowcodec.NewEncoder(columnsTypes)
		if err != nil {
			f.fail("%v", err)
		}
		val := fmt.Sprint("v", f.r.IntN(1<<20))
		row, err := enc.AppendDatums(nil, []types.Datum{id, val, nil, "x"})
		if err != nil {
			f.fail("%v", err)
		}
		if err := tx.Put(ctx, f.key(id), row); err != nil {
			f.fail("%v", err)
		}
		next[id] = val
	}
	if f.r.IntN(3) == 0 {
		err := tx.(Preparer).Prepare(ctx, PreparedInfo{GID: "g", Owner: 1, Database: 2, Time: time.Now(), Note: []byte("note")}, nil)
		if err == nil || pgerror.Is(err, "08007") {
			f.pending = &pendingFault{rows: next, unsure: err != nil, outcomes: []map[int32]string{f.rows}}
			f.prepared++
		}
		return
	}
	_, err := tx.Commit(ctx)
	switch {
	case err == nil:
		f.rows = next
		f.commits++
	case pgerror.Is(err, "08007"):
		f.unsure = next
		f.unknown++
	}
}

// finish ends the prepared transaction.
func (f *faults) finish(ctx context.Context, m *Manager) {
	p, err := m.ClaimPrepared(context.Background(), "g", func(i *PreparedInfo) error { return nil })
	if err != nil {
		f.fail("%v", err)
	}
	if string(p.Info().Note) != "note" || p.Info().Owner != 1 || p.Info().Database != 2 {
		f.fail("%+v", p.Info())
	}
	next := f.rows
	if f.r.IntN(2) == 0 {
		err = p.Rollback(ctx)
	} else {
		next = f.pending.rows
		_, err = p.Commit(ctx)
	}
	switch {
	case err == nil:
		f.rows, f.pending = next, nil
		f.decided++
	case pgerror.Is(err, "08007"):
		f.pending.unsure, f.pending.outcomes = true, []map[int32]string{next}
	}
}

// settle finds out after a start whether there is a prepared transaction.
func (f *faults) settle(n int, m *Manager) {
	there := len(prepared(m)) > 0
	switch p := f.pending; {
	case p == nil && there:
		f.fail("round %d: a transaction is prepared that was not, or has ended", n)
	case p == nil:
	case there:
		p.unsure, p.outcomes = false, nil
	case !p.unsure:
		f.fail("round %d: a prepared transaction is lost", n)
	default:
		f.rows, f.pending = p.outcomes[0], nil
	}
}

// bulk inserts rows as provisional segments, or rather fails to when the fault comes.
func (f *faults) bulk(ctx context.Context, tx Txn, next map[int32]string) bool {
	r := BulkRows{}
	for _, c := range columnsTypes {
		r.Columns = append(r.Columns, segment.Column{Attnum: c.Attnum, Type: c.T})
	}
	enc, err := rowcodec.NewEncoder(columnsTypes)
	if err != nil {
		f.fail("%v", err)
	}
	dec := rowcodec.NewDecoder(columnsTypes, 4096)
	added := map[int32]string{}
	for id := int32(f.r.IntN(200)); id < 220 && len(added) < 60; id++ {
		if _, there := next[id]; there || f.r.IntN(4) == 0 {
			continue
		}
		val := fmt.Sprint("bulk ", f.r.IntN(1<<20))
		row, err := enc.AppendDatums(nil, []types.Datum{id, val, nil, "x"})
		if err == nil {
			err = dec.Append(row)
		}
		if err != nil {
			f.fail("%v", err)
		}
		r.Keys = append(r.Keys, f.key(id))
		added[id] = val
	}
	r.Vectors = dec.Finish()
	done, taken, err := tx.(BulkTxn).InsertRows(ctx, r)
	if len(taken) > 0 {
		f.fail("keys at %v of %v are taken", taken, r.Keys)
	}
	if err != nil {
		return false
	}
	if done {
		for id, v := range added {
			next[id] = v
		}
		f.bulks++
	}
	return true
}

// verify compares the store with what was acknowledged.
func (f *faults) verify(n int, m *Manager, cols *columns.Store) {
	ctx := context.Background()
	tx := m.Begin(Options{})
	tx.BeginStatement()
	defer tx.Rollback()
	it, err := tx.NewIter(ctx, IterOptions{Lower: f.key(0), Upper: f.key(1000)})
	if err != nil {
		f.fail("round %d: %v", n, err)
	}
	got := map[int32]string{}
	for it.Next() {
		row, err := rowcodec.Row(columnsTypes, it.Value())
		if err != nil {
			f.fail("round %d: %v", n, err)
		}
		got[row[0].(int32)] = row[1].(string)
		v, ok, err := tx.Get(ctx, it.Key())
		if err != nil || !ok || string(v) != string(it.Value()) {
			f.fail("round %d: get of %x: %v %v", n, it.Key(), ok, err)
		}
	}
	if err := it.Close(); err != nil {
		f.fail("round %d: %v", n, err)
	}
	if f.unsure != nil && fmt.Sprint(got) == fmt.Sprint(f.unsure) {
		f.rows = f.unsure
	}
	f.unsure = nil
	if fmt.Sprint(got) != fmt.Sprint(f.rows) {
		f.fail("round %d:\n got %v\nwant %v", n, got, f.rows)
	}
	damaged, err := cols.Check(ctx, true)
	if err != nil || len(damaged) > 0 {
		f.fail("round %d: %v %v", n, damaged, err)
	}
}

// TestColumnsFlippedBit flips every so-manieth bit of a segment: reads give XX001 with
// the file's name, or what was written, never another answer.
func TestColumnsFlippedBit(t *testing.T) {
	mem := vfs.NewMem()
	ctx := context.Background()
	eng, cols, m := openColumns(t, mem, Config{}, columns.Options{RowsMin: 1, BlockRows: 64, Mode: columns.Off})
	sp := columns.MakeSpace(uint16(1), columnsTable)
	tx := m.Begin(Options{})
	tx.BeginStatement()
	enc, err := rowcodec.NewEncoder(columnsTypes)
	if err != nil {
		t.Fatal(err)
	}
	key := func(i int) []byte { return binary.BigEndian.AppendUint32(append([]byte{}, sp[:]...), uint32(i)) }
	want := map[string]string{}
	for i := range 300 {
		row, err := enc.AppendDatums(nil, []types.Datum{int32(i), fmt.Sprint("text ", i*i), types.NumericFromInt64(int64(i), 2), nil})
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Put(ctx, key(i), row); err != nil {
			t.Fatal(err)
		}
		want[string(key(i))] = string(row)
	}
	if _, err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := cols.TestingMerge(ctx, sp, 0, 2); err != nil {
		t.Fatal(err)
	}
	names, err := mem.List(mem.PathJoin("data", "segments"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	path := mem.PathJoin("data", "segments", names[0])
	closeAll := func() {
		if err := errors.Join(cols.Close(), m.Close(), eng.Close()); err != nil {
			t.Fatal(err)
		}
	}
	closeAll()
	file, err := mem.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	st, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	whole := make([]byte, st.Size())
	if _, err := file.ReadAt(whole, 0); err != nil {
		t.Fatal(err)
	}
	file.Close()
	found := 0
	const step = 61
	for at := 3; at < len(whole); at += step {
		b := append([]byte{}, whole...)
		b[at] ^= 1 << (at % 8)
		if err := mem.Remove(path); err != nil {
			t.Fatal(err)
		}
		f, err := mem.Create(path, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
		f.Close()
		eng, cols, m = openColumns(t, mem, Config{DisableGC: true}, columns.Options{Mode: columns.Off})
		rx := m.Begin(Options{})
		rx.BeginStatement()
		check := func(err error) bool {
			if err == nil {
				return false
			}
			if !pgerror.Is(err, pgerror.DataCorrupted) || !strings.Contains(err.Error(), names[0]) {
				t.Fatalf("byte %d: %v", at, err)
			}
			return true
		}
		it, err := rx.NewIter(ctx, IterOptions{Lower: key(0), Upper: key(1000)})
		met := check(err)
		if err == nil {
			n := 0
			for it.Next() {
				n++
				if string(it.Value()) != want[string(it.Key())] {
					t.Fatalf("byte %d: a wrong row", at)
				}
			}
			if met = check(it.Err()); !met && n != len(want) {
				t.Fatalf("byte %d: %d rows", at, n)
			}
			it.Close()
		}
		for i := range 40 {
			v, ok, err := rx.Get(ctx, key(i*8))
			if check(err) {
				met = true
			} else if i*8 < 300 && (!ok || string(v) != want[string(key(i*8))]) {
				t.Fatalf("byte %d: get gives %v", at, ok)
			}
		}
		rx.Rollback()
		damaged, err := cols.Check(ctx, true)
		if err != nil || len(damaged) != 1 {
			t.Fatalf("byte %d of %d: the check finds %v, %v", at, len(whole), damaged, err)
		}
		if met {
			found++
		}
		closeAll()
	}
	t.Logf("%d of %d flips met by reads", found, (len(whole)-3)/step+1)
}

// TestColumnsBank moves units between accounts from several goroutines, deleting and
// inserting rows as it goes, while everything is merged all the time and collected:
// every snapshot must add up.
func TestColumnsBank(t *testing.T) {
	ctx := context.Background()
	eng, cols, m := openColumns(t, vfs.NewMem(), Config{}, columns.Options{Mode: columns.Always, FileRowsMax: 7, BlockRows: 3})
	sp := columns.MakeSpace(uint16(1), columnsTable)
	const accounts, start = 40, 100
	key := func(i int) []byte { return binary.BigEndian.AppendUint32(append([]byte{}, sp[:]...), uint32(i)) }
	put := func(tx Txn, i int, v int64) error {
		if v == 0 { // no row at all
			return tx.Delete(ctx, key(i))
		}
		enc, err := rowcodec.NewEncoder(columnsTypes[:3])
		if err != nil {
			return err
		}
		row, err := enc.AppendDatums(nil, []types.Datum{int32(i), "x", types.NumericFromInt64(v, 0)})
		if err != nil {
			return err
		}
		return tx.Put(ctx, key(i), row)
	}
	value := func(row []byte) int64 {
		d, err := rowcodec.Row(columnsTypes, row)
		if err != nil {
			t.Error(err)
			return 0
		}
		v, _, _ := d[2].(types.Numeric).Int64()
		return v
	}
	tx := m.Begin(Options{})
	tx.BeginStatement()
	for i := range accounts {
		if err := put(tx, i, start); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(2 * time.Second)
	errs := make(chan error, 8)
	for w := range 4 {
		go func() {
			r := rand.New(rand.NewPCG(uint64(w), 4))
			for time.Now().Before(deadline) {
				a, b := r.IntN(accounts), r.IntN(accounts)
				if a == b {
					continue
				}
				err := func() error {
					tx := m.Begin(Options{})
					defer tx.Rollback()
					tx.BeginStatement()
					var v [2]int64
					for i, k := range []int{min(a, b), max(a, b)} {
						n, err := tx.LockRow(ctx, key(k), LockUpdate, WaitBlock)
						if err != nil {
							return err
						}
						if n.Exists {
							v[i] = value(n.Value)
						}
					}
					d := v[0] // all of it, or one
					if r.IntN(2) == 0 {
						d = min(d, 1)
					}
					if err := put(tx, min(a, b), v[0]-d); err != nil {
						return err
					}
					if err := put(tx, max(a, b), v[1]+d); err != nil {
						return err
					}
					_, err := tx.Commit(ctx)
					return err
				}()
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 2 {
		go func() {
			for time.Now().Before(deadline) {
				tx := m.Begin(Options{Isolation: RepeatableRead})
				tx.BeginStatement()
				for range 3 {
					it, err := tx.NewIter(ctx, IterOptions{Lower: key(0), Upper: key(1000)})
					if err != nil {
						errs <- err
						return
					}
					sum := int64(0)
					for it.Next() {
						sum += value(it.Value())
					}
					if err := it.Close(); err != nil || sum != accounts*start {
						errs <- fmt.Errorf("sum %d, %v", sum, err)
						return
					}
				}
				tx.Rollback()
			}
			errs <- nil
		}()
	}
	for range 6 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := cols.Totals().Merges; n < 3 {
		t.Errorf("%d merges", n)
	}
	if err := errors.Join(cols.Close(), m.Close(), eng.Close()); err != nil {
		t.Fatal(err)
	}
}
