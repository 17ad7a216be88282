package ddl

import (
	"context"
	"math"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/txn"
)

// sequenceParams are a sequence's options, checked.
type sequenceParams struct {
	catalog.Sequence
	restart      bool
	restartValue int64
	ownedBy      []string
	hasOwnedBy   bool
	typeName     *pg_query.TypeName
}

// sequenceOptions applies an option list to p, which holds the defaults (isNew) or
// the sequence as it is.
func sequenceOptions(ctx context.Context, c *Context, opts []*pg_query.Node, p *sequenceParams, isNew bool) error {
	seen := map[string]bool{}
	var start, incr, minv, maxv, cache, cycle, restart *pg_query.DefElem
	for _, n := range opts {
		d := n.GetDefElem()
		if seen[d.Defname] {
			return pgerror.New(pgerror.SyntaxError, "conflicting or redundant options").WithPosition(c.at(d.Location))
		}
		seen[d.Defname] = true
		switch d.Defname {
		case "as":
			p.typeName = d.Arg.GetTypeName()
		case "start":
			start = d
		case "increment":
			incr = d
		case "minvalue":
			minv = d
		case "maxvalue":
			maxv = d
		case "cache":
			cache = d
		case "cycle":
			cycle = d
		case "restart":
			restart = d
		case "owned_by":
			p.hasOwnedBy, p.ownedBy = true, strs(d.Arg.GetList().GetItems())
		case "sequence_name":
			// handled by the column's transformation
		default:
			return pgerror.Internal("option %q not recognized", d.Defname)
		}
	}
	oldType := p.Type
	resetMin, resetMax := false, false
	if p.typeName != nil {
		t, err := analyze.ResolveTypeName(ctx, c.env(), c.source, p.typeName)
		if err != nil {
			return err
		}
		if t.OID != types.Int2 && t.OID != types.Int4 && t.OID != types.Int8 {
			return pgerror.New(pgerror.InvalidParameterValue, "sequence type must be smallint, integer, or bigint")
		}
		if !isNew && t.OID != oldType {
			lo, hi := seqBounds(oldType)
			resetMax = p.Max == hi
			resetMin = p.Min == lo
		}
		p.Type = t.OID
	}
	lo, hi := seqBounds(p.Type)
	if incr != nil {
		n, err := defInt(incr)
		if err != nil {
			return err
		}
		if n == 0 {
			return pgerror.New(pgerror.InvalidParameterValue, "INCREMENT must not be zero")
		}
		p.Increment = n
	} else if isNew {
		p.Increment = 1
	}
	if cycle != nil {
		b, err := defBool(cycle)
		if err != nil {
			return err
		}
		p.Cycle = b
	}
	typeText := c.reader().FormatType(p.Type, -1)
	if maxv != nil && maxv.Arg != nil {
		n, err := defInt(maxv)
		if err != nil {
			return err
		}
		p.Max = n
	} else if isNew || maxv != nil || resetMax {
		if p.Increment > 0 || resetMax {
			p.Max = hi
		} else {
			p.Max = -1
		}
	}
	if p.Max < lo || p.Max > hi {
		return pgerror.New(pgerror.InvalidParameterValue, "MAXVALUE (%d) is out of range for sequence data type %s", p.Max, typeText)
	}
	if minv != nil && minv.Arg != nil {
		n, err := defInt(minv)
		if err != nil {
			return err
		}
		p.Min = n
	} else if isNew || minv != nil || resetMin {
		if p.Increment < 0 || resetMin {
			p.Min = lo
		} else {
			p.Min = 1
		}
	}
	if p.Min < lo || p.Min > hi {
		return pgerror.New(pgerror.InvalidParameterValue, "MINVALUE (%d) is out of range for sequence data type %s", p.Min, typeText)
	}
	if p.Min >= p.Max {
		return pgerror.New(pgerror.InvalidParameterValue, "MINVALUE (%d) must be less than MAXVALUE (%d)", p.Min, p.Max)
	}
	if start != nil {
		n, err := defInt(start)
		if err != nil {
			return err
		}
		p.Start = n
	} else if isNew {
		if p.Increment > 0 {
			p.Start = p.Min
		} else {
			p.Start = p.Max
		}
	}
	if p.Start < p.Min {
		return pgerror.New(pgerror.InvalidParameterValue, "START value (%d) cannot be less than MINVALUE (%d)", p.Start, p.Min)
	}
	if p.Start > p.Max {
		return pgerror.New(pgerror.InvalidParameterValue, "START value (%d) cannot be greater than MAXVALUE (%d)", p.Start, p.Max)
	}
	if restart != nil {
		p.restart, p.restartValue = true, p.Start
		if restart.Arg != nil {
			n, err := defInt(restart)
			if err != nil {
				return err
			}
			p.restartValue = n
		}
		if p.restartValue < p.Min {
			return pgerror.New(pgerror.InvalidParameterValue, "RESTART value (%d) cannot be less than MINVALUE (%d)", p.restartValue, p.Min)
		}
		if p.restartValue > p.Max {
			return pgerror.New(pgerror.InvalidParameterValue, "RESTART value (%d) cannot be greater than MAXVALUE (%d)", p.restartValue, p.Max)
		}
	}
	if cache != nil {
		n, err := defInt(cache)
		if err != nil {
			return err
		}
		if n <= 0 {
			return pgerror.New(pgerror.InvalidParameterValue, "CACHE (%d) must be greater than zero", n)
		}
		p.Cache = n
	} else if isNew {
		p.Cache = 1
	}
	return nil
}

