package types

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/basaltdb/basalt/sql/pgerror"
)

var (
	rewriteFlag = flag.Bool("rewrite", false, "record expected values from the PostgreSQL at -pg")
	pgFlag      = flag.String("pg", "host=/tmp user=postgres", "connection string for -rewrite")
)

// valueTypes names the types of testdata/values.
var valueTypes = map[string]T{
	"date": Of(DateOID), "time": Of(TimeOID), "timetz": Of(TimeTZOID), "timestamp": Of(TimestampOID), "timestamptz": Of(TimestampTZOID),
	"time(2)": WithMod(TimeOID, 2), "timestamp(0)": WithMod(TimestampOID, 0), "timestamptz(3)": WithMod(TimestampTZOID, 3),
	"interval": Of(IntervalOID), "interval(2)": WithMod(IntervalOID, IntervalFullRange<<16|2),
	"interval year":             WithMod(IntervalOID, IntervalYear<<16|IntervalFullPrecision),
	"interval month":            WithMod(IntervalOID, IntervalMonth<<16|IntervalFullPrecision),
	"interval year to month":    WithMod(IntervalOID, (IntervalYear|IntervalMonth)<<16|IntervalFullPrecision),
	"interval day to hour":      WithMod(IntervalOID, (IntervalDay|IntervalHour)<<16|IntervalFullPrecision),
	"interval minute to second": WithMod(IntervalOID, (IntervalMinute|IntervalSecond)<<16|IntervalFullPrecision),
	"interval day":              WithMod(IntervalOID, IntervalDay<<16|IntervalFullPrecision),
	"int4[]":                    Of(Int4Array), "text[]": Of(TextArray), "date[]": Of(DateArray), "numeric[]": Of(NumericArray), "int2vector": Of(Int2Vector),
	"oidvector": Of(OidVector), "json": Of(JSON), "jsonb": Of(JSONBOID), "jsonb[]": Of(JSONBArray), "interval[]": Of(IntervalArray),
	"jsonpath": Of(JSONPath),
}

// settings gives an Env for a "set" line.
func settings(t *testing.T, text string) *Env {
	env := DefaultEnv()
	for _, s := range strings.Split(text, ";") {
		k, v, ok := strings.Cut(strings.TrimSpace(s), "=")
		if !ok {
			continue
		}
		switch k {
		case "timezone":
			loc, ok := LoadZone(v)
			if !ok {
				t.Fatalf("zone %q", v)
			}
			env.TimeZone, env.TimeZoneName = loc, v
		case "datestyle":
			for _, w := range strings.Split(v, ",") {
				switch strings.TrimSpace(w) {
				case "iso":
					env.DateStyle = DateStyleISO
				case "postgres":
					env.DateStyle = DateStylePostgres
				case "sql":
					env.DateStyle = DateStyleSQL
				case "german":
					env.DateStyle, env.DateOrder = DateStyleGerman, DateOrderDMY
				case "mdy":
					env.DateOrder = DateOrderMDY
				case "dmy":
					env.DateOrder = DateOrderDMY
				case "ymd":
					env.DateOrder = DateOrderYMD
				}
			}
		case "extra_float_digits":
			env.ExtraFloatDigits, _ = strconv.Atoi(v)
		case "bytea_output":
			env.ByteaEscape = v == "escape"
		case "intervalstyle":
			env.IntervalStyle = map[string]IntervalStyle{"postgres": IntervalStylePostgres, "postgres_verbose": IntervalStylePostgresVerbose,
				"sql_standard": IntervalStyleSQLStandard, "iso_8601": IntervalStyleISO8601}[v]
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
	return strings.NewReplacer("\n", "\\n", "\t", "\\t").Replace(s)
}

// TestValues reads testdata/values/*.tsv: "set" lines choose a session's
// settings, other lines are type, input text (\n, \t, \\ escaped), and what
// PostgreSQL answered: output and binary form in hex, or the error.
func TestValues(t *testing.T) {
	files, _ := filepath.Glob("testdata/values/*.tsv")
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".tsv"), func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if *rewriteFlag {
				record(t, f, string(b))
				return
			}
			env := DefaultEnv()
			for n, line := range strings.Split(strings.TrimRight(string(b), "\n"), "\n") {
				if line == "" || line[0] == '#' {
					continue
				}
				if s, ok := strings.CutPrefix(line, "set "); ok {
					env = settings(t, s)
					continue
				}
				p := strings.Split(line, "\t")
				ty, ok := valueTypes[p[0]]
				if !ok || len(p) < 3 {
					t.Fatalf("line %d: bad line %q", n+1, line)
				}
				want := strings.Join(p[2:], "\t")
				if got := value(t, env, ty, unescapeCase(p[1])); got != want {
					t.Errorf("line %d: %s %q\n got  %s\n want %s", n+1, p[0], p[1], got, want)
				}
			}
		})
	}
}

