package catalog

import (
	"context"

	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Reader is one consistent state of a database's catalog, as a statement sees
// it: committed DDL up to its snapshot plus its own transaction's. Parse
// analysis, planning and system functions read through it. Descriptors are
// immutable and shared. Safe for concurrent use. Look-ups that may touch the
// store take a context and return an error; "not found" is a nil descriptor, never an error.
type Reader interface {
	types.Resolver

	// Version changes with every committed DDL statement of the database; plans
	// made at one version are valid for it. A transaction with uncommitted DDL has
	// versions of its own (Private true): its plans must not be shared.
	Version() uint64
	Private() bool
	DatabaseOID() types.OID
	DatabaseName() string

	Namespace(ctx context.Context, oid types.OID) (*Namespace, error)
	NamespaceByName(ctx context.Context, name string) (*Namespace, error)
	Relation(ctx context.Context, oid types.OID) (*Relation, error)
	RelationByName(ctx context.Context, namespace types.OID, name string) (*Relation, error)
	Type(ctx context.Context, oid types.OID) (*Type, error)
	TypeByName(ctx context.Context, namespace types.OID, name string) (*Type, error)
	Sequence(ctx context.Context, relid types.OID) (*Sequence, error)
	// Stats gives the planner's statistics of a relation, nil when never analysed.
	Stats(ctx context.Context, relid types.OID) (*Stats, error)
	Role(ctx context.Context, oid types.OID) (*Role, error)
	RoleByName(ctx context.Context, name string) (*Role, error)

	// Built-in objects, from the facts.
	Functions(name string) []*Function // every pg_proc row of that name
	Function(oid types.OID) *Function
	Operators(name string) []*Operator
	Operator(oid types.OID) *Operator
	Cast(source, target types.OID) *Cast
	Aggregate(fn types.OID) *Aggregate
	Collation(oid types.OID) *Collation
	CollationByName(name string) *Collation
	// DefaultOpClass gives the default operator class of a type for an access
	// method ("btree", "hash"), following binary-coercible types (varchar → text),
	// enums, arrays and records; nil when there is none.
	DefaultOpClass(am string, typ types.OID) *OpClass
	OpClassByName(am, name string) *OpClass
	// OpFamilyMembers lists the families and strategies an operator belongs to.
	OpFamilyMembers(op types.OID) []OpFamilyMember
	// FamilyOperator is the operator of a family for a strategy and input types; 0 for none.
	FamilyOperator(family types.OID, left, right types.OID, strategy int) types.OID
	// FamilySupport is the support function (pg_amproc) of a family; 0 for none.
	FamilySupport(family types.OID, left, right types.OID, number int) types.OID
}

// btree strategies.
const (
	StrategyLess = iota + 1
	StrategyLessEqual
	StrategyEqual
	StrategyGreaterEqual
	StrategyGreater
)

// Built-in namespace, role and collation OIDs.
const (
	PgCatalogNamespace types.OID = 11
	PgToastNamespace   types.OID = 99
	PublicNamespace    types.OID = 2200
	BootstrapRole      types.OID = 10 // postgres
	DefaultCollation   types.OID = 100
	CCollation         types.OID = 950
	PosixCollation     types.OID = 951
)

type Namespace struct {
	OID   types.OID
	Name  string
	Owner types.OID
	ACL   []string
}

// Relation kinds (pg_class.relkind).
const (
	KindTable     byte = 'r'
	KindIndex     byte = 'i'
	KindSequence  byte = 'S'
	KindView      byte = 'v'
	KindMatView   byte = 'm'
	KindComposite byte = 'c'
)

// Relation persistence (pg_class.relpersistence).
const (
	PersistencePermanent byte = 'p'
	PersistenceUnlogged  byte = 'u'
	PersistenceTemp      byte = 't'
)

// Relation describes a pg_class entry with everything that hangs on it.
type Relation struct {
	OID         types.OID
	Name        string
	Namespace   types.OID
	Schema      string // the namespace's name
	Kind        byte
	Owner       types.OID
	RowType     types.OID // pg_class.reltype
	FileNode    types.OID // storage generation
	Persistence byte
	Options     []string // reloptions
	ACL         []string
	// Columns by attribute number − 1, dropped ones included (Dropped).
	Columns []Column
	// PrimaryKey is the position in Indexes, −1 for none.
	PrimaryKey  int
	Indexes     []*Index
	Constraints []*Constraint
	// ReferencedBy are the foreign keys of other relations (and itself) that refer to this one.
	ReferencedBy []*Constraint
	// View is the definition, for views.
	View        *query.Query
	CheckOption byte // 0, 'l', 'c'
	// Storage is the table as storage and fragments know it; nil for views.
	// Relations whose rows are made up (pg_stat_activity, pg_settings …) have Virtual set instead.
	Storage *planpb.Table
	Virtual bool
	// Ordinals maps attribute number − 1 to the ordinal in Storage.Columns, −1 for dropped.
	Ordinals []int
}

// Column is a pg_attribute entry.
type Column struct {
	Name       string
	AttNum     int
	Type       types.T
	Collation  types.OID
	NotNull    bool
	Dropped    bool
	Default    query.Expr // nil: none. Also the generation expression when Generated
	Generated  bool       // GENERATED ALWAYS AS (…) STORED
	Identity   byte       // 0, 'a' (ALWAYS), 'd' (BY DEFAULT)
	Sequence   types.OID  // of identity and serial columns, 0 for none
	HasMissing bool
	Missing    types.Datum
	ACL        []string
}

// Index is a pg_index entry with its pg_class row.
type Index struct {
	OID                               types.OID
	Name                              string
	Table                             types.OID
	Unique, Primary, NullsNotDistinct bool
	Valid                             bool
	Keys                              []IndexKey
	Include                           []int      // attribute numbers
	Predicate                         query.Expr // over the table: Var RTIndex 1
	Constraint                        types.OID  // the constraint it backs, 0 for none
	// StorageIndex is the position in Storage.Indexes; −1 for the primary key, which is the table itself.
	StorageIndex int
	FileNode     types.OID
}

// IndexKey is a key column (AttNum > 0) or expression (AttNum 0).
type IndexKey struct {
	AttNum     int
	Expr       query.Expr // Var RTIndex 1
	Type       types.T
	Collation  types.OID
	OpClass    types.OID
	Family     types.OID
	Descending bool
	NullsFirst bool
}

// Constraint is a pg_constraint entry.
type Constraint struct {
	OID                  types.OID
	Name                 string
	Namespace            types.OID
	Type                 byte // c, f, p, u
	Relation             types.OID
	Index                types.OID
	Columns              []int      // attribute numbers
	Check                query.Expr // Var RTIndex 1
	NoInherit            bool
	Validated            bool
	Deferrable, Deferred bool
	// Foreign keys:
	RefRelation        types.OID
	RefColumns         []int
	OnUpdate, OnDelete byte // a no action, r restrict, c cascade, n set null, d set default
	DeleteSetColumns   []int
	MatchType          byte        // s simple, f full
	EqOps              []types.OID // pk = fk per column
}

type Type struct {
	OID                 types.OID
	Name                string
	Namespace           types.OID
	Owner               types.OID
	Len                 int16
	ByVal               bool
	TypType             byte // b base, c composite, d domain, e enum, p pseudo, r range
	Category            byte
	Preferred           bool
	Delim               byte
	Relation            types.OID // composite
	Elem                types.OID // subscriptable element type
	Array               types.OID // array type over it
	IsTrueArray         bool      // typsubscript is the array handler and typelem set: class ClassArray
	Collation           types.OID
	TypmodIn, TypmodOut types.OID
	Input, Output       types.OID
	BaseType            types.OID   // domain
	Labels              []EnumLabel // enum, in sort order
	T                   types.T     // as an expression type, no modifier
}

type EnumLabel struct {
	OID   types.OID
	Label string
	Sort  float32
}

type Function struct {
	OID         types.OID
	Name        string
	Namespace   types.OID
	Kind        byte        // f function, a aggregate, w window, p procedure
	ArgTypes    []types.OID // input arguments
	AllArgTypes []types.OID
	ArgModes    string // i o b v t per AllArgTypes, "" when all are in
	ArgNames    []string
	Defaults    []string  // SQL text of the defaults of the last arguments
	Variadic    types.OID // element type, 0 for none; any is types.Any
	Returns     types.OID
	ReturnsSet  bool
	Strict      bool
	Volatility  byte // i s v
	Cost, Rows  float64
	Src         string
}

type Operator struct {
	OID                  types.OID
	Name                 string
	Namespace            types.OID
	Kind                 byte // b infix, l prefix
	Left, Right          types.OID
	Result               types.OID
	Func                 types.OID
	Commutator, Negator  types.OID
	CanMerge, CanHash    bool
	RestrictEst, JoinEst string // selectivity estimators by name: eqsel, scalarltsel …
}

type Cast struct {
	Source, Target types.OID
	Func           types.OID // 0 with Method b or i
	Context        byte      // i implicit, a assignment, e explicit
	Method         byte      // f function, b binary-coercible, i in/out
}

type Aggregate struct {
	Func      types.OID
	Kind      byte // n, o, h
	NumDirect int
	SortOp    types.OID // min/max
	TransType types.OID
}

type Collation struct {
	OID       types.OID
	Name      string
	Namespace types.OID
}

type OpClass struct {
	OID     types.OID
	Name    string
	AM      string
	Family  types.OID
	InType  types.OID
	Default bool
}

type OpFamilyMember struct {
	Family      types.OID
	AM          string
	Strategy    int
	Left, Right types.OID
}

type Sequence struct {
	Relation                          types.OID
	Type                              types.OID
	Start, Increment, Min, Max, Cache int64
	Cycle                             bool
	OwnedByTable                      types.OID
	OwnedByColumn                     int
	OwnedInternal                     bool   // identity
	StateKey                          []byte // txn.DB.UpdateNow key
}

type Role struct {
	OID                                                                 types.OID
	Name                                                                string
	Super, Inherit, CreateRole, CreateDB, Login, Replication, BypassRLS bool
	ConnLimit                                                           int
	Password                                                            string           // SCRAM-SHA-256 verifier, "" for none
	ValidUntil                                                          *types.Timestamp // of the password; nil: for ever
	MemberOf                                                            []types.OID
}

// Stats of a relation.
type Stats struct {
	Rows    float64 // live rows
	Bytes   float64
	Columns map[int]*ColumnStats // by attribute number; expression indexes: −(index OID)…
}

// ColumnStats as ANALYZE makes them (pg_statistic).
type ColumnStats struct {
	NullFrac float64
	AvgWidth float64
	// Distinct > 0: number of values; < 0: minus the fraction of rows (pg_stats.n_distinct).
	Distinct    float64
	MCV         []types.Datum
	MCVFreq     []float64
	Histogram   []types.Datum // equal-depth bounds of the values not in MCV
	Correlation float64
}
