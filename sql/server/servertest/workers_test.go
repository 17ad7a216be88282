package servertest_test

import (
	"testing"

	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/server/servertest"
)

// TestWorkersAndOrder runs queries of which the workers of a Gather must not get
// into each other's way, again and again with several workers: recursive queries
// below a join that is cut into parts, and aggregates that show the order of rows.
func TestWorkersAndOrder(t *testing.T) {
	n := servertest.StartWith(t, server.Options{InMemory: true, Workers: 4})
	c := n.Connect(t)
	exec(t, c, `create table t (a int primary key, b int, s text)`)
	exec(t, c, `insert into t select g, g % 3, chr(96 + g) from generate_series(1, 26) g`)
	const alphabet = "abcdefghijklmnopqrstuvwxyz"
	queries := []struct{ sql, want string }{
		{`select sum(x.n) from t left join lateral (with recursive r(n) as (select t.a union all select n + 1 from r where n < t.b + 3) select n from r where n <> t.a) x on true`, "21"},
		{`select sum(a * n) from t, lateral (with recursive r(n) as (select 1 union all select n + 1 from r where n < t.b + 2) select n from r) x`, "2286"},
		{`select string_agg(s, '') from t`, alphabet},
		{`select string_agg(s, '') from t where a <> -1 and b >= 0`, alphabet},
		{`select x from (select a, (select string_agg(s, '') from t i where i.a <= o.a) x from t o) q where a = 26`, alphabet},
		{`select x from (select a, (select array_agg(s)::text from t i where i.a <= o.a + 1 and i.a < 4) x from t o) q where a = 26`, "{a,b,c}"},
		{`select array(select s from t where b = 1)::text`, "{a,d,g,j,m,p,s,v,y}"},
		{`with q as materialized (select s from t where b = 1) select string_agg(q1.s, '') || (select count(*) from q) from q q1`, "adgjmpsvy9"},
		{`select string_agg(i.s, '') from t i join t o on i.b = o.a`, "abdeghjkmnpqstvwyz"},
		{`select json_agg(s)::text from (select s from t union all select 'z' where false) q where s < 'd'`, `["a", "b", "c"]`},
	}
	for range 50 {
		for _, q := range queries {
			if got := rowsText(t, c, q.sql); got != q.want {
				t.Fatalf("%s\n got %s\nwant %s", q.sql, got, q.want)
			}
		}
	}
}
