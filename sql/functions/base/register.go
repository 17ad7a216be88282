package base

import "github.com/basaltdb/basalt/vexec/expr"

// Register adds this package's functions to r.
func Register(r *expr.Registry) {
	registerCompare(r)
	registerArith(r)
	registerNumeric(r)
	registerCasts(r)
	registerIO(r)
	registerInRange(r)
	registerHash(r)
}
