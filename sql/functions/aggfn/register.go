package aggfn

import "github.com/basaltdb/basalt/vexec/expr"

// Register adds this package's aggregates to r.
func Register(r *expr.Registry) {
	registerSums(r)
	registerMoments(r)
	registerSimple(r)
	registerOrdered(r)
}
