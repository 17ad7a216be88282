// Package facts holds PostgreSQL's catalog facts as data: the rows of the
// system catalogs that every database is born with (types, functions,
// operators, casts, aggregates, operator classes, the catalogs' own
// descriptions) and the settings. They were taken from a running PostgreSQL by
// query; data/NAME.tsv is that catalog's rows in COPY text format with a header
// line. proargdefaults holds the SQL text of the default expressions.
//
// The package only reads its files. What the rows mean is sql/catalog's work.
// It is a leaf.
package facts

import (
	"embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

//go:embed data/*.tsv
var files embed.FS

// Null is the value of a NULL field.
const Null = "\\N"

// Table is one catalog's rows, fields as text (the type's output form), Null for NULL.
type Table struct {
	Columns []string
	Rows    [][]string
}

// Column gives the position of a column, −1 when there is none.
func (t *Table) Column(name string) int {
	for i, c := range t.Columns {
		if c == name {
			return i
		}
	}
	return -1
}

// Load reads the facts of one catalog ("pg_proc"). It panics when there is no
// such file: the set is fixed at build time. The result is fresh and the caller's.
func Load(catalog string) *Table {
	b, err := files.ReadFile("data/" + catalog + ".tsv")
	if err != nil {
		panic(fmt.Sprintf("facts: %v", err))
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	t := &Table{Columns: strings.Split(lines[0], "\t"), Rows: make([][]string, 0, len(lines)-1)}
	for _, l := range lines[1:] {
		f := strings.Split(l, "\t")
		for i, v := range f {
			if v != Null && strings.Contains(v, "\\") {
				f[i] = unescape(v)
			}
		}
		t.Rows = append(t.Rows, f)
	}
	return t
}

// unescape undoes COPY's text escapes.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'v':
			b.WriteByte('\v')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

var procs = sync.OnceValue(func() map[string]uint32 {
	typeName := map[string]string{}
	tt := Load("pg_type")
	o, n := tt.Column("oid"), tt.Column("typname")
	for _, r := range tt.Rows {
		typeName[r[o]] = r[n]
	}
	pt := Load("pg_proc")
	po, pn, pa := pt.Column("oid"), pt.Column("proname"), pt.Column("proargtypes")
	m := make(map[string]uint32, len(pt.Rows))
	for _, r := range pt.Rows {
		args := strings.Fields(r[pa])
		for i, a := range args {
			args[i] = typeName[a]
		}
		oid, err := strconv.ParseUint(r[po], 10, 32)
		if err != nil {
			panic(fmt.Sprintf("facts: pg_proc oid %q", r[po]))
		}
		m[r[pn]+"("+strings.Join(args, ",")+")"] = uint32(oid)
	}
	return m
})

// Proc finds a built-in function by signature, argument types by their pg_type
// names without spaces: "int4pl(int4,int4)", "substr(text,int4)", "now()",
// "array_append(anycompatiblearray,anycompatible)", "_text" for text[].
func Proc(signature string) (oid uint32, ok bool) {
	oid, ok = procs()[signature]
	return oid, ok
}

// ProcName is the signature of a built-in function, or its OID when there is none.
func ProcName(oid uint32) string {
	for sig, o := range procs() {
		if o == oid {
			return sig
		}
	}
	return strconv.FormatUint(uint64(oid), 10)
}

// outParameters maps functions with several OUT parameters to these.
var outParameters = sync.OnceValue(func() map[uint32]Out {
	t := Load("pg_proc")
	po, pa, pm, pn := t.Column("oid"), t.Column("proallargtypes"), t.Column("proargmodes"), t.Column("proargnames")
	list := func(s string) []string { return strings.Split(strings.Trim(s, "{}"), ",") }
	m := map[uint32]Out{}
	for _, r := range t.Rows {
		if r[pa] == Null || r[pm] == Null {
			continue
		}
		var out Out
		all, names := list(r[pa]), list(r[pn])
		for i, mode := range list(r[pm]) {
			if mode != "o" && mode != "b" && mode != "t" {
				continue
			}
			typ, err := strconv.ParseUint(all[i], 10, 32)
			if err != nil {
				panic(fmt.Sprintf("facts: pg_proc argument type %q", all[i]))
			}
			name := ""
			if i < len(names) {
				name = strings.Trim(names[i], `"`)
			}
			out.Types, out.Names = append(out.Types, uint32(typ)), append(out.Names, name)
		}
		if oid, err := strconv.ParseUint(r[po], 10, 32); err == nil && len(out.Types) > 1 {
			m[uint32(oid)] = out
		}
	}
	return m
})

// Out is the row type of a function with several OUT parameters.
type Out struct {
	Names []string
	Types []uint32
}

// ProcOut is the row that a built-in function gives; without fields when it has a
// single result.
func ProcOut(oid uint32) Out { return outParameters()[oid] }
