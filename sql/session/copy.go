package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	pg_query "github.com/pganalyze/pg_query_go/v5"
	"google.golang.org/protobuf/proto"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	copyfmt "github.com/basaltdb/basalt/sql/copy"
	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/pgwire"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/sql/types/charset"
	"github.com/basaltdb/basalt/txn"
	"github.com/basaltdb/basalt/vexec"
	"github.com/basaltdb/basalt/vexec/planpb"
)

// copyStmt runs COPY.
func (s *Session) copyStmt(ctx context.Context, st *parse.Statement, c *pg_query.CopyStmt) (*result, error) {
	if c.Filename != "" || c.IsProgram {
		what, role := "COPY to a file", "pg_write_server_files"
		if c.IsFrom {
			what, role = "COPY from a file", "pg_read_server_files"
		}
		if c.IsProgram {
			return nil, pgerror.Unsupported("COPY to or from an external program")
		}
		if !s.currentUser.Super {
			return nil, pgerror.New(pgerror.InsufficientPrivilege, "permission denied to %s", what).
				WithDetail("Only roles with privileges of the %q role may %s.", role, what).
				WithHint(`Anyone can COPY to stdout or from stdin. psql's \copy command also works for anyone.`)
		}
	}
	o, err := copyOptions(st, c)
	if err != nil {
		return nil, err
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	if _, err := s.statementTxn(ctx); err != nil {
		return nil, err
	}
	if c.IsFrom {
		return s.copyFrom(ctx, st, c, o)
	}
	return s.copyTo(ctx, st, c, o)
}

// copyOptions reads COPY's option list.
func copyOptions(st *parse.Statement, c *pg_query.CopyStmt) (*copyfmt.Options, error) {
	o := &copyfmt.Options{From: c.IsFrom}
	seen := map[string]bool{}
	for _, n := range c.Options {
		d := n.GetDefElem()
		at := st.Position(int(d.Location))
		if seen[d.Defname] {
			return nil, pgerror.New(pgerror.SyntaxError, "conflicting or redundant options").WithPosition(at)
		}
		seen[d.Defname] = true
		text, _ := constText(d.Arg)
		switch d.Defname {
		case "format", "delimiter", "null", "quote", "escape", "encoding":
			if d.Arg == nil {
				return nil, pgerror.New(pgerror.SyntaxError, "%s requires a parameter", d.Defname)
			}
		}
		columns := func() ([]string, bool, error) {
			if d.Arg.GetAStar() != nil {
				return nil, true, nil
			}
			if l := d.Arg.GetList(); l != nil {
				names := []string{}
				for _, item := range l.Items {
					names = append(names, item.GetString_().GetSval())
				}
				return names, false, nil
			}
			return nil, false, pgerror.New(pgerror.InvalidParameterValue, `argument to option "%s" must be a list of column names`, d.Defname).WithPosition(at)
		}
		var err error
		switch d.Defname {
		case "format":
			switch text {
			case "text":
			case "csv":
				o.Format = copyfmt.CSV
			case "binary":
				o.Format = copyfmt.Binary
			default:
				return nil, pgerror.New(pgerror.InvalidParameterValue, `COPY format "%s" not recognized`, text).WithPosition(at)
			}
		case "freeze":
			if o.Freeze, err = boolOption(d); err != nil {
				return nil, err
			}
		case "delimiter":
			o.Delimiter = &text
		case "null":
			o.Null = &text
		case "quote":
			o.Quote = &text
		case "escape":
			o.Escape = &text
		case "header":
			if d.Arg != nil && strings.EqualFold(text, "match") {
				if !c.IsFrom {
					return nil, pgerror.New(pgerror.FeatureNotSupported, `cannot use "match" with HEADER in COPY TO`)
				}
				o.Header = copyfmt.HeaderMatch
				break
			}
			on, err := boolOption(d)
			if err != nil {
				return nil, pgerror.New(pgerror.SyntaxError, `header requires a Boolean value or "match"`)
			}
			if on {
				o.Header = copyfmt.HeaderTrue
			}
		case "force_quote":
			if o.ForceQuote, o.ForceQuoteAll, err = columns(); err != nil {
				return nil, err
			}
		case "force_not_null":
			o.HasForceNotNull = true
			if o.ForceNotNull, _, err = columns(); err != nil {
				return nil, err
			}
		case "force_null":
			o.HasForceNull = true
			if o.ForceNull, _, err = columns(); err != nil {
				return nil, err
			}
		case "encoding":
			if o.Encoding = charset.Find(text); o.Encoding == nil {
				return nil, pgerror.New(pgerror.InvalidParameterValue, `argument to option "%s" must be a valid encoding name`, d.Defname).WithPosition(at)
			}
			if !o.Encoding.Converts() {
				return nil, pgerror.Unsupported("COPY in encoding %s", o.Encoding.Name)
			}
		default:
			return nil, pgerror.New(pgerror.SyntaxError, `option "%s" not recognized`, d.Defname).WithPosition(at)
		}
	}
	return o, nil
}

// copyEncoding is the encoding of COPY's data, nil for UTF8, and the environment
// in which it is read or written.
func (s *Session) copyEncoding(o *copyfmt.Options) (*types.Env, *charset.Encoding) {
	env := *s.Env()
	e := o.Encoding
	if e == nil {
		e = charset.Find(s.settings.Get("client_encoding"))
	}
	env.ClientEncoding = nil
	if e == nil || e.IsUTF8() {
		return &env, nil
	}
	env.ClientEncoding = e
	return &env, e
}

// copyColumns resolves COPY's column list; the default is every column that is not generated.
func copyColumns(rel *catalog.Relation, list []*pg_query.Node) ([]*catalog.Column, error) {
	var out []*catalog.Column
	if len(list) == 0 {
		for i := range rel.Columns {
			if c := &rel.Columns[i]; !c.Dropped && !c.Generated {
				out = append(out, c)
			}
		}
		return out, nil
	}
	for _, n := range list {
		name := n.GetString_().GetSval()
		var found *catalog.Column
		for i := range rel.Columns {
			if c := &rel.Columns[i]; !c.Dropped && c.Name == name {
				found = c
			}
		}
		switch {
		case found == nil:
			return nil, pgerror.New(pgerror.UndefinedColumn, `column "%s" of relation "%s" does not exist`, name, rel.Name)
		case found.Generated:
			return nil, pgerror.New(pgerror.InvalidColumnReference, `column "%s" is a generated column`, name).
				WithDetail("Generated columns cannot be used in COPY.")
		}
		for _, c := range out {
			if c == found {
				return nil, pgerror.New(pgerror.DuplicateColumn, `column "%s" specified more than once`, name)
			}
		}
		out = append(out, found)
	}
	return out, nil
}

// forced checks the column lists of FORCE_QUOTE and its kin.
func forced(option string, names []string, rel string, cols []string) error {
	for _, n := range names {
		ok := false
		for _, c := range cols {
			ok = ok || c == n
		}
		if !ok && rel != "" {
			return pgerror.New(pgerror.UndefinedColumn, `column "%s" of relation "%s" does not exist`, n, rel)
		}
		if !ok {
			return pgerror.New(pgerror.UndefinedColumn, `column "%s" does not exist`, n)
		}
	}
	return nil
}

// withoutPosition is an error of a statement that PostgreSQL reports without a position.
func withoutPosition(err error) error {
	e := *pgerror.From(err)
	e.Position = 0
	return &e
}

// internal analyses and plans a statement of the session's own making; the
// relations are locked already.
func (s *Session) internal(ctx context.Context, r catalog.Reader, text string, params []types.OID) (*compiled, error) {
	stmts, err := s.parseText(text)
	if err != nil {
		return nil, err
	}
	c, err := s.analyzeAndLock(ctx, r, stmts[0].Source, stmts[0].Node, params)
	if err != nil {
		return nil, err
	}
	return c, s.plan(ctx, r, c)
}

func (s *Session) copyTo(ctx context.Context, st *parse.Statement, c *pg_query.CopyStmt, o *copyfmt.Options) (*result, error) {
	var comp *compiled
	var err error
	if c.Relation != nil {
		if comp, err = s.copyTable(ctx, st, c); err != nil {
			return nil, err
		}
	} else {
		node := c.Query
		if node.GetSelectStmt() != nil && node.GetSelectStmt().IntoClause != nil {
			return nil, pgerror.New(pgerror.FeatureNotSupported, "COPY (SELECT INTO) is not supported")
		}
		if comp, err = s.compile(ctx, st.Source, st.Start, node, nil); err != nil {
			return nil, err
		}
		if comp.cols == nil {
			return nil, pgerror.New(pgerror.FeatureNotSupported, "COPY query must have a RETURNING clause")
		}
	}
	table := ""
	if c.Relation != nil {
		table = c.Relation.Relname
	}
	names, ts := make([]string, len(comp.cols)), make([]types.T, len(comp.cols))
	for i, col := range comp.cols {
		names[i], ts[i] = col.Name, col.Type
	}
	if err := forced("FORCE_QUOTE", o.ForceQuote, table, names); err != nil {
		return nil, err
	}
	res, err := s.run(ctx, comp, nil)
	if err != nil {
		return nil, err
	}
	return &result{copy: func(ctx context.Context, sink pgwire.Sink) (string, error) {
		defer res.close()
		var out io.WriteCloser
		var err error
		if c.Filename != "" {
			out, err = createFile(c.Filename)
		} else {
			out, err = sink.CopyOut(o.Format == copyfmt.Binary, len(ts))
		}
		if err != nil {
			return "", err
		}
		env, enc := s.copyEncoding(o)
		if o.Format != copyfmt.Binary && enc != nil {
			out = charset.NewWriter(enc, out)
		}
		w := copyfmt.NewWriter(out, o, names, ts, env)
		if err := w.Begin(); err != nil {
			return "", err
		}
		for {
			b, err := res.src.Next(ctx)
			if err != nil {
				return "", err
			}
			if b == nil {
				break
			}
			if err := w.Rows(b); err != nil {
				return "", err
			}
		}
		if res.finish != nil {
			if err := res.finish(ctx); err != nil {
				return "", err
			}
		}
		n, err := w.End()
		if err != nil {
			return "", err
		}
		return "COPY " + strconv.FormatInt(n, 10), out.Close()
	}}, nil
}

// copyTable compiles COPY table TO.
func (s *Session) copyTable(ctx context.Context, st *parse.Statement, c *pg_query.CopyStmt) (*compiled, error) {
	r := s.reader()
	env, err := s.analyzeEnv(ctx, r)
	if err != nil {
		return nil, err
	}
	rel, err := analyze.ResolveRelation(ctx, env, st.Source, c.Relation)
	if err != nil {
		return nil, withoutPosition(err)
	}
	kind := map[byte]string{catalog.KindView: "view", catalog.KindMatView: "materialized view"}[rel.Kind]
	switch {
	case kind != "":
		return nil, pgerror.New(pgerror.WrongObjectType, `cannot copy from %s "%s"`, kind, rel.Name).WithHint("Try the COPY (SELECT ...) TO variant.")
	case rel.Kind == catalog.KindSequence:
		return nil, pgerror.New(pgerror.WrongObjectType, `cannot copy from sequence "%s"`, rel.Name)
	case rel.Kind != catalog.KindTable:
		return nil, pgerror.New(pgerror.WrongObjectType, `cannot copy from non-table relation "%s"`, rel.Name)
	}
	cols, err := copyColumns(rel, c.Attlist)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(cols))
	for i, col := range cols {
		names[i] = quoteAlways(col.Name)
	}
	return s.internal(ctx, r, fmt.Sprintf("SELECT %s FROM ONLY %s.%s", strings.Join(names, ", "), quoteAlways(rel.Schema), quoteAlways(rel.Name)), nil)
}

