// Package functest tests function implementations against answers recorded from
// PostgreSQL. A test of a function package calls Run with its registry and its
// files:
//
//	functest.Run(t, functions.Builtins(), "testdata/*.tsv")
//
// A file has a line per call, fields divided by tabs: the signature as in
// pg_proc (date_pli(date,int4)), one field per argument in text form (\N for
// NULL; "@int4[] {1,2}" gives a polymorphic argument a type), and what
// PostgreSQL answered: "OID text", "\N", or "ERROR code: message …". A call of a
// set-returning function answers its rows joined by " ; ". Lines "set
// key=value;…" choose the session's settings (timezone, datestyle,
// intervalstyle). go test -rewrite -pg DSN records.
package functest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

var (
	rewrite = flag.Bool("rewrite", false, "record expected values from the PostgreSQL at -pg")
	dsn     = flag.String("pg", "host=/tmp user=postgres", "connection string for -rewrite")
)

var typeOIDs = sync.OnceValue(func() map[string]types.OID {
	m := map[string]types.OID{}
	t := facts.Load("pg_type")
	o, n := t.Column("oid"), t.Column("typname")
	for _, r := range t.Rows {
		oid, _ := strconv.ParseUint(r[o], 10, 32)
		m[r[n]] = types.OID(oid)
	}
	return m
})

// Type finds a built-in type by its pg_type name or that name followed by [].
func Type(name string) types.T {
	if e, ok := strings.CutSuffix(name, "[]"); ok {
		name = "_" + e
	}
	oid, ok := typeOIDs()[name]
	if !ok {
		panic("functest: no type " + name)
	}
	return types.Of(oid)
}

// Run replays files against a registry, or records them with -rewrite.
func Run(t *testing.T, r *expr.Registry, glob string) {
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", glob, err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".tsv"), func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
			if *rewrite {
				record(t, f, lines)
				return
			}
			env := types.DefaultEnv()
			for n, l := range lines {
				if l == "" || l[0] == '#' {
					continue
				}
				if s, ok := strings.CutPrefix(l, "set "); ok {
					env = Settings(t, s)
					continue
				}
				c, err := parse(l)
				if err != nil {
					t.Fatalf("line %d: %v", n+1, err)
				}
				if got := c.eval(r, env); got != c.want {
					t.Errorf("line %d: %s%q\n got  %s\n want %s", n+1, c.sig, c.args, got, c.want)
				}
			}
		})
	}
}

type testCase struct {
	sig   string
	types []string
	args  []string
	want  string
}

var escaper = strings.NewReplacer("\\", "\\\\", "\n", "\\n", "\t", "\\t")
var unescaper = strings.NewReplacer("\\\\", "\\", "\\n", "\n", "\\t", "\t")

func parse(line string) (testCase, error) {
	f := strings.Split(line, "\t")
	c := testCase{sig: f[0]}
	i := strings.IndexByte(c.sig, '(')
	if i < 0 {
		return c, fmt.Errorf("no signature in %q", line)
	}
	if a := strings.TrimSuffix(c.sig[i+1:], ")"); a != "" {
		c.types = strings.Split(a, ",")
	}
	n := 0
	for f = f[1:]; len(f) > 0 && n < len(c.types); n++ {
		a := f[0]
		f = f[1:]
		if s, ok := strings.CutPrefix(a, "@"); ok {
			c.types[n], a, _ = strings.Cut(s, " ")
		}
		if a != "\\N" {
			a = unescaper.Replace(a)
		}
		c.args = append(c.args, a)
	}
	if n < len(c.types) {
		return c, fmt.Errorf("too few arguments in %q", line)
	}
	c.want = strings.Join(f, "\t")
	return c, nil
}

