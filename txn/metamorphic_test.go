package txn

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the metamorphic test, 0 for a new one")

// TestMetamorphic runs random interleaved transactions against a naive model:
// lists of versions and of writes, searched from end to end. Now and then it
// collects garbage, and crashes with unsynced data lost and goes on with what a
// restart finds. A failure prints the seed and the operations.
func TestMetamorphic(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	for i := range 4 {
		s := seed + uint64(i)
		t.Run(fmt.Sprintf("seed=%d", s), func(t *testing.T) { runMetamorphic(t, s) })
	}
}

type modelVersion struct {
	ts  Timestamp
	val string
	del bool
}

type modelWrite struct {
	key, val string
	del      bool
	stmt     uint32
}

type modelTxn struct {
	tx     *transaction
	rr     bool
	snap   Timestamp
	stmt   uint32
	writes []modelWrite
	saves  []modelSave
	locked map[string]bool
	// views and what they must show
	views []modelView
}

type modelSave struct {
	sp     Savepoint
	writes int
	locked map[string]bool
}

type modelView struct {
	v    View
	want map[string]string
}

type metamorphic struct {
	t    *testing.T
	r    *rand.Rand
	fs   *vfs.MemFS
	m    *Manager
	eng  interface{ Close() error }
	data map[string][]modelVersion
	txns []*modelTxn
	log  []string
	last Timestamp
}

func runMetamorphic(t *testing.T, seed uint64) {
	x := &metamorphic{t: t, r: rand.New(rand.NewPCG(seed, 7)), fs: vfs.NewCrashableMem(), data: map[string][]modelVersion{}}
	x.open()
	steps := 3000
	if testing.Short() {
		steps = 800
	}
	for range steps {
		x.step()
	}
	for len(x.txns) > 0 {
		x.end(x.txns[0], false)
	}
	x.check(x.m.CollectNow())
	x.checkAll()
	x.check(x.m.Close())
	x.check(x.eng.Close())
}

func (x *metamorphic) open() {
	cfg := Config{SpillBytes: []int64{1 << 10, 4 << 10, 1 << 20}[x.r.IntN(3)], DisableGC: x.r.IntN(2) == 0}
	x.log = append(x.log, fmt.Sprintf("open %+v", cfg))
	eng, m := testManager(x.t, x.fs, cfg)
	x.eng, x.m = eng, m
	if w := m.Watermark(); w < x.last {
		x.fail("the clock went back from %d to %d", x.last, w)
	}
}

func (x *metamorphic) fail(format string, args ...any) {
	x.t.Helper()
	n := max(0, len(x.log)-60)
	x.t.Fatalf(format+"\nlast operations:\n%s", append(args, strings.Join(x.log[n:], "\n"))...)
}

func (x *metamorphic) check(err error) {
	x.t.Helper()
	if err != nil {
		x.fail("%v", err)
	}
}

func (x *metamorphic) note(t *modelTxn, format string, args ...any) {
	x.log = append(x.log, fmt.Sprintf("txn %p: ", t)+fmt.Sprintf(format, args...))
}

func (x *metamorphic) key() string { return fmt.Sprintf("k%03d", x.r.IntN(120)) }

// state is what t must see.
func (x *metamorphic) state(t *modelTxn) map[string]string {
	out := map[string]string{}
	for k, vs := range x.data {
		for i := len(vs) - 1; i >= 0; i-- {
			if vs[i].ts <= t.snap {
				if !vs[i].del {
					out[k] = vs[i].val
				}
				break
			}
		}
	}
	for _, w := range t.writes {
		if w.stmt >= t.stmt {
			continue
		}
		if w.del {
			delete(out, w.key)
		} else {
			out[w.key] = w.val
		}
	}
	return out
}

