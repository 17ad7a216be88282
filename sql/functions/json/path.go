package json

import (
	"errors"
	"math"
	"strings"

	"github.com/basaltdb/basalt/sql/functions/adapt"
	"github.com/basaltdb/basalt/sql/functions/datetime"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

// jsonpath functions. A path walks values depth first and collects results; in
// lax mode arrays are unwrapped where an operation wants single items, and
// structural mismatches are simply no result.

type value3 uint8 // three-valued truth

const (
	no value3 = iota
	yes
	unknown
)

func truth(b bool) value3 {
	if b {
		return yes
	}
	return no
}

type jv = types.JSONBValue

// pathRun is one evaluation of a path.
type pathRun struct {
	strict   bool
	vars     jv // object, or nil
	root     jv
	current  jv
	arrayLen int  // innermost array, for last
	ignore   bool // structural errors are no results: lax, or below **
	steps    int
	env      *types.Env // the session's, for the functions with a time zone; else nil
	err      error      // of a comparison
}

// found collects results; a nil *found only wants to know whether there is one.
type found struct {
	items []jv
	any   bool
	first bool // stop at the first result
}

func (f *found) add(v jv) {
	f.any = true
	if !f.first {
		f.items = append(f.items, v)
	}
}

func (f *found) done() bool { return f.first && f.any }

func pathError(code pgerror.Code, format string, args ...any) error {
	return pgerror.New(code, format, args...)
}

func encode(n *tree) jv { return types.EncodeJSONB(n).Root() }

func numberValue(n types.Numeric) jv { return encode(&tree{Kind: types.JSONNumber, Num: n}) }

// next continues with what follows i, or delivers v.
func (r *pathRun) next(i *types.PathItem, v jv, f *found) error {
	if f.done() {
		return nil
	}
	if i.Next != nil {
		return r.item(i.Next, v, f, !r.strict)
	}
	f.add(v)
	return nil
}

const pathStepsMax = 50_000_000

// item evaluates i on v; unwrap: an array stands for its elements where i wants single items.
func (r *pathRun) item(i *types.PathItem, v jv, f *found, unwrap bool) error {
	if r.steps++; r.steps > pathStepsMax {
		return pathError(pgerror.ProgramLimitExceeded, "jsonpath evaluation takes too many steps")
	}
	isArray := v.Kind() == types.JSONArrayKind
	each := func() error { // i on the elements of v
		for k := range v.Len() {
			if err := r.item(i, v.Item(k), f, false); err != nil || f.done() {
				return err
			}
		}
		return nil
	}
	switch i.Op {
	case types.PathNull:
		return r.next(i, encode(&tree{}), f)
	case types.PathString:
		return r.next(i, encode(&tree{Kind: types.JSONString, Str: i.Text}), f)
	case types.PathNumber:
		return r.next(i, numberValue(i.Num), f)
	case types.PathBool:
		return r.next(i, encode(&tree{Kind: types.JSONBool, True: i.True}), f)
	case types.PathVariable:
		if r.vars == nil { // the operators have no variables: all are null
			return r.next(i, encode(&tree{}), f)
		}
		if x, ok := r.vars.Lookup(i.Text); ok {
			return r.next(i, x, f)
		}
		return pathError(pgerror.UndefinedObject, "could not find jsonpath variable \"%s\"", i.Text)
	case types.PathRoot:
		return r.next(i, r.root, f)
	case types.PathCurrent:
		return r.next(i, r.current, f)
	case types.PathLast:
		if r.arrayLen < 0 {
			return pgerror.Internal("evaluating jsonpath LAST outside of array subscript")
		}
		return r.next(i, numberValue(types.NumericFromInt64(int64(r.arrayLen-1), 0)), f)
	case types.PathKey:
		switch {
		case v.Kind() == types.JSONObjectKind:
			if x, ok := v.Lookup(i.Text); ok {
				return r.next(i, x, f)
			}
			if !r.ignore {
				return pathError(pgerror.SQLJSONMemberNotFound, "JSON object does not contain key \"%s\"", i.Text)
			}
		case unwrap && isArray:
			return each()
		case !r.ignore:
			return pathError(pgerror.SQLJSONMemberNotFound, "jsonpath member accessor can only be applied to an object")
		}
		return nil
	case types.PathAnyKey:
		switch {
		case v.Kind() == types.JSONObjectKind:
			return r.levels(i.Next, v, f, 1, 1, 1, false, !r.strict)
		case unwrap && isArray:
			return each()
		case !r.ignore:
			return pathError(pgerror.SQLJSONObjectNotFound, "jsonpath wildcard member accessor can only be applied to an object")
		}
		return nil
	case types.PathAnyArray:
		switch {
		case isArray:
			return r.levels(i.Next, v, f, 1, 1, 1, false, !r.strict)
		case !r.strict:
			return r.next(i, v, f)
		case !r.ignore:
			return pathError(pgerror.SQLJSONArrayNotFound, "jsonpath wildcard array accessor can only be applied to an array")
		}
		return nil
	case types.PathIndexes:
		return r.indexes(i, v, f)
	case types.PathAny:
		if i.First == 0 {
			saved := r.ignore
			r.ignore = true
			err := r.next(i, v, f)
			r.ignore = saved
			if err != nil || f.done() {
				return err
			}
		}
		if v.IsContainer() {
			return r.levels(i.Next, v, f, 1, i.First, i.Last, true, !r.strict)
		}
		return nil
	case types.PathFilter:
		if unwrap && isArray {
			return each()
		}
		saved := r.current
		r.current = v
		ok, err := r.predicate(i.Left, v)
		r.current = saved
		if err != nil || ok != yes {
			return err
		}
		return r.next(i, v, f)
	case types.PathMethod:
		return r.method(i, v, f, unwrap)
	case types.PathArith:
		return r.arith(i, v, f)
	case types.PathUnary:
		return r.unary(i, v, f)
	}
	ok, err := r.predicate(i, v)
	if err != nil {
		return err
	}
	n := &tree{Kind: types.JSONBool, True: ok == yes}
	if ok == unknown {
		n = &tree{}
	}
	return r.next(i, encode(n), f)
}

// levels applies next to the values between two depths below v, parents first.
func (r *pathRun) levels(next *types.PathItem, v jv, f *found, level, first, last uint32, ignore, unwrap bool) error {
	if level > last {
		return nil
	}
	for k := range v.Len() {
		c := v.Item(k)
		if level >= first || first == math.MaxUint32 && last == math.MaxUint32 && !c.IsContainer() {
			if next == nil {
				f.add(c)
			} else {
				saved := r.ignore
				r.ignore = r.ignore || ignore
				err := r.item(next, c, f, unwrap)
				r.ignore = saved
				if err != nil {
					return err
				}
			}
			if f.done() {
				return nil
			}
		}
		if level < last && c.IsContainer() {
			if err := r.levels(next, c, f, level+1, first, last, ignore, unwrap); err != nil || f.done() {
				return err
			}
		}
	}
	return nil
}

func (r *pathRun) indexes(i *types.PathItem, v jv, f *found) error {
	isArray := v.Kind() == types.JSONArrayKind
	if !isArray && r.strict {
		if r.ignore {
			return nil
		}
		return pathError(pgerror.SQLJSONArrayNotFound, "jsonpath array accessor can only be applied to an array")
	}
	size := 1
	if isArray {
		size = v.Len()
	}
	saved := r.arrayLen
	defer func() { r.arrayLen = saved }()
	for _, s := range i.Subs {
		r.arrayLen = size
		from, err := r.index(s.From, v)
		if err != nil {
			return err
		}
		to := from
		if s.To != nil {
			if to, err = r.index(s.To, v); err != nil {
				return err
			}
		}
		if !r.ignore && (from < 0 || from > to || to >= size) {
			return pathError(pgerror.InvalidSQLJSONSubscript, "jsonpath array subscript is out of bounds")
		}
		for k := max(from, 0); k <= min(to, size-1); k++ {
			c := v
			if isArray {
				c = v.Item(k)
			}
			if err := r.next(i, c, f); err != nil || f.done() {
				return err
			}
			r.arrayLen = size
		}
	}
	return nil
}

func (r *pathRun) index(i *types.PathItem, v jv) (int, error) {
	var f found
	if err := r.item(i, v, &f, !r.strict); err != nil {
		return 0, err
	}
	if len(f.items) != 1 || f.items[0].Kind() != types.JSONNumber {
		return 0, pathError(pgerror.InvalidSQLJSONSubscript, "jsonpath array subscript is not a single numeric value")
	}
	n, ok := f.items[0].Number().Trunc(0).ToInt64()
	if !ok || n > math.MaxInt32 || n < math.MinInt32 {
		return 0, pathError(pgerror.InvalidSQLJSONSubscript, "jsonpath array subscript is out of integer range")
	}
	return int(n), nil
}

// operands evaluates i and unwraps arrays among the results in lax mode.
func (r *pathRun) operands(i *types.PathItem, v jv, unwrap bool) ([]jv, error) {
	var f found
	if err := r.item(i, v, &f, !r.strict); err != nil {
		return nil, err
	}
	if !unwrap || r.strict {
		return f.items, nil
	}
	var out []jv
	for _, it := range f.items {
		if it.Kind() != types.JSONArrayKind {
			out = append(out, it)
			continue
		}
		for k := range it.Len() {
			out = append(out, it.Item(k))
		}
	}
	return out, nil
}

func (r *pathRun) arith(i *types.PathItem, v jv, f *found) error {
	var n [2]types.Numeric
	for k, side := range []*types.PathItem{i.Left, i.Right} {
		vs, err := r.operands(side, v, true)
		if err != nil {
			return err
		}
		if len(vs) != 1 || vs[0].Kind() != types.JSONNumber {
			return pathError(pgerror.SingletonSQLJSONItemRequired, "%s operand of jsonpath operator %s is not a single numeric value",
				[]string{"left", "right"}[k], i.Text)
		}
		n[k] = vs[0].Number()
	}
	op := map[string]func(a, b types.Numeric) (types.Numeric, error){"+": types.Numeric.Add, "-": types.Numeric.Sub,
		"*": types.Numeric.Mul, "/": types.Numeric.Div, "%": types.Numeric.Mod}[i.Text]
	x, err := op(n[0], n[1])
	if err != nil {
		return err
	}
	return r.next(i, numberValue(x), f)
}

func (r *pathRun) unary(i *types.PathItem, v jv, f *found) error {
	vs, err := r.operands(i.Left, v, true)
	if err != nil {
		return err
	}
	for _, x := range vs {
		if x.Kind() != types.JSONNumber {
			if f.first && i.Next == nil {
				continue // only existence is asked for: other items may do
			}
			return pathError(pgerror.SQLJSONNumberNotFound, "operand of unary jsonpath operator %s is not a numeric value", i.Text)
		}
		if i.Text == "-" {
			x = numberValue(x.Number().Neg())
		}
		if err := r.next(i, x, f); err != nil || f.done() {
			return err
		}
	}
	return nil
}

func (r *pathRun) method(i *types.PathItem, v jv, f *found, unwrap bool) error {
	isArray := v.Kind() == types.JSONArrayKind
	switch i.Text {
	case "type":
		name := ""
		if v.Kind() == types.JSONDatetime {
			name = datetimeTypeNames[datetimeOf(v).Type]
		} else {
			name = kindName(v.Kind())
		}
		return r.next(i, encode(&tree{Kind: types.JSONString, Str: name}), f)
	case "size":
		n := 1
		if isArray {
			n = v.Len()
		} else if r.strict {
			if r.ignore {
				return nil
			}
			return pathError(pgerror.SQLJSONArrayNotFound, "jsonpath item method .%s() can only be applied to an array", i.Text)
		}
		return r.next(i, numberValue(types.NumericFromInt64(int64(n), 0)), f)
	}
	if unwrap && isArray {
		for k := range v.Len() {
			if err := r.item(i, v.Item(k), f, false); err != nil || f.done() {
				return err
			}
		}
		return nil
	}
	switch i.Text {
	case "abs", "floor", "ceiling":
		if v.Kind() != types.JSONNumber {
			return pathError(pgerror.NonNumericSQLJSONItem, "jsonpath item method .%s() can only be applied to a numeric value", i.Text)
		}
		n, err := v.Number(), error(nil)
		switch i.Text {
		case "abs":
			n = n.Abs()
		case "floor":
			n, err = n.Floor()
		default:
			n, err = n.Ceil()
		}
		if err != nil {
			return err
		}
		return r.next(i, numberValue(n), f)
	case "datetime":
		return r.datetime(i, v, f)
	case "double":
		return r.double(i, v, f)
	case "keyvalue":
		if v.Kind() != types.JSONObjectKind {
			return pathError(pgerror.SQLJSONObjectNotFound, "jsonpath item method .%s() can only be applied to an object", i.Text)
		}
		for k := range v.Len() {
			o := encode(&tree{Kind: types.JSONObjectKind, Keys: []string{"key", "value", "id"}, Items: []*tree{
				{Kind: types.JSONString, Str: v.Key(k)}, types.RawNode(v.Item(k)), {Kind: types.JSONNumber, Num: r.objectID(v)}}})
			if err := r.next(i, o, f); err != nil || f.done() {
				return err
			}
		}
		return nil
	}
	return pgerror.Unsupported("jsonpath item method .%s()", i.Text)
}

// objectID tells objects of one document apart: the object's offset in it.
func (r *pathRun) objectID(v jv) types.Numeric {
	if len(v) == 0 || len(r.root) == 0 {
		return types.Numeric{}
	}
	// Both slices end where their backing array's used part does; the difference
	// of their capacities is the distance of their starts.
	off := cap(r.root) - cap(v)
	if off < 0 || off > len(r.root) {
		off = 0
	}
	return types.NumericFromInt64(int64(off), 0)
}

func (r *pathRun) double(i *types.PathItem, v jv, f *found) error {
	text := ""
	switch v.Kind() {
	case types.JSONNumber:
		text = v.Number().String()
	case types.JSONString:
		text = v.Str()
	default:
		return pathError(pgerror.NonNumericSQLJSONItem, "jsonpath item method .%s() can only be applied to a string or numeric value", i.Text)
	}
	d, err := types.In(types.DefaultEnv(), types.Of(types.Float8), text)
	if err != nil {
		if v.Kind() == types.JSONString {
			return pathError(pgerror.NonNumericSQLJSONItem, "string argument of jsonpath item method .%s() is not a valid representation of a double precision number", i.Text)
		}
		return pathError(pgerror.NonNumericSQLJSONItem, "numeric argument of jsonpath item method .%s() is out of range for type double precision", i.Text)
	}
	x := d.(float64)
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return pathError(pgerror.NonNumericSQLJSONItem, "NaN or Infinity is not allowed for jsonpath item method .%s()", i.Text)
	}
	n, err := types.NumericFromFloat64(x)
	if err != nil {
		return err
	}
	return r.next(i, numberValue(n), f)
}

