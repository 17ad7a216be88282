package ddl

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
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Context is what one DDL statement runs with.
type Context struct {
	Txn     txn.Txn
	Manager *catalog.Manager
	// Catalog is the session's transaction-bound catalog.
	Catalog *catalog.Transaction
	// Env is the session's analysis environment; its Catalog and Types are replaced
	// as the statement changes the catalog.
	Env *analyze.Env
	// User is the current user, SessionUser the session's.
	User, SessionUser types.OID
	// Runner runs queries and plans in the statement's transaction.
	Runner Runner
	// Lower turns expressions into vexec's form, for rewrites.
	Lower catalog.Lowerer
	// ParamTypes are the statement's parameters, for CREATE TABLE AS.
	ParamTypes []types.OID
	// InTransactionBlock: the statement is not alone (CREATE DATABASE refuses).
	InTransactionBlock bool
	// Iterations of SCRAM for passwords; 0: 4096.
	ScramIterations int
	// PlainPassword hashes a password into a verifier; nil: passwords are refused with 0A000.
	PlainPassword func(password string) (verifier string, err error)
	// Settings checks the settings of roles and databases; nil: they are refused with 0A000.
	Settings Settings
	// Temp keeps the session's temporary objects; nil: there can be none.
	Temp TempSpace
	// Bootstrap, when not 0, is the next OID to give out instead of a user's one, and
	// permits objects in pg_catalog: a new store is being made.
	Bootstrap types.OID

	notices []*pgerror.Error
	w       *catalog.Writer
	source  string
	stmt    parse.Statement
}

// Runner runs what DDL needs of the executor, in the statement's transaction and
// with its uncommitted catalog. The session implements it.
type Runner interface {
	// Run rewrites, plans and runs an analysed query to its end. rows are the output
	// of a SELECT, affected the rows a data-modifying query touched.
	Run(ctx context.Context, q *query.Query) (rows [][]types.Datum, affected int64, err error)
	// RunPlan runs a plan to its end and gives the rows its root Modify touched.
	RunPlan(ctx context.Context, stmt *planpb.Statement) (affected int64, err error)
	// BuildIndex fills the new, empty index at position pos of t.Indexes from the
	// table's rows.
	BuildIndex(ctx context.Context, t *planpb.Table, pos int) error
	// DropStorage gives up the storage of tables and indexes when the transaction commits.
	DropStorage(ctx context.Context, storageIDs ...uint64) error
	// Connections counts the sessions in a database.
	Connections(db types.OID) int
	// Prepared counts the prepared transactions of a database.
	Prepared(ctx context.Context, db types.OID) (int, error)
	// Terminate ends the sessions of a database; they may take a while to go.
	Terminate(db types.OID)
}

// Result of a statement.
type Result struct {
	Tag     string // command tag: "CREATE TABLE"
	Notices []*pgerror.Error
}

// Handles reports whether Execute knows the statement's kind.
func Handles(node *pg_query.Node) bool { return handler(node) != nil }

// Execute runs one DDL statement. The caller has begun the statement in the
// transaction and rolls it back to there on error. Notices are also given with an error.
func Execute(ctx context.Context, c *Context, stmt parse.Statement) (Result, error) {
	h := handler(stmt.Node)
	if h == nil {
		return Result{}, pgerror.Unsupported("%s", parse.StatementTag(stmt.Node))
	}
	c.notices, c.source, c.stmt = nil, stmt.Source, stmt
	tag, err := h(ctx, c)
	if tag == "" {
		tag = parse.StatementTag(stmt.Node)
	}
	return Result{Tag: tag, Notices: c.notices}, err
}

// execFunc carries out a statement; an empty tag stands for the statement's usual one.
type execFunc func(ctx context.Context, c *Context) (tag string, err error)

// on binds a statement's node to the function that runs it.
func on[N any](f func(context.Context, *Context, N) (string, error), n N) execFunc {
	return func(ctx context.Context, c *Context) (string, error) { return f(ctx, c, n) }
}

func handler(node *pg_query.Node) execFunc {
	switch n := node.GetNode().(type) {
	case *pg_query.Node_CreateStmt:
		return on(createTable, n.CreateStmt)
	case *pg_query.Node_CreateTableAsStmt:
		return on(createTableAs, n.CreateTableAsStmt)
	case *pg_query.Node_IndexStmt:
		return on(createIndex, n.IndexStmt)
	case *pg_query.Node_DropStmt:
		return on(dropObjects, n.DropStmt)
	}
	return moreHandlers(node)
}

// writer gives the statement's Writer.
func (c *Context) writer() *catalog.Writer {
	if c.w == nil {
		c.w = c.Catalog.Writer()
	}
	return c.w
}

// reader is the catalog as changed so far.
func (c *Context) reader() catalog.Reader { return c.Catalog.Reader() }

// env is the analysis environment over the catalog as changed so far.
func (c *Context) env() *analyze.Env {
	e := *c.Env
	e.Catalog = c.reader()
	e.TempNamespace = catalog.TempNamespace(e.Catalog)
	t := types.DefaultEnv()
	if e.Types != nil {
		*t = *e.Types
	}
	t.Resolver = catalog.NewResolver(e.Catalog, c.roleOfNames(), catalog.EffectivePath(e.Catalog, e.SearchPath))
	e.Types, e.CurrentUser = t, c.roleOfNames()
	return &e
}

// roleOfNames is whose USAGE on the schemas of names counts.
func (c *Context) roleOfNames() types.OID {
	if c.Bootstrap != 0 {
		return 0
	}
	return c.User
}

// path is the effective search path.
func (c *Context) path() []types.OID { return catalog.EffectivePath(c.reader(), c.Env.SearchPath) }

// at gives the error position of a node's byte offset.
func (c *Context) at(loc int32) int {
	if c.Bootstrap != 0 {
		return 0
	}
	return parse.Position(c.source, int(loc))
}

func (c *Context) notice(e *pgerror.Error) { c.notices = append(c.notices, e) }

func notice(code pgerror.Code, format string, args ...any) *pgerror.Error {
	return pgerror.New(code, format, args...).WithSeverity("NOTICE")
}

func warning(code pgerror.Code, format string, args ...any) *pgerror.Error {
	return pgerror.New(code, format, args...).WithSeverity("WARNING")
}

// newOID allocates an OID.
func (c *Context) newOID(ctx context.Context) (types.OID, error) {
	if c.Bootstrap != 0 {
		c.Bootstrap++
		return c.Bootstrap - 1, nil
	}
	return c.writer().NewOID(ctx)
}

// lock takes a relation lock and, under READ COMMITTED, a new snapshot, so that
// what is read next includes what its former holder committed.
func (c *Context) lock(ctx context.Context, rel types.OID, mode txn.RelationLock) error {
	id := uint64(c.reader().DatabaseOID())<<32 | uint64(rel)
	if err := c.Txn.LockRelation(ctx, id, mode, txn.WaitBlock); err != nil {
		return err
	}
	if c.Txn.Options().Isolation == txn.ReadCommitted {
		c.Txn.BeginStatement()
		c.Catalog.Invalidate()
	}
	return nil
}

// super reports whether the current user is a superuser.
func (c *Context) super(ctx context.Context) (bool, error) {
	r, err := c.reader().Role(ctx, c.User)
	return r != nil && r.Super, err
}
