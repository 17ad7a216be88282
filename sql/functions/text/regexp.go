package text

import (
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/functions/base"
	"github.com/basaltdb/basalt/sql/functions/text/are"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// regexpCacheMax is how many compiled patterns are kept for patterns that are not constants.
const regexpCacheMax = 256

type regexpKey struct {
	pattern string
	flags   are.Flags
}

var regexpCache = struct {
	sync.Mutex
	m map[regexpKey]*are.Regexp
}{m: map[regexpKey]*are.Regexp{}}

// compileRegexp compiles through the cache.
func compileRegexp(pattern string, f are.Flags) (*are.Regexp, error) {
	k := regexpKey{pattern, f}
	regexpCache.Lock()
	re := regexpCache.m[k]
	regexpCache.Unlock()
	if re != nil {
		return re, nil
	}
	re, err := are.Compile(pattern, f)
	if err != nil {
		return nil, err
	}
	regexpCache.Lock()
	defer regexpCache.Unlock()
	if len(regexpCache.m) >= regexpCacheMax {
		clear(regexpCache.m)
	}
	regexpCache.m[k] = re
	return re, nil
}

// regexpArgs compiles with an option string. fn names the function that has no
// global option, "" for one that has.
func regexpArgs(pattern, opts, fn string) (re *are.Regexp, global bool, err error) {
	var f are.Flags
	if global, err = are.ApplyFlags(opts, &f); err != nil {
		return nil, false, err
	}
	if global && fn != "" {
		e := invalidParameter("%s() does not support the \"global\" option", fn)
		if fn == "regexp_match" {
			e = e.WithHint("Use the regexp_matches function instead.")
		}
		return nil, false, e
	}
	re, err = compileRegexp(pattern, f)
	return re, global, err
}

// regexpMatch is the operators ~, ~*, !~ and !~*.
func regexpMatch(fold, not bool) expr.Kernel {
	return base.OverDictionary(adapt.C2(func(_ *expr.Context, call *expr.Call, s, pattern string) (bool, error) {
		re, ok := call.State.(*are.Regexp)
		if !ok {
			var err error
			if re, err = compileRegexp(pattern, are.Flags{Fold: fold}); err != nil {
				return false, err
			}
		}
		m, err := re.Match(s)
		return m != not, err
	}))
}

// prepareRegexp compiles a constant pattern once. A faulty one is left to be
// reported when a row needs it.
func prepareRegexp(fold bool) adapt.Option {
	return adapt.Prepare(func(_ *expr.Context, call *expr.Call) (any, error) {
		if len(call.IsConst) < 2 || !call.IsConst[1] || call.Const[1] == nil {
			return nil, nil
		}
		re, err := are.Compile(call.Const[1].(string), are.Flags{Fold: fold})
		if err != nil {
			return nil, nil
		}
		return re, nil
	})
}

// group gives capture n as a Datum.
func group(s string, caps []int, n int) types.Datum {
	if caps[2*n] < 0 {
		return nil
	}
	return s[caps[2*n]:caps[2*n+1]]
}

// groups gives the captures as text[], or the whole match when there are none.
func groups(s string, caps []int) *types.Array {
	n := len(caps)/2 - 1
	if n == 0 {
		return types.NewArray(types.Of(types.Text), []types.Datum{group(s, caps, 0)})
	}
	out := make([]types.Datum, n)
	for i := range out {
		out[i] = group(s, caps, i+1)
	}
	return types.NewArray(types.Of(types.Text), out)
}

func regexpMatchArray(s, pattern, opts string) (*types.Array, error) {
	re, _, err := regexpArgs(pattern, opts, "regexp_match")
	if err != nil {
		return nil, err
	}
	caps, err := re.Find(s, 0)
	if err != nil || caps == nil {
		return nil, err
	}
	return groups(s, caps), nil
}

func textArg(args []types.Datum, i int) string {
	if i < len(args) && args[i] != nil {
		return args[i].(string)
	}
	return ""
}

func regexpMatches(_ *expr.Context, _ *expr.Call, args []types.Datum, emit func(...types.Datum) error) error {
	s := args[0].(string)
	re, global, err := regexpArgs(args[1].(string), textArg(args, 2), "")
	if err != nil {
		return err
	}
	return re.FindAll(s, 0, func(caps []int) (bool, error) { return global, emit(groups(s, caps)) })
}

// regexpSplit cuts s at the matches; empty matches at its ends or right after
// another match do not count.
func regexpSplit(s, pattern, opts, fn string) ([]types.Datum, error) {
	re, _, err := regexpArgs(pattern, opts, fn)
	if err != nil {
		return nil, err
	}
	var out []types.Datum
	start, last := 0, 0
	err = re.FindAll(s, 0, func(caps []int) (bool, error) {
		if caps[0] < len(s) && caps[1] > last {
			out = append(out, s[start:caps[0]])
			start = caps[1]
		}
		last = caps[1]
		return true, nil
	})
	return append(out, s[start:]), err
}

// expand writes a replacement text: \1 … \9, \& and \\.
func expand(b *strings.Builder, repl, s string, caps []int) {
	for i := 0; i < len(repl); i++ {
		c := repl[i]
		if c != '\\' || i+1 == len(repl) {
			b.WriteByte(c)
			continue
		}
		i++
		switch c := repl[i]; {
		case c >= '1' && c <= '9':
			if n := int(c - '0'); 2*n < len(caps) && caps[2*n] >= 0 {
				b.WriteString(s[caps[2*n]:caps[2*n+1]])
			}
		case c == '&':
			b.WriteString(s[caps[0]:caps[1]])
		case c == '\\':
			b.WriteByte('\\')
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
}

// regexpReplace replaces match number n (0: all) at or after byte offset from.
func regexpReplace(re *are.Regexp, s, repl string, from, n int) (string, error) {
	var b strings.Builder
	done, count := 0, 0
	err := re.FindAll(s, from, func(caps []int) (bool, error) {
		if count++; n > 0 && count != n {
			return true, nil
		}
		b.WriteString(s[done:caps[0]])
		expand(&b, repl, s, caps)
		done = caps[1]
		return n == 0, nil
	})
	if err != nil || done == 0 && b.Len() == 0 {
		return s, err
	}
	b.WriteString(s[done:])
	return b.String(), nil
}

// place checks a 1-based start argument and turns it into a byte offset; beyond
// the end it is past len(s).
func place(s string, start int32) (int, error) {
	if start <= 0 {
		return 0, invalidParameter("invalid value for parameter \"start\": %d", start)
	}
	if n := types.CharLen(s); int(start)-1 > n {
		return len(s) + 1, nil
	}
	return charOffset(s, int(start)-1), nil
}

func atLeast(name string, v, low int32) error {
	if v < low {
		return invalidParameter("invalid value for parameter \"%s\": %d", name, v)
	}
	return nil
}

func regexpReplaceFlags(s, pattern, repl, opts string) (string, error) {
	if opts != "" && opts[0] >= '0' && opts[0] <= '9' {
		_, n := utf8.DecodeRuneInString(opts)
		return "", invalidParameter("invalid regular expression option: \"%s\"", opts[:n]).
			WithHint("If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly.")
	}
	re, global, err := regexpArgs(pattern, opts, "")
	if err != nil {
		return "", err
	}
	n := 1
	if global {
		n = 0
	}
	return regexpReplace(re, s, repl, 0, n)
}

func regexpReplaceFrom(s, pattern, repl string, start, n int32, opts string, givenN bool) (string, error) {
	from, err := place(s, start)
	if err != nil {
		return "", err
	}
	if err := atLeast("n", n, 0); err != nil {
		return "", err
	}
	re, global, err := regexpArgs(pattern, opts, "")
	if err != nil {
		return "", err
	}
	if !givenN && global {
		n = 0
	}
	return regexpReplace(re, s, repl, from, int(n))
}

// occurrence finds match number n from a start position.
func occurrence(s, pattern string, start, n int32, opts, fn string) ([]int, *are.Regexp, error) {
	re, _, err := regexpArgs(pattern, opts, fn)
	if err != nil {
		return nil, nil, err
	}
	from, err := place(s, start)
	if err != nil {
		return nil, nil, err
	}
	var found []int
	count := int32(0)
	err = re.FindAll(s, from, func(caps []int) (bool, error) {
		if count++; count == n {
			found = caps
		}
		return count < n, nil
	})
	return found, re, err
}

func regexpInstr(s, pattern string, start, n, end int32, opts string, sub int32) (int32, error) {
	if err := firstError(atLeast("start", start, 1), atLeast("n", n, 1)); err != nil {
		return 0, err
	}
	if end != 0 && end != 1 {
		return 0, invalidParameter("invalid value for parameter \"endoption\": %d", end)
	}
	if err := atLeast("subexpr", sub, 0); err != nil {
		return 0, err
	}
	caps, _, err := occurrence(s, pattern, start, n, opts, "regexp_instr")
	if err != nil || caps == nil || int(2*sub) >= len(caps) || caps[2*sub] < 0 {
		return 0, err
	}
	return int32(types.CharLen(s[:caps[2*sub+end]])) + 1, nil
}

func firstError(errs ...error) error {
	for _, e := range errs {
		if e != nil {
			return e
		}
	}
	return nil
}

func regexpSubstr(s, pattern string, start, n int32, opts string, sub int32) (types.Datum, error) {
	if err := firstError(atLeast("start", start, 1), atLeast("n", n, 1), atLeast("subexpr", sub, 0)); err != nil {
		return nil, err
	}
	caps, _, err := occurrence(s, pattern, start, n, opts, "regexp_substr")
	if err != nil || caps == nil || int(2*sub) >= len(caps) {
		return nil, err
	}
	return group(s, caps, int(sub)), nil
}

func regexpCount(s, pattern string, start int32, opts string) (int32, error) {
	if err := atLeast("start", start, 1); err != nil {
		return 0, err
	}
	re, _, err := regexpArgs(pattern, opts, "regexp_count")
	if err != nil {
		return 0, err
	}
	from, err := place(s, start)
	if err != nil {
		return 0, err
	}
	n := int32(0)
	err = re.FindAll(s, from, func([]int) (bool, error) { n++; return true, nil })
	return n, err
}

// substringRegexp is substring(s from pattern): the first capture, or the whole match.
func substringRegexp(s, pattern string) (types.Datum, error) {
	re, err := compileRegexp(pattern, are.Flags{})
	if err != nil {
		return nil, err
	}
	caps, err := re.Find(s, 0)
	if err != nil || caps == nil {
		return nil, err
	}
	return group(s, caps, min(1, re.NumCaptures())), nil
}

func registerRegexp(r *expr.Registry) {
	for _, t := range []string{"text", "name", "bpchar"} {
		for op, f := range map[string]struct{ fold, not bool }{
			"regexeq": {false, false}, "regexne": {false, true}, "icregexeq": {true, false}, "icregexne": {true, true},
		} {
			adapt.Add(r, t+op+"("+t+",text)", regexpMatch(f.fold, f.not), prepareRegexp(f.fold))
		}
	}
	like := func(s, p, opts string) (bool, error) {
		re, _, err := regexpArgs(p, opts, "regexp_like")
		if err != nil {
			return false, err
		}
		return re.Match(s)
	}
	adapt.Add(r, "regexp_like(text,text)", adapt.E2(func(s, p string) (bool, error) { return like(s, p, "") }))
	adapt.Add(r, "regexp_like(text,text,text)", adapt.E3(like))
	adapt.Add(r, "regexp_match(text,text)", adapt.E2(func(s, p string) (*types.Array, error) { return regexpMatchArray(s, p, "") }))
	adapt.Add(r, "regexp_match(text,text,text)", adapt.E3(regexpMatchArray))
	adapt.AddSet(r, "regexp_matches(text,text)", regexpMatches)
	adapt.AddSet(r, "regexp_matches(text,text,text)", regexpMatches)
	split := func(s, p, opts string) (*types.Array, error) {
		f, err := regexpSplit(s, p, opts, "regexp_split_to_array")
		return types.NewArray(types.Of(types.Text), f), err
	}
	adapt.Add(r, "regexp_split_to_array(text,text)", adapt.E2(func(s, p string) (*types.Array, error) { return split(s, p, "") }))
	adapt.Add(r, "regexp_split_to_array(text,text,text)", adapt.E3(split))
	splitTable := func(_ *expr.Context, _ *expr.Call, args []types.Datum, emit func(...types.Datum) error) error {
		f, err := regexpSplit(args[0].(string), args[1].(string), textArg(args, 2), "regexp_split_to_table")
		if err != nil {
			return err
		}
		for _, d := range f {
			if err := emit(d); err != nil {
				return err
			}
		}
		return nil
	}
	adapt.AddSet(r, "regexp_split_to_table(text,text)", splitTable)
	adapt.AddSet(r, "regexp_split_to_table(text,text,text)", splitTable)
	adapt.Add(r, "regexp_replace(text,text,text)", adapt.E3(func(s, p, repl string) (string, error) { return regexpReplaceFlags(s, p, repl, "") }))
	adapt.Add(r, "regexp_replace(text,text,text,text)", adapt.E4(regexpReplaceFlags))
	adapt.Add(r, "regexp_replace(text,text,text,int4)", adapt.E4(func(s, p, repl string, start int32) (string, error) {
		return regexpReplaceFrom(s, p, repl, start, 1, "", false)
	}))
	adapt.Add(r, "regexp_replace(text,text,text,int4,int4)", adapt.E5(func(s, p, repl string, start, n int32) (string, error) {
		return regexpReplaceFrom(s, p, repl, start, n, "", true)
	}))
	adapt.Add(r, "regexp_replace(text,text,text,int4,int4,text)", adapt.E6(func(s, p, repl string, start, n int32, opts string) (string, error) {
		return regexpReplaceFrom(s, p, repl, start, n, opts, true)
	}))
	adapt.Add(r, "regexp_count(text,text)", adapt.E2(func(s, p string) (int32, error) { return regexpCount(s, p, 1, "") }))
	adapt.Add(r, "regexp_count(text,text,int4)", adapt.E3(func(s, p string, start int32) (int32, error) { return regexpCount(s, p, start, "") }))
	adapt.Add(r, "regexp_count(text,text,int4,text)", adapt.E4(regexpCount))
	// regexp_instr and regexp_substr: defaults fill in what a shorter call leaves out
	arg := func(args []types.Datum, i int, def int32) int32 {
		if i < len(args) {
			return args[i].(int32)
		}
		return def
	}
	strict := func(f func(args []types.Datum) (types.Datum, error)) expr.Kernel {
		return adapt.D(func(_ *expr.Context, _ *expr.Call, args []types.Datum) (types.Datum, error) {
			for _, a := range args {
				if a == nil {
					return nil, nil
				}
			}
			return f(args)
		})
	}
	instr := strict(func(a []types.Datum) (types.Datum, error) {
		v, err := regexpInstr(a[0].(string), a[1].(string), arg(a, 2, 1), arg(a, 3, 1), arg(a, 4, 0), textArg(a, 5), arg(a, 6, 0))
		return v, err
	})
	for _, sig := range []string{"", ",int4", ",int4,int4", ",int4,int4,int4", ",int4,int4,int4,text", ",int4,int4,int4,text,int4"} {
		adapt.Add(r, "regexp_instr(text,text"+sig+")", instr)
	}
	substr := strict(func(a []types.Datum) (types.Datum, error) {
		return regexpSubstr(a[0].(string), a[1].(string), arg(a, 2, 1), arg(a, 3, 1), textArg(a, 4), arg(a, 5, 0))
	})
	for _, sig := range []string{"", ",int4", ",int4,int4", ",int4,int4,text", ",int4,int4,text,int4"} {
		adapt.Add(r, "regexp_substr(text,text"+sig+")", substr)
	}
	adapt.Add(r, "substring(text,text)", adapt.E2(substringRegexp))
	adapt.Add(r, "similar_to_escape(text,text)", adapt.E2(are.Similar))
	adapt.Add(r, "similar_to_escape(text)", adapt.E1(func(p string) (string, error) { return are.Similar(p, `\`) }))
	adapt.Add(r, "similar_escape(text,text)", adapt.D(func(_ *expr.Context, _ *expr.Call, args []types.Datum) (types.Datum, error) {
		if args[0] == nil {
			return nil, nil
		}
		esc := `\`
		if args[1] != nil {
			esc = args[1].(string)
		}
		return are.Similar(args[0].(string), esc)
	}))
	adapt.Add(r, "substring(text,text,text)", adapt.E3(func(s, p, esc string) (types.Datum, error) {
		p, err := are.Similar(p, esc)
		if err != nil {
			return nil, err
		}
		return substringRegexp(s, p)
	}))
}
