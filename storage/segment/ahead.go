package segment

// Ahead reads the blocks of a column for a reader that takes them in ascending order:
// several at once, into memory that is used again. What the cache does not keep is
// checked and decoded where it was read to, so that a scan of more than fits the cache
// costs little more than the copy out of the operating system's. How much is read at
// once follows from how much of it was asked for: where zones and filters leave few
// blocks, single ones are read.
//
// It serves one column of one file after the other. The zero value is ready. One
// goroutine's; its memory is about readAheadBytes.
type Ahead struct {
	// Fleeting: vectors are good only until the next is read. Others that share memory
	// with what was read make the Ahead take new memory.
	Fleeting bool

	f        *File
	col      int
	from, to int    // the blocks in buf
	buf      []byte // wordSlack behind it
	window   int    // bytes to read at once
	asked    int    // bytes of buf that were asked for
	lent     bool   // a vector shares buf
	block    block  // parsed in buf
	parsed   int    // the number of block; −1: none
	passed   int64  // bytes found in the cache, of which it was not told
}

const (
	// readAheadBytes is how much is read at once at most, unless a block is larger.
	readAheadBytes      = 256 << 10
	readAheadBytesFirst = 64 << 10
	readAheadBytesMin   = 4 << 10
)

// found notes that a block was in the cache.
func (a *Ahead) found(c *Cache, p part) {
	if a == nil {
		return
	}
	if a.passed += int64(p.len); a.passed >= readAheadBytes {
		c.pass(a.passed)
		a.passed = 0
	}
}

// again is the block that was asked for last if it is this one, and in buf. To read it for its
// filter and then for what passed does not make it one that comes back soon.
func (a *Ahead) again(f *File, col, b int) *block {
	if a == nil || a.f != f || a.col != col || a.parsed != b {
		return nil
	}
	return &a.block
}

// use notes that a.block is block b now, and that vectors of it are about to be made.
func (a *Ahead) use(b int) {
	a.parsed = b
	a.lent = a.lent || !a.Fleeting && a.block.shares()
}

// bytes gives a block as it is in the file, with wordSlack readable bytes behind it; good until the next call.
func (a *Ahead) bytes(f *File, col, b int) ([]byte, error) {
	blocks := f.foot.columns[col].blocks
	a.parsed = -1
	if a.f != f || a.col != col || b < a.from || b >= a.to {
		if err := a.read(f, col, b); err != nil {
			return nil, err
		}
	}
	a.asked += int(blocks[b].len)
	at := int(blocks[b].off - blocks[a.from].off)
	return a.buf[at : at+int(blocks[b].len)], nil
}

// read fills buf with a block and those after it that are not in the cache.
func (a *Ahead) read(f *File, col, b int) error {
	switch {
	case a.window == 0:
		a.window = readAheadBytesFirst
	case 2*a.asked >= len(a.buf):
		a.window = min(2*a.window, readAheadBytes)
	default:
		a.window = max(a.window/2, readAheadBytesMin)
	}
	blocks := f.foot.columns[col].blocks
	to, size := b+1, int(blocks[b].len)
	for to < len(blocks) && size+int(blocks[to].len) <= a.window && f.slot(col, to).at.Load() == nil {
		size += int(blocks[to].len)
		to++
	}
	if a.lent || cap(a.buf) < size+wordSlack {
		a.buf, a.lent = make([]byte, max(size, a.window)+wordSlack), false
	}
	a.f, a.to, a.asked = nil, 0, 0 // in case of an error
	a.buf = a.buf[:size]
	err := f.readAt(a.buf, int64(blocks[b].off))
	if err != nil && to > b+1 { // the fault may lie in those after it: it is met when they are asked for
		to, a.buf = b+1, a.buf[:blocks[b].len]
		err = f.readAt(a.buf, int64(blocks[b].off))
	}
	if err != nil {
		return err
	}
	a.f, a.col, a.from, a.to = f, col, b, to
	return nil
}
