package text

import "github.com/basaltdb/basalt/vexec/expr"

// Register adds this package's functions to r.
func Register(r *expr.Registry) {
	registerLike(r)
	registerStrings(r)
	registerFormat(r)
	registerSplit(r)
	registerBytes(r)
	registerBitStrings(r)
	registerEncoding(r)
	registerUnicode(r)
	registerRegexp(r)
	registerNumFormat(r)
}
