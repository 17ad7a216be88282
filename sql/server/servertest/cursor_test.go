package servertest

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/basaltdb/basalt/sql/server"
)

// heapNow is what the process holds after a collection.
func heapNow() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestCursorsSpill: cursors of all kinds over more rows than work_mem keep them on
// disk, give them in either direction, and let go of them.
func TestCursorsSpill(t *testing.T) {
	n := StartWith(t, server.Options{InMemory: true})
	c := n.Connect(t)
	ctx := context.Background()
	exec := func(sql string) {
		t.Helper()
		if _, err := c.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	const rows = 60_000 // some 12 MB
	fetch := func(what string, from, step int, cursor string) int {
		t.Helper()
		rs, err := c.Query(ctx, "fetch "+what+" "+cursor)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for ; rs.Next(); got++ {
			var a int
			var b string
			if err := rs.Scan(&a, &b); err != nil {
				t.Fatal(err)
			}
			if want := from + step*got; a != want || b != fmt.Sprintf("%0200d", want) {
				t.Fatalf("fetch %s: row %d is %d, want %d", what, got, a, want)
			}
		}
		if rs.Err() != nil {
			t.Fatal(rs.Err())
		}
		return got
	}
	exec("set work_mem = '64kB'")
	before := heapNow()
	held := func(when string) {
		t.Helper()
		if d := heapNow() - before; d > 6<<20 {
			t.Errorf("%s: %d MB held", when, d>>20)
		}
	}
	query := fmt.Sprintf("select i, lpad(i::text, 200, '0') from generate_series(1, %d) i", rows)
	exec("begin")
	exec("declare s scroll cursor for " + query)
	exec("declare f no scroll cursor for " + query)
	exec("declare h scroll cursor with hold for " + query)
	exec("move all in s")
	held("scroll, at the end")
	if got := fetch("backward all in", rows, -1, "s"); got != rows {
		t.Errorf("backward: %d rows", got)
	}
	if got := fetch("absolute 777 in", 777, 1, "s"); got != 1 {
		t.Errorf("absolute: %d rows", got)
	}
	if got := fetch("5 in", 1, 1, "f"); got != 5 {
		t.Errorf("forward: %d rows", got)
	}
	if got := fetch("all in", 6, 1, "f"); got != rows-5 {
		t.Errorf("forward: %d rows", got)
	}
	held("no scroll, at the end")
	exec("commit")
	held("with hold, after the transaction")
	if got := fetch("all in", 1, 1, "h"); got != rows {
		t.Errorf("with hold: %d rows", got)
	}
	if got := fetch("backward 3 in", rows, -1, "h"); got != 3 {
		t.Errorf("with hold, backward: %d rows", got)
	}
	held("with hold, at the end")
	exec("close h")
}
