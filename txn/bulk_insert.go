package txn

import (
	"bytes"
	"context"
	"slices"
	"sort"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/zeebo/xxh3"

	"github.com/basaltdb/basalt/internal/cores"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/storage/segment"
)

// Bulk inserts: rows that go from vectors to column segments, without a row form, a
// lock table entry or a log record each.
//
// Rows wait in a buffer per row space until they fill a segment; segments are
// encoded and written by goroutines of their own, a bounded number of them for all
// transactions. The segments are provisional (storage/columns): the transaction's
// later statements read them beneath its other writes, a savepoint cuts them off
// whole, commit makes their directory records part of its atomic step, a crash or a
// rollback leaves files that are removed.
//
// A key is in at most one segment of the transaction, and its other writes to the key
// are newer: InsertRows leaves rows to the row path where other writes may be older.
// At commit the segments get the timestamp just below that of the other writes, so
// that these win; nobody reads in between.
//
// The transaction is an implicit holder (implicit.go) of the keys in buffers and
// segments. It claims keys first and looks for those who hold or wrote them second,
// as they see its claim or it sees their locks.

// BulkTxn is a Txn that takes rows in bulk. Those of a Manager with column segments are.
type BulkTxn interface {
	RowTxn
	// InsertRows inserts rows. done is false when nothing was done: the rows must be
	// inserted one by one, since somebody is in the way, or this transaction or store
	// does not do it. taken lists the positions of rows whose keys exist, in no order;
	// then nothing was done either.
	InsertRows(ctx context.Context, r BulkRows) (done bool, taken []int, err error)
	// BulkRowsMin is how many rows a statement should insert before it is worth it;
	// 0: not at all.
	BulkRowsMin() int
	// AddEntry writes the entry that a row has in an index which is not unique. Both are
	// copied. REQUIRES: InsertRows has inserted the row, in this statement.
	AddEntry(ctx context.Context, key, value []byte) error
}

var _ BulkTxn = (*transaction)(nil)

// BulkRows are rows of one row space. The vectors are kept: they must not change.
type BulkRows struct {
	// Keys, ascending.
	Keys [][]byte
	// Fresh: the keys were never used and are known to nobody (hidden row ids).
	Fresh   bool
	Columns []segment.Column
	Vectors []arrow.Array // one per column, a row per key
}

// bulkBufferBytesMax bounds a buffer, and bulkBufferRowsMax its rows: a segment's.
const (
	bulkBufferBytesMax = 32 << 20
	bulkBufferRowsMax  = segment.RowsMax
)

// bulkSlots bounds the segments being written at once.
func newBulkSlots() chan struct{} { return make(chan struct{}, max(1, cores.Count())) }

// bulkWrites are the bulk inserts of a transaction.
type bulkWrites struct {
	t     *transaction
	store *columns.Store

	// mu guards the rest. Others look in it for keys (holds).
	mu   sync.Mutex
	open []*bulkBuffer
	// sealed buffers that are being written or failed to be.
	sealed []*bulkBuffer
	segs   []ownSegment
	// lost is why entries could not be kept, lostSeq the number of the first of them.
	lost    error
	lostSeq uint64

	entries *bulkEntries // nil: none wait
}

// bulkBuffer is rows of one space and one statement that will be segments.
type bulkBuffer struct {
	space       columns.Space
	cols        []segment.Column
	stmt        uint32
	first, last uint64 // sequence numbers of its parts
	parts       []columns.Rows
	rows        int
	bytes       int64
	ascending   bool
	limit       int64
	// filter has the keys of the parts, unless they are fresh or of a claim.
	filter *bloom

	done chan struct{} // closed when written
	err  error         // then
}

// ownSegment is a provisional segment of a statement.
type ownSegment struct {
	*columns.Segment
	stmt uint32
	seq  uint64
}

func (t *transaction) columnStore() *columns.Store {
	c, _ := t.m.eng.Columns().(*columns.Store)
	return c
}

// BulkRowsMin implements BulkTxn.
func (t *transaction) BulkRowsMin() int {
	c := t.columnStore()
	if c == nil || t.external || t.opts.Isolation == Serializable {
		return 0
	}
	return c.BulkRowsMin()
}

