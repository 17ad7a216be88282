package plan_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/catalog/catalogtest"
	"github.com/basaltdb/basalt/sql/functions"
	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/plan"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// fixture is a catalog with TPC-H's tables and statistics as of scale factor 1,
// and a few small tables.
type fixture struct {
	cat *catalogtest.Catalog
	env *analyze.Env
	reg *expr.Registry
}

var (
	createRe = regexp.MustCompile(`(?s)create table (\w+) \((.*?)\);`)
	columnRe = regexp.MustCompile(`^(\w+) ([a-z]+(?:\([\d,]+\))?)(.*)$`)
	pkRe     = regexp.MustCompile(`primary key \(([^)]*)\)`)
)

// splitColumns cuts a column list at its top-level commas.
func splitColumns(s string) []string {
	var out []string
	depth, start := 0, 0
	for i, r := range s {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, strings.TrimSpace(s[start:i]))
				start = i + 1
			}
		}
	}
	return append(out, strings.TrimSpace(s[start:]))
}

func newFixture(t testing.TB) *fixture {
	f := &fixture{cat: catalogtest.New(), reg: functions.Fill()}
	text, err := os.ReadFile("../../bench/tpch/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]float64{"region": 5, "nation": 25, "part": 200000, "supplier": 10000, "partsupp": 800000, "customer": 150000, "orders": 1500000, "lineitem": 6001215}
	distinct := map[string]float64{"l_partkey": 200000, "l_suppkey": 10000, "l_orderkey": -0.25, "o_custkey": 100000, "ps_partkey": 200000, "ps_suppkey": 10000,
		"c_nationkey": 25, "s_nationkey": 25, "n_regionkey": 5, "p_size": 50, "p_brand": 25, "p_type": 150, "p_container": 40, "c_mktsegment": 5,
		"o_orderstatus": 3, "l_shipmode": 7, "l_returnflag": 3, "o_orderdate": 2406, "l_shipdate": 2526, "l_quantity": 50, "l_discount": 11, "n_name": -1, "r_name": -1}
	script := string(text) + `
create table t1 (a integer primary key, b integer, c text);
create table t2 (x integer, y integer, z text);
create table t3 (k integer not null, m integer not null, primary key (k, m));`
	for _, m := range createRe.FindAllStringSubmatch(script, -1) {
		var pk []string
		if p := pkRe.FindStringSubmatch(m[2]); p != nil {
			for _, c := range strings.Split(p[1], ",") {
				pk = append(pk, strings.TrimSpace(c))
			}
		}
		var cols []catalogtest.ColumnDef
		for _, c := range splitColumns(m[2]) {
			d := columnRe.FindStringSubmatch(c)
			if d == nil || strings.HasPrefix(c, "primary key") {
				continue
			}
			col := catalogtest.Col(d[1], strings.Replace(d[2], "decimal", "numeric", 1))
			if strings.Contains(d[3], "not null") {
				col = col.Required()
			}
			if strings.Contains(d[3], "primary key") {
				pk = []string{d[1]}
			}
			cols = append(cols, col)
		}
		r := f.cat.Table(m[1], pk, cols...)
		if m[1] == "t2" {
			f.cat.Index(r, "t2_x", false, "x")
		}
		if n := rows[m[1]]; n > 0 {
			st := &catalog.Stats{Rows: n, Columns: map[int]*catalog.ColumnStats{}}
			for i, c := range r.Columns {
				if d := distinct[c.Name]; d != 0 {
					st.Columns[i+1] = &catalog.ColumnStats{Distinct: d}
				} else if len(pk) == 1 && pk[0] == c.Name {
					st.Columns[i+1] = &catalog.ColumnStats{Distinct: -1}
				}
			}
			f.cat.SetStats(r, st)
		}
	}
	tenv := types.DefaultEnv()
	tenv.Resolver = f.cat
	f.env = &analyze.Env{Catalog: f.cat, SearchPath: []types.OID{catalog.PublicNamespace}, Types: tenv, CurrentUser: catalog.BootstrapRole}
	return f
}

func (f *fixture) analyze(sql string) (*query.Query, error) {
	st, err := parse.Parse(sql)
	if err != nil {
		return nil, err
	}
	return analyze.Analyze(context.Background(), f.env, st[0], nil)
}

func (f *fixture) options(workers int) plan.Options {
	return plan.Options{Catalog: f.cat, Types: f.env.Types, Registry: f.reg, Workers: workers}
}

// TestPlans plans the statements of testdata. Commands:
//
//	explain [workers=N] [costs]   the rules that fired and the plan of a statement
//	tpch query=N [workers=N]      the same for a TPC-H query
//
// With sites=N tables are spread over N nodes and exchanges are shown.
func TestPlans(t *testing.T) {
	f := newFixture(t)
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			sql := d.Input
			workers := 1
			d.MaybeScanArgs(t, "workers", &workers)
			if d.Cmd == "tpch" {
				n := 0
				d.ScanArgs(t, "query", &n)
				b, err := os.ReadFile(fmt.Sprintf("../../bench/tpch/queries/q%d.sql", n))
				if err != nil {
					return err.Error()
				}
				sql = inlineView(string(b))
			}
			sites := 0
			d.MaybeScanArgs(t, "sites", &sites)
			return f.explain(sql, workers, sites, d.HasArg("costs"))
		})
	})
}

var viewRe = regexp.MustCompile(`(?s)^create view (\w+) (\([^)]*\)) as\s+(.*?);\s*(select .*?);`)

// inlineView puts the view that Q15 makes in the places where its query reads it, as
// rewriting does.
func inlineView(sql string) string {
	m := viewRe.FindStringSubmatch(sql)
	if m == nil {
		return sql
	}
	return strings.ReplaceAll(m[4], m[1], "("+m[3]+") "+m[1]+" "+m[2])
}

func (f *fixture) explain(sql string, workers, sites int, costs bool) string {
	q, err := f.analyze(sql)
	if err != nil {
		return "analysis: " + err.Error()
	}
	opts := f.options(workers)
	opts.Sites = sites
	fired := map[string]bool{}
	opts.Trace = func(pass, rule string) { fired[pass+"."+rule] = true }
	p, err := plan.Plan(context.Background(), q, opts)
	if err != nil {
		return "planning: " + err.Error()
	}
	var rules []string
	for r := range fired {
		rules = append(rules, r)
	}
	sort.Strings(rules)
	return "rules: " + strings.Join(rules, " ") + "\n" + strings.Join(plan.Explain(p, plan.ExplainOptions{Costs: costs, Distributed: sites > 1}), "\n")
}

func BenchmarkPlan(b *testing.B) {
	f := newFixture(b)
	for name, sql := range map[string]string{
		"point":  "select b, c from t1 where a = 17",
		"update": "update t1 set b = b + 10 where a = 17",
		"insert": "insert into t1 values (1, 2, 'x')",
		"join":   "select n_name, count(*) from nation join region on n_regionkey = r_regionkey where r_name = 'ASIA' group by n_name order by 2 desc limit 3",
	} {
		q, err := f.analyze(sql)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := plan.Plan(context.Background(), q, f.options(2)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
