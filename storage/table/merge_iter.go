package table

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/txn"
)

// iterable is a txn.View, or a transaction with the snapshot in force.
type iterable interface {
	NewIter(ctx context.Context, o txn.IterOptions) (txn.Iter, error)
}

// openRange iterates a key range in all its tablets, in the order of the keys
// after their tablet.
func openRange(ctx context.Context, view iterable, kr *keyRange, reverse bool) (txn.Iter, error) {
	if len(kr.tablets) < 2 {
		return view.NewIter(ctx, txn.IterOptions{Lower: kr.lower, Upper: kr.upper, Reverse: reverse})
	}
	m := &mergeIter{reverse: reverse}
	for _, t := range kr.tablets {
		it, err := view.NewIter(ctx, txn.IterOptions{Lower: inTablet(kr.lower, t), Upper: inTablet(kr.upper, t), Reverse: reverse})
		if err != nil {
			m.Close()
			return nil, err
		}
		m.its = append(m.its, it)
	}
	return m, nil
}

// inTablet is a key's like in another tablet.
func inTablet(key []byte, t txn.TabletID) []byte {
	k := bytes.Clone(key)
	binary.BigEndian.PutUint16(k, uint16(t))
	return k
}

// mergeIter merges iterators of tablets: a heap of those that stand on a row, the
// first at the root.
type mergeIter struct {
	its     []txn.Iter
	heap    []txn.Iter
	started bool
	reverse bool
	err     error
}

func (m *mergeIter) Next() bool {
	if m.err != nil {
		return false
	}
	if !m.started {
		m.started = true
		for _, it := range m.its {
			if !m.step(it) {
				if m.err != nil {
					return false
				}
				continue
			}
			m.heap = append(m.heap, it)
		}
		for i := len(m.heap)/2 - 1; i >= 0; i-- {
			m.down(i)
		}
		return len(m.heap) > 0
	}
	if len(m.heap) == 0 {
		return false
	}
	if !m.step(m.heap[0]) {
		if m.err != nil {
			return false
		}
		n := len(m.heap) - 1
		m.heap[0] = m.heap[n]
		m.heap = m.heap[:n]
	}
	m.down(0)
	return len(m.heap) > 0
}

// step moves an iterator; false at its end or on error.
func (m *mergeIter) step(it txn.Iter) bool {
	if it.Next() {
		return true
	}
	m.err = it.Err()
	return false
}

func (m *mergeIter) before(a, b txn.Iter) bool {
	c := bytes.Compare(a.Key()[keyenc.TabletLen:], b.Key()[keyenc.TabletLen:])
	if m.reverse {
		return c > 0
	}
	return c < 0
}

func (m *mergeIter) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(m.heap) {
			return
		}
		if c+1 < len(m.heap) && m.before(m.heap[c+1], m.heap[c]) {
			c++
		}
		if !m.before(m.heap[c], m.heap[i]) {
			return
		}
		m.heap[i], m.heap[c] = m.heap[c], m.heap[i]
		i = c
	}
}

func (m *mergeIter) Key() []byte   { return m.heap[0].Key() }
func (m *mergeIter) Value() []byte { return m.heap[0].Value() }
func (m *mergeIter) Err() error    { return m.err }

func (m *mergeIter) Close() error {
	for _, it := range m.its {
		if err := it.Close(); m.err == nil {
			m.err = err
		}
	}
	m.its, m.heap = nil, nil
	return m.err
}
