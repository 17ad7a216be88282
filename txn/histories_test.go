package txn

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
)

// TestHistories runs scripts of interleaved transactions. A "run" block has one
// step per line, "<transaction> <operation> …"; every transaction is a goroutine
// of its own, a step that has to wait prints "waits", and its result follows the
// step that let it go on. Operations:
//
//	begin [rc|rr|ser [ro]] · statement · next · commit · rollback
//	get K · scan FROM TO [reverse] · view (scan a view opened by openview) · openview
//	put K V · del K · lock K keyshare|share|nokeyupdate|update [skip|nowait] · lockkey K MODE
//	locktable N MODE(1-8) [nowait] · savepoint NAME · rollbackto NAME
//
//	read K · readrange FROM TO (get and scan, noted for SERIALIZABLE) · write K V (lock and put)
//
// and, of the store ("-"): locks · versions · gc.
func TestHistories(t *testing.T) {
	datadriven.Walk(t, "testdata/histories", func(t *testing.T, path string) {
		eng, m := testManager(t, vfs.NewMem(), Config{DisableGC: true})
		defer func() {
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			if err := eng.Close(); err != nil {
				t.Fatal(err)
			}
		}()
		h := &history{t: t, m: m, actors: map[string]*actor{}}
		defer h.close()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "run" {
				t.Fatalf("unknown command %s", d.Cmd)
			}
			return h.run(d.Input)
		})
	})
}