// InsertRows implements BulkTxn.
func (t *transaction) InsertRows(ctx context.Context, r BulkRows) (done bool, taken []int, err error) {
	if err := t.usable(); err != nil {
		return false, nil, err
	}
	if len(r.Keys) == 0 {
		return true, nil, nil
	}
	space, ok := columns.SpaceOf(r.Keys[0])
	if !ok || t.BulkRowsMin() == 0 {
		return false, nil, nil
	}
	t.snapshotInForce()
	t.prepareOwner()
	b := t.bulk.Load()
	if b == nil {
		b = &bulkWrites{t: t, store: t.columnStore()}
		t.bulk.Store(b)
		t.m.rows.implicit.register(t)
	}
	claim := columns.Rows{Keys: r.Keys, Cols: r.Vectors}
	if !r.Fresh {
		lower, end := r.Keys[0], append(bytes.Clone(r.Keys[len(r.Keys)-1]), 0)
		if own, err := t.wroteAny(r.Keys, lower, end); err != nil || own {
			return false, nil, err
		}
		if contested, err := t.m.rows.contested(t, r.Keys); err != nil || contested {
			return false, nil, err
		}
		if own, err := b.holdsAny(r.Keys); err != nil || own {
			return false, nil, err // a violation, though perhaps not the first
		}
		// Claim the keys, then look again.
		claimed := &bulkBuffer{space: space, stmt: t.stmt, first: t.seq + 1, last: t.seq + 1, parts: []columns.Rows{claim}}
		b.mu.Lock()
		b.sealed = append(b.sealed, claimed)
		b.mu.Unlock()
		t.m.rows.implicit.generation.Add(1)
		contested, err := t.m.rows.contested(t, r.Keys)
		if err == nil && !contested {
			taken, err = t.committedAmong(r.Keys, lower, end)
		}
		if err != nil || contested || taken != nil {
			b.drop(claimed)
			t.m.rows.implicit.shrink(t)
			return false, taken, err
		}
		defer b.drop(claimed) // they are in a buffer by then
	}
	t.seq++
	t.wrote = t.seq
	return true, nil, b.add(ctx, space, claim, r.Columns, r.Fresh)
}

// wroteAny reports whether one of keys, which are in [lower, end), is among the transaction's
// other writes. A statement's first rows are such writes, and where its rows come in another
// order than the keys' they reach across all of them: the range alone says little.
func (t *transaction) wroteAny(keys [][]byte, lower, end []byte) (bool, error) {
	if t.writes.anyOf(keys, lower, end) {
		return true, nil
	}
	s := t.spill.Load()
	if s == nil || !s.mayHoldIn(lower, end) {
		return false, nil
	}
	for _, k := range keys {
		if w, err := s.newest(k, noStatement); err != nil || w != nil {
			return true, err
		}
	}
	return false, nil
}

// committedAmong lists the positions of keys that have a committed row now.
func (t *transaction) committedAmong(keys [][]byte, lower, end []byte) (taken []int, err error) {
	any, err := t.m.eng.AnyIn(lower, end)
	if err != nil || !any {
		return nil, err
	}
	g, err := t.m.eng.NewGetter()
	if err != nil {
		return nil, err
	}
	defer g.Close()
	for i, k := range keys {
		_, _, found, deleted, err := g.Get(k, engine.MaxTimestamp)
		if err != nil {
			return nil, err
		}
		if found && !deleted {
			taken = append(taken, i)
		}
	}
	return taken, nil
}

// add puts rows into the buffer of their space, and has it written when it is full.
func (b *bulkWrites) add(ctx context.Context, space columns.Space, p columns.Rows, cols []segment.Column, fresh bool) error {
	for len(p.Keys) > 0 {
		if err := b.failed(); err != nil {
			return err
		}
		buf := b.buffer(space, cols, fresh)
		if len(buf.parts) > 0 && bytes.Compare(buf.lastKey(), p.Keys[0]) >= 0 {
			b.mu.Lock()
			buf.ascending = false
			b.mu.Unlock()
		}
		n := min(len(p.Keys), bulkBufferRowsMax-buf.rows)
		head := p.Slice(0, n)
		p = p.Slice(n, len(p.Keys))
		b.mu.Lock()
		buf.parts = append(buf.parts, head)
		if buf.filter != nil {
			for _, k := range head.Keys {
				buf.filter.add(k)
			}
		}
		buf.rows += n
		buf.last = b.t.seq
		buf.bytes += head.Bytes()
		full := buf.rows >= bulkBufferRowsMax || buf.bytes >= buf.limit
		b.mu.Unlock()
		if full {
			if err := b.t.m.eng.Room(buf.bytes); err != nil {
				return err
			}
			select {
			case b.t.m.bulk.slots <- struct{}{}:
			case <-ctx.Done():
				return contextError(ctx)
			}
			b.seal(buf, true)
		}
	}
	return nil
}

