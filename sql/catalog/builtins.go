package catalog

import (
	"strconv"
	"strings"
	"sync"

	"github.com/basaltdb/basalt/sql/types"
)

// BuiltinObjects are the objects every database is born with and no DDL of
// Basalt can change: functions, operators, casts, aggregates, collations,
// operator classes and families, and the built-in types. It implements that
// part of Reader. Immutable.
type BuiltinObjects struct {
	functions   map[types.OID]*Function
	funcsByName map[string][]*Function
	operators   map[types.OID]*Operator
	opersByName map[string][]*Operator
	casts       map[[2]types.OID]*Cast
	aggregates  map[types.OID]*Aggregate
	collations  map[types.OID]*Collation
	types       map[types.OID]*Type
	typesByName map[typeKey]*Type
	opClasses   []*OpClass
	opClassOID  map[types.OID]*OpClass
	families    map[types.OID]string
	members     map[types.OID][]OpFamilyMember
	familyOps   map[familyKey]types.OID
	familyProcs map[familyKey]types.OID
	am          map[types.OID]string
}

type typeKey struct {
	namespace types.OID
	name      string
}

type familyKey struct {
	family, left, right types.OID
	n                   int
}

// Builtins gives the built-in objects, loaded at the first call.
func Builtins() *BuiltinObjects { return builtins() }

var builtins = sync.OnceValue(loadBuiltins)

func loadBuiltins() *BuiltinObjects {
	b := &BuiltinObjects{}
	b.loadFunctions()
	b.loadTypes()
	b.loadOperators()
	b.loadFamilies()
	return b
}

func (b *BuiltinObjects) loadFunctions() {
	t := loadFacts("pg_proc")
	b.functions = make(map[types.OID]*Function, len(t.Rows))
	b.funcsByName = make(map[string][]*Function, len(t.Rows))
	add := func(f *Function) {
		b.functions[f.OID] = f
		b.funcsByName[f.Name] = append(b.funcsByName[f.Name], f)
	}
	t.each(func(r factRow) {
		f := &Function{
			OID: r.oid("oid"), Name: r.str("proname"), Namespace: r.oid("pronamespace"), Kind: r.char("prokind"),
			ArgTypes: r.oids("proargtypes"), Variadic: r.oid("provariadic"), Returns: r.oid("prorettype"),
			ReturnsSet: r.boolean("proretset"), Strict: r.boolean("proisstrict"), Volatility: r.char("provolatile"),
			Cost: r.float("procost"), Rows: r.float("prorows"), Src: r.str("prosrc"),
			ArgModes: strings.Join(r.list("proargmodes"), ""), ArgNames: r.list("proargnames"),
		}
		if !r.null("proallargtypes") {
			f.AllArgTypes = r.oids("proallargtypes")
		} else {
			f.AllArgTypes = f.ArgTypes
		}
		if n := int(r.num("pronargdefaults")); n > 0 {
			f.Defaults = splitDefaults(r.str("proargdefaults"), n)
		}
		add(f)
	})
	for _, f := range ownFunctions {
		add(f)
	}
	for _, f := range b.functions {
		if f.AllArgTypes == nil {
			f.AllArgTypes = f.ArgTypes
		}
	}
}

// splitDefaults cuts the text of an expression list at its top-level commas.
func splitDefaults(s string, n int) []string {
	var out []string
	depth, quoted, start := 0, false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case c == ',' && depth == 0:
			out = append(out, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	out = append(out, strings.TrimSpace(s[start:]))
	if len(out) != n {
		panic("facts: proargdefaults " + strconv.Quote(s))
	}
	return out
}

// proc resolves a regproc field: an OID, "-" or a name that only one function has.
func (b *BuiltinObjects) proc(s string) types.OID {
	if s == "" || s == "-" {
		return 0
	}
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		return types.OID(n)
	}
	fs := b.funcsByName[s]
	if len(fs) == 0 {
		return 0 // not among the facts: handlers of what Basalt does not have
	}
	if len(fs) > 1 {
		panic("facts: function name " + s + " is not unique")
	}
	return fs[0].OID
}

func (b *BuiltinObjects) loadTypes() {
	t := loadFacts("pg_type")
	b.types = make(map[types.OID]*Type, len(t.Rows))
	b.typesByName = make(map[typeKey]*Type, len(t.Rows))
	t.each(func(r factRow) {
		ty := &Type{
			OID: r.oid("oid"), Name: r.str("typname"), Namespace: r.oid("typnamespace"), Owner: r.oid("typowner"),
			Len: int16(r.num("typlen")), ByVal: r.boolean("typbyval"), TypType: r.char("typtype"), Category: r.char("typcategory"),
			Preferred: r.boolean("typispreferred"), Delim: r.char("typdelim"), Relation: r.oid("typrelid"), Elem: r.oid("typelem"),
			Array: r.oid("typarray"), Collation: r.oid("typcollation"), BaseType: r.oid("typbasetype"),
			TypmodIn: b.proc(r.str("typmodin")), TypmodOut: b.proc(r.str("typmodout")),
			Input: b.proc(r.str("typinput")), Output: b.proc(r.str("typoutput")),
			IsTrueArray: r.str("typsubscript") == "array_subscript_handler" && r.oid("typelem") != 0,
		}
		b.types[ty.OID] = ty
		b.typesByName[typeKey{ty.Namespace, ty.Name}] = ty
	})
	for _, ty := range b.types {
		ty.T = exprType(ty, b.types[ty.Elem])
	}
}

