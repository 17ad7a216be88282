package txn

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/storage/engine"
)

// The record of a prepared transaction: local keys (format version 1; 2 for one of several
// nodes, whose writes and other locks are in its branches' intents; integers big endian,
// strings as uvarint length and bytes).
//
//	prepared/ id:8 chunk:4    chunk 0, the header, is written last, in one batch with the
//	                          directory records of its segments (storage/columns):
//	                          version:1 | state:1 | chunks:4 | owner:4 | database:4 |
//	                          time:8, microseconds of 1970 | isolation:1 | flags:1 |
//	                          snapshot:8, of SERIALIZABLE | string gid | string note
//	                          state: 1 prepared, 2 committed: what is left is to be removed
//	                          flags: 1 read only, 2 SERIALIZABLE keeps notes of it, 4 writes
//	                          stand for locks (implicit.go), 8 the catalog has changed (version 2)
//	                          version 2 adds: uvarint number of nodes | for each a uvarint:
//	                          twice its id, and 1 if it has writes
//	                          chunk k ≥ 1: entries one after the other, each a tag:1 and
//	                          1 write:     flags:1 | string key | string value, as an intent's
//	                          2 lock:      table:1 (1 rows, 2 relations, 3 advisory) | mode:1 | string key
//	                          3 read key:  string
//	                          4 read range: string lower | string upper
//	                          5 segment:   uvarint number of the directory record
//	                          6 wrote key: string, a note of SERIALIZABLE (version 2)
//	                          7 wrote range: string lower | string upper (version 2)
//
// Chunks without a header are what a crash has left of an unfinished PREPARE, or of a
// finished COMMIT or ROLLBACK PREPARED: the next start removes them.
const (
	preparedVersion   = 1
	preparedHosted    = 2 // the version of one of several nodes
	preparedState     = 1
	preparedCommitted = 2

	preparedReadOnly = 1
	preparedNotes    = 2
	preparedImplicit = 4
	preparedCatalog  = 8

	preparedFixedLen = 32
)

// Tags of entries.
const (
	entryWrite = iota + 1
	entryLock
	entryReadKey
	entryReadRange
	entrySegment
	entryWroteKey
	entryWroteRange
)

// Lock tables by their number in a record.
const (
	recordRows = iota + 1
	recordRelations
	recordAdvisory
)

const preparedPrefix = "prepared/"

var preparedEnd = []byte("prepared0")

func preparedKey(id ID, chunk uint32) []byte {
	k := binary.BigEndian.AppendUint64([]byte(preparedPrefix), uint64(id))
	return binary.BigEndian.AppendUint32(k, chunk)
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// preparedHeader is chunk 0.
type preparedHeader struct {
	state           byte
	chunks          uint32
	owner, database uint32
	time            time.Time
	isolation       Isolation
	flags           byte
	snapshot        Timestamp
	gid             string
	note            []byte
	hosted          bool // version 2
	parts           []PreparedPart
}

// preparedPartsMax bounds the nodes of a record.
const preparedPartsMax = 1 << 16

func (h *preparedHeader) encode() []byte {
	b := []byte{preparedVersion, h.state}
	if h.hosted {
		b[0] = preparedHosted
	}
	b = binary.BigEndian.AppendUint32(b, h.chunks)
	b = binary.BigEndian.AppendUint32(b, h.owner)
	b = binary.BigEndian.AppendUint32(b, h.database)
	b = binary.BigEndian.AppendUint64(b, uint64(h.time.UnixMicro()))
	b = append(b, byte(h.isolation), h.flags)
	b = binary.BigEndian.AppendUint64(b, uint64(h.snapshot))
	b = appendBytes(appendBytes(b, []byte(h.gid)), h.note)
	if !h.hosted {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(h.parts)))
	for _, p := range h.parts {
		n := uint64(p.Node) << 1
		if p.Wrote {
			n |= 1
		}
		b = binary.AppendUvarint(b, n)
	}
	return b
}

