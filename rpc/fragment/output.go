package fragment

import (
	"context"
	"os"
	"sync"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/ipc"
)

// outputBytesMax bounds what one fragment's output holds in memory.
const outputBytesMax = 4 << 20

// output is what a fragment has sent to an exchange and nobody has taken yet.
type output struct {
	ex *vexec.Executor

	mu     sync.Mutex
	change *sync.Cond
	queues []queue
	bytes  int64 // in memory, all queues
	eager  bool  // the producer never waits
	ended  bool
	err    error
	file   *os.File // overflow
	size   int64    // of it
}

// queue is one consumer's share.
type queue struct {
	items   []item
	fetched bool // a consumer has come
	waiting bool // it waits
	gone    bool // it has all it wants
}

// item is a message in memory, or its place in the overflow file.
type item struct {
	m       ipc.Message
	onDisk  bool
	at      int64
	lengths [3]int
	bytes   int64 // what it counts for
}

func newOutput(ex *vexec.Executor, partitions int) *output {
	o := &output{ex: ex, queues: make([]queue, partitions)}
	o.change = sync.NewCond(&o.mu)
	return o
}

// wake lets those who wait see that a context has ended.
func (o *output) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.change.Broadcast()
}

// push adds a message for consumer p. It waits while the output is full. wanted is
// false when nobody wants the rest of the queue.
func (o *output) push(ctx context.Context, p int, m ipc.Message) (wanted bool, err error) {
	stop := context.AfterFunc(ctx, o.wake)
	defer stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	q := &o.queues[p]
	for {
		switch {
		case q.gone:
			return false, nil
		case ctx.Err() != nil:
			return true, context.Cause(ctx)
		case o.bytes < outputBytesMax || len(q.items) == 0:
			n := m.Size()
			q.items = append(q.items, item{m: m, bytes: n})
			o.bytes += n
			o.ex.Hold(n)
			o.change.Broadcast()
			return true, nil
		case o.eager || o.starving(p):
			return true, o.overflow(q, m)
		}
		o.change.Wait()
	}
}

// starving: a consumer other than p waits and has nothing to read.
func (o *output) starving(p int) bool {
	for i := range o.queues {
		if q := &o.queues[i]; i != p && q.waiting && len(q.items) == 0 && !q.gone {
			return true
		}
	}
	return false
}

// overflow puts a message on disk.
func (o *output) overflow(q *queue, m ipc.Message) error {
	if o.file == nil {
		f, err := o.ex.TempFile()
		if err != nil {
			return err
		}
		o.file = f
	}
	it := item{onDisk: true, at: o.size, lengths: [3]int{len(m.Schema), len(m.Header), len(m.Body)}, m: ipc.Message{Rows: m.Rows}}
	buf := make([]byte, 0, m.Size())
	buf = append(append(append(buf, m.Schema...), m.Header...), m.Body...)
	if _, err := o.file.WriteAt(buf, o.size); err != nil {
		return pgerror.Wrap(err, pgerror.IoError, "could not write to temporary file: %v", err)
	}
	o.size += int64(len(buf))
	q.items = append(q.items, it)
	o.change.Broadcast()
	return nil
}

// load reads a message back.
func (o *output) load(it item) (ipc.Message, error) {
	total := it.lengths[0] + it.lengths[1] + it.lengths[2]
	buf := make([]byte, total)
	if o.file == nil {
		return ipc.Message{}, pgerror.Internal("an output's file is gone")
	}
	if _, err := o.file.ReadAt(buf, it.at); err != nil {
		return ipc.Message{}, pgerror.Wrap(err, pgerror.IoError, "could not read from temporary file: %v", err)
	}
	a, b := it.lengths[0], it.lengths[0]+it.lengths[1]
	body := make([]byte, it.lengths[2]) // aligned
	copy(body, buf[b:])
	return ipc.Message{Schema: buf[:a:a], Header: buf[a:b:b], Body: body, Rows: it.m.Rows}, nil
}

// next takes consumer p's next message; ok is false at the end.
func (o *output) next(ctx context.Context, p int) (m ipc.Message, ok bool, err error) {
	stop := context.AfterFunc(ctx, o.wake)
	defer stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	q := &o.queues[p]
	defer func() { q.waiting = false }()
	for {
		switch {
		case o.err != nil:
			return m, false, o.err
		case q.gone:
			return m, false, nil
		case ctx.Err() != nil:
			return m, false, context.Cause(ctx)
		case len(q.items) > 0:
			it := q.items[0]
			q.items[0] = item{}
			q.items = q.items[1:]
			if it.onDisk {
				m, err = o.load(it)
				return m, err == nil, err
			}
			o.release(it.bytes)
			return it.m, true, nil
		case o.ended:
			q.gone = true
			o.change.Broadcast()
			return m, false, nil
		}
		q.waiting = true
		o.change.Broadcast()
		o.change.Wait()
	}
}

func (o *output) release(n int64) {
	o.bytes -= n
	o.ex.Hold(-n)
	o.change.Broadcast()
}

// attach marks consumer p as there; false when there was one.
func (o *output) attach(p int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	was := o.queues[p].fetched
	o.queues[p].fetched = true
	return !was
}

// drop says that consumer p wants no more.
func (o *output) drop(p int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dropLocked(&o.queues[p])
}

func (o *output) dropLocked(q *queue) {
	q.gone = true
	for _, it := range q.items {
		if !it.onDisk {
			o.bytes -= it.bytes
			o.ex.Hold(-it.bytes)
		}
	}
	q.items = nil
	o.change.Broadcast()
}

// unwanted: no consumer wants more.
func (o *output) unwanted() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.allGone()
}

func (o *output) allGone() bool {
	for i := range o.queues {
		if !o.queues[i].gone {
			return false
		}
	}
	return true
}

// end says that nothing more comes: with an error, consumers get it at once.
func (o *output) end(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	if err != nil && o.err == nil {
		o.err = err
	}
	o.change.Broadcast()
}

// drained waits until every consumer has taken its share.
func (o *output) drained(ctx context.Context) error {
	stop := context.AfterFunc(ctx, o.wake)
	defer stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.allGone() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		o.change.Wait()
	}
	return nil
}

// close frees everything. Consumers still there get the error, or a cancellation.
func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil && !o.allGone() {
		o.err = pgerror.New(pgerror.QueryCanceled, "canceling statement due to user request")
	}
	o.ended = true
	for i := range o.queues {
		o.dropLocked(&o.queues[i])
	}
	if o.file != nil {
		o.file.Close()
		o.file = nil
	}
}

// queryID names a running statement.
type queryID [16]byte
