package plan_test

import (
	"context"
	"testing"

	"github.com/basaltdb/basalt/sql/plan"
)

// TestConstError finds the errors of constants that PostgreSQL finds when it plans.
func TestConstError(t *testing.T) {
	f := newFixture(t)
	for sql, fails := range map[string]bool{
		"select 1/0":         true,
		"select 1/0 from t1": true,
		"select a from t1 where false and 1/0 = 1":               false,
		"select a from t1 where 1/0 = 1 and false":               true,
		"select a from t1 where true or 1/0 = 1":                 false,
		"select case when false then 1/0 else 1 end":             false,
		"select case when a > 0 then 1/0 end from t1":            true,
		"select case 1 when 1 then 2 else 1/0 end":               false,
		"select case 1 when 2 then 1/0 else 5 end":               false,
		"select coalesce(1, 1/0)":                                false,
		"select coalesce(a, 1/0) from t1":                        true,
		"select case when false then (select 1/0) else 1 end":    false,
		"select case when a > 0 then (select 1/0) end from t1":   true,
		"select count(*) from (select 1/0 as x, a from t1) s":    false,
		"select count(*) from (select 1/0 union all select 1) s": true,
		"select exists (select 1/0 from t1)":                     false,
		"select a / 0 from t1":                                   false,
	} {
		q, err := f.analyze(sql)
		if err != nil {
			t.Fatal(err)
		}
		p, err := plan.Plan(context.Background(), q, f.options(1))
		if err != nil {
			t.Fatal(err)
		}
		if (p.ConstError != nil) != fails {
			t.Errorf("%s: %v", sql, p.ConstError)
		}
	}
}