// decodePreparedHeader reads chunk 0. XX001 when it is malformed, 0A000 of a later version.
func decodePreparedHeader(b []byte) (*preparedHeader, error) {
	if len(b) > 0 && b[0] > preparedHosted {
		return nil, pgerror.New(pgerror.FeatureNotSupported, "a prepared transaction has a record of version %d, this program reads versions up to %d", b[0], preparedHosted)
	}
	bad := pgerror.New(pgerror.DataCorrupted, "malformed record of a prepared transaction")
	if len(b) < preparedFixedLen || b[0] == 0 || b[1] != preparedState && b[1] != preparedCommitted ||
		b[22] > byte(Serializable) || b[23] > preparedReadOnly|preparedNotes|preparedImplicit|preparedCatalog {
		return nil, bad
	}
	h := &preparedHeader{state: b[1], chunks: binary.BigEndian.Uint32(b[2:]), owner: binary.BigEndian.Uint32(b[6:]), database: binary.BigEndian.Uint32(b[10:]),
		time: time.UnixMicro(int64(binary.BigEndian.Uint64(b[14:]))), isolation: Isolation(b[22]), flags: b[23], snapshot: Timestamp(binary.BigEndian.Uint64(b[24:]))}
	d := entryReader{b: b[preparedFixedLen:]}
	h.gid, h.note = string(d.string()), slices.Clone(d.string())
	if h.hosted = b[0] == preparedHosted; h.hosted {
		n := d.uvarint()
		if n > preparedPartsMax {
			return nil, bad
		}
		for range n {
			x := d.uvarint()
			if x>>1 == 0 || x>>1 > math.MaxUint32 {
				return nil, bad
			}
			h.parts = append(h.parts, PreparedPart{Node: NodeID(x >> 1), Wrote: x&1 != 0})
		}
	}
	if d.bad || len(d.b) > 0 {
		return nil, bad
	}
	return h, nil
}

// entryReader takes entries apart; bad is set at the first malformed field. What it
// gives lies in b.
type entryReader struct {
	b   []byte
	bad bool
}

func (r *entryReader) byte() byte {
	if r.bad || len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *entryReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.bad || n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *entryReader) string() []byte {
	n := r.uvarint()
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	s := r.b[:n:n]
	r.b = r.b[n:]
	return s
}

// entry is one entry of a chunk.
type entry struct {
	tag             byte
	key, value      []byte // of a range the bounds
	del, overwrites bool
	table           byte
	mode            lockMode
	segment         uint64
}

// eachEntry calls f for the entries of a chunk.
func eachEntry(chunk []byte, f func(e *entry) error) error {
	bad := pgerror.New(pgerror.DataCorrupted, "malformed record of a prepared transaction")
	for len(chunk) > 0 {
		e := entry{tag: chunk[0]}
		chunk = chunk[1:]
		if e.tag == entryWrite {
			var err error
			if e.key, e.value, e.del, e.overwrites, chunk, err = readIntent(chunk); err != nil {
				return bad
			}
		} else {
			d := entryReader{b: chunk}
			switch e.tag {
			case entryLock:
				e.table, e.mode, e.key = d.byte(), lockMode(d.byte()), d.string()
			case entryReadKey, entryWroteKey:
				e.key = d.string()
			case entryReadRange, entryWroteRange:
				e.key, e.value = d.string(), d.string()
			case entrySegment:
				e.segment = d.uvarint()
			default:
				return bad
			}
			if d.bad {
				return bad
			}
			chunk = d.b
		}
		if err := f(&e); err != nil {
			return err
		}
	}
	return nil
}

// recordWriter writes the chunks of a record.
type recordWriter struct {
	m      *Manager
	key    func(chunk uint32) []byte
	chunks uint32
	buf    []byte
}

func (m *Manager) preparedWriter(id ID) *recordWriter {
	return &recordWriter{m: m, key: func(chunk uint32) []byte { return preparedKey(id, chunk) }}
}

func (w *recordWriter) flush(least int) error {
	if len(w.buf) == 0 || len(w.buf) < least {
		return nil
	}
	w.chunks++
	err := w.m.eng.LocalSet(w.key(w.chunks), w.buf, false)
	w.buf = w.buf[:0]
	return err
}

func (w *recordWriter) lock(table byte, mode lockMode, key []byte) error {
	w.buf = appendBytes(append(w.buf, entryLock, table, byte(mode)), key)
	return w.flush(intentChunkBytes)
}

// writeRecord makes the transaction's record durable. On an error nothing of it counts,
// but after 08007.
func (t *transaction) writeRecord(ctx context.Context, id ID, info *PreparedInfo, advisory *AdvisoryLocks) error {
	w := t.m.preparedWriter(id)
	err := t.writeEntries(ctx, w, advisory)
	h := preparedHeader{state: preparedState, chunks: w.chunks, owner: info.Owner, database: info.Database, time: info.Time,
		isolation: t.opts.Isolation, gid: info.GID, note: info.Note}
	if t.opts.ReadOnly {
		h.flags |= preparedReadOnly
	}
	if t.sx != nil {
		h.flags |= preparedNotes
		h.snapshot = t.sx.snapshot
	}
	if t.spill.Load() != nil {
		h.flags |= preparedImplicit
	}
	b := t.m.eng.NewBatch(0)
	if err == nil {
		err = b.LocalSet(preparedKey(id, 0), h.encode())
	}
	if bulk := t.bulk.Load(); bulk != nil {
		for _, r := range bulk.store.PreparedRecords(bulk.segments()) {
			if err == nil {
				err = b.LocalSet(r.Key, r.Value)
			}
		}
	}
	if err != nil {
		b.Close()
		_ = t.m.eng.LocalDeleteRange(preparedKey(id, 0), preparedKey(id+1, 0)) // or the next start does it
		return err
	}
	if err := b.Commit(true); err != nil {
		return unknownOutcome(err)
	}
	t.recordChunks = w.chunks
	return nil
}

