package session

import (
	"context"
	"fmt"
	"time"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/plan"
	"github.com/basaltdb/basalt/sql/types"
)

// prepared is a prepared statement.
type prepared struct {
	name     string
	text     string
	st       *parse.Statement // nil: an empty query
	declared []types.OID
	params   []types.OID
	paramTs  []types.T
	cols     []pgwire.Column
	key      string // plan key and catalog version that cols and params belong to
	version  uint64
	planned  *plan.Planned // of cols and params; nil: not an optimizable statement
	custom   int           // how often its parameters have been looked at
	plan     heldPlan
	held     int64 // bytes accounted
	plain    bool  // parameters are read the same under all settings
	fromSQL  bool
	created  time.Time
}

// finishCall ends a call of the extended protocol: an error aborts.
func (s *Session) finishCall(ctx context.Context, err *error) {
	if *err != nil {
		*err = s.fix(ctx, *err)
		s.abort()
	}
}

// Parse implements pgwire.Session.
func (s *Session) Parse(ctx context.Context, name, sql string, paramTypes []uint32) (err error) {
	defer s.finishCall(ctx, &err)
	defer s.releaseText()
	s.stmtTime = now()
	declared := make([]types.OID, len(paramTypes))
	for i, p := range paramTypes {
		declared[i] = types.OID(p)
	}
	if name != "" && s.prepared[name] != nil {
		return pgerror.New(pgerror.DuplicatePreparedStatement, `prepared statement "%s" already exists`, name)
	}
	s.dropPrepared(name)
	stmts, err := s.parseText(sql)
	if err != nil {
		return err
	}
	if len(stmts) > 1 {
		return pgerror.New(pgerror.SyntaxError, "cannot insert multiple commands into a prepared statement")
	}
	p := &prepared{name: name, text: sql, declared: declared, created: time.Now()}
	if len(stmts) == 1 {
		p.st = &stmts[0]
	}
	if err := s.prepare(ctx, p); err != nil {
		return err
	}
	return s.keepPrepared(p)
}

// prepare analyses a statement: parameter types and result columns.
func (s *Session) prepare(ctx context.Context, p *prepared) error {
	if p.st == nil {
		return nil
	}
	if s.phase == phaseFailed && !endsFailedBlock(p.st.Node) {
		return errFailedBlock
	}
	if !optimizable(p.st.Node) {
		p.params = p.declared
		p.paramTs = make([]types.T, len(p.params))
		for i, o := range p.params {
			t, ok := s.reader().TypeByOID(o)
			if !ok {
				return pgerror.New(pgerror.IndeterminateDatatype, "could not determine data type of parameter $%d", i+1)
			}
			p.paramTs[i] = t
		}
		return nil
	}
	if _, err := s.statementTxn(ctx); err != nil {
		return err
	}
	c, err := s.compile(ctx, p.st.Source, p.st.Start, p.st.Node, p.declared)
	if err != nil {
		return err
	}
	s.adopt(p, c)
	return nil
}

// adopt takes over what a compiled plan says about a statement.
func (s *Session) adopt(p *prepared, c *compiled) {
	p.paramTs = c.params
	p.params = make([]types.OID, len(c.params))
	p.plain = true
	for i, t := range c.params {
		p.params[i] = t.OID
		p.plain = p.plain && plainInput(t)
	}
	p.cols, p.version, p.key, p.planned = c.cols, c.version, s.current().planKey, c.planned
}

// plainInput reports that values of a type are read without regard to settings,
// the time and the catalog.
func plainInput(t types.T) bool {
	if t.Class != types.ClassBase {
		return false
	}
	switch t.OID {
	case types.Bool, types.Int2, types.Int4, types.Int8, types.Float4, types.Float8, types.NumericOID, types.Text, types.VarChar, types.BPChar, types.UUIDOID, types.Bytea:
		return true
	}
	return false
}

// smallInt reads up to nine digits with an optional minus.
func smallInt(b []byte) (int32, bool) {
	digits := b
	if len(b) > 0 && b[0] == '-' {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 9 {
		return 0, false
	}
	var v int32
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int32(c-'0')
	}
	if len(digits) < len(b) {
		v = -v
	}
	return v, true
}

var errResultType = pgerror.New(pgerror.FeatureNotSupported, "cached plan must not change result type")

