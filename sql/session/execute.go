package session

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// optimizable reports whether the planner runs a statement, rather than dispatch.
func optimizable(n *pg_query.Node) bool {
	switch x := n.GetNode().(type) {
	case *pg_query.Node_SelectStmt:
		return x.SelectStmt.IntoClause == nil
	case *pg_query.Node_InsertStmt, *pg_query.Node_UpdateStmt, *pg_query.Node_DeleteStmt, *pg_query.Node_MergeStmt:
		return true
	}
	return false
}

// bound are parameter values with their types.
type bound struct {
	values []types.Datum
	types  []types.OID
}

// start begins a statement and gives its result.
func (s *Session) startStatement(ctx context.Context, st *parse.Statement, params bound) (*result, error) {
	return s.startPrepared(ctx, nil, st, params)
}

// startPrepared is startStatement for a prepared statement, nil for none.
func (s *Session) startPrepared(ctx context.Context, p *prepared, st *parse.Statement, params bound) (*result, error) {
	if s.phase == phaseFailed && !endsFailedBlock(st.Node) {
		return nil, errFailedBlock
	}
	for _, n := range st.Notices {
		s.Notice(n)
	}
	if !optimizable(st.Node) {
		return s.utility(ctx, st, params)
	}
	if _, err := s.statementTxn(ctx); err != nil {
		return nil, err
	}
	c, err := s.compileFor(ctx, p, st.Source, st.Start, st.Node, params.types)
	if err != nil {
		return nil, err
	}
	return s.run(ctx, c, params.values)
}

// endsFailedBlock says whether a failed block lets the statement pass.
func endsFailedBlock(n *pg_query.Node) bool {
	t := n.GetTransactionStmt()
	if t == nil {
		return false
	}
	switch t.Kind {
	case pg_query.TransactionStmtKind_TRANS_STMT_COMMIT, pg_query.TransactionStmtKind_TRANS_STMT_ROLLBACK,
		pg_query.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO, pg_query.TransactionStmtKind_TRANS_STMT_PREPARE:
		return true
	}
	return false
}

// exec makes what a plan runs with.
func (s *Session) exec(ctx context.Context, params []types.Datum) vexec.Exec {
	r := s.reader()
	return vexec.Exec{
		Store:    s.cur.store,
		Expr:     &expr.Context{Ctx: ctx, Env: s.typesEnv(r), Params: params, Session: s},
		Observer: s.ri,
		WorkMem:  s.workMem(),
	}
}

// planTypes are the types of a plan's columns.
func planTypes(p *planpb.Plan) []types.T {
	ts := make([]types.T, len(p.GetOutput()))
	for i, t := range p.GetOutput() {
		ts[i] = t.T()
	}
	return ts
}

// run starts a compiled statement.
func (s *Session) run(ctx context.Context, c *compiled, params []types.Datum) (*result, error) {
	if err := c.planned.ConstError; err != nil {
		return nil, err
	}
	if c.forbidden != "" {
		if err := s.forbidReadOnly(c.forbidden); err != nil {
			return nil, err
		}
	}
	s.cur.temp = s.cur.temp || c.temp
	if err := s.checkAccess(ctx, c.access); err != nil {
		return nil, err
	}
	s.ri.BeginStatement()
	if c.point != nil {
		if store, ok := s.cur.store.(vexec.RowStore); ok {
			return s.runPoint(ctx, c, store, params)
		}
	}
	if c.short != nil {
		if store, ok := s.cur.store.(vexec.RowStore); ok {
			if r, err := s.runShort(ctx, c, store, params); r != nil || err != nil {
				return r, err
			}
		}
	}
	env := s.exec(ctx, params)
	env.Coded = s.codedRows && c.command == query.CmdSelect
	cur, err := s.runPlan(ctx, c.planned, env)
	if err != nil {
		return nil, err
	}
	r := &result{cols: c.cols, types: planTypes(c.planned.Statement.GetRoot()), src: cur}
	switch c.command {
	case query.CmdSelect:
		r.tag = selectTag
	case query.CmdInsert:
		r.tag = func(int64) string { return "INSERT 0 " + strconv.FormatInt(cur.RowsAffected(), 10) }
	default:
		name := commandNames[c.command]
		r.tag = func(int64) string { return name + " " + strconv.FormatInt(cur.RowsAffected(), 10) }
	}
	if c.writes != "" {
		r.finish = s.settle
	}
	return r, nil
}

// withTimeout bounds a statement by statement_timeout. The returned function
// must be called when the statement has ended.
func (s *Session) withTimeout(ctx context.Context) (context.Context, func()) {
	d := s.current().statement
	if d <= 0 {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	t := time.AfterFunc(d, func() {
		cancel(pgerror.New(pgerror.QueryCanceled, "canceling statement due to statement timeout"))
	})
	return ctx, func() { t.Stop(); cancel(nil) }
}

// shownQueryBytes is track_activity_query_size without its terminator.
const shownQueryBytes = 1023

// shownQuery is what pg_stat_activity shows of a query; it does not keep a long one.
func shownQuery(text string) string {
	if len(text) <= shownQueryBytes {
		return text
	}
	n := shownQueryBytes
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return strings.Clone(text[:n])
}

// noteQuery records a statement for pg_stat_activity.
func (s *Session) noteQuery(text string) {
	at := time.Now()
	s.stmtTime = types.TimestampOf(at)
	a := &s.activity
	a.mu.Lock()
	a.query, a.queryStart = shownQuery(text), at
	if s.phase == phaseIdle {
		a.xactStart = at
	}
	a.mu.Unlock()
}
