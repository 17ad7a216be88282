package tpch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/bench/tpch"
	"github.com/basaltdb/basalt/sql/server"
	"github.com/basaltdb/basalt/sql/server/servertest"
	"github.com/basaltdb/basalt/storage/columns"
)

// TestBeforeAnalyze plans the 22 queries before the tables are analysed for the first time and after: what
// the store knows of its rows and segments must do until then. Joins and scans of the same tables are
// to be estimated alike in both, and most queries join in the same order.
func TestBeforeAnalyze(t *testing.T) {
	const (
		factorMax = 10 // between the estimates before and after
		otherMax  = 6  // queries that may be joined in another order
	)
	ctx := t.Context()
	n := servertest.StartWith(t, server.Options{InMemory: true, MemoryBytes: 1 << 30, Columns: columns.Options{Mode: columns.Always}})
	conn, err := pgconn.Connect(ctx, n.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := tpch.Fill(ctx, conn, 0.05, nil); err != nil {
		t.Fatal(err)
	}
	before := explainAll(ctx, t, conn)
	if _, err := conn.Exec(ctx, "analyze").ReadAll(); err != nil {
		t.Fatal(err)
	}
	after := explainAll(ctx, t, conn)
	other := 0
	for q := 1; q <= tpch.QueryCount; q++ {
		a, b := joinsOf(before[q-1]), joinsOf(after[q-1])
		if !slices.Equal(a.order, b.order) {
			other++
			t.Logf("q%d: before: %s; after: %s", q, strings.Join(a.order, " "), strings.Join(b.order, " "))
		}
		for tables, rows := range a.rows {
			want, ok := b.rows[tables]
			if f := math.Max(rows/want, want/rows); ok && f > factorMax {
				t.Errorf("q%d: %s: %g rows before, %g after", q, tables, rows, want)
			} else if ok && f > 3 {
				t.Logf("q%d: %s: %g rows before, %g after", q, tables, rows, want)
			}
		}
	}
	if other > otherMax {
		t.Errorf("%d queries are joined in another order", other)
	}
}

// planNode is a node of EXPLAIN (FORMAT JSON).
type planNode struct {
	Type     string      `json:"Node Type"`
	Relation string      `json:"Relation Name"`
	Alias    string      `json:"Alias"`
	Rows     float64     `json:"Plan Rows"`
	Plans    []*planNode `json:"Plans"`
}

func explainAll(ctx context.Context, t *testing.T, conn *pgconn.PgConn) (out []*planNode) {
	for q := 1; q <= tpch.QueryCount; q++ {
		text := tpch.Query(q)
		var setup, tidy string
		if at := strings.Index(text, "create view"); at >= 0 { // view; query; drop
			parts := strings.SplitAfter(text, ";")
			setup, text, tidy = parts[0], parts[1], parts[2]
		}
		if _, err := conn.Exec(ctx, setup).ReadAll(); err != nil {
			t.Fatal(err)
		}
		res, err := conn.Exec(ctx, "explain (format json) "+text).ReadAll()
		if err != nil {
			t.Fatalf("q%d: %v", q, err)
		}
		if _, err := conn.Exec(ctx, tidy).ReadAll(); err != nil {
			t.Fatal(err)
		}
		var doc []struct{ Plan *planNode }
		if err := json.Unmarshal(res[0].Rows[0][0], &doc); err != nil {
			t.Fatal(err)
		}
		out = append(out, doc[0].Plan)
	}
	return out
}

// joins are the tables of a plan in the order of their scans, and the estimates of the nodes that
// scan or join, by the tables beneath.
type joins struct {
	order []string
	rows  map[string]float64
}

func joinsOf(n *planNode) *joins {
	j := &joins{rows: map[string]float64{}}
	j.add(n)
	return j
}

func (j *joins) add(n *planNode) (tables []string) {
	if n.Relation != "" {
		tables = []string{n.Alias}
		j.order = append(j.order, n.Alias)
	}
	for _, in := range n.Plans {
		tables = append(tables, j.add(in)...)
	}
	if n.Relation != "" || strings.Contains(n.Type, "Join") || n.Type == "Nested Loop" {
		slices.Sort(tables)
		key := fmt.Sprintf("%s(%s)", n.Type, strings.Join(tables, ", "))
		if _, again := j.rows[key]; !again {
			j.rows[key] = math.Max(n.Rows, 1)
		}
	}
	return tables
}