func seqBounds(t types.OID) (lo, hi int64) {
	switch t {
	case types.Int2:
		return math.MinInt16, math.MaxInt16
	case types.Int4:
		return math.MinInt32, math.MaxInt32
	}
	return math.MinInt64, math.MaxInt64
}

// columnSequence creates the sequence of a serial or identity column.
func (c *Context) columnSequence(ctx context.Context, tns *catalog.Namespace, table string, col *columnDef, owner types.OID) (types.OID, error) {
	ns, name := tns, ""
	opts := col.seqOptions
	for _, n := range opts {
		if d := n.GetDefElem(); d.Defname == "sequence_name" {
			schema, s, err := splitQualified(c, strs(d.Arg.GetList().GetItems()))
			if err != nil {
				return 0, err
			}
			name = s
			if schema != "" {
				if ns, err = namespaceByName(ctx, c, schema); err != nil {
					return 0, err
				}
			}
		}
	}
	if name == "" {
		var err error
		if name, err = chooseRelationName(ctx, c, table, col.name, "seq", ns.OID, false); err != nil {
			return 0, err
		}
	}
	p := &sequenceParams{}
	p.Type = col.typ.OID
	if err := sequenceOptions(ctx, c, opts, p, true); err != nil {
		return 0, err
	}
	if p.Type != col.typ.OID {
		p.Type = col.typ.OID
	}
	return c.makeSequence(ctx, ns, name, p, owner)
}

// makeSequence writes a sequence's catalog rows.
func (c *Context) makeSequence(ctx context.Context, ns *catalog.Namespace, name string, p *sequenceParams, owner types.OID) (types.OID, error) {
	cols := []column{
		{name: "last_value", typ: types.Of(types.Int8), notNull: true}, {name: "log_cnt", typ: types.Of(types.Int8), notNull: true},
		{name: "is_called", typ: types.Of(types.Bool), notNull: true},
	}
	oid, err := createRelation(ctx, c, relation{namespace: ns, name: name, kind: catalog.KindSequence, owner: owner, persistence: 'p', columns: cols})
	if err != nil {
		return 0, err
	}
	err = c.writer().Insert(ctx, "pg_sequence", catalog.Values{"seqrelid": oid, "seqtypid": p.Type, "seqstart": p.Start, "seqincrement": p.Increment,
		"seqmax": p.Max, "seqmin": p.Min, "seqcache": p.Cache, "seqcycle": p.Cycle})
	return oid, err
}

