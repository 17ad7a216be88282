package compat

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Script is a psql session: PATH.psql with what psql printed beside it (PATH.out).
type Script struct {
	Name, Path string
	Recorded   string // "" when there is no .out file
}

// LoadScripts reads DIR/psql/*.psql, sorted by name.
func LoadScripts(dir string) ([]*Script, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "psql", "*.psql"))
	if err != nil {
		return nil, err
	}
	sort.Strings(paths)
	var scripts []*Script
	for _, p := range paths {
		s := &Script{Name: "psql/" + filepath.Base(p), Path: p}
		if b, err := os.ReadFile(s.outPath()); err == nil {
			s.Recorded = string(b)
		} else if !os.IsNotExist(err) {
			return nil, err
		}
		scripts = append(scripts, s)
	}
	return scripts, nil
}

func (s *Script) outPath() string { return strings.TrimSuffix(s.Path, ".psql") + ".out" }

// WriteOut stores what psql printed.
func (s *Script) WriteOut(output string) error {
	return os.WriteFile(s.outPath(), []byte(output), 0o644)
}

// RunScript runs a script with the installed psql in a database made for it and
// returns everything psql printed, the commands echoed.
func RunScript(ctx context.Context, dsn string, s *Script) (string, error) {
	admin, err := connect(ctx, dsn, "", nil)
	if err != nil {
		return "", err
	}
	defer admin.Close(context.WithoutCancel(ctx))
	db := "compat_psql_" + strings.TrimSuffix(filepath.Base(s.Path), ".psql")
	for _, q := range []string{"DROP DATABASE IF EXISTS " + db, "CREATE DATABASE " + db} {
		if err := admin.Exec(ctx, q).Close(); err != nil {
			return "", fmt.Errorf("%s: %w", q, err)
		}
	}
	cfg, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*statementTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "psql", "-X", "-a", "-q", "-h", cfg.Host, "-p", fmt.Sprint(cfg.Port), "-U", cfg.User, "-d", db, "-f", filepath.Base(s.Path))
	cmd.Dir = filepath.Dir(s.Path)
	cmd.Env = append(os.Environ(), "PGTZ=UTC", "LC_ALL=C.UTF-8", "PGCLIENTENCODING=UTF8", "PAGER=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w\n%s", err, out)
	}
	return string(out), admin.Exec(ctx, "DROP DATABASE IF EXISTS "+db).Close()
}

var (
	sizeText  = regexp.MustCompile(`\b\d+ (bytes|kB|MB|GB)\b`)
	sizeBlank = regexp.MustCompile(` +`)
	sizeRule  = regexp.MustCompile(`-{2,}`)
)

// MaskSizes makes psql's output the same whatever the sizes in it are: PostgreSQL
// counts pages and Basalt bytes. The width of the columns goes with them.
func MaskSizes(output string) string {
	var out []string
	for _, l := range strings.Split(sizeText.ReplaceAllString(output, "SIZE"), "\n") {
		out = append(out, strings.TrimSpace(sizeRule.ReplaceAllString(sizeBlank.ReplaceAllString(l, " "), "-")))
	}
	return strings.Join(out, "\n")
}

// DiffLines prints the lines that differ between two outputs, by longest common
// subsequence, with two lines of context; "" when they are equal.
func DiffLines(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	lcs := make([][]int32, len(a)+1)
	for i := range lcs {
		lcs[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				lcs[i][j] = lcs[i+1][j+1] + 1
			} else {
				lcs[i][j] = max(lcs[i+1][j], lcs[i][j+1])
			}
		}
	}
	type line struct {
		mark byte
		text string
	}
	var all []line
	i, j, changed := 0, 0, false
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			all = append(all, line{' ', a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && lcs[i+1][j] >= lcs[i][j+1]:
			all = append(all, line{'-', a[i]})
			i, changed = i+1, true
		default:
			all = append(all, line{'+', b[j]})
			j, changed = j+1, true
		}
	}
	if !changed {
		return ""
	}
	var out strings.Builder
	const around = 2
	for k, l := range all {
		near := false
		for d := max(k-around, 0); d <= min(k+around, len(all)-1); d++ {
			near = near || all[d].mark != ' '
		}
		if near {
			fmt.Fprintf(&out, "%c %s\n", l.mark, l.text)
		}
	}
	return out.String()
}