func quoteAlways(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func filePath(name string) error {
	if !filepath.IsAbs(name) {
		return pgerror.New(pgerror.InvalidName, "relative path not allowed for COPY to file")
	}
	return nil
}

func createFile(name string) (io.WriteCloser, error) {
	if err := filePath(name); err != nil {
		return nil, err
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, fileError(name, "writing", err)
	}
	return &bufferedFile{f, bufio.NewWriterSize(f, 1<<20)}, nil
}

type bufferedFile struct {
	f *os.File
	*bufio.Writer
}

func (b *bufferedFile) Close() error { return errors.Join(b.Flush(), b.f.Close()) }

func fileError(name, doing string, err error) error {
	code := pgerror.IoError
	text := err.Error()
	var pe *os.PathError
	if errors.As(err, &pe) {
		text = pe.Err.Error()
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		code, text = pgerror.UndefinedFile, "No such file or directory"
	case errors.Is(err, os.ErrPermission):
		code, text = pgerror.InsufficientPrivilege, "Permission denied"
	}
	return pgerror.New(code, `could not open file "%s" for %s: %s`, name, doing, text)
}

// copyFrom runs COPY FROM: a planned INSERT whose rows come from the client.
func (s *Session) copyFrom(ctx context.Context, st *parse.Statement, c *pg_query.CopyStmt, o *copyfmt.Options) (*result, error) {
	r := s.reader()
	env, err := s.analyzeEnv(ctx, r)
	if err != nil {
		return nil, err
	}
	rel, err := analyze.ResolveRelation(ctx, env, st.Source, c.Relation)
	if err != nil {
		return nil, withoutPosition(err)
	}
	if rel.Persistence != catalog.PersistenceTemp {
		if err := s.forbidReadOnly("COPY FROM"); err != nil {
			return nil, err
		}
	} else if catalog.OtherTemp(r, rel) {
		return nil, errOtherTemp
	} else {
		s.cur.temp = true
	}
	if err := s.cur.tx.LockRelation(ctx, relationKey(s.db.OID, rel.OID), txn.RowExclusive, txn.WaitBlock); err != nil {
		return nil, err
	}
	if r = s.reader(); rel.OID >= types.FirstNormalOID {
		if rel, err = r.Relation(ctx, rel.OID); err != nil {
			return nil, err
		}
	}
	if rel == nil {
		return nil, pgerror.New(pgerror.UndefinedTable, `relation "%s" does not exist`, c.Relation.Relname)
	}
	switch rel.Kind {
	case catalog.KindTable:
	case catalog.KindView:
		return nil, pgerror.New(pgerror.WrongObjectType, `cannot copy to view "%s"`, rel.Name).WithHint("To enable copying to a view, provide an INSTEAD OF INSERT trigger.")
	case catalog.KindSequence:
		return nil, pgerror.New(pgerror.WrongObjectType, `cannot copy to sequence "%s"`, rel.Name)
	default:
		return nil, pgerror.New(pgerror.WrongObjectType, `cannot copy to non-table relation "%s"`, rel.Name)
	}
	cols, err := copyColumns(rel, c.Attlist)
	if err != nil {
		return nil, err
	}
	t := copyfmt.Target{Table: rel.Name}
	for _, col := range cols {
		t.Names, t.Types = append(t.Names, col.Name), append(t.Types, col.Type)
	}
	if err := forced("FORCE_NOT_NULL", o.ForceNotNull, rel.Name, t.Names); err != nil {
		return nil, err
	}
	if err := forced("FORCE_NULL", o.ForceNull, rel.Name, t.Names); err != nil {
		return nil, err
	}
	ins, err := s.copyInsert(ctx, r, rel, cols)
	if err != nil {
		return nil, err
	}
	if c.WhereClause != nil {
		if err := s.copyWhere(ctx, r, st, c.WhereClause, rel, ins); err != nil {
			return nil, err
		}
	}
	if err := s.checkAccess(ctx, ins.c.access); err != nil {
		return nil, err
	}
	return &result{copy: func(ctx context.Context, sink pgwire.Sink) (string, error) {
		var in io.Reader
		if c.Filename != "" {
			if err := filePath(c.Filename); err != nil {
				return "", err
			}
			f, err := os.Open(c.Filename)
			if err != nil {
				return "", fileError(c.Filename, "reading", err)
			}
			defer f.Close()
			in = f
		} else {
			var err error
			if in, err = sink.CopyIn(o.Format == copyfmt.Binary, len(cols)); err != nil {
				return "", err
			}
		}
		env, enc := s.copyEncoding(o)
		if o.Format != copyfmt.Binary && enc != nil {
			in = charset.NewReader(enc, in)
		}
		rd := copyfmt.NewReader(in, o, t, env)
		defer rd.Close()
		n, err := s.runCopyInsert(ctx, ins, rd, rel.Name)
		if err != nil {
			return "", err
		}
		return "COPY " + strconv.FormatInt(n, 10), nil
	}}, nil
}

// copySlot is the ChunkScan slot of COPY's rows.
const copySlot = 1 << 20

// copyPlan is an INSERT that reads ChunkScan copySlot.
type copyPlan struct {
	c        *compiled
	stmt     *planpb.Statement
	scan     *planpb.Plan // the ChunkScan
	filtered bool         // by WHERE: rows of batches are not the reader's
}

// copyInsert plans INSERT INTO rel (cols) with the given columns taken from the
// rows and the others from their defaults. It plans an INSERT of one row of
// parameters and puts the scan in place of that row.
func (s *Session) copyInsert(ctx context.Context, r catalog.Reader, rel *catalog.Relation, cols []*catalog.Column) (*copyPlan, error) {
	names, marks := make([]string, len(cols)), make([]string, len(cols))
	params, ts := make([]types.OID, len(cols)), make([]*planpb.Type, len(cols))
	byOrdinal := map[int]int{}
	for i, c := range cols {
		names[i], marks[i], params[i], ts[i] = quoteAlways(c.Name), "$"+strconv.Itoa(i+1), c.Type.OID, planpb.NewType(c.Type)
		byOrdinal[rel.Ordinals[c.AttNum-1]] = i
	}
	text := fmt.Sprintf("INSERT INTO %s.%s (%s) OVERRIDING SYSTEM VALUE VALUES (%s)", quoteAlways(rel.Schema), quoteAlways(rel.Name),
		strings.Join(names, ", "), strings.Join(marks, ", "))
	if len(cols) == 0 {
		text = fmt.Sprintf("INSERT INTO %s.%s DEFAULT VALUES", quoteAlways(rel.Schema), quoteAlways(rel.Name))
	}
	c, err := s.internal(ctx, r, text, params)
	if err != nil {
		return nil, err
	}
	stmt := proto.Clone(c.planned.Statement).(*planpb.Statement)
	mod := stmt.Root.GetModify()
	if mod == nil {
		return nil, pgerror.Internal("the plan of an INSERT is not a Modify")
	}
	exprs, err := singleRow(mod.Input)
	if err != nil {
		return nil, err
	}
	scan := &planpb.Plan{Id: mod.Input.Id + copySlot, Output: ts, Op: &planpb.Plan_ChunkScan{ChunkScan: &planpb.ChunkScan{Slot: copySlot}}}
	for i := range exprs {
		if k, ok := byOrdinal[i]; ok {
			exprs[i] = planpb.NewColumn(cols[k].Type, k)
		}
	}
	mod.Input = &planpb.Plan{Id: mod.Input.Id, Output: mod.Input.Output, Rows: mod.Input.Rows,
		Op: &planpb.Plan_Project{Project: &planpb.Project{Input: scan, Exprs: exprs}}}
	return &copyPlan{c: c, stmt: stmt, scan: scan}, nil
}

// singleRow gives the expressions of a plan that yields one row.
func singleRow(p *planpb.Plan) ([]*planpb.Expr, error) {
	switch op := p.GetOp().(type) {
	case *planpb.Plan_Result:
		return op.Result.Exprs, nil
	case *planpb.Plan_Values:
		if len(op.Values.Rows) == 1 {
			return op.Values.Rows[0].Exprs, nil
		}
	case *planpb.Plan_Project:
		inner, err := singleRow(op.Project.Input)
		if err != nil {
			return nil, err
		}
		out := make([]*planpb.Expr, len(op.Project.Exprs))
		for i, e := range op.Project.Exprs {
			out[i] = e
			if c := e.GetColumn(); c != nil && int(c.Index) < len(inner) {
				out[i] = inner[c.Index]
			}
		}
		return out, nil
	}
	return nil, pgerror.Internal("the plan of a one-row INSERT reads %T", p.GetOp())
}

// copyWhere puts COPY's WHERE between the columns and the table.
func (s *Session) copyWhere(ctx context.Context, r catalog.Reader, st *parse.Statement, where *pg_query.Node, rel *catalog.Relation, ins *copyPlan) error {
	env, err := s.analyzeEnv(ctx, r)
	if err != nil {
		return err
	}
	e, err := analyze.AnalyzeExpr(ctx, env, analyze.ExprSpec{Source: st.Source, Node: where, Kind: analyze.ExprCheck, Relation: rel})
	if err != nil {
		return err
	}
	pred, err := s.node.Lower.LowerExpr(ctx, r, e, rel.Ordinals)
	if err != nil {
		return err
	}
	ins.filtered = true
	mod := ins.stmt.Root.GetModify()
	mod.Input = &planpb.Plan{Id: mod.Input.Id + 2*copySlot, Output: mod.Input.Output, Rows: mod.Input.Rows,
		Op: &planpb.Plan_Filter{Filter: &planpb.Filter{Input: mod.Input, Predicate: pred}}}
	return nil
}

// copyRows is a Reader over COPY data.
type copyRows struct{ rd *copyfmt.Reader }

func (c copyRows) Next(ctx context.Context) (*vexec.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := c.rd.Next()
	if err != nil {
		return nil, copyError{err}
	}
	return b, nil
}

func (copyRows) Close() {}

// copyError marks errors that come from the data.
type copyError struct{ error }

func (e copyError) Unwrap() error { return e.error }

func (s *Session) runCopyInsert(ctx context.Context, ins *copyPlan, rd *copyfmt.Reader, table string) (int64, error) {
	s.ri.BeginStatement()
	env := s.exec(ctx, nil)
	env.Chunks = map[uint32]func() vexec.Reader{copySlot: func() vexec.Reader { return copyRows{rd} }}
	cur, err := s.node.Executor.Run(ctx, ins.stmt, env)
	if err != nil {
		return 0, err
	}
	defer cur.Close()
	for {
		b, err := cur.Next(ctx)
		if err != nil {
			var ce copyError
			if errors.As(err, &ce) {
				return 0, ce.error
			}
			e := *pgerror.From(err)
			if e.Where == "" {
				e.Where = fmt.Sprintf("COPY %s, line %d", table, rd.Line())
				if e.Row > 0 && !ins.filtered {
					if e.Code == pgerror.UniqueViolation {
						if err := rd.Overtaking(e.Row - 1); err != nil {
							return 0, err
						}
					}
					e.Where = rd.RowContext(e.Row-1, e.Code != pgerror.UniqueViolation)
				}
			}
			return 0, &e
		}
		if b == nil {
			break
		}
	}
	n := cur.RowsAffected()
	return n, s.ri.Settle(ctx)
}
