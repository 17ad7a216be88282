package ri

import (
	"context"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Runner runs statements in the session's transaction.
type Runner interface {
	// Catalog is the catalog as the transaction sees it.
	Catalog() catalog.Reader
	Env() *types.Env
	// NewSnapshot makes the writes so far visible to what follows, and under READ
	// COMMITTED what others have committed.
	NewSnapshot(ctx context.Context) error
	// ReadNewest is txn.Txn's.
	ReadNewest() (done func())
	// Run runs a statement with parameters. rows are a SELECT's; affected a data-modifying statement's.
	Run(ctx context.Context, text string, params []types.Datum, paramTypes []types.OID) (rows [][]types.Datum, affected int64, err error)
}

// Queue collects changes and settles them. It implements vexec.RowObserver.
type Queue struct {
	r      Runner
	tables map[types.OID]*table // of the statement
	checks []*checkSet          // of the statement, in order of first use
	acts   []action
	// Of the transaction:
	deferred []event
	modes    map[types.OID]bool // constraint → deferred, by SET CONSTRAINTS
	all      *bool
}

// table is what the queue needs of a changed table.
type table struct {
	rel  *catalog.Relation
	own  []*checkSet // foreign keys of the table
	refs []*refKey   // foreign keys that refer to it
}

// checkSet are the keys of one constraint to look for.
type checkSet struct {
	con   *catalog.Constraint
	rel   *catalog.Relation
	ords  []int // ordinals of the key columns
	types []types.T
	keys  [][]types.Datum
	seen  map[string]bool
}

// refKey is a foreign key seen from the referenced table.
type refKey struct {
	con   *catalog.Constraint
	ords  []int
	types []types.T
}

// action is a referenced row that went (new nil) or changed its key.
type action struct {
	ref      *refKey
	rel      *catalog.Relation // the referenced table
	old, new []types.Datum     // key values
}

// event is a deferred check (act nil) or action.
type event struct {
	set *checkSet
	key []types.Datum
	act *action
}

// New makes a Queue.
func New(r Runner) *Queue { return &Queue{r: r} }

// BeginStatement forgets what is cached of tables: the catalog may have changed.
func (q *Queue) BeginStatement() {
	if len(q.tables) > 0 {
		clear(q.tables)
	}
	q.checks, q.acts = q.checks[:0], q.acts[:0]
}

// Reset ends the transaction.
func (q *Queue) Reset() {
	q.BeginStatement()
	q.deferred, q.modes, q.all = nil, nil, nil
}

// Mark and Truncate cut deferred events back to a savepoint.
func (q *Queue) Mark() int { return len(q.deferred) }

// Truncate returns to a Mark.
func (q *Queue) Truncate(n int) {
	if n < len(q.deferred) {
		q.deferred = q.deferred[:n]
	}
	q.BeginStatement()
}

// RowChanged implements vexec.RowObserver.
func (q *Queue) RowChanged(t *planpb.Table, op planpb.Modify_Op, old, new []types.Datum) error {
	tb, err := q.table(types.OID(t.RelationId))
	if err != nil {
		return err
	}
	if new != nil {
		for _, c := range tb.own {
			q.childChanged(c, old, new)
		}
	}
	if old != nil {
		for _, r := range tb.refs {
			q.parentChanged(tb.rel, r, old, new)
		}
	}
	return nil
}

func (q *Queue) table(oid types.OID) (*table, error) {
	if t := q.tables[oid]; t != nil {
		return t, nil
	}
	rel, err := q.r.Catalog().Relation(context.Background(), oid)
	if err != nil {
		return nil, err
	}
	t := &table{rel: rel}
	if rel != nil {
		for _, c := range rel.Constraints {
			if c.Type != 'f' {
				continue
			}
			set := &checkSet{con: c, rel: rel, seen: map[string]bool{}}
			set.ords, set.types = columns(rel, c.Columns)
			t.own = append(t.own, set)
		}
		for _, c := range rel.ReferencedBy {
			ref := &refKey{con: c}
			ref.ords, ref.types = columns(rel, c.RefColumns)
			t.refs = append(t.refs, ref)
		}
	}
	if q.tables == nil {
		q.tables = map[types.OID]*table{}
	}
	q.tables[oid] = t
	return t, nil
}

func columns(rel *catalog.Relation, attnums []int) (ords []int, ts []types.T) {
	for _, a := range attnums {
		ords = append(ords, rel.Ordinals[a-1])
		ts = append(ts, rel.Columns[a-1].Type)
	}
	return ords, ts
}

func pick(row []types.Datum, ords []int) (key []types.Datum, nulls int) {
	key = make([]types.Datum, len(ords))
	for i, o := range ords {
		key[i] = row[o]
		if key[i] == nil {
			nulls++
		}
	}
	return key, nulls
}

func (q *Queue) keyBytes(ts []types.T, key []types.Datum) string {
	env := q.r.Env()
	var b []byte
	for i, k := range key {
		b = types.AppendEqualityKey(env, ts[i], b, k)
	}
	return string(b)
}

// childChanged notes that a referencing row has a key that must exist.
func (q *Queue) childChanged(c *checkSet, old, new []types.Datum) {
	key, nulls := pick(new, c.ords)
	if nulls == len(key) || nulls > 0 && c.con.MatchType != 'f' {
		return
	}
	kb := q.keyBytes(c.types, key)
	if old != nil {
		before, _ := pick(old, c.ords)
		if q.keyBytes(c.types, before) == kb {
			return
		}
	}
	if q.isDeferred(c.con) {
		q.deferred = append(q.deferred, event{set: c, key: key})
		return
	}
	if c.seen[kb] {
		return
	}
	if len(c.keys) == 0 {
		q.checks = append(q.checks, c)
	}
	c.seen[kb] = true
	c.keys = append(c.keys, key)
}

// parentChanged notes that a referenced key has gone.
func (q *Queue) parentChanged(rel *catalog.Relation, r *refKey, old, new []types.Datum) {
	before, nulls := pick(old, r.ords)
	if nulls > 0 {
		return
	}
	a := action{ref: r, rel: rel, old: before}
	how := r.con.OnDelete
	if new != nil {
		after, _ := pick(new, r.ords)
		if q.keyBytes(r.types, before) == q.keyBytes(r.types, after) {
			return
		}
		a.new = after
		how = r.con.OnUpdate
	}
	if how == 'a' && q.isDeferred(r.con) {
		q.deferred = append(q.deferred, event{act: &a})
		return
	}
	q.acts = append(q.acts, a)
}

func (q *Queue) isDeferred(c *catalog.Constraint) bool {
	if !c.Deferrable {
		return false
	}
	if d, ok := q.modes[c.OID]; ok {
		return d
	}
	if q.all != nil {
		return *q.all
	}
	return c.Deferred
}

// SetConstraints applies SET CONSTRAINTS to some constraints, or to all when none
// is given. IMMEDIATE settles what was deferred of them.
func (q *Queue) SetConstraints(ctx context.Context, cons []types.OID, deferred bool) error {
	if cons == nil {
		q.modes, q.all = nil, &deferred
	} else {
		if q.modes == nil {
			q.modes = map[types.OID]bool{}
		}
		for _, c := range cons {
			q.modes[c] = deferred
		}
	}
	if deferred {
		return nil
	}
	return q.settleDeferred(ctx, false)
}

// CheckDeferred settles everything at the end of the transaction.
func (q *Queue) CheckDeferred(ctx context.Context) error {
	if len(q.deferred) == 0 {
		return nil
	}
	return q.settleDeferred(ctx, true)
}

func (q *Queue) settleDeferred(ctx context.Context, all bool) error {
	q.BeginStatement()
	var keep []event
	sets := map[types.OID]*checkSet{}
	for _, e := range q.deferred {
		con := constraintOf(e)
		if !all && q.isDeferred(con) {
			keep = append(keep, e)
			continue
		}
		if e.act != nil {
			q.acts = append(q.acts, *e.act)
			continue
		}
		set := sets[con.OID]
		if set == nil {
			set = &checkSet{con: e.set.con, rel: e.set.rel, ords: e.set.ords, types: e.set.types, seen: map[string]bool{}}
			sets[con.OID] = set
			q.checks = append(q.checks, set)
		}
		if kb := q.keyBytes(set.types, e.key); !set.seen[kb] {
			set.seen[kb] = true
			set.keys = append(set.keys, e.key)
		}
	}
	q.deferred = keep
	return q.Settle(ctx)
}

func constraintOf(e event) *catalog.Constraint {
	if e.act != nil {
		return e.act.ref.con
	}
	return e.set.con
}
