package e2e

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// greedy are statements that want far more memory than there is: each finishes
// by means of the disk or fails with one of codes.
var greedy = []struct{ sql, codes string }{
	{"select length(repeat('x', 1000000000))", "53200"},
	{"select length(repeat('x', 1073741821))", "54000"},
	{"select repeat('x', 40000000)", ""},
	{"select length(lpad('x', 200000000)), length(rpad('x', 200000000))", "53200"},
	{"select length(format('%1000000000s', 'x'))", "53200"},
	{"select length(replace(repeat('x', 1000000), 'x', repeat('y', 2000)))", "54000"},
	{"with recursive r(s) as (select 'xxxxxxxxxx' union all select s || s from r) select max(length(s)) from r", "53200"},
	{"select length(string_agg(repeat('x', 1000000), '')) from generate_series(1, 1100)", "53200"},
	{"select length(string_agg(repeat('x', 100000), '' order by a)) from generate_series(1, 3000) a", "53200"},
	{"select cardinality(array_agg(repeat('x', 1000))) from generate_series(1, 1000000)", "53200"},
	{"select length(jsonb_agg(repeat('x', 100000))::text) from generate_series(1, 5000)", "53200"},
	{"select length(json_agg(repeat('x', 100000))::text) from generate_series(1, 5000)", "53200"},
	{"select cardinality(array_fill(1, array[60000000]))", "53200"},
	{"select length(array_fill(repeat('x', 1000000), array[1000])::text)", "53200"},
	{"select sum(length(repeat('x', 1000000))) from generate_series(1, 1500)", ""},
	{"select count(*) from (select repeat('x', 1000000) s from generate_series(1, 1500)) a where length(s) > 5", ""},
	{"select sum(length(r)) from (select a, repeat('x', 100000) r from generate_series(1, 3000) a order by r, a desc offset 1) s", ""},
	{"select count(*) from generate_series(1, 600000) a join generate_series(1, 600000) b on a = b", ""},
	{"select count(*) from generate_series(1, 300000) a where a not in (select b * 2 from generate_series(1, 600000) b)", ""},
	{"select count(*), max(c) from (select a, count(*) c from generate_series(1, 1000000) a group by a) s", ""},
	{"select count(distinct a::text) from generate_series(1, 700000) a", ""},
	{"select length(string_agg(a::text, ',' order by a desc)) from generate_series(1, 700000) a", ""},
	{"select percentile_disc(0.5) within group (order by a) from generate_series(1, 700000) a", ""},
	{"select max(s) from (select string_agg(repeat('x', 10000), '') over (order by a) s from generate_series(1, 3000) a) x", "53200"},
	{"select sum(r) from (select row_number() over (order by a desc) r from generate_series(1, 700000) a) s", ""},
	{"with w as materialized (select a, repeat('x', 100) from generate_series(1, 700000) a) select count(*) from w", ""},
}

// TestMemory: a server with little memory survives statements that want much, one
// after the other and beside each other, and its resident memory stays near what
// it was given.
func TestMemory(t *testing.T) {
	const given = 256 << 20
	n := nodetest.Start(t, t.TempDir(), "--memory", "256MB")
	witness := connect(t, n)
	exec1(t, witness, "create table w (a int); insert into w select generate_series(1, 1000)")
	stop := make(chan struct{})
	peak := make(chan int64)
	go func() {
		top := int64(0)
		for {
			select {
			case <-stop:
				peak <- top
				return
			case <-time.After(20 * time.Millisecond):
				top = max(top, memory(t, n))
			}
		}
	}()
	check := func(c *pgx.Conn, sql, codes string, crowded bool) {
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		defer cancel()
		started := time.Now()
		_, err := c.Exec(ctx, sql)
		switch {
		case codes == "" && (err == nil || crowded && hasCode(err, "53200")):
		case codes != "" && (hasCode(err, codes) || crowded && hasCode(err, "53200")):
		default:
			t.Errorf("%s: %v after %s; want %q", sql, err, time.Since(started), codes)
		}
		if c.IsClosed() {
			t.Errorf("%s: the session has ended", sql)
		}
	}
	c := connect(t, n)
	for _, g := range greedy {
		check(c, g.sql, g.codes, false)
		if got := value(t, witness, "select count(*)::text from w"); got != "1000" {
			t.Errorf("after %s the witness sees %s", g.sql, got)
		}
	}
	var wg sync.WaitGroup
	for k := range 3 {
		c := connect(t, n)
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range greedy {
				g := greedy[(i*5+k*7)%len(greedy)]
				if strings.Contains(g.sql, "order by r") || i%2 == k%2 {
					continue // enough of it, and slow
				}
				check(c, g.sql, g.codes, true)
			}
		}()
	}
	wg.Wait()
	close(stop)
	if top := <-peak; top > 3*given {
		t.Errorf("%d MB resident of %d MB given", top>>20, given>>20)
	} else {
		t.Logf("at most %d MB resident of %d MB given", top>>20, given>>20)
	}
	n.Stop()
}
