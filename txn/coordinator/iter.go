package coordinator

import (
	"context"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/txn"
)

// iterParticipant is a participant in the same process.
type iterParticipant interface {
	NewIter(ctx context.Context, b txn.Branch, at txn.ReadAt, o txn.IterOptions) (txn.Iter, error)
}

// Page sizes of a walk over another node's keys: small at first, since many
// walks want a few rows.
const (
	pageRowsMin  = 64
	pageRowsMax  = 16 << 10
	pageBytesMax = 1 << 20
)

func (t *transaction) NewIter(ctx context.Context, o txn.IterOptions) (txn.Iter, error) {
	if err := t.usable(ctx); err != nil {
		return nil, err
	}
	at := t.readAt()
	if o.At != 0 {
		at.Snapshot = o.At
	}
	return t.newIter(ctx, o, at)
}

// newIter walks a range of one tablet.
func (t *transaction) newIter(ctx context.Context, o txn.IterOptions, at txn.ReadAt) (txn.Iter, error) {
	p, err := t.partOf(o.Lower)
	if err != nil {
		return nil, err
	}
	stmt := at.Statement
	if o.CommittedOnly {
		stmt = 0
	}
	b, err := t.flushFor(ctx, p, stmt)
	if err != nil {
		return nil, err
	}
	if l, ok := p.p.(iterParticipant); ok {
		return l.NewIter(ctx, b, at, o)
	}
	return &pageIter{ctx: ctx, t: t, p: p.p, b: b, at: at, rows: pageRowsMin,
		scan: txn.ScanPage{Lower: o.Lower, Upper: o.Upper, Reverse: o.Reverse, CommittedOnly: o.CommittedOnly, BytesMax: pageBytesMax}}, nil
}

// pageIter walks by pages; the page after the present one is fetched ahead.
type pageIter struct {
	ctx   context.Context
	t     *transaction
	p     txn.Participant
	b     txn.Branch
	at    txn.ReadAt
	scan  txn.ScanPage
	rows  int
	page  txn.Page
	pos   int
	ahead chan pageResult // the next page, when it has been asked for
	stop  context.CancelFunc
	begun bool
	err   error
}

type pageResult struct {
	page txn.Page
	err  error
}

func (i *pageIter) Next() bool {
	if i.err != nil {
		return false
	}
	i.pos++
	for !i.begun || i.pos >= len(i.page.Keys) {
		if i.begun && !i.page.More {
			return false
		}
		var r pageResult
		if i.ahead != nil {
			r = <-i.ahead
			i.stop()
			i.ahead = nil
		} else {
			s := i.scan
			s.RowsMax = i.rows
			r.page, r.err = i.p.Scan(i.ctx, i.b, i.at, s)
		}
		if i.err = r.err; i.err == nil {
			i.err = i.t.fenced()
		}
		if i.err != nil {
			return false
		}
		i.page, i.pos = r.page, 0
		if len(i.page.Keys) == 0 {
			i.begun, i.page.More = true, false
			return false
		}
		if i.page.More {
			last := i.page.Keys[len(i.page.Keys)-1]
			if i.scan.Reverse {
				i.scan.Upper = last
			} else {
				i.scan.Lower = append(last[:len(last):len(last)], 0)
			}
			if i.begun { // not for the first: most walks end there
				i.fetchAhead()
			}
			i.rows = min(i.rows*4, pageRowsMax)
		}
		i.begun = true
	}
	return true
}

func (i *pageIter) fetchAhead() {
	ctx, stop := context.WithCancel(i.ctx)
	ch := make(chan pageResult, 1)
	i.ahead, i.stop = ch, stop
	s := i.scan
	s.RowsMax = min(i.rows*4, pageRowsMax)
	go func() {
		page, err := i.p.Scan(ctx, i.b, i.at, s)
		ch <- pageResult{page, err}
	}()
}

func (i *pageIter) Key() []byte   { return i.page.Keys[i.pos] }
func (i *pageIter) Value() []byte { return i.page.Values[i.pos] }
func (i *pageIter) Err() error    { return i.err }

func (i *pageIter) Close() error {
	if i.ahead != nil {
		i.stop()
		<-i.ahead
		i.ahead = nil
	}
	i.begun, i.page = true, txn.Page{}
	return i.err
}

// view implements txn.View.
type view struct {
	t      *transaction
	at     txn.ReadAt
	closed bool
}

// NewView implements txn.RowTxn.
func (t *transaction) NewView() (txn.View, error) {
	ctx, cancel := context.WithTimeout(t.c.ctx, snapshotWait)
	defer cancel()
	if err := t.usable(ctx); err != nil {
		return nil, err
	}
	t.pins.pin(t.snap)
	return &view{t: t, at: t.readAt()}, nil
}

func (v *view) Snapshot() txn.Timestamp { return v.at.Snapshot }

func (v *view) Get(ctx context.Context, key []byte) ([]byte, bool, error) {
	return v.t.get(ctx, key, v.at)
}

func (v *view) NewIter(ctx context.Context, o txn.IterOptions) (txn.Iter, error) {
	o.At, o.CommittedOnly = 0, false
	return v.t.newIter(ctx, o, v.at)
}

func (v *view) Close() {
	if !v.closed { // the snapshot may be 0, before the first commit
		v.closed = true
		v.t.pins.unpin(v.at.Snapshot)
	}
}

// GetMany implements txn.ManyGetter: the keys of every node go in messages of their own, at once.
func (v *view) GetMany(ctx context.Context, keys [][]byte, f func(i int, value []byte, ok bool) error) error {
	values, err := v.t.getMany(ctx, keys, v.at)
	if err != nil {
		return err
	}
	for i, x := range values {
		if err := f(i, x, x != nil); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) getMany(ctx context.Context, keys [][]byte, at txn.ReadAt) ([][]byte, error) {
	var parts []*part
	of := map[*part][]int{} // positions of keys
	for i, k := range keys {
		p, err := t.partOf(k)
		if err != nil {
			return nil, err
		}
		if of[p] == nil {
			parts = append(parts, p)
		}
		of[p] = append(of[p], i)
	}
	out := make([][]byte, len(keys))
	err := each(parts, func(p *part) error {
		b, err := t.flushFor(ctx, p, at.Statement)
		if err != nil {
			return err
		}
		for rest := of[p]; len(rest) > 0; {
			ks := make([][]byte, len(rest))
			for i, k := range rest {
				ks[i] = keys[k]
			}
			vs, err := p.p.GetMany(ctx, b, at, ks)
			if err != nil {
				return err
			}
			if len(vs) == 0 || len(vs) > len(rest) {
				return pgerror.New(pgerror.ProtocolViolation, "%d answers for %d keys", len(vs), len(rest))
			}
			for i, v := range vs {
				out[rest[i]] = v
			}
			rest = rest[len(vs):]
		}
		return nil
	})
	if err == nil {
		err = t.fenced()
	}
	return out, err
}
