package plan

import (
	"context"
	"sync/atomic"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Options of one planning run. Catalog, Types and Registry must be set.
type Options struct {
	Catalog catalog.Reader
	// Types is the session's environment; immutable functions are folded with it.
	Types *types.Env
	// Registry holds the functions that constant folding may call.
	Registry *expr.Registry
	// Settings are the enable_* switches; the zero value has everything on.
	Settings Settings
	// Params are the values of $1 … for a custom plan: they are folded into the
	// plan, which is then not Cacheable. nil makes a generic plan.
	Params []types.Datum
	// HasParams says that Params holds values (a statement may have none).
	HasParams bool
	// Workers is the number of workers a Gather may use; 0 or 1: no Gather.
	Workers int
	// Sites is the number of storage nodes over which tables are spread, as far as
	// costs go; 0: plans have no exchanges.
	Sites int
	// PushChanges lets INSERT, UPDATE and DELETE run on the nodes of their rows.
	PushChanges bool
	// WorkMem in bytes, for choosing between strategies; 0: 64 MiB.
	WorkMem int64
	// LimitHint is the number of rows the client will fetch (a cursor, a portal
	// with a row limit); 0: all.
	LimitHint float64
	// TableSize, when set, gives the current size of a table's storage as counted by the
	// store. Called once per table and run; it must not read data. What it said is noted
	// in Planned.Sizes.
	TableSize func(storageID uint64) TableSize
	// SegmentColumns, when set, gives what the column segments of a table know of a column of
	// type t. It must not read data.
	SegmentColumns func(storageID uint64, attnum int, t types.T) []SegmentColumn
	// Disable names optimizer passes that are not to run (passes.go).
	Disable map[string]bool
	// Trace, when set, hears the name of each pass that changed the tree and of
	// each rule that fired.
	Trace func(pass, rule string)
}

// Settings mirrors PostgreSQL's enable_* parameters, inverted so that the zero
// value enables all.
type Settings struct {
	NoHashAgg, NoHashJoin, NoIndexScan, NoSeqScan, NoMergeJoin, NoNestLoop, NoSort, NoParallel bool
	// NoEagerAgg: no aggregation moves below joins; EagerAlways: every one that may does, whether it pays
	// or not, for tests (basalt.eager_aggregation: on, off or always).
	NoEagerAgg, EagerAlways bool
}

// ResultColumn describes an output column for RowDescription.
type ResultColumn struct {
	Name string
	Type types.T
	// Table and Column are set when the value is a plain table column.
	Table  types.OID
	Column int
}

// Planned is a plan ready to run.
type Planned struct {
	Statement *planpb.Statement
	// Unnumbered, unless nil, is Statement without KeyIDs, which has the same result: for when it fails
	// with vexec.ErrKeyList. Both may be begun: there are no writes and no volatile functions.
	Unnumbered *planpb.Statement
	Columns    []ResultColumn
	Command    query.CommandType
	// Returning: a data-modifying statement delivers rows.
	Returning bool
	// Root and the other trees are kept for EXPLAIN.
	Root      *Node
	InitPlans []*Node
	CTEs      []*Node
	// Relations the plan reads or writes (pg_class OIDs), for invalidation.
	Relations []types.OID
	// Sizes are the tables' live row counts the plan was made for.
	Sizes []TableSize
	// ReadOnly: no Modify and no LockRows anywhere.
	ReadOnly bool
	// Exchanges counts the exchanges in the plan; 0: it runs on the gateway alone.
	Exchanges int
	// Cacheable: the plan does not depend on parameter values or on anything but the
	// catalog's version, the settings and the parameter types.
	Cacheable bool
	// ConstError is the error of an expression of constants: running the statement
	// fails with it.
	ConstError error

	names       *planner // column names for EXPLAIN
	paramChecks []query.Expr
	cut         atomic.Pointer[Cut]
}

// Plan plans one optimizable statement (SELECT, INSERT, UPDATE, DELETE, MERGE).
// Errors are *pgerror.Error; those of constant folding are in Planned.ConstError.
func Plan(ctx context.Context, q *query.Query, opts Options) (*Planned, error) {
	return newPlanner(ctx, opts).plan(q)
}