// buffer is the open buffer of a space for the current statement.
func (b *bulkWrites) buffer(space columns.Space, cols []segment.Column, fresh bool) *bulkBuffer {
	b.mu.Lock()
	for i := len(b.open) - 1; i >= 0; i-- {
		buf := b.open[i]
		if buf.space != space {
			continue
		}
		if buf.stmt == b.t.stmt && slices.Equal(buf.cols, cols) {
			b.mu.Unlock()
			return buf
		}
		b.mu.Unlock()
		b.seal(buf, false)
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	buf := &bulkBuffer{space: space, cols: cols, stmt: b.t.stmt, first: b.t.seq, ascending: true,
		limit: min(bulkBufferBytesMax, b.t.m.cfg.SpillBytes)}
	if !fresh {
		f := newBloom(bulkBufferRowsMax)
		buf.filter = &f
	}
	b.open = append(b.open, buf)
	return buf
}

func (buf *bulkBuffer) lastKey() []byte {
	k := buf.parts[len(buf.parts)-1].Keys
	return k[len(k)-1]
}

// drop forgets a claim.
func (b *bulkWrites) drop(buf *bulkBuffer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sealed = slices.DeleteFunc(b.sealed, func(x *bulkBuffer) bool { return x == buf })
}

// seal has a buffer written. slot: the caller has a slot for it.
func (b *bulkWrites) seal(buf *bulkBuffer, slot bool) {
	b.mu.Lock()
	i := slices.Index(b.open, buf)
	b.open = slices.Delete(b.open, i, i+1)
	b.sealed = append(b.sealed, buf)
	buf.done = make(chan struct{})
	b.mu.Unlock()
	slots := b.t.m.bulk.slots
	go func() {
		if !slot {
			slots <- struct{}{}
		}
		segs, err := b.store.WriteLoose(buf.space, buf.cols, buf.parts, buf.ascending)
		<-slots
		b.mu.Lock()
		defer b.mu.Unlock()
		if buf.err = err; err == nil {
			for _, g := range segs {
				b.segs = append(b.segs, ownSegment{g, buf.stmt, buf.last})
			}
			b.sealed = slices.DeleteFunc(b.sealed, func(x *bulkBuffer) bool { return x == buf })
		}
		close(buf.done)
	}()
}

// sealAll has all buffers written that statements before stmt filled.
func (b *bulkWrites) sealAll(stmt uint32) {
	b.mu.Lock()
	open := slices.Clone(b.open)
	b.mu.Unlock()
	for _, buf := range open {
		if buf.stmt < stmt {
			b.seal(buf, false)
		}
	}
}

// settle waits until all rows of statements before stmt are in segments.
func (b *bulkWrites) settle(stmt uint32) error {
	b.mu.Lock()
	pending := false
	for _, buf := range b.open {
		pending = pending || buf.stmt < stmt
	}
	for _, buf := range b.sealed {
		pending = pending || buf.stmt < stmt && buf.done != nil
	}
	b.mu.Unlock()
	if !pending {
		return nil
	}
	b.sealAll(stmt)
	b.mu.Lock()
	sealed := slices.Clone(b.sealed)
	b.mu.Unlock()
	for _, buf := range sealed {
		if buf.stmt < stmt && buf.done != nil {
			<-buf.done
			if buf.err != nil {
				return buf.err
			}
		}
	}
	return nil
}

// failed is the error of a buffer or of entries that could not be written.
func (b *bulkWrites) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lost != nil {
		return b.lost
	}
	for _, buf := range b.sealed {
		if buf.err != nil {
			return buf.err
		}
	}
	return nil
}

// holds reports whether the transaction inserted key and has not taken that back.
func (b *bulkWrites) holds(key []byte) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.holdsLocked(key)
}

func (b *bulkWrites) holdsLocked(key []byte) (bool, error) {
	space, ok := columns.SpaceOf(key)
	if !ok {
		return false, nil
	}
	h, hashed := uint64(0), false
	hash := func() uint64 {
		if !hashed {
			h, hashed = xxh3.Hash(key), true
		}
		return h
	}
	for _, list := range [2][]*bulkBuffer{b.open, b.sealed} {
		for _, buf := range list {
			if buf.space != space || buf.filter != nil && !buf.filter.has(hash()) {
				continue
			}
			for i := range buf.parts {
				if buf.parts[i].Has(key) {
					return true, nil
				}
			}
		}
	}
	for _, g := range b.segs {
		if g.Space() == space {
			if ok, err := g.Has(key[len(space):]); ok || err != nil {
				return ok, err
			}
		}
	}
	return false, nil
}

