package compat

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Tally counts the statements of a comparison.
type Tally struct {
	Statements, Failing int // Failing: recorded as an error
	Equal, Known        int
	Different           int // not equal, not listed
	Minor               int // equal but for details, hints, positions or notices
	Stale               []string

	// Unordered, when set, says that the server keeps rows in no order of their own:
	// rows of statements without ORDER BY may come in any order, and the statements
	// listed, whose values hang on an order that nobody asked for, may differ.
	Unordered Known
	AnyOrder  int // equal but for that
}

// sameRows reports whether two outcomes of a statement without ORDER BY differ in
// the order of their rows at most.
func sameRows(statement, a, b string) bool {
	if strings.Contains(strings.ToLower(statement), "order by") {
		return false
	}
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// Compare adds one file's outcomes to the tally and prints each unlisted difference.
func (t *Tally) Compare(w io.Writer, f *File, want, got []string, known Known, showMinor bool) {
	ids := f.IDs()
	for i, s := range f.Statements {
		id := ids[i]
		t.Statements++
		if strings.Contains(want[i], "\n! ") || strings.HasPrefix(want[i], "! ") {
			t.Failing++
		}
		reason, listed := known[f.Name][id]
		if Essence(want[i]) == Essence(got[i]) {
			t.Equal++
			if listed {
				t.Stale = append(t.Stale, fmt.Sprintf("%s %s %s", f.Name, id, reason))
			}
			if want[i] != got[i] {
				t.Minor++
				if showMinor {
					show(w, f.Name, id, s, want[i], got[i])
				}
			}
			continue
		}
		if listed {
			t.Known++
			continue
		}
		if t.Unordered != nil {
			if _, ok := t.Unordered[f.Name][id]; ok || sameRows(s, Essence(want[i]), Essence(got[i])) {
				t.AnyOrder++
				continue
			}
		}
		t.Different++
		show(w, f.Name, id, s, want[i], got[i])
	}
}

// Dangling lists the entries of known that name no statement of files.
func Dangling(files []*File, known Known) []string {
	there := map[string]bool{}
	for _, f := range files {
		for _, id := range f.IDs() {
			there[f.Name+" "+id] = true
		}
	}
	var out []string
	for file, ids := range known {
		for id := range ids {
			if !there[file+" "+id] {
				out = append(out, file+" "+id)
			}
		}
	}
	return out
}

// Summary is one line.
func (t *Tally) Summary() string {
	s := fmt.Sprintf("%d statements (%d of them errors in PostgreSQL): %d equal, %d known differences, %d different; %d equal but for detail, hint, position or notice; %d stale entries in known.txt",
		t.Statements, t.Failing, t.Equal, t.Known, t.Different, t.Minor, len(t.Stale))
	if t.Unordered != nil {
		s += fmt.Sprintf("; %d equal but for an order of rows that was not asked for", t.AnyOrder)
	}
	return s
}

func show(w io.Writer, file, id, statement, want, got string) {
	fmt.Fprintf(w, "--- %s %s\n%s\n", file, id, statement)
	a, b := strings.Split(strings.TrimSuffix(want, "\n"), "\n"), strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	printSide(w, "  PostgreSQL: ", a)
	printSide(w, "  Basalt:     ", b)
}

// linesMax bounds what is shown of one side.
const linesMax = 12

func printSide(w io.Writer, label string, lines []string) {
	if len(lines) == 0 {
		fmt.Fprintf(w, "%s(nothing more)\n", label)
	}
	for i, l := range lines {
		if i == linesMax {
			fmt.Fprintf(w, "%s… %d more lines\n", label, len(lines)-i)
			return
		}
		fmt.Fprintf(w, "%s%s\n", label, l)
	}
}
