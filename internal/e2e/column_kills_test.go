package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// killRounds is how often TestColumnKills kills the server in each setting:
//
//	go test ./internal/e2e -run TestColumnKills -kill-rounds 100 -timeout 3h -v
var (
	killRounds = flag.Int("kill-rounds", 2, "how often TestColumnKills kills the server in each setting")
	killSeed   = flag.Uint64("kill-seed", 0, "seed of TestColumnKills, 0: by the time")
)

// TestColumnKills kills the server with SIGKILL while bulk loads write segments, merges
// swap them and rows change in between, again and again. After each kill every row of what
// was acknowledged is there as it was left, what was under way is there whole or not at
// all, the offline check finds nothing, and the directory holds no file that nobody refers to.
func TestColumnKills(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills servers")
	}
	t.Run("auto", func(t *testing.T) { columnKills(t, 1) })
	t.Run("always", func(t *testing.T) { columnKills(t, 2, "--columns", "always") })
	t.Run("tablets", func(t *testing.T) { columnKills(t, 3, "--columns", "always", "--tablets", "4") })
}

const (
	killTables   = 2       // one with an index, one without
	killRowsMax  = 150_000 // of a table; above it is emptied
	killChangers = 3
	// idleRoundsMax rounds may pass without a load or without a VACUUM.
	idleRoundsMax = 2
	deleted       = -1
)

// killRow is what a row of the tables holds.
type killRow struct{ batch, v int64 }

// killTable is what is known of a table. Loads number their batches; a batch is some ids in a row.
type killTable struct {
	mu   sync.Mutex
	rows map[int64]killRow
	next int64 // the next id
	// unsure are batches whose loads, and changes whose statements, were not acknowledged.
	loads   map[int64][]int64  // by batch: its ids
	changes map[int64]killRow  // by id: what it may be as well
	emptied map[int64]struct{} // batches that an unacknowledged statement removes
}

type columnKiller struct {
	t      *testing.T
	n      *nodetest.Node
	data   string
	tables [killTables]*killTable
	made   map[string]int64 // tables made by CREATE TABLE AS and acknowledged: rows
	seq    int64
	// idle is for how many rounds no load has been acknowledged, or no VACUUM.
	idle  int
	stats struct{ loads, unsureLoads, changes, merges, made atomic.Int64 }
}

func columnKills(t *testing.T, stream uint64, args ...string) {
	seed := *killSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, stream))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Duration(*killRounds)*time.Minute)
	defer cancel()
	k := &columnKiller{t: t, data: filepath.Join(t.TempDir(), "data"), made: map[string]int64{}}
	k.n = nodetest.Start(t, k.data, append(args, "--memory", "256MB")...)
	conn := k.n.Connect(ctx)
	if err := conn.Exec(ctx, `create table t0 (id bigint primary key, batch bigint not null, v bigint not null, pad text);
create table t1 (id bigint primary key, batch bigint not null, v bigint not null, pad text);
create index t1_v on t1 (v)`).Close(); err != nil {
		t.Fatal(err)
	}
	conn.Close(ctx)
	for i := range k.tables {
		k.tables[i] = &killTable{rows: map[int64]killRow{}, next: 1, loads: map[int64][]int64{}, changes: map[int64]killRow{}, emptied: map[int64]struct{}{}}
	}
	for round := range *killRounds {
		k.round(ctx, r)
		if r.IntN(2) == 0 { // the offline check recovers, or the server does
			k.checkFiles()
			k.n.Restart()
		} else {
			k.n.Restart()
			k.verify(ctx, round)
			k.n.Stop()
			k.checkFiles()
			k.n.Restart()
		}
		k.verify(ctx, round)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	k.n.Stop()
	k.checkFiles()
	if k.stats.loads.Load() < int64(*killRounds)/2 || k.stats.changes.Load() < int64(*killRounds) || k.stats.merges.Load() < int64(*killRounds)/10 {
		t.Errorf("too little has happened")
	}
	t.Logf("%d kills: %d loads, %d of them unacknowledged at the kill; %d changes, %d VACUUMs, %d tables made by a query",
		*killRounds, k.stats.loads.Load(), k.stats.unsureLoads.Load(), k.stats.changes.Load(), k.stats.merges.Load(), k.stats.made.Load())
}

var columnFiles = regexp.MustCompile(`(\d+) column files`)

