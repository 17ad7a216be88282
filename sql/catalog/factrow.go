package catalog

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/types"
)

// factTable reads the rows of one catalog's facts by column name. The facts are
// fixed at build time, so a malformed field panics.
type factTable struct {
	name string
	*facts.Table
	cols map[string]int
}

func loadFacts(name string) *factTable {
	t := facts.Load(name)
	f := &factTable{name: name, Table: t, cols: make(map[string]int, len(t.Columns))}
	for i, c := range t.Columns {
		f.cols[c] = i
	}
	return f
}

// factRow is one row of a factTable.
type factRow struct {
	t *factTable
	f []string
}

func (f *factTable) each(fn func(r factRow)) {
	for _, r := range f.Rows {
		fn(factRow{f, r})
	}
}

func (r factRow) str(col string) string {
	i, ok := r.t.cols[col]
	if !ok {
		panic(fmt.Sprintf("facts: %s has no column %s", r.t.name, col))
	}
	if r.f[i] == facts.Null {
		return ""
	}
	return r.f[i]
}

func (r factRow) null(col string) bool { return r.f[r.t.cols[col]] == facts.Null }

func (r factRow) boolean(col string) bool { return r.str(col) == "t" }

func (r factRow) char(col string) byte {
	if s := r.str(col); s != "" {
		return s[0]
	}
	return 0
}

func (r factRow) num(col string) int64 {
	n, err := strconv.ParseInt(r.str(col), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("facts: %s.%s: %v", r.t.name, col, err))
	}
	return n
}

func (r factRow) float(col string) float64 {
	n, err := strconv.ParseFloat(r.str(col), 64)
	if err != nil {
		panic(fmt.Sprintf("facts: %s.%s: %v", r.t.name, col, err))
	}
	return n
}

func (r factRow) oid(col string) types.OID { return types.OID(uint32(r.num(col))) }

// oids reads an oidvector ("23 25").
func (r factRow) oids(col string) []types.OID {
	f := strings.Fields(strings.Trim(r.str(col), "{}"))
	if strings.HasPrefix(r.str(col), "{") {
		f = r.list(col)
	}
	out := make([]types.OID, len(f))
	for i, s := range f {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			panic(fmt.Sprintf("facts: %s.%s: %v", r.t.name, col, err))
		}
		out[i] = types.OID(n)
	}
	return out
}

// list reads an array of simple words ("{a,b,\"\"}").
func (r factRow) list(col string) []string {
	s := strings.TrimSuffix(strings.TrimPrefix(r.str(col), "{"), "}")
	if s == "" {
		return nil
	}
	out := strings.Split(s, ",")
	for i, w := range out {
		out[i] = strings.Trim(w, `"`)
	}
	return out
}