// predicate evaluates a condition. Errors inside its operands make it unknown.
func (r *pathRun) predicate(i *types.PathItem, v jv) (value3, error) {
	switch i.Op {
	case types.PathAnd, types.PathOr:
		a, err := r.predicate(i.Left, v)
		if err != nil {
			return no, err
		}
		if i.Op == types.PathAnd && a == no || i.Op == types.PathOr && a == yes {
			return a, nil
		}
		b, err := r.predicate(i.Right, v)
		if err != nil {
			return no, err
		}
		// The neutral element gives way to the other operand.
		if i.Op == types.PathAnd && b == yes || i.Op == types.PathOr && b == no {
			return a, nil
		}
		return b, nil
	case types.PathNot:
		a, err := r.predicate(i.Left, v)
		switch {
		case err != nil || a == unknown:
			return a, err
		case a == yes:
			return no, nil
		}
		return yes, nil
	case types.PathIsUnknown:
		a, err := r.predicate(i.Left, v)
		return truth(a == unknown), err
	case types.PathExists:
		f := found{first: !r.strict}
		if err := r.item(i.Left, v, &f, !r.strict); err != nil {
			return quiet(err)
		}
		return truth(f.any), nil
	case types.PathCompare:
		return r.pairs(i.Left, i.Right, v, true, func(a, b jv) value3 { return r.compareItems(i.Text, a, b) })
	case types.PathStartsWith:
		return r.pairs(i.Left, i.Right, v, false, func(a, b jv) value3 {
			if a.Kind() != types.JSONString || b.Kind() != types.JSONString {
				return unknown
			}
			return truth(strings.HasPrefix(a.Str(), b.Str()))
		})
	case types.PathLikeRegex:
		re, err := pathRegex(i.Text, i.Flags)
		if err != nil {
			return no, err
		}
		return r.pairs(i.Left, nil, v, false, func(a, _ jv) value3 {
			if a.Kind() != types.JSONString {
				return unknown
			}
			return truth(re.MatchString(a.Str()))
		})
	}
	return no, pgerror.Internal("jsonpath item %d is no predicate", i.Op)
}

