package wire

import (
	"runtime/debug"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// guard turns a panic of a handler into the error of its call.
func guard(err *error) {
	if r := recover(); r != nil {
		e := pgerror.Internal("panic: %v", r)
		e.Where = string(debug.Stack())
		*err = ToStatus(e)
	}
}
