package math

import "github.com/basaltdb/basalt/vexec/expr"

// Register adds this package's functions to r.
func Register(r *expr.Registry) {}
