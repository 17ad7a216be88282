package session

import (
	"context"
	"slices"
	"strings"
	"sync"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/plan"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/rewrite"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
)

// Bounds of the caches: entries and bytes per generation, and the longest text kept.
const (
	cacheEntriesMax   = 2048
	cacheBytesMax     = 64 << 20
	cacheTextBytesMax = 64 << 10
)

// generations is a map that forgets what was not used for a while: when the
// young map is full it becomes the old one, and hits in the old one move back.
type generations[K comparable, V any] struct {
	mu         sync.Mutex
	young, old map[K]kept[V]
	bytes      int64 // of young
}

// kept is a value and about what it takes.
type kept[V any] struct {
	v     V
	bytes int64
}

func (g *generations[K, V]) get(k K) (v V, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, ok := g.young[k]
	if ok {
		return e.v, true
	}
	if e, ok = g.old[k]; ok {
		g.putLocked(k, e)
	}
	return e.v, ok
}

func (g *generations[K, V]) put(k K, v V, bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.putLocked(k, kept[V]{v, bytes})
}

func (g *generations[K, V]) putLocked(k K, e kept[V]) {
	if g.young == nil || len(g.young) >= cacheEntriesMax || g.bytes+e.bytes > cacheBytesMax {
		g.old, g.young, g.bytes = g.young, make(map[K]kept[V]), 0
	}
	g.bytes += e.bytes - g.young[k].bytes
	g.young[k] = e
}

// planCache keeps parsed texts and plans. It is shared by all sessions.
type planCache struct {
	texts generations[string, []parse.Statement]
	plans generations[planID, *compiled]
}

func (c *planCache) init() {}

// planID names a plan: everything it depends on but the catalog's version.
type planID struct {
	db     types.OID
	user   types.OID
	text   string
	start  int
	params string
	env    string
	temp   types.OID // the session's temporary schema
	sites  int       // storage nodes that tables are spread over
}

// compiled is a statement analysed and planned.
type compiled struct {
	version uint64
	query   *query.Query // rewritten
	planned *plan.Planned
	point   *vexec.Point // nil, short too: run by operators
	short   *vexec.ShortRange
	params  []types.T
	cols    []pgwire.Column // nil: delivers no rows
	locks   []relationLock
	access  []accessCheck
	// writes names the command, "" when it only reads; forbidden is what a read-only
	// transaction refuses: temporary tables may be written.
	writes    string
	forbidden string
	command   query.CommandType
	// temp: it uses temporary tables of the session.
	temp bool
	// momentary plans hold for one execution.
	momentary bool
}

type relationLock struct {
	id   uint64
	mode uint8
}

// parseText parses a source through the cache.
func (s *Session) parseText(text string) ([]parse.Statement, error) {
	if len(text) > cacheTextBytesMax {
		return parse.ParseWithin(text, s.reserveText)
	}
	if st, ok := s.node.plans.texts.get(text); ok {
		return st, nil
	}
	var bytes int64
	st, err := parse.ParseWithin(text, func(n int64) error {
		bytes = n
		return s.reserveText(n)
	})
	if err == nil {
		s.node.plans.texts.put(text, st, bytes)
	}
	return st, err
}

func paramKey(ps []types.OID) string {
	if len(ps) == 0 {
		return ""
	}
	b := make([]byte, 0, 4*len(ps))
	for _, p := range ps {
		b = append(b, byte(p>>24), byte(p>>16), byte(p>>8), byte(p))
	}
	return string(b)
}

// compile gives the plan of an optimizable statement, locks on its relations
// taken. REQUIRES: statementTxn was called for the statement.
func (s *Session) compile(ctx context.Context, source string, start int, node *pg_query.Node, params []types.OID) (*compiled, error) {
	return s.compileFor(ctx, nil, source, start, node, params)
}

// heldPlan is the plan a prepared statement ran with last, and what it was made
// for beside the catalog's version.
type heldPlan struct {
	c      *compiled
	params []types.OID
	user   types.OID
	env    string
	temp   types.OID
	sites  int
}

