package json

import (
	"testing"

	"github.com/basaltdb/basalt/sql/functions/functest"
	"github.com/basaltdb/basalt/vexec/expr"
)

// TestFunctions replays testdata/*.tsv (see functest).
func TestFunctions(t *testing.T) {
	r := expr.NewRegistry()
	Register(r)
	functest.Run(t, r, "testdata/*.tsv")
}
