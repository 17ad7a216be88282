package txn

import (
	"context"
	"testing"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// queueTest is a lock table with owners by name.
type queueTest struct {
	t      *testing.T
	table  *lockTable
	owners map[string]*lockOwner
	waits  map[string]chan error
}

func newQueueTest(t *testing.T) *queueTest {
	return &queueTest{t: t, table: newLockTable(relationLockKind, &waits{}, describeRelationWait), owners: map[string]*lockOwner{}, waits: map[string]chan error{}}
}

// lock has an owner ask for a lock; it must wait, or not.
func (q *queueTest) lock(who, what string, mode RelationLock, deadlock time.Duration, wait bool) {
	q.t.Helper()
	o := q.owners[who]
	if o == nil {
		o = &lockOwner{id: ID(len(q.owners) + 1), pid: int32(len(q.owners) + 1)}
		q.owners[who] = o
	}
	done := make(chan error, 1)
	key := relationKey(uint64(what[0]))
	go func() {
		_, err := q.table.acquire(context.Background(), o, lockRequest{key: key[:], mode: lockMode(mode - 1), policy: WaitBlock, deadlock: deadlock, seq: 1})
		done <- err
	}()
	q.waits[who] = done
	if !wait {
		q.ends(who, "")
		return
	}
	for end := time.Now().Add(10 * time.Second); ; {
		q.table.waits.mu.Lock()
		waiting := o.waiting != nil
		q.table.waits.mu.Unlock()
		switch {
		case waiting:
			return
		case len(done) > 0 || time.Now().After(end):
			q.t.Fatalf("%s does not wait for %s", who, what)
		}
		time.Sleep(time.Millisecond)
	}
}

// ends waits for the answer to an owner's request.
func (q *queueTest) ends(who string, code pgerror.Code) {
	q.t.Helper()
	select {
	case err := <-q.waits[who]:
		got := pgerror.Code("")
		if err != nil {
			got = pgerror.From(err).Code
		}
		if got != code {
			q.t.Fatalf("%s: %v", who, err)
		}
	case <-time.After(10 * time.Second):
		q.t.Fatalf("%s still waits", who)
	}
}

func (q *queueTest) release(who string) { q.owners[who].releaseAfter(0) }

const never = time.Hour

// TestSoftDeadlock: what is only behind others in queues goes before them.
func TestSoftDeadlock(t *testing.T) {
	q := newQueueTest(t)
	q.lock("d1", "a", AccessShare, never, false)
	q.lock("d2", "b", AccessShare, never, false)
	q.lock("e1", "a", AccessExclusive, never, true)
	q.lock("e2", "b", AccessExclusive, never, true)
	q.lock("d1", "b", AccessShare, never, true)
	d1 := q.waits["d1"]
	q.lock("d2", "a", AccessShare, 100*time.Millisecond, true)
	q.waits["d1"] = d1
	q.ends("d1", "")
	q.release("d1")
	q.ends("e1", "")
	q.release("e1")
	q.ends("d2", "")
	q.release("d2")
	q.ends("e2", "")
}

// TestSoftDeadlockTwice: one waiter has to pass two others.
func TestSoftDeadlockTwice(t *testing.T) {
	q := newQueueTest(t)
	q.lock("s1", "a", ShareUpdateExclusive, never, false)
	q.lock("s2", "b", AccessShare, never, false)
	q.lock("s2", "a", ShareUpdateExclusive, never, true)
	q.lock("s3", "b", AccessExclusive, never, true)
	q.lock("s4", "b", AccessExclusive, never, true)
	q.lock("s1", "b", ShareUpdateExclusive, 100*time.Millisecond, true)
	q.ends("s1", "")
	q.release("s1")
	q.ends("s2", "")
	q.release("s2")
	q.ends("s3", "")
	q.release("s3")
	q.ends("s4", "")
}

// TestHardDeadlock: who finds a cycle of holders ends, after its timeout; at once
// when both hold the one thing that both want.
func TestHardDeadlock(t *testing.T) {
	q := newQueueTest(t)
	q.lock("x", "a", AccessExclusive, never, false)
	q.lock("y", "b", AccessExclusive, never, false)
	q.lock("x", "b", AccessExclusive, never, true)
	x := q.waits["x"]
	q.lock("y", "a", AccessExclusive, 100*time.Millisecond, true)
	q.ends("y", pgerror.DeadlockDetected)
	q.release("y")
	q.waits["x"] = x
	q.ends("x", "")
}

// TestMutualDeadlock: nobody waits for the timeout where each holds what the other wants.
func TestMutualDeadlock(t *testing.T) {
	q := newQueueTest(t)
	q.lock("x", "a", ShareLock, never, false)
	q.lock("y", "a", ShareLock, never, false)
	q.lock("x", "a", AccessExclusive, never, true)
	o := q.owners["y"]
	key := relationKey(uint64('a'))
	_, err := q.table.acquire(context.Background(), o, lockRequest{key: key[:], mode: lockMode(AccessExclusive - 1), policy: WaitBlock, deadlock: never, seq: 2})
	if err == nil || pgerror.From(err).Code != pgerror.DeadlockDetected {
		t.Fatal(err)
	}
	q.release("y")
	q.ends("x", "")
}