// checkFiles runs the offline check and looks for files that nobody refers to. What dropped tables
// have left is removed in the background, perhaps during a check: then the next one sees it done.
func (k *columnKiller) checkFiles() {
	k.t.Helper()
	for try := 1; ; try++ {
		out := k.n.CheckData()
		after := k.files("segments")
		m := columnFiles.FindStringSubmatch(out)
		if m == nil {
			k.t.Fatalf("the check prints %s", out)
		}
		if want, _ := strconv.Atoi(m[1]); len(after) == want {
			break
		} else if try == 3 {
			k.t.Errorf("%d column files are referred to, there are %v", want, after)
			break
		}
	}
	for _, dir := range []string{"bulk", "temp"} {
		if left := k.files(dir); len(left) > 0 {
			k.t.Errorf("left over in %s: %v", dir, left)
		}
	}
}

func (k *columnKiller) files(dir string) (names []string) {
	k.t.Helper()
	list, err := os.ReadDir(filepath.Join(k.data, dir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		k.t.Fatal(err)
	}
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}

// round works until the server is killed.
func (k *columnKiller) round(ctx context.Context, r *rand.Rand) {
	k.t.Helper()
	var wg sync.WaitGroup
	work := func(f func(ctx context.Context, conn *pgconn.PgConn, r *rand.Rand) error) {
		conn, mine := k.n.Connect(ctx), rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				err := f(ctx, conn, mine)
				var pe *pgconn.PgError
				if errors.As(err, &pe) && pe.Code != "57P01" {
					k.t.Errorf("%v", err)
				}
				if err != nil {
					break
				}
			}
			closing, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			conn.Close(closing) // gone already
		}()
	}
	for i, t := range k.tables {
		work(func(ctx context.Context, conn *pgconn.PgConn, r *rand.Rand) error { return k.load(ctx, conn, r, i, t) })
		for c := range killChangers {
			work(func(ctx context.Context, conn *pgconn.PgConn, r *rand.Rand) error {
				return k.change(ctx, conn, r, i, t, int64(c))
			})
		}
		work(func(ctx context.Context, conn *pgconn.PgConn, r *rand.Rand) error {
			time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
			err := conn.Exec(ctx, fmt.Sprintf("vacuum t%d", i)).Close()
			if err == nil {
				k.stats.merges.Add(1)
			}
			return err
		})
	}
	work(k.makeTable)
	loads, merges := k.stats.loads.Load(), k.stats.merges.Load()
	time.Sleep(time.Duration(100+r.IntN(1400)) * time.Millisecond)
	some := func() bool { return k.stats.loads.Load() > loads && k.stats.merges.Load() > merges }
	if k.idle++; k.idle > idleRoundsMax { // a slow machine gets the time for a load and a VACUUM now and then
		for end := time.Now().Add(30 * time.Second); !some() && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
	}
	if some() {
		k.idle = 0
	}
	k.n.Kill()
	wg.Wait()
}

// load adds a batch by COPY, by INSERT … SELECT, or by both in one transaction that may roll
// back; above killRowsMax it removes what there is first.
func (k *columnKiller) load(ctx context.Context, conn *pgconn.PgConn, r *rand.Rand, i int, t *killTable) error {
	t.mu.Lock()
	full := len(t.rows) > killRowsMax
	t.mu.Unlock()
	if full {
		if err := k.empty(ctx, conn, r, i, t); err != nil {
			return err
		}
	}
	n := 500 + r.IntN(12000)
	t.mu.Lock()
	batch := t.next
	t.next += int64(n)
	ids := make([]int64, n)
	for j := range ids {
		ids[j] = batch + int64(j)
	}
	t.loads[batch] = ids
	t.mu.Unlock()
	k.stats.unsureLoads.Add(1)
	copyIn := func(ids []int64) error {
		var buf bytes.Buffer
		for _, id := range ids {
			fmt.Fprintf(&buf, "%d\t%d\t%d\tpad %d of %d\n", id, batch, id%1000, id, batch)
		}
		_, err := conn.CopyFrom(ctx, &buf, fmt.Sprintf("copy t%d from stdin", i))
		return err
	}
	insert := func(ids []int64) error {
		return conn.Exec(ctx, fmt.Sprintf("insert into t%d select i, %d, i %% 1000, 'pad ' || i || ' of %d' from generate_series(%d, %d) i", i, batch, batch, ids[0], ids[len(ids)-1])).Close()
	}
	var err error
	rolledBack := false
	switch r.IntN(4) {
	case 0:
		err = copyIn(ids)
	case 1:
		err = insert(ids)
	default:
		end := "commit"
		if rolledBack = r.IntN(5) == 0; rolledBack {
			end = "rollback"
		}
		err = conn.Exec(ctx, "begin").Close()
		if err == nil {
			err = copyIn(ids[:n/2])
		}
		if err == nil {
			err = insert(ids[n/2:])
		}
		if err == nil {
			err = conn.Exec(ctx, end).Close()
		}
	}
	if err != nil {
		return err
	}
	k.stats.unsureLoads.Add(-1)
	k.stats.loads.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.loads, batch)
	if !rolledBack {
		for _, id := range ids {
			t.rows[id] = killRow{batch, id % 1000}
		}
	}
	return nil
}

