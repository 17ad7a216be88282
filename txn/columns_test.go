package txn

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/storage/segment"
)

// TestColumnsMetamorphic runs random transactions, bulk loads, merges, purges,
// promotions, collections and crashes against a naive model of versions. Every read
// goes three ways: by key, by iterator, and by the parts of a range put together. A
// failure prints the seed and the operations.
func TestColumnsMetamorphic(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	for i := range 4 {
		s := seed + uint64(i)
		t.Run(fmt.Sprintf("seed=%d", s), func(t *testing.T) { runColumns(t, s) })
	}
}

const columnsTable = 20000

var columnsTypes = []rowcodec.Column{
	{Attnum: 1, T: types.Of(types.Int4)},
	{Attnum: 2, T: types.Of(types.Text)},
	{Attnum: 3, T: types.Of(types.NumericOID)},
	{Attnum: 4, T: types.Of(types.Text), HasMissing: true, Missing: "missing"},
}

// columnsModel is the model and the store under test.
type columnsModel struct {
	t     *testing.T
	r     *rand.Rand
	fs    *vfs.MemFS
	eng   *engine.Engine
	cols  *columns.Store
	m     *Manager
	space columns.Space
	data  map[int32][]modelVersion // values as rendered
	txns  []*columnsTxn
	log   []string
	last  Timestamp
	mode  columns.Mode
	stats struct{ merges, loose, promoted, crashes int }
}

type columnsTxn struct {
	tx     *transaction
	snap   Timestamp
	rr     bool
	own    map[int32]modelVersion
	prior  map[int32]modelVersion // own writes before the present statement
	views  []columnsView
	saves  []columnsSave
	locked map[int32]bool
}

type columnsSave struct {
	sp  Savepoint
	own map[int32]modelVersion
}

type columnsView struct {
	v    View
	want map[int32]string
}

func runColumns(t *testing.T, seed uint64) {
	x := &columnsModel{t: t, r: rand.New(rand.NewPCG(seed, 11)), fs: vfs.NewCrashableMem(), data: map[int32][]modelVersion{}}
	x.space = columns.MakeSpace(uint16(1), columnsTable)
	x.open()
	steps := 1200
	if testing.Short() {
		steps = 700
	}
	for range steps {
		x.step()
	}
	for len(x.txns) > 0 {
		x.end(x.txns[0], false)
	}
	x.check(x.m.CollectNow())
	x.check(x.cols.MergeNow(context.Background(), columnsTable))
	x.checkAll()
	x.close()
	x.eng, x.cols, x.m = openColumns(x.t, x.fs, Config{}, columns.Options{Mode: columns.Off})
	x.mode = columns.Off
	x.checkAll()
	x.checkFiles(x.fs)
	x.close()
	t.Logf("%+v", x.stats)
}

func (x *columnsModel) open() {
	cfg := Config{SpillBytes: []int64{1 << 10, 8 << 10, 1 << 20}[x.r.IntN(3)], DisableGC: x.r.IntN(2) == 0}
	o := columns.Options{RowsMin: 1, FileRowsMax: 1 + x.r.IntN(40), BlockRows: 1 + x.r.IntN(12), CacheBytes: []int64{1 << 10, 1 << 20}[x.r.IntN(2)]}
	if x.r.IntN(2) == 0 {
		o.Mode = columns.Off // no goroutine of its own: merges by hand only
	}
	if x.r.IntN(3) == 0 {
		o.Mode = columns.Always
	}
	x.note("open %+v %+v", cfg, o)
	x.mode = o.Mode
	x.eng, x.cols, x.m = openColumns(x.t, x.fs, cfg, o)
	if w := x.m.Watermark(); w < x.last {
		x.fail("the clock went back from %d to %d", x.last, w)
	}
}

func openColumns(t *testing.T, fs vfs.FS, cfg Config, o columns.Options) (*engine.Engine, *columns.Store, *Manager) {
	t.Helper()
	eng, err := engine.Open("data", engine.Options{FS: fs, MemoryBytes: 8 << 20, PresenceReads: 3})
	if err != nil {
		t.Fatal(err)
	}
	cols, err := columns.Open(eng, o)
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewManager(eng, cfg)
	if err != nil {
		t.Fatal(err)
	}
	cols.Register(columnsTable, columnsTypes)
	cols.Start(m, func() []uint16 { return []uint16{1} })
	return eng, cols, m
}

func (x *columnsModel) close() {
	x.check(x.cols.Close())
	x.check(x.m.Close())
	x.check(x.eng.Close())
}

