package txn

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/basaltdb/basalt/storage/engine"
)

// Config of a Manager. The zero value is usable.
type Config struct {
	// SpillBytes is how much of a transaction's writes is held in memory before
	// they go to files; 0 for 64 MiB.
	SpillBytes int64
	// PreparedMax is how many transactions may be prepared at a time; 0: none (twophase.go).
	PreparedMax int
	// DisableGC leaves old versions alone (tests).
	DisableGC bool
}

// Manager is the DB of a lone node: all tablets in one engine.
type Manager struct {
	eng    *engine.Engine
	cfg    Config
	oracle oracle
	rows   *lockTable
	rels   *lockTable
	// advisory locks, owned by sessions
	advisory *lockTable
	waits    waits
	gc       *collector
	ssi      serializable
	bulk     bulkState
	prepared preparedSet
	// branches of coordinators' transactions, nil where there are none.
	branches atomic.Pointer[Branches]
	commits  atomic.Uint64

	ids struct {
		sync.Mutex
		c *counter
	}
	// now holds the latches of UpdateNow, by hash of the key.
	now     [64]sync.Mutex
	nowSeed maphash.Seed
}

var (
	_ DB     = (*Manager)(nil)
	_ RowTxn = (*transaction)(nil)
)

// Chunks of numbers that become durable at once.
const (
	timestampChunk = 1 << 20
	idChunk        = 1 << 18
)

// NewManager starts transactions over an engine. Close it before the engine.
func NewManager(eng *engine.Engine, cfg Config) (*Manager, error) {
	if cfg.SpillBytes <= 0 {
		cfg.SpillBytes = 64 << 20
	}
	m := &Manager{eng: eng, cfg: cfg, nowSeed: maphash.MakeSeed()}
	var err error
	if m.oracle.ts, err = openCounter(eng, "oracle", timestampChunk); err != nil {
		return nil, err
	}
	if m.ids.c, err = openCounter(eng, "txnid", idChunk); err != nil {
		return nil, err
	}
	// Everything in the store was committed at or below the bound.
	m.oracle.watermark = Timestamp(m.oracle.ts.last)
	m.ssi.init()
	m.rows = newLockTable(rowLockKind, &m.waits, describeRowWait)
	m.rels = newLockTable(relationLockKind, &m.waits, describeRelationWait)
	m.advisory = newLockTable(advisoryLockKind, &m.waits, describeAdvisoryWait)
	m.prepared.byGID = map[string]*PreparedTxn{}
	if err := m.bulk.init(m); err != nil {
		return nil, err
	}
	if err = m.recoverPrepared(); err == nil {
		m.gc, err = startCollector(m)
	}
	if err != nil {
		m.closeCounters()
		return nil, err
	}
	return m, nil
}

// Close stops the background work. REQUIRES: no transaction open, but prepared ones.
func (m *Manager) Close() error {
	m.closePrepared()
	err := m.gc.stop()
	m.closeCounters()
	return err
}

func (m *Manager) closeCounters() {
	m.oracle.ts.close()
	m.ids.c.close()
}

// Engine is the store beneath.
func (m *Manager) Engine() *engine.Engine { return m.eng }

// Begin implements DB. An ID is drawn when the transaction first needs one.
func (m *Manager) Begin(opts Options) Txn { return newTransaction(m, opts) }

// nextID draws a transaction ID.
func (m *Manager) nextID() ID {
	m.ids.Lock()
	defer m.ids.Unlock()
	id, err := m.ids.c.next()
	if err != nil {
		// The engine has failed, and with it every commit: any ID will do.
		m.ids.c.last++
		id = m.ids.c.last
	}
	return ID(id)
}

// RelationLocksHere implements DB.
func (m *Manager) RelationLocksHere() bool { return true }

// OldestSnapshot implements DB.
func (m *Manager) OldestSnapshot() Timestamp { return m.oracle.horizon() }

// Watermark is the newest snapshot: at or above every acknowledged commit.
func (m *Manager) Watermark() Timestamp { return m.oracle.fresh() }

// nowKey is the local key that holds the value of an UpdateNow key.
func nowKey(buf, key []byte) []byte { return append(append(buf, "now/"...), key...) }

// UpdateNow implements DB.
func (m *Manager) UpdateNow(ctx context.Context, key []byte, f func(old []byte) ([]byte, error)) error {
	if err := ctx.Err(); err != nil {
		return contextError(ctx)
	}
	var kb [64]byte
	k := nowKey(kb[:0], key)
	mu := &m.now[maphash.Bytes(m.nowSeed, key)%uint64(len(m.now))]
	mu.Lock()
	defer mu.Unlock()
	old, ok, err := m.eng.LocalGet(k)
	if err != nil {
		return err
	}
	if !ok {
		old = nil
	}
	v, err := f(old)
	if err != nil {
		return err
	}
	return m.eng.LocalSet(k, v, false)
}

// ReadNow implements DB.
func (m *Manager) ReadNow(_ context.Context, key []byte) ([]byte, error) {
	var kb [64]byte
	v, ok, err := m.eng.LocalGet(nowKey(kb[:0], key))
	if err != nil || !ok {
		return nil, err
	}
	return v, nil
}

// DropRanges removes every version of the keys in some ranges at once; for keys of
// the system tablet also what UpdateNow wrote there. REQUIRES: both ends of a range
// are keys of one tablet and ends of row spaces where those have column segments, and
// no snapshot in use can see what is between.
func (m *Manager) DropRanges(ranges ...KeyRange) error {
	committed := false
	b := m.eng.NewBatch(0)
	for _, r := range ranges {
		err := b.ForgetRange(r.Lower, r.Upper)
		if err == nil && m.eng.Columns() != nil {
			var done func(committed bool)
			if done, err = m.eng.Columns().Drop(b, r.Lower, r.Upper); err == nil {
				defer func() { done(committed) }()
			}
		}
		if err == nil && TabletOf(r.Lower) == SystemTablet {
			err = b.LocalDeleteRange(nowKey(nil, r.Lower[engine.TabletLen:]), nowKey(nil, r.Upper[engine.TabletLen:]))
		}
		if err != nil {
			b.Close()
			return err
		}
	}
	if err := b.Commit(true); err != nil {
		return err
	}
	committed = true
	return nil
}

// KeyRange is the keys from Lower on, below Upper.
type KeyRange struct{ Lower, Upper []byte }

func relationKey(id uint64) [8]byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], id)
	return b
}

func decodeRelationKey(k string) uint64 { return binary.BigEndian.Uint64([]byte(k)) }
