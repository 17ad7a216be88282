package analyze

import (
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
)

// genericsConsistent reports whether the actual types fit polymorphic declared types together.
func (a *analyzer) genericsConsistent(actual, declared []types.OID) bool {
	var elem, array types.OID
	var compat []types.OID
	var compatArrayElems []types.OID
	needNonArray, needEnum, compatNonArray := false, false, false
	haveCompatElem := false
	for i, d := range declared {
		if i >= len(actual) {
			break
		}
		act := actual[i]
		switch d {
		case types.AnyElement, types.AnyNonArray, types.AnyEnum:
			needNonArray = needNonArray || d == types.AnyNonArray
			needEnum = needEnum || d == types.AnyEnum
			if act == types.Unknown {
				continue
			}
			if elem != 0 && act != elem {
				return false
			}
			elem = act
		case types.AnyCompatible, types.AnyCompatibleNonArray:
			compatNonArray = compatNonArray || d == types.AnyCompatibleNonArray
			haveCompatElem = true
			if act == types.Unknown {
				continue
			}
			compat = append(compat, act)
		case types.AnyArray:
			if act == types.Unknown {
				continue
			}
			act = a.baseType(act)
			if array != 0 && act != array {
				return false
			}
			array = act
		case types.AnyCompatibleArray:
			if act == types.Unknown {
				continue
			}
			act = a.baseType(act)
			e := a.elementOf(act)
			if act == types.AnyArray {
				e = types.AnyElement
			}
			if e == 0 {
				return false
			}
			compat = append(compat, e)
			compatArrayElems = append(compatArrayElems, e)
		case types.AnyRange, types.AnyMultirange, types.AnyCompatibleRange, types.AnyCompatibleMultirange:
			if act == types.Unknown {
				continue
			}
			if a.typ(a.baseType(act)).TypType != 'r' && a.typ(a.baseType(act)).TypType != 'm' {
				return false
			}
		}
	}
	if array != 0 {
		if array == types.AnyArray {
			// pg_statistic's anyarray columns match only functions that take anyarray alone
			if elem != 0 {
				return false
			}
			return true
		}
		e := a.elementOf(array)
		if e == 0 {
			return false
		}
		if elem == 0 {
			elem = e
		} else if elem != e {
			return false
		}
	}
	if needNonArray && elem != 0 && a.elementOf(a.baseType(elem)) != 0 {
		return false
	}
	if needEnum && elem != 0 && !a.isEnum(elem) {
		return false
	}
	_ = haveCompatElem
	if len(compat) > 0 {
		t := a.commonOfTypes(compat)
		if t == 0 {
			return false
		}
		for _, c := range compat {
			if !a.canCoerce1(c, t, ctxImplicit) {
				return false
			}
		}
		for _, c := range compatArrayElems {
			if k, _ := a.coercionPath(t, c, ctxImplicit); k == pathNone {
				return false
			}
		}
		if compatNonArray && a.elementOf(a.baseType(t)) != 0 {
			return false
		}
		if len(compatArrayElems) > 0 && a.cat.ArrayTypeOf(t) == 0 {
			return false
		}
	}
	return true
}

// commonOfTypes is commonType over bare types: 0 when they do not match.
func (a *analyzer) commonOfTypes(ts []types.OID) types.OID {
	p := ts[0]
	same := p != types.Unknown
	for _, t := range ts[1:] {
		same = same && t == p
	}
	if same {
		return p
	}
	p = a.baseType(p)
	for _, t := range ts[1:] {
		n := a.baseType(t)
		if n == types.Unknown || n == p {
			continue
		}
		switch {
		case p == types.Unknown:
			p = n
		case a.category(n) != a.category(p):
			return 0
		case !a.preferred(p) && a.canCoerce1(p, n, ctxImplicit) && !a.canCoerce1(n, p, ctxImplicit):
			p = n
		}
	}
	if p == types.Unknown {
		p = types.Text
	}
	return p
}

