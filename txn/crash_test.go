package txn

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
)

// TestCrashDuringCommits pulls the plug while goroutines commit, small and
// spilled transactions alike: what was acknowledged before is there, every
// transaction is there whole or not at all, and sequence values do not come again.
func TestCrashDuringCommits(t *testing.T) {
	fs := vfs.NewCrashableMem()
	_, m := testManager(t, fs, Config{SpillBytes: 8 << 10})
	ctx := context.Background()
	const writers, keys = 4, 30
	var acked [writers]atomic.Uint64
	var drawn atomic.Uint64 // sequence value acknowledged
	stop := make(chan struct{})
	var wg sync.WaitGroup
	key := func(w, i int) []byte { return fmt.Appendf(nil, "w%d/%02d", w, i) }
	for w := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(uint64(w), 3))
			for n := uint64(1); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				tx := m.Begin(Options{})
				tx.BeginStatement()
				val := binary.BigEndian.AppendUint64(nil, n)
				if r.IntN(3) == 0 {
					val = append(val, make([]byte, 1000)...) // spills
				}
				for i := range keys {
					if err := tx.Put(ctx, key(w, i), val); err != nil {
						t.Error(err)
						return
					}
				}
				var v uint64
				if err := m.UpdateNow(ctx, []byte("seq"), func(old []byte) ([]byte, error) {
					if old != nil {
						v = binary.BigEndian.Uint64(old)
					}
					v++
					return binary.BigEndian.AppendUint64(nil, v), nil
				}); err != nil {
					t.Error(err)
					return
				}
				if r.IntN(4) == 0 { // a sequence value alone
					tx.Rollback()
					tx = m.Begin(Options{})
					n--
				}
				if _, err := tx.Commit(ctx); err != nil {
					t.Error(err)
					return
				}
				acked[w].Store(n)
				for o := drawn.Load(); o < v && !drawn.CompareAndSwap(o, v); o = drawn.Load() {
				}
			}
		}()
	}
	r := rand.New(rand.NewPCG(5, 5))
	for range 12 {
		time.Sleep(time.Duration(10+r.IntN(60)) * time.Millisecond)
		var before [writers]uint64
		for w := range before {
			before[w] = acked[w].Load()
		}
		seq := drawn.Load()
		mark := m.Watermark()
		clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: r})
		eng, m2 := testManager(t, clone, Config{})
		if got := m2.Watermark(); got < mark {
			t.Fatalf("the clock went back from %d to %d", mark, got)
		}
		tx := m2.Begin(Options{})
		tx.BeginStatement()
		for w := range writers {
			var first uint64
			for i := range keys {
				v, ok, err := tx.Get(ctx, key(w, i))
				if err != nil {
					t.Fatal(err)
				}
				var n uint64
				if ok {
					n = binary.BigEndian.Uint64(v)
				}
				if i == 0 {
					first = n
				}
				if n != first {
					t.Fatalf("writer %d: half a transaction, %d and %d", w, first, n)
				}
			}
			if first < before[w] {
				t.Fatalf("writer %d: %d was acknowledged, %d is there", w, before[w], first)
			}
		}
		tx.Rollback()
		v, err := m2.ReadNow(ctx, []byte("seq"))
		if err != nil {
			t.Fatal(err)
		}
		if seq > 0 && (v == nil || binary.BigEndian.Uint64(v) < seq) {
			t.Fatalf("sequence value %d was acknowledged, %x is there", seq, v)
		}
		if err := m2.Close(); err != nil {
			t.Fatal(err)
		}
		if err := eng.Close(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.eng.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFailedCommit: the log cannot be written any more. Commits report an
// unknown outcome, later ones fail, nobody hangs, and nothing acknowledged is lost.
func TestFailedCommit(t *testing.T) {
	mem := vfs.NewCrashableMem()
	var broken atomic.Bool
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileWrite) {
			return syscall.EIO
		}
		return nil
	}))
	eng, err := engine.Open("data", engine.Options{FS: fs, MemoryBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewManager(eng, Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	commit := func(k string) error {
		tx := m.Begin(Options{})
		tx.BeginStatement()
		if err := tx.Put(ctx, hkey(k), []byte("v")); err != nil {
			tx.Rollback()
			return err
		}
		_, err := tx.Commit(ctx)
		return err
	}
	if err := commit("a"); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	errs := make(chan error)
	for i := range 4 {
		go func() { errs <- commit(fmt.Sprint("b", i)) }()
	}
	for range 4 {
		select {
		case err := <-errs:
			if err == nil {
				t.Error("acknowledged")
			}
		case <-time.After(10 * time.Second):
			t.Fatal("a commit hangs")
		}
	}
	if err := commit("c"); err == nil {
		t.Error("acknowledged after the failure")
	}
	_, m2 := testManager(t, mem.CrashClone(vfs.CrashCloneCfg{}), Config{})
	tx := m2.Begin(Options{})
	tx.BeginStatement()
	if _, ok, err := tx.Get(ctx, hkey("a")); !ok || err != nil {
		t.Error(ok, err)
	}
	tx.Rollback()
	if err := m2.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m2.eng.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestSpillDiskFull: a transaction that finds no room for its runs fails alone.
func TestSpillDiskFull(t *testing.T) {
	var full atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && strings.Contains(op.Path, "bulk") && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpCreate) {
			return syscall.ENOSPC
		}
		return nil
	}))
	_, m := testManager(t, fs, Config{SpillBytes: 4 << 10})
	ctx := context.Background()
	load := func() error {
		tx := m.Begin(Options{})
		defer tx.Rollback()
		tx.BeginStatement()
		for i := range 200 {
			if err := tx.Put(ctx, fmt.Appendf(nil, "k%04d", i), make([]byte, 100)); err != nil {
				return err
			}
		}
		_, err := tx.Commit(ctx)
		return err
	}
	full.Store(true)
	if err := load(); !pgerror.Is(err, pgerror.DiskFull) {
		t.Fatal(err)
	}
	full.Store(false)
	if err := load(); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.eng.Close(); err != nil {
		t.Fatal(err)
	}
}