// recordKeysMax is how many keys of a record are deleted one by one: a range costs
// readers of what is beside it.
const recordKeysMax = 16

// deleteRecord deletes the transaction's record.
func (t *transaction) deleteRecord(b *engine.Batch) error {
	id := t.ID()
	if t.recordChunks >= recordKeysMax {
		return b.LocalDeleteRange(preparedKey(id, 0), preparedKey(id+1, 0))
	}
	for c := range t.recordChunks + 1 {
		if err := b.LocalDelete(preparedKey(id, c)); err != nil {
			return err
		}
	}
	return nil
}

// decidedRecord is what a commit by files leaves in place of the header.
func (t *transaction) decidedRecord() columns.LocalRecord {
	h := preparedHeader{state: preparedCommitted}
	return columns.LocalRecord{Key: preparedKey(t.ID(), 0), Value: h.encode()}
}

// writeLocks writes the locks on rows and tables.
func (t *transaction) writeLocks(w *recordWriter) error {
	for _, h := range t.owner.held {
		table := byte(recordRows)
		if h.e.t == t.m.rels {
			table = recordRelations
		}
		if err := w.lock(table, h.mode, []byte(h.e.key)); err != nil {
			return err
		}
	}
	return nil
}

// writeReads writes the notes of what the transaction has read.
func (t *transaction) writeReads(w *recordWriter) error {
	if t.sx == nil {
		return nil
	}
	keys, ranges := t.m.ssi.readsOf(t.sx)
	for _, k := range keys {
		w.buf = appendBytes(append(w.buf, entryReadKey), k)
		if err := w.flush(intentChunkBytes); err != nil {
			return err
		}
	}
	for _, r := range ranges {
		w.buf = appendBytes(appendBytes(append(w.buf, entryReadRange), r.lower), r.upper)
		if err := w.flush(intentChunkBytes); err != nil {
			return err
		}
	}
	return nil
}

// writeEntries writes all chunks but the header.
func (t *transaction) writeEntries(ctx context.Context, w *recordWriter, advisory *AdvisoryLocks) error {
	if err := t.writeLocks(w); err != nil { // a start takes them before it makes the writes
		return err
	}
	if advisory != nil {
		for _, h := range advisory.transactions() {
			if err := w.lock(recordAdvisory, h.mode, h.key.append(nil)); err != nil {
				return err
			}
		}
	}
	err := t.eachWrite(ctx, func(key, value []byte, del, overwrites bool) error {
		w.buf = appendIntent(append(w.buf, entryWrite), key, value, del, overwrites)
		return w.flush(intentChunkBytes)
	})
	if err != nil {
		return err
	}
	if b := t.bulk.Load(); b != nil {
		for _, g := range b.segments() {
			w.buf = binary.AppendUvarint(append(w.buf, entrySegment), g.Number())
			if err := w.flush(intentChunkBytes); err != nil {
				return err
			}
		}
	}
	if err := t.writeReads(w); err != nil {
		return err
	}
	return w.flush(0)
}

// recoverPrepared makes the transactions anew that were prepared when the store was last
// open, and removes what is left of others. All are kept, however few the manager is to
// have: who prepared them was promised that.
func (m *Manager) recoverPrepared() error {
	headers := map[ID]*preparedHeader{}
	gone := map[ID]bool{}
	var ids []ID
	err := m.eng.LocalScan([]byte(preparedPrefix), preparedEnd, func(key, value []byte) error {
		if len(key) != len(preparedPrefix)+12 {
			return pgerror.New(pgerror.DataCorrupted, "malformed key %x of a prepared transaction", key)
		}
		id := ID(binary.BigEndian.Uint64(key[len(preparedPrefix):]))
		if binary.BigEndian.Uint32(key[len(preparedPrefix)+8:]) != 0 {
			gone[id] = headers[id] == nil
			return nil
		}
		h, err := decodePreparedHeader(value)
		if err != nil {
			return err
		}
		if h.state == preparedCommitted {
			gone[id] = true
			return nil
		}
		headers[id] = h
		ids = append(ids, id)
		return nil
	})
	if err != nil {
		return err
	}
	for id, g := range gone {
		if g {
			if err := m.eng.LocalDeleteRange(preparedKey(id, 0), preparedKey(id+1, 0)); err != nil {
				return err
			}
		}
	}
	for _, id := range ids {
		if err := m.recoverOne(id, headers[id]); err != nil {
			return err
		}
	}
	if c, ok := m.eng.Columns().(*columns.Store); ok {
		if left := c.Unclaimed(); len(left) > 0 {
			return pgerror.New(pgerror.DataCorrupted, "column segment %x belongs to a prepared transaction that has no record", left[0])
		}
	}
	return nil
}