// exprType is the types.T of a type, given its element type when it has one.
func exprType(ty, elem *Type) types.T {
	t := types.T{OID: ty.OID, Mod: -1}
	switch {
	case ty.IsTrueArray:
		t.Class, t.Elem = types.ClassArray, ty.Elem
		if elem != nil {
			t.ElemClass = classOf(elem)
		}
	default:
		t.Class = classOf(ty)
	}
	if ty.OID < types.FirstNormalOID {
		if known := types.Of(ty.OID); known.Class != types.ClassBase {
			return known
		}
	}
	return t
}

func classOf(ty *Type) types.Class {
	switch {
	case ty.OID == types.RecordOID || ty.TypType == 'c':
		return types.ClassComposite
	case ty.TypType == 'e':
		return types.ClassEnum
	case ty.IsTrueArray:
		return types.ClassArray
	case ty.OID < types.FirstNormalOID:
		return types.Of(ty.OID).Class
	}
	return types.ClassBase
}

func (b *BuiltinObjects) loadOperators() {
	t := loadFacts("pg_operator")
	b.operators = make(map[types.OID]*Operator, len(t.Rows))
	b.opersByName = map[string][]*Operator{}
	t.each(func(r factRow) {
		o := &Operator{
			OID: r.oid("oid"), Name: r.str("oprname"), Namespace: r.oid("oprnamespace"), Kind: r.char("oprkind"),
			Left: r.oid("oprleft"), Right: r.oid("oprright"), Result: r.oid("oprresult"), Func: b.proc(r.str("oprcode")),
			Commutator: r.oid("oprcom"), Negator: r.oid("oprnegate"), CanMerge: r.boolean("oprcanmerge"), CanHash: r.boolean("oprcanhash"),
			RestrictEst: dash(r.str("oprrest")), JoinEst: dash(r.str("oprjoin")),
		}
		b.operators[o.OID] = o
		b.opersByName[o.Name] = append(b.opersByName[o.Name], o)
	})
	b.casts = map[[2]types.OID]*Cast{}
	loadFacts("pg_cast").each(func(r factRow) {
		c := &Cast{Source: r.oid("castsource"), Target: r.oid("casttarget"), Func: r.oid("castfunc"), Context: r.char("castcontext"), Method: r.char("castmethod")}
		b.casts[[2]types.OID{c.Source, c.Target}] = c
	})
	b.aggregates = map[types.OID]*Aggregate{}
	loadFacts("pg_aggregate").each(func(r factRow) {
		a := &Aggregate{Func: b.proc(r.str("aggfnoid")), Kind: r.char("aggkind"), NumDirect: int(r.num("aggnumdirectargs")), SortOp: r.oid("aggsortop"), TransType: r.oid("aggtranstype")}
		b.aggregates[a.Func] = a
	})
	b.collations = map[types.OID]*Collation{}
	loadFacts("pg_collation").each(func(r factRow) {
		c := &Collation{OID: r.oid("oid"), Name: r.str("collname"), Namespace: r.oid("collnamespace")}
		b.collations[c.OID] = c
	})
}

func dash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

func (b *BuiltinObjects) loadFamilies() {
	b.am = map[types.OID]string{}
	loadFacts("pg_am").each(func(r factRow) { b.am[r.oid("oid")] = r.str("amname") })
	b.families = map[types.OID]string{}
	loadFacts("pg_opfamily").each(func(r factRow) { b.families[r.oid("oid")] = r.str("opfname") })
	b.opClassOID = map[types.OID]*OpClass{}
	loadFacts("pg_opclass").each(func(r factRow) {
		c := &OpClass{OID: r.oid("oid"), Name: r.str("opcname"), AM: b.am[r.oid("opcmethod")], Family: r.oid("opcfamily"), InType: r.oid("opcintype"), Default: r.boolean("opcdefault")}
		b.opClasses = append(b.opClasses, c)
		b.opClassOID[c.OID] = c
	})
	b.members = map[types.OID][]OpFamilyMember{}
	b.familyOps = map[familyKey]types.OID{}
	loadFacts("pg_amop").each(func(r factRow) {
		m := OpFamilyMember{Family: r.oid("amopfamily"), AM: b.am[r.oid("amopmethod")], Strategy: int(r.num("amopstrategy")), Left: r.oid("amoplefttype"), Right: r.oid("amoprighttype")}
		op := r.oid("amopopr")
		b.members[op] = append(b.members[op], m)
		b.familyOps[familyKey{m.Family, m.Left, m.Right, m.Strategy}] = op
	})
	b.familyProcs = map[familyKey]types.OID{}
	loadFacts("pg_amproc").each(func(r factRow) {
		b.familyProcs[familyKey{r.oid("amprocfamily"), r.oid("amproclefttype"), r.oid("amprocrighttype"), int(r.num("amprocnum"))}] = b.proc(r.str("amproc"))
	})
}

