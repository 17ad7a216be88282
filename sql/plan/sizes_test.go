package plan_test

import (
	"context"
	"strings"
	"testing"

	"github.com/basaltdb/basalt/sql/plan"
)

func TestLiveSizes(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		sql  string
		live float64
		want string // part of the plan's first line
	}{
		{"select a from t1", 0, "rows=1000 "},    // never analysed
		{"select a from t1", 10, "rows=10 "},     // and small
		{"select a from t1", 5e4, "rows=50000 "}, // and grown
		{"select r_name from region", 0, "rows=5 "},
		{"select r_name from region", 8, "rows=5 "},
		{"select r_name from region", 11, "rows=11 "},
		{"select o_orderkey from orders", 7e5, "rows=700000 "},
	} {
		q, err := f.analyze(c.sql)
		if err != nil {
			t.Fatal(err)
		}
		opts := f.options(1)
		opts.TableSize = func(uint64) plan.TableSize { return plan.TableSize{Rows: c.live} }
		p, err := plan.Plan(context.Background(), q, opts)
		if err != nil {
			t.Fatal(err)
		}
		if got := plan.Explain(p, plan.ExplainOptions{Costs: true})[0]; !strings.Contains(got, c.want) {
			t.Errorf("%s with %g rows: %s, want %s", c.sql, c.live, got, c.want)
		}
		if len(p.Sizes) != 1 || p.Sizes[0].Rows != c.live {
			t.Errorf("%s: sizes %v", c.sql, p.Sizes)
		}
	}
	for _, c := range []struct {
		then, now float64
		want      bool
	}{{0, 3999, false}, {0, 4000, true}, {1e5, 3e5, false}, {1e5, 4e5, true}, {4e5, 1e5, true}, {900, 2, true}, {300, 2, false},
		{2, 399, false}, {2, 400, true}, {25, 0, true}} {
		if got := (plan.TableSize{Rows: c.then}).Drifted(plan.TableSize{Rows: c.now}); got != c.want {
			t.Errorf("%g rows, then %g: drifted %v", c.then, c.now, got)
		}
	}
}

// TestColumnShare: rows in column segments are cheap to pass over, so fewer lookups pay.
func TestColumnShare(t *testing.T) {
	f := newFixture(t)
	explain := func(share float64) string {
		q, err := f.analyze(`select o_orderkey from orders, customer where o_custkey = c_custkey and c_nationkey = 3
			and o_orderdate >= '1995-01-01'
			and not exists (select 1 from lineitem where l_orderkey = o_orderkey and l_receiptdate > l_commitdate)`)
		if err != nil {
			t.Fatal(err)
		}
		opts := f.options(1)
		// The statistics have the sizes: no rows counted does not contradict them.
		opts.TableSize = func(id uint64) plan.TableSize { return plan.TableSize{StorageID: id, Columns: share} }
		p, err := plan.Plan(context.Background(), q, opts)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(plan.Explain(p, plan.ExplainOptions{Costs: true}), "\n")
	}
	if got := explain(0); !strings.Contains(got, "Index Scan using lineitem_pkey") {
		t.Errorf("in rows:\n%s", got)
	}
	if got := explain(1); strings.Contains(got, "Index Scan") || !strings.Contains(got, "Anti Join") {
		t.Errorf("in columns:\n%s", got)
	}
	rows, columns := plan.TableSize{Rows: 1e6}, plan.TableSize{Rows: 1e6, Columns: 1e6}
	if !rows.Drifted(columns) || !columns.Drifted(rows) || columns.Drifted(plan.TableSize{Rows: 1e6, Columns: 8e5}) {
		t.Error("a plan outlives a move between rows and columns, or not a small one")
	}
}
