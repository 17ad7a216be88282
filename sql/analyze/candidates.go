package analyze

import (
	"slices"

	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/types"
)

// candidate is a function or operator that may be meant, its argument types
// spread out to the call's number (variadic elements, defaults added).
type candidate struct {
	fn       *catalog.Function
	op       *catalog.Operator
	args     []types.OID
	variadic int   // number of arguments that go into the variadic array
	defaults int   // number of trailing arguments that take their default
	order    []int // for named notation: position in the function of each argument given, then of each default
}

// matchArgs keeps the candidates the input types can be coerced to.
func (a *analyzer) matchArgs(in []types.OID, cands []*candidate) []*candidate {
	var out []*candidate
	for _, c := range cands {
		if a.canCoerce(in, c.args[:len(in)], ctxImplicit) {
			out = append(out, c)
		}
	}
	return out
}

// selectCandidate chooses the best candidate by the rules of operator and
// function type resolution; nil when they leave more than one.
func (a *analyzer) selectCandidate(in []types.OID, cands []*candidate) *candidate {
	base := make([]types.OID, len(in))
	unknowns := 0
	for i, t := range in {
		if t == types.Unknown {
			base[i] = t
			unknowns++
		} else {
			base[i] = a.baseType(t)
		}
	}
	// the most exact matches
	cands = keepBest(cands, func(c *candidate) int {
		n := 0
		for i, t := range base {
			if t != types.Unknown && c.args[i] == t {
				n++
			}
		}
		return n
	})
	if len(cands) == 1 {
		return cands[0]
	}
	// the most exact or preferred matches
	cat := make([]byte, len(in))
	for i, t := range base {
		cat[i] = a.category(t)
	}
	cands = keepBest(cands, func(c *candidate) int {
		n := 0
		for i, t := range base {
			if t == types.Unknown {
				continue
			}
			if c.args[i] == t || a.isPreferredIn(cat[i], c.args[i]) {
				n++
			}
		}
		return n
	})
	if len(cands) == 1 {
		return cands[0]
	}
	if unknowns == 0 {
		return nil
	}
	// a category for each unknown
	resolved := true
	hasPreferred := make([]bool, len(in))
	for i, t := range base {
		if t != types.Unknown {
			continue
		}
		var slot byte
		conflict := false
		for _, c := range cands {
			cc, cp := a.category(c.args[i]), a.preferred(c.args[i])
			switch {
			case slot == 0:
				slot, hasPreferred[i] = cc, cp
			case cc == slot:
				hasPreferred[i] = hasPreferred[i] || cp
			case cc == 'S':
				slot, hasPreferred[i] = cc, cp
			default:
				conflict = true
			}
		}
		if conflict && slot != 'S' {
			resolved = false
			break
		}
		cat[i] = slot
	}
	if resolved {
		var keep []*candidate
		for _, c := range cands {
			ok := true
			for i, t := range base {
				if t != types.Unknown {
					continue
				}
				if a.category(c.args[i]) != cat[i] || hasPreferred[i] && !a.preferred(c.args[i]) {
					ok = false
					break
				}
			}
			if ok {
				keep = append(keep, c)
			}
		}
		if len(keep) > 0 {
			cands = keep
		}
		if len(cands) == 1 {
			return cands[0]
		}
	}
	// the unknowns have the type of the knowns, if those agree
	if unknowns < len(in) {
		known := types.OID(0)
		for _, t := range base {
			if t == types.Unknown {
				continue
			}
			if known == 0 {
				known = t
			} else if known != t {
				return nil
			}
		}
		if known != 0 {
			all := make([]types.OID, len(in))
			for i := range all {
				all[i] = known
			}
			var one *candidate
			for _, c := range cands {
				if a.canCoerce(all, c.args[:len(in)], ctxImplicit) {
					if one != nil {
						return nil
					}
					one = c
				}
			}
			return one
		}
	}
	return nil
}

// isPreferredIn is PostgreSQL's IsPreferredType: preferred in the given category.
func (a *analyzer) isPreferredIn(cat byte, t types.OID) bool {
	if cat == 'X' {
		return false
	}
	return a.category(t) == cat && a.preferred(t)
}

