package history

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestHistories judges hand-made histories by each level. A line is a transaction:
//
//	ID session start-end outcome op op …
//
// with outcome c, a or u (end is - then) and operations a:KEY:V append, r:KEY:V,V,… read of a list,
// w:KEY:V write, w:KEY:V<OLD write that reports what it replaced, g:KEY:V read of a
// register, g:KEY:V<OLD of a row that says what it replaced; then ! for a row lock, & for the same statement as the one before, ~N for
// the rollback N that undid it. Statements and COMMIT divide the time evenly.
//
//	check [witness]   the names of the anomalies at each level [and the witnesses at the last]
func TestHistories(t *testing.T) {
	datadriven.Walk(t, "testdata/histories", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var txns []Txn
			for line := range strings.Lines(d.Input) {
				txns = append(txns, parseTxn(t, strings.Fields(line)))
			}
			var b strings.Builder
			var last []Anomaly
			for l := ReadCommitted; l <= Serializable; l++ {
				last = Check(txns, l)
				fmt.Fprintf(&b, "%s: %s\n", l, strings.Join(names(last), ", "))
			}
			if d.HasArg("witness") {
				for _, a := range last {
					fmt.Fprintln(&b, a)
				}
			}
			return b.String()
		})
	})
}

// names lists the anomalies, each once; ok for none.
func names(as []Anomaly) []string {
	var out []string
	for _, a := range as {
		if !slices.Contains(out, a.Name) {
			out = append(out, a.Name)
		}
	}
	if out == nil {
		return []string{"ok"}
	}
	return out
}

func parseTxn(t *testing.T, f []string) Txn {
	t.Helper()
	atoi := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			t.Fatalf("%q: %v", f, err)
		}
		return n
	}
	x := Txn{ID: int(atoi(f[0])), Session: int(atoi(f[1]))}
	from, to, _ := strings.Cut(f[2], "-")
	start, end := atoi(from)*1000, atoi(from)*1000+1000
	switch f[3] {
	case "c", "a":
		end = atoi(to) * 1000
	}
	x.Outcome = map[string]Outcome{"c": Committed, "a": Aborted, "u": Unknown}[f[3]]
	stmts := int64(1)
	for _, s := range f[4:] {
		if !strings.Contains(s, "&") {
			stmts++
		}
	}
	at := func(i int64) int64 { return start + (end-start)*i/stmts }
	i := int64(-1)
	for _, s := range f[4:] {
		var o Op
		s, o.Undone = cutUndone(s, atoi)
		s, same := strings.CutSuffix(s, "&")
		if !same {
			i++
		}
		s, o.Locked = strings.CutSuffix(s, "!")
		p := strings.SplitN(s, ":", 3)
		o.Key = p[1]
		switch p[0] {
		case "a":
			o.Kind, o.Value = Append, atoi(p[2])
		case "r":
			o.Kind = ReadList
			for v := range strings.SplitSeq(p[2], ",") {
				if v != "" {
					o.List = append(o.List, atoi(v))
				}
			}
		case "w":
			o.Kind = Write
			value, old, reported := strings.Cut(p[2], "<")
			o.Value = atoi(value)
			if o.Reported = reported; reported {
				o.Replaced = atoi(old)
			}
		case "g":
			o.Kind = ReadValue
			value, old, reported := strings.Cut(p[2], "<")
			o.Value = atoi(value)
			if o.Reported = reported; reported {
				o.Replaced = atoi(old)
			}
		}
		o.Start, o.End = at(i)+1, at(i+1)-1
		x.Ops = append(x.Ops, o)
	}
	x.Commit, x.End = at(stmts-1)+1, end
	return x
}

func cutUndone(s string, atoi func(string) int64) (string, int) {
	s, n, ok := strings.Cut(s, "~")
	if !ok {
		return s, 0
	}
	return s, int(atoi(n))
}
