package e2e

import (
	"encoding/base64"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	arrowmemory "github.com/apache/arrow/go/v17/arrow/memory"
)

// basic are Basic credentials of a user whom loopback trusts.
func basic(user string) string { return base64.StdEncoding.EncodeToString([]byte(user + ":x")) }

// int32Record is one row of one parameter.
func int32Record(v int32) arrow.Record {
	b := array.NewInt32Builder(arrowmemory.DefaultAllocator)
	b.Append(v)
	return array.NewRecord(arrow.NewSchema([]arrow.Field{{Name: "$1", Type: arrow.PrimitiveTypes.Int32}}, nil), []arrow.Array{b.NewArray()}, 1)
}
