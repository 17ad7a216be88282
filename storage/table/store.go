package table

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/keyenc"
	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Shared is what all transactions of a node share: row id allocators, row counts
// and the tables of cached plans in prepared form.
type Shared struct {
	eng    *engine.Engine
	mu     sync.Mutex
	rowIDs map[uint64]*atomic.Uint64
	counts counts

	schemaMu sync.RWMutex
	schemas  map[*planpb.Table]*schema
}

// NewShared makes the shared part over an engine.
func NewShared(eng *engine.Engine) (*Shared, error) {
	s := &Shared{eng: eng, rowIDs: map[uint64]*atomic.Uint64{}, schemas: map[*planpb.Table]*schema{}}
	return s, s.counts.load(eng)
}

// nextRowIDs reserves n hidden row ids of a table; the first is returned.
func (s *Shared) nextRowIDs(storageID uint64, n int) (uint64, error) {
	s.mu.Lock()
	a := s.rowIDs[storageID]
	if a == nil {
		// The newest version of the highest key, tombstone or not: ids are not reused
		// while anything remembers them.
		it, err := s.eng.NewIter(engine.IterOptions{Lower: keyenc.Prefix(txn.SystemTablet, storageID), Upper: keyenc.PrefixEnd(txn.SystemTablet, storageID),
			At: engine.MaxTimestamp, Reverse: true, Tombstones: true})
		if err != nil {
			s.mu.Unlock()
			return 0, err
		}
		a = new(atomic.Uint64)
		if it.Next() {
			if id, ok := decodeRowID(it.Key()[keyenc.PrefixLen:]); ok {
				a.Store(id)
			}
		}
		if err := it.Recycle(); err != nil {
			s.mu.Unlock()
			return 0, err
		}
		s.rowIDs[storageID] = a
	}
	s.mu.Unlock()
	return a.Add(uint64(n)) - uint64(n) + 1, nil
}

// Store implements vexec.Store for one transaction.
type Store struct {
	shared *Shared
	tx     txn.RowTxn
	env    *types.Env

	mu     sync.Mutex
	splits map[string][][]byte

	encoders               map[*schema]*rowcodec.Encoder // for the goroutine that changes rows
	keyBuf, rowBuf, valBuf []byte                        // for the goroutine that changes rows
	delta                  map[uint64]int64
}

var _ vexec.Store = (*Store)(nil)

// NewStore makes the store of tx. env orders enum keys and words error details;
// it may be nil where neither comes up.
func NewStore(shared *Shared, tx txn.RowTxn, env *types.Env) *Store {
	if env == nil {
		env = types.DefaultEnv()
	}
	return &Store{shared: shared, tx: tx, env: env}
}

// SetEnv changes the environment, between statements.
func (s *Store) SetEnv(env *types.Env) { s.env = env }

// schema prepares a table, once per plan. A planpb.Table never changes after its first use.
func (s *Store) schema(t *planpb.Table) (*schema, error) {
	sh := s.shared
	sh.schemaMu.RLock()
	sc := sh.schemas[t]
	sh.schemaMu.RUnlock()
	if sc != nil {
		return sc, nil
	}
	sc, err := newSchema(t)
	if err != nil {
		return nil, err
	}
	sh.schemaMu.Lock()
	defer sh.schemaMu.Unlock()
	if len(sh.schemas) >= schemasMax {
		clear(sh.schemas)
	}
	sh.schemas[t] = sc
	return sc, nil
}

// encoder is the transaction's own for a table's rows.
func (s *Store) encoder(sc *schema) (*rowcodec.Encoder, error) {
	if e := s.encoders[sc]; e != nil {
		return e, nil
	}
	e, err := rowcodec.NewEncoder(sc.cols)
	if err != nil {
		return nil, err
	}
	if s.encoders == nil || len(s.encoders) >= schemasMax {
		s.encoders = map[*schema]*rowcodec.Encoder{}
	}
	s.encoders[sc] = e
	return e, nil
}

// schemasMax bounds the prepared tables kept: those of ad hoc plans are not used again.
const schemasMax = 2048

// Scan implements vexec.Store.
func (s *Store) Scan(ctx context.Context, scan *planpb.Scan, bounds []vexec.KeyBounds, part, parts int) (vexec.Reader, bool, error) {
	sc, err := s.schema(scan.Table)
	if err != nil {
		return nil, false, err
	}
	ranges := []keyRange{{lower: sc.prefix, upper: sc.end}}
	if len(scan.Spans) > 0 || len(bounds) > 0 {
		if ranges, err = boundsToRanges(s.env, sc.prefix, sc.key, bounds, true); err != nil {
			return nil, false, err
		}
	}
	if parts > 1 {
		if ranges, err = s.part(ranges, part, parts); err != nil {
			return nil, false, err
		}
	}
	view, err := s.tx.NewView()
	if err != nil {
		return nil, false, err
	}
	return newTableReader(view, sc, ranges, scan.Columns, scan.Reverse, scan.LimitHint), false, nil
}

// IndexScan implements vexec.Store.
func (s *Store) IndexScan(ctx context.Context, scan *planpb.IndexScan, bounds []vexec.KeyBounds, part, parts int) (vexec.Reader, bool, error) {
	sc, err := s.schema(scan.Table)
	if err != nil {
		return nil, false, err
	}
	x := sc.indexes[scan.Index]
	ranges := []keyRange{{lower: x.prefix, upper: x.end}}
	if len(scan.Spans) > 0 || len(bounds) > 0 {
		if ranges, err = boundsToRanges(s.env, x.prefix, x.key, bounds, x.Unique && !x.NullsNotDistinct); err != nil {
			return nil, false, err
		}
	}
	if parts > 1 {
		if ranges, err = s.part(ranges, part, parts); err != nil {
			return nil, false, err
		}
	}
	view, err := s.tx.NewView()
	if err != nil {
		return nil, false, err
	}
	return newIndexReader(view, sc, x, ranges, scan.Columns, scan.Reverse, scan.LimitHint), false, nil
}
