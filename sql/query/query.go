package query

import "github.com/basaltdb/basalt/sql/types"

// CommandType says what a Query does.
type CommandType uint8

const (
	CmdSelect CommandType = iota
	CmdInsert
	CmdUpdate
	CmdDelete
	CmdMerge
	CmdUtility // not analysed: the session runs the parse tree
)

// Query is an analysed statement.
type Query struct {
	Command CommandType
	// RTable is the range table; Vars and RangeTblRefs count from 1.
	RTable []*RangeTblEntry
	// ResultRelation is the target of INSERT/UPDATE/DELETE/MERGE, 0 for none.
	ResultRelation int
	// JoinTree holds FROM and WHERE; nil for INSERT … VALUES's outer query.
	JoinTree *FromExpr
	// TargetList: for SELECT the output columns (and junk sort columns); for INSERT
	// and UPDATE ResNo is the target's attribute number. INSERT lists the columns
	// the user gave values for until the rewriter has added the defaults of the rest.
	TargetList                                                           []*TargetEntry
	CTEs                                                                 []*CommonTableExpr
	Recursive                                                            bool // WITH RECURSIVE
	GroupClause                                                          []SortGroupClause
	GroupDistinct                                                        bool
	GroupingSets                                                         []GroupingSet   // expanded; nil when there are none
	GroupingTree                                                         []*GroupingNode // as written, for deparse
	HasGroupingSets                                                      bool
	Having                                                               Expr
	WindowClause                                                         []*WindowClause
	DistinctClause                                                       []SortGroupClause
	HasDistinctOn                                                        bool
	SortClause                                                           []SortGroupClause
	LimitOffset                                                          Expr // int8
	LimitCount                                                           Expr // int8; nil or NULL: all
	WithTies                                                             bool
	RowMarks                                                             []RowMark
	SetOperations                                                        *SetOperation // leaves are RTE_SUBQUERY entries of RTable
	OnConflict                                                           *OnConflictExpr
	Returning                                                            []*TargetEntry
	MergeActions                                                         []*MergeAction
	MergeJoin                                                            Expr // MERGE's ON condition, over target and source
	MergeSource                                                          int  // range table index of MERGE's source item
	Overriding                                                           Overriding
	HasAggs, HasWindowFuncs, HasTargetSRFs, HasSubLinks, HasModifyingCTE bool
	// CheckOptions of updatable views the target was reached through.
	CheckOptions []ViewCheck
	// Generated are the stored generated columns the executor computes for INSERT,
	// UPDATE and MERGE after everything else: ResNo is the column, Vars refer to
	// ResultRelation's new row. Filled by the rewriter.
	Generated []*TargetEntry
	// ConstEnv: a literal was read with a session setting or the clock (DateStyle,
	// TimeZone, 'now'); the tree must not be reused when they may have changed. Outermost only.
	ConstEnv bool
	// Momentary: the tree holds for this execution only: a literal was read by the
	// clock ('now', 'today'), or a cursor's row is in it. Outermost only.
	Momentary bool
	// ParamTypes are the statement's $n types; filled on the outermost Query.
	ParamTypes []types.T
	// Relations are the OIDs the tree depends on (plan invalidation), outermost only.
	Relations []types.OID
}

// Overriding is INSERT's OVERRIDING clause.
type Overriding uint8

const (
	OverridingNone Overriding = iota
	OverridingUser
	OverridingSystem
)

// ViewCheck is a WITH CHECK OPTION to hold for new rows, over the target's columns.
type ViewCheck struct {
	View string
	Qual Expr
	// Cascaded: views below this one are checked as well.
	Cascaded bool
}

// RTEKind is the kind of a range table entry.
type RTEKind uint8

const (
	RTERelation RTEKind = iota // table, or view until the rewriter has expanded it
	RTESubquery
	RTEJoin
	RTEFunction
	RTEValues
	RTECTE
	RTEResult // no relation: a single empty row
)