func unescapeCase(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t").Replace(s)
}

// value reads, prints, and sends a value, and sends it round through every other form.
func value(t *testing.T, env *Env, ty T, s string) string {
	d, err := In(env, ty, s)
	if err != nil {
		e := pgerror.From(err)
		return describe(string(e.Code), e.Message, e.Detail, e.Hint, e.Where)
	}
	out, err := Out(env, ty, d)
	if err != nil {
		return "OUT " + err.Error()
	}
	bin, err := AppendSend(env, ty, nil, d)
	if err != nil {
		return "SEND " + err.Error()
	}
	back, err := Recv(env, ty, bin)
	if err != nil {
		return "RECV " + err.Error()
	}
	if o, _ := Out(env, ty, back); o != out {
		t.Errorf("%q: binary round trip gives %q", out, o)
	}
	if back, err = ReadDatum(ty, AppendDatum(ty, nil, d)); err != nil {
		return "READ " + err.Error()
	}
	if o, _ := Out(env, ty, back); o != out {
		t.Errorf("%q: vector round trip gives %q", out, o)
	}
	if Comparable(ty) {
		if Compare(env, ty, d, back) != 0 || !bytes.Equal(AppendEqualityKey(env, ty, nil, d), AppendEqualityKey(env, ty, nil, back)) {
			t.Errorf("%q: not equal to itself", out)
		}
	}
	return strings.NewReplacer("\n", "\\n", "\t", "\\t").Replace(out) + "\t" + hex.EncodeToString(bin)
}

func record(t *testing.T, file, text string) {
	ctx := context.Background()
	c, err := pgconn.Connect(ctx, *pgFlag)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	var out strings.Builder
	exec := func(sql string) {
		if _, err := c.Exec(ctx, sql).ReadAll(); err != nil {
			t.Fatal(sql, err)
		}
	}
	exec("set timezone='UTC'; set datestyle='iso,mdy'; set intervalstyle='postgres'; set extra_float_digits=1; set bytea_output=hex")
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		if line == "" || line[0] == '#' {
			fmt.Fprintln(&out, line)
			continue
		}
		if s, ok := strings.CutPrefix(line, "set "); ok {
			exec("set timezone='UTC'; set datestyle='iso,mdy'; set intervalstyle='postgres'; set extra_float_digits=1; set bytea_output=hex")
			for _, kv := range strings.Split(s, ";") {
				if k, v, ok := strings.Cut(strings.TrimSpace(kv), "="); ok {
					exec("set " + k + "='" + v + "'")
				}
			}
			fmt.Fprintln(&out, line)
			continue
		}
		p := strings.Split(line, "\t")
		if len(p) < 2 {
			p = append(p, "")
		}
		// A literal, not a parameter: interval's modifier takes part in its input.
		lit := "'" + strings.ReplaceAll(unescapeCase(p[1]), "'", "''") + "'::" + p[0]
		r := c.ExecParams(ctx, "select "+lit+", "+lit, nil, nil, nil, []int16{0, 1}).Read()
		var pe *pgconn.PgError
		switch {
		case errors.As(r.Err, &pe):
			fmt.Fprintf(&out, "%s\t%s\t%s\n", p[0], p[1], describe(pe.Code, pe.Message, pe.Detail, pe.Hint, pe.Where))
		case r.Err != nil:
			t.Fatal(line, r.Err)
		default:
			fmt.Fprintf(&out, "%s\t%s\t%s\t%s\n", p[0], p[1], strings.NewReplacer("\n", "\\n", "\t", "\\t").Replace(string(r.Rows[0][0])), hex.EncodeToString(r.Rows[0][1]))
		}
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
