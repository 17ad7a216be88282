// Package adapt turns plain Go functions over values into vectorized kernels,
// and registers functions by their PostgreSQL signature.
//
// A function is written over Go forms, not over vectors:
//
//	adapt.Add(r, "int4pl(int4,int4)", adapt.E2(func(a, b int32) (int32, error) { … }))
//	adapt.Add(r, "length(text)", adapt.F1(func(s string) int32 { … }))
//	adapt.Add(r, "date_trunc(text,timestamptz)", adapt.C2(func(ctx *expr.Context, call *expr.Call, f string, t types.Timestamp) (types.Timestamp, error) { … }))
//	adapt.Add(r, "concat(any)", adapt.D(func(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) { … }))
//
// Vocabulary. Fn: cannot fail. En: returns an error. Cn: also gets the context
// and the call site. n is the number of arguments (C0 … C6, F1 … F4, E1 … E5).
// D takes and returns Datums, NULL included. The argument types are the Go forms
// of types.Datum's table: bool, byte, int16, int32, int64, float32, float64,
// types.OID, uint64, types.Numeric, string, []byte, types.JSONB, types.Date,
// types.Time, types.TimeTZ, types.Timestamp, types.Interval, types.UUID,
// *types.Array, *types.Record, types.Unit, and types.Datum for polymorphic
// arguments. A result of type types.Datum may be nil, which is NULL; so is a nil
// *types.Array, *types.Record, []byte or types.JSONB.
//
// Invariants. F, E and C kernels never call the function for a row with a NULL
// argument: the result is NULL there. They are right for strict functions, and
// for functions that are not strict by name but answer NULL for NULL. Whether the
// registry says Strict, and the volatility, comes from pg_proc's facts, so that
// only the function's body is written by hand. Numeric vectors are read in
// either form; dictionary vectors are read for every type; numeric results are
// Dec64 when all values of the batch share a scale and fit.
//
// Add panics when no built-in function has the signature, or its Go types do not
// fit (found when the kernel first runs): both are mistakes in this code base.
//
// Kernels are safe for concurrent use if the functions are. Strings and byte
// slices handed to a function share the vector's memory and must not be changed.
package adapt
