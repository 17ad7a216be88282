package session

import (
	"context"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
)

// riRunner runs the statements of referential integrity in the session's transaction.
type riRunner struct{ s *Session }

func (r riRunner) Catalog() catalog.Reader { return r.s.reader() }
func (r riRunner) Env() *types.Env         { return r.s.Env() }

// NewSnapshot implements ri.Runner.
func (r riRunner) NewSnapshot(ctx context.Context) error {
	tx := r.s.cur.tx
	if tx.Options().Isolation == txn.ReadCommitted {
		tx.BeginStatement()
	} else {
		tx.NextCommand()
	}
	return nil
}

// ReadNewest implements ri.Runner.
func (r riRunner) ReadNewest() (done func()) { return r.s.cur.tx.ReadNewest() }

// Run implements ri.Runner.
func (r riRunner) Run(ctx context.Context, text string, params []types.Datum, paramTypes []types.OID) ([][]types.Datum, int64, error) {
	s := r.s
	stmts, err := s.parseText(text)
	if err != nil {
		return nil, 0, err
	}
	c, err := s.compile(ctx, text, 0, stmts[0].Node, paramTypes)
	if err != nil {
		return nil, 0, err
	}
	rows, affected, err := s.collect(ctx, c, s.exec(ctx, params))
	if c.command != query.CmdSelect {
		s.cur.tx.NextCommand() // what follows sees the change
	}
	return rows, affected, err
}

// collect runs a plan to its end and gives its rows.
func (s *Session) collect(ctx context.Context, c *compiled, env vexec.Exec) (rows [][]types.Datum, affected int64, err error) {
	cur, err := s.node.Executor.Run(ctx, c.planned.Statement, env)
	if err != nil {
		return nil, 0, err
	}
	defer cur.Close()
	for {
		b, err := cur.Next(ctx)
		if err != nil {
			return nil, 0, err
		}
		if b == nil {
			return rows, cur.RowsAffected(), nil
		}
		rows = appendRows(rows, c.cols, b)
	}
}

// setConstraints runs SET CONSTRAINTS.
func (s *Session) setConstraints(ctx context.Context, st *parse.Statement, c *pg_query.ConstraintsSetStmt) error {
	if s.phase != phaseBlock && !s.inQueryString {
		s.warn(pgerror.NoActiveSQLTransaction, "SET CONSTRAINTS can only be used in transaction blocks")
	}
	if _, err := s.statementTxn(ctx); err != nil {
		return err
	}
	if len(c.Constraints) == 0 {
		return s.ri.SetConstraints(ctx, nil, c.Deferred)
	}
	env, err := s.analyzeEnv(ctx, s.reader())
	if err != nil {
		return err
	}
	cons := []types.OID{}
	for _, n := range c.Constraints {
		found, err := s.findConstraint(ctx, env, n.GetRangeVar())
		if err != nil {
			return err
		}
		cons = append(cons, found...)
	}
	return s.ri.SetConstraints(ctx, cons, c.Deferred)
}

// findConstraint finds a deferrable constraint by name through the search path.
func (s *Session) findConstraint(ctx context.Context, env *analyze.Env, name *pg_query.RangeVar) ([]types.OID, error) {
	path := env.SearchPath
	if name.Schemaname != "" {
		ns, err := catalog.UsableNamespace(ctx, env.Catalog, env.CurrentUser, name.Schemaname)
		if err != nil {
			return nil, err
		}
		if ns == nil {
			return nil, pgerror.New(pgerror.InvalidSchemaName, `schema "%s" does not exist`, name.Schemaname)
		}
		path = []types.OID{ns.OID}
	}
	for _, ns := range path {
		cons, err := s.constraintsNamed(ctx, ns, name.Relname)
		if err != nil {
			return nil, err
		}
		if len(cons) == 0 {
			continue
		}
		var out []types.OID
		for _, c := range cons {
			if !c.deferrable {
				return nil, pgerror.New(pgerror.WrongObjectType, `constraint "%s" is not deferrable`, name.Relname)
			}
			out = append(out, c.oid)
		}
		return out, nil
	}
	return nil, pgerror.New(pgerror.UndefinedObject, `constraint "%s" does not exist`, name.Relname)
}

type namedConstraint struct {
	oid        types.OID
	deferrable bool
}

// constraintsNamed looks pg_constraint up by name.
func (s *Session) constraintsNamed(ctx context.Context, ns types.OID, name string) ([]namedConstraint, error) {
	rows, _, err := riRunner{s}.Run(ctx, "SELECT oid, condeferrable FROM pg_catalog.pg_constraint WHERE connamespace = $1 AND conname = $2",
		[]types.Datum{ns, name}, []types.OID{types.Oid, types.Name})
	if err != nil {
		return nil, err
	}
	var out []namedConstraint
	for _, r := range rows {
		out = append(out, namedConstraint{r[0].(types.OID), r[1].(bool)})
	}
	return out, nil
}