func (x *columnsModel) fail(format string, args ...any) {
	x.t.Helper()
	x.t.Fatalf(format+"\nlast operations:\n%s", append(args, strings.Join(x.log[max(0, len(x.log)-60):], "\n"))...)
}

func (x *columnsModel) check(err error) {
	x.t.Helper()
	if err != nil {
		x.fail("%v", err)
	}
}

func (x *columnsModel) note(format string, args ...any) {
	x.log = append(x.log, fmt.Sprintf(format, args...))
}

const columnsKeys = 150

func (x *columnsModel) id() int32 { return int32(x.r.IntN(columnsKeys)) }

func (x *columnsModel) key(id int32) []byte {
	return binary.BigEndian.AppendUint32(append([]byte{}, x.space[:]...), uint32(id))
}

// row makes a stored row with a random number of columns and its rendering with all.
func (x *columnsModel) row(id int32) (stored []byte, shown string) {
	vals := []types.Datum{id, fmt.Sprintf("v%d-%s", x.r.IntN(1000), strings.Repeat("y", x.r.IntN(60))), nil, nil}
	if x.r.IntN(3) > 0 {
		vals[2] = types.NumericFromInt64(x.r.Int64N(100000), int32(x.r.IntN(4)))
	}
	if x.r.IntN(3) > 0 {
		vals[3] = fmt.Sprint("w", x.r.IntN(5))
	}
	n := len(vals)
	if x.r.IntN(3) == 0 {
		n-- // stored before the last column was added
	}
	enc, err := rowcodec.NewEncoder(columnsTypes[:n])
	x.check(err)
	stored, err = enc.AppendDatums(nil, vals[:n])
	x.check(err)
	return stored, x.show(stored)
}

func (x *columnsModel) show(stored []byte) string {
	vals, err := rowcodec.Row(columnsTypes, stored)
	x.check(err)
	var b strings.Builder
	for _, v := range vals {
		fmt.Fprintf(&b, "%v|", v)
	}
	return b.String()
}

func (x *columnsModel) committed(at Timestamp) map[int32]string {
	out := map[int32]string{}
	for k, vs := range x.data {
		for i := len(vs) - 1; i >= 0; i-- {
			if vs[i].ts <= at {
				if !vs[i].del {
					out[k] = vs[i].val
				}
				break
			}
		}
	}
	return out
}

func (x *columnsModel) state(t *columnsTxn) map[int32]string {
	out := x.committed(t.snap)
	for k, w := range t.prior {
		if w.del {
			delete(out, k)
		} else {
			out[k] = w.val
		}
	}
	return out
}

