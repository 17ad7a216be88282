package vexec

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/kernel"
)

// streamMerge merges the sorted streams of a Gather's workers.
type streamMerge struct {
	w     *worker
	keys  *sortKeys
	ts    []types.T
	run   *gatherRun
	begun bool
	heads []*streamHead
}

type streamHead struct {
	c    chan *Batch
	b    *Batch
	keys []arrow.Array
	at   int
}

func newStreamMerge(w *worker, keys *sortKeys, ts []types.T, r *gatherRun) *streamMerge {
	return &streamMerge{w: w, keys: keys, ts: ts, run: r}
}

func (m *streamMerge) load(ctx context.Context, h *streamHead) (bool, error) {
	b, err := m.run.receive(ctx, h.c)
	if err != nil || b == nil {
		return false, err
	}
	h.b, h.at = dense(b), 0
	h.keys, err = m.keys.eval(m.w.frame, h.b)
	return err == nil, err
}

func (m *streamMerge) less(a, b *streamHead) bool {
	for k, spec := range m.keys.specs {
		if c := kernel.SortComparer(m.w.frame.Ctx.Env, spec, a.keys[k], b.keys[k])(a.at, b.at); c != 0 {
			return c < 0
		}
	}
	return false
}

func (m *streamMerge) next(ctx context.Context) (*Batch, error) {
	if !m.begun {
		m.begun = true
		for _, c := range m.run.streams {
			h := &streamHead{c: c}
			ok, err := m.load(ctx, h)
			if err != nil {
				return nil, err
			}
			if ok {
				m.heads = append(m.heads, h)
			}
		}
	}
	var pieces []*Batch
	n := 0
	for n < m.w.q.env.BatchSize && len(m.heads) > 0 {
		best := 0
		for i := 1; i < len(m.heads); i++ {
			if m.less(m.heads[i], m.heads[best]) {
				best = i
			}
		}
		h := m.heads[best]
		from := h.at
		for h.at++; h.at < h.b.N && n+h.at-from < m.w.q.env.BatchSize; h.at++ { // a run that stays in front
			ahead := true
			for i, o := range m.heads {
				if i != best && m.less(o, h) {
					ahead = false
					break
				}
			}
			if !ahead {
				break
			}
		}
		pieces = append(pieces, sliced(h.b, from, h.at))
		n += h.at - from
		if h.at >= h.b.N {
			ok, err := m.load(ctx, h)
			if err != nil {
				return nil, err
			}
			if !ok {
				m.heads = append(m.heads[:best], m.heads[best+1:]...)
			}
		}
	}
	if n == 0 {
		return nil, nil
	}
	return concatBatches(m.ts, pieces), nil
}
