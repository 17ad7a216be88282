package analyze_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	pg_query "github.com/pganalyze/pg_query_go/v5"

	"github.com/basaltdb/basalt/sql/analyze"
	"github.com/basaltdb/basalt/sql/catalog"
	"github.com/basaltdb/basalt/sql/catalog/catalogtest"
	"github.com/basaltdb/basalt/sql/parse"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/query"
	"github.com/basaltdb/basalt/sql/types"
)

// record names a PostgreSQL whose answers are written to testdata/*.out:
//
//	go test ./sql/analyze -run Golden -record 'host=… dbname=…'
//
// The database must be empty but for its public schema; it is emptied again.
var record = flag.String("record", "", "DSN of a PostgreSQL to record expected answers from")

// TestGolden replays testdata/*.sql: for each statement the parameter types and
// output columns that Parse and Describe give, or the whole error. The tables
// are those of testdata/schema.ddl.
func TestGolden(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.sql")
	sort.Strings(files)
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".sql"), func(t *testing.T) { golden(t, f) })
	}
}

func golden(t *testing.T, file string) {
	stmts := split(t, file)
	outFile := strings.TrimSuffix(file, ".sql") + ".out"
	if *record != "" {
		recordGolden(t, stmts, outFile)
	}
	b, err := os.ReadFile(outFile)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(string(b), "\n\n"), "\n\n")
	if len(want) != len(stmts) {
		t.Fatalf("%s has %d answers for %d statements: record it again", outFile, len(want), len(stmts))
	}
	env := testEnv(t)
	bad := 0
	for i, s := range stmts {
		if got := describe(env, s); got != want[i] {
			if bad++; bad <= 60 {
				t.Errorf("%s\n--- got\n%s\n--- want\n%s", s, got, want[i])
			}
		}
	}
	if bad > 0 {
		t.Errorf("%d of %d differ", bad, len(stmts))
	}
}

// split cuts a file at lines that end with a semicolon.
func split(t *testing.T, file string) []string {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	var cur []string
	for _, l := range strings.Split(string(b), "\n") {
		if len(cur) == 0 && (strings.TrimSpace(l) == "" || strings.HasPrefix(l, "--")) {
			continue
		}
		cur = append(cur, l)
		if strings.HasSuffix(strings.TrimSpace(l), ";") {
			s := strings.TrimSpace(strings.Join(cur, "\n"))
			out = append(out, strings.TrimSuffix(s, ";"))
			cur = nil
		}
	}
	return out
}

func showError(e *pgerror.Error) string {
	s := fmt.Sprintf("%s: %s", e.Code, e.Message)
	if e.Detail != "" {
		s += "\nDETAIL: " + e.Detail
	}
	if e.Hint != "" {
		s += "\nHINT: " + e.Hint
	}
	if e.Position > 0 {
		s += fmt.Sprintf("\nPOSITION: %d", e.Position)
	}
	return s
}

