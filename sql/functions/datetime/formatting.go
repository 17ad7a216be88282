package datetime

import "github.com/basaltdb/basalt/vexec/expr"

func registerFormatting(r *expr.Registry) {}
