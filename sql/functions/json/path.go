package json

import "github.com/basaltdb/basalt/vexec/expr"

func registerPath(r *expr.Registry) {}