// enforceGenerics puts real types in place of polymorphic ones in declared
// (changed in place) and gives the function's real result type. allowPoly leaves
// anyelement in place when everything is unknown (for aggregates' own checks).
func (a *analyzer) enforceGenerics(actual, declared []types.OID, result types.OID) types.OID {
	any1, any2 := false, false
	for _, d := range declared {
		if isCompatible(d) {
			any2 = true
		} else if isPolymorphic(d) {
			any1 = true
		}
	}
	if !any1 && !any2 {
		return result
	}
	mismatch := func(format string, args ...any) *pgerror.Error {
		return pgerror.New(pgerror.DatatypeMismatch, format, args...)
	}
	var elem, array, rng types.OID
	needNonArray, needEnum, haveUnknown, nPoly := false, false, false, 0
	for i, d := range declared {
		if i >= len(actual) {
			break
		}
		act := actual[i]
		switch d {
		case types.AnyElement, types.AnyNonArray, types.AnyEnum:
			nPoly++
			needNonArray = needNonArray || d == types.AnyNonArray
			needEnum = needEnum || d == types.AnyEnum
			if act == types.Unknown {
				haveUnknown = true
				continue
			}
			if elem != 0 && act != elem {
				fail(mismatch("arguments declared \"%s\" are not all alike", "anyelement").WithDetail("%s versus %s", a.format(elem), a.format(act)))
			}
			elem = act
		case types.AnyArray:
			nPoly++
			if act == types.Unknown {
				haveUnknown = true
				continue
			}
			act = a.baseType(act)
			if array != 0 && act != array {
				fail(mismatch("arguments declared \"%s\" are not all alike", "anyarray").WithDetail("%s versus %s", a.format(array), a.format(act)))
			}
			array = act
		case types.AnyRange, types.AnyMultirange:
			nPoly++
			if act == types.Unknown {
				haveUnknown = true
				continue
			}
			rng = act
		}
	}
	if any1 {
		if array != 0 {
			var e types.OID
			if array == types.AnyArray {
				e = types.AnyElement
			} else if e = a.elementOf(array); e == 0 {
				fail(mismatch("argument declared %s is not an array but type %s", "anyarray", a.format(array)))
			}
			if elem == 0 {
				elem = e
			} else if elem != e {
				fail(mismatch("argument declared %s is not consistent with argument declared %s", "anyarray", "anyelement").
					WithDetail("%s versus %s", a.format(array), a.format(elem)))
			}
		}
		if elem == 0 && rng == 0 {
			if haveUnknown || nPoly > 0 {
				fail(mismatch("could not determine polymorphic type because input has type %s", "unknown"))
			}
		}
		if needNonArray && elem != types.AnyElement && a.elementOf(a.baseType(elem)) != 0 {
			fail(mismatch("type matched to anynonarray is an array type: %s", a.format(elem)))
		}
		if needEnum && elem != types.AnyElement && !a.isEnum(elem) {
			fail(mismatch("type matched to anyenum is not an enum type: %s", a.format(elem)))
		}
	}
	var compat types.OID
	if any2 {
		var ts []types.OID
		nonArray := false
		for i, d := range declared {
			if i >= len(actual) || actual[i] == types.Unknown {
				continue
			}
			switch d {
			case types.AnyCompatibleNonArray:
				nonArray = true
				ts = append(ts, actual[i])
			case types.AnyCompatible:
				ts = append(ts, actual[i])
			case types.AnyCompatibleArray:
				e := a.elementOf(a.baseType(actual[i]))
				if actual[i] == types.AnyArray {
					e = types.AnyElement
				}
				if e == 0 {
					fail(mismatch("argument declared %s is not an array but type %s", "anycompatiblearray", a.format(actual[i])))
				}
				ts = append(ts, e)
			}
		}
		if len(ts) > 0 {
			compat = a.commonOfTypes(ts)
			if compat == 0 {
				fail(mismatch("arguments of anycompatible family cannot be cast to a common type"))
			}
		} else {
			compat = types.Text // PostgreSQL resolves all-unknown inputs of this family as text
		}
		if nonArray && a.elementOf(a.baseType(compat)) != 0 {
			fail(mismatch("type matched to anycompatiblenonarray is an array type: %s", a.format(compat)))
		}
	}
	arrayOver := func(e types.OID) types.OID {
		if e == types.AnyElement {
			return types.AnyArray
		}
		t := a.cat.ArrayTypeOf(e)
		if t == 0 {
			fail(pgerror.New(pgerror.UndefinedObject, "could not find array type for data type %s", a.format(e)))
		}
		return t
	}
	real := func(d, act types.OID) types.OID {
		switch d {
		case types.AnyElement, types.AnyNonArray, types.AnyEnum:
			return elem
		case types.AnyArray:
			if array == 0 {
				array = arrayOver(elem)
			}
			return array
		case types.AnyRange, types.AnyMultirange:
			return rng
		case types.AnyCompatible, types.AnyCompatibleNonArray:
			return compat
		case types.AnyCompatibleArray:
			return arrayOver(compat)
		}
		return d
	}
	for i, d := range declared {
		if i < len(actual) {
			declared[i] = real(d, actual[i])
		}
	}
	return real(result, 0)
}
