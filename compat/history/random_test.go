package history

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

var randomRuns = flag.Int("random-runs", 100, "how many random histories each model makes")

// model is a small database in memory that promises a level, with a fault perhaps.
// Its clients are steps in a random order, so that everything overlaps.
type model struct {
	rng   *rand.Rand
	level Level
	fault string
	now   int64
	value int64

	versions map[string][]modelVersion // committed, ascending
	commits  int64
	locks    map[string]*modelTxn
}

type modelVersion struct {
	at   int64
	list []int64
}

type modelTxn struct {
	Txn
	steps    int
	began    bool
	snapshot int64
	writes   map[string][]int64 // provisional lists
	section  int
	saved    map[string][]int64 // at the savepoint
	mark     int                // first operation after it
}

func (m *model) tick() int64 { m.now += 1 + m.rng.Int64N(3); return m.now }

// visible is the version of a key at a moment.
func (m *model) visible(key string, at int64) []int64 {
	vs := m.versions[key]
	for i := len(vs) - 1; i >= 0; i-- {
		if vs[i].at <= at {
			return vs[i].list
		}
	}
	return nil
}

func (m *model) newest(key string) modelVersion {
	if vs := m.versions[key]; len(vs) > 0 {
		return vs[len(vs)-1]
	}
	return modelVersion{}
}

// run makes a history of so many transactions by so many sessions. SERIALIZABLE runs
// one transaction at a time, within the time its client waits for it.
func (m *model) run(txns, sessions, keys int) []Txn {
	m.versions, m.locks = map[string][]modelVersion{}, map[string]*modelTxn{}
	active := make([]*modelTxn, sessions)
	var done []Txn
	for id := 1; len(done) < txns; {
		s := m.rng.IntN(sessions)
		t := active[s]
		if t == nil {
			t = &modelTxn{Txn: Txn{ID: id, Session: s}, steps: 1 + m.rng.IntN(5), writes: map[string][]int64{}}
			t.First = m.tick() // sent; perhaps long before it is served
			id++
			active[s] = t
			continue
		}
		if m.level == Serializable && m.fault == "" {
			for active[s] == t {
				m.step(t, keys, func() { active[s] = nil })
			}
		} else {
			m.step(t, keys, func() { active[s] = nil })
		}
		if active[s] == nil {
			done = append(done, t.Txn)
		}
	}
	return done
}

func (m *model) finish(t *modelTxn, o Outcome) {
	t.Outcome = o
	for key, holder := range m.locks {
		if holder == t {
			delete(m.locks, key)
		}
	}
	t.End = m.tick()
}

func (m *model) step(t *modelTxn, keys int, over func()) {
	start := m.tick()
	if !t.began {
		start = t.First
		t.snapshot, t.began = m.commits, true
		if m.fault == "old snapshot" && m.rng.IntN(4) == 0 {
			t.snapshot = max(0, t.snapshot-1)
		}
	} else if m.level == ReadCommitted || m.fault == "new snapshot" {
		t.snapshot = m.commits
	}
	defer func() {
		if t.FirstEnd == 0 {
			t.FirstEnd = m.tick()
		}
	}()
	if t.section != 0 && m.rng.IntN(3) == 0 { // back to the savepoint
		for i := range t.Ops[t.mark:] {
			t.Ops[t.mark+i].Undone = t.section
		}
		t.writes, t.section = t.saved, 0
	}
	if t.steps--; t.steps < 0 {
		t.Commit = start
		switch m.rng.IntN(10) {
		case 0:
			m.finish(t, Aborted)
			if m.fault == "aborted writes" {
				m.install(t)
			}
		case 1:
			if m.rng.IntN(2) == 0 {
				m.install(t)
			}
			m.finish(t, Unknown)
		default:
			m.install(t)
			m.finish(t, Committed)
		}
		over()
		return
	}
	if t.section == 0 && m.rng.IntN(6) == 0 {
		t.section, t.mark, t.saved = 1+t.steps, len(t.Ops), map[string][]int64{}
		for key, list := range t.writes {
			t.saved[key] = list
		}
	}
	if m.rng.IntN(2) == 0 { // a statement that reads some keys
		n := 1 + m.rng.IntN(3)
		for _, k := range m.rng.Perm(keys)[:min(n, keys)] {
			key := fmt.Sprint("k", k)
			list, mine := t.writes[key]
			if !mine {
				list = m.visible(key, t.snapshot)
			}
			if m.fault == "newest on read" && !mine && m.rng.IntN(4) == 0 {
				list = m.newest(key).list
			}
			if m.fault == "old on read" && !mine && m.rng.IntN(4) == 0 {
				list = m.visible(key, t.snapshot-1)
			}
			t.Ops = append(t.Ops, Op{Kind: ReadList, Key: key, List: list, Start: start})
		}
		end := m.tick()
		for i := range t.Ops {
			if t.Ops[i].Start == start {
				t.Ops[i].End = end
			}
		}
		return
	}
	key := fmt.Sprint("k", m.rng.IntN(keys))
	abort := func() {
		t.Commit = start
		m.finish(t, Aborted)
		over()
	}
	if holder := m.locks[key]; holder != nil && holder != t && m.fault != "no locks" {
		abort()
		return
	}
	m.locks[key] = t
	list, mine := t.writes[key]
	if !mine {
		v := m.newest(key)
		if m.level != ReadCommitted && v.at > t.snapshot && m.fault != "no first updater" && m.fault != "new snapshot" {
			abort()
			return
		}
		list = v.list
	}
	m.value++
	t.writes[key] = append(slices.Clip(list), m.value)
	t.Ops = append(t.Ops, Op{Kind: Append, Key: key, Value: m.value, Start: start, End: m.tick()})
}

