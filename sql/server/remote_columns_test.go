package server

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/basaltdb/basalt/storage/columns"
)

// TestRemoteColumns: the first question waits for the answer, later ones are answered from memory
// until it is old; a node that does not answer leaves what was known; system tables are not asked for.
func TestRemoteColumns(t *testing.T) {
	const table = 20000
	now := time.Unix(1000, 0)
	asked := make(chan struct{}, 10)
	rows, fail, hang := int64(7), error(nil), false
	r := newRemoteColumns(func(ctx context.Context, storageID uint64, attnum int) (int64, []ColumnSegment, error) {
		defer func() { asked <- struct{}{} }()
		if storageID != table {
			t.Errorf("asked for %d", storageID)
		}
		if hang {
			<-ctx.Done()
			return 0, nil, ctx.Err()
		}
		return rows, []ColumnSegment{{Rows: uint64(rows), ColumnStats: columns.ColumnStats{Attnum: attnum, Distinct: 3}}}, fail
	})
	r.now = func() time.Time { return now }
	expect := func(what string, want int64, questions int) {
		t.Helper()
		got := r.rows(table)
		r.done.Wait()
		n := len(asked)
		for range n {
			<-asked
		}
		if got != want || n != questions {
			t.Errorf("%s: %d rows after %d questions, want %d after %d", what, got, n, want, questions)
		}
	}
	if r.rows(1259) != 0 || len(asked) > 0 {
		t.Error("a system table was asked for")
	}
	expect("first", 7, 1)
	rows = 8
	expect("again", 7, 0)
	now = now.Add(remoteAge)
	expect("old", 7, 1)
	expect("renewed", 8, 0)
	rows, fail = 9, errors.New("no")
	now = now.Add(remoteAge)
	expect("failed", 8, 1)
	expect("after it", 8, 0)
	fail = nil
	for n, c := range r.segments(table, 2) {
		if n != 9 || c.Attnum != 2 || c.Distinct != 3 {
			t.Errorf("segment of %d rows: %v", n, c)
		}
	}
	<-asked
	hang = true
	began := time.Now()
	for range r.segments(table, 3) {
		t.Error("a segment of a node that does not answer")
	}
	if d := time.Since(began); d < remoteWait {
		t.Errorf("waited %s", d)
	}
	r.close()
}
