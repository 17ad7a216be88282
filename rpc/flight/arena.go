package flight

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
)

// arena is memory for the vectors that are made to send one batch. It is used again once
// the batch's messages have left: a result then needs neither fresh memory per batch, nor
// time to clear and collect it. What does not fit is taken from the heap.
type arena struct {
	buf    []byte
	used   int
	wanted int
	refs   atomic.Int32 // records whose columns lie here
}

const (
	// arenaBytesMax bounds an arena: vectors of larger batches come from the heap.
	arenaBytesMax = 8 << 20
	arenaBytesMin = 64 << 10
	arenaAlign    = 64
)

var arenas = sync.Pool{New: func() any { return &arena{} }}

// newArena gives an empty arena with one reference.
func newArena() *arena {
	a := arenas.Get().(*arena)
	if a.wanted > len(a.buf) && len(a.buf) < arenaBytesMax {
		a.buf = make([]byte, min(max(a.wanted+a.wanted/4, arenaBytesMin), arenaBytesMax))
	}
	a.used, a.wanted = 0, 0
	a.refs.Store(1)
	return a
}

// take gives n bytes of any content. A nil arena gives them from the heap.
func (a *arena) take(n int) []byte {
	if a == nil {
		return make([]byte, n)
	}
	size := (n + arenaAlign - 1) &^ (arenaAlign - 1)
	a.wanted += size
	if size > len(a.buf)-a.used {
		return make([]byte, n)
	}
	b := a.buf[a.used : a.used+n : a.used+size]
	a.used += size
	return b
}

// offset is where b, which is not empty, begins in the arena; ok is false when it lies elsewhere.
func (a *arena) offset(b []byte) (at int, ok bool) {
	if a == nil || len(a.buf) == 0 {
		return 0, false
	}
	d := uintptr(unsafe.Pointer(unsafe.SliceData(b))) - uintptr(unsafe.Pointer(unsafe.SliceData(a.buf)))
	return int(d), d < uintptr(len(a.buf))
}

// free drops a reference; with the last one the memory is used again.
func (a *arena) free() {
	if a.refs.Add(-1) == 0 {
		arenas.Put(a)
	}
}

// Get and Put make an arena the mem.BufferPool of the message that is sent from it.
func (a *arena) Get(n int) *[]byte { b := make([]byte, n); return &b }
func (a *arena) Put(*[]byte)       { a.free() }

// rental is a record some of whose columns may lie in an arena. Release gives it back.
type rental struct {
	arrow.Record
	arena *arena
}

func (r *rental) Release() { r.arena.free() }