// eval runs a call over a vector of two rows, the second all NULL, so that
// kernels are seen to leave NULL rows alone.
func (c *testCase) eval(r *expr.Registry, env *types.Env) (answer string) {
	report := func(err error) string {
		e := pgerror.From(err)
		return describe(string(e.Code), e.Message, e.Detail, e.Hint, e.Where)
	}
	oid, ok := facts.Proc(c.sig)
	if !ok {
		return "no function " + c.sig
	}
	ctx := &expr.Context{Ctx: context.Background(), Env: env}
	call := &expr.Call{OID: types.OID(oid)}
	isErr := strings.HasPrefix(c.want, "ERROR ")
	resultOID, _, _ := strings.Cut(c.want, " ")
	if n, err := strconv.ParseUint(resultOID, 10, 32); err == nil && !isErr && !isSet(oid) {
		call.Result = types.Of(types.OID(n))
	} else {
		call.Result = factResult(oid)
	}
	row := make([]types.Datum, len(c.args))
	vecs := make([]arrow.Array, len(c.args))
	for i, a := range c.args {
		t := Type(c.types[i])
		call.ArgTypes = append(call.ArgTypes, t)
		b := types.NewBuilder(t, 2)
		if a != "\\N" {
			d, err := types.In(env, t, a)
			if err != nil {
				return report(err)
			}
			row[i] = d
		}
		b.Append(row[i])
		b.AppendNull()
		vecs[i] = b.Finish()
		if i == 0 && isSet(oid) && t.Class == types.ClassArray && factResults()[oid] == types.AnyElement {
			call.Result = t.ElemType()
		}
		call.Const, call.IsConst = append(call.Const, row[i]), append(call.IsConst, false)
	}
	if set := r.Set(types.OID(oid)); set != nil {
		var out []string
		if set.Strict {
			for _, d := range row {
				if d == nil {
					return "\\N"
				}
			}
		}
		err := set.Eval(ctx, call, row, func(vals ...types.Datum) error {
			out = append(out, formatRow(env, call.Result, vals))
			return nil
		})
		if err != nil {
			return report(err)
		}
		if out == nil {
			return "\\N"
		}
		return escaper.Replace(strings.Join(out, " ; "))
	}
	f := r.Function(types.OID(oid))
	if f == nil {
		return "not implemented: " + c.sig
	}
	n := 2
	if len(vecs) == 0 {
		n = 1
	}
	if f.Prepare != nil {
		s, err := f.Prepare(ctx, call)
		if err != nil {
			return report(err)
		}
		call.State = s
	}
	if !f.Strict {
		for i := range vecs { // one row: what the function makes of NULLs is its own affair
			b := types.NewBuilder(call.ArgTypes[i], 1)
			b.Append(row[i])
			vecs[i] = b.Finish()
		}
		n = 1
	} else {
		for _, d := range row {
			if d == nil {
				return "\\N"
			}
		}
	}
	v, err := f.Eval(ctx, call, vecs, n)
	if err != nil {
		if f.Value != nil {
			if _, e := f.Value(ctx, call, row); e == nil || report(e) != report(err) {
				return fmt.Sprintf("single row: %v, vectors: %v", e, err)
			}
		}
		return report(err)
	}
	d := types.Get(call.Result, v, 0)
	if f.Value != nil { // both forms have to say the same
		got, err := f.Value(ctx, call, row)
		if err != nil {
			return "single row: " + report(err)
		}
		if !bytes.Equal(types.AppendDatum(call.Result, nil, got), types.AppendDatum(call.Result, nil, d)) {
			return fmt.Sprintf("single row: %v, vectors: %v", got, d)
		}
	}
	if d == nil {
		return "\\N"
	}
	s, err := types.Out(env, call.Result, d)
	if err != nil {
		return report(err)
	}
	return strconv.FormatUint(uint64(call.Result.OID), 10) + " " + escaper.Replace(s)
}

func formatRow(env *types.Env, t types.T, vals []types.Datum) string {
	if len(vals) > 1 || t.OID == types.RecordOID {
		rec := &types.Record{Type: types.Of(types.RecordOID), Fields: vals}
		for _, v := range vals {
			rec.Types = append(rec.Types, guess(v))
		}
		s, err := types.Out(env, rec.Type, rec)
		if err != nil {
			return err.Error()
		}
		return s
	}
	if vals[0] == nil {
		return "NULL"
	}
	s, err := types.Out(env, t, vals[0])
	if err != nil {
		return err.Error()
	}
	return s
}

// guess names a type for a column of an anonymous row by its Go form.
func guess(d types.Datum) types.T {
	switch d.(type) {
	case int32:
		return types.Of(types.Int4)
	case int64:
		return types.Of(types.Int8)
	case types.JSONB:
		return types.Of(types.JSONBOID)
	case bool:
		return types.Of(types.Bool)
	}
	return types.Of(types.Text)
}

var factResults = sync.OnceValue(func() map[uint32]types.OID {
	m := map[uint32]types.OID{}
	t := facts.Load("pg_proc")
	o, p := t.Column("oid"), t.Column("prorettype")
	for _, r := range t.Rows {
		a, _ := strconv.ParseUint(r[o], 10, 32)
		b, _ := strconv.ParseUint(r[p], 10, 32)
		m[uint32(a)] = types.OID(b)
	}
	return m
})

func factResult(oid uint32) types.T {
	t := types.Of(factResults()[oid])
	if t.Class == types.ClassPseudo {
		return types.Of(types.Text)
	}
	return t
}

