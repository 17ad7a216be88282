package kernel

// The loops here write every candidate and move on only past hits, so that nothing
// in them depends on how well a branch is predicted. Each operator has its own loop.

// selectInt lists the rows of x (positions within sel, or of x when sel is nil) that
// are not NULL and compare with k64 as op says. out has room for all.
func selectInt[T int16 | int32 | int64](op Op, x []T, sel []int32, k64 int64, valid Bits, out []int32) []int32 {
	k := T(k64)
	if int64(k) != k64 { // the constant is outside the column's range
		less := k64 < 0 // every value is greater than the constant
		if hit := op == Ne || (less && (op == Gt || op == Ge)) || (!less && (op == Lt || op == Le)); !hit {
			return out
		}
		n := len(x)
		if sel != nil {
			n = len(sel)
		}
		return selectRows(sel, n, valid, out, func(int) bool { return true })
	}
	if sel == nil {
		out = selectAll(op, x, k, out[:len(x)])
	} else {
		out = selectSome(op, x, k, sel, out[:len(sel)])
	}
	if valid.All() {
		return out
	}
	keep := out[:0]
	for _, i := range out {
		r := int(i)
		if sel != nil {
			r = int(sel[i])
		}
		if valid.Get(r) {
			keep = append(keep, i)
		}
	}
	return keep
}

func selectAll[T int16 | int32 | int64](op Op, x []T, k T, out []int32) []int32 {
	m := 0
	switch op {
	case Eq:
		for i, v := range x {
			out[m] = int32(i)
			m += b2i(v == k)
		}
	case Ne:
		for i, v := range x {
			out[m] = int32(i)
			m += b2i(v != k)
		}
	case Lt:
		for i, v := range x {
			out[m] = int32(i)
			m += b2i(v < k)
		}
	case Le:
		for i, v := range x {
			out[m] = int32(i)
			m += b2i(v <= k)
		}
	case Gt:
		for i, v := range x {
			out[m] = int32(i)
			m += b2i(v > k)
		}
	case Ge:
		for i, v := range x {
			out[m] = int32(i)
			m += b2i(v >= k)
		}
	}
	return out[:m]
}

func selectSome[T int16 | int32 | int64](op Op, x []T, k T, sel, out []int32) []int32 {
	m := 0
	switch op {
	case Eq:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] == k)
		}
	case Ne:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] != k)
		}
	case Lt:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] < k)
		}
	case Le:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] <= k)
		}
	case Gt:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] > k)
		}
	case Ge:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] >= k)
		}
	}
	return out[:m]
}

// selectPairs lists the rows (positions within sel, or all when sel is nil) where x op y.
func selectPairs[T int32 | int64](mem *Arena, op Op, x, y []T, sel []int32) []int32 {
	switch op { // four loops do for six operators
	case Gt, Ge:
		op, x, y = op.Flip(), y, x
	}
	y = y[:len(x)]
	m := 0
	if sel == nil {
		out := MakeIn[int32](mem, len(x))
		switch op {
		case Eq:
			for i, v := range x {
				out[m] = int32(i)
				m += b2i(v == y[i])
			}
		case Ne:
			for i, v := range x {
				out[m] = int32(i)
				m += b2i(v != y[i])
			}
		case Lt:
			for i, v := range x {
				out[m] = int32(i)
				m += b2i(v < y[i])
			}
		case Le:
			for i, v := range x {
				out[m] = int32(i)
				m += b2i(v <= y[i])
			}
		}
		return out[:m]
	}
	out := MakeIn[int32](mem, len(sel))
	switch op {
	case Eq:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] == y[r])
		}
	case Ne:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] != y[r])
		}
	case Lt:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] < y[r])
		}
	case Le:
		for i, r := range sel {
			out[m] = int32(i)
			m += b2i(x[r] <= y[r])
		}
	}
	return out[:m]
}

// MinMax gives the least and the greatest of the values that are not NULL, and how many there are.
func MinMax[T int16 | int32 | int64](x []T, valid Bits) (lo, hi int64, n int) {
	if len(x) == 0 {
		return 0, 0, 0
	}
	if valid.All() {
		l, h := x[0], x[0]
		for _, v := range x {
			l, h = min(l, v), max(h, v)
		}
		return int64(l), int64(h), len(x)
	}
	for i, v := range x {
		if !valid.Get(i) {
			continue
		}
		k := int64(v)
		if n == 0 {
			lo, hi = k, k
		}
		lo, hi = min(lo, k), max(hi, k)
		n++
	}
	return lo, hi, n
}
