package txn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// Deadlocks are looked for by a transaction that has waited for its deadlock
// timeout. A cycle that goes through the order of queues alone is soft: some waiter
// is only behind another, and may go before it. The check looks for such changes of
// order that leave no cycle, and makes them; where there are none, its own
// transaction ends.

// waitEdge says that waiter's transaction waits for blocker; ahead is the blocker's
// own request when it is merely before the waiter in the queue, nil for a holder.
type waitEdge struct {
	w       *lockWaiter
	blocker *lockOwner
	ahead   *lockWaiter
}

// before demands that first comes before second in the queue of both.
type before struct{ first, second *lockWaiter }

// waitOrders are queues in another order than they are in.
type waitOrders map[*lockEntry][]*lockWaiter

func (o waitOrders) of(e *lockEntry) []*lockWaiter {
	if q, ok := o[e]; ok {
		return q
	}
	return e.queue
}

// findDeadlock looks for a cycle through w's transaction with the queues in order;
// nil when there is none. The last edge's blocker is w's transaction. REQUIRES: waits.mu held.
func findDeadlock(w *lockWaiter, order waitOrders) []waitEdge {
	seen := map[*lockOwner]bool{}
	var path []waitEdge
	var visit func(x *lockWaiter) bool
	visit = func(x *lockWaiter) bool {
		c := x.e.t.kind.conflicts[x.mode]
		try := func(o *lockOwner, ahead *lockWaiter) bool {
			if o == x.o {
				return false
			}
			path = append(path, waitEdge{x, o, ahead})
			if sameSession(o, w.o) {
				return true
			}
			if !seen[o] {
				seen[o] = true
				if next := o.sessionWait(); next != nil && visit(next) {
					return true
				}
			}
			path = path[:len(path)-1]
			return false
		}
		for i := range x.e.holders {
			if h := &x.e.holders[i]; h.mask&c != 0 && try(h.o, nil) {
				return true
			}
		}
		for _, q := range order.of(x.e) {
			if q == x {
				break
			}
			if bit(q.mode)&c != 0 && try(q.o, q) {
				return true
			}
		}
		return false
	}
	if visit(w) {
		return path
	}
	return nil
}

// reordersMax bounds the demands that are tried together.
const reordersMax = 16

// untangle looks for an order of the queues in which w's transaction and those
// whose place changes are in no cycle. ok is false when there is none, and cycle is
// the one that is there now. REQUIRES: waits.mu held.
func untangle(w *lockWaiter) (order waitOrders, cycle []waitEdge, ok bool) {
	if cycle = findDeadlock(w, nil); cycle == nil {
		return nil, nil, true
	}
	order, ok = untangleWith(w, cycle, nil)
	return order, cycle, ok
}

// untangleWith tries to turn each soft edge of a cycle around, beside demands made already.
func untangleWith(w *lockWaiter, cycle []waitEdge, demands []before) (waitOrders, bool) {
	if len(demands) >= reordersMax {
		return nil, false
	}
	for _, e := range slices.Backward(cycle) { // those farthest from w first, as PostgreSQL
		if e.ahead == nil {
			continue
		}
		next := append(demands[:len(demands):len(demands)], before{e.w, e.ahead})
		order, ok := arrange(next)
		if !ok {
			continue
		}
		left := findDeadlock(w, order)
		for _, d := range next {
			if left == nil {
				left = findDeadlock(d.first, order)
			}
			if left == nil {
				left = findDeadlock(d.second, order)
			}
		}
		if left == nil {
			return order, true
		}
		if order, ok := untangleWith(w, left, next); ok {
			return order, true
		}
	}
	return nil, false
}

// arrange orders the queues as demanded and otherwise as they are; ok is false when
// the demands contradict each other.
func arrange(demands []before) (order waitOrders, ok bool) {
	order = waitOrders{}
	for _, d := range demands {
		e := d.first.e
		if _, done := order[e]; done {
			continue
		}
		// From the end: the last of those left that nobody left must come after.
		left := append([]*lockWaiter(nil), e.queue...)
		sorted := make([]*lockWaiter, len(left))
		for n := len(left); n > 0; n-- {
			at := -1
			for i := n - 1; i >= 0 && at < 0; i-- {
				free := true
				for _, x := range demands {
					free = free && (x.first != left[i] || !slices.Contains(left, x.second))
				}
				if free {
					at = i
				}
			}
			if at < 0 {
				return nil, false
			}
			sorted[n-1] = left[at]
			left = slices.Delete(left, at, at+1)
		}
		order[e] = sorted
	}
	return order, true
}

// apply puts queues into their new order and grants what can be granted then.
// REQUIRES: waits.mu held.
func (o waitOrders) apply() {
	for e, q := range o {
		e.s.mu.Lock()
		copy(e.queue, q)
		e.grantWaiters()
		e.dropIfIdle()
		e.s.mu.Unlock()
	}
}

// checkDeadlock is the check of a transaction that waits; its error ends the wait. It
// does nothing for one that waits no more. REQUIRES: waits.mu held.
func (w *lockWaiter) checkDeadlock() error {
	if w.o.waiting != w {
		return nil
	}
	order, cycle, ok := untangle(w)
	if ok {
		order.apply()
		return nil
	}
	return deadlockError(cycle)
}

// mutual reports that w and a waiter before it each hold what the other wants: no
// need to wait for the timeout then. REQUIRES: waits.mu held.
func (w *lockWaiter) mutual() bool {
	held := w.e.mask(w.o)
	if held == 0 {
		return false
	}
	kind := w.e.t.kind
	for _, q := range w.e.queue {
		if q != w && kind.conflicts[q.mode]&held != 0 && kind.conflicts[w.mode]&w.e.mask(q.o) != 0 {
			return true
		}
	}
	return false
}

// deadlockError is PostgreSQL's report of a deadlock.
func deadlockError(cycle []waitEdge) error {
	var b strings.Builder
	for i, e := range cycle {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "Process %d waits for %s; blocked by process %d.", e.w.o.pid, e.w.e.t.describe(e.w, e.blocker), e.blocker.pid)
	}
	return pgerror.New(pgerror.DeadlockDetected, "deadlock detected").WithDetail("%s", b.String()).
		WithHint("See server log for query details.")
}

func describeRowWait(_ *lockWaiter, blocker *lockOwner) string {
	return fmt.Sprintf("ShareLock on transaction %d", blocker.id)
}

var relationLockNames = []string{"AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock",
	"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"}

func describeRelationWait(w *lockWaiter, _ *lockOwner) string {
	id := decodeRelationKey(w.e.key)
	return fmt.Sprintf("%s on relation %d of database %d", relationLockNames[w.mode], uint32(id), id>>32)
}
