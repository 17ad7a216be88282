package functions

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/pgerror"
	"github.com/basaltdb/basalt/sql/types"
	"github.com/basaltdb/basalt/vexec/expr"
)

var rewrite = flag.Bool("rewrite", false, "record expected values from the PostgreSQL that BASALT_PG_DSN names")

// TestCalls replays testdata/calls. Each file has blocks of
//
//	fn name(argtypes) [as concrete,types] [-> result]
//	arg<TAB>arg => result
//
// Arguments and results are in text form, \N is NULL, \e the empty string, \t \n \r \\ are escapes;
// "as" gives the types a polymorphic or variadic function is called with. An
// error is "ERROR sqlstate message". An aggregate's block starts with "agg" and
// its rows are separated by " ; ". A set-returning function's results are separated
// by " ; " too. With -rewrite the results are recorded from PostgreSQL.
func TestCalls(t *testing.T) {
	files, err := filepath.Glob("testdata/calls/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	var pg *pgx.Conn
	if *rewrite {
		if pg, err = pgx.Connect(context.Background(), os.Getenv("BASALT_PG_DSN")); err != nil {
			t.Fatal(err)
		}
		defer pg.Close(context.Background())
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) { runCalls(t, f, pg) })
	}
}

type callBlock struct {
	name    string
	agg     bool
	declare []string
	actual  []types.T
	result  types.T
	oid     types.OID
}

func typeByName(t testing.TB, name string) types.T {
	name, mod, hasMod := strings.Cut(strings.TrimSpace(name), "!")
	oid, ok := typeOIDs()[name]
	if !ok {
		t.Fatalf("no type %q", name)
	}
	if hasMod {
		m, _ := strconv.Atoi(mod)
		return types.WithMod(oid, int32(m))
	}
	return types.Of(oid)
}

var typeOIDsCache map[string]types.OID

func typeOIDs() map[string]types.OID {
	if typeOIDsCache == nil {
		typeOIDsCache = map[string]types.OID{}
		tt := facts.Load("pg_type")
		o, n := tt.Column("oid"), tt.Column("typname")
		for _, r := range tt.Rows {
			v, _ := strconv.ParseUint(r[o], 10, 32)
			typeOIDsCache[r[n]] = types.OID(v)
		}
	}
	return typeOIDsCache
}

func typeName(t types.T) string {
	for n, o := range typeOIDs() {
		if o == t.OID {
			return `"` + n + `"`
		}
	}
	return "?"
}

func parseBlock(t *testing.T, line string) *callBlock {
	b := &callBlock{agg: strings.HasPrefix(line, "agg ")}
	_, rest, _ := strings.Cut(line, " ")
	rest, result, hasResult := strings.Cut(rest, " -> ")
	sig, as, hasAs := strings.Cut(rest, " as ")
	sig = strings.TrimSpace(sig)
	oid, ok := facts.Proc(sig)
	if !ok {
		t.Fatalf("no function %s", sig)
	}
	b.oid = types.OID(oid)
	name, args, _ := strings.Cut(strings.TrimSuffix(sig, ")"), "(")
	b.name = name
	if args != "" {
		b.declare = strings.Split(args, ",")
	}
	if hasAs {
		b.declare = strings.Split(as, ",")
	}
	for _, a := range b.declare {
		b.actual = append(b.actual, typeByName(t, a))
	}
	if hasResult {
		b.result = typeByName(t, result)
		return b
	}
	pt := facts.Load("pg_proc")
	o, r := pt.Column("oid"), pt.Column("prorettype")
	for _, row := range pt.Rows {
		if row[o] == fmt.Sprint(oid) {
			v, _ := strconv.ParseUint(row[r], 10, 32)
			b.result = types.Of(types.OID(v))
		}
	}
	return b
}

