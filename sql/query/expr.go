package query

import "github.com/basaltdb/basalt/sql/types"

// Expr is an expression node. Type includes the modifier; Pos is the 0-based
// byte offset in the statement, −1 when unknown.
type Expr interface {
	Type() types.T
	Collation() types.OID
	Pos() int
	Node() *Base
	exprNode()
}

// Base carries what every expression has.
type Base struct {
	T    types.T
	Coll types.OID
	Loc  int
}

func (b *Base) Type() types.T        { return b.T }
func (b *Base) Collation() types.OID { return b.Coll }
func (b *Base) Pos() int             { return b.Loc }
func (*Base) exprNode()              {}

// Node gives the analyser access to the common part, to set a type or collation
// while it builds a tree. Nobody else changes a node.
func (b *Base) Node() *Base { return b }

// CoercionForm says how a conversion was written, for deparse.
type CoercionForm uint8

const (
	CoerceExplicitCall CoercionForm = iota // function call syntax
	CoerceExplicitCast                     // CAST or ::
	CoerceImplicitCast                     // not shown
	CoerceSQLSyntax                        // EXTRACT(…) and friends
)

// System column attribute numbers, as PostgreSQL's.
const (
	AttTableOID = -6
	AttCTID     = -1
	AttXmin     = -2
	AttCmin     = -3
	AttXmax     = -4
	AttCmax     = -5
	AttLocator  = -100 // Basalt's own: the row's key, never visible to users
)

// Var is a column: range table index and attribute number, 0 for the whole row.
type Var struct {
	Base
	RTIndex  int
	AttNum   int
	LevelsUp int
	// SynRTIndex and SynAttNum name the column as it was written when that was
	// through a join's alias; 0 otherwise. For deparse only.
	SynRTIndex, SynAttNum int
}

// Const is a literal; Value nil for NULL.
type Const struct {
	Base
	Value types.Datum
}

// ParamKind of Param.
type ParamKind uint8

const (
	ParamExternal ParamKind = iota // $n
	ParamExec                      // planner-made
	ParamCaseTest                  // the CASE operand, the element in ArrayCoerce (nearest enclosing)
	ParamDomainValue
)

type Param struct {
	Base
	Kind   ParamKind
	Number int
}

// FuncExpr calls a function (pg_proc OID).
type FuncExpr struct {
	Base
	Func     types.OID
	Name     string
	Args     []Expr
	Variadic bool
	RetSet   bool
	Form     CoercionForm
	// InputColl is the collation the function works with.
	InputColl types.OID
}

// OpExpr applies an operator: one or two arguments.
type OpExpr struct {
	Base
	Op        types.OID // pg_operator
	Func      types.OID // its pg_proc
	Name      string
	Args      []Expr
	InputColl types.OID
	RetSet    bool
}

// DistinctExpr is IS DISTINCT FROM; Op is the "=" operator.
type DistinctExpr struct {
	Base
	Op, Func    types.OID
	Left, Right Expr
}

// NullIfExpr is NULLIF.
type NullIfExpr struct {
	Base
	Op, Func    types.OID
	Left, Right Expr
}

// ScalarArrayOpExpr is x op ANY|ALL (array); also IN lists of constants.
type ScalarArrayOpExpr struct {
	Base
	Op, Func      types.OID
	Name          string
	UseOr         bool // ANY
	Scalar, Array Expr
}

type BoolOp uint8

const (
	And BoolOp = iota
	Or
	Not
)

type BoolExpr struct {
	Base
	Op   BoolOp
	Args []Expr
}

// Aggref is an aggregate call. LevelsUp > 0: it aggregates in an outer query.
type Aggref struct {
	Base
	Func       types.OID
	Name       string
	Args       []*TargetEntry // aggregated arguments; entries beyond NumArgs are junk sort columns
	NumArgs    int
	DirectArgs []Expr
	OrderBy    []SortGroupClause
	Distinct   []SortGroupClause
	Filter     Expr
	Star       bool
	Variadic   bool
	Kind       byte // pg_aggregate.aggkind: n, o, h
	LevelsUp   int
	ArgTypes   []types.T
	InputColl  types.OID
}

// GroupingFunc is GROUPING(…); Refs are SortGroupRefs.
type GroupingFunc struct {
	Base
	Args     []Expr
	Refs     []int
	LevelsUp int
}

// WindowFunc is a window function call.
type WindowFunc struct {
	Base
	Func      types.OID
	Name      string
	Args      []Expr
	Filter    Expr
	WinRef    int
	Star      bool
	IsAgg     bool
	InputColl types.OID
}

type SubLinkKind uint8