func createSequence(ctx context.Context, c *Context, s *pg_query.CreateSeqStmt) (string, error) {
	name := s.Sequence.Relname
	ns, _, err := c.relationNamespace(ctx, s.Sequence)
	if err != nil {
		return "", err
	}
	if old, err := c.reader().RelationByName(ctx, ns.OID, name); err != nil {
		return "", err
	} else if old != nil && s.IfNotExists {
		c.notice(notice(pgerror.DuplicateTable, "relation %q already exists, skipping", name))
		return "", nil
	}
	p := &sequenceParams{}
	p.Type = types.Int8
	if err := sequenceOptions(ctx, c, s.Options, p, true); err != nil {
		return "", err
	}
	oid, err := c.makeSequence(ctx, ns, name, p, c.User)
	if err != nil {
		return "", err
	}
	if p.restart {
		seq, err := c.reader().Sequence(ctx, oid)
		if err != nil {
			return "", err
		}
		if err := c.Manager.SetValue(ctx, seq, name, p.restartValue, false); err != nil {
			return "", err
		}
	}
	if p.hasOwnedBy {
		return "", c.setOwnedBy(ctx, oid, p.ownedBy, false)
	}
	return "", nil
}

// setOwnedBy links a sequence to the column that OWNED BY names.
func (c *Context) setOwnedBy(ctx context.Context, seq types.OID, parts []string, altering bool) error {
	w := c.writer()
	q, err := c.reader().Sequence(ctx, seq)
	if err != nil {
		return err
	}
	srel, err := c.reader().Relation(ctx, seq)
	if err != nil {
		return err
	}
	if q.OwnedInternal {
		t, err := c.reader().Relation(ctx, q.OwnedByTable)
		if err != nil {
			return err
		}
		return pgerror.New(pgerror.FeatureNotSupported, "cannot change ownership of identity sequence").
			WithDetail("Sequence %q is linked to table %q.", srel.Name, t.Name)
	}
	var table *catalog.Relation
	att := 0
	if len(parts) == 1 {
		if parts[0] != "none" {
			return pgerror.New(pgerror.SyntaxError, "invalid OWNED BY option").WithHint("Specify OWNED BY table.column or OWNED BY NONE.")
		}
	} else {
		schema, name, err := splitQualified(c, parts[:len(parts)-1])
		if err != nil {
			return err
		}
		if table, err = lookupLocked(ctx, c, schema, name, txn.AccessShare, false, -1); err != nil {
			return err
		}
		if table.Kind != catalog.KindTable && table.Kind != catalog.KindView {
			return pgerror.New(pgerror.WrongObjectType, "sequence cannot be owned by relation %q", table.Name).WithDetail("%s", noSupport(table.Kind))
		}
		if table.Owner != srel.Owner {
			return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "sequence must have same owner as table it is linked to")
		}
		if table.Namespace != srel.Namespace {
			return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "sequence must be in same schema as table it is linked to")
		}
		col := parts[len(parts)-1]
		if att = attnum(table, col); att == 0 {
			return pgerror.New(pgerror.UndefinedColumn, "column %q of relation %q does not exist", col, table.Name)
		}
	}
	rows, err := w.Lookup(ctx, "pg_depend", "pg_depend_depender_index", catalog.ClassRelation, seq)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Char("deptype") == 'a' && r.OID("refclassid") == catalog.ClassRelation {
			if err := w.Delete(ctx, r); err != nil {
				return err
			}
		}
	}
	if table == nil {
		return nil
	}
	return w.Depend(ctx, catalog.Object{Class: catalog.ClassRelation, OID: seq}, catalog.Object{Class: catalog.ClassRelation, OID: table.OID, Sub: att}, catalog.DependAuto)
}

