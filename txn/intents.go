package txn

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/storage/engine"
)

// Intents are a branch's writes made durable before its transaction is decided,
// and records say how it was. Both are local keys (format version 1, integers
// big endian):
//
//	intent/ id:8 chunk:4      chunk 0, the header, is written last:
//	                          version:1 | record node:4 | gateway:4 | chunks:4 | isolation:1
//	                          version 2, of a branch that PREPARE TRANSACTION has left, adds
//	                          lock chunks:4 | flags:1 (1 writes stand for locks, see implicit.go)
//	                          chunk k ≥ 1: writes one after the other, ascending by key:
//	                          flags:1 (1 tombstone, 2 overwrites) | uvarint, key | uvarint, value
//	                          chunk k ≥ 2^31: locks, as entries of the record of a prepared
//	                          transaction (twophase_record.go)
//	record/ id:8              version:1 = 1 | state:1 (Outcome) | timestamp:8
//
// Chunks without a header are what a crash has left of an unfinished Prepare:
// the next start removes them.
const (
	intentVersion    = 1
	intentHeld       = 2
	intentChunkBytes = 1 << 20
	intentHeaderLen  = 14
	intentHeldLen    = 19
	intentLockChunk  = 1 << 31
	recordLen        = 10

	intentDeleted    = 1
	intentOverwrites = 2
)

func intentKey(id ID, chunk uint32) []byte {
	k := binary.BigEndian.AppendUint64([]byte("intent/"), uint64(id))
	return binary.BigEndian.AppendUint32(k, chunk)
}

// intentsEnd is above all chunks of a transaction.
func intentsEnd(id ID) []byte { return intentKey(id+1, 0) }

func recordKey(id ID) []byte { return binary.BigEndian.AppendUint64([]byte("record/"), uint64(id)) }

// eachWrite calls f for the newest write of every key, ascending. The bytes are
// valid during the call. It moves spilled transactions' writes to their runs first.
func (t *transaction) eachWrite(ctx context.Context, f func(key, value []byte, del, overwrites bool) error) error {
	if t.spill.Load() == nil {
		return t.writes.ascend(func(x *write) error { return f(x.key, x.value, x.del, x.overwrites) })
	}
	if t.writes.len() > 0 {
		if err := t.spillWrites(ctx); err != nil {
			return err
		}
	}
	s := t.spill.Load()
	it, err := t.m.eng.OpenRuns(s.paths(), nil, nil, false)
	if err != nil {
		return err
	}
	defer it.Close()
	accept := s.acceptor(noStatement)
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return contextError(ctx)
		}
		e, err := it.Next(accept)
		if err != nil {
			return err
		}
		if e == nil {
			return nil
		}
		if err := f(e.Key, e.Value, e.Deleted, e.Overwrites); err != nil {
			return err
		}
	}
}

// Prepare implements Participant.
func (p *Branches) Prepare(ctx context.Context, b Branch, record NodeID) error {
	b.Begun = true
	return p.with(context.WithoutCancel(ctx), b, ReadAt{}, func(x *branch) error {
		if x.prepared || record == 0 && x.t.spill.Load() == nil {
			return nil
		}
		return p.prepare(ctx, x, record)
	})
}

func (p *Branches) prepare(ctx context.Context, x *branch, record NodeID) error {
	chunks, err := p.writeIntents(ctx, x)
	if err != nil {
		return err
	}
	h := intentHeader{record: record, gateway: x.b.Gateway, chunks: chunks, isolation: x.b.Isolation}
	if err := p.m.eng.LocalSet(intentKey(x.b.Txn, 0), h.encode(), true); err != nil {
		return err
	}
	x.prepared, x.record = true, record
	return nil
}

