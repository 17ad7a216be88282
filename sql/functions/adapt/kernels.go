package adapt

import (
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/bitutil"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// rows runs f for every row where no argument is NULL and collects the results.
func rows[R any](ctx *expr.Context, call *expr.Call, args []arrow.Array, n int, f func(i int) (R, error)) (arrow.Array, error) {
	valid, nulls := Validity(args, n)
	out := make([]R, n)
	size, meter := sizer(out), expr.NewMeter(ctx, n)
	for i := range out {
		if nulls > 0 && !bitutil.BitIsSet(valid, i) {
			continue
		}
		v, err := f(i)
		if err != nil {
			return nil, err
		}
		out[i] = v
		if size != nil {
			if err := meter.Add(size(i)); err != nil {
				return nil, err
			}
		}
	}
	return Build(call.Result, out, valid, nulls), nil
}

// C0 adapts a function of no arguments that needs its context.
func C0[R any](f func(*expr.Context, *expr.Call) (R, error)) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		return rows(ctx, call, args, n, func(int) (R, error) { return f(ctx, call) })
	}
}

// D adapts a function over Datums of any number of arguments that sees NULLs.
// args is reused for the next row.
func D(f func(ctx *expr.Context, call *expr.Call, args []types.Datum) (types.Datum, error)) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		row := make([]types.Datum, len(args))
		meter := expr.NewMeter(ctx, n)
		if n == 1 { // one value needs no builder, which would copy it
			for j, a := range args {
				row[j] = types.Get(call.ArgTypes[j], a, 0)
			}
			d, err := f(ctx, call, row)
			if err != nil {
				return nil, err
			}
			if err := meter.Add(datumBytes(d)); err != nil {
				return nil, err
			}
			return types.Repeat(call.Result, d, 1), nil
		}
		b := types.NewBuilder(call.Result, n)
		for i := range n {
			for j, a := range args {
				row[j] = types.Get(call.ArgTypes[j], a, i)
			}
			d, err := f(ctx, call, row)
			if err != nil {
				return nil, err
			}
			if err := meter.Add(datumBytes(d)); err != nil {
				return nil, err
			}
			b.Append(d)
		}
		return b.Finish(), nil
	}
}

// F1 adapts an infallible function of 1 argument.
func F1[A, R any](f func(A) R) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(a0[i]), nil })
	}
}

// F2 adapts an infallible function of 2 arguments.
func F2[A, B, R any](f func(A, B) R) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		a1 := Values[B](call.ArgTypes[1], args[1])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(a0[i], a1[i]), nil })
	}
}

// F3 adapts an infallible function of 3 arguments.
func F3[A, B, C, R any](f func(A, B, C) R) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		a1 := Values[B](call.ArgTypes[1], args[1])
		a2 := Values[C](call.ArgTypes[2], args[2])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(a0[i], a1[i], a2[i]), nil })
	}
}

// F4 adapts an infallible function of 4 arguments.
func F4[A, B, C, D, R any](f func(A, B, C, D) R) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		a1 := Values[B](call.ArgTypes[1], args[1])
		a2 := Values[C](call.ArgTypes[2], args[2])
		a3 := Values[D](call.ArgTypes[3], args[3])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(a0[i], a1[i], a2[i], a3[i]), nil })
	}
}

// F5 adapts an infallible function of 5 arguments.
func F5[A, B, C, D, E, R any](f func(A, B, C, D, E) R) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		a1 := Values[B](call.ArgTypes[1], args[1])
		a2 := Values[C](call.ArgTypes[2], args[2])
		a3 := Values[D](call.ArgTypes[3], args[3])
		a4 := Values[E](call.ArgTypes[4], args[4])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(a0[i], a1[i], a2[i], a3[i], a4[i]), nil })
	}
}

// F6 adapts an infallible function of 6 arguments.
func F6[A, B, C, D, E, F, R any](f func(A, B, C, D, E, F) R) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		a1 := Values[B](call.ArgTypes[1], args[1])
		a2 := Values[C](call.ArgTypes[2], args[2])
		a3 := Values[D](call.ArgTypes[3], args[3])
		a4 := Values[E](call.ArgTypes[4], args[4])
		a5 := Values[F](call.ArgTypes[5], args[5])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(a0[i], a1[i], a2[i], a3[i], a4[i], a5[i]), nil })
	}
}

// E1 adapts a function of 1 argument that may fail.
func E1[A, R any](f func(A) (R, error)) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(a0[i]) })
	}
}

// E2 adapts a function of 2 arguments that may fail.
func E2[A, B, R any](f func(A, B) (R, error)) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		a1 := Values[B](call.ArgTypes[1], args[1])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(a0[i], a1[i]) })
	}
}

// E3 adapts a function of 3 arguments that may fail.
func E3[A, B, C, R any](f func(A, B, C) (R, error)) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		a1 := Values[B](call.ArgTypes[1], args[1])
		a2 := Values[C](call.ArgTypes[2], args[2])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(a0[i], a1[i], a2[i]) })
	}
}

// E4 adapts a function of 4 arguments that may fail.
func E4[A, B, C, D, R any](f func(A, B, C, D) (R, error)) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		a1 := Values[B](call.ArgTypes[1], args[1])
		a2 := Values[C](call.ArgTypes[2], args[2])
		a3 := Values[D](call.ArgTypes[3], args[3])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(a0[i], a1[i], a2[i], a3[i]) })
	}
}

