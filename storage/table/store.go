package table

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage/columns"
	"github.com/basaltdb/basalt/storage/engine"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Shared is what all transactions of a node share: the placement, row ids, row
// counts and the tables of cached plans in prepared form.
type Shared struct {
	eng    *engine.Engine // nil where no data is
	place  atomic.Pointer[txn.Placement]
	placer Placer
	self   txn.NodeID
	rowIDs RowIDs
	counts counts
	cols   *columns.Store // nil: rows only

	schemaMu sync.RWMutex
	schemas  map[*planpb.Table]*schema
}

// NewShared makes the shared part over an engine, nil on a node without data, which
// then counts rows in memory only. ids gives hidden row ids; nil: the engine's own
// keys say which are used, for the only process that writes.
func NewShared(eng *engine.Engine, place *txn.Placement, ids RowIDs) (*Shared, error) {
	s := &Shared{eng: eng, rowIDs: ids, schemas: map[*planpb.Table]*schema{}}
	s.place.Store(place)
	if ids == nil {
		s.rowIDs = &ownRowIDs{shared: s, next: map[uint64]*atomic.Uint64{}}
	}
	return s, s.counts.load(eng)
}

// SetColumns has the columns of tables registered where their rows become segments.
// REQUIRES: no store is in use yet.
func (s *Shared) SetColumns(c *columns.Store) { s.cols = c }

// SetSelf says which node this is: copied rows are read from a tablet of its own
// where it has one. REQUIRES: no store is in use yet.
func (s *Shared) SetSelf(n txn.NodeID) { s.self = n }

// Placer decides where rows will lie, when the first table needs it.
type Placer interface {
	// Place gives the placement, which has tablets and is durable. Called again it
	// gives the same one.
	Place(ctx context.Context) (*txn.Placement, error)
}

// SetPlacer has a placement without tablets made good by p. REQUIRES: no store is in use yet.
func (s *Shared) SetPlacer(p Placer) { s.placer = p }

// Placement is the placement in force.
func (s *Shared) Placement() *txn.Placement { return s.place.Load() }

// SetPlacement puts another placement in force for statements that begin later.
// REQUIRES: rows written under the old one lie as the new one says.
func (s *Shared) SetPlacement(p *txn.Placement) { s.place.Store(p) }

