package analyze

import (
	pg_query "github.com/pganalyze/pg_query_go/v5"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// The grammar's frame option bits.
const (
	frameNonDefault              = 0x00001
	frameRange                   = 0x00002
	frameRows                    = 0x00004
	frameGroups                  = 0x00008
	frameBetween                 = 0x00010
	frameStartUnboundedPreceding = 0x00020
	frameEndUnboundedFollowing   = 0x00100
	frameStartCurrentRow         = 0x00200
	frameEndCurrentRow           = 0x00400
	frameStartOffsetPreceding    = 0x00800
	frameEndOffsetPreceding      = 0x01000
	frameStartOffsetFollowing    = 0x02000
	frameEndOffsetFollowing      = 0x04000
	frameExcludeCurrentRow       = 0x08000
	frameExcludeGroup            = 0x10000
	frameExcludeTies             = 0x20000
	frameDefaults                = frameRange | frameStartUnboundedPreceding | frameEndCurrentRow
)

// windowPhrase is where window functions are refused with words of their own.
var windowPhrase = map[exprKind]string{
	kindJoinOn: "in JOIN conditions", kindJoinUsing: "in JOIN conditions", kindFromFunction: "in functions in FROM",
	kindWindowPartition: "in window definitions", kindWindowOrder: "in window definitions",
	kindWindowFrameRange: "in window definitions", kindWindowFrameRows: "in window definitions", kindWindowFrameGroups: "in window definitions",
	kindMergeWhen: "in MERGE WHEN conditions", kindCheck: "in check constraints", kindDefault: "in DEFAULT expressions",
	kindIndexExpr: "in index expressions", kindIndexPredicate: "in index predicates", kindAlterTransform: "in transform expressions",
	kindExecuteParam: "in EXECUTE parameters", kindGenerated: "in column generation expressions", kindCallArgument: "in CALL arguments",
}

// windowCall links a window function to its window.
func (ps *pstate) windowCall(w *query.WindowFunc, def *pg_query.WindowDef) {
	for _, a := range w.Args {
		if loc := findWindow(a); loc != noAgg {
			ps.failAt(loc, pgerror.WindowingError, "window function calls cannot be nested")
		}
	}
	if w.Filter != nil {
		if loc := findWindow(w.Filter); loc != noAgg {
			ps.failAt(loc, pgerror.WindowingError, "window function calls cannot be nested")
		}
	}
	switch ps.kind {
	case kindNone, kindOther, kindSelectTarget, kindOrderBy, kindDistinctOn:
	default:
		p, ok := windowPhrase[ps.kind]
		if !ok {
			p = "in " + kindNames[ps.kind]
		}
		ps.failAt(w.Loc, pgerror.WindowingError, "window functions are not allowed %s", p)
	}
	if def.Name != "" {
		for i, d := range ps.windowDefs {
			if d.Name == def.Name {
				w.WinRef = i + 1
				break
			}
		}
		if w.WinRef == 0 {
			ps.failAt(int(def.Location), pgerror.UndefinedObject, "window \"%s\" does not exist", def.Name)
		}
	} else {
		for i, d := range ps.windowDefs {
			if d.Refname != def.Refname || d.FrameOptions != def.FrameOptions || d.Name != "" && def.Refname != "" {
				continue
			}
			if rawListEqual(d.PartitionClause, def.PartitionClause) && rawListEqual(d.OrderClause, def.OrderClause) &&
				rawEqual(d.StartOffset, def.StartOffset) && rawEqual(d.EndOffset, def.EndOffset) {
				w.WinRef = i + 1
				break
			}
		}
		if w.WinRef == 0 {
			ps.windowDefs = append(ps.windowDefs, def)
			w.WinRef = len(ps.windowDefs)
		}
	}
	ps.q.HasWindowFuncs = true
}

func rawListEqual(a, b []*pg_query.Node) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !rawEqual(a[i], b[i]) {
			return false
		}
	}
	return true
}