// held gives a prepared statement's last plan if it still holds.
func (s *Session) held(p *prepared, r catalog.Reader, params []types.OID) *compiled {
	h := &p.plan
	if h.c == nil || r.Private() || h.c.version != r.Version() || h.user != s.currentUser.OID || h.env != s.current().planKey || h.temp != s.temp.namespace || h.sites != s.node.siteCount() || !slices.Equal(h.params, params) || s.outgrown(h.c.planned) {
		return nil
	}
	return h.c
}

// compileFor is compile for a prepared statement, nil for none.
func (s *Session) compileFor(ctx context.Context, p *prepared, source string, start int, node *pg_query.Node, params []types.OID) (*compiled, error) {
	if p != nil {
		r := s.reader()
		if c := s.held(p, r, params); c != nil {
			if err := s.lockRelations(ctx, c.locks); err != nil {
				return nil, err
			}
			if s.reader().Version() == c.version {
				return c, nil
			}
		}
	}
	id := planID{db: s.db.OID, user: s.currentUser.OID, text: source, start: start, params: paramKey(params), env: s.current().planKey, temp: s.temp.namespace, sites: s.node.siteCount()}
	cacheable := len(source) <= cacheTextBytesMax
	for {
		r := s.reader()
		version := r.Version()
		var c *compiled
		if cacheable && !r.Private() {
			if hit, ok := s.node.plans.plans.get(id); ok && hit.version == version && !s.outgrown(hit.planned) && !(s.noParams && len(hit.params) > 0) {
				c = hit
			}
		}
		fresh := c == nil
		if fresh {
			var err error
			if c, err = s.analyzeAndLock(ctx, r, source, node, params); err != nil {
				return nil, err
			}
		} else if err := s.lockRelations(ctx, c.locks); err != nil {
			return nil, err
		}
		now := s.reader()
		if now.Version() != version {
			continue // DDL was committed while we waited for a lock
		}
		if fresh {
			if err := s.plan(ctx, r, c); err != nil {
				return nil, err
			}
			if cacheable && !r.Private() && c.planned.Cacheable && !c.momentary {
				s.node.plans.plans.put(id, c, parse.Cost(source))
			}
		}
		if p != nil && !r.Private() && c.planned.Cacheable && !c.momentary {
			p.plan = heldPlan{c, params, id.user, id.env, id.temp, id.sites}
		}
		return c, nil
	}
}

// outgrown: a table has become so much larger or smaller since a plan was made that
// another one may be better.
func (s *Session) outgrown(p *plan.Planned) bool {
	for _, t := range p.Sizes {
		if t.Drifted(s.tableSize(t.StorageID)) {
			return true
		}
	}
	return false
}

// tableSize is a table's size as it was committed, or as the session's transaction has filled it since.
func (s *Session) tableSize(id uint64) plan.TableSize {
	size := plan.TableSize{StorageID: id, Rows: float64(s.node.Storage.Rows(id)), Columns: float64(s.node.Storage.ColumnRows(id))}
	if c, ok := s.cur.store.(interface{ RowChange(storageID uint64) int64 }); ok {
		size.Rows = max(size.Rows, float64(c.RowChange(id)))
	}
	return size
}

// analyzeAndLock analyses a statement and locks its relations.
func (s *Session) analyzeAndLock(ctx context.Context, r catalog.Reader, source string, node *pg_query.Node, params []types.OID) (*compiled, error) {
	env, err := s.analyzeEnv(ctx, r)
	if err != nil {
		return nil, err
	}
	q, err := analyze.AnalyzeNode(ctx, env, source, node, params)
	if err != nil {
		return nil, err
	}
	return s.compileQuery(ctx, r, q)
}

// compileQuery rewrites an analysed query and locks its relations; plan is still to follow.
func (s *Session) compileQuery(ctx context.Context, r catalog.Reader, q *query.Query) (*compiled, error) {
	c := &compiled{version: r.Version(), params: q.ParamTypes, command: q.Command, momentary: q.Momentary}
	c.access = accessOf(q)
	rw, err := rewrite.Rewrite(ctx, r, q)
	if err != nil {
		return nil, err
	}
	c.query = rw
	c.locks = locksOf(s.db.OID, rw)
	used, only, err := checkTemp(ctx, r, rw)
	if err != nil {
		return nil, err
	}
	if c.temp = used; !used || !only {
		c.forbidden = writesOf(rw)
	}
	c.writes = writesOf(rw)
	return c, s.lockRelations(ctx, c.locks)
}

