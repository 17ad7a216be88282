package session

import (
	"context"
	"sort"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/vexec"
)

// cursorRows are rows that a cursor has read: in memory up to work_mem, then on
// disk. The cursor holds them and each FETCH that still delivers some.
type cursorRows struct {
	rows *vexec.Rows
	base int64   // rows before the first batch
	ends []int64 // rows up to and including each batch
	held int
}

func (r *cursorRows) hold() { r.held++ }

func (r *cursorRows) release() {
	if r.held--; r.held == 0 {
		r.rows.Close()
	}
}

// total is the number of rows read so far.
func (r *cursorRows) total() int64 {
	if r == nil {
		return 0
	}
	if n := len(r.ends); n > 0 {
		return r.ends[n-1]
	}
	return r.base
}

func (r *cursorRows) add(b *vexec.Batch) error {
	if err := r.rows.Add(b); err != nil {
		return err
	}
	r.ends = append(r.ends, r.total()+int64(b.Rows()))
	return nil
}

// find gives the batch of row n and the rows before it.
func (r *cursorRows) find(n int64) (batch int, before int64) {
	k := sort.Search(len(r.ends), func(i int) bool { return r.ends[i] >= n })
	if k == 0 {
		return 0, r.base
	}
	return k, r.ends[k-1]
}

// row gives row n as one of a batch.
func (r *cursorRows) row(n int64) (*vexec.Batch, int, error) {
	k, before := r.find(n)
	if n <= r.base || k == len(r.ends) {
		return nil, 0, pgerror.Internal("row %d of a cursor is gone", n)
	}
	b, err := r.rows.Get(k)
	return b, int(n - before - 1), err
}

// total is the number of rows a cursor has read.
func (p *portal) total() int64 { return p.seen.total() }

// readTo reads a cursor until row n has been read or there are no more.
func (s *Session) readTo(ctx context.Context, p *portal, n int64) error {
	if err := s.forget(p); err != nil {
		return err
	}
	for p.total() < n && !p.done {
		b, err := p.next(ctx)
		if err != nil {
			p.failed = true
			return err
		}
		if b == nil {
			p.done = true
			p.res.close()
			break
		}
		if b.Rows() == 0 {
			continue
		}
		if p.seen == nil {
			p.seen = s.newCursorRows(p, 0)
		}
		if err := p.seen.add(b); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) newCursorRows(p *portal, base int64) *cursorRows {
	return &cursorRows{rows: s.node.Executor.NewRows(p.res.rowTypes(), s.heldMem()), base: base, held: 1}
}

// forget frees the rows that a cursor that only goes forward has passed: all but
// the batch it stands in, which is the last one read.
func (s *Session) forget(p *portal) error {
	n := 0
	if p.seen != nil {
		n = len(p.seen.ends)
	}
	if !p.noScroll || n < 2 {
		return nil
	}
	b, err := p.seen.rows.Get(n - 1)
	if err != nil {
		return err
	}
	rest := s.newCursorRows(p, p.seen.ends[n-2])
	if err := rest.add(b); err != nil {
		rest.release()
		return err
	}
	p.seen.release()
	p.seen = rest
	return nil
}

// fetched is the rows that a FETCH delivers.
type fetched struct {
	p        *portal
	rows     *cursorRows
	from, to int64
	back     bool
	closed   bool
}

func (f *fetched) Next(ctx context.Context) (*vexec.Batch, error) {
	if f.from > f.to || f.closed {
		return nil, ctx.Err()
	}
	at := f.from
	if f.back {
		at = f.to
	}
	k, before := f.rows.find(at)
	b, err := f.rows.rows.Get(k)
	if err != nil {
		return nil, err
	}
	from, to := max(f.from, before+1), min(f.to, f.rows.ends[k])
	b = part(b, int(from-before-1), int(to-before))
	if f.back {
		b, f.to = reversed(b), from-1
	} else {
		f.from = to + 1
	}
	return f.p.visible(b), nil
}

func (f *fetched) Close() {
	if !f.closed {
		f.closed = true
		f.rows.release()
	}
}