// empty removes the older half of the batches by one DELETE. Changers let them be from now on.
func (k *columnKiller) empty(ctx context.Context, conn *pgconn.PgConn, r *rand.Rand, i int, t *killTable) error {
	t.mu.Lock()
	below := t.next / 2
	for _, row := range t.rows {
		if row.batch < below {
			t.emptied[row.batch] = struct{}{}
		}
	}
	t.mu.Unlock()
	if err := conn.Exec(ctx, fmt.Sprintf("delete from t%d where batch < %d", i, below)).Close(); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, row := range t.rows {
		if row.batch < below {
			delete(t.rows, id)
			delete(t.changes, id)
		}
	}
	clear(t.emptied)
	return nil
}

// change updates or deletes a few rows in one transaction. A changer keeps to the ids that are its own.
func (k *columnKiller) change(ctx context.Context, conn *pgconn.PgConn, r *rand.Rand, i int, t *killTable, mine int64) error {
	t.mu.Lock()
	next := map[int64]killRow{}
	for range 1 + r.IntN(20) {
		if t.next == 1 {
			break
		}
		id := 1 + r.Int64N(t.next)
		id += (mine - id%killChangers + killChangers) % killChangers
		row, ok := t.rows[id]
		if _, going := t.emptied[row.batch]; !ok || going {
			continue
		}
		row.v = r.Int64N(1 << 40)
		if r.IntN(8) == 0 {
			row.v = deleted
		}
		next[id] = row
	}
	for id, row := range next {
		t.changes[id] = row
	}
	t.mu.Unlock()
	if len(next) == 0 {
		time.Sleep(time.Millisecond)
		return nil
	}
	sql := "begin;"
	for id, row := range next {
		if row.v == deleted {
			sql += fmt.Sprintf("delete from t%d where id = %d;", i, id)
		} else {
			sql += fmt.Sprintf("update t%d set v = %d where id = %d;", i, row.v, id)
		}
	}
	if err := conn.Exec(ctx, sql+"commit").Close(); err != nil {
		return err
	}
	k.stats.changes.Add(int64(len(next)))
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, row := range next {
		if _, there := t.rows[id]; there && row.v != deleted { // else a DELETE of its batch came after it, and was heard of before
			t.rows[id] = row
		} else {
			delete(t.rows, id)
		}
		delete(t.changes, id)
	}
	return nil
}

// makeTable makes a table by a query and rewrites and drops another, as far as there is one.
func (k *columnKiller) makeTable(ctx context.Context, conn *pgconn.PgConn, r *rand.Rand) error {
	k.seq++ // one goroutine makes tables, and none verifies meanwhile
	name, rows := fmt.Sprintf("made%d", k.seq), int64(1000+r.IntN(30000))
	k.made[name] = -rows // unsure
	if err := conn.Exec(ctx, fmt.Sprintf("create table %s as select i, i::text as s, i * 3 as three from generate_series(1, %d) i", name, rows)).Close(); err != nil {
		return err
	}
	k.made[name] = rows
	k.stats.made.Add(1)
	for other, rows := range k.made {
		if other == name || rows < 0 {
			continue
		}
		if err := conn.Exec(ctx, fmt.Sprintf("alter table %s alter column three type numeric; create index on %[1]s (s)", other)).Close(); err != nil {
			return err
		}
		if r.IntN(2) == 0 {
			k.made[other] = -rows
			if err := conn.Exec(ctx, "drop table "+other).Close(); err != nil {
				return err
			}
			delete(k.made, other)
		}
		break
	}
	return nil
}

