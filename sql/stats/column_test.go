package stats

import (
	"testing"

	"github.com/basaltdb/basalt/sql/types"
)

func TestColumn(t *testing.T) {
	opts := Options{Types: types.DefaultEnv(), Target: 10}
	ints := func(f func(i int) types.Datum, n int) []types.Datum {
		out := make([]types.Datum, n)
		for i := range out {
			out[i] = f(i)
		}
		return out
	}
	key := column(ints(func(i int) types.Datum { return int32(i) }, 1000), types.Of(types.Int4), 1000, opts)
	if key.Distinct != -1 || len(key.MCV) != 0 || len(key.Histogram) != 11 || key.Correlation < 0.999 || key.AvgWidth != 4 {
		t.Errorf("key: %+v", key)
	}
	few := column(ints(func(i int) types.Datum {
		if i%4 == 0 {
			return nil
		}
		return int32(i % 3)
	}, 1200), types.Of(types.Int4), 120000, opts)
	if few.Distinct != 3 || len(few.MCV) != 3 || len(few.Histogram) != 0 || few.NullFrac != 0.25 {
		t.Errorf("few: %+v", few)
	}
	skew := column(ints(func(i int) types.Datum {
		if i%2 == 0 {
			return "common"
		}
		return string(rune('a'+i%26)) + string(rune('a'+i/26%26))
	}, 1000), types.Of(types.Text), 100000, opts)
	if len(skew.MCV) == 0 || skew.MCV[0] != "common" || skew.MCVFreq[0] != 0.5 || len(skew.Histogram) < 2 {
		t.Errorf("skew: %+v", skew)
	}
	if none := column(ints(func(int) types.Datum { return nil }, 5), types.Of(types.Int4), 5, opts); none.NullFrac != 1 {
		t.Errorf("nulls: %+v", none)
	}
}

func TestSampler(t *testing.T) {
	s := newSampler(300, 1)
	total := int64(0)
	for _, n := range []int{1, 100, 4096, 4096, 7, 50000, 4096} {
		for k := s.next(total, n); k >= 0; k = s.next(total, n) {
			if k >= n {
				t.Fatalf("offset %d of %d", k, n)
			}
			s.claim(total + int64(k))
		}
		total += int64(n)
	}
	rows := s.ordered()
	if len(rows) != 300 {
		t.Fatalf("%d rows", len(rows))
	}
	half := 0
	for i, r := range rows {
		if i > 0 && r.pos <= rows[i-1].pos || r.pos >= total {
			t.Fatalf("position %d after %d", r.pos, rows[i-1].pos)
		}
		if r.pos < total/2 {
			half++
		}
	}
	if half < 110 || half > 190 {
		t.Errorf("%d of 300 rows are in the first half", half)
	}
}
