package txnrpc_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// sink keeps what it hears.
type sink struct {
	mu  sync.Mutex
	got []txn.Notification
}

func (s *sink) Deliver(_ context.Context, _, _ uint64, notes []txn.Notification) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, notes...)
	return nil
}

func (s *sink) Lost(uint64) {}

// TestNotificationsTravel: every field, in order, with commits of one node, of several and of none.
func TestNotificationsTravel(t *testing.T) {
	c := start(t)
	a, b := c.gateway(t, 8), c.gateway(t, 9)
	var s sink
	feed := b.NotificationFeed(&s)
	_, generation, err := feed.Follow(ctx)
	must(t, err)
	var want []txn.Notification
	for i := range 9 {
		tx := a.Begin(txn.Options{}).(txn.RowTxn)
		tx.BeginStatement()
		for j := range i % 3 {
			must(t, tx.PutNew(ctx, key(3*i+j), num(1)))
		}
		n := txn.Notification{Database: uint32(i), PID: int32(-i), Channel: fmt.Sprint("c\xff", i), Payload: fmt.Sprint("p", i)}
		tx.(txn.Notifier).Notify([]txn.Notification{n, {Channel: "x"}})
		want = append(want, n, txn.Notification{Channel: "x"})
		_, err := tx.Commit(ctx)
		must(t, err)
	}
	must(t, b.Refresh(ctx))
	feed.CatchUp(ctx)
	s.mu.Lock()
	if fmt.Sprint(s.got) != fmt.Sprint(want) {
		t.Errorf("heard %v, want %v", s.got, want)
	}
	s.mu.Unlock()
	if _, err := c.oracle.AwaitNotifications(ctx, txn.Subscription{Gateway: 9, Number: 1}, 0); !pgerror.Is(err, txn.NotificationsLost) {
		t.Errorf("a subscription that is not known: %v", err)
	}
	feed.Release(generation)
}

// TestPreparedTravels: what is known of a prepared transaction, and its errors.
func TestPreparedTravels(t *testing.T) {
	c := start(t)
	a, b := c.gateway(t, 8), c.gateway(t, 9)
	prepare := func(gid string, i int) error {
		tx := a.Begin(txn.Options{Isolation: txn.Serializable, ProcessID: 7}).(txn.RowTxn)
		tx.BeginStatement()
		for j := range 3 {
			must(t, tx.PutNew(ctx, key(i+j), num(int64(i))))
		}
		return tx.(txn.Preparer).Prepare(ctx, txn.PreparedInfo{GID: gid, Owner: 10, Database: 5, Time: time.UnixMicro(77), Note: []byte("n")}, nil)
	}
	must(t, prepare("one", 0))
	must(t, prepare("two", 3))
	if err := prepare("one", 6); !pgerror.Is(err, pgerror.DuplicateObject) {
		t.Errorf("a name in use: %v", err)
	}
	all, err := b.Prepared(ctx)
	must(t, err)
	if len(all) != 2 || all[0].GID != "one" || all[0].Owner != 10 || all[0].Database != 5 || all[0].Time.UnixMicro() != 77 || string(all[0].Note) != "n" || all[0].Backend != 7 {
		t.Fatalf("%+v", all)
	}
	for _, x := range []struct {
		gid    string
		commit bool
		key    int
	}{{"one", true, 0}, {"two", false, 3}} {
		p, err := b.ClaimPrepared(ctx, x.gid, func(*txn.PreparedInfo) error { return nil })
		must(t, err)
		if x.commit {
			_, err = p.Commit(ctx)
		} else {
			err = p.Rollback(ctx)
		}
		must(t, err)
		tx := b.Begin(txn.Options{}).(txn.RowTxn)
		tx.BeginStatement()
		for j := range 3 {
			if _, ok, err := tx.Get(ctx, key(x.key+j)); err != nil || ok != x.commit {
				t.Errorf("%s: key %d: %v, %v", x.gid, x.key+j, ok, err)
			}
		}
		tx.Rollback()
	}
	if _, err := c.oracle.FinishPrepared(ctx, 1, "one", true); !pgerror.Is(err, pgerror.UndefinedObject) {
		t.Errorf("once more: %v", err)
	}
}
