package catalog

import (
	"context"
	"encoding/binary"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
)

// Writer changes catalog rows of one transaction. Each change is visible to what
// the Writer and the transaction's Reader read next; a commit makes a new version
// for everybody. Indexes are named as in PostgreSQL; catalog names, index names
// and column names given by callers are constants, wrong ones panic.
type Writer struct {
	*access
	t      *Transaction
	dirty  bool
	shared bool
}

// changed notes a change: the private Reader starts anew, and the commit will
// invalidate the shared one.
func (w *Writer) changed(t *sysTable) {
	if !w.dirty {
		w.dirty = true
		w.txn.OnCommit(func(txn.Timestamp) { w.t.m.invalidate(w.db, w.shared) })
	}
	w.shared = w.shared || t.shared
	w.t.private = w.t.newPrivate()
}

// Lookup reads the rows whose leading index columns equal eq, in index order;
// index "" reads the whole catalog.
func (w *Writer) Lookup(ctx context.Context, table, index string, eq ...types.Datum) ([]*Row, error) {
	return w.lookup(ctx, table, index, eq...)
}

// One reads the first row Lookup would give; nil for none.
func (w *Writer) One(ctx context.Context, table, index string, eq ...types.Datum) (*Row, error) {
	return w.one(ctx, table, index, eq...)
}

// Insert adds a row.
func (w *Writer) Insert(ctx context.Context, table string, v Values) error {
	w.changed(sysTableByName(table))
	return w.insert(ctx, table, v)
}

// Update changes columns of a row read before.
func (w *Writer) Update(ctx context.Context, r *Row, v Values) error {
	w.changed(r.t)
	return w.update(ctx, r, v)
}

// Delete removes a row read before.
func (w *Writer) Delete(ctx context.Context, r *Row) error {
	w.changed(r.t)
	return w.delete(ctx, r)
}

