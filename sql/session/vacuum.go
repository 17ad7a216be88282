package session

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/stats"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

var vacuumOptions = map[string]bool{"full": true, "freeze": true, "verbose": true, "analyze": true, "disable_page_skipping": true,
	"skip_locked": true, "index_cleanup": true, "process_toast": true, "process_main": true, "truncate": true, "parallel": true,
	"skip_database_stats": true, "only_database_stats": true, "buffer_usage_limit": true}

// vacuumStmt runs VACUUM and ANALYZE. Old versions are collected in the
// background all the time; VACUUM moves what can be of the rows into column segments
// now, without locks.
func (s *Session) vacuumStmt(ctx context.Context, st *parse.Statement, v *pg_query.VacuumStmt) (*result, error) {
	tag := "ANALYZE"
	doAnalyze, policy := !v.IsVacuumcmd, txn.WaitBlock
	if v.IsVacuumcmd {
		tag = "VACUUM"
		if err := s.preventBlock("VACUUM"); err != nil {
			return nil, err
		}
	}
	for _, o := range v.Options {
		d := o.GetDefElem()
		known := vacuumOptions[d.Defname]
		if !v.IsVacuumcmd {
			known = d.Defname == "verbose" || d.Defname == "skip_locked" || d.Defname == "buffer_usage_limit"
		}
		if !known {
			return nil, pgerror.New(pgerror.SyntaxError, `unrecognized %s option "%s"`, tag, d.Defname).WithPosition(st.Position(int(d.Location)))
		}
		if d.Defname == "skip_locked" {
			skip, err := boolOption(d)
			if err != nil {
				return nil, err
			}
			if skip {
				policy = txn.WaitError
			}
		}
		if d.Defname == "analyze" {
			on, err := boolOption(d)
			if err != nil {
				return nil, err
			}
			doAnalyze = on
		}
	}
	tx, err := s.statementTxn(ctx)
	if err != nil {
		return nil, err
	}
	env, err := s.analyzeEnv(ctx, s.reader())
	if err != nil {
		return nil, err
	}
	type target struct {
		rel  *catalog.Relation
		cols []int
	}
	var targets []target
	for _, n := range v.Rels {
		vr := n.GetVacuumRelation()
		rel, err := analyze.ResolveRelation(ctx, env, st.Source, vr.Relation)
		if err != nil {
			return nil, withoutPosition(err)
		}
		if rel.Kind != catalog.KindTable && rel.Kind != catalog.KindMatView {
			verb := "analyze"
			if v.IsVacuumcmd {
				verb = "vacuum"
			}
			s.warn(pgerror.WrongObjectType, `skipping "%s" --- cannot %s non-tables or special system tables`, rel.Name, verb)
			continue
		}
		t := target{rel: rel}
		for _, c := range vr.VaCols {
			name := c.GetString_().GetSval()
			att := 0
			for _, col := range rel.Columns {
				if col.Name == name && !col.Dropped {
					att = col.AttNum
				}
			}
			if att == 0 {
				return nil, pgerror.New(pgerror.UndefinedColumn, `column "%s" of relation "%s" does not exist`, name, rel.Name)
			}
			for _, a := range t.cols {
				if a == att {
					return nil, pgerror.New(pgerror.DuplicateColumn, `column "%s" of relation "%s" appears more than once`, name, rel.Name)
				}
			}
			t.cols = append(t.cols, att)
		}
		if len(t.cols) > 0 && !doAnalyze {
			return nil, pgerror.New(pgerror.FeatureNotSupported, "ANALYZE option must be specified when a column list is provided")
		}
		targets = append(targets, t)
	}
	if len(v.Rels) == 0 {
		oids, err := s.ownTables(ctx)
		if err != nil {
			return nil, err
		}
		for _, oid := range oids {
			rel, err := s.reader().Relation(ctx, oid)
			if err != nil {
				return nil, err
			}
			if rel != nil && !catalog.OtherTemp(s.reader(), rel) {
				targets = append(targets, target{rel: rel})
			}
		}
	}
	for _, t := range targets {
		if ok, err := catalog.IsMemberOrSuper(ctx, s.reader(), s.currentUser.OID, t.rel.Owner); err != nil {
			return nil, err
		} else if !ok {
			if !doAnalyze && len(v.Rels) == 0 {
				continue
			}
			s.warn(pgerror.InsufficientPrivilege, `permission denied to %s "%s", skipping it`, map[bool]string{true: "vacuum", false: "analyze"}[v.IsVacuumcmd], t.rel.Name)
			continue
		}
		if t.rel.OID < types.FirstNormalOID {
			continue
		}
		if v.IsVacuumcmd && t.rel.Storage != nil {
			if err := s.mergeTable(ctx, t.rel); err != nil {
				return nil, err
			}
		}
		if !doAnalyze {
			continue
		}
		if err := tx.LockRelation(ctx, relationKey(s.db.OID, t.rel.OID), txn.ShareUpdateExclusive, policy); policy == txn.WaitError && pgerror.Is(err, pgerror.LockNotAvailable) {
			s.warn(pgerror.LockNotAvailable, `skipping analyze of "%s" --- lock not available`, t.rel.Name)
			continue
		} else if err != nil {
			return nil, err
		}
		// What the lock's former holder did to the table counts.
		if tx.Options().Isolation == txn.ReadCommitted {
			tx.BeginStatement()
			s.cur.cat.Invalidate()
		}
		rel, err := s.reader().Relation(ctx, t.rel.OID)
		if err != nil {
			return nil, err
		}
		if rel == nil {
			if len(v.Rels) > 0 {
				s.warn(pgerror.UndefinedTable, `skipping analyze of "%s" --- relation no longer exists`, t.rel.Name)
			}
			continue
		}
		for _, att := range t.cols {
			if rel.Columns[att-1].Dropped {
				return nil, pgerror.New(pgerror.UndefinedColumn, `column "%s" of relation "%s" does not exist`, t.rel.Columns[att-1].Name, rel.Name)
			}
		}
		if err := s.analyzeTable(ctx, rel, t.cols); err != nil {
			return nil, err
		}
	}
	return done(tag), nil
}

