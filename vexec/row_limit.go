package vexec

import "context"

// rowLimit hands an operator its input in small steps when a LIMIT above wants
// few rows: expressions must not be evaluated (fail, draw from a sequence) for
// rows that nobody asks for. The first step is what the LIMIT wants, each
// further one twice as large.
type rowLimit struct {
	first int64 // 0: no limit
	step  int64
	held  *Batch
	at    int
}

func (r *rowLimit) start() { r.step, r.held = r.first, nil }

func (r *rowLimit) pull(ctx context.Context, in operator) (*Batch, error) {
	if r.first == 0 {
		return in.next(ctx)
	}
	if r.held == nil {
		b, err := in.next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		r.held, r.at = b, 0
	}
	b := r.held
	from := r.at
	r.at = int(min(int64(from)+r.step, int64(b.Rows())))
	if r.at == b.Rows() {
		r.held = nil
	}
	r.step *= 2
	return sliced(b, from, r.at), nil
}

// limitInput tells the operators directly below a LIMIT that n rows are wanted.
func limitInput(op operator, n int64) {
	for {
		switch o := unwrap(op).(type) {
		case *projectOp:
			o.rows.first = n
			op = o.in
		case *filterOp:
			o.rows.first = n
			return
		case *lockRowsOp:
			o.single = true
			return
		default:
			return
		}
	}
}