// Functions lists every function of that name.
func (b *BuiltinObjects) Functions(name string) []*Function { return b.funcsByName[name] }

// Function finds a function by OID, nil for none.
func (b *BuiltinObjects) Function(oid types.OID) *Function { return b.functions[oid] }

// Operators lists every operator of that name.
func (b *BuiltinObjects) Operators(name string) []*Operator { return b.opersByName[name] }

// Operator finds an operator by OID, nil for none.
func (b *BuiltinObjects) Operator(oid types.OID) *Operator { return b.operators[oid] }

// Cast finds the pg_cast row of a pair of types, nil for none.
func (b *BuiltinObjects) Cast(source, target types.OID) *Cast {
	return b.casts[[2]types.OID{source, target}]
}

// Aggregate finds the pg_aggregate row of a function, nil for none.
func (b *BuiltinObjects) Aggregate(fn types.OID) *Aggregate { return b.aggregates[fn] }

// Collation finds a collation by OID, nil for none.
func (b *BuiltinObjects) Collation(oid types.OID) *Collation { return b.collations[oid] }

// CollationByName finds a collation by name, nil for none.
func (b *BuiltinObjects) CollationByName(name string) *Collation {
	for _, c := range b.collations {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// BuiltinType finds a built-in type by OID, nil for none.
func (b *BuiltinObjects) BuiltinType(oid types.OID) *Type { return b.types[oid] }

// BuiltinTypeByName finds a built-in type in a namespace, nil for none.
func (b *BuiltinObjects) BuiltinTypeByName(namespace types.OID, name string) *Type {
	return b.typesByName[typeKey{namespace, name}]
}

// DefaultOpClassOf is Reader.DefaultOpClass for a type whose descriptor is at hand.
func (b *BuiltinObjects) DefaultOpClassOf(am string, ty *Type) *OpClass {
	if ty == nil {
		return nil
	}
	oid := ty.OID
	if ty.TypType == 'd' {
		oid = ty.BaseType
	}
	// The input types to try, best first: the type itself, what it is binary
	// coercible to (the category's preferred type first), then the polymorphic
	// type of its kind.
	for _, c := range b.opClasses {
		if c.AM == am && c.Default && c.InType == oid {
			return c
		}
	}
	var found *OpClass
	for _, c := range b.opClasses {
		if c.AM != am || !c.Default {
			continue
		}
		if cast := b.Cast(oid, c.InType); cast != nil && cast.Method == 'b' && cast.Context == 'i' {
			if found == nil || b.types[c.InType].Preferred {
				found = c
			}
		}
	}
	if found != nil {
		return found
	}
	var poly types.OID
	switch {
	case ty.TypType == 'e':
		poly = types.AnyEnum
	case ty.IsTrueArray:
		poly = types.AnyArray
	case ty.TypType == 'c':
		poly = types.RecordOID
	case ty.TypType == 'r':
		poly = types.AnyRange
	case ty.TypType == 'm':
		poly = types.AnyMultirange
	default:
		return nil
	}
	for _, c := range b.opClasses {
		if c.AM == am && c.Default && c.InType == poly {
			return c
		}
	}
	return nil
}

// OpClassByName finds an operator class of an access method, nil for none.
func (b *BuiltinObjects) OpClassByName(am, name string) *OpClass {
	for _, c := range b.opClasses {
		if c.AM == am && c.Name == name {
			return c
		}
	}
	return nil
}

// OpClass finds an operator class by OID, nil for none.
func (b *BuiltinObjects) OpClass(oid types.OID) *OpClass { return b.opClassOID[oid] }

// OpFamilyName is the name of an operator family, "" for none.
func (b *BuiltinObjects) OpFamilyName(oid types.OID) string { return b.families[oid] }

// OpFamilyMembers lists the families and strategies an operator belongs to.
func (b *BuiltinObjects) OpFamilyMembers(op types.OID) []OpFamilyMember { return b.members[op] }

// FamilyOperator is the operator of a family for a strategy and input types; 0 for none.
func (b *BuiltinObjects) FamilyOperator(family, left, right types.OID, strategy int) types.OID {
	return b.familyOps[familyKey{family, left, right, strategy}]
}

// FamilySupport is the support function of a family; 0 for none.
func (b *BuiltinObjects) FamilySupport(family, left, right types.OID, number int) types.OID {
	return b.familyProcs[familyKey{family, left, right, number}]
}

// AccessMethod is the name of an index or table access method, "" for none.
func (b *BuiltinObjects) AccessMethod(oid types.OID) string { return b.am[oid] }

// AccessMethodOID finds an access method by name, 0 for none.
func (b *BuiltinObjects) AccessMethodOID(name string) types.OID {
	for oid, n := range b.am {
		if n == name {
			return oid
		}
	}
	return 0
}

// FillType sets ty.T from the other fields and the element type's descriptor.
func FillType(ty, elem *Type) { ty.T = exprType(ty, elem) }