func (s *Session) findPrepared(name string) (*prepared, error) {
	if p := s.prepared[name]; p != nil {
		return p, nil
	}
	if name == "" {
		return nil, pgerror.New(pgerror.InvalidSQLStatementName, "unnamed prepared statement does not exist")
	}
	return nil, pgerror.New(pgerror.InvalidSQLStatementName, `prepared statement "%s" does not exist`, name)
}

// Bind implements pgwire.Session.
func (s *Session) Bind(ctx context.Context, portalName, statement string, paramFormats []int16, params [][]byte, resultFormats []int16) (err error) {
	defer s.finishCall(ctx, &err)
	p, err := s.findPrepared(statement)
	if err != nil {
		return err
	}
	if s.phase == phaseFailed && (p.st == nil || !endsFailedBlock(p.st.Node)) {
		return errFailedBlock
	}
	if len(paramFormats) > 1 && len(paramFormats) != len(params) {
		return pgerror.New(pgerror.ProtocolViolation, "bind message has %d parameter formats but %d parameters", len(paramFormats), len(params))
	}
	if len(params) != len(p.params) {
		return pgerror.New(pgerror.ProtocolViolation, `bind message supplies %d parameters, but prepared statement "%s" requires %d`,
			len(params), statement, len(p.params))
	}
	s.noteQuery(p.text)
	s.ensure()
	if portalName != "" && s.portals[portalName] != nil {
		return pgerror.New(pgerror.DuplicateCursor, `cursor "%s" already exists`, portalName)
	}
	values := make([]types.Datum, len(params))
	if len(params) > 0 {
		env := &s.current().env
		if !p.plain {
			env = s.Env()
		}
		for i, raw := range params {
			if raw == nil {
				continue
			}
			f := int16(0)
			if len(paramFormats) == 1 {
				f = paramFormats[0]
			} else if len(paramFormats) > 1 {
				f = paramFormats[i]
			}
			switch f {
			case 0:
				var text string
				if v, ok := smallInt(raw); ok && p.paramTs[i].OID == types.Int4 {
					values[i] = v
					continue
				}
				if text, err = types.FromClient(env, raw); err == nil {
					err = validText([]byte(text))
				}
				if err == nil {
					values[i], err = types.In(env, p.paramTs[i], text)
				}
			case 1:
				if values[i], err = types.Recv(env, p.paramTs[i], raw); types.IsTrailingData(err) {
					err = pgerror.New(pgerror.InvalidBinaryRepresentation, "incorrect binary data format in bind parameter %d", i+1)
				}
			default:
				err = pgerror.New(pgerror.InvalidParameterValue, "unsupported format code: %d", f)
			}
			if err != nil {
				e := *pgerror.From(err)
				what := "unnamed portal"
				if portalName != "" {
					what = fmt.Sprintf("portal \"%s\"", portalName)
				}
				e.Where = fmt.Sprintf("%s parameter $%d", what, i+1)
				if f == 0 {
					e.Where += " = '...'" // log_parameter_max_length_on_error is 0
				}
				return &e
			}
		}
	}
	if err := s.foresee(ctx, p, values); err != nil {
		return err
	}
	q := &portal{name: portalName, prep: p, text: p.text, st: p.st, params: bound{values, p.params}, formats: append([]int16(nil), resultFormats...),
		cols: p.cols, created: time.Now(), level: len(s.cur.savepoints)}
	if p.st != nil && !optimizable(p.st.Node) {
		if q.cols, err = s.describeUtility(ctx, p.st); err != nil {
			return err
		}
	}
	if n := len(resultFormats); n > 1 && n != len(q.cols) {
		return pgerror.New(pgerror.ProtocolViolation, "bind message has %d result formats but query has %d columns", n, len(q.cols))
	}
	for _, f := range resultFormats {
		if f != 0 && f != 1 {
			return pgerror.New(pgerror.InvalidParameterValue, "unsupported format code: %d", f)
		}
	}
	s.dropPortal(portalName)
	if err := s.keepPortal(q, params); err != nil {
		return err
	}
	s.portals[portalName] = q
	return nil
}

// customPlansMax is how often PostgreSQL plans a statement for its parameters' values
// before it tries to do without.
const customPlansMax = 5

