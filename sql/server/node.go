package server

import (
	"context"
	"time"

	"github.com/basaltdb/basalt/sql/bootstrap"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/deparse"
	"github.com/basaltdb/basalt/sql/functions/sys"
	"github.com/basaltdb/basalt/sql/plan"
	"github.com/basaltdb/basalt/sql/session"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/storage"
	"github.com/basaltdb/basalt/storage/rowcodec"
	"github.com/basaltdb/basalt/storage/table"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// dataStore is the store as sessions see it.
type dataStore struct {
	*storage.Node
	wrap   func(vexec.Store) vexec.Store // nil: as it is
	remote *remoteColumns                // nil: all column segments lie here
}

func (d dataStore) Store(tx txn.Txn, env *types.Env) vexec.Store {
	if d.wrap != nil {
		return d.wrap(d.Node.Store(tx, env))
	}
	return d.Node.Store(tx, env)
}

func (d dataStore) Bytes(storageID uint64) int64 {
	st, err := d.Node.Stats(storageID)
	if err != nil {
		return 0
	}
	return st.Bytes
}

// SegmentColumns implements session.Storage.
func (d dataStore) SegmentColumns(storageID uint64, attnum int, t types.T) []plan.SegmentColumn {
	var out []plan.SegmentColumn
	segments := d.Node.SegmentColumns(storageID, attnum)
	if d.remote != nil {
		segments = d.remote.segments(storageID, attnum)
	}
	for rows, c := range segments {
		g := plan.SegmentColumn{Rows: float64(rows), Nulls: float64(c.Nulls), Distinct: float64(c.Distinct), Bytes: float64(c.Width)}
		if c.Min != nil && c.Max != nil {
			lo, err1 := rowcodec.DecodeValue(t, c.Min)
			hi, err2 := rowcodec.DecodeValue(t, c.Max)
			if err1 == nil && err2 == nil { // of another type before ALTER TABLE, say
				g.Min, g.Max = lo, hi
			}
		}
		out = append(out, g)
	}
	return out
}

// TableAnalyzed implements session.Storage.
func (d dataStore) TableAnalyzed(storageID uint64) sys.Analyzed {
	a := d.Analyzed(storageID)
	at := func(us int64) *types.Timestamp {
		if us == 0 {
			return nil
		}
		return micros(time.UnixMicro(us))
	}
	return sys.Analyzed{Changed: a.Changed, Last: at(a.Last), LastAuto: at(a.LastAuto), Count: a.Count, CountAuto: a.CountAuto}
}

// ColumnRows implements session.Storage.
func (d dataStore) ColumnRows(storageID uint64) int64 {
	if d.remote != nil {
		return d.remote.rows(storageID)
	}
	return d.Node.ColumnRows(storageID)
}

// Merge implements session.Storage; a gateway without data has nothing to merge.
func (d dataStore) Merge(ctx context.Context, storageID uint64) error {
	if d.Columns() == nil {
		return nil
	}
	return d.Columns().MergeNow(ctx, storageID)
}

// Merges implements session.Storage.
func (d dataStore) Merges() []sys.Merge {
	cols := d.Columns()
	if cols == nil {
		return nil
	}
	p := cols.Progress()
	var out []sys.Merge
	for _, b := range cols.Backlogs() {
		m := sys.Merge{Tablet: int32(b.Space.Tablet()), Database: types.OID(b.StorageID >> 32), FileNode: types.OID(uint32(b.StorageID)),
			Segments: int64(b.Segments), Loose: int64(b.Loose), Rows: b.Rows + b.LooseRows, Bytes: b.Bytes, Delta: b.Delta, Dead: b.Dead, Phase: "idle"}
		if p.Phase != "idle" && p.Space == b.Space {
			m.Phase, m.RowsDone = p.Phase, p.RowsDone
		}
		if !b.Surveyed.IsZero() {
			m.Surveyed = micros(b.Surveyed)
		}
		out = append(out, m)
	}
	return out
}

func (d dataStore) BuildIndex(ctx context.Context, tx txn.Txn, env *types.Env, t *planpb.Table, pos int, evals func() (table.Eval, error)) error {
	return d.Node.BuildIndex(ctx, tx, env, t, pos, evals)
}

// newNode makes the SQL side over the open store, giving birth to an empty one.
func (s *Server) newNode(ctx context.Context, registry *expr.Registry, executor *vexec.Executor) (*session.Node, error) {
	ds := dataStore{Node: s.store}
	if c := s.opts.Cluster; c != nil && c.Columns != nil {
		s.remote = newRemoteColumns(c.Columns)
		ds.remote = s.remote
	}
	manager := catalog.NewManager(catalog.Options{
		DB:    s.db,
		Store: func(t txn.Txn) vexec.Store { return ds.Store(t, nil) },
		Lower: plan.Lowerer{},
		Print: deparse.IndexKeyPrinter{},
	})
	s.manager = manager
	if c := s.opts.Cluster; c != nil {
		c.OnCatalog(func(txn.Timestamp) { manager.InvalidateAll() })
		if !c.First {
			return s.sessions(manager, executor, registry, ds), nil
		}
	}
	if err := bootstrap.Run(ctx, bootstrap.Options{DB: s.db, Manager: manager, Store: func(t txn.Txn) vexec.Store { return ds.Store(t, nil) }, Lower: plan.Lowerer{}}); err != nil {
		return nil, err
	}
	return s.sessions(manager, executor, registry, ds), nil
}

// removeLeftovers drops the temporary tables of sessions that a crash has ended.
func (s *Server) removeLeftovers(ctx context.Context) error {
	dbs, err := s.manager.Databases(ctx)
	if err != nil {
		return err
	}
	for _, db := range dbs {
		if err := s.Node.RemoveLeftovers(ctx, db); err != nil {
			return err
		}
	}
	return nil
}

// workMemShare of the memory is what one operator of a query may take before it goes to disk. All
// queries together have half of it: beyond that operators go to disk earlier.
const workMemShare = 8

func (s *Server) sessions(manager *catalog.Manager, executor *vexec.Executor, registry *expr.Registry, ds dataStore) *session.Node {
	cfg := session.Config{DB: s.db, Catalog: manager, Executor: executor, Registry: registry, Cluster: described{s}, Lower: plan.Lowerer{}, Workers: s.opts.Workers, Parameters: s.opts.parameters(), TempSlotBase: s.opts.Cluster.tempSlots()}
	cfg.Notifications = session.NewNotifications(s.db)
	cfg.WorkMemDefault = s.opts.MemoryBytes / workMemShare
	if f := s.opts.TestingDB; f != nil {
		cfg.DB = f(cfg.DB)
	}
	ds.wrap = s.opts.TestingStore
	cfg.Storage = ds
	if n := s.opts.LocalSites; n > 0 {
		cfg.Fragments = newLocalFragments(s.store, executor, n)
	}
	return session.NewNode(cfg)
}
