package coordinator

import (
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// TestLostCallBeforeSavepoint: a statement that fails because its call, or the answer, is
// lost takes with it what it did itself, not the writes of earlier statements that rode along.
func TestLostCallBeforeSavepoint(t *testing.T) {
	for _, call := range []string{"lock", "write"} {
		for _, after := range []bool{false, true} {
			c := newCluster(t, 3)
			g := c.gateway(1)
			c.deposit(g, 12, 100)
			x := begin(g, txn.ReadCommitted)
			// Accounts 2 and 8 are of one tablet.
			_, err := x.LockRow(ctx, c.key(2), txn.LockNoKeyUpdate, txn.WaitBlock)
			must(t, err)
			must(t, x.Put(ctx, c.key(2), money(1))) // waits for company
			sp := x.Savepoint()
			x.BeginStatement()
			fault := func(n txn.NodeID, cl string, a bool) error {
				if cl == call && a == after {
					return errDown
				}
				return nil
			}
			c.fault.Store(&fault)
			must(t, x.Put(ctx, c.key(8), money(2)))
			if call == "lock" {
				_, err = x.LockRow(ctx, c.key(8), txn.LockNoKeyUpdate, txn.WaitBlock)
			} else {
				_, _, err = x.Get(ctx, c.key(2))
			}
			if err == nil {
				t.Fatalf("%s, after %v: no call was lost", call, after)
			}
			c.fault.Store(nil)
			must(t, x.RollbackTo(sp))
			x.BeginStatement()
			if v, _, err := x.Get(ctx, c.key(2)); err != nil || amount(v) != 1 {
				t.Errorf("%s, after %v: the transaction reads %d, %v", call, after, amount(v), err)
			}
			_, err = x.Commit(ctx)
			must(t, err)
			if sum, rows, err := c.total(g); err != nil || sum != 11*100+1 || rows != 12 {
				t.Errorf("%s, after %v: %d of %d rows, %v", call, after, sum, rows, err)
			}
			must(t, g.Close())
		}
	}
}

// TestSavepointsAndLostCalls does things at random in transactions whose calls get lost,
// and goes back to savepoints when a statement fails: what commits is what was not undone.
func TestSavepointsAndLostCalls(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	c := newCluster(t, 3)
	g := c.gateway(1)
	defer g.Close()
	const accounts = 12
	c.deposit(g, accounts, 100)
	committed := map[int]int64{}
	for i := range accounts {
		committed[i] = 100
	}
	var fmu sync.Mutex
	fr := rand.New(rand.NewPCG(seed, 2))
	fault := func(n txn.NodeID, call string, after bool) error {
		fmu.Lock()
		defer fmu.Unlock()
		odds := map[string]int{"lock": 8, "write": 8, "get": 8, "own": 8, "rollbackto": 2}[call]
		if fr.IntN(100) < odds {
			return errDown
		}
		return nil
	}
	type mark struct {
		at    txn.Savepoint
		state map[int]int64
	}
	commits, lost, failed := 0, 0, 0
	for range 150 {
		c.fault.Store(&fault)
		x := begin(g, txn.ReadCommitted)
		state := maps.Clone(committed)
		marks := []mark{{x.Savepoint(), maps.Clone(state)}}
		alive := true
		back := func() {
			m := marks[len(marks)-1]
			alive = x.RollbackTo(m.at) == nil
			state = maps.Clone(m.state)
		}
		for n := r.IntN(40); n > 0 && alive; n-- {
			x.BeginStatement()
			i, v := r.IntN(accounts), r.Int64N(1000)
			var err error
			switch op := r.IntN(10); op {
			case 0:
				marks = append(marks, mark{x.Savepoint(), maps.Clone(state)})
			case 1:
				if k := len(marks) - 1 - r.IntN(2); k >= 0 {
					marks = marks[:k+1]
				}
				back()
			case 2, 3, 4:
				var got []byte
				var ok bool
				if got, ok, err = x.Get(ctx, c.key(i)); err == nil {
					if want, exists := state[i]; ok != exists || ok && amount(got) != want {
						t.Fatalf("account %d: read %v %x, want %v %d", i, ok, got, exists, want)
					}
				}
			case 5:
				if err = x.Delete(ctx, c.key(i)); err == nil {
					delete(state, i)
				}
			default:
				if op < 8 {
					_, err = x.LockRow(ctx, c.key(i), txn.LockNoKeyUpdate, txn.WaitBlock)
				}
				if err == nil {
					err = x.Put(ctx, c.key(i), money(v))
				}
				if err == nil {
					state[i] = v
				}
			}
			if err != nil {
				failed++
				back()
			}
		}
		if !alive {
			lost++
			x.Rollback()
		} else if _, err := x.Commit(ctx); err == nil {
			commits++
			committed = state
		} else if pgerror.Is(err, "08007") {
			t.Fatal(err)
		}
		c.fault.Store(nil)
		y := begin(g, txn.ReadCommitted)
		for i := range accounts {
			v, ok, err := y.Get(ctx, c.key(i))
			must(t, err)
			if want, exists := committed[i]; ok != exists || ok && amount(v) != want {
				t.Fatalf("account %d: %v %x is committed, want %v %d", i, ok, v, exists, want)
			}
		}
		y.Rollback()
	}
	t.Logf("%d commits, %d transactions lost, %d statements failed", commits, lost, failed)
}

// TestLateCalls: a call that the network keeps while its statement is given up, and
// delivers after the savepoint or the transaction was rolled back, changes nothing and makes nothing anew.
func TestLateCalls(t *testing.T) {
	for _, call := range []string{"lock", "write"} {
		for _, begun := range []bool{true, false} {
			for _, whole := range []bool{false, true} {
				if !begun && !whole { // the rollback to the savepoint cannot know whether there is a branch
					continue
				}
				c := newCluster(t, 3)
				g := c.gateway(1)
				c.deposit(g, 12, 100)
				x := begin(g, txn.ReadCommitted)
				if begun { // accounts 2 and 8 are of one tablet
					_, err := x.LockRow(ctx, c.key(2), txn.LockNoKeyUpdate, txn.WaitBlock)
					must(t, err)
					must(t, x.Put(ctx, c.key(2), money(1)))
					_, _, err = x.Get(ctx, c.key(2))
					must(t, err)
				}
				sp := x.Savepoint()
				x.BeginStatement()
				var mu sync.Mutex
				var late []func() error
				keep := func(n txn.NodeID, cl string, deliver func() error) bool {
					mu.Lock()
					defer mu.Unlock()
					if cl != call || len(late) > 0 {
						return false
					}
					late = append(late, deliver)
					return true
				}
				c.keep.Store(&keep)
				var err error
				if call == "lock" {
					_, err = x.LockRow(ctx, c.key(8), txn.LockNoKeyUpdate, txn.WaitBlock)
				} else {
					must(t, x.Put(ctx, c.key(8), money(2)))
					x.BeginStatement()
					_, _, err = x.Get(ctx, c.key(8))
				}
				if err == nil || len(late) != 1 {
					t.Fatalf("%s, begun %v: no call was kept", call, begun)
				}
				c.keep.Store(nil)
				if whole {
					x.Rollback()
				} else {
					must(t, x.RollbackTo(sp))
				}
				if err := late[0](); err == nil {
					t.Errorf("%s, begun %v, whole %v: the late call was done", call, begun, whole)
				}
				if !whole {
					x.BeginStatement()
					if v, _, err := x.Get(ctx, c.key(8)); err != nil || amount(v) != 100 {
						t.Errorf("%s: the transaction reads %d, %v", call, amount(v), err)
					}
				}
				// Nobody holds account 8.
				y := begin(g, txn.ReadCommitted)
				y.SetLockTimeout(time.Second)
				_, err = y.LockRow(ctx, c.key(8), txn.LockUpdate, txn.WaitError)
				if err != nil {
					t.Errorf("%s, begun %v, whole %v: account 8: %v", call, begun, whole, err)
				}
				y.Rollback()
				want := int64(12 * 100)
				if !whole {
					_, err = x.Commit(ctx)
					must(t, err)
					want -= 99
				}
				if sum, rows, err := c.total(g); err != nil || sum != want || rows != 12 {
					t.Errorf("%s, begun %v, whole %v: %d of %d rows, %v; want %d", call, begun, whole, sum, rows, err, want)
				}
				must(t, g.Close())
			}
		}
	}
}