// foresee finds what is known to go wrong with a statement before it runs: its result
// type has changed, or an expression of constants and parameters fails.
func (s *Session) foresee(ctx context.Context, p *prepared, values []types.Datum) error {
	if p.planned == nil || s.phase == phaseFailed {
		return nil
	}
	if err := s.refresh(ctx, p); err != nil {
		return err
	}
	if p.planned.ConstError != nil {
		return p.planned.ConstError
	}
	if p.custom >= customPlansMax || !p.planned.WatchesParams() {
		return nil
	}
	if err := p.planned.CheckParams(ctx, s.planOptions(s.reader()), values); err != nil {
		return err
	}
	p.custom++
	return nil
}

// DescribeStatement implements pgwire.Session.
func (s *Session) DescribeStatement(ctx context.Context, name string) (params []types.OID, cols []pgwire.Column, err error) {
	defer s.finishCall(ctx, &err)
	p, err := s.findPrepared(name)
	if err != nil {
		return nil, nil, err
	}
	if s.phase == phaseFailed && p.cols != nil {
		return nil, nil, errFailedBlock
	}
	if p.st != nil && !optimizable(p.st.Node) {
		cols, err = s.describeUtility(ctx, p.st)
		return p.params, cols, err
	}
	if p.st != nil && (p.version != s.reader().Version() || p.key != s.current().planKey) {
		if err := s.refresh(ctx, p); err != nil {
			return nil, nil, err
		}
	}
	return p.params, p.cols, nil
}

// DescribePortal implements pgwire.Session.
func (s *Session) DescribePortal(ctx context.Context, name string) (cols []pgwire.Column, formats []int16, err error) {
	defer s.finishCall(ctx, &err)
	p, err := s.findPortal(name)
	if err != nil {
		return nil, nil, err
	}
	if s.phase == phaseFailed && p.cols != nil {
		return nil, nil, errFailedBlock
	}
	return p.cols, p.formats, nil
}

// Execute implements pgwire.Session.
func (s *Session) Execute(ctx context.Context, name string, maxRows int, out pgwire.Sink) (err error) {
	defer s.finishCall(ctx, &err)
	p, err := s.findPortal(name)
	if err != nil {
		return err
	}
	if p.st == nil {
		return out.Empty()
	}
	if s.phase == phaseFailed && !endsFailedBlock(p.st.Node) {
		return errFailedBlock
	}
	s.noteQuery(p.text)
	ctx, stop := s.withTimeout(ctx)
	defer stop()
	if p.done && p.cols == nil {
		return pgerror.New(pgerror.ObjectNotInPrerequisiteState, `portal "%s" cannot be run`, name)
	}
	if p.res == nil && !p.done {
		s.ensure()
		if maxRows > 0 && optimizable(p.st.Node) {
			p.res, err = newLasting().start(ctx, func(ctx context.Context) (*result, error) { return s.startStatement(ctx, p.st, p.params) })
		} else {
			_, s.codedRows = out.(pgwire.CodedSink)
			p.res, err = s.startPrepared(ctx, p.prep, p.st, p.params)
			s.codedRows = false
		}
		if err != nil {
			return s.fix(ctx, err)
		}
		if p.cols != nil && !sameColumns(p.cols, p.res.cols) {
			p.res.close()
			return errResultType
		}
		if p.res.copy != nil {
			tag, err := p.res.copy(ctx, out)
			p.done = true
			if err != nil {
				return s.fix(ctx, err)
			}
			return out.Complete(tag)
		}
		if p.res.finish != nil { // a data-modifying statement does all its work at once
			s.readAhead(ctx, p)
			if p.err == nil {
				p.err = p.res.finish(ctx)
			}
			if p.err != nil {
				return s.fix(ctx, p.err)
			}
		}
	}
	suspended, err := s.fetchPortal(ctx, p, maxRows, out)
	if err != nil {
		return s.fix(ctx, err)
	}
	if err := s.flushNotes(ctx); err != nil {
		return s.fix(ctx, err)
	}
	if suspended {
		return out.Suspended()
	}
	if p.st.Node.GetTransactionStmt() != nil && s.phase == phaseImplicit {
		if err := s.commit(ctx); err != nil {
			return err
		}
	}
	return out.Complete(p.tag)
}

func (r *result) close() {
	if r != nil && r.src != nil {
		r.src.Close()
	}
}

func sameColumns(a, b []pgwire.Column) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Type.OID != b[i].Type.OID || a[i].Type.Mod != b[i].Type.Mod {
			return false
		}
	}
	return true
}

