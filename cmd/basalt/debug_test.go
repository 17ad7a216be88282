package main_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/basaltdb/basalt/internal/nodetest"
)

// check runs `basalt debug check`.
func check(t *testing.T, dir string) (out string, ok bool) {
	t.Helper()
	b, err := exec.Command(nodetest.Binary(t), "debug", "check", "--data", dir).CombinedOutput()
	return string(b), err == nil
}

// copyDir copies a data directory.
func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestCheckFindsBitFlips flips bits in the files of a store. The check, or the
// start before it, must fail and name the file.
func TestCheckFindsBitFlips(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	ctx := context.Background()
	if out, ok := check(t, t.TempDir()); ok || !strings.Contains(out, "holds no database") {
		t.Errorf("empty directory: %s", out)
	}
	dir := filepath.Join(t.TempDir(), "data")
	n := nodetest.Start(t, dir)
	c := n.Connect(ctx)
	run := func(sql string) {
		t.Helper()
		if _, err := c.Exec(ctx, sql).ReadAll(); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	run("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE INDEX ON t (lower(v)); INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 20000) i")
	c.Close(ctx)
	n.Stop()
	if out, ok := check(t, dir); !ok || !strings.Contains(out, "no problem") {
		t.Fatalf("sound directory: %s", out)
	}
	// A kill leaves a log: what was acknowledged last is only there.
	n.Restart()
	c = n.Connect(ctx)
	for i := range 300 {
		run(fmt.Sprintf("INSERT INTO t VALUES (%d, repeat('abc', 50))", 100000+i))
	}
	n.Kill()
	if out, ok := check(t, copyDir(t, dir)); !ok {
		t.Fatalf("killed server: %s", out)
	}

	flip := func(path string, at int64) {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[at] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, pattern := range []string{"*.sst", "*.log", "MANIFEST-*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		path, size := files[0], int64(0)
		for _, f := range files { // the largest, of manifests the newest
			if strings.HasPrefix(pattern, "MANIFEST") && f < path {
				continue
			}
			if st, err := os.Stat(f); err == nil && (st.Size() > size || f > path && strings.HasPrefix(pattern, "MANIFEST")) {
				path, size = f, st.Size()
			}
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		used := int64(len(bytes.TrimRight(b, "\x00"))) // logs are allocated ahead
		for _, at := range []int64{used / 10, used / 3} {
			dup := copyDir(t, dir)
			name := filepath.Base(path)
			flip(filepath.Join(dup, name), at)
			out, ok := check(t, dup)
			if ok || !strings.Contains(out, name) {
				t.Errorf("%s, bit flipped at %d of %d: ok %v\n%s", name, at, used, ok, out)
			}
		}
	}
}
