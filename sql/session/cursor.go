package session

import (
	"context"
	"math"
	"strconv"
	"time"

	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// Options of DECLARE, PostgreSQL's CURSOR_OPT bits.
const (
	cursorBinary      = 0x0001
	cursorScroll      = 0x0002
	cursorNoScroll    = 0x0004
	cursorInsensitive = 0x0008
	cursorHold        = 0x0020
)

// declareStmt runs DECLARE: the portal is opened, its rows are read by FETCH.
func (s *Session) declareStmt(ctx context.Context, st *parse.Statement, d *pg_query.DeclareCursorStmt, params bound) error {
	hold := d.Options&cursorHold != 0
	if !hold {
		if err := s.requireBlock("DECLARE CURSOR"); err != nil {
			return err
		}
	}
	if !optimizable(d.Query) || d.Query.GetSelectStmt() == nil {
		return pgerror.New(pgerror.InvalidCursorDefinition, "cannot open query as cursor")
	}
	if d.Portalname == "" {
		return pgerror.New(pgerror.InvalidCursorName, "invalid cursor name: must not be empty")
	}
	if _, err := s.statementTxn(ctx); err != nil {
		return err
	}
	c, up, err := s.compileCursor(ctx, st.Source, d.Query, params.types)
	if err != nil {
		return err
	}
	if c.writes != "" {
		what, detail := "", ""
		switch {
		case c.command != 0 || len(c.query.RowMarks) == 0:
			return pgerror.New(pgerror.FeatureNotSupported, "DECLARE CURSOR must not contain data-modifying statements in WITH")
		case d.Options&cursorScroll != 0:
			what, detail = "SCROLL CURSOR", "Scrollable cursors must be READ ONLY."
		case hold:
			what, detail = "CURSOR WITH HOLD", "Holdable cursors must be READ ONLY."
		case d.Options&cursorInsensitive != 0:
			return pgerror.New(pgerror.InvalidCursorDefinition, "DECLARE INSENSITIVE CURSOR ... %s is not valid", c.writes[len("SELECT "):]).
				WithDetail("Insensitive cursors must be READ ONLY.")
		}
		if what != "" {
			return pgerror.New(pgerror.FeatureNotSupported, "DECLARE %s ... %s is not supported", what, c.writes[len("SELECT "):]).WithDetail("%s", detail)
		}
	}
	if s.portals[d.Portalname] != nil {
		return pgerror.New(pgerror.DuplicateCursor, `cursor "%s" already exists`, d.Portalname)
	}
	res, err := newLasting().start(ctx, func(ctx context.Context) (*result, error) { return s.run(ctx, c, params.values) })
	if err != nil {
		return err
	}
	p := &portal{name: d.Portalname, text: st.Source, st: st, cols: c.cols, res: res, created: time.Now(), level: len(s.cur.savepoints),
		cursor: true, scroll: d.Options&cursorScroll != 0, noScroll: d.Options&cursorNoScroll != 0, hold: hold, binary: d.Options&cursorBinary != 0, updatable: up}
	if !p.scroll && !p.noScroll {
		if backward(c.planned.Statement.Root) {
			p.scroll = true
		} else {
			p.noScroll = true
		}
	}
	if p.binary {
		p.formats = []int16{1}
	}
	s.portals[d.Portalname] = p
	return nil
}

// backward says whether PostgreSQL would read such a plan backward without being asked for SCROLL.
func backward(p *planpb.Plan) bool {
	switch op := p.GetOp().(type) {
	case *planpb.Plan_Scan, *planpb.Plan_IndexScan, *planpb.Plan_Values, *planpb.Plan_FunctionScan, *planpb.Plan_CteScan,
		*planpb.Plan_Materialize, *planpb.Plan_Sort:
		return true
	case *planpb.Plan_Project:
		return backward(op.Project.Input)
	case *planpb.Plan_Filter:
		return backward(op.Filter.Input)
	case *planpb.Plan_Limit:
		return backward(op.Limit.Input)
	case *planpb.Plan_LockRows:
		return backward(op.LockRows.Input)
	case *planpb.Plan_Gather:
		return backward(op.Gather.Input)
	case *planpb.Plan_Exchange:
		return backward(op.Exchange.Input)
	case *planpb.Plan_Append:
		for _, in := range op.Append.Inputs {
			if !backward(in) {
				return false
			}
		}
		return true
	}
	return false
}

// fetchStmt runs FETCH and MOVE.
func (s *Session) fetchStmt(ctx context.Context, f *pg_query.FetchStmt) (*result, error) {
	p := s.portals[f.Portalname]
	if p == nil {
		return nil, pgerror.New(pgerror.InvalidCursorName, `cursor "%s" does not exist`, f.Portalname)
	}
	if p.failed {
		return nil, pgerror.New(pgerror.ObjectNotInPrerequisiteState, `portal "%s" cannot be run`, f.Portalname)
	}
	c := cursorMove{s: s, p: p, ctx: ctx}
	n := f.HowMany
	var err error
	switch f.Direction {
	case pg_query.FetchDirection_FETCH_FORWARD:
		err = c.relative(n, true)
	case pg_query.FetchDirection_FETCH_BACKWARD:
		if n == math.MaxInt64 {
			err = c.relative(-math.MaxInt64, true)
		} else {
			err = c.relative(-n, true)
		}
	case pg_query.FetchDirection_FETCH_ABSOLUTE:
		err = c.absolute(n)
	default:
		err = c.relative(n, false)
	}
	if err != nil {
		return nil, err
	}
	name := "FETCH "
	if f.Ismove {
		return done("MOVE " + strconv.FormatInt(c.count, 10)), nil
	}
	return &result{cols: p.cols, formats: p.formats, src: c.source(), tag: func(n int64) string { return name + strconv.FormatInt(n, 10) }}, nil
}

// cursorMove is one FETCH or MOVE: it moves the cursor and says which rows were passed.
type cursorMove struct {
	s     *Session
	p     *portal
	ctx   context.Context
	from  int64 // rows from … to are delivered, the last first when reverse
	to    int64
	back  bool
	count int64
}

func errForwardOnly() error {
	return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "cursor can only scan forward").
		WithHint("Declare it with SCROLL option to enable backward scan.")
}

