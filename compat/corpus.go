package compat

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// File is one corpus file with its recorded outcomes.
type File struct {
	Name       string // AREA/NAME.sql
	Path       string
	Statements []string
	// Recorded outcomes, one per statement; nil when there is no .out file.
	Recorded []string
}

// ID names a statement's text: it moves with the text, not with the position.
func ID(statement string) string {
	h := sha256.Sum256([]byte(statement))
	return hex.EncodeToString(h[:5])
}

// IDs name the file's statements in known.txt: the ID of the text, and for the
// second and later statement of the same text ".2", ".3" … behind it.
func (f *File) IDs() []string {
	seen := map[string]int{}
	out := make([]string, len(f.Statements))
	for i, s := range f.Statements {
		out[i] = ID(s)
		if seen[out[i]]++; seen[out[i]] > 1 {
			out[i] = fmt.Sprintf("%s.%d", out[i], seen[out[i]])
		}
	}
	return out
}

// Load reads every AREA/NAME.sql below dir with its recorded outcomes, sorted by name.
func Load(dir string) ([]*File, error) {
	files, err := LoadStatements(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		out, err := os.ReadFile(f.outPath())
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if f.Recorded, err = parseOut(string(out), f.Statements); err != nil {
			return nil, fmt.Errorf("%s: %w (run make compat-record)", f.outPath(), err)
		}
	}
	return files, nil
}

// LoadStatements reads the SQL files alone.
func LoadStatements(dir string) ([]*File, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*.sql"))
	if err != nil {
		return nil, err
	}
	sort.Strings(paths)
	var files []*File
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		files = append(files, &File{Name: filepath.ToSlash(filepath.Join(filepath.Base(filepath.Dir(p)), filepath.Base(p))), Path: p, Statements: Split(string(text))})
	}
	return files, nil
}

func (f *File) outPath() string { return strings.TrimSuffix(f.Path, ".sql") + ".out" }

// WriteOut stores outcomes beside the file: for each statement its ID on a line
// "# ID", then the record.
func (f *File) WriteOut(records []string) error {
	var b strings.Builder
	b.WriteString("-- Recorded from PostgreSQL by make compat-record; format: compat/outcome.go.\n")
	for i, r := range records {
		fmt.Fprintf(&b, "# %s %s\n%s", ID(f.Statements[i]), headline(f.Statements[i]), r)
	}
	return os.WriteFile(f.outPath(), []byte(b.String()), 0o644)
}

// headline is a statement on one line, cut for reading.
func headline(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 100 {
		s = string(r[:100]) + "…"
	}
	return s
}

func parseOut(text string, statements []string) ([]string, error) {
	var out []string
	for _, l := range strings.SplitAfter(text, "\n") {
		switch {
		case strings.HasPrefix(l, "# "):
			if len(out) == len(statements) {
				return nil, fmt.Errorf("more outcomes than statements")
			}
			if id := strings.Fields(l)[1]; id != ID(statements[len(out)]) {
				return nil, fmt.Errorf("outcome %d is of another statement than %q", len(out)+1, headline(statements[len(out)]))
			}
			out = append(out, "")
		case len(out) > 0:
			out[len(out)-1] += l
		}
	}
	if len(out) != len(statements) {
		return nil, fmt.Errorf("%d outcomes for %d statements", len(out), len(statements))
	}
	return out, nil
}

// Known are the listed differences: file name → statement ID → reason.
type Known map[string]map[string]string

// LoadKnown reads known.txt: lines "AREA/NAME.sql ID reason"; # starts a comment line.
func LoadKnown(path string) (Known, error) {
	k := Known{}
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return k, nil
	}
	if err != nil {
		return nil, err
	}
	for n, l := range strings.Split(string(text), "\n") {
		if l = strings.TrimSpace(l); l == "" || l[0] == '#' {
			continue
		}
		f := strings.SplitN(l, " ", 3)
		if len(f) < 3 {
			return nil, fmt.Errorf("%s:%d: want FILE ID REASON", path, n+1)
		}
		if k[f[0]] == nil {
			k[f[0]] = map[string]string{}
		}
		k[f[0]][f[1]] = f[2]
	}
	return k, nil
}