// noSupport is errdetail_relkind_not_supported.
func noSupport(kind byte) string {
	switch kind {
	case catalog.KindIndex:
		return "This operation is not supported for indexes."
	case catalog.KindSequence:
		return "This operation is not supported for sequences."
	case catalog.KindView:
		return "This operation is not supported for views."
	case catalog.KindMatView:
		return "This operation is not supported for materialized views."
	case catalog.KindComposite:
		return "This operation is not supported for composite types."
	}
	return "This operation is not supported for tables."
}

func alterSequence(ctx context.Context, c *Context, s *pg_query.AlterSeqStmt) (string, error) {
	rel, err := findRelation(ctx, c, s.Sequence, txn.ShareRowExclusive, s.MissingOk)
	if err != nil {
		return "", err
	}
	if rel == nil {
		c.notice(notice(pgerror.SuccessfulCompletion, "relation %q does not exist, skipping", s.Sequence.Relname))
		return "", nil
	}
	if rel.Kind != catalog.KindSequence {
		return "", pgerror.New(pgerror.WrongObjectType, "cannot open relation %q", rel.Name).WithDetail("%s", noSupport(rel.Kind))
	}
	if err := c.checkOwner(ctx, rel); err != nil {
		return "", err
	}
	return "", c.changeSequence(ctx, rel, s.Options)
}

// changeSequence applies ALTER SEQUENCE options.
func (c *Context) changeSequence(ctx context.Context, rel *catalog.Relation, opts []*pg_query.Node) error {
	w := c.writer()
	seq, err := c.reader().Sequence(ctx, rel.OID)
	if err != nil {
		return err
	}
	p := &sequenceParams{Sequence: *seq}
	if err := sequenceOptions(ctx, c, opts, p, false); err != nil {
		return err
	}
	state, err := c.Manager.SequenceState(ctx, seq)
	if err != nil {
		return err
	}
	if p.restart {
		state = catalog.SequenceState{Last: p.restartValue}
	}
	if state.Last < p.Min {
		return pgerror.New(pgerror.InvalidParameterValue, "RESTART value (%d) cannot be less than MINVALUE (%d)", state.Last, p.Min)
	}
	if state.Last > p.Max {
		return pgerror.New(pgerror.InvalidParameterValue, "RESTART value (%d) cannot be greater than MAXVALUE (%d)", state.Last, p.Max)
	}
	row, err := w.One(ctx, "pg_sequence", "pg_sequence_seqrelid_index", rel.OID)
	if err != nil {
		return err
	}
	changed := p.Type != seq.Type || p.Start != seq.Start || p.Increment != seq.Increment || p.Max != seq.Max || p.Min != seq.Min || p.Cache != seq.Cache || p.Cycle != seq.Cycle
	if changed {
		if err := w.Update(ctx, row, catalog.Values{"seqtypid": p.Type, "seqstart": p.Start, "seqincrement": p.Increment, "seqmax": p.Max, "seqmin": p.Min,
			"seqcache": p.Cache, "seqcycle": p.Cycle}); err != nil {
			return err
		}
	}
	if p.restart || changed {
		if err := c.restartSequence(ctx, rel.OID, state); err != nil {
			return err
		}
	}
	if p.hasOwnedBy {
		return c.setOwnedBy(ctx, rel.OID, p.ownedBy, true)
	}
	return nil
}

// restartSequence gives a sequence a new storage generation with the given state,
// so that a rollback brings the old one back.
func (c *Context) restartSequence(ctx context.Context, oid types.OID, s catalog.SequenceState) error {
	row, err := c.class(ctx, oid)
	if err != nil {
		return err
	}
	node, err := c.newOID(ctx)
	if err != nil {
		return err
	}
	if err := c.writer().Update(ctx, row, catalog.Values{"relfilenode": node}); err != nil {
		return err
	}
	seq, err := c.reader().Sequence(ctx, oid)
	if err != nil {
		return err
	}
	return c.Manager.SetValue(ctx, seq, row.Str("relname"), s.Last, s.Called)
}