var escapes = strings.NewReplacer(`\t`, "\t", `\n`, "\n", `\r`, "\r", `\e`, "", `\\`, `\`)
var escaper = strings.NewReplacer("\t", `\t`, "\n", `\n`, "\r", `\r`, `\`, `\\`)

func splitArgs(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\t")
}

func runCalls(t *testing.T, file string, pg *pgx.Conn) {
	in, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	var b *callBlock
	sc := bufio.NewScanner(strings.NewReader(string(in)))
	sc.Buffer(nil, 1<<20)
	failed := 0
	for n := 1; sc.Scan(); n++ {
		line := sc.Text()
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			out.WriteString(line + "\n")
			continue
		case strings.HasPrefix(line, "fn ") || strings.HasPrefix(line, "agg "):
			b = parseBlock(t, line)
			out.WriteString(line + "\n")
			continue
		}
		args, want, _ := strings.Cut(line, " =>")
		if k := len(splitArgs(args)); !b.agg && k != len(b.actual) {
			t.Fatalf("%s:%d: %d arguments", file, n, k)
		}
		want = strings.TrimPrefix(want, " ")
		if pg != nil {
			want = askPostgres(t, pg, b, args)
		}
		fmt.Fprintf(&out, "%s => %s\n", args, want)
		if got := b.run(t, args); got != want {
			if failed++; failed < 60 {
				t.Errorf("%s:%d: %s(%s)\n got %s\nwant %s", file, n, b.name, args, got, want)
			}
		}
	}
	if pg != nil {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func literal(arg string, t types.T) string {
	if arg == `\N` {
		return "NULL::" + typeName(t)
	}
	name := typeName(t)
	if t.Mod >= 0 && t.OID == types.NumericOID {
		p, s, _ := types.NumericTypmod(t.Mod)
		name = fmt.Sprintf("numeric(%d,%d)", p, s)
	} else if t.Mod >= 0 {
		name = fmt.Sprintf("%s(%d)", name, t.Mod-4)
	} else if t.OID == types.BPChar {
		name = "bpchar"
	}
	v := escapes.Replace(arg)
	if strings.Contains(v, `\`) {
		return " E'" + strings.ReplaceAll(strings.ReplaceAll(v, `\`, `\\`), "'", "''") + "'::" + name
	}
	return "'" + strings.ReplaceAll(v, "'", "''") + "'::" + name
}

func askPostgres(t *testing.T, pg *pgx.Conn, b *callBlock, args string) string {
	list := func(args string) string {
		var l []string
		for i, a := range splitArgs(args) {
			l = append(l, literal(a, b.actual[i]))
		}
		return strings.Join(l, ", ")
	}
	var q string
	if !b.agg {
		q = fmt.Sprintf(`SELECT pg_catalog."%s"(%s)`, b.name, list(args))
	} else {
		var rows, cols []string
		for _, r := range strings.Split(args, " ; ") {
			rows = append(rows, "("+list(r)+")")
		}
		for i := range b.actual {
			cols = append(cols, fmt.Sprintf("column%d", i+1))
		}
		q = fmt.Sprintf(`SELECT pg_catalog."%s"(%s) FROM (VALUES %s) v`, b.name, strings.Join(cols, ", "), strings.Join(rows, ", "))
	}
	var res []string
	mrr := pg.PgConn().Exec(context.Background(), q)
	for mrr.NextResult() {
		rr := mrr.ResultReader()
		for rr.NextRow() {
			v := rr.Values()[0]
			if v == nil {
				res = append(res, `\N`)
			} else {
				res = append(res, escaper.Replace(string(v)))
			}
		}
		if _, err := rr.Close(); err != nil {
			break
		}
	}
	if err := mrr.Close(); err != nil {
		var pe *pgconn.PgError
		if !errors.As(err, &pe) {
			t.Fatal(err)
		}
		return showError(pe.Code, pe.Message, pe.Detail, pe.Hint)
	}
	return strings.Join(res, " ; ")
}

func showError(code, msg, detail, hint string) string {
	s := "ERROR " + code + " " + msg
	if detail != "" {
		s += " DETAIL " + detail
	}
	if hint != "" {
		s += " HINT " + hint
	}
	return escaper.Replace(s)
}

// run evaluates in every form: plain vectors, and with constant arguments.
func (b *callBlock) run(t *testing.T, args string) (result string) {
	fail := func(err error) string {
		e := pgerror.From(err)
		return showError(string(e.Code), e.Message, e.Detail, e.Hint)
	}
	ctx := &expr.Context{Ctx: context.Background(), Env: types.DefaultEnv()}
	read := func(args string) ([]types.Datum, error) {
		var ds []types.Datum
		for i, a := range splitArgs(args) {
			if a == `\N` {
				ds = append(ds, nil)
				continue
			}
			d, err := types.In(ctx.Env, b.actual[i], escapes.Replace(a))
			if err != nil {
				return nil, err
			}
			ds = append(ds, d)
		}
		return ds, nil
	}
	show := func(d types.Datum) string {
		if d == nil {
			return `\N`
		}
		s, err := types.Out(ctx.Env, b.result, d)
		if err != nil {
			return fail(err)
		}
		return escaper.Replace(s)
	}
	call := &expr.Call{OID: b.oid, ArgTypes: b.actual, Result: b.result}
	if b.agg {
		a := Builtins().Aggregate(b.oid)
		if a == nil {
			return "NOT REGISTERED"
		}
		st := a.New(ctx, call)
		for _, r := range strings.Split(args, " ; ") {
			ds, err := read(r)
			if err != nil {
				return fail(err)
			}
			skip := false
			for _, d := range ds {
				skip = skip || d == nil && a.SkipNulls
			}
			if skip {
				continue
			}
			if err := st.Add(ds); err != nil {
				return fail(err)
			}
		}
		d, err := st.Result()
		if err != nil {
			return fail(err)
		}
		return show(d)
	}
	ds, err := read(args)
	if err != nil {
		return fail(err)
	}
	if sf := Builtins().Set(b.oid); sf != nil {
		var rows []string
		if err := sf.Eval(ctx, call, ds, func(row ...types.Datum) error { rows = append(rows, show(row[0])); return nil }); err != nil {
			return fail(err)
		}
		return strings.Join(rows, " ; ")
	}
	f := Builtins().Function(b.oid)
	if f == nil {
		return "NOT REGISTERED"
	}
	var first string
	for mode := range 2 {
		c := *call
		if mode == 1 { // all but the first argument constant
			c.Const, c.IsConst = make([]types.Datum, len(ds)), make([]bool, len(ds))
			for i := 1; i < len(ds); i++ {
				c.Const[i], c.IsConst[i] = ds[i], true
			}
		}
		vecs := make([]arrow.Array, len(ds))
		isNull := false
		for i, d := range ds {
			vecs[i] = types.Repeat(b.actual[i], d, 3)
			isNull = isNull || d == nil
		}
		got := func() string {
			if f.Prepare != nil {
				if c.State, err = f.Prepare(ctx, &c); err != nil {
					return fail(err)
				}
			}
			r, err := f.Eval(ctx, &c, vecs, 3)
			if err != nil {
				return fail(err)
			}
			if isNull && f.Strict {
				return `\N`
			}
			return show(types.Get(b.result, r, 2))
		}()
		if mode == 1 && got != first {
			return fmt.Sprintf("%s, with constants %s", first, got)
		}
		first = got
		if f.Value == nil || isNull {
			continue
		}
		d, err := f.Value(ctx, call, ds)
		one := show(d)
		if err != nil {
			one = fail(err)
		}
		if one != first {
			return fmt.Sprintf("%s, of a single row %s", first, one)
		}
	}
	return first
}