// quiet turns the errors a predicate swallows into unknown. Variables that are
// missing, and bugs, are not among them.
func quiet(err error) (value3, error) {
	switch {
	case errors.Is(err, datetime.ErrField):
		return unknown, nil
	case errors.Is(err, datetime.ErrSeparator):
		return no, err
	}
	switch pgerror.From(err).Code {
	case pgerror.UndefinedObject, pgerror.InternalError, pgerror.FeatureNotSupported, pgerror.ProgramLimitExceeded:
		return no, err
	}
	return unknown, nil
}

// pairs is true when test holds for some pair of the operands' items.
func (r *pathRun) pairs(left, right *types.PathItem, v jv, unwrapRight bool, test func(a, b jv) value3) (value3, error) {
	as, err := r.operands(left, v, true)
	if err != nil {
		return quiet(err)
	}
	bs := []jv{nil}
	if right != nil {
		if bs, err = r.operands(right, v, unwrapRight); err != nil {
			return quiet(err)
		}
	}
	hit, bad := false, false
	for _, a := range as {
		for _, b := range bs {
			switch test(a, b) {
			case unknown:
				if r.err != nil {
					return unknown, r.err
				}
				if r.strict {
					return unknown, nil
				}
				bad = true
			case yes:
				if !r.strict {
					return yes, nil
				}
				hit = true
			}
		}
	}
	switch {
	case hit:
		return yes, nil
	case bad:
		return unknown, nil
	}
	return no, nil
}

