package session

import (
	"context"
	"strings"
	"time"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/plan"
	"github.com/basaltdb/basalt/sql/settings"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec"
)

// boolOption reads a Boolean option of EXPLAIN, COPY and their kin; absent means true.
func boolOption(d *pg_query.DefElem) (bool, error) {
	if d.Arg == nil {
		return true, nil
	}
	text, _ := constText(d.Arg)
	if b, ok := settings.ParseBool(text); ok {
		return b, nil
	}
	return false, pgerror.New(pgerror.SyntaxError, "%s requires a Boolean value", d.Defname)
}

func explainOptions(e *pg_query.ExplainStmt) (o plan.ExplainOptions, err error) {
	o.Costs = true
	var timing, summary *bool
	wal := false
	for _, n := range e.Options {
		d := n.GetDefElem()
		b := false
		switch d.Defname {
		case "analyze", "verbose", "costs", "buffers", "wal", "settings", "generic_plan", "timing", "summary", "distributed":
			if b, err = boolOption(d); err != nil {
				return o, err
			}
		}
		switch d.Defname {
		case "analyze":
			o.Analyze = b
		case "verbose":
			o.Verbose = b
		case "costs":
			o.Costs = b
		case "buffers":
			o.Buffers = b
		case "distributed":
			o.Distributed = b
		case "timing":
			timing = &b
		case "summary":
			summary = &b
		case "wal":
			wal = b
		case "settings", "generic_plan":
		case "format":
			text, _ := constText(d.Arg)
			switch text {
			case "text":
			case "json":
				o.Format = plan.ExplainJSON
			case "xml", "yaml":
				return o, pgerror.Unsupported("EXPLAIN (FORMAT %s)", strings.ToUpper(text))
			default:
				return o, pgerror.New(pgerror.InvalidParameterValue, `unrecognized value for EXPLAIN option "format": "%s"`, text).WithPosition(int(d.Location) + 1)
			}
		default:
			return o, pgerror.New(pgerror.SyntaxError, `unrecognized EXPLAIN option "%s"`, d.Defname).WithPosition(int(d.Location) + 1)
		}
	}
	if wal && !o.Analyze {
		return o, pgerror.New(pgerror.InvalidParameterValue, "EXPLAIN option WAL requires ANALYZE")
	}
	if timing != nil && *timing && !o.Analyze {
		return o, pgerror.New(pgerror.InvalidParameterValue, "EXPLAIN option TIMING requires ANALYZE")
	}
	o.Timing = o.Analyze
	if timing != nil {
		o.Timing = *timing
	}
	o.Summary = o.Analyze
	if summary != nil {
		o.Summary = *summary
	}
	return o, nil
}

func (s *Session) explainColumns(e *pg_query.ExplainStmt) []pgwire.Column {
	o, _ := explainOptions(e)
	if o.Format == plan.ExplainJSON {
		return []pgwire.Column{{Name: "QUERY PLAN", Type: types.Of(types.JSON), Len: -1}}
	}
	return []pgwire.Column{{Name: "QUERY PLAN", Type: types.Of(types.Text), Len: -1}}
}

// explainStmt runs EXPLAIN [ANALYZE].
func (s *Session) explainStmt(ctx context.Context, st *parse.Statement, e *pg_query.ExplainStmt, params bound) (*result, error) {
	opts, err := explainOptions(e)
	if err != nil {
		return nil, err
	}
	node := e.Query
	if x := node.GetExecuteStmt(); x != nil {
		p, err := s.findPrepared(x.Name)
		if err != nil {
			return nil, err
		}
		s.ensure()
		if params, err = s.executeParams(ctx, st, x, p, params); err != nil {
			return nil, err
		}
		if p.st == nil {
			return nil, pgerror.New(pgerror.SyntaxError, "cannot explain an empty statement")
		}
		st, node = p.st, p.st.Node
	}
	if c := node.GetCreateTableAsStmt(); c != nil {
		if x := c.Query.GetExecuteStmt(); x != nil {
			return nil, pgerror.Unsupported("EXPLAIN CREATE TABLE AS EXECUTE")
		}
		node = c.Query
	}
	if d := node.GetDeclareCursorStmt(); d != nil {
		node = d.Query
	}
	if !optimizable(node) {
		return nil, pgerror.Unsupported("EXPLAIN %s", parse.StatementTag(node))
	}
	if _, err := s.statementTxn(ctx); err != nil {
		return nil, err
	}
	began := time.Now()
	c, err := s.compile(ctx, st.Source, st.Start, node, params.types)
	if err != nil {
		return nil, err
	}
	if err := c.planned.ConstError; err != nil {
		return nil, err
	}
	opts.PlanningTime = time.Since(began)
	if opts.Analyze {
		if err := s.explainAnalyze(ctx, c, params, &opts); err != nil {
			return nil, err
		}
	}
	lines := plan.Explain(c.planned, opts)
	rows := make([][]string, len(lines))
	for i, l := range lines {
		rows[i] = []string{l}
	}
	r := textRows("EXPLAIN", []string{"QUERY PLAN"}, rows)
	if opts.Format == plan.ExplainJSON {
		r.cols[0].Type = types.Of(types.JSON)
	}
	return r, nil
}

// explainAnalyze runs the statement and collects its counters.
func (s *Session) explainAnalyze(ctx context.Context, c *compiled, params bound, opts *plan.ExplainOptions) error {
	s.cur.temp = s.cur.temp || c.temp
	if c.forbidden != "" {
		if err := s.forbidReadOnly(c.forbidden); err != nil {
			return err
		}
	}
	if err := s.checkAccess(ctx, c.access); err != nil {
		return err
	}
	s.ri.BeginStatement()
	env := s.exec(ctx, params.values)
	env.Stats = vexec.NewStats(opts.Timing)
	began := time.Now()
	cur, err := s.runPlan(ctx, c.planned, env)
	if err != nil {
		return err
	}
	defer cur.Close()
	for {
		b, err := cur.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
	}
	if c.writes != "" {
		if err := s.ri.Settle(ctx); err != nil {
			return err
		}
	}
	opts.ExecutionTime = time.Since(began)
	cur.Close()
	if r, ok := cur.(FragmentRuns); ok {
		opts.Runs = r.FragmentRuns()
	}
	opts.Stats = env.Stats
	return nil
}
