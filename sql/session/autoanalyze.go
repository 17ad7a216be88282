package session

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/settings"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// Analyzing tables of its own accord, as PostgreSQL's autovacuum does: a table is due when more rows of it were
// written since it was analysed than autovacuum_analyze_threshold and a share, autovacuum_analyze_scale_factor, of its
// rows, or what its storage parameters of these names say.
//
// Nobody waits for it. A table that somebody has locked against ANALYZE is left for the next round. The rows
// are read by a snapshot, with no lock at all; the lock is taken when the statistics are known, for
// the moment in which they are written, and they are thrown away if it is not to be had at once or the table has become
// another one. Between batches of rows it rests as long as it has worked (autovacuum_vacuum_cost_delay), so it
// takes half a processor at most.

// AutoAnalyzeSettings are the parameters of the server that the automatic ANALYZE goes by.
type AutoAnalyzeSettings struct {
	On        bool
	Naptime   time.Duration
	threshold float64
	scale     float64
	delay     time.Duration
}

// AutoAnalyzeSettings reads the parameters that the server was started with.
func (n *Node) AutoAnalyzeSettings() AutoAnalyzeSettings {
	s := settings.New(n.Parameters)
	float := func(name string) float64 {
		v, err := strconv.ParseFloat(s.Get(name), 64)
		if err != nil {
			return 0
		}
		return v
	}
	return AutoAnalyzeSettings{
		On:        s.Get("autovacuum") == "on",
		Naptime:   time.Duration(float("autovacuum_naptime") * float64(time.Second)),
		threshold: float("autovacuum_analyze_threshold"),
		scale:     float("autovacuum_analyze_scale_factor"),
		delay:     time.Duration(max(float("autovacuum_vacuum_cost_delay"), 0) * float64(time.Millisecond)),
	}
}

// limit is how many rows of a table of so many may be written before it is due; ok is false when it never is.
func (a AutoAnalyzeSettings) limit(options []string, rows float64) (limit float64, ok bool) {
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		switch name {
		case "autovacuum_enabled":
			if on, known := settings.ParseBool(value); known && !on {
				return 0, false
			}
		case "autovacuum_analyze_threshold", "autovacuum_analyze_scale_factor":
			f, err := strconv.ParseFloat(value, 64)
			switch {
			case err != nil || f < 0:
			case name == "autovacuum_analyze_threshold":
				a.threshold = f
			default:
				a.scale = f
			}
		}
	}
	return a.threshold + a.scale*max(rows, 0), true
}

// AutoAnalyze analyses the tables of a database that are due, as process pid. begin is told before each table and gives
// the context that ends with it, which a cancel request may end; an error of one table does not keep
// the others from their turn, and goes to report.
func (n *Node) AutoAnalyze(ctx context.Context, db *catalog.Database, pid int32, begin func(context.Context) (context.Context, context.CancelFunc), report func(table string, err error)) error {
	r := n.Catalog.Reader(db.OID, db.Name)
	owner, err := r.Role(ctx, catalog.BootstrapRole)
	if err != nil || owner == nil {
		return err
	}
	s, err := n.newSession(ctx, pgwire.Startup{PID: pid, Database: db.Name, User: owner.Name, Started: time.Now()}, nobody{}, db, owner)
	if err != nil {
		return err
	}
	s.kind = "autovacuum worker"
	s.activity.user = 0
	defer s.Close()
	due, err := s.dueTables(ctx)
	if err != nil || len(due) == 0 {
		return err
	}
	n.mu.Lock()
	n.sessions[pid] = s
	n.mu.Unlock()
	for _, oid := range due {
		if err := ctx.Err(); err != nil {
			return err
		}
		tableCtx, end := begin(ctx)
		name, err := s.autoAnalyze(tableCtx, oid)
		end()
		if err != nil && ctx.Err() == nil {
			report(name, err)
		}
	}
	return nil
}

// dueTables are the tables of the session's database that are due, temporary ones apart.
func (s *Session) dueTables(ctx context.Context) ([]types.OID, error) {
	defer s.rollback()
	if _, err := s.statementTxn(ctx); err != nil {
		return nil, err
	}
	rows, _, err := riRunner{s}.Run(ctx, "SELECT oid, relfilenode, reltuples, reloptions FROM pg_catalog.pg_class "+
		"WHERE relkind IN ('r', 'm') AND relpersistence <> 't' AND oid >= 16384 ORDER BY oid", nil, nil)
	if err != nil {
		return nil, err
	}
	a := s.node.AutoAnalyzeSettings()
	var out []types.OID
	for _, r := range rows {
		var options []string
		if list, ok := r[3].(*types.Array); ok {
			for _, o := range list.Elems {
				if text, ok := o.(string); ok {
					options = append(options, text)
				}
			}
		}
		changed := s.node.Storage.TableAnalyzed(uint64(s.db.OID)<<32 | uint64(r[1].(types.OID))).Changed
		if limit, ok := a.limit(options, float64(r[2].(float32))); ok && float64(changed) > limit {
			out = append(out, r[0].(types.OID))
		}
	}
	return out, nil
}

