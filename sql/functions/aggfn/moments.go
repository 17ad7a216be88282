package aggfn

import (
	"math"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// moments keeps count, sum and sum of squared deviations of floats (Youngs and
// Cramer), the state of avg, variance and standard deviation.
type moments struct {
	n, sx, sxx float64
	result     func(m *moments) types.Datum
}

func notFinite(f float64) bool { return math.IsInf(f, 0) || math.IsNaN(f) }

func (m *moments) Add(args []types.Datum) error {
	v := toFloat(args[0])
	old := m.sx
	m.n++
	m.sx += v
	if m.n == 1 {
		if notFinite(v) {
			m.sxx = math.NaN()
		}
		return nil
	}
	t := v*m.n - m.sx
	m.sxx += t * t / (m.n * (m.n - 1))
	if math.IsInf(m.sx, 0) || math.IsInf(m.sxx, 0) {
		if !math.IsInf(old, 0) && !math.IsInf(v, 0) {
			return overflow()
		}
		m.sxx = math.NaN()
	}
	return nil
}

func (m *moments) Result() (types.Datum, error) {
	if m.n == 0 {
		return nil, nil
	}
	return m.result(m), nil
}

func (m *moments) Size() int64 { return 32 }

// regression is the state of the two-argument statistics; arguments are (Y, X).
type regression struct {
	n, sx, sxx, sy, syy, sxy float64
	result                   func(r *regression) types.Datum
}

func (r *regression) Add(args []types.Datum) error {
	y, x := args[0].(float64), args[1].(float64)
	oldX, oldY := r.sx, r.sy
	r.n++
	r.sx += x
	r.sy += y
	if r.n == 1 {
		if notFinite(x) {
			r.sxx, r.sxy = math.NaN(), math.NaN()
		}
		if notFinite(y) {
			r.syy, r.sxy = math.NaN(), math.NaN()
		}
		return nil
	}
	tx, ty := x*r.n-r.sx, y*r.n-r.sy
	scale := 1 / (r.n * (r.n - 1))
	r.sxx += tx * tx * scale
	r.syy += ty * ty * scale
	r.sxy += tx * ty * scale
	inf := func(f float64) bool { return math.IsInf(f, 0) }
	if inf(r.sx) || inf(r.sxx) || inf(r.sy) || inf(r.syy) || inf(r.sxy) {
		fineX, fineY := !inf(oldX) && !inf(x), !inf(oldY) && !inf(y)
		if (inf(r.sx) || inf(r.sxx)) && fineX || (inf(r.sy) || inf(r.syy)) && fineY || inf(r.sxy) && fineX && fineY {
			return overflow()
		}
		for _, p := range []*float64{&r.sxx, &r.syy, &r.sxy} {
			if inf(*p) {
				*p = math.NaN()
			}
		}
	}
	return nil
}

func (r *regression) Result() (types.Datum, error) { return r.result(r), nil }
func (r *regression) Size() int64                  { return 56 }

func registerMoments(reg *expr.Registry) {
	add := func(name string, f func(m *moments) types.Datum) {
		for _, t := range []string{"float4", "float8"} {
			adapt.AddAgg(reg, name+"("+t+")", true, func(*expr.Context, *expr.Call) expr.AggState { return &moments{result: f} })
		}
	}
	pop := func(m *moments) types.Datum { return m.sxx / m.n }
	samp := func(m *moments) types.Datum {
		if m.n <= 1 {
			return nil
		}
		return m.sxx / (m.n - 1)
	}
	root := func(f func(*moments) types.Datum) func(*moments) types.Datum {
		return func(m *moments) types.Datum {
			if v, ok := f(m).(float64); ok {
				return math.Sqrt(v)
			}
			return nil
		}
	}
	add("avg", func(m *moments) types.Datum { return m.sx / m.n })
	add("var_pop", pop)
	add("var_samp", samp)
	add("variance", samp)
	add("stddev_pop", root(pop))
	add("stddev_samp", root(samp))
	add("stddev", root(samp))

	// f is asked only when there are at least least pairs
	two := func(name string, least float64, f func(r *regression) types.Datum) {
		adapt.AddAgg(reg, name+"(float8,float8)", true, func(*expr.Context, *expr.Call) expr.AggState {
			return &regression{result: func(r *regression) types.Datum {
				if r.n < least {
					return nil
				}
				return f(r)
			}}
		})
	}
	adapt.AddAgg(reg, "regr_count(float8,float8)", true, func(*expr.Context, *expr.Call) expr.AggState { return &count{} })
	two("regr_sxx", 1, func(r *regression) types.Datum { return r.sxx })
	two("regr_syy", 1, func(r *regression) types.Datum { return r.syy })
	two("regr_sxy", 1, func(r *regression) types.Datum { return r.sxy })
	two("regr_avgx", 1, func(r *regression) types.Datum { return r.sx / r.n })
	two("regr_avgy", 1, func(r *regression) types.Datum { return r.sy / r.n })
	two("covar_pop", 1, func(r *regression) types.Datum { return r.sxy / r.n })
	two("covar_samp", 2, func(r *regression) types.Datum { return r.sxy / (r.n - 1) })
	two("corr", 1, func(r *regression) types.Datum {
		if r.sxx == 0 || r.syy == 0 {
			return nil
		}
		return r.sxy / math.Sqrt(r.sxx*r.syy)
	})
	two("regr_r2", 1, func(r *regression) types.Datum {
		switch {
		case r.sxx == 0:
			return nil
		case r.syy == 0:
			return 1.0
		}
		return r.sxy * r.sxy / (r.sxx * r.syy)
	})
	two("regr_slope", 1, func(r *regression) types.Datum {
		if r.sxx == 0 {
			return nil
		}
		return r.sxy / r.sxx
	})
	two("regr_intercept", 1, func(r *regression) types.Datum {
		if r.sxx == 0 {
			return nil
		}
		return (r.sy - r.sx*r.sxy/r.sxx) / r.n
	})
}
