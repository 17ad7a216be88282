package flight_test

import (
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// recordOf makes a record of one column from its values in Arrow's JSON.
func recordOf(t *testing.T, dt arrow.DataType, json string) arrow.Record {
	t.Helper()
	a, _, err := array.FromJSON(memory.DefaultAllocator, dt, strings.NewReader(json))
	if err != nil {
		t.Fatal(err)
	}
	return array.NewRecord(arrow.NewSchema([]arrow.Field{{Name: "p", Type: dt, Nullable: true}}, nil), []arrow.Array{a}, int64(a.Len()))
}