// Settings gives an Env for a "set" line.
func Settings(t *testing.T, text string) *types.Env {
	env := types.DefaultEnv()
	for _, s := range strings.Split(text, ";") {
		k, v, ok := strings.Cut(strings.TrimSpace(s), "=")
		if !ok {
			continue
		}
		switch k {
		case "timezone":
			loc, ok := types.LoadZone(v)
			if !ok {
				t.Fatalf("zone %q", v)
			}
			env.TimeZone, env.TimeZoneName = loc, v
		case "datestyle":
			style, order, _ := strings.Cut(v, ",")
			env.DateStyle = map[string]types.DateStyle{"iso": types.DateStyleISO, "sql": types.DateStyleSQL,
				"postgres": types.DateStylePostgres, "german": types.DateStyleGerman}[style]
			env.DateOrder = map[string]types.DateOrder{"mdy": types.DateOrderMDY, "dmy": types.DateOrderDMY, "ymd": types.DateOrderYMD}[order]
		case "intervalstyle":
			env.IntervalStyle = map[string]types.IntervalStyle{"postgres": types.IntervalStylePostgres,
				"postgres_verbose": types.IntervalStylePostgresVerbose, "sql_standard": types.IntervalStyleSQLStandard,
				"iso_8601": types.IntervalStyleISO8601}[v]
		}
	}
	return env
}

func describe(code, msg, detail, hint, where string) string {
	s := "ERROR " + code + ": " + msg
	for _, p := range [][2]string{{"detail", detail}, {"hint", hint}, {"where", where}} {
		if p[1] != "" {
			s += " | " + p[0] + ": " + p[1]
		}
	}
	return escaper.Replace(s)
}

func record(t *testing.T, file string, lines []string) {
	ctx := context.Background()
	c, err := pgconn.Connect(ctx, *dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(ctx) }()
	exec := func(sql string) {
		if _, err := c.Exec(ctx, sql).ReadAll(); err != nil {
			t.Fatal(sql, err)
		}
	}
	reset := "set timezone='UTC'; set datestyle='iso,mdy'; set intervalstyle='postgres'; set jit=off"
	exec(reset)
	var out strings.Builder
	for _, l := range lines {
		if l == "" || l[0] == '#' {
			fmt.Fprintln(&out, l)
			continue
		}
		if s, ok := strings.CutPrefix(l, "set "); ok {
			exec(reset)
			for _, kv := range strings.Split(s, ";") {
				if k, v, ok := strings.Cut(strings.TrimSpace(kv), "="); ok {
					exec("set " + k + "='" + v + "'")
				}
			}
			fmt.Fprintln(&out, l)
			continue
		}
		tc, err := parse(l)
		if err != nil {
			t.Fatal(err)
		}
		in := strings.Split(l, "\t")[:1+len(tc.args)]
		var args []string
		for i, a := range tc.args {
			v := "NULL"
			if a != "\\N" {
				v = "'" + strings.ReplaceAll(a, "'", "''") + "'"
			}
			ty := tc.types[i]
			if e, ok := strings.CutSuffix(ty, "[]"); ok {
				ty = "_" + e
			}
			args = append(args, v+"::pg_catalog.\""+ty+"\"")
		}
		if n := len(args); n > 0 && isVariadic(tc.sig) {
			args[n-1] = "VARIADIC " + args[n-1]
		}
		name := tc.sig[:strings.IndexByte(tc.sig, '(')]
		expr := "pg_catalog.\"" + name + "\"(" + strings.Join(args, ", ") + ")"
		oid, _ := facts.Proc(tc.sig)
		sql := "select x, pg_typeof(x)::oid::text from (select " + expr + " x) s"
		if isSet(oid) {
			sql = "select string_agg(coalesce(x::text, 'NULL'), ' ; ') from (select " + expr + " x) s"
		}
		r := c.ExecParams(ctx, sql, nil, nil, nil, nil).Read()
		var pe *pgconn.PgError
		answer := "\\N"
		switch {
		case errors.As(r.Err, &pe):
			answer = describe(pe.Code, pe.Message, pe.Detail, pe.Hint, pe.Where)
		case r.Err != nil:
			t.Fatal(l, r.Err)
		case len(r.Rows) == 1 && r.Rows[0][0] != nil:
			answer = escaper.Replace(string(r.Rows[0][0]))
			if len(r.Rows[0]) > 1 {
				answer = string(r.Rows[0][1]) + " " + answer
			}
		}
		fmt.Fprintln(&out, strings.Join(append(in, answer), "\t"))
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

var variadicProcs = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	t := facts.Load("pg_proc")
	o, p := t.Column("oid"), t.Column("provariadic")
	for _, r := range t.Rows {
		m[r[o]] = r[p] != "0" && r[p] != "-"
	}
	return m
})

func isVariadic(sig string) bool {
	oid, _ := facts.Proc(sig)
	return variadicProcs()[strconv.FormatUint(uint64(oid), 10)]
}

var setProcs = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	t := facts.Load("pg_proc")
	o, p := t.Column("oid"), t.Column("proretset")
	for _, r := range t.Rows {
		m[r[o]] = r[p] == "t"
	}
	return m
})

func isSet(oid uint32) bool { return setProcs()[strconv.FormatUint(uint64(oid), 10)] }