// holdsAny reports whether the transaction inserted one of keys before.
func (b *bulkWrites) holdsAny(keys [][]byte) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.mayHoldInLocked(keys[0], keys[len(keys)-1]) {
		return false, nil
	}
	for _, k := range keys {
		if ok, err := b.holdsLocked(k); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// mayHoldIn reports whether there may be a key in [lower, upper].
func (b *bulkWrites) mayHoldIn(lower, upper []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mayHoldInLocked(lower, upper)
}

func (b *bulkWrites) mayHoldInLocked(lower, upper []byte) bool {
	for _, list := range [2][]*bulkBuffer{b.open, b.sealed} {
		for _, buf := range list {
			for _, p := range buf.parts {
				if bytes.Compare(p.Keys[0], upper) <= 0 && bytes.Compare(lower, p.Keys[len(p.Keys)-1]) <= 0 {
					return true
				}
			}
		}
	}
	for i := range b.segs {
		if b.segs[i].reaches(lower, upper) {
			return true
		}
	}
	return false
}

// reaches reports whether the rows' keys reach into [lower, upper].
func (g *ownSegment) reaches(lower, upper []byte) bool {
	s := g.Space()
	return compareJoined(s[:], g.First(), upper) <= 0 && compareJoined(s[:], g.Last(), lower) >= 0
}

// compareJoined compares a+b with k.
func compareJoined(a, b, k []byte) int {
	if n := min(len(a), len(k)); true {
		if c := bytes.Compare(a[:n], k[:n]); c != 0 {
			return c
		}
	}
	if len(k) <= len(a) {
		if len(k) < len(a) || len(b) > 0 {
			return 1
		}
		return 0
	}
	return bytes.Compare(b, k[len(a):])
}

// visible are the segments with rows of statements before stmt in [lower, upper), in
// the order they were made.
func (b *bulkWrites) visible(lower, upper []byte, stmt uint32) ([]ownSegment, error) {
	b.mu.Lock()
	reaches := false
	for _, list := range [2][]*bulkBuffer{b.open, b.sealed} {
		for _, buf := range list {
			for _, p := range buf.parts {
				reaches = reaches || buf.stmt < stmt && bytes.Compare(p.Keys[0], upper) < 0 && bytes.Compare(lower, p.Keys[len(p.Keys)-1]) <= 0
			}
		}
	}
	b.mu.Unlock()
	if reaches {
		if err := b.settle(stmt); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []ownSegment
	for _, g := range b.segs {
		if s := g.Space(); g.stmt < stmt && g.reaches(lower, upper) && compareJoined(s[:], g.First(), upper) < 0 {
			out = append(out, g)
		}
	}
	return out, nil
}

// newest reads a key that a statement before stmt inserted.
func (b *bulkWrites) newest(key []byte, stmt uint32) (*write, error) {
	segs, err := b.visible(key, append(bytes.Clone(key), 0), stmt)
	if err != nil {
		return nil, err
	}
	for _, g := range segs {
		s := g.Space()
		v, ok, err := g.Get(key[len(s):], []byte{})
		if err != nil {
			return nil, err
		}
		if ok {
			return &write{key: bytes.Clone(key), value: v, stmt: g.stmt, seq: g.seq}, nil
		}
	}
	return nil, nil
}

// cut takes back the rows inserted after seq. A buffer is all before or all after:
// Savepoint seals.
func (b *bulkWrites) cut(seq uint64) {
	b.cutEntries(seq)
	b.mu.Lock()
	b.open = slices.DeleteFunc(b.open, func(x *bulkBuffer) bool { return x.first > seq })
	sealed := slices.Clone(b.sealed)
	b.mu.Unlock()
	for _, buf := range sealed {
		if buf.first > seq && buf.done != nil {
			<-buf.done
		}
	}
	var gone []*columns.Segment
	b.mu.Lock()
	b.sealed = slices.DeleteFunc(b.sealed, func(x *bulkBuffer) bool { return x.first > seq })
	b.segs = slices.DeleteFunc(b.segs, func(g ownSegment) bool {
		if g.seq > seq {
			gone = append(gone, g.Segment)
		}
		return g.seq > seq
	})
	b.mu.Unlock()
	b.store.Discard(gone...)
}

// hasBulk reports whether there are rows inserted in bulk.
func (t *transaction) hasBulk() bool {
	b := t.bulk.Load()
	return b != nil && b.any()
}

// bulkCommit is the part of bulk inserts in a commit. A nil one has none.
type bulkCommit struct {
	b   *bulkWrites
	add *columns.Addition
}

// prepareBulk prepares the commit of the provisional segments, all of which are
// written, just below ts; nil when there are none.
func (t *transaction) prepareBulk(ts Timestamp) *bulkCommit {
	b := t.bulk.Load()
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.segs) == 0 {
		return nil
	}
	segs := make([]*columns.Segment, len(b.segs))
	for i, g := range b.segs {
		segs[i] = g.Segment
	}
	return &bulkCommit{b, b.store.AddLoose(uint64(ts)-1, segs)}
}

// records are the local keys that must be committed.
func (c *bulkCommit) records() []columns.LocalRecord {
	if c == nil {
		return nil
	}
	return c.add.Records()
}

// done ends the commit; not committed, the segments stay the transaction's.
func (c *bulkCommit) done(committed bool) {
	if c == nil {
		return
	}
	c.add.Done(committed)
	if committed {
		c.lost()
	}
}

// lost makes the transaction forget the segments: they are the store's, or nobody
// knows, and the next start will see.
func (c *bulkCommit) lost() {
	if c != nil {
		c.b.mu.Lock()
		c.b.segs = nil
		c.b.mu.Unlock()
	}
}

// any reports whether rows were inserted and not taken back.
func (b *bulkWrites) any() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.open)+len(b.sealed)+len(b.segs) > 0
}