// plan makes the plan of an analysed statement.
func (s *Session) plan(ctx context.Context, r catalog.Reader, c *compiled) error {
	p, err := plan.Plan(ctx, c.query, s.planOptions(r))
	if err != nil {
		return err
	}
	c.planned = p
	if p.Exchanges == 0 {
		if c.point = s.node.Executor.NewPoint(p.Statement); c.point == nil {
			c.short = s.node.Executor.NewShortRange(p.Statement)
		}
	}
	if p.Command == query.CmdSelect || p.Returning {
		c.cols = s.columns(ctx, r, p.Columns)
	}
	return nil
}

func (s *Session) planOptions(r catalog.Reader) plan.Options {
	off := func(name string) bool { return s.settings.Get(name) == "off" }
	workers := s.node.Workers
	if n := atoi(s.settings.Get("max_parallel_workers_per_gather")); n+1 < workers {
		workers = n + 1
	}
	env := s.typesEnv(r)
	sites := s.node.sites()
	return plan.Options{
		Catalog: r, Types: env, Registry: s.node.Registry, Workers: workers, WorkMem: s.workMem(), Sites: s.node.siteCount(), PushChanges: sites != nil && sites.Writes,
		TableSize: s.tableSize, SegmentColumns: s.node.Storage.SegmentColumns,
		Settings: plan.Settings{
			NoHashAgg: off("enable_hashagg"), NoHashJoin: off("enable_hashjoin"), NoIndexScan: off("enable_indexscan"),
			NoSeqScan: off("enable_seqscan"), NoMergeJoin: off("enable_mergejoin"), NoNestLoop: off("enable_nestloop"),
			NoSort: off("enable_sort"), NoParallel: workers <= 1,
			NoEagerAgg: off("basalt.eager_aggregation"), EagerAlways: s.settings.Get("basalt.eager_aggregation") == "always",
		},
	}
}

// workMemDefault is what an operator gets unless work_mem is set or the node says otherwise
// (Node.WorkMemDefault): PostgreSQL's default of 4 MB would make a vectorized executor spill for nothing.
const (
	workMemDefault = 64 << 20
	workMemBoot    = 4096 // kB
)

func (s *Session) workMem() int64 {
	if s.node.WorkMem > 0 {
		return s.node.WorkMem
	}
	if m := s.current().workMem; m > 0 {
		return m
	}
	return max(workMemDefault, s.node.WorkMemDefault)
}

// heldMem is what rows that wait for a client may take: many sessions may hold some for long.
func (s *Session) heldMem() int64 {
	if s.node.WorkMem == 0 && s.current().workMem == 0 {
		return workMemDefault
	}
	return s.workMem()
}

// columns describes result columns for the wire.
func (s *Session) columns(ctx context.Context, r catalog.Reader, cols []plan.ResultColumn) []pgwire.Column {
	out := make([]pgwire.Column, len(cols))
	for i, c := range cols {
		out[i] = pgwire.Column{Name: c.Name, Type: c.Type, Table: c.Table, Att: int16(c.Column), Len: typeLen(ctx, r, c.Type)}
	}
	return out
}

func typeLen(ctx context.Context, r catalog.Reader, t types.T) int16 {
	if d, err := r.Type(ctx, t.OID); err == nil && d != nil {
		return d.Len
	}
	return -1
}

// lockRelations takes the locks of a plan; those of system catalogs are not needed.
func (s *Session) lockRelations(ctx context.Context, locks []relationLock) error {
	for _, l := range locks {
		if err := s.txn().LockRelation(ctx, l.id, relationMode(l.mode), 0); err != nil {
			return err
		}
	}
	return nil
}

// key of a text without regard to surrounding blanks, for messages.
func brief(text string) string { return strings.TrimSpace(text) }