func testManager(t testing.TB, fs vfs.FS, cfg Config) (*engine.Engine, *Manager) {
	t.Helper()
	eng, err := engine.Open("data", engine.Options{FS: fs, MemoryBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewManager(eng, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return eng, m
}

type history struct {
	t      *testing.T
	m      *Manager
	actors map[string]*actor
}

// actor drives one transaction.
type actor struct {
	name   string
	h      *history
	tx     *transaction
	view   View
	saved  map[string]Savepoint
	steps  chan []string
	out    chan string
	busy   bool
	stop   context.CancelFunc
	ctx    context.Context
	starts bool // the step is begin
}

func (h *history) run(input string) string {
	var b strings.Builder
	for _, line := range strings.Split(input, "\n") {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if f[0] == "-" {
			fmt.Fprintf(&b, "%s\n", h.store(f[1:]))
			continue
		}
		a := h.actors[f[0]]
		if a == nil {
			a = &actor{name: f[0], h: h, saved: map[string]Savepoint{}, steps: make(chan []string), out: make(chan string, 1)}
			h.actors[f[0]] = a
			go a.loop()
		}
		if a.busy {
			if f[1] == "cancel" {
				a.stop()
			} else {
				h.t.Fatalf("%s is waiting: %s", f[0], line)
			}
		} else {
			a.ctx, a.stop = context.WithCancel(context.Background())
			a.busy, a.starts = true, f[1] == "begin"
			a.steps <- f[1:]
		}
		h.settle(&b, a)
	}
	return b.String()
}

// settle waits until every transaction has finished its step or waits for a lock.
func (h *history) settle(b *strings.Builder, first *actor) {
	names := make([]string, 0, len(h.actors))
	for n := range h.actors {
		names = append(names, n)
	}
	sort.Slice(names, func(i, j int) bool {
		if (names[i] == first.name) != (names[j] == first.name) {
			return names[i] == first.name
		}
		return names[i] < names[j]
	})
	for again := true; again; {
		again = false
		for _, n := range names {
			a := h.actors[n]
			if !a.busy {
				continue
			}
			if s, ok := a.poll(); ok {
				a.busy, again = false, true
				a.stop()
				fmt.Fprintf(b, "%s: %s\n", n, s)
			} else if a == first {
				fmt.Fprintf(b, "%s: waits\n", n)
				first = nil
			}
		}
		if first == nil {
			first = &actor{}
		}
	}
}

// poll gives the outcome of a step, or false when it waits for a lock.
func (a *actor) poll() (string, bool) {
	if a.starts { // no transaction to look at yet, and nothing to wait for
		return <-a.out, true
	}
	for {
		select {
		case s := <-a.out:
			return s, true
		case <-time.After(200 * time.Microsecond):
		}
		a.h.m.waits.mu.Lock()
		waiting := a.tx.owner.waiting != nil
		a.h.m.waits.mu.Unlock()
		if waiting {
			select {
			case s := <-a.out:
				return s, true
			default:
				return "", false
			}
		}
	}
}

func (a *actor) loop() {
	for f := range a.steps {
		s, err := a.step(f)
		if err != nil {
			e := pgerror.From(err)
			s = fmt.Sprintf("ERROR %s %s", e.Code, e.Message)
			if e.Detail != "" {
				s += " | " + strings.ReplaceAll(e.Detail, "\n", " ")
			}
		}
		a.out <- s
	}
}

func (h *history) close() {
	for _, a := range h.actors {
		if a.busy {
			a.stop()
			<-a.out
		}
		close(a.steps)
		if a.view != nil {
			a.view.Close()
		}
		if a.tx != nil {
			a.tx.Rollback()
		}
	}
}

var strengths = map[string]LockStrength{"keyshare": LockKeyShare, "share": LockShare, "nokeyupdate": LockNoKeyUpdate, "update": LockUpdate}

func (a *actor) step(f []string) (string, error) {
	arg := func(i int) string {
		if i < len(f) {
			return f[i]
		}
		return ""
	}
	policy := WaitBlock
	switch f[len(f)-1] {
	case "skip":
		policy = WaitSkip
	case "nowait":
		policy = WaitError
	}
	switch f[0] {
	case "begin":
		o := Options{ProcessID: int32(a.name[len(a.name)-1] - '0')}
		switch arg(1) {
		case "rr":
			o.Isolation = RepeatableRead
		case "ser":
			o.Isolation, o.ReadOnly, o.Deferrable = Serializable, arg(2) == "ro", arg(3) == "deferrable"
		}
		a.tx = newTransaction(a.h.m, o)
		if err := a.tx.AwaitSafeSnapshot(a.ctx); err != nil {
			return "", err
		}
		a.tx.BeginStatement()
		return "ok", nil
	case "statement":
		a.tx.BeginStatement()
		return "ok", nil
	case "next":
		a.tx.NextCommand()
		return "ok", nil
	case "commit":
		_, err := a.tx.Commit(a.ctx)
		return "ok", err
	case "rollback":
		a.tx.Rollback()
		return "ok", nil
	case "get":
		v, ok, err := a.tx.Get(a.ctx, hkey(f[1]))
		if !ok {
			return "none", err
		}
		return string(v), err
	case "read":
		if err := a.tx.PredicateRead(hkey(f[1]), nil); err != nil {
			return "", err
		}
		return a.step([]string{"get", f[1]})
	case "readrange":
		if err := a.tx.PredicateRead(hkey(f[1]), hkey(f[2])); err != nil {
			return "", err
		}
		return a.step([]string{"scan", f[1], f[2]})
	case "write":
		if _, err := a.tx.LockRow(a.ctx, hkey(f[1]), LockUpdate, WaitBlock); err != nil {
			return "", err
		}
		return "ok", a.tx.Put(a.ctx, hkey(f[1]), []byte(f[2]))
	case "scan", "openview", "view":
		if f[0] == "openview" {
			var err error
			a.view, err = a.tx.NewView()
			return "ok", err
		}
		o := IterOptions{Lower: hkey(f[1]), Upper: hkey(f[2]), Reverse: arg(3) == "reverse"}
		var it Iter
		var err error
		if f[0] == "view" {
			it, err = a.view.NewIter(a.ctx, o)
		} else {
			it, err = a.tx.NewIter(a.ctx, o)
		}
		if err != nil {
			return "", err
		}
		var out []string
		for it.Next() {
			out = append(out, string(it.Key()[engine.TabletLen:])+"="+string(it.Value()))
		}
		return "[" + strings.Join(out, " ") + "]", it.Close()
	case "put":
		return "ok", a.tx.Put(a.ctx, hkey(f[1]), []byte(f[2]))
	case "del":
		return "ok", a.tx.Delete(a.ctx, hkey(f[1]))
	case "lock", "lockkey":
		lock := a.tx.LockRow
		if f[0] == "lockkey" {
			lock = a.tx.LockKey
		}
		n, err := lock(a.ctx, hkey(f[1]), strengths[f[2]], policy)
		if err != nil {
			return "", err
		}
		if n.Skipped {
			return "skipped", nil
		}
		s := "absent"
		if n.Exists {
			s = string(n.Value)
		}
		if n.Changed {
			s += " changed"
		}
		if n.OwnStatement > 0 {
			s += " own" + strconv.Itoa(int(n.OwnStatement))
		}
		return s, nil
	case "locktable":
		id, _ := strconv.Atoi(f[1])
		mode, _ := strconv.Atoi(f[2])
		return "ok", a.tx.LockRelation(a.ctx, uint64(id), RelationLock(mode), policy)
	case "savepoint":
		a.saved[f[1]] = a.tx.Savepoint()
		return "ok", nil
	case "rollbackto":
		return "ok", a.tx.RollbackTo(a.saved[f[1]])
	}
	return "", fmt.Errorf("unknown step %v", f)
}

// hkey is a step's key, in the system tablet.
func hkey(s string) []byte { return append([]byte{0, byte(SystemTablet)}, s...) }

// store prints or does something to the store as a whole.
func (h *history) store(f []string) string {
	switch f[0] {
	case "locks":
		var out []string
		for i := range h.m.rows.shards {
			s := &h.m.rows.shards[i]
			s.mu.Lock()
			for k, e := range s.entries {
				var hs []string
				for _, x := range e.holders {
					hs = append(hs, fmt.Sprintf("%d:%04b", x.o.pid, x.mask))
				}
				sort.Strings(hs)
				for _, w := range e.queue {
					hs = append(hs, fmt.Sprintf("(%d:%d)", w.o.pid, w.mode))
				}
				out = append(out, k[engine.TabletLen:]+" "+strings.Join(hs, " "))
			}
			s.mu.Unlock()
		}
		sort.Strings(out)
		return strings.Join(out, "; ")
	case "gc":
		if err := h.m.CollectNow(); err != nil {
			return err.Error()
		}
		return "ok"
	case "versions":
		v, err := h.m.eng.NewVersions()
		if err != nil {
			return err.Error()
		}
		defer v.Close()
		var out []string
		for ok := v.SeekKey(nil); ok; ok = v.NextKey() {
			s := string(v.Key()[engine.TabletLen:]) + ":"
			for more := true; more; more = v.NextVersion() {
				s += strconv.FormatUint(v.Timestamp(), 10)
				if v.Deleted() {
					s += "x"
				}
				s += ","
			}
			out = append(out, strings.TrimSuffix(s, ","))
		}
		return strings.Join(out, " ")
	}
	return "unknown " + f[0]
}