// bulkSource walks the rows of own segments in [lower, upper).
func bulkSource(segs []ownSegment, lower, upper []byte, reverse bool) writeSource {
	bySpace := map[columns.Space][]*columns.Segment{}
	var spaces []columns.Space
	for _, g := range segs {
		s := g.Space()
		if bySpace[s] == nil {
			spaces = append(spaces, s)
		}
		bySpace[s] = append(bySpace[s], g.Segment)
	}
	sort.Slice(spaces, func(i, j int) bool { return (bytes.Compare(spaces[i][:], spaces[j][:]) < 0) != reverse })
	src := &segmentSource{}
	for _, s := range spaces {
		src.its = append(src.its, columns.NewIter(bySpace[s], lower, upper, reverse))
	}
	return src
}

// segmentSource is iterators of several spaces, one after the other.
type segmentSource struct {
	its []*columns.Iter
	at  int
	w   write
}

func (s *segmentSource) next() (*write, error) {
	for ; s.at < len(s.its); s.at++ {
		it := s.its[s.at]
		if it.Next() {
			v, err := it.Value()
			if err != nil {
				return nil, err
			}
			s.w = write{key: it.Key(), value: v}
			return &s.w, nil
		}
		if err := it.Err(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (s *segmentSource) close() (err error) {
	for _, it := range s.its {
		if e := it.Close(); err == nil {
			err = e
		}
	}
	s.its = nil
	return err
}

// overlaidSource lays newer writes over older ones.
type overlaidSource struct {
	newer, older writeSource
	reverse      bool
	n, o         *write
	stepN, stepO bool
	started      bool
}

func (s *overlaidSource) next() (*write, error) {
	if !s.started {
		s.started, s.stepN, s.stepO = true, true, true
	}
	var err error
	if s.stepN {
		if s.n, err = s.newer.next(); err != nil {
			return nil, err
		}
	}
	if s.stepO {
		if s.o, err = s.older.next(); err != nil {
			return nil, err
		}
	}
	s.stepN, s.stepO = false, false
	switch {
	case s.n == nil && s.o == nil:
		return nil, nil
	case s.o == nil:
		s.stepN = true
		return s.n, nil
	case s.n == nil:
		s.stepO = true
		return s.o, nil
	}
	c := bytes.Compare(s.n.key, s.o.key)
	if s.reverse {
		c = -c
	}
	s.stepN, s.stepO = c <= 0, c >= 0
	if s.stepN {
		return s.n, nil
	}
	return s.o, nil
}

func (s *overlaidSource) close() error {
	err := s.newer.close()
	if e := s.older.close(); err == nil {
		err = e
	}
	return err
}

// bulkParts adds the own segments to the parts of a range.
func (t *transaction) bulkParts(p *ColumnParts, lower, upper []byte, stmt uint32) error {
	b := t.bulk.Load()
	if b == nil {
		return nil
	}
	segs, err := b.visible(lower, upper, stmt)
	if err != nil {
		return err
	}
	for _, g := range segs {
		part, ok, err := columns.WholePart(g.Segment, lower, upper, OwnTimestamp(g.seq))
		if err != nil {
			return err
		}
		if ok {
			p.Parts = append(p.Parts, part)
		}
	}
	return nil
}