// RangeTblEntry is one item of the range table.
type RangeTblEntry struct {
	Kind RTEKind
	// Alias is what the user called it (AS), "" for none; ERef is the name it goes by
	// with its column names (all of them, dropped columns as "").
	Alias        string
	AliasColumns []string
	ERefName     string
	ERefColumns  []string
	// ColTypes and ColCollations go with ERefColumns.
	ColTypes      []types.T
	ColCollations []types.OID

	Relid       types.OID // RTERelation
	RelKind     byte      // pg_class.relkind
	Inh         bool      // not ONLY
	TableSample *TableSample
	// Lock is the RelationLock mode needed (txn.RelationLock).
	Lock uint8

	Subquery *Query    // RTESubquery; also the definition of an expanded view
	ViewOID  types.OID // the view a subquery came from
	Lateral  bool

	JoinType   JoinType // RTEJoin
	JoinUsing  int      // the first so many columns are merged by USING
	JoinAlias  []Expr   // per column of the join: a Var below it, or a COALESCE for merged columns
	UsingAlias string

	Functions  []*RangeTblFunction // RTEFunction: ROWS FROM
	Ordinality bool

	ValuesLists [][]Expr // RTEValues

	CTEName       string // RTECTE
	CTELevelsUp   int
	SelfReference bool // recursive reference
}

// TableSample is TABLESAMPLE method(args) REPEATABLE(seed).
type TableSample struct {
	Method     string
	Args       []Expr
	Repeatable Expr
}

// RangeTblFunction is one function of a ROWS FROM list and the columns it gives.
type RangeTblFunction struct {
	Expr     Expr
	ColNames []string
	ColTypes []types.T
	// Composite: the function's single composite result is expanded into the columns.
	Composite bool
}

// FromItem is a node of the join tree: *RangeTblRef, *JoinExpr, *FromExpr.
type FromItem interface{ fromItem() }

// RangeTblRef is a leaf: range table index, from 1.
type RangeTblRef struct{ RTIndex int }

// JoinType of JoinExpr.
type JoinType uint8

const (
	JoinInner JoinType = iota
	JoinLeft
	JoinFull
	JoinRight
)

// JoinExpr is an explicit join. RTIndex is its RTEJoin entry.
type JoinExpr struct {
	Type        JoinType
	Left, Right FromItem
	Quals       Expr // nil: none (CROSS JOIN)
	RTIndex     int
	Natural     bool
	Using       []string
}

// FromExpr is a list of items (comma joins) with WHERE.
type FromExpr struct {
	Items []FromItem
	Quals Expr
}

func (*RangeTblRef) fromItem() {}
func (*JoinExpr) fromItem()    {}
func (*FromExpr) fromItem()    {}

// TargetEntry is one output or assignment.
type TargetEntry struct {
	Expr  Expr
	ResNo int // 1-based; attribute number for INSERT and UPDATE
	Name  string
	// SortGroupRef links it with SortGroupClauses; 0 for none.
	SortGroupRef int
	Junk         bool
	OrigTable    types.OID // for RowDescription: the table column this is, if it is one
	OrigColumn   int
}

// SortGroupClause is one ORDER BY, GROUP BY, DISTINCT or PARTITION BY item.
type SortGroupClause struct {
	Ref        int       // TargetEntry.SortGroupRef
	EqOp       types.OID // pg_operator
	SortOp     types.OID // "<" or ">" as sorted; 0 if only hashable
	Descending bool
	NullsFirst bool
	Hashable   bool
}

// GroupingSet lists SortGroupRefs.
type GroupingSet []int

// GroupingKind is the kind of a GROUP BY item.
type GroupingKind uint8

const (
	GroupingEmpty GroupingKind = iota
	GroupingSimple
	GroupingRollup
	GroupingCube
	GroupingSets
)

// GroupingNode is an item of GROUP BY as written; GroupingSimple has SortGroupRefs.
type GroupingNode struct {
	Kind GroupingKind
	Refs []int
	Sub  []*GroupingNode
}

// WindowClause is a window definition, inheritance resolved.
type WindowClause struct {
	Name      string // "" if it was given inline
	RefName   string
	Partition []SortGroupClause
	Order     []SortGroupClause
	// CopiedOrder: Order is RefName's, not written here.
	CopiedOrder bool
	Frame       Frame
	Ref         int // WindowFunc.WinRef
}

// FrameMode, FrameBound and FrameExclusion have planpb's values.
type FrameMode uint8

const (
	FrameRange FrameMode = iota
	FrameRows
	FrameGroups
)

type FrameBound uint8

const (
	UnboundedPreceding FrameBound = iota
	OffsetPreceding
	CurrentRow
	OffsetFollowing
	UnboundedFollowing
)

type FrameExclusion uint8

const (
	ExcludeNoOthers FrameExclusion = iota
	ExcludeCurrentRow
	ExcludeGroup
	ExcludeTies
)