func (x *metamorphic) step() {
	ctx := context.Background()
	if x.r.IntN(300) == 0 {
		x.crash()
		return
	}
	if x.r.IntN(60) == 0 {
		x.log = append(x.log, "gc")
		x.check(x.m.CollectNow())
		return
	}
	if len(x.txns) < 4 && x.r.IntN(4) == 0 || len(x.txns) == 0 {
		t := &modelTxn{rr: x.r.IntN(2) == 0, locked: map[string]bool{}}
		o := Options{}
		if t.rr {
			o.Isolation = RepeatableRead
		}
		t.tx = newTransaction(x.m, o)
		t.tx.BeginStatement()
		t.snap, t.stmt = t.tx.Snapshot(), 1
		x.txns = append(x.txns, t)
		x.note(t, "begin rr=%v at %d", t.rr, t.snap)
		if t.snap < x.last {
			x.fail("snapshot %d misses commit %d", t.snap, x.last)
		}
		return
	}
	t := x.txns[x.r.IntN(len(x.txns))]
	switch p := x.r.IntN(100); {
	case p < 12: // statement
		t.tx.BeginStatement()
		t.stmt++
		if !t.rr {
			t.snap = t.tx.Snapshot()
			if t.snap < x.last {
				x.fail("snapshot %d misses commit %d", t.snap, x.last)
			}
		}
		x.note(t, "statement at %d", t.snap)
	case p < 15:
		t.tx.NextCommand()
		t.stmt++
		x.note(t, "next")
	case p < 60: // write some
		for range 1 + x.r.IntN(8) {
			k := x.key()
			if !t.locked[k] {
				n, err := t.tx.LockKey(ctx, []byte(k), LockUpdate, WaitSkip)
				x.check(err)
				busy := false
				for _, o := range x.txns {
					busy = busy || o != t && o.locked[k]
				}
				if n.Skipped != busy {
					x.fail("lock on %s: skipped %v, held by another %v", k, n.Skipped, busy)
				}
				if busy {
					continue
				}
				t.locked[k] = true
			}
			w := modelWrite{key: k, del: x.r.IntN(4) == 0, stmt: t.stmt}
			if w.del {
				x.check(t.tx.Delete(ctx, []byte(k)))
			} else {
				w.val = fmt.Sprintf("%d-%s", x.r.IntN(1000), strings.Repeat("x", x.r.IntN(100)))
				x.check(t.tx.Put(ctx, []byte(k), []byte(w.val)))
			}
			t.writes = append(t.writes, w)
			x.note(t, "write %+v", w)
		}
	case p < 70: // read
		want := x.state(t)
		k := x.key()
		v, ok, err := t.tx.Get(ctx, []byte(k))
		x.check(err)
		if w, wok := want[k]; ok != wok || string(v) != w {
			x.fail("txn %p: get %s at %d: %q %v, want %q %v; versions %+v", t, k, t.snap, v, ok, w, wok, x.data[k])
		}
		x.compare(t, "scan", func(o IterOptions) (Iter, error) { return t.tx.NewIter(ctx, o) }, want)
	case p < 74:
		v, err := t.tx.NewView()
		x.check(err)
		t.views = append(t.views, modelView{v, x.state(t)})
		x.note(t, "view")
	case p < 80:
		if len(t.views) > 0 {
			v := t.views[x.r.IntN(len(t.views))]
			x.compare(t, "view", func(o IterOptions) (Iter, error) { return v.v.NewIter(ctx, o) }, v.want)
			k := x.key()
			got, ok, err := v.v.Get(ctx, []byte(k))
			x.check(err)
			if w, wok := v.want[k]; ok != wok || string(got) != w {
				x.fail("view get %s: %q %v, want %q %v", k, got, ok, w, wok)
			}
		}
	case p < 85:
		locked := map[string]bool{}
		for k := range t.locked {
			locked[k] = true
		}
		t.saves = append(t.saves, modelSave{t.tx.Savepoint(), len(t.writes), locked})
		x.note(t, "savepoint %d", len(t.saves))
	case p < 90:
		if n := len(t.saves); n > 0 && len(t.views) == 0 {
			i := x.r.IntN(n)
			s := t.saves[i]
			x.check(t.tx.RollbackTo(s.sp))
			x.note(t, "rollback to %d", i+1)
			// A spilled lock may stay longer than it must: whatever the transaction
			// still has is its own affair, but it must have what it had.
			if t.tx.spill.Load() == nil {
				t.locked = map[string]bool{}
				for k := range s.locked {
					t.locked[k] = true
				}
			} else {
				x.relock(t, s)
			}
			t.writes = t.writes[:s.writes]
			t.saves = t.saves[:i+1]
		}
	case p < 97:
		x.end(t, true)
	default:
		x.end(t, false)
	}
}

// relock brings the model's locks in line after a rollback over spilled writes.
func (x *metamorphic) relock(t *modelTxn, s modelSave) {
	for k := range t.locked {
		if s.locked[k] {
			continue
		}
		probe := newTransaction(x.m, Options{})
		n, err := probe.LockKey(context.Background(), []byte(k), LockUpdate, WaitSkip)
		x.check(err)
		if !n.Skipped {
			delete(t.locked, k)
		}
		probe.Rollback()
	}
}

func (x *metamorphic) compare(t *modelTxn, what string, open func(IterOptions) (Iter, error), want map[string]string) {
	lo, hi := x.key(), x.key()
	if lo > hi {
		lo, hi = hi, lo
	}
	reverse := x.r.IntN(2) == 0
	it, err := open(IterOptions{Lower: []byte(lo), Upper: []byte(hi), Reverse: reverse})
	x.check(err)
	var got []string
	for it.Next() {
		got = append(got, string(it.Key())+"="+string(it.Value()))
	}
	x.check(it.Close())
	var exp []string
	for k, v := range want {
		if k >= lo && k < hi {
			exp = append(exp, k+"="+v)
		}
	}
	sort.Strings(exp)
	if reverse {
		sort.Sort(sort.Reverse(sort.StringSlice(exp)))
	}
	if strings.Join(got, " ") != strings.Join(exp, " ") {
		x.fail("txn %p: %s [%s, %s) reverse %v at %d\n got %v\nwant %v", t, what, lo, hi, reverse, t.snap, got, exp)
	}
}

