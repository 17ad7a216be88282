package coordinator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// heard is a sink that keeps everything.
type heard struct {
	mu   sync.Mutex
	next uint64
	all  []string
	lost uint64
	full chan struct{} // Deliver waits for it, if there is one
}

func (h *heard) Deliver(ctx context.Context, _, from uint64, notes []txn.Notification) error {
	h.mu.Lock()
	full := h.full
	h.mu.Unlock()
	if full != nil {
		select {
		case <-full:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if from < h.next {
		return errors.New("twice")
	}
	for _, n := range notes {
		h.all = append(h.all, n.Payload)
	}
	h.next = from + uint64(len(notes))
	return nil
}

func (h *heard) Lost(generation uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lost = generation
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.all, " ")
}

// await waits until the sink has what is wanted.
func (h *heard) await(t *testing.T, want string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); h.String() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("heard %q, want %q", h, want)
		}
	}
}

func say(payloads ...string) (out []txn.Notification) {
	for _, p := range payloads {
		out = append(out, txn.Notification{Database: 5, PID: 7, Channel: "c", Payload: p})
	}
	return out
}

// notify commits a transaction that writes to nodes (none: it only sends).
func (c *cluster) notify(g *Coordinator, nodes int, payloads ...string) error {
	tx := g.Begin(txn.Options{}).(*transaction)
	defer tx.Rollback()
	if nodes > 0 {
		tx.BeginStatement()
	}
	for i := range nodes {
		k := c.key(i)
		if _, err := tx.LockRow(ctx, k, txn.LockUpdate, txn.WaitBlock); err != nil {
			return err
		}
		if err := tx.Put(ctx, k, []byte("x")); err != nil {
			return err
		}
	}
	tx.Notify(say(payloads...))
	_, err := tx.Commit(ctx)
	return err
}

// notifySoon is notify when the queue has room again, soon.
func (c *cluster) notifySoon(g *Coordinator, nodes int, payloads ...string) {
	c.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		err := c.notify(g, nodes, payloads...)
		if err == nil {
			return
		}
		if !pgerror.Is(err, pgerror.ProgramLimitExceeded) || time.Now().After(end) {
			c.t.Fatal(err)
		}
	}
}

// TestNotifications: what is sent comes to every gateway that follows, in one order, when the
// commit is visible; what was sent before Follow does not; CatchUp waits for one's own.
func TestNotifications(t *testing.T) {
	c := newCluster(t, 3)
	near, far := c.twoGateways()
	var a, b heard
	fa, fb := near.NotificationFeed(&a), far.NotificationFeed(&b)
	must(t, c.notify(near, 1, "before"))
	_, ga, err := fa.Follow(ctx)
	must(t, err)
	must(t, c.notify(far, 0, "1", "2"))
	fa.CatchUp(ctx)
	a.await(t, "1 2")
	if a.String() == "" {
		t.Error("CatchUp has not waited")
	}
	_, gb, err := fb.Follow(ctx)
	must(t, err)
	must(t, c.notify(near, 3, "3"))
	must(t, c.notify(far, 1, "4"))
	fb.CatchUp(ctx)
	if got := b.String(); got != "3 4" {
		t.Errorf("after CatchUp: %q", got)
	}
	// A snapshot of another gateway brings the wish to catch up.
	must(t, c.notify(near, 0, "5"))
	must(t, far.Refresh(ctx))
	fb.CatchUp(ctx)
	if got := b.String(); got != "3 4 5" {
		t.Errorf("after a snapshot: %q", got)
	}
	a.await(t, "1 2 3 4 5")
	// A commit whose timestamp is lower holds back those above.
	held, err := c.oracle.BeginCommit(ctx, txn.CommitRequest{ID: 1 << 40, Gateway: 1, Epoch: c.oracle.Epoch(), Participants: []txn.NodeID{1}, Notifications: say("low")})
	must(t, err)
	var done sync.WaitGroup
	done.Add(1)
	go func() {
		defer done.Done()
		if err := c.notify(far, 1, "high"); err != nil {
			t.Error(err)
		}
	}()
	time.Sleep(50 * time.Millisecond)
	if got := b.String(); got != "3 4 5" {
		t.Errorf("heard before it was visible: %q", got)
	}
	must(t, c.oracle.FinishCommit(ctx, held, true))
	done.Wait()
	b.await(t, "3 4 5 low high")
	// Rolled back: nothing.
	held, err = c.oracle.BeginCommit(ctx, txn.CommitRequest{ID: 1<<40 + 1, Gateway: 1, Epoch: c.oracle.Epoch(), Participants: []txn.NodeID{1}, Notifications: say("no")})
	must(t, err)
	must(t, c.oracle.FinishCommit(ctx, held, false))
	must(t, c.notify(near, 0, "6"))
	b.await(t, "3 4 5 low high 6")
	fa.Release(ga)
	fb.Release(gb)
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		u, err := fa.Usage(ctx)
		must(t, err)
		if u == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("usage %g when nobody follows", u)
		}
	}
	must(t, near.Close())
	must(t, far.Close())
}