// writeIntents writes the chunks of writes.
func (p *Branches) writeIntents(ctx context.Context, x *branch) (chunks uint32, err error) {
	if err := p.m.eng.Room(int64(x.t.writes.bytes)); err != nil {
		return 0, err
	}
	var buf []byte
	flush := func() error {
		if len(buf) == 0 {
			return nil
		}
		chunks++
		err := p.m.eng.LocalSet(intentKey(x.b.Txn, chunks), buf, false)
		buf = buf[:0]
		return err
	}
	err = x.t.eachWrite(ctx, func(key, value []byte, del, overwrites bool) error {
		buf = appendIntent(buf, key, value, del, overwrites)
		if len(buf) < intentChunkBytes {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	return chunks, err
}

// intentHeader is chunk 0.
type intentHeader struct {
	record, gateway NodeID
	chunks          uint32
	isolation       Isolation
	held            bool // version 2
	lockChunks      uint32
	implicit        bool
}

func (h *intentHeader) encode() []byte {
	b := []byte{intentVersion}
	if h.held {
		b[0] = intentHeld
	}
	b = binary.BigEndian.AppendUint32(b, uint32(h.record))
	b = binary.BigEndian.AppendUint32(b, uint32(h.gateway))
	b = binary.BigEndian.AppendUint32(b, h.chunks)
	b = append(b, byte(h.isolation))
	if h.held {
		b = append(binary.BigEndian.AppendUint32(b, h.lockChunks), 0)
		if h.implicit {
			b[len(b)-1] = 1
		}
	}
	return b
}

// decodeIntentHeader reads chunk 0. XX001 when it is malformed, 0A000 of a later version.
func decodeIntentHeader(b []byte) (*intentHeader, error) {
	if len(b) > 0 && b[0] > intentHeld {
		return nil, pgerror.New(pgerror.FeatureNotSupported, "a transaction in doubt has a header of version %d, this program reads versions up to %d", b[0], intentHeld)
	}
	held := len(b) > 0 && b[0] == intentHeld
	if len(b) == 0 || b[0] == 0 || !held && len(b) != intentHeaderLen || held && (len(b) != intentHeldLen || b[18] > 1) || b[13] > byte(Serializable) {
		return nil, pgerror.New(pgerror.DataCorrupted, "malformed header of a transaction in doubt")
	}
	h := &intentHeader{record: NodeID(binary.BigEndian.Uint32(b[1:])), gateway: NodeID(binary.BigEndian.Uint32(b[5:])), chunks: binary.BigEndian.Uint32(b[9:]),
		isolation: Isolation(b[13]), held: held}
	if held {
		h.lockChunks, h.implicit = binary.BigEndian.Uint32(b[14:]), b[18] == 1
	}
	return h, nil
}

func appendIntent(dst, key, value []byte, del, overwrites bool) []byte {
	var flags byte
	if del {
		flags |= intentDeleted
	}
	if overwrites {
		flags |= intentOverwrites
	}
	dst = append(dst, flags)
	dst = append(binary.AppendUvarint(dst, uint64(len(key))), key...)
	return append(binary.AppendUvarint(dst, uint64(len(value))), value...)
}

// readIntent takes the next write off a chunk.
func readIntent(b []byte) (key, value []byte, del, overwrites bool, rest []byte, err error) {
	bad := func() ([]byte, []byte, bool, bool, []byte, error) {
		return nil, nil, false, false, nil, pgerror.New(pgerror.DataCorrupted, "malformed intent record")
	}
	if len(b) == 0 || b[0] > intentDeleted|intentOverwrites {
		return bad()
	}
	del, overwrites = b[0]&intentDeleted != 0, b[0]&intentOverwrites != 0
	b = b[1:]
	for _, f := range []*[]byte{&key, &value} {
		n, k := binary.Uvarint(b)
		if k <= 0 || n > uint64(len(b)-k) {
			return bad()
		}
		*f, b = b[k:k+int(n)], b[k+int(n):]
	}
	return key, value, del, overwrites, b, nil
}

// eachIntent calls f for the writes of the stored intents of a transaction.
func (p *Branches) eachIntent(ctx context.Context, id ID, f func(key, value []byte, del, overwrites bool) error) error {
	return p.m.eng.LocalScan(intentKey(id, 1), intentKey(id, intentLockChunk), func(_, chunk []byte) error {
		if ctx.Err() != nil {
			return contextError(ctx)
		}
		for len(chunk) > 0 {
			key, value, del, overwrites, rest, err := readIntent(chunk)
			if err != nil {
				return err
			}
			if err := f(key, value, del, overwrites); err != nil {
				return err
			}
			chunk = rest
		}
		return nil
	})
}

func (p *Branches) dropIntents(id ID) error {
	// The header first: without it the chunks mean nothing.
	b := p.m.eng.NewBatch(0)
	if err := b.LocalDelete(intentKey(id, 0)); err != nil {
		b.Close()
		return err
	}
	if err := b.Commit(true); err != nil {
		return err
	}
	return p.m.eng.LocalDeleteRange(intentKey(id, 0), intentsEnd(id))
}

// recover finds the intents that the last run of the node has left.
func (p *Branches) recover() error {
	var ids []ID
	headers := map[ID]*intentHeader{}
	orphans := map[ID]bool{}
	err := p.m.eng.LocalScan([]byte("intent/"), []byte("intent0"), func(key, value []byte) error {
		if len(key) != len("intent/")+12 {
			return pgerror.New(pgerror.DataCorrupted, "malformed intent key %x", key)
		}
		id := ID(binary.BigEndian.Uint64(key[len("intent/"):]))
		if binary.BigEndian.Uint32(key[len("intent/")+8:]) != 0 {
			if headers[id] == nil {
				orphans[id] = true
			}
			return nil
		}
		h, err := decodeIntentHeader(value)
		if err != nil {
			return err
		}
		headers[id] = h
		ids = append(ids, id)
		return nil
	})
	if err != nil {
		return err
	}
	for id := range orphans {
		if err := p.m.eng.LocalDeleteRange(intentKey(id, 0), intentsEnd(id)); err != nil {
			return err
		}
	}
	for _, id := range ids {
		h := headers[id]
		x := &branch{prepared: true, held: h.held, record: h.record, b: Branch{Txn: id, Gateway: h.gateway, Isolation: h.isolation}}
		x.t = newTransaction(p.m, Options{Isolation: x.b.Isolation})
		x.t.external = true
		x.t.idOnce.Do(func() { x.t.id.Store(uint64(x.b.Txn)) })
		if h.held {
			if err := p.recoverHeld(x, h); err != nil {
				return err
			}
		}
		p.open[x.b.Txn] = x
	}
	return nil
}

// Apply implements Participant.
func (p *Branches) Apply(ctx context.Context, b Branch, ts Timestamp) error {
	b.Begun = true
	return p.with(context.WithoutCancel(ctx), b, ReadAt{}, func(x *branch) error {
		if x.applied {
			return nil
		}
		p.m.commits.Add(1)
		if !x.prepared {
			return p.applySole(ctx, x, ts)
		}
		if x.record == 0 {
			return p.applyAlone(ctx, x, ts)
		}
		if err := p.applyIntents(ctx, x, ts); err != nil {
			return err
		}
		x.applied = true
		return nil
	})
}

// applyAlone decides and applies a transaction whose intents and record are here alone.
func (p *Branches) applyAlone(ctx context.Context, x *branch, ts Timestamp) error {
	if err := p.decide(x.b.Txn, ts); err != nil {
		return err
	}
	if err := p.applyIntents(ctx, x, ts); err != nil {
		return unknownOutcome(err)
	}
	x.applied = true
	return nil
}

// applySole is the commit of a transaction whose only participant this is.
func (p *Branches) applySole(ctx context.Context, x *branch, ts Timestamp) error {
	if x.t.spill.Load() != nil {
		// Too large for one batch: through intents and a record, as with several.
		if err := p.prepare(ctx, x, 0); err != nil {
			return err
		}
		return p.applyAlone(context.WithoutCancel(ctx), x, ts)
	}
	if err := p.m.eng.Room(int64(x.t.writes.bytes)); err != nil {
		return err
	}
	mu := &p.decide64[uint64(x.b.Txn)%uint64(len(p.decide64))]
	mu.Lock()
	defer mu.Unlock()
	if _, state, err := p.outcome(x.b.Txn); err != nil || state == OutcomeAborted {
		if err == nil {
			err = fenced(x.b.Txn)
		}
		return err
	}
	batch := p.m.eng.NewBatch(int(x.t.writes.bytes))
	stale, err := p.addVersions(batch, ts, func(f func(key, value []byte, del, overwrites bool) error) error {
		return x.t.writes.ascend(func(w *write) error { return f(w.key, w.value, w.del, w.overwrites) })
	})
	if err == nil {
		err = batch.LocalSet(recordKey(x.b.Txn), recordValue(OutcomeCommitted, ts))
	}
	if err != nil {
		batch.Close()
		return err
	}
	if err := batch.Commit(true); err != nil {
		return unknownOutcome(err)
	}
	p.m.gc.add(stale)
	x.applied = true
	return nil
}

// addVersions adds writes as versions at ts and lists the keys they overwrite.
func (p *Branches) addVersions(batch *engine.Batch, ts Timestamp, each func(f func(key, value []byte, del, overwrites bool) error) error) ([]staleKey, error) {
	var stale []staleKey
	err := each(func(key, value []byte, del, overwrites bool) error {
		if overwrites {
			stale = append(stale, staleKey{key: bytes.Clone(key), ts: ts})
		}
		if del {
			return batch.DeleteMoved(key, value, engine.Timestamp(ts))
		}
		return batch.Put(key, value, engine.Timestamp(ts))
	})
	return stale, err
}

// applyIntents turns stored intents into versions. It may be repeated.
func (p *Branches) applyIntents(ctx context.Context, x *branch, ts Timestamp) error {
	id := x.b.Txn
	size := 0
	err := p.m.eng.LocalScan(intentKey(id, 1), intentKey(id, intentLockChunk), func(_, chunk []byte) error {
		size += len(chunk)
		return nil
	})
	if err != nil {
		return err
	}
	if size > 16*intentChunkBytes {
		return p.applyFiles(ctx, id, ts)
	}
	batch := p.m.eng.NewBatch(size + size/2)
	stale, err := p.addVersions(batch, ts, func(f func(key, value []byte, del, overwrites bool) error) error {
		return p.eachIntent(ctx, id, f)
	})
	if err == nil {
		err = batch.LocalDelete(intentKey(id, 0))
	}
	if err != nil {
		batch.Close()
		return err
	}
	if err := batch.Commit(true); err != nil {
		return err
	}
	p.m.gc.add(stale)
	return p.m.eng.LocalDeleteRange(intentKey(id, 0), intentsEnd(id))
}

// applyFiles is applyIntents by files that enter the store at once.
func (p *Branches) applyFiles(ctx context.Context, id ID, ts Timestamp) error {
	var paths []string
	defer func() { // what was ingested is gone already
		for _, f := range paths {
			_ = p.m.eng.FS().Remove(f)
		}
	}()
	var w *engine.FileWriter
	finish := func() error {
		if w == nil {
			return nil
		}
		err := w.Finish()
		w = nil
		return err
	}
	overwrote := false
	err := p.eachIntent(ctx, id, func(key, value []byte, del, overwrites bool) (err error) {
		overwrote = overwrote || overwrites
		if w == nil {
			f := p.m.bulk.path(p.m, "versions")
			paths = append(paths, f)
			if w, err = p.m.eng.NewVersionFile(f); err != nil {
				return err
			}
		}
		if err := w.AddVersion(key, value, del, engine.Timestamp(ts)); err != nil {
			return err
		}
		if w.Size() >= versionFileBytes {
			return finish()
		}
		return nil
	})
	if ferr := finish(); err == nil {
		err = ferr
	}
	if err != nil {
		return err
	}
	if len(paths) > 0 {
		if err := p.m.eng.Ingest(context.WithoutCancel(ctx), paths, engine.Timestamp(ts)); err != nil {
			return err
		}
	}
	if overwrote {
		p.m.gc.needSweep(ts)
	}
	return p.dropIntents(id)
}

// fenced is the report of a commit that recovery has forestalled.
func fenced(id ID) error {
	return pgerror.New(pgerror.SerializationFailure, "could not commit transaction %d: it was rolled back because its gateway was silent", id).
		WithHint("The transaction might succeed if retried.")
}

func recordValue(state Outcome, ts Timestamp) []byte {
	return binary.BigEndian.AppendUint64([]byte{intentVersion, byte(state)}, uint64(ts))
}

func (p *Branches) outcome(id ID) (Timestamp, Outcome, error) { return p.m.outcome(id) }

// outcome reads a record.
func (m *Manager) outcome(id ID) (Timestamp, Outcome, error) {
	v, ok, err := m.eng.LocalGet(recordKey(id))
	if err != nil || !ok {
		return 0, OutcomeUnknown, err
	}
	if len(v) != recordLen || v[0] != intentVersion || v[1] == 0 || Outcome(v[1]) > OutcomeAborted {
		return 0, 0, pgerror.New(pgerror.DataCorrupted, "malformed record of transaction %d", id)
	}
	return Timestamp(binary.BigEndian.Uint64(v[2:])), Outcome(v[1]), nil
}

// Decide implements Participant.
func (p *Branches) Decide(_ context.Context, b Branch, ts Timestamp) error {
	return p.decide(b.Txn, ts)
}

func (p *Branches) decide(id ID, ts Timestamp) error {
	mu := &p.decide64[uint64(id)%uint64(len(p.decide64))]
	mu.Lock()
	defer mu.Unlock()
	_, state, err := p.outcome(id)
	switch {
	case err != nil:
		return err
	case state == OutcomeAborted:
		return fenced(id)
	case state == OutcomeCommitted:
		return nil
	case p.find(id) == nil: // recovery has ended the branch, and taken back the record that said so
		return lost(id)
	}
	if err := p.m.eng.LocalSet(recordKey(id), recordValue(OutcomeCommitted, ts), true); err != nil {
		return unknownOutcome(err)
	}
	return nil
}

// Outcome implements Participant. Without a branch there can be no commit any more, and none
// that anybody need be told of: a fence is needed only while the branch is there.
func (p *Branches) Outcome(_ context.Context, id ID, fence bool) (Timestamp, Outcome, error) {
	mu := &p.decide64[uint64(id)%uint64(len(p.decide64))]
	mu.Lock()
	defer mu.Unlock()
	ts, state, err := p.outcome(id)
	if err != nil || state != OutcomeUnknown {
		return ts, state, err
	}
	if p.m.prepared.isPrepared(id, fence) {
		return 0, OutcomePrepared, nil
	}
	if !fence {
		return 0, OutcomeUnknown, nil
	}
	if p.find(id) == nil {
		return 0, OutcomeAborted, nil
	}
	if err := p.m.eng.LocalSet(recordKey(id), recordValue(OutcomeAborted, 0), true); err != nil {
		return 0, 0, err
	}
	return 0, OutcomeAborted, nil
}

// unfence removes the record of an abort, once the branch that it held back has ended.
// It may be lost in a crash; the next start does it then.
func (p *Branches) unfence(id ID) error {
	mu := &p.decide64[uint64(id)%uint64(len(p.decide64))]
	mu.Lock()
	defer mu.Unlock()
	if _, state, err := p.outcome(id); err != nil || state != OutcomeAborted || p.find(id) != nil {
		return err
	}
	return p.Forget(context.Background(), id)
}

// unfenceAll removes the records of aborts without intents: what a crash has left.
func (p *Branches) unfenceAll() error {
	var ids []ID
	err := p.m.eng.LocalScan([]byte("record/"), []byte("record0"), func(key, value []byte) error {
		if len(key) != len("record/")+8 || len(value) != recordLen {
			return pgerror.New(pgerror.DataCorrupted, "malformed record key %x", key)
		}
		if Outcome(value[1]) == OutcomeAborted {
			ids = append(ids, ID(binary.BigEndian.Uint64(key[len("record/"):])))
		}
		return nil
	})
	for _, id := range ids {
		if err == nil {
			err = p.unfence(id)
		}
	}
	return err
}

// Forget implements Participant. It may be lost in a crash: the record then stays.
func (p *Branches) Forget(_ context.Context, id ID) error {
	b := p.m.eng.NewBatch(0)
	if err := b.LocalDelete(recordKey(id)); err != nil {
		b.Close()
		return err
	}
	return b.Commit(false)
}

// String shows a branch in logs.
func (b Branch) String() string { return fmt.Sprintf("transaction %d of gateway %d", b.Txn, b.Gateway) }

// TestingRecords is the number of records of aborts.
func (p *Branches) TestingRecords() (n int) {
	_ = p.m.eng.LocalScan([]byte("record/"), []byte("record0"), func(_, value []byte) error {
		if Outcome(value[1]) == OutcomeAborted {
			n++
		}
		return nil
	})
	return n
}
