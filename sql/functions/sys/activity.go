package sys

import (
	"slices"

	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

func registerActivity(r *expr.Registry) {
	ts := func(t *types.Timestamp) types.Datum {
		if t == nil {
			return nil
		}
		return *t
	}
	text := func(s string) types.Datum {
		if s == "" {
			return nil
		}
		return s
	}
	addSet(r, "pg_stat_get_activity(int4)", func(_ *expr.Context, s Session, args []types.Datum, emit func(row ...types.Datum) error) error {
		for _, a := range s.Activities() {
			if pid, ok := args[0].(int32); ok && pid != a.PID {
				continue
			}
			var port types.Datum
			if a.ClientPort != 0 {
				port = a.ClientPort
			}
			kind := a.Type
			if kind == "" {
				kind = "client backend"
			}
			// datid pid usesysid application_name state query wait_event_type wait_event
			// xact_start query_start backend_start state_change client_addr client_hostname
			// client_port backend_xid backend_xmin backend_type and TLS, GSSAPI, leader, query_id
			row := []types.Datum{a.Database, a.PID, a.User, a.Application, text(a.State), a.Query, text(a.WaitEventType), text(a.WaitEvent),
				ts(a.XactStart), ts(a.QueryStart), ts(a.BackendStart), ts(a.StateChange), nil, nil, port, nil, nil, kind,
				false, nil, nil, nil, nil, nil, nil, false, nil, false, nil, nil}
			if err := emit(row...); err != nil {
				return err
			}
		}
		return nil
	})
	addSet(r, "pg_lock_status()", func(c *expr.Context, s Session, _ []types.Datum, emit func(row ...types.Datum) error) error {
		for _, l := range s.LockRows(c.Ctx) {
			// locktype database relation page tuple virtualxid transactionid classid objid
			// objsubid virtualtransaction pid mode granted fastpath waitstart
			// A key has no page and no number there.
			kind, db, rel, xid := types.Datum("relation"), types.Datum(l.Database), types.Datum(l.Relation), types.Datum(nil)
			var classid, objid, objsubid types.Datum
			if l.Advisory != nil {
				kind, rel = "advisory", nil
				classid, objid, objsubid = types.OID(l.Advisory.Key>>32), types.OID(uint32(l.Advisory.Key)), int16(1)
				if l.Advisory.Pair {
					objsubid = int16(2)
				}
			} else if l.Relation == 0 {
				kind, db, rel, xid = "transactionid", nil, nil, l.Transaction
			} else if l.Tuple {
				kind = "tuple"
			}
			var pid types.Datum
			if l.PID != 0 { // else it is prepared
				pid = l.PID
			}
			if err := emit(kind, db, rel, nil, nil, nil, xid, classid, objid, objsubid, l.Virtual, pid, l.Mode, l.Granted, false, ts(l.WaitStart)); err != nil {
				return err
			}
		}
		return nil
	})
	addSet(r, "pg_prepared_statement()", func(_ *expr.Context, s Session, _ []types.Datum, emit func(row ...types.Datum) error) error {
		for _, p := range s.PreparedStatements() {
			var ts []types.Datum
			for _, t := range p.ParamTypes {
				ts = append(ts, t)
			}
			if err := emit(p.Name, p.Statement, p.Prepared, types.NewArray(types.Of(types.RegType), ts), p.FromSQL, int64(0), int64(0)); err != nil {
				return err
			}
		}
		return nil
	})
	addSet(r, "pg_prepared_xact()", func(c *expr.Context, s Session, _ []types.Datum, emit func(row ...types.Datum) error) error {
		all, err := s.PreparedTransactions(c.Ctx)
		if err != nil {
			return err
		}
		for _, p := range all {
			if err := emit(p.Transaction, p.GID, p.Prepared, p.Owner, p.Database); err != nil {
				return err
			}
		}
		return nil
	})
	addSet(r, "pg_cursor()", func(_ *expr.Context, s Session, _ []types.Datum, emit func(row ...types.Datum) error) error {
		for _, c := range s.CursorRows() {
			if err := emit(c.Name, c.Statement, c.Hold, c.Binary, c.Scrollable, c.Created); err != nil {
				return err
			}
		}
		return nil
	})
	// Counters that Basalt does not keep are at zero, as after a reset.
	count := one(func(*expr.Context, Session, types.OID) (types.Datum, error) { return int64(0), nil })
	for _, n := range []string{"numscans", "tuples_returned", "tuples_fetched", "tuples_inserted", "tuples_updated", "tuples_deleted", "tuples_hot_updated",
		"blocks_fetched", "blocks_hit", "dead_tuples", "ins_since_vacuum", "vacuum_count", "autovacuum_count",
		"db_xact_commit", "db_xact_rollback", "db_blocks_fetched", "db_blocks_hit", "db_tuples_returned", "db_tuples_fetched", "db_tuples_inserted",
		"db_tuples_updated", "db_tuples_deleted", "db_conflict_all", "db_temp_files", "db_temp_bytes", "db_deadlocks"} {
		add(r, "pg_stat_get_"+n+"(oid)", count)
	}
	null := one(func(*expr.Context, Session, types.OID) (types.Datum, error) { return nil, nil })
	for _, n := range []string{"last_vacuum_time", "last_autovacuum_time", "db_stat_reset_time", "db_checksum_failures", "db_checksum_last_failure"} {
		add(r, "pg_stat_get_"+n+"(oid)", null)
	}
	analyzed := func(name string, f func(a Analyzed) types.Datum) {
		add(r, "pg_stat_get_"+name+"(oid)", one(func(c *expr.Context, s Session, o types.OID) (types.Datum, error) {
			a, err := s.TableAnalyzed(c.Ctx, o)
			if err != nil {
				return nil, err
			}
			return f(a), nil
		}))
	}
	analyzed("mod_since_analyze", func(a Analyzed) types.Datum { return a.Changed })
	analyzed("analyze_count", func(a Analyzed) types.Datum { return a.Count })
	analyzed("autoanalyze_count", func(a Analyzed) types.Datum { return a.CountAuto })
	analyzed("last_analyze_time", func(a Analyzed) types.Datum { return ts(a.Last) })
	analyzed("last_autoanalyze_time", func(a Analyzed) types.Datum { return ts(a.LastAuto) })
	zero := one(func(*expr.Context, Session, types.OID) (types.Datum, error) { return float64(0), nil })
	for _, n := range []string{"db_blk_read_time", "db_blk_write_time"} {
		add(r, "pg_stat_get_"+n+"(oid)", zero)
	}
	add(r, "pg_stat_get_live_tuples(oid)", one(func(ctx *expr.Context, s Session, o types.OID) (types.Datum, error) {
		st, err := s.CatalogReader().Stats(ctx.Ctx, o)
		if err != nil {
			return nil, err
		}
		if st == nil {
			return int64(0), nil
		}
		return int64(st.Rows), nil
	}))
	add(r, "pg_stat_get_db_numbackends(oid)", one(func(_ *expr.Context, s Session, o types.OID) (types.Datum, error) {
		n := int32(0)
		for _, a := range s.Activities() {
			if a.Database == o && a.Type == "" {
				n++
			}
		}
		return n, nil
	}))
	pids := func(list []int32) (types.Datum, error) {
		var out []types.Datum
		for _, p := range list {
			out = append(out, p)
		}
		return types.NewArray(types.Of(types.Int4), out), nil
	}
	add(r, "pg_blocking_pids(int4)", one(func(_ *expr.Context, s Session, pid int32) (types.Datum, error) { return pids(s.Blockers(pid)) }))
	add(r, "pg_safe_snapshot_blocking_pids(int4)", one(func(_ *expr.Context, s Session, pid int32) (types.Datum, error) {
		return pids(s.SafeSnapshotBlockers(pid))
	}))
	// The isolation tester's question: does one of the given sessions block this one?
	add(r, "pg_isolation_test_session_is_blocked(int4,_int4)", two(func(_ *expr.Context, s Session, pid int32, others *types.Array) (types.Datum, error) {
		for _, p := range append(s.Blockers(pid), s.SafeSnapshotBlockers(pid)...) {
			if slices.Contains(others.Elems, types.Datum(p)) {
				return true, nil
			}
		}
		return false, nil
	}))
}