func clone(m map[int32]modelVersion) map[int32]modelVersion {
	out := map[int32]modelVersion{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

func (x *columnsModel) begin() *columnsTxn {
	t := &columnsTxn{rr: x.r.IntN(2) == 0, own: map[int32]modelVersion{}, locked: map[int32]bool{}}
	o := Options{}
	if t.rr {
		o.Isolation = RepeatableRead
	}
	t.tx = newTransaction(x.m, o)
	t.tx.BeginStatement()
	t.snap, t.prior = t.tx.Snapshot(), map[int32]modelVersion{}
	x.txns = append(x.txns, t)
	if t.snap < x.last {
		x.fail("snapshot %d misses commit %d", t.snap, x.last)
	}
	return t
}

func (x *columnsModel) step() {
	ctx := context.Background()
	switch p := x.r.IntN(1000); {
	case p < 4:
		x.crash()
		return
	case p < 40:
		x.note("gc")
		x.check(x.m.CollectNow())
		return
	case p < 120:
		spans, loose := x.cols.TestingSpans(x.space)
		from := x.r.IntN(spans + 1)
		to := from + x.r.IntN(5)
		x.note("merge %d..%d of %d spans, %d loose", from, to, spans, loose)
		x.check(x.cols.TestingMerge(ctx, x.space, from, to))
		x.stats.merges++
		return
	case p < 130:
		x.note("merge all")
		x.check(x.cols.MergeNow(ctx, columnsTable))
		return
	case p < 145:
		x.note("promote")
		x.check(x.cols.TestingPromote(x.space))
		x.stats.promoted++
		return
	case p < 200:
		x.loose()
		return
	}
	if len(x.txns) < 4 && x.r.IntN(4) == 0 || len(x.txns) == 0 {
		t := x.begin()
		x.note("txn %p: begin rr=%v at %d", t, t.rr, t.snap)
		return
	}
	t := x.txns[x.r.IntN(len(x.txns))]
	switch p := x.r.IntN(100); {
	case p < 12:
		t.tx.BeginStatement()
		t.snap, t.prior = t.tx.Snapshot(), clone(t.own)
		x.note("txn %p: statement at %d", t, t.snap)
	case p < 50:
		for range 1 + x.r.IntN(8) {
			id := x.id()
			if !t.locked[id] {
				n, err := t.tx.LockKey(ctx, x.key(id), LockUpdate, WaitSkip)
				x.check(err)
				if n.Skipped {
					continue
				}
				t.locked[id] = true
				want, ok := x.committed(x.last)[id]
				if w, own := t.own[id]; own {
					want, ok = w.val, !w.del
				}
				if n.Exists != ok || ok && x.show(n.Value) != want {
					x.fail("txn %p: lock on %d: %v %q, want %v %q, versions %+v", t, id, n.Exists, n.Value, ok, want, x.data[id])
				}
			}
			w := modelVersion{del: x.r.IntN(4) == 0}
			if w.del {
				x.check(t.tx.Delete(ctx, x.key(id)))
			} else {
				var stored []byte
				stored, w.val = x.row(id)
				x.check(t.tx.Put(ctx, x.key(id), stored))
			}
			t.own[id] = w
			x.note("txn %p: write %d %+v", t, id, w)
		}
	case p < 66:
		want := x.state(t)
		id := x.id()
		v, ok, err := t.tx.Get(ctx, x.key(id))
		x.check(err)
		x.same("get", t.snap, id, v, ok, want)
		x.compare("scan", t.snap, func(o IterOptions) (Iter, error) { return t.tx.NewIter(ctx, o) }, want)
		x.fresh(t)
	case p < 74:
		if len(t.views) < 3 {
			v, err := t.tx.NewView()
			x.check(err)
			t.views = append(t.views, columnsView{v, x.state(t)})
			x.note("txn %p: view", t)
		}
	case p < 86:
		if len(t.views) > 0 {
			v := t.views[x.r.IntN(len(t.views))]
			x.compare("view", v.v.Snapshot(), func(o IterOptions) (Iter, error) { return v.v.NewIter(ctx, o) }, v.want)
			for range 3 {
				id := x.id()
				got, ok, err := v.v.Get(ctx, x.key(id))
				x.check(err)
				x.same("view get", v.v.Snapshot(), id, got, ok, v.want)
			}
			x.parts(v)
		}
	case p < 90:
		t.saves = append(t.saves, columnsSave{t.tx.Savepoint(), clone(t.own)})
		x.note("txn %p: savepoint", t)
	case p < 93:
		if n := len(t.saves); n > 0 && len(t.views) == 0 {
			i := x.r.IntN(n)
			x.check(t.tx.RollbackTo(t.saves[i].sp))
			t.own, t.saves = clone(t.saves[i].own), t.saves[:i+1]
			for k := range t.prior {
				if _, ok := t.own[k]; !ok {
					delete(t.prior, k)
				}
			}
			// What of the writes before is of earlier statements is not worth the model's while.
			t.tx.BeginStatement()
			t.snap, t.prior = t.tx.Snapshot(), clone(t.own)
			t.locked = map[int32]bool{}
			x.note("txn %p: rollback to %d", t, i)
		}
	case p < 98:
		x.end(t, true)
	default:
		x.end(t, false)
	}
}

func (x *columnsModel) same(what string, at Timestamp, id int32, v []byte, ok bool, want map[int32]string) {
	x.t.Helper()
	w, wok := want[id]
	if ok != wok || ok && x.show(v) != w {
		got := ""
		if ok {
			got = x.show(v)
		}
		x.fail("%s %d at %d: %v %q, want %v %q; versions %+v", what, id, at, ok, got, wok, w, x.data[id])
	}
}

// fresh compares many keys at once as a unique check reads them.
func (x *columnsModel) fresh(t *columnsTxn) {
	if len(x.txns) > 1 {
		return // it would wait
	}
	var ids []int32
	var keys [][]byte
	from := x.id()
	for id := from; id < min(from+6, columnsKeys); id++ {
		ids, keys = append(ids, id), append(keys, x.key(id))
	}
	now := x.committed(x.last)
	sp := t.tx.Savepoint()
	x.check(t.tx.LockFresh(context.Background(), keys, func(i int, n Newest) error {
		want, ok := now[ids[i]]
		if w, own := t.own[ids[i]]; own {
			want, ok = w.val, !w.del
		}
		if n.Exists != ok || ok && x.show(n.Value) != want {
			x.fail("txn %p: fresh %d: %v, want %v %q, versions %+v", t, ids[i], n.Exists, ok, want, x.data[ids[i]])
		}
		return nil
	}))
	if t.tx.spill.Load() == nil {
		x.check(t.tx.RollbackTo(sp))
	} else {
		for _, id := range ids {
			t.locked[id] = true
		}
	}
}

func (x *columnsModel) bounds() (lo, hi int32) {
	lo, hi = x.id(), x.id()
	if lo > hi {
		lo, hi = hi, lo
	}
	if x.r.IntN(5) == 0 {
		lo, hi = 0, columnsKeys
	}
	return lo, hi
}

func (x *columnsModel) compare(what string, at Timestamp, open func(IterOptions) (Iter, error), want map[int32]string) {
	x.t.Helper()
	lo, hi := x.bounds()
	reverse := x.r.IntN(2) == 0
	it, err := open(IterOptions{Lower: x.key(lo), Upper: x.key(hi), Reverse: reverse})
	x.check(err)
	var got []string
	for it.Next() {
		got = append(got, fmt.Sprintf("%03d=%s", binary.BigEndian.Uint32(it.Key()[len(x.space):]), x.show(it.Value())))
	}
	x.check(it.Close())
	x.equal(what, at, got, want, lo, hi, reverse)
}

func (x *columnsModel) equal(what string, at Timestamp, got []string, want map[int32]string, lo, hi int32, reverse bool) {
	x.t.Helper()
	var exp []string
	for k, v := range want {
		if k >= lo && k < hi {
			exp = append(exp, fmt.Sprintf("%03d=%s", k, v))
		}
	}
	sort.Strings(exp)
	if reverse {
		sort.Sort(sort.Reverse(sort.StringSlice(exp)))
	}
	if strings.Join(got, " ") != strings.Join(exp, " ") {
		x.fail("%s [%d, %d) reverse %v at %d\n got %v\nwant %v\n%s", what, lo, hi, reverse, at, got, exp, x.differing(got, exp))
	}
}

func (x *columnsModel) differing(got, exp []string) string {
	seen := map[string]int{}
	for _, g := range got {
		seen[g]++
	}
	for _, e := range exp {
		seen[e]--
	}
	var b strings.Builder
	for k, n := range seen {
		if n != 0 {
			var id int32
			fmt.Sscanf(k, "%d=", &id)
			fmt.Fprintf(&b, "%+d %s: versions %+v\n", n, k, x.data[id])
		}
	}
	return b.String()
}

// parts puts the rows of a range together from segments and delta, by the rule that
// ColumnParts states.
func (x *columnsModel) parts(v columnsView) {
	ctx := context.Background()
	lo, hi := x.bounds()
	p, err := v.v.(ColumnView).Columns(ctx, x.key(lo), x.key(hi))
	x.check(err)
	if p == nil {
		return
	}
	defer p.Close()
	type entry struct {
		ts  engine.Timestamp
		del bool
		val string
	}
	delta := map[int32]entry{}
	var prev []byte
	for p.Delta.Next() {
		k := bytes.Clone(p.Delta.Key())
		if prev != nil && bytes.Compare(prev, k) >= 0 {
			x.fail("the delta is out of order")
		}
		prev = k
		e := entry{ts: p.Delta.Timestamp(), del: p.Delta.Deleted()}
		if !e.del {
			e.val = x.show(p.Delta.Value())
		}
		delta[int32(binary.BigEndian.Uint32(k[len(x.space):]))] = e
	}
	x.check(p.Delta.Err())
	var got []string
	for id, e := range delta {
		if !e.del {
			got = append(got, fmt.Sprintf("%03d=%s", id, e.val))
		}
	}
	for _, part := range p.Parts {
		f, err := part.Segment.File()
		x.check(err)
		for row := part.From; row < part.To; row++ {
			loc, err := f.AppendKey(ctx, nil, row)
			x.check(err)
			id := int32(binary.BigEndian.Uint32(loc))
			if e, ok := delta[id]; ok && e.ts > part.TS {
				continue
			}
			stored, ok, err := part.Segment.Get(loc, nil)
			x.check(err)
			if !ok {
				x.fail("row %d of a segment is not found by its key", row)
			}
			got = append(got, fmt.Sprintf("%03d=%s", id, x.show(stored)))
		}
	}
	sort.Strings(got)
	x.equal("parts", v.v.Snapshot(), got, v.want, lo, hi, false)
}

// loose commits rows as a bulk write does.
func (x *columnsModel) loose() {
	now := x.committed(x.last)
	busy := map[int32]bool{}
	for _, t := range x.txns {
		for id := range t.locked {
			busy[id] = true
		}
	}
	var segs []*columns.Segment
	rows := map[int32]string{}
	for range 1 + x.r.IntN(3) {
		var ids []int32
		from := x.id()
		for id := from; id < min(from+int32(1+x.r.IntN(40)), columnsKeys); id++ {
			if _, ok := now[id]; !ok && !busy[id] && rows[id] == "" && x.r.IntN(3) > 0 {
				ids = append(ids, id)
			}
		}
		if len(ids) == 0 {
			continue
		}
		var cols []segment.Column
		for _, c := range columnsTypes {
			cols = append(cols, segment.Column{Attnum: c.Attnum, Type: c.T})
		}
		w, err := x.cols.NewLoose(x.space, cols)
		x.check(err)
		var keys segment.Keys
		dec := rowcodec.NewDecoder(columnsTypes, 4096)
		for _, id := range ids {
			keys.Append(x.key(id)[len(x.space):])
			stored, shown := x.row(id)
			x.check(dec.Append(stored))
			rows[id] = shown
		}
		var vectors []arrow.Array = dec.Finish()
		x.check(w.Append(keys, vectors))
		g, err := w.Finish()
		x.check(err)
		segs = append(segs, g)
	}
	if len(segs) == 0 {
		return
	}
	if x.r.IntN(5) == 0 {
		x.note("loose given up")
		x.cols.Discard(segs...)
		return
	}
	slot, err := x.m.oracle.begin()
	x.check(err)
	a := x.cols.AddLoose(engine.Timestamp(slot.ts), segs)
	if x.r.IntN(2) == 0 {
		b := x.eng.NewBatch(0)
		for _, r := range a.Records() {
			x.check(b.LocalSet(r.Key, r.Value))
		}
		x.check(b.Commit(true))
	} else {
		w, err := x.eng.NewVersionFile(x.m.bulk.path(x.m, "versions"))
		x.check(err)
		for _, r := range a.Records() {
			x.check(w.AddLocal(r.Key, r.Value))
		}
		x.check(w.Finish())
		x.check(x.eng.Ingest(context.Background(), []string{w.Path()}, engine.Timestamp(slot.ts)))
	}
	a.Done(true)
	x.m.oracle.finish(slot)
	x.last = slot.ts
	for id, v := range rows {
		x.data[id] = append(x.data[id], modelVersion{slot.ts, v, false})
	}
	x.note("loose %d segments, %d rows at %d", len(segs), len(rows), slot.ts)
	x.stats.loose++
}

func (x *columnsModel) end(t *columnsTxn, commit bool) {
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
		x.note("txn %p: rollback", t)
		t.tx.Rollback()
		return
	}
	ts, err := t.tx.Commit(context.Background())
	x.note("txn %p: commit %d %v", t, ts, err)
	x.check(err)
	if len(t.own) == 0 {
		return
	}
	x.last = ts
	for k, w := range t.own {
		w.ts = ts
		x.data[k] = append(x.data[k], w)
	}
}

func (x *columnsModel) crash() {
	x.note("crash")
	x.stats.crashes++
	clone := x.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: x.r.IntN(101), RNG: x.r})
	for len(x.txns) > 0 {
		x.end(x.txns[0], false)
	}
	x.close()
	x.fs = clone
	x.open()
	x.checkAll()
	x.checkFiles(x.fs)
}