// recoverOne makes a prepared transaction anew.
func (m *Manager) recoverOne(id ID, h *preparedHeader) error {
	ctx := context.Background()
	t := newTransaction(m, Options{Isolation: h.isolation, ReadOnly: h.flags&preparedReadOnly != 0})
	t.idOnce.Do(func() { t.id.Store(uint64(id)) })
	t.owner.id = id
	t.stmt = 1
	if h.flags&preparedNotes != 0 {
		t.sx = m.ssi.recover(h.snapshot, t.opts.ReadOnly)
	}
	var segments []uint64
	var read uint32
	err := m.eng.LocalScan(preparedKey(id, 1), preparedKey(id+1, 0), func(_, chunk []byte) error {
		read++
		return eachEntry(chunk, func(e *entry) error {
			t.seq++
			switch e.tag {
			case entryWrite:
				t.wrote = t.seq
				t.writes.put(e.key, e.value, e.del, e.overwrites, t.stmt, t.seq)
				if t.sx != nil {
					m.ssi.noteWrite(t.sx, e.key)
				}
				if t.writes.bytes > min(preparedMemoryMax, m.cfg.SpillBytes) {
					return t.spillWrites(ctx)
				}
			case entryLock:
				return t.relock(ctx, e)
			case entryReadKey:
				m.ssi.noteRead(t.sx, e.key, nil)
			case entryReadRange:
				m.ssi.noteRead(t.sx, e.key, e.value)
			case entryWroteKey:
				m.ssi.recoverWrite(t.sx, e.key, nil)
			case entryWroteRange:
				m.ssi.recoverWrite(t.sx, e.key, e.value)
			case entrySegment:
				segments = append(segments, e.segment)
			}
			return nil
		})
	})
	if err == nil && read != h.chunks {
		err = pgerror.New(pgerror.DataCorrupted, "the record of prepared transaction \"%s\" has %d of %d chunks", h.gid, read, h.chunks)
	}
	if err == nil && h.flags&preparedImplicit != 0 && t.writes.len() > 0 {
		err = t.spillWrites(ctx)
	}
	if err == nil && len(segments) > 0 {
		err = t.adopt(segments)
	}
	if err != nil {
		return err
	}
	t.state, t.recordChunks = txnPrepared, h.chunks
	p := &PreparedTxn{m: m, t: t, recovered: true,
		info: PreparedInfo{Txn: id, GID: h.gid, Backend: -1, Owner: h.owner, Database: h.database, Time: h.time, Note: h.note}}
	if h.hosted {
		p.hosted = &hostedPrepared{id: id, state: hostedReady, parts: h.parts, catalog: h.flags&preparedCatalog != 0}
		if _, state, err := m.outcome(id); err != nil {
			return err
		} else if state == OutcomeCommitted { // what is left is to end it on all nodes
			t.state = txnCommitted
			t.end()
			m.prepared.decided = append(m.prepared.decided, p)
			return nil
		}
	}
	m.prepared.byGID[h.gid] = p
	return nil
}

// relock takes a lock of a record again.
func (t *transaction) relock(ctx context.Context, e *entry) error {
	var table *lockTable
	switch e.table {
	case recordRows:
		table = t.m.rows
	case recordRelations:
		table = t.m.rels
	case recordAdvisory:
		table = t.m.advisory
	}
	if table == nil || int(e.mode) >= len(table.kind.conflicts) || table == t.m.advisory && len(e.key) != advisoryKeyLen || table == t.m.rels && len(e.key) != 8 {
		return pgerror.New(pgerror.DataCorrupted, "malformed lock in the record of a prepared transaction")
	}
	out, err := table.acquire(ctx, &t.owner, lockRequest{key: e.key, mode: e.mode, policy: WaitError, seq: t.seq})
	if err == nil && out != lockGranted {
		err = pgerror.New(pgerror.DataCorrupted, "two prepared transactions have locks that exclude each other")
	}
	return err
}

// adopt takes the transaction's segments.
func (t *transaction) adopt(numbers []uint64) error {
	c := t.columnStore()
	if c == nil {
		return pgerror.New(pgerror.DataCorrupted, "a prepared transaction has column segments, the store has none")
	}
	segs, err := c.TakePrepared(numbers)
	if err != nil {
		return err
	}
	b := &bulkWrites{t: t, store: c}
	for _, g := range segs {
		t.seq++
		b.segs = append(b.segs, ownSegment{g, t.stmt, t.seq})
	}
	t.bulk.Store(b)
	t.m.rows.implicit.register(t)
	return nil
}