func (x *metamorphic) end(t *modelTxn, commit bool) {
	for _, v := range t.views {
		v.v.Close()
	}
	for i, o := range x.txns {
		if o == t {
			x.txns = append(x.txns[:i], x.txns[i+1:]...)
			break
		}
	}
	if !commit {
		x.note(t, "rollback")
		t.tx.Rollback()
		return
	}
	spilled := t.tx.spill.Load() != nil
	ts, err := t.tx.Commit(context.Background())
	x.note(t, "commit %d spilled=%v %v", ts, spilled, err)
	x.check(err)
	x.apply(t, ts)
}

func (x *metamorphic) apply(t *modelTxn, ts Timestamp) {
	if len(t.writes) == 0 {
		return
	}
	if ts <= x.last {
		x.fail("commit at %d after %d", ts, x.last)
	}
	x.last = ts
	for _, w := range t.writes {
		vs := x.data[w.key]
		if n := len(vs); n > 0 && vs[n-1].ts == ts {
			vs = vs[:n-1]
		}
		x.data[w.key] = append(vs, modelVersion{ts, w.val, w.del})
	}
}

// crash loses what was not synced, possibly in the middle of commits.
func (x *metamorphic) crash() {
	x.log = append(x.log, "crash")
	clone := x.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: x.r.IntN(101), RNG: x.r})
	for len(x.txns) > 0 {
		x.end(x.txns[0], false)
	}
	x.check(x.m.Close())
	x.check(x.eng.Close())
	x.fs = clone
	x.open()
	x.checkAll()
}

// checkAll compares the newest state with a fresh transaction's.
func (x *metamorphic) checkAll() {
	t := &modelTxn{tx: newTransaction(x.m, Options{})}
	t.tx.BeginStatement()
	t.snap, t.stmt = t.tx.Snapshot(), 1
	it, err := t.tx.NewIter(context.Background(), IterOptions{Lower: []byte("k"), Upper: []byte("l")})
	x.check(err)
	got := map[string]string{}
	for it.Next() {
		got[string(it.Key())] = string(it.Value())
	}
	x.check(it.Close())
	want := x.state(t)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		x.fail("state differs\n got %v\nwant %v", got, want)
	}
	t.tx.Rollback()
}

// TestBank moves money between accounts from several goroutines; every snapshot
// must add up, with garbage collected and transactions spilled meanwhile.
func TestBank(t *testing.T) {
	_, m := func() (any, *Manager) { e, m := testManager(t, vfs.NewMem(), Config{SpillBytes: 2 << 10}); return e, m }()
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := m.eng.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx := context.Background()
	const accounts, start = 20, 100
	key := func(i int) []byte { return fmt.Appendf(nil, "acc%02d", i) }
	tx := m.Begin(Options{})
	tx.BeginStatement()
	for i := range accounts {
		if err := tx.Put(ctx, key(i), fmt.Appendf(nil, "%d", start)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(1500 * time.Millisecond)
	errs := make(chan error, 16)
	for w := range 6 {
		go func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for time.Now().Before(deadline) {
				if err := transfer(ctx, m, r, key, accounts); err != nil && !pgerror.Is(err, pgerror.DeadlockDetected) && !pgerror.Is(err, pgerror.SerializationFailure) {
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
				it, err := tx.NewIter(ctx, IterOptions{Lower: key(0), Upper: key(99)})
				if err != nil {
					errs <- err
					return
				}
				sum, n := 0, 0
				for it.Next() {
					var v int
					fmt.Sscan(string(it.Value()), &v)
					sum += v
					n++
				}
				err = it.Close()
				tx.Rollback()
				if err == nil && (sum != accounts*start || n != accounts) {
					err = fmt.Errorf("sum %d over %d accounts", sum, n)
				}
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func transfer(ctx context.Context, m *Manager, r *rand.Rand, key func(int) []byte, accounts int) error {
	o := Options{}
	if r.IntN(2) == 0 {
		o.Isolation = RepeatableRead
	}
	tx := m.Begin(o)
	defer tx.Rollback()
	tx.BeginStatement()
	amount := 1 + r.IntN(5)
	from := r.IntN(accounts)
	to := (from + 1 + r.IntN(accounts-1)) % accounts
	for i, a := range []int{from, to} {
		n, err := tx.LockRow(ctx, key(a), LockNoKeyUpdate, WaitBlock)
		if err != nil {
			return err
		}
		var v int
		fmt.Sscan(string(n.Value), &v)
		if i == 0 {
			v -= amount
		} else {
			v += amount
		}
		val := fmt.Appendf(nil, "%d", v)
		if r.IntN(10) == 0 { // large enough to spill
			val = append(val, strings.Repeat(" ", 3000)...)
		}
		if err := tx.Put(ctx, key(a), val); err != nil {
			return err
		}
	}
	_, err := tx.Commit(ctx)
	return err
}