// Frame of a window.
type Frame struct {
	Explicit                 bool // written by the user
	Single                   bool // written without BETWEEN: the end is the current row
	Mode                     FrameMode
	Start, End               FrameBound
	StartOffset, EndOffset   Expr
	StartInRange, EndInRange types.OID // in_range support functions for RANGE offsets
	Exclusion                FrameExclusion
}

// RowMark is FOR UPDATE & co on one range table entry.
type RowMark struct {
	RTIndex    int
	Strength   uint8 // txn.LockStrength
	Policy     uint8 // txn.WaitPolicy
	PushedDown bool  // from an enclosing query's FOR UPDATE on this subquery
}

// LockName is the clause that asks for the lock.
func (m RowMark) LockName() string {
	return [...]string{"FOR KEY SHARE", "FOR SHARE", "FOR NO KEY UPDATE", "FOR UPDATE"}[m.Strength&3]
}

// Unlockable is the part of a query because of which its rows are no table rows that
// could be locked; "" when they are.
func (q *Query) Unlockable() string {
	switch {
	case q.SetOperations != nil:
		return "UNION/INTERSECT/EXCEPT"
	case len(q.DistinctClause) > 0:
		return "DISTINCT clause"
	case len(q.GroupClause) > 0 || q.HasGroupingSets:
		return "GROUP BY clause"
	case q.Having != nil:
		return "HAVING clause"
	case q.HasAggs:
		return "aggregate functions"
	case q.HasWindowFuncs:
		return "window functions"
	case q.HasTargetSRFs:
		return "set-returning functions in the target list"
	}
	return ""
}

// SetOp is UNION, INTERSECT or EXCEPT.
type SetOp uint8

const (
	Union SetOp = iota + 1
	Intersect
	Except
)

// SetOperation is a node of the set-operation tree. A side is either a leaf
// (RTIndex > 0) or another operation.
type SetOperation struct {
	Op            SetOp
	All           bool
	Left, Right   SetOperationArg
	ColTypes      []types.T
	ColCollations []types.OID
	GroupClauses  []SortGroupClause // for not ALL: per column
}

// SetOperationArg is one side.
type SetOperationArg struct {
	RTIndex int
	Op      *SetOperation
}

// OnConflictExpr is INSERT's ON CONFLICT. In Set and Where the target is
// ResultRelation, the proposed row is range table entry ExcludedRTIndex.
type OnConflictExpr struct {
	Update          bool
	ArbiterIndexes  []types.OID // of ON CONSTRAINT
	Infer           []InferElem // the target's expressions; empty, without ON CONSTRAINT: any index
	InferWhere      Expr
	ReadColumns     []int // of the target, that the inference reads: SELECT is needed on them
	Set             []*TargetEntry
	Where           Expr
	ExcludedRTIndex int
}

// InferElem is an item of an ON CONFLICT target, over ResultRelation.
type InferElem struct {
	Expr      Expr
	Collation types.OID // 0: any
	Family    types.OID // operator family; 0: any
}

// MatchKind of a MERGE action.
type MergeAction struct {
	Matched    bool
	Command    CommandType // CmdSelect: DO NOTHING
	Condition  Expr
	TargetList []*TargetEntry
	Overriding Overriding
}

// CommonTableExpr is one WITH item.
type CommonTableExpr struct {
	Name          string
	Materialized  CTEMaterialize
	Query         *Query
	Recursive     bool // refers to itself
	RefCount      int
	ColNames      []string
	ColTypes      []types.T
	ColCollations []types.OID
	Search        *SearchClause
	Cycle         *CycleClause
}

// CTEMaterialize is AS [NOT] MATERIALIZED.
type CTEMaterialize uint8

const (
	CTEDefault CTEMaterialize = iota
	CTEAlways
	CTENever
)

// SearchClause is WITH RECURSIVE's SEARCH. The item's query is as written: the
// rewriter adds the sequence column, which references to the item already have.
type SearchClause struct {
	BreadthFirst bool
	Columns      []string
	SeqColumn    string
}

// CycleClause is WITH RECURSIVE's CYCLE; the rewriter adds its two columns, after SEARCH's.
type CycleClause struct {
	Columns                []string
	MarkColumn             string
	MarkValue, MarkDefault Expr
	MarkType               types.T
	MarkCollation          types.OID
	MarkGroup              SortGroupClause // how UNION tells marks apart
	MarkNotEqual           types.OID       // pg_operator
	PathColumn             string
}
