package txn

import (
	"fmt"
	"strings"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// waitEdge says that waiter's transaction waits for blocker.
type waitEdge struct {
	w       *lockWaiter
	blocker *lockOwner
}

// findDeadlock looks for a cycle through w's transaction; nil when there is
// none. The last edge's blocker is w's transaction. Looked for at the start of
// every wait, so a cycle is found by the request that closes it. REQUIRES: waits.mu held.
func findDeadlock(w *lockWaiter) []waitEdge {
	seen := map[*lockOwner]bool{}
	var path []waitEdge
	var visit func(x *lockWaiter) bool
	visit = func(x *lockWaiter) bool {
		c := x.e.t.kind.conflicts[x.mode]
		try := func(o *lockOwner) bool {
			if o == x.o {
				return false
			}
			path = append(path, waitEdge{x, o})
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
			if h := &x.e.holders[i]; h.mask&c != 0 && try(h.o) {
				return true
			}
		}
		for _, q := range x.e.queue {
			if q == x {
				break
			}
			if bit(q.mode)&c != 0 && try(q.o) {
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