// Store implements vexec.Store for one transaction.
type Store struct {
	shared *Shared
	tx     txn.RowTxn
	env    *types.Env
	// confined: scans read these tablets only.
	confined bool
	tablets  []txn.TabletID

	mu     sync.Mutex
	splits map[string][][]byte

	keyBuf, rowBuf, valBuf []byte // for the goroutine that changes rows
	attBuf                 []int
	delta                  []tableChange
	tally                  bulkTally
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

// Confine makes scans read the rows and entries of the given tablets only: a
// fragment's share. Of copied rows they read one copy, if there is one in them.
// REQUIRES: before the first scan.
func (s *Store) Confine(tablets []txn.TabletID) { s.confined, s.tablets = true, tablets }

// SetEnv changes the environment, between statements.
func (s *Store) SetEnv(env *types.Env) { s.env = env }

// schema prepares a table, once per plan and placement. A planpb.Table never changes after its first use.
func (s *Store) schema(ctx context.Context, t *planpb.Table) (*schema, error) {
	sh := s.shared
	sh.schemaMu.RLock()
	sc := sh.schemas[t]
	sh.schemaMu.RUnlock()
	place := sh.place.Load()
	if sc != nil && sc.spread.place == place {
		return sc, nil
	}
	if len(place.Tablets) == 0 && t.Placement != planpb.Placement_SYSTEM {
		if sh.placer == nil {
			return nil, pgerror.New(pgerror.ObjectNotInPrerequisiteState, "there are no tablets to keep table \"%s\" in", t.Name)
		}
		var err error
		if place, err = sh.placer.Place(ctx); err != nil {
			return nil, err
		}
		sh.place.Store(place)
	}
	sc, err := newSchema(t, place, sh.self)
	if err != nil {
		return nil, err
	}
	if sh.cols != nil && t.Placement != planpb.Placement_SYSTEM && types.OID(uint32(t.RelationId)) >= types.FirstNormalOID {
		sh.cols.Register(t.StorageId, sc.cols)
	}
	sh.schemaMu.Lock()
	defer sh.schemaMu.Unlock()
	if len(sh.schemas) >= schemasMax {
		clear(sh.schemas)
	}
	sh.schemas[t] = sc
	return sc, nil
}

// encoder takes an encoder for the table's rows; put it back into encoders.
func (s *schema) encoder() (*rowcodec.Encoder, error) {
	if e, ok := s.encoders.Get().(*rowcodec.Encoder); ok {
		return e, nil
	}
	return rowcodec.NewEncoder(s.cols)
}

// schemasMax bounds the prepared tables kept: those of ad hoc plans are not used again.
const schemasMax = 2048

// Scan implements vexec.Store.
func (s *Store) Scan(ctx context.Context, scan *planpb.Scan, req vexec.ScanRequest) (vexec.Reader, bool, error) {
	sc, err := s.schema(ctx, scan.Table)
	if err != nil {
		return nil, false, err
	}
	k := keySpace{prefix: sc.prefix, end: sc.end, key: sc.key, dist: sc.spread.dist, wholeKey: true}
	ranges, err := s.ranges(sc, &k, len(scan.Spans) > 0 || len(req.Bounds) > 0, req.Bounds, req.Parts <= 1 && (scan.Ordered || scan.Reverse))
	if err != nil {
		return nil, false, err
	}
	if err := s.noteReads(sc, ranges); err != nil {
		return nil, false, err
	}
	if req.Parts > 1 {
		if ranges, err = s.part(ranges, req.Part, req.Parts); err != nil {
			return nil, false, err
		}
	}
	if len(req.Narrow) > 0 {
		narrow, err := s.ranges(sc, &k, true, req.Narrow, false)
		if err != nil {
			return nil, false, err
		}
		ranges = intersect(ranges, narrow)
	}
	view, err := s.tx.NewView()
	if err != nil {
		return nil, false, err
	}
	if v, ok := view.(txn.ColumnView); ok && s.shared.cols != nil && !scan.Reverse && columnScan(ranges) {
		return newColumnReader(v, sc, ranges, scan.Columns, scan.Ordered && req.Parts <= 1, scan.LimitHint, &req), req.Filter != nil, nil
	}
	return newTableReader(view, sc, ranges, scan.Columns, scan.Reverse, scan.LimitHint), false, nil
}

// IndexScan implements vexec.Store.
func (s *Store) IndexScan(ctx context.Context, scan *planpb.IndexScan, req vexec.ScanRequest) (vexec.Reader, bool, error) {
	sc, err := s.schema(ctx, scan.Table)
	if err != nil {
		return nil, false, err
	}
	x := sc.indexes[scan.Index]
	k := keySpace{prefix: x.prefix, end: x.end, key: x.key, dist: x.dist, wholeKey: x.Unique && !x.NullsNotDistinct}
	ranges, err := s.ranges(sc, &k, len(scan.Spans) > 0 || len(req.Bounds) > 0, req.Bounds, req.Parts <= 1 && (scan.Ordered || scan.Reverse))
	if err != nil {
		return nil, false, err
	}
	if err := s.noteReads(sc, ranges); err != nil {
		return nil, false, err
	}
	if req.Parts > 1 {
		if ranges, err = s.part(ranges, req.Part, req.Parts); err != nil {
			return nil, false, err
		}
	}
	view, err := s.tx.NewView()
	if err != nil {
		return nil, false, err
	}
	return newIndexReader(s.rowNotes(sc), view, s.env, sc, x, ranges, scan.Columns, scan.Reverse, scan.LimitHint), false, nil
}