// mergeTable moves a table's rows into column segments.
func (s *Session) mergeTable(ctx context.Context, rel *catalog.Relation) error {
	// A reader makes the table's columns known to the store.
	r, _, err := s.cur.store.Scan(ctx, &planpb.Scan{Table: rel.Storage}, vexec.ScanRequest{Parts: 1})
	if err != nil {
		return err
	}
	r.Close()
	return s.node.Storage.Merge(ctx, rel.Storage.StorageId)
}

// ownTables lists the database's user tables.
func (s *Session) ownTables(ctx context.Context) ([]types.OID, error) {
	rows, _, err := riRunner{s}.Run(ctx, "SELECT oid FROM pg_catalog.pg_class WHERE relkind = 'r' AND oid >= 16384 ORDER BY oid", nil, nil)
	if err != nil {
		return nil, err
	}
	out := make([]types.OID, len(rows))
	for i, r := range rows {
		out[i] = r[0].(types.OID)
	}
	return out, nil
}

// analyzeTable refreshes the planner's statistics of a table.
func (s *Session) analyzeTable(ctx context.Context, rel *catalog.Relation, cols []int) error {
	changed := s.changedRows(rel)
	st, err := s.tableStats(ctx, rel, cols, nil)
	if err != nil {
		return err
	}
	if err := s.cur.cat.Writer().SetStats(ctx, rel.OID, st); err != nil {
		return err
	}
	if len(cols) == 0 && rel.Storage != nil { // statistics of some columns do not make the others' any better
		s.cur.tx.OnCommit(func(txn.Timestamp) { s.node.Storage.NoteAnalyzed(rel.Storage.StorageId, changed, false) })
	}
	return nil
}

// changedRows are the committed rows that were written since a table was analysed last.
func (s *Session) changedRows(rel *catalog.Relation) int64 {
	if rel.Storage == nil {
		return 0
	}
	return s.node.Storage.TableAnalyzed(rel.Storage.StorageId).Changed
}

// tableStats computes the planner's statistics of a table's columns; none: all of them.
func (s *Session) tableStats(ctx context.Context, rel *catalog.Relation, cols []int, pause func(context.Context) error) (*catalog.Stats, error) {
	return stats.Analyze(ctx, s.cur.store, rel, cols, stats.Options{Pause: pause,
		Catalog: s.reader(), Types: s.typesEnv(s.reader()), Target: atoi(s.settings.Get("default_statistics_target"))})
}