func (r *pathRun) compareItems(op string, a, b jv) value3 {
	if a.Kind() != b.Kind() {
		if a.Kind() == types.JSONNull || b.Kind() == types.JSONNull {
			return truth(op == "!=")
		}
		return unknown
	}
	if a.IsContainer() {
		return unknown
	}
	var c int
	if a.Kind() == types.JSONDatetime {
		var ok bool
		if c, ok, r.err = r.compareDatetimes(a, b); !ok {
			return unknown
		}
	} else {
		c = types.CompareJSONB(a.JSONB(), b.JSONB())
	}
	switch op {
	case "==":
		return truth(c == 0)
	case "!=":
		return truth(c != 0)
	case "<":
		return truth(c < 0)
	case "<=":
		return truth(c <= 0)
	case ">":
		return truth(c > 0)
	}
	return truth(c >= 0)
}

// runPath evaluates a path; vars must be an object. Without env, nothing may depend on the time zone.
func runPath(env *types.Env, doc jsonb, path string, vars jsonb, f *found) error {
	t, err := types.ParseJSONPath(path)
	if err != nil {
		return err
	}
	r := &pathRun{strict: t.Strict, ignore: !t.Strict, root: doc.Root(), current: doc.Root(), arrayLen: -1, env: env}
	if vars != nil {
		r.vars = vars.Root()
		if r.vars.Kind() != types.JSONObjectKind {
			return invalid("\"vars\" argument is not an object").
				WithDetail("Jsonpath parameters should be encoded as key-value pairs of \"vars\" object.")
		}
	}
	return r.item(t.Root, r.root, f, !r.strict)
}

