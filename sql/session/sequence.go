package session

import (
	"sync"

	"github.com/basaltdb/basalt/sql/types"
)

// sequenceState is what currval and lastval remember.
type sequenceState struct {
	mu   sync.Mutex
	last map[types.OID]int64
	// newest is the sequence nextval was last called on, 0 for none.
	newest types.OID
}

func (q *sequenceState) forget() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last, q.newest = nil, 0
}
