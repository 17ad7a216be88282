package kernel

import "unsafe"

// Arena gives memory for vectors that all die together: what is made in it holds
// anything at first and is good until Reset. The memory is used over and over, so it
// stays in the processor's caches, which fresh memory is never in. A nil *Arena makes
// fresh, zeroed memory. An Arena belongs to one goroutine.
type Arena struct {
	chunks [][]uint64
	chunk  int // the one in use
	at     int // its first free word
}

const (
	// Chunks begin small: many an Arena sees a few rows only.
	arenaFirstWords = 512
	arenaChunkWords = 32 << 10
	// arenaKeepWords bounds what Reset keeps.
	arenaKeepWords = 16 * arenaChunkWords
)

// Reset takes everything back. The Arena may be nil.
func (m *Arena) Reset() {
	if m == nil {
		return
	}
	words := 0
	for i, c := range m.chunks {
		if words += len(c); words > arenaKeepWords {
			clear(m.chunks[i:])
			m.chunks = m.chunks[:i]
			break
		}
	}
	m.chunk, m.at = 0, 0
}

// words gives n words.
func (m *Arena) words(n int) []uint64 {
	for m.chunk < len(m.chunks) {
		c := m.chunks[m.chunk]
		if m.at+n <= len(c) {
			w := c[m.at : m.at+n : m.at+n]
			m.at += n
			return w
		}
		m.chunk, m.at = m.chunk+1, 0
	}
	size := arenaFirstWords
	if k := len(m.chunks); k > 0 {
		size = min(8*len(m.chunks[k-1]), arenaChunkWords)
	}
	c := make([]uint64, max(n, size))
	m.chunks = append(m.chunks, c)
	m.at = n
	return c[:n:n]
}

// MakeIn is make([]T, n) in m's memory. REQUIRES: T has no pointers.
func MakeIn[T any](m *Arena, n int) []T {
	if m == nil || n == 0 {
		return make([]T, n)
	}
	var z T
	w := m.words((n*int(unsafe.Sizeof(z)) + 7) / 8)
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(w))), n)
}