func (x *columnsModel) checkAll() {
	t := &columnsTxn{tx: newTransaction(x.m, Options{}), own: map[int32]modelVersion{}}
	t.tx.BeginStatement()
	t.snap = t.tx.Snapshot()
	it, err := t.tx.NewIter(context.Background(), IterOptions{Lower: x.key(0), Upper: x.key(columnsKeys)})
	x.check(err)
	var got []string
	for it.Next() {
		got = append(got, fmt.Sprintf("%03d=%s", binary.BigEndian.Uint32(it.Key()[len(x.space):]), x.show(it.Value())))
	}
	x.check(it.Close())
	x.equal("all", t.snap, got, x.committed(t.snap), 0, columnsKeys, false)
	t.tx.Rollback()
	damaged, err := x.cols.Check(context.Background(), true)
	x.check(err)
	for _, d := range damaged {
		x.fail("%v", d.Err)
	}
}

// checkFiles sees that no file is left that nothing refers to.
func (x *columnsModel) checkFiles(fs vfs.FS) {
	if x.mode == columns.Always {
		return // they come and go
	}
	names, err := fs.List(fs.PathJoin("data", "segments"))
	x.check(err)
	want := x.cols.Files()
	if len(names) != len(want) {
		x.fail("%d files for %d segments: %v", len(names), len(want), names)
	}
}
