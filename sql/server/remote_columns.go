package server

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/columns"
)

// remoteColumns remembers what the column segments of other nodes know of tables: estimates for
// planning, which may be some seconds old. The first question about a column waits for the nodes,
// for a moment; later ones are answered from memory, which is asked for anew beside them. Nodes that do
// not answer in time are as if they had no segments. Safe for concurrent use.
type remoteColumns struct {
	ask  func(ctx context.Context, storageID uint64, attnum int) (int64, []ColumnSegment, error)
	now  func() time.Time
	ctx  context.Context
	stop context.CancelFunc
	done sync.WaitGroup

	mu    sync.Mutex
	known map[remoteColumn]*remoteAnswer
}

type remoteColumn struct {
	storageID uint64
	attnum    int
}

// remoteAnswer is the answer of at; asking: there will be another.
type remoteAnswer struct {
	at       time.Time
	asking   bool
	rows     int64
	segments []ColumnSegment
}

const (
	remoteWait = 300 * time.Millisecond // for an answer
	remoteAge  = 5 * time.Second        // from when on an answer is asked for again
	// remoteMax bounds the columns that are remembered.
	remoteMax = 4096
)

func newRemoteColumns(ask func(ctx context.Context, storageID uint64, attnum int) (int64, []ColumnSegment, error)) *remoteColumns {
	r := &remoteColumns{ask: ask, now: time.Now, known: map[remoteColumn]*remoteAnswer{}}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

// close ends the questions that are on their way.
func (r *remoteColumns) close() {
	r.stop()
	r.done.Wait()
}

// rows is how many rows of a table lie in segments.
func (r *remoteColumns) rows(storageID uint64) int64 {
	return r.answer(remoteColumn{storageID, 0}).rows
}

// segments is storage.Node's SegmentColumns over all nodes.
func (r *remoteColumns) segments(storageID uint64, attnum int) iter.Seq2[uint64, columns.ColumnStats] {
	return func(yield func(uint64, columns.ColumnStats) bool) {
		for _, g := range r.answer(remoteColumn{storageID, attnum}).segments {
			if !yield(g.Rows, g.ColumnStats) {
				return
			}
		}
	}
}

func (r *remoteColumns) answer(c remoteColumn) remoteAnswer {
	if types.OID(uint32(c.storageID)) < types.FirstNormalOID { // system tables have no segments
		return remoteAnswer{}
	}
	r.mu.Lock()
	a := r.known[c]
	if a == nil {
		if len(r.known) >= remoteMax {
			clear(r.known)
		}
		a = &remoteAnswer{}
		r.known[c] = a
	}
	first := a.at.IsZero()
	if a.asking || !first && r.now().Sub(a.at) < remoteAge {
		defer r.mu.Unlock()
		return *a
	}
	a.asking = true
	r.mu.Unlock()
	answered := make(chan struct{})
	r.done.Go(func() {
		defer close(answered)
		ctx, cancel := context.WithTimeout(r.ctx, remoteWait)
		defer cancel()
		rows, segments, err := r.ask(ctx, c.storageID, c.attnum)
		r.mu.Lock()
		defer r.mu.Unlock()
		if a.at, a.asking = r.now(), false; err == nil {
			a.rows, a.segments = rows, segments
		}
	})
	if first {
		<-answered
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return *a
}
