// Package expr evaluates scalar expressions over vectors.
//
// An expression arrives as a planpb.Expr, is compiled once per operator
// (Compile) and then evaluated batch after batch. Function calls name a
// function by its pg_proc OID; the Registry given at compile time holds the
// implementations. sql/functions fills a Registry with PostgreSQL's functions;
// this package knows none by itself.
//
// Vectors are dense: a selection has been applied before evaluation. Arguments
// that are evaluated for some rows only (CASE, COALESCE, AND, OR) are evaluated
// on just those rows, so an error in an untaken branch is never raised.
package expr

import (
	"context"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/basaltdb/basalt/sql/types"
)

// Context is what evaluation needs of the running statement. It is shared by
// the statement's workers and never changes while they run.
type Context struct {
	Ctx    context.Context // cancelled when the statement is
	Env    *types.Env
	Params []types.Datum // $1 … of the statement, in the Go form of their types
	// Session is the gateway session a statement runs for; sql/functions knows its
	// type. nil on a node that runs a fragment without one: functions that need it
	// are never pushed down (Function.NeedsSession).
	Session any
	// Memory is the budget of the values that functions make; nil: unbounded.
	Memory *Memory
}

// Kernel computes a function over n rows. args are vectors of length n in the
// physical form of their types (numeric: either form; text may be a dictionary
// only if the function said so). The result has length n. A kernel of a Strict
// function may compute anything at rows where an argument is NULL: the caller
// masks them; it must not fail there. Kernels keep no reference to args unless
// the result shares their memory, and are safe for concurrent use.
type Kernel func(ctx *Context, call *Call, args []arrow.Array, n int) (arrow.Array, error)

// Call is what a kernel may need to know of its call site.
type Call struct {
	OID       types.OID // pg_proc OID
	ArgTypes  []types.T // as resolved, modifiers included
	Result    types.T
	Collation types.OID
	// Variadic: the last argument is an array given with VARIADIC.
	Variadic bool
	// Const holds the value of each argument that is a constant (IsConst true), for
	// kernels that prepare once (regular expressions, format strings) in Prepare.
	Const   []types.Datum
	IsConst []bool
	// State is what Function.Prepare returned.
	State any
	// ColumnNames and ColumnTypes are the column definition list of a function that
	// returns record: FROM json_to_record(…) AS (a int, b text).
	ColumnNames []string
	ColumnTypes []types.T
	// Order is the direction of each WITHIN GROUP sort column, for ordered-set aggregates.
	Order []OrderKey
}

// OrderKey is the direction of one sort column.
type OrderKey struct{ Descending, NullsFirst bool }

// Volatility is pg_proc.provolatile.
type Volatility uint8

const (
	Immutable Volatility = iota
	Stable
	Volatile
)

// Function is one implementation.
type Function struct {
	OID types.OID
	// Strict: NULL in gives NULL out; the caller masks.
	Strict     bool
	Volatility Volatility
	// NeedsSession functions run at the gateway only.
	NeedsSession bool
	// Prepare, when set, is called once per call site and worker; its result is Call.State.
	Prepare func(ctx *Context, call *Call) (any, error)
	Eval    Kernel
	// Select, when set, lists the rows for which a strict predicate is true, where its first argument is a column and
	// the others are constants: positions within sel, or rows of a when sel is nil, appended to out. It spares gathering
	// the column. done false: Eval is to be used.
	Select func(ctx *Context, call *Call, a arrow.Array, sel, out []int32) (keep []int32, done bool, err error)
	// CannotFail: no argument makes it raise an error, so that it may be computed for rows nobody asked for.
	CannotFail bool
	// Value, when set, is Eval for one row, none of whose arguments is NULL: point statements call it.
	// It keeps no reference to args. Its result is not NULL.
	Value func(ctx *Context, call *Call, args []types.Datum) (types.Datum, error)
	// Grows: Value may reserve memory (Context.Grow).
	Grows bool
}

// SetFunction is a set-returning function: for one row of arguments it yields
// rows through emit, in order; emit's error stops it.
type SetFunction struct {
	OID          types.OID
	Strict       bool // NULL argument: no rows
	NeedsSession bool
	// Columns names and types the result columns of a call; nil for a scalar result.
	// A select list needs them to make records of the rows.
	Columns func(call *Call) (names []string, ts []types.T)
	// Eval's emit takes one Datum per result column (one for a scalar result).
	Eval func(ctx *Context, call *Call, args []types.Datum, emit func(row ...types.Datum) error) error
}

// Aggregate is an aggregate function in the general, Datum-at-a-time form.
// Aggregates with a vectorized form in vexec do not need one.
type Aggregate struct {
	OID types.OID
	// New makes the state of one group.
	New func(ctx *Context, call *Call) AggState
	// Ordered-set aggregates (WITHIN GROUP) get their direct arguments in NewOrdered instead.
	NewOrdered func(ctx *Context, call *Call, direct []types.Datum) (AggState, error)
	// SkipNulls: rows with a NULL argument are not given to Add (strict transition).
	SkipNulls bool
}

// AggState is the state of one group. It is used by one goroutine at a time.
type AggState interface {
	// Add takes one row of arguments. It may keep them.
	Add(args []types.Datum) error
	// Result is the aggregate so far; it may be called again after more Adds (window frames).
	Result() (types.Datum, error)
	// Size is the state's memory in bytes, for accounting; an estimate is enough.
	Size() int64
}

// CountedState is implemented by states of ordered-set aggregates that need to
// know how many rows with a value will be added, so that they keep few of them.
type CountedState interface {
	AggState
	// Expect comes before the first Add.
	Expect(values int64)
}

// PortableState is implemented by states that can be computed in parts, in several
// processes: the order of their input does not matter.
type PortableState interface {
	AggState
	// AppendState appends the state in a form that never changes its meaning.
	AppendState(dst []byte) []byte
	// MergeState folds in a state of the same aggregate; 08P01 when it is malformed.
	// It keeps no reference to b.
	MergeState(b []byte) error
}

// WindowRemover is implemented by states that can take rows out again in the
// order they came, for moving window frames.
type WindowRemover interface {
	Remove(args []types.Datum) error
}

// Registry maps pg_proc OIDs to implementations. It is filled at start-up and
// read-only afterwards.
type Registry struct {
	scalar map[types.OID]*Function
	set    map[types.OID]*SetFunction
	agg    map[types.OID]*Aggregate
}

// NewRegistry makes an empty registry.
func NewRegistry() *Registry {
	return &Registry{scalar: map[types.OID]*Function{}, set: map[types.OID]*SetFunction{}, agg: map[types.OID]*Aggregate{}}
}

// Add, AddSet and AddAggregate register an implementation; a second one for the
// same OID replaces the first (vexec's own kernels go over the general ones).
func (r *Registry) Add(f *Function)           { r.scalar[f.OID] = f }
func (r *Registry) AddSet(f *SetFunction)     { r.set[f.OID] = f }
func (r *Registry) AddAggregate(a *Aggregate) { r.agg[a.OID] = a }

// Function, Set and Aggregate look an implementation up; nil when there is none.
func (r *Registry) Function(oid types.OID) *Function   { return r.scalar[oid] }
func (r *Registry) Set(oid types.OID) *SetFunction     { return r.set[oid] }
func (r *Registry) Aggregate(oid types.OID) *Aggregate { return r.agg[oid] }

// EachSet calls f with every set-returning function, in no order.
func (r *Registry) EachSet(f func(*SetFunction)) {
	for _, s := range r.set {
		f(s)
	}
}
