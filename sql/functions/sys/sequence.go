package sys

import (
	"sync"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// SequenceMemory is what a session remembers of sequences: currval, lastval, and
// values reserved by CACHE. Safe for concurrent use.
type SequenceMemory struct {
	mu   sync.Mutex
	seqs map[types.OID]*sequenceEntry
	last types.OID
}

type sequenceEntry struct {
	key        string // storage generation the entry belongs to
	value      int64
	cachedUpTo int64
	increment  int64
	known      bool // value is what nextval or setval gave in this session
}

// Forget empties the memory (DISCARD SEQUENCES).
func (m *SequenceMemory) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seqs, m.last = nil, 0
}

func (m *SequenceMemory) entry(oid types.OID) *sequenceEntry {
	if m.seqs == nil {
		m.seqs = map[types.OID]*sequenceEntry{}
	}
	e := m.seqs[oid]
	if e == nil {
		e = &sequenceEntry{}
		m.seqs[oid] = e
	}
	return e
}

// sequence finds a sequence and checks that the user may use it (any of privs, if there are some).
func sequence(ctx *expr.Context, oid types.OID, privs string) (Session, *catalog.Relation, *catalog.Sequence, error) {
	s, err := of(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	r := s.CatalogReader()
	rel, err := r.Relation(ctx.Ctx, oid)
	if err != nil {
		return nil, nil, nil, err
	}
	if rel == nil {
		return nil, nil, nil, pgerror.New(pgerror.InternalError, "could not open relation with OID %d", oid)
	}
	if rel.Kind != catalog.KindSequence {
		return nil, nil, nil, pgerror.New(pgerror.WrongObjectType, "%q is not a sequence", rel.Name)
	}
	ok := privs == ""
	for i := range len(privs) {
		has, err := catalog.HasPrivilege(ctx.Ctx, r, s.CurrentUserOID(), catalog.ObjectSequence, rel.Owner, rel.ACL, privs[i])
		if err != nil {
			return nil, nil, nil, err
		}
		ok = ok || has
	}
	if !ok {
		return nil, nil, nil, pgerror.New(pgerror.InsufficientPrivilege, "permission denied for sequence %s", rel.Name)
	}
	q, err := r.Sequence(ctx.Ctx, oid)
	if err == nil && q == nil {
		err = pgerror.Internal("cache lookup failed for sequence %d", oid)
	}
	return s, rel, q, err
}

// lockSequence keeps ALTER SEQUENCE away until the end of the transaction, and waits for one.
func lockSequence(ctx *expr.Context, oid types.OID) error {
	s, err := of(ctx)
	if err != nil {
		return err
	}
	return s.LockSequence(ctx.Ctx, oid)
}

func nextval(ctx *expr.Context, _ *expr.Call, oid types.OID) (int64, error) {
	return nextOf(ctx, oid, "Uw")
}

// identityValue is nextval for an identity column, whose sequence belongs to the table:
// who may insert there may use it.
func identityValue(ctx *expr.Context, _ *expr.Call, oid types.OID) (int64, error) {
	return nextOf(ctx, oid, "")
}

func nextOf(ctx *expr.Context, oid types.OID, privs string) (int64, error) {
	if err := lockSequence(ctx, oid); err != nil {
		return 0, err
	}
	s, rel, q, err := sequence(ctx, oid, privs)
	if err != nil {
		return 0, err
	}
	if s.ReadOnly() && rel.Persistence != catalog.PersistenceTemp {
		return 0, pgerror.New(pgerror.ReadOnlySQLTransaction, "cannot execute nextval() in a read-only transaction")
	}
	m := s.Sequences()
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entry(oid)
	if e.key != string(q.StateKey) {
		*e = sequenceEntry{key: string(q.StateKey), value: e.value, known: e.known, cachedUpTo: e.value}
	}
	if e.known && e.value != e.cachedUpTo {
		e.value += e.increment
		m.last = oid
		return e.value, nil
	}
	first, last, err := s.CatalogManager().NextValues(ctx.Ctx, q, rel.Name)
	if err != nil {
		return 0, err
	}
	e.value, e.cachedUpTo, e.increment, e.known = first, last, q.Increment, true
	m.last = oid
	return first, nil
}

func currval(ctx *expr.Context, _ *expr.Call, oid types.OID) (int64, error) {
	s, rel, _, err := sequence(ctx, oid, "rU")
	if err != nil {
		return 0, err
	}
	m := s.Sequences()
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.seqs[oid]; e != nil && e.known {
		return e.value, nil
	}
	return 0, pgerror.New(pgerror.ObjectNotInPrerequisiteState, "currval of sequence %q is not yet defined in this session", rel.Name)
}

func lastval(ctx *expr.Context, _ *expr.Call) (int64, error) {
	s, err := of(ctx)
	if err != nil {
		return 0, err
	}
	m := s.Sequences()
	m.mu.Lock()
	oid := m.last
	var v int64
	if e := m.seqs[oid]; e != nil {
		v = e.value
	}
	m.mu.Unlock()
	if oid != 0 {
		if rel, err := s.CatalogReader().Relation(ctx.Ctx, oid); err != nil {
			return 0, err
		} else if rel != nil {
			return v, nil
		}
	}
	return 0, pgerror.New(pgerror.ObjectNotInPrerequisiteState, "lastval is not yet defined in this session")
}

func setval(ctx *expr.Context, oid types.OID, v int64, called bool) (int64, error) {
	if err := lockSequence(ctx, oid); err != nil {
		return 0, err
	}
	s, rel, q, err := sequence(ctx, oid, "w")
	if err != nil {
		return 0, err
	}
	if s.ReadOnly() && rel.Persistence != catalog.PersistenceTemp {
		return 0, pgerror.New(pgerror.ReadOnlySQLTransaction, "cannot execute setval() in a read-only transaction")
	}
	if err := s.CatalogManager().SetValue(ctx.Ctx, q, rel.Name, v, called); err != nil {
		return 0, err
	}
	m := s.Sequences()
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entry(oid)
	e.key, e.increment = string(q.StateKey), q.Increment
	if called {
		e.value, e.known = v, true
	}
	e.cachedUpTo = e.value
	return v, nil
}

// sequenceLast is pg_sequence_last_value: NULL before the first nextval.
func sequenceLast(ctx *expr.Context, _ *expr.Call, oid types.OID) (types.Datum, error) {
	s, _, q, err := sequence(ctx, oid, "rU")
	if err != nil {
		return nil, err
	}
	st, err := s.CatalogManager().SequenceState(ctx.Ctx, q)
	if err != nil || !st.Called {
		return nil, err
	}
	return st.Last, nil
}