// verify compares every row with what is known, and settles what was unsure.
func (k *columnKiller) verify(ctx context.Context, round int) {
	k.t.Helper()
	conn := k.n.Connect(ctx)
	defer conn.Close(ctx)
	for i, t := range k.tables {
		k.verifyTable(ctx, conn, round, i, t)
	}
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range k.made {
			if !yield(name) {
				return
			}
		}
	}) {
		rows := k.made[name]
		res := conn.ExecParams(ctx, fmt.Sprintf("select count(*), count(distinct i), sum(three) = sum(i) * 3, count(*) filter (where s <> i::text) from %s", name), nil, nil, nil, nil).Read()
		var pe *pgconn.PgError
		switch {
		case rows < 0 && errors.As(res.Err, &pe) && pe.Code == "42P01":
			delete(k.made, name)
			continue
		case res.Err != nil:
			k.t.Fatalf("round %d: %s: %v", round, name, res.Err)
		}
		rows = max(rows, -rows)
		if got, want := string(bytes.Join(res.Rows[0], []byte(" "))), fmt.Sprintf("%d %d t 0", rows, rows); got != want {
			k.t.Fatalf("round %d: %s holds %s, want %s", round, name, got, want)
		}
		k.made[name] = rows
	}
}

func (k *columnKiller) verifyTable(ctx context.Context, conn *pgconn.PgConn, round, i int, t *killTable) {
	k.t.Helper()
	var out bytes.Buffer
	if _, err := conn.CopyTo(ctx, &out, fmt.Sprintf("copy t%d to stdout", i)); err != nil {
		k.t.Fatalf("round %d: %v", round, err)
	}
	got := map[int64]killRow{}
	for line := range bytes.Lines(out.Bytes()) {
		f := bytes.Split(bytes.TrimSuffix(line, []byte("\n")), []byte("\t"))
		id, _ := strconv.ParseInt(string(f[0]), 10, 64)
		batch, _ := strconv.ParseInt(string(f[1]), 10, 64)
		v, _ := strconv.ParseInt(string(f[2]), 10, 64)
		if _, twice := got[id]; twice {
			k.t.Fatalf("round %d: t%d has row %d twice", round, i, id)
		}
		if want := fmt.Sprintf("pad %d of %d", id, batch); string(f[3]) != want {
			k.t.Fatalf("round %d: t%d row %d: %q, want %q", round, i, id, f[3], want)
		}
		got[id] = killRow{batch, v}
	}
	for batch, ids := range t.loads { // whole or not at all
		if _, there := got[ids[0]]; there {
			for _, id := range ids {
				t.rows[id] = killRow{batch, id % 1000}
			}
		}
	}
	clear(t.loads)
	// A DELETE of batches that was not acknowledged: whole or not at all.
	if len(t.emptied) > 0 {
		gone, stayed := 0, 0
		for id, row := range t.rows {
			if _, going := t.emptied[row.batch]; !going {
				continue
			}
			if _, there := got[id]; there {
				stayed++
			} else if _, changed := t.changes[id]; !changed {
				gone++
			}
		}
		if gone > 0 && stayed > 0 {
			k.t.Fatalf("round %d: t%d: half of a DELETE: %d rows gone, %d there", round, i, gone, stayed)
		}
		if gone > 0 {
			for id, row := range t.rows {
				if _, going := t.emptied[row.batch]; going {
					delete(t.rows, id)
					delete(t.changes, id)
				}
			}
		}
		clear(t.emptied)
	}
	// Changes of one transaction: all or none. Transactions of one changer follow each other, so at most one
	// of each is unsure, and its ids are the changer's.
	outcome := map[int64]bool{}
	for id, row := range t.changes {
		now, there := got[id]
		done := there && now == row || !there && row.v == deleted
		if before, seen := outcome[id%killChangers]; seen && before != done {
			k.t.Fatalf("round %d: t%d: half of a transaction", round, i)
		}
		outcome[id%killChangers] = done
		if !done {
			continue
		}
		if row.v == deleted {
			delete(t.rows, id)
		} else {
			t.rows[id] = row
		}
	}
	clear(t.changes)
	for id, want := range t.rows {
		if now, there := got[id]; !there || now != want {
			k.t.Fatalf("round %d: t%d row %d: got %v %v, want %v", round, i, id, now, there, want)
		}
	}
	if len(got) != len(t.rows) {
		k.t.Fatalf("round %d: t%d holds %d rows, want %d", round, i, len(got), len(t.rows))
	}
	t.next++ // nothing is loaded under the same number again
	// The index answers as the table does.
	res := conn.ExecParams(ctx, fmt.Sprintf("select count(*), coalesce(sum(v), 0) from t%d where v >= 0", i), nil, nil, nil, nil).Read()
	sum := int64(0)
	for _, row := range t.rows {
		sum += row.v
	}
	if res.Err != nil || string(res.Rows[0][0]) != fmt.Sprint(len(t.rows)) || string(res.Rows[0][1]) != fmt.Sprint(sum) {
		k.t.Fatalf("round %d: t%d: %v, %s; want %d rows, sum %d", round, i, res.Err, res.Rows, len(t.rows), sum)
	}
}
