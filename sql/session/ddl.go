package session

import (
	"context"
	"time"

	"github.com/basaltdb/basalt/sql/auth"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/ddl"
	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// ddlStmt runs a statement that changes the catalog, and what goes with it
// (TRUNCATE, CREATE TABLE AS, SELECT INTO).
func (s *Session) ddlStmt(ctx context.Context, st *parse.Statement, tag string, params bound) (*result, error) {
	if !ddl.Handles(st.Node) {
		if tag == "" {
			tag = "this kind of statement"
		}
		return nil, pgerror.Unsupported("%s", tag)
	}
	s.ensure()
	if err := s.forbidReadOnly(tag); err != nil {
		return nil, err
	}
	if _, err := s.statementTxn(ctx); err != nil {
		return nil, err
	}
	c, err := s.ddlContext(ctx, params)
	if err != nil {
		return nil, err
	}
	s.ri.BeginStatement()
	r, err := ddl.Execute(ctx, c, *st)
	for _, n := range r.Notices {
		s.Notice(n)
	}
	if err != nil {
		return nil, err
	}
	if err := s.ri.Settle(ctx); err != nil {
		return nil, err
	}
	return done(r.Tag), nil
}

// ddlContext is what DDL runs with in the session's transaction.
func (s *Session) ddlContext(ctx context.Context, params bound) (*ddl.Context, error) {
	env, err := s.analyzeEnv(ctx, s.reader())
	if err != nil {
		return nil, err
	}
	return &ddl.Context{
		Txn: s.cur.tx, Manager: s.node.Catalog, Catalog: s.cur.cat, Env: env, User: s.currentUser.OID, SessionUser: s.sessionUser.OID,
		Runner: ddlRunner{s, params.values}, Lower: s.node.Lower, ParamTypes: params.types, Temp: s,
		InTransactionBlock: s.phase == phaseBlock || s.inQueryString, PlainPassword: auth.NewVerifier, Settings: s,
	}, nil
}

// ddlRunner implements ddl.Runner in the session's transaction.
type ddlRunner struct {
	s      *Session
	params []types.Datum
}

// Run implements ddl.Runner.
func (d ddlRunner) Run(ctx context.Context, q *query.Query) ([][]types.Datum, int64, error) {
	s := d.s
	s.cur.tx.NextCommand()
	r := s.reader()
	c, err := s.compileQuery(ctx, r, q)
	if err != nil {
		return nil, 0, err
	}
	if err := s.plan(ctx, r, c); err != nil {
		return nil, 0, err
	}
	return s.collect(ctx, c, s.exec(ctx, d.params))
}

// RunPlan implements ddl.Runner.
func (d ddlRunner) RunPlan(ctx context.Context, stmt *planpb.Statement) (int64, error) {
	s := d.s
	s.cur.tx.NextCommand()
	cur, err := s.node.Executor.Run(ctx, stmt, s.exec(ctx, d.params))
	if err != nil {
		return 0, err
	}
	defer cur.Close()
	for {
		b, err := cur.Next(ctx)
		if err != nil {
			return 0, err
		}
		if b == nil {
			return cur.RowsAffected(), nil
		}
	}
}

// evalRows adds computed columns to rows of a table.
type evalRows = func(ctx context.Context, rows *vexec.Batch) (*vexec.Batch, error)

// BuildIndex implements ddl.Runner.
func (d ddlRunner) BuildIndex(ctx context.Context, t *planpb.Table, pos int) error {
	s := d.s
	s.cur.tx.NextCommand()
	env := s.typesEnv(s.reader())
	var evals func() (evalRows, error)
	if len(t.Computed) > 0 {
		evals = func() (evalRows, error) {
			return vexec.NewExtender(&expr.Context{Ctx: ctx, Env: env, Session: s}, s.node.Registry, t.Computed)
		}
	}
	return s.node.Storage.BuildIndex(ctx, s.cur.tx, env, t, pos, evals)
}

// DropStorage implements ddl.Runner.
func (d ddlRunner) DropStorage(ctx context.Context, ids ...uint64) error {
	return d.s.node.Storage.Drop(ctx, d.s.cur.tx, ids...)
}

// leaveWait is how long DROP DATABASE waits for sessions that are about to leave.
const leaveWait = 2 * time.Second

// Connections implements ddl.Runner. Sessions that have just been closed by
// their clients are given a moment to go.
func (d ddlRunner) Connections(db types.OID) int {
	own := 0
	if db == d.s.db.OID {
		own = 1
	}
	for end := time.Now().Add(leaveWait); ; time.Sleep(10 * time.Millisecond) {
		n := d.s.node.Connections(db)
		if n <= own || time.Now().After(end) {
			return n
		}
	}
}

// Prepared implements ddl.Runner.
func (d ddlRunner) Prepared(ctx context.Context, db types.OID) (int, error) {
	return d.s.node.Prepared(ctx, db)
}

// Terminate implements ddl.Runner.
func (d ddlRunner) Terminate(db types.OID) {
	for _, s := range d.s.node.Sessions() {
		if s != d.s && s.db.OID == db {
			d.s.TerminateBackend(s.start.PID)
		}
	}
}

// checkAccess checks the user's privileges on the relations a statement names.
func (s *Session) checkAccess(ctx context.Context, access []accessCheck) error {
	if s.currentUser.Super {
		return nil
	}
	r := s.reader()
	for _, a := range access {
		rel, err := r.Relation(ctx, a.relation)
		if err != nil {
			return err
		}
		if rel == nil {
			continue
		}
		for i := range len(a.privileges) {
			if err := catalog.CheckPrivilege(ctx, r, s.currentUser.OID, rel, a.privileges[i], a.columns[a.privileges[i]]); err != nil {
				return err
			}
		}
	}
	return nil
}