// describe analyses s and prints what Describe would say.
func describe(env *analyze.Env, s string) string {
	st, err := parse.Parse(s)
	if err != nil {
		return showError(pgerror.From(err))
	}
	q, err := analyze.Analyze(context.Background(), env, st[0], nil)
	if err != nil {
		return showError(pgerror.From(err))
	}
	var b strings.Builder
	for i, p := range q.ParamTypes {
		fmt.Fprintf(&b, "$%d %s\n", i+1, env.Catalog.FormatType(p.OID, -1))
	}
	ts := q.TargetList
	if q.Command != query.CmdSelect {
		ts = q.Returning
	}
	n := 0
	for _, x := range ts {
		if !x.Junk {
			fmt.Fprintf(&b, "%s %s\n", x.Name, env.Catalog.FormatType(x.Expr.Type().OID, x.Expr.Type().Mod))
			n++
		}
	}
	if n == 0 {
		b.WriteString("ok\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func recordGolden(t *testing.T, stmts []string, outFile string) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, *record)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	ddl, err := os.ReadFile("testdata/schema.ddl")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.PgConn().Exec(ctx, "drop schema public cascade; create schema public; "+string(ddl)).ReadAll(); err != nil {
		t.Fatal(err)
	}
	env := testEnv(t)
	var b strings.Builder
	for _, s := range stmts {
		d, err := conn.PgConn().Prepare(ctx, "", s, nil)
		var pe *pgconn.PgError
		switch {
		case errors.As(err, &pe):
			b.WriteString(showError(&pgerror.Error{Code: pgerror.Code(pe.Code), Message: pe.Message, Detail: pe.Detail, Hint: pe.Hint, Position: int(pe.Position)}))
		case err != nil:
			t.Fatal(err)
		default:
			var x strings.Builder
			for i, p := range d.ParamOIDs {
				fmt.Fprintf(&x, "$%d %s\n", i+1, userType(ctx, conn, env, p, -1))
			}
			for _, f := range d.Fields {
				fmt.Fprintf(&x, "%s %s\n", f.Name, userType(ctx, conn, env, f.DataTypeOID, f.TypeModifier))
			}
			if len(d.Fields) == 0 {
				x.WriteString("ok\n")
			}
			b.WriteString(strings.TrimSuffix(x.String(), "\n"))
		}
		b.WriteString("\n\n")
	}
	if err := os.WriteFile(outFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func userType(ctx context.Context, conn *pgx.Conn, env *analyze.Env, oid uint32, mod int32) string {
	var s string
	if err := conn.QueryRow(ctx, "select format_type($1, $2)", oid, mod).Scan(&s); err != nil {
		return err.Error()
	}
	return s
}

// testEnv declares the objects of testdata/schema.ddl in memory.
func testEnv(t testing.TB) *analyze.Env {
	c := catalogtest.New()
	te := types.DefaultEnv()
	te.Resolver = c
	env := &analyze.Env{Catalog: c, SearchPath: []types.OID{catalog.PublicNamespace}, Types: te, CurrentUser: catalog.BootstrapRole}
	ddl, err := os.ReadFile("testdata/schema.ddl")
	if err != nil {
		t.Fatal(err)
	}
	stmts, err := parse.Parse(string(ddl))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stmts {
		declare(t, c, env, s)
	}
	return env
}

func declare(t testing.TB, c *catalogtest.Catalog, env *analyze.Env, s parse.Statement) {
	ctx := context.Background()
	fatal := func(err error) {
		if err != nil {
			t.Fatalf("%s: %v", s.Text, err)
		}
	}
	switch n := s.Node.Node.(type) {
	case *pg_query.Node_CreateStmt:
		var cols []catalogtest.ColumnDef
		var pk []string
		var unique [][]string
		var defaults []*pg_query.Node
		keys := func(ns []*pg_query.Node) (out []string) {
			for _, k := range ns {
				out = append(out, k.GetString_().Sval)
			}
			return
		}
		for _, e := range n.CreateStmt.TableElts {
			if con := e.GetConstraint(); con != nil {
				switch con.Contype {
				case pg_query.ConstrType_CONSTR_PRIMARY:
					pk = keys(con.Keys)
				case pg_query.ConstrType_CONSTR_UNIQUE:
					unique = append(unique, keys(con.Keys))
				}
				continue
			}
			d := e.GetColumnDef()
			typ, err := analyze.ResolveTypeName(ctx, env, s.Source, d.TypeName)
			fatal(err)
			col := catalogtest.Col(d.Colname, c.FormatType(typ.OID, typ.Mod))
			var def *pg_query.Node
			for _, x := range d.Constraints {
				con := x.GetConstraint()
				switch con.Contype {
				case pg_query.ConstrType_CONSTR_PRIMARY:
					pk = []string{d.Colname}
				case pg_query.ConstrType_CONSTR_UNIQUE:
					unique = append(unique, []string{d.Colname})
				case pg_query.ConstrType_CONSTR_NOTNULL:
					col.NotNull = true
				case pg_query.ConstrType_CONSTR_DEFAULT:
					def = con.RawExpr
				case pg_query.ConstrType_CONSTR_GENERATED:
					def, col.Generated = con.RawExpr, true
				case pg_query.ConstrType_CONSTR_IDENTITY:
					col.Identity = con.GeneratedWhen[0]
				}
			}
			cols, defaults = append(cols, col), append(defaults, def)
		}
		r := c.Table(n.CreateStmt.Relation.Relname, pk, cols...)
		for i, d := range defaults {
			if d == nil {
				continue
			}
			k := analyze.ExprDefault
			var over *catalog.Relation
			if cols[i].Generated {
				k, over = analyze.ExprGenerated, r
			}
			gen := r.Columns[i].Generated
			r.Columns[i].Generated = false
			e, err := analyze.AnalyzeExpr(ctx, env, analyze.ExprSpec{Source: s.Source, Node: d, Kind: k, Relation: over, Target: r.Columns[i].Type, ColumnName: r.Columns[i].Name})
			fatal(err)
			r.Columns[i].Default, r.Columns[i].Generated = e, gen
		}
		for _, u := range unique {
			c.Index(r, r.Name+"_"+strings.Join(u, "_")+"_key", true, u...)
		}
	case *pg_query.Node_CreateEnumStmt:
		var labels []string
		for _, v := range n.CreateEnumStmt.Vals {
			labels = append(labels, v.GetString_().Sval)
		}
		c.Enum(n.CreateEnumStmt.TypeName[0].GetString_().Sval, labels...)
	case *pg_query.Node_ViewStmt:
		q, err := analyze.AnalyzeNode(ctx, env, s.Source, n.ViewStmt.Query, nil)
		fatal(err)
		c.View(n.ViewStmt.View.Relname, q)
	case *pg_query.Node_IndexStmt:
		r, err := analyze.ResolveRelation(ctx, env, s.Source, n.IndexStmt.Relation)
		fatal(err)
		var cols []string
		for _, p := range n.IndexStmt.IndexParams {
			cols = append(cols, p.GetIndexElem().Name)
		}
		c.Index(r, n.IndexStmt.Idxname, n.IndexStmt.Unique, cols...)
	default:
		t.Fatalf("schema.ddl: %s", s.Text)
	}
}

// FuzzAnalyze looks for statements that make analysis panic.
func FuzzAnalyze(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.sql")
	for _, file := range files {
		b, _ := os.ReadFile(file)
		for _, s := range strings.Split(string(b), ";\n") {
			f.Add(s)
		}
	}
	env := testEnv(f)
	f.Fuzz(func(t *testing.T, s string) {
		st, err := parse.Parse(s)
		if err != nil {
			return
		}
		for _, x := range st {
			_, _ = analyze.Analyze(context.Background(), env, x, nil)
		}
	})
}
