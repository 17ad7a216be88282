package functions

import (
	"sync"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/functions/aggfn"
	"github.com/basaltdb/basalt/sql/functions/array"
	"github.com/basaltdb/basalt/sql/functions/base"
	"github.com/basaltdb/basalt/sql/functions/composite"
	"github.com/basaltdb/basalt/sql/functions/datetime"
	"github.com/basaltdb/basalt/sql/functions/json"
	"github.com/basaltdb/basalt/sql/functions/math"
	"github.com/basaltdb/basalt/sql/functions/text"
	"github.com/basaltdb/basalt/vexec/expr"
)

// Builtins is the registry of PostgreSQL's built-in functions. It is made once
// and shared; it panics when a registered signature is not in pg_proc.
var Builtins = sync.OnceValue(Fill)

// Fill makes a registry of its own, for callers that put kernels over the general ones.
func Fill() *expr.Registry {
	r := expr.NewRegistry()
	base.Register(r)
	math.Register(r)
	text.Register(r)
	datetime.Register(r)
	array.Register(r)
	composite.Register(r)
	json.Register(r)
	aggfn.Register(r)
	adapt.DescribeRows(r)
	return r
}
