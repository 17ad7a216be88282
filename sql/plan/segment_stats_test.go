package plan_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/basaltdb/basalt/sql/plan"
	"github.com/basaltdb/basalt/sql/types"
)

// TestSegmentStats plans over a table that was never analysed, by what its segments know
// of the column b. Estimates must come near what the drawn values are.
func TestSegmentStats(t *testing.T) {
	const segments, rows = 20, 5000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	f := newFixture(t)
	for _, c := range []struct {
		name string
		draw func(i int) (v int32, null bool)
	}{
		{"unique, sorted", func(i int) (int32, bool) { return int32(i), false }},
		{"four rows a value, sorted", func(i int) (int32, bool) { return int32(i / 4), false }},
		{"one in 10", func(int) (int32, bool) { return r.Int32N(10), false }},
		{"one in 3000", func(int) (int32, bool) { return r.Int32N(3000), false }},
		{"one in 30000", func(int) (int32, bool) { return r.Int32N(30000), false }},
		{"unique in any order", func(i int) (int32, bool) { return int32(i * 7919 % (segments * rows)), false }},
		{"half NULL, one in 100", func(i int) (int32, bool) { return r.Int32N(100), i%2 == 0 }},
		{"by the day, one in 50", func(i int) (int32, bool) { return int32(i/(segments*rows/10)*50) + r.Int32N(50), false }},
	} {
		var segs []plan.SegmentColumn
		all := map[int32]bool{}
		below, hi, nulls := 0.0, int32(0), 0.0
		values := make([]int32, 0, segments*rows)
		for s := range segments {
			g := plan.SegmentColumn{Rows: rows}
			seen, lo, top := map[int32]bool{}, int32(math.MaxInt32), int32(math.MinInt32)
			for i := range rows {
				v, null := c.draw(s*rows + i)
				if null {
					g.Nulls++
					continue
				}
				seen[v], all[v] = true, true
				lo, top = min(lo, v), max(top, v)
				values = append(values, v)
			}
			g.Distinct, g.Bytes, g.Min, g.Max = float64(len(seen)), 4*(rows-g.Nulls), lo, top
			hi, nulls = max(hi, top), nulls+g.Nulls
			segs = append(segs, g)
		}
		third := hi / 3
		for _, v := range values {
			if v < third {
				below++
			}
		}
		for _, q := range []struct {
			sql  string
			want float64
		}{
			{"select b from t1 where b = 7", float64(len(values)) / float64(len(all))},
			{fmt.Sprintf("select b from t1 where b < %d", third), below},
			{"select b from t1 where b is null", math.Max(nulls, 1)},
			{"select b, count(*) from t1 group by b", float64(len(all))},
		} {
			query, err := f.analyze(q.sql)
			if err != nil {
				t.Fatal(err)
			}
			opts := f.options(1)
			opts.TableSize = func(uint64) plan.TableSize {
				return plan.TableSize{Rows: segments * rows, Columns: segments * rows}
			}
			opts.SegmentColumns = func(_ uint64, att int, tt types.T) []plan.SegmentColumn {
				if att != 2 || tt.OID != types.Int4 {
					return nil
				}
				return segs
			}
			p, err := plan.Plan(context.Background(), query, opts)
			if err != nil {
				t.Fatal(err)
			}
			line := plan.Explain(p, plan.ExplainOptions{Costs: true})[0]
			var got float64
			if _, err := fmt.Sscanf(line[strings.Index(line, "rows=")+5:], "%g", &got); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if got > 1.5*q.want+5 || q.want > 1.5*got+5 {
				t.Errorf("%s: %s: %g rows, there are %g", c.name, q.sql, got, q.want)
			}
		}
	}
}

// TestSegmentStatsAnalyzed: statistics of ANALYZE go before the segments'.
func TestSegmentStatsAnalyzed(t *testing.T) {
	f := newFixture(t)
	query, err := f.analyze("select l_shipmode, count(*) from lineitem group by l_shipmode")
	if err != nil {
		t.Fatal(err)
	}
	opts := f.options(1)
	opts.SegmentColumns = func(uint64, int, types.T) []plan.SegmentColumn {
		t.Error("segments were asked about an analysed table")
		return nil
	}
	if _, err := plan.Plan(context.Background(), query, opts); err != nil {
		t.Fatal(err)
	}
}