// rawEqual compares parse trees but for locations.
func rawEqual(a, b *pg_query.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	return messageEqual(a.ProtoReflect(), b.ProtoReflect())
}

func messageEqual(a, b protoreflect.Message) bool {
	fields := a.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Name() == "location" {
			continue
		}
		if a.Has(f) != b.Has(f) {
			return false
		}
		if !a.Has(f) {
			continue
		}
		x, y := a.Get(f), b.Get(f)
		switch {
		case f.IsList():
			l, m := x.List(), y.List()
			if l.Len() != m.Len() {
				return false
			}
			for k := range l.Len() {
				if f.Message() != nil {
					if !messageEqual(l.Get(k).Message(), m.Get(k).Message()) {
						return false
					}
				} else if !l.Get(k).Equal(m.Get(k)) {
					return false
				}
			}
		case f.Message() != nil:
			if !messageEqual(x.Message(), y.Message()) {
				return false
			}
		default:
			if !x.Equal(y) {
				return false
			}
		}
	}
	return true
}

// windowDefinitions analyses the windows the query uses.
func (ps *pstate) windowDefinitions(ts *[]*query.TargetEntry) []*query.WindowClause {
	var out []*query.WindowClause
	find := func(name string) *query.WindowClause {
		for _, w := range out {
			if w.Name == name {
				return w
			}
		}
		return nil
	}
	for i := 0; i < len(ps.windowDefs); i++ {
		d := ps.windowDefs[i]
		loc := int(d.Location)
		if d.Name != "" && find(d.Name) != nil {
			ps.failAt(loc, pgerror.WindowingError, "window \"%s\" is already defined", d.Name)
		}
		var ref *query.WindowClause
		if d.Refname != "" {
			if ref = find(d.Refname); ref == nil {
				ps.failAt(loc, pgerror.UndefinedObject, "window \"%s\" does not exist", d.Refname)
			}
		}
		order := ps.sortClause(d.OrderClause, ts, kindWindowOrder, true)
		part, _ := ps.groupClause(d.PartitionClause, order, ts, kindWindowPartition, true)
		w := &query.WindowClause{Name: d.Name, RefName: d.Refname, Ref: i + 1, Partition: part, Order: order}
		if ref != nil {
			if len(part) > 0 {
				ps.failAt(loc, pgerror.WindowingError, "cannot override PARTITION BY clause of window \"%s\"", d.Refname)
			}
			w.Partition = ref.Partition
			if len(order) > 0 && len(ref.Order) > 0 {
				ps.failAt(loc, pgerror.WindowingError, "cannot override ORDER BY clause of window \"%s\"", d.Refname)
			}
			if len(order) == 0 {
				w.Order, w.CopiedOrder = ref.Order, true
			}
			if ref.Frame.Explicit {
				e := ps.errAt(loc, pgerror.WindowingError, "cannot copy window \"%s\" because it has a frame clause", d.Refname)
				if d.Name == "" && len(d.OrderClause) == 0 && d.FrameOptions == frameDefaults {
					e.WithHint("Omit the parentheses in this OVER clause.")
				}
				fail(e)
			}
		}
		f := &w.Frame
		o := d.FrameOptions
		f.Explicit, f.Single = o&frameNonDefault != 0, o&frameBetween == 0
		switch {
		case o&frameRows != 0:
			f.Mode = query.FrameRows
		case o&frameGroups != 0:
			f.Mode = query.FrameGroups
		}
		switch {
		case o&frameStartUnboundedPreceding != 0:
			f.Start = query.UnboundedPreceding
		case o&frameStartOffsetPreceding != 0:
			f.Start = query.OffsetPreceding
		case o&frameStartCurrentRow != 0:
			f.Start = query.CurrentRow
		case o&frameStartOffsetFollowing != 0:
			f.Start = query.OffsetFollowing
		}
		switch {
		case o&frameEndOffsetPreceding != 0:
			f.End = query.OffsetPreceding
		case o&frameEndCurrentRow != 0:
			f.End = query.CurrentRow
		case o&frameEndOffsetFollowing != 0:
			f.End = query.OffsetFollowing
		case o&frameEndUnboundedFollowing != 0:
			f.End = query.UnboundedFollowing
		}
		switch {
		case o&frameExcludeCurrentRow != 0:
			f.Exclusion = query.ExcludeCurrentRow
		case o&frameExcludeGroup != 0:
			f.Exclusion = query.ExcludeGroup
		case o&frameExcludeTies != 0:
			f.Exclusion = query.ExcludeTies
		}
		if f.Mode == query.FrameRange && (d.StartOffset != nil || d.EndOffset != nil) && len(w.Order) != 1 {
			ps.failAt(loc, pgerror.WindowingError, "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column")
		}
		if f.Mode == query.FrameGroups && len(w.Order) == 0 {
			ps.failAt(loc, pgerror.WindowingError, "GROUPS mode requires an ORDER BY clause")
		}
		f.StartOffset, f.StartInRange = ps.frameOffset(d.StartOffset, w, *ts)
		f.EndOffset, f.EndInRange = ps.frameOffset(d.EndOffset, w, *ts)
		out = append(out, w)
	}
	return out
}