// DeleteAll removes every row Lookup would give.
func (w *Writer) DeleteAll(ctx context.Context, table, index string, eq ...types.Datum) error {
	rows, err := w.lookup(ctx, table, index, eq...)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := w.Delete(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// Reader is the transaction's Reader, with everything written so far.
func (w *Writer) Reader() Reader { return w.t.Reader() }

// Store is the transaction's data.
func (w *Writer) Store() vexec.Store { return w.store }

// oidKey is the UpdateNow key of the OID counter (8 bytes, big endian: the next OID).
var oidKey = []byte("catalog/oid")

// oidBatch OIDs are reserved at a time.
const oidBatch = 16

// NewOID gives an OID no object of the store has had. OIDs are not reused; the
// counter is durable with the next commit.
func (m *Manager) NewOID(ctx context.Context) (types.OID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.oidNext == m.oidLimit {
		err := m.opts.DB.UpdateNow(ctx, oidKey, func(old []byte) ([]byte, error) {
			next := uint64(types.FirstNormalOID)
			if len(old) == 8 {
				next = binary.BigEndian.Uint64(old)
			}
			if next+oidBatch > 1<<32-1 {
				return nil, pgerror.New(pgerror.ProgramLimitExceeded, "object identifiers are used up")
			}
			m.oidNext, m.oidLimit = types.OID(next), types.OID(next+oidBatch)
			return binary.BigEndian.AppendUint64(nil, next+oidBatch), nil
		})
		if err != nil {
			return 0, err
		}
	}
	m.oidNext++
	return m.oidNext - 1, nil
}

// NewOID is Manager.NewOID.
func (w *Writer) NewOID(ctx context.Context) (types.OID, error) { return w.t.m.NewOID(ctx) }

// Object names an object, or a column of one, in pg_depend and pg_description.
type Object struct {
	Class types.OID
	OID   types.OID
	Sub   int
}

// DependencyType is pg_depend.deptype.
type DependencyType byte

// Dependency types.
const (
	DependNormal   DependencyType = 'n'
	DependAuto     DependencyType = 'a'
	DependInternal DependencyType = 'i'
)

// pinned reports objects that cannot be dropped, on which no dependency is recorded.
func pinned(o Object) bool {
	return o.OID < types.FirstNormalOID && o != Object{Class: ClassNamespace, OID: PublicNamespace}
}

// Depend records that obj needs ref.
func (w *Writer) Depend(ctx context.Context, obj, ref Object, how DependencyType) error {
	if pinned(ref) {
		return nil
	}
	return w.Insert(ctx, "pg_depend", Values{
		"classid": obj.Class, "objid": obj.OID, "objsubid": int32(obj.Sub),
		"refclassid": ref.Class, "refobjid": ref.OID, "refobjsubid": int32(ref.Sub), "deptype": byte(how),
	})
}

// DependOnExpr records that obj needs what an expression refers to. self is the
// relation Vars with RTIndex 1 belong to (0 for none) and selfHow how obj depends on its columns.
func (w *Writer) DependOnExpr(ctx context.Context, obj Object, e query.Expr, self types.OID, how, selfHow DependencyType) error {
	refs := map[Object]bool{}
	var order []Object
	add := func(o Object) {
		if !refs[o] && !pinned(o) && o != obj {
			refs[o] = true
			order = append(order, o)
		}
	}
	walkRefs(e, self, nil, add)
	for _, o := range order {
		h := how
		if o.Class == ClassRelation && o.OID == self {
			h = selfHow
		}
		if err := w.Depend(ctx, obj, o, h); err != nil {
			return err
		}
	}
	return nil
}

// DependOnQuery records that obj needs what a query refers to.
func (w *Writer) DependOnQuery(ctx context.Context, obj Object, q *query.Query) error {
	refs := map[Object]bool{}
	var order []Object
	walkQueryRefs(q, nil, func(o Object) {
		if !refs[o] && !pinned(o) {
			refs[o] = true
			order = append(order, o)
		}
	})
	for _, o := range order {
		if o.Class == ClassRelation && o.Sub == 0 && hasColumn(order, o.OID) {
			continue // a column of it stands for the relation too
		}
		if err := w.Depend(ctx, obj, o, DependNormal); err != nil {
			return err
		}
	}
	return nil
}

func hasColumn(os []Object, rel types.OID) bool {
	for _, o := range os {
		if o.Class == ClassRelation && o.OID == rel && o.Sub != 0 {
			return true
		}
	}
	return false
}

// walkQueryRefs reports the objects a query refers to. outer are the enclosing queries, innermost last.
func walkQueryRefs(q *query.Query, outer []*query.Query, add func(Object)) {
	levels := append(append([]*query.Query(nil), outer...), q)
	for _, r := range q.RTable {
		if r.Kind == query.RTERelation {
			add(Object{Class: ClassRelation, OID: r.Relid})
		}
		if r.Subquery != nil {
			walkQueryRefs(r.Subquery, levels, add)
		}
	}
	for _, c := range q.CTEs {
		walkQueryRefs(c.Query, levels, add)
	}
	// A join names all columns below it. Only merged ones (USING) are needed for
	// their own sake, the others when something refers to them.
	below := map[query.Expr]bool{}
	for _, r := range q.RTable {
		for _, a := range r.JoinAlias {
			if _, ok := a.(*query.Var); ok {
				below[a] = true
			}
		}
	}
	query.EachExpr(q, func(e query.Expr) {
		if !below[e] {
			walkRefs(e, 0, levels, add)
		}
	})
}

func walkRefs(e query.Expr, self types.OID, levels []*query.Query, add func(Object)) {
	query.Walk(e, func(e query.Expr) bool {
		if e == nil {
			return false
		}
		if t := e.Type(); t.OID >= types.FirstNormalOID {
			add(Object{Class: ClassType, OID: t.OID})
		}
		switch n := e.(type) {
		case *query.Var:
			rel := types.OID(0)
			if k := len(levels) - 1 - n.LevelsUp; k >= 0 {
				varRefs(levels, k, n.RTIndex, n.AttNum, add)
			} else if n.LevelsUp == 0 {
				rel = self
			}
			if rel != 0 && n.AttNum >= 0 {
				add(Object{Class: ClassRelation, OID: rel, Sub: n.AttNum})
			}
		case *query.Const:
			if n.T.OID == types.RegClass && n.Value != nil {
				add(Object{Class: ClassRelation, OID: n.Value.(types.OID)})
			}
		case *query.NextValExpr:
			add(Object{Class: ClassRelation, OID: n.Sequence})
		case *query.SubLink:
			if n.Query != nil {
				walkQueryRefs(n.Query, levels, add)
			}
		}
		return true
	})
}

// varRefs resolves a Var of levels[k] to table columns, through joins.
func varRefs(levels []*query.Query, k, rt, att int, add func(Object)) {
	q := levels[k]
	if rt < 1 || rt > len(q.RTable) {
		return
	}
	switch r := q.RTable[rt-1]; r.Kind {
	case query.RTERelation:
		if att >= 0 {
			add(Object{Class: ClassRelation, OID: r.Relid, Sub: att})
		}
	case query.RTEJoin:
		if att > 0 && att <= len(r.JoinAlias) {
			walkRefs(r.JoinAlias[att-1], 0, levels[:k+1], add)
		}
	}
}

// InsertMany adds rows of one catalog at once.
func (w *Writer) InsertMany(ctx context.Context, table string, vs []Values) error {
	t := sysTableByName(table)
	w.changed(t)
	rows := make([][]types.Datum, len(vs))
	for i, v := range vs {
		rows[i] = makeRow(t, v)
	}
	return w.insertRows(ctx, t, rows)
}