const (
	SubLinkExists     SubLinkKind = iota
	SubLinkAll                    // x op ALL (SELECT …)
	SubLinkAny                    // x op ANY (SELECT …), IN
	SubLinkRowCompare             // (a, b) op (SELECT …)
	SubLinkExpr                   // scalar
	SubLinkArray                  // ARRAY(SELECT …)
	SubLinkMulti                  // UPDATE … SET (a, b) = (SELECT …)
)

// SubLink is a subquery in an expression. For ANY, ALL and RowCompare, Test is
// the comparison with Param{Kind: ParamExec, Number: k} standing for output column k (1-based).
type SubLink struct {
	Base
	Kind   SubLinkKind
	Test   Expr
	Left   []Expr // left-hand expressions of Test
	OpName string
	Query  *Query
	ID     int // SubLinkMulti: shared by the columns
}

// MultiAssignRef takes column Column (1-based) of SubLinkMulti ID.
type MultiAssignRef struct {
	Base
	SubLink *SubLink
	Column  int
}

// SubscriptingRef is array[…]; Assign non-nil: assignment.
type SubscriptingRef struct {
	Base
	Arg      Expr
	Upper    []Expr // element subscripts, or upper bounds (nil entry: open)
	Lower    []Expr // nil: element access
	Assign   Expr
	ElemType types.T
}

// FieldSelect takes a field (1-based attribute number) of a composite value.
type FieldSelect struct {
	Base
	Arg   Expr
	Field int
	Name  string
}

// FieldStore assigns fields of a composite value.
type FieldStore struct {
	Base
	Arg    Expr
	Fields []int
	Values []Expr
}

// RelabelType changes the type without changing the value.
type RelabelType struct {
	Base
	Arg  Expr
	Form CoercionForm
}

// CoerceViaIO converts by output and input functions.
type CoerceViaIO struct {
	Base
	Arg  Expr
	Form CoercionForm
}

// ArrayCoerceExpr converts elementwise; Elem sees the element as Param{ParamCaseTest}.
type ArrayCoerceExpr struct {
	Base
	Arg, Elem Expr
	Form      CoercionForm
}

// ConvertRowtypeExpr converts between row types by column name.
type ConvertRowtypeExpr struct {
	Base
	Arg  Expr
	Form CoercionForm
}

// CollateExpr is expr COLLATE c.
type CollateExpr struct {
	Base
	Arg Expr
}

// CaseExpr: with Arg, the Whens compare Param{ParamCaseTest}.
type CaseExpr struct {
	Base
	Arg     Expr
	Whens   []CaseWhen
	Default Expr // nil: NULL
}

type CaseWhen struct{ Cond, Result Expr }

// ArrayExpr is ARRAY[…]; Nested: elements are arrays.
type ArrayExpr struct {
	Base
	Elems    []Expr
	ElemType types.T
	Nested   bool
}

// RowExpr is ROW(…).
type RowExpr struct {
	Base
	Fields   []Expr
	Names    []string
	Implicit bool // (a, b) without ROW
}

// RowCompareExpr is (a, b) op (c, d) for < <= >= > (= and <> become AND, OR).
type RowCompareExpr struct {
	Base
	Op          string
	Ops, Funcs  []types.OID // the column operators
	Left, Right []Expr
}

type CoalesceExpr struct {
	Base
	Args []Expr
}

// MinMaxExpr is GREATEST or LEAST.
type MinMaxExpr struct {
	Base
	Greatest  bool
	InputColl types.OID
	Args      []Expr
}

type NullTest struct {
	Base
	Arg      Expr
	IsNot    bool
	ArgIsRow bool
}

type BoolTestKind uint8

const (
	IsTrue BoolTestKind = iota
	IsNotTrue
	IsFalse
	IsNotFalse
	IsUnknown
	IsNotUnknown
)

type BooleanTest struct {
	Base
	Arg  Expr
	Test BoolTestKind
}

// SQLValueKind names CURRENT_DATE and its kind.
type SQLValueKind uint8

const (
	CurrentDate SQLValueKind = iota
	CurrentTime
	CurrentTimestamp
	LocalTime
	LocalTimestamp
	CurrentRole
	CurrentUser
	SessionUser
	CurrentCatalog
	CurrentSchema
)

// SQLValueFunction is a parameterless SQL value; the type's modifier is its precision.
type SQLValueFunction struct {
	Base
	Kind SQLValueKind
}

// SetToDefault stands for DEFAULT until the analyser has replaced it.
type SetToDefault struct{ Base }

// NextValExpr is the default of an identity column.
type NextValExpr struct {
	Base
	Sequence types.OID
}
