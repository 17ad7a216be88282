package session

import (
	"context"
	"time"

	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/vexec"
)

// portal is a statement bound to parameters (extended protocol), or a cursor.
type portal struct {
	name    string
	text    string
	st      *parse.Statement // nil: an empty query
	prep    *prepared        // what it was bound from; nil: none
	params  bound
	formats []int16
	cols    []pgwire.Column
	created time.Time
	// accounted bytes are reserved of account until it closes.
	account   *vexec.Executor
	accounted int64

	res   *result
	rows  int64 // delivered
	done  bool
	tag   string
	level int // savepoints below it: dropped when one of them is rolled back to

	// Rows read but not delivered yet: the tail of a batch, then everything when
	// the portal had to be read to its end before its time.
	pending []*vexec.Batch
	at      int // rows of pending[0] already delivered
	drained bool
	ahead   *vexec.Rows
	aheadAt int   // next batch of ahead
	err     error // what ended the draining, raised when the rows before it are through

	// Cursors.
	cursor, scroll, noScroll, hold, binary, held bool
	seen                                         *cursorRows // every row so far; NO SCROLL: from the current one's batch on
	pos                                          int64       // 0 before the first row, n on row n
	updatable                                    updatable
	atEnd                                        bool
	failed                                       bool // an error ended it: it is there, but cannot be run
}

// next gives the next batch, pending ones first.
func (p *portal) next(ctx context.Context) (*vexec.Batch, error) {
	for len(p.pending) > 0 {
		b, at := p.pending[0], p.at
		p.pending, p.at = p.pending[1:], 0
		if at < b.Rows() {
			return part(b, at, b.Rows()), nil
		}
	}
	if p.drained {
		if p.ahead != nil && p.aheadAt < p.ahead.Len() {
			p.aheadAt++
			return p.ahead.Get(p.aheadAt - 1)
		}
		return nil, p.err
	}
	if p.res == nil || p.res.src == nil {
		return nil, nil
	}
	return p.res.src.Next(ctx)
}

// pushBack returns rows from on of a batch to the front.
func (p *portal) pushBack(b *vexec.Batch, from int) {
	p.pending = append([]*vexec.Batch{b}, p.pending...)
	p.at = from
}

// readAhead reads the portal to its end: its snapshot is about to go.
func (s *Session) readAhead(ctx context.Context, p *portal) {
	if p.drained || p.done || p.res == nil || p.res.src == nil {
		return
	}
	if _, ok := p.res.src.(*pointSource); ok {
		return // it needs no snapshot any more
	}
	for {
		b, err := p.res.src.Next(ctx)
		if err != nil || b == nil {
			p.err = err
			break
		}
		if b.Rows() == 0 {
			continue
		}
		if p.ahead == nil {
			p.ahead = s.node.Executor.NewRows(p.res.rowTypes(), s.heldMem())
		}
		if p.err = p.ahead.Add(b); p.err != nil {
			break
		}
	}
	p.drained = true
	p.res.src.Close()
}

func (p *portal) close() {
	if p.accounted > 0 {
		p.account.Release(p.accounted)
		p.accounted = 0
	}
	if p.res != nil && p.res.src != nil {
		p.res.src.Close()
	}
	if p.ahead != nil {
		p.ahead.Close()
	}
	if p.seen != nil {
		p.seen.release()
	}
	p.pending, p.ahead, p.seen = nil, nil, nil
}

// holdPortals reads the open portals to their ends before the snapshot moves.
func (s *Session) holdPortals(ctx context.Context) error {
	for _, p := range s.portals {
		if p.res != nil && !p.done && !p.drained && !p.held {
			s.readAhead(ctx, p)
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// holdCursors keeps WITH HOLD cursors over the end of their transaction.
func (s *Session) holdCursors(ctx context.Context) error {
	for _, p := range s.portals {
		if p.hold && !p.held {
			s.readAhead(ctx, p)
			if p.err != nil {
				return p.err
			}
			p.held = true
			p.level = 0
		}
	}
	return nil
}

// closePortals ends the portals of a transaction that commits.
func (s *Session) closePortals() {
	for name, p := range s.portals {
		if !p.held {
			p.close()
			delete(s.portals, name)
		}
	}
}

// dropPortals ends the portals made at savepoint level or deeper; −1: held ones too.
func (s *Session) dropPortals(level int) {
	for name, p := range s.portals {
		if level < 0 || p.level >= level && !p.held {
			p.close()
			delete(s.portals, name)
		}
	}
}

func (s *Session) dropPortal(name string) {
	if p := s.portals[name]; p != nil {
		p.close()
		delete(s.portals, name)
	}
}

func (s *Session) findPortal(name string) (*portal, error) {
	if p := s.portals[name]; p != nil {
		return p, nil
	}
	return nil, pgerror.New(pgerror.InvalidCursorName, `portal "%s" does not exist`, name)
}