func (m *model) install(t *modelTxn) {
	m.commits++
	for key, list := range t.writes {
		m.versions[key] = append(m.versions[key], modelVersion{m.commits, list})
		if m.fault == "torn commit" && m.rng.IntN(4) == 0 {
			m.commits++
		}
	}
}

// TestRandomHistories: what a model makes that keeps a level is never blamed at it,
// what one makes that does not is, in most histories.
func TestRandomHistories(t *testing.T) {
	runs := *randomRuns
	if testing.Short() {
		runs = min(runs, 10)
	}
	for _, c := range []struct {
		level Level
		fault string
	}{
		{ReadCommitted, ""}, {RepeatableRead, ""}, {Serializable, ""},
		{ReadCommitted, "aborted writes"}, {ReadCommitted, "no locks"}, {ReadCommitted, "old on read"}, {RepeatableRead, "old snapshot"},
		{RepeatableRead, "new snapshot"}, {RepeatableRead, "no first updater"}, {RepeatableRead, "newest on read"}, {RepeatableRead, "no locks"},
		{Serializable, "snapshots only"},
	} {
		t.Run(c.level.String()+" "+c.fault, func(t *testing.T) {
			found := 0
			for seed := range uint64(runs) {
				m := &model{rng: rand.New(rand.NewPCG(seed, 1)), level: c.level, fault: c.fault}
				txns := m.run(60, 4, 4)
				as := Check(txns, c.level)
				if len(as) > 0 {
					found++
				}
				if c.fault == "" && len(as) > 0 {
					t.Fatalf("seed %d: %v", seed, as)
				}
				m.rng.Shuffle(len(txns), func(i, j int) { txns[i], txns[j] = txns[j], txns[i] })
				if again := Check(txns, c.level); (len(again) > 0) != (len(as) > 0) {
					t.Fatalf("seed %d: the order of the transactions matters: %v and %v", seed, as, again)
				}
			}
			if c.fault != "" && found < runs*6/10 {
				t.Errorf("%d of %d histories are blamed", found, runs)
			}
			t.Logf("%d of %d blamed", found, runs)
		})
	}
}

// TestOneLevelIsNotTheNext: a history of snapshot isolation is mostly not serializable,
// one of READ COMMITTED mostly no snapshot isolation.
func TestOneLevelIsNotTheNext(t *testing.T) {
	for l := ReadCommitted; l < Serializable; l++ {
		found := 0
		for seed := range uint64(50) {
			m := &model{rng: rand.New(rand.NewPCG(seed, 2)), level: l}
			if len(Check(m.run(60, 4, 4), l+1)) > 0 {
				found++
			}
		}
		if found < 40 {
			t.Errorf("%s: %d of 50 are not %s", l, found, l+1)
		}
	}
}