// fetchPortal delivers up to maxRows rows (0: all) of a portal.
func (s *Session) fetchPortal(ctx context.Context, p *portal, maxRows int, out pgwire.Sink) (suspended bool, err error) {
	if p.done {
		if p.cols != nil {
			p.tag = p.res.tag(0)
		}
		return false, nil
	}
	if p.cols != nil {
		if err := out.Describe(p.cols, p.formats, true); err != nil {
			return false, err
		}
	}
	if ps, ok := p.res.source(); ok && maxRows == 0 && p.cols != nil && !p.cursor && len(p.pending) == 0 {
		rows, err := ps.send(out)
		if err != nil {
			return false, err
		}
		p.done = true
		p.rows += rows
		p.tag = p.res.tag(rows)
		return false, nil
	}
	var rows int64
	for {
		if maxRows > 0 && rows == int64(maxRows) {
			p.rows += rows
			return true, nil
		}
		b, err := p.next(ctx)
		if b != nil && p.cursor {
			b = p.visible(b)
		}
		if err != nil {
			return false, err
		}
		if b == nil {
			break
		}
		n := b.Rows()
		if maxRows > 0 && rows+int64(n) > int64(maxRows) {
			keep := maxRows - int(rows)
			p.pushBack(b, keep)
			b, n = part(b, 0, keep), keep
		}
		rows += int64(n)
		if p.cols != nil {
			if err := out.Rows(b); err != nil {
				return false, err
			}
		}
	}
	p.done = true
	p.rows += rows
	p.res.close()
	p.tag = p.res.tag(rows)
	return false, nil
}

// CloseStatement implements pgwire.Session.
func (s *Session) CloseStatement(name string) error {
	s.dropPrepared(name)
	return nil
}

// ClosePortal implements pgwire.Session.
func (s *Session) ClosePortal(name string) error {
	s.dropPortal(name)
	return nil
}

// Sync implements pgwire.Session.
func (s *Session) Sync(ctx context.Context) error {
	if s.phase != phaseImplicit {
		return nil
	}
	return s.commit(ctx)
}

// executeStmt runs EXECUTE: the prepared statement with evaluated arguments.
func (s *Session) executeStmt(ctx context.Context, st *parse.Statement, e *pg_query.ExecuteStmt, outer bound) (*result, error) {
	p, err := s.findPrepared(e.Name)
	if err != nil {
		return nil, err
	}
	params, err := s.executeParams(ctx, st, e, p, outer)
	if err != nil {
		return nil, err
	}
	if p.st == nil {
		return &result{empty: true, tag: func(int64) string { return "" }}, nil
	}
	if optimizable(p.st.Node) && p.cols != nil {
		if err := s.refresh(ctx, p); err != nil {
			return nil, err
		}
	}
	return s.startPrepared(ctx, p, p.st, params)
}

// refresh analyses a prepared statement again when the catalog or the settings have changed.
func (s *Session) refresh(ctx context.Context, p *prepared) error {
	if p.st == nil || !optimizable(p.st.Node) || p.version == s.reader().Version() && p.key == s.current().planKey {
		return nil
	}
	again := *p
	if err := s.prepare(ctx, &again); err != nil {
		return err
	}
	if !sameColumns(p.cols, again.cols) {
		return errResultType
	}
	*p = again
	return nil
}

// executeParams evaluates EXECUTE's arguments.
func (s *Session) executeParams(ctx context.Context, st *parse.Statement, e *pg_query.ExecuteStmt, p *prepared, outer bound) (bound, error) {
	if len(e.Params) != len(p.params) {
		return bound{}, pgerror.New(pgerror.SyntaxError, `wrong number of parameters for prepared statement "%s"`, p.name).
			WithDetail("Expected %d parameters but got %d.", len(p.params), len(e.Params))
	}
	b := bound{types: p.params, values: make([]types.Datum, len(p.params))}
	if len(p.params) == 0 {
		return b, nil
	}
	if _, err := s.statementTxn(ctx); err != nil {
		return b, err
	}
	r := s.reader()
	env, err := s.analyzeEnv(ctx, r)
	if err != nil {
		return b, err
	}
	for i, n := range e.Params {
		x, err := analyze.AnalyzeExpr(ctx, env, analyze.ExprSpec{Source: st.Source, Node: n, Kind: analyze.ExprExecuteParam, Target: p.paramTs[i], ColumnName: fmt.Sprintf("$%d", i+1)})
		if err != nil {
			return b, err
		}
		if b.values[i], err = s.evaluate(ctx, r, x); err != nil {
			return b, err
		}
	}
	return b, nil
}
