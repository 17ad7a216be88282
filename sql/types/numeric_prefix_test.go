package types_test

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/basaltdb/basalt/sql/types"
)

// TestNumericSortPrefix: prefixes never contradict Cmp, and tell apart what differs early.
func TestNumericSortPrefix(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	texts := []string{"NaN", "Infinity", "-Infinity", "0", "0.000", "1e300", "-1e300", "1e250", "1e-250", "-1e-250", "1e-300", "-1e-300",
		"9999999999999999", "10000000000000000", "9999999999999999.5", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"}
	for range 300 {
		digits := make([]byte, 1+r.Intn(30))
		for i := range digits {
			digits[i] = byte('0' + r.Intn(10)*r.Intn(2))
		}
		sign := []string{"", "-"}[r.Intn(2)]
		texts = append(texts, fmt.Sprintf("%s%se%d", sign, digits, r.Intn(20)-15))
	}
	values := make([]types.Numeric, len(texts))
	for i, s := range texts {
		v, err := types.ParseNumeric(s)
		if err != nil {
			t.Fatal(err)
		}
		values[i] = v
	}
	for _, x := range values {
		for _, y := range values {
			p, q, c := x.SortPrefix(), y.SortPrefix(), x.Cmp(y)
			if p < q && c >= 0 || p > q && c <= 0 {
				t.Fatalf("%s and %s: prefixes %d %d, Cmp %d", x, y, p, q, c)
			}
		}
	}
	a, _ := types.ParseNumeric("12.3456789")
	b, _ := types.ParseNumeric("12.3456788")
	if a.SortPrefix() == b.SortPrefix() {
		t.Error("values that differ in nine digits have the same prefix")
	}
}