// silenced reports errors that the silent flag hides.
func silenced(err error, silent bool) bool {
	if !silent || errors.Is(err, datetime.ErrSeparator) {
		return false
	}
	if errors.Is(err, datetime.ErrField) {
		return true
	}
	code := string(pgerror.From(err).Code)
	return strings.HasPrefix(code, "22") && code != string(pgerror.InvalidParameterValue)
}

func pathExists(env *types.Env, doc jsonb, path string, vars jsonb, silent bool) (types.Datum, error) {
	// A strict path is run to its end: a later error counts.
	f := found{first: !strings.HasPrefix(path, "strict ")}
	if err := runPath(env, doc, path, vars, &f); err != nil {
		if silenced(err, silent) {
			return nil, nil
		}
		return nil, err
	}
	return f.any, nil
}

func pathMatch(env *types.Env, doc jsonb, path string, vars jsonb, silent bool) (types.Datum, error) {
	var f found
	if err := runPath(env, doc, path, vars, &f); err != nil {
		if silenced(err, silent) {
			return nil, nil
		}
		return nil, err
	}
	if len(f.items) == 1 {
		switch v := f.items[0]; v.Kind() {
		case types.JSONBool:
			return v.Bool(), nil
		case types.JSONNull:
			return nil, nil
		}
	}
	if silent {
		return nil, nil
	}
	return nil, pathError(pgerror.SingletonSQLJSONItemRequired, "single boolean result is expected")
}

