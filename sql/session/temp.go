package session

import (
	"context"
	"time"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/ddl"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// tempSpace is what a session keeps of its temporary objects (sql/ddl/temp.go).
type tempSpace struct {
	slot      int       // N of pg_temp_N; 0: none taken yet
	namespace types.OID // 0: none yet
	lasting   bool      // the use of the namespace has been committed
	onCommit  []tempTable
}

// tempTable is a temporary table that wants something ON COMMIT.
type tempTable struct {
	oid  types.OID
	drop bool // else it is emptied
}

// tempSlotFirst is the lowest N of pg_temp_N, the one that a PostgreSQL with no
// other client shows.
const tempSlotFirst = 3

// takeTempSlot gives the lowest number that no session of the node has.
func (n *Node) takeTempSlot() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	slot := n.TempSlotBase + tempSlotFirst
	for n.tempSlots[slot] {
		slot++
	}
	n.tempSlots[slot] = true
	return slot
}

func (n *Node) freeTempSlot(slot int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.tempSlots, slot)
}

// TempSlot implements ddl.TempSpace.
func (s *Session) TempSlot() int {
	if s.temp.slot == 0 {
		s.temp.slot = s.node.takeTempSlot()
	}
	return s.temp.slot
}

// SetTemp implements ddl.TempSpace.
func (s *Session) SetTemp(namespace types.OID) {
	s.temp.namespace, s.temp.lasting = namespace, false
	s.cur.cat.SetTemp(namespace)
	s.cur.temp = true
}

// TempTable implements ddl.TempSpace.
func (s *Session) TempTable(table types.OID, onCommit pg_query.OnCommitAction) {
	s.cur.temp = true
	switch onCommit {
	case pg_query.OnCommitAction_ONCOMMIT_DELETE_ROWS, pg_query.OnCommitAction_ONCOMMIT_DROP:
		s.temp.onCommit = append(s.temp.onCommit, tempTable{table, onCommit == pg_query.OnCommitAction_ONCOMMIT_DROP})
	}
}

// rollbackTemp forgets a schema whose first use was rolled back; before is the one
// there was at the point that is rolled back to.
func (s *Session) rollbackTemp(before types.OID) {
	if !s.temp.lasting && s.temp.namespace != before {
		s.temp.namespace = before
		if s.cur.cat != nil {
			s.cur.cat.SetTemp(before)
		}
	}
}

// endTemp does what temporary tables want at the commit of a transaction that has used some.
func (s *Session) endTemp(ctx context.Context) error {
	if !s.cur.temp || len(s.temp.onCommit) == 0 || s.cur.tx == nil {
		return nil
	}
	var empty, drop []types.OID
	kept := s.temp.onCommit[:0:0]
	r := s.reader()
	for _, t := range s.temp.onCommit {
		rel, err := r.Relation(ctx, t.oid)
		if err != nil {
			return err
		}
		switch {
		case rel == nil: // dropped, or its creation was rolled back
			continue
		case t.drop:
			drop = append(drop, t.oid)
		default:
			empty = append(empty, t.oid)
		}
		kept = append(kept, t)
	}
	s.temp.onCommit = kept
	if len(empty)+len(drop) == 0 {
		return nil
	}
	s.cur.tx.BeginStatement()
	c, err := s.ddlContext(ctx, bound{})
	if err != nil {
		return err
	}
	return ddl.EndTemp(ctx, c, empty, drop)
}

// removeTemp drops the session's temporary objects, in the transaction there is.
func (s *Session) removeTemp(ctx context.Context) error {
	if s.temp.namespace == 0 {
		return nil
	}
	s.ensure()
	if _, err := s.statementTxn(ctx); err != nil {
		return err
	}
	c, err := s.ddlContext(ctx, bound{})
	if err != nil {
		return err
	}
	s.cur.temp = true
	return ddl.RemoveTemp(ctx, c, s.temp.namespace)
}

// tempRemovalMax bounds the removal of temporary objects when a session ends; what
// is left then goes before the next session uses the schema.
const tempRemovalMax = 30 * time.Second

// closeTemp gives up the session's temporary objects. REQUIRES: no transaction.
func (s *Session) closeTemp() {
	if s.temp.slot == 0 {
		return
	}
	if s.temp.namespace != 0 {
		ctx, cancel := context.WithTimeout(context.Background(), tempRemovalMax)
		defer cancel()
		s.begin(phaseImplicit)
		s.cur.opts.Isolation, s.cur.readOnly = txn.ReadCommitted, false
		if err := s.removeTemp(ctx); err != nil || s.commit(ctx) != nil {
			s.rollback()
		}
	}
	s.node.freeTempSlot(s.temp.slot)
	s.temp = tempSpace{}
}

// checkTemp looks for temporary relations in a query: used reports some of the
// session's own, only that nothing else is written. Those of other sessions are
// out of reach.
func checkTemp(ctx context.Context, r catalog.Reader, q *query.Query) (used, only bool, err error) {
	only = true
	query.EachQuery(q, func(q *query.Query) {
		temp := func(rt int) bool {
			rte := q.RTable[rt-1]
			if rte.Kind != query.RTERelation || rte.Relid < types.FirstNormalOID || err != nil {
				return false
			}
			rel, e := r.Relation(ctx, rte.Relid)
			switch {
			case e != nil:
				err = e
			case rel != nil && rel.Persistence == catalog.PersistenceTemp:
				if catalog.OtherTemp(r, rel) && rel.Kind != catalog.KindView {
					err = errOtherTemp
				}
				return true
			}
			return false
		}
		for i := range q.RTable {
			used = temp(i+1) || used
		}
		if q.ResultRelation > 0 && !temp(q.ResultRelation) {
			only = false
		}
		for _, m := range q.RowMarks {
			only = only && temp(m.RTIndex)
		}
	})
	return used, only, err
}

var errOtherTemp = pgerror.New(pgerror.FeatureNotSupported, "cannot access temporary tables of other sessions")

// RemoveLeftovers drops what is left in temporary schemas of a database by sessions
// that did not come to their end. REQUIRES: no session uses one.
func (n *Node) RemoveLeftovers(ctx context.Context, db *catalog.Database) error {
	r := n.Catalog.Reader(db.OID, db.Name)
	rows, err := r.(catalog.RowReader).Rows(ctx, "pg_namespace", "")
	if err != nil {
		return err
	}
	for _, row := range rows {
		if !catalog.IsTempSchema(row.Str("nspname")) {
			continue
		}
		held, err := r.(catalog.RowReader).Rows(ctx, "pg_depend", "pg_depend_reference_index", catalog.ClassNamespace, row.OID("oid"))
		if err != nil {
			return err
		}
		if len(held) == 0 {
			continue
		}
		owner, err := r.Role(ctx, catalog.BootstrapRole)
		if err != nil {
			return err
		}
		s, err := n.newSession(ctx, pgwire.Startup{}, nobody{}, db, owner)
		if err != nil {
			return err
		}
		s.temp.namespace = row.OID("oid")
		if err = s.removeTemp(ctx); err == nil {
			err = s.commit(ctx)
		}
		s.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// nobody is the client of a session without one.
type nobody struct{}

func (nobody) Notice(*pgerror.Error)          {}
func (nobody) ParameterStatus(string, string) {}
func (nobody) Cancel(error)                   {}
func (nobody) Terminate(*pgerror.Error)       {}
func (nobody) Wake()                          {}
