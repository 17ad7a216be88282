package adapt

import (
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// The options here set Function.Value: the function itself, called for single rows
// without vectors. It has to be the one whose kernel is registered with it, one that
// bounds the size of its results and gives no NULL.

// Value0 sets the form for single rows of a function of its context alone.
func Value0[R any](f func(*expr.Context, *expr.Call) (R, error)) Option {
	return value(func(ctx *expr.Context, call *expr.Call, _ []types.Datum) (types.Datum, error) {
		return datum(f(ctx, call))
	})
}

// Value1 sets the form for single rows of a function of 1 argument.
func Value1[A, R any](f func(A) (R, error)) Option {
	return value(func(_ *expr.Context, _ *expr.Call, args []types.Datum) (types.Datum, error) {
		return datum(f(args[0].(A)))
	})
}

// Value2 sets the form for single rows of a function of 2 arguments.
func Value2[A, B, R any](f func(A, B) (R, error)) Option {
	return value(func(_ *expr.Context, _ *expr.Call, args []types.Datum) (types.Datum, error) {
		return datum(f(args[0].(A), args[1].(B)))
	})
}

// Value3 sets the form for single rows of a function of 3 arguments.
func Value3[A, B, C, R any](f func(A, B, C) (R, error)) Option {
	return value(func(_ *expr.Context, _ *expr.Call, args []types.Datum) (types.Datum, error) {
		return datum(f(args[0].(A), args[1].(B), args[2].(C)))
	})
}

// ValueC1 sets the form for single rows of a function of 1 argument that needs its context.
func ValueC1[A, R any](f func(*expr.Context, *expr.Call, A) (R, error)) Option {
	return value(func(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
		return datum(f(ctx, call, args[0].(A)))
	})
}

// ValueC2 sets the form for single rows of a function of 2 arguments that needs its context.
func ValueC2[A, B, R any](f func(*expr.Context, *expr.Call, A, B) (R, error)) Option {
	return value(func(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error) {
		return datum(f(ctx, call, args[0].(A), args[1].(B)))
	})
}

func value(f func(*expr.Context, *expr.Call, []types.Datum) (types.Datum, error)) Option {
	return func(fn *expr.Function) { fn.Value = f }
}

func datum[R any](v R, err error) (types.Datum, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Never1 makes a function of 1 argument that cannot fail one that may.
func Never1[A, R any](f func(A) R) func(A) (R, error) {
	return func(a A) (R, error) { return f(a), nil }
}