func pathItems(env *types.Env, doc jsonb, path string, vars jsonb, silent bool) ([]jv, error) {
	var f found
	if err := runPath(env, doc, path, vars, &f); err != nil {
		if silenced(err, silent) {
			return nil, nil
		}
		return nil, err
	}
	for i, v := range f.items {
		var err error
		if f.items[i], err = outside(v); err != nil {
			return nil, err
		}
	}
	return f.items, nil
}

func registerPath(r *expr.Registry) {
	for _, tz := range []string{"", "_tz"} {
		const sig = "(jsonb,jsonpath,jsonb,bool)"
		zone := func(ctx *expr.Context) *types.Env {
			if tz == "" {
				return nil
			}
			return ctx.Env
		}
		adapt.Add(r, "jsonb_path_exists"+tz+sig, adapt.C4(func(ctx *expr.Context, _ *expr.Call, doc jsonb, path string, vars jsonb, silent bool) (types.Datum, error) {
			return pathExists(zone(ctx), doc, path, vars, silent)
		}))
		adapt.Add(r, "jsonb_path_match"+tz+sig, adapt.C4(func(ctx *expr.Context, _ *expr.Call, doc jsonb, path string, vars jsonb, silent bool) (types.Datum, error) {
			return pathMatch(zone(ctx), doc, path, vars, silent)
		}))
		adapt.Add(r, "jsonb_path_query_array"+tz+sig, adapt.C4(func(ctx *expr.Context, _ *expr.Call, doc jsonb, path string, vars jsonb, silent bool) (jsonb, error) {
			vs, err := pathItems(zone(ctx), doc, path, vars, silent)
			if err != nil {
				return nil, err
			}
			n := &tree{Kind: types.JSONArrayKind}
			for _, v := range vs {
				n.Items = append(n.Items, types.RawNode(v))
			}
			return types.EncodeJSONB(n), nil
		}))
		adapt.Add(r, "jsonb_path_query_first"+tz+sig, adapt.C4(func(ctx *expr.Context, _ *expr.Call, doc jsonb, path string, vars jsonb, silent bool) (types.Datum, error) {
			vs, err := pathItems(zone(ctx), doc, path, vars, silent)
			if err != nil || len(vs) == 0 {
				return nil, err
			}
			return vs[0].JSONB(), nil
		}))
		adapt.AddSet(r, "jsonb_path_query"+tz+sig, func(ctx *expr.Context, _ *expr.Call, a []types.Datum, emit emitter) error {
			vs, err := pathItems(zone(ctx), a[0].(jsonb), a[1].(string), a[2].(jsonb), a[3].(bool))
			if err != nil {
				return err
			}
			for _, v := range vs {
				if err := emit(v.JSONB()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	adapt.Add(r, "jsonb_path_exists_opr(jsonb,jsonpath)", adapt.E2(func(doc jsonb, path string) (types.Datum, error) {
		return pathExists(nil, doc, path, nil, true)
	}))
	adapt.Add(r, "jsonb_path_match_opr(jsonb,jsonpath)", adapt.E2(func(doc jsonb, path string) (types.Datum, error) {
		return pathMatch(nil, doc, path, nil, true)
	}))
}
