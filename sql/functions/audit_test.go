package functions_test

import (
	"bufio"
	"os"
	"path"
	"sort"
	"strings"
	"testing"

	"github.com/basaltdb/basalt/sql/catalog/facts"
	"github.com/basaltdb/basalt/sql/functions"
	"github.com/basaltdb/basalt/sql/functions/sys"
	"github.com/basaltdb/basalt/sql/types"
)

// auditTypes are the types whose functions Basalt means to have, arrays of them included.
var auditTypes = strings.Fields(`bool int2 int4 int8 float4 float8 numeric text varchar bpchar char name bytea bit varbit date time
	timetz timestamp timestamptz interval uuid json jsonb jsonpath oid regproc regprocedure regoper regoperator regclass
	regtype regrole regnamespace regcollation xid xid8 cid tid int2vector oidvector pg_lsn pg_snapshot txid_snapshot
	any anyelement anyarray anynonarray anyenum anycompatible anycompatiblearray anycompatiblenonarray record void unknown cstring`)

// signature is a function as pg_proc has it: name(argument types).
func signature(names map[string]string, row []string, name, args int) (sig string, types []string) {
	for _, a := range strings.Fields(row[args]) {
		types = append(types, names[a])
	}
	return row[name] + "(" + strings.Join(types, ",") + ")", types
}

// TestAudit holds the registry against pg_proc: every function over the types
// above is registered, or testdata/audit.txt says why it is not. A line there is
// a pattern of the signature (* matches anything but a slash) and a reason. A
// pattern that explains nothing fails too, so that the file shrinks.
func TestAudit(t *testing.T) {
	known := map[string]bool{}
	for _, n := range auditTypes {
		known[n], known["_"+n] = true, true
	}
	names := map[string]string{}
	tt := facts.Load("pg_type")
	o, n := tt.Column("oid"), tt.Column("typname")
	for _, r := range tt.Rows {
		names[r[o]] = r[n]
	}
	type line struct {
		pattern string
		used    bool
	}
	var explained []*line
	f, err := os.Open("testdata/audit.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		l := sc.Text()
		if l == "" || l[0] == '#' {
			continue
		}
		pattern, reason, ok := strings.Cut(l, " ")
		if !ok || reason == "" {
			t.Errorf("no reason: %s", l)
		}
		explained = append(explained, &line{pattern: pattern})
	}
	reg := functions.Fill()
	sys.Register(reg)
	pt := facts.Load("pg_proc")
	oid, name, args := pt.Column("oid"), pt.Column("proname"), pt.Column("proargtypes")
	kind, result, all := pt.Column("prokind"), pt.Column("prorettype"), pt.Column("proallargtypes")
	var gaps []string
	total, have := 0, 0
	for _, r := range pt.Rows {
		sig, ts := signature(names, r, name, args)
		ts = append(ts, names[r[result]])
		for _, a := range strings.FieldsFunc(r[all], func(c rune) bool { return c == '{' || c == '}' || c == ',' }) {
			if a != `\N` {
				ts = append(ts, names[a])
			}
		}
		inScope := true
		for _, x := range ts {
			inScope = inScope && known[x]
		}
		if !inScope {
			continue
		}
		total++
		id, ok := facts.Proc(sig)
		if !ok {
			t.Errorf("pg_proc's %s (%s) is not found by its signature", sig, r[oid])
			continue
		}
		at := types.OID(id)
		registered := reg.Function(at) != nil || reg.Set(at) != nil || reg.Aggregate(at) != nil
		if registered {
			have++
		}
		why := false
		for _, e := range explained {
			if m, _ := path.Match(e.pattern, sig); m {
				if why = true; !registered {
					e.used = true
				}
			}
		}
		if !registered && !why {
			gaps = append(gaps, r[kind]+" "+sig+" -> "+names[r[result]])
		}
	}
	sort.Strings(gaps)
	for _, g := range gaps {
		t.Errorf("not registered: %s", g)
	}
	for _, e := range explained {
		if !e.used {
			t.Errorf("explains nothing: %s", e.pattern)
		}
	}
	t.Logf("%d of %d functions are registered, %d are not and unexplained", have, total, len(gaps))
}