// relative moves by n rows; with all it delivers the rows on the way, else the last one only.
func (c *cursorMove) relative(n int64, all bool) error {
	p := c.p
	switch {
	case n == 0: // the current row again
		if p.pos < 1 || p.atEnd {
			return nil
		}
		if p.noScroll {
			return errForwardOnly()
		}
		c.take(p.pos, p.pos, false)
		return nil
	case n > 0:
		if p.atEnd {
			return nil
		}
		first := p.pos + 1
		target := int64(math.MaxInt64)
		if n < math.MaxInt64-p.pos {
			target = p.pos + n
		}
		if !all {
			first = target
		}
		return c.forward(first, target)
	}
	if p.noScroll {
		return errForwardOnly()
	}
	last := p.pos - 1
	if p.atEnd {
		last = p.total()
	}
	target := int64(0)
	if n > -math.MaxInt64 {
		target = last + 1 + n
	}
	if !all {
		if target < 1 {
			p.pos, p.atEnd = 0, false
			return nil
		}
		last = target
	}
	c.take(max(target, 1), last, true)
	p.pos, p.atEnd = max(target, 0), false
	return nil
}

// absolute goes to row n, from the end for n < 0.
func (c *cursorMove) absolute(n int64) error {
	p := c.p
	if n < 0 {
		if p.noScroll && n < -1 {
			return errForwardOnly()
		}
		if err := c.s.readTo(c.ctx, p, math.MaxInt64); err != nil {
			return err
		}
		n = p.total() + 1 + n
		if n <= 0 {
			p.pos, p.atEnd = 0, false
			return nil
		}
	}
	if n == 0 {
		if p.noScroll && p.pos > 0 {
			return errForwardOnly()
		}
		p.pos, p.atEnd = 0, false
		return nil
	}
	if p.noScroll && (n <= p.pos || p.atEnd) {
		return errForwardOnly()
	}
	p.atEnd = false
	return c.forward(n, n)
}

// forward delivers rows first … target, as far as there are, and stands on target or after the end.
func (c *cursorMove) forward(first, target int64) error {
	p := c.p
	if err := c.s.readTo(c.ctx, p, target); err != nil {
		return err
	}
	total := p.total()
	c.take(first, min(target, total), false)
	if target > total {
		p.pos, p.atEnd = total+1, true
	} else {
		p.pos, p.atEnd = target, false
	}
	return nil
}

// take delivers rows from … to.
func (c *cursorMove) take(from, to int64, reverse bool) {
	if from <= to {
		c.from, c.to, c.back, c.count = from, to, reverse, to-from+1
	}
}

// source yields the rows passed.
func (c *cursorMove) source() source {
	if c.count == 0 {
		return &batches{}
	}
	c.p.seen.hold()
	f := &fetched{p: c.p, rows: c.p.seen, from: c.from, to: c.to, back: c.back}
	return f
}

// visible is a batch without the row keys behind a cursor's columns.
func (p *portal) visible(b *vexec.Batch) *vexec.Batch {
	if n := len(p.cols); len(b.Cols) > n {
		return &vexec.Batch{Cols: b.Cols[:n], Sel: b.Sel, N: b.N}
	}
	return b
}

// reversed lists a batch's rows backward; such a batch goes to the client only.
func reversed(b *vexec.Batch) *vexec.Batch {
	n := b.Rows()
	sel := make([]int32, n)
	for i := range sel {
		sel[i] = int32(n - 1 - i)
		if b.Sel != nil {
			sel[i] = b.Sel[n-1-i]
		}
	}
	return &vexec.Batch{Cols: b.Cols, Sel: sel, N: b.N}
}

// closeStmt runs CLOSE.
func (s *Session) closeStmt(c *pg_query.ClosePortalStmt) error {
	if c.Portalname == "" {
		for name, p := range s.portals {
			if p.cursor {
				s.dropPortal(name)
			}
		}
		return nil
	}
	if s.portals[c.Portalname] == nil {
		return pgerror.New(pgerror.InvalidCursorName, `cursor "%s" does not exist`, c.Portalname)
	}
	s.dropPortal(c.Portalname)
	return nil
}
