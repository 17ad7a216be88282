package types

// OID is a PostgreSQL object identifier; it is also the Go form of oid, xid, cid,
// the reg* types and of enum values (the OID of the label's pg_enum row).
type OID uint32

// FirstNormalOID is the first OID given to user objects; smaller ones are
// PostgreSQL's own built-in objects.
const FirstNormalOID OID = 16384

// Class says how values of a type are shaped. The zero Class is for scalar types.
type Class uint8

const (
	ClassBase Class = iota
	ClassEnum
	ClassArray
	ClassComposite // named row types and record
	ClassPseudo
)

// T is a type as it appears on an expression or column: which type, and its
// modifier (typmod; −1 none). T is comparable; two expressions of equal T have
// the same physical form. Built-in types are made with Of; for user types the
// catalog fills Class and Elem.
type T struct {
	OID   OID
	Mod   int32
	Class Class
	// Elem is the element type's OID when Class is ClassArray, and ElemClass its class.
	Elem      OID
	ElemClass Class
}

// Of gives the type of a built-in OID with no modifier.
func Of(oid OID) T { return WithMod(oid, -1) }

// WithMod gives the type of a built-in OID with modifier mod.
func WithMod(oid OID, mod int32) T {
	t := T{OID: oid, Mod: mod}
	switch {
	case oid == RecordOID:
		t.Class = ClassComposite
	case oid == Int2Vector:
		t.Class, t.Elem = ClassArray, Int2
	case oid == OidVector:
		t.Class, t.Elem = ClassArray, Oid
	case oid == RecordArray:
		t.Class, t.Elem, t.ElemClass = ClassArray, RecordOID, ClassComposite
	default:
		if e, ok := arrayElem[oid]; ok {
			t.Class, t.Elem = ClassArray, e
		} else if isPseudo(oid) {
			t.Class = ClassPseudo
		}
	}
	return t
}

// NoMod is t without its modifier.
func (t T) NoMod() T { t.Mod = -1; return t }

// WithMod is t with modifier mod.
func (t T) WithMod(mod int32) T { t.Mod = mod; return t }

// ElemType is the element type of an array type (modifier carried over, as
// PostgreSQL does: varchar(3)[] has elements varchar(3)).
func (t T) ElemType() T {
	e := WithMod(t.Elem, t.Mod)
	if t.Elem >= FirstNormalOID {
		e.Class = t.ElemClass
	}
	return e
}

// ArrayOf gives the built-in array type over a built-in element type, 0 when there is none.
func ArrayOf(elem OID) OID { return elemArray[elem] }

// RecordArray is record[].
const RecordArray OID = 2287

var elemArray = func() map[OID]OID {
	m := make(map[OID]OID, len(arrayElem))
	for a, e := range arrayElem {
		m[e] = a
	}
	m[RecordOID] = RecordArray
	return m
}()

func isPseudo(oid OID) bool {
	switch oid {
	case CString, Any, AnyArray, Void, Trigger, InternalOID, AnyElement, AnyNonArray, AnyEnum, AnyRange,
		AnyCompatible, AnyCompatibleArray, AnyCompatibleNonArray, AnyCompatibleRange, AnyMultirange, AnyCompatibleMultirange:
		return true
	}
	return false
}