// inRangeTypes are the offset types in_range functions of built-in families take.
var inRangeTypes = []types.OID{types.Int2, types.Int4, types.Int8, types.Float8, types.NumericOID, types.IntervalOID, types.Float4}

// frameOffset analyses the offset of a frame bound.
func (ps *pstate) frameOffset(n *pg_query.Node, w *query.WindowClause, ts []*query.TargetEntry) (query.Expr, types.OID) {
	if n == nil {
		return nil, 0
	}
	switch w.Frame.Mode {
	case query.FrameRows:
		e := ps.coerceToSpecific(ps.expr(n, kindWindowFrameRows), types.Of(types.Int8), "ROWS")
		ps.needVarFree(e, "ROWS")
		return e, 0
	case query.FrameGroups:
		e := ps.coerceToSpecific(ps.expr(n, kindWindowFrameGroups), types.Of(types.Int8), "GROUPS")
		ps.needVarFree(e, "GROUPS")
		return e, 0
	}
	e := ps.expr(n, kindWindowFrameRange)
	col := typeOf(targetByRef(ts, w.Order[0].Ref).Expr)
	node := typeOf(e)
	var fam, in types.OID
	if c := ps.cat.DefaultOpClass("btree", ps.baseType(col)); c != nil {
		fam, in = c.Family, c.InType
	}
	preferred := node
	if node == types.Unknown {
		preferred = in
	}
	n1, matches := 0, 0
	var fn, t types.OID
	for _, off := range inRangeTypes {
		f := ps.cat.FamilySupport(fam, in, off, 3)
		if f == 0 {
			continue
		}
		n1++
		if !ps.canCoerce1(node, off, ctxImplicit) {
			continue
		}
		matches++
		if t != preferred {
			fn, t = f, off
		}
	}
	loc := exprLoc(e)
	switch {
	case n1 == 0:
		ps.failAt(loc, pgerror.FeatureNotSupported, "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s", ps.format(col))
	case matches == 0:
		fail(ps.errAt(loc, pgerror.FeatureNotSupported, "RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s and offset type %s", ps.format(col), ps.format(node)).
			WithHint("Cast the offset value to an appropriate type."))
	case matches != 1 && t != preferred:
		fail(ps.errAt(loc, pgerror.FeatureNotSupported, "RANGE with offset PRECEDING/FOLLOWING has multiple interpretations for column type %s and offset type %s", ps.format(col), ps.format(node)).
			WithHint("Cast the offset value to the exact intended type."))
	}
	e = ps.coerceToSpecific(e, ps.tOf(t, -1), "RANGE")
	ps.needVarFree(e, "RANGE")
	return e, fn
}