// E5 adapts a function of 5 arguments that may fail.
func E5[A, B, C, D, E, R any](f func(A, B, C, D, E) (R, error)) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		a1 := Values[B](call.ArgTypes[1], args[1])
		a2 := Values[C](call.ArgTypes[2], args[2])
		a3 := Values[D](call.ArgTypes[3], args[3])
		a4 := Values[E](call.ArgTypes[4], args[4])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(a0[i], a1[i], a2[i], a3[i], a4[i]) })
	}
}

// E6 adapts a function of 6 arguments that may fail.
func E6[A, B, C, D, E, F, R any](f func(A, B, C, D, E, F) (R, error)) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		a1 := Values[B](call.ArgTypes[1], args[1])
		a2 := Values[C](call.ArgTypes[2], args[2])
		a3 := Values[D](call.ArgTypes[3], args[3])
		a4 := Values[E](call.ArgTypes[4], args[4])
		a5 := Values[F](call.ArgTypes[5], args[5])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(a0[i], a1[i], a2[i], a3[i], a4[i], a5[i]) })
	}
}

// C1 adapts a function of 1 argument that needs its context.
func C1[A, R any](f func(*expr.Context, *expr.Call, A) (R, error)) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(ctx, call, a0[i]) })
	}
}

// C2 adapts a function of 2 arguments that needs its context.
func C2[A, B, R any](f func(*expr.Context, *expr.Call, A, B) (R, error)) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		a1 := Values[B](call.ArgTypes[1], args[1])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(ctx, call, a0[i], a1[i]) })
	}
}

// C3 adapts a function of 3 arguments that needs its context.
func C3[A, B, C, R any](f func(*expr.Context, *expr.Call, A, B, C) (R, error)) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		a1 := Values[B](call.ArgTypes[1], args[1])
		a2 := Values[C](call.ArgTypes[2], args[2])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(ctx, call, a0[i], a1[i], a2[i]) })
	}
}

// C4 adapts a function of 4 arguments that needs its context.
func C4[A, B, C, D, R any](f func(*expr.Context, *expr.Call, A, B, C, D) (R, error)) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		a1 := Values[B](call.ArgTypes[1], args[1])
		a2 := Values[C](call.ArgTypes[2], args[2])
		a3 := Values[D](call.ArgTypes[3], args[3])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(ctx, call, a0[i], a1[i], a2[i], a3[i]) })
	}
}

// C5 adapts a function of 5 arguments that needs its context.
func C5[A, B, C, D, E, R any](f func(*expr.Context, *expr.Call, A, B, C, D, E) (R, error)) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		a1 := Values[B](call.ArgTypes[1], args[1])
		a2 := Values[C](call.ArgTypes[2], args[2])
		a3 := Values[D](call.ArgTypes[3], args[3])
		a4 := Values[E](call.ArgTypes[4], args[4])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(ctx, call, a0[i], a1[i], a2[i], a3[i], a4[i]) })
	}
}

// C6 adapts a function of 6 arguments that needs its context.
func C6[A, B, C, D, E, F, R any](f func(*expr.Context, *expr.Call, A, B, C, D, E, F) (R, error)) expr.Kernel {
	return func(ctx *expr.Context, call *expr.Call, args []arrow.Array, n int) (arrow.Array, error) {
		a0 := Values[A](call.ArgTypes[0], args[0])
		a1 := Values[B](call.ArgTypes[1], args[1])
		a2 := Values[C](call.ArgTypes[2], args[2])
		a3 := Values[D](call.ArgTypes[3], args[3])
		a4 := Values[E](call.ArgTypes[4], args[4])
		a5 := Values[F](call.ArgTypes[5], args[5])
		return rows(ctx, call, args, n, func(i int) (R, error) { return f(ctx, call, a0[i], a1[i], a2[i], a3[i], a4[i], a5[i]) })
	}
}

// sizer gives the bytes of a result beyond the vector of its own; nil where
// results have a fixed size.
func sizer[R any](out []R) func(i int) int {
	switch vs := any(out).(type) {
	case []string:
		return func(i int) int { return len(vs[i]) }
	case [][]byte:
		return func(i int) int { return len(vs[i]) }
	case []types.JSONB:
		return func(i int) int { return len(vs[i]) }
	case []types.Datum:
		return func(i int) int { return datumBytes(vs[i]) }
	case []*types.Array:
		return func(i int) int { return arrayBytes(vs[i]) }
	}
	return nil
}

func datumBytes(d types.Datum) int {
	switch v := d.(type) {
	case string:
		return len(v)
	case []byte:
		return len(v)
	case types.JSONB:
		return len(v)
	case *types.Array:
		return arrayBytes(v)
	}
	return 0
}

// arrayBytes is about what an array takes in a vector.
func arrayBytes(a *types.Array) int {
	if a == nil || len(a.Elems) == 0 {
		return 0
	}
	n := 8 * len(a.Elems)
	switch a.Elems[0].(type) {
	case string, []byte, types.JSONB:
		for _, e := range a.Elems {
			n += datumBytes(e)
		}
	}
	return n
}