// autoAnalyze analyses one table and gives its name, "" when it is gone.
func (s *Session) autoAnalyze(ctx context.Context, oid types.OID) (name string, err error) {
	defer func() {
		s.rollback()
		s.note("idle", "")
	}()
	s.stmtTime = now()
	tx, err := s.statementTxn(ctx)
	if err != nil {
		return "", err
	}
	rel, err := s.reader().Relation(ctx, oid)
	if err != nil || rel == nil || rel.Storage == nil {
		return "", err
	}
	name = rel.Name
	if ns, err := s.reader().Namespace(ctx, rel.Namespace); err == nil && ns != nil {
		name = ns.Name + "." + name
	}
	s.note("active", "autovacuum: ANALYZE "+name)
	key := relationKey(s.db.OID, oid)
	if err := tx.LockRelation(ctx, key, txn.ShareUpdateExclusive, txn.WaitError); err != nil {
		return name, skipped(err)
	}
	// The lock shows that nobody is changing the table; it is given back, and the snapshot is one from before that.
	changed := s.changedRows(rel)
	s.rollback()
	if tx, err = s.statementTxn(ctx); err != nil {
		return name, err
	}
	st, err := s.tableStats(ctx, rel, nil, s.node.rest())
	if err != nil {
		return name, err
	}
	if err := tx.LockRelation(ctx, key, txn.ShareUpdateExclusive, txn.WaitError); err != nil {
		return name, skipped(err)
	}
	tx.BeginStatement()
	s.cur.cat.Invalidate()
	after, err := s.reader().Relation(ctx, oid)
	if err != nil || after == nil || !sameTable(rel, after) {
		return name, err
	}
	if err := s.cur.cat.Writer().SetStats(ctx, oid, st); err != nil {
		return name, err
	}
	if err := s.commit(ctx); err != nil {
		return name, err
	}
	s.node.Storage.NoteAnalyzed(rel.Storage.StorageId, changed, true)
	return name, nil
}

// skipped is nil for a lock that is not available: the next round will see to the table.
func skipped(err error) error {
	if pgerror.Is(err, pgerror.LockNotAvailable) {
		return nil
	}
	return err
}

// sameTable: statistics of a are statistics of b.
func sameTable(a, b *catalog.Relation) bool {
	return b.Storage != nil && a.Storage.StorageId == b.Storage.StorageId && slices.EqualFunc(a.Columns, b.Columns, func(x, y catalog.Column) bool {
		return x.AttNum == y.AttNum && x.Dropped == y.Dropped && x.Type == y.Type
	})
}

// restMax bounds one rest: it may be others that took the time.
const restMax = 100 * time.Millisecond

// rest gives what waits between batches of rows: as long as was worked, in pieces of the delay.
func (n *Node) rest() func(context.Context) error {
	delay := n.AutoAnalyzeSettings().delay
	since := time.Now()
	return func(ctx context.Context) error {
		worked := time.Since(since)
		if delay == 0 || worked < delay {
			return ctx.Err()
		}
		t := time.NewTimer(min(worked, restMax))
		defer t.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
		since = time.Now()
		return nil
	}
}

// note is what pg_stat_activity shows of a session without a client.
func (s *Session) note(state, query string) {
	a := &s.activity
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	a.state, a.query, a.changed, a.queryStart, a.xactStart = state, query, now, now, now
	if state == "idle" {
		a.xactStart = time.Time{}
	}
}

// ServerSettings checks parameters given as name=value, of those that the server itself goes by, and
// gives their values in canonical form by lower-case name.
func ServerSettings(list []string) (map[string]string, error) {
	out := map[string]string{}
	for _, item := range list {
		name, value, ok := strings.Cut(item, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if !ok || !slices.Contains(serverSettings, name) {
			return nil, fmt.Errorf("%q: want NAME=VALUE with one of %s", item, strings.Join(serverSettings, ", "))
		}
		v, err := settings.Lookup(name).Parse(name, strings.TrimSpace(value))
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	return out, nil
}

var serverSettings = []string{"autovacuum", "autovacuum_naptime", "autovacuum_analyze_threshold", "autovacuum_analyze_scale_factor", "autovacuum_vacuum_cost_delay"}