// TestNotificationsFull: who sends more than there is room for fails and has done nothing, until
// the slowest gateway has read; a gateway that dies holds up nobody.
func TestNotificationsFull(t *testing.T) {
	c := newCluster(t, 2)
	near, far := c.twoGateways()
	defer near.Close()
	defer far.Close()
	var a, b heard
	b.full = make(chan struct{})
	fa, fb := near.NotificationFeed(&a), far.NotificationFeed(&b)
	_, _, err := fa.Follow(ctx)
	must(t, err)
	_, gen, err := fb.Follow(ctx)
	must(t, err)
	long := make([]string, 4000)
	for i := range long {
		long[i] = fmt.Sprint(i, strings.Repeat("x", 7900))
	}
	must(t, c.notify(near, 1, long...))
	must(t, c.notify(near, 0, long...))
	for _, nodes := range []int{0, 1, 2} {
		if err := c.notify(near, nodes, long...); !pgerror.Is(err, pgerror.ProgramLimitExceeded) {
			t.Fatalf("into a full queue: %v", err)
		}
	}
	must(t, c.notify(near, 0, "short"))
	// The rest comes when there is room, and nothing twice.
	b.mu.Lock()
	full := b.full
	b.full = nil
	b.mu.Unlock()
	close(full)
	b.await(t, strings.Join(append(append(append([]string(nil), long...), long...), "short"), " "))
	c.notifySoon(near, 1, long...)

	b.mu.Lock()
	b.full = make(chan struct{})
	b.mu.Unlock()
	for range 2 {
		if err = c.notify(near, 0, long...); err != nil {
			break
		}
	}
	c.oracle.DropGateway(2)
	c.notifySoon(near, 0, long...)
	b.mu.Lock()
	full, b.full = b.full, nil
	b.mu.Unlock()
	close(full)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		b.mu.Lock()
		lost := b.lost
		b.mu.Unlock()
		if lost == gen {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a gateway that was given up does not hear of it")
		}
	}
}

// TestNotificationsFenced: what follows is lost with the lease, and begins anew after it.
func TestNotificationsFenced(t *testing.T) {
	c := newCluster(t, 2)
	near, far := c.twoGateways()
	defer near.Close()
	defer far.Close()
	var b heard
	fb := far.NotificationFeed(&b)
	_, g1, err := fb.Follow(ctx)
	must(t, err)
	far.Fence()
	if b.lost != g1 {
		t.Errorf("lost %d, want %d", b.lost, g1)
	}
	if _, _, err := fb.Follow(ctx); !pgerror.Is(err, pgerror.ConnectionFailure) {
		t.Errorf("without a lease: %v", err)
	}
	must(t, c.notify(near, 0, "missed"))
	far.Resume()
	_, g2, err := fb.Follow(ctx)
	must(t, err)
	if g2 <= g1 {
		t.Errorf("generation %d after %d", g2, g1)
	}
	must(t, c.notify(near, 0, "heard"))
	b.await(t, "heard")
	fb.Release(g1) // of no use any more
	must(t, c.notify(far, 0, "too"))
	b.await(t, "heard too")
	// Late calls of a subscription that has ended make none.
	if _, err := c.oracle.Subscribe(ctx, txn.Subscription{Gateway: 2, Number: 99}); err != nil {
		t.Fatal(err)
	}
	must(t, c.oracle.Unsubscribe(ctx, txn.Subscription{Gateway: 2, Number: 99}))
	must(t, c.oracle.Unsubscribe(ctx, txn.Subscription{Gateway: 2, Number: 100}))
	for _, n := range []uint64{99, 100, 0} {
		if _, err := c.oracle.Subscribe(ctx, txn.Subscription{Gateway: 2, Number: n}); !pgerror.Is(err, txn.NotificationsLost) {
			t.Errorf("a late call of %d: %v", n, err)
		}
	}
	if _, err := c.oracle.AwaitNotifications(ctx, txn.Subscription{Gateway: 2, Number: 99, Epoch: c.oracle.Epoch()}, 0); !pgerror.Is(err, txn.NotificationsLost) {
		t.Errorf("reading on: %v", err)
	}
	if _, err := c.oracle.AwaitNotifications(ctx, txn.Subscription{Gateway: 2, Number: 99, Epoch: c.oracle.Epoch() - 1}, 0); !pgerror.Is(err, txn.NotificationsLost) {
		t.Errorf("of another epoch: %v", err)
	}
}

// TestNotificationsOfTheDead: what a gateway has committed is sent though it dies before
// it can say so.
func TestNotificationsOfTheDead(t *testing.T) {
	c := newCluster(t, 2)
	near := c.gateway(1)
	defer near.Close()
	var a heard
	_, _, err := near.NotificationFeed(&a).Follow(ctx)
	must(t, err)
	far := New(Config{Self: 2, Oracle: deaf{c.oracle}, Node: c.reach, Placement: func() *txn.Placement { return c.place }, Nodes: c.place.Nodes,
		OutcomeWait: 50 * time.Millisecond, EndWait: 50 * time.Millisecond})
	if err := c.notify(far, 2, "last words"); !pgerror.Is(err, "08007") {
		t.Fatalf("without an answer: %v", err)
	}
	must(t, far.Close())
	rec := &Recovery{Oracle: c.oracle, Nodes: c.place.Nodes, Node: c.reach, Dead: func(txn.NodeID) bool { return false }}
	must(t, rec.EndGateway(ctx, 2))
	c.oracle.Sweep()
	a.await(t, "last words")
}

// deaf hears no answer to FinishCommit.
type deaf struct{ txn.Oracle }

func (deaf) FinishCommit(context.Context, txn.Timestamp, bool) error { return errDown }
