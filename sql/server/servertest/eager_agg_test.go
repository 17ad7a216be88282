package servertest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/server/servertest"
	"github.com/jackc/pgx/v5"
)

// TestEagerAggregation compares random groupings over joins with and without aggregation below the joins: on one
// node, and in pieces over three.
func TestEagerAggregation(t *testing.T) {
	for _, c := range []struct {
		name string
		o    server.Options
	}{{"lone", server.Options{InMemory: true}}, {"pieces", server.Options{InMemory: true, Tablets: 3, LocalSites: 3}}} {
		t.Run(c.name, func(t *testing.T) { testEagerAggregation(t, c.o, 250) })
	}
}

func testEagerAggregation(t *testing.T, o server.Options, queries int) {
	ctx := context.Background()
	c := servertest.StartWith(t, o).Connect(t)
	// Keys with NULLs on all sides, doubles in a, none in c; values whose sums do not depend on their order.
	exec(t, c, `CREATE TABLE f (id int PRIMARY KEY, x int, y int, t text, i int, n numeric(8,2), d float8, o bool, s date);
		INSERT INTO f SELECT g, nullif(g * 31 % 17, 3), nullif(g * 7 % 5, 4), nullif('t' || g * 13 % 4, 't2'), nullif(g * 37 % 101 - 50, 7), nullif((g * 53 % 997) / 4.0, 2), g % 64 / 4.0,
			CASE WHEN g % 7 > 0 THEN g % 3 = 0 END, date '2021-12-20' + g % 40 FROM generate_series(1, 3000) g;
		CREATE TABLE a (x int, v text, w int, z int);
		INSERT INTO a SELECT nullif(g % 13, 5), nullif('v' || g % 6, 'v1'), nullif(g % 9, 2), g % 4 FROM generate_series(1, 20) g;
		CREATE TABLE c (y int PRIMARY KEY, u text, q int);
		INSERT INTO c SELECT g, nullif('u' || g % 3, 'u2'), g % 2 FROM generate_series(0, 7) g;
		CREATE TABLE e (x int, y int, v text);
		ANALYZE f; ANALYZE a; ANALYZE c; ANALYZE e`)
	r := rand.New(rand.NewPCG(11, uint64(o.LocalSites)))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	some := func(sep string, least, most int, from ...string) string {
		n := least + r.IntN(most-least+1)
		var out []string
		for _, i := range r.Perm(len(from))[:min(n, len(from))] {
			out = append(out, from[i])
		}
		return strings.Join(out, sep)
	}
	next := func() string {
		join := func() string { return pick("JOIN", "JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN") }
		from := pick("f "+join()+" a ON f.x = a.x "+join()+" c ON f.y = c.y",
			"a "+join()+" f ON f.x = a.x "+join()+" c ON f.y = c.y",
			"c "+join()+" (f "+join()+" a ON f.x = a.x) ON f.y = c.y",
			"f "+pick("JOIN", "LEFT JOIN")+" a ON f.x = a.x AND f.y < a.w JOIN c ON c.y = f.y",
			"f JOIN a ON f.x = a.x "+join()+" c ON c.q = a.z",
			"f "+join()+" e AS a0 ON f.x = a0.x JOIN a ON f.x = a.x JOIN c ON f.y = c.y",
			"f JOIN c ON f.y = c.y "+pick("JOIN", "LEFT JOIN")+" (SELECT x, v, w, z FROM a WHERE z < 3) a ON f.x = a.x",
			"f CROSS JOIN a "+pick("JOIN", "LEFT JOIN")+" c ON c.y = f.y AND c.q = a.z")
		keys := some(", ", 0, 3, "a.v", "c.u", "f.t", "f.x", "a.z", "extract(month FROM f.s)", "f.y + a.w", "c.q", "coalesce(f.t, c.u)", "f.o", "coalesce(f.t, '-')")
		filter := func() string {
			if r.IntN(3) > 0 {
				return ""
			}
			return " FILTER (WHERE " + pick("a.w > 3", "f.i > 0", "c.u = 'u1'", "f.t IS NULL AND a.v IS NOT NULL", "f.i > 0 AND c.q = 1", "f.y < a.w") + ")"
		}
		own := []string{"count(*)", "count(f.i)", "sum(f.i)", "avg(f.i)", "min(f.n)", "max(f.t)", "sum(f.n)", "avg(f.n)", "sum(f.d)", "round(stddev(f.n), 4)", "bool_and(f.o)", "max(f.s)",
			"sum(f.n * 2 - 1)", "count(a.w)", "count(c.u)", "count(DISTINCT f.t)", "sum(a.w)", "sum(CASE WHEN a.z = 1 THEN f.i END)", "sum(coalesce(f.i, 1))", "bit_or(f.i)"}
		var calls []string
		for _, x := range strings.Split(some(";", 1, 4, own[:12+r.IntN(len(own)-11)]...), ";") {
			if strings.HasPrefix(x, "round") {
				calls = append(calls, x)
				continue
			}
			calls = append(calls, x+filter())
		}
		sql := "SELECT " + strings.Join(append(calls, "1"), ", ")
		if keys != "" {
			sql += ", " + keys
		}
		sql += " FROM " + from
		if w := some(" AND ", 0, 2, "f.i < 40", "(a.w > 2 OR f.t = 't1')", "c.q = 0", "f.id % 3 > 0", "EXISTS (SELECT 1 FROM c k WHERE k.y = f.y)", "a.v IS DISTINCT FROM 'v3'",
			"f.y NOT IN (SELECT q FROM c)"); w != "" && r.IntN(2) == 0 {
			sql += " WHERE " + w
		}
		switch {
		case keys == "":
		case r.IntN(5) == 0:
			sql += " GROUP BY " + pick("ROLLUP", "CUBE") + " (" + keys + ")"
		default:
			sql += " GROUP BY " + keys
		}
		if r.IntN(5) == 0 && keys != "" {
			sql += " HAVING count(*) > 5"
		}
		return sql
	}
	rows := func(mode, sql string) ([]string, error) {
		exec(t, c, "SET basalt.eager_aggregation = "+mode)
		got, err := c.Query(ctx, sql, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			return nil, err
		}
		defer got.Close()
		var out []string
		for got.Next() {
			var b strings.Builder
			for _, v := range got.RawValues() {
				fmt.Fprintf(&b, "%q,%t|", v, v == nil)
			}
			out = append(out, b.String())
		}
		slices.Sort(out)
		return out, got.Err()
	}
	fired, failed := 0, 0
	for range queries {
		sql := next()
		want, errWant := rows("off", sql)
		got, errGot := rows("always", sql)
		if fmt.Sprint(errWant) != fmt.Sprint(errGot) || !slices.Equal(want, got) {
			t.Errorf("%s\nwithout: %d rows, %v\n%s\nwith: %d rows, %v\n%s", sql, len(want), errWant, strings.Join(want, "\n"), len(got), errGot, strings.Join(got, "\n"))
		}
		if errWant != nil {
			failed++
		}
		plan, err := rows("always", "EXPLAIN "+sql)
		if err == nil && strings.Contains(strings.Join(plan, "\n"), "Partial HashAggregate") {
			fired++
		}
	}
	if failed > queries/20 {
		t.Errorf("%d of %d queries fail", failed, queries)
	}
	if fired < queries/4 {
		t.Errorf("only %d of %d queries aggregate below a join", fired, queries)
	}
	t.Logf("%d of %d queries aggregate below a join", fired, queries)
}