func keepBest(cands []*candidate, score func(*candidate) int) []*candidate {
	best := -1
	var out []*candidate
	for _, c := range cands {
		switch n := score(c); {
		case n > best:
			best, out = n, append(out[:0:0], c)
		case n == best:
			out = append(out, c)
		}
	}
	return out
}

// visibleNamespaces lists where unqualified functions and operators are looked for.
func (a *analyzer) visibleNamespaces() []types.OID {
	p := a.env.SearchPath
	if slices.Contains(p, catalog.PgCatalogNamespace) {
		return p
	}
	return append([]types.OID{catalog.PgCatalogNamespace}, p...)
}

// functionCandidates lists the functions of a name (schema 0: by search path) that can take a call's arguments.
func (a *analyzer) functionCandidates(schema types.OID, name string, nargs int, argNames []string, expandVariadic, expandDefaults bool) []*candidate {
	var out []*candidate
	path := a.visibleNamespaces()
	for _, f := range a.cat.Functions(name) {
		if schema != 0 {
			if f.Namespace != schema {
				continue
			}
		} else if !slices.Contains(path, f.Namespace) {
			continue
		}
		n := len(f.ArgTypes)
		if len(argNames) > 0 {
			if c := namedCandidate(f, nargs, argNames); c != nil {
				out = append(out, c)
			}
			continue
		}
		c := &candidate{fn: f, args: f.ArgTypes}
		va := false
		if expandVariadic && f.Variadic != 0 && nargs >= n {
			va = true
		}
		switch {
		case va:
			c.args = append([]types.OID(nil), f.ArgTypes[:n-1]...)
			for len(c.args) < nargs {
				c.args = append(c.args, f.Variadic)
			}
			c.variadic = nargs - n + 1
		case nargs == n:
		case nargs < n && expandDefaults && nargs >= n-len(f.Defaults):
			c.defaults = n - nargs
		default:
			continue
		}
		// of two with the same arguments the one without expansion is meant
		dup := false
		for i, o := range out {
			if len(o.args) >= nargs && slices.Equal(o.args[:nargs], c.args[:nargs]) && o.fn.Namespace == f.Namespace {
				if o.variadic > 0 && c.variadic == 0 {
					out[i] = c
					dup = true
				} else if c.variadic > 0 && o.variadic == 0 {
					dup = true
				} else if o.defaults > c.defaults {
					out[i], dup = c, true
				} else if c.defaults > o.defaults {
					dup = true
				}
				break
			}
		}
		if !dup {
			out = append(out, c)
		}
	}
	return out
}

// namedCandidate matches a call in named or mixed notation.
func namedCandidate(f *catalog.Function, nargs int, argNames []string) *candidate {
	n := len(f.ArgTypes)
	if len(f.ArgNames) == 0 || nargs > n || nargs < n-len(f.Defaults) {
		return nil
	}
	// names of input arguments
	var names []string
	for i, m := range []byte(f.ArgModes) {
		if m == 'i' || m == 'b' || m == 'v' {
			if i < len(f.ArgNames) {
				names = append(names, f.ArgNames[i])
			} else {
				names = append(names, "")
			}
		}
	}
	if f.ArgModes == "" {
		names = f.ArgNames
	}
	c := &candidate{fn: f}
	used := make([]bool, n)
	pos := nargs - len(argNames)
	for i := 0; i < pos; i++ {
		used[i] = true
		c.order = append(c.order, i)
	}
	for _, an := range argNames {
		k := slices.Index(names, an)
		if k < 0 || k >= n || used[k] {
			return nil
		}
		used[k] = true
		c.order = append(c.order, k)
	}
	for i := 0; i < n; i++ {
		if !used[i] {
			if i < n-len(f.Defaults) {
				return nil
			}
			c.order = append(c.order, i)
			c.defaults++
		}
	}
	for _, k := range c.order {
		c.args = append(c.args, f.ArgTypes[k])
	}
	return c
}
