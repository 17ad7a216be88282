package math

import "github.com/basaltdb/basalt/vexec/expr"

// Register adds this package's functions to r. Those shared with operators
// (power, sqrt, exp, ln, log of numeric; abs, mod, div) are in package base.
func Register(r *expr.Registry) {
	registerFloat(r)
	registerTrig(r)
	registerExact(r)
	registerRandom(r)
}
